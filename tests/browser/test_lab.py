"""The lab in JupyterLab: moved by mouse and keyboard, its numbers compared with torch."""

import numpy as np
import pytest
from playwright.sync_api import expect

from .lab import CELLS, ENTRY, SETUP, Opener, agrees, expected, hover, slider_value


def test_keyboard_moves_everything(open_lab: Opener) -> None:
    notebook = open_lab("keyboard.ipynb", *CELLS)
    handle = notebook.handle(ENTRY).first
    expect(handle).to_have_attribute("aria-valuetext", "0.265")
    agrees(notebook)
    start = slider_value(notebook)
    handle.focus()
    for key in ("ArrowRight", "ArrowRight", "PageUp", "ArrowUp"):
        notebook.page.keyboard.press(key)
    assert slider_value(notebook) == pytest.approx(0.26 + 0.01 * 8, abs=1e-9)
    assert slider_value(notebook) != start
    agrees(notebook)
    notebook.page.keyboard.press("End")
    assert slider_value(notebook) == 2.0
    expect(handle).to_have_attribute("aria-valuetext", "2.00")
    # The twin follows, without having been touched.
    expect(notebook.handle(ENTRY).nth(1)).to_have_attribute("title", "2")
    agrees(notebook)


def test_mouse_drag_draws_every_step_and_ends_right(open_lab: Opener) -> None:
    notebook = open_lab("mouse.ipynb", *CELLS)
    handle = notebook.handle(ENTRY).first
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    mouse = notebook.page.mouse
    notebook.page.evaluate(
        """() => {
            window.seen = [];
            const handle = document.querySelector('.noUi-handle');
            new MutationObserver(() => window.seen.push(
                [handle.title, document.querySelectorAll('.heatmapcell')[13].__data__.color]
            )).observe(handle, { attributes: true, attributeFilter: ['title'] });
        }"""
    )
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    mouse.move(x, y)
    mouse.down()
    for i in range(1, 31):
        mouse.move(x + i, y)
    mouse.up()
    seen = notebook.page.evaluate("() => window.seen")
    values = {title for title, _ in seen}
    assert len(values) >= 20
    # Each slider step had its own picture.
    assert len({color for _, color in seen}) == len(values)
    agrees(notebook)


@pytest.mark.parametrize(
    ("typed", "value"),
    [("-1.25", -1.25), ("0.7", 0.7), ("−0.3", -0.3), ("0,4", 0.4), ("1e9", 2.0)],
)
def test_typing_a_number(open_lab: Opener, typed: str, value: float) -> None:
    notebook = open_lab("typing.ipynb", *CELLS)
    readout = notebook.page.get_by_role("textbox", name=f"{ENTRY}, value").first
    readout.click()
    notebook.page.keyboard.press("Control+a")
    notebook.page.keyboard.insert_text(typed)
    notebook.page.keyboard.press("Enter")
    notebook.wait_for(
        lambda: slider_value(notebook) == pytest.approx(value, abs=1e-9), "the number arrives"
    )
    agrees(notebook)
    expect(notebook.page.locator('[data-witness="autograd"]')).to_contain_text("✓")


def test_typing_nonsense_changes_nothing(open_lab: Opener) -> None:
    notebook = open_lab("nonsense.ipynb", *CELLS)
    before = slider_value(notebook)
    readout = notebook.page.get_by_role("textbox", name=f"{ENTRY}, value").first
    for typed in ("abc", "", "--"):
        readout.click()
        notebook.page.keyboard.press("Control+a")
        notebook.page.keyboard.insert_text(typed)
        notebook.page.keyboard.press("Enter")
        readout.blur()
        assert slider_value(notebook) == before
    expect(readout).to_have_text("0.265")  # the exact value again, not the slider's rounded one
    agrees(notebook)


def test_python_assignments_show_up_exactly(open_lab: Opener) -> None:
    notebook = open_lab("python.ipynb", *CELLS)
    notebook.python("lab.set(weight_hh_l0=[[.1, .123456789, .2], [.3, .4, .5], [.6, .7, .8]]) or 1")
    notebook.wait_for(lambda: slider_value(notebook) == 0.123456789, "the exact value arrives")
    agrees(notebook)
    notebook.python("lab.set(weight_hh_l0=lab.net.values['weight_hh_l0'] * 50) or 1")
    notebook.wait_for(lambda: slider_value(notebook) == 0.123456789 * 50, "the range grows")
    agrees(notebook)


def test_torch_confirms_when_the_move_ends(open_lab: Opener) -> None:
    notebook = open_lab("confirm.ipynb", *CELLS)
    notebook.handle(ENTRY).first.focus()
    notebook.page.keyboard.press("ArrowRight")
    page = notebook.page
    for witness in ("autograd", "differences", "worst"):
        expect(page.locator(f'[data-witness="{witness}"]')).to_contain_text("✓")
    truth = expected(notebook)["gradient"]
    page.locator('[data-entry="weight_hh_l0[2,1]"]').click()
    expect(page.locator('[data-witness="contributions"]')).to_contain_text("weight_hh_l0[2,1]")
    expect(page.locator('[data-witness="autograd"]')).to_contain_text("✓")
    cell = page.locator('[data-witness="autograd"] td').first
    shown = float(cell.get_attribute("data-value"))
    assert shown == pytest.approx(truth[2, 1], abs=1e-13)
    notebook.wait_for(
        lambda: notebook.python("lab.selection") == "weight_hh_l0[2,1]",
        "Python knows the selection",
    )


