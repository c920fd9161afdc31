"""What a recording holds: the arrays of a layer's pass, by the names that people use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from rnn_widgets.interop.capture.spec import LayerSpec, Parameter

from .layer import Array, GateRecord, LayerRecord, Named, Source, StateRecord, sealed


class Recorded:
    """What a layer was, and its states, gates, adjoints and gradients.

    Parameters
    ----------
    meta : dict
        What is not an array: plain data.
    arrays : dict
        Name to array, as `rnn_widgets.interop.capture.collect` names them.
    """

    def __init__(self, meta: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
        self._meta = dict(meta)
        self._arrays = {name: sealed(array) for name, array in arrays.items()}
        self._spec = LayerSpec(**self._meta["spec"])
        self._parameters = {
            p["name"]: Parameter(p["name"], tuple(p["sources"]), _order(p["order"]), p["transpose"])
            for p in self._meta["parameters"]
        }
        self._source = Source(self._spec, self._arrays, self._real, self._meta.get("gates", {}))

    # What was recorded

    @property
    def layer(self) -> str:
        """The layer's name in the model, "" for the model itself."""
        return str(self._meta["layer"])

    @property
    def kind(self) -> str:
        """What kind of layer: "RNN", "GRU" or "LSTM"; of Keras "SimpleRNN", "GRU" or "LSTM"."""
        return str(self._meta["kind"])

    @property
    def mode(self) -> str:
        """The mode that the model was in: "train" or "eval"."""
        return str(self._meta["mode"])

    @property
    def layer_mode(self) -> str:
        """The mode that the layer itself was in, which decides over its dropout."""
        return str(self._meta["layer_mode"])

    @property
    def calls(self) -> int:
        """How many calls of the layer are joined in time: 1 unless the model loops over it."""
        return int(self._meta["calls"])

    @property
    def device(self) -> str:
        """The device that the layer was on."""
        return str(self._meta["device"])

    @property
    def dtype(self) -> str:
        """The type of the numbers: "float32" or "float64"."""
        return str(self._meta["dtype"])

    @property
    def loss(self) -> float:
        """The loss."""
        return float(self._meta["loss"])

    @property
    def losses(self) -> Array | None:
        """The loss of each sample (N,), if sample weights were given."""
        return self._arrays.get("losses")

    @property
    def steps(self) -> int:
        """T."""
        return int(self._arrays["x"].shape[0])

    @property
    def samples(self) -> int:
        """N."""
        return int(self._arrays["x"].shape[1])

    @property
    def hidden(self) -> int:
        """Output units of one direction: H, or the size of the projection."""
        return self._spec.output_size

    @property
    def directions(self) -> int:
        """D: 1, or 2 for a bidirectional layer."""
        return self._spec.directions

    @property
    def num_layers(self) -> int:
        """Layers of the stack."""
        return self._spec.num_layers

    @property
    def lengths(self) -> Array | None:
        """The length of each sequence (N,) of a packed batch; None if all have T steps."""
        return self._arrays.get("lengths")

    @property
    def _real(self) -> Array | None:
        if self.lengths is None:
            return None
        real: Array = np.arange(self.steps)[:, None] < self.lengths
        return real

    # States, gates and what is around them

    @cached_property
    def layers(self) -> tuple[LayerRecord, ...]:
        """Each layer of the stack, from the input up."""
        return tuple(LayerRecord(self._source, i) for i in range(self.num_layers))

    @property
    def direct(self) -> Array:
        """What reaches the top layer's h_t except by its own next state: (N, T, D·H)."""
        return self.layers[-1].direct

    @property
    def carried(self) -> Array:
        """What came back through the top layer's own next state: (N, T, D·H)."""
        return self.layers[-1].carried

    @property
    def total(self) -> Array:
        """∂L/∂h_t of the top layer, as autograd has it: (N, T, D·H)."""
        return self.layers[-1].total

    @property
    def outputs(self) -> Array:
        """What the layer gave: (N, T, D·H)."""
        return self.layers[-1].outputs

    @property
    def cell(self) -> StateRecord | None:
        """Adjoints and values of an LSTM's cell state, (N, T, D·H) each; None for other kinds."""
        return self.layers[-1].cell

    @property
    def gates(self) -> Named[GateRecord]:
        """Gates of the top layer in PyTorch's order; of an RNN, "h".

        Those of a layer of Keras go by Keras's letters too: i, f, c, o and z, r, h.
        """
        return self.layers[-1].gates

    @cached_property
    def x(self) -> Array:
        """What the layer was given: (N, T, I)."""
        return self._source.batch_first([self._arrays["x"]])

    @cached_property
    def inputs(self) -> Array:
        """∂L/∂(the layer's input): (N, T, I)."""
        total: Any = 0
        with np.errstate(all="ignore"):
            for end in ("", "_reverse")[: self.directions]:
                adjoints = self._arrays["adjoints_l0" + end]
                flat = adjoints.reshape(*adjoints.shape[:2], -1)
                total = total + flat @ self._arrays["weights.weight_ih_l0" + end]
        return self._source.batch_first([total])

    @cached_property
    def initial(self) -> Named[Array]:
        """Adjoints of the initial states: "h0" (L·D, N, H), of an LSTM "c0" too."""
        return Named(
            "initial state",
            {f"{s}0": self._arrays[f"initial.{s}0"] for s in self._spec.states},
        )

    @cached_property
    def gradients(self) -> Named[Array]:
        """∂L/∂parameter by the layer's own names: what ``.grad`` would hold.

        Of what the layer itself does with it, all its calls together (one of them with ``call=``):
        the sum of `by_source`. Where the model or the loss uses the parameter in other places too,
        ``.grad`` would hold their share as well: `shared` names those in other modules; what a loss
        does with it, as a penalty on weights, cannot be seen from here.

        Nor are tensor hooks run, which would change ``.grad``. Of a parametrized layer, as with
        ``spectral_norm`` or ``weight_norm``, it is the gradient of the effective weight, which the
        layer computes with; ``.grad`` is that of the parameters behind it. A parameter that is not
        trained has a gradient here all the same.
        """
        return Named("parameter", self._by_parameter("gradients."))

    @property
    def shared(self) -> dict[str, tuple[str, ...]]:
        """Parameters that stand in other places of the model too, by their names there.

        Of these ``.grad`` holds more than `gradients`, which is the layer's own share.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> layer = torch.nn.RNN(3, 3)
        >>> layer.weight_hh_l0 = layer.weight_ih_l0
        >>> rw.record(layer, torch.ones(4, 1, 3), lambda out: out[0].sum()).shared
        {'weight_ih_l0': ('weight_hh_l0',), 'weight_hh_l0': ('weight_ih_l0',)}
        """
        found: dict[str, list[str]] = self._meta.get("shared", {})
        return {name: tuple(others) for name, others in found.items()}

    @cached_property
    def weights(self) -> Named[Array]:
        """The layer's parameters as they were, by its own names."""
        return Named("parameter", self._by_parameter("weights."))

    def _by_parameter(self, prefix: str) -> dict[str, Array]:
        found = {
            name.removeprefix(prefix): array
            for name, array in self._arrays.items()
            if name.startswith(prefix)
        }
        return {name: sealed(p.laid_out(found)) for name, p in self._parameters.items()}


def _order(order: Any) -> tuple[int, ...] | None:
    return None if order is None else tuple(order)
