"""Reading a recurrent layer of Keras: what it computes, and its variables by PyTorch's names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from rnn_widgets.core import cells
from rnn_widgets.core.ops import Array
from rnn_widgets.core.template import Template
from rnn_widgets.core.values import array
from rnn_widgets.interop.capture.place import replaced
from rnn_widgets.interop.capture.spec import Parameter, suffix
from rnn_widgets.interop.names import keras_parameters

ACCEPTED = "a SimpleRNN, GRU or LSTM of Keras, an RNN of one of their cells, or a Bidirectional"
_KINDS = {"SimpleRNN": "rnn", "GRU": "gru", "LSTM": "lstm"}
_SAME = ("kind", "units", "nonlinearity", "reset_after", "bias")


@dataclass(frozen=True)
class Direction:
    """One layer and direction: ``layer`` as Keras has it, None for a bare cell.

    ``kind`` is "rnn", "gru" or "lstm"; ``nonlinearity`` is that of an rnn, ``reset_after`` that of
    a gru.
    """

    cell: Any
    layer: Any
    kind: str
    units: int
    nonlinearity: str
    reset_after: bool
    bias: bool

    @property
    def roles(self) -> tuple[str, ...]:
        """The weights there are, by PyTorch's names."""
        biases: tuple[str, ...] = ()
        if self.bias:
            both = self.kind == "gru" and self.reset_after
            biases = ("bias_ih", "bias_hh") if both else ("bias_ih",)
        return ("weight_ih", "weight_hh", *biases)


@dataclass(frozen=True)
class KerasLayer:
    """A recurrent layer of Keras.

    ``parameters`` are Keras's names and layouts, ``variables`` its objects by the same names.
    """

    layer: Any
    directions: tuple[Direction, ...]
    parameters: tuple[Parameter, ...]
    variables: Mapping[str, Any]

    @property
    def main(self) -> Direction:
        """The only direction, or the forward one."""
        return self.directions[0]

    @property
    def bidirectional(self) -> bool:
        """Whether it is a Bidirectional."""
        return len(self.directions) == 2

    @property
    def input_size(self) -> int:
        """I."""
        return int(self.main.cell.kernel.shape[0])

    @property
    def return_sequences(self) -> bool:
        """Whether it gives the output of every step, as a bare cell does."""
        return bool(getattr(self.layer, "return_sequences", True))


def keras() -> Any:
    """The Keras that the user has imported, None without."""
    return sys.modules.get("keras")


def is_keras(thing: object) -> bool:
    """Whether something is a layer or a model of Keras."""
    there = keras()
    layer = getattr(getattr(there, "layers", None), "Layer", None)
    return isinstance(layer, type) and isinstance(thing, layer)


def require_torch() -> None:
    """Refuse Keras on another backend.

    Raises
    ------
    ValueError
        Naming the backend.
    """
    backend = keras().backend.backend()
    if backend != "torch":
        raise ValueError(
            f"Keras runs on its {backend} backend here; rnn_widgets reads layers of Keras 3 on its "
            "torch backend: set the environment variable KERAS_BACKEND to torch before the first "
            "import of keras"
        )


def is_recurrent(layer: object) -> bool:
    """Whether something is a recurrent layer of Keras, though not each of them can be read."""
    known = keras().layers
    if isinstance(layer, known.Bidirectional):
        return isinstance(layer.forward_layer, known.RNN)
    return isinstance(layer, known.RNN)


def layers_of(layer: Any) -> list[Any]:
    """The layers that a layer or model holds itself."""
    return list(layer._flatten_layers(include_self=False, recursive=False))


