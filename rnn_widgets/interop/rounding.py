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
    program: Program, leaves: Mapping[str, Array], gradients: Mapping[str, Array], loss: float
) -> Sensitivity:
    """Disturb a network at every operation, with fixed random signs.

    Parameters
    ----------
    program : Program
    leaves : dict
        Every leaf.
    gradients : dict
        Its gradients.
    loss : float
        Its loss.

    Returns
    -------
    Sensitivity
    """
    rng = np.random.default_rng(0)
    most = {name: float(np.abs(g).max()) for name, g in gradients.items()}
    loss_moved = abs(loss)
    for _ in range(_DRAWS):
        disturbed = replace(program, cell=_disturbed(program.cell, rng))
        moved = {
            name: array if _is_classes(program, name) else _nudged(array, rng)
            for name, array in leaves.items()
        }
        trace = forward(disturbed, moved)
        blocks = tuple(
            replace(b, nodes=tuple(_nudged(n, rng) for n in b.nodes)) for b in trace.blocks
        )
        swept = backward.sweep(disturbed, ForwardPass(blocks, trace.losses))
        for name, array in backward.gradients(disturbed, swept).items():
            change = float(np.abs(array - gradients[name]).max()) / NUDGE
            most[name] = max(most[name], change if np.isfinite(change) else 0.0)
        change = abs(float(trace.losses.sum()) - loss) / NUDGE
        loss_moved = max(loss_moved, change if np.isfinite(change) else 0.0)
    return Sensitivity(most, loss_moved)


def _is_classes(program: Program, name: str) -> bool:
    return name == "target" and program.loss == "cross_entropy"


def _nudged(array: Array, rng: np.random.Generator) -> Array:
    result: Array = array * (1.0 + NUDGE * rng.choice((-1.0, 1.0), array.shape))
    return result


def _disturbed(cell: Template, rng: np.random.Generator) -> Template:
    """The same equations with every result of an operation multiplied by 1 ± NUDGE."""
    nodes: list[Node] = []
    place: list[int] = []
    for node in cell.nodes:
        nodes.append(replace(node, args=tuple(place[a] for a in node.args)))
        if node.op not in INPUTS:
            factor = 1.0 + NUDGE * float(rng.choice((-1.0, 1.0)))
            attrs = {"scale": factor, "shift": 0.0}
            nodes.append(Node("affine", (len(nodes) - 1,), node.shape, attrs))
        place.append(len(nodes) - 1)
    return replace(cell, nodes=tuple(nodes), outputs=tuple(place[out] for out in cell.outputs))
