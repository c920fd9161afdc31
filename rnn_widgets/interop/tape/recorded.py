"""`TensorGradients`: what a gradient belongs to, and whether that is still as it was."""

from __future__ import annotations

import operator
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rnn_widgets.core.names import UnknownNameError, unknown

from .graph import Tape

CURRENT = "current"
NO_PART = "y does not depend on it"
HINT = (
    " (PyTorch gives None for it, Flux nothing). Only what the function itself computes is "
    "recorded: what was made of it before, such as a transpose, counts as another tensor"
)


class StaleGradientWarning(UserWarning):
    """A gradient is asked for whose tensor has been changed in place since."""


class NotFiniteWarning(UserWarning):
    """A function's result, or the gradient of it, is NaN or infinite."""


class Held:
    """A tensor that was recorded: the object, and its version and value at that time."""

    def __init__(self, tensor: Tensor, number: int) -> None:
        self.tensor = tensor
        self.number = number
        self.version = tensor._version
        self.value = tensor.detach().clone()

    def standing(self) -> str:
        """Whether the object still has the value that was recorded, in a few words."""
        now = self.tensor.detach()
        if same_value(now, self.value):
            return CURRENT if now._version == self.version else "written to, value as it was"
        if now._version != self.version:
            return f"changed in place since (version {self.version} → {now._version})"
        return f"changed since, as through .data (version still {self.version})"


@dataclass(frozen=True, eq=False)
class Entry:
    """One name of a recorded tensor, and the gradient by it; ``why`` there is none, if so."""

    name: str
    held: Held
    gradient: Tensor | None
    why: str = ""


@dataclass(frozen=True)
class Look:
    """How one gradient stands at the moment: a row of the ledger.

    Attributes
    ----------
    name : str
    object : int
        Which object it belongs to, counted from 1: two names of one object have one number.
    shape : tuple of int
    dtype : str
    norm : float or None
        Euclidean norm of the gradient, None if there is no gradient.
    recorded, now : int
        PyTorch's version of the tensor when it was recorded, and now.
    state : str
        "current", or what has happened since, or why there is no gradient.
    gradient : torch.Tensor or None
        The recorded gradient itself, not a copy.
    """

    name: str
    object: int
    shape: tuple[int, ...]
    dtype: str
    norm: float | None
    recorded: int
    now: int
    state: str
    gradient: Tensor | None = field(repr=False, compare=False)


