"""Small multiples in one mark: panels in rows and columns of one pair of axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnn_widgets.recording.layer import Array

from .scales import Scale, Ticks
from .text import three_digits

HALF = 1000  # from the middle of a panel of curves to its top
MOST_TICKS = 6
PANEL, WHOLE, TALL, HIGHEST = 92, 280, 150, 720  # heights in pixels


@dataclass(frozen=True)
class Grid:
    """Panels of one size, row by row, the first at the top left.

    A panel is ``width`` along, from 0 to width − 1 with half a unit to each side, and ``height``
    up; between panels are ``gap`` and ``lane``, the latter with room for a caption. Along is
    across the screen, or down where the grid is ``vertical``: then up is to the right. What a grid
    places is in these two directions; `Scales` turns it.
    """

    panels: int
    columns: int
    width: int
    gap: int
    height: float
    lane: float
    vertical: bool = False

    @property
    def rows(self) -> int:
        """Rows of panels on the screen."""
        return math.ceil(self.panels / self.columns)

    @property
    def along(self) -> int:
        """How many panels follow one another along."""
        return self.rows if self.vertical else self.columns

    @property
    def over(self) -> int:
        """How many panels stand over one another."""
        return self.columns if self.vertical else self.rows

    def _slots(self, panel: Array) -> tuple[Array, Array]:
        row, column = np.divmod(np.asarray(panel), self.columns)
        return (row, column) if self.vertical else (column, row)

    @property
    def across(self) -> tuple[float, float]:
        """Ends of the axis along."""
        return -0.5, self.along * (self.width + self.gap) - self.gap - 0.5

    @property
    def up(self) -> tuple[float, float]:
        """Ends of the axis up."""
        whole = self.over * (self.height + self.lane)
        return (0.0, whole) if self.vertical else (-whole, 0.0)

    def left(self, panel: Array) -> Array:
        """Where position 0 of panels is, along."""
        return self._slots(panel)[0] * (self.width + self.gap)

    def bottom(self, panel: Array) -> Array:
        """Where panels begin, up."""
        slot = self._slots(panel)[1]
        return (slot if self.vertical else -(slot + 1)) * (self.height + self.lane)

    def locate(self, x: float, y: float) -> tuple[int, int, float] | None:
        """What is at a point: panel, position in it, share of its height.

        Parameters
        ----------
        x, y : float
            Along and up.
        """
        pitch = self.height + self.lane
        slot = math.floor((x + 0.5) / (self.width + self.gap))
        level = math.floor((y if self.vertical else -y) / pitch)
        row, column = (slot, level) if self.vertical else (level, slot)
        panel = row * self.columns + column
        position = math.floor(x + 0.5 - slot * (self.width + self.gap))
        if not (0 <= column < self.columns and row >= 0 and 0 <= panel < self.panels):
            return None
        share = (y - float(self.bottom(np.array(panel)))) / self.height
        return (panel, position, share) if 0 <= position < self.width else None

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


def curve_grid(
    panels: int, columns: int, width: int, lane: float = 0.4, vertical: bool = False
) -> Grid:
    """A grid of panels of curves, which are 2 HALF high; a row alone needs no lane over it."""
    alone = lane == 0.4 and (vertical or panels <= columns)
    grid = Grid(panels, columns, width, 0, 2.0 * HALF, (0.1 if alone else lane) * HALF, vertical)
    return replace(grid, gap=0 if grid.along == 1 else max(1, round(width * 0.08)))


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


def ticks_across(grid: Grid, labels: Ticks, most: int = 6, all_of: int = 3) -> Ticks:
    """Ticks along every panel that follows another; of many the ends, or of the first only."""
    slots = range(grid.along if grid.along <= most else 1)
    if len(slots) > 1:  # at the far end they would touch those of the next panel
        labels = [labels[0], *(t for t in labels[1:] if t[0] < 0.85 * grid.width)]
    if grid.along > all_of:
        labels = [labels[0], *labels[1:][-1:]]
    return [(p + n * (grid.width + grid.gap), text) for n in slots for p, text in labels]


def ticks_up(grid: Grid, scale: Scale, most: int = 6, flipped: Sequence[int] = ()) -> Ticks:
    """Ticks up every panel that stands over another, or of the first where there are many.

    Where panels are ``flipped``, by the place that they stand at, so are their ticks.
    """
    many = grid.over > (4 if grid.vertical else most)
    step = 1 if grid.vertical else grid.columns
    bottoms = grid.bottom(np.arange(1 if many else grid.over) * step)
    ticks = scale.ticks(few=grid.over > (1 if grid.vertical else 2))
    if many and not grid.vertical:
        ticks = [(p, three_digits(end)) for p, end in ((-1.0, scale.low), (1.0, scale.high))]
    elif many:
        ticks = [(float(scale.place(np.array(0.0))), "0")]
    return [
        (float(bottom) + HALF * (1 + (-p if at in flipped else p)), text)
        for at, bottom in enumerate(bottoms)
        for p, text in ticks
    ]


def height_of(grid: Grid) -> int:
    """Height of a figure of panels of curves in pixels."""
    if grid.vertical:
        return min(max(420, 60 + TALL * grid.rows), HIGHEST)
    return WHOLE if grid.rows == 1 else min(80 + PANEL * grid.rows, HIGHEST)
