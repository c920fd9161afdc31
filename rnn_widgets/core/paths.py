"""Chain-rule terms: the scalar paths inside one contribution C[t, k], ranked by size.

A path runs from the loss of step t down to one use, at step k, of one parameter entry; its value is
the product of the local derivatives along it. The paths of a contribution are far too many to list,
but the n largest are not: going down from the loss, the n largest path prefixes that reach an entry
can only be extended, so n per entry suffice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from .backward import partials
from .forward import ForwardPass
from .labels import Labels
from .ops import Array
from .program import Program

MAX_TERMS = 1_000_000

Key: TypeAlias = tuple[int, int, int]  # block, node, step
Columns: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Term:
    """One chain-rule term.

    Parameters
    ----------
    value : float
        The product of the factors; dimensionless.
    factors : tuple of (str, float)
        Local derivatives with their labels, from the loss downwards; factors of exactly one that
        stem from sums and slices are left out.
    path : tuple of str
        The quantities it passes, from the loss down to the parameter entry.
    """

    value: float
    factors: tuple[tuple[str, float], ...]
    path: tuple[str, ...]

    def __repr__(self) -> str:
        return f"{self.value:.3g} along {' → '.join(self.path)}"


class Terms:
    """The largest terms of one contribution, in descending order of absolute value.

    Ties stand in a fixed order. ``total`` is the contribution itself, ``remainder`` what the listed
    terms leave of it, ``count`` how many terms there are in all (an exact int) and ``gross`` the
    sum of their absolute values.
    """

    def __init__(self, terms: Sequence[Term], total: float, count: int, gross: float) -> None:
        self._terms = tuple(terms)
        self.total = total
        self.count = count
        self.gross = gross

    @property
    def remainder(self) -> float:
        """``total`` minus the listed terms."""
        return self.total - sum(term.value for term in self._terms)

    def __len__(self) -> int:
        return len(self._terms)

    def __iter__(self) -> Iterator[Term]:
        return iter(self._terms)

    @overload
    def __getitem__(self, index: int) -> Term: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Term]: ...
    def __getitem__(self, index: int | slice) -> Term | Sequence[Term]:
        return self._terms[index]

    def __repr__(self) -> str:
        lines = [f"{term.value:>12.4g}  {' → '.join(term.path)}" for term in self._terms]
        lines.append(f"{self.remainder:>12.4g}  the other {self.count - len(self)} terms")
        lines.append(f"{self.total:>12.4g}  total of {self.count} terms, gross {self.gross:.4g}")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Edge:
    """A local derivative from a node to one of its arguments at one step."""

    key: Key
    arg: Key
    position: int
    kind: str
    data: Any


class _Graph:
    """The scalar graph between loss step t and source step k, walked from the loss downwards."""

    def __init__(self, program: Program, trace: ForwardPass, loss_step: int, source: int) -> None:
        self.program, self.trace = program, trace
        self.loss_step, self.source = loss_step, source
        self.local = [partials(block) for block in trace.blocks]

    @property
    def top(self) -> Key:
        """The node of the loss at the loss step."""
        last = len(self.program.blocks) - 1
        return last, self.program.blocks[last].template.outputs[0], self.loss_step

    def size(self, key: Key) -> int:
        """Length of a node's vector."""
        return int(self.trace.blocks[key[0]].nodes[key[1]].shape[-1])

    def nodes(self) -> Iterator[tuple[Key, list[_Edge]]]:
        """All nodes in reverse topological order, with the edges to their arguments."""
        program = self.program
        earliest = 0 if program.bidirectional else self.source
        for b in reversed(range(len(program.blocks))):
            block = program.blocks[b]
            for k in reversed(block.order(program.seq_len)):
                if k < earliest:
                    continue
                for i in reversed(range(len(block.template.nodes))):
                    yield (b, i, k), list(self._edges(b, i, k))

    def _edges(self, b: int, i: int, k: int) -> Iterator[_Edge]:
        block = self.program.blocks[b]
        node = block.template.nodes[i]
        for position, (a, (kind, data)) in enumerate(zip(node.args, self.local[b][i], strict=True)):
            at_step = data[k, 0] if kind in ("diagonal", "row", "outer") else data
            yield _Edge((b, i, k), (b, a, k), position, kind, at_step)
        if node.op != "input":
            return
        slot = node.attrs["slot"]
        if slot in block.template.states:
            before = block.previous(k)
            cut = self.program.truncation
            initial = before in (-1, self.program.seq_len)
            if not initial and not (cut and cut.cuts(k, before, self.loss_step, initial)):
                out = block.template.outputs[block.template.states.index(slot)]
                yield _Edge((b, i, k), (b, out, before), 0, "identity", None)
            return
        start = 0
        for source in block.sources[slot]:
            if isinstance(source, int):
                arg = (source, self.program.blocks[source].template.outputs[0], k)
                width = self.size(arg)
                yield _Edge((b, i, k), arg, 0, "place", (start, start + width))
                start += width


