"""Heat maps of time and channel, one for each sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .curves import captions, step_marks
from .drawing import Drawing, Scales, Title
from .features_1d import check_rows
from .grid import Grid, columns_for, step_ticks, ticks_across
from .images import colours, levels, png
from .maps import WIDE, keyed, map_grid, map_height, mosaic, place_ticks, ramp, rows_down
from .pick import Choice, Picked
from .scales import Norm, Scale, Ticks, check_scale, given_norm, hint
from .telling import about, meaning, of_layer, of_samples, sentences, told
from .text import at_step, not_finite, three_digits
from .view import Legend, View

if TYPE_CHECKING:
    from .selection import Selection

MOST_MAPS = 16  # of samples, unless more are asked for
ORIENTATIONS = ("horizontal", "vertical")


class Features2D(View):
    """See `features_2d`."""

    kind = "features_2d"

    def __init__(
        self,
        choice: Choice,
        selection: Selection,
        *,
        rows: int | None,
        norm: object,
        scale: str,
        scheme: object,
        orientation: str,
        reflect: bool,
        **options: Any,
    ) -> None:
        self._choice, self._rows, self._reflect = choice, check_rows(rows), reflect
        self._norm, self._colours = given_norm(norm), colours(scheme)
        self._kind = check_scale(scale)
        if orientation not in ORIENTATIONS:
            raise ValueError(
                f"orientation is one of {', '.join(ORIENTATIONS)}, not {orientation!r}"
            )
        if reflect and choice.rec.directions == 1:
            raise ValueError("reflect=True mirrors the reverse direction; this layer has only one")
        self._vertical = orientation == "vertical"
        super().__init__(choice.rec, selection, **options)

    def _fixed(self) -> set[str]:
        return self._choice.fixed()

    def _extent(self) -> Norm:
        return self._norm or self._choice.ends(self._choice.picked(self.selection).numbers())

    def _draw(self, scales: type[Scales]) -> Drawing:
        some = self._choice.alone(self.selection)
        if self._choice.samples is None and some is None:
            some = self._choice.all_samples[:MOST_MAPS]
        picked = self._choice.picked(self.selection, some)
        self._picked, maps = picked, self._maps(picked)
        count, down, across = maps.shape
        columns = columns_for(count, self._rows)
        rows = math.ceil(count / columns)
        height = map_height(rows, down)
        self._grid = grid = map_grid(count, columns, (down, across), (height - 90) / rows)
        self._scale = Scale(*self.norm(), self._kind)
        made = scales(grid.across, grid.up)
        sharp = (height - 90) / rows >= down and WIDE / columns >= across
        data = png(mosaic(grid, levels(maps, self._scale)), self._colours)
        layers = {
            "map": made.image(data, grid.across, grid.up, sharp),
            "frames": made.frame(grid.rectangles()),
        }
        if len(picked.directions) == 2:
            layers["halves"] = made.frame(self._halves(grid))
        if count > 1:
            names = [f"sample {sample}" for sample in picked.samples]
            layers["captions"] = captions(made, grid, names, False)
        steps = [(float(at), str(at + picked.first + 1)) for at in step_ticks(picked.steps)]
        channels = self._channel_ticks(picked, few=grid.rows > 1)
        time, other = "step t", picked.channel_word
        across = other if self._vertical else time
        key = across if self.beside else keyed(across, self._scale)
        if self._vertical:
            x_ticks, y_ticks = ticks_across(grid, channels), rows_down(grid, steps)
        else:
            x_ticks, y_ticks = ticks_across(grid, steps), rows_down(grid, channels)
        return Drawing(
            layers,
            self._heading(),
            grid.across,
            grid.up,
            x_ticks,
            y_ticks,
            key,
            time if self._vertical else other,
            height,
            self._step_marks(grid, picked.first),
        )

    def _maps(self, picked: Picked) -> Any:
        """Numbers as they lie on the screen, (samples, rows, columns); NaN is not padding."""
        values = picked.values
        if self._reflect and len(picked.directions) == 2:
            values = np.concatenate([values[:, :, :1], values[:, :, 1:, ::-1]], 2)
        maps = values.reshape(*values.shape[:2], -1)
        return maps if self._vertical else maps.transpose(0, 2, 1)

    def _halves(self, grid: Grid) -> tuple[Any, Any]:
        """A line between the directions in each panel."""
        panels = np.arange(grid.panels)
        gap = np.full(grid.panels, np.nan)
        left, bottom = grid.left(panels) - 0.5, grid.bottom(panels)
        if self._vertical:
            x, y = left + grid.width / 2, bottom
            ends = (x, x), (y, y + grid.height)
        else:
            y = bottom + grid.height / 2
            ends = (left, left + grid.width), (y, y)
        return tuple(np.stack([*pair, gap], 1).ravel() for pair in ends)  # type: ignore[return-value]

    def _channel_ticks(self, picked: Picked, few: bool) -> Ticks:
        count = len(picked.channels)
        ticks: Ticks = []
        if len(picked.directions) > 1 and few:
            return [(d * count + (count - 1) / 2, name) for d, name in enumerate(picked.directions)]
        at = place_ticks(count, 2 if few else 8)
        if len(picked.directions) > 1:
            at = [c for c in place_ticks(count, 4) if c < 0.8 * count]
        for d in range(len(picked.directions)):
            for c in at:
                flipped = self._reflect and d == 1
                place = d * count + (count - 1 - c if flipped else c)
                ticks.append((float(place), picked.name(d, c)))
        return ticks

    def _step_marks(self, grid: Grid, first: int) -> dict[str, Any]:
        if not self._vertical:
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
        return ramp(self._scale, self._colours)

    def _note(self) -> str:
        more = len(self._choice.all_samples) - len(self._picked.samples)
        parts = [meaning(self._choice.what), hint(self._scale, self._picked.values)]
        if more and len(self._picked.samples) > 1:
            parts.insert(1, "samples= picks others than the first.")
        return sentences(*parts, *about(self.rec, self._picked.values, self._scale))

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None or not 0 <= found[2] < 1:
            return ""
        panel, column, share = found
        row = int((1 - share) * self._grid.height)
        step, place = (row, column) if self._vertical else (column, row)
        direction, channel = divmod(place, len(self._picked.channels))
        if self._reflect and direction == 1:
            channel = len(self._picked.channels) - 1 - channel
        value = float(self._picked.values[panel, step, direction, channel])
        where = f"{self._picked.channel_word} {self._picked.name(direction, channel)}"
        sample = f" · sample {self._picked.samples[panel]}" if self.rec.samples > 1 else ""
        return f"{at_step(step + self._picked.first)} · {where}{sample}: {three_digits(value)}"
