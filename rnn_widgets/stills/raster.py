"""Small PNG images with a palette."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def png(indices: NDArray[Any], palette: bytes, opacity: bytes = b"") -> bytes:
    r"""A PNG image: one pixel for each entry of ``indices`` (rows, columns), row 0 at the top.

    Parameters
    ----------
    indices : array of whole numbers, (rows, columns)
        Places in the palette.
    palette : bytes
        Red, green and blue of each place, at most 256.
    opacity : bytes
        One for each place; 255 for those that are left out.

    Returns
    -------
    bytes

    Examples
    --------
    >>> png(np.zeros((2, 3), int), bytes(3))[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    height, width = indices.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each line begins with its filter, none
    lines[:, 1:] = indices
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette),
            _chunk(b"tRNS", opacity) if opacity else b"",
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 1)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
