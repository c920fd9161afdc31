"""Coloured cells, with their numbers where there is room."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from rnn_widgets.core.ops import Array

from .colours import FAINT, LINE, PAIR, QUIET, TEXT, deep, depths, ink, shade
from .picture import Picture, cut, points
from .raster import png
from .written import fitting

MOST_RECTS = 160  # beyond, cells of one colour are one path
MOST_DASHES = 200
MOST_PATHS = 400  # beyond, they are an image
MOST_PIXELS, MOST_BYTES = 100_000, 15_000
DEPTHS = 16  # of each colour in such a path
CHARACTER = 5.2  # pixels, of a number in a cell
ENOUGH = 0.8  # of the numbers must fit for any to be written
Box: TypeAlias = tuple[float, float, float, float]
Tip: TypeAlias = Callable[[int, int], str]


def cells(
    picture: Picture,
    numbers: Array,
    box: Box,
    end: float,
    tip: Tip | None = None,
    pair: tuple[str, str] = PAIR,
    apart: bool = True,
) -> None:
    """Draw a matrix of cells, zero blank and what is not finite with a cross.

    Parameters
    ----------
    picture : Picture
    numbers : array, (rows, columns)
        The first row at the top.
    box : (x, y, width, height)
        Where, in pixels.
    end : float
        The end of the symmetric colour scale.
    tip : callable, optional
        What pointing at the cell of a row and column says.
    pair : (str, str)
        Colours of negative and positive numbers.
    apart : bool
        Whether each cell has a rectangle and a number, if there are not too many.
    """
    x, y, width, height = box
    rows, columns = numbers.shape
    picture.rect(x, y, width, height, fill=FAINT if numbers.size == 0 else "none", stroke=LINE)
    if not numbers.size:
        return
    w, h = width / columns, height / rows
    here = (x, y, w, h)
    if numbers.size > MOST_PIXELS:
        _too_many(picture, box)
        return
    if numbers.size > MOST_PATHS:
        image = png(depths(numbers, end, DEPTHS) + DEPTHS, _palette(pair))
        if len(image) > MOST_BYTES:
            _too_many(picture, box)
            return
        picture.image(x, y, width, height, image, True)
        _dashes(picture, numbers, here)
    elif numbers.size > MOST_RECTS or not apart:
        _by_colour(picture, numbers, here, end, pair)
        _dashes(picture, numbers, here)
    else:
        for i, j in np.argwhere(numbers != 0):
            value, words = float(numbers[i, j]), tip(i, j) if tip else ""
            picture.rect(x + j * w, y + i * h, w, h, words, fill=shade(value, end, pair))
        _numbers(picture, numbers, here, end)
    lost = np.argwhere(~np.isfinite(numbers))
    if 0 < len(lost) <= MOST_PATHS and min(w, h) >= 6:
        crosses = [_cross(x + (j + 0.5) * w, y + (i + 0.5) * h) for i, j in lost]
        picture.path("".join(crosses), stroke="#fff", stroke_width=1.5)


def _too_many(picture: Picture, box: Box) -> None:
    words = "too many numbers for a still picture: run the cell"
    picture.text(box[0] + 6, box[1] + 16, cut(words, box[2] - 12), fill=QUIET)


def _palette(pair: tuple[str, str]) -> bytes:
    colors = [deep(depth, DEPTHS, pair) for depth in range(-DEPTHS, DEPTHS + 2)]
    return b"".join(bytes.fromhex(color[1:]) for color in colors)


def _by_colour(
    picture: Picture, numbers: Array, box: Box, end: float, pair: tuple[str, str]
) -> None:
    """One path for each depth of each colour, of runs of cells."""
    x, y, w, h = box
    runs: dict[int, list[str]] = {}
    for i, row in enumerate(depths(numbers, end, DEPTHS)):
        starts = np.flatnonzero(np.diff(row, prepend=row[0] - 1))
        for start, stop in zip(starts, [*starts[1:], len(row)], strict=True):
            if row[start]:
                long, here = points((stop - start) * w), points(x + start * w, y + i * h)
                path = f"M{here}h{long}v{points(h)}h-{long}z"
                runs.setdefault(int(row[start]), []).append(path)
    for depth, found in sorted(runs.items()):
        picture.path("".join(found), fill=deep(depth, DEPTHS, pair))


def _dashes(picture: Picture, numbers: Array, box: Box) -> None:
    """A minus sign in each cell that has room for one."""
    x, y, w, h = box
    below = np.argwhere(numbers < 0)
    if 0 < len(below) <= MOST_DASHES and min(w, h) >= 8:
        dashes = [f"M{points(x + (j + 0.5) * w - 2, y + (i + 0.5) * h)}h4" for i, j in below]
        picture.path("".join(dashes), stroke=TEXT, stroke_width=1)


def _numbers(picture: Picture, numbers: Array, box: Box, end: float) -> None:
    x, y, w, h = box
    places = np.argwhere(np.isfinite(numbers) & (numbers != 0))
    words = [fitting(float(numbers[i, j]), int((w - 3) / CHARACTER), 2) for i, j in places]
    if h >= 13 and words and sum(map(bool, words)) > ENOUGH * len(words):
        picture.open(font_size=9.5, text_anchor="middle")
        for (i, j), text in zip(places, words, strict=True):
            value, at = float(numbers[i, j]), (x + (j + 0.5) * w, y + (i + 0.5) * h + 3.4)
            picture.text(*at, text or ("−" if value < 0 else ""), fill=ink(value, end))
        picture.shut()
    else:
        _dashes(picture, numbers, box)


def _cross(x: float, y: float) -> str:
    return f"M{points(x - 2.5, y - 2.5)}l5 5m0-5l-5 5"
