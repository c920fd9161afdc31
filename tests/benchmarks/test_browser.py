"""From the slider to the last figure redrawn, in JupyterLab: the lab beside the plain way.

The plain way is what a notebook author would write: the same figures, and a kernel observer that
computes with numpy and sets bqplot's marks. Both are in one notebook and take turns, so that a
machine that slows down slows both down. Timing decides no test; staleness does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect
from pytest_benchmark.fixture import BenchmarkFixture

import rnn_widgets as rw
from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network
from tests.browser.conftest import OpenNotebook

ENTRY, START, STEP = "weight_hh_l0[0,1]", 0.26, 0.01
WARM_UP, BLOCKS, PRESSES, DRAGS, MOVES = 12, 6, 20, 4, 60
PROBE = Path(__file__).with_name("probe.js").read_text(encoding="utf-8")

NETWORK = f"""
import rnn_widgets as rw
net = rw.rnn(2, 4, 12)
weight = net.values["weight_hh_l0"].copy()
weight[0, 1] = {START}
net = net.replace(weight_hh_l0=weight)
"""

LAB = f"""
from ipywidgets import HBox, Layout, VBox
lab = rw.Lab(net)
figures = HBox([lab.heatmap("{ENTRY}"), lab.bars("{ENTRY}"), lab.lag_plot("{ENTRY}")])
box = VBox([lab.slider("{ENTRY}", layout=Layout(width="640px")), figures]).add_class("side-lab")
box
"""

# One computation per move, one message per widget that changes, nothing sent twice.
PLAIN = f"""
import bqplot
import numpy as np
from ipywidgets import FloatSlider, Layout
from rnn_widgets.widgets.transforms import transformed
from rnn_widgets.widgets.figures import NEGATIVE, POSITIVE, TRANSPARENT, _ramp

steps, lags = np.arange(1.0, 13.0), np.arange(12.0)

def contributions(value):
    weight[0, 1] = value
    return net.replace(weight_hh_l0=weight).contributions()["weight_hh_l0"][:, :, 0, 1]

def by_lag(c):
    return np.abs([np.trace(c, -lag) for lag in range(12)])

c = contributions({START})
ordinal = bqplot.OrdinalScale
color_scale = bqplot.ColorScale(
    colors=[NEGATIVE, TRANSPARENT, POSITIVE], min=-1.0, mid=0.0, max=1.0
)
heat = bqplot.GridHeatMap(
    color=c, row=steps, column=steps, stroke="var(--jp-border-color2)",
    scales={{"row": ordinal(reverse=True), "column": ordinal(), "color": color_scale}},
    tooltip=bqplot.Tooltip(fields=["row", "column", "color"], formats=["", "", ".3g"]),
)
bars = bqplot.Bars(
    x=steps, y=c, type="stacked", colors=_ramp(12), padding=0.2,
    scales={{"x": ordinal(), "y": bqplot.LinearScale(min=0.0, max=1.0)}},
)
heights = bars.scales["y"]
decades = bqplot.LogScale(min=0.1, max=1.0)
line = bqplot.Lines(
    x=lags, y=np.ones(12), colors=["#7a4fd0"], marker="circle", marker_size=36,
    scales={{"x": bqplot.LinearScale(min=0.0, max=11.0), "y": decades}},
)

def figure(mark, across, up, **up_axis):
    text = "var(--jp-content-font-color1)"
    both = dict(grid_lines="none", label_offset="34px", label_color=text, color=text)
    return bqplot.Figure(
        marks=[mark],
        axes=[
            bqplot.Axis(scale=mark.scales[across], label="step", **both),
            bqplot.Axis(scale=mark.scales[up], side="left", **both, **up_axis),
        ],
        title="the plain way", title_style={{"fill": text, "font-size": "14px"}},
        background_style={{"fill": "none"}}, display_toolbar=False, animation_duration=0,
        layout=Layout(width="100%", height="320px", min_width="0"),
        fig_margin={{"top": 36, "bottom": 50, "left": 64, "right": 16}},
    )

def show(c):
    limit = float(transformed(c, "limit"))
    ends = [float(transformed(c, f"stack_{{end}}")) for end in ("bottom", "top")]
    with color_scale.hold_sync():
        color_scale.min, color_scale.max = -limit, limit
    heat.color = c
    with heights.hold_sync():
        heights.min, heights.max = ends
    bars.y = c
    sizes = by_lag(c)
    low, high = sizes[sizes > 0].min(), sizes.max()
    floor = 10.0 ** np.floor(np.log10(low))
    with decades.hold_sync():
        decades.min, decades.max = floor, 10.0 ** np.ceil(np.log10(high))
    line.y = np.where(sizes > 0, sizes, floor)

