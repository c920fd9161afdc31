"""Central differences: the witness that needs no calculus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .forward import ForwardPass, forward
from .ops import Array
from .program import Block, Program

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
    truncation = program.truncation
    if truncation is None:
        trace = forward(program, values)
        return float(trace.losses.sum()), _active(trace)
    total, signs = 0.0, b""
    windows = program.loss_steps if truncation.kind == "window" else (None,)
    for loss_step in windows:

        def cut(block: Block, k: int, t: int = loss_step or 0) -> bool:
            before = block.previous(k)
            return truncation.cuts(k, before, t, before in (-1, program.seq_len))

        trace = forward(program, values, base, cut)
        total += float(trace.losses.sum() if loss_step is None else trace.losses[loss_step])
        signs += _active(trace)
    return total, signs


def _active(trace: ForwardPass) -> bytes:
    return b"".join(
        np.packbits(array > 0).tobytes()
        for block in trace.blocks
        for node, array in zip(block.block.template.nodes, block.nodes, strict=True)
        if node.op == "relu"
    )
