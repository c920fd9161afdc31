"""The lab's bqplot figures. Their data are drives: no figure holds numbers of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import bqplot
import numpy as np
from bqplot.traits import array_dimension_bounds, array_serialization
from ipywidgets import Layout
from traittypes import Array

from rnn_widgets.core.labels import subscript
from rnn_widgets.core.ops import Array as Numbers
from rnn_widgets.core.program import Program
from rnn_widgets.quantities import parse

from .drives import Drive
from .sync import check_options

if TYPE_CHECKING:
    from .lab import Lab

NEGATIVE, POSITIVE, LAGS = "#2b6cb0", "#d9680b", "#7a4fd0"
TRANSPARENT = "rgba(0,0,0,0)"  # zero is the background, light or dark
TEXT = "var(--jp-content-font-color1)"
# Viridis between its dark and its light end, so that either theme's background stays apart.
VIRIDIS = ("#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39")
MOST_LABELS = 12  # along an axis of a figure half as wide as a page


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
    lab: Lab,
    title: str,
    name: str,
    quantity: str,
    marks: list[Any],
    axes: list[Any],
    options: dict[str, Any],
) -> Figure:
    check_options(bqplot.Figure, options)
    options.setdefault("layout", Layout(width="100%", height="320px", min_width="0"))
    options.setdefault("fig_margin", {"top": 36, "bottom": 50, "left": 70, "right": 16})
    figure = Figure(
        title=options.pop("title", title),
        marks=marks,
        axes=axes,
        title_style={"fill": TEXT},
        background_style={"fill": "none"},
        display_toolbar=False,
        animation_duration=0,
        **options,
    )
    figure.add_class("rw-figure")
    scales = [scale for mark in marks for scale in mark.scales.values()]
    tooltips = [mark.tooltip for mark in marks if mark.tooltip]
    lab.own(figure, figure.scale_x, figure.scale_y, *marks, *axes, *scales, *tooltips)
    # Driven, an axis is hidden with the marks where the quantity does not exist.
    for axis in axes:
        lab.drive(axis, "label", quantity, "limit", text=axis.label)
    _drive_title(lab, figure, quantity, name)
    return figure


def _drive_title(lab: Lab, figure: Figure, quantity: str, name: str) -> None:
    """Keep the title that a figure has, except while there are no numbers to look at."""
    text = ""

    def entitle(new: str) -> None:
        nonlocal text
        text = new
        lab.drive(figure, "title", quantity, "limit", text=text, name=name)

    def assigned(change: Any) -> None:
        drive = Drive(figure, "title", quantity, "text", "limit", text, name)
        drive = drive.focused(lab.selection)
        if drive.exists(lab.net) and change.new != drive.value(lab.net) and figure.comm:
            entitle(change.new)

    entitle(figure.title)
    figure.observe(assigned, "title")


def _follow(lab: Lab, figure: Figure, write: Callable[[Program], None]) -> None:
    """Write what depends on the program, now and whenever it is another."""

    def changed(change: Any) -> None:
        if change.new.program is not change.old.program:
            write(change.new.program)

    def closed(change: Any) -> None:
        if change.new is None:
            lab.unobserve(changed, "_network")

    write(lab.net.program)
    lab.observe(changed, "_network")
    figure.observe(closed, "comm")


def _tooltip(**labels: str) -> bqplot.Tooltip:
    """What hovering shows: fields of a mark's data and their labels, the last one a number."""
    *steps, _ = labels
    return bqplot.Tooltip(
        fields=list(labels), labels=list(labels.values()), formats=["" for _ in steps] + [".3~g"]
    )


def _map(
    lab: Lab, quantity: str, labels: tuple[str, str], signed: bool, tooltip: bqplot.Tooltip
) -> tuple[Map, list[bqplot.Axis]]:
    """A diverging heat map: blue is negative, orange positive, nothing zero."""
    across, down = bqplot.OrdinalScale(), bqplot.OrdinalScale(reverse=True)
    color = bqplot.ColorScale(colors=[NEGATIVE, TRANSPARENT, POSITIVE], min=-1.0, mid=0.0, max=1.0)
    mark = Map(
        color=np.zeros((1, 1)),
        scales={"row": down, "column": across, "color": color},
        stroke="var(--jp-border-color2)",
        tooltip=tooltip,
    )
    lab.drive(color, "min", quantity, "minus_limit")
    lab.drive(color, "max", quantity, "limit")
    lab.drive(mark, "color", quantity)
    # A bqplot.ColorAxis is at least 200 px long, more than these figures are high.
    key = "blue −, orange +, up to {}" if signed else "orange up to {}"
    axes = [
        _axis(across, f"{labels[0]} ({key})"),
        _axis(down, labels[1], side="left", label_offset="46px"),
    ]
    return mark, axes


def _is_entry(lab: Lab, wrt: str) -> bool:
    """Whether it names one entry, whose contributions have a sign; refuses what does not exist."""
    return wrt == "selection" or bool(parse(f"contribution[{wrt}]", lab.net).index)


def heatmap(lab: Lab, wrt: str, **options: Any) -> Figure:
    """Heat map of C[t, k]."""
    quantity = f"contribution[{wrt}]"
    signed = _is_entry(lab, wrt)
    what = "C[t, k]" if signed else "‖C[t, k]‖"
    tooltip = _tooltip(
        row="loss step t",
        rowNum="loss_step",
        column="source step k",
        columnNum="source_step",
        color=what,
    )
    mark, axes = _map(lab, quantity, ("source step k", "loss step t"), signed, tooltip)
    for trait in ("row", "column"):
        lab.drive(mark, trait, "steps")
    return _figure(lab, f"{what} of {wrt}", wrt, quantity, [mark], axes, options)


