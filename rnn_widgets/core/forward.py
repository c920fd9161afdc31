"""The forward pass: the value of every node of a program at every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .ops import OPS, Array
from .program import Block, Program, Truncation


@dataclass(frozen=True)
class BlockTrace:
    """Values of one block.

    ``nodes[i]`` is node i at all steps, shape (T, n); a parameter's is its leaf. ``states`` maps
    each state to (T+1, H): in forward order of time with the initial state first, or, in a reverse
    direction, last. In a pass with a row per loss step, both have an axis of L rows before the
    last.
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


@lru_cache(maxsize=64)
def cut_mask(
    truncation: Truncation | None, rows: tuple[int, ...], steps: int, reverse: bool
) -> Array | None:
    """(T, L, 1) of 1 and 0: whether a loss step still reaches the state that each step reads."""
    if truncation is None:
        return None
    shift = 1 if reverse else -1
    kept = []
    for k in range(steps):
        before = k + shift
        initial = before in (-1, steps)
        kept.append([[not truncation.cuts(k, before, t, initial)] for t in rows])
    return np.array(kept, dtype=float)


def forward(
    program: Program, values: Mapping[str, Array], base: ForwardPass | None = None
) -> ForwardPass:
    """Evaluate a program.

    Parameters
    ----------
    program : Program
    values : dict
        Every leaf; cross-entropy targets as classes.
    base : ForwardPass, optional
        Under truncation every loss step then has a row of its own, in which the states that it is
        cut from are those of ``base``: what a central difference of a truncated gradient needs.

    Returns
    -------
    ForwardPass
    """
    traces: list[BlockTrace] = []
    steps, chosen = program.seq_len, program.loss_steps
    rows = (len(chosen),) if base is not None and program.truncation else ()
    with np.errstate(all="ignore"):
        for i, block in enumerate(program.blocks):
            inputs = {
                slot: _one_hot(program, values)
                if program.loss == "cross_entropy" and source == ("target",)
                else _joined(source, values, traces)
                for slot, source in block.sources.items()
            }
            mask = cut_mask(program.truncation, chosen, steps, block.reverse)
            held = None if base is None or mask is None else (base.blocks[i], mask > 0)
            traces.append(_run(block, inputs, values, steps, rows, held))
        losses = np.zeros(steps)
        own: Any = (chosen, *map(range, rows), 0)  # of each loss step its own row
        losses[list(chosen)] = program.loss_weight * traces[-1].output[own]
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
    rows: tuple[int, ...],
    held: tuple[BlockTrace, NDArray[np.bool_]] | None,
) -> BlockTrace:
    template, attrs = block.template, block.attrs
    before, after = (slice(1, None), slice(-1)) if block.reverse else (slice(-1), slice(1, None))
    states = {s: np.empty((steps + 1, *rows, block.sizes["H"])) for s in template.states}
    results: dict[int, Array] = {}
    for state, out in zip(template.states, template.outputs, strict=False):
        states[state][steps if block.reverse else 0] = initial_state(block, state, values)
        results[out] = states[state][after]

    nodes: list[Array] = []
    in_loop: list[int] = []
    calls: list[tuple[Callable[..., None], list[tuple[Any, ...]]]] = []
    for i, node in enumerate(template.nodes):
        if node.op == "input":
            slot = node.attrs["slot"]
            array = states[slot][before] if slot in states else _in_rows(inputs[slot], rows)
            if slot in states and held is not None:
                base, kept = held
                own, array = array, np.array(_in_rows(base.states[slot][before], rows))
                calls.append((_keep, list(zip(array, own, kept, strict=True))))
        elif node.op == "param":
            array = values[block.leaves[node.attrs["param"]]]
            if array.ndim == 1:
                array = np.broadcast_to(array, (steps, *rows, array.size))
        elif node.op == "slice" and i not in results:  # a view needs no work
            array = nodes[node.args[0]][..., attrs[i]["start"] : attrs[i]["stop"]]
        else:
            width = node.shape[0].value(block.sizes)
            array = results[i] if i in results else np.empty((steps, *rows, width))
            if template.dynamic[i]:
                in_loop.append(i)
            else:
                args = [nodes[a] for a in node.args]
                if node.op == "matvec":
                    args[0] = matrix_rows(args[0], attrs[i])
                OPS[node.op].value(array, attrs[i], *args)
        nodes.append(array)

    by_step: dict[int, list[Array]] = {}
    for i in in_loop:
        node = template.nodes[i]
        for a in (i, *node.args):
            if a not in by_step:
                matrix = template.nodes[a].op == "param" and nodes[a].ndim == 2
                by_step[a] = [] if matrix and node.op == "matvec" else list(nodes[a])
        operands = [by_step[a] for a in node.args]
        if node.op == "matvec":
            operands[0] = [matrix_rows(nodes[node.args[0]], attrs[i])] * steps
        calls.append((OPS[node.op].value, list(zip(by_step[i], repeat(attrs[i]), *operands))))
    for k in block.order(steps):
        for value, at_step in calls:
            value(*at_step[k])
    return BlockTrace(block, tuple(nodes), states)


def _in_rows(array: Array, rows: tuple[int, ...]) -> Array:
    """(T, n) to (T, L, n), the same in every row."""
    if array.ndim == 2 + len(rows):
        return array
    return np.broadcast_to(array[:, None], (len(array), *rows, array.shape[1]))


def _keep(held: Array, own: Array, kept: NDArray[np.bool_]) -> None:
    np.copyto(held, own, where=kept)


def matrix_rows(matrix: Array, attrs: Mapping[str, Any]) -> Array:
    """The rows of a parameter matrix that a matvec uses: all, or one gate's."""
    return matrix[attrs["start"] : attrs["stop"]] if "start" in attrs else matrix
