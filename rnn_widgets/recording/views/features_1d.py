"""Curves against time: one small panel for each channel, samples over one another."""

from __future__ import annotations

import numpy as np
from bqplot import Lines

from rnn_widgets.recording.layer import Array

from .choice import Choice, Picked
from .curves import alarms, band, by_sign, captions, curves, lone, pale, step_marks, zero_lines
from .drawing import ACCENT, PALE, Drawing, Scales, Title
from .grid import columns_for, curve_grid, height_of, step_ticks, ticks_across, ticks_up
from .scales import Norm, Scale, hint, places
from .telling import ALL_ZERO, about, meaning, of_layer, of_samples, sentences, told, with_ends
from .text import at_step, not_finite, plural, three_digits
from .view import Legend, View

MOST_POINTS = 120_000  # of curves; more take longer to draw than people wait
BLANK = 'most curves lie on zero: scale="symlog" shows them'


class Features1D(View):
    """See `features_1d`."""

    kind = "features_1d"

    def _prepare(self) -> None:
        self._choice = Choice(self.rec, self.options.what, self.options)
        self.follows = self._choice.follows
        self._focus: Lines | None = None

    def _fixed(self) -> set[str]:
        return self._choice.fixed(overlaid=True)

    def _extent(self) -> Norm:
        picked = self._choice.picked(self.selection)
        return self.options.norm or self._choice.ends(picked.numbers())

    def _draw(self, scales: type[Scales]) -> Drawing:
        options, picked = self.options, self._choice.picked(self.selection)
        self._picked = picked
        self._values = values = np.where(picked.real[..., None, None], picked.values, np.nan)
        lines = by_panel(values)
        count = lines.shape[1]
        columns = columns_for(count, options.rows)
        self._grid = grid = curve_grid(count, columns, picked.steps, vertical=options.vertical)
        self._scales = [Scale(*self.norm(), options.scale)]
        if not options.share_axes:
            room = self._choice.room
            ends = [options.norm or room(lines[:, i]) for i in range(count)]
            self._scales = [Scale(*one, options.scale) for one in ends]
        self._made = made = scales(grid.across, grid.up, grid.vertical)
        layers = {"frames": made.frame(grid.rectangles())}
        zero = zero_lines(grid, self._scales)
        layers["zero"] = made.lines(*zero, colors=[PALE], stroke_width=1)
        there = places(self._scales, lines, 1)
        self._overlaid = options.samples is not None or there.size <= MOST_POINTS
        if options.scheme and (self._overlaid or len(lines) == 1):
            signs = by_sign(grid, self._scales, lines)
            for (name, points), color in zip(signs.items(), options.scheme, strict=True):
                style = {**pale(len(lines)), "colors": [color]}
                layers[name] = made.lines(*points, stroke_width=1.5, **style)
        elif len(lines) > 1 and self._overlaid:
            points = curves(grid, Scale(-1, 1), there)
            layers["samples"] = made.lines(*points, stroke_width=1, **pale(len(lines)))
        elif len(lines) > 1:
            with np.errstate(invalid="ignore"):
                low, high = np.fmin.reduce(there), np.fmax.reduce(there)
            layers["range"] = made.areas(*band(grid, Scale(-1, 1), low, high), PALE, 0.45)
        layers["focus"] = self._focus = made.lines(*self._focused(), colors=[ACCENT])
        self._focus.stroke_width = 1.0 if count > 64 else 2.0
        dashes = lone(curves(grid, Scale(-1, 1), there))
        if dashes is not None and grid.width > 1:
            layers["alone"] = made.lines(*dashes, colors=[PALE], stroke_width=2)
        real = by_panel(np.broadcast_to(picked.real[..., None, None], values.shape))
        bars = alarms(grid, by_panel(picked.values), real)
        if bars is not None:
            layers["not finite"] = made.alarms(*bars)
        if count > 1 or not options.share_axes:
            layers["captions"] = captions(made, grid, self._captions(), True, size=10)
        if text := self._hint():
            corner = np.array([grid.across[0]]), np.array([grid.up[grid.vertical]])
            layers["hint"] = made.texts(*corner, [text], x_offset=6, y_offset=-6, size=12)
        ticks = [(float(at), str(at + picked.first + 1)) for at in step_ticks(picked.steps)]
        whose = "" if count == 1 else f" in each {picked.channel_word}'s panel"
        return Drawing(
            layers,
            self._heading(),
            grid.across,
            grid.up,
            ticks_across(grid, ticks),
            ticks_up(grid, self._scales[0]) if options.share_axes else [],
            f"step t{whose}",
            "" if options.share_axes else "each panel on its own scale",
            height_of(grid),
            step_marks(grid, picked.first, 0.0),
            grid.vertical,
        )

    def _hint(self) -> str:
        """What to try where curves cannot be told from zero, or that they are zero."""
        if not self._picked.values.any():
            return ALL_ZERO
        lost = self.options.share_axes and hint(self._scales[0], self._picked.values)
        return BLANK if lost else ""

    def _focused(self) -> tuple[Array, Array]:
        """The curves of the sample in focus; of the only one, or where only a range is drawn."""
        samples = self._picked.samples
        focus, row = self._choice.focus(self.selection), 0
        if focus is not None:
            row = samples.index(focus)
        elif self._overlaid and (len(self._values) > 1 or self.options.scheme):
            return np.full(2, np.nan), np.full(2, np.nan)
        line = by_panel(self._values[[row]])
        x, y = curves(self._grid, Scale(-1, 1), places(self._scales, line, 1))
        return x, y[0]

    def _restyle(self, name: str) -> bool:
        if name != "sample" or self._focus is None:
            return False
        with self._focus.hold_sync():
            self._focus.x, self._focus.y = self._made.points(*self._focused())
        self.entitle(self._heading())
        self.foot.legend = self._all_legend(self._heading())
        return True

    def _heading(self) -> Title:
        whose = of_samples(self._picked, self.rec)
        bad = not_finite(self._picked.numbers())
        label = told(self._choice.what, self._picked.label)
        return Title(label, f"{of_layer(self.rec)}{whose}", bad)

    def _legend(self) -> Legend:
        samples, scheme = self._picked.samples, self.options.scheme
        focus, one = self._choice.focus(self.selection), len(self._values) == 1
        entries: Legend = []
        if scheme and (self._overlaid or one):
            entries = [("solid", scheme[0], "negative"), ("solid", scheme[1], "positive")]
        elif one:
            return []
        elif self._overlaid:
            entries = [("solid", PALE, "each sample")]
        else:
            entries = [("fill", PALE, f"range over {plural(len(samples), 'sample')}")]
            focus = samples[0] if focus is None else focus
        if focus is not None and not one:
            entries.append(("solid", ACCENT, f"sample {focus}"))
        return entries

    def _captions(self) -> list[str]:
        names = [self._picked.name(d, c) for d, c in panels_of(self._picked)]
        return with_ends(names, [] if self.options.share_axes else self._scales)

    def _note(self) -> str:
        told_all = about(self.rec, self._picked.values, self._scales)
        return sentences(meaning(self._choice.what), *told_all)

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None:
            return ""
        panel, position, share = found
        picked = self._picked
        direction, channel = panels_of(picked)[panel]
        column = self._values[:, position, direction, channel]
        focus = self._choice.focus(self.selection)
        place = picked.samples.index(focus) if focus is not None else 0
        if focus is None and len(column) > 1 and np.isfinite(column).any():
            scale = self._scales[panel if len(self._scales) > 1 else 0]
            place = int(np.nanargmin(np.abs(scale.place(column) - (2 * share - 1))))
        where = f"{picked.channel_word} {picked.name(direction, channel)}"
        told = [self._of_sample(column, place)]
        lost = np.flatnonzero(~np.isfinite(column) & picked.real[:, position])
        if lost.size and place not in lost:
            told.append(self._of_sample(column, int(lost[0])))
        return f"{at_step(position + picked.first)} · {where}{', '.join(told)}"

    def _of_sample(self, column: Array, place: int) -> str:
        return f"{self._picked.of_sample(place)}: {three_digits(float(column[place]))}"


def by_panel(values: Array) -> Array:
    """From (samples, steps, directions, channels) to (samples, panels, steps)."""
    samples, steps = values.shape[:2]
    return values.reshape(samples, steps, -1).transpose(0, 2, 1)


def panels_of(picked: Picked) -> list[tuple[int, int]]:
    """The direction and channel of each panel, as places."""
    return [(d, c) for d in range(len(picked.directions)) for c in range(len(picked.channels))]
