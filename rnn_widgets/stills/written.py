"""Numbers as people read them, and as they are the same on every machine."""

from __future__ import annotations

import math

import numpy as np

from rnn_widgets.core.labels import subscript
from rnn_widgets.core.ops import Array

STEADY = 9  # digits that rounding errors leave alone, counted from the largest number


def three_digits(x: float) -> str:
    """Three significant digits with a true minus sign, as the browser's views write them.

    >>> three_digits(-0.000123456), three_digits(12.0), three_digits(float("inf"))
    ('−1.23e−4', '12', '∞')
    """
    return digits(x, 3)


def digits(x: float, count: int) -> str:
    """The same with so many significant digits.

    >>> digits(0.4567, 2)
    '0.46'
    """
    if math.isnan(x):
        return "NaN"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    if x == 0:
        return "0"
    mantissa, exponent = f"{x:.{count - 1}e}".split("e")
    power = int(exponent)
    if -4 < power < 5:
        text = f"{x:.{max(0, count - 1 - power)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{power}"
    return text.replace("-", "−")


def fitting(x: float, room: int, least: int = 1) -> str:
    """Three digits, or down to ``least`` where only these fit, in characters; else nothing.

    >>> fitting(-0.01234, 6), fitting(-0.01234, 5), fitting(-1.23e-7, 4)
    ('−0.012', '−0.01', '')
    """
    return next((text for n in range(3, least - 1, -1) if len(text := digits(x, n)) <= room), "")


def steady(numbers: Array) -> Array:
    """Numbers without what differs from machine to machine: noise beside the largest is zero.

    >>> steady(np.array([1.0, 1e-17, 1 / 3]))
    array([1.        , 0.        , 0.33333333])
    """
    numbers = np.asarray(numbers, dtype=float)
    sizes = np.abs(numbers[np.isfinite(numbers)])
    largest = float(sizes.max(initial=0.0))
    if not 1e-290 < largest < 1e290:
        return numbers
    unit = 10.0 ** (math.floor(math.log10(largest)) - STEADY)
    return np.where(np.isfinite(numbers), np.round(numbers / unit) * unit + 0.0, numbers)


def cell_name(t: int, k: int) -> str:
    """One contribution, its steps counted from 1 as in h₃: ``C₃,₂``."""
    return f"C{subscript(t + 1)},{subscript(k + 1)}"


def listed(names: list[str], most: int) -> str:
    """Names, and how many more there are.

    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    rest = len(names) - most
    return ", ".join(names) if rest <= 0 else f"{', '.join(names[:most])} and {rest} more"
