"""From numbers to heights in a panel: linear or logarithmic, with the ticks to go with them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rnn_widgets.recording.layer import Array
from rnn_widgets.widgets.transforms import transformed

from .text import three_digits

Norm = tuple[float, float]
Ticks = list[tuple[float, str]]
ScaleName = Literal["linear", "symlog", "log"]
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MOST_DECADES = 6  # labelled along an axis
CORE = 1e-6  # of the ends of a symmetric logarithmic scale: below, it is all but linear
LEAST = -0.98  # where numbers below a logarithmic scale stand: not at zero
HINT = 'Most of these numbers are too small to see on a linear scale: scale="symlog" shows them.'


@dataclass(frozen=True)
class Scale:
    """Where a number stands between the bottom (−1) and the top (1) of a panel.

    On a logarithmic scale zero stands at the bottom, below the lowest decade. A symmetric one has
    zero in its middle: the inverse hyperbolic sine, logarithmic down to a millionth of the ends.
    """

    low: float
    high: float
    kind: ScaleName = "linear"

    def place(self, numbers: Array) -> Array:
        """Places of numbers, those beyond the scale just outside it, NaN where not finite."""
        numbers = np.asarray(numbers, float)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.kind == "linear":
                # Halved first: the distance of two floats can be more than a float holds.
                half = self.high / 2 - self.low / 2
                places = (numbers / 2 - self.low / 2) / half * 2 - 1
            elif self.kind == "symlog":
                places = np.arcsinh(numbers / self._core) / math.asinh(1 / CORE)
            else:
                bottom, top = math.log10(self.low), math.log10(self.high)
                places = 2 * (np.log10(np.abs(numbers)) - bottom) / (top - bottom) - 1
                places = np.where(numbers == 0, -1.0, np.maximum(places, LEAST))
        return np.where(np.isfinite(numbers), np.clip(places, -1.1, 1.1), np.nan)

    def number(self, places: Array) -> Array:
        """The numbers at places of a symmetric logarithmic scale."""
        return np.asarray(np.sinh(places * math.asinh(1 / CORE)) * self._core)

    @property
    def _core(self) -> float:
        return max(-self.low, self.high) * CORE

    def ticks(self, few: bool = False) -> Ticks:
        """Places and texts of ticks; few where there is room for only three."""
        if self.kind == "log":
            return self._decades(few)
        if self.kind == "symlog":
            return self._both_ways(few)
        # Where panels follow closely the ends are left out: they would touch the next one's.
        ends = [] if few else [self.low, self.high]
        inside = [*ends, self.low / 2, self.high / 2, 0.0]
        if self.low == 0 or self.high == 0:
            inside = list(np.linspace(self.low, self.high, 3 if few else 5))
        return [(float(self.place(np.array(x))), three_digits(x)) for x in sorted(inside)]

    def _both_ways(self, few: bool) -> Ticks:
        end = max(-self.low, self.high)
        sizes = [end * 1e-3] if few else [end, end * 1e-2, end * 1e-4]
        at = [*(-size for size in sizes), 0.0, *reversed(sizes)]
        return [(float(self.place(np.array(x))), three_digits(x)) for x in at]

    def _decades(self, few: bool) -> Ticks:
        bottom, top = math.log10(self.low), math.log10(self.high)
        first = math.ceil(bottom + 1e-9)
        apart = max(1, math.ceil((top - first) / (2 if few else MOST_DECADES)))
        powers = range(math.floor(top + 1e-9), first - 1, -apart)
        ticks = [(2 * (p - bottom) / (top - bottom) - 1, _power(p)) for p in powers]
        return [(-1.0, "0"), *(tick for tick in reversed(ticks) if tick[0] > -0.8)]


def _power(power: int) -> str:
    near = {-1: "0.1", 0: "1", 1: "10"}
    return near.get(power) or "10" + str(power).translate(RAISED)


def extent(numbers: Array) -> Norm:
    """Symmetric ends around zero, on a round number: the norm called "auto"."""
    high = float(transformed(np.asarray(numbers, float), "limit"))
    return -high, high


def rising(numbers: Array) -> Norm:
    """Ends from zero up to a round number, for what is never negative."""
    return 0.0, extent(numbers)[1]


def decades(numbers: Array) -> Norm:
    """Ends of a logarithmic scale: whole decades, and one below them where zero stands."""
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    if not sizes.size:
        return 0.01, 1.0
    low = max(math.floor(math.log10(sizes.min()) + 1e-9), -305)
    high = min(max(math.ceil(math.log10(sizes.max()) - 1e-9), low + 1), 308)
    return float(f"1e{low - 1}"), float(f"1e{high}")


def hint(scale: Scale, numbers: Array) -> str:
    """A sentence where most numbers other than zero are lost on a linear scale, else nothing."""
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    small = sizes < 0.01 * max(-scale.low, scale.high)
    return HINT if scale.kind == "linear" and small.size and small.mean() > 0.6 else ""


def given_norm(norm: object) -> Norm | None:
    """Read the option ``norm``: None for "auto".

    Raises
    ------
    TypeError, ValueError
        If it is neither "auto", a positive number nor a pair (low, high) around zero.
    """
    if isinstance(norm, str) and norm == "auto":
        return None
    says = 'norm is "auto", a positive number or a pair (low, high) with low <= 0 <= high'
    if isinstance(norm, (int, float)) and not isinstance(norm, bool):
        norm = (-norm, norm)
    if not isinstance(norm, (tuple, list)) or len(norm) != 2:
        raise TypeError(f"{says}, not {norm!r}")
    low, high = (float(end) for end in norm)
    if not (math.isfinite(low) and math.isfinite(high) and low <= 0 <= high and low < high):
        raise ValueError(f"{says}, not {norm!r}")
    return low, high


def positive_norm(norm: object, scale: object) -> Norm | None:
    """Read the option ``norm`` of a figure of sizes: None for "auto".

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
    if not (low < high and math.isfinite(high)) or low < 0 or (scale == "log" and low == 0):
        raise ValueError(f"norm is a pair (low, high), low positive on a log axis, not {norm!r}")
    return low, high


def places(scales: list[Scale], numbers: Array, axis: int) -> Array:
    """Places of numbers, each panel along an axis on its own scale or all on the only one."""
    if len(scales) == 1:
        return scales[0].place(numbers)
    parts = [scale.place(numbers.take(i, axis)) for i, scale in enumerate(scales)]
    return np.stack(parts, axis)
