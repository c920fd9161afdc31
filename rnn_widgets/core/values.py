"""Numbers that come from outside: checked, copied, and frozen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from .frozen import frozen
from .names import UnknownNameError, unknown
from .ops import Array
from .program import LOSSES, Program, Truncation


class Values(Mapping[str, Array]):
    """The numbers of a network by leaf name: a new read-only copy each time one is asked for."""

    def __init__(self, leaves: Mapping[str, Array]) -> None:
        self._leaves = leaves

    def __getitem__(self, name: str) -> Array:
        if name not in self._leaves:
            raise unknown("leaf", name, self._leaves)
        return frozen(self._leaves[name])

    def __contains__(self, name: object) -> bool:
        return name in self._leaves

    def __iter__(self) -> Iterator[str]:
        return iter(self._leaves)

    def __len__(self) -> int:
        return len(self._leaves)

    def __repr__(self) -> str:
        return "\n".join(f"{name}  {array.shape}" for name, array in self._leaves.items())


def size(name: str, value: Any) -> int:
    """A whole number of at least 1.

    Raises
    ------
    TypeError
        If it is not a whole number.
    ValueError
        If it is zero or negative.
    """
    if not _whole(value):
        raise TypeError(f"{name} must be a whole number of at least 1, not {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")
    return int(value)


def whole(name: str, value: Any, count: int, first: int = 0) -> int:
    """A whole number from ``first`` to below ``first + count``.

    Raises
    ------
    TypeError
        If it is not a whole number.
    IndexError
        If it is out of range.
    """
    if not _whole(value):
        raise TypeError(f"{name} must be a whole number, not {value!r}")
    last = first + count - 1
    if not first <= value <= last:
        raise IndexError(f"{name} {value} does not exist: {first} to {last}")
    return int(value)


def choice(name: str, value: Any, options: tuple[Any, ...]) -> Any:
    """One of a few values; 1 is not taken for True.

    Raises
    ------
    ValueError
        Naming the options.
    """
    for option in options:
        if type(value) is type(option) and value == option:
            return option
    raise ValueError(f"{name} must be {' or '.join(map(repr, options))}, not {value!r}")


def loss_steps(value: Any, seq_len: int) -> tuple[int, ...]:
    """The steps that enter the loss, from "all", "last" or a list of 0-based steps.

    Raises
    ------
    IndexError
        If a step does not exist.
    ValueError, TypeError
        If it is not such a choice.
    """
    if isinstance(value, str):
        choice("loss_steps", value, ("all", "last"))
        return tuple(range(seq_len)) if value == "all" else (seq_len - 1,)
    try:
        steps = [int(s) if _whole(s) else None for s in value]
    except TypeError:
        steps = [None]
    if None in steps:
        raise TypeError(f"loss_steps must be 'all', 'last' or a list of steps, not {value!r}")
    chosen = sorted({s for s in steps if s is not None})
    if not chosen:
        raise ValueError("loss_steps must name at least one step")
    for step in chosen:
        if not 0 <= step < seq_len:
            raise IndexError(f"loss step {step} does not exist; the steps are 0 to {seq_len - 1}")
    return tuple(chosen)


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)


def loss_kind(value: Any) -> str:
    """One of the losses.

    Raises
    ------
    ValueError
        Naming them.
    """
    return str(choice("loss", value, LOSSES))


def truncation(window: Any, chunk: Any) -> Truncation | None:
    """A truncation by a window or by chunks; None if neither is given.

    Raises
    ------
    TypeError
        If both are given, or not a whole number.
    ValueError
        If it is less than 1.
    """
    if window is not None and chunk is not None:
        raise TypeError("truncate by a window or by chunks, not both")
    if window is not None:
        return Truncation("window", size("window", window))
    return None if chunk is None else Truncation("chunk", size("chunk", chunk))


def array(name: str, value: Any) -> Array:
    """Any array-like as a new float64 array.

    Raises
    ------
    TypeError
        For text, complex numbers or anything that is not numbers.
    ValueError
        For NaN, infinity or a ragged list.
    """
    try:
        raw = np.asarray(_plain(name, value))
    except ValueError as error:
        raise ValueError(f"{name} must be a full array of numbers: {error}") from error
    if raw.dtype.kind not in "fiu":
        kind = {"c": "complex numbers", "U": "text", "S": "text", "b": "booleans"}
        given = kind.get(raw.dtype.kind, f"{raw.dtype} values")
        raise TypeError(f"{name} must be an array of real numbers, not {given}")
    if raw.dtype.itemsize > 8:  # a long double: what float64 cannot hold is infinite, and refused
        with np.errstate(over="ignore"):
            raw = raw.astype(np.float64)
    result: Array = np.array(raw, dtype=np.float64)
    if not np.isfinite(result).all():
        index = [int(i) for i in np.argwhere(~np.isfinite(result))[0]]
        at = f" at {index}" if index else ""
        raise ValueError(f"{name} must be finite, but it has {result[tuple(index)]}{at}")
    return result


def _plain(name: str, value: Any) -> Any:
    """Tensors, also inside lists, as arrays."""
    if isinstance(value, list | tuple):
        return [_plain(name, part) for part in value]
    if not hasattr(value, "detach"):
        return value
    if getattr(value, "is_meta", False):
        raise TypeError(f"{name} is on the meta device: it has no values")
    if getattr(value, "is_sparse", False):
        value = value.to_dense()
    held = value.detach().cpu()
    return (held.double() if held.is_floating_point() else held).numpy()


def leaf(program: Program, name: str, value: Any) -> Array:
    """The value of a leaf, checked and frozen.

    Raises
    ------
    KeyError
        If there is no such leaf.
    TypeError, ValueError, IndexError
        If the value does not fit, naming the expected shape.
    """
    if name not in program.leaves:
        raise unknown("leaf", name, program.leaves)
    numbers, shape = array(name, value), program.leaves[name]
    if numbers.shape != shape:
        batched = ": x is one unbatched sequence" if name == "x" and numbers.ndim == 3 else ""
        raise ValueError(
            f"{name} must have shape {shape}{_axes(program, name)}, not {numbers.shape}{batched}"
        )
    if name == "target" and program.loss == "cross_entropy":
        if not np.equal(numbers, np.round(numbers)).all():
            raise TypeError("cross-entropy targets are classes: whole numbers")
        if not ((numbers >= 0) & (numbers < program.output_size)).all():
            raise IndexError(f"the classes are 0 to {program.output_size - 1}; target has others")
    return frozen(numbers)


def checked(program: Program, values: Mapping[str, Any]) -> dict[str, Array]:
    """Every leaf of a program, checked and frozen.

    Raises
    ------
    KeyError
        For a missing or an unknown leaf.
    TypeError, ValueError, IndexError
        As for `leaf`.
    """
    for name in values:
        if name not in program.leaves:
            raise unknown("leaf", name, program.leaves)
    missing = [name for name in program.leaves if name not in values]
    if missing:
        raise UnknownNameError(f"the network needs values for {', '.join(missing)} too")
    return {name: leaf(program, name, values[name]) for name in program.leaves}


def _axes(program: Program, name: str) -> str:
    axes = {
        "x": "T steps × I inputs",
        "v": "T steps × O outputs",
        "h0": "H units" if program.rows == 1 else "layers·directions × H units",
        "target": "T classes" if program.loss == "cross_entropy" else "T steps × O outputs",
    }
    axes["c0"] = axes["h0"]
    return f" ({axes[name]})" if name in axes else ""


def initial(program: Program, rng: Any, given: Mapping[str, Any]) -> dict[str, Array]:
    """Values for every leaf: those given, and seeded draws for the others.

    Parameters are drawn as PyTorch does, uniformly from ±1/√H; x, v and real targets from a
    standard normal, classes uniformly; initial states are zero.

    Parameters
    ----------
    program : Program
    rng : int or numpy.random.Generator
    given : dict
        Leaf name to value.
    """
    generator = np.random.default_rng(rng)
    bound = 1.0 / np.sqrt(program.hidden_size)
    for name in given:
        if name not in program.leaves:
            raise unknown("leaf", name, program.leaves)
    values = {}
    for name, shape in program.leaves.items():
        drawn: Any
        if name in program.parameters:
            drawn = generator.uniform(-bound, bound, shape)
        elif name in ("h0", "c0"):
            drawn = np.zeros(shape)
        elif name == "target" and program.loss == "cross_entropy":
            drawn = generator.integers(0, program.output_size, shape)
        else:
            drawn = generator.standard_normal(shape)
        values[name] = leaf(program, name, given.get(name, drawn))
    return values
