"""One layer and direction as it ran, its adjoints, and how states are handed from step to step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor

from .spec import LayerSpec


@dataclass(frozen=True)
class Direction:
    """One layer and direction as it ran.

    ``x`` (T, N, I); ``h`` and ``c`` after every step (T, N, P) and (T, N, H), ``h_before`` and
    ``c_before`` the states that each step read; ``gates`` (T, N, G, H) after their nonlinearity;
    ``recurrent`` (T, N, H) what a GRU's reset gate multiplied, if it acts after the matrix.
    ``live`` (T, N) is False where a step keeps the state of the one before, None if none does.
    ``cuts`` are steps whose initial state did not come from the step before.
    """

    spec: LayerSpec
    weights: Mapping[str, Tensor]
    reverse: bool
    x: Tensor
    gates: Tensor
    h: Tensor
    h_before: Tensor
    c: Tensor | None = None
    c_before: Tensor | None = None
    recurrent: Tensor | None = None
    live: Tensor | None = None
    cuts: frozenset[int] = frozenset()

    @property
    def steps(self) -> int:
        """T."""
        return len(self.x)

    def between(self, start: int, stop: int) -> Direction:
        """Only the steps from ``start`` to below ``stop``."""
        changed: dict[str, Any] = {
            name: None if (held := getattr(self, name)) is None else held[start:stop]
            for name in ("x", "gates", "h", "h_before", "c", "c_before", "recurrent", "live")
        }
        cuts = frozenset(t - start for t in self.cuts if start <= t < stop)
        return replace(self, cuts=cuts, **changed)


@dataclass
class Swept:
    """Adjoints of one layer and direction; R rows.

    ``direct``, ``carried`` and ``total`` (T, R, N, P) of h; ``cell_total`` (T, R, N, H) of c and
    ``cell_kept``, the part of it that came back through the next step's c; ``gates``
    (T, R, N, G, H) of the gates' pre-activations, ``recurrent`` the same of what W_hh h gives
    (it differs for a GRU's candidate); ``h0`` (R, N, P) and ``c0`` (R, N, H) of the initial states.
    """

    direct: Tensor
    carried: Tensor
    total: Tensor
    gates: Tensor
    recurrent: Tensor
    h0: Tensor
    cell_total: Tensor | None = None
    cell_kept: Tensor | None = None
    c0: Tensor | None = None

    def __add__(self, other: Swept) -> Swept:
        """Adjoints of the sum of two losses."""
        pairs = ((f.name, getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        sums: dict[str, Any] = {name: None if a is None else a + b for name, a, b in pairs}
        return Swept(**sums)


@dataclass
class Loop:
    """Buffers of one state over time, T + 1 of them, seen from either direction."""

    reverse: bool
    steps: int
    rows: Tensor  # (T + 1, ...)
    each: tuple[Tensor, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.each = self.rows.unbind()

    @property
    def before(self) -> Tensor:
        """The states that the steps begin with, (T, …)."""
        return self.rows[1:] if self.reverse else self.rows[:-1]

    @property
    def after(self) -> Tensor:
        """The states that the steps leave, (T, …)."""
        return self.rows[:-1] if self.reverse else self.rows[1:]

    @property
    def initial(self) -> Tensor:
        """The state that the first step to run begins with."""
        return self.each[-1 if self.reverse else 0]

    @property
    def final(self) -> Tensor:
        """The state that the last step to run leaves."""
        return self.each[0 if self.reverse else -1]

    def forwards(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Each step with the state before and after it, in the order in which they run."""
        each = self.each
        if self.reverse:
            return ((t, each[t + 1], each[t]) for t in range(self.steps - 1, -1, -1))
        return ((t, each[t], each[t + 1]) for t in range(self.steps))

    def backwards(self) -> Iterator[tuple[int, Tensor, Tensor]]:
        """The same in the order of the reverse sweep."""
        each = self.each
        if self.reverse:
            return ((t, each[t + 1], each[t]) for t in range(self.steps))
        return ((t, each[t], each[t + 1]) for t in range(self.steps - 1, -1, -1))


def still(live: Tensor | None, steps: int) -> list[Tensor | None]:
    """For each step which samples keep their state, (N, 1); None if all move on."""
    if live is None:
        return [None] * steps
    some = (~live).any(1).tolist()
    return [one if kept else None for one, kept in zip((~live).unsqueeze(-1), some, strict=True)]


class Passed:
    """What a step hands back beside its equations.

    All of the adjoint where the state was kept, unless the equations see to that (``total`` None);
    nothing where the state before it came from elsewhere.
    """

    def __init__(self, d: Direction, total: Tensor | None) -> None:
        self._total, self._cuts = total, d.cuts
        self._still = still(None if total is None else d.live, d.steps)
        self._idle = not d.cuts and (total is None or d.live is None)

    def on(self, t: int, before: Tensor) -> None:
        """Complete the adjoint of the state before step t."""
        if self._idle:
            return
        if (kept := self._still[t]) is not None and self._total is not None:
            before.add_(torch.where(kept, self._total[t], 0))
        if t in self._cuts:
            before.zero_()
