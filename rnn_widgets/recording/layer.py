"""One layer of a recording: adjoints of its states, gates and what it gave, sample by sample."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from rnn_widgets.core.names import unknown
from rnn_widgets.interop.capture.spec import LayerSpec, suffix

Array = NDArray[Any]
T = TypeVar("T")
Arrays = Mapping[str, Array]


def sealed(array: Array) -> Array:
    """The same numbers without a copy, which numpy never writes to."""
    return np.asarray(array.data.toreadonly())


@dataclass(frozen=True)
class Source:
    """Where a layer's numbers come from: a recording's arrays, led by time."""

    spec: LayerSpec
    arrays: Arrays
    real: Array | None  # (T, N), False in padding; None without
    gates: Mapping[str, str]  # the framework's own names of gates, to PyTorch's

    def raw(self, name: str, layer: int, reverse: int) -> Array | None:
        """An array of one layer and direction, as recorded."""
        return self.arrays.get(name + suffix(layer, reverse))

    def batch_first(self, parts: list[Array], *, real: bool = False) -> Array:
        """Directions side by side, (N, T, D·H); ``real`` writes zeros in padding."""
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts, -1)
        if real and self.real is not None:
            whole = np.where(self.real[..., None], whole, 0).astype(whole.dtype)
        return sealed(whole.swapaxes(0, 1))


class StateRecord:
    """Adjoints of a layer's cell state and its values, each (N, T, D·H).

    ``total`` is autograd's ∂L/∂c_t, ``direct`` what reaches c_t except through the layer's own next
    step — (∂h_t/∂c_t)ᵀ applied to h_t's direct adjoint — and ``carried`` the rest.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> rec = rw.record(torch.nn.LSTM(2, 3), torch.ones(4, 1, 2), lambda out: out[0].sum())
    >>> bool((rec.cell.carried[:, -1] == 0).all()), rec.cell.values.shape
    (True, (1, 4, 3))
    """

    def __init__(self, source: Source, layer: int) -> None:
        self._source, self._layer = source, layer

    def _each(self, name: str) -> list[Array]:
        found = [
            self._source.raw(name, self._layer, d) for d in range(self._source.spec.directions)
        ]
        return [array for array in found if array is not None]

    @cached_property
    def _through_h(self) -> list[tuple[Array, Array | None]]:
        """∂h_t/∂c_t of each direction: a factor of each unit, and the projection after it."""
        found: list[tuple[Array, Array | None]] = []
        for d, (gates, c) in enumerate(zip(self._each("gates"), self._each("c"), strict=True)):
            factor = gates[:, :, 3] * (1 - np.tanh(c) ** 2)
            if (live := self._source.arrays.get("live")) is not None:
                factor = factor * live[..., None]
            found.append(
                (factor, self._source.arrays.get("weights.weight_hr" + suffix(self._layer, d)))
            )
        return found

    @np.errstate(all="ignore")
    def _of_h(self, name: str, more: str) -> Array:
        made = []
        for d, (factor, projection) in enumerate(self._through_h):
            of_h = self._source.raw(name, self._layer, d)
            assert of_h is not None
            of_m = of_h if projection is None else of_h @ projection
            of_c = of_m * factor
            added = self._source.raw(more, self._layer, d)
            made.append(of_c if added is None else of_c + added)
        return self._source.batch_first(made)

    @cached_property
    def direct(self) -> Array:
        """What reaches the cell state except by the layer's own next states."""
        return self._of_h("direct", "outside_c")

    @cached_property
    def carried(self) -> Array:
        """What came back through the layer's own next step."""
        return self._of_h("carried", "cell_kept")

    @cached_property
    def total(self) -> Array:
        """∂L/∂c_t, as autograd has it: ``direct + carried``."""
        with np.errstate(all="ignore"):
            return sealed(self.direct + self.carried)

    @cached_property
    def values(self) -> Array:
        """The cell state itself."""
        return self._source.batch_first(self._each("c"), real=True)

    def __repr__(self) -> str:
        return f"StateRecord of shape {self.values.shape}: direct, carried, total, values"


