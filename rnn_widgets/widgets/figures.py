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
from rnn_widgets.core.program import Program
from rnn_widgets.quantities import parse
from rnn_widgets.stills import Picture, Still

from .drives import Drive
from .figure_stills import picture
from .sync import check_options
from .transforms import BESIDE, NEGATIVE, POSITIVE, decimal

if TYPE_CHECKING:
    from .lab import Lab

LAGS, BOUND = "#7a4fd0", "#868686"
TRANSPARENT = "rgba(0,0,0,0)"  # zero is the background, light or dark
TEXT = "var(--jp-content-font-color1)"
MOST_STEPS = 8  # labelled where there are many; up to half as many again fit as well
MOST_LABELS = 12  # along an axis of a figure half as wide as a page


class Map(bqplot.GridHeatMap):
    """A `bqplot.GridHeatMap` that also takes a single row or column.

    bqplot's own squeezes (1, N) to (N,) and then refuses it; its browser side draws it well.
    """

    color = Array(None, allow_none=True).tag(
        sync=True, scaled=True, rtype="Color", atype="bqplot.ColorAxis", **array_serialization
    )
    color.valid(array_dimension_bounds(2, 2))


class Figure(Still, bqplot.Figure):
    """A `bqplot.Figure` whose text form is short and the same on every run."""

    _drawn_by: Lab | None = None  # whose quantities its marks show, if any

    def _still(self, width: float = 640, height: float | None = None) -> Picture:
        scales = [scale for mark in self.marks for scale in mark.scales.values()]
        widgets = [self, *self.marks, *self.axes, *scales]
        return picture(self, self._drawn_by.fresh(widgets) if self._drawn_by else {}, width, height)

    def __repr__(self) -> str:
        return f"Figure({self.title!r})"


def _axis(scale: bqplot.Scale, label: str, **options: Any) -> bqplot.Axis:
    options = {"grid_lines": "none", "label_offset": "34px"} | options
    options.setdefault("tick_style", {"fill": TEXT})
    return bqplot.Axis(scale=scale, label=label, label_color=TEXT, color=TEXT, **options)


def framed(title: str, marks: list[Any], axes: list[Any], options: dict[str, Any]) -> Figure:
    """A figure of these marks and axes, in the style of all of them."""
    check_options(bqplot.Figure, options)
    options.setdefault("layout", Layout(width="100%", height="320px", min_width="0"))
    options.setdefault("fig_margin", {"top": 36, "bottom": 50, "left": 70, "right": 16})
    # bqplot's titles stand in the middle of the axes; in that of the figure there is more room.
    margin = options["fig_margin"]
    shift = f"translateX({(margin['right'] - margin['left']) / 2:g}px)"
    figure = Figure(
        title=options.pop("title", title),
        marks=marks,
        axes=axes,
        title_style={"fill": TEXT, "transform": shift},
        background_style={"fill": "none"},
        display_toolbar=False,
        animation_duration=0,
        **options,
    )
    figure.add_class("rw-figure")
    return figure


def parts(figure: Figure) -> list[Any]:
    """The widgets that a figure is made of, itself included, to be closed together."""
    scales = [scale for mark in figure.marks for scale in mark.scales.values()]
    tooltips = [mark.tooltip for mark in figure.marks if mark.tooltip]
    found = [figure, figure.scale_x, figure.scale_y, *figure.marks, *figure.axes]
    return [*found, *scales, *tooltips]


def _figure(
    lab: Lab,
    title: str,
    name: str,
    quantity: str,
    marks: list[Any],
    axes: list[Any],
    options: dict[str, Any],
) -> Figure:
    figure = framed(title, marks, axes, options)
    figure._drawn_by = lab
    lab.own(*parts(figure))
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


def tooltip_of(**labels: str) -> bqplot.Tooltip:
    """What hovering shows: fields of a mark's data and their labels, the last one a number."""
    *steps, _ = labels
    return bqplot.Tooltip(
        fields=list(labels), labels=list(labels.values()), formats=["" for _ in steps] + [".3~g"]
    )


