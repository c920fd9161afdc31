"""How numbers, steps and counts are written under and over a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnn_widgets.recording.layer import Array
from rnn_widgets.stills.written import three_digits as three_digits


def plural(count: int, thing: str) -> str:
    """A count and what is counted: ``plural(2, "sample")`` is "2 samples"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def not_finite(numbers: Array) -> str:
    """How many numbers are NaN or infinite, for a title; empty where there are none.

    >>> not_finite(np.array([1.0, np.nan, -np.inf]))
    ' · 1 NaN, 1 −∞'
    """
    counts = {
        "NaN": int(np.isnan(numbers).sum()),
        "+∞": int(np.isposinf(numbers).sum()),
        "−∞": int(np.isneginf(numbers).sum()),
    }
    found = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    return f" · {found}" if found else ""


def at_step(step: int) -> str:
    """A step as mathematics and as Python count it: ``t = 3 (step 2)``."""
    return f"t = {step + 1} (step {step})"


def listed(indices: Sequence[int]) -> str:
    """Indices, runs of them as a range: ``0–3, 7``."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1][1:] = [index]
        else:
            runs.append([index])
    return ", ".join("–".join(map(str, run)) for run in runs)
