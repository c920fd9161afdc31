"""Figures of a recording in JupyterLab: what is on the page, and how figures move together."""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import OpenNotebook, Server

SETUP = """
import numpy as np, torch, rnn_widgets as rw
torch.manual_seed(0)
layer = torch.nn.GRU(2, 3, batch_first=True).double()
x = torch.randn(4, 8, 2, dtype=torch.float64)
rec = rw.record(layer, x, lambda out: (out[0] ** 2).sum())
"""
ACCENT, ALARM = "rgb(139, 95, 214)", "rgb(216, 27, 96)"
Opener = Callable[..., OpenNotebook]

# Points of every path of one colour, as shares of the plot area from its left and from its bottom.
DRAWN = """(figure, colour) => {
    const area = figure.querySelector('.plotarea_events');
    const [width, height] = ['width', 'height'].map((name) => Number(area.getAttribute(name)));
    return [...figure.querySelectorAll('.curve path.line')]
        .filter((path) => path.style.stroke === colour)
        .map((path) => [...(path.getAttribute('d') ?? '').matchAll(/[ML]([-.\\de]+),([-.\\de]+)/g)]
            .map(([, x, y]) => [Number(x) / width, 1 - Number(y) / height]));
}"""


CLEAR = """(index) => {
    const { content } = window.jupyterapp.shell.currentWidget;
    content.widgets[index].model.sharedModel.setOutputs([]);
}"""


@pytest.fixture(autouse=True)
def _no_console_errors(page: Page) -> Iterator[None]:
    """Fail the test in whose page bqplot was given what it cannot draw."""
    errors: list[str] = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    yield
    assert not [error for error in errors if "attribute" in error], errors


def figure(notebook: OpenNotebook, index: int) -> Locator:
    return notebook.page.locator(".rw-figure").nth(index)


def drawn(of: Locator, colour: str) -> list[np.ndarray]:
    """Points of the paths of one colour, longest last; a path ends with a point that is none."""
    paths = [np.array(path[:-1]).reshape(-1, 2) for path in of.evaluate(DRAWN, colour)]
    return sorted(paths, key=len)


def marked(of: Locator) -> list[float]:
    """Where the selected step is marked: shares of the width, once for each column of panels."""
    (marker,) = [
        path for path in drawn(of, ACCENT) if not len(path) or np.ptp(path[:, 1]) > 0.9
    ] or [[]]
    return sorted({round(float(x), 4) for x, _ in marker})


def point(notebook: OpenNotebook, of: Locator, x: float, y: float) -> None:
    """Rest the mouse on shares of the plot area, from the left and from the bottom."""
    box = of.locator(".plotarea_events").bounding_box()
    across, up = box["x"] + x * box["width"], box["y"] + (1 - y) * box["height"]
    notebook.page.mouse.move(across - 1, up)
    notebook.page.mouse.move(across, up)


