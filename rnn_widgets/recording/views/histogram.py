"""Histograms of parameters, their gradients and recorded quantities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_widgets.recording.layer import Array

from .curves import alarms, captions
from .drawing import Drawing, Scales, Title
from .features_1d import check_rows, height_of
from .grid import Grid, columns_for, curve_grid, heights, ticks_across
from .heatmap import both_directions, check_gate
from .images import colours
from .parameters import blocks, read_group, roles
from .pick import Choice, check_direction
from .scales import Norm, Scale, Ticks, extent, given_norm, rising
from .selection import EVERY, Selection
from .telling import of_layer, of_samples, told
from .text import not_finite, plural, three_digits
from .view import Legend, View

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording


@dataclass(frozen=True)
class Group:
    """Numbers counted in one panel, float64: ends can be beyond what float32 holds."""

    caption: str
    numbers: Array
    name: str = ""
    gate: str = ""
    direction: str = ""


class Histogram(View):
    """See `histogram`."""

    kind = "histogram"

    def __init__(
        self,
        rec: Recording,
        selection: Selection,
        *,
        what: str,
        bins: int,
        layer: int,
        gate: str | None,
        direction: str | None,
        picks: dict[str, Any],
        rows: int | None,
        norm: object,
        scheme: object,
        share_axes: bool,
        **options: Any,
    ) -> None:
        self._direction, self._gate = check_direction(rec, direction), check_gate(rec, gate)
        if bins < 1:
            raise ValueError(f"bins is at least 1, not {bins}")
        self._bins = 2 * -(-bins // 2)  # even, so that none has both signs
        self._rows, self._norm, self._colours = check_rows(rows), given_norm(norm), colours(scheme)
        self._what, self._shared = what, share_axes
        self._group = read_group(rec, what)
        self._choice = None
        self.follows = ("gate", "direction")
        if self._group is None:
            self._choice = Choice(rec, what, direction=direction, **picks)
            self.follows = ("sample", "channels", "direction")
        else:
            named = self._group[1]
            self._names = (
                both_directions(rec, named)
                if named
                else [n for r in roles(rec, layer).values() for n in r]
            )
        super().__init__(rec, selection, **options)

    def _all(self) -> list[Group]:
        if self._choice is None:
            assert self._group is not None
            parts = [b for name in self._names for b in blocks(self.rec, self._group[0], name)]
            return [
                Group(b.caption, b.values.ravel().astype(float), b.name, b.gate, b.direction)
                for b in parts
            ]
        alone = self._choice.alone(self.selection)
        self._picked = picked = self._choice.picked(self.selection, alone)
        numbers = picked.numbers().astype(float)
        return [Group(name, numbers[:, i].ravel()) for i, name in enumerate(picked.directions)]

    def _groups(self) -> list[Group]:
        gate = self._gate or self.selection.gate
        direction = self._direction or self.selection.direction
        return [
            group
            for group in self._all()
            if gate in (EVERY, group.gate) or not group.gate
            if direction in ("both", group.direction) or not group.direction
        ]

    def _fixed(self) -> set[str]:
        if self._choice is not None:
            return self._choice.fixed()
        given = {"gate": self._gate, "direction": self._direction}
        return {name for name, value in given.items() if value is not None}

    def _extent(self) -> Norm:
        if self._norm:
            return self._norm
        numbers = np.concatenate([group.numbers for group in self._all()])
        return extent(numbers) if self._choice is None else self._choice.ends(numbers)

    def _draw(self, scales: type[Scales]) -> Drawing:
        self._shown = shown = self._groups()
        low, high = self._ends = self.norm()
        self._counts = counts = np.stack([count(g.numbers, self._ends, self._bins) for g in shown])
        gates = len({group.gate for group in shown})
        columns = columns_for(len(shown), self._rows) if self._rows or gates == 1 else gates
        self._grid = grid = curve_grid(
            len(shown), columns, self._bins, 0.41 if len(shown) > 1 else 0.1
        )
        names = [group.name for group in shown]
        alike = [[i for i, n in enumerate(names) if n == name] for name in names]
        tops = [rising(counts[a if self._shared else i]) for i, a in enumerate(alike)]
        places = np.stack([Scale(*top).place(c) for top, c in zip(tops, counts, strict=True)])
        made = scales(grid.across, grid.up)
        layers = {"frames": made.frame(grid.rectangles())}
        for name, part, color in zip(
            ("negative", "positive"), self._halves(low, high), self._colours, strict=True
        ):
            layers[name] = made.areas(*bars(grid, places, part), color)
        lost = np.stack([(~np.isfinite(g.numbers)).any() for g in shown])
        if lost.any():
            edge = np.full((1, len(shown), self._bins), 0.0)
            edge[0, lost, -1] = np.nan
            found = alarms(grid, edge, np.ones((1, 1, 1), bool))
            assert found is not None
            layers["not finite"] = made.alarms(*found)
        layers["captions"] = captions(made, grid, [self._caption(g) for g in shown], False)
        at = sorted({low / 2, 0.0, high / 2})
        ticks = [((x - low) / (high - low) * self._bins - 0.5, three_digits(x)) for x in at]
        return Drawing(
            layers,
            self._heading(),
            grid.across,
            grid.up,
            ticks_across(grid, ticks, 4, 4),
            self._count_ticks(grid, tops),
            "value",
            "count" if self._shared else "count, each panel on its own scale",
            280 if grid.rows == 1 else max(height_of(grid), min(80 + 130 * grid.rows, 720)),
        )

    def _count_ticks(self, grid: Grid, tops: list[Norm]) -> Ticks:
        """The largest count of each row, whose panels are alike."""
        if not self._shared:
            return []
        firsts = np.arange(grid.rows) * grid.columns
        y = grid.bottom(firsts) + grid.height
        return [
            (float(place), three_digits(tops[first][1]))
            for place, first in zip(y, firsts, strict=True)
        ]

    def _halves(self, low: float, high: float) -> tuple[slice, slice]:
        middle = round(self._bins * -low / (high - low))
        return slice(0, middle), slice(middle, self._bins)

    @staticmethod
    def _caption(group: Group) -> str:
        return f"{group.caption}{not_finite(group.numbers)}" if group.caption else ""

    def _heading(self) -> Title:
        everything = np.concatenate([group.numbers for group in self._shown])
        bad = not_finite(everything)
        if self._choice is None:
            return Title(self._what, of_layer(self.rec), bad)
        label = told(self._what, self._picked.label)
        return Title(label, f"{of_layer(self.rec)}{of_samples(self._picked, self.rec)}", bad)

    def _legend(self) -> Legend:
        negative, positive = self._colours
        return [("fill", negative, "negative"), ("fill", positive, "zero and positive")]

    def _note(self) -> str:
        numbers = np.concatenate([group.numbers for group in self._shown])
        low, high = self._ends
        beyond = int(((numbers < low) | (numbers > high))[np.isfinite(numbers)].sum())
        zeros = int((numbers == 0).sum())
        parts = [f"{plural(len(numbers), 'number')}, {zeros} of them exactly zero."]
        if beyond:
            parts.append(f"{beyond} beyond the ends are in the last bars.")
        return " ".join(parts)

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None:
            return ""
        panel, place, _ = found
        edges = np.linspace(*self._ends, self._bins + 1)
        low, high = (three_digits(float(edge)) for edge in edges[place : place + 2])
        caption = self._shown[panel].caption
        before = f"{caption} · " if caption else ""
        return f"{before}from {low} to {high}: {plural(int(self._counts[panel, place]), 'number')}"


def count(numbers: Array, ends: Norm, bins: int) -> Array:
    """How many finite numbers are in each of ``bins`` of one width; those beyond in the last."""
    finite = numbers[np.isfinite(numbers)]
    clipped = np.clip(finite, *ends)
    counted: Array = np.histogram(clipped, bins, ends)[0]
    return counted


def bars(grid: Grid, places: Array, part: slice) -> tuple[Array, Array]:
    """Outlines of the bars of some bins in each panel, as one line with gaps."""
    bins = np.arange(grid.width)[part]
    if not bins.size:
        return np.full(1, np.nan), np.full(1, np.nan)
    panels = np.arange(grid.panels)
    edges = np.repeat(np.r_[bins - 0.5, bins[-1] + 0.5], 2).astype(float)
    tops = heights(grid, panels[:, None], places[:, part]).astype(float)
    base = grid.bottom(panels).astype(float)[:, None]
    gap = np.full((grid.panels, 1), np.nan)
    x = np.concatenate([grid.left(panels)[:, None] + edges, gap], 1)
    y = np.concatenate([base, np.repeat(tops, 2, 1), base, gap], 1)
    return x.ravel(), y.ravel()
