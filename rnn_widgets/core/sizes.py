"""Symbolic sizes such as ``3*H`` or ``H+I``, so that one template serves every network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

_SYMBOLS = ("H", "I", "O")
_PART = re.compile(r"(?:(\d+)\*)?([HIO])|(\d+)")

SizeLike: TypeAlias = "str | int | Size"


class Size:
    """A sum of multiples of H (hidden size), I (input size), O (output size) and a constant.

    Parameters
    ----------
    text : str, int or Size
        For example ``"H"``, ``"4*H"``, ``"H+I"`` or ``3``.

    Raises
    ------
    ValueError
        If the text is not such a sum.

    Examples
    --------
    >>> Size("3*H+I").value({"H": 4, "I": 2})
    14
    """

    __slots__ = ("terms",)

    terms: dict[str, int]

    def __init__(self, text: SizeLike) -> None:
        terms: dict[str, int] = {}
        if isinstance(text, Size):
            terms = dict(text.terms)
        else:
            for part in str(text).replace(" ", "").split("+"):
                match = _PART.fullmatch(part)
                if match is None:
                    raise ValueError(
                        f"a size is a sum such as 'H', '4*H', 'H+I' or 3; it was {text!r}"
                    )
                count, symbol, constant = match.groups()
                key, amount = (symbol, int(count or 1)) if symbol else ("", int(constant))
                terms[key] = terms.get(key, 0) + amount
        self.terms = {key: terms[key] for key in (*_SYMBOLS, "") if terms.get(key)}

    def value(self, sizes: Mapping[str, int]) -> int:
        """The number this size stands for, given numbers for its symbols."""
        return sum(n * (sizes[symbol] if symbol else 1) for symbol, n in self.terms.items())

    def plus(self, other: Size) -> Size:
        """The symbolic sum of two sizes."""
        total = Size(self)
        for symbol, n in other.terms.items():
            total.terms[symbol] = total.terms.get(symbol, 0) + n
        total.terms = {key: total.terms[key] for key in (*_SYMBOLS, "") if key in total.terms}
        return total

    def minus(self, other: Size) -> Size | None:
        """The symbolic difference of two sizes, or None if a part of it would be negative."""
        terms = {k: self.terms.get(k, 0) - other.terms.get(k, 0) for k in (*_SYMBOLS, "")}
        if any(n < 0 for n in terms.values()):
            return None
        difference = Size(0)
        difference.terms = {k: n for k, n in terms.items() if n}
        return difference

    def times(self, factor: int) -> Size:
        """The size taken ``factor`` times."""
        total = Size(self)
        total.terms = {symbol: n * factor for symbol, n in total.terms.items() if factor}
        return total

    def parts(self, count: int) -> Size | None:
        """The size of one of ``count`` equal parts, or None if it does not divide."""
        if any(n % count for n in self.terms.values()):
            return None
        part = Size(self)
        part.terms = {symbol: n // count for symbol, n in part.terms.items()}
        return part

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Size) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(tuple(self.terms.items()))

    def __str__(self) -> str:
        words = [
            str(n) if not symbol else symbol if n == 1 else f"{n}*{symbol}"
            for symbol, n in self.terms.items()
        ]
        return "+".join(words) or "0"

    __repr__ = __str__