def test_numbers_on_the_page_and_a_step_marked_in_every_figure(open_lab: Opener) -> None:
    cells = ("rec.features_1d(channels=1, samples=2, norm=4)", "rec.features_2d()")
    notebook = open_lab("linked.ipynb", SETUP, *cells)
    curves, maps = figure(notebook, 0), figure(notebook, 1)
    notebook.wait_for(lambda: len(drawn(curves, ACCENT)) == 2, "the curve and the marker")
    truth = np.array(notebook.python("rec.total[2, :, 1].tolist()"))
    curve = drawn(curves, ACCENT)[-1]
    # One panel of height 2 with a lane of 0.1 above it; steps stand in the middle of their eighth.
    np.testing.assert_allclose(curve[:, 1], (truth / 4 + 1) / 2.1, atol=1e-4)
    np.testing.assert_allclose(curve[:, 0], (np.arange(8) + 0.5) / 8, atol=1e-6)

    point(notebook, curves, 5.6 / 8, 0.5)
    notebook.wait_for(lambda: notebook.python("rec.selection.step") == 5, "Python's step")
    reading = notebook.page.locator(".rw-foot output").first
    number = float(f"{truth[5]:.3g}")
    expect(reading).to_contain_text("t = 6 (step 5) · channel 1 · sample 2: ")
    assert float(reading.inner_text().split(": ")[1].replace("−", "-")) == number
    notebook.wait_for(lambda: len(marked(maps)) == 4, "both sides of the step, in both columns")
    # Two columns of 8 steps with a gap of 1: the step lies between 5 and 6 of 17.
    np.testing.assert_allclose(marked(maps), np.array([5, 6, 14, 15]) / 17, atol=1e-3)
    assert len(drawn(curves, ACCENT)) == 2

    maps.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        notebook.page.keyboard.press(key)
    notebook.wait_for(lambda: notebook.python("rec.selection.step") == 6, "the next step")
    expect(notebook.page.locator(".rw-foot output").nth(1)).to_contain_text("t = 7 (step 6)")
    notebook.page.keyboard.press("Escape")
    notebook.wait_for(lambda: not marked(maps), "nothing marked")
    notebook.wait_for(lambda: notebook.python("rec.selection.step") is None, "Python's step too")
    notebook.python("rec.selection.step = 0\n0")
    notebook.wait_for(lambda: len(marked(maps)) == 4, "a step marked by Python")

    # A figure whose output is cleared listens no longer; the others go on.
    notebook.page.evaluate(CLEAR, 1)
    expect(notebook.page.locator(".rw-figure")).to_have_count(1)
    point(notebook, figure(notebook, 0), 2.5 / 17, 0.2)
    notebook.wait_for(lambda: notebook.python("rec.selection.step") == 2, "pointing still works")


def test_one_slider_and_one_field_move_all_figures(open_lab: Opener) -> None:
    notebook = open_lab("slider.ipynb", SETUP, "rec.features_1d()", "rec.flow()")
    curves, flow = figure(notebook, 0), figure(notebook, 1)
    expect(curves.locator(".mainheading")).to_have_text(
        "total adjoint of h ∂L/∂hₜ · GRU, 4 samples"
    )
    handles = notebook.page.locator(".rw-controls .noUi-handle")
    expect(handles).to_have_count(2)
    handles.first.focus()
    for _ in range(3):
        notebook.page.keyboard.press("ArrowRight")
    expect(flow.locator(".mainheading")).to_contain_text("sample 2")
    expect(notebook.page.locator(".rw-legend").first).to_contain_text("sample 2")
    truth = np.array(notebook.python("rec.total[2].T.tolist()"))
    limit = notebook.python("rec.features_1d().norm()[1]")

    def focused() -> bool:
        shares = drawn(curves, ACCENT)[-1][:, 1]
        heights = (truth / limit + 1) / 2.1  # three panels beside one another
        return shares.size == truth.size and np.allclose(shares, heights.ravel(), atol=1e-4)

    notebook.wait_for(focused, "the curves of sample 2 stand out")
    field = notebook.page.get_by_placeholder("all, or such as").last
    field.fill("0, 2")
    field.press("Enter")
    expect(curves.locator(".object_grp")).to_have_count(2)
    norm = notebook.python("float(np.linalg.norm(rec.total[2, 3, [0, 2]]))")
    point(notebook, flow, 3.5 / 8, 0.5)
    reading = notebook.page.locator(".rw-foot output").last
    expect(reading).to_contain_text("t = 4 (step 3) · norm: total ")
    total = re.search(r"total ([\d.e−]+)", reading.inner_text())[1]
    assert float(total.replace("−", "-")) == float(f"{norm:.3g}")


