"""The forward pass: the value of every node of a program at every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from .ops import OPS, Array
from .program import Block, Program


@dataclass(frozen=True)
class BlockTrace:
    """Values of one block.

    ``nodes[i]`` is node i at all steps, shape (T, n); a parameter's is its leaf. ``states`` maps
    each state to (T+1, H): in forward order of time with the initial state first, or, in a reverse
    direction, last.
    """

    block: Block
    nodes: tuple[Array, ...]
    states: Mapping[str, Array]

    @property
    def output(self) -> Array:
        """What the block hands upwards, shape (T, n)."""
        return self.nodes[self.block.template.outputs[0]]


@dataclass(frozen=True)
class ForwardPass:
    """Values of all blocks and the loss of each step, already weighted; dimensionless."""

    blocks: tuple[BlockTrace, ...]
    losses: Array

    @property
    def output(self) -> Array:
        """The network's outputs y, shape (T, O)."""
        return self.joined(self.blocks[-1].block.sources["y"], {})

    def joined(self, sources: Sequence[str | int], values: Mapping[str, Array]) -> Array:
        """What a slot receives: leaves and outputs of earlier blocks, joined on the last axis."""
        return _joined(sources, values, self.blocks)


Cut = Callable[[Block, int], bool]


def forward(
    program: Program,
    values: Mapping[str, Array],
    base: ForwardPass | None = None,
    cut: Cut | None = None,
) -> ForwardPass:
    """Evaluate a program.

    Parameters
    ----------
    program : Program
    values : dict
        Every leaf; cross-entropy targets as classes.
    base, cut : optional
        Where ``cut(block, step)`` holds, step reads its previous state from ``base`` instead of
        from the step before: what a central difference of a truncated gradient needs.

    Returns
    -------
    ForwardPass
    """
    traces: list[BlockTrace] = []
    with np.errstate(all="ignore"):
        for i, block in enumerate(program.blocks):
            inputs = {
                slot: _one_hot(program, values)
                if program.loss == "cross_entropy" and source == ("target",)
                else _joined(source, values, traces)
                for slot, source in block.sources.items()
            }
            held = base.blocks[i] if base is not None else None
            traces.append(_run(block, inputs, values, program.seq_len, held, cut))
        per_step = traces[-1].output[:, 0]
        losses = np.zeros(program.seq_len)
        chosen = list(program.loss_steps)
        losses[chosen] = program.loss_weight * per_step[chosen]
    return ForwardPass(tuple(traces), losses)


def _joined(
    sources: Sequence[str | int], values: Mapping[str, Array], traces: Sequence[BlockTrace]
) -> Array:
    parts = [values[s] if isinstance(s, str) else traces[s].output for s in sources]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


def _one_hot(program: Program, values: Mapping[str, Array]) -> Array:
    encoded: Array = np.eye(program.output_size)[np.asarray(values["target"], dtype=int)]
    return encoded


def initial_state(block: Block, state: str, values: Mapping[str, Array]) -> Array:
    """The row of h0 or c0 that belongs to a block, shape (H,)."""
    leaf = values[block.leaves[state]]
    return leaf if leaf.ndim == 1 else leaf[block.row]


def _run(
    block: Block,
    inputs: Mapping[str, Array],
    values: Mapping[str, Array],
    steps: int,
    held: BlockTrace | None,
    cut: Cut | None,
) -> BlockTrace:
    template, attrs = block.template, block.attrs
    before, after = (slice(1, None), slice(-1)) if block.reverse else (slice(-1), slice(1, None))
    states = {s: np.empty((steps + 1, block.sizes["H"])) for s in template.states}
    results: dict[int, Array] = {}
    for state, out in zip(template.states, template.outputs, strict=False):
        states[state][steps if block.reverse else 0] = initial_state(block, state, values)
        results[out] = states[state][after]

    nodes: list[Array] = []
    in_loop: list[int] = []
    for i, node in enumerate(template.nodes):
        if node.op == "input":
            slot = node.attrs["slot"]
            array = states[slot][before] if slot in states else inputs[slot]
        elif node.op == "param":
            array = values[block.leaves[node.attrs["param"]]]
            if array.ndim == 1:
                array = np.broadcast_to(array, (steps, array.size))
        elif node.op == "slice" and i not in results and cut is None:  # a view needs no work
            array = nodes[node.args[0]][:, attrs[i]["start"] : attrs[i]["stop"]]
        else:
            width = node.shape[0].value(block.sizes)
            array = results[i] if i in results else np.empty((steps, width))
            if template.dynamic[i]:
                in_loop.append(i)
            else:
                args = [nodes[a] for a in node.args]
                if node.op == "matvec":
                    args[0] = matrix_rows(args[0], attrs[i])
                OPS[node.op].value(array, attrs[i], *args)
        nodes.append(array)

    rows: dict[int, list[Array]] = {}
    for i in in_loop:
        node = template.nodes[i]
        for a in (i, *node.args):
            if a not in rows:
                matrix = template.nodes[a].op == "param" and nodes[a].ndim == 2
                rows[a] = [] if matrix and node.op == "matvec" else list(nodes[a])
    if cut is not None and held is not None:
        for state in template.states:
            index = template.slot(state)
            for k in range(steps):
                if index in rows and cut(block, k):
                    rows[index][k] = held.states[state][before][k]
    calls = []
    for i in in_loop:
        node = template.nodes[i]
        args_rows = [rows[a] for a in node.args]
        if node.op == "matvec":
            args_rows[0] = [matrix_rows(nodes[node.args[0]], attrs[i])] * steps
        calls.append((OPS[node.op].value, list(zip(rows[i], repeat(attrs[i]), *args_rows))))
    for k in block.order(steps):
        for value, by_step in calls:
            value(*by_step[k])
    return BlockTrace(block, tuple(nodes), states)


def matrix_rows(matrix: Array, attrs: Mapping[str, Any]) -> Array:
    """The rows of a parameter matrix that a matvec uses: all, or one gate's."""
    return matrix[attrs["start"] : attrs["stop"]] if "start" in attrs else matrix
