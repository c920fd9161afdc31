"""Pictures beside and under one another."""

from __future__ import annotations

from collections.abc import Sequence

from .picture import Picture

GAP = 4.0


def stacked(pictures: Sequence[Picture], summary: Sequence[str]) -> Picture:
    """One under the other."""
    width = max(picture.width for picture in pictures)
    whole = Picture(width, sum(p.height + GAP for p in pictures) - GAP, summary)
    y = 0.0
    for picture in pictures:
        whole.put(picture, 0, y)
        y += picture.height + GAP
    return whole


def beside(pictures: Sequence[Picture], summary: Sequence[str]) -> Picture:
    """One beside the other."""
    height = max(picture.height for picture in pictures)
    whole = Picture(sum(picture.width for picture in pictures), height, summary)
    x = 0.0
    for picture in pictures:
        whole.put(picture, x, 0)
        x += picture.width
    return whole
