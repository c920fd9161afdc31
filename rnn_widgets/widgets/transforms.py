"""From a quantity to what a widget's trait holds; `js/src/transforms.ts` has the same."""

from __future__ import annotations

import math

import numpy as np

from rnn_widgets.core.ops import Array

TRANSFORMS = (
    "identity",
    "finite",
    "floored",
    "floored_first",
    "floored_last",
    "finite_each",
    "finite_all",
    "limit",
    "minus_limit",
    "stack_bottom",
    "stack_top",
    "stack_ticks",
    "layers",
    "last_layer",
    "depths",
    "decade_below",
    "decade_above",
    "decades",
)

MOST_TICKS = 5
MOST_HEIGHT = 1e300  # an axis as long as a float can be has infinitely many ticks
BESIDE = 0.25  # a layer's number with its sign: a quarter beside the number of the layer
PALEST = 0.45  # how much of its colour the earliest loss step has
NEGATIVE, POSITIVE = "#2b6cb0", "#d9680b"
# Ends of scales go up this ladder, so that they stand still while numbers move a little.
RUNGS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


def transformed(numbers: Array, transform: str) -> Array:
    """Apply one of `TRANSFORMS`."""
    match transform:
        case "finite":
            return np.where(np.isfinite(numbers), numbers, 0.0)
        case "floored":
            bottom, _, top = _decades(numbers)
            sizes = np.where(np.isfinite(numbers), np.abs(numbers), decimal(1, top))
            return np.where(sizes > 0, sizes, bottom)
        case "floored_first" | "floored_last":
            rows = transformed(np.atleast_2d(numbers), "floored")
            return rows[0 if transform == "floored_first" else -1]
        case "finite_each":
            return np.isfinite(np.atleast_1d(numbers)).astype(float)
        case "finite_all":
            return np.array([float(np.isfinite(numbers).all())])
        case "limit" | "minus_limit":
            finite = np.abs(numbers[np.isfinite(numbers)])
            limit = _rounded_up(float(finite.max(initial=0.0))) or 1.0
            return np.asarray(limit if transform == "limit" else -limit)
        case "stack_bottom" | "stack_top" | "stack_ticks":
            low, high = _stack(np.atleast_2d(np.where(np.isfinite(numbers), numbers, 0.0)))
            if transform == "stack_ticks":
                return np.array(_ticks(low, high))
            return np.asarray(low if transform == "stack_bottom" else high)
        case "layers":
            rows = np.atleast_2d(numbers)
            layer = np.arange(1.0, len(rows) + 1)[:, None]
            return (layer + np.where(rows < 0, -BESIDE, BESIDE)).T.ravel()
        case "last_layer":
            return np.asarray(numbers.shape[-1] + BESIDE)
        case "depths":
            count = numbers.shape[-1]
            depths = np.linspace(1.0 if count == 1 else PALEST, 1.0, count)
            return np.stack([-depths, depths]).T.ravel()
        case "decade_below":
            return np.asarray(_decades(numbers)[0])
        case "decade_above":
            return np.asarray(decimal(1, _decades(numbers)[2]))
        case "decades":
            bottom, first, top = _decades(numbers)
            powers = [decimal(1, power) for power in range(first, top + 1, _apart(first, top))]
            return np.array(powers if bottom == powers[0] else [bottom, *powers])
    return numbers


def color(number: float) -> str:
    """The colour of a number from −1 to 1: blue is negative, orange positive, zero nothing."""
    shade = NEGATIVE if number < 0 else POSITIVE
    rgb = ", ".join(str(int(shade[i : i + 2], 16)) for i in (1, 3, 5))
    return f"rgba({rgb}, {abs(number):.3f})"


def decimal(digits: int, power: int) -> float:
    """The float nearest to a decimal number, which powers of 10.0 are not in every language."""
    return float(f"{digits}e{power}")


def _ticks(low: float, high: float) -> list[float]:
    """A few round numbers from ``low`` to ``high``, 0 between them."""
    if high - low < 1e-300:
        return [0.0]
    power = math.floor(math.log10((high - low) / (MOST_TICKS - 1))) - 1
    for step in (10, 20, 25, 50, 100, 200):
        size = decimal(step, power)
        below, above = math.floor(-low / size + 1e-9), math.floor(high / size + 1e-9)
        if below + above < MOST_TICKS:
            break
    return [decimal(i * step, power) for i in range(-below, above + 1)]


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


def _decades(numbers: Array) -> tuple[float, int, int]:
    """A logarithmic axis: its bottom, and the exponents of its first decade and of its top.

    Where there are zeros, they stand at the bottom, below the decade of the smallest number, at a
    number that is no decade: an axis labels it as 0.
    """
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    first, top = -1, 0
    if sizes.size:
        first = max(math.floor(math.log10(sizes.min())), -306)
        top = min(max(math.ceil(math.log10(sizes.max())), first + 1), 308)
    if not (numbers == 0).any():
        return decimal(1, first), first, top
    return decimal(2, max(first - _apart(first, top), -307)), first, top


def _apart(first: int, top: int) -> int:
    """How many decades a few ticks are apart."""
    return math.ceil((top - first + 1) / MOST_TICKS)