def test_a_click_keeps_the_step_and_the_reading_until_it_is_let_go(open_lab: Opener) -> None:
    cells = ("rec.features_1d(samples=2)", 'rec.flow(orientation="vertical")', "rec.histogram()")
    notebook = open_lab("pinned.ipynb", SETUP, *cells)
    page, curves, flow, bars = notebook.page, *(figure(notebook, i) for i in range(3))
    readings = page.locator(".rw-foot output")
    notebook.wait_for(lambda: len(drawn(curves, ACCENT)) == 2, "the curves and the marker")
    truth = notebook.python("float(rec.total[2, 2, 0])")

    def click(of: Locator, x: float, y: float) -> None:
        point(notebook, of, x, y)
        page.mouse.down()
        page.mouse.up()

    # Three panels of 8 steps, a gap of 1 between them: step 2 of the first one.
    click(curves, 2.5 / 26, 0.5)
    kept = re.compile(r"^t = 3 \(step 2\) · channel 0 · sample 2: ")
    expect(readings.first).to_have_text(kept)
    notebook.wait_for(lambda: notebook.python("rec.selection.pinned"), "Python to hear of it")
    # The other figure reads the same step; the mouse moves nothing any more, there or here.
    expect(readings.nth(1)).to_contain_text("t = 3 (step 2) · norm: total")
    point(notebook, flow, 0.5, 0.1)
    point(notebook, bars, 0.5, 0.2)
    point(notebook, curves, 6.5 / 26, 0.5)
    page.mouse.move(2, 2)
    number = readings.first.inner_text().split(": ")[1].replace("−", "-")
    assert float(number) == float(f"{truth:.3g}")
    assert notebook.python("rec.selection.step") == 2
    after = "(el) => getComputedStyle(el, '::after').content"
    assert "lets go" in readings.first.evaluate(after)
    # Arrow keys move what is kept, in all figures.
    flow.focus()
    page.keyboard.press("ArrowDown")
    expect(readings.first).to_contain_text("t = 4 (step 3)")
    expect(readings.nth(1)).to_contain_text("t = 4 (step 3)")
    # A second click lets go, in the other figure as well.
    click(flow, 0.5, 0.1)
    notebook.wait_for(lambda: not notebook.python("rec.selection.pinned"), "let go by a click")
    expect(readings.first).to_have_text("")
    point(notebook, curves, 6.5 / 26, 0.5)
    expect(readings.first).to_contain_text("t = 7 (step 6)")
    # Enter keeps the step as a click does, and Escape lets go from any figure.
    curves.focus()
    page.keyboard.press("Enter")
    notebook.wait_for(lambda: notebook.python("rec.selection.pinned"), "kept by the keyboard")
    page.mouse.move(2, 2)
    expect(readings.first).to_contain_text("t = 7 (step 6)")
    bars.focus()
    page.keyboard.press("Escape")
    notebook.wait_for(lambda: notebook.python("rec.selection.step") is None, "let go by Escape")
    assert not notebook.python("rec.selection.pinned")
    expect(readings.first).to_have_text("")
    # A figure without steps keeps its reading alone.
    click(bars, 0.1, 0.5)
    page.mouse.move(2, 2)
    expect(readings.nth(2)).to_contain_text("numbers")
    assert not notebook.python("rec.selection.pinned")
    click(bars, 0.1, 0.5)
    page.mouse.move(2, 2)
    expect(readings.nth(2)).to_have_text("")


def test_a_vertical_figure_is_drawn_down_the_page(open_lab: Opener) -> None:
    cell = 'rec.features_1d(channels=1, samples=2, norm=4, orientation="vertical")'
    notebook = open_lab("vertical.ipynb", SETUP, cell, "rec.features_2d()")
    curves, maps = figure(notebook, 0), figure(notebook, 1)
    notebook.wait_for(lambda: len(drawn(curves, ACCENT)) == 2, "the curve and the marker")
    truth = np.array(notebook.python("rec.total[2, :, 1].tolist()"))
    curve = drawn(curves, ACCENT)[-1]
    np.testing.assert_allclose(curve[:, 0], (truth / 4 + 1) / 2.1, atol=1e-4)
    np.testing.assert_allclose(curve[:, 1], 1 - (np.arange(8) + 0.5) / 8, atol=1e-6)
    point(notebook, curves, 0.5, 1 - 5.5 / 8)
    notebook.wait_for(lambda: notebook.python("rec.selection.step") == 5, "Python's step")
    reading = notebook.page.locator(".rw-foot output").first
    expect(reading).to_contain_text("t = 6 (step 5) · channel 1 · sample 2: ")
    notebook.wait_for(lambda: len(marked(maps)) == 4, "the step is marked across as well")


