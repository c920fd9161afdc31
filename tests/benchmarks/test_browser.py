"""From the slider to the last figure redrawn, in JupyterLab: the lab beside the plain way.

The plain way is what a notebook author would write: the same figures, and a kernel observer that
computes with numpy and sets bqplot's marks. Timing decides no test; staleness does.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks import plain
from tests.benchmarks.sides import (
    ENTRY,
    PROBE,
    START,
    Drag,
    Picture,
    Side,
    Subject,
    bars_show,
    drag_rows,
    drags_in_turns,
    heat_shows,
    in_turns,
    key_rows,
    line_shows,
)
from tests.browser.conftest import OpenNotebook

BLOCKS, DRAGS = 6, 4
RNN = Subject("rnn", (2, 4, 12))
FIGURES = (heat_shows, bars_show, line_shows)

LAB = f"""
from ipywidgets import HBox, Layout, VBox
lab = rw.Lab(net)
figures = HBox([lab.heatmap("{ENTRY}"), lab.bars("{ENTRY}"), lab.lag_plot("{ENTRY}")])
box = VBox([lab.slider("{ENTRY}", layout=Layout(width="640px")), figures]).add_class("side-lab")
box
"""


def table_shows(picture: Picture, value: float) -> bool:
    gradients = RNN.network(value).gradients()
    for entry, title in picture["gradients"].items():
        leaf, index = entry.rstrip("]").split("[")
        truth = gradients[leaf][tuple(int(i) for i in index.split(","))]
        if abs(float(title.split(" = ")[1].replace("−", "-")) - truth) > 1e-12:
            return False
    return True


def test_slider_to_the_last_figure(
    benchmark: BenchmarkFixture,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    open_lab: Callable[..., OpenNotebook] = request.getfixturevalue("open_lab")
    the_plain_way = plain.marks(ENTRY, START, RNN.steps) + plain.HEAT
    notebook = open_lab("benchmark.ipynb", RNN.code, LAB, the_plain_way)
    page = notebook.page
    expect(page.locator(".heatmapcell")).to_have_count(2 * 144)
    page.evaluate(PROBE)
    lab, theirs = (
        Side(page, f"side-{name}", RNN, FIGURES, also=table_shows) for name in ("lab", "plain")
    )

    def measure() -> tuple[list[list[float]], list[Drag], list[list[float]]]:
        keys = in_turns(lab, theirs, blocks=BLOCKS)
        drags = drags_in_turns(lab, theirs, count=DRAGS)
        notebook.python("box.children += (lab.table(),)\n0")
        expect(page.locator(".side-lab .rw-table")).to_be_visible()
        return keys, drags, in_turns(lab, theirs, blocks=BLOCKS)

    keys, drags, with_table = benchmark.pedantic(measure, rounds=1)

    lines = [f"{'milliseconds':34}{'p50':>8}{'p95':>8}"]
    for name, (ours, others) in {"keys": keys, "keys, with the table": with_table}.items():
        lines += key_rows(benchmark, name, ours, others)
    for name, drag in zip(("lab", "plain"), drags, strict=True):
        lines += drag_rows(benchmark, name, drag)
    lines += [f"stale at the end: lab {lab.stale}, plain {theirs.stale}"]
    with capsys.disabled():
        print("", *lines, sep="\n  ")  # noqa: T201 - this is what `make bench` is for
    assert lab.stale == 0
    assert len(drags[0].late) == drags[0].steps
