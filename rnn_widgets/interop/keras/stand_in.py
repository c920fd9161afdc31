"""Standing in for a Keras layer's ``call``, as `rnn_widgets.interop.capture` does for torch's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from rnn_widgets.interop.capture.calls import Call, Caller, apply, own, precision
from rnn_widgets.interop.capture.spec import LayerSpec
from rnn_widgets.interop.names import KERAS_GATES

from .layers import read, taken_apart


class KerasStandIn(Caller):
    """What is called in a layer's place; keeps the calls.

    Parameters
    ----------
    layer : keras.layers.Layer
        As for `rnn_widgets.interop.keras.layers.read`.
    dummy : tensor
        A scalar that requires grad, so that each call is in autograd's graph.
    """

    attribute = "call"
    refusal = ""

    def __init__(self, layer: Any, dummy: Tensor) -> None:
        super().__init__(dummy)
        self.layer = layer
        self.described = read(layer)
        main = self.described.main
        self.parts = [one.layer for one in self.described.directions]
        self.spec = LayerSpec(
            main.kind.upper(),
            self.described.input_size,
            main.units,
            directions=len(self.parts),
            nonlinearity=main.nonlinearity,
            reset_after=main.reset_after,
            go_backwards=bool(main.layer.go_backwards),
        )
        self.names = self.described.parameters
        self.gates: Mapping[str, str] = KERAS_GATES[main.kind]
        self.kind = "SimpleRNN" if main.kind == "rnn" else self.spec.kind
        self.training = False

    @property
    def mode(self) -> str:
        """Whether the layer was called for training, "train", or not, "eval"."""
        return "train" if self.training else "eval"

    @property
    def frozen(self) -> list[str]:
        """Names of variables that are not trained."""
        variables = self.described.variables
        return [p.name for p in self.names if not variables[p.name].trainable]

    def forward(
        self, sequences: Tensor, initial_state: Any = None, mask: Any = None, training: Any = False
    ) -> Any:
        """As SimpleRNN, GRU, LSTM and Bidirectional are called."""
        self.training = bool(training)
        self.refusal = self.refusal or self._refused()
        if self.refusal:  # said after the pass, for Keras wraps what is raised within it
            return type(self.layer).call(
                self.layer, sequences, initial_state, mask=mask, training=training
            )
        weights: dict[str, Tensor] = {}
        for parameter in self.names:
            held = self.described.variables[parameter.name].value
            weights |= taken_apart(parameter, held)
        one = weights["weight_ih_l0"]
        x = sequences if sequences.is_floating_point() else sequences.to(one.dtype)
        x = x * self._dropout(x) if self.training and self._cells[0].dropout else x
        given = self._given(initial_state)
        mask = _flat(mask)
        live = None if mask is None or bool(mask.all()) else mask.transpose(0, 1)
        dtype = precision(one.dtype)
        call = Call(
            self.spec, {name: own(tensor, dtype) for name, tensor in weights.items()}, live=live
        )
        self.calls.append(call)
        in_order = [weights.get(name) for name in self.spec.weights()]
        width = len(self.spec.states)
        stacked = [torch.stack(given[i::width]) if given else None for i in range(width)]
        c0 = stacked[1] if width == 2 else None
        y, *finals = apply(call, self.dummy, x.transpose(0, 1), stacked[0], c0, in_order)
        states = [final[d] for d in range(len(self.parts)) for final in finals]
        if len(self.parts) == 1:
            call.given, call.returned = given or (None,) * width, tuple(states)
        self._keep(states)
        sides = [
            _given_back(part, side.transpose(0, 1), live)
            for part, side in zip(self.parts, y.chunk(len(self.parts), -1), strict=True)
        ]
        output = sides if len(sides) == 1 else self._merged(*sides)
        given_back = (*output, *states) if self.parts[0].return_state else tuple(output)
        return given_back[0] if len(given_back) == 1 else given_back

    @property
    def _cells(self) -> list[Any]:
        return [one.cell for one in self.described.directions]

    def _refused(self) -> str:
        """Why a call cannot be recorded; empty if it can."""
        if not self.training:
            return ""
        why = ""
        if any(cell.recurrent_dropout for cell in self._cells):
            why = "has recurrent_dropout"
        elif any(cell.dropout for cell in self._cells) and len(self.parts) == 2:
            why = "drops out its input differently for each direction"
        elif self._cells[0].dropout and getattr(self._cells[0], "implementation", 2) == 1:
            why = "drops out its input differently for each gate"
        return why and (
            f"{self.layer.name!r} {why}, which cannot be recorded in training: record it with "
            "training=False"
        )

    def _dropout(self, x: Tensor) -> Tensor:
        """The layer's mask on its input, the same at every step, from its own random numbers."""
        mask: Tensor = self._cells[0].get_dropout_mask(x[:, 0, :])
        self._cells[0].reset_dropout_mask()
        return mask.unsqueeze(1)

    def _given(self, initial_state: Any) -> tuple[Tensor, ...]:
        """The states it begins from, direction by direction; empty for zeros."""
        if initial_state is None and self.parts[0].stateful:
            initial_state = [state for part in self.parts for state in part.states]
        if initial_state is None:
            return ()
        states = initial_state if isinstance(initial_state, list | tuple) else [initial_state]
        return tuple(s if isinstance(s, Tensor) else s.value for s in states)

    def _keep(self, states: list[Tensor]) -> None:
        """A stateful layer begins the next call where this one ended."""
        if self.parts[0].stateful:
            kept = [variable for part in self.parts for variable in part.states]
            for variable, state in zip(kept, states, strict=True):
                variable.assign(state.detach())

    def _merged(self, forward: Tensor, backward: Tensor) -> list[Tensor]:
        """Both directions as Bidirectional's merge_mode has it."""
        if self.parts[1].return_sequences:
            backward = backward.flip(1)
        match self.layer.merge_mode:
            case "concat":
                return [torch.cat((forward, backward), -1)]
            case "sum":
                return [forward + backward]
            case "ave":
                return [(forward + backward) / 2]
            case "mul":
                return [forward * backward]
        return [forward, backward]


def _flat(mask: Any) -> Tensor | None:
    """A mask as (N, T)."""
    if isinstance(mask, list | tuple):
        mask = mask[0]
    if mask is None:
        return None
    found: Tensor = mask.bool()
    return found.squeeze(-1) if found.dim() == 3 else found


def _given_back(layer: Any, y: Tensor, live: Tensor | None) -> Tensor:
    """What a layer gives, in the order in which it ran, from its states (N, T, H) in time.

    Where a step is masked Keras gives the output of the last one that was not, or zeros.
    """
    y = y.flip(1) if layer.go_backwards else y
    if live is not None:
        real = live.transpose(0, 1)
        real = real.flip(1) if layer.go_backwards else real
        steps = torch.arange(real.shape[1], device=y.device)
        last = torch.where(real, steps, -1).cummax(1).values
        y = y.gather(1, last.clamp(min=0).unsqueeze(-1).expand(y.shape))
        shown = real if layer.zero_output_for_mask else last >= 0
        y = torch.where(shown.unsqueeze(-1), y, 0)
    return y if layer.return_sequences else y[:, -1]
