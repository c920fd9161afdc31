"""The picture of a Jacobian, weighted by a seed: its rows, and their sum under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rnn_widgets.core.ops import Array

from .cells import cells
from .colours import QUIET, limit
from .picture import Picture, cut
from .written import listed, steady, three_digits

ROW, GAP, LEFT, TOP = 20.0, 8.0, 150.0, 56.0
WIDEST = 44.0  # of a cell
MOST_TOLD = 8


def jacobian(
    outputs: Sequence[str],
    seed: Array,
    rows: Mapping[str, Array],
    title: str,
    width: float = 860,
) -> Picture:
    """Rows ∂z_i/∂argument with the weight of each, and the weighted sum.

    Parameters
    ----------
    outputs : sequence of str
        A name for each row.
    seed : array, (m,)
    rows : dict
        Argument name to (m, n).
    title : str
    width : float
        In pixels.

    Returns
    -------
    Picture
    """
    with np.errstate(all="ignore"):
        sums = {name: steady(seed @ part) for name, part in rows.items()}
    told = [f"{title}, weighted by v = ({_said(seed)})"]
    told += [f"gradient by {name}: {_said(numbers)}" for name, numbers in sums.items()]
    m, n = len(outputs), sum(part.shape[1] for part in rows.values())
    picture = Picture(width, TOP + ROW * (m + 1) + 2 * GAP, told, title)
    picture.text(12, 20, cut(title, width - 24), font_weight=600)
    for i, (name, weight) in enumerate(zip(outputs, seed, strict=True)):
        picture.text(12, TOP + ROW * i + 14, f"{three_digits(float(weight))} ×", fill=QUIET)
        picture.text(LEFT - 12, TOP + ROW * i + 14, f"row {name}", text_anchor="end")
    below = TOP + ROW * m + GAP
    picture.text(12, below + 14, "sum: the gradient", font_weight=600)
    each = min(WIDEST, (width - LEFT - 12 - GAP * (len(rows) - 1)) / n)
    x = LEFT
    for name, part in rows.items():
        wide = each * part.shape[1]
        picture.text(x, TOP - 8, cut(name, wide), fill=QUIET)
        for numbers, y in ((steady(part), TOP), (sums[name][None], below)):
            cells(picture, numbers, (x, y, wide, ROW * len(numbers)), limit(numbers))
        x += wide + GAP
    return picture


def _said(numbers: Array) -> str:
    return listed([three_digits(float(x)) for x in numbers], MOST_TOLD)
