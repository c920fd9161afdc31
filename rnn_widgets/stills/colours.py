"""Colours of still pictures: a light card, on which they read whatever is behind it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rnn_widgets.core.ops import Array
from rnn_widgets.widgets.transforms import NEGATIVE as NEGATIVE
from rnn_widgets.widgets.transforms import POSITIVE as POSITIVE
from rnn_widgets.widgets.transforms import transformed

CARD, TEXT, QUIET, LINE, FAINT = "#ffffff", "#1f2328", "#57606a", "#d0d7de", "#f0f2f5"
ACCENT = "#6f42c1"
ALARM = "#d81b60"  # NaN and ±∞, neither blue nor orange nor the background
PAIR = (NEGATIVE, POSITIVE)


def limit(*arrays: Array) -> float:
    """The end of a symmetric scale for numbers: the largest, rounded up; 1 if all are zero."""
    flat = [np.asarray(a, float).ravel() for a in arrays]
    return float(transformed(np.concatenate([np.zeros(1), *flat]), "limit"))


def shade(x: float, end: float, pair: tuple[str, str] = PAIR) -> str:
    """The colour of a number on a scale from −end to end: zero is the card's.

    >>> shade(0.0, 2.0), shade(2.0, 2.0), shade(-9.0, 2.0), shade(float("nan"), 2.0)
    ('#ffffff', '#d9680b', '#2b6cb0', '#d81b60')
    """
    if not math.isfinite(x):
        return ALARM
    return blend(pair[int(x > 0)], min(abs(x) / end, 1.0))


def blend(color: str, strength: float) -> str:
    """A colour over the card, as opaque as ``strength`` says."""
    parts = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (part - 255) * strength):02x}" for part in parts)


def depths(numbers: Array, end: float, count: int) -> NDArray[np.int64]:
    """How deep the colour of each number is, from −count to count; beyond for what is not finite.

    What is too small to see has the palest colour: only zero is blank.

    >>> depths(np.array([-2.0, 0.0, 1e-9, 1.0, np.nan]), 2.0, 4)
    array([-4,  0,  1,  2,  5])
    """
    deep = np.ceil(np.clip(np.abs(np.nan_to_num(numbers)) / end, 0, 1) * count)
    signed = np.where(np.isfinite(numbers), np.sign(numbers) * deep, count + 1)
    return signed.astype(np.int64)


def deep(depth: int, count: int, pair: tuple[str, str] = PAIR) -> str:
    """The colour of one of these depths."""
    return ALARM if depth > count else blend(pair[depth > 0], abs(depth) / count)


def ink(x: float, end: float) -> str:
    """A colour for text over `shade`."""
    return CARD if not math.isfinite(x) or abs(x) > 0.62 * end else TEXT
