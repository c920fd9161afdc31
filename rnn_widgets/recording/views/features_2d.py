"""Heat maps of time and channel: one of each sample."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_widgets.recording.layer import Array

from .choice import Choice, Picked
from .curves import step_marks
from .drawing import Drawing, Scales, Title
from .grid import Grid, columns_for, step_ticks
from .maps import Maps, place_ticks
from .scales import Norm, Ticks, hint
from .telling import about, meaning, of_layer, of_samples, sentences, told
from .text import at_step, not_finite, three_digits
from .view import Legend, View

MOST_MAPS = 16  # of samples, unless more are asked for


class Features2D(View):
    """See `features_2d`."""

    kind = "features_2d"

    def _prepare(self) -> None:
        self._choice = Choice(self.rec, self.options.what, self.options)
        self.follows = self._choice.follows

    def _fixed(self) -> set[str]:
        return self._choice.fixed()

    def _extent(self) -> Norm:
        picked = self._choice.picked(self.selection)
        return self.options.norm or self._choice.ends(picked.numbers())

    def _draw(self, scales: type[Scales]) -> Drawing:
        options = self.options
        some = self._choice.alone(self.selection)
        if options.samples is None and some is None:
            some = self._choice.all_samples[:MOST_MAPS]
        picked = self._picked = self._choice.picked(self.selection, some)
        names = [f"sample {sample}" for sample in picked.samples] if picked.by_sample else [""]
        self._maps = maps = Maps(
            self._laid_out(picked),
            names if len(names) > 1 else [""],
            columns_for(len(names), options.rows),
            options,
            self.norm(),
            self._choice.room,
        )
        self._grid = grid = maps.grid
        made = scales(grid.across, grid.up)
        layers = maps.layers(made)
        if len(picked.directions) == 2:
            layers["halves"] = made.frame(self._halves(grid))
        steps = [(float(at), str(at + picked.first + 1)) for at in step_ticks(picked.steps)]
        beside = grid.columns if options.vertical else grid.rows
        channels = self._channel_ticks(picked, few=beside > 1)
        time, other = "step t", picked.channel_word
        across, down = (other, time) if options.vertical else (time, other)
        return Drawing(
            layers,
            self._heading(),
            grid.across,
            grid.up,
            maps.across(channels if options.vertical else steps),
            maps.down(steps if options.vertical else channels),
            across if self.beside else maps.keyed(across),
            down,
            maps.height,
            self._step_marks(grid, picked.first),
        )

    def _laid_out(self, picked: Picked) -> Array:
        """Numbers as they lie on the screen, (samples, rows, columns)."""
        maps = picked.values.reshape(*picked.values.shape[:2], -1)
        return maps if self.options.vertical else maps.transpose(0, 2, 1)

    def _halves(self, grid: Grid) -> tuple[Array, Array]:
        """A line between the directions in each panel."""
        panels = np.arange(grid.panels)
        gap = np.full(grid.panels, np.nan)
        left, bottom = grid.left(panels) - 0.5, grid.bottom(panels)
        if self.options.vertical:
            x = left + grid.width / 2
            ends = (x, x), (bottom, bottom + grid.height)
        else:
            y = bottom + grid.height / 2
            ends = (left, left + grid.width), (y, y)
        x, y = (np.stack([*pair, gap], 1).ravel() for pair in ends)
        return x, y

    @staticmethod
    def _channel_ticks(picked: Picked, few: bool) -> Ticks:
        count, groups = len(picked.channels), len(picked.directions)
        if groups > 1 and (few or groups > 2):
            return [(d * count + (count - 1) / 2, name) for d, name in enumerate(picked.directions)]
        at = place_ticks(count, 2 if few else 8)
        if groups > 1:
            at = [c for c in place_ticks(count, 4) if c < 0.8 * count]
        return [(float(d * count + c), picked.name(d, c)) for d in range(groups) for c in at]

    def _step_marks(self, grid: Grid, first: int) -> dict[str, Any]:
        if not self.options.vertical:
            return step_marks(grid, first, 0.5)
        return {
            "vertical": True,
            "first": first,
            "count": int(grid.height),
            "pitch": grid.height + grid.lane,
            "offset": grid.lane,
            "size": 1,
            "half": 0.5,
            "repeats": grid.rows,
            "lanes": [list(grid.across)],
            "within": (grid.width - 1) // 2,
        }

    def _heading(self) -> Title:
        picked = self._picked
        label, bad = told(self._choice.what, picked.label), not_finite(picked.numbers())
        return Title(label, f"{of_layer(self.rec)}{of_samples(picked, self.rec)}", bad)

    def _legend(self) -> Legend:
        return self._maps.legend()

    def _note(self) -> str:
        numbers, scales = self._picked.values, self._maps.scales
        lost = hint(scales[0], numbers) if self.options.share_axes else ""
        parts = [meaning(self._choice.what), lost]
        more = len(self._choice.all_samples) - len(self._picked.samples)
        if more and len(self._picked.samples) > 1:
            parts.insert(1, "samples= picks others than the first.")
        return sentences(*parts, *about(self.rec, numbers, scales))

    def _read(self, x: float, y: float) -> str:
        found = self._maps.at(x, y)
        if found is None:
            return ""
        panel, row, column = found
        picked = self._picked
        step, place = (row, column) if self.options.vertical else (column, row)
        direction, channel = divmod(place, len(picked.channels))
        value = three_digits(float(picked.values[panel, step, direction, channel]))
        where = f"{picked.channel_word} {picked.name(direction, channel)}"
        return f"{at_step(step + picked.first)} · {where}{picked.of_sample(panel)}: {value}"