@dataclass(frozen=True)
class _Arrivals:
    """Path prefixes that one edge brings: (entries, columns), NaN where there is none."""

    edge: _Edge
    values: Array
    width: int  # ranks kept at the node the edge comes from


def terms(
    program: Program,
    trace: ForwardPass,
    leaf: str,
    entry: tuple[int, ...],
    loss_step: int,
    source_step: int,
    top: int,
    total: float,
) -> Terms:
    """Rank the terms of C[loss_step, source_step] of one parameter entry.

    Parameters
    ----------
    program, trace
        The network and its forward pass.
    leaf, entry
        The parameter entry, for example ``"weight_hh_l0"``, ``(0, 1)``.
    loss_step, source_step : int
        0-based.
    top : int
        How many terms to list.
    total : float
        C[t, k] from the sweep.

    Raises
    ------
    ValueError
        If more than a million terms would have to be listed.
    """
    graph = _Graph(program, trace, loss_step, source_step)
    if loss_step not in program.loss_steps:
        return Terms((), total, 0, 0.0)
    count, gross = _count(graph, leaf, entry)
    if min(top, count) > MAX_TERMS:
        raise ValueError(
            f"this contribution has {count} terms; at most {MAX_TERMS} can be listed, "
            "so ask for fewer with top="
        )
    ranked = _rank(graph, leaf, entry, min(top, count)) if count else []
    return Terms(ranked, total, count, gross)


def _is_target(graph: _Graph, edge: _Edge, leaf: str, entry: tuple[int, ...]) -> bool:
    """Whether an edge ends in the wanted parameter at the source step."""
    b, a, k = edge.arg
    block = graph.program.blocks[b]
    node = block.template.nodes[a]
    wanted = node.op == "param" and block.leaves[node.attrs["param"]] == leaf
    if not wanted or k != graph.source:
        return False
    start = block.attrs[edge.key[1]].get("start", 0) if edge.kind == "outer" else 0
    return edge.kind != "outer" or 0 <= entry[0] - start < graph.size(edge.key)


def _row_used(graph: _Graph, edge: _Edge, entry: tuple[int, ...]) -> int:
    attrs = graph.program.blocks[edge.key[0]].attrs[edge.key[1]]
    return entry[0] - int(attrs.get("start", 0))


