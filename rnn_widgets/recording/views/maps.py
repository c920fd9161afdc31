"""Heat maps in panels, as one image: features against time, and parameters."""

from __future__ import annotations

import math

import numpy as np

from rnn_widgets.recording.layer import Array

from .grid import Grid, round_distances
from .images import NOTHING
from .scales import Scale, Ticks
from .text import three_digits
from .view import Legend

CAPTION = 18  # pixels
WIDE = 900  # a usual width of a figure in pixels
FINEST = 24  # rows that a panel has at least in the image, so that captions fit between panels


def map_grid(count: int, columns: int, shape: tuple[int, int], pixels: float) -> Grid:
    """A grid of maps of (rows, columns), ``pixels`` for each with its caption."""
    down, across = shape
    lane = 0.0
    if count > 1:
        fine = finer(down)
        lane = math.ceil(CAPTION / max(pixels - CAPTION, CAPTION) * down * fine) / fine
    gap = 0 if columns == 1 else max(1, round(across * 0.04))
    return Grid(count, columns, across, gap, float(down), lane)


def finer(down: int) -> int:
    """Pixels of the image for each row of a map."""
    return max(1, math.ceil(FINEST / down))


def map_height(rows: int, down: int) -> int:
    """Height of a figure of maps in pixels."""
    if rows == 1:
        return 90 + min(max(down * 14, 150), 420 if down <= 300 else 560)
    return min(90 + rows * max(110, min(down, 220)), 760)


def mosaic(grid: Grid, maps: Array) -> Array:
    """Places in the palette, (maps, rows, columns), laid out in the grid."""
    fine = finer(int(grid.height))
    pitch = round((grid.height + grid.lane) * fine)
    width = grid.columns * (grid.width + grid.gap) - grid.gap
    whole = np.full((grid.rows * pitch, width), NOTHING, np.uint8)
    for n, one in enumerate(maps):
        row, column = divmod(n, grid.columns)
        bottom, left = (row + 1) * pitch, column * (grid.width + grid.gap)
        there = whole[bottom - len(one) * fine : bottom, left : left + grid.width]
        there[:] = np.repeat(one, fine, 0)
    return whole


def rows_down(grid: Grid, ticks: Ticks) -> Ticks:
    """Ticks of rows counted from the top, for each row of panels; of many, for the first."""
    rows = np.arange(grid.rows if grid.rows <= 6 else 1) * grid.columns
    tops = grid.bottom(rows) + grid.height
    return [(float(top) - place - 0.5, text) for top in tops for place, text in ticks]


def place_ticks(count: int, most: int) -> list[int]:
    """0-based places to label: the ends, or round ones where there is room for more."""
    if most < 3:
        return sorted({0, count - 1})
    return list(range(0, count, next(a for a in round_distances() if count <= a * most)))


def keyed(label: str, scale: Scale) -> str:
    """The label of an axis with what colours mean, for a picture that is saved without legend."""
    kind = ", symmetric log" if scale.kind == "symlog" else ""
    return f"{label} (colours from {three_digits(scale.low)} to {three_digits(scale.high)}{kind})"


def ramp(scale: Scale, pair: tuple[str, str]) -> Legend:
    """What colours mean."""
    low, high = (three_digits(end) for end in (scale.low, scale.high))
    shown = [*[pair[0]] * (scale.low < 0), "transparent", *[pair[1]] * (scale.high > 0)]
    gradient = f"linear-gradient(to right, {', '.join(shown)})"
    log = "; symmetric log: half as deep is a thousandth" if scale.kind == "symlog" else ""
    return [("ramp", gradient, f"{low} to {high}, zero is blank{log}")]