def diverging(
    labels: tuple[str, str], signed: bool, tooltip: bqplot.Tooltip
) -> tuple[Map, list[bqplot.Axis]]:
    """A heat map and its axes: blue is negative, orange positive, nothing zero.

    Where its labels say "{}" the end of the colour scale is to be written.
    """
    across, down = bqplot.OrdinalScale(), bqplot.OrdinalScale(reverse=True)
    color = bqplot.ColorScale(colors=[NEGATIVE, TRANSPARENT, POSITIVE], min=-1.0, mid=0.0, max=1.0)
    mark = Map(
        color=np.zeros((1, 1)),
        scales={"row": down, "column": across, "color": color},
        stroke="var(--jp-border-color2)",
        tooltip=tooltip,
    )
    # A bqplot.ColorAxis is at least 200 px long, more than these figures are high.
    key = "blue −, orange +, up to {}" if signed else "orange up to {}"
    axes = [
        _axis(across, f"{labels[0]} ({key})"),
        _axis(down, labels[1], side="left", label_offset="46px"),
    ]
    return mark, axes


def _map(
    lab: Lab, quantity: str, labels: tuple[str, str], signed: bool, tooltip: bqplot.Tooltip
) -> tuple[Map, list[bqplot.Axis]]:
    """A diverging heat map of a quantity."""
    mark, axes = diverging(labels, signed, tooltip)
    lab.drive(mark.scales["color"], "min", quantity, "minus_limit")
    lab.drive(mark.scales["color"], "max", quantity, "limit")
    lab.drive(mark, "color", quantity)
    return mark, axes


def _is_entry(lab: Lab, wrt: str) -> bool:
    """Whether it names one entry, whose contributions have a sign; refuses what does not exist."""
    return wrt == "selection" or bool(parse(f"contribution[{wrt}]", lab.net).index)


