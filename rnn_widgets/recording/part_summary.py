"""What a part of a recording comes to, in text: one quantity of some samples, channels or steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rnn_widgets.core.norms import norms

from .layer import Array
from .views.choice import Choice
from .views.options import Options
from .views.telling import of_layer, of_samples
from .views.text import at_step, not_finite, three_digits

if TYPE_CHECKING:
    from .recording import Recording


def part_summary(rec: Recording, options: Options) -> str:
    """How many numbers a quantity has, how large they are, and how large they are step by step."""
    choice = Choice(rec, options.what or "total", options, timed=False)
    picked = choice.picked(None)
    whose = f"{of_layer(rec)}{of_samples(picked, rec)}"
    lines = [f"{picked.label}", f"  {whose}"]
    channels = len(picked.channels)
    for at, name in enumerate(picked.directions):
        values = picked.values[:, :, at]
        numbers = values[picked.real].astype(float)
        word = f"{picked.channel_word}{'' if channels == 1 else 's'}"
        sizes = f"{channels} {word}, {numbers.size} numbers{not_finite(numbers)}"
        lines += ["", f"{name}: {sizes}" if name else sizes]
        rows = _rows(numbers)
        if choice.timed:
            by_step = norms(np.where(picked.real[..., None], values, 0), (0, 2))
            largest = int(np.nanargmax(by_step)) if not np.isnan(by_step).all() else 0
            for label, step in (("first", 0), ("largest", largest), ("last", len(by_step) - 1)):
                where = at_step(step + picked.first)
                rows.append((f"norm, {label} step shown", f"{_text(by_step[step])} at {where}"))
        widest = max(len(label) for label, _ in rows)
        lines += [f"  {label.ljust(widest)}  {text}" for label, text in rows]
    return "\n".join(lines)


def _rows(numbers: Array) -> list[tuple[str, str]]:
    finite = numbers[np.isfinite(numbers)]
    zeros = int((finite == 0).sum())
    rows = [("norm", _text(norms(numbers, (0, 1)))), ("exactly zero", str(zeros))]
    if finite.size:
        rows.insert(1, ("mean", _text(finite.mean())))
        rows.insert(2, ("least, most", f"{_text(finite.min())}, {_text(finite.max())}"))
    return rows


def _text(number: float | Array) -> str:
    return three_digits(float(number))
