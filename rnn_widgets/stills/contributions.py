"""The picture of C[t, k]: every contribution of an entry, its sums and the gradient."""

from __future__ import annotations

import numpy as np

from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network

from .cells import cells
from .colours import ACCENT, QUIET, limit
from .focus import Focus, overflow
from .picture import Picture, cut, sentence
from .written import cell_name, steady, three_digits

MOST_STEPS = 200
LEFT, TOP, BELOW = 40.0, 52.0, 26.0
GAP = 7.0  # before the sums
WIDEST, HIGHEST = 62.0, 32.0  # of a cell
LEAST_WRITTEN, LEAST_HIGH = 30.0, 13.0  # of cells with numbers
MOST_LABELS = 14


def contributions(net: Network, focus: Focus, width: float = 430) -> Picture:
    """C[t, k] as a heat map with Σ over sources at the right, Σ over losses below, and the total.

    Parameters
    ----------
    net : Network
    focus : Focus
        Whose contributions, and which of them is outlined.
    width : float
        In pixels.

    Returns
    -------
    Picture
    """
    numbers = focus.contributions(net)
    steps = len(numbers)
    if steps > MOST_STEPS:
        words = f"{steps} steps are too many for a still picture of C[t, k]: run the cell."
        return sentence(words, width, summary(net, focus))
    w = min(WIDEST, (width - LEFT - GAP - 16) / (steps + 1.0))
    h = min(w, HIGHEST)
    side = max(w, 40.0) if w >= 20 else min(max(w, 34.0), 40.0)
    w = min(w, (width - LEFT - GAP - 14 - side) / steps)
    high = max(h, 18.0)
    picture = Picture(width, TOP + steps * h + GAP + high + BELOW + 8, summary(net, focus))
    picture.text(12, 20, cut(f"C[t, k] of {focus.selection}", width - 24), font_weight=600)
    end = limit(numbers)
    with np.errstate(all="ignore"):
        by_loss, by_source = steady(numbers.sum(1)), steady(numbers.sum(0))
        total = steady(numbers.sum(keepdims=True))
    sums = limit(by_loss, by_source, total)
    key = f"blue −, orange +, up to {three_digits(end)}; sums Σ up to {three_digits(sums)}"
    picture.text(12, 36, cut(key, width - 24), fill=QUIET)
    x, y = LEFT, TOP
    right, below = x + steps * w + GAP, y + steps * h + GAP

    def tip(t: int, k: int) -> str:
        return f"{cell_name(t, k)} = {three_digits(float(numbers[t, k]))}"

    written = w >= LEAST_WRITTEN
    cells(picture, numbers, (x, y, steps * w, steps * h), end, tip, apart=written)
    cells(picture, by_loss[:, None], (right, y, side, steps * h), sums, apart=h >= LEAST_HIGH)
    cells(picture, by_source[None], (x, below, steps * w, high), sums, apart=written)
    cells(picture, total, (right, below, side, high), sums)
    at = x + focus.source_step * w, y + focus.loss_step * h
    picture.rect(*at, w, h, fill="none", stroke=ACCENT, stroke_width=2, rx=1.5)
    picture.rect(right, below, side, high, fill="none", stroke=QUIET)
    _labels(picture, steps, (x, y, w, h), below + high, (right + side / 2, below + high / 2))
    return picture


def _labels(
    picture: Picture,
    steps: int,
    box: tuple[float, float, float, float],
    foot: float,
    total: tuple[float, float],
) -> None:
    x, y, w, h = box
    every = -(-steps // MOST_LABELS)
    picture.open(fill=QUIET, font_size=10)
    for step in range(0, steps, every):
        across, down = x + (step + 0.5) * w, y + (step + 0.5) * h + 3.5
        picture.text(across, foot + 12, str(step + 1), text_anchor="middle")
        picture.text(x - 5, down, str(step + 1), text_anchor="end")
    picture.text(x - 5, total[1] + 3.5, "Σ", text_anchor="end")
    picture.text(total[0], foot + 12, "Σ", text_anchor="middle")
    picture.text(x + steps * w / 2, foot + 25, "source step k", text_anchor="middle")
    middle = f"translate(16 {y + steps * h / 2:.1f}) rotate(-90)"
    picture.text(0, 0, "loss step t", text_anchor="middle", transform=middle)
    picture.shut()


def summary(net: Network, focus: Focus) -> list[str]:
    """The gradient of an entry and its largest contributions, in words."""
    numbers = focus.contributions(net)
    with np.errstate(all="ignore"):
        total = float(steady(numbers.sum(keepdims=True))[0, 0])
    lines = [f"gradient of {focus.selection} = Σ C[t, k] = {three_digits(total)}"]
    largest = _largest(numbers)
    if largest:
        told = (f"{cell_name(t, k)} = {three_digits(float(numbers[t, k]))}" for t, k in largest)
        lines.append(f"largest: {', '.join(told)}")
    lost = overflow(net)
    return [*lines, lost] if lost else lines


def _largest(numbers: Array, most: int = 3) -> list[tuple[int, int]]:
    """The places of the largest numbers, in a fixed order where they are equal."""
    sizes = np.where(np.isfinite(numbers), np.abs(numbers), 0.0)
    order = np.argsort(-sizes, axis=None, kind="stable")[:most]
    return [divmod(int(i), len(numbers)) for i in order if sizes.flat[i] > 0]
