"""From a quantity to what a widget's trait holds; `js/src/transforms.ts` has the same."""

from __future__ import annotations

import math

import numpy as np

from rnn_widgets.core.ops import Array

TRANSFORMS = (
    "identity",
    "finite",
    "floored",
    "limit",
    "minus_limit",
    "stack_bottom",
    "stack_top",
    "decade_below",
    "decade_above",
    "decades",
)

MOST_TICKS = 6
MOST_HEIGHT = 1e300  # an axis as long as a float can be has infinitely many ticks
# Ends of scales go up this ladder, so that they stand still while numbers move a little.
RUNGS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def transformed(numbers: Array, transform: str) -> Array:
    """Apply one of `TRANSFORMS`."""
    match transform:
        case "finite":
            return np.where(np.isfinite(numbers), numbers, 0.0)
        case "floored":
            bottom, _, top = _decades(numbers)
            sizes = np.where(np.isfinite(numbers), np.abs(numbers), 10.0**top)
            return np.where(sizes > 0, sizes, 10.0**bottom)
        case "limit" | "minus_limit":
            finite = np.abs(numbers[np.isfinite(numbers)])
            limit = _rounded_up(float(finite.max(initial=0.0))) or 1.0
            return np.asarray(limit if transform == "limit" else -limit)
        case "stack_bottom" | "stack_top":
            low, high = _stack(np.atleast_2d(np.where(np.isfinite(numbers), numbers, 0.0)))
            return np.asarray(low if transform == "stack_bottom" else high)
        case "decade_below":
            return np.asarray(10.0 ** _decades(numbers)[0])
        case "decade_above":
            return np.asarray(10.0 ** _decades(numbers)[2])
        case "decades":
            _, first, top = _decades(numbers)
            every = math.ceil((top - first + 1) / MOST_TICKS)
            return np.array([10.0**power for power in range(first, top + 1, every)])
    return numbers


def _stack(rows: Array) -> tuple[float, float]:
    """Ends of an axis for bars stacked by row, negative ones downwards."""
    lowest = min(_sums(np.maximum(-rows, 0.0)), MOST_HEIGHT)
    highest = min(_sums(np.maximum(rows, 0.0)), MOST_HEIGHT)
    return -_rounded_up(lowest), _rounded_up(highest) or (0.0 if lowest else 1.0)


def _sums(rows: Array) -> float:
    """The largest column sum, its terms added in order as the browser adds them."""
    total = np.zeros(rows.shape[1])
    with np.errstate(over="ignore"):
        for row in rows:
            total = total + row
    return float(total.max(initial=0.0))


def _rounded_up(size: float) -> float:
    """The next rung of the ladder; 0 and what is too small or large for one stay."""
    if not 1e-300 < size < 1e300:
        return size
    decade = 10.0 ** math.floor(math.log10(size))
    return next((rung * decade for rung in RUNGS if size <= rung * decade), size)


def _decades(numbers: Array) -> tuple[int, int, int]:
    """Exponents of a logarithmic axis: its bottom, its first labelled decade, and its top.

    Where there are zeros, they stand at the bottom, one decade below that of the smallest number.
    """
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    apart = int((numbers == 0).any())
    if not sizes.size:
        return -1 - apart, -1, 0
    first = max(math.floor(math.log10(sizes.min())), -306)
    top = max(math.ceil(math.log10(sizes.max())), first + 1)
    return first - apart, first, min(top, 308)
