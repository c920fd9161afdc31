"""One value for each channel and sample: at one step, or summed over time."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_widgets.recording.layer import Array

from .choice import Choice
from .curves import alarms, captions, zero_lines
from .drawing import ACCENT, PALE, Drawing, Scales, Title
from .grid import Grid, columns_for, curve_grid, heights, ticks_up
from .maps import place_ticks
from .scales import Norm, Scale, places
from .telling import about, meaning, of_layer, of_samples, sentences, told, with_ends
from .text import at_step, not_finite, three_digits
from .view import Legend, View


class Features0D(View):
    """See `features_0d`."""

    kind = "features_0d"

    def _prepare(self) -> None:
        options = self.options
        self._choice = choice = Choice(self.rec, options.what, options, timed=False)
        if not choice.timed and options.step is not None:
            raise ValueError(f"{options.what} has no steps for step= to pick from")
        self.follows = choice.follows

    def _fixed(self) -> set[str]:
        return self._choice.fixed(overlaid=True)

    @property
    def _whole(self) -> bool:
        """Whether numbers are sums over time."""
        return self._choice.timed and self.options.step is None

    def _extent(self) -> Norm:
        numbers = self._summed()
        room = self._choice.room if self._whole else self._choice.ends
        return self.options.norm or room(numbers)

    def _summed(self) -> Array:
        """Values (samples, directions, channels); NaN for a sample that is shorter."""
        self._picked = picked = self._choice.picked(self.selection)
        if self.options.step is None:
            with np.errstate(invalid="ignore", over="ignore"):
                summed: Array = picked.values.sum(1)
            return summed
        at = self.options.step - picked.first
        if at < 0:
            raise ValueError(
                f"step {self.options.step} is not one of the last {picked.steps} that "
                "max_timesteps leaves"
            )
        there: Array = np.where(picked.real[:, at, None, None], picked.values[:, at], np.nan)
        return there

    def _draw(self, scales: type[Scales]) -> Drawing:
        self._values = values = self._summed()
        options, picked = self.options, self._picked
        panels, count = values.shape[1:]
        columns = columns_for(panels, options.rows)
        if options.rows is None:  # mirrored they meet, otherwise they share an axis of channels
            columns = panels if options.vertical != options.reflect else 1
        self._grid = grid = curve_grid(panels, columns, count, vertical=options.vertical)
        self._scales = own = [Scale(*self.norm(), options.scale)]
        if not options.share_axes:
            ends = [options.norm or self._choice.room(values[:, d]) for d in range(panels)]
            own = self._scales = [Scale(*one, options.scale) for one in ends]
        made = scales(grid.across, grid.up, grid.vertical)
        focus = self._choice.focus(self.selection)
        rest = [i for i in range(len(values)) if focus is None or picked.samples[i] != focus]
        layers = {
            "frames": made.frame(grid.rectangles()),
            "zero": made.lines(*zero_lines(grid, own), colors=[PALE], stroke_width=1),
        }
        style: dict[str, Any] = {"stroke_width": 2, "opacities": [0.7]}
        if rest and options.scheme:
            shown = values[rest]
            for name, part, color in zip(
                ("negative", "positive"), (shown < 0, shown >= 0), options.scheme, strict=True
            ):
                points = dashes(grid, places(own, np.where(part, shown, np.nan), 1))
                layers[name] = made.lines(*points, colors=[color], **style)
        elif rest:
            points = dashes(grid, places(own, values[rest], 1))
            layers["samples"] = made.lines(*points, colors=[PALE], **style)
        if focus is not None:
            at = [picked.samples.index(focus)]
            points = dashes(grid, places(own, values[at], 1))
            layers["focus"] = made.lines(*points, colors=[ACCENT], stroke_width=3)
        real = np.ones(values.shape, bool)
        if options.step is not None:
            real &= picked.real[:, options.step - picked.first, None, None]
        bars = alarms(grid, values, real)
        if bars is not None:
            layers["not finite"] = made.alarms(*bars)
        names = with_ends(self._names(grid), [] if options.share_axes else own)
        if any(names) and (panels > 1 or not options.share_axes):
            layers["captions"] = captions(made, grid, names, True)
        self._bad = not_finite(values[real])
        return Drawing(
            layers,
            self._heading(),
            grid.across,
            grid.up,
            self._channel_ticks(grid),
            ticks_up(grid, own[0]) if options.share_axes else [],
            picked.channel_word,
            "" if options.share_axes else "each panel on its own scale",
            (280 if grid.rows == 1 else 400) if not grid.vertical else 460,
            vertical=grid.vertical,
        )

    def _names(self, grid: Grid) -> list[str]:
        """Captions; of a mirrored panel over another one also its channels, which no axis has."""
        picked = self._picked
        ends = [(picked.channel(d, 0), picked.channel(d, -1)) for d in range(grid.panels)]
        return [
            f"{name}, {picked.channel_word}s from {first} to {last}"
            if (first, last) != ends[0] and grid.over > 1
            else name
            for name, (first, last) in zip(picked.directions, ends, strict=True)
        ]

    def _channel_ticks(self, grid: Grid) -> list[tuple[float, str]]:
        """The channels along each panel; the same in all of them unless one is mirrored."""
        at = place_ticks(grid.width, 16 if grid.along == 1 else 5)
        ticks = []
        for slot in range(grid.along):
            # Panels over one another share an axis: it names the first one's channels.
            direction = min(slot * (grid.columns if grid.vertical else 1), grid.panels - 1)
            left = float(grid.left(np.array(direction)))
            ticks += [(left + c, str(self._picked.channel(direction, c))) for c in at]
        return ticks

    def _heading(self) -> Title:
        step = self.options.step
        when = f"at {at_step(step)}" if step is not None else "summed over time"
        when = when if self._choice.timed else ""
        label = told(self._choice.what, self._picked.label)
        whose = f"{of_layer(self.rec)}{of_samples(self._picked, self.rec)}"
        return Title(f"{label} {when}".strip(), whose, self._bad)

    def _legend(self) -> Legend:
        focus, scheme = self._choice.focus(self.selection), self.options.scheme
        entries: Legend = []
        if scheme:
            pair = zip(scheme, ("negative", "zero and positive"), strict=True)
            entries = [("solid", color, sign) for color, sign in pair]
        elif not self._choice.one_row:
            entries = [("solid", PALE, "each sample" if focus is None else "other samples")]
        if focus is not None and not self._choice.one_row:
            entries.append(("solid", ACCENT, f"sample {focus}"))
        return entries

    def _note(self) -> str:
        about_all = about(self.rec, self._values, self._scales)
        return sentences(meaning(self._choice.what), *about_all)

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None:
            return ""
        direction, channel, share = found
        column = self._values[:, direction, channel]
        focus = self._choice.focus(self.selection)
        place = 0
        if focus is not None:
            place = self._picked.samples.index(focus)
        elif np.isfinite(column).any():
            scale = self._scales[direction if len(self._scales) > 1 else 0]
            place = int(np.nanargmin(np.abs(scale.place(column) - (2 * share - 1))))
        where = f"{self._picked.channel_word} {self._picked.name(direction, channel)}"
        return f"{where}{self._picked.of_sample(place)}: {three_digits(float(column[place]))}"


def dashes(grid: Grid, places: Array) -> tuple[Array, Array]:
    """A short dash at each of the places (samples, directions, channels), a line with gaps."""
    panels = np.arange(grid.panels)
    y = heights(grid, panels[:, None], places).astype(float)
    x = np.broadcast_to(grid.left(panels)[:, None] + np.arange(grid.width, dtype=float), y.shape)
    gap = np.full(y.shape, np.nan)
    return np.stack([x - 0.36, x + 0.36, gap], -1).ravel(), np.stack([y, y, gap], -1).ravel()
