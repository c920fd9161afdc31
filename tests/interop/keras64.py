"""Keras on its torch backend, built and run in float64."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

os.environ["KERAS_BACKEND"] = "torch"  # read when keras is first imported
import keras
import torch
from keras.src.backend.common import dtypes

SIMPLE = {f"SimpleRNN {f}": ("SimpleRNN", {"activation": f}) for f in ("tanh", "relu", "sigmoid")}
KINDS: dict[str, tuple[str, dict[str, Any]]] = SIMPLE | {
    "SimpleRNN linear": ("SimpleRNN", {"activation": None}),
    "LSTM": ("LSTM", {}),
    "GRU": ("GRU", {}),
    "GRU before": ("GRU", {"reset_after": False}),
}


@pytest.fixture(autouse=True)
def float64(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Build layers in float64, and keep it: Keras multiplies in float32 (keras issue 23704)."""
    usual, floatx, policy = dtypes.result_type, keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")

    def result_type(*given: Any) -> str:
        exact = any(str(one).endswith("float64") for one in given)
        return "float64" if exact else usual(*given)

    monkeypatch.setattr(dtypes, "result_type", result_type)
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


def built(kind: str, inputs: int, units: int, rng: np.random.Generator, **options: Any) -> Any:
    """A layer of `KINDS` with weights drawn, biases too."""
    name, more = KINDS[kind]
    layer = getattr(keras.layers, name)(units, **more, **options)
    return drawn(layer, inputs, rng)


def both(kind: str, inputs: int, units: int, rng: np.random.Generator, **options: Any) -> Any:
    """A Bidirectional of them."""
    name, more = KINDS[kind]
    merge = {"merge_mode": options.pop("merge_mode")} if "merge_mode" in options else {}
    layer = getattr(keras.layers, name)(units, **more, **options)
    return drawn(keras.layers.Bidirectional(layer, **merge), inputs, rng)


def drawn(layer: Any, inputs: int, rng: np.random.Generator) -> Any:
    layer.build((None, None, inputs))
    for variable in layer.trainable_variables:
        variable.assign(0.6 * rng.standard_normal(variable.shape))
    return layer


def variables(layer: Any) -> dict[str, Any]:
    """A layer's weights by the names that a network and a recording give them."""
    if isinstance(layer, keras.layers.Bidirectional):
        parts = {"forward_layer.": layer.forward_layer, "backward_layer.": layer.backward_layer}
    else:
        parts = {"": layer}
    return {
        prefix + name: variable
        for prefix, part in parts.items()
        for name in ("kernel", "recurrent_kernel", "bias")
        if (variable := getattr(part.cell, name)) is not None
    }


def tensor(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.tensor(rng.standard_normal(shape), requires_grad=True)
