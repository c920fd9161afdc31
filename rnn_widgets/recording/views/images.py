"""Signed numbers as a small PNG image: zero is transparent, what is not finite stands out."""

from __future__ import annotations

import re

import numpy as np

from rnn_widgets.core.names import unknown
from rnn_widgets.recording.layer import Array
from rnn_widgets.stills.colours import ALARM as ALARM
from rnn_widgets.stills.raster import png as palette_png
from rnn_widgets.widgets.transforms import NEGATIVE, POSITIVE

from .scales import Scale

LEVELS = 120  # depths of each colour; more than an eye can tell apart
NOTHING, NOT_FINITE = 2 * LEVELS + 1, 2 * LEVELS + 2
SCHEMES = {
    "blue-orange": (NEGATIVE, POSITIVE),
    "red-blue": ("#b2182b", "#2166ac"),
    "purple-green": ("#762a83", "#1b7837"),
    "teal-brown": ("#01665e", "#8c510a"),
}


def colours(scheme: object) -> tuple[str, str]:
    """The colours of negative and positive numbers.

    Parameters
    ----------
    scheme : str or pair of str
        A name in ``SCHEMES``, or two colours such as ``("#2b6cb0", "#d9680b")``.

    Raises
    ------
    KeyError, TypeError
        If there is no such scheme, or the colours are not written as ``#rrggbb``.

    >>> colours("blue-orange")
    ('#2b6cb0', '#d9680b')
    """
    if isinstance(scheme, str):
        if scheme not in SCHEMES:
            raise unknown("colour scheme", scheme, SCHEMES)
        return SCHEMES[scheme]
    pair = tuple(scheme) if isinstance(scheme, (tuple, list)) else ()
    if len(pair) != 2 or not all(re.fullmatch("#[0-9a-fA-F]{6}", str(c)) for c in pair):
        raise TypeError(
            f"scheme is one of {', '.join(SCHEMES)} or two colours (negative, positive) "
            f'such as ("#2b6cb0", "#d9680b"), not {scheme!r}'
        )
    return str(pair[0]), str(pair[1])


def levels(numbers: Array, scale: Scale) -> Array:
    """The place of each number in the palette: LEVELS is zero, lower negative, higher positive."""
    low, high = (max(abs(end), np.finfo(float).tiny) for end in (scale.low, scale.high))
    finite = np.isfinite(numbers)
    safe = np.where(finite, numbers, 0.0)
    with np.errstate(over="ignore"):
        depth = np.where(safe < 0, safe / low, safe / high)
    if scale.kind == "symlog":
        depth = scale.place(safe)
    depth = np.clip(depth, -1, 1) * LEVELS
    # What is too small to see has the palest colour: only zero is the background.
    depth = np.where(safe < 0, np.floor(depth), np.ceil(depth))
    return np.where(finite, LEVELS + depth, NOT_FINITE).astype(np.uint8)


def png(indices: Array, scheme: tuple[str, str]) -> bytes:
    """A PNG image with a palette: one pixel for each entry of ``indices`` (rows, columns)."""
    return palette_png(indices, *_palette(scheme))


def _palette(scheme: tuple[str, str]) -> tuple[bytes, bytes]:
    negative, positive, alarm = (bytes.fromhex(c[1:]) for c in (*scheme, ALARM))
    depths = [round(255 * i / LEVELS) for i in range(LEVELS + 1)]
    colours = negative * LEVELS + positive * (LEVELS + 1) + bytes(3) + alarm
    return colours, bytes([*reversed(depths[1:]), *depths, 0, 255])
