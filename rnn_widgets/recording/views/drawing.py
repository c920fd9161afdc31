"""What a view draws, before it is bqplot's: lines, images and texts on one pair of axes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import bqplot
import numpy as np
from ipywidgets import Image

from rnn_widgets.recording.layer import Array
from rnn_widgets.widgets.figures import TEXT, TRANSPARENT, Figure

from .images import ALARM
from .scales import Ticks

# Grey and violet with a contrast of at least 3 to 1 on the light and on the dark background.
PALE, ACCENT = "#75808d", "#8b5fd6"
Ends = tuple[float, float]
HAIRLINE = "var(--jp-border-color2, #d0d7de)"


@dataclass(frozen=True)
class Title:
    """What is drawn, whose it is, and how much of it is not finite."""

    what: str
    whose: str
    alarm: str = ""

    def __str__(self) -> str:
        return f"{self.what} · {self.whose}{self.alarm}"


@dataclass(frozen=True)
class Drawing:
    """Layers from the back to the front, and what stands around them."""

    layers: dict[str, bqplot.Mark]
    title: Title
    across: Ends
    up: Ends
    x_ticks: Ticks
    y_ticks: Ticks
    x_label: str
    y_label: str
    height: int
    steps: dict[str, Any] = field(default_factory=dict)
    """Where steps are, for the browser to mark the one that is pointed at; empty for none."""

    vertical: bool = False
    """Whether x, which is along, goes down, and y to the right."""


def blank_figure(**options: Any) -> Figure:
    """A figure as wide as its place, without a title yet."""
    figure = Figure(
        title="",
        title_style={"fill": TEXT, "font-size": "13px", "font-weight": "600"},
        background_style={"fill": "none"},
        display_toolbar=False,
        animation_duration=0,
        min_aspect_ratio=0.01,
        max_aspect_ratio=100.0,
        padding_x=0.0,
        padding_y=0.0,
        **options,
    )
    figure.add_class("rw-figure")
    return figure


class Scales:
    """The two linear scales that all layers of a drawing share.

    Layers are placed along and up; of a ``vertical`` drawing along is down the screen, and up to
    the right.
    """

    def __init__(self, across: Ends, up: Ends, vertical: bool = False) -> None:
        self._vertical = vertical
        x, y = ends(across, up, vertical)
        self.x = bqplot.LinearScale(min=x[0], max=x[1], allow_padding=False)
        self.y = bqplot.LinearScale(min=y[0], max=y[1], allow_padding=False)

    def turned(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Where points are on the screen that lie along and up."""
        if not self._vertical:
            return x, y
        # bqplot takes gaps from what goes up the screen only.
        return y, np.where(np.isnan(y), np.nan, -(x + 0.5))

    @property
    def both(self) -> dict[str, Any]:
        """What every mark is given of them."""
        # Without domains to look for, bqplot need not go through all the numbers again.
        return {
            "scales": {"x": self.x, "y": self.y},
            "preserve_domain": {"x": True, "y": True},
        }

    def lines(self, x: Array, y: Array, **style: Any) -> bqplot.Lines:
        """One or several lines with NaN for gaps; x (points,), y (points,) or (lines, points)."""
        x, y = self.points(x, y)
        return bqplot.Lines(x=x, y=y, **self.both, **style)

    def points(self, x: Array, y: Array) -> tuple[Array, Array]:
        """What a line is given for x and y: turned, and with an end that draws nothing."""
        x, y = self.turned(x, y)
        return drawable(x), drawable(y)

    def frame(self, outline: tuple[Array, Array]) -> bqplot.Lines:
        """Thin lines that hold no numbers."""
        return self.lines(*outline, colors=[HAIRLINE], stroke_width=1)

    def areas(self, x: Array, y: Array, color: str, opacity: float = 1.0) -> bqplot.Lines:
        """Filled outlines, with NaN between one and the next."""
        return self.lines(
            x,
            y,
            fill="inside",
            fill_colors=[color],
            fill_opacities=[opacity],
            colors=[TRANSPARENT],
            stroke_width=0,
        )

    def alarms(self, x: Array, y: Array) -> bqplot.Lines:
        """Marks for what is not finite."""
        return self.lines(x, y, colors=[ALARM], stroke_width=1.5)

    def image(
        self, data: bytes, x: tuple[float, float], y: tuple[float, float], sharp: bool
    ) -> Any:
        """A PNG image from corner to corner."""
        return bqplot.Image(
            image=Image(value=data, format="png"), x=x, y=y, pixelated=sharp, **self.both
        )

    def texts(self, x: Array, y: Array, texts: list[str], **style: Any) -> bqplot.Label:
        """Texts at points."""
        x, y = self.turned(np.asarray(x, float), np.asarray(y, float))
        return bqplot.Label(
            x=x,
            y=y,
            text=texts,
            colors=[TEXT],
            font_weight="normal",
            default_size=style.pop("size", 11),
            **self.both,
            **style,
        )


def ends(across: Ends, up: Ends, vertical: bool) -> tuple[Ends, Ends]:
    """Ends of the screen's axes, of a drawing's along and up."""
    return (up, (-(across[1] + 0.5), -(across[0] + 0.5))) if vertical else (across, up)


def drawable(numbers: Array) -> Array:
    """With a last point after a gap, which draws nothing: bqplot puts a label at the last point."""
    ending = [(0, 0)] * (numbers.ndim - 1) + [(0, 2)]
    ended = np.pad(np.asarray(numbers, np.float32), ending)
    ended[..., -2] = np.nan
    return ended


def axis(scale: bqplot.Scale, ticks: Ticks, label: str, **options: Any) -> bqplot.Axis:
    """An axis with the ticks that it is told, and no others."""
    return bqplot.Axis(
        scale=scale,
        label=label,
        **marked(ticks),
        tick_format="g",  # bqplot looks for one otherwise, which fails for ticks that are to come
        tick_style={"fill": TEXT, "font-size": "11px"},
        label_color=TEXT,
        color=HAIRLINE,
        grid_lines="none",
        **options,
    )


def marked(ticks: Ticks) -> dict[str, Any]:
    """The traits of an axis that has these ticks, and no others."""
    return {
        "tick_labels": {key(place): text for place, text in ticks},
        "tick_values": np.array([place for place, _ in ticks]),
        "num_ticks": None if ticks else 0,  # bqplot finds ticks of its own otherwise
    }


def key(place: float) -> str:
    """A place as JavaScript writes it, by which bqplot looks for the text of a tick."""
    return str(int(place)) if float(place).is_integer() else repr(float(place))
