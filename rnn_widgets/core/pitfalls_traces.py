"""Forward passes that are wrong on purpose: the right reverse sweep over one makes a mistake.

Only what the way back reads is changed: local derivatives, where a state came from, in which
order the steps were visited. The values that the network computed stay as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from .forward import BlockTrace
from .ops import OPS, Array
from .sizes import Size
from .template import Node, Template

Wrong: TypeAlias = Callable[[BlockTrace], BlockTrace]

# What hands a state on unchanged in kind; gates and candidates are values that were kept.
_WIRING = ("add", "sub", "mul", "affine", "slice", "concat")


def reads(template: Template, state: str) -> bool:
    """Whether a new state depends on this one of the step before."""
    slot = template.slot(state)
    reached = {slot}
    for i, node in enumerate(template.nodes):
        if reached & set(node.args):
            reached.add(i)
    return slot is not None and bool(reached & set(template.outputs))


def in_forward_order(trace: BlockTrace) -> BlockTrace:
    """Visit the steps on the way back in the order of the way there.

    δ_1 = d_1, δ_{t+1} = d_{t+1} + J_tᵀ δ_t: what step t sends to s_{t−1} is added at s_{t+1}, and
    what the last step sends is taken for the initial state's. Truncation cuts between the same
    pairs of steps.
    """
    return replace(trace, block=replace(trace.block, reverse=not trace.block.reverse))


def square_weights(template: Template) -> list[int]:
    """Nodes of the parameters, blocks of H × H, that multiply what depends on the state."""
    found = {
        node.args[0]
        for node in template.nodes
        if node.op == "matvec" and template.dynamic[node.args[1]]
    }
    return [
        i
        for i in sorted(found)
        if template.nodes[i].shape[1] == Size("H")
        and set(template.nodes[i].shape[0].terms) == {"H"}
    ]


def transposed(trace: BlockTrace) -> BlockTrace:
    """Carry back through W where Wᵀ belongs, gate by gate."""
    nodes = list(trace.nodes)
    for i in square_weights(trace.block.template):
        gates = np.split(nodes[i], len(nodes[i]) // nodes[i].shape[1])
        nodes[i] = np.concatenate([gate.T for gate in gates])
    return replace(trace, nodes=tuple(nodes))


def without_carry(state: str) -> Wrong:
    """Carry nothing back into h, or into c."""

    def forgetful(trace: BlockTrace) -> BlockTrace:
        template = trace.block.template
        nodes = list(template.nodes)
        slot = template.slot(state)
        if slot is not None:
            nodes[slot] = replace(nodes[slot], attrs={"slot": f"{state}, held"})
        block = replace(trace.block, template=replace(template, nodes=tuple(nodes)))
        return replace(trace, block=block)

    return forgetful


def weighs_state(template: Template) -> bool:
    """Whether a parameter multiplies the hidden state that a step reads."""
    return any(True for _ in _weighings(template, _wired(template)))


def one_step_late(trace: BlockTrace) -> BlockTrace:
    """Take h_t for h_{t−1} in the derivative by the parameters that multiply it.

    Of a product such as W (r ⊙ h) the gate keeps its value: it is r_t ⊙ h_t.
    """
    template, attrs = trace.block.template, trace.block.attrs
    late: dict[int, Array] = {}
    for i in _wired(template):
        node = template.nodes[i]
        if node.op == "input":
            late[i] = trace.output
            continue
        late[i] = np.empty_like(trace.nodes[i])
        OPS[node.op].value(late[i], attrs[i], *(late.get(a, trace.nodes[a]) for a in node.args))
    # The parameters read copies of their own, so that everything else keeps what it had.
    copied = dict(_weighings(template, list(late)))
    nodes: list[Node] = []
    values: list[Array] = []
    place: list[int] = []
    for i, node in enumerate(template.nodes):
        args = [place[a] for a in node.args]
        if i in copied:
            position = copied[i]
            operand = node.args[position]
            same = {"scale": 1.0, "shift": 0.0}
            nodes.append(Node("affine", (place[operand],), template.nodes[operand].shape, same))
            values.append(late[operand])
            args[position] = len(nodes) - 1
        place.append(len(nodes))
        nodes.append(replace(node, args=tuple(args)))
        values.append(trace.nodes[i])
    outputs = tuple(place[out] for out in template.outputs)
    changed = replace(template, nodes=tuple(nodes), outputs=outputs)
    return replace(trace, block=replace(trace.block, template=changed), nodes=tuple(values))


def _wired(template: Template) -> list[int]:
    """The slot of h and what is made of it by wiring alone, in order."""
    slot = template.slot("h")
    found = [] if slot is None else [slot]
    for i, node in enumerate(template.nodes):
        if node.op in _WIRING and any(a in found for a in node.args):
            found.append(i)
    return found


def _weighings(template: Template, wired: list[int]) -> Iterator[tuple[int, int]]:
    """Products of a parameter and of what is wired to h: the node, and where h stands in it."""
    for i, node in enumerate(template.nodes):
        if node.op in ("matvec", "mul"):
            for position, a in enumerate(node.args):
                other = template.nodes[node.args[1 - position]]
                if a in wired and other.op == "param":
                    yield i, position
