"""A template: one step of a cell as a list of operations on vectors with symbolic sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .ops import OPS
from .sizes import Size

INPUTS = ("input", "param")  # node kinds that compute nothing


@dataclass(frozen=True, eq=False)
class Node:
    """One operation of a template.

    ``args`` are indices of earlier nodes. ``attrs`` holds what the operation needs besides: "slot"
    (input), "param" (param), "start"/"stop" (slice, and the rows of a matrix that a matvec uses;
    symbolic sizes), "scale"/"shift" (affine; numbers). ``name`` is what its author called it.
    """

    op: str
    args: tuple[int, ...]
    shape: tuple[Size, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data for the saved network and for the browser."""
        attrs = {k: str(v) if isinstance(v, Size) else v for k, v in self.attrs.items()}
        named = {"name": self.name} if self.name else {}
        return {
            "op": self.op,
            "args": list(self.args),
            "shape": [str(s) for s in self.shape],
            **({"attrs": attrs} if attrs else {}),
            **named,
        }


@dataclass(frozen=True, eq=False)
class Template:
    """The equations of one step.

    Parameters
    ----------
    name : str
        What the cell is called, for example "lstm".
    params : dict
        Parameter name to symbolic shape.
    nodes : tuple of Node
        In topological order.
    states : tuple of str
        ``("h",)`` or ``("h", "c")``.
    outputs : tuple of int
        The node of each new state, in the order of ``states``; for a loss or readout its result.
    """

    name: str
    params: Mapping[str, tuple[Size, ...]]
    nodes: tuple[Node, ...]
    states: tuple[str, ...]
    outputs: tuple[int, ...]

    def slot(self, name: str) -> int | None:
        """Index of the input node with this slot name, None if the equations do not use it."""
        for i, node in enumerate(self.nodes):
            if node.op == "input" and node.attrs["slot"] == name:
                return i
        return None

    @cached_property
    def dynamic(self) -> tuple[bool, ...]:
        """For each node, whether its value depends on the previous state."""
        result: list[bool] = []
        for node in self.nodes:
            mine = node.op == "input" and node.attrs["slot"] in self.states
            result.append(mine or any(result[a] for a in node.args))
        return tuple(result)

    @cached_property
    def loop_edges(self) -> tuple[tuple[int, int, int], ...]:
        """Edges (node, argument node, argument position) that an adjoint travels inside a step.

        Nodes come in reverse topological order.
        """
        return tuple(
            (i, a, position)
            for i in reversed(range(len(self.nodes)))
            for position, a in enumerate(self.nodes[i].args)
            if self.dynamic[a]
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data for the saved network and for the browser."""
        return {
            "name": self.name,
            "params": {name: [str(s) for s in shape] for name, shape in self.params.items()},
            "nodes": [node.to_json() for node in self.nodes],
            "states": list(self.states),
            "outputs": list(self.outputs),
        }

    @classmethod
    def from_json(cls, data: Any) -> Template:
        """Read back `to_json`, checking that every node is a known, well-formed operation.

        Raises
        ------
        ValueError
            Naming the first thing that is damaged.
        """
        try:
            params = {str(k): tuple(Size(s) for s in shape) for k, shape in data["params"].items()}
            builder = Builder(params)
            for raw in data["nodes"]:
                builder.replay(raw)
            states = tuple(str(s) for s in data["states"])
            outputs = tuple(int(i) for i in data["outputs"])
            name = str(data["name"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the cell's saved equations are damaged: {error!r}") from error
        if any(not 0 <= i < len(builder.nodes) for i in outputs) or not outputs:
            raise ValueError("the cell's saved equations are damaged: an output does not exist")
        return cls(name, params, tuple(builder.nodes), states, outputs)


class Builder:
    """Appends nodes to a template, inferring and checking symbolic shapes."""

    def __init__(self, params: Mapping[str, tuple[Size, ...]]) -> None:
        self.params = params
        self.nodes: list[Node] = []
        self._known: dict[str, int] = {}

    def input(self, slot: str, size: Size) -> int:
        """The node of an input slot."""
        return self._once(slot, Node("input", (), (size,), {"slot": slot}))

    def param(self, name: str) -> int:
        """The node of a parameter."""
        return self._once("param " + name, Node("param", (), self.params[name], {"param": name}))

    def _once(self, key: str, node: Node) -> int:
        if key not in self._known:
            self.nodes.append(node)
            self._known[key] = len(self.nodes) - 1
        return self._known[key]

    def op(self, name: str, args: Sequence[int], **attrs: Any) -> int:
        """Append an operation.

        Raises
        ------
        ValueError
            If the operation is unknown or the shapes do not fit.
        """
        if name not in OPS:
            raise ValueError(f"unknown operation {name!r}; the operations are {', '.join(OPS)}")
        arity = OPS[name].arity
        if arity is not None and len(args) != arity:
            raise ValueError(f"{name} takes {arity} arguments, not {len(args)}")
        shapes = [self.nodes[a].shape for a in args]
        self.nodes.append(Node(name, tuple(args), (self._shape(name, shapes, attrs),), attrs))
        return len(self.nodes) - 1

    def _shape(self, name: str, shapes: list[tuple[Size, ...]], attrs: Mapping[str, Any]) -> Size:
        vectors = shapes[1:] if name == "matvec" else shapes
        if any(len(shape) != 1 for shape in vectors):
            raise ValueError(
                f"{name} works on vectors; a matrix parameter can only stand left of @ "
                f"(the shapes were {_words(shapes)})"
            )
        if name == "matvec":
            if len(shapes[0]) != 2 or shapes[0][1] != shapes[1][0]:
                raise ValueError(f"matrix @ vector needs matching sizes, not {_words(shapes)}")
            start, stop = attrs.get("start"), attrs.get("stop")
            return _difference(start, stop) if start is not None else shapes[0][0]
        if name == "slice":
            return _difference(attrs["start"], attrs["stop"])
        if name == "concat":
            total = Size(0)
            for shape in shapes:
                total = total.plus(shape[0])
            return total
        if any(shape != shapes[0] for shape in shapes):
            raise ValueError(f"{name} needs vectors of one size, not {_words(shapes)}")
        return Size(1) if name in ("dot", "sum", "sse", "mse", "cross_entropy") else shapes[0][0]

    def name(self, index: int, name: str) -> int:
        """Name a node; a node that has a name already is copied first."""
        node = self.nodes[index]
        if node.op in INPUTS or node.name is not None:
            index = self.op("affine", [index], scale=1.0, shift=0.0)
            node = self.nodes[index]
        self.nodes[index] = Node(node.op, node.args, node.shape, node.attrs, name)
        return index

    def replay(self, raw: Mapping[str, Any]) -> None:
        """Append a node read from JSON."""
        attrs = dict(raw.get("attrs", {}))
        count = len(self.nodes)
        if raw["op"] == "input":
            self.input(str(attrs["slot"]), Size(raw["shape"][0]))
        elif raw["op"] == "param":
            self.param(attrs["param"])
        else:
            for key in ("start", "stop"):
                if key in attrs:
                    attrs[key] = Size(attrs[key])
            args = [int(a) for a in raw["args"]]
            if any(not 0 <= a < count for a in args):
                raise ValueError("the cell's saved equations are damaged: a node uses a later one")
            self.op(raw["op"], args, **attrs)
        if len(self.nodes) != count + 1 or [str(s) for s in self.nodes[-1].shape] != raw["shape"]:
            raise ValueError(f"the cell's saved equations are damaged at node {count}")
        if "name" in raw:
            self.name(count, str(raw["name"]))


def _difference(start: Size, stop: Size) -> Size:
    """The symbolic ``stop − start`` of two multiples of the same size."""
    terms = {k: n - start.terms.get(k, 0) for k, n in stop.terms.items()}
    result = Size(0)
    result.terms = {k: n for k, n in terms.items() if n}
    if any(n < 0 for n in terms.values()) or set(start.terms) - set(stop.terms):
        raise ValueError(f"a slice runs from a smaller to a larger size, not {start} to {stop}")
    return result


def _words(shapes: Sequence[tuple[Size, ...]]) -> str:
    return " and ".join("(" + ", ".join(map(str, shape)) + ")" for shape in shapes)
