"""`Tape`: the autograd graph of one result, from it back to the leaves."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

MOST_WALKED = 50_000  # about a second's walk

Edge = tuple[Any, int]


@dataclass(frozen=True)
class Node:
    """One node of a tape.

    Attributes
    ----------
    label : str
        What is written: "y", an operation such as "mv", the names of a recorded tensor, or, of a
        leaf that nobody asked for, the name of the variable that holds it ("" if none is found).
    kind : str
        "result", "operation", "recorded" or "unasked".
    object : int
        Of what was recorded, the number of its object; else 0.
    shape : tuple of int or None
        Of leaves and recorded tensors.
    """

    label: str
    kind: str
    object: int = 0
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Tape:
    """The autograd graph of one result.

    Attributes
    ----------
    nodes : tuple of Node
        The result first.
    edges : tuple of (int, int)
        From each node to the nodes that it was computed of, by their positions in ``nodes``.
    complete : bool
        False if the graph is so large that the walk through it was broken off.
    """

    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]
    complete: bool = True

    def __repr__(self) -> str:
        kinds = [node.kind for node in self.nodes]
        more = "" if self.complete else ", and more"
        return (
            f"Tape({kinds.count('operation')} operations, {kinds.count('recorded')} recorded and "
            f"{kinds.count('unasked')} unasked leaves{more})"
        )


def read_tape(
    result: Tensor, recorded: Sequence[tuple[str, int, Tensor]], names: Callable[[Tensor], str]
) -> tuple[Tape, list[tuple[str, Tensor]]]:
    """Walk the graph of a result.

    Parameters
    ----------
    result : torch.Tensor
    recorded : sequence of (name, object number, tensor)
        Each a tensor as the function got it; the walk ends at these.
    names : callable
        A name for a leaf that was not recorded, "" for none.

    Returns
    -------
    (Tape, list of (str, torch.Tensor))
        And the leaves that nobody asked for, with their names.
    """
    nodes = [Node("y", "result", shape=tuple(result.shape))]
    edges: list[tuple[int, int]] = []
    unasked: list[tuple[str, Tensor]] = []
    ends = _ends(recorded)
    seen: dict[object, int] = {}
    waiting: list[tuple[int, Edge]] = []
    if result.requires_grad:
        edge = get_gradient_edge(result)
        waiting.append((0, (edge.node, edge.output_nr)))
    while waiting and len(nodes) < MOST_WALKED:
        user, (function, output) = waiting.pop()
        end = ends.get((function, output))
        key = end or function
        known = seen.get(key)
        if known is None:
            known = seen[key] = len(nodes)
            if end is not None:
                nodes.append(end)
            elif (leaf := getattr(function, "variable", None)) is not None:
                nodes.append(Node(names(leaf), "unasked", shape=tuple(leaf.shape)))
                unasked.append((nodes[-1].label, leaf))
            else:
                nodes.append(Node(operation(function.name()), "operation"))
                read = [edge for edge in function.next_functions if edge[0] is not None]
                waiting += [(known, edge) for edge in reversed(read)]
        edges.append((user, known))
    return Tape(tuple(nodes), tuple(dict.fromkeys(edges)), not waiting), unasked


def _ends(recorded: Sequence[tuple[str, int, Tensor]]) -> dict[Edge, Node]:
    """The node that each recorded tensor is; names of one tensor share it."""
    labels: dict[Edge, list[str]] = {}
    found: dict[Edge, tuple[int, tuple[int, ...]]] = {}
    for name, number, tensor in recorded:
        if tensor.requires_grad:
            edge = get_gradient_edge(tensor)
            at = (edge.node, edge.output_nr)
            labels.setdefault(at, []).append(name)
            found[at] = number, tuple(tensor.shape)
    return {
        at: Node(", ".join(labels[at]), "recorded", number, shape)
        for at, (number, shape) in found.items()
    }


def operation(name: str) -> str:
    """What autograd calls an operation, as torch's functions are called: ``LogSoftmaxBackward0``
    is "log_softmax".
    """  # noqa: D205
    plain = re.sub(r"Backward\d*$", "", name.rpartition("::")[2])
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", plain).lower() or name


def variable_names(f: Callable[..., object]) -> Callable[[Tensor], str]:
    """A name for any tensor that a function reaches through its closure or its module's globals."""
    try:
        found = inspect.getclosurevars(f)
    except TypeError:
        found = None
    held: Mapping[str, object] = {**found.globals, **found.nonlocals} if found else {}
    if isinstance(f, nn.Module):
        held = {"": f}
    names: dict[int, str] = {}
    for name, value in held.items():
        if isinstance(value, Tensor):
            names.setdefault(id(value), name)
        elif isinstance(value, nn.Module):
            for path, parameter in value.named_parameters():
                names.setdefault(id(parameter), f"{name}.{path}" if name else path)
    return lambda tensor: names.get(id(tensor), "")
