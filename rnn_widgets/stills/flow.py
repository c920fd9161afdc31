"""How one contribution C[t, k] flows: what share of it passes each entry of each state.

The same as `js/src/engine/flow.ts`: a share is the adjoint of loss step t alone times the tangent
by step k's copy of the parameter entry alone, the sum of all chain-rule terms whose path passes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_widgets.core.graph import Edge, Graph, Key
from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network


class Flow:
    """The flow of one contribution.

    Parameters
    ----------
    net : Network
    leaf, entry
        The parameter entry, for example ``"weight_hh_l0"``, ``(0, 1)``.
    loss_step, source_step : int
        0-based steps t and k.

    Examples
    --------
    In a network of one layer every step between k and t passes all of the contribution on:

    >>> import rnn_widgets as rw
    >>> net = rw.rnn(2, 3, 5)
    >>> flow = Flow(net, "weight_hh_l0", (0, 1), 4, 1)
    >>> whole = net.contributions()["weight_hh_l0"][4, 1, 0, 1]
    >>> [bool(np.isclose(flow.leaving(0, step).sum(), whole)) for step in (1, 2, 3, 4)]
    [True, True, True, True]
    >>> bool(np.isclose(flow.between(0, 3).sum(), whole))
    True
    """

    def __init__(
        self, net: Network, leaf: str, entry: tuple[int, ...], loss_step: int, source_step: int
    ) -> None:
        self._net, self._program = net, net.program
        self._arrivals: dict[Key, Array] = {}
        self._tangents: dict[Key, Array] = {}
        if loss_step in net.program.loss_steps:
            graph = Graph(net.program, net._forward, leaf, entry, loss_step, source_step)
            with np.errstate(all="ignore"):
                self._follow(graph)

    def _follow(self, graph: Graph) -> None:
        adjoints: dict[Key, Array] = {graph.top: np.array([self._program.loss_weight])}
        passed: list[Edge] = []
        for key, edges in graph.nodes:
            if key not in adjoints:
                continue
            for edge in edges:
                passed.append(edge)
                if edge.final:
                    continue
                pulled = _pull(edge, adjoints[key])
                _add(adjoints, edge.arg, pulled)
                if edge.key[::2] != edge.arg[::2]:  # from another block or step
                    _add(self._arrivals, edge.arg, pulled)
        nodes = self._net._forward.blocks
        for edge in reversed(passed):
            if not edge.final and edge.arg not in self._tangents:
                continue
            b, i, _ = edge.key
            size = nodes[b].nodes[i].shape[-1]
            _add(self._tangents, edge.key, _push(edge, self._tangents.get(edge.arg), size))

    def leaving(self, block: int, step: int) -> Array:
        """The part of the share that leaves a step from its states, (S,); zero where none does."""
        with np.errstate(all="ignore"):
            return self.arriving(block, step) * self.tangent(block, step)

    def between(self, block: int, step: int) -> Array:
        """What passes from each entry of the state before a step to each that it makes, (S, S)."""
        before = self._program.blocks[block].previous(step)
        size = self._program.hidden_size * len(self._program.cell.states)
        if not 0 <= before < self._program.seq_len:
            return np.zeros((size, size))
        above, below = self.arriving(block, step), self.tangent(block, before)
        if not above.any() or not below.any():
            return np.zeros((size, size))
        layer, direction = divmod(block, self._program.directions)
        jacobian = self._net.jacobians(layer, bool(direction))[step]
        with np.errstate(all="ignore"):
            passing = above[:, None] * jacobian * below
        # Where one factor is zero nothing passes, even if another has overflowed.
        nothing = (above[:, None] == 0) | (jacobian == 0) | (below == 0)
        return np.where(nothing, 0.0, passing)

    def arriving(self, block: int, step: int) -> Array:
        """∂L_t/∂s of a step's state, but for what the state does within its own step: (S,)."""
        return self._of(self._arrivals, block, step)

    def tangent(self, block: int, step: int) -> Array:
        """∂s/∂θ of a step's state, by step k's copy of the entry alone: (S,)."""
        return self._of(self._tangents, block, step)

    def _of(self, found: dict[Key, Array], block: int, step: int) -> Array:
        nothing = np.zeros(self._program.hidden_size)
        outputs = self._program.blocks[block].template.outputs
        return np.concatenate([found.get((block, node, step), nothing) for node in outputs])


def _add(found: dict[Key, Array], key: Key, numbers: Array) -> None:
    found[key] = found[key] + numbers if key in found else numbers


def _pull(edge: Edge, adjoint: Array) -> Array:
    """What the result's adjoint brings to the argument's."""
    data: Any = edge.data
    match edge.kind:
        case "scale" | "diagonal" | "row":
            return np.asarray(data * adjoint)
        case "matrix":
            return np.asarray(data.T @ adjoint)
        case "slice":
            whole = np.zeros(edge.size)
            whole[data[0] : data[1]] = adjoint
            return whole
        case "place":
            return adjoint[data[0] : data[1]]
    return adjoint


def _push(edge: Edge, tangent: Array | None, size: int) -> Array:
    """What the argument's tangent brings to the result's, of ``size`` entries."""
    data: Any = edge.data
    if edge.final:
        if edge.kind == "outer":
            made = np.zeros(size)
            made[edge.row] = data[edge.index]
            return made
        tangent = np.eye(edge.size)[edge.index]
    assert tangent is not None
    match edge.kind:
        case "scale" | "diagonal":
            return np.asarray(data * tangent)
        case "row":
            return np.array([data @ tangent])
        case "matrix":
            return np.asarray(data @ tangent)
        case "slice":
            return tangent[data[0] : data[1]]
        case "place":
            whole = np.zeros(size)
            whole[data[0] : data[1]] = tangent
            return whole
    return tangent
