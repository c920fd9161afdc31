"""Central differences: the witness that needs no calculus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .forward import ForwardPass, forward
from .ops import Array
from .program import Program

STEP = float(np.cbrt(np.finfo(float).eps))


@dataclass(frozen=True)
class Differences:
    """Central differences of the loss by each entry of each leaf.

    ``kinks`` marks entries whose two evaluations lie on different sides of a relu's kink: there the
    difference is not an estimate of a derivative.
    """

    values: dict[str, Array]
    kinks: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]


def central_differences(
    program: Program, values: Mapping[str, Array], names: list[str], trace: ForwardPass
) -> Differences:
    """Estimate ∂L/∂leaf as (L(θ+ε) − L(θ−ε)) / 2ε with ε = ∛(machine epsilon) · max(1, |θ|).

    Under truncation the cut states are held at their base value, so that what is estimated is the
    truncated gradient.

    Parameters
    ----------
    program : Program
    values : dict
        Every leaf.
    names : list of str
        The leaves to differentiate by.
    trace : ForwardPass
        The forward pass at ``values``.

    Returns
    -------
    Differences
    """
    estimates = {name: np.zeros(program.leaves[name]) for name in names}
    kinks = {name: np.zeros(program.leaves[name], dtype=bool) for name in names}
    moved = {name: np.array(array) for name, array in values.items()}
    for name in names:
        flat = moved[name].reshape(-1)
        for index, here in enumerate(flat.tolist()):
            step = STEP * max(1.0, abs(here))
            flat[index] = here + step
            above, signs_above = _loss(program, moved, trace)
            flat[index] = here - step
            below, signs_below = _loss(program, moved, trace)
            flat[index] = here
            with np.errstate(all="ignore"):
                estimates[name].flat[index] = (above - below) / ((here + step) - (here - step))
            kinks[name].flat[index] = signs_above != signs_below
    return Differences(estimates, kinks)


def _loss(program: Program, values: Mapping[str, Array], base: ForwardPass) -> tuple[float, bytes]:
    """The loss with cut states held, and which relus are active."""
    trace = forward(program, values, base)
    return float(trace.losses.sum()), _active(program, trace)


def _active(program: Program, trace: ForwardPass) -> bytes:
    reached = _reached(program)
    return b"".join(
        np.packbits(array[reached] > 0).tobytes()
        for block in trace.blocks
        for node, array in zip(block.block.template.nodes, block.nodes, strict=True)
        if node.op == "relu"
    )


def _reached(program: Program) -> Any:
    """The rows that a window lets each step be part of, (T, L); all where there is none."""
    cut = program.truncation
    if cut is None or cut.kind == "chunk":
        return ...
    lag = np.subtract.outer(range(program.seq_len), program.loss_steps)
    return (np.abs(lag) < cut.size) & (program.bidirectional | (lag <= 0))
