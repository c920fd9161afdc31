"""What Keras and Flux call a parameter, and how they lay it out.

PyTorch stacks an LSTM's gates i, f, g, o and a GRU's r, z, n as rows; Keras stores the transpose,
calls an LSTM's gates i, f, c, o and has a GRU's in the order z, r, h (`KERAS_GATES`); Flux stores
them as PyTorch does, with one bias, but keeps the candidate of a GRU whose reset gate acts before
the matrix apart: that one has no names of Flux here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import numpy as np

from rnn_widgets.core.gradients import Alias
from rnn_widgets.core.names import entry_index
from rnn_widgets.core.program import Program

from .builtin import Builtin, builtin
from .capture.spec import GATES, Parameter

# Keras's name of each gate, in Keras's order, to PyTorch's: the candidates have other letters.
KERAS_GATES: dict[str, dict[str, str]] = {
    "rnn": {"h": "h"},
    "gru": {"z": "z", "r": "r", "h": "n"},
    "lstm": {"i": "i", "f": "f", "c": "g", "o": "o"},
}
_FLUX = {"weight_ih": "Wi", "weight_hh": "Wh", "bias_ih": "b"}


def keras_parameters(
    kind: str, roles: Collection[str], end: str = "_l0", prefix: str = "", reset_after: bool = True
) -> tuple[Parameter, ...]:
    """Keras's names and layouts for the weights of one layer and direction.

    Parameters
    ----------
    kind : str
        "rnn", "gru" or "lstm".
    roles : collection of str
        The weights there are: "weight_ih", "weight_hh", "bias_ih", "bias_hh".
    end : str
        How PyTorch ends their names.
    prefix : str
        What Keras puts before them, such as ``"forward_layer."``.
    reset_after : bool
        Of a GRU.

    Returns
    -------
    tuple of Parameter
        ``kernel``, ``recurrent_kernel`` and ``bias``, the last only where it can be told: of
        PyTorch's two biases Keras keeps one, except for a GRU with ``reset_after``, which stacks
        both as rows.
    """
    gates = GATES[kind.upper()]
    order: tuple[int, ...] | None = tuple(gates.index(one) for one in KERAS_GATES[kind].values())
    if order == tuple(range(len(gates))):
        order = None
    found = [
        Parameter(prefix + "kernel", ("weight_ih" + end,), order, transpose=True),
        Parameter(prefix + "recurrent_kernel", ("weight_hh" + end,), order, transpose=True),
    ]
    biases = ("bias_ih", "bias_hh") if kind == "gru" and reset_after else ("bias_ih",)
    if set(biases) <= set(roles):
        found.append(Parameter(prefix + "bias", tuple(b + end for b in biases), order))
    return tuple(found)


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
        kernel = Parameter("dense.kernel", ("readout.weight",), transpose=True)
        found.append(Alias("Keras", kernel.name, kernel.sources, kernel.laid_out))
        found.append(_same("Keras", "dense.bias", "readout.bias"))
        found.append(_same("Flux", "dense.weight", "readout.weight"))
    return found


def leaves_of(program: Program, name: str) -> tuple[str, ...]:
    """The leaves that a name stands for: several where another framework joins them."""
    if name in program.leaves:
        return (name,)
    return next((a.leaves for a in aliases(program) if a.name == name), (name,))


def native(program: Program, text: Any, *, ordered: bool = True) -> Any:
    """A leaf or an entry under PyTorch's name and in its layout; anything else as it is.

    The entry "kernel[0,2]" of Keras is "weight_ih_l0[2,0]".

    Parameters
    ----------
    program : Program
    text : str
        An entry or a leaf, by any name.
    ordered : bool
        Whether a whole leaf is read entry by entry, so that its layout matters.

    Raises
    ------
    IndexError, ValueError
        For an entry that the other framework's array does not have, or a whole array that is no
        leaf as it is: laid out otherwise, or joined of several.
    """
    if not isinstance(text, str) or text.partition("[")[0].strip() in program.leaves:
        return text
    for alias in aliases(program):
        match = re.fullmatch(rf"\s*{re.escape(alias.name)}\s*(?:\[([^\[\]]*)\])?\s*", text)
        if match:
            return _native(program, alias, match[1], ordered)
    return text


def _native(program: Program, alias: Alias, brackets: str | None, ordered: bool) -> str:
    shapes = {leaf: program.leaves[leaf] for leaf in alias.leaves}
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    ends = np.cumsum(sizes)
    places = {
        leaf: np.arange(end - size, end, dtype=float).reshape(shape)
        for (leaf, shape), size, end in zip(shapes.items(), sizes, ends, strict=True)
    }
    laid_out = alias.layout(places)
    if brackets is not None:
        place = int(laid_out[entry_index(alias.name, laid_out.shape, brackets)])
        which = int(np.searchsorted(ends, place, side="right"))
        leaf = alias.leaves[which]
        index = np.unravel_index(place - int(ends[which]) + sizes[which], shapes[leaf])
        return f"{leaf}[{','.join(map(str, index))}]"
    example = f"{alias.name}[{','.join('0' for _ in laid_out.shape)}]"
    if len(shapes) > 1:
        raise ValueError(
            f"{alias.name} joins {' and '.join(shapes)}: name one of these, or an entry such as "
            f"{example}"
        )
    if ordered and not np.array_equal(laid_out, places[alias.leaf]):
        raise ValueError(
            f"{alias.name} is {alias.leaf} in another layout, that of {alias.framework}: name an "
            f"entry such as {example}, or {alias.leaf} for the whole of it in PyTorch's layout"
        )
    return alias.leaf


def _cell_aliases(program: Program, cell: Builtin) -> list[Alias]:
    found = []
    for block in program.blocks:
        if not block.recurrent:
            continue
        layer = block.row // program.directions
        stack = program.num_layers > 1
        prefix = f"layers[{layer}]." if stack else ""
        if program.bidirectional:
            prefix += "backward_layer." if block.reverse else "forward_layer."
        end = block.leaves["weight_ih"].removeprefix("weight_ih")
        keras = {
            p.sources[0]: p
            for p in keras_parameters(cell.kind, program.cell.params, end, prefix, cell.reset_after)
        }
        flux = f"layers[{layer + 1}]." if stack else ""
        for parameter in program.cell.params:
            leaf = block.leaves[parameter]
            if program.rows == 1:
                found.append(_same("PyTorch cell", parameter, leaf))
            if leaf in keras:
                made = keras[leaf]
                found.append(Alias("Keras", made.name, made.sources, made.laid_out))
            if parameter in _FLUX and not program.bidirectional and cell.reset_after is not False:
                found.append(_same("Flux", flux + _FLUX[parameter], leaf))
    return found


def _same(framework: str, name: str, leaf: str) -> Alias:
    return Alias(framework, name, (leaf,), lambda gradients: gradients[leaf])