def heatmap(lab: Lab, wrt: str, **options: Any) -> Figure:
    """Heat map of C[t, k]."""
    quantity = f"contribution[{wrt}]"
    signed = _is_entry(lab, wrt)
    what = "C[t, k]" if signed else "‖C[t, k]‖"
    tooltip = tooltip_of(
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
    tooltip = tooltip_of(row="of state entry", column="by state entry", color="derivative")
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
    signed = _is_entry(lab, wrt)
    what = "C[t, k]" if signed else "‖C[t, k]‖"
    across, up, color = bqplot.OrdinalScale(), bqplot.LinearScale(), bqplot.ColorScale()
    mark = bqplot.Bars(
        x=np.zeros(1),
        y=np.zeros((1, 1)),
        type="stacked",
        scales={"x": across, "y": up, "color": color},
        color_mode="no_group",
        stroke=TRANSPARENT,
        padding=0.2,
        tooltip=tooltip_of(
            color="loss step t",
            subIndex="loss_step",
            x="source step k",
            index="source_step",
            y=what,
        ),
    )
    # First the colours, then the marks: bqplot's bars do not listen to their colour scale.
    color.min = 1 - BESIDE
    lab.drive(color, "max", "steps", "last_layer")
    lab.drive(color, "colors", "steps", "depths")
    lab.drive(mark, "x", "steps")
    # A loss step a quarter too small is negative, too large positive; the tooltip rounds it.
    lab.drive(mark, "color", quantity, "layers")
    mark.tooltip.formats = ["d", *mark.tooltip.formats[1:]]
    # With both ends given, bqplot need not look for them in the data on every move.
    lab.drive(up, "min", quantity, "stack_bottom")
    lab.drive(up, "max", quantity, "stack_top")
    lab.drive(mark, "y", quantity, "finite")
    axes = [
        _axis(across, "source step k (fainter: earlier loss t)", num_ticks=MOST_STEPS),
        _axis(
            up,
            "blue −, orange +" if signed else "",
            side="left",
            tick_format=".2~g",
            tick_labels=_round_numbers(),
            label_offset="56px",
        ),
    ]
    lab.drive(axes[1], "tick_values", quantity, "stack_ticks")
    title = f"{what} of {wrt} by source step"
    return _figure(lab, title, wrt, quantity, [mark], axes, options)


def lag_plot(lab: Lab, wrt: str, **options: Any) -> Figure:
    """What each lag adds, on a log axis, under the bound that it obeys."""
    quantity, both = f"by_lag[{wrt}]", f"lag_bound[{wrt}]"
    signed = _is_entry(lab, wrt)
    across, up = bqplot.LinearScale(min=0.0), bqplot.LogScale(min=0.1, max=1.0)
    scales = {"x": across, "y": up}
    line, bound = (
        bqplot.Lines(x=np.zeros(1), y=np.ones(1), scales=scales, colors=[color], line_style=style)
        for color, style in ((LAGS, "solid"), (BOUND, "dashed"))
    )
    dots = bqplot.Scatter(
        x=np.zeros(1),
        y=np.ones(1),
        scales=scales,
        colors=[LAGS],
        default_size=36,
        tooltip=tooltip_of(x="lag |t − k|", rotation="Σ C[t, k]" if signed else "‖Σ C[t, k]‖"),
    )
    lab.drive(up, "min", both, "decade_below")
    lab.drive(up, "max", both, "decade_above")
    lab.drive(across, "max", "lags", "limit")
    for mark, row in ((bound, "last"), (line, "first"), (dots, "first")):
        lab.drive(mark, "x", "lags")
        lab.drive(mark, "y", both, f"floored_{row}")
    # What has overflowed has no place: no line that would look like memory that lasts.
    lab.drive(dots, "opacities", quantity, "finite_each")
    lab.drive(line, "opacities", quantity, "finite_all")
    lab.drive(bound, "opacities", both, "finite_all")
    # Without a scale for it, it turns nothing: it holds the number itself for the tooltip.
    lab.drive(dots, "rotation", quantity)
    axes = [
        _axis(across, "lag |t − k| (dashed: its bound, a product of norms)", tick_format="d"),
        _axis(up, "", side="left", tick_format=".0e", tick_labels=_decades()),
    ]
    axes[0].num_ticks = MOST_STEPS
    lab.drive(axes[0], "tick_values", "lags")
    lab.drive(axes[1], "tick_values", both, "decades")
    what = "|Σ C[t, k]|" if signed else "‖Σ C[t, k]‖"
    title = f"{what} of {wrt} by lag"
    return _figure(lab, title, wrt, quantity, [line, dots, bound], axes, options)


def _round_numbers() -> dict[str, str]:
    """Ticks of bars as they are read best, where d3 has no format that writes them so."""
    labels = {}
    for power in range(-12, 13):
        for digits in (1, 2, 3, 4, 5, 6, 8, 15, 25, 75):
            size = decimal(digits, power)
            text = f"{size:g}"
            if not 1e-3 <= size < 1e5:
                mantissa, exponent = f"{size:.1e}".split("e")
                text = f"{mantissa.removesuffix('.0')}e{int(exponent)}".replace("-", "−")
                labels[_key(size)] = text
            labels[_key(-size)] = "−" + text
    return labels


def _decades() -> dict[str, str]:
    """Ticks of a logarithmic axis, and 0 where `transforms` has put it."""
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    labels = {_key(decimal(2, power)): "0" for power in range(-70, 30)}
    labels |= {_key(decimal(1, p)): "10" + str(p).translate(raised) for p in range(-60, 31)}
    return labels | {"0.1": "0.1", "1": "1", "10": "10"}


def _key(x: float) -> str:
    """A number of a few digits as the browser writes it."""
    if 1e-6 <= abs(x) < 1e21:
        return f"{x:.8f}".rstrip("0").rstrip(".")
    return f"{x:g}".replace("e-0", "e-")
