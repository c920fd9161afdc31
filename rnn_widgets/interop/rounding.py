"""How much a gradient owes to rounding: measured, not bounded.

Two correct programs never agree to the last bit, and in a saturated, exploding or chaotic network
they need not agree to many. What they may differ by is measured by disturbing every number that
enters the gradients by about one part in 10¹² and looking how far they move: a few thousand times
what rounding does, and far from a bound by absolute values, which over 32 steps can exceed the
gradients by 10²⁰ and would let anything pass. The idea is that of stochastic arithmetic
(Vignes 2004, doi:10.1023/B:NUMA.0000049483.75679.ce).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from rnn_widgets.core import backward
from rnn_widgets.core.forward import ForwardPass, forward
from rnn_widgets.core.ops import Array
from rnn_widgets.core.program import Program
from rnn_widgets.core.template import INPUTS, Node, Template

NUDGE = 2.0**-40
_DRAWS = 2


@dataclass(frozen=True)
class Sensitivity:
    """How far results move, at most, per relative change of every number that they come from.

    ``gradients`` maps a leaf to the movement of any of its entries, and is at least its largest
    entry; ``loss`` is the movement of the loss. Dimensionless.
    """

    gradients: dict[str, float]
    loss: float


@np.errstate(all="ignore")
def sensitivity(
    program: Program, leaves: Mapping[str, Array], gradients: Mapping[str, Array]
) -> Sensitivity:
    """Disturb a network at every operation, with fixed random signs and with their opposites.

    Parameters
    ----------
    program : Program
    leaves : dict
        Every leaf.
    gradients : dict
        Its gradients.

    Returns
    -------
    Sensitivity
    """
    most = {name: float(np.abs(g).max()) for name, g in gradients.items()}
    loss = 0.0
    for seed in range(_DRAWS):
        # Both are disturbed, so that an operation with a wrong derivative is wrong in both.
        one, other = (_run(program, leaves, seed, nudge) for nudge in (NUDGE, -NUDGE))
        for name in most:
            most[name] = max(most[name], _movement(one[0][name], other[0][name]))
        loss = max(loss, abs(one[1]), _movement(np.array(one[1]), np.array(other[1])))
    return Sensitivity(most, loss)


def _run(
    program: Program, leaves: Mapping[str, Array], seed: int, nudge: float
) -> tuple[dict[str, Array], float]:
    """Gradients and loss with every number disturbed."""
    rng = np.random.default_rng(seed)
    disturbed = replace(program, cell=_disturbed(program.cell, rng, nudge))
    moved = {
        name: array if _is_classes(program, name) else _nudged(array, rng, nudge)
        for name, array in leaves.items()
    }
    trace = forward(disturbed, moved)
    blocks = tuple(
        replace(b, nodes=tuple(_nudged(n, rng, nudge) for n in b.nodes)) for b in trace.blocks
    )
    swept = backward.sweep(disturbed, ForwardPass(blocks, trace.losses))
    return backward.gradients(disturbed, swept), float(trace.losses.sum())


def _movement(one: Array, other: Array) -> float:
    """The largest change per relative disturbance, zero where it is not a number."""
    largest = float(np.abs(one - other).max()) / (2.0 * NUDGE)
    return largest if np.isfinite(largest) else 0.0


def _is_classes(program: Program, name: str) -> bool:
    return name == "target" and program.loss == "cross_entropy"


def _nudged(array: Array, rng: np.random.Generator, nudge: float) -> Array:
    result: Array = array * (1.0 + nudge * rng.choice((-1.0, 1.0), array.shape))
    return result


def _disturbed(cell: Template, rng: np.random.Generator, nudge: float) -> Template:
    """The same equations with every result of an operation multiplied by 1 ± nudge."""
    nodes: list[Node] = []
    place: list[int] = []
    for node in cell.nodes:
        nodes.append(replace(node, args=tuple(place[a] for a in node.args)))
        if node.op not in INPUTS:
            factor = 1.0 + nudge * float(rng.choice((-1.0, 1.0)))
            attrs = {"scale": factor, "shift": 0.0}
            nodes.append(Node("affine", (len(nodes) - 1,), node.shape, attrs))
        place.append(len(nodes) - 1)
    return replace(cell, nodes=tuple(nodes), outputs=tuple(place[out] for out in cell.outputs))
