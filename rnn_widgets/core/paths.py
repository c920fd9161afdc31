"""Chain-rule terms: the scalar paths inside one contribution C[t, k], ranked by size.

A path runs from the loss of step t down to one use, at step k, of one parameter entry; its value is
the product of the local derivatives along it. The paths of a contribution are far too many to list,
but the n largest are not: going down from the loss, the n largest path prefixes that reach an entry
can only be extended, so n per entry suffice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from .forward import ForwardPass
from .graph import Edge, Graph, Key
from .labels import Labels
from .ops import Array
from .program import Program

MAX_TERMS = 1_000_000

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

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> net = rw.rnn(1, 1, 2, nonlinearity="identity", bias=False)
    >>> net = net.replace(weight_hh_l0=[[2]], x=[[3], [0]], v=[[0], [5]])
    >>> (term,) = net.terms("weight_ih_l0[0,0]", loss_step=1, source_step=0)
    >>> term.factors
    (('v₂[0]', 5.0), ('weight_hh_l0[0,0]', 2.0), ('x₁[0]', 3.0))
    >>> term
    30 along L₂ → h₂[0] → h₁[0] → weight_ih_l0[0,0] @ 1
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

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> net = rw.rnn(1, 2, 2, nonlinearity="identity", bias=False, loss="sum")
    >>> net = net.replace(weight_hh_l0=[[1, 2], [-3, 4]], x=[[1], [1]])
    >>> terms = net.terms("weight_ih_l0[0,0]", loss_step=1, source_step=0, top=1)
    >>> terms.total, terms.remainder, terms.count, terms.gross
    (-2.0, 1.0, 2, 4.0)
    >>> terms[0].path
    ('L₂', 'h₂[1]', 'h₁[0]', 'weight_ih_l0[0,0] @ 1')
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
class _Arrivals:
    """Path prefixes that one edge brings: (entries, columns), NaN where there is none."""

    edge: Edge
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
    if loss_step not in program.loss_steps:
        return Terms((), total, 0, 0.0)
    graph = Graph(program, trace, leaf, entry, loss_step, source_step)
    count = int(_sum_of_paths(graph, np.array([1], dtype=object), _ones))
    gross = float(_sum_of_paths(graph, np.array([program.loss_weight]), np.abs))
    if min(top, count) > MAX_TERMS:
        raise ValueError(
            f"this contribution has {count} terms; at most {MAX_TERMS} can be listed, "
            "so ask for fewer with top="
        )
    ranked = _rank(graph, min(top, count)) if count else []
    return Terms(ranked, total, count, gross)


def _ones(data: Any) -> NDArray[Any]:
    """Factors that count paths, in Python's integers, which have no largest."""
    return np.ones(np.shape(data), dtype=object)


def _sum_of_paths(graph: Graph, start: NDArray[Any], weigh: Callable[[Any], Any]) -> Any:
    """Sum over all paths the product of their weighed factors, without listing them."""
    arrived = {graph.top: start}
    total: Any = 0
    for key, edges in graph.nodes:
        if key not in arrived:
            continue
        here = arrived.pop(key)[:, None]
        for edge in edges:
            pulled = np.nansum(_pull(edge, here, weigh), axis=1)
            if edge.final:
                total += pulled[0]
            elif edge.arg in arrived:
                arrived[edge.arg] = arrived[edge.arg] + pulled
            else:
                arrived[edge.arg] = pulled
    return total


def _pull(
    edge: Edge, values: NDArray[Any], weigh: Callable[[Any], Any] | None = None
) -> NDArray[Any]:
    """Extend prefixes along an edge: (m, width) to (n, columns), NaN where there is none.

    Of a final edge the wanted entry alone is kept, so that n is 1.
    """
    data = weigh(edge.data) if weigh and edge.kind not in _STRUCTURAL else edge.data
    match edge.kind:
        case "outer":
            picked: NDArray[Any] = values[edge.row : edge.row + 1] * data[edge.index]
            return picked
        case "scale":
            values = values * data
        case "diagonal" | "row":
            values = values * data[:, None]
        case "matrix":
            values = (data.T[:, :, None] * values[None]).reshape(edge.size, -1)
        case "slice":
            whole = np.full((edge.size, values.shape[1]), np.nan, dtype=values.dtype)
            whole[data[0] : data[1]] = values
            values = whole
        case "place":
            values = values[data[0] : data[1]]
    return values[edge.index : edge.index + 1] if edge.final else values


