"""A move of one seed at the limit of 16 × 64, from the key to the new gradient on the page.

The other side is what a notebook author would write: a slider, and a kernel observer that computes
vᵀJ with numpy and writes it into labels. Timing decides no test; wrong numbers do.
"""

from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page
from pytest_benchmark.fixture import BenchmarkFixture

from tests.browser.conftest import OpenNotebook

MOVES = 30
CELLS = (
    """
import ipywidgets, numpy as np, torch
import rnn_widgets as rw
W = torch.linspace(-1, 1, 16 * 64, dtype=torch.float64).reshape(16, 64)
explorer = rw.SeedExplorer(lambda x: W @ x, torch.zeros(64, dtype=torch.float64))
explorer
""",
    """
v, J = np.ones(16), W.numpy()
slider = ipywidgets.FloatSlider(1, min=-2, max=2, step=0.01)
sums = [ipywidgets.Label(repr(float(g))) for g in v @ J]
def moved(change):
    v[0] = change.new
    for label, g in zip(sums, v @ J):
        label.value = repr(float(g))
slider.observe(moved, "value")
ipywidgets.VBox([slider, ipywidgets.GridBox(sums).add_class("side-plain")])
""",
)
# A key on a slider; milliseconds until all the numbers are others, and those numbers.
MOVE = """([slider, numbers, key]) => new Promise((done) => {
    const handle = document.querySelector(slider);
    const read = () => [...document.querySelectorAll(numbers)]
        .map((el) => Number(el.dataset.value ?? el.textContent));
    const before = read();
    handle.focus();
    const start = performance.now();
    const press = { key, code: key, keyCode: 39, bubbles: true, cancelable: true };
    handle.dispatchEvent(new KeyboardEvent("keydown", press));
    const look = () => {
        const now = read();
        if (now.every((x, i) => x !== before[i])) done([performance.now() - start, now]);
        else setTimeout(look);
    };
    look();
})"""
SIDES = {
    "explorer": ('.rw-seeds input[aria-label="v[0]"]', '[data-sum="gradient"] [data-value]'),
    "kernel": (".jp-OutputArea .noUi-handle", ".side-plain .widget-label"),
}


def moves(page: Page) -> dict[str, list[float]]:
    """Both sides in turns; each number is checked."""
    jacobian = np.linspace(-1, 1, 16 * 64).reshape(16, 64)
    took: dict[str, list[float]] = {side: [] for side in SIDES}
    for move in range(1, MOVES + 1):
        seed = np.array([1 + 0.01 * move] + [1.0] * 15)
        for side, (slider, numbers) in SIDES.items():
            milliseconds, found = page.evaluate(MOVE, [slider, numbers, "ArrowRight"])
            np.testing.assert_allclose(found, seed @ jacobian, rtol=1e-9, atol=1e-12)
            took[side].append(milliseconds)
    return took


def test_a_seed_is_moved(
    benchmark: BenchmarkFixture,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    open_lab: Callable[..., OpenNotebook] = request.getfixturevalue("open_lab")
    page = open_lab("benchmark-seeds.ipynb", *CELLS).page
    page.locator(SIDES["explorer"][0]).wait_for()
    page.locator(SIDES["kernel"][0]).wait_for()
    took = benchmark.pedantic(moves, (page,), rounds=1)
    lines = [f"{'milliseconds':34}{'p50':>8}{'p95':>8}"]
    for side, times in took.items():
        p50, p95 = np.percentile(times, [50, 95])
        benchmark.extra_info[side] = {"p50": p50, "p95": p95}
        lines.append(f"{side:34}{p50:8.1f}{p95:8.1f}")
    ratio = np.median(took["kernel"]) / np.median(took["explorer"])
    benchmark.extra_info["ratio"] = ratio
    with capsys.disabled():
        print("", *lines, f"{ratio:.1f} times sooner than through the kernel", sep="\n  ")  # noqa: T201
