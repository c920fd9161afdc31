"""Histograms of parameters, their gradients and recorded quantities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnn_widgets.recording.layer import Array

from .choice import Choice
from .curves import alarms, captions
from .drawing import Drawing, Scales, Title
from .grid import HIGHEST, WHOLE, Grid, columns_for, curve_grid, height_of, heights, ticks_across
from .images import SCHEMES
from .parameters import (
    OVER_TIME,
    Block,
    Parts,
    both_directions,
    initial_blocks,
    initial_name,
    read_group,
    roles,
)
from .scales import Norm, Scale, Ticks, extent, rising
from .telling import listed_samples, of_layer, of_samples, told
from .text import not_finite, plural, three_digits
from .view import Legend, View

CAPTION = 20  # pixels over a panel


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

    def _prepare(self) -> None:
        rec, options = self.rec, self.options
        self._bins = 2 * -(-options.bins // 2)  # even, so that none has both signs
        group, self._state = read_group(rec, options.what), initial_name(options.what)
        self._choice: Choice | None = None
        self._picks: Parts | None = None
        self.follows = ()
        if group:
            kind, named = group
            every = [name for role in roles(rec, options.layer).values() for name in role]
            names = both_directions(rec, named) if named else every
            self._picks = Parts(rec, kind, names, options, whole=True)
            self.follows = self._picks.follows
        elif self._state is not None:
            self._all()
        else:
            self._choice = Choice(rec, options.what, options)
            self.follows = self._choice.follows

    def _all(self, shown: bool = False) -> list[Group]:
        """Numbers by panel: of every gate and direction, or of those that are shown."""
        if self._choice is not None:
            alone = self._choice.alone(self.selection)
            self._picked = picked = self._choice.picked(self.selection, alone)
            numbers = picked.numbers().astype(float)
            names = picked.directions
            return [Group(n, numbers[:, i].ravel(), "", "", n) for i, n in enumerate(names)]
        if self._picks is not None:
            parts = self._picks
            blocks = parts.shown(self.selection) if shown else parts.all(self.selection)
        else:
            assert self._state is not None
            blocks = initial_blocks(self.rec, self._state, self.options)
        return [self._group(block) for block in blocks]

    def _group(self, block: Block) -> Group:
        values, caption = block.values, block.caption
        if self._state is not None:
            caption = f"{caption} {block.direction}".strip()
        if self._picks is not None and self._picks.group == OVER_TIME:
            # A step has no effect on losses before it: those pairs have no contribution to count.
            back = block.direction == "reverse" or self.rec._spec.go_backwards
            pairs = np.tri(len(values), dtype=bool)
            if not _reaches_both_ways(values):
                values = values[pairs.T if back else pairs]
        numbers = values.ravel().astype(float)
        return Group(caption, numbers, block.name, block.gate, block.direction)

    def _fixed(self) -> set[str]:
        return super()._fixed() if self._choice is None else self._choice.fixed()

    def _extent(self) -> Norm:
        numbers = np.concatenate([group.numbers for group in self._all()])
        return self.options.norm or (self._choice.ends if self._choice else extent)(numbers)

    def _draw(self, scales: type[Scales]) -> Drawing:
        options = self.options
        self._shown = shown = self._all(shown=True)
        self._scale = scale = Scale(*self.norm(), options.scale)
        self._counts = counts = np.stack([count(g.numbers, scale, self._bins) for g in shown])
        gates = len({group.gate for group in shown})
        columns = columns_for(len(shown), options.rows) if options.rows or gates == 1 else gates
        rows = -(-len(shown) // columns)
        height = min(80 + 130 * rows, max(HIGHEST, 80 + 60 * rows)) if rows > 1 else WHOLE
        lane = 0.41 if len(shown) > 1 else 0.1
        if rows > 1 and not options.vertical:  # as much as a caption needs
            pitch = ((options.height or height) - 78) / rows
            lane = max(lane, 2 * CAPTION / max(pitch - CAPTION, 10))
        self._grid = grid = curve_grid(len(shown), columns, self._bins, lane, options.vertical)
        names = [group.name for group in shown]
        alike = [[i for i, n in enumerate(names) if n == name] for name in names]
        tops = [rising(counts[a if options.share_axes else i]) for i, a in enumerate(alike)]
        places = np.stack([Scale(*top).place(c) for top, c in zip(tops, counts, strict=True)])
        down = [options.reflect and group.direction == "reverse" for group in shown]
        places[down] *= -1
        made = scales(grid.across, grid.up, grid.vertical)
        layers = {"frames": made.frame(grid.rectangles())}
        middle = round(self._bins * share(scale, 0.0))
        halves = slice(0, middle), slice(middle, self._bins)
        for name, half, color in zip(("negative", "positive"), halves, self._pair, strict=True):
            layers[name] = made.areas(*bars(grid, places, half, np.array(down)), color)
        lost = np.stack([(~np.isfinite(g.numbers)).any() for g in shown])
        if lost.any():
            edge = np.full((1, len(shown), self._bins), 0.0)
            edge[0, lost, -1] = np.nan
            found = alarms(grid, edge, np.ones((1, 1, 1), bool))
            assert found is not None
            layers["not finite"] = made.alarms(*found)
        texts = [self._caption(g, top) for g, top in zip(shown, tops, strict=True)]
        layers["captions"] = captions(made, grid, texts, False)
        return Drawing(
            layers,
            self._heading(),
            grid.across,
            grid.up,
            ticks_across(grid, self._value_ticks(), 4, 4),
            self._count_ticks(grid, tops, down),
            "value",
            "count" if options.share_axes else "count, each panel on its own scale",
            max(height_of(grid), height) if rows > 1 else height,
            vertical=grid.vertical,
        )

    @property
    def _pair(self) -> tuple[str, str]:
        return self.options.scheme or SCHEMES["blue-orange"]

    def _value_ticks(self) -> Ticks:
        scale = self._scale
        at = sorted({scale.low / 2, 0.0, scale.high / 2})
        if scale.kind == "symlog":
            at = sorted({scale.low * 1e-3, 0.0, scale.high * 1e-3})
        return [(share(scale, x) * self._bins - 0.5, three_digits(x)) for x in at]

    def _count_ticks(self, grid: Grid, tops: list[Norm], down: list[bool]) -> Ticks:
        """The largest count of each row, whose panels are alike; where bars hang, at the bottom."""
        if not self.options.share_axes:
            return []
        firsts = np.arange(grid.over) * (1 if grid.vertical else grid.columns)
        return [
            (
                float(grid.bottom(first) + grid.height * (not down[first])),
                three_digits(tops[first][1]),
            )
            for first in firsts[firsts < len(tops)]
        ]

    def _caption(self, group: Group, top: Norm) -> str:
        most = "" if self.options.share_axes else f"up to {three_digits(top[1])}"
        parts = (group.caption, most)
        return f"{'  '.join(filter(None, parts))}{not_finite(group.numbers)}"

    def _heading(self) -> Title:
        everything = np.concatenate([group.numbers for group in self._shown])
        bad = not_finite(everything)
        what = self.options.what
        if self._choice is None:
            whose = listed_samples(self.options.samples, self.rec)
            return Title(what, f"{of_layer(self.rec)}{whose}", bad)
        label = told(what, self._picked.label)
        return Title(label, f"{of_layer(self.rec)}{of_samples(self._picked, self.rec)}", bad)

    def _legend(self) -> Legend:
        negative, positive = self._pair
        return [("fill", negative, "negative"), ("fill", positive, "zero and positive")]

    def _note(self) -> str:
        numbers = np.concatenate([group.numbers for group in self._shown])
        low, high = self._scale.low, self._scale.high
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
        low, high = (three_digits(float(e)) for e in edges(self._scale, self._bins)[place:][:2])
        caption = self._shown[panel].caption
        before = f"{caption} · " if caption else ""
        return f"{before}from {low} to {high}: {plural(int(self._counts[panel, place]), 'number')}"


def _reaches_both_ways(table: Array) -> bool:
    """Whether losses at a step follow from steps before and after, as under both directions."""
    return bool(np.triu(table, 1).any() and np.tril(table, -1).any())


def edges(scale: Scale, bins: int) -> Array:
    """Ends of bins that are equally wide on a scale, bins + 1 of them."""
    if scale.kind == "linear":
        return np.linspace(scale.low, scale.high, bins + 1)
    return scale.number(np.linspace(*_ends(scale), bins + 1))


def share(scale: Scale, number: float) -> float:
    """How far along a scale a number is, from 0 to 1."""
    low, high = _ends(scale)
    return (float(scale.place(np.array(number))) - low) / (high - low)


def _ends(scale: Scale) -> tuple[float, float]:
    """The places of a scale's ends, which on a logarithmic one need not be those of a panel."""
    low, high = (float(scale.place(np.array(end))) for end in (scale.low, scale.high))
    return low, high