def _count(graph: _Graph, leaf: str, entry: tuple[int, ...]) -> tuple[int, float]:
    """How many paths there are, and the sum of their absolute values."""
    weight = graph.program.loss_weight
    counts: dict[Key, list[int]] = {graph.top: [1]}
    sizes: dict[Key, Array] = {graph.top: np.array([weight])}
    count, gross = 0, 0.0
    for key, edges in graph.nodes():
        if key not in counts:
            continue
        n, g = counts.pop(key), sizes.pop(key)
        for edge in edges:
            is_param = graph.program.blocks[edge.arg[0]].template.nodes[edge.arg[1]].op == "param"
            if is_param and not _is_target(graph, edge, leaf, entry):
                continue
            if edge.kind == "outer":
                row = _row_used(graph, edge, entry)
                count += n[row]
                gross += float(g[row] * abs(edge.data[entry[1]]))
                continue
            arrived_n = _pull_counts(edge, n, graph.size(edge.arg))
            arrived_g = _pull_values(edge, g[:, None], graph.size(edge.arg), np.abs)
            arrived_g = np.nansum(arrived_g, axis=1)
            if is_param:
                count += arrived_n[entry[0]]
                gross += float(arrived_g[entry[0]])
            elif edge.arg in counts:
                counts[edge.arg] = [p + q for p, q in zip(counts[edge.arg], arrived_n, strict=True)]
                sizes[edge.arg] = sizes[edge.arg] + arrived_g
            else:
                counts[edge.arg], sizes[edge.arg] = arrived_n, arrived_g
    return count, gross


def _pull_counts(edge: _Edge, counts: list[int], size: int) -> list[int]:
    match edge.kind:
        case "matrix" | "row":
            return [sum(counts)] * size
        case "slice":
            start, stop = edge.data
            return [0] * start + counts + [0] * (size - stop)
        case "place":
            return counts[edge.data[0] : edge.data[1]]
    return counts


def _pull_values(edge: _Edge, values: Array, size: int, absolute: Any = None) -> Array:
    """Extend prefixes along an edge: (m, width) to (n, columns)."""
    data = absolute(edge.data) if absolute and edge.kind not in _STRUCTURAL else edge.data
    extended: Array
    match edge.kind:
        case "scale":
            extended = values * data
            return extended
        case "diagonal" | "row":
            extended = values * data[:, None]
            return extended
        case "matrix":
            extended = (data.T[:, :, None] * values[None]).reshape(size, -1)
            return extended
        case "slice":
            padded = np.full((size, values.shape[1]), np.nan)
            padded[data[0] : data[1]] = values
            return padded
        case "place":
            return values[data[0] : data[1]]
    return values


_STRUCTURAL = ("identity", "slice", "place")


def _rank(graph: _Graph, leaf: str, entry: tuple[int, ...], top: int) -> list[Term]:
    """The dynamic programme: keep the ``top`` largest prefixes per entry, then trace them back."""
    arrivals: dict[Key, list[_Arrivals]] = {}
    kept: dict[Key, tuple[Array, Columns]] = {}  # values and columns into the arrivals
    found: list[_Arrivals] = []
    for key, edges in graph.nodes():
        if key == graph.top:
            values, columns = np.array([[graph.program.loss_weight]]), np.zeros((1, 1), dtype=int)
        elif key in arrivals:
            values = np.concatenate([a.values for a in arrivals[key]], axis=1)
            values, columns = _largest(values, top)
        else:
            continue
        kept[key] = values, columns
        for edge in edges:
            is_param = graph.program.blocks[edge.arg[0]].template.nodes[edge.arg[1]].op == "param"
            if is_param and not _is_target(graph, edge, leaf, entry):
                continue
            if edge.kind == "outer":
                row = _row_used(graph, edge, entry)
                found.append(
                    _Arrivals(edge, values[row : row + 1] * edge.data[entry[1]], values.shape[1])
                )
                continue
            pulled = _pull_values(edge, values, graph.size(edge.arg))
            if is_param:
                found.append(_Arrivals(edge, pulled[entry[0] : entry[0] + 1], values.shape[1]))
            else:
                arrivals.setdefault(edge.arg, []).append(_Arrivals(edge, pulled, values.shape[1]))
    values, columns = _largest(np.concatenate([a.values for a in found], axis=1), top)
    writer = _Writer(graph, found, arrivals, {key: c for key, (_, c) in kept.items()}, leaf, entry)
    ranked = zip(values[0].tolist(), columns[0].tolist(), strict=True)
    return [writer.term(value, column) for value, column in ranked if value == value]


