"""Numbers read back from what a view draws, whichever way it lies and on whatever scale."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_widgets.recording.layer import Array
from rnn_widgets.recording.recording import Recording
from rnn_widgets.recording.views.grid import HALF
from rnn_widgets.recording.views.scales import CORE, Scale
from rnn_widgets.recording.views.view import View

from .samples import as_shares, pixels, points


def lying(view: View, name: str) -> tuple[Array, Array]:
    """Points of a layer, along and up, whichever of them goes down the screen."""
    x, y = points(view.layers[name])
    if not view._grid.vertical:
        return x, y
    return -y - 0.5, x


def number(scale: Scale, places: Array) -> Array:
    """The numbers at places from −1 to 1, by the definition of each scale."""
    if scale.kind == "linear":
        return scale.low + (places + 1) / 2 * (scale.high - scale.low)
    if scale.kind == "symlog":
        core = max(-scale.low, scale.high) * CORE
        return np.sinh(places * np.arcsinh(1 / CORE)) * core
    return scale.low * (scale.high / scale.low) ** ((places + 1) / 2)


def numbers_at(view: View, heights: Array, scales: list[Scale], down: Any = None) -> Array:
    """Numbers of (lines, panels, width) at heights, NaN for gaps."""
    bottoms = np.asarray(view._grid.bottom(np.arange(view._grid.panels)))[:, None]
    places = (heights - bottoms) / HALF - 1
    if down is not None:
        places = places * np.where(down, -1, 1)[:, None]
    each = scales * view._grid.panels if len(scales) == 1 else scales
    return np.stack([number(s, places[:, i]) for i, s in enumerate(each)], 1)


def curve_numbers(view: View, name: str, scales: list[Scale], down: Any = None) -> Array:
    """Numbers of (lines, panels, steps), of lines with a gap after each panel."""
    grid = view._grid
    _, y = lying(view, name)
    y = np.atleast_2d(y)[:, : grid.panels * (grid.width + 1)]
    y = y.reshape(-1, grid.panels, grid.width + 1)[..., :-1]
    return numbers_at(view, y, scales, down)


def dash_numbers(view: View, name: str) -> Array:
    """Numbers of (samples, panels, channels), of a dash for each."""
    grid = view._grid
    _, y = lying(view, name)
    return numbers_at(view, y.reshape(-1, grid.panels, grid.width, 3)[..., 0], view._scales)


def map_numbers(view: View) -> Array:
    """Numbers of (panels, rows, columns) by the depth of their colour."""
    maps, shares = view._maps, as_shares(pixels(view))
    each = maps.scales * len(shares) if len(maps.scales) == 1 else maps.scales
    found = []
    for one, scale in zip(shares, each, strict=True):
        if scale.kind == "symlog":
            found.append(number(scale, one))
        else:
            found.append(np.where(one < 0, -one * scale.low, one * scale.high))
    return np.stack(found)


def bar_counts(view: View, tops: list[float], down: Any = False) -> Array:
    """Counts of (panels, bins), from the heights of bars."""
    grid = view._grid
    found = []
    for name in ("negative", "positive"):
        _, y = lying(view, name)
        if len(y) == 1:  # no bar of this sign
            continue
        y = y.reshape(grid.panels, -1)[:, 1:-2:2]
        found.append(y)
    heights = np.concatenate(found, 1)
    share = (heights - np.asarray(grid.bottom(np.arange(grid.panels)))[:, None]) / (2 * HALF)
    share = np.where(np.asarray(down)[..., None], 1 - share, share)
    return share * np.asarray(tops)[:, None]


def by_step(rec: Recording, what: str, gate: int | None = None) -> Array:
    """A quantity as (samples, steps, directions, channels), from the recorded arrays."""
    group, _, name = what.removesuffix("]").partition("[")
    ends = ("", "_reverse")[: rec.directions] if group != "initial" else ()
    if group == "contributions":
        return np.stack([rec.contributions(name + end).T for end in ends], 1)[None]
    if group in ("by_source", "weights", "gradients"):
        found = []
        for end in ends:
            held = rec.by_source(name + end) if group == "by_source" else None
            held = getattr(rec, group)[name + end][None] if held is None else held
            parts = held.reshape(len(held), len(rec.gates), rec.hidden, -1)
            parts = parts if gate is None else parts[:, [gate]]
            found.append(np.sqrt((parts**2).sum((1, 3))))
        return np.stack(found, 1)[None]
    values = rec.quantity(what).values
    if group == "initial":
        return values.swapaxes(0, 1)[:, None]
    directions = 1 if what in ("x", "inputs") else rec.directions
    return values.reshape(*values.shape[:2], directions, -1)
