"""The reverse sweep: every contribution C[t, k] from one pass.

Adjoints carry a leading axis over loss steps, so one sweep of L-row matrices does what L backward
calls would; each use of a parameter at step k reads off its column C[:, k].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .forward import BlockTrace, ForwardPass, cut_mask, matrix_rows
from .ops import OPS, Array, Partial, pull
from .program import Program
from .template import INPUTS


@dataclass(frozen=True)
class Use:
    """How one node's adjoint becomes contributions to a parameter.

    ``C[t, k] = adjoint[k, t] ⊗ x[k]`` for a matrix, ``adjoint[k, t]`` for a vector (``x`` None);
    ``start`` is the first row of the parameter that is used.
    """

    leaf: str
    start: int
    adjoint: Array
    x: Array | None

    def contributions(self) -> Array:
        """C of the rows used, shape (L, T, *rows)."""
        by_loss = np.array(self.adjoint.swapaxes(0, 1), order="C")
        if self.x is None:
            return by_loss
        made: Array = np.einsum("tkm,kn->tkmn", by_loss, self.x)
        return made

    def gradient(self) -> Array:
        """The sum of the contributions over both steps."""
        by_step = self.adjoint.sum(1)
        total: Array = by_step.sum(0) if self.x is None else np.dot(by_step.T, self.x)
        return total


@dataclass
class BlockSweep:
    """Adjoints of one block; L rows, one per loss step.

    ``nodes[i]`` is the adjoint of node i, shape (T, L, n), for the outputs and for nodes that read
    anything but this block's state; None for others and where nothing reaches.
    ``uses`` lists what the parameters receive.
    ``reaching`` is what the blocks above hand to the output (T, L, n); ``inputs`` what this block
    hands to its input slots; ``initial`` the adjoint of each state's initial value (L, H).
    """

    nodes: list[Array | None]
    reaching: Array
    uses: list[Use] = field(default_factory=list)
    inputs: dict[str, Array] = field(default_factory=dict)
    initial: dict[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Sweep:
    """Adjoints of a whole program: ``rows`` are the loss steps, ``leaves`` those of x, v, target.

    ``leaves`` maps a leaf to (T, L, n).
    """

    rows: tuple[int, ...]
    blocks: tuple[BlockSweep, ...]
    leaves: Mapping[str, Array]


def partials(trace: BlockTrace, magnitude: bool = False) -> list[Sequence[tuple[str, Any]]]:
    """Local derivatives of every node, as (kind, data) per argument; data has shape (T, 1, ...).

    With ``magnitude`` the data are absolute values before cancellation.
    """
    attrs = trace.block.attrs
    result: list[Sequence[tuple[str, Any]]] = []
    for i, node in enumerate(trace.block.template.nodes):
        if node.op in INPUTS:
            result.append(())
            continue
        args = [trace.nodes[a] for a in node.args]
        if node.op == "matvec":
            args[0] = matrix_rows(args[0], attrs[i])
        found = OPS[node.op].partials(trace.nodes[i], attrs[i], *args)
        result.append([(p.kind, _spread(p, magnitude)) for p in found])
    return result


def _spread(partial: Partial, magnitude: bool) -> Any:
    data = partial.bound if magnitude else partial.data
    return data[:, None, :] if partial.kind in ("diagonal", "outer", "row") else data


def sweep(program: Program, trace: ForwardPass, magnitude: bool = False) -> Sweep:
    """Run the reverse sweep.

    Parameters
    ----------
    program : Program
    trace : ForwardPass
        Its forward pass.
    magnitude : bool
        Propagate absolute values: the result bounds every sum of products that the true sweep
        forms, and so is the scale of its rounding error.

    Returns
    -------
    Sweep

    Notes
    -----
    δ_t = d_t + J_{t+1}ᵀ δ_{t+1}, with d_t the direct adjoint (Werbos 1990).
    """
    rows = program.loss_steps
    steps, n_rows = program.seq_len, len(rows)
    reaching: dict[int, Array] = {}
    leaves: dict[str, Array] = {}
    seeds = np.zeros((steps, n_rows, 1))
    seeds[list(rows), range(n_rows), 0] = program.loss_weight
    reaching[len(program.blocks) - 1] = seeds
    done: list[BlockSweep] = []
    with np.errstate(all="ignore"):
        for i in reversed(range(len(program.blocks))):
            block = program.blocks[i]
            swept = _sweep_block(trace.blocks[i], reaching[i], program, magnitude)
            done.append(swept)
            for slot, sources in block.sources.items():
                if slot in swept.inputs:
                    _hand_down(swept.inputs[slot], sources, program, reaching, leaves)
    return Sweep(rows, tuple(reversed(done)), leaves)


def _hand_down(
    adjoint: Array,
    sources: Sequence[str | int],
    program: Program,
    reaching: dict[int, Array],
    leaves: dict[str, Array],
) -> None:
    start = 0
    for source in sources:
        if isinstance(source, str):
            leaves[source] = leaves[source] + adjoint if source in leaves else adjoint
            continue
        width = adjoint.shape[-1] // len(sources)
        part = adjoint[..., start : start + width]
        reaching[source] = reaching[source] + part if source in reaching else part
        start += width


def _sweep_block(
    trace: BlockTrace, reaching: Array, program: Program, magnitude: bool
) -> BlockSweep:
    block, template = trace.block, trace.block.template
    local = partials(trace, magnitude)
    result = BlockSweep([None] * len(template.nodes), reaching)
    if block.recurrent:
        _loop(trace, local, program, result)
    else:
        result.nodes[template.outputs[0]] = reaching

    dynamic = template.dynamic
    for i in reversed(range(len(template.nodes))):
        node = template.nodes[i]
        adjoint = result.nodes[i]
        if adjoint is None or (dynamic[i] and all(dynamic[a] for a in node.args)):
            continue
        if node.op == "input":
            result.inputs[node.attrs["slot"]] = adjoint
        elif node.op == "param":
            result.uses.append(Use(block.leaves[node.attrs["param"]], 0, adjoint, None))
        for a, (kind, data) in zip(node.args, local[i], strict=True):
            if dynamic[a]:
                continue
            if kind == "outer":
                leaf = block.leaves[template.nodes[a].attrs["param"]]
                start = block.attrs[i].get("start", 0)
                result.uses.append(Use(leaf, start, adjoint, data[:, 0, :]))
                continue
            pulled = pull(kind, data, adjoint, trace.nodes[a].shape[-1])
            held = result.nodes[a]
            result.nodes[a] = pulled if held is None else held + pulled
    return result


def _loop(
    trace: BlockTrace,
    local: Sequence[Sequence[tuple[str, Any]]],
    program: Program,
    result: BlockSweep,
) -> None:
    """The recurrent part: adjoints of all nodes that depend on the previous state."""
    block, template = trace.block, trace.block.template
    steps, n_rows = result.reaching.shape[:2]
    calls = []
    sliced: dict[int, int] = {}  # nodes read through slices: their adjoint is filled in place
    for i, arg, position in template.loop_edges:
        kind, data = local[i][position]
        if kind == "slice":
            sliced[arg] = trace.nodes[arg].shape[-1]
        by_step = list(data) if kind in ("diagonal", "row") else [data] * steps
        calls.append((i, arg, kind, by_step))
    masks = cut_mask(program.truncation, program.loss_steps, steps, block.reverse)
    slots = [template.slot(state) for state in template.states]
    carried: list[Array | None] = [None] * len(slots)
    kept: list[list[Array | None]] = [[]] * steps
    for k in reversed(block.order(steps)):
        here: list[Array | None] = [None] * len(template.nodes)
        for out, carry in zip(template.outputs, carried, strict=True):
            here[out] = carry
        top = template.outputs[0]
        here[top] = result.reaching[k] if carried[0] is None else result.reaching[k] + carried[0]
        for a, width in sliced.items():
            held = here[a]
            here[a] = np.zeros((n_rows, width)) if held is None else held.copy()
        for i, arg, kind, by_step in calls:
            adjoint = here[i]
            if adjoint is None:
                continue
            if kind == "slice":
                start, stop = by_step[k]
                here[arg][:, start:stop] += adjoint  # type: ignore[index]
                continue
            pulled = adjoint if kind == "identity" else pull(kind, by_step[k], adjoint, 0)
            held = here[arg]
            here[arg] = pulled if held is None else held + pulled
        carried = [here[slot] if slot is not None else None for slot in slots]
        if masks is not None:
            carried = [None if c is None else c * masks[k] for c in carried]
        kept[k] = here
    dynamic = template.dynamic
    for i, node in enumerate(template.nodes):
        if i in template.outputs or (dynamic[i] and not all(dynamic[a] for a in node.args)):
            result.nodes[i] = _stacked([here[i] for here in kept])
    for state, carry in zip(template.states, carried, strict=True):
        result.initial[state] = np.zeros((n_rows, block.sizes["H"])) if carry is None else carry


def _stacked(rows: list[Array | None]) -> Array | None:
    some = next((row for row in rows if row is not None), None)
    if some is None:
        return None
    return np.array([np.zeros_like(some) if row is None else row for row in rows])


def within_step(
    trace: BlockTrace,
    seeds: Mapping[int, Array],
    arrive: Callable[[int, Array], Array] = lambda node, adjoint: adjoint,
) -> list[Array | None]:
    """Adjoints of every node of one block from seeds at some nodes, not leaving the step.

    Parameters
    ----------
    trace : BlockTrace
    seeds : dict
        Node index to adjoint (T, R, n), for any number R of rows.
    arrive : callable, optional
        Called once with each node and its finished adjoint; what it returns travels on.

    Returns
    -------
    list
        For each node (T, R, n), or None where nothing arrives.
    """
    template = trace.block.template
    adjoints: list[Array | None] = [None] * len(template.nodes)
    for i, seed in seeds.items():
        adjoints[i] = seed
    local = partials(trace)
    for i in reversed(range(len(template.nodes))):
        if (adjoint := adjoints[i]) is None:
            continue
        adjoint = adjoints[i] = arrive(i, adjoint)
        for a, (kind, data) in zip(template.nodes[i].args, local[i], strict=True):
            if kind != "outer":  # what a parameter matrix receives is not asked for
                pulled = pull(kind, data, adjoint, trace.nodes[a].shape[-1])
                held = adjoints[a]
                adjoints[a] = pulled if held is None else held + pulled
    return adjoints


@np.errstate(all="ignore")
def contributions(program: Program, swept: Sweep) -> dict[str, Array]:
    """C[t, k] of every parameter: name to (T, T, *shape), [loss step, source step]."""
    steps, rows = program.seq_len, list(swept.rows)
    uses: dict[str, list[Use]] = {p: [] for p in program.parameters}
    for block in swept.blocks:
        for use in block.uses:
            uses[use.leaf].append(use)
    result: dict[str, Array] = {}
    for leaf, shape in program.parameters.items():
        if len(rows) == steps and [use.adjoint.shape[2] for use in uses[leaf]] == [shape[0]]:
            result[leaf] = uses[leaf][0].contributions()  # the usual case needs no second copy
            continue
        result[leaf] = np.zeros((steps, steps, *shape))
        for use in uses[leaf]:
            made = use.contributions()
            result[leaf][rows, :, use.start : use.start + made.shape[2]] += made
    return result


@np.errstate(all="ignore")
def gradients(program: Program, swept: Sweep) -> dict[str, Array]:
    """∂L/∂leaf for parameters, x, initial states and a real-valued target, each of leaf shape."""
    result = {p: np.zeros(shape) for p, shape in program.leaves.items() if p != "v"}
    if program.loss == "cross_entropy":
        del result["target"]  # classes have no derivative
    for block, made in zip(program.blocks, swept.blocks, strict=True):
        for use in made.uses:
            total = use.gradient()
            result[use.leaf][use.start : use.start + len(total)] += total
        for state, adjoint in made.initial.items():
            leaf_gradient = result[block.leaves[state]]
            (leaf_gradient if program.rows == 1 else leaf_gradient[block.row])[...] = adjoint.sum(0)
    for leaf, adjoint in swept.leaves.items():
        if leaf in result:
            result[leaf] += adjoint.sum(1)
    return result