_STRUCTURAL = ("identity", "slice", "place")


def _rank(graph: Graph, top: int) -> list[Term]:
    """The dynamic programme: keep the ``top`` largest prefixes per entry, then trace them back."""
    arrivals: dict[Key, list[_Arrivals]] = {}
    columns: dict[Key, Columns] = {}  # of what is kept at a node, into the arrivals there
    found: list[_Arrivals] = []
    for key, edges in graph.nodes:
        if key == graph.top:
            values, columns[key] = np.array([[graph.program.loss_weight]]), np.zeros((1, 1), int)
        elif key in arrivals:
            values, columns[key] = _largest(_side_by_side(arrivals[key]), top)
        else:
            continue
        for edge in edges:
            there = found if edge.final else arrivals.setdefault(edge.arg, [])
            there.append(_Arrivals(edge, _pull(edge, values), values.shape[1]))
    values, chosen = _largest(_side_by_side(found), top)
    writer = _Writer(graph, found, arrivals, columns)
    ranked = zip(values[0].tolist(), chosen[0].tolist(), strict=True)
    return [writer.term(value, column) for value, column in ranked if value == value]


def _side_by_side(arrivals: list[_Arrivals]) -> Array:
    return np.concatenate([a.values for a in arrivals], axis=1)


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
_State: TypeAlias = tuple[Key, int, int]  # node, entry, and column of the prefix that reaches it


class _Writer:
    """Walks paths from the parameter entry back up to the loss, and writes them down.

    What many paths share is written once: the words for a hop, and the whole way from the loss down
    to a state.
    """

    def __init__(
        self,
        graph: Graph,
        found: list[_Arrivals],
        arrivals: dict[Key, list[_Arrivals]],
        columns: dict[Key, Columns],
    ) -> None:
        self.found, self.arrivals, self.columns = found, arrivals, columns
        self.top, self.index = graph.top, graph.entry[-1]
        self.labels = Labels(graph.program, graph.trace)
        weighted = graph.program.loss_weight != 1.0
        first = (self.labels.weight(),) if weighted else ()
        self.start: _Prefix = (first, (self.labels.node(graph.top, 0),))
        entry = ",".join(map(str, graph.entry))
        self.last = f"{graph.leaf}[{entry}] @ {graph.source_step + 1}"
        self.outputs = {
            (b, out)
            for b, block in enumerate(graph.program.blocks)
            for out in block.template.outputs
        }
        self.hops: dict[tuple[int, int, int], _Hop] = {}
        self.states: dict[_State, _Prefix] = {}

    def term(self, value: float, column: int) -> Term:
        """The term that stands in a column of what was found."""
        groups, index = self.found, self.index
        hops: list[_Hop] = []  # from the parameter upwards
        passed: list[tuple[int, _State]] = []  # states, and the hops below each
        while True:
            for group in groups:
                if column < group.values.shape[1]:
                    break
                column -= group.values.shape[1]
            edge = group.edge
            if edge.kind == "matrix":
                out, column = divmod(column, group.width)
            else:
                out = edge.out_of(index)
            hops.append(self._hop(edge, out, index))
            if edge.key == self.top:
                prefix = self.start
                break
            column = self.columns[edge.key].item(out, column)
            if edge.key[:2] in self.outputs:
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

    def _hop(self, edge: Edge, out: int, arg: int) -> _Hop:
        key = (id(edge), out, arg)
        if key not in self.hops:
            label = self.labels.factor(edge.key, edge.position, edge.kind, out, arg)
            factor = None if label is None else (label, edge.at(out, arg))
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
