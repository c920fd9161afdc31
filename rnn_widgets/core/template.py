"""A template: one step of a cell as a list of operations on vectors with symbolic sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from sys import float_info
from types import MappingProxyType
from typing import Any

from .ops import OPS
from .sizes import Size

INPUTS = ("input", "param")  # node kinds that compute nothing
STATES = (("h",), ("h", "c"))
_TAKEN = {"y": "output", "L": "loss"}
_ATTRS = {"affine": {"scale", "shift"}, "slice": {"start", "stop"}}


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "attrs", MappingProxyType(dict(self.attrs)))

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

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", MappingProxyType(dict(self.params)))

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
        """Read back a cell's `to_json`, checking every node as when it was first traced.

        Raises
        ------
        ValueError
            Naming the first thing that is damaged.
        """
        damaged = "the cell's saved equations are damaged"
        try:
            params = {k: tuple(Size(s) for s in shape) for k, shape in data["params"].items()}
            builder = Builder(params)
            for raw in data["nodes"]:
                builder.replay(raw)
            states, outputs = tuple(data["states"]), tuple(data["outputs"])
            cell = cls(data["name"], params, tuple(builder.nodes), states, outputs)
            faithful = isinstance(data["name"], str) and cell.to_json() == data
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{damaged}: {error!r}") from error
        if not faithful:
            raise ValueError(f"{damaged}: they hold something that is not part of a cell")
        if any(not p.isidentifier() or len(shape) not in (1, 2) for p, shape in params.items()):
            raise ValueError(f"{damaged}: a parameter is a named vector or matrix")
        if states not in STATES or len(outputs) != len(states):
            raise ValueError(f"{damaged}: the states are h, or h and c, with one output each")
        for state, out in zip(states, outputs, strict=True):
            node = builder.nodes[out] if _is_index(out, len(builder.nodes)) else None
            if node is None or (node.name, node.shape) != (state, (Size("H"),)):
                raise ValueError(f"{damaged}: the output {out!r} is not the new {state}")
        inputs = {"x": Size("I")} | {state: Size("H") for state in states}
        for node in builder.nodes:
            if node.op == "input" and (inputs.get(node.attrs["slot"]),) != node.shape:
                raise ValueError(f"{damaged}: no input {node.attrs['slot']} of size {node.shape}")
        return cell


class Builder:
    """Appends nodes to a template, inferring and checking symbolic shapes."""

    def __init__(self, params: Mapping[str, tuple[Size, ...]]) -> None:
        for taken in {"x", "h", "c"} & set(params):
            raise ValueError(f"a parameter cannot be called {taken!r}, like an input of the cell")
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
            If the operation is unknown, or its shapes or numbers do not fit.
        """
        if name not in OPS:
            raise ValueError(f"unknown operation {name!r}; the operations are {', '.join(OPS)}")
        arity = OPS[name].arity
        if arity is not None and len(args) != arity:
            raise ValueError(f"{name} takes {arity} arguments, not {len(args)}")
        rows_of_matrix = name == "matvec" and set(attrs) == _ATTRS["slice"]
        if set(attrs) != _ATTRS.get(name, set()) and not rows_of_matrix:
            raise ValueError(f"{name} does not go with {', '.join(attrs) or 'no attributes'}")
        if name == "affine" and not (_is_finite(attrs["scale"]) and _is_finite(attrs["shift"])):
            raise ValueError(
                f"the numbers in a cell's equations must be finite, not {attrs['scale']!r} "
                f"and {attrs['shift']!r}"
            )
        self.nodes.append(Node(name, tuple(args), (self._shape(name, args, attrs),), attrs))
        return len(self.nodes) - 1

    def _shape(self, name: str, args: Sequence[int], attrs: Mapping[str, Any]) -> Size:
        shapes = [self.nodes[a].shape for a in args]
        vectors, operation = (args[1:], "@") if name == "matvec" else (args, name)
        for a in vectors:
            if len(self.nodes[a].shape) != 1:
                raise ValueError(
                    f"{operation} works on vectors, and {self._called(a)} is a matrix: "
                    "a matrix parameter can only stand left of @"
                )
        if name == "matvec" and (len(shapes[0]) != 2 or shapes[0][1] != shapes[1][0]):
            raise ValueError(self._mismatch(*args))
        if "start" in attrs:
            return _part(attrs["start"], attrs["stop"], shapes[0][0])
        if name == "matvec":
            return shapes[0][0]
        if name == "concat":
            total = Size(0)
            for shape in shapes:
                total = total.plus(shape[0])
            return total
        if any(shape != shapes[0] for shape in shapes):
            given = " and ".join(map(self._called, args))
            raise ValueError(f"{name} needs vectors of one size, not {given}")
        return Size(1) if name in ("dot", "sum", "sse", "mse", "cross_entropy") else shapes[0][0]

    def _called(self, index: int) -> str:
        """What an expression is called, with its shape: ``U (H, I)``."""
        node = self.nodes[index]
        name = node.name or node.attrs.get("param") or node.attrs.get("slot") or "a result"
        return f"{name} ({', '.join(map(str, node.shape))})"

    def _mismatch(self, left: int, right: int) -> str:
        """Why ``left @ right`` is refused, and what to write."""
        shape, size = self.nodes[left].shape, self.nodes[right].shape[0]
        what = f"{self._called(left)} @ {self._called(right)} does not fit"
        if len(shape) != 2:
            return f"{what}: a matrix parameter stands left of @; entries are multiplied by *"
        name = self.nodes[left].attrs["param"]
        return (
            f"{what}: declare {name} as ({str(shape[0])!r}, {str(size)!r}), "
            f"or multiply a vector of size {shape[1]}"
        )

    def name(self, index: int, name: str) -> int:
        """Name a node; a node that has another name already is copied first.

        Raises
        ------
        ValueError
            If another node has the name.
        """
        node = self.nodes[index]
        if node.name == name:
            return index
        if any(other.name == name for other in self.nodes):
            raise ValueError(f"two quantities of a cell cannot both be called {name!r}")
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
            self.input(attrs["slot"], Size(raw["shape"][0]))
        elif raw["op"] == "param":
            self.param(attrs["param"])
        else:
            for key in ("start", "stop"):
                if key in attrs:
                    attrs[key] = Size(attrs[key])
            if not all(_is_index(a, count) for a in raw["args"]):
                raise ValueError("the cell's saved equations are damaged: a node uses a later one")
            self.op(raw["op"], raw["args"], **attrs)
        if "name" in raw:
            self.name(count, checked_name(raw["name"]))
        if len(self.nodes) != count + 1 or self.nodes[-1].to_json() != raw:
            raise ValueError(f"the cell's saved equations are damaged at node {count}")


def checked_name(name: Any) -> str:
    """A name that a cell's author may give to a quantity.

    Raises
    ------
    TypeError, ValueError
        If it is not an identifier, or means something else already.
    """
    if not isinstance(name, str):
        raise TypeError(f"a name is text such as 'z', not {name!r}")
    if not name.isidentifier():
        raise ValueError(f"a name is an identifier such as 'z', not {name!r}")
    if name in _TAKEN:
        raise ValueError(f"{name!r} is the name of the network's {_TAKEN[name]}; choose another")
    return name


def _is_index(value: Any, count: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count


def _is_finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= float_info.max  # False for NaN


def _part(start: Size, stop: Size, whole: Size) -> Size:
    """The symbolic ``stop − start`` of a part of a size."""
    part, rest = stop.minus(start), whole.minus(stop)
    if part is None or rest is None or not part.terms:
        raise ValueError(f"{start} to {stop} is not a part of a size of {whole}")
    return part
