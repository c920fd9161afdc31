"""How precise numbers are that somebody printed: told by their digits."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

import numpy as np

from .ops import Array

DOUBLE = 1e-10  # of the scale: float64, some thousand times its rounding
SINGLE = 1e-5  # of the scale: what float32 makes of a gradient through time
ROUNDINGS = 4 * 2.0**-24  # of every number that a gradient in float32 comes from
FEW_DIGITS = 3  # so few may be a number's own as well as a rounding's
MOST_DIGITS_OF_SINGLE = 9
LEAST_SINGLE = 2.0**-149
HALVES = {"bfloat16": (8, 2.0**-133), "float16": (11, 2.0**-24)}  # bits, and the least number
HALF_ERRORS = (1, 8)  # units in the last place: of numbers that were cast, and computed so
UNLIKELY = 8  # bits: other numbers look like those of half precision once in 256 times
COARSEST = 0.1  # of the largest number: rounding beyond which nothing is said


@dataclass(frozen=True)
class Level:
    """How far a gradient may be from a replayed one that explains it.

    ``share`` is relative to the scale of the replayed one, ``steps`` absolute for each name given.
    ``digits`` is set where the numbers are taken for rounded to so few, ``dtype`` where they are
    taken for numbers of half precision.
    """

    share: float
    steps: Mapping[object, float]
    pairs: bool = True
    digits: int | None = None
    dtype: str | None = None


def levels(given: Mapping[object, Array]) -> list[Level]:
    """What the numbers may be off by, from the strictest reading to the most lenient.

    Numbers of double precision are compared as such first. Prints of four digits or more are
    tolerated as what they are; with fewer, the numbers may be exact, and are first taken so.
    Numbers of half precision, printed or not, are tolerated as such last.
    """
    numbers = _numbers(given)
    printed = _printed(given, numbers)
    assert printed.digits is not None
    if printed.digits <= FEW_DIGITS:
        exact = Level(SINGLE, dict.fromkeys(given, _least(given)))
        largest = max(float(np.abs(array).max()) for array in given.values())
        coarse = max(printed.steps.values()) > COARSEST * largest
        return [exact] if coarse else [exact, printed]
    found = [Level(DOUBLE, printed.steps)] if printed.digits > MOST_DIGITS_OF_SINGLE else []
    found.append(Level(SINGLE, printed.steps))
    for dtype, (bits, least) in HALVES.items():
        if _is_half(chain(*numbers.values()), bits, least):
            steps = {key: step + 0.5 * least for key, step in printed.steps.items()}
            found += [Level(n * 2.0**-bits, steps, pairs=False, dtype=dtype) for n in HALF_ERRORS]
            break
    return found


def bluntest(given: Mapping[object, Array]) -> Level | None:
    """Few digits, however coarse, taken for rounded; zeros for printed to four decimals."""
    if not any(array.any() for array in given.values()):
        return Level(SINGLE, dict.fromkeys(given, 0.5e-4), pairs=False, digits=1)
    printed = _printed(given, _numbers(given))
    return printed if printed.digits and printed.digits <= FEW_DIGITS else None


def _printed(given: Mapping[object, Array], numbers: Mapping[object, list[_Number]]) -> Level:
    """Numbers that were rounded to the digits and decimals that they have."""
    digits = max(len(d.digits) for array in numbers.values() for d in array)
    decimals = max(-d.exponent for array in numbers.values() for d in array)
    least = _least(given)
    steps = {key: max(_half_step(n, digits, decimals), least) for key, n in numbers.items()}
    return Level(SINGLE, steps, pairs=False, digits=digits)


def _least(given: Mapping[object, Array]) -> float:
    """The least number of float32, where all are of that precision; else nothing."""
    with np.errstate(over="ignore"):
        single = all((array == array.astype(np.float32)).all() for array in given.values())
    return LEAST_SINGLE if single else 0.0


def _numbers(given: Mapping[object, Array]) -> dict[object, list[_Number]]:
    """The numbers as they are written shortest, without zeros at their ends."""
    kind = np.float32 if _least(given) else np.float64
    return {
        key: [_Number.of(str(number)) for number in array.ravel().astype(kind)]
        for key, array in given.items()
    }


def _is_half(numbers: Iterable[_Number], bits: int, least: float) -> bool:
    """Whether numbers of so many bits are written like these, and others would hardly be."""
    surprise = 0.0
    for number in numbers:
        unit = max(math.ldexp(1.0, math.frexp(number.value)[1] - bits), least)
        place = _power(number.exponent)
        if abs(round(number.value / unit) * unit - number.value) > 0.5001 * place:
            return False
        if number.value and place:
            surprise += max(0.0, math.log2(unit / place))
    return surprise >= UNLIKELY


@dataclass(frozen=True)
class _Number:
    digits: tuple[int, ...]
    exponent: int
    value: float

    @classmethod
    def of(cls, text: str) -> _Number:
        _, digits, exponent = Decimal(text).normalize().as_tuple()
        assert isinstance(exponent, int)
        return cls(digits, exponent, float(text)) if any(digits) else cls((0,), 0, 0.0)


def _half_step(numbers: list[_Number], digits: int, decimals: int) -> float:
    """Half of the last digit's worth, of as many decimals, or of as many digits, as there are."""
    leading = [len(d.digits) + d.exponent for d in numbers if any(d.digits)]  # 0 has none
    by_digits = _power(max(leading) - digits) if leading else 0.0
    return 0.5 * max(_power(-decimals), by_digits)


def _power(exponent: int) -> float:
    return float(f"1e{exponent}")
