"""The figure of a watch: adjoints by timestep as training goes, with a slider back through it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import bqplot
import numpy as np
from ipywidgets import HTML, HBox, Image, IntSlider, Label, Layout, VBox

from rnn_widgets.core.ops import Array
from rnn_widgets.widgets.figures import TEXT, Figure
from rnn_widgets.widgets.sync import close_earlier_runs

from .views.drawing import ACCENT, axis, key
from .views.flow import PARTS, STYLES
from .views.images import ALARM, NOTHING, colours, levels, png
from .views.maps import place_ticks
from .views.scales import Scale, Ticks, decades
from .views.telling import SUM
from .views.text import not_finite, three_digits
from .views.view import close_all

if TYPE_CHECKING:
    from .watch import Watch

SECONDS = 0.25  # between one drawing and the next while training goes on
EMPTY = "nothing recorded yet"
PAIR = colours("blue-orange")


class WatchView(VBox):
    """Norms of adjoints against time at one moment of training, beside a map of all moments.

    Attributes
    ----------
    moment : ipywidgets.IntSlider
        Which recorded pass the lines show, counted from 0; it follows training until it is moved.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._drawn = 0.0
        self._following = False
        self._steps, self._passes = np.zeros(0), np.zeros(0)
        self._across, self._down = _linear(0.5, 1.5), _linear(-0.5, 0.5, reverse=True)
        self._up = _linear(-1.0, 1.05)
        on_map, on_curves = ({"x": self._across, "y": y} for y in (self._down, self._up))
        self._lines = {
            part: bqplot.Lines(
                x=np.ones(2),
                y=np.zeros(2),
                visible=False,
                scales=on_curves,
                colors=[color],
                line_style=style,
                stroke_width=width,
            )
            for part, (color, style, width) in STYLES.items()
        }
        blank = Image(value=png(np.full((1, 1), NOTHING, np.uint8), PAIR), format="png")
        self._image = bqplot.Image(image=blank, scales=on_map, pixelated=True)
        self._now = bqplot.Lines(
            x=np.ones(2),
            y=np.zeros(2),
            visible=False,
            scales=on_map,
            colors=[ACCENT],
            stroke_width=2,
        )
        self._lost = bqplot.Lines(
            x=np.ones(2),
            y=np.zeros(2),
            visible=False,
            scales=on_curves,
            colors=[ALARM],
            stroke_width=1.5,
        )
        self.moment = IntSlider(
            0, 0, 0, description="moment", readout=False, layout=Layout(width="320px")
        )
        self._told = Label(EMPTY)
        times = [axis(self._across, [], "step t", label_offset="32px") for _ in range(2)]
        self._rows, self._norms = _upright(self._down, "pass"), _upright(self._up, "norm")
        self._times = times
        self._map = _figure([self._image, self._now], [times[0], self._rows])
        self._curves = _figure([*self._lines.values(), self._lost], [times[1], self._norms])
        note = HTML(_note(), layout=Layout(margin="0 0 0 8px"))
        figures = HBox([self._map, self._curves], layout=Layout(flex_flow="row wrap"))
        below = HBox([self.moment, self._told])
        self._kept = [self.moment, self._told, figures, below, note]
        super().__init__([figures, below, note])
        self.add_class("rw-view")
        self.moment.observe(self._moved, "value")
        close_earlier_runs(self)
        self.follow()

    def __repr__(self) -> str:
        return f"WatchView({self._told.value!r})"

    def close(self) -> None:
        """Close it with all that it has made."""
        for figure in (self._map, self._curves):
            close_all([*figure.marks, *figure.axes, figure.scale_x, figure.scale_y, figure])
        close_all([self._across, self._down, self._up, *self._kept])
        super().close()

    def grow(self) -> None:
        """Show what has been recorded, unless that was done a moment ago."""
        if time.perf_counter() - self._drawn >= SECONDS:
            self.follow()

    def follow(self) -> None:
        """Show all that has been recorded; at its last moment, unless another one is looked at."""
        watch = self._watch
        passes, total = watch.passes, watch.total
        if not passes.size:
            return
        self._real = np.arange(total.shape[1]) < watch.steps[:, None]
        latest = self.moment.value == self.moment.max
        self._parts = {part: getattr(watch, part) for part in PARTS}
        self._passes, self._steps = passes, np.arange(1.0, total.shape[1] + 1)
        self._scale = Scale(*decades(np.stack(list(self._parts.values()))), "log")
        self._draw_map(total, Scale(*decades(total), "log"))
        for times in self._times:
            _label(times, [(i + 1.0, str(i + 1)) for i in place_ticks(total.shape[1], 8)])
        _label(self._norms, self._scale.ticks())
        self._following = True
        self.moment.max = len(passes) - 1
        if latest:
            self.moment.value = self.moment.max
        self._following = False
        self._show()
        self._drawn = time.perf_counter()

    def _moved(self, _: Any) -> None:
        if not self._following:
            self._show()

    def _draw_map(self, total: Array, scale: Scale) -> None:
        rows, columns = total.shape
        depth = (np.clip(scale.place(total), -1, 1) + 1) / 2
        places = np.where(self._real, levels(depth, Scale(0.0, 1.0)), NOTHING)
        image = Image(value=png(places, PAIR), format="png")
        before, self._image.image = self._image.image, image
        before.close()
        self._across.max, self._down.max = columns + 0.5, rows - 0.5
        with self._image.hold_sync():
            self._image.x, self._image.y = (0.5, columns + 0.5), (rows - 0.5, -0.5)
        _label(self._rows, [(float(i), str(self._passes[i])) for i in place_ticks(rows, 6)])
        ends = f"{three_digits(scale.low * 10)} to {three_digits(scale.high)}"
        bad = not_finite(total[self._real])
        self._map.title = f"‖∂L/∂hₜ‖ as training goes, {ends}{bad}"

    def _show(self) -> None:
        at = self.moment.value
        if at >= len(self._passes):
            return
        for part, line in self._lines.items():
            places = self._scale.place(self._parts[part][at])
            with line.hold_sync():
                line.visible = bool(np.isfinite(places).any())
                if line.visible:
                    line.x, line.y = _drawable(self._steps, places)
        now = np.stack([values[at][self._real[at]] for values in self._parts.values()])
        lost = self._steps[: now.shape[1]][~np.isfinite(now).all(0)]
        with self._lost.hold_sync():
            self._lost.visible = bool(lost.size)
            if lost.size:
                self._lost.x, self._lost.y = _bars(lost)
        self._curves.title = f"adjoints of hₜ in pass {self._passes[at]}{not_finite(now)}"
        with self._now.hold_sync():
            self._now.x = np.array([0.5, len(self._steps) + 0.5])
            self._now.y = np.full(2, float(at))
            self._now.visible = True
        self._told.value = f"pass {self._passes[at]} of {self._passes[-1]}"