show(c)
slider = FloatSlider(
    value={START}, min=-2.0, max=2.0, step={STEP}, readout_format=".3f",
    description="{ENTRY}", layout=Layout(width="640px"), style={{"description_width": "initial"}},
)
slider.observe(lambda change: show(contributions(change.new)), "value")
VBox([
    slider,
    HBox([
        figure(heat, "column", "row"),
        figure(bars, "x", "y", tick_format=".3~g"),
        figure(line, "x", "y", tick_format=".0e", num_ticks=5),
    ]),
]).add_class("side-plain")
"""


def network(value: float) -> Network:
    net = rw.rnn(2, 4, 12)
    weight = net.values["weight_hh_l0"].copy()
    weight[0, 1] = value
    return net.replace(weight_hh_l0=weight)


def contributions(value: float) -> Array:
    return network(value).contributions()["weight_hh_l0"][:, :, 0, 1]


CELL = int(np.abs(contributions(START)).argmax())


def opacity(fill: str) -> float:
    found = re.fullmatch(r"rgba\(.*,\s*([\d.]+)\)", fill)
    return float(found[1]) if found else 1.0


def up_to_scale(drawn: Array, truth: Array, tolerance: float) -> bool:
    """Whether what is on the screen is the truth in some unit."""
    unit = (drawn @ truth) / (truth @ truth)
    return bool(np.abs(drawn - unit * truth).max() < tolerance)


def heat_shows(picture: dict[str, Any], c: Array) -> bool:
    if np.abs(np.reshape(picture["colors"], c.shape) - c).max() > 1e-9:
        return False
    opacities = np.array([opacity(fill) for fill in picture["fills"]])
    return up_to_scale(opacities, np.abs(c).ravel(), 0.01)


def bars_show(picture: dict[str, Any], c: Array) -> bool:
    return up_to_scale(np.array(picture["heights"]), np.abs(c).T.ravel(), 1e-3)


def line_shows(picture: dict[str, Any], c: Array) -> bool:
    """Whether the logarithmic line has the true shape; a lag that adds nothing lies at its foot."""
    y = np.array([float(point.split(",")[1]) for point in re.split("[ML]", picture["line"])[1:]])
    sizes = np.abs([np.trace(c, -lag) for lag in range(len(c))])
    some = sizes > 0
    logs = np.log10(sizes[some])
    return up_to_scale(y[some].max() - y[some], logs - logs.min(), 1e-2)


def table_shows(picture: dict[str, Any], value: float) -> bool:
    gradients = network(value).gradients()
    for entry, title in picture["gradients"].items():
        leaf, index = entry.rstrip("]").split("[")
        truth = gradients[leaf][tuple(int(i) for i in index.split(","))]
        if abs(float(title.split(" = ")[1].replace("−", "-")) - truth) > 1e-12:
            return False
    return True


FIGURES = (heat_shows, bars_show, line_shows)


class Side:
    """One of the two contenders: what it shows, and whether that is right."""

    def __init__(self, page: Page, name: str) -> None:
        self.page, self.name = page, name
        self.value = START
        self.forwards = True
        self.stale = 0

    def presses(self, count: int) -> list[float]:
        """Press an arrow key again and again; milliseconds until each was drawn by all views."""
        self._turn_to()
        taken = []
        for _ in range(count):
            self.page.keyboard.press("ArrowRight" if self.forwards else "ArrowLeft")
            self.value = round(self.value + (STEP if self.forwards else -STEP), 2)
            taken.append(self._settle())
        self.forwards = not self.forwards
        return taken

    def drag(self) -> Drag:
        """Drag the handle by one pixel at a time; the next drag goes the other way."""
        self._turn_to()
        box = self._handle().bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.evaluate("() => probe.startDrag()")
        for i in range(1, MOVES + 1):
            self.page.mouse.move(x + i if self.forwards else x - i, y)
        self.page.mouse.up()
        self.value = round(self.page.evaluate("() => probe.value()"), 2)
        self._settle()
        self.forwards = not self.forwards
        return Drag.of(**self.page.evaluate("() => probe.endDrag()"))

    def _turn_to(self) -> None:
        self.page.evaluate("(name) => probe.watch(name)", self.name)
        self._handle().focus()

    def _handle(self) -> Locator:
        return self.page.locator(f".{self.name} .noUi-handle")

    def _settle(self) -> float:
        c = contributions(self.value)
        settled: dict[str, Any] = self.page.evaluate(
            "([cell, color]) => probe.settled(cell, color)", [CELL, float(c.flat[CELL])]
        )
        picture = settled["picture"]
        fresh = all(shows(picture, c) for shows in FIGURES) and table_shows(picture, self.value)
        self.stale += not fresh
        return float(settled["latency"])


@dataclass(frozen=True)
class Drag:
    """How many steps the slider took in drags, and how late all figures had drawn each."""

    steps: int
    late: list[float]
    seconds: float

    @classmethod
    def of(cls, steps: list[dict[str, float]], pictures: list[dict[str, Any]]) -> Drag:
        """Look for every step's numbers among the pictures that came after it."""
        late = []
        for step in steps:
            c = contributions(round(step["value"], 2))
            after = [picture for picture in pictures if picture["at"] >= step["at"]]
            drawn = [next((p["at"] for p in after if shows(p, c)), None) for shows in FIGURES]
            late += [max(drawn) - step["at"]] if None not in drawn else []
        return cls(len(steps), late, (steps[-1]["at"] - steps[0]["at"]) / 1000)

    def __add__(self, other: Drag) -> Drag:
        return Drag(self.steps + other.steps, self.late + other.late, self.seconds + other.seconds)


