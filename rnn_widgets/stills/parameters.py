"""The picture of leaves: every parameter, input and seed as a matrix of numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network

from .cells import MOST_PIXELS, cells
from .colours import QUIET, limit
from .picture import Picture, cut, wide
from .written import listed, steady, three_digits

CELL = (38.0, 17.0)
GAP, TITLE = 20.0, 22.0
MOST_WRITTEN = 180  # numbers in one picture; leaves after those are colours alone
MOST_LEAVES = 24


def parameters(net: Network, leaves: Sequence[str] | None = None, width: float = 860) -> Picture:
    """Leaves as matrices, one beside the other.

    Parameters
    ----------
    net : Network
    leaves : sequence of str, optional
        Which; those that the network does not have are left out. All for None.
    width : float
        In pixels.

    Returns
    -------
    Picture
    """
    names = [name for name in (net.values if leaves is None else leaves) if name in net.values]
    values = {name: np.asarray(net.values[name], float) for name in names}
    shapes = [f"{name} {_sizes(values[name])}" for name in names]
    picture = Picture(width, 0, [f"leaves: {listed(shapes, 8)}"])
    picture.text(12, 20, "Values: blue −, orange +, each leaf on its own scale", font_weight=600)
    x, y, highest, written = 12.0, 34.0, 0.0, 0
    for name in names[:MOST_LEAVES]:
        written += values[name].size
        leaf = _leaf(name, steady(values[name]), width - 24, written <= MOST_WRITTEN)
        if x + leaf.width > width - 12:
            x, y, highest = 12.0, y + highest + 12, 0.0
        picture.put(leaf, x, y)
        x, highest = x + leaf.width + GAP, max(highest, leaf.height)
    y += highest + 12
    if len(names) > MOST_LEAVES:
        picture.text(12, y + 8, f"and {len(names) - MOST_LEAVES} more", fill=QUIET)
        y += 18
    picture.height = y
    return picture


def _leaf(name: str, values: Array, most: float, written: bool) -> Picture:
    matrix = values.reshape(1, -1) if values.ndim < 2 else values.reshape(-1, values.shape[-1])
    rows, columns = matrix.shape
    w, h = CELL
    if not written or columns * w > most:
        w = h = max(min(9.0, 260 / max(rows, columns)), 1.0)
    w = min(w, most / columns)
    end = limit(matrix)
    words = f"{name} {_sizes(values)}"
    leaf = Picture(min(max(columns * w, wide(words)), most), TITLE + rows * h)
    leaf.text(0, 11, cut(words, most), fill=QUIET)
    if matrix.size > MOST_PIXELS or rows * h > 600:
        leaf.height = TITLE + 18
        told = f"too many numbers for a still picture; the largest is {three_digits(end)}"
        leaf.text(0, TITLE + 8, told, fill=QUIET)
        leaf.width = wide(told)
        return leaf
    cells(leaf, matrix, (0, TITLE - 4, columns * w, rows * h), end, apart=written)
    return leaf


def _sizes(values: Array) -> str:
    return "×".join(map(str, values.shape))
