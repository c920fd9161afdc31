"""A second, naive reading of a program: one step, one node, one scalar path at a time.

It shares with the package what a program means (blocks, nodes, steps) and none of the code that
computes: derivatives come from complex steps, chain-rule terms from walking every path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rnn_widgets.core.program import Block, Program
from rnn_widgets.network import Network

STEP = 1e-40  # of a complex step: there is no cancellation, so it may be as small as one likes

Values = Callable[[str, int], Any]  # leaf and step to array
Step = dict[int, Any]  # node to array


def own_values(net: Network) -> Values:
    """Give every step the same parameters: the network as it is."""

    def value(leaf: str, step: int) -> Any:
        per_step = leaf in ("x", "v", "target")
        return net.values[leaf][step] if per_step else net.values[leaf]

    return value


def moved(net: Network, leaf: str, direction: Any, at: int | None = None) -> Values:
    """Move a leaf along a direction by a complex step, at all steps or only in step ``at``."""
    base = own_values(net)

    def value(name: str, step: int) -> Any:
        if name != leaf or at not in (None, step):
            return base(name, step)
        here = direction[step] if leaf in ("x", "v", "target") else direction
        return base(name, step) + 1j * STEP * here

    return value


def _log_softmax(y: Any) -> Any:
    shifted = y - y.real.max()
    return shifted - np.log(np.exp(shifted).sum())


OPS: dict[str, Callable[..., Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "affine": lambda a, *, scale, shift: scale * a + shift,
    "matvec": lambda w, x, *, start=0, stop=None: w[start:stop] @ x,
    "slice": lambda a, *, start, stop: a[start:stop],
    "concat": lambda *parts: np.concatenate(parts),
    "tanh": np.tanh,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "relu": lambda a: np.where(a.real > 0, a, 0),
    "dot": lambda a, b: np.array([a @ b]),
    "sum": lambda a: np.array([a.sum()]),
    "sse": lambda y, target: np.array([((y - target) ** 2).sum()]),
    "mse": lambda y, target: np.array([((y - target) ** 2).mean()]),
    "cross_entropy": lambda y, one_hot: np.array([-one_hot @ _log_softmax(y)]),
}


def is_cut(program: Program, block: Block, step: int, loss_step: int) -> bool:
    """Tell whether loss step t may not look through the state that ``step`` reads."""
    cut, before = program.truncation, block.previous(step)
    if cut is None:
        return False
    if cut.kind == "window":
        return abs(loss_step - before) >= cut.size
    first = before in (-1, program.seq_len)
    return not first and before // cut.size != step // cut.size


def run(
    net: Network, values: Values, held: list[list[Step]] | None = None, loss_step: int = 0
) -> list[list[Step]]:
    """Evaluate every node: [block][step][node]; cut states are read from ``held``."""
    program = net.program
    blocks: list[list[Step]] = []
    for b, block in enumerate(program.blocks):
        made: list[Step] = [{} for _ in range(program.seq_len)]
        for k in block.order(program.seq_len):
            for i, node in enumerate(block.template.nodes):
                if node.op == "param":
                    made[k][i] = values(block.leaves[node.attrs["param"]], k)
                elif node.op == "input" and node.attrs["slot"] in block.template.states:
                    state, before = node.attrs["slot"], block.previous(k)
                    out = block.template.outputs[block.template.states.index(state)]
                    source = made
                    if held is not None and is_cut(program, block, k, loss_step):
                        source = held[b]
                    if before in (-1, program.seq_len):
                        initial = values(block.leaves[state], -1)
                        if source is not made:
                            initial = initial.real
                        made[k][i] = initial if initial.ndim == 1 else initial[block.row]
                    else:
                        made[k][i] = source[before][out]
                elif node.op == "input":
                    parts = []
                    for source_ in block.sources[node.attrs["slot"]]:
                        if isinstance(source_, int):
                            out = program.blocks[source_].template.outputs[0]
                            parts.append(blocks[source_][k][out])
                        elif source_ == "target" and program.loss == "cross_entropy":
                            parts.append(np.eye(program.output_size)[int(values("target", k))])
                        else:
                            parts.append(values(source_, k))
                    made[k][i] = np.concatenate(parts)
                else:
                    args = [made[k][a] for a in node.args]
                    made[k][i] = OPS[node.op](*args, **block.attrs[i])
        blocks.append(made)
    return blocks


def losses(net: Network, made: list[list[Step]]) -> Any:
    """Weighted loss of each step; zero where it is not chosen."""
    program = net.program
    out = program.blocks[-1].template.outputs[0]
    weight = 1 / len(program.loss_steps) if program.loss in ("mse", "cross_entropy") else 1.0
    chosen = [float(t in program.loss_steps) for t in range(program.seq_len)]
    return np.array([step[out][0] for step in made[-1]]) * chosen * weight


def derivative(net: Network, leaf: str, direction: Any, at: int | None = None) -> Any:
    """Differentiate every L_t along a direction of a leaf (of its copy in step ``at``), exactly."""
    values = moved(net, leaf, direction, at)
    if net.program.truncation is None:
        return losses(net, run(net, values)).imag / STEP
    held = run(net, own_values(net))
    return np.array(
        [losses(net, run(net, values, held, t))[t].imag / STEP for t in range(net.program.seq_len)]
    )


Path = tuple[str, tuple[int, ...], int, float, tuple[str, ...]]  # leaf, entry, step, value, names
_DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def paths(net: Network, loss_step: int) -> Iterator[Path]:
    """Walk every scalar path from the loss of one step down to every parameter entry."""
    program = net.program
    made = run(net, own_values(net))

    def walk(
        b: int, i: int, k: int, entry: int, value: float, names: tuple[str, ...]
    ) -> Iterator[Path]:
        block = program.blocks[b]
        node, here = block.template.nodes[i], made[b][k]
        if node.name == "L":
            names = (*names, "L" + str(k + 1).translate(_DIGITS))
        elif node.name:
            step = str(k + 1).translate(_DIGITS)
            names = (*names, f"{node.name}{block.label}{step}[{entry}]")
        if node.op == "param":
            yield block.leaves[node.attrs["param"]], (entry,), k, value, names
        elif node.op == "input":
            slot = node.attrs["slot"]
            if slot in block.template.states:
                before = block.previous(k)
                inside = 0 <= before < program.seq_len
                if inside and not is_cut(program, block, k, loss_step):
                    out = block.template.outputs[block.template.states.index(slot)]
                    yield from walk(b, out, before, entry, value, names)
                return
            for source in block.sources[slot]:
                if isinstance(source, str):
                    return
                out = program.blocks[source].template.outputs[0]
                width = len(made[source][k][out])
                if entry < width:
                    yield from walk(source, out, k, entry, value, names)
                    return
                entry -= width
        elif node.op == "matvec":
            attrs = block.attrs[i]
            start = attrs.get("start", 0)
            w, x = node.args
            leaf = block.leaves[block.template.nodes[w].attrs["param"]]
            for j, xj in enumerate(here[x]):
                yield leaf, (entry + start, j), k, value * xj, names
                yield from walk(b, x, k, j, value * here[w][entry + start, j], names)
        else:
            for position, a in enumerate(node.args):
                args = [here[n].astype(complex) for n in node.args]
                for j in range(len(args[position])):
                    if not _touches(node.op, block.attrs[i], position, args, entry, j):
                        continue
                    bumped = [arg.copy() for arg in args]
                    bumped[position][j] += 1j * STEP
                    slope = OPS[node.op](*bumped, **block.attrs[i])[entry].imag / STEP
                    yield from walk(b, a, k, j, value * slope, names)

    last = program.blocks[-1].template.outputs[0]
    if loss_step in program.loss_steps:
        yield from walk(len(program.blocks) - 1, last, loss_step, 0, program.loss_weight, ())


def _touches(op: str, attrs: Any, position: int, args: list[Any], entry: int, j: int) -> bool:
    """Tell whether an entry of an argument stands in the formula of an entry of the result."""
    if op == "slice":
        return bool(j == entry + attrs["start"])
    if op == "concat":
        return bool(j + sum(len(a) for a in args[:position]) == entry)
    return j == entry or op in ("dot", "sum", "sse", "mse", "cross_entropy")
