"""torch modules: read into a network, and made from one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from rnn_widgets.core import cells
from rnn_widgets.core.ops import Array
from rnn_widgets.core.program import Program
from rnn_widgets.core.template import Template

from .code import module_source, zero_biases
from .keras.layers import is_keras

_LAYERS = (torch.nn.RNN, torch.nn.GRU, torch.nn.LSTM)
_CELLS = (torch.nn.RNNCell, torch.nn.GRUCell, torch.nn.LSTMCell)
_ACCEPTED = "an nn.RNN, nn.GRU, nn.LSTM, nn.RNNCell, nn.GRUCell or nn.LSTMCell"


def from_torch(
    module: torch.nn.Module,
) -> tuple[Template, dict[str, Any], dict[str, Array], dict[str, object]]:
    """Read a recurrent module of torch.nn.

    Parameters
    ----------
    module : torch.nn.RNN, GRU, LSTM, RNNCell, GRUCell or LSTMCell
        Of any number of layers and directions, with or without biases, on any device.

    Returns
    -------
    cell : Template
    sizes : dict
        ``input_size``, ``hidden_size``, ``num_layers`` and ``bidirectional``.
    given : dict
        Leaf name to float64 array, a copy; a cell's ``weight_hh`` goes by ``weight_hh_l0``.
    sources : dict
        Leaf name to the parameter object itself.

    Raises
    ------
    TypeError
        For a module of another kind, or one that overrides ``forward``.
    ValueError
        For a projection, active dropout, parameters that are shared, not finite, without values,
        or computed from others (parametrizations, weight norm, pruning).
    """
    base = _base(module)
    suffixes, num_layers, bidirectional = [""], 1, False
    if isinstance(module, torch.nn.RNNBase):
        num_layers, bidirectional = module.num_layers, bool(module.bidirectional)
        _refuse_what_has_no_place_here(module, base.__name__)
        ends = ("", "_reverse") if bidirectional else ("",)
        suffixes = [f"_l{layer}{end}" for layer in range(num_layers) for end in ends]
    cell = _template(module, base, bool(module.bias))
    sources: dict[str, object] = {}
    given: dict[str, Array] = {}
    for suffix in suffixes:
        for name in cell.params:
            parameter = _parameter(module, name + suffix)
            leaf = name + (suffix or "_l0")
            for other, known in sources.items():
                if known is parameter:
                    raise ValueError(
                        f"{other} and {leaf} are one and the same parameter; here every name has "
                        "a gradient of its own"
                    )
            sources[leaf] = parameter
            given[leaf] = _values(name + suffix, parameter)
    sizes = {
        "input_size": module.input_size,
        "hidden_size": module.hidden_size,
        "num_layers": num_layers,
        "bidirectional": bidirectional,
    }
    return cell, sizes, given, sources


def _base(module: Any) -> type[torch.nn.Module]:
    """Which of torch's classes computes this module's forward pass."""
    if not isinstance(module, torch.nn.Module):
        given = module.__name__ + " itself" if isinstance(module, type) else type(module).__name__
        raise TypeError(f"from_torch takes {_ACCEPTED}, not {given}")
    if is_keras(module):
        raise TypeError(
            f"from_torch takes {_ACCEPTED}, not {type(module).__name__} of Keras: use from_keras"
        )
    for base in (*_LAYERS, *_CELLS):
        if isinstance(module, base):
            if type(module).forward is not base.forward:
                raise TypeError(
                    f"{type(module).__name__} overrides the forward of nn.{base.__name__}: what it "
                    f"computes cannot be told; from_torch takes {_ACCEPTED}"
                )
            return base
    inside = [name for name, m in module.named_modules() if isinstance(m, _LAYERS + _CELLS)]
    hint = f"; it holds one: pass get_submodule({inside[0]!r})" if inside else ""
    raise TypeError(f"from_torch takes {_ACCEPTED}, not {type(module).__name__}{hint}")


def _refuse_what_has_no_place_here(module: torch.nn.RNNBase, name: str) -> None:
    if module.proj_size:
        raise ValueError(
            f"the {name} has proj_size={module.proj_size}; networks here have no projection"
        )
    if module.training and module.dropout > 0 and module.num_layers > 1:
        raise ValueError(
            f"the {name} drops out at random (dropout={module.dropout}, training mode); "
            "call module.eval() first"
        )


def _template(module: Any, base: type[torch.nn.Module], bias: bool) -> Template:
    if base in (torch.nn.GRU, torch.nn.GRUCell):
        return cells.gru_cell(True, bias)
    if base in (torch.nn.LSTM, torch.nn.LSTMCell):
        return cells.lstm_cell(bias)
    word = module.nonlinearity if base is torch.nn.RNNCell else module.mode.split("_")[1].lower()
    if word not in ("tanh", "relu"):
        raise ValueError(f"the nonlinearity of torch's {base.__name__} is tanh or relu, not {word}")
    return cells.rnn_cell(word, bias)


def _parameter(module: torch.nn.Module, name: str) -> torch.nn.Parameter:
    parameter = module._parameters.get(name)
    if parameter is None:
        raise ValueError(
            f"{name} is not a parameter of this {type(module).__name__} but computed from others "
            "(a parametrization, weight norm or pruning); remove that first, for example with "
            f"torch.nn.utils.parametrize.remove_parametrizations(module, {name!r})"
        )
    return parameter


def _values(name: str, parameter: torch.nn.Parameter) -> Array:
    if parameter.is_meta:
        raise ValueError(f"{name} is on the meta device: it has no values")
    if parameter.is_complex():
        raise ValueError(f"{name} is complex; networks here are real")
    array: Array = parameter.detach().to("cpu", torch.float64, copy=True).numpy()
    if not bool(torch.isfinite(parameter).all()):
        raise ValueError(f"{name} has entries that are not finite")
    return array


def to_torch(program: Program, leaves: Mapping[str, Array]) -> torch.nn.Module:
    """A float64 module that computes the network, with the same parameter names.

    Parameters
    ----------
    program : Program
    leaves : dict
        Every leaf; parameters are copied.

    Returns
    -------
    torch.nn.Module
        Called as ``module(x, h0)``, or ``module(x, (h0, c0))`` for a cell with two states, with
        x (T, I) and states (layers·directions, H); returns the outputs (T, O) and the final
        states. Like torch.nn's classes it begins with zeros if no state is given: a network's own
        ``h0`` is an input and has to be passed.

        nn.RNN, nn.GRU or nn.LSTM where these compute the same, with a linear ``readout`` a
        subclass; a network with a single bias has torch's second bias too, zero and with
        requires_grad False. Other cells and truncated networks give a class generated from the
        equations, with the detached states that truncation means; under a window every output
        has a graph of its own, and the final states have that of the last one. Classes made here
        cannot be pickled: save the ``state_dict``, or the script that ``code`` prints.

    Raises
    ------
    ValueError
        If a saved network holds names that cannot stand in code.
    """
    namespace: dict[str, Any] = {"__name__": "rnn_widgets.generated", "torch": torch}
    # Drawing initial values would move the user's random numbers on.
    with torch.inference_mode(False), torch.random.fork_rng(devices=[]), torch.device("cpu"):
        code = compile(module_source(program), "<rnn_widgets: generated module>", "exec")
        exec(code, namespace)  # noqa: S102 - our own text; names in it were checked
        module: torch.nn.Module = namespace["net"]
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                if name in leaves:
                    parameter.copy_(torch.tensor(leaves[name], dtype=torch.float64))
            for name in zero_biases(program):
                module.get_parameter(name).zero_().requires_grad_(False)
    return module
