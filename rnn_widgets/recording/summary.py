"""What a recording says of itself in text, and where its numbers are not finite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnn_widgets.core.norms import norms

from .notices import notices, origin
from .vanishing import rows_of_gates, rows_of_ways, ways

if TYPE_CHECKING:
    from .recording import Recording


@dataclass(frozen=True)
class NonFinite:
    """Where a quantity is NaN or infinite: how many numbers, and the first of them.

    ``step`` is the earliest step with one and ``sample`` the first sample there; None where the
    quantity has no steps or samples.

    Examples
    --------
    >>> print(NonFinite(count=6, sample=3, step=2))
    6 not finite, first at sample 3, step 2
    """

    count: int
    sample: int | None = None
    step: int | None = None

    def __str__(self) -> str:
        where = [
            f"{word} {at}"
            for word, at in (("sample", self.sample), ("step", self.step))
            if at is not None
        ]
        first = f", first at {', '.join(where)}" if where else ""
        return f"{self.count} not finite{first}"


def nonfinite(rec: Recording) -> dict[str, NonFinite]:
    """Quantity to where it is not finite; empty if all numbers are."""
    found = {} if np.isfinite(rec.loss) else {"loss": NonFinite(1)}
    for name, array in rec.to_dict().items():
        if array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        bad = ~np.isfinite(array)
        count = int(bad.sum())
        axes = rec.quantity(name).axes if name != "losses" else ("sample",)
        if axes[:2] == ("sample", "step"):
            step, sample = np.argwhere(bad.any(2).T)[0]
            found[name] = NonFinite(count, int(sample), int(step))
        elif "sample" in axes:
            found[name] = NonFinite(count, int(np.argwhere(bad)[0][axes.index("sample")]))
        else:
            found[name] = NonFinite(count)
    return found


def summary(rec: Recording) -> str:
    """What was recorded, how far gradients reach back, and what there is to notice."""
    counts = {
        "sample": rec.samples,
        "step": rec.steps,
        "unit": rec.hidden,
        "layer": rec.num_layers,
    }
    sizes = [f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items()]
    sizes += ["both directions"] if rec.directions == 2 else []
    own = rec.layer_mode
    mode = f"{rec.mode} mode" + (f" (the layer in {own} mode)" if own != rec.mode else "")
    begins = origin(rec)
    lines = [
        *([begins] if begins else []),
        f"{rec.kind} {rec.layer!r}" if rec.layer else rec.kind,
        f"  {' × '.join(sizes)}, {rec.dtype} on {rec.device}",
        f"  recorded in {mode}, loss {rec.loss:.4g}",
    ]
    if rec.lengths is not None:
        lines.append(f"  lengths from {rec.lengths.min()} to {rec.lengths.max()}")
    if rec.calls > 1:
        lines.append(f"  joined from {rec.calls} calls of the layer")
    back = ways(rec)
    lines += ["", *_table(rows_of_ways(back, rec.samples))]
    entered, steps = max((int(way.entered.sum()), len(way.steps)) for way in back)
    if any(way.mixed for way in back):
        where = f"a direct adjoint enters at {entered} of {steps} steps"
        lines.append(f"  {where}, and the total holds all of them: rec.lag() tells them apart")
    if gates := rows_of_gates(rec):
        lines += ["", *_table(gates)]
    rows = [["adjoint of h", "norm", "first step", "last step"]]
    for name in ("direct", "carried", "total"):
        array = rec.quantity(name).values
        by_step = norms(array, (0, 2))
        ends = (norms(by_step, (0,)), by_step[0], by_step[-1])
        rows.append([name, *(f"{float(number):.3g}" for number in ends)])
    lines += ["", *_table(rows), ""]
    table = [["gradient", "shape", "norm"]]
    for name, array in rec.gradients.items():
        norm = float(norms(array, tuple(range(array.ndim))))
        table.append([name, str(array.shape), f"{norm:.3g}"])
    lines += _table(table)
    if bad := rec.nonfinite:
        lines += ["", "not finite:", *(f"  {name}: {where}" for name, where in bad.items())]
    if told := notices(rec):
        lines += ["", "to notice:", *(f"  {line}" for line in told)]
    return "\n".join(lines)


def _table(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