def _drawable(steps: Array, places: Array) -> tuple[Array, Array]:
    """Up to the last number, where bqplot puts a label of its own; a single one as a dash."""
    count = int(np.flatnonzero(np.isfinite(places))[-1]) + 1
    if count > 1:
        return steps[:count], places[:count]
    return steps[:1] + np.array([-0.3, 0.3]), np.repeat(places[:1], 2)


def _bars(steps: Array) -> tuple[Array, Array]:
    """A line over the whole height at each step, with gaps between them."""
    return np.repeat(steps, 3)[:-1], np.tile([-1.0, 1.0, np.nan], len(steps))[:-1]


def _linear(low: float, high: float, reverse: bool = False) -> bqplot.LinearScale:
    return bqplot.LinearScale(min=low, max=high, reverse=reverse, allow_padding=False)


def _upright(scale: bqplot.Scale, label: str) -> bqplot.Axis:
    return axis(scale, [], label, side="left", label_offset="56px")


def _label(of: bqplot.Axis, ticks: Ticks) -> None:
    with of.hold_sync():
        of.tick_labels = {key(place): text for place, text in ticks}
        of.tick_values = np.array([place for place, _ in ticks])


def _note() -> str:
    """The legend of the lines, and what they are."""
    swatch = "display:inline-block;width:22px;margin-right:6px;vertical-align:3px;border-top:2px"
    entries = [
        f'<span style="margin-right:16px"><i style="{swatch} {style} {color}"></i>{part}</span>'
        for part, (color, style, _) in STYLES.items()
    ]
    return f'<div style="font-size:12px;line-height:1.45">{"".join(entries)}<br>{SUM}</div>'


def _figure(marks: list[bqplot.Mark], axes: list[bqplot.Axis]) -> Figure:
    figure = Figure(
        title="",
        marks=marks,
        axes=axes,
        title_style={"fill": TEXT, "font-size": "13px", "font-weight": "600"},
        background_style={"fill": "none"},
        display_toolbar=False,
        animation_duration=0,
        min_aspect_ratio=0.01,
        max_aspect_ratio=100.0,
        padding_x=0.0,
        padding_y=0.0,
        fig_margin={"top": 34, "bottom": 46, "left": 72, "right": 16},
        layout=Layout(flex="1 1 320px", height="300px", min_width="0"),
    )
    figure.add_class("rw-figure")
    return figure
