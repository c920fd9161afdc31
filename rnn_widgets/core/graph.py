"""The scalar graph between a loss step and a source step, walked from the loss downwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from .backward import partials
from .forward import ForwardPass
from .program import Program

Key: TypeAlias = tuple[int, int, int]  # block, node, step


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """A local derivative from a node to one of its arguments at one step.

    Parameters
    ----------
    key, arg : (int, int, int)
        The node and the argument.
    position : int
        Which argument it is.
    kind, data
        The `Partial` at this step.
    size : int
        Length of the argument.
    final : bool
        Whether it ends in the wanted parameter.
    index, row : int
        Of a final edge: the wanted entry's index on the parameter's last axis, and, of a matrix,
        the entry of the node that its row makes.
    """

    key: Key
    arg: Key
    position: int
    kind: str
    data: Any
    size: int
    final: bool = False
    index: int = 0
    row: int = 0

    def at(self, out: int, arg: int) -> float:
        """∂out[out]/∂arg[arg]; for a parameter matrix ``arg`` is the column."""
        match self.kind:
            case "scale":
                return float(self.data)
            case "diagonal" | "row" | "outer":
                return float(self.data[arg])
            case "matrix":
                return float(self.data[out, arg])
        return 1.0

    def out_of(self, arg: int) -> int:
        """The entry of the node that an entry of the argument belongs to; not for a matrix."""
        match self.kind:
            case "row":
                return 0
            case "outer":
                return self.row
            case "slice":
                return arg - int(self.data[0])
            case "place":
                return arg + int(self.data[0])
        return arg


class Graph:
    """Nodes and edges of one contribution, without parameter entries that are not wanted.

    ``top`` is the node of the loss; ``nodes`` holds every node from there in reverse topological
    order, each with the edges to its arguments.
    """

    def __init__(
        self,
        program: Program,
        trace: ForwardPass,
        leaf: str,
        entry: tuple[int, ...],
        loss_step: int,
        source_step: int,
    ) -> None:
        self.program, self.trace = program, trace
        self.leaf, self.entry = leaf, entry
        self.loss_step, self.source_step = loss_step, source_step
        self._local = [partials(block) for block in trace.blocks]
        last = len(program.blocks) - 1
        self.top: Key = last, program.blocks[last].template.outputs[0], loss_step
        self.nodes = [(key, list(self._edges(key))) for key in self._keys()]

    def _keys(self) -> Iterator[Key]:
        steps = self.program.seq_len
        earliest = 0 if self.program.bidirectional else self.source_step
        for b, block in reversed(list(enumerate(self.program.blocks))):
            for k in reversed(block.order(steps)):
                if k >= earliest:
                    yield from ((b, i, k) for i in reversed(range(len(block.template.nodes))))

    def _edges(self, key: Key) -> Iterator[Edge]:
        b, i, k = key
        nodes = self.program.blocks[b].template.nodes
        if nodes[i].op == "input":
            yield from self._edges_below(key)
        for position, (a, (kind, data)) in enumerate(
            zip(nodes[i].args, self._local[b][i], strict=True)
        ):
            at_step = data[k, 0] if kind in ("diagonal", "row", "outer") else data
            local = key, (b, a, k), position, kind, at_step, self._size(b, a)
            if nodes[a].op != "param":
                yield Edge(*local)
            elif (row := self._wanted_row(key, a, kind, data)) is not None:
                yield Edge(*local, True, self.entry[-1], row)

    def _wanted_row(self, key: Key, param: int, kind: str, data: Any) -> int | None:
        """The entry of a node that the wanted entry's row makes; None if it has no part in it."""
        b, i, k = key
        block = self.program.blocks[b]
        name = block.template.nodes[param].attrs["param"]
        if block.leaves[name] != self.leaf or k != self.source_step:
            return None
        if kind == "outer":
            row = self.entry[0] - int(block.attrs[i].get("start", 0))
            return row if 0 <= row < self._size(b, i) else None
        return None if kind == "slice" and self.entry[0] not in range(*data) else 0

    def _edges_below(self, key: Key) -> Iterator[Edge]:
        """From an input to the state before, or to the blocks that it joins."""
        b, i, k = key
        block = self.program.blocks[b]
        slot = block.template.nodes[i].attrs["slot"]
        if slot in block.template.states:
            before = block.previous(k)
            cut = self.program.truncation
            initial = before in (-1, self.program.seq_len)
            if not initial and not (cut and cut.cuts(k, before, self.loss_step, initial)):
                out = block.template.outputs[block.template.states.index(slot)]
                yield Edge(key, (b, out, before), 0, "identity", None, self._size(b, out))
            return
        start = 0
        for source in block.sources[slot]:
            if isinstance(source, int):
                out = self.program.blocks[source].template.outputs[0]
                width = self._size(source, out)
                bounds = (start, start + width)
                yield Edge(key, (source, out, k), 0, "place", bounds, width)
                start += width

    def _size(self, block: int, node: int) -> int:
        return int(self.trace.blocks[block].nodes[node].shape[-1])
