"""State Jacobians ∂s_t/∂s_{t−1} of one layer and direction, their named blocks and products."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from .backward import within_step
from .forward import BlockTrace
from .frozen import frozen
from .ops import Array
from .products import JacobianProducts

_GRU_WORDS = {"n": "candidate"}


class StateJacobians(JacobianProducts):
    """State Jacobians of one layer and direction, one per step.

    ``jacobians[t]`` is J_t = ∂s_t/∂s_{t−1}, shape (S, S) with S = H, or 2H for an LSTM whose state
    (h, c) is taken in independent coordinates. In a reverse direction the state before step t is
    that of step t + 1. Truncation does not touch them.

    Notes
    -----
    Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks".

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> net = rw.rnn(1, 1, 3, nonlinearity="identity").replace(weight_hh_l0=[[2]])
    >>> net.jacobians()[0]
    array([[2.]])
    """

    def __init__(self, trace: BlockTrace, cell: str) -> None:
        self._trace = trace
        self._cell = cell
        self._states = trace.block.template.states
        self._steps = len(trace.output)
        self._reverse = trace.block.reverse

    def __len__(self) -> int:
        return self._steps

    @property
    def _size(self) -> int:
        return self._trace.block.sizes["H"] * len(self._states)

    def _whole(self, t: int) -> Array:
        found: Array = self._all[t]
        return found

    @cached_property
    def _all(self) -> Array:
        return self._sum_over_paths({})["all"]

    def _sum_over_paths(self, gates: dict[int, str]) -> dict[str, Array]:
        """J_t by the first gate that a path from s_{t−1} meets; "all" collects the others."""
        template, steps = self._trace.block.template, self._steps
        hidden = self._trace.block.sizes["H"]
        size = hidden * len(self._states)
        groups = ["all", *gates.values()]
        seeds = {}
        for s, out in enumerate(template.outputs):
            seed = np.zeros((steps, len(groups) * size, hidden))
            seed[:, s * hidden : (s + 1) * hidden] = np.eye(hidden)
            seeds[out] = seed

        def arrive(node: int, adjoint: Array) -> Array:
            if node not in gates:
                return adjoint
            parts = adjoint.reshape(steps, len(groups), size, -1)
            moved = np.zeros_like(parts)
            moved[:, groups.index(gates[node])] = parts.sum(1)
            return moved.reshape(adjoint.shape)

        with np.errstate(all="ignore"):
            adjoints = within_step(self._trace, seeds, arrive)
        columns = []
        for state in self._states:
            slot = template.slot(state)
            adjoint = adjoints[slot] if slot is not None else None
            if adjoint is None:
                adjoint = np.zeros((steps, len(groups) * size, hidden))
            columns.append(adjoint.reshape(steps, len(groups), size, hidden))
        whole = np.concatenate(columns, axis=-1)
        return {name: whole[:, g] for g, name in enumerate(groups)}

    @cached_property
    def _parts(self) -> dict[str, Array]:
        template = self._trace.block.template
        if len(self._states) > 1:
            hidden = self._trace.block.sizes["H"]
            at = {s: slice(i * hidden, (i + 1) * hidden) for i, s in enumerate(self._states)}
            return {
                f"{source}→{target}": self._all[:, at[target], at[source]]
                for source in self._states
                for target in self._states
            }
        words = _GRU_WORDS if self._cell.startswith("gru") else {}
        gates = {
            i: words.get(node.name, node.name)
            for i, node in enumerate(template.nodes)
            if node.name and template.dynamic[i] and i not in template.outputs
        }
        if not gates:
            return {"h→h": self._all}
        parts = self._sum_over_paths(gates)
        return {"skip": parts["all"]} | {f"via {g}": parts[g] for g in gates.values()}

    def blocks(self, t: int) -> dict[str, Array]:
        """Named blocks of J_t.

        Returns
        -------
        dict
            LSTM: "h→h", "h→c", "c→h", "c→c" (the forget gate's carousel), each (H, H). GRU and
            custom cells with named gates: "skip", "via z", … — the paths from h_{t−1} by the first
            gate that they meet; they sum to J_t. Otherwise "h→h", the whole.

        Examples
        --------
        A GRU without weights passes half of h on, and nothing through its gates:

        >>> import numpy as np, rnn_widgets as rw
        >>> net = rw.gru(1, 1, 2, bias=False)
        >>> net = net.replace(weight_ih_l0=np.zeros((3, 1)), weight_hh_l0=np.zeros((3, 1)))
        >>> {name: block.item() for name, block in net.jacobians().blocks(0).items()}
        {'skip': 0.5, 'via r': 0.0, 'via candidate': 0.0, 'via z': 0.0}
        """
        step = self._step(t)
        return {name: frozen(part[step]) for name, part in self._parts.items()}