def inside(layer: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The recurrent layers inside a layer or model, by their path of names below it.

    What a recurrent layer is made of is not looked into; a TorchModuleWrapper is given as it is.
    """
    for part in layers_of(layer):
        if is_recurrent(part) or isinstance(part, keras().layers.TorchModuleWrapper):
            yield prefix + part.name, part
        else:
            yield from inside(part, f"{prefix}{part.name}/")


def read(layer: Any) -> KerasLayer:
    """What a recurrent layer of Keras is.

    Parameters
    ----------
    layer : keras.layers.Layer
        A SimpleRNN, GRU or LSTM, an RNN of one of their cells, a Bidirectional of these, or one of
        the cells.

    Raises
    ------
    TypeError
        For another layer, or one that overrides ``call``.
    ValueError
        For an activation that has no place here, two directions that differ, no weights yet, or
        Keras on another backend than torch.
    """
    require_torch()
    if isinstance(layer, keras().layers.Bidirectional):
        _plain(layer, keras().layers.Bidirectional)
        parts = (layer.forward_layer, layer.backward_layer)
        directions = tuple(_direction(part) for part in parts)
        _alike(directions)
        if parts[0].go_backwards:
            raise ValueError(
                "the forward_layer of this Bidirectional has go_backwards=True: the directions "
                "have changed places, which has no place here"
            )
        prefixes: tuple[str, ...] = ("forward_layer.", "backward_layer.")
    else:
        directions, prefixes = (_direction(layer),), ("",)
    parameters: list[Parameter] = []
    variables: dict[str, Any] = {}
    for reverse, (direction, prefix) in enumerate(zip(directions, prefixes, strict=True)):
        made = keras_parameters(
            direction.kind, direction.roles, suffix(0, reverse), prefix, direction.reset_after
        )
        parameters += made
        for parameter in made:
            variable = getattr(direction.cell, parameter.name.removeprefix(prefix), None)
            if variable is None:
                raise ValueError(
                    f"the layer {layer.name!r} has no weights yet: call it once, or the model "
                    "that holds it, or build it with layer.build((None, None, input_size))"
                )
            variables[parameter.name] = variable
    return KerasLayer(layer, directions, tuple(parameters), variables)


def _direction(layer: Any) -> Direction:
    known = keras().layers
    whole = layer if isinstance(layer, known.RNN) else None
    cell = layer if whole is None else layer.cell
    kinds = [name for name in _KINDS if isinstance(cell, getattr(known, name + "Cell"))]
    if not kinds:
        of = "" if whole is None else f" of {type(cell).__name__}"
        raise TypeError(f"{ACCEPTED} can be read here, not {type(layer).__name__}{of}")
    name = kinds[0]
    _plain(cell, getattr(known, name + "Cell"), "get_initial_state")
    if whole is not None:
        own = getattr(known, name)
        _plain(whole, own if isinstance(whole, own) else known.RNN, "inner_loop")
    return Direction(
        cell,
        whole,
        _KINDS[name],
        int(cell.units),
        _activations(cell, name),
        bool(getattr(cell, "reset_after", True)),
        bool(cell.use_bias),
    )


def _plain(layer: Any, base: type, *more: str) -> None:
    for method in ("call", *more):
        if getattr(type(layer), method) is not getattr(base, method):
            raise _overridden(layer, method, base)


def require_own_call(layer: Any) -> None:
    """Refuse a layer whose ``call`` was replaced on the object.

    Raises
    ------
    TypeError
        Naming the layer.
    """
    if replaced(layer, "call"):
        raise _overridden(layer, "call", type(layer))


def _overridden(layer: Any, method: str, base: type) -> TypeError:
    return TypeError(
        f"{layer.name!r} overrides {method} of Keras's {base.__name__}: what it computes cannot be "
        "told"
    )


def _activations(cell: Any, name: str) -> str:
    """The nonlinearity of an rnn; of a gated cell, refuse all but its usual ones."""
    found = _called(cell.activation)
    if name == "SimpleRNN":
        if found not in ("tanh", "relu", "sigmoid", "linear"):
            raise ValueError(
                f"the activation of a SimpleRNN is tanh, relu, sigmoid or linear here, not {found}"
            )
        return "identity" if found == "linear" else found
    gates = _called(cell.recurrent_activation)
    if (found, gates) != ("tanh", "sigmoid"):
        raise ValueError(
            f"the {name}'s activation is tanh and its recurrent_activation sigmoid here, not "
            f"{found} and {gates}"
        )
    return "tanh"


def _called(activation: Any) -> str:
    """The name of an activation, if it is the one of Keras or torch by that name."""
    if activation is None:
        return "linear"
    there = keras()
    name = getattr(activation, "__name__", type(activation).__name__)
    homes = (there.activations, there.ops, torch)
    known = any(getattr(home, name, None) is activation for home in homes)
    return name if known else f"{name} of one's own"


def _alike(directions: tuple[Direction, ...]) -> None:
    forward, backward = directions
    for name in _SAME:
        one, other = getattr(forward, name), getattr(backward, name)
        if one != other:
            raise ValueError(
                f"both directions of a Bidirectional are of one kind and size here; their {name} "
                f"is {one} and {other}"
            )


def taken_apart(parameter: Parameter, held: Any) -> dict[str, Any]:
    """What Keras holds, as the weights that PyTorch would; of numpy or torch alike."""
    parts = [held] if len(parameter.sources) == 1 else list(held)
    found = {}
    for source, part in zip(parameter.sources, parts, strict=True):
        rows = part.T if parameter.transpose else part
        if parameter.order is not None:
            size = rows.shape[0] // len(parameter.order)
            at = [parameter.order.index(gate) * size for gate in range(len(parameter.order))]
            rows = rows[[start + i for start in at for i in range(size)]]
        found[source] = rows
    return found


def from_keras(layer: Any) -> tuple[KerasLayer, Template, dict[str, Any], dict[str, Array]]:
    """Read a recurrent layer of Keras for a network.

    Parameters
    ----------
    layer : keras.layers.Layer
        As for `read`.

    Returns
    -------
    described : KerasLayer
    cell : Template
    sizes : dict
        ``input_size``, ``hidden_size`` and ``bidirectional``.
    given : dict
        Leaf name to float64 array, a copy.

    Raises
    ------
    TypeError, ValueError
        As for `read`, and for what a network here has not: go_backwards, or a merge_mode that adds
        or multiplies the directions.
    """
    described = _readable(layer)
    main = described.main
    if not described.bidirectional and getattr(layer, "go_backwards", False):
        raise ValueError(
            f"the layer {layer.name!r} has go_backwards=True, and a network here reads its input "
            "forward: give a layer without it the same weights, and x[::-1]"
        )
    mode = getattr(layer, "merge_mode", "concat")
    if mode not in ("concat", None):
        raise ValueError(
            f"the Bidirectional {layer.name!r} has merge_mode={mode!r}; the outputs of a network "
            "here are both directions side by side, merge_mode='concat'"
        )
    made: dict[str, Callable[[bool | str], Template]] = {
        "rnn": lambda bias: cells.rnn_cell(main.nonlinearity, bias),
        "gru": lambda bias: cells.gru_cell(main.reset_after, bias),
        "lstm": cells.lstm_cell,
    }
    bias: bool | str = "bias_hh" in main.roles or ("single" if main.bias else False)
    sizes = {
        "input_size": described.input_size,
        "hidden_size": main.units,
        "bidirectional": described.bidirectional,
    }
    given: dict[str, Array] = {}
    for parameter in described.parameters:
        held = array(parameter.name, described.variables[parameter.name].value)
        given |= taken_apart(parameter, held)
    return described, made[main.kind](bias), sizes, given


def _readable(layer: Any) -> KerasLayer:
    if not is_keras(layer):
        given = layer.__name__ + " itself" if isinstance(layer, type) else type(layer).__name__
        of_torch = isinstance(layer, torch.nn.Module)
        hint = "; a module of torch is read by from_torch" if of_torch else ""
        raise TypeError(f"from_keras takes {ACCEPTED}, not {given}{hint}")
    require_torch()
    there = [name for name, part in inside(layer) if is_recurrent(part)]
    if there and not is_recurrent(layer):
        raise TypeError(
            f"from_keras takes {ACCEPTED}, not {type(layer).__name__}; it holds "
            f"{', '.join(map(repr, there))}: pass get_layer({there[0].rpartition('/')[2]!r})"
        )
    require_own_call(layer)
    return read(layer)
