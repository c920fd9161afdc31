"""What the figure of a watch shows: numbers by pass, direction and step, and where they stand."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .layer import Array
from .watched import PARTS, Norms, Watched


@dataclass(frozen=True)
class Shown:
    """Numbers of one direction, or of both beside one another with a gap between them.

    ``parts`` maps "direct", "carried" and "total" to (R, panels, T); ``real`` is False beyond the
    end of a shorter pass, ``names`` are the directions, empty text where there is only one;
    ``without_loss`` says that they should be relative to losses which nobody told.
    """

    parts: dict[str, Array]
    real: Array
    names: tuple[str, ...]
    without_loss: bool

    @property
    def steps(self) -> int:
        """T."""
        return int(self.real.shape[2])

    @property
    def gap(self) -> int:
        """Steps left blank between panels."""
        return 0 if len(self.names) == 1 else max(1, round(self.steps * 0.08))

    @property
    def width(self) -> int:
        """All panels with their gaps, in steps."""
        return len(self.names) * (self.steps + self.gap) - self.gap

    def at(self, panel: int, step: int) -> float:
        """Where a step is across: 1 for the first one."""
        return float(panel * (self.steps + self.gap) + step + 1)

    def locate(self, x: float) -> tuple[int, int] | None:
        """Panel and step at a place across, None between them."""
        panel, along = divmod(math.floor(x - 0.5), self.steps + self.gap)
        return (panel, along) if 0 <= panel < len(self.names) and along < self.steps else None

    def side_by_side(self, maps: Array, blank: int) -> Array:
        """Maps of (R, panels, T) as one of (R, width)."""
        whole = np.full((len(maps), self.width), blank, maps.dtype)
        for panel in range(len(self.names)):
            start = panel * (self.steps + self.gap)
            whole[:, start : start + self.steps] = maps[:, panel]
        return whole

    def curve(self, heights: Array) -> tuple[Array, Array]:
        """Points of a curve through (panels, T), with a gap between panels; one step is a dash."""
        x = np.array([[self.at(n, t) for t in range(self.steps)] for n in range(len(heights))])
        if self.steps == 1:
            x, heights = x + np.array([-0.3, 0.3]), np.repeat(heights, 2, 1)
        ended = [np.pad(a, ((0, 0), (0, 1)), constant_values=np.nan) for a in (x, heights)]
        return ended[0].ravel()[:-1], ended[1].ravel()[:-1]

    def lost(self, row: int) -> Array:
        """Where across something of a pass is not finite."""
        good = np.all([np.isfinite(numbers[row]) for numbers in self.parts.values()], 0)
        return np.array([self.at(n, t) for n, t in np.argwhere(self.real[row] & ~good)])

    def captions(self, y: float) -> list[tuple[float, float, str]]:
        """Place and text of what stands over panels."""
        if len(self.names) == 1:
            return []
        return [(self.at(n, 0) - 0.5, y, name) for n, name in enumerate(self.names)]

    def marks(self, lane: list[float], half: float) -> dict[str, Any]:
        """Where steps are, for the browser to mark the one that is pointed at."""
        return {
            "vertical": False,
            "first": 0,
            "count": self.steps,
            "pitch": self.steps + max(self.gap, 1),
            "offset": 1,
            "size": 1,
            "half": half,
            "repeats": len(self.names),
            "lanes": [lane],
            "within": sum(lane) / 2,
        }


def shown(watch: Watched, scale: str, direction: str, state: str) -> Shown:
    """The numbers that the switches of a figure ask for.

    Parameters
    ----------
    watch : Watched
    scale : {"absolute", "largest", "loss"}
        What norms are relative to: nothing, the largest total of the same pass and direction, or
        the size of its loss.
    direction : {"both", "forward", "reverse"}
    state : {"h", "c"}
    """
    of_state: Norms | None = watch if state == "h" else watch.cell
    assert of_state is not None
    if watch.directions == 1:
        sides = {"": of_state}
    else:
        both = {"forward": of_state.forward, "reverse": of_state.reverse}
        sides = both if direction == "both" else {direction: both[direction]}
    parts = {part: np.stack([getattr(one, part) for one in sides.values()], 1) for part in PARTS}
    real = np.arange(parts["total"].shape[2]) < watch.steps[:, None, None]
    real = np.broadcast_to(real, parts["total"].shape)
    untold = scale == "loss" and bool(np.isnan(watch.losses).all())
    by = _divisors(watch, scale, parts["total"])
    with np.errstate(all="ignore"):
        parts = {part: numbers / by for part, numbers in parts.items()}
    if scale == "loss":  # a pass whose loss nobody told is blank
        real = real & ~np.isnan(by)
    return Shown(parts, real, tuple(sides), untold)


def _divisors(watch: Watched, scale: str, total: Array) -> Array:
    """What the numbers of each pass and panel are divided by: (R, panels or 1, 1)."""
    if scale == "absolute":
        return np.ones((1, 1, 1))
    if scale == "loss":
        return np.abs(watch.losses)[:, None, None]
    sizes = np.where(np.isfinite(total), total, 0.0).max(2, keepdims=True, initial=0.0)
    return np.where(sizes > 0, sizes, 1.0)
