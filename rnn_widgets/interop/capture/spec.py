"""What a recurrent layer is, in words that belong to no framework: kind, sizes and names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_F = TypeVar("_F", bound=np.floating)

GATES = {"RNN": ("h",), "GRU": ("r", "z", "n"), "LSTM": ("i", "f", "g", "o")}
NONLINEARITIES = ("tanh", "relu", "sigmoid", "identity")
ROLES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


@dataclass(frozen=True)
class LayerSpec:
    """A recurrent layer: any number of layers of one kind, in one or two directions.

    ``kind`` is "RNN", "GRU" or "LSTM"; ``proj_size`` is 0 without a projection; ``nonlinearity``
    is that of an RNN and ``reset_after`` that of a GRU; with ``go_backwards`` the only direction
    runs from the last step to the first. Weights go by PyTorch's names (``weight_ih_l0_reverse``)
    and have its layout; which biases there are, the weights tell.
    """

    kind: str
    input_size: int
    hidden_size: int
    num_layers: int = 1
    directions: int = 1
    proj_size: int = 0
    nonlinearity: str = "tanh"
    reset_after: bool = True
    go_backwards: bool = False

    @property
    def output_size(self) -> int:
        """Units of the state h in one direction: the projection's if there is one."""
        return self.proj_size or self.hidden_size

    @property
    def gates(self) -> tuple[str, ...]:
        """Names of the gates in PyTorch's order."""
        return GATES[self.kind]

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states."""
        return ("h", "c") if self.kind == "LSTM" else ("h",)

    def reverse(self, direction: int) -> bool:
        """Whether a direction, 0 or 1, runs from the last step to the first."""
        return direction == 1 or self.go_backwards

    def below(self, layer: int) -> int:
        """Size of what a layer of the stack reads."""
        return self.directions * self.output_size if layer else self.input_size

    def weights(self, bias: bool = True) -> dict[str, tuple[int, ...]]:
        """Every weight's name and shape, in PyTorch's order."""
        rows, shapes = len(self.gates) * self.hidden_size, {}
        for layer in range(self.num_layers):
            for reverse in range(self.directions):
                of_role: dict[str, tuple[int, ...]] = {
                    "weight_ih": (rows, self.below(layer)),
                    "weight_hh": (rows, self.output_size),
                    "bias_ih": (rows,),
                    "bias_hh": (rows,),
                    "weight_hr": (self.proj_size, self.hidden_size),
                }
                for role, shape in of_role.items():
                    if role == "weight_hr" and not self.proj_size:
                        continue
                    if bias or not role.startswith("bias"):
                        shapes[role + suffix(layer, reverse)] = shape
        return shapes


def suffix(layer: int, reverse: int) -> str:
    """How PyTorch ends the name of a weight: ``_l0`` or ``_l0_reverse``."""
    return f"_l{layer}" + ("_reverse" if reverse else "")


@dataclass(frozen=True)
class Parameter:
    """How a framework names a weight and lays it out.

    ``sources`` are the weights (PyTorch's names) it is made of: one, or two that it stacks.
    ``order`` puts the gates in the framework's order, counted in PyTorch's; ``transpose`` swaps
    rows and columns after that.
    """

    name: str
    sources: tuple[str, ...]
    order: tuple[int, ...] | None = None
    transpose: bool = False

    def laid_out(self, arrays: Mapping[str, NDArray[_F]]) -> NDArray[_F]:
        """The framework's array from those of the sources; leading axes are kept."""
        parts = [self._one(source, arrays[source]) for source in self.sources]
        return parts[0] if len(parts) == 1 else np.stack(parts, axis=-2)

    def _one(self, source: str, array: NDArray[_F]) -> NDArray[_F]:
        rows = -2 if source.startswith("weight") else -1
        if self.order is not None:
            parts = np.split(array, len(self.order), axis=rows)
            array = np.concatenate([parts[i] for i in self.order], axis=rows)
        return array.swapaxes(-1, -2) if self.transpose else array


def same_names(weights: Sequence[str]) -> tuple[Parameter, ...]:
    """The table of a framework that uses PyTorch's own names and layout."""
    return tuple(Parameter(name, (name,)) for name in weights)
