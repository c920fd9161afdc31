"""Small multiples in one mark: panels in rows and columns of one pair of axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rnn_widgets.recording.layer import Array

from .scales import Scale, Ticks
from .text import three_digits

HALF = 1000  # from the middle of a panel of curves to its top
MOST_TICKS = 6


@dataclass(frozen=True)
class Grid:
    """Panels of one size, row by row, the first at the top left.

    A panel is ``width`` wide, from 0 to width − 1 with half a unit to each side, and ``height``
    high; between panels are ``gap`` and ``lane``, the latter with room for a caption.
    """

    panels: int
    columns: int
    width: int
    gap: int
    height: float
    lane: float

    @property
    def rows(self) -> int:
        """Rows of panels."""
        return math.ceil(self.panels / self.columns)

    @property
    def across(self) -> tuple[float, float]:
        """Ends of the horizontal axis."""
        return -0.5, self.columns * (self.width + self.gap) - self.gap - 0.5

    @property
    def up(self) -> tuple[float, float]:
        """Ends of the vertical axis."""
        return -(self.rows * (self.height + self.lane)), 0.0

    def left(self, panel: Array) -> Array:
        """Where position 0 of panels is, horizontally."""
        return (np.asarray(panel) % self.columns) * (self.width + self.gap)

    def bottom(self, panel: Array) -> Array:
        """Where panels end below."""
        return -(np.asarray(panel) // self.columns + 1) * (self.height + self.lane)

    def locate(self, x: float, y: float) -> tuple[int, int, float] | None:
        """What is at a point: panel, position in it, share of its height from below.

        Parameters
        ----------
        x, y : float
            In the units of the axes.
        """
        column, row = (
            math.floor((x + 0.5) / (self.width + self.gap)),
            math.floor(-y / (self.height + self.lane)),
        )
        panel = row * self.columns + column
        position = math.floor(x + 0.5 - column * (self.width + self.gap))
        share = (y - float(self.bottom(np.array(panel)))) / self.height
        inside = 0 <= column < self.columns and row >= 0 and 0 <= panel < self.panels
        return (panel, position, share) if inside and 0 <= position < self.width else None

    def rectangles(self, panels: Array | None = None) -> tuple[Array, Array]:
        """Outlines of panels, as x and y of one line with gaps."""
        n = np.arange(self.panels) if panels is None else panels
        left, bottom = self.left(n) - 0.5, self.bottom(n)
        right, top, gap = left + self.width, bottom + self.height, np.full(len(n), np.nan)
        x = np.stack([left, right, right, left, left, gap], 1)
        y = np.stack([bottom, bottom, top, top, bottom, gap], 1)
        return x.ravel(), y.ravel()


def columns_for(panels: int, rows: int | None, aspect: float = 1.0) -> int:
    """Columns of a grid; with as many rows as asked for, else as wide as it is high or wider."""
    if rows is not None:
        return math.ceil(panels / rows)
    if panels <= 3:
        return panels
    return min(panels, math.ceil(math.sqrt(panels * aspect)))


def curve_grid(panels: int, columns: int, width: int, lane: float = 0.4) -> Grid:
    """A grid of panels of curves, which are 2 HALF high; a row alone needs no lane over it."""
    gap = 0 if columns == 1 else max(1, round(width * 0.08))
    alone = lane == 0.4 and panels <= columns
    return Grid(panels, columns, width, gap, 2.0 * HALF, (0.1 if alone else lane) * HALF)


def heights(grid: Grid, panel: Array, places: Array) -> Array:
    """Where places from −1 to 1 in panels are on the vertical axis, as float32."""
    return (grid.bottom(panel) + HALF * (1 + places)).astype(np.float32)


def step_ticks(steps: int, most: int = MOST_TICKS) -> list[int]:
    """0-based steps to label: the first, then 1-based round ones."""
    apart = next(a for a in round_distances() if steps <= a * most)
    marks = range(apart, steps + 1, apart)
    return [0, *(t - 1 for t in marks if t - 1 > apart / 2 or (t > 1 and steps <= most))]


def round_distances() -> list[int]:
    """1, 2, 5, 10 and so on."""
    return [digit * 10**power for power in range(9) for digit in (1, 2, 5)]


def ticks_across(grid: Grid, labels: Ticks, most_columns: int = 6, all_of: int = 3) -> Ticks:
    """Ticks of every column of panels; of many the ends, or of the first only."""
    columns = range(grid.columns if grid.columns <= most_columns else 1)
    if len(columns) > 1:  # at the right end they would touch those of the next panel
        labels = [labels[0], *(t for t in labels[1:] if t[0] < 0.85 * grid.width)]
    if grid.columns > all_of:
        labels = [labels[0], *labels[1:][-1:]]
    return [(p + c * (grid.width + grid.gap), text) for c in columns for p, text in labels]


def ticks_up(grid: Grid, scale: Scale, most_rows: int = 6) -> Ticks:
    """Ticks of every row of panels of curves, or of the first where there are many rows."""
    rows = range(grid.rows if grid.rows <= most_rows else 1)
    at = [(float(heights(grid, np.array(r * grid.columns), np.array(0.0))), r) for r in rows]
    ticks = scale.ticks(few=grid.rows > 2)
    if grid.rows > most_rows:
        ticks = [(p, three_digits(end)) for p, end in ((-1.0, scale.low), (1.0, scale.high))]
    return [(middle + HALF * p, text) for middle, _ in at for p, text in ticks]
