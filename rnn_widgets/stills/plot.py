"""The picture of a chart: layers on one pair of axes, with ticks and a title."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from rnn_widgets.core.ops import Array

from .cells import cells
from .colours import ALARM, LINE, PAIR, QUIET, blend
from .picture import Picture, cut, number, points, wide

Ticks: TypeAlias = Sequence[tuple[float, str]]
MOST_POINTS = 2600  # of all lines together; more are thinned, then left out
MOST_BYTES = 22_000  # of an image
MOST_MARKS = 400
MOST_LAYERS, MOST_BARS = 20, 100


@dataclass(frozen=True)
class Axis:
    """One axis: what stands at its ends, its ticks and its label.

    ``low`` is at the left or the bottom, and larger than ``high`` on an axis that is turned round.
    """

    low: float
    high: float
    ticks: Ticks = ()
    label: str = ""

    def share(self, place: Array | float) -> Array:
        """Places as shares of the axis, from 0 at ``low`` to 1 at ``high``."""
        span = self.high / 2 - self.low / 2 or 0.5
        return np.asarray((np.asarray(place, float) / 2 - self.low / 2) / span)


@dataclass(frozen=True)
class Cells:
    """A heat map that fills the axes; the first row of ``numbers`` is at the top."""

    numbers: Array
    end: float


@dataclass(frozen=True)
class Stack:
    """Bars at 0, 1, …, stacked by row of ``heights`` (layers, bars), negative ones downwards."""

    heights: Array


@dataclass(frozen=True)
class Curve:
    """Lines through points, (n,) and (lines, n), with NaN for gaps; filled outlines with a fill."""

    x: Array
    y: Array
    colors: Sequence[str]
    width: float = 1.5
    opacities: Sequence[float] = ()
    dashed: bool = False
    fill: str = ""
    fill_opacity: float = 1.0


@dataclass(frozen=True)
class Dots:
    """Circles at points; ``told`` is what their heights stand for, if not the heights."""

    x: Array
    y: Array
    color: str
    radius: float = 3.0
    told: Array = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Words:
    """Texts at points, moved by so many pixels."""

    x: Array
    y: Array
    texts: Sequence[str]
    offset: tuple[float, float] = (0.0, 0.0)
    size: float = 10.0


@dataclass(frozen=True)
class Raster:
    """A PNG image from corner to corner: ends across and up."""

    png: bytes
    across: tuple[float, float]
    up: tuple[float, float]
    sharp: bool


Layer: TypeAlias = Cells | Stack | Curve | Dots | Words | Raster


@dataclass(frozen=True)
class Plot:
    """A chart; ``margin`` is left, top, right, bottom in pixels.

    ``notes`` stand under the title, and ``summary`` says in words what is drawn.
    """

    title: str
    x: Axis
    y: Axis
    layers: Sequence[Layer]
    notes: Sequence[str] = ()
    margin: tuple[float, float, float, float] = (64.0, 32.0, 16.0, 40.0)
    summary: Sequence[str] = field(default_factory=list)


def plot(what: Plot, width: float = 640, height: float = 280) -> Picture:
    """Draw a chart.

    Parameters
    ----------
    what : Plot
    width, height : float
        In pixels.

    Returns
    -------
    Picture
    """
    return _Drawing(what, width, height).picture


class _Drawing:
    def __init__(self, what: Plot, width: float, height: float) -> None:
        left, top, right, bottom = what.margin
        self.what = what
        self.left, self.top = left, top + 15.0 * len(what.notes)
        self.w, self.h = max(width - left - right, 20.0), max(height - self.top - bottom, 20.0)
        self.picture = picture = Picture(width, height, what.summary, what.title)
        self.said: list[str] = []
        picture.text(12, 20, cut(what.title, width - 24), font_weight=600)
        for i, note in enumerate(what.notes):
            picture.text(12, 36 + 15 * i, cut(note, width - 24), fill=QUIET)
        for layer in what.layers:
            match layer:
                case Cells():
                    box = (self.left, self.top, self.w, self.h)
                    cells(picture, layer.numbers, box, layer.end)
                case Stack():
                    self._stack(layer)
                case Curve():
                    self._curve(layer)
                case Dots():
                    self._dots(layer)
                case Words():
                    self._words(layer)
                case Raster():
                    self._raster(layer)
        self._axes()
        if self.said:
            words = cut("; ".join(self.said), self.w, 10)
            picture.text(self.left + 4, self.top - 3, words, fill=QUIET, font_size=10)

    def px(self, x: Array | float) -> Array:
        """From the axis to pixels, a little beyond the ends at most."""
        return self.left + self.w * np.clip(self.what.x.share(x), -0.02, 1.02)

    def py(self, y: Array | float) -> Array:
        """The same upwards."""
        return self.top + self.h * (1 - np.clip(self.what.y.share(y), -0.02, 1.02))

    def _axes(self) -> None:
        picture, what = self.picture, self.what
        right, bottom = self.left + self.w, self.top + self.h
        frame = f"M{points(self.left, self.top)}V{points(bottom)}H{points(right)}"
        picture.path(frame, stroke=LINE, fill="none")
        picture.open(fill=QUIET, font_size=10)
        end = -math.inf
        for place, words in sorted(_inside(what.x), key=lambda tick: float(self.px(tick[0]))):
            x = float(self.px(place))
            if words and x - wide(words, 10) / 2 > end:
                picture.text(x, bottom + 14, words, text_anchor="middle")
                end = x + wide(words, 10) / 2 + 4
        end = math.inf
        for place, words in sorted(_inside(what.y), key=lambda tick: -float(self.py(tick[0]))):
            y = float(self.py(place))
            if words and y < end:
                picture.text(self.left - 6, y + 3.5, words, text_anchor="end")
                end = y - 11
        middle = self.left + self.w / 2
        if what.x.label:
            words = cut(what.x.label, self.w + self.left, 10)
            picture.text(middle, bottom + 30, words, text_anchor="middle")
        if what.y.label:
            turned = f"translate(14 {number(self.top + self.h / 2)}) rotate(-90)"
            words = cut(what.y.label, self.h + 20, 10)
            picture.text(0, 0, words, text_anchor="middle", transform=turned)
        picture.shut()

    def _stack(self, layer: Stack) -> None:
        heights = np.where(np.isfinite(layer.heights), layer.heights, 0.0)
        if len(heights) > MOST_LAYERS:
            self.said.append(f"{len(heights)} loss steps are too many to tell apart here")
            heights = np.stack([np.minimum(heights, 0).sum(0), np.maximum(heights, 0).sum(0)])
            strengths = np.ones(2)
        else:
            strengths = np.linspace(0.45, 1.0, len(heights)) if len(heights) > 1 else np.ones(1)
        found: dict[str, list[str]] = {}
        up, down = np.zeros(heights.shape[1]), np.zeros(heights.shape[1])
        for row, strength in zip(heights, strengths, strict=True):
            for side, part in ((up, np.maximum(row, 0)), (down, np.minimum(row, 0))):
                if part.any():
                    color = blend(PAIR[side is up], float(strength))
                    found.setdefault(color, []).append(self._bars(side, side + part))
                    side += part
        for color, paths in found.items():
            self.picture.path("".join(paths), fill=color)
        zero = float(self.py(0.0))
        self.picture.path(f"M{points(self.left, zero)}h{points(self.w)}", stroke=QUIET)
        lost = np.flatnonzero(~np.isfinite(layer.heights).all(0))
        marks = [f"M{points(float(self.px(float(b))), self.top)}v{points(self.h)}" for b in lost]
        if marks:
            self.picture.path("".join(marks), stroke=ALARM, stroke_width=1.5)

    def _bars(self, start: Array, end: Array) -> str:
        """A path of bars at 0, 1, … from start to end; of very many without gaps between them."""
        every, bars = self.w / len(start), range(len(start))
        low, high = self.py(start).tolist(), self.py(end).tolist()
        if len(start) > MOST_BARS:
            there, back = _stairs(high, every), _stairs(low[::-1], -every)
            return f"M{points(self.left, low[0])}{there}{back}z"
        width = points(0.8 * every)
        lefts = [points(self.left + (i + 0.1) * every) for i in bars]
        return "".join(
            f"M{lefts[i]} {points(low[i])}V{points(high[i])}h{width}V{points(low[i])}z"
            for i in bars
            if abs(low[i] - high[i]) >= 0.05
        )

    def _curve(self, layer: Curve) -> None:
        lines = np.atleast_2d(layer.y)
        across = np.broadcast_to(np.atleast_2d(layer.x), lines.shape)
        room = max(MOST_POINTS // 2 if layer.fill else MOST_POINTS, 2)
        every = max(1, math.ceil(len(lines) * min(lines.shape[1], 60) / room))
        if every > 1:
            self.said.append(f"one line of every {every} is drawn")
        drawn: dict[tuple[str, float], list[str]] = {}
        for i in range(0, len(lines), every):
            color = layer.colors[i % len(layer.colors)]
            opacity = layer.opacities[i % len(layer.opacities)] if len(layer.opacities) else 1.0
            if opacity > 0:
                most = max(min(room * every // len(lines), int(1.2 * self.w)), 4)
                path = self._path(across[i], lines[i], most, bool(layer.fill))
                drawn.setdefault((color, opacity), []).append(path)
        for (color, opacity), paths in drawn.items():
            style: dict[str, str | float] = {"fill": layer.fill or "none"}
            if layer.fill:
                style |= {"fill_opacity": layer.fill_opacity} if layer.fill_opacity < 1 else {}
            else:
                style |= {"stroke": color, "stroke_width": layer.width}
                style |= {"stroke_opacity": opacity} if opacity < 1 else {}
                style |= {"stroke_dasharray": "5 4"} if layer.dashed else {}
            if any(paths):
                self.picture.path("".join(paths), **style)

    def _path(self, x: Array, y: Array, most: int, closed: bool) -> str:
        """A path with gaps; of more points than ``most`` the lowest and highest of each stretch."""
        real = np.isfinite(x) & np.isfinite(y)
        if real.sum() > most:
            stretch = math.ceil(2 * real.sum() / most)
            if closed:
                keep = np.arange(len(x)) % max(stretch // 2, 1) == 0
            else:
                keep = np.zeros(len(x), bool)
                for start in range(0, len(x), stretch):
                    piece = np.where(real[start : start + stretch], y[start : start + stretch], 0)
                    keep[[start + int(piece.argmin()), start + int(piece.argmax())]] = True
            keep |= ~real
            x, y, real = x[keep], y[keep], real[keep]
        at = np.stack([self.px(np.where(real, x, 0)), self.py(np.where(real, y, 0))], 1).round(1)
        parts, drawing = [], False
        for here, there in zip(at.tolist(), real.tolist(), strict=True):
            if there:
                parts.append(f"{'L' if drawing else 'M'}{points(*here)}")
            drawing = there
        return "".join(parts)

    def _dots(self, layer: Dots) -> None:
        x, y = np.broadcast_arrays(self.px(layer.x), self.py(layer.y))
        real = np.isfinite(x) & np.isfinite(y)
        at = list(zip(x[real].tolist(), y[real].tolist(), strict=True))[:MOST_POINTS]
        dots = [f"M{points(*place)}h0" for place in at]
        style: dict[str, str | float] = {"stroke": layer.color, "stroke_width": 2 * layer.radius}
        if dots:
            self.picture.path("".join(dots), stroke_linecap="round", **style)

    def _words(self, layer: Words) -> None:
        x, y = self.px(layer.x), self.py(layer.y)
        self.picture.open(font_size=layer.size, fill=QUIET)
        for i, words in list(enumerate(layer.texts))[:MOST_MARKS]:
            at = float(x[i]) + layer.offset[0], float(y[i]) + layer.offset[1]
            if words and np.isfinite(at).all():
                self.picture.text(*at, words)
        self.picture.shut()
        if len(layer.texts) > MOST_MARKS:
            self.said.append(f"the first {MOST_MARKS} of {len(layer.texts)} texts are written")

    def _raster(self, layer: Raster) -> None:
        if len(layer.png) > MOST_BYTES:
            self.said.append("The image is too large for a still picture: run the cell to see it.")
            return
        x, y = sorted(self.px(np.array(layer.across))), sorted(self.py(np.array(layer.up)))
        box = float(x[0]), float(y[0]), float(x[1] - x[0]), float(y[1] - y[0])
        self.picture.image(*box, layer.png, layer.sharp)


def _stairs(heights: list[float], every: float) -> str:
    """A path from step to step, those of one height together."""
    parts = []
    for height, same in itertools.groupby(points(height) for height in heights):
        parts.append(f"V{height}h{points(every * len(list(same)))}")
    return "".join(parts)


def _inside(axis: Axis) -> list[tuple[float, str]]:
    shares = [(float(axis.share(place)), (place, words)) for place, words in axis.ticks]
    return [tick for share, tick in shares if -0.001 <= share <= 1.001]


def even_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """A few round numbers between two.

    >>> even_ticks(0, 10)
    [0.0, 2.5, 5.0, 7.5, 10.0]
    """
    span = high - low
    if not (math.isfinite(span) and span > 1e-300):
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    size = next(s * power for s in (1, 2, 2.5, 5, 10, 20) if span / (s * power) < most)
    first = math.ceil(low / size - 1e-9)
    last = math.floor(high / size + 1e-9)
    return [round(i * size, 12) + 0.0 for i in range(first, last + 1)]
