"""From a bqplot figure to a still picture of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import bqplot
import numpy as np

from rnn_widgets.core.ops import Array
from rnn_widgets.stills.colours import LINE, TEXT, blend
from rnn_widgets.stills.picture import Picture
from rnn_widgets.stills.plot import (
    Axis,
    Cells,
    Curve,
    Dots,
    Layer,
    Plot,
    Raster,
    Stack,
    Ticks,
    Words,
    even_ticks,
    plot,
)
from rnn_widgets.stills.written import steady, three_digits

Fresh = Mapping[tuple[int, str], Any]  # id and trait of a widget to what it shows now
MOST_TOLD = 8
MARGIN = (64.0, 32.0, 16.0, 40.0)


def picture(
    figure: bqplot.Figure,
    fresh: Fresh,
    width: float = 640,
    height: float | None = None,
    notes: Sequence[str] = (),
) -> Picture:
    """What a figure shows.

    Parameters
    ----------
    figure : bqplot.Figure
        Of heat maps, stacked bars, lines, points, texts and images.
    fresh : dict
        Traits that are newer than the copy that Python holds.
    width, height : float
        In pixels; the height is the figure's by default.
    notes : sequence of str
        Lines under the title.

    Returns
    -------
    Picture
    """
    if height is None:
        digits = re.fullmatch(r"([0-9]+)px", figure.layout.height or "")
        height = float(digits[1]) if digits else 300.0
    return plot(_Reader(figure, fresh).plot(notes), width, height)


class _Reader:
    """Reads one figure's traits."""

    def __init__(self, figure: bqplot.Figure, fresh: Fresh) -> None:
        self.figure, self.fresh = figure, fresh

    def of(self, widget: Any, trait: str) -> Any:
        """A trait as it is now."""
        return self.fresh.get((id(widget), trait), getattr(widget, trait))

    def plot(self, notes: Sequence[str]) -> Plot:
        """The chart."""
        marks = [mark for mark in self.figure.marks if self.of(mark, "visible")]
        pairs = [_scales(mark) for mark in self.figure.marks]
        across, up = pairs[0] if pairs else (None, None)
        title = self.of(self.figure, "title")
        x, y = self._axis(across, False), self._axis(up, True)
        layers = [self._layer(mark) for mark in marks]
        told = [line for layer in layers for line in _told(layer)]
        margin = (MARGIN[0], MARGIN[1] if title else 12.0, *MARGIN[2:])
        return Plot(title, x, y, layers, notes, margin, told)

    def _axis(self, scale: Any, vertical: bool) -> Axis:
        found = [axis for axis in self.figure.axes if axis.scale is scale]
        low, high = self._ends(scale, vertical)
        label = self.of(found[0], "label") if found else ""
        ticks = self._ticks(found[0], scale, (low, high), vertical) if found else []
        return Axis(low, high, ticks, label)

    def _ends(self, scale: Any, vertical: bool) -> tuple[float, float]:
        if isinstance(scale, bqplot.OrdinalScale):
            ends = (-0.5, max(len(self._places(scale, vertical)), 1) - 0.5)
        else:
            given = [self.of(scale, end) for end in ("min", "max")] if scale else [0.0, 1.0]
            every = self._extent(scale, vertical)
            low, high = (
                float(_placed(scale, np.asarray(other if end is None else end, float)))
                for end, other in zip(given, every, strict=True)
            )
            ends = (low, high)
        return (ends[1], ends[0]) if scale is not None and scale.reverse else ends

    def _extent(self, scale: Any, vertical: bool) -> tuple[float, float]:
        """The ends of the data, for a scale without bounds of its own."""
        name = "y" if vertical else "x"
        arrays = [
            np.asarray(self.of(mark, name), float).ravel()
            for mark in self.figure.marks
            if scale in mark.scales.values() and mark.has_trait(name)
        ]
        every = np.concatenate([np.zeros(0), *arrays])
        every = every[np.isfinite(every)]
        return (float(every.min()), float(every.max())) if every.size else (0.0, 1.0)

    def _places(self, scale: Any, vertical: bool) -> list[Any]:
        """What an ordinal axis tells apart, in order."""
        for mark in self.figure.marks:
            if scale not in mark.scales.values():
                continue
            if isinstance(mark, bqplot.Bars):
                return list(np.atleast_1d(self.of(mark, "x")))
            color = np.atleast_2d(self.of(mark, "color"))
            names = self.of(mark, "row" if vertical else "column")
            count = color.shape[0 if vertical else 1]
            return list(range(count)) if names is None or len(names) != count else list(names)
        return []

    def _ticks(self, axis: Any, scale: Any, ends: tuple[float, float], vertical: bool) -> Ticks:
        labels = {_float(key): text for key, text in (self.of(axis, "tick_labels") or {}).items()}

        def text(value: float) -> str:
            return labels.get(float(value), three_digits(float(value)))

        if isinstance(scale, bqplot.OrdinalScale):
            return [(float(i), text(v)) for i, v in enumerate(self._places(scale, vertical))]
        values = self.of(axis, "tick_values")
        if values is None:
            values = even_ticks(min(ends), max(ends))
        placed = _placed(scale, np.asarray(values, float))
        return [(float(p), text(v)) for p, v in zip(placed, values, strict=True)]

    def _layer(self, mark: Any) -> Layer:
        if isinstance(mark, bqplot.GridHeatMap):
            numbers = steady(np.atleast_2d(np.asarray(self.of(mark, "color"), float)))
            end = self.of(mark.scales["color"], "max")
            return Cells(numbers, float(end or 1.0))
        if isinstance(mark, bqplot.Bars):
            return Stack(steady(np.atleast_2d(np.asarray(self.of(mark, "y"), float))))
        x, y = (np.asarray(self.of(mark, name), float) for name in ("x", "y"))
        if isinstance(mark, bqplot.Image):
            ends = (float(x[0]), float(x[-1])), (float(y[0]), float(y[-1]))
            return Raster(bytes(mark.image.value), *ends, bool(mark.pixelated))
        across, up = _scales(mark)
        x, y = _placed(across, x), _placed(up, y)
        if isinstance(mark, bqplot.Label):
            offset = float(mark.x_offset), float(mark.y_offset)
            texts = [str(text) for text in (mark.text if mark.text is not None else [])]
            return Words(np.atleast_1d(x), np.atleast_1d(y), texts, offset, mark.default_size - 1)
        opacities = [float(o) for o in np.atleast_1d(self.of(mark, "opacities"))]
        if isinstance(mark, bqplot.Scatter):
            seen = np.array(opacities if len(opacities) == x.size else np.ones(x.size)) > 0
            radius = (mark.default_size / np.pi) ** 0.5
            # Turned by no scale, the rotation holds the numbers that stand on the axis.
            held = "y" if mark.rotation is None or "rotation" in mark.scales else "rotation"
            told = np.asarray(self.of(mark, held), float)[seen]
            return Dots(x[seen], y[seen], _color(mark.colors[0]), radius, told)
        filled = mark.fill == "inside" and len(mark.fill_colors) > 0
        return Curve(
            x,
            y,
            [_color(color) for color in mark.colors],
            float(mark.stroke_width),
            opacities,
            mark.line_style != "solid",
            _color(mark.fill_colors[0]) if filled else "",
            float(mark.fill_opacities[0]) if filled and len(mark.fill_opacities) else 1.0,
        )