def test_nan_is_marked_and_saved_pictures_have_real_colours(open_lab: Opener) -> None:
    broken = "x[1, 5] = torch.nan\nbad = rw.record(layer, x, lambda out: out[0][:, :5].sum())"
    cells = ("bad.features_1d()", "bad.features_2d(samples=1)")
    notebook = open_lab("broken.ipynb", SETUP + broken, *cells)
    curves, maps = figure(notebook, 0), figure(notebook, 1)
    lost = notebook.python("np.argwhere(np.isnan(bad.total)).tolist()")
    assert lost
    expect(curves.locator(".mainheading")).to_contain_text(f"{len(lost)} NaN")
    notebook.wait_for(lambda: len(drawn(curves, ALARM)) == 1, "the marks of NaN")
    (marks,) = drawn(curves, ALARM)
    # Three panels of 8 steps with gaps of 1; each mark is a line of two points.
    expected = sorted({(9 * unit + step + 0.5) / 26 for _, step, unit in lost})
    np.testing.assert_allclose(sorted(set(marks[:, 0].round(6))), expected, atol=1e-5)
    for shown in (curves, maps):
        foot = shown.locator("xpath=following-sibling::*[1]")
        expect(foot.locator(".rw-legend")).to_contain_text("NaN or ±∞")
        with notebook.page.expect_download() as download:
            foot.get_by_role("button", name="SVG").click()
        assert download.value.suggested_filename.endswith(".svg")
        svg = download.value.path().read_text()
        assert "var(--" not in svg
        assert "blob:" not in svg
        with notebook.page.expect_download() as download:
            foot.get_by_role("button", name="PNG").click()
        assert download.value.path().read_bytes().startswith(b"\x89PNG")
    inside = "document.querySelectorAll('.rw-figure image').length"
    assert notebook.page.evaluate(inside) == 1


def test_a_watched_training_is_drawn_while_it_goes(open_lab: Opener, lab_server: Server) -> None:
    loop = """
import time
from pathlib import Path
with rw.watch(layer, every=2, progress=False) as watch:
    while not Path("enough").exists():
        (layer(x)[0] ** 2).mean().backward()
        time.sleep(0.02)
"""
    notebook = open_lab("watched.ipynb", SETUP, loop, run=False)
    page = notebook.page
    page.evaluate(
        """() => {
            window.over = false;
            const { commands } = window.jupyterapp;
            commands.execute('notebook:run-all-cells').then(() => { window.over = true; });
        }"""
    )
    title = page.locator(".rw-figure .mainheading", has_text="in pass")
    seen: set[str] = set()

    def moving() -> bool:
        if title.count():
            seen.add(title.text_content() or "")
        return len(seen) > 2

    notebook.wait_for(moving, "three moments of training")
    assert not page.evaluate("window.over")
    (lab_server.root / "enough").touch()
    page.wait_for_function("window.over")
    last = notebook.python("int(watch.passes[-1])")
    expect(title).to_have_text(f"adjoints of hₜ in pass {last}")
    curves = page.locator(".rw-figure").filter(has_text="in pass")
    ticks = curves.locator(".tick text")
    notebook.wait_for(
        lambda: {"1", "8"} <= set(ticks.all_text_contents()), "the first and last step"
    )
    beyond = "(all) => all.map((box) => box.scrollWidth - box.clientWidth)"
    assert set(page.locator(".rw-view").evaluate_all(beyond)) == {0}
    # Every other pass was recorded, and the model is its own again.
    assert notebook.python("watch.passes.tolist()") == list(range(0, last + 1, 2))
    assert not notebook.python("'forward' in vars(layer)")