def test_hovering_tells_steps_and_numbers(open_lab: Opener) -> None:
    notebook = open_lab("hover.ipynb", *CELLS)
    notebook.python("lab.set(h0=[0.5, -0.25, 0.75]) or 1")
    agrees(notebook)
    found = expected(notebook)["contributions"]
    steps = ("loss step t", "loss_step", "source step k", "source_step")
    t, k = 3, 1
    said = hover(notebook, ".heatmapcell", 4 * t + k)
    assert said[:8:2] == list(steps)
    assert said[1:8:2] == ["4", "3", "2", "1"]
    assert float(said[9].replace("−", "-")) == pytest.approx(found[t, k], rel=5e-3)
    # Of the bars of one source step, one for each loss step, those that are not zero are drawn.
    said = hover(notebook, ".bar", 4 * k + t)
    assert said[1:8:2] == ["4", "3", "2", "1"]
    assert float(said[9].replace("−", "-")) == pytest.approx(found[t, k], rel=5e-3)
    said = hover(notebook, ".dot", 2)
    assert said[:3] == ["lag |t − k|", "2", "Σ C[t, k]"]
    assert float(said[3].replace("−", "-")) == pytest.approx(np.trace(found, -2), rel=5e-3)


def test_figures_say_what_has_overflowed_or_gone(open_lab: Opener) -> None:
    notebook = open_lab("gone.ipynb", *CELLS)
    titles = notebook.page.locator(".mainheading")
    expect(titles.first).to_have_text(f"C[t, k] of {ENTRY}")
    size = notebook.page.locator(".rw-figure svg").first.bounding_box()
    notebook.python("lab.net = rw.rnn(2, 3, 4, nonlinearity='identity', rng=1)\n1")
    notebook.python("lab.set(weight_hh_l0=[[1e200, 0, 1e200]] * 3) or 1")
    expect(titles).to_have_text([f"{ENTRY} overflows from t = 3 (step 2)"] * 3)
    fills = notebook.page.evaluate(
        """() => [...document.querySelectorAll('.heatmapcell')]
            .filter((cell) => Number.isNaN(cell.__data__.color))
            .map((cell) => getComputedStyle(cell).fill)"""
    )
    assert set(fills) == {"rgba(136, 136, 136, 0.533)"}
    expect(notebook.page.locator("caption").first).to_contain_text("Overflow from t = 3 (step 2)")
    notebook.python("lab.net = rw.rnn(2, 1, 4)\n1")
    expect(titles).to_have_text([f"{ENTRY} does not exist in this network"] * 3)
    expect(notebook.page.locator(".heatmapcell").first).not_to_be_visible()
    expect(notebook.page.locator(".axislabel").first).not_to_be_visible()
    assert notebook.page.locator(".rw-figure svg").first.bounding_box() == size
    notebook.python("lab.net = rw.rnn(2, 3, 4)\n1")
    expect(titles.first).to_have_text(f"C[t, k] of {ENTRY}")
    agrees(notebook)


def test_drive_shows_text_and_the_users_own_mark(open_lab: Opener) -> None:
    notebook = open_lab(
        "drive.ipynb",
        SETUP,
        """
import bqplot, ipywidgets
label = ipywidgets.Label()
line = bqplot.Lines(scales={"x": bqplot.LinearScale(), "y": bqplot.LinearScale()})
lab.drive(label, "value", "loss")
lab.drive(line, "x", "steps")
lab.drive(line, "y", "losses")
ipywidgets.VBox([label, bqplot.Figure(marks=[line])])
""",
    )
    notebook.handle(ENTRY).first.focus()
    notebook.page.keyboard.press("End")
    label = notebook.page.locator(".widget-label").filter(has_not_text="weight").last
    notebook.wait_for(
        lambda: label.inner_text() == notebook.python("f'{lab.net.forward().loss:.4g}'"),
        "the label shows Python's loss",
    )
    path = notebook.page.locator("path.line").first
    before = path.get_attribute("d")
    notebook.page.keyboard.press("Home")
    notebook.wait_for(lambda: path.get_attribute("d") != before, "the line moves")


@pytest.mark.parametrize(
    "net",
    [
        "rw.rnn(1, 1, 1)",
        "rw.lstm(2, 8, 16)",
        "rw.gru(2, 3, 5, num_layers=2, bidirectional=True, readout=2, loss='cross_entropy')",
        "rw.rnn(1, 1, 6, nonlinearity='identity').replace(weight_hh_l0=[[1e200]])",
        "rw.rnn(1, 2, 16, nonlinearity='identity').replace(weight_hh_l0=[[1e30, 1e25]] * 2)",
    ],
)
def test_every_size_draws_without_an_error(open_lab: Opener, net: str) -> None:
    logged: list[str] = []
    notebook = open_lab("sizes.ipynb", "1", run=False)
    notebook.page.on("console", lambda m: logged.append(m.text) if m.type == "error" else None)
    code = f"""
import rnn_widgets as rw
from ipywidgets import VBox
lab = rw.Lab({net})
VBox([lab.slider("weight_hh_l0[0,0]"), lab.heatmap(), lab.bars(), lab.lag_plot(),
      lab.jacobian_map(), lab.table()])
"""
    notebook.page.evaluate(
        """(code) => {
            const { content } = window.jupyterapp.shell.currentWidget;
            content.model.cells.get(0).sharedModel.setSource(code);
        }""",
        code,
    )
    notebook.run_all()
    steps = notebook.python("lab.net.program.seq_len")
    state = notebook.python("lab.net.jacobians()[0].shape[0]")
    expect(notebook.page.locator(".heatmapcell")).to_have_count(steps**2 + state**2)
    notebook.handle("weight_hh_l0[0,0]").focus()
    notebook.page.keyboard.press("ArrowRight")
    leaf = notebook.page.locator('[data-leaf="weight_hh_l0"]')
    expect(leaf).to_be_visible()
    assert logged == []