def _scales(mark: Any) -> tuple[Any, Any]:
    scales = mark.scales
    return scales.get("x", scales.get("column")), scales.get("y", scales.get("row"))


def _placed(scale: Any, numbers: Array) -> Array:
    """Places on an axis: of a logarithmic one powers of ten, NaN for what has none."""
    if not isinstance(scale, bqplot.LogScale):
        return numbers
    with np.errstate(all="ignore"):
        return np.where(numbers > 0, np.log10(numbers), np.nan)


def _told(layer: Layer) -> list[str]:
    """The numbers of a layer in words."""
    if isinstance(layer, Cells):
        finite = layer.numbers[np.isfinite(layer.numbers)]
        if not finite.size:
            return ["no number is finite"]
        low, high = three_digits(float(finite.min())), three_digits(float(finite.max()))
        size = "×".join(map(str, layer.numbers.shape))
        return [f"{size} numbers from {low} to {high}"]
    if isinstance(layer, Dots):
        return [f"points: {_listed(layer.told if len(layer.told) else layer.y)}"]
    if isinstance(layer, Stack):
        with np.errstate(all="ignore"):
            return [f"sums: {_listed(layer.heights.sum(0))}"]
    return []


def _listed(numbers: Array) -> str:
    words = [three_digits(float(x)) for x in steady(numbers[:MOST_TOLD])]
    return ", ".join([*words, *["…"] * (len(numbers) > MOST_TOLD)])


def _float(key: str) -> float:
    try:
        return float(key)
    except ValueError:  # the name of a place that is no number
        return float("nan")


def _color(color: str) -> str:
    """A colour without the page's variables, and without opacity."""
    fallback = re.fullmatch(r"var\([^,]*,\s*(#[0-9a-f]{6})\)", color)
    if fallback:
        return fallback[1]
    if color.startswith("var("):
        return TEXT if "font" in color else LINE
    parts = re.fullmatch(r"rgba\((\d+), ?(\d+), ?(\d+), ?([0-9.]+)\)", color)
    if parts:
        red, green, blue = (int(parts[i]) for i in (1, 2, 3))
        return blend(f"#{red:02x}{green:02x}{blue:02x}", float(parts[4]))
    return color