def outlined(of: Locator) -> list[float]:
    """Where lines go over the whole height: shares of the width."""
    paths = [path for path in drawn(of, ACCENT) if len(path)]
    whole = [p for p in paths if np.isin(p[:, 1].round(2), (0, 1)).all() and np.ptp(p[:, 1]) > 0.9]
    return sorted({round(float(x), 3) for path in whole for x, _ in path})


def test_a_watched_training_of_two_directions_by_its_switches(open_lab: Opener) -> None:
    loop = """
torch.manual_seed(1)
both = torch.nn.LSTM(2, 3, bidirectional=True, batch_first=True).double()
with rw.watch(both, every=1, progress=False) as watch:
    for scale in (1.0, 2.0, 3.0):
        loss = scale * (both(x)[0][:, 4] ** 2).sum()
        watch.note_loss(loss)
        loss.backward()
"""
    notebook = open_lab("directions.ipynb", SETUP, loop)
    page = notebook.page
    heat_map, curves = figure(notebook, 0), figure(notebook, 1)
    titles = [shown.locator(".mainheading") for shown in (heat_map, curves)]
    expect(titles[0]).to_have_text("‖∂L/∂hₜ‖ as training goes")
    expect(titles[1]).to_have_text("adjoints of hₜ in pass 2")
    expect(curves.locator(".object_grp")).to_have_text(["forward", "reverse"])

    # Both panels have 8 steps with one between: a step is marked in both, in both figures.
    point(notebook, curves, 2.5 / 17, 0.5)
    notebook.wait_for(lambda: len(outlined(curves)) == 2, "the step in both panels")
    np.testing.assert_allclose(outlined(curves), [2.5 / 17, 11.5 / 17], atol=1e-3)
    notebook.wait_for(lambda: len(outlined(heat_map)) == 4, "both sides of the step")
    np.testing.assert_allclose(outlined(heat_map), np.array([2, 3, 11, 12]) / 17, atol=1e-3)
    reading = page.locator(".rw-foot output").nth(1)
    total = notebook.python("float(watch.forward.total[2, 2])")
    expect(reading).to_contain_text("t = 3 (step 2) · forward · norm: ")
    told = re.search(r"total ([\d.e−]+)", reading.inner_text())
    assert told
    assert float(told[1].replace("−", "-")) == float(f"{total:.3g}")

    page.get_by_role("button", name="÷ loss", exact=True).click()
    expect(titles[1]).to_have_text("adjoints of hₜ ÷ the loss in pass 2")
    page.get_by_role("button", name="reverse", exact=True).click()
    page.get_by_role("button", name="c", exact=True).click()
    expect(titles[0]).to_have_text("‖∂L/∂cₜ‖ ÷ the loss as training goes")
    handle = page.locator(".noUi-handle").first
    handle.focus()
    page.keyboard.press("ArrowLeft")
    expect(titles[1]).to_have_text("adjoints of cₜ ÷ the loss in pass 1")
    truth = notebook.python("(watch.cell.reverse.total[1] / watch.losses[1]).tolist()")
    low, high = notebook.python(
        "np.log10([watch.view()._height.low, watch.view()._height.high]).tolist()"
    )
    expected = [2 * (np.log10(n) - low) / (high - low) - 1 if n else -1.0 for n in truth]

    def curve() -> bool:
        paths = [path for path in drawn(curves, ACCENT) if len(path) == 8]
        shares = (np.array(expected) + 1) / 2.05
        return any(np.allclose(path[:, 1], shares, atol=1e-3) for path in paths)

    notebook.wait_for(curve, "the total of the reverse direction, by the loss")
    for shown, name in ((heat_map, "watch_map"), (curves, "watch")):
        foot = shown.locator("xpath=following-sibling::*[1]")
        for kind in ("SVG", "PNG"):
            with page.expect_download() as download:
                foot.get_by_role("button", name=kind).click()
            assert download.value.suggested_filename == f"{name}.{kind.lower()}"
