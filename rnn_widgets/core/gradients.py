"""Named gradients that know what other frameworks call them, and whose they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .frozen import frozen
from .names import UnknownNameError, unknown
from .norms import norms
from .ops import Array


@dataclass(frozen=True)
class Alias:
    """Another framework's name for a leaf, and how it lays the leaf's gradient out.

    ``leaves`` are more than one where the framework joins them. ``layout`` takes the gradients by
    PyTorch name and gives the array as that framework stores it.
    """

    framework: str
    name: str
    leaves: tuple[str, ...]
    layout: Callable[[Mapping[str, Array]], Array]

    @property
    def leaf(self) -> str:
        """The leaf, or the first of those that are joined."""
        return self.leaves[0]


class Gradients(Mapping[object, Array]):
    """Which gradient is which.

    A mapping from leaf name to ∂L/∂leaf. ``g["weight_hh_l0"]`` is PyTorch's name;
    ``g["recurrent_kernel"]`` and ``g["Wh"]`` answer as Keras and Flux store that parameter; and
    ``g[parameter]`` finds the gradient of the very object that a network was made from, be it a
    parameter, ``x``, ``h0``, ``c0`` or a target, in the shape of that object.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> net = rw.rnn(2, 1, 1, nonlinearity="identity", bias=False, loss="sum")
    >>> gradients = net.replace(x=[[3, 4]]).gradients()
    >>> gradients["weight_ih_l0"], gradients["kernel"]
    (array([[3., 4.]]), array([[3.],
           [4.]]))
    """

    def __init__(
        self,
        arrays: Mapping[str, Array],
        aliases: Sequence[Alias] = (),
        sources: Mapping[str, object] | None = None,
    ) -> None:
        self._arrays = {name: frozen(array) for name, array in arrays.items()}
        self._aliases = [alias for alias in aliases if alias.leaf in self._arrays]
        self._sources = dict(sources or {})

    def __getitem__(self, key: object) -> Array:
        if not isinstance(key, str):
            return self._of_object(key)
        if key in self._arrays:
            return frozen(self._arrays[key])
        for alias in self._aliases:
            if alias.name == key:
                return frozen(alias.layout(self._arrays))
        raise unknown("gradient", key, [*self._arrays, *(a.name for a in self._aliases)])

    def _of_object(self, source: object) -> Array:
        """The gradient by an object, in its shape: a state of torch's may be (1, H)."""
        name = self.name_of(source)
        array, shape = self[name], shape_of(source)
        if shape is None or shape == array.shape:
            return array
        if int(np.prod(shape)) != array.size:
            raise UnknownNameError(
                f"{_described(source)} stands for {name} of shape {array.shape}: ask for its "
                f"gradient by that name, {name!r}"
            )
        return frozen(array.reshape(shape))

    def name_of(self, source: object) -> str:
        """The name under which an object's gradient is found, by identity.

        That of the leaf for a parameter of torch, an array of Flux or what was given as x, h0, c0
        or target; Keras's own name, and with it Keras's layout, for a variable of Keras.

        Raises
        ------
        KeyError
            If the network was not made from that object, if it was made from it more than once, or
            if it has no gradient, as seeds and classes have none.
        """
        given = [name for name, one in self._sources.items() if one is source]
        names = [name for name in given if name in self]
        if len(names) == 1:
            return names[0]
        this = _described(source)
        if names:
            raise UnknownNameError(
                f"{this} was given as {' and as '.join(names)}: ask for the gradient that you "
                f"mean by its name, such as {names[0]!r}"
            )
        if given:
            raise UnknownNameError(
                f"{this} was given as {given[0]}, which has no gradient; ask for one of "
                f"{', '.join(self._arrays)}"
            )
        known = ", ".join(self._sources) or "none: it was not made from objects"
        raise UnknownNameError(
            f"{this} is not an object that the network was made from; those are {known}. By name "
            f"there are {', '.join(self._arrays)}"
        )

    def to_leaf(self, name: str, array: Array) -> tuple[str, Array]:
        """A gradient from another framework, put into the layout of the leaf that it belongs to.

        Parameters
        ----------
        name : str
            Any name of a leaf.
        array : array
            Laid out as the framework that uses this name does.

        Returns
        -------
        (str, array)
            PyTorch's name, and the array of that leaf's shape.

        Raises
        ------
        KeyError
            For an unknown name.
        ValueError
            If the shape is not that of ``self[name]``, or the name joins several leaves.
        """
        mine = self[name]
        if array.shape != mine.shape:
            raise ValueError(f"{name} must have shape {mine.shape}, not {array.shape}")
        if name in self._arrays:
            return name, array
        alias = next(alias for alias in self._aliases if alias.name == name)
        shape = self._arrays[alias.leaf].shape
        positions = alias.layout(
            {
                leaf: np.arange(a.size, dtype=float).reshape(a.shape)
                for leaf, a in self._arrays.items()
            }
        )
        if sorted(positions.flat) != list(range(int(np.prod(shape)))):
            raise ValueError(f"{name} joins several leaves; give them by their PyTorch names")
        result = np.empty(shape)
        result.flat[positions.astype(int).reshape(-1)] = array.reshape(-1)
        return alias.leaf, result

    def aliases(self, name: str) -> list[str]:
        """Other names of a leaf, as "Framework: name"."""
        return [f"{a.framework}: {a.name}" for a in self._aliases if a.leaf == name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __contains__(self, key: object) -> bool:
        try:
            self[key]
        except KeyError:
            return False
        return True

    def __repr__(self) -> str:
        rows = [("gradient", "also called", "shape", "norm")]
        for name, array in self._arrays.items():
            norm = float(norms(array, tuple(range(array.ndim))))
            rows.append((name, ", ".join(self.aliases(name)), str(array.shape), f"{norm:.6g}"))
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in rows]
        return "\n".join(line.rstrip() for line in lines)


def shape_of(source: object) -> tuple[int, ...] | None:
    """The shape of an array, a tensor or a list of numbers; None where it has none to tell."""
    try:
        return tuple(map(int, getattr(source, "shape", None) or np.asarray(source).shape))
    except (TypeError, ValueError, RuntimeError):  # a ragged list, or one of torch's tensors
        return None


def _described(source: object) -> str:
    shape = shape_of(source)
    return f"this {type(source).__name__}" + (f" of shape {shape}" if shape else "")
