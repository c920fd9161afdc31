"""What a lab's network looks like to its browser, and what torch says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets

from rnn_widgets.core.ops import Array
from rnn_widgets.interop.names import aliases
from rnn_widgets.interop.witness import autograd
from rnn_widgets.network import Network, network_from_data


def network_to_json(net: Network, _: object) -> dict[str, Any]:
    """The program and the exact numbers."""
    return {**net.program.to_json(), "values": _lists(net)}


def network_from_json(data: Any, lab: Any) -> Network:
    """The network of a browser's message; leaves that it leaves alone keep what they came from.

    Raises
    ------
    NetworkError
        If it is damaged, naming what was expected.
    """
    try:
        net = network_from_data(data)
    except ValueError as error:
        raise NetworkError(str(error)) from error
    earlier: Network = lab.net
    if net.program.to_json() != earlier.program.to_json():
        return net
    was = earlier.values
    return earlier._moved(
        {name: new for name, new in net.values.items() if not np.array_equal(new, was[name])}
    )


class NetworkError(traitlets.TraitError, ValueError):
    """No network (traitlets takes back only what a TraitError refuses)."""


def aliases_to_json(net: Network) -> dict[str, list[str]]:
    """What other frameworks call each leaf."""
    also: dict[str, list[str]] = {}
    for alias in aliases(net.program):
        also.setdefault(alias.leaf, []).append(f"{alias.framework}: {alias.name}")
    return also


def witness(net: Network, request: Any) -> dict[str, Any]:
    """Torch's answer to a browser: its gradients, and the values that they belong to."""
    gradients = autograd(net.program, net.values)
    return {
        "kind": "witness",
        "id": request,
        "values": _lists(net),
        "gradients": {name: _finite(array) for name, array in gradients.items()},
    }


def _lists(net: Network) -> dict[str, Any]:
    return {name: array.tolist() for name, array in net.values.items()}


def _finite(array: Array) -> Any:
    """Nested lists as JSON has them: None for what is not finite."""
    numbers: Any = array.astype(object)
    numbers[~np.isfinite(array)] = None
    return numbers.tolist()


def recurrent(net: Network) -> str:
    """The parameter that figures show by default: the first recurrent weight, or the first."""
    hidden = net.program.hidden_size
    shapes = net.program.parameters
    named = [name for name in shapes if name.startswith("weight_hh")]
    square = [name for name, shape in shapes.items() if shape == (hidden, hidden)]
    return [*named, *square, *shapes][0]


def first_entry(net: Network) -> str:
    """The first entry of that parameter, selected to begin with."""
    name = recurrent(net)
    return f"{name}[{','.join('0' for _ in net.program.parameters[name])}]"


def first_source(loss_step: int) -> int:
    """The source step in focus to begin with: two before the loss, but not the one after h0 = 0."""
    return max(min(1, loss_step), loss_step - 2)
