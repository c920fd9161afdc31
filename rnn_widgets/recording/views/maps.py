"""Heat maps in panels, as one image: features against time, and parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rnn_widgets.recording.layer import Array

from .curves import captions
from .drawing import Scales
from .grid import Grid, round_distances, ticks_across
from .images import NOTHING, SCHEMES, levels, png
from .options import Options
from .scales import Norm, Scale, Ticks
from .telling import with_ends
from .text import three_digits
from .view import Legend

CAPTION = 18  # pixels
WIDE = 900  # a usual width of a figure in pixels
FINEST = 24  # rows that a panel has at least in the image, so that captions fit between panels


class Maps:
    """Maps in panels, with their scales and what stands around them.

    Parameters
    ----------
    values : array, (panels, rows, columns)
        As they lie on the screen.
    names : list of str
        Captions; none where all are empty.
    columns : int
        Of panels.
    options : Options
    norm : (low, high)
        Ends of the scale that all share.
    room : callable
        From numbers to ends that have room for them, for panels with scales of their own.
    height : int, optional
        Of the figure in pixels; otherwise as it suits the maps.
    """

    def __init__(
        self,
        values: Array,
        names: list[str],
        columns: int,
        options: Options,
        norm: Norm,
        room: Callable[[Array], Norm],
        height: int | None = None,
    ) -> None:
        self.values, self._shared = values, options.share_axes
        self.pair = options.scheme or SCHEMES["blue-orange"]
        count, down, across = values.shape
        rows = math.ceil(count / columns)
        self.height = height or map_height(rows, down)
        pixels = (self.height - 90) / rows
        self.scales = [Scale(*norm, options.scale)]
        if not self._shared:
            ends = [options.norm or room(one) for one in values]
            self.scales = [Scale(*one, options.scale) for one in ends]
        self._names = with_ends(names, [] if self._shared else self.scales)
        captioned = any(self._names)
        self.grid = map_grid(count, columns, (down, across), pixels, captioned)
        self._sharp = pixels >= down and WIDE / columns >= across

    def layers(self, made: Scales) -> dict[str, Any]:
        """The image with its frames and captions."""
        if self._shared:
            places = levels(self.values, self.scales[0])
        else:
            pairs = zip(self.values, self.scales, strict=True)
            places = np.stack([levels(one, scale) for one, scale in pairs])
        data, grid = png(mosaic(self.grid, places), self.pair), self.grid
        layers = {
            "map": made.image(data, grid.across, grid.up, self._sharp),
            "frames": made.frame(grid.rectangles()),
        }
        if any(self._names):
            layers["captions"] = captions(made, grid, self._names, False)
        return layers

    def at(self, x: float, y: float) -> tuple[int, int, int] | None:
        """Panel, row and column at a point; None between panels."""
        found = self.grid.locate(x, y)
        if found is None or not 0 <= found[2] < 1:
            return None
        panel, column, share = found
        return panel, int((1 - share) * self.grid.height), column

    def across(self, ticks: Ticks) -> Ticks:
        """Ticks of columns, for each panel in a row."""
        return ticks_across(self.grid, ticks)

    def down(self, ticks: Ticks) -> Ticks:
        """Ticks of rows counted from the top, for each row of panels; of many, for the first."""
        grid = self.grid
        rows = np.arange(grid.rows if grid.rows <= 6 else 1) * grid.columns
        tops = grid.bottom(rows) + grid.height
        return [(float(top) - place - 0.5, text) for top in tops for place, text in ticks]

    def keyed(self, label: str) -> str:
        """The label of an axis with what colours mean, for a picture saved without legend."""
        scale = self.scales[0]
        kind = ", symmetric log" if scale.kind == "symlog" else ""
        if not self._shared:
            return f"{label} (colours of each panel on its own scale{kind})"
        ends = f"{three_digits(scale.low)} to {three_digits(scale.high)}"
        return f"{label} (colours from {ends}{kind})"

    def legend(self) -> Legend:
        """What colours mean."""
        scale, pair = self.scales[0], self.pair
        low, high = (three_digits(end) for end in (scale.low, scale.high))
        ends = f"{low} to {high}" if self._shared else "each panel to its own ends"
        shown = [*[pair[0]] * (scale.low < 0), "transparent", *[pair[1]] * (scale.high > 0)]
        gradient = f"linear-gradient(to right, {', '.join(shown)})"
        log = "; symmetric log: half as deep is a thousandth" if scale.kind == "symlog" else ""
        return [("ramp", gradient, f"{ends}, zero is blank{log}")]


def map_grid(
    count: int, columns: int, shape: tuple[int, int], pixels: float, captions: bool
) -> Grid:
    """A grid of maps of (rows, columns), ``pixels`` for each with its caption."""
    down, across = shape
    lane = 0.0
    if captions:
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


def place_ticks(count: int, most: int) -> list[int]:
    """0-based places to label: the ends, or round ones where there is room for more."""
    if most < 3:
        return sorted({0, count - 1})
    return list(range(0, count, next(a for a in round_distances() if count <= a * most)))
