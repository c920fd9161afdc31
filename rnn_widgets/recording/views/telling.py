"""The words over and under a figure: what its numbers are and whose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from rnn_widgets.recording.layer import Array

from .choice import Picked
from .scales import Scale
from .text import listed, plural, three_digits

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

MEANINGS = {
    "total": "Total adjoint: all of the gradient at a step, direct and carried.",
    "direct": (
        "Direct adjoint: what reaches a step's state other than through this layer's next state; "
        "zero here does not mean no gradient: see the total."
    ),
    "carried": "Carried adjoint: what came back to a step through the state of the next one.",
    "inputs": "The gradient that goes on to what feeds the layer.",
    "outputs": "Values of the layer's output, not gradients.",
    "adjoints": "The gradient before the gate's nonlinearity.",
    "values": "Values after the nonlinearity, not gradients.",
    "by_source": "What each step's use of the parameter adds to its gradient, in size.",
    "contributions": "Sizes of C[t, k]: what the loss at t adds through the use at source step k.",
}
ALL_ZERO = "All of these numbers are zero."
SUM = (
    "total = direct + carried, as vectors: their norms do not add. Direct enters at the step "
    "itself, from later layers, the loss, and what is fed back as input; carried came back through "
    "the state of this layer's next step."
)


def sentences(*parts: str) -> str:
    """Those that are not empty, one after another."""
    return " ".join(filter(None, parts))


def about(rec: Recording, numbers: Array, scales: list[Scale]) -> list[str]:
    """What must be said of numbers: all zero, beyond the scale, of samples that end early."""
    numbers = np.asarray(numbers, float)  # ends can be beyond what float32 holds
    beyond = 0
    if len(scales) == 1:  # panels with scales of their own have room
        low, high = scales[0].low, scales[0].high
        outside = numbers > high if scales[0].kind == "log" else (numbers < low) | (numbers > high)
        beyond = int(outside.sum(where=np.isfinite(numbers)))
    return [
        f"{plural(beyond, 'number')} beyond the ends of the scale." if beyond else "",
        "" if numbers.any() else ALL_ZERO,
        "" if rec.lengths is None else "Steps beyond a sample's own length are left out.",
    ]


def with_ends(names: Sequence[str], scales: list[Scale]) -> list[str]:
    """Captions with the ends of each panel's own scale, where they have one."""
    if not scales:
        return list(names)
    texts = [
        f"±{three_digits(s.high)}"
        if s.low == -s.high
        else f"{three_digits(s.low)} to {three_digits(s.high)}"
        for s in scales
    ]
    return [f"{name}  {text}".strip() for name, text in zip(names, texts, strict=True)]


def meaning(what: str) -> str:
    """A sentence about a recorded quantity, so that direct and total are not mistaken."""
    last = re.split(r"[.\[]", what.removesuffix("]"))[-1]
    if group := re.match(r"(by_source|contributions)\[", what):
        return MEANINGS[group[1]]
    return MEANINGS.get(last) or MEANINGS.get(what.split(".")[0], "")


def told(what: str, label: str) -> str:
    """The label of a quantity with the symbol that it is written as."""
    symbols = {"total": "∂L/∂hₜ", "cell.total": "∂L/∂cₜ", "inputs": "∂L/∂xₜ"}
    symbol = symbols.get(re.sub(r"^layers\[\d+\]\.", "", what))
    return f"{label} {symbol}" if symbol else label


def of_layer(rec: Recording) -> str:
    """Whose numbers they are: ``encoder.rnn (LSTM)``."""
    return f"{rec.layer} ({rec.kind})" if rec.layer else rec.kind


def of_samples(picked: Picked, rec: Recording) -> str:
    """Which samples: ``sample 3``, or ``16 samples``, or which of how many."""
    if not picked.of_batch:
        return ""
    if len(picked.samples) == rec.samples:
        return f", {plural(rec.samples, 'sample')}"
    return listed_samples(picked.samples, rec)


def listed_samples(samples: Sequence[int] | None, rec: Recording) -> str:
    """Which samples, where some were asked for."""
    if samples is None or rec.samples == 1:
        return ""
    if len(samples) == 1:
        return f", sample {samples[0]}"
    return f", samples {listed(samples)} of {rec.samples}"