class GateRecord:
    """A gate's ``values`` after the nonlinearity and ``adjoints``, ∂L/∂pre-activation: (N, T, D·H).

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> rec = rw.record(torch.nn.GRU(2, 3), torch.ones(4, 1, 2), lambda out: out[0].sum())
    >>> bool((rec.gates["z"].values > 0).all()), rec.gates["z"].adjoints.shape
    (True, (1, 4, 3))
    """

    def __init__(self, source: Source, layer: int, gate: int) -> None:
        self._source, self._layer, self._gate = source, layer, gate

    def _read(self, name: str, real: bool) -> Array:
        parts = []
        for d in range(self._source.spec.directions):
            array = self._source.raw(name, self._layer, d)
            assert array is not None
            parts.append(array[:, :, self._gate])
        return self._source.batch_first(parts, real=real)

    @cached_property
    def values(self) -> Array:
        """The gate, between 0 and 1 if its nonlinearity is the sigmoid."""
        return self._read("gates", True)

    @cached_property
    def adjoints(self) -> Array:
        """∂L/∂(what the nonlinearity was applied to)."""
        return self._read("adjoints", False)

    def __repr__(self) -> str:
        return f"GateRecord of shape {self.values.shape}: values, adjoints"


class LayerRecord:
    """Adjoints of one layer of a stack, each (N, T, D·H): ``direct``, ``carried``, ``total``.

    Examples
    --------
    In a stack the lower layer gets its direct adjoints from the layer above:

    >>> import rnn_widgets as rw
    >>> import torch
    >>> rec = rw.record(torch.nn.RNN(2, 3, 2), torch.ones(4, 1, 2), lambda out: out[0][-1].sum())
    >>> [int(abs(one.direct).sum((0, 2)).astype(bool).sum()) for one in rec.layers]
    [4, 1]
    """

    def __init__(self, source: Source, layer: int) -> None:
        self._source, self._layer = source, layer

    def _read(self, name: str, real: bool = False) -> Array:
        parts = [
            self._source.raw(name, self._layer, d) for d in range(self._source.spec.directions)
        ]
        return self._source.batch_first([p for p in parts if p is not None], real=real)

    @cached_property
    def direct(self) -> Array:
        """What reaches h_t except by this layer's own next state."""
        return self._read("direct")

    @cached_property
    def carried(self) -> Array:
        """What came back through this layer's own next step."""
        return self._read("carried")

    @cached_property
    def total(self) -> Array:
        """∂L/∂h_t, as autograd has it: ``direct + carried``."""
        with np.errstate(all="ignore"):
            return sealed(self.direct + self.carried)

    @cached_property
    def outputs(self) -> Array:
        """The layer's outputs h_t."""
        return self._read("h", real=True)

    @cached_property
    def cell(self) -> StateRecord | None:
        """The same of an LSTM's cell state; None for other kinds."""
        return StateRecord(self._source, self._layer) if "c" in self._source.spec.states else None

    @cached_property
    def gates(self) -> Named[GateRecord]:
        """Gate name to its values and adjoints, in PyTorch's order.

        Those of a layer of Keras go by Keras's letters too, as `interop.names.KERAS_GATES` has
        them: an LSTM's "c" is PyTorch's "g", a GRU's "h" is "n".
        """
        names = self._source.spec.gates
        found = {n: GateRecord(self._source, self._layer, g) for g, n in enumerate(names)}
        return Named("gate", found, self._source.gates)

    def __repr__(self) -> str:
        shape = self.direct.shape
        return f"LayerRecord {self._layer} of shape {shape}: direct, carried, total, outputs"


class Named(Mapping[str, T], Generic[T]):
    """A mapping whose error for an unknown name tells the nearest one."""

    def __init__(
        self, what: str, items: Mapping[str, T], others: Mapping[str, str] | None = None
    ) -> None:
        self._what, self._items, self._others = what, dict(items), dict(others or {})

    def __getitem__(self, name: str) -> T:
        known = self.known_as(name)
        if known not in self._items:
            raise unknown(self._what, name, list(dict.fromkeys([*self._items, *self._others])))
        return self._items[known]

    def known_as(self, name: str) -> str:
        """The name that is listed, of something that goes by another one as well."""
        return self._others.get(name, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return "\n".join(
            f"{name}  {item.shape}" if isinstance(item, np.ndarray) else f"{name}  {item!r}"
            for name, item in self._items.items()
        )
