"""What Keras and Flux call a parameter, and how they lay it out.

PyTorch stacks an LSTM's gates i, f, g, o and a GRU's r, z, n as rows; Keras stores the transpose,
with a GRU's gates z, r, n; Flux stores them as PyTorch does, with one bias, but keeps the candidate
of a GRU whose reset gate acts before the matrix apart: that one has no names of Flux here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from rnn_widgets.core.gradients import Alias
from rnn_widgets.core.ops import Array
from rnn_widgets.core.program import Program

from .builtin import Builtin, builtin

_KERAS_GRU_ORDER = (1, 0, 2)
_KERAS = {"weight_ih": "kernel", "weight_hh": "recurrent_kernel", "bias_ih": "bias"}
_FLUX = {"weight_ih": "Wi", "weight_hh": "Wh", "bias_ih": "b"}


def gate_order(array: Array, gates: int, order: tuple[int, ...]) -> Array:
    """Reorder gates that are stacked on the first axis."""
    parts = np.split(array, gates)
    return np.concatenate([parts[i] for i in order])


def aliases(program: Program) -> list[Alias]:
    """Every other name under which a program's gradients can be asked for.

    A single layer goes by plain names ("kernel", "Wi", and as in PyTorch's cells "weight_ih");
    layers of a stack by "layers[0].kernel" (Keras) and, counted from 1 as Julia does,
    "layers[1].Wi" (Flux); the directions of a bidirectional layer by "forward_layer.kernel" and
    "backward_layer.kernel" (Keras only).
    """
    cell = builtin(program.cell)
    found = [] if cell is None else _cell_aliases(program, cell)
    if program.readout:
        found.append(
            Alias("Keras", "dense.kernel", "readout.weight", lambda g: g["readout.weight"].T)
        )
        found.append(Alias("Keras", "dense.bias", "readout.bias", _as_is("readout.bias")))
        found.append(Alias("Flux", "dense.weight", "readout.weight", _as_is("readout.weight")))
    return found


def _cell_aliases(program: Program, cell: Builtin) -> list[Alias]:
    found = []
    for block in program.blocks:
        if not block.recurrent:
            continue
        layer = block.row // program.directions
        stack = program.num_layers > 1
        keras = f"layers[{layer}]." if stack else ""
        if program.bidirectional:
            keras += "backward_layer." if block.reverse else "forward_layer."
        flux = f"layers[{layer + 1}]." if stack else ""
        for parameter, leaf in block.leaves.items():
            if parameter not in program.cell.params:
                continue
            if program.rows == 1:
                found.append(Alias("PyTorch cell", parameter, leaf, _as_is(leaf)))
            layout = _keras_layout(block.leaves, parameter, cell)
            if layout is not None:
                found.append(Alias("Keras", keras + _KERAS[parameter], leaf, layout))
            if parameter in _FLUX and not program.bidirectional and cell.reset_after is not False:
                found.append(Alias("Flux", flux + _FLUX[parameter], leaf, _as_is(leaf)))
    return found


def _as_is(leaf: str) -> Callable[[Mapping[str, Array]], Array]:
    return lambda gradients: gradients[leaf]


def _keras_layout(
    leaves: Mapping[str, str], parameter: str, cell: Builtin
) -> Callable[[Mapping[str, Array]], Array] | None:
    if parameter not in _KERAS:
        return None

    def ordered(array: Array) -> Array:
        return gate_order(array, 3, _KERAS_GRU_ORDER) if cell.kind == "gru" else array

    leaf = leaves[parameter]
    if parameter != "bias_ih":
        return lambda gradients: ordered(gradients[leaf]).T
    if cell.kind != "gru" or not cell.reset_after:
        return lambda gradients: ordered(gradients[leaf])
    if "bias_hh" not in leaves:
        return None  # Keras keeps two rows of bias here, which a single bias cannot answer for
    recurrent = leaves["bias_hh"]
    return lambda gradients: np.stack([ordered(gradients[leaf]), ordered(gradients[recurrent])])
