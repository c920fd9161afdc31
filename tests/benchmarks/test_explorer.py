"""The explorer with all its panels open beside the same panels set from the kernel, in JupyterLab:
from the slider to the last panel redrawn, the first drawing, and what moving leaves in memory.

Timing decides no test; what stands on the page does, and what is left behind on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import CDPSession, Page, expect
from pytest_benchmark.fixture import BenchmarkFixture

from rnn_widgets.core.ops import Array
from tests.benchmarks import plain
from tests.benchmarks.sides import (
    ENTRY,
    PROBE,
    START,
    Picture,
    Side,
    Subject,
    bars_show,
    cells_show,
    drag_rows,
    drags_in_turns,
    in_turns,
    key_rows,
    line_shows,
    row,
)
from tests.browser.conftest import OpenNotebook

BLOCKS, DRAGS, REDRAWS = 2, 2, 4
OWN_SLIDER = f'.rw-panel .rw-slide[aria-label="{ENTRY}"]'
RNN, LSTM = Subject("rnn", (2, 4, 12)), Subject("lstm", (2, 8, 16))
# A leaf of more entries than this is cells; those of one slider serves them.
OPEN = {
    RNN: ("weight_ih_l0", "weight_hh_l0", "x", "v"),
    LSTM: ("weight_ih_l0", "weight_hh_l0", "x"),
}
LEFT_OVER = 20  # nodes and listeners of JupyterLab's own that come and go; moves are 4000


def explorer(subject: Subject) -> str:
    return f"""
from ipywidgets import Layout, VBox
lab = rw.Lab(net)
lab.selection, lab.loss_step, lab.source_step = "{ENTRY}", {subject.steps - 1}, {source(subject)}
slider = lab.slider("{ENTRY}", layout=Layout(width="640px"))
VBox([slider, rw.explore(lab)]).add_class("side-explorer")
"""


def source(subject: Subject) -> int:
    """The source step that a lab has in focus at first."""
    return subject.steps - 3


def is_drawn(subject: Subject) -> dict[str, int]:
    """How many elements of each kind an explorer has when all its panels are drawn."""
    cells = subject.steps**2
    return {
        '[data-panel="toolbar"] button': 3,
        '[data-panel="graph"] canvas': 1,
        '[data-panel="graph"] [data-node][aria-label]': 3 * subject.steps,
        '[data-panel="parameters"] .rw-card[data-value]': subject.steps,
        '[data-panel="contributions"] [data-cell][data-value]': cells,
        '[data-panel="chain"] [data-factor=result] [data-value]': 1,
        '[data-panel="chain"] [data-term]': 8,
        ".rw-explorer .bar": cells,
        ".rw-explorer path.line": 1,
    }


def sums_show(picture: Picture, c: Array) -> bool:
    truth = [*c.sum(1), *c.sum(0), c.sum()]
    return bool(np.abs(np.array(picture["sums"]) - truth).max() < 1e-9)


def chain_shows(subject: Subject) -> Callable[[Picture, Array], bool]:
    t, k = subject.steps - 1, source(subject)
    return lambda picture, c: abs(picture["result"] - c[t, k]) < 1e-9


def at_rest(page: Page, side: Side) -> None:
    """What is drawn when the hand rests agrees with torch and with Python too."""
    root = page.locator(f".{side.name}")
    net = side.subject.network(side.value)
    gradient = float(net.gradients()["weight_hh_l0"][0, 1])
    witness = root.locator('[data-witness="autograd"] td[data-value]')
    expect(witness).to_have_count(1)
    assert abs(float(witness.get_attribute("data-value") or "nan") - gradient) < 1e-9
    t, k = side.subject.steps - 1, source(side.subject)
    shares = root.locator('[data-panel="graph"] [data-node]').evaluate_all(
        "(all) => all.map((e) => [e.dataset.node, Number(e.dataset.step), e.dataset.value])"
    )
    states = ("h", "c") if side.subject is LSTM else ("h",)
    total = side.subject.contributions(side.value)[t, k]
    for step in range(k, t + 1):  # the shares of every step between are the contribution
        passing = [x.split() for node, at, x in shares if node in states and at == step]
        assert abs(sum(float(x) for of_state in passing for x in of_state) - total) < 1e-9


class Explored:
    """A notebook with the explorer; what is beside it is run later."""

    def __init__(self, notebook: OpenNotebook, subject: Subject) -> None:
        self.notebook, self.page, self.subject = notebook, notebook.page, subject
        notebook.run_cell(0)
        self.page.evaluate(PROBE)
        self.first = self.draw()

    def draw(self) -> float:
        """Run the explorer's cell; milliseconds from its end until every panel is drawn."""
        ms = self.page.evaluate("(all) => probe.firstDraw(1, all)", is_drawn(self.subject))
        self.notebook.check_outputs()
        return float(ms)

    def open_leaf(self) -> None:
        """Open the matrix of the entry that is moved, which is too large to be open at first."""
        head = self.page.locator('[data-leaf="weight_hh_l0"] .rw-leaf-name')
        if head.get_attribute("aria-expanded") == "false":
            head.click()
        expect(self.page.locator(OWN_SLIDER)).to_have_count(1)


