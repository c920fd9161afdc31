"""Lines over positions in panels, as arrays for one mark; marks where numbers are not finite."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_widgets.recording.layer import Array

from .drawing import PALE, Scales
from .grid import HALF, Grid, heights
from .scales import Scale, places

Points = tuple[Array, Array]


def curves(grid: Grid, scale: Scale, values: Array) -> Points:
    """Points of lines through the values of each panel.

    Parameters
    ----------
    values : array, (lines, panels, width)
        A gap where one is not finite.

    Returns
    -------
    x : array, (panels · (width + 1),)
    y : array, (lines, panels · (width + 1))
        With a gap after each panel. A single value is a short dash.
    """
    positions = np.arange(grid.width, dtype=float)
    if grid.width == 1:
        positions, values = np.array([-0.3, 0.3]), np.repeat(values, 2, -1)
    panels = np.arange(grid.panels)
    y = heights(grid, panels[:, None], scale.place(values))
    gap = np.full((*y.shape[:2], 1), np.nan, np.float32)
    x = np.broadcast_to(grid.left(panels)[:, None] + positions, y.shape[1:])
    return (
        np.concatenate([x, gap[0]], 1).ravel(),
        np.concatenate([y, gap], 2).reshape(len(values), -1),
    )


def lone(points: Points) -> Points | None:
    """Dashes for points that have no neighbour to be joined with; None if there are none."""
    x, y = points
    missing = np.pad(~np.isfinite(y), ((0, 0), (1, 1)), constant_values=True)
    alone = ~missing[:, 1:-1] & missing[:, :-2] & missing[:, 2:]
    if not alone.any():
        return None
    at, level = np.broadcast_to(x, y.shape)[alone], y[alone]
    gap = np.full(at.shape, np.nan)
    half = max(0.3, len(x) / 200)
    ends = np.stack([at - half, at + half, gap], 1).ravel()
    return ends, np.stack([level, level, gap], 1).ravel()


def with_zeros_apart(
    grid: Grid, scales: list[Scale], values: Array, flip: Array | float = 1.0
) -> Points:
    """Points of lines as of `curves`, zeros on the bottom joined with zeros only.

    On a logarithmic axis a line between zero and a number would show numbers that are not there.
    """
    there = places(scales, values, 1) * flip
    apart = (values == 0) & (scales[0].kind == "log")
    rest, zeros = np.where(apart, np.nan, there), np.where(apart, there, np.nan)
    x, y = curves(grid, Scale(-1, 1), np.concatenate([rest, zeros]))
    dashes = [lone((x, line[None])) if grid.width > 1 else None for line in y]
    n = len(values)
    lines = []
    for i in range(n):
        parts = [(x, y[i]), (x, y[n + i]), *filter(None, (dashes[i], dashes[n + i]))]
        lines.append([np.concatenate(side) for side in zip(*parts, strict=True)])
    longest = max(len(line[0]) for line in lines)
    padded = [
        [np.pad(side, (0, longest - len(side)), constant_values=np.nan) for side in line]
        for line in lines
    ]
    return np.stack([line[0] for line in padded]), np.stack([line[1] for line in padded])


def band(grid: Grid, scale: Scale, low: Array, high: Array) -> Points:
    """Outlines of the areas between low and high values, both (panels, width)."""
    x, edges = curves(grid, scale, np.stack([low, high]))
    broken = np.atleast_1d(~np.isfinite(edges).all(axis=0))
    starts = np.flatnonzero(~broken & np.r_[True, broken[:-1]])
    ends = np.flatnonzero(~broken & np.r_[broken[1:], True]) + 1
    pieces: list[tuple[Array, Array]] = []
    for start, end in zip(starts, ends, strict=True):
        there = slice(start, end)
        pieces.append(
            (
                np.r_[x[there], x[there][::-1], np.nan],
                np.r_[edges[0, there], edges[1, there][::-1], np.nan],
            )
        )
    return (
        np.concatenate([px for px, _ in pieces] or [np.full(2, np.nan)]),
        np.concatenate([py for _, py in pieces] or [np.full(2, np.nan)]),
    )


def alarms(grid: Grid, values: Array, real: Array) -> Points | None:
    """Where values are not finite: +∞ at the top, −∞ at the bottom, NaN at both.

    Where no line of a panel has a number, NaN is marked over the whole height.

    Parameters
    ----------
    values : array, (lines, panels, width)
    real : array of bool, broadcast to it
        False for padding, which is no value.
    """
    found: list[tuple[Array, Array]] = []
    nan, healthy = np.isnan(values), (np.isfinite(values) & real).any(0)
    for kind, (low, high) in (
        (nan & ~healthy, (-1.0, 1.0)),
        (np.isposinf(values) | (nan & healthy), (0.85, 1.1)),
        (np.isneginf(values) | (nan & healthy), (-1.1, -0.85)),
    ):
        panel, position = np.nonzero((kind & real).any(0))
        x = (grid.left(panel) + position).astype(float)
        middle = grid.bottom(panel) + HALF
        gap = np.full(x.shape, np.nan)
        found.append(
            (
                np.stack([x, x, gap], 1).ravel(),
                np.stack([middle + low * HALF, middle + high * HALF, gap], 1).ravel(),
            )
        )
    x, y = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return (x, y) if x.size else None


def zero_lines(grid: Grid, scales: list[Scale]) -> Points:
    """A line at zero through each panel, each on its own scale or all on the only one."""
    panels = np.arange(grid.panels)
    left = grid.left(panels) - 0.5
    y = heights(grid, panels, places(scales, np.zeros(grid.panels), 0)).astype(float)
    gap = np.full(grid.panels, np.nan)
    x = np.stack([left, left + grid.width, gap], 1).ravel()
    return x, np.stack([y, y, gap], 1).ravel()


def captions(scales: Scales, grid: Grid, texts: list[str], inside: bool, **style: Any) -> Any:
    """A text at the top left of each panel, of so many that they do not overlap."""
    inside = inside or grid.vertical
    every = max(1, -(-len(texts) // 600))
    panels = np.arange(0, grid.panels, every)
    y = grid.bottom(panels) + (0 if grid.vertical else grid.height)
    return scales.texts(
        grid.left(panels) - 0.5,
        y,
        [texts[panel] for panel in panels],
        x_offset=4 if inside else 0,
        y_offset=8 if inside else -8,
        **style,
    )


def step_marks(grid: Grid, first: int, half: float) -> dict[str, Any]:
    """Where steps are along a grid, for the browser."""
    return {
        "vertical": grid.vertical,
        "first": first,
        "count": grid.width,
        "pitch": grid.width + grid.gap,
        "offset": 0,
        "size": 1,
        "half": half,
        "repeats": grid.along,
        "lanes": [list(grid.up)],
        "within": float(grid.bottom(np.array(0))) + grid.height / 2,
    }


def by_sign(grid: Grid, scales: list[Scale], values: Array) -> dict[str, Points]:
    """Points of the parts of lines below and above zero, broken where they cross it.

    Parameters
    ----------
    values : array, (lines, panels, width)
    scales : list of Scale
        Of each panel, or one of all.
    """
    zero = places(scales, np.zeros(grid.panels), 0)[:, None]
    there = places(scales, values, 1) - zero
    now, after = there[..., :-1], there[..., 1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        crosses = np.sign(now) * np.sign(after) < 0
        share = np.where(crosses, now / (now - after), 0.5)
    between = np.where(crosses, 0.0, (now + after) / 2)
    fine = np.full((*there.shape[:2], 2 * grid.width - 1), np.nan)
    fine[..., ::2], fine[..., 1::2] = there, between
    along = np.zeros_like(fine)
    along[..., ::2], along[..., 1::2] = np.arange(grid.width), np.arange(grid.width - 1) + share
    if grid.width == 1:
        along, fine = along + np.array([-0.3, 0.3]), np.repeat(fine, 2, -1)
    panels = np.arange(grid.panels)
    x = grid.left(panels)[:, None] + along
    gap = np.full((*x.shape[:2], 1), np.nan)
    found = {}
    for name, part in (("negative", fine <= 0), ("positive", fine >= 0)):
        y = heights(grid, panels[:, None], np.where(part, fine, np.nan) + zero)
        found[name] = tuple(
            np.concatenate([side, gap], 2).reshape(len(values), -1) for side in (x, y)
        )
    return found  # type: ignore[return-value]


def pale(count: int) -> dict[str, Any]:
    """The style of many lines over one another."""
    return {"colors": [PALE], "opacities": [max(0.25, min(0.8, 4 / count))] * count}
