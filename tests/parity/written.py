"""How test vectors are written down, whichever part of the engine they are for."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from rnn_widgets.core.ops import Array
from rnn_widgets.core.program import Program

FOLDER = Path(__file__).parent / "vectors"


def result(array: Any, scale: float) -> dict[str, Any]:
    """Numbers without the digits that are rounding errors in any case."""
    scale = float(f"{max(scale, 1e-300):.3g}")
    digits = 14 - int(np.floor(np.log10(scale)))
    return {"scale": scale, "values": [round(v, digits) + 0.0 for v in np.ravel(array).tolist()]}


def largest(array: Array) -> float:
    return float(np.abs(array).max(initial=0.0))


def leaves(family: str, program: Program, rng: np.random.Generator) -> dict[str, Array]:
    spread = 4.0 if family == "saturated" else 0.8
    values = {}
    for name, shape in program.leaves.items():
        if name == "target" and program.loss == "cross_entropy":
            values[name] = rng.integers(0, program.output_size, shape).astype(float)
        elif family == "ties":  # products of these are exact, so that ties are
            values[name] = rng.choice([-1.0, -0.5, 0.5, 1.0], shape)
        else:
            values[name] = np.round(rng.normal(0, spread, shape), 3)
    return values


def text(cases: list[dict[str, Any]]) -> str:
    """A file: one case a line."""
    lines = [json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in cases]
    return "[\n" + ",\n".join(lines) + "\n]\n"
