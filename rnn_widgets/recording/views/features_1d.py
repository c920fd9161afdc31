"""Curves against time: one small panel for each channel, samples over one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from bqplot import Lines

from rnn_widgets.recording.layer import Array

from .curves import alarms, band, captions, curves, lone, pale, step_marks, zero_lines
from .drawing import ACCENT, PALE, Drawing, Scales, Title, drawable
from .grid import Grid, columns_for, curve_grid, step_ticks, ticks_across, ticks_up
from .pick import Choice, Picked
from .scales import Norm, Scale, check_scale, extent, given_norm, hint
from .telling import about, meaning, of_layer, of_samples, sentences, told
from .text import at_step, not_finite, plural, three_digits
from .view import Legend, View

if TYPE_CHECKING:
    from .selection import Selection

MOST_POINTS = 120_000  # of curves; more take longer to draw than people wait
PANEL, WHOLE, HIGHEST = 92, 280, 720  # heights in pixels


class Features1D(View):
    """See `features_1d`."""

    kind = "features_1d"

    def __init__(
        self,
        choice: Choice,
        selection: Selection,
        *,
        rows: int | None,
        norm: object,
        scale: str,
        share_axes: bool,
        **options: Any,
    ) -> None:
        self._choice, self._rows = choice, check_rows(rows)
        self._norm, self._shared = given_norm(norm), share_axes
        self._kind = check_scale(scale)
        self._focus: Lines | None = None
        super().__init__(choice.rec, selection, **options)

    def _fixed(self) -> set[str]:
        return self._choice.fixed(overlaid=True)

    def _extent(self) -> Norm:
        return self._norm or self._choice.ends(self._choice.picked(self.selection).numbers())

    def _draw(self, scales: type[Scales]) -> Drawing:
        picked = self._picked = self._choice.picked(self.selection)
        self._values = values = np.where(picked.real[..., None, None], picked.values, np.nan)
        lines = by_panel(values)
        count = lines.shape[1]
        self._grid = grid = curve_grid(count, columns_for(count, self._rows), picked.steps)
        self._scale = scale = Scale(*self.norm(), self._kind)
        self._own = None if self._shared else own_scales(lines, self._kind)
        made = scales(grid.across, grid.up)
        layers = {"frames": made.frame(grid.rectangles())}
        layers["zero"] = made.lines(*zero_lines(grid, scale), colors=[PALE], stroke_width=1)
        placed = self._placed(lines)
        self._overlaid = self._choice.samples is not None or placed.size <= MOST_POINTS
        if len(lines) > 1 and self._overlaid:
            points = curves(grid, Scale(-1, 1), placed)
            layers["samples"] = made.lines(*points, stroke_width=1, **pale(len(lines)))
        elif len(lines) > 1:
            with np.errstate(invalid="ignore"):
                low, high = np.fmin.reduce(placed), np.fmax.reduce(placed)
            layers["range"] = made.areas(*band(grid, Scale(-1, 1), low, high), PALE, 0.45)
        layers["focus"] = self._focus = made.lines(*self._focused(), colors=[ACCENT])
        self._focus.stroke_width = 1.0 if count > 64 else 2.0
        dashes = lone(curves(grid, Scale(-1, 1), placed))
        if dashes is not None and grid.width > 1:
            layers["alone"] = made.lines(*dashes, colors=[PALE], stroke_width=2)
        real = by_panel(np.broadcast_to(picked.real[..., None, None], values.shape))
        bars = alarms(grid, by_panel(picked.values), real)
        if bars is not None:
            layers["not finite"] = made.alarms(*bars)
        if count > 1:
            layers["captions"] = captions(made, grid, self._captions(), True, size=10)
        return Drawing(
            layers,
            self._heading(),
            grid.across,
            grid.up,
            ticks_across(grid, self._step_ticks(picked)),
            ticks_up(grid, scale) if self._shared else [],
            self._below(grid),
            "" if self._shared else "each panel on its own scale",
            height_of(grid),
            step_marks(grid, picked.first, 0.0),
        )

    def _placed(self, lines: Array) -> Array:
        """Places of all numbers in their panels."""
        if self._own is None:
            return self._scale.place(lines)
        return np.stack([s.place(lines[:, i]) for i, s in enumerate(self._own)], 1)

    def _focused(self) -> tuple[Array, Array]:
        """The curves of the sample in focus; of the only one, or where only a range is drawn."""
        samples = self._picked.samples
        focus = self._choice.focus(self.selection)
        if focus is None and (len(samples) == 1 or not self._overlaid):
            focus = samples[0]
        if focus is None:
            return np.full(2, np.nan), np.full(2, np.nan)
        self._shown = focus
        line = by_panel(self._values[[samples.index(focus)]])
        x, y = curves(self._grid, Scale(-1, 1), self._placed(line))
        return x, y[0]

    def _restyle(self, name: str) -> bool:
        if name != "sample" or self._focus is None:
            return False
        with self._focus.hold_sync():
            self._focus.x, self._focus.y = map(drawable, self._focused())
        self.entitle(self._heading())
        self.foot.legend = self._all_legend(self._heading())
        return True

    def _heading(self) -> Title:
        whose = of_samples(self._picked, self.rec)
        bad = not_finite(self._picked.numbers())
        label = told(self._choice.what, self._picked.label)
        return Title(label, f"{of_layer(self.rec)}{whose}", bad)

    def _legend(self) -> Legend:
        samples = self._picked.samples
        if len(samples) == 1:
            return []
        focus = self._choice.focus(self.selection)
        if not self._overlaid:
            entries = [("fill", PALE, f"range over {plural(len(samples), 'sample')}")]
            focus = samples[0] if focus is None else focus
        else:
            entries = [("solid", PALE, "each sample")]
        if focus is not None:
            entries.append(("solid", ACCENT, f"sample {focus}"))
        return entries

    def _captions(self) -> list[str]:
        picked = self._picked
        names = [picked.name(d, c) for d, c in panels_of(picked)]
        if self._own is None:
            return names
        return [f"{n}  ±{three_digits(s.high)}" for n, s in zip(names, self._own, strict=True)]

    @staticmethod
    def _step_ticks(picked: Picked) -> list[tuple[float, str]]:
        return [(at, str(at + picked.first + 1)) for at in step_ticks(picked.steps)]

    def _below(self, grid: Grid) -> str:
        return (
            "step t" if grid.panels == 1 else f"step t in each {self._picked.channel_word}'s panel"
        )

    def _note(self) -> str:
        lost = hint(self._scale, self._picked.values) if self._own is None else ""
        numbers = self._picked.values
        return sentences(meaning(self._choice.what), lost, *about(self.rec, numbers, self._scale))

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None:
            return ""
        panel, position, share = found
        direction, channel = panels_of(self._picked)[panel]
        column = self._values[:, position, direction, channel]
        focus = self._choice.focus(self.selection)
        place = self._picked.samples.index(focus) if focus is not None else 0
        if focus is None and len(column) > 1 and np.isfinite(column).any():
            scale = self._scale if self._own is None else self._own[panel]
            apart = np.abs(scale.place(column) - (2 * share - 1))
            place = int(np.nanargmin(apart))
        where = f"{self._picked.channel_word} {self._picked.name(direction, channel)}"
        told = [self._of_sample(column, place)]
        lost = np.flatnonzero(~np.isfinite(column) & self._picked.real[:, position])
        if lost.size and place not in lost:
            told.append(self._of_sample(column, int(lost[0])))
        return f"{at_step(position + self._picked.first)} · {where}{', '.join(told)}"

    def _of_sample(self, column: Array, place: int) -> str:
        sample = f" · sample {self._picked.samples[place]}" if self.rec.samples > 1 else ""
        return f"{sample}: {three_digits(float(column[place]))}"


def by_panel(values: Array) -> Array:
    """From (samples, steps, directions, channels) to (samples, panels, steps)."""
    samples, steps = values.shape[:2]
    return values.reshape(samples, steps, -1).transpose(0, 2, 1)


def panels_of(picked: Picked) -> list[tuple[int, int]]:
    """The direction and channel of each panel, as places."""
    return [(d, c) for d in range(len(picked.directions)) for c in range(len(picked.channels))]


def own_scales(lines: Array, kind: Literal["linear", "symlog"]) -> list[Scale]:
    """A scale for each panel of (lines, panels, steps)."""
    return [Scale(*extent(lines[:, i]), kind) for i in range(lines.shape[1])]


def height_of(grid: Grid) -> int:
    """Height of a figure of panels in pixels."""
    return WHOLE if grid.rows == 1 else min(80 + PANEL * grid.rows, HIGHEST)


def check_rows(rows: int | None) -> int | None:
    """Refuse rows of panels that are not at least one.

    Raises
    ------
    ValueError
        If it is less than 1.
    """
    if rows is not None and rows < 1:
        raise ValueError(f"rows is at least 1, not {rows}")
    return rows
