"""One value for each channel and sample: at one step, or summed over time."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_widgets.recording.layer import Array

from .curves import alarms, captions, zero_lines
from .drawing import ACCENT, PALE, Drawing, Scales, Title
from .grid import Grid, curve_grid, heights, ticks_up
from .maps import place_ticks
from .pick import Choice
from .scales import Norm, Scale, check_scale, extent, given_norm
from .telling import about, meaning, of_layer, of_samples, sentences, told
from .text import at_step, not_finite, three_digits
from .view import Legend, View

if TYPE_CHECKING:
    from .selection import Selection


class Features0D(View):
    """See `features_0d`."""

    kind = "features_0d"

    def __init__(
        self,
        choice: Choice,
        selection: Selection,
        *,
        step: object,
        norm: object,
        scale: str,
        **options: object,
    ) -> None:
        self._choice, self._norm = choice, given_norm(norm)
        self._kind = check_scale(scale)
        self._step = check_step(step, choice.rec.steps)
        super().__init__(choice.rec, selection, **options)  # type: ignore[arg-type]

    def _fixed(self) -> set[str]:
        return self._choice.fixed(overlaid=True)

    def _extent(self) -> Norm:
        summed = self._summed()
        return self._norm or (extent(summed) if self._step is None else self._choice.ends(summed))

    def _summed(self) -> Array:
        """Values (samples, directions, channels); NaN for a sample that is shorter."""
        self._picked = picked = self._choice.picked(self.selection)
        if self._step is None:
            with np.errstate(invalid="ignore", over="ignore"):
                summed: Array = picked.values.sum(1)
            return summed
        at = self._step - picked.first
        there: Array = np.where(picked.real[:, at, None, None], picked.values[:, at], np.nan)
        return there

    def _draw(self, scales: type[Scales]) -> Drawing:
        self._values = values = self._summed()
        picked, count = self._picked, values.shape[2]
        self._grid = grid = curve_grid(len(picked.directions), 1, count)
        self._scale = scale = Scale(*self.norm(), self._kind)
        made = scales(grid.across, grid.up)
        focus = self._choice.focus(self.selection)
        rest = [i for i, sample in enumerate(picked.samples) if sample != focus]
        layers = {
            "frames": made.frame(grid.rectangles()),
            "zero": made.lines(*zero_lines(grid, scale), colors=[PALE], stroke_width=1),
        }
        if rest:
            style: dict[str, Any] = {"colors": [PALE], "stroke_width": 2, "opacities": [0.7]}
            layers["samples"] = made.lines(*dashes(grid, scale, values[rest]), **style)
        if focus is not None:
            at = [picked.samples.index(focus)]
            points = dashes(grid, scale, values[at])
            layers["focus"] = made.lines(*points, colors=[ACCENT], stroke_width=3)
        real = np.ones(values.shape, bool)
        if self._step is not None:
            real &= picked.real[:, self._step - picked.first, None, None]
        bars = alarms(grid, values, real)
        if bars is not None:
            layers["not finite"] = made.alarms(*bars)
        if len(picked.directions) > 1:
            layers["captions"] = captions(made, grid, picked.directions, True)
        self._bad = not_finite(values[real])
        ticks = [(float(c), str(picked.channels[c])) for c in place_ticks(count, 16)]
        return Drawing(
            layers,
            self._heading(),
            grid.across,
            grid.up,
            ticks,
            ticks_up(grid, scale),
            picked.channel_word,
            "",
            280 if grid.rows == 1 else 400,
        )

    def _heading(self) -> Title:
        when = "summed over time" if self._step is None else f"at {at_step(self._step)}"
        label = told(self._choice.what, self._picked.label)
        whose = f"{of_layer(self.rec)}{of_samples(self._picked, self.rec)}"
        return Title(f"{label} {when}", whose, self._bad)

    def _legend(self) -> Legend:
        focus = self._choice.focus(self.selection)
        if self.rec.samples == 1:
            return []
        entries = [("solid", PALE, "each sample" if focus is None else "other samples")]
        if focus is not None:
            entries.append(("solid", ACCENT, f"sample {focus}"))
        return entries

    def _note(self) -> str:
        return sentences(meaning(self._choice.what), *about(self.rec, self._values, self._scale))

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None:
            return ""
        direction, channel, share = found
        column = self._values[:, direction, channel]
        focus = self._choice.focus(self.selection)
        place = 0
        if focus is not None:
            place = self._picked.samples.index(focus)
        elif np.isfinite(column).any():
            place = int(np.nanargmin(np.abs(self._scale.place(column) - (2 * share - 1))))
        sample = f" · sample {self._picked.samples[place]}" if self.rec.samples > 1 else ""
        where = f"{self._picked.channel_word} {self._picked.name(direction, channel)}"
        return f"{where}{sample}: {three_digits(float(column[place]))}"


def dashes(grid: Grid, scale: Scale, values: Array) -> tuple[Array, Array]:
    """A short dash for each of (samples, directions, channels), as one line with gaps."""
    panels = np.arange(grid.panels)
    y = heights(grid, panels[:, None], scale.place(values)).astype(float)
    x = np.broadcast_to(grid.left(panels)[:, None] + np.arange(grid.width, dtype=float), y.shape)
    gap = np.full(y.shape, np.nan)
    return np.stack([x - 0.36, x + 0.36, gap], -1).ravel(), np.stack([y, y, gap], -1).ravel()


def check_step(step: object, steps: int) -> int | None:
    """Read the option ``step``: None for "sum".

    Raises
    ------
    TypeError, IndexError
        If it is neither "sum" nor a step.
    """
    if isinstance(step, str) and step == "sum":
        return None
    try:
        at = operator.index(step)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f'step is "sum" or a step from 0 to {steps - 1}, not {step!r}') from None
    if not -steps <= at < steps:
        raise IndexError(f"step is one of 0 to {steps - 1}, not {at}")
    return at % steps
