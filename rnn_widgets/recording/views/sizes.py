"""Lines of sizes, which have no sign, on a logarithmic or linear axis: what flow and lag share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnn_widgets.recording.layer import Array

from .curves import Points, alarms, captions, with_zeros_apart
from .drawing import Scales
from .grid import Grid, columns_for, curve_grid, ticks_up
from .options import Options
from .scales import Norm, Scale, Ticks, decades, rising
from .telling import with_ends


class Sizes:
    """Panels of lines of sizes, one panel for each direction.

    Parameters
    ----------
    values : array, (lines, panels, width)
    names : list of str
        Of the panels.
    options : Options
    norm : (low, high)
        Ends of the scale that all share.
    """

    def __init__(self, values: Array, names: Sequence[str], options: Options, norm: Norm) -> None:
        self.values, self._options = values, options
        panels, width = values.shape[1:]
        columns = columns_for(panels, options.rows) if options.rows else 1
        columns = panels if options.vertical and not options.rows else columns
        self.grid: Grid = curve_grid(panels, columns, width, vertical=options.vertical)
        self.scales = [Scale(*norm, options.scale)]
        if not options.share_axes:
            ends = [options.norm or room(values[:, i], options) for i in range(panels)]
            self.scales = [Scale(*one, options.scale) for one in ends]
        self._names = with_ends(names, [] if options.share_axes else self.scales)
        self.down = [options.reflect and name == "reverse" for name in names]

    def scale(self, panel: int) -> Scale:
        """The scale of a panel."""
        return self.scales[panel if len(self.scales) > 1 else 0]

    def points(self, values: Array) -> Points:
        """Points of lines (lines, panels, width), zeros joined with zeros only."""
        return with_zeros_apart(self.grid, self.scales, values, np.where(self.down, -1, 1)[:, None])

    def around(self, made: Scales, real: Array, others: Array | None = None) -> dict[str, object]:
        """Marks of what is not finite, and captions; ``real`` is False for padding.

        ``others`` are sizes that have no line, (lines, panels, width): they are marked alone.
        """
        layers: dict[str, object] = {}
        values = self.values if others is None else np.concatenate([self.values, others])
        bars = alarms(self.grid, values, real)
        if bars is not None:
            layers["not finite"] = made.alarms(*bars)
        if any(self._names):
            layers["captions"] = captions(made, self.grid, self._names, True)
        return layers

    def ticks(self) -> Ticks:
        """Ticks of the sizes, upside down where lines hang."""
        if not self._options.share_axes:
            return []
        grid = self.grid
        firsts = [n * (1 if grid.vertical else grid.columns) for n in range(grid.over)]
        rows = [
            {self.down[p] for p in self._beside(first) if p < len(self.down)} for first in firsts
        ]
        flipped = [at for at, ways in enumerate(rows) if ways == {True}]
        return ticks_up(grid, self.scales[0], flipped=flipped)

    def _beside(self, first: int) -> range:
        """Panels that share the axis of sizes with one."""
        grid = self.grid
        return (
            range(first, grid.panels, grid.columns)
            if grid.vertical
            else range(first, first + grid.columns)
        )


def room(values: Array, options: Options) -> Norm:
    """Ends with room for all sizes."""
    return decades(values) if options.scale == "log" else rising(values)
