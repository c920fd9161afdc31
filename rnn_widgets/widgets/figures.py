"""The lab's bqplot figures. Their data are drives: no figure holds numbers of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bqplot
import numpy as np
from bqplot.traits import array_dimension_bounds, array_serialization
from ipywidgets import Layout
from traittypes import Array

from rnn_widgets.core.labels import subscript
from rnn_widgets.core.ops import Array as Numbers
from rnn_widgets.quantities import parse

from .sync import check_options

if TYPE_CHECKING:
    from .lab import Lab

NEGATIVE, POSITIVE = "#2b6cb0", "#d9680b"
TRANSPARENT = "rgba(0,0,0,0)"  # zero is the background, light or dark
TEXT = "var(--jp-content-font-color1)"
# Viridis between its dark and its light end, so that either theme's background stays apart.
VIRIDIS = ("#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39")


class Map(bqplot.GridHeatMap):
    """A `bqplot.GridHeatMap` that also takes a single row or column.

    bqplot's own squeezes (1, N) to (N,) and then refuses it; its browser side draws it well.
    """

    color = Array(None, allow_none=True).tag(
        sync=True, scaled=True, rtype="Color", atype="bqplot.ColorAxis", **array_serialization
    )
    color.valid(array_dimension_bounds(2, 2))


class Figure(bqplot.Figure):
    """A `bqplot.Figure` whose text form is short and the same on every run."""

    def __repr__(self) -> str:
        return f"Figure({self.title!r})"


def _axis(scale: bqplot.Scale, label: str, **options: Any) -> bqplot.Axis:
    options = {"grid_lines": "none", "label_offset": "34px"} | options
    options.setdefault("tick_style", {"fill": TEXT})
    return bqplot.Axis(scale=scale, label=label, label_color=TEXT, color=TEXT, **options)


def _figure(
    lab: Lab, title: str, marks: list[Any], axes: list[Any], options: dict[str, Any]
) -> Figure:
    check_options(bqplot.Figure, options)
    options.setdefault("layout", Layout(width="100%", height="320px", min_width="0"))
    options.setdefault("fig_margin", {"top": 36, "bottom": 50, "left": 70, "right": 16})
    figure = Figure(
        title=options.pop("title", title),
        marks=marks,
        axes=axes,
        title_style={"fill": TEXT, "font-size": "14px"},
        background_style={"fill": "none"},
        display_toolbar=False,
        animation_duration=0,
        **options,
    )
    scales = [scale for mark in marks for scale in mark.scales.values()]
    lab.own(figure, figure.scale_x, figure.scale_y, *marks, *axes, *scales)
    return figure


def _map(lab: Lab, quantity: str, tooltip: list[str]) -> tuple[Map, list[bqplot.Axis]]:
    """A diverging heat map: blue is negative, orange positive, nothing zero."""
    across, down = bqplot.OrdinalScale(), bqplot.OrdinalScale(reverse=True)
    color = bqplot.ColorScale(colors=[NEGATIVE, TRANSPARENT, POSITIVE], min=-1.0, mid=0.0, max=1.0)
    mark = Map(
        color=np.zeros((1, 1)),
        scales={"row": down, "column": across, "color": color},
        stroke="var(--jp-border-color2)",
        tooltip=bqplot.Tooltip(
            fields=["row", "column", "color"], labels=tooltip, formats=["", "", ".3g"]
        ),
    )
    lab.own(mark.tooltip)
    lab.drive(color, "min", quantity, "minus_limit")
    lab.drive(color, "max", quantity, "limit")
    lab.drive(mark, "color", quantity)
    return mark, [_axis(across, ""), _axis(down, "", side="left")]


def heatmap(lab: Lab, wrt: str, **options: Any) -> Figure:
    """Heat map of C[t, k]."""
    quantity = f"contribution[{wrt}]"
    mark, axes = _map(lab, quantity, ["loss step t", "source step k", "C[t, k]"])
    for trait in ("row", "column"):
        lab.drive(mark, trait, "steps")
    axes[0].label, axes[1].label = "source step k", "loss step t"
    what = " (orange +, blue −)" if parse(quantity, lab.net).index else " (norm)"
    return _figure(lab, f"C[t, k] of {wrt}{what}", [mark], axes, options)


def jacobian_map(lab: Lab, quantity: str, **options: Any) -> Figure:
    """Heat map of a state Jacobian."""
    mark, axes = _map(lab, quantity, ["of state entry", "by state entry", "derivative"])
    steps = parse(quantity, lab.net).steps
    program = lab.net.program
    before = program.blocks[parse(quantity, lab.net).row].previous(steps[0])
    other = steps[1] if len(steps) == 2 else before
    initial = other in (-1, program.seq_len)
    low = "₀" if initial else subscript(other + 1)
    axes[0].label = f"entry of s{low}"
    axes[1].label = f"entry of s{subscript(steps[0] + 1)}"
    name = f"s{program.blocks[parse(quantity, lab.net).row].label}"
    title = f"∂{name}{subscript(steps[0] + 1)}/∂{name}{low} (orange +, blue −)"
    return _figure(lab, title, [mark], axes, options)


def bars(lab: Lab, wrt: str, **options: Any) -> Figure:
    """Stacked bars: one per source step, one layer per loss step."""
    quantity = f"contribution[{wrt}]"
    across, up = bqplot.OrdinalScale(), bqplot.LinearScale()
    mark = bqplot.Bars(
        x=np.zeros(1),
        y=np.zeros((1, 1)),
        type="stacked",
        scales={"x": across, "y": up},
        colors=_ramp(lab.net.program.seq_len),
        padding=0.2,
    )
    lab.drive(mark, "x", "steps")
    # With both ends given, bqplot need not look for them in the data on every move.
    lab.drive(up, "min", quantity, "stack_bottom")
    lab.drive(up, "max", quantity, "stack_top")
    lab.drive(mark, "y", quantity, "finite")
    what = "C[t, k]" if parse(quantity, lab.net).index else "‖C[t, k]‖"
    axes = [
        _axis(across, "source step k (dark: early loss t)"),
        _axis(up, what, side="left", tick_format=".3~g", label_offset="50px"),
    ]
    figure = _figure(lab, f"{wrt} by source step", [mark], axes, options)

    def recolour(change: Any) -> None:
        mark.colors = _ramp(change.new.program.seq_len)

    lab.observe(recolour, "_network")
    return figure


def lag_plot(lab: Lab, wrt: str, **options: Any) -> Figure:
    """What each lag adds, on a log axis."""
    quantity = f"by_lag[{wrt}]"
    across, up = bqplot.LinearScale(min=0.0), bqplot.LogScale(min=0.1, max=1.0)
    mark = bqplot.Lines(
        x=np.zeros(1),
        y=np.ones(1),
        scales={"x": across, "y": up},
        colors=["#7a4fd0"],
        marker="circle",
        marker_size=36,
    )
    lab.drive(up, "min", quantity, "decade_below")
    lab.drive(up, "max", quantity, "decade_above")
    lab.drive(across, "max", "lags", "limit")
    lab.drive(mark, "x", "lags")
    lab.drive(mark, "y", quantity, "floored")
    axes = [
        _axis(across, "lag |t − k|", tick_format="d"),
        _axis(up, "", side="left", tick_format=".0e"),
    ]
    lab.drive(axes[0], "tick_values", "lags")
    lab.drive(axes[1], "tick_values", quantity, "decades")
    return _figure(lab, f"{wrt} by lag, absolute (0 at the bottom)", [mark], axes, options)


def _ramp(count: int) -> list[str]:
    """``count`` colours along viridis."""
    anchors: Numbers = np.array(
        [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in VIRIDIS], dtype=float
    )
    at = np.linspace(0, len(anchors) - 1, count)
    channels = [np.interp(at, np.arange(len(anchors)), anchors[:, i]) for i in range(3)]
    return ["#" + "".join(f"{round(v):02x}" for v in rgb) for rgb in zip(*channels, strict=True)]
