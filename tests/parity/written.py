"""How test vectors are drawn and written down, whichever part of the engine they are for."""

import json
import random
from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from rnn_widgets.core.ops import Array
from rnn_widgets.core.program import Program

FOLDER = Path(__file__).parent / "vectors"

T = TypeVar("T")


class Draws:
    """Seeded numbers that are the same on every machine, with every Python and every numpy.

    Python promises that of `random.Random.random` alone, so all others are made of its numbers.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self._random()

    def whole(self, low: int, high: int) -> int:
        """One of low, …, high."""
        return low + int((high - low + 1) * self._random())

    def choice(self, options: Sequence[T]) -> T:
        return options[self.whole(0, len(options) - 1)]

    def array(self, shape: tuple[int, ...], draw: Callable[[], float]) -> Array:
        return np.array([float(draw()) for _ in range(prod(shape))]).reshape(shape)


def result(array: Any, scale: float) -> dict[str, Any]:
    """Numbers without the digits that are rounding errors in any case."""
    scale = float(f"{max(scale, 1e-300):.3g}")
    digits = 14 - int(np.floor(np.log10(scale)))
    return {"scale": scale, "values": [round(v, digits) + 0.0 for v in np.ravel(array).tolist()]}


def largest(array: Array) -> float:
    return float(np.abs(array).max(initial=0.0))


def leaves(family: str, program: Program, draws: Draws) -> dict[str, Array]:
    spread = 7.0 if family == "saturated" else 1.4
    values = {}
    for name, shape in program.leaves.items():
        if name == "target" and program.loss == "cross_entropy":
            values[name] = draws.array(shape, lambda: draws.whole(0, program.output_size - 1))
        elif family == "ties":  # products of these are exact, so that ties are
            values[name] = draws.array(shape, lambda: draws.choice([-1.0, -0.5, 0.5, 1.0]))
        else:
            values[name] = draws.array(shape, lambda: round(draws.uniform(-spread, spread), 3))
    return values


def text(cases: list[dict[str, Any]]) -> str:
    """A file: one case a line."""
    lines = [json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in cases]
    return "[\n" + ",\n".join(lines) + "\n]\n"
