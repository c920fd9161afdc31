"""Recordings to draw, and how to read numbers back from what is drawn."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import bqplot
import numpy as np
import torch

import rnn_widgets as rw
from rnn_widgets.recording.layer import Array
from rnn_widgets.recording.recording import Recording
from rnn_widgets.recording.views.grid import HALF
from rnn_widgets.recording.views.images import LEVELS, NOT_FINITE, NOTHING
from rnn_widgets.recording.views.view import View


def recorded(
    kind: type[torch.nn.Module] = torch.nn.LSTM,
    *,
    samples: int = 3,
    steps: int = 6,
    hidden: int = 4,
    loss: Any = lambda out: (out[0] ** 2).sum(),
    lengths: list[int] | None = None,
    **options: Any,
) -> Recording:
    """Record a layer with 2 inputs in float64."""
    torch.manual_seed(0)
    layer = kind(2, hidden, batch_first=True, **options).double()
    x: Any = torch.randn(samples, steps, 2, dtype=torch.float64)
    if lengths is not None:
        x = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        return rw.record(layer, x, lambda out: (out[0].data ** 2).sum())
    return rw.record(layer, x, loss)


def changed(rec: Recording, name: str, at: tuple[int, ...], value: float) -> Recording:
    """The same recording with one number of an array, led by time, written over."""
    arrays = {key: np.array(array) for key, array in rec._arrays.items()}
    arrays[name][at] = value
    return Recording(rec._meta, arrays)


def points(mark: bqplot.Lines) -> tuple[Array, Array]:
    """What a mark was given to draw: without the point that every line ends with."""
    return np.asarray(mark.x)[..., :-2], np.asarray(mark.y)[..., :-2]


def curve_values(view: View, mark: bqplot.Lines, limit: float) -> Array:
    """Numbers of (lines, panels, steps) read back from the heights of curves."""
    grid = view._grid
    _, y = points(mark)
    y = y.reshape(-1, grid.panels, grid.width + 1)
    assert np.isnan(y[..., -1]).all()
    bottoms = np.asarray(grid.bottom(np.arange(grid.panels)))[:, None]
    return ((y[..., :-1] - bottoms) / HALF - 1) * limit


def palette(data: bytes) -> Array:
    """Places in the palette, read back from a PNG image."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        (check,) = struct.unpack(">I", data[at + 8 + size : at + 12 + size])
        assert check == zlib.crc32(name + body)
        chunks[name], at = body, at + 12 + size
    width, height = struct.unpack(">II", chunks[b"IHDR"][:8])
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not lines[:, 0].any()
    return lines[:, 1:]


def pixels(view: View) -> Array:
    """Places in the palette of (panels, rows, columns) of a view of maps."""
    image, grid = palette(bytes(view.layers["map"].image.value)), view._grid
    fine = len(image) / (grid.rows * (grid.height + grid.lane))
    found = []
    for panel in range(grid.panels):
        left, bottom = int(grid.left(np.array(panel))), float(-grid.bottom(np.array(panel)))
        rows = [
            round((bottom - grid.height + r + 0.5) * fine - 0.5) for r in range(int(grid.height))
        ]
        found.append(image[rows, left : left + grid.width])
    return np.stack(found)


def as_shares(places: Array) -> Array:
    """Shares of the limit that places in the palette stand for, NaN for what is not finite."""
    assert (places != NOTHING).all()
    shares = (places.astype(float) - LEVELS) / LEVELS
    return np.where(places == NOT_FINITE, np.nan, shares)
