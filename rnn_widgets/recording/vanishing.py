"""Whether a gradient vanishes: totals along the way back through time, and how open gates are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnn_widgets.core.norms import norms

from .layer import Array
from .rates import after_the_last, rate_of, told

if TYPE_CHECKING:
    from .recording import Recording

GATES = {
    "i": "input gate",
    "f": "forget gate",
    "o": "output gate",
    "r": "reset gate",
    "z": "update gate",
}
OPEN, SHUT = 0.9, 0.1


@dataclass(frozen=True)
class Way:
    """The total adjoint of the top layer's h in one direction, from its last step to run back.

    ``norms`` (S,) are over the batch and the units, ``steps`` (S,) the input's steps, ``entered``
    (S,) where a direct adjoint enters, and ``stretches`` (S,) tells apart what is cut from one
    another. Of sequences that end at different steps each is counted from its own last step to run,
    as far back as all of the ``samples`` go, which are those at least half as long as the longest.
    Below ``least`` a number has lost digits.
    """

    name: str
    norms: Array
    steps: Array
    entered: Array
    own_ends: bool
    stretches: Array
    samples: int
    least: float

    @property
    def near(self) -> int | None:
        """The place nearest to the loss that has a gradient; None if none has."""
        found = np.flatnonzero(self.norms != 0)
        return int(found[0]) if len(found) else None

    @property
    def rate(self) -> float:
        """The factor of each step further back, on a fitted line; NaN if there is none.

        It is fitted where no direct adjoint enters any more, and is one of all stretches.
        """
        held = self._alone & (self.norms >= self.least)
        return rate_of(np.where(held, self.norms, 0.0), self.stretches)

    @property
    def mixed(self) -> bool:
        """Whether direct adjoints enter at several steps of one stretch."""
        counts = np.bincount(self.stretches, self.entered)
        return bool((counts > 1).any())

    @property
    def _alone(self) -> Array:
        return after_the_last(self.entered, self.stretches)

    def told(self) -> str:
        """The rate in words, and where it was fitted."""
        rate, count = self.rate, len(set(self.stretches.tolist()))
        if np.isnan(rate):
            return "no rate: see below" if self.mixed else ""
        parts = [f"× {rate:.3g}, {told(rate)}"]
        parts += [f"in each of {count} stretches"] if count > 1 else []
        if self.mixed and count == 1:
            parts.append(f"from {self.place(int(np.flatnonzero(self._alone)[0]))} back")
        return " ".join(parts)

    def place(self, at: int) -> str:
        """Where a place of ``norms`` is, in words."""
        if not self.own_ends:
            return f"step {self.steps[at]}"
        if at == 0:
            return "each last step to run"
        return f"{at} step{'' if at == 1 else 's'} before"


def ways(rec: Recording) -> list[Way]:
    """The way back of each direction of the top layer."""
    found = []
    for direction in range(rec.directions):
        part = slice(direction * rec.hidden, (direction + 1) * rec.hidden)
        reverse = rec._spec.reverse(direction)
        total, direct = rec.total[..., part], rec.direct[..., part]
        steps, own_ends = moving(rec), False
        if rec.lengths is not None:
            # A sequence that is over at once would end the way back of all the others.
            long = 2 * rec.lengths >= rec.lengths.max()
            total, direct, lengths = total[long], direct[long], rec.lengths[long]
            own_ends = not reverse and len(set(lengths.tolist())) > 1
            least = int(lengths.min())
            steps = steps[:least] if reverse or own_ends else steps[: int(lengths.max())]
            if own_ends:
                total, direct = (
                    np.stack([a[n, end - least : end] for n, end in enumerate(lengths)])
                    for a in (total, direct)
                )
        if not reverse:
            steps = steps[::-1]
        back = total[:, steps]
        name = "reverse" if direction else "forward" if rec.directions == 2 else ""
        entered = (direct[:, steps] != 0).any((0, 2))
        stretches = np.searchsorted(rec._meta["cuts"], steps, "right")
        sizes, lowest = norms(back, (0, 2)).astype(float), float(np.finfo(rec.dtype).tiny)
        found.append(Way(name, sizes, steps, entered, own_ends, stretches, len(total), lowest))
    return found


def moving(rec: Recording) -> Array:
    """The steps at which any sample moves on, of a batch that is masked; else all."""
    live = rec._arrays.get("live")
    return np.arange(rec.steps) if live is None else np.flatnonzero(live.any(1))


def rows_of_ways(found: list[Way], samples: int) -> list[list[str]]:
    """A table of the ways back of a batch."""
    rows = [["going back in time", "nearest the loss", "farthest", "each step back"]]
    for way in found:
        label = f"total, {way.name}" if way.name else "total"
        label += f", {way.samples} of {samples} samples" if way.samples < samples else ""
        near, last = way.near, len(way.norms) - 1
        if near is None:
            rows.append([label, "0", "0", ""])
            continue
        ends = [f"{way.norms[at]:.3g} at {way.place(at)}" for at in (near, last)]
        rows.append([label, *ends, way.told()])
    return rows


def rows_of_gates(rec: Recording) -> list[list[str]]:
    """A table of the gates of the top layer; empty for an RNN, which has none."""
    real = np.ones((rec.samples, rec.steps), bool) if rec._real is None else rec._real.T
    live = rec._arrays.get("live")
    real = real if live is None else real & live.T
    rows = []
    for direction in range(rec.directions):
        units = rec._spec.hidden_size
        part = slice(direction * units, (direction + 1) * units)
        end = ", reverse" if direction else ", forward" if rec.directions == 2 else ""
        for name, word in GATES.items():
            if name in rec.gates:
                values = rec.gates[name].values[..., part][real]
                shares = [(values > OPEN).mean(), (values < SHUT).mean()]
                texts = [f"{100 * float(share):.3g} %" for share in shares]
                rows.append([word + end, f"{float(values.mean(dtype=float)):.2f}", *texts])
    return [["gate", "mean", f"above {OPEN}", f"below {SHUT}"], *rows] if rows else []