@pytest.mark.parametrize(("subject", "frame"), [(RNN, 16.7), (LSTM, 33.3)], ids=["rnn", "lstm"])
def test_slider_to_the_last_panel(
    subject: Subject,
    frame: float,
    benchmark: BenchmarkFixture,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    open_lab: Callable[..., OpenNotebook] = request.getfixturevalue("open_lab")
    panels = plain.panels(subject.steps - 1, source(subject), OPEN[subject])
    the_plain_way = plain.marks(ENTRY, START, subject.steps) + panels
    notebook = open_lab(
        f"explorer-{subject.cell}.ipynb", subject.code, explorer(subject), the_plain_way, run=False
    )
    page = notebook.page
    page.set_viewport_size({"width": 1400, "height": 3200})  # both sides in sight
    explored = Explored(notebook, subject)
    again = [explored.draw() for _ in range(REDRAWS)]
    explored.open_leaf()
    notebook.run_cell(2)
    expect(page.locator(".side-plain .bar")).to_have_count(subject.steps**2)

    shows = (cells_show, sums_show, bars_show, line_shows, chain_shows(subject))
    by_own = Side(page, "side-explorer", subject, shows, OWN_SLIDER)
    ours, theirs = (Side(page, f"side-{name}", subject, shows) for name in ("explorer", "plain"))

    def measure() -> Any:
        keys = in_turns(ours, theirs, by_own, blocks=BLOCKS)
        drags = drags_in_turns(ours, theirs, count=DRAGS)
        at_rest(page, ours)
        return keys, drags

    keys, drags = benchmark.pedantic(measure, rounds=1)

    lines = [f"{f'{subject.cell}{subject.sizes}, milliseconds':34}{'p50':>8}{'p95':>8}"]
    lines += key_rows(benchmark, "keys", keys[0], keys[1], "explorer")
    lines += [row(benchmark, "keys: explorer's own slider", keys[2]) + f"  (p95 at most {frame})"]
    for name, drag in zip(("explorer", "plain"), drags, strict=True):
        lines += drag_rows(benchmark, name, drag)
    rested = ours.rested + by_own.rested
    presses = len(keys[0]) + len(keys[2])
    lines += [f"ranked terms waited for the hand to rest after {len(rested)} of {presses} presses"]
    runs = ", ".join(f"{ms:.0f}" for ms in again)
    lines += [
        f"first draw: {explored.first:.0f} ms after the cell ran; again: {runs} (at most 1000)"
    ]
    benchmark.extra_info |= {"first draw": explored.first, "drawn again": again}
    lines += [f"stale at the end: explorer {ours.stale + by_own.stale}, plain {theirs.stale}"]
    with capsys.disabled():
        print("", *lines, sep="\n  ")  # noqa: T201 - this is what `make bench` is for
    assert ours.stale + by_own.stale == 0
    assert len(drags[0].late) == drags[0].steps


def in_memory(page: Page, devtools: CDPSession) -> dict[str, float]:
    """What the page holds, once nothing moves and the garbage is collected."""
    page.wait_for_function("() => document.querySelector('[data-witness=autograd] td[data-value]')")
    for _ in range(3):
        devtools.send("HeapProfiler.collectGarbage")
    metrics = {m["name"]: m["value"] for m in devtools.send("Performance.getMetrics")["metrics"]}
    heap = devtools.send("Runtime.getHeapUsage")["usedSize"]
    return {"heap": heap, "nodes": metrics["Nodes"], "listeners": metrics["JSEventListeners"]}


def test_memory_over_moves(
    benchmark: BenchmarkFixture,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    open_lab: Callable[..., OpenNotebook] = request.getfixturevalue("open_lab")
    notebook = open_lab("memory.ipynb", RNN.code, explorer(RNN), run=False)
    explored, page = Explored(notebook, RNN), notebook.page
    explored.open_leaf()
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable")

    def measure() -> Sequence[dict[str, float]]:
        held = []
        for count in (1000, 4000):
            page.evaluate("([s, n]) => probe.moves(s, n)", [OWN_SLIDER, count])
            held.append(in_memory(page, devtools))
        return held

    early, late = benchmark.pedantic(measure, rounds=1)
    benchmark.extra_info |= {"after 1000": early, "after 5000": late}
    with capsys.disabled():
        print("\n  moves of the explorer's slider: heap MB, nodes, listeners")  # noqa: T201
        for count, held in ((1000, early), (5000, late)):
            print(  # noqa: T201
                f"  after {count}: {held['heap'] / 1e6:.2f}, {held['nodes']:.0f}, "
                f"{held['listeners']:.0f}"
            )
    for kind in ("listeners", "nodes"):
        assert abs(late[kind] - early[kind]) <= LEFT_OVER
