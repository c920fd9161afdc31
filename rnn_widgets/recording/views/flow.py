"""Norms of direct, carried and total adjoints against time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rnn_widgets.core.norms import norms
from rnn_widgets.recording.layer import Array

from .curves import alarms, captions, step_marks, with_zeros_apart
from .drawing import Drawing, Scales, Title
from .grid import curve_grid, step_ticks, ticks_across, ticks_up
from .pick import Choice
from .scales import Norm, Scale, decades, rising
from .telling import SUM, about, of_layer, of_samples, sentences
from .text import at_step, not_finite, three_digits
from .view import Legend, View

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

    from .selection import Selection

PARTS = ("total", "carried", "direct")  # the first lies behind the others
STYLES = {
    # Where one of the others is all of the total, it shows within the total's broad line.
    "total": ("#8b5fd6", "solid", 6.0),
    "carried": ("#c98f00", "dashed", 2.0),
    "direct": ("#16a394", "solid", 2.0),
}
AXES = ("log", "linear")


class Flow(View):
    """See `flow`."""

    kind = "flow"

    def __init__(
        self,
        rec: Recording,
        selection: Selection,
        *,
        what: str,
        scale: str,
        reflect: bool,
        norm: object,
        picks: dict[str, Any],
        **options: Any,
    ) -> None:
        before = prefix(rec, what)
        self._letter = "c" if before.endswith("cell.") else "h"
        self._choices = {part: Choice(rec, before + part, **picks) for part in PARTS}
        if scale not in AXES:
            raise ValueError(f"scale is one of {', '.join(AXES)}, not {scale!r}")
        if reflect and rec.directions == 1:
            raise ValueError("reflect=True mirrors the reverse direction; this layer has only one")
        self._kind: Literal["log", "linear"] = "log" if scale == "log" else "linear"
        self._norm, self._reflect = _positive(norm, scale), reflect
        self._where = before.removesuffix("cell.").removesuffix(".")
        super().__init__(rec, selection, **options)

    def norms(self) -> Array:
        """Norms over samples and channels, (parts, directions, steps); NaN and ∞ stay."""
        found = []
        for choice in self._choices.values():
            picked = choice.picked(self.selection, choice.alone(self.selection))
            found.append(norms(picked.values, (0, 3)).T)
            self._picked = picked
        return np.stack(found)

    def _fixed(self) -> set[str]:
        return self._choices["total"].fixed()

    def _extent(self) -> Norm:
        if self._norm:
            return self._norm
        norms = self.norms()
        return decades(norms) if self._kind == "log" else rising(norms)

    def _draw(self, scales: type[Scales]) -> Drawing:
        self._norms = norms = self.norms()
        picked, count = self._picked, norms.shape[1]
        self._grid = grid = curve_grid(count, 1, picked.steps)
        self._scale = scale = Scale(*self.norm(), self._kind)
        made = scales(grid.across, grid.up)
        layers = {"frames": made.frame(grid.rectangles())}
        flip = np.array([1.0, -1.0 if self._reflect else 1.0])[:count, None]
        real = np.atleast_1d(picked.real.any(axis=0))
        points = with_zeros_apart(grid, scale, np.where(real, norms, np.nan), flip)
        for part, x, y in zip(PARTS, *points, strict=True):
            color, style, width = STYLES[part]
            opacity = 0.5 if part == "total" else 1.0
            layers[part] = made.lines(
                x, y, colors=[color], line_style=style, stroke_width=width, opacities=[opacity]
            )
        bars = alarms(grid, norms, real)
        if bars is not None:
            layers["not finite"] = made.alarms(*bars)
        if count > 1:
            layers["captions"] = captions(made, grid, picked.directions, True)
        ticks = [(float(at), str(at + picked.first + 1)) for at in step_ticks(picked.steps, 10)]
        y_ticks = ticks_up(grid, scale)
        if self._reflect and count == 2:
            middle = float(grid.bottom(np.array(1))) + grid.height / 2
            lower = [(2 * middle - y, text) for y, text in y_ticks if y < grid.bottom(np.array(0))]
            y_ticks = [tick for tick in y_ticks if tick[0] >= grid.bottom(np.array(0))] + lower
        return Drawing(
            layers,
            self._heading(),
            grid.across,
            grid.up,
            ticks_across(grid, ticks),
            y_ticks,
            "step t",
            "norm"
            if self.rec.samples == 1
            else "norm over the batch"
            if len(picked.samples) > 1
            else f"norm, sample {picked.samples[0]}",
            260 if count == 1 else 400,
            step_marks(grid, picked.first, 0.0),
        )

    def _heading(self) -> Title:
        where = f" {self._where}" if self._where else ""
        whose = f"{of_layer(self.rec)}{where}{of_samples(self._picked, self.rec)}"
        bad = not_finite(self._norms[..., self._picked.real.any(0)])
        return Title(f"gradient at each step: adjoints of {self._letter}ₜ", whose, bad)

    def _note(self) -> str:
        return sentences(SUM, *about(self.rec, self._norms, self._scale))

    def _legend(self) -> Legend:
        kinds = {"total": "broad"}
        return [(kinds.get(part, STYLES[part][1]), STYLES[part][0], part) for part in PARTS]

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None:
            return ""
        direction, position, _ = found
        numbers = self._norms[:, direction, position]
        told = ", ".join(
            f"{part} {three_digits(float(n))}" for part, n in zip(PARTS, numbers, strict=True)
        )
        names = self._picked.directions
        which = f" · {names[direction]}" if len(names) > 1 else ""
        return f"{at_step(position + self._picked.first)}{which} · norm: {told}"


def prefix(rec: Recording, what: str) -> str:
    """How the names of direct, carried and total adjoints of a state begin.

    Raises
    ------
    KeyError
        If there are none of that state.
    """
    before = {"h": "", "c": "cell."}.get(what, f"{what.removesuffix('.')}.")
    rec.quantity(before + "total")
    return before


def _positive(norm: object, scale: str) -> Norm | None:
    """Read the option ``norm`` of a figure of norms.

    Raises
    ------
    TypeError, ValueError
        If it is neither "auto" nor a pair of ends, both positive on a logarithmic axis.
    """
    if isinstance(norm, str) and norm == "auto":
        return None
    if not isinstance(norm, (tuple, list)) or len(norm) != 2:
        raise TypeError(f'norm is "auto" or a pair (low, high), not {norm!r}')
    low, high = float(norm[0]), float(norm[1])
    if not (low < high and np.isfinite(high)) or low < 0 or (scale == "log" and low == 0):
        raise ValueError(f"norm is a pair (low, high), low positive on a log axis, not {norm!r}")
    return low, high