def jacobian_map(lab: Lab, quantity: str, **options: Any) -> Figure:
    """Heat map of a state Jacobian."""
    tooltip = _tooltip(row="of state entry", column="by state entry", color="derivative")
    steps = parse(quantity, lab.net).steps
    program = lab.net.program
    block = program.blocks[parse(quantity, lab.net).row]
    other = steps[1] if len(steps) == 2 else block.previous(steps[0])
    initial = other in (-1, program.seq_len)
    low = "₀" if initial else subscript(other + 1)
    high = subscript(steps[0] + 1)
    labels = (f"entry of s{low}", f"entry of s{high}")
    mark, axes = _map(lab, quantity, labels, True, tooltip)
    title = f"∂s{block.label}{high}/∂s{block.label}{low}"
    figure = _figure(lab, title, title, quantity, [mark], axes, options)

    def name_entries(program: Program) -> None:
        for axis in axes:
            axis.tick_labels = _entries(program)

    _follow(lab, figure, name_entries)
    return figure


def _entries(program: Program) -> dict[str, str]:
    """Names of state entries by their places, of so many that they do not overlap."""
    states, size = program.cell.states, program.hidden_size
    every = math.ceil(len(states) * size / MOST_LABELS)
    return {
        str(s * size + i): "" if i % every else f"{state}[{i}]"
        for s, state in enumerate(states)
        for i in range(size)
    }


def bars(lab: Lab, wrt: str, **options: Any) -> Figure:
    """Stacked bars: one per source step, one layer per loss step."""
    quantity = f"contribution[{wrt}]"
    what = "C[t, k]" if _is_entry(lab, wrt) else "‖C[t, k]‖"
    across, up = bqplot.OrdinalScale(), bqplot.LinearScale()
    mark = bqplot.Bars(
        x=np.zeros(1),
        y=np.zeros((1, 1)),
        type="stacked",
        scales={"x": across, "y": up},
        padding=0.2,
        tooltip=_tooltip(
            color="loss step t",
            subIndex="loss_step",
            x="source step k",
            index="source_step",
            y=what,
        ),
    )
    lab.drive(mark, "x", "steps")
    # Without a scale for it, it colours nothing: it is there for the tooltip.
    lab.drive(mark, "color", "steps")
    # With both ends given, bqplot need not look for them in the data on every move.
    lab.drive(up, "min", quantity, "stack_bottom")
    lab.drive(up, "max", quantity, "stack_top")
    lab.drive(mark, "y", quantity, "finite")
    axes = [
        _axis(across, "source step k (loss t: dark to light)"),
        _axis(up, "", side="left", tick_format=".3~g"),
    ]
    title = f"{what} of {wrt} by source step"
    figure = _figure(lab, title, wrt, quantity, [mark], axes, options)

    def colour_steps(program: Program) -> None:
        mark.colors = _ramp(program.seq_len)

    _follow(lab, figure, colour_steps)
    return figure


def lag_plot(lab: Lab, wrt: str, **options: Any) -> Figure:
    """What each lag adds, on a log axis."""
    quantity = f"by_lag[{wrt}]"
    signed = _is_entry(lab, wrt)
    across, up = bqplot.LinearScale(min=0.0), bqplot.LogScale(min=0.1, max=1.0)
    scales = {"x": across, "y": up}
    line = bqplot.Lines(x=np.zeros(1), y=np.ones(1), scales=scales, colors=[LAGS])
    dots = bqplot.Scatter(
        x=np.zeros(1),
        y=np.ones(1),
        scales=scales,
        colors=[LAGS],
        default_size=36,
        tooltip=_tooltip(x="lag |t − k|", rotation="Σ C[t, k]" if signed else "‖Σ C[t, k]‖"),
    )
    lab.drive(up, "min", quantity, "decade_below")
    lab.drive(up, "max", quantity, "decade_above")
    lab.drive(across, "max", "lags", "limit")
    for mark in (line, dots):
        lab.drive(mark, "x", "lags")
        lab.drive(mark, "y", quantity, "floored")
    # Without a scale for it, it turns nothing: it holds the number itself for the tooltip.
    lab.drive(dots, "rotation", quantity)
    axes = [
        _axis(across, "lag |t − k|", tick_format="d"),
        _axis(up, "0 at the bottom", side="left", tick_format=".0e", label_offset="50px"),
    ]
    lab.drive(axes[0], "tick_values", "lags")
    lab.drive(axes[1], "tick_values", quantity, "decades")
    what = "|Σ C[t, k]|" if signed else "‖Σ C[t, k]‖"
    title = f"{what} of {wrt} by lag"
    return _figure(lab, title, wrt, quantity, [line, dots], axes, options)


def _ramp(count: int) -> list[str]:
    """``count`` colours along viridis."""
    anchors: Numbers = np.array(
        [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in VIRIDIS], dtype=float
    )
    at = np.linspace(0, len(anchors) - 1, count)
    channels = [np.interp(at, np.arange(len(anchors)), anchors[:, i]) for i in range(3)]
    return ["#" + "".join(f"{round(v):02x}" for v in rgb) for rgb in zip(*channels, strict=True)]