def _largest(values: Array, top: int) -> tuple[Array, Columns]:
    """Per row, the ``top`` largest absolute values and their columns; ties by column.

    NaN sorts last, and ranks that no row fills are dropped.
    """
    filled = int((~np.isnan(values)).sum(axis=1).max(initial=1))
    order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, : max(1, min(top, filled))]
    return np.take_along_axis(values, order, axis=1), order


_Factors: TypeAlias = tuple[tuple[str, float], ...]
_Prefix: TypeAlias = tuple[_Factors, tuple[str, ...]]  # what a path from the loss has passed
_Hop: TypeAlias = tuple[tuple[str, float] | None, str | None]  # factor and name that it adds


class _Writer:
    """Walks paths from the parameter entry back up to the loss, and writes them down.

    What many paths share is written once: the words for a hop, and the whole way from the loss down
    to a state.
    """

    def __init__(
        self,
        graph: _Graph,
        found: list[_Arrivals],
        arrivals: dict[Key, list[_Arrivals]],
        columns: dict[Key, Columns],
        leaf: str,
        entry: tuple[int, ...],
    ) -> None:
        self.graph, self.found, self.arrivals, self.columns = graph, found, arrivals, columns
        self.entry = entry
        self.labels = Labels(graph.program, graph.trace)
        weighted = graph.program.loss_weight != 1.0
        first = (self.labels.weight(),) if weighted else ()
        self.start: _Prefix = (first, (self.labels.node(graph.top, 0),))
        self.last = f"{leaf}[{','.join(map(str, entry))}] @ {graph.source + 1}"
        self.hops: dict[tuple[int, int, int], _Hop] = {}
        self.states: dict[tuple[Key, int, int], _Prefix] = {}

    def term(self, value: float, column: int) -> Term:
        """The term that stands in a column of what was found."""
        groups, index = self.found, self.entry[-1]
        hops: list[_Hop] = []  # from the parameter upwards
        passed: list[tuple[int, tuple[Key, int, int]]] = []  # states, and the hops below each
        while True:
            for group in groups:
                if column < group.values.shape[1]:
                    break
                column -= group.values.shape[1]
            edge, out = group.edge, index
            match edge.kind:
                case "matrix":
                    out, column = divmod(column, group.width)
                case "row":
                    out = 0
                case "outer":
                    out = _row_used(self.graph, edge, self.entry)
                case "slice":
                    out = index - edge.data[0]
                case "place":
                    out = index + edge.data[0]
            hops.append(self._hop(edge, out, index))
            if edge.key == self.graph.top:
                prefix = self.start
                break
            column = int(self.columns[edge.key][out, column])
            b, node, _ = edge.key
            if node in self.graph.program.blocks[b].template.outputs:
                state = (edge.key, out, column)
                if state in self.states:
                    prefix = self.states[state]
                    break
                passed.append((len(hops), state))
            groups, index = self.arrivals[edge.key], out
        end = len(hops)
        for below, state in reversed(passed):
            prefix = self.states[state] = _extended(prefix, hops[below:end])
            end = below
        factors, path = _extended(prefix, hops[:end])
        return Term(value, factors, (*path, self.last))

    def _hop(self, edge: _Edge, out: int, arg: int) -> _Hop:
        key = (id(edge), out, arg)
        if key not in self.hops:
            label = self.labels.factor(edge.key, edge.position, edge.kind, out, arg)
            factor = None if label is None else (label, _number(edge, out, arg))
            self.hops[key] = factor, self.labels.name(edge.arg, arg)
        return self.hops[key]


def _extended(prefix: _Prefix, hops: list[_Hop]) -> _Prefix:
    """A path continued by hops that are listed from below."""
    factors, path = prefix
    downwards = hops[::-1]
    return (
        (*factors, *[factor for factor, _ in downwards if factor is not None]),
        (*path, *[name for _, name in downwards if name is not None]),
    )


def _number(edge: _Edge, out: int, arg: int) -> float:
    match edge.kind:
        case "scale":
            return float(edge.data)
        case "diagonal" | "row" | "outer":
            return float(edge.data[arg])
        case "matrix":
            return float(edge.data[out, arg])
    return 1.0
