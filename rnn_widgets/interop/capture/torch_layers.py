"""torch's recurrent modules: which there are in a model, what they are, and their stand-ins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from rnn_widgets.core.names import unknown
from rnn_widgets.interop.keras.layers import is_keras, require_own_call

from .calls import Call, Caller, apply, own, precision
from .place import replaced
from .spec import LayerSpec, Parameter, same_names

LAYERS = (nn.RNN, nn.GRU, nn.LSTM)
CELLS = (nn.RNNCell, nn.GRUCell, nn.LSTMCell)
_KINDS = {base.__name__: base for base in (*LAYERS, *CELLS)}


def find(model: nn.Module, layer: Any) -> tuple[str, nn.Module]:
    """The recurrent layer that a name, a module or an index means.

    Parameters
    ----------
    model : nn.Module
    layer : str, nn.Module, int or None
        A name as in ``model.named_modules()``, or the names of Keras's layers joined by "/", or
        the last part of it; the module itself; its place among the recurrent layers; None for the
        only one there is.

    Returns
    -------
    (str, nn.Module)

    Raises
    ------
    KeyError, IndexError, ValueError, TypeError
        If there is no such layer, or several; naming the recurrent layers there are.
    """
    from rnn_widgets.interop.keras.models import recurrent_inside

    there = dict(recurrent_inside(model))
    listed = ", ".join(f"{name or 'the model itself'!r} ({_kind(m)})" for name, m in there.items())
    for name, module in _scripted(model):
        if not there or layer is module or f".{name}".endswith(f".{layer}"):
            raise TypeError(
                f"{name or 'the model'!r} ({module.original_name}) is compiled by torch.jit, and "
                "its steps cannot be seen: give the module that it was made from, before "
                "torch.jit.script or trace"
            )
    if not there:
        for module in model.modules():
            _refuse_generated(module)
        raise ValueError(
            f"there is no recurrent layer in this {type(model).__name__}: record looks for nn.RNN, "
            "nn.GRU, nn.LSTM and nn.RNNCell, nn.GRUCell, nn.LSTMCell, and for Keras's SimpleRNN, "
            "GRU, LSTM and Bidirectional; a loop of Linear layers, or a cell of one's own, cannot "
            "be read: write its equations with rw.cell, and rw.explore(rw.custom(...)) opens them"
        )
    if layer is None:
        if len(there) > 1:
            raise ValueError(f"say which layer=: there are {listed}")
        name = next(iter(there))
    elif isinstance(layer, nn.Module):
        names = [name for name, m in there.items() if m is layer]
        if not names:
            raise ValueError(
                f"this {type(layer).__name__} is not among the model's recurrent layers, which are "
                f"{listed}"
            )
        name = names[0]
    elif isinstance(layer, str):
        name = _by_name(layer, there, listed)
    elif isinstance(layer, int | np.integer) and not isinstance(layer, bool):
        if not -len(there) <= layer < len(there):
            raise IndexError(f"layer {layer} does not exist: in this order there are {listed}")
        name = list(there)[layer]
    else:
        raise TypeError(
            f"layer is a name, a module, an index or None, not {layer!r}; there are {listed}"
        )
    found = there[name]
    if not is_keras(found):
        return name, _plain(name, found)
    require_own_call(found)
    return name, found


def _by_name(layer: str, there: dict[str, nn.Module], listed: str) -> str:
    if layer in there:
        return layer
    ends = [name for name in there if name.endswith(("." + layer, "/" + layer))]
    if len(ends) > 1:
        raise ValueError(f"{layer!r} may be {' or '.join(map(repr, ends))}: give the whole name")
    if ends:
        return ends[0]
    inside = [name for name in there if name.startswith((layer + ".", layer + "/"))]
    if inside:
        raise ValueError(
            f"{layer!r} is no recurrent layer but holds {', '.join(map(repr, inside))}: name one"
        )
    if set(there) == {""}:
        raise ValueError(
            f"there is no recurrent layer {layer!r}: the model itself is the only one, so leave "
            "out layer="
        )
    raise unknown("recurrent layer", layer, [name for name in there if name])


def _kind(module: nn.Module) -> str:
    if is_keras(module):
        return type(module).__name__
    return next(name for name, base in _KINDS.items() if isinstance(module, base))


def _scripted(model: nn.Module) -> list[tuple[str, Any]]:
    """Recurrent layers that torch.jit has compiled, with their names in the model."""
    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.jit.ScriptModule) and module.original_name in _KINDS
    ]


def without_wrapper(model: nn.Module) -> nn.Module:
    """The model that a wrapper for several devices holds, else the model itself.

    The wrapper runs the same model, on parts of the batch or with hooks of its own on ``.grad``.
    """
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel)
    return model.module if isinstance(model, wrappers) else model


def _refuse_generated(module: nn.Module) -> None:
    """Refuse what a network's ``to_torch`` made, where no layer of torch's computes the same."""
    if type(module).__module__ == "rnn_widgets.generated":
        raise TypeError(
            "this module is what net.to_torch() made of a network that no nn.RNN, nn.GRU or "
            "nn.LSTM computes; ask the network itself, with net.adjoints, net.contributions and "
            "net.jacobians, or open it with rw.explore(net)"
        )


def _plain(name: str, module: nn.Module) -> nn.Module:
    _refuse_generated(module)
    base = _KINDS[_kind(module)]
    if type(module).forward is not base.forward or replaced(module, "forward"):
        raise TypeError(
            f"{name or 'the model'!r} overrides the forward of nn.{base.__name__}: what it "
            "computes cannot be told"
        )
    return module


def read(module: Any) -> LayerSpec:
    """What a module of torch is."""
    kind = _kind(module)
    sizes = {"input_size": module.input_size, "hidden_size": module.hidden_size}
    if kind.startswith("RNN"):
        word = module.nonlinearity
        if word not in ("tanh", "relu"):
            raise ValueError(f"the nonlinearity of torch's {kind} is tanh or relu, not {word!r}")
        sizes["nonlinearity"] = word
    if isinstance(module, LAYERS):
        sizes["num_layers"] = module.num_layers
        sizes["directions"] = 2 if module.bidirectional else 1
        sizes["proj_size"] = module.proj_size
    return LayerSpec(kind.removesuffix("Cell"), **sizes)


def parameters(module: nn.Module, spec: LayerSpec) -> tuple[Parameter, ...]:
    """The module's own names for its weights."""
    names = spec.weights(bias=bool(module.bias))
    if isinstance(module, LAYERS):
        return same_names(list(names))
    return tuple(Parameter(name.removesuffix("_l0"), (name,)) for name in names)


