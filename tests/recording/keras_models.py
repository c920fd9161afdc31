"""A model of Keras whose layer is recorded, a loss of all it gives, and what is compared."""

from __future__ import annotations

from typing import Any

import torch

from rnn_widgets.recording.recording import Recording
from tests.interop.keras64 import keras

from .cases import close

I, H = 2, 3  # noqa: E741


class Model(keras.Model):
    """A layer after another, with a mask and so many initial states made of the input."""

    def __init__(self, layer: Any, mask: Any = None, states: int = 0) -> None:
        super().__init__()
        self.first = keras.layers.Dense(I)
        self.layer, self.mask, self.states = layer, mask, states
        self.seen: Any = None
        self.starts: list[Any] = []
        self.built = True

    def call(self, x: torch.Tensor, training: bool = False) -> Any:
        self.seen = self.first(x)
        options: dict[str, Any] = {"mask": self.mask, "training": training}
        if self.states:
            state = torch.tanh(x.sum(1)[:, :1]) * torch.linspace(0.2, 1, H, dtype=x.dtype)
            self.starts = [state * (i + 1) / 2 for i in range(self.states)]
            options["initial_state"] = self.starts
        return self.layer(self.seen, **options)


def loss(output: Any) -> torch.Tensor:
    """A loss in which every number that the layer gives has a weight of its own."""
    parts = output if isinstance(output, list | tuple) else [output]
    total = torch.zeros((), dtype=torch.float64)
    for i, part in enumerate(parts):
        weights = torch.sin(torch.arange(part.numel(), dtype=part.dtype) + i).reshape(part.shape)
        total = total + (weights * part + part**2 / 3).sum()
    return total


def same(rec: Recording, other: Recording, time: slice = slice(None)) -> None:
    """One recording, at these times, is the other."""
    for name in ("direct", "carried", "total", "outputs", "inputs"):
        close(getattr(rec, name)[:, time], getattr(other, name), name)
    for gate, of_other in zip(rec.gates.values(), other.gates.values(), strict=True):
        close(gate.adjoints[:, time], of_other.adjoints, "gate")
        close(gate.values[:, time], of_other.values, "gate")
    if rec.cell is not None and other.cell is not None:
        for name in ("direct", "carried", "total", "values"):
            close(getattr(rec.cell, name)[:, time], getattr(other.cell, name), f"cell {name}")