def in_turns(*sides: Side) -> list[list[float]]:
    """Each side's key presses, in blocks that take turns, after a warm-up of each."""
    for side in sides:
        side.presses(WARM_UP)
    blocks = [[side.presses(PRESSES) for side in sides] for _ in range(BLOCKS)]
    return [[ms for block in taken for ms in block] for taken in zip(*blocks, strict=True)]


def row(benchmark: BenchmarkFixture, name: str, ms: list[float]) -> str:
    """A line of the printed table; its numbers are kept with the benchmark's own record."""
    p50, p95 = np.percentile(ms, [50, 95]).tolist()
    benchmark.extra_info.update({f"{name} p50": p50, f"{name} p95": p95})
    return f"{name:34}{p50:8.1f}{p95:8.1f}"


def test_slider_to_the_last_figure(
    benchmark: BenchmarkFixture,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    open_lab: Callable[..., OpenNotebook] = request.getfixturevalue("open_lab")
    notebook = open_lab("benchmark.ipynb", NETWORK, LAB, PLAIN)
    page = notebook.page
    expect(page.locator(".heatmapcell")).to_have_count(2 * 144)
    page.evaluate(PROBE)
    lab, plain = Side(page, "side-lab"), Side(page, "side-plain")

    def measure() -> tuple[list[list[float]], list[Drag], list[list[float]]]:
        keys = in_turns(lab, plain)
        drags = [(lab.drag(), plain.drag()) for _ in range(DRAGS)]
        notebook.python("box.children += (lab.table(),)\n0")
        expect(page.locator(".side-lab .rw-table")).to_be_visible()
        return keys, [sum(d[1:], d[0]) for d in zip(*drags, strict=True)], in_turns(lab, plain)

    keys, drags, with_table = benchmark.pedantic(measure, rounds=1)

    lines = [f"{'milliseconds':34}{'p50':>8}{'p95':>8}"]
    for name, (ours, theirs) in {"keys": keys, "keys, with the table": with_table}.items():
        ratio = float(np.median(theirs) / np.median(ours))
        lines += [row(benchmark, f"{name}: lab", ours), row(benchmark, f"{name}: plain", theirs)]
        lines += [f"{name}: the lab is {ratio:.1f} × faster (at least 3)"]
        benchmark.extra_info[f"{name}: faster"] = ratio
    for name, drag in zip(("lab", "plain"), drags, strict=True):
        lines += [row(benchmark, f"drag: {name}", drag.late)]
        share, rate = f"{len(drag.late)} of {drag.steps}", drag.steps / drag.seconds
        lines += [f"drag: {name} drew {share} steps, at {rate:.0f} steps a second"]
        benchmark.extra_info[f"drag: {name} drew"] = len(drag.late) / drag.steps
    lines += [f"stale at the end: lab {lab.stale}, plain {plain.stale}"]
    with capsys.disabled():
        print("", *lines, sep="\n  ")  # noqa: T201 - this is what `make bench` is for
    assert lab.stale == 0
    assert len(drags[0].late) == drags[0].steps