class StandIn(Caller):
    """What is called in a layer's place; keeps the calls.

    Parameters
    ----------
    module : nn.Module
    dummy : tensor
        A scalar that requires grad, so that each call is in autograd's graph.
    """

    attribute = "forward"
    refusal = ""

    def __init__(self, module: Any, dummy: Tensor) -> None:
        super().__init__(dummy)
        self.module = module
        self.spec = read(module)
        self.kind = self.spec.kind
        self.names = parameters(module, self.spec)
        self.gates: Mapping[str, str] = {gate: gate for gate in self.spec.gates}
        self._copies: dict[str, tuple[Tensor, int, Tensor]] = {}

    @property
    def forward(self) -> Callable[..., Any]:
        """Called as the module is."""
        return self.layer if isinstance(self.module, LAYERS) else self.cell

    @property
    def mode(self) -> str:
        """The mode that the layer is in."""
        return "train" if self.module.training else "eval"

    @property
    def frozen(self) -> list[str]:
        """Names of parameters that are not trained."""
        return [p.name for p in self.names if not getattr(self.module, p.name).requires_grad]

    def _run(
        self,
        x: Tensor,
        states: tuple[Tensor | None, ...],
        given: tuple[Tensor | None, ...],
        lengths: Tensor | None = None,
        live: Tensor | None = None,
    ) -> tuple[Call, list[Tensor]]:
        """Outputs (T, N, D·P) and final states of a new call."""
        module = self.module
        weights = {p.sources[0]: getattr(module, p.name) for p in self.names}
        self._check(x, states, next(iter(weights.values())).dtype)
        dropping = isinstance(module, LAYERS) and module.training and module.num_layers > 1
        call = Call(
            self.spec,
            {name: self._copied(name, weight) for name, weight in weights.items()},
            lengths,
            live,
            module.dropout if dropping else 0.0,
            given=given,
        )
        self.calls.append(call)
        in_order = [weights.get(name) for name in self.spec.weights()]
        h0, c0 = states if len(states) == 2 else (states[0], None)
        return call, list(apply(call, self.dummy, x, h0, c0, in_order))

    def _copied(self, name: str, weight: Tensor) -> Tensor:
        """A copy of a weight, the same one for all calls between which it does not change."""
        of, version, copy = self._copies.get(name, (None, 0, weight))
        if of is not weight or version != weight._version:
            copy = own(weight, precision(weight.dtype))
            self._copies[name] = weight, weight._version, copy
        return copy

    def _states(self, hx: Any) -> tuple[Tensor | None, ...]:
        if self.spec.kind == "LSTM":
            return (None, None) if hx is None else (hx[0], hx[1])
        return (hx,)

    def layer(self, input: Any, hx: Any = None) -> Any:
        """As nn.RNN, nn.GRU and nn.LSTM are called."""
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        module, alone = self.module, input.dim() == 2
        if input.dim() not in (2, 3):
            raise ValueError(
                f"{type(module).__name__}: Expected input to be 2D or 3D, got {input.dim()}D "
                "instead"
            )
        given, x = self._states(hx), input
        states = given
        if alone:
            x = x.unsqueeze(1)
            states = self._unsqueezed(given, 2, 1)
        elif module.batch_first:
            x = x.transpose(0, 1)
        call, (y, *finals) = self._run(x, states, given)
        if alone:
            y, finals = y.squeeze(1), [f.squeeze(1) for f in finals]
        elif module.batch_first:
            y = y.transpose(0, 1)
        call.returned = tuple(finals)
        return y, (tuple(finals) if len(finals) == 2 else finals[0])

    def _packed(self, packed: PackedSequence, hx: Any) -> Any:
        x, lengths = pad_packed_sequence(packed)  # in the caller's order
        states = self._states(hx)
        live = torch.arange(len(x), device=x.device).unsqueeze(1) < lengths.to(x.device)
        call, (y, *finals) = self._run(
            x, states, states, lengths, None if bool(live.all()) else live
        )
        call.returned = tuple(finals)
        order = packed.sorted_indices
        if order is not None:
            y, lengths = y.index_select(1, order), lengths[order.cpu()]
        data = pack_padded_sequence(y, lengths).data
        result = PackedSequence(data, packed.batch_sizes, order, packed.unsorted_indices)
        return result, (tuple(finals) if len(finals) == 2 else finals[0])

    def cell(self, input: Any, hx: Any = None) -> Any:
        """As nn.RNNCell, nn.GRUCell and nn.LSTMCell are called."""
        if input.dim() not in (1, 2):
            raise ValueError(
                f"{type(self.module).__name__}: Expected input to be 1D or 2D, got "
                f"{input.dim()}D instead"
            )
        alone, given = input.dim() == 1, self._states(hx)
        x = (input.unsqueeze(0) if alone else input).unsqueeze(0)
        states = self._unsqueezed(given, 1, 0) if alone else given
        call, (_, *finals) = self._run(x, self._unsqueezed(states, 2, 0), given)
        made = tuple(f[0, 0] if alone else f[0] for f in finals)
        call.returned = made
        return made if len(made) == 2 else made[0]

    def _unsqueezed(
        self, states: tuple[Tensor | None, ...], dims: int, at: int
    ) -> tuple[Tensor | None, ...]:
        for state in states:
            if state is not None and state.dim() != dims:
                raise RuntimeError(
                    f"{type(self.module).__name__}: the state that goes with this input has "
                    f"{dims} dimensions, not {state.dim()}"
                )
        return tuple(None if s is None else s.unsqueeze(at) for s in states)

    def _check(self, x: Tensor, states: tuple[Tensor | None, ...], dtype: torch.dtype) -> None:
        """Refuse what the module itself refuses, in torch's words."""
        spec, rows = self.spec, self.spec.num_layers * self.spec.directions
        if x.dtype != dtype and not torch.is_autocast_enabled(x.device.type):
            raise ValueError(
                f"RNN input dtype ({x.dtype}) does not match weight dtype ({dtype}). Convert "
                f"input: input.to({dtype}), or convert model: model.to({x.dtype})"
            )
        if x.size(-1) != spec.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {spec.input_size}, got "
                f"{x.size(-1)}"
            )
        if not x.size(0) or not x.size(1):
            raise RuntimeError("Expected sequence length and batch to be larger than 0 in RNN")
        for state, size in zip(states, (spec.output_size, spec.hidden_size), strict=False):
            expected = (rows, x.size(1), size)
            if state is not None and tuple(state.shape) != expected:
                raise RuntimeError(f"Expected hidden size {expected}, got {list(state.shape)}")
