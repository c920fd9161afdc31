"""One of the two figures of a watch, with what stands under it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bqplot
import numpy as np
from ipywidgets import Layout, VBox, Widget

from rnn_widgets.core.ops import Array
from rnn_widgets.widgets.figures import TEXT

from .views.drawing import ACCENT, axis, blank_figure, drawable, marked
from .views.scales import Ticks
from .views.selection import Selection
from .views.view import Foot, close_all

NOWHERE = drawable(np.full(2, np.nan))
Read = Callable[[float, float], str]


class Panel:
    """A figure whose marks are kept and changed, as training goes on.

    Attributes
    ----------
    figure : bqplot.Figure
    box : ipywidgets.VBox
        The figure and what stands under it.
    scales : dict
        "x" and "y".
    """

    def __init__(
        self,
        selection: Selection,
        x: bqplot.Scale,
        y: bqplot.Scale,
        upright: str,
        file: str,
        wide: int,
    ) -> None:
        self.scales = {"x": x, "y": y}
        self._step = axis(x, [], "step t", label_offset="32px")
        self._upright = axis(y, [], upright, side="left", label_offset="56px")
        self._marker = self.line(ACCENT, 1.5, x=NOWHERE, y=NOWHERE, visible=True)
        self._captions = bqplot.Label(
            x=np.zeros(1),
            y=np.zeros(1),
            text=[""],
            scales=self.scales,
            colors=[TEXT],
            font_weight="normal",
            default_size=11,
        )
        self.figure = blank_figure(
            axes=[self._step, self._upright],
            fig_margin={"top": 34, "bottom": 46, "left": 72, "right": 16},
            layout=Layout(width="100%", height="300px", min_width="0"),
        )
        self._foot = Foot(figure=self.figure, marker=self._marker, selection=selection, file=file)
        self._foot.on_msg(self._asked)
        self.box = VBox(
            [self.figure, self._foot], layout=Layout(flex=f"1 1 {wide}px", min_width="0")
        )
        self.box.add_class("rw-view")

    def line(self, color: str, width: float, **options: Any) -> bqplot.Lines:
        """A line in this figure that is not visible yet."""
        given = {"x": np.ones(2), "y": np.zeros(2), "visible": False} | options
        return bqplot.Lines(scales=self.scales, colors=[color], stroke_width=width, **given)

    def put(self, marks: list[bqplot.Mark], read: Read) -> None:
        """Show marks, and tell with ``read`` what is at a point of the axes."""
        self._read = read
        self.figure.marks = [*marks, self._captions, self._marker]

    def label(self, across: Ticks, up: Ticks, captions: list[tuple[float, float, str]]) -> None:
        """Write along the axes, and over the panels."""
        for of, ticks in ((self._step, across), (self._upright, up)):
            with of.hold_sync():
                for trait, value in marked(ticks).items():
                    setattr(of, trait, value)
        with self._captions.hold_sync():
            self._captions.x = np.array([x for x, _, _ in captions] or [0.0])
            self._captions.y = np.array([y for _, y, _ in captions] or [0.0])
            self._captions.text = [text for _, _, text in captions] or [""]

    def tell(
        self,
        steps: dict[str, Any],
        across: list[float],
        up: list[float],
        legend: list[tuple[str, str, str]],
        note: str,
    ) -> None:
        """Say where steps and the ends of the axes are, and what colours mean."""
        with self._foot.hold_sync():
            self._foot.axes = {"across": across, "up": up}
            self._foot.steps = steps
            self._foot.legend, self._foot.note = legend, note

    def _asked(self, _: Widget, content: Any, __: Any) -> None:
        x, y = content["at"]
        self._foot.send({"reading": self._read(x, y)})

    def close(self) -> None:
        """Close it with all that it has made, but for its scales."""
        inside = [self.figure.scale_x, self.figure.scale_y, self.figure, self._foot, self.box]
        close_all([*self.figure.marks, *self.figure.axes, *inside])


def linear(low: float, high: float, reverse: bool = False) -> bqplot.LinearScale:
    """A scale with these ends and no more."""
    return bqplot.LinearScale(min=low, max=high, reverse=reverse, allow_padding=False)


def bars(at: Array) -> tuple[Array, Array]:
    """A line over the whole height at each place, with gaps between them."""
    return np.repeat(at, 3), np.tile([-1.0, 1.0, np.nan], len(at))
