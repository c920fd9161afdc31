"""The explorer by keyboard alone, and how little room its toolbar takes."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from rnn_widgets.presets import PRESETS

from .conftest import OpenNotebook
from .explorer import ENTRY, Opener, opened

FOCUS = """() => {
    const { activeElement: el } = document;
    const panel = el.closest("[data-panel]")?.dataset.panel;
    return [panel, el.getAttribute("aria-label") ?? el.textContent];
}"""
WEIGHT = "float(explorer.net.values['weight_hh_l0'][0, 1])"
SOURCES = """() => {
    const { cells } = window.jupyterapp.shell.currentWidget.content.model;
    return [...cells].map((cell) => cell.sharedModel.source);
}"""


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def tab_to(page: Page, found: Callable[[str, str], bool], key: str = "Tab") -> int:
    """Press Tab until a panel and a name are in focus; how often that took."""
    for count in range(1, 25):
        page.keyboard.press(key)
        panel, name = page.evaluate(FOCUS)
        if panel and found(panel, name):
            return count
    raise AssertionError(f"not within {count} stops")


def is_map(panel: str, name: str) -> bool:
    return panel == "contributions" and name.startswith("C[t")


def test_the_keyboard_alone_does_everything(open_lab: Opener) -> None:
    notebook, on_page = opened(open_lab, "keys", "rw.rnn(2, 3, 5)")
    page = notebook.page
    on_page.more().focus()
    press(page, "Enter")
    expect(on_page.root.locator('[data-choice="loss at"]')).to_be_visible()
    tab_to(page, lambda panel, _: panel == "graph")
    tab_to(page, lambda panel, _: panel == "toolbar", "Shift+Tab")
    expect(on_page.root.get_by_role("textbox", name="rate", exact=True)).to_be_focused()
    on_page.more().focus()
    press(page, "Enter")
    expect(on_page.root.locator('[data-choice="loss at"]')).to_be_hidden()

    # Seventy-five sliders lie between the toolbar and the map.
    assert tab_to(page, is_map) <= 12
    on_page.more().focus()
    assert tab_to(page, lambda panel, name: name.startswith(ENTRY.split("[")[0])) <= 7
    press(page, "Tab", "Tab", "ArrowRight")
    expect(page.locator(":focus")).to_have_attribute("aria-selected", "true")
    notebook.wait_for(
        lambda: notebook.python("explorer.lab.selection") == ENTRY, "the entry is selected"
    )
    before = on_page.value(ENTRY)
    press(page, "Enter", "PageUp", "ArrowRight")
    moved = on_page.value(ENTRY)
    assert moved == pytest.approx(before + 0.11, abs=0.011)
    notebook.wait_for(lambda: notebook.python(WEIGHT) == moved, "Python has the move")
    expect(on_page.slider(ENTRY)).to_have_attribute("aria-valuetext", _starts_with(moved))
    press(page, "Enter", "Control+a", *"0.25", "Enter")
    notebook.wait_for(lambda: notebook.python(WEIGHT) == 0.25, "Python has what was typed")
    press(page, "Escape", "Delete")
    assert on_page.value(ENTRY) == before

    tab_to(page, is_map)
    press(page, "ArrowUp", "ArrowLeft", "Enter")
    focus = "[explorer.lab.loss_step, explorer.lab.source_step]"
    notebook.wait_for(lambda: notebook.python(focus) == [3, 1], "the cell is selected")

    # Another matrix: up from the entries to the names, down to the inputs.
    tab_to(page, lambda panel, name: panel == "parameters" and "tools" in name, "Shift+Tab")
    press(page, "Shift+Tab", "End", "ArrowUp", "Tab", "Tab", "ArrowDown", "Enter", "End")
    panel, name = page.evaluate(FOCUS)
    assert (panel, name) == ("parameters", "v[1,0]")
    assert on_page.value("v[1,0]") == 2

    tab_to(page, lambda panel, _: panel == "graph", "Shift+Tab")
    press(page, "ArrowRight", "ArrowRight")
    expect(on_page.panel("graph").locator("[data-line]")).to_contain_text("forward: h₁ = tanh(a₁)")
    tab_to(page, lambda _, name: name == "flow" or name == "values", "Shift+Tab")
    press(page, "End", "ArrowLeft", "Enter")
    adjoints = on_page.panel("graph").get_by_role("button", name="adjoints", exact=True)
    expect(adjoints).to_have_attribute("aria-pressed", "true")


def _starts_with(number: float) -> re.Pattern[str]:
    digits = f"{abs(number):#.3g}".rstrip(".")
    return re.compile(f"^{'−' if number < 0 else ''}{re.escape(digits)}, gradient")


def edit(notebook: OpenNotebook) -> list[str]:
    """Type into the notebook's cell, for there to be something to undo."""
    page = notebook.page
    page.locator(".jp-Cell .cm-content").first.click()
    press(page, "Control+End", "Enter", *"# mine", "Escape")
    sources: list[str] = page.evaluate(SOURCES)
    assert "# mine" in sources[0]
    return sources


