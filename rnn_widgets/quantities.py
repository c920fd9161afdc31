"""The grammar of derived quantities: ``gradient[x]``, ``adjoint.carried``, ``jacobian[2,0]``.

One table, ``core/quantities.json``, names them for Python and for the browser alike. With several
layers or directions, quantities of a recurrent layer carry its suffix as parameters do:
``hidden_l1_reverse``. What Keras and Flux call a leaf is understood here alone: `native` says it as
PyTorch does before a browser reads it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from .core.names import (
    UnknownNameError,
    parse_entry,
    parse_parameter,
    unknown,
    whole_numbers,
)
from .core.norms import norms
from .interop import names

if TYPE_CHECKING:
    from .core.ops import Array
    from .network import Network

_FORM = re.compile(r"\s*([a-z_.]+?)(_l[0-9]+(?:_reverse)?)?\s*(?:\[(.*)\])?\s*")


@cache
def table() -> dict[str, dict[str, str | bool]]:
    """Every quantity: its name to its argument kind, whether it is layered, and its meaning."""
    rows = json.loads((files(__package__) / "core" / "quantities.json").read_text("utf-8"))
    return {row["name"]: row for row in rows}


def native(text: str, net: Network) -> str:
    """A quantity with PyTorch's name of its leaf: "gradient[Wh]" is "gradient[weight_hh_l0]".

    Raises
    ------
    IndexError, ValueError
        For an entry that the other framework's array does not have, or one that is no leaf as a
        whole, being laid out otherwise or joined of several.
    """
    match = _FORM.fullmatch(text)
    row = table().get(match[1]) if match else None
    if match is None or row is None or not match[3] or row["argument"] in ("steps", "node"):
        return text
    ordered = row["argument"] != "parameter"  # quantities of a whole parameter are its norms
    leaf: str = names.native(net.program, match[3], ordered=ordered)
    return text[: match.start(3)] + leaf + text[match.end(3) :]


@dataclass(frozen=True)
class Quantity:
    """A parsed quantity.

    Parameters
    ----------
    name : str
        A name of the table.
    row : int
        Layer and direction, for layered quantities.
    leaf, index
        The parameter or leaf and the entry, where the argument is one.
    node : str
        The node, where the argument is one.
    steps : tuple of int
        (t,) or (t, k), where the argument is steps.
    """

    name: str
    row: int = 0
    leaf: str = ""
    index: tuple[int, ...] = ()
    node: str = ""
    steps: tuple[int, ...] = ()


def parse(text: str, net: Network) -> Quantity:
    """Read and validate a quantity.

    Raises
    ------
    KeyError
        If there is no such quantity, leaf or node, naming the nearest.
    IndexError
        If an entry, layer or step does not exist.
    ValueError
        If the text is not of the form ``name`` or ``name[argument]``.
    """
    text = native(str(text), net)
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"a quantity is written like 'gradient[weight_hh_l0]', not {text!r}")
    name, suffix, argument = match.groups()
    leaf = text.partition("[")[0]
    if name not in table() and leaf in net.values:
        raise UnknownNameError(
            f"{text} is no quantity but a leaf, or an entry of one; quantities of it are such as "
            f"gradient[{text}]"
        )
    if name not in table():
        raise unknown("quantity", name + (suffix or ""), table())
    kind = table()[name]["argument"]
    row = _row(name, suffix, net)
    if kind == "none":
        if argument is not None:
            raise ValueError(f"{name} takes no argument, but [{argument}] was given")
        if name.startswith("cell") and "c" not in net.program.cell.states:
            raise UnknownNameError(
                f"{name} does not exist: a {net.program.cell.name} has no cell state"
            )
        return Quantity(name, row)
    if not argument:
        raise ValueError(f"{name} needs an argument, for example {name}[{_example(kind, net)}]")
    if kind == "node":
        nodes = [node.name for node in net.program.cell.nodes if node.name]
        if argument not in nodes:
            raise unknown("node", argument, nodes)
        return Quantity(name, row, node=argument)
    if kind == "steps":
        return Quantity(name, row, steps=_steps(name, argument, net, row))
    if kind == "parameter":
        return Quantity(name, row, *parse_parameter(argument, net.program))
    leaves: Mapping[str, tuple[int, ...]] = net.program.leaves
    if kind == "differentiable":
        leaves = {leaf: net.program.leaves[leaf] for leaf in net.gradients()}
    leaf, index = parse_entry(argument, leaves)
    return Quantity(name, row, leaf, index)


def _row(name: str, suffix: str | None, net: Network) -> int:
    program = net.program
    layers = [
        f"_l{layer}" + ("_reverse" if direction else "")
        for layer in range(program.num_layers)
        for direction in range(program.directions)
    ]
    if not table()[name].get("layered"):
        if suffix:
            raise ValueError(f"{name} does not belong to a layer; write it without {suffix}")
        return 0
    if suffix is None and len(layers) > 1:
        options = ", ".join(name + layer for layer in layers)
        raise ValueError(f"the network has several layers or directions: name one of {options}")
    if suffix is not None and suffix not in layers:
        raise IndexError(
            f"{name}{suffix} does not exist; there is {name}{f', {name}'.join(layers)}"
        )
    return layers.index(suffix) if suffix else 0


def _steps(name: str, argument: str, net: Network, row: int) -> tuple[int, ...]:
    steps = whole_numbers(argument)
    if steps is None or len(steps) > 2:
        raise ValueError(f"{name} takes steps: [t] or [t,k], not [{argument}]")
    block = net.program.blocks[row]
    last = net.program.seq_len - 1
    if not 0 <= steps[0] <= last:
        raise IndexError(f"step {steps[0]} does not exist; the steps are 0 to {last}")
    low, high = (steps[0], last + 1) if block.reverse else (-1, steps[0])
    if len(steps) == 2 and not low <= steps[1] <= high:
        raise IndexError(f"for t={steps[0]} the other step k goes from {low} to {high}")
    return steps


def _example(kind: str | bool, net: Network) -> str:
    if kind == "steps":
        return "0"
    if kind == "node":
        return "h"
    return next(iter(net.program.parameters))


def evaluate(quantity: Quantity, net: Network) -> Array:
    """The numbers of a quantity, an array of rank 0 to 2; dimensionless."""
    name, leaf, index = quantity.name, quantity.leaf, quantity.index
    if name == "value":
        return np.asarray(net.values[leaf][index])
    if name == "gradient":
        return np.asarray(net.gradients()[leaf][index])
    if name in ("contribution", "by_source", "by_loss", "by_lag"):
        found = net.contributions()
        full = found[leaf] if name == "contribution" else getattr(found, name)(leaf)
        steps = 2 if name == "contribution" else 1
        if index:
            return np.asarray(full[(slice(None),) * steps + index])
        return norms(full, tuple(range(steps, full.ndim)))
    if name == "lag_bound":
        return _lag_bound(quantity, net)
    if name in ("steps", "lags"):
        first = 1.0 if name == "steps" else 0.0
        return np.arange(net.program.seq_len, dtype=np.float64) + first
    if name in ("hidden", "cell"):
        return _row_of(getattr(net.forward(), name), quantity, net)
    if name == "node":
        return _row_of(net.forward()[quantity.node], quantity, net)
    if name in ("output", "losses", "loss"):
        return np.asarray(getattr(net.forward(), name))
    if "adjoint" in name:
        kind, _, part = name.partition(".")
        adjoints = net.adjoints()
        chosen = adjoints.cell if kind == "cell_adjoint" else adjoints
        return _row_of(getattr(chosen, part), quantity, net)
    jacobians = net.jacobians(
        quantity.row // net.program.directions, net.program.blocks[quantity.row].reverse
    )
    if name == "jacobian":
        return (
            jacobians.product(*quantity.steps)
            if len(quantity.steps) == 2
            else jacobians[quantity.steps[0]]
        )
    return jacobians.singular_values(*quantity.steps)


def _lag_bound(quantity: Quantity, net: Network) -> Array:
    by_lag = evaluate(replace(quantity, name="by_lag"), net)
    entry = f"[{','.join(map(str, quantity.index))}]" if quantity.index else ""
    bound = net.contributions().bound(quantity.leaf + entry)
    summed = np.zeros(len(bound))
    np.add.at(summed, np.abs(np.subtract.outer(range(len(bound)), range(len(bound)))), bound)
    return np.array([by_lag, summed])


def _row_of(array: Array, quantity: Quantity, net: Network) -> Array:
    return array if net.program.rows == 1 else array[quantity.row]