def count(numbers: Array, scale: Scale, bins: int) -> Array:
    """How many finite numbers are in each of ``bins``; those beyond in the last."""
    finite = numbers[np.isfinite(numbers)]
    clipped = np.clip(finite, scale.low, scale.high)
    if scale.kind == "linear":
        counted: Array = np.histogram(clipped, bins, (scale.low, scale.high))[0]
    else:
        counted = np.histogram(scale.place(clipped), bins, _ends(scale))[0]
    return counted


def bars(grid: Grid, places: Array, part: slice, down: Array) -> tuple[Array, Array]:
    """Outlines of the bars of some bins in each panel, as one line with gaps.

    Bars stand on the bottom of their panel, or hang from its top where they go ``down``.
    """
    bins = np.arange(grid.width)[part]
    if not bins.size:
        return np.full(1, np.nan), np.full(1, np.nan)
    panels = np.arange(grid.panels)
    sides = np.repeat(np.r_[bins - 0.5, bins[-1] + 0.5], 2).astype(float)
    tops = heights(grid, panels[:, None], places[:, part]).astype(float)
    base = heights(grid, panels, np.where(down, 1.0, -1.0)).astype(float)[:, None]
    gap = np.full((grid.panels, 1), np.nan)
    x = np.concatenate([grid.left(panels)[:, None] + sides, gap], 1)
    y = np.concatenate([base, np.repeat(tops, 2, 1), base, gap], 1)
    return x.ravel(), y.ravel()
