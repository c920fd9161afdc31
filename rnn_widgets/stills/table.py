"""The picture of the table of gradients: names, other names, shape and norm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rnn_widgets.core.norms import norms
from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network

from .colours import LINE, QUIET
from .focus import overflow
from .picture import Picture, cut, points, wide
from .written import listed, steady, three_digits

ROW = 20.0
MOST_ROWS = 40


def table(
    rows: Sequence[Sequence[str]], summary: Sequence[str], title: str = "", width: float = 860
) -> Picture:
    """Rows of words under a head, which is the first row.

    Parameters
    ----------
    rows : sequence of sequences of str
    summary : sequence of str
    title : str
    width : float
        In pixels; words that do not fit are cut.

    Returns
    -------
    Picture
    """
    needed = [max(wide(row[i]) for row in rows) + 16 for i in range(len(rows[0]))]
    given = width - 24
    if sum(needed) > given:  # the widest columns give
        fair = sorted(needed)
        while sum(min(n, fair[-1]) for n in needed) > given:
            fair[-1] -= 4
        needed = [min(n, fair[-1]) for n in needed]
    shown = rows[: MOST_ROWS + 1]
    top = 34.0 if title else 14.0
    picture = Picture(width, top + ROW * len(shown) + 8 + (16 if len(rows) > len(shown) else 0))
    picture.summary = list(summary)
    if title:
        picture.text(12, 20, cut(title, given), font_weight=600)
    for i, row in enumerate(shown):
        x, y = 12.0, top + ROW * i + 10
        for words, room in zip(row, needed, strict=True):
            style = {"fill": QUIET} if i == 0 else {}
            picture.text(x, y, cut(words, room - 8), **style)
            x += room
        if i:
            picture.path(
                f"M{points(12, y - 14)}H{points(width - 12)}", stroke=LINE, stroke_width=0.7
            )
    if len(rows) > len(shown):
        words = f"and {len(rows) - len(shown)} more"
        picture.text(12, top + ROW * len(shown) + 12, words, fill=QUIET)
    return picture


def gradients(
    net: Network, compare: Mapping[str, Array] | None = None, width: float = 860
) -> Picture:
    """Every gradient under its names, and how far others are from it.

    Parameters
    ----------
    net : Network
    compare : dict, optional
        Leaf name to a gradient from elsewhere; what no longer fits the network is left out.
    width : float
        In pixels.

    Returns
    -------
    Picture
    """
    found, others = net.gradients(), compare or {}
    head = ["∂L/∂", "also called", "shape", "norm"]
    rows = [head + (["largest difference"] if others else [])]
    for name in map(str, found):
        array = steady(found[name])
        norm = float(norms(array, tuple(range(array.ndim))))
        row = [name, ", ".join(found.aliases(name)), "×".join(map(str, array.shape))]
        row.append(three_digits(norm))
        rows.append(row + ([_difference(array, others.get(name))] if others else []))
    told = [f"{row[0]} {row[3]}" for row in rows[1:]]
    lost = overflow(net)
    summary = [f"norms of gradients: {listed(told, 8)}", *[lost] * bool(lost)]
    return table(rows, summary, "Which gradient is which", width)


def _difference(mine: Array, other: Array | None) -> str:
    if other is None or np.shape(other) != mine.shape:
        return ""
    with np.errstate(all="ignore"):
        apart = np.abs(np.asarray(other, float) - mine).max(initial=0.0)
        size = np.abs(mine).max(initial=0.0)
    return "none but rounding" if apart <= 1e-6 * size else three_digits(float(apart))
