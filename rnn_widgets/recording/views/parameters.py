"""A layer's parameters and their gradients, split into gates and directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnn_widgets.core.names import unknown
from rnn_widgets.recording.layer import Array

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

GROUPS = ("gradients", "weights")
OVER_TIME = "contributions"  # (T, T) norms for each parameter


@dataclass(frozen=True)
class Block:
    """What one gate of one direction has of a parameter, (rows, columns)."""

    name: str
    gate: str
    direction: str
    values: Array

    @property
    def caption(self) -> str:
        """The parameter and the gate; Keras's names, which are long, without their layer."""
        before, _, name = self.name.rpartition(".")
        if before and self.direction:
            name = f"{name} {self.direction}"
        return f"{name} · {self.gate}" if self.gate else name

    @property
    def place(self) -> str:
        """The direction and the gate, as far as there are several."""
        return " ".join(filter(None, (self.direction, self.gate)))


def roles(rec: Recording, layer: int = -1) -> dict[str, list[str]]:
    """Names of a layer's parameters by what they are in PyTorch, in each direction.

    Raises
    ------
    IndexError
        If there is no such layer.
    """
    if not -rec.num_layers <= layer < rec.num_layers:
        raise IndexError(f"layer goes from 0 to {rec.num_layers - 1}, not {layer}")
    end = f"_l{layer % rec.num_layers}"
    found: dict[str, list[str]] = {}
    for name, parameter in rec._parameters.items():
        role, at, _ = parameter.sources[0].partition(end)
        if at and parameter.sources[0].removeprefix(role + end) in ("", "_reverse"):
            found.setdefault(role, []).append(name)
    return found


def recurrent(rec: Recording) -> str:
    """The name of the top layer's recurrent kernel."""
    return roles(rec)["weight_hh"][0]


def blocks(rec: Recording, group: str, name: str) -> list[Block]:
    """A parameter, or its gradient, split into the layer's gates in the layer's own order.

    Raises
    ------
    KeyError
        If there is no such parameter.
    """
    parameter = rec._parameters[name]
    source = parameter.sources[0]
    direction = ""
    if rec.directions == 2:
        direction = "reverse" if source.endswith("_reverse") else "forward"
    if group == OVER_TIME:
        return [Block(name, "", direction, rec.contributions(name))]
    values = np.asarray(getattr(rec, group)[name])
    gates = list(rec.gates)
    if source.startswith("weight_hr") or len(gates) == 1:
        return [Block(name, "", direction, np.atleast_2d(values))]
    in_order = [gates[i] for i in parameter.order or range(len(gates))]
    along = -2 if source.startswith("weight") and not parameter.transpose else -1
    parts = np.split(values, len(gates), axis=along)
    return [
        Block(name, gate, direction, np.atleast_2d(part))
        for gate, part in zip(in_order, parts, strict=True)
    ]


def read_group(
    rec: Recording, what: str, groups: tuple[str, ...] = GROUPS
) -> tuple[str, str | None] | None:
    """Read "gradients", "weights" or such as "gradients[weight_hh_l0]"; None for another name.

    Raises
    ------
    KeyError
        If the parameter does not exist.
    """
    group, _, rest = what.partition("[")
    if group not in groups:
        return None
    if not rest:
        return group, None
    name = rest.removesuffix("]")
    if name not in rec._parameters:
        raise unknown("parameter", name, rec._parameters)
    return group, name
