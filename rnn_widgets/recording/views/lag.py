"""The norm of contributions against lag, with the rate at which it falls."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_widgets.recording.layer import Array

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
        self._norms = by_lag(np.asarray(rec.contributions(self._what), float))
        self.rate = rate_of(self._norms)
        super().__init__(rec, selection, **options)

    @property
    def half_life(self) -> float:
        """Steps in which the norm falls to half, on the fitted line; ∞ if it does not fall."""
        return math.log(0.5) / math.log(self.rate) if 0 < self.rate < 1 else math.inf

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
        lags, logs = _logs(self._norms)
        start = math.exp(float((logs - lags * math.log(self.rate)).mean()))
        fitted: Array = start * self.rate ** np.arange(len(self._norms), dtype=float)
        low, high = self.norm()
        return np.where((fitted >= low) & (fitted <= high), fitted, np.nan)

    def _note(self) -> str:
        return sentences(
            "The mean norm of what the loss at t adds through the parameter's use at k, over the "
            "steps t with a loss; summed over the batch first.",
            "" if self._norms.any() else "All of these numbers are zero.",
        )

    def _legend(self) -> Legend:
        if not math.isfinite(self.rate):
            return []
        life = "does not fall"
        if self.rate < 1:
            life = f"half-life {three_digits(self.half_life)} steps"
        return [("dashed", PALE, f"fitted: × {three_digits(self.rate)} each step, {life}")]

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None:
            return ""
        return f"lag {found[1]}: {three_digits(float(self._norms[found[1]]))}"


def by_lag(norms: Array) -> Array:
    """Mean over loss steps of norms (T, T) [loss step, source step] for each lag |t − k|.

    Loss steps without any contribution are left out: where only the last output has a loss, the
    mean is that of its own row.
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
    return np.array(
        [
            norms[counted & (apart == lag)].mean() if (counted & (apart == lag)).any() else 0.0
            for lag in range(steps)
        ]
    )


def _logs(norms: Array) -> tuple[Array, Array]:
    lags = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    return lags, np.log(norms[lags])


def rate_of(norms: Array) -> float:
    """The factor of each further step of lag, by least squares on a log axis; NaN if unknown.

    >>> round(rate_of(0.5 ** np.arange(6)), 12)
    0.5
    """
    lags, logs = _logs(norms)
    if len(lags) < 2:
        return math.nan
    apart = lags - lags.mean()
    return math.exp(float(apart @ (logs - logs.mean()) / (apart @ apart)))
