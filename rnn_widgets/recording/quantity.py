"""One name for every recorded quantity, for figures, comparisons and people's own plots."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnn_widgets.core.names import UnknownNameError

from .layer import Array, LayerRecord

if TYPE_CHECKING:
    from .recording import Recording

STATES = ("sample", "step", "unit")


@dataclass(frozen=True, eq=False)
class Quantity:
    """Numbers of a recording with what their axes are and what to write beside them.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(4, 5, 2), lambda out: out[0].sum())
    >>> rec.quantity("by_source[weight_hh_l0]")
    Quantity(gradient of weight_hh_l0 by source step, source step × row × column: (4, 3, 3))
    """

    values: Array
    axes: tuple[str, ...]
    label: str

    def __repr__(self) -> str:
        return f"Quantity({self.label}, {' × '.join(self.axes)}: {self.values.shape})"


_Reader = tuple[Callable[[], Array], tuple[str, ...], str]


def quantity(rec: Recording, what: str) -> Quantity:
    """The quantity of a name.

    Raises
    ------
    KeyError
        If there is none of that name in this recording, naming the nearest.
    TypeError
        If the name is not text.
    """
    if not isinstance(what, str):
        raise TypeError(f"a quantity is named by text such as 'direct', not {what!r}")
    given, readers = what, _readers(rec)
    what = re.sub(r"(?<=\bgates\.)\w+", lambda gate: rec.gates.known_as(gate[0]), given)
    if what not in readers:
        raise _unknown(given, list(readers), list(rec.weights))
    read, axes, label = readers[what]
    return Quantity(read(), axes, label)


def _unknown(what: str, valid: list[str], parameters: list[str]) -> UnknownNameError:
    near = difflib.get_close_matches(what, valid, 1, cutoff=0.4)
    if of := difflib.get_close_matches(what, parameters, 1, cutoff=0.85):
        near = [f"weights[{of[0]}]", f"gradients[{of[0]}]"]
    hint = f"did you mean {' or '.join(map(repr, near))}? There are" if near else "there are"
    plain = [name for name in valid if "[" not in name]
    layers = [name for name in valid if name.startswith("layers")]
    some = [f"layers[0].{plain[0]} and so on"] if layers else []
    some += [name for name in valid if name.startswith("initial")]
    of_one = " or ".join(("weights", "gradients", "by_source", "contributions"))
    return UnknownNameError(
        f"there is no quantity {what!r}; {hint}: {', '.join(plain + some)}, and {of_one} with one "
        f"of [{'], ['.join(parameters)}]."
    )


def names(rec: Recording) -> tuple[str, ...]:
    """Every name that `quantity` takes."""
    return tuple(_readers(rec))


def _readers(rec: Recording) -> dict[str, _Reader]:
    found = _of_layer(rec.layers[-1])
    found["inputs"] = (lambda: rec.inputs), ("sample", "step", "input"), "adjoint of the input"
    found["x"] = (lambda: rec.x), ("sample", "step", "input"), "input"
    for name in rec.initial:
        found[f"initial[{name}]"] = (
            _reader(rec.initial, name),
            ("layer and direction", "sample", "unit"),
            f"adjoint of {name}",
        )
    for name, array in rec.weights.items():
        shape = _shape_axes(array)
        found[f"weights[{name}]"] = _reader(rec.weights, name), shape, name
        found[f"gradients[{name}]"] = _reader(rec.gradients, name), shape, f"gradient of {name}"
        found[f"by_source[{name}]"] = (
            _called(rec.by_source, name),
            ("source step", *shape),
            f"gradient of {name} by source step",
        )
        found[f"contributions[{name}]"] = (
            _called(rec.contributions, name),
            ("loss step", "source step"),
            f"norm of the contributions to {name}",
        )
    for i, layer in enumerate(rec.layers):
        for name, (read, axes, label) in _of_layer(layer).items():
            found[f"layers[{i}].{name}"] = read, axes, f"layer {i}: {label}"
    return found


def _of_layer(layer: LayerRecord) -> dict[str, _Reader]:
    found: dict[str, _Reader] = {}
    for name in ("direct", "carried", "total"):
        found[name] = _attribute(layer, name), STATES, f"{name} adjoint of h"
    found["outputs"] = _attribute(layer, "outputs"), STATES, "output h"
    if layer.cell is not None:
        for name in ("direct", "carried", "total"):
            found[f"cell.{name}"] = _attribute(layer.cell, name), STATES, f"{name} adjoint of c"
        found["cell.values"] = _attribute(layer.cell, "values"), STATES, "cell state c"
    for name, gate in layer.gates.items():
        found[f"gates.{name}.values"] = _attribute(gate, "values"), STATES, f"gate {name}"
        label = f"adjoint of gate {name}'s pre-activation"
        found[f"gates.{name}.adjoints"] = _attribute(gate, "adjoints"), STATES, label
    return found


def _attribute(of: object, name: str) -> Callable[[], Array]:
    def read() -> Array:
        found: Array = getattr(of, name)
        return found

    return read


def _reader(mapping: Mapping[str, Array], name: str) -> Callable[[], Array]:
    return lambda: mapping[name]


def _called(method: Callable[[str], Array], name: str) -> Callable[[], Array]:
    return lambda: method(name)


def _shape_axes(array: Array) -> tuple[str, ...]:
    return ("row", "column") if array.ndim == 2 else ("row",)