class TensorGradients(Mapping[object, Tensor]):
    """Which gradient is which. Made by `gradient`.

    A mapping from name to ∂y/∂tensor, for the tensors that the result y depends on. It answers to
    a name, to the very object that a gradient belongs to, and to a position; each answer is a copy.
    `get` gives None for a tensor that y does not depend on, as PyTorch does and Flux's ``nothing``
    means; asking for it with brackets says so.

    The recorded tensors are kept alive, so that no later object can be taken for one of them, with
    a copy of the value that each had.

    Attributes
    ----------
    value : torch.Tensor
        The result y of the function, detached.
    tape : Tape
        The autograd graph, from y back to its leaves.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> W, b = torch.ones(2, 3), torch.zeros(2)
    >>> g = rw.gradient(lambda W, b: (W @ torch.arange(3.0) + b).sum(), W, b)
    >>> g
    y = 6
    gradient of  object    shape   norm     state
    W            object 1  (2, 3)  3.16228  current
    b            object 2  (2,)    1.41421  current
    >>> g["b"], torch.equal(g[W], g[0])
    (tensor([1., 1.]), True)
    """

    def __init__(
        self,
        value: Tensor,
        entries: Sequence[Entry],
        tape: Tape,
        unasked: Sequence[tuple[str, Tensor]] = (),
    ) -> None:
        self.value = value
        self.tape = tape
        self._entries = tuple(entries)
        self._unasked = [(name, weakref.ref(tensor)) for name, tensor in unasked]

    def __getitem__(self, key: object) -> Tensor:
        entries = self._find(key)
        found = [entry.gradient for entry in entries if entry.gradient is not None]
        if not found:
            raise UnknownNameError(
                f"there is no gradient of {entries[0].name}: {entries[0].why}{HINT}"
            )
        standing = entries[0].held.standing()
        if standing.startswith("changed"):
            warnings.warn(
                f"{entries[0].name} was {standing}: this gradient belongs to its old value. "
                "Call rw.gradient again for the new one",
                StaleGradientWarning,
                stacklevel=2,
            )
        # A tensor that was given at several positions has the sum of what they got.
        return torch.stack(found).sum(0) if len(found) > 1 else found[0].clone()

    def _find(self, key: object) -> list[Entry]:
        """The entries that a key means."""
        names = {entry.name: entry for entry in self._entries}
        if isinstance(key, str):
            if key not in names:
                raise self._unknown(key)
            return [names[key]]
        if isinstance(key, Tensor):
            same = [entry for entry in self._entries if entry.held.tensor is key]
            if not same:
                raise UnknownNameError(self._stranger(key))
            shared = len({id(entry.gradient) for entry in same}) == 1
            return same[:1] if shared else same
        try:
            position = operator.index(key)  # type: ignore[arg-type]
        except TypeError:
            raise TypeError(
                "a gradient is asked for by a tensor, a name or a position, not by "
                f"{type(key).__name__}"
            ) from None
        if not 0 <= position < len(self._entries):
            raise IndexError(
                f"there are {len(self._entries)} gradients, at positions 0 to "
                f"{len(self._entries) - 1}, not at {key!r}"
            )
        return [self._entries[position]]

    def _unknown(self, name: str) -> KeyError:
        if any(name == unasked for unasked, _ in self._unasked):
            return UnknownNameError(_not_asked(name))
        return unknown("gradient", name, [entry.name for entry in self._entries])

    def _stranger(self, tensor: Tensor) -> str:
        """Why a tensor has no gradient here, and which recorded one it resembles."""
        for name, reference in self._unasked:
            if reference() is tensor:
                return _not_asked(name)
        one = f"this tensor of shape {tuple(tensor.shape)}"
        found: dict[str, list[str]] = {"memory": [], "equal": [], "alike": []}
        for entry in {e.held.number: e for e in reversed(self._entries)}.values():
            held = entry.held
            if _shares_memory(tensor, held.tensor):
                found["memory"].append(entry.name)
            elif same_value(tensor.detach(), held.value):
                found["equal"].append(entry.name)
            elif (tensor.shape, tensor.dtype) == (held.value.shape, held.value.dtype):
                found["alike"].append(entry.name)
        if found["memory"]:
            name = found["memory"][0]
            return (
                f"{one} is another object that shares memory with {name}, such as a view of it: "
                f"ask with {name} itself, or for g[{name!r}]"
            )
        if found["equal"] or found["alike"]:
            names = found["equal"] or found["alike"]
            values = "and the very values that it had" if found["equal"] else "with other values"
            name = " or ".join(names)
            return (
                f"{one} is a new object, and gradients belong to objects. It has the shape and "
                f"dtype of {name}, {values}; has the name been bound to another tensor since? "
                f"g[{names[0]!r}] is the gradient by the object that was recorded"
            )
        recorded = ", ".join(f"{e.name} {tuple(e.held.value.shape)}" for e in self._entries)
        return (
            f"{one} was not recorded, and resembles nothing that was: {recorded}. A gradient is "
            "kept only for the tensors that rw.gradient is given"
        )

    def look(self) -> tuple[Look, ...]:
        """How each gradient stands at the moment, without a warning: current, changed, or none."""
        return tuple(
            Look(
                entry.name,
                entry.held.number,
                tuple(entry.held.value.shape),
                str(entry.held.value.dtype).removeprefix("torch."),
                None if entry.gradient is None else _norm(entry.gradient),
                entry.held.version,
                entry.held.tensor._version,
                entry.held.standing() if entry.gradient is not None else entry.why,
                entry.gradient,
            )
            for entry in self._entries
        )

    def __iter__(self) -> Iterator[str]:
        return (entry.name for entry in self._entries if entry.gradient is not None)

    def __len__(self) -> int:
        return sum(entry.gradient is not None for entry in self._entries)

    def __contains__(self, key: object) -> bool:
        try:
            return any(entry.gradient is not None for entry in self._find(key))
        except (LookupError, TypeError):
            return False

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        rows = [("gradient of", "object", "shape", "norm", "state")]
        rows += [
            (
                look.name,
                f"object {look.object}",
                str(look.shape),
                "" if look.norm is None else f"{look.norm:.6g}",
                look.state,
            )
            for look in self.look()
        ]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in rows]
        return "\n".join([f"y = {self.value.item():.6g}", *(line.rstrip() for line in lines)])


def same_value(a: Tensor, b: Tensor) -> bool:
    """Whether shape, dtype, device and every entry agree; NaN agrees with NaN."""
    if (a.shape, a.dtype, a.device) != (b.shape, b.dtype, b.device):
        return False
    return bool(((a == b) | ((a != a) & (b != b))).all())


def _shares_memory(a: Tensor, b: Tensor) -> bool:
    if a.layout != torch.strided or not a.numel() or not b.numel():
        return False
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def _norm(gradient: Tensor) -> float:
    return float(
        torch.linalg.vector_norm(gradient.to(torch.promote_types(gradient.dtype, torch.float64)))
    )


def _not_asked(name: str) -> str:
    again = f"rw.Params(…, {name}={name})" if name.isidentifier() else "rw.Params"
    return (
        f"{name or 'this tensor'} took part: the result depends on it. But its gradient was not "
        f"asked for: give it to rw.gradient too, as an argument or in {again}"
    )


def warn_not_finite(value: Tensor, entries: Sequence[Entry], stacklevel: int) -> None:
    """Say so where the result or a gradient is NaN or infinite, and what was so before."""
    bad = [
        f"{entry.name} ({count} of {entry.gradient.numel()})"
        for entry in entries
        if entry.gradient is not None and (count := _not_finite(entry.gradient))
    ]
    if value.isfinite().all() and not bad:
        return
    before = [entry.name for entry in entries if _not_finite(entry.held.value)]
    parts = [f"y is {value.item():g}"] if not value.isfinite().all() else []
    parts += [f"entries of gradients are not finite: {', '.join(bad)}"] if bad else []
    parts += [f"so were values of {', '.join(before)} before"] if before else []
    warnings.warn("; ".join(parts), NotFiniteWarning, stacklevel=stacklevel)


def _not_finite(tensor: Tensor) -> int:
    return int((~tensor.isfinite()).sum())
