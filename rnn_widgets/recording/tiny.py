"""One sample of a recorded layer as a network of this package, for the explorer."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_widgets.build import make
from rnn_widgets.core import cells
from rnn_widgets.core.template import Template
from rnn_widgets.interop.capture.spec import LayerSpec, suffix
from rnn_widgets.network import Network

from .layer import Arrays

MOST_UNITS, MOST_STEPS, MOST_INPUTS = 16, 32, 64


def network(spec: LayerSpec, arrays: Arrays, sample: int, steps: int) -> Network:
    """The layer with this sample's inputs, initial states and, as seeds, its direct adjoints.

    Raises
    ------
    ValueError
        If the layer has what networks here have not.
    """
    _refuse(spec, arrays, sample)
    given: dict[str, Any] = {
        name.removeprefix("weights."): array
        for name, array in arrays.items()
        if name.startswith("weights.")
    }
    ends = [
        (suffix(layer, d), d) for layer in range(spec.num_layers) for d in range(spec.directions)
    ]
    for state in spec.states:
        before = [
            arrays[f"{state}_before{end}"][steps - 1 if reverse else 0, sample]
            for end, reverse in ends
        ]
        given[f"{state}0"] = before[0] if len(before) == 1 else np.stack(before)
    given["x"] = arrays["x"][:steps, sample]
    top = [arrays["direct" + end][:steps, sample] for end, _ in ends[-spec.directions :]]
    given["v"] = np.concatenate(top, -1)
    for name, array in given.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"{name} of sample {sample} is not finite: no network can be made of it"
            )
    return make(
        _cell(spec, arrays),
        spec.input_size,
        spec.hidden_size,
        steps,
        0,
        given,
        num_layers=spec.num_layers,
        bidirectional=spec.directions == 2,
    )


def refuse_large(spec: LayerSpec, steps: int) -> None:
    """Refuse what the explorer cannot draw.

    Raises
    ------
    ValueError
        With the sizes that would do.
    """
    if spec.hidden_size > MOST_UNITS or steps > MOST_STEPS or spec.input_size > MOST_INPUTS:
        raise ValueError(
            f"the explorer draws up to {MOST_UNITS} units, {MOST_STEPS} steps and {MOST_INPUTS} "
            f"inputs; this layer has {spec.hidden_size} units, {steps} steps and "
            f"{spec.input_size} inputs. Record a smaller layer of the same kind on shorter "
            "sequences, or look at this one with its own figures"
        )


def _refuse(spec: LayerSpec, arrays: Arrays, sample: int) -> None:
    if spec.proj_size:
        raise ValueError(
            f"the layer has proj_size={spec.proj_size}; networks here have no projection"
        )
    if any(name.startswith("mask_l") for name in arrays):
        raise ValueError(
            "the layer dropped out outputs between its layers, which networks here do not: record "
            "it in eval mode"
        )
    if spec.go_backwards:
        raise ValueError(
            "the layer has go_backwards=True, and networks here read their input forward"
        )
    if "live" in arrays and "lengths" not in arrays:
        raise ValueError("the layer's steps were masked, which networks here do not have")
    for name, array in arrays.items():
        if name.startswith("outside_") and array[:, sample].any():
            state = "c" if name.startswith("outside_c") else "h"
            raise ValueError(
                f"the loss reaches {state} of a layer otherwise than through the layer's outputs "
                f"({name.removeprefix('outside_')}), which seeds on the outputs cannot say"
            )


def _cell(spec: LayerSpec, arrays: Arrays) -> Template:
    bias: bool | str = False
    if "weights.bias_ih_l0" in arrays:
        bias = True if "weights.bias_hh_l0" in arrays else "single"
    if spec.kind == "RNN":
        return cells.rnn_cell(spec.nonlinearity, bias)
    return cells.lstm_cell(bias) if spec.kind == "LSTM" else cells.gru_cell(spec.reset_after, bias)
