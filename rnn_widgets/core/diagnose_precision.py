"""How precise numbers are that somebody printed: told by their digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from .ops import Array

DOUBLE = 1e-10  # of the scale: float64, some thousand times its rounding
SINGLE = 1e-5  # of the scale: what float32 makes of a gradient through time
ROUNDINGS = 4 * 2.0**-24  # of every number that a gradient in float32 comes from
FEW_DIGITS = 3  # so few may be a number's own as well as a rounding's
MOST_DIGITS_OF_SINGLE = 9
COARSEST = 0.1  # of the largest number: rounding beyond which nothing is said


@dataclass(frozen=True)
class Level:
    """How far a gradient may be from a replayed one that explains it.

    ``share`` is relative to the scale of the replayed one, ``steps`` absolute for each name given.
    ``digits`` is set where the numbers are taken for rounded to so few.
    """

    share: float
    steps: Mapping[object, float]
    pairs: bool = True
    digits: int | None = None


def levels(given: Mapping[object, Array]) -> list[Level]:
    """What the numbers may be off by, from the strictest reading to the most lenient.

    Numbers of double precision are compared as such first. Prints of four digits or more are
    tolerated as what they are; with fewer, the numbers may be exact, and are first taken so.
    """
    numbers = np.concatenate([array.ravel() for array in given.values()])
    with np.errstate(over="ignore"):
        single = bool((numbers == numbers.astype(np.float32)).all())
    written = {key: _written(array, single) for key, array in given.items()}
    digits = max(len(d.digits) for numbers in written.values() for d in numbers)
    decimals = max(-int(d.exponent) for numbers in written.values() for d in numbers)
    steps = {key: _half_step(numbers, digits, decimals) for key, numbers in written.items()}
    none = dict.fromkeys(given, 0.0)
    if digits > FEW_DIGITS:
        found = [Level(SINGLE, steps)]
        return [Level(DOUBLE, steps), *found] if digits > MOST_DIGITS_OF_SINGLE else found
    found = [Level(SINGLE, none)]
    if max(steps.values()) <= COARSEST * float(np.abs(numbers).max()):
        found.append(Level(SINGLE, steps, pairs=False, digits=digits))
    return found


def _written(array: Array, single: bool) -> list[_Number]:
    """The numbers as they are written shortest, without zeros at their ends."""
    flat = array.ravel().astype(np.float32) if single else array.ravel()
    return [_Number.of(str(number)) for number in flat]


@dataclass(frozen=True)
class _Number:
    digits: tuple[int, ...]
    exponent: int

    @classmethod
    def of(cls, text: str) -> _Number:
        _, digits, exponent = Decimal(text).normalize().as_tuple()
        assert isinstance(exponent, int)
        return cls(digits, exponent) if any(digits) else cls((0,), 0)


def _half_step(numbers: list[_Number], digits: int, decimals: int) -> float:
    """Half of the last digit's worth, of as many decimals, or of as many digits, as there are."""
    leading = [len(d.digits) + d.exponent for d in numbers if any(d.digits)]  # 0 has none
    by_digits = _power(max(leading) - digits) if leading else 0.0
    return 0.5 * max(_power(-decimals), by_digits)


def _power(exponent: int) -> float:
    return float(f"1e{exponent}")
