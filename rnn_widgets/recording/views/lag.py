"""The norm of contributions against lag, with the rate at which it falls."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_widgets.recording.layer import Array
from rnn_widgets.recording.rates import half_life, logs, rate_of, told

from .curves import alarms, curves, with_zeros_apart
from .drawing import PALE, Drawing, Scales, Title
from .flow import _positive
from .grid import curve_grid, ticks_up
from .maps import place_ticks
from .parameters import recurrent
from .scales import Norm, Scale, decades
from .telling import of_layer, sentences
from .text import not_finite, three_digits
from .view import Legend, View

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

    from .selection import Selection

LAG = "#8b5fd6"


class Lag(View):
    """See `lag`."""

    kind = "lag"
    follows = ()

    def __init__(
        self,
        rec: Recording,
        selection: Selection,
        *,
        what: str | None,
        norm: object,
        **options: Any,
    ) -> None:
        self._what = recurrent(rec) if what is None else what
        self._norm = _positive(norm, "log")
        self._idle = idle_step(rec, self._what)
        self._norms = by_lag(np.asarray(rec.contributions(self._what), float), self._idle)
        self.rate = rate_of(self._norms)
        super().__init__(rec, selection, **options)

    @property
    def half_life(self) -> float:
        """Steps in which the norm falls to half, on the fitted line.

        ∞ if it does not fall, NaN where there is nothing to fit.
        """
        return half_life(self.rate)

    def _extent(self) -> Norm:
        return self._norm or decades(self._norms)

    def _draw(self, scales: type[Scales]) -> Drawing:
        norms, count = self._norms, len(self._norms)
        self._grid = grid = curve_grid(1, 1, count)
        scale = Scale(*self.norm(), "log")
        made = scales(grid.across, grid.up)
        layers = {"frames": made.frame(grid.rectangles())}
        if math.isfinite(self.rate):
            points = curves(grid, scale, self._fitted()[None, None])
            layers["fit"] = made.lines(*points, colors=[PALE], line_style="dashed", stroke_width=2)
        points = with_zeros_apart(grid, scale, norms[None, None])
        layers["norms"] = made.lines(*points, colors=[LAG], stroke_width=2.5)
        bars = alarms(grid, norms[None, None], np.ones((1, 1, 1), bool))
        if bars is not None:
            layers["not finite"] = made.alarms(*bars)
        return Drawing(
            layers,
            Title(f"contributions to {self._what} by lag", of_layer(self.rec), not_finite(norms)),
            grid.across,
            grid.up,
            [(float(at), str(at)) for at in place_ticks(count, 12)],
            ticks_up(grid, scale),
            "lag |t − k| in steps",
            "mean norm ‖C[t, k]‖",
            280,
        )

    def _fitted(self) -> Array:
        lags, sizes = logs(self._norms)
        start = math.exp(float((sizes - lags * math.log(self.rate)).mean()))
        fitted: Array = start * self.rate ** np.arange(len(self._norms), dtype=float)
        fitted[lags[-1] + 1 :] = np.nan
        low, high = self.norm()
        return np.where((fitted >= low) & (fitted <= high), fitted, np.nan)

    def _note(self) -> str:
        return sentences(
            "The mean norm of what the loss at t adds through the parameter's use at k, over the "
            "steps t with a loss; summed over the batch first.",
            ""
            if self._idle is None
            else f"Step {self._idle}, which begins with a state of zero, is left out as a source.",
            "" if self._norms.any() else "All of these numbers are zero.",
        )

    def _legend(self) -> Legend:
        if not math.isfinite(self.rate):
            return []
        fitted = f"fitted: × {three_digits(self.rate)} each step, {told(self.rate)}"
        return [("dashed", PALE, fitted)]

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None:
            return ""
        return f"lag {found[1]}: {three_digits(float(self._norms[found[1]]))}"


def idle_step(rec: Recording, name: str) -> int | None:
    """The first step to run if a recurrent weight meets a state of zero there; else None."""
    role, end = rec._parameter(name).sources[0].split("_l", 1)
    if role != "weight_hh" or rec.steps < 2:
        return None
    step = rec.steps - 1 if end.endswith("_reverse") or rec._spec.go_backwards else 0
    return None if rec._arrays[f"h_before_l{end}"][step].any() else step


def by_lag(norms: Array, idle: int | None = None) -> Array:
    """Mean over loss steps of norms (T, T) [loss step, source step] for each lag |t − k|.

    Loss steps without any contribution are left out: where only the last output has a loss, the
    mean is that of its own row. So is the source step ``idle``, and the lag that it alone has.
    """
    steps = len(norms)
    has_loss = ~(norms == 0).all(1)
    apart = np.abs(np.subtract.outer(np.arange(steps), np.arange(steps)))
    # The other side of the diagonal is zero in one direction, and no contribution.
    later = not np.triu(norms, 1).any()
    earlier = not np.tril(norms, -1).any()
    counted = np.broadcast_to(has_loss[:, None], norms.shape).copy()
    if later:
        counted &= np.tri(steps, dtype=bool)
    elif earlier:
        counted &= np.tri(steps, dtype=bool).T
    if idle is not None:
        counted[:, idle] = False
    return np.array(
        [
            norms[counted & (apart == lag)].mean() if (counted & (apart == lag)).any() else 0.0
            for lag in range(steps if idle is None else steps - 1)
        ]
    )