def test_undo_keys_are_the_explorers_inside_it(open_lab: Opener) -> None:
    notebook, on_page = opened(open_lab, "undo keys", "rw.rnn(2, 3, 4)")
    page = notebook.page
    sources = edit(notebook)
    before = on_page.value(ENTRY)

    def move() -> None:
        on_page.slider(ENTRY).focus()
        press(page, "End")
        assert on_page.value(ENTRY) == 2

    move()
    press(page, "Control+z")
    assert on_page.value(ENTRY) == before
    press(page, "Control+Shift+z")
    assert on_page.value(ENTRY) == 2
    press(page, "Control+z", "Control+y")
    assert on_page.value(ENTRY) == 2
    on_page.panel("graph").locator("h3").click()
    press(page, "Control+z")
    assert on_page.value(ENTRY) == before
    on_page.root.get_by_role("button", name="undo").focus()
    press(page, "Control+Shift+z")
    assert on_page.value(ENTRY) == 2
    on_page.panel("parameters").locator(f'.rw-card[data-entry="{ENTRY}"] .rw-number').click()
    press(page, *"77", "Control+z", "Escape")
    assert on_page.value(ENTRY) == 2
    press(page, *["Control+z"] * 5)
    assert on_page.value(ENTRY) == before
    assert page.evaluate(SOURCES) == sources

    # Outside they are the notebook's.
    page.locator(".jp-Cell .cm-content").first.click()
    press(page, *["Control+z"] * 3)
    notebook.wait_for(lambda: page.evaluate(SOURCES) != sources, "the notebook undoes its own")
    assert on_page.value(ENTRY) == before


BOXES = """(toolbar) => {
    const [row] = toolbar.querySelectorAll(".rw-row");
    const boxes = [...row.querySelectorAll("select, button")].map((e) => e.getBoundingClientRect());
    const { width, height } = toolbar.getBoundingClientRect();
    return [width, height, new Set(boxes.map((b) => Math.round(b.bottom))).size];
}"""


@pytest.mark.parametrize(("viewport", "lines", "most"), [(1280, 1, 80), (860, 2, 140)])
def test_the_toolbar_is_small_and_keeps_its_height(
    open_lab: Opener, viewport: int, lines: int, most: int
) -> None:
    notebook, on_page = opened(open_lab, "toolbar")
    toolbar = on_page.panel("toolbar")
    notebook.page.set_viewport_size({"width": viewport, "height": 720})
    hide = "() => window.jupyterapp.commands.execute('application:toggle-left-area')"
    notebook.page.evaluate(hide)

    def box() -> list[float]:
        found: list[float] = toolbar.evaluate(BOXES)
        return found

    notebook.wait_for(lambda: viewport - 240 < box()[0] < viewport - 100, "it has its width")
    width, height, found = box()
    assert (found, height < most) == (lines, True), (width, height, found)
    for preset in PRESETS.values():
        on_page.choose("preset", preset.label)
        expect(toolbar).to_contain_text(preset.say)
        np.testing.assert_allclose(box(), [width, height, lines], atol=0.5, err_msg=preset.name)
    for cell in ("LSTM", "GRU · reset before"):
        on_page.choose("cell", cell)
        np.testing.assert_allclose(box(), [width, height, lines], atol=0.5, err_msg=cell)
    on_page.more().click()
    opened_height = box()[1]
    assert opened_height > height + 20
    for label, option in [
        ("layers", "2"),
        ("direction", "both"),
        ("loss at", "the last step"),
        ("truncate", "window"),
    ]:
        on_page.choose(label, option)
        np.testing.assert_allclose(box()[1], opened_height, atol=0.5, err_msg=label)
    on_page.more().click()
    expect(on_page.more()).to_have_text(
        "more settings: one bias · 2 inputs · 2 layers · both directions · loss at the last step "
        "· window of 3"
    )
    np.testing.assert_allclose(box()[1], height, atol=0.5)
