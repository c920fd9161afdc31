"""The explorer in JupyterLab: every cell and lens, selection, undo, two of them, every size."""

import json
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from rnn_widgets.presets import PRESETS

from .explorer import (
    CELLS,
    ENTRY,
    SETUP,
    Adjoints,
    OnPage,
    Opener,
    agree,
    opened,
    python_net,
    truth,
)

AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
SKIP = PRESETS["GRU skip"]
FEW = ["toolbar", "graph", "parameters", "contributions"]


@pytest.mark.parametrize("label", CELLS)
def test_every_cell_in_every_lens(open_lab: Opener, label: str) -> None:
    notebook, on_page = opened(open_lab, "cells", "rw.rnn(2, 3, 4), panels=" + repr(FEW))
    on_page.choose("cell", label)
    on_page.slider(ENTRY).focus()
    on_page.page.keyboard.press("PageUp")
    net = agree(notebook, on_page, CELLS[label])
    t, k = notebook.python("[explorer.lab.loss_step, explorer.lab.source_step]")

    on_page.lens("values")
    by_torch = Adjoints(net, CELLS[label])
    for step in range(4):
        np.testing.assert_allclose(on_page.node("h", step), by_torch.hidden[step], atol=1e-13)

    on_page.lens("adjoints")
    for step in range(4):
        np.testing.assert_allclose(on_page.node("h", step), by_torch.total[step], atol=1e-13)

    on_page.lens("flow")
    share = truth(net, CELLS[label], ENTRY)[t, k]
    states = net.program.cell.states
    passing = sum(on_page.node(state, t).sum() for state in states[:1])
    assert passing == pytest.approx(share, abs=1e-13)


def test_mouse_and_keyboard_select_everywhere(open_lab: Opener) -> None:
    notebook, on_page = opened(open_lab, "select", "rw.rnn(2, 3, 5)")
    page = notebook.page
    on_page.cell(3, 1).click()
    expect(on_page.cell(3, 1)).to_have_attribute("aria-selected", "true")
    expect(on_page.panel("chain")).to_contain_text("C₄,₂")
    focus = "[explorer.lab.selection, explorer.lab.loss_step, explorer.lab.source_step]"
    notebook.wait_for(lambda: notebook.python(focus)[1:] == [3, 1], "Python knows the cell")

    on_page.cell(3, 1).focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(on_page.cell(4, 2)).to_have_attribute("aria-selected", "true")
    source = on_page.panel("graph").get_by_role("radiogroup", name="source step k")
    expect(source.get_by_role("radio").nth(2)).to_be_checked()
    source.get_by_role("radio").nth(2).focus()
    page.keyboard.press("ArrowLeft")
    expect(on_page.cell(4, 1)).to_have_attribute("aria-selected", "true")

    on_page.slider("weight_ih_l0[2,1]").focus()
    expect(on_page.panel("contributions")).to_contain_text("weight_ih_l0[2,1]")
    expect(page.locator(".bqplot.figure", has_text="weight_ih_l0[2,1]")).to_have_count(2)
    notebook.wait_for(
        lambda: notebook.python(focus) == ["weight_ih_l0[2,1]", 4, 1], "Python follows"
    )
    agree(notebook, on_page, "tanh", "weight_ih_l0[2,1]")


def test_the_chain_rule_adds_up(open_lab: Opener) -> None:
    notebook, on_page = opened(open_lab, "chain", "rw.rnn(2, 2, 4)")
    on_page.cell(3, 1).click()
    share = truth(python_net(notebook), "tanh", "weight_hh_l0[0,0]")[3, 1]
    terms = on_page.panel("chain").locator(".rw-chain-number")
    expect(terms).to_have_count(5)  # 2 × 2 ways from h₄ to h₂[0], and the remainder
    values = [float(v) for v in terms.evaluate_all("(all) => all.map((e) => e.dataset.value)")]
    assert sum(values) == pytest.approx(share, abs=1e-13)
    for witness in ("autograd", "differences", "worst"):
        line = on_page.panel("chain").locator(f"[data-witness='{witness}']")
        expect(line).to_contain_text("✓")


def test_undo_after_another_structure(open_lab: Opener) -> None:
    notebook = open_lab(
        "undo.ipynb",
        SETUP.format("rw.rnn(2, 3, 4)"),
        "explorer.lab.slider('weight_hh_l0[2,2]')",
    )
    on_page = OnPage(notebook.page)
    ordinary = notebook.handle("weight_hh_l0[2,2]").last
    expect(ordinary).to_be_visible()
    before = python_net(notebook)
    on_page.choose("units", "2")
    on_page.choose("cell", "LSTM")
    on_page.choose("steps", "7")
    on_page.choose("loss", "cross-entropy")
    on_page.choose("layers", "2")
    on_page.choose("direction", "both")
    on_page.choose("truncate", "window")
    notebook.wait_for(
        lambda: (
            repr(python_net(notebook))
            == "Network(lstm, input_size=2, hidden_size=2, seq_len=7, num_layers=2, "
            "bidirectional=True, window=4, loss='cross_entropy')"
        ),
        "Python has the new structure",
    )
    agree(notebook, on_page, "lstm", notebook.python("explorer.lab.selection"))
    slider = notebook.page.locator(".widget-slider").last
    expect(slider.locator("[disabled]")).to_have_count(1)
    for _ in range(7):
        on_page.root.get_by_role("button", name="undo").click()
    expect(slider.locator("[disabled]")).to_have_count(0)
    notebook.wait_for(
        lambda: python_net(notebook).to_json() == before.to_json(), "undo brings everything back"
    )
    on_page.root.get_by_role("button", name="redo").click()
    notebook.wait_for(lambda: python_net(notebook).program.hidden_size == 2, "redo works")
    agree(notebook, on_page, "tanh", "weight_hh_l0[0,0]")


def test_two_explorers_on_one_page(open_lab: Opener) -> None:
    notebook = open_lab(
        "two.ipynb",
        SETUP.format("rw.rnn(2, 3, 4)"),
        "other = rw.explore(rw.lstm(2, 2, 3))\nother",
    )
    first, second = OnPage(notebook.page), OnPage(notebook.page, 1)
    still = second.contributions()
    first.slider(ENTRY).focus()
    notebook.page.keyboard.press("PageUp")
    first.cell(2, 1).click()
    first.choose("steps", "5")
    agree(notebook, first, "tanh")
    np.testing.assert_array_equal(second.contributions(), still)
    assert notebook.python("other.net.to_json() == rw.lstm(2, 2, 3).to_json()")
    second.slider("weight_hh_l0[0,0]").focus()
    notebook.page.keyboard.press("PageUp")
    assert not np.array_equal(second.contributions(), still)
    agree(notebook, first, "tanh")


def test_nothing_jumps(open_lab: Opener) -> None:
    notebook, on_page = opened(open_lab, "steady", "rw.lstm(2, 3, 6)")
    page = notebook.page
    expect(on_page.panel("chain").locator("[data-witness='worst']")).to_contain_text("✓")
    boxes = """() => {
        const { top } = document.querySelector(".rw-explorer").getBoundingClientRect();
        return [...document.querySelectorAll("[data-panel], .bqplot.figure")]
            .map((e) => e.getBoundingClientRect())
            .map((b) => [b.x, b.y - top, b.width, b.height]);
    }"""
    before = page.evaluate(boxes)

    def steady(what: str) -> None:
        now = page.evaluate(boxes)
        np.testing.assert_allclose(now, before, atol=0.5, err_msg=what)

    for lens in ("values", "adjoints", "flow"):
        on_page.lens(lens)
        steady(lens)
    on_page.cell(5, 0).click()
    steady("a contribution that is zero")
    on_page.cell(2, 4).click()
    steady("a contribution that cannot be")
    on_page.cell(5, 2).click()
    on_page.slider("weight_hh_l0[3,1]").focus()
    steady("another entry")
    on_page.slider(ENTRY).focus()
    for _ in range(3):
        page.keyboard.press("PageUp")
        steady("a move")
    on_page.root.get_by_role("button", name="undo").click()
    steady("undo")
    forward = on_page.panel("graph").get_by_role("button", name="one operation on")
    for _ in range(5):
        forward.click()
        steady("a step")
    on_page.root.get_by_role("button", name="gradient-descent").click()
    steady("a step downhill")


@pytest.mark.parametrize(
    ("theme", "net"),
    [
        ("JupyterLab Light", "rw.lstm(2, 3, 6)"),
        ("JupyterLab Dark", "rw.lstm(2, 3, 6)"),
        ("JupyterLab Light", "rw.lstm(2, 16, 32)"),
    ],
)
def test_axe_finds_no_violation(open_lab: Opener, theme: str, net: str) -> None:
    notebook, on_page = opened(open_lab, "axe", net)
    on_page.more().click()
    notebook.page.evaluate(
        "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
    )
    light = str(theme.endswith("Light")).lower()
    expect(notebook.page.locator("body")).to_have_attribute("data-jp-theme-light", light)
    expect(on_page.panel("chain").locator("[data-witness='worst']")).to_contain_text("✓")
    notebook.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = notebook.page.evaluate("() => axe.run(document.querySelector('.rw-explorer'))")
    told = [
        {"id": v["id"], "nodes": [n["html"][:200] for n in v["nodes"]]} for v in found["violations"]
    ]
    assert told == [], json.dumps(told, indent=1)
    assert len(found["passes"]) > 10


@pytest.mark.parametrize(
    "net",
    [
        "rw.rnn(1, 1, 1)",
        "rw.lstm(2, 16, 32)",
        "rw.gru(2, 3, 5, num_layers=2, bidirectional=True, readout=2, loss='cross_entropy')",
        "rw.rnn(2, 3, 6).replace(weight_hh_l0=1e-12 * np.eye(3), x=1e12 * np.ones((6, 2)))",
        "rw.rnn(1, 1, 6, nonlinearity='identity').replace(weight_hh_l0=[[1e200]])",
        "rw.lstm(2, 3, 8).truncate(window=3)",
        "'dead ReLU'",
        "rw.rnn(1, 20, 40)",
    ],
)
def test_every_size_draws_without_an_error(open_lab: Opener, net: str) -> None:
    logged: list[str] = []
    notebook = open_lab("sizes.ipynb", "import numpy as np", SETUP.format(net), run=False)
    notebook.page.on("console", lambda m: logged.append(m.text) if m.type == "error" else None)
    notebook.run_all()
    on_page = OnPage(notebook.page)
    for panel in ("toolbar", "graph", "parameters", "contributions", "chain"):
        expect(on_page.panel(panel)).to_be_visible()
        assert len(on_page.panel(panel).inner_text()) > 40
    if "1e200" in net:
        for panel in ("graph", "contributions", "chain"):
            expect(on_page.panel(panel)).to_contain_text("t = 3")
    for lens in ("values", "adjoints", "flow") if "20, 40" not in net else ():
        on_page.lens(lens)
    on_page.root.get_by_role("button", name="gradient-descent").click(force=True)
    assert logged == []


def test_every_preset_is_what_python_says(open_lab: Opener) -> None:
    notebook, on_page = opened(open_lab, "presets")
    for name, preset in PRESETS.items():
        on_page.choose("preset", preset.label)
        expect(on_page.panel("toolbar")).to_contain_text(preset.say)
        expected = json.loads(preset.make().to_json())
        notebook.wait_for(
            lambda expected=expected: json.loads(python_net(notebook).to_json()) == expected, name
        )
        leaf, index = preset.entry.rstrip("]").split("[")
        c = python_net(notebook).contributions()[leaf]
        np.testing.assert_allclose(
            on_page.contributions(),
            c[(..., *(int(i) for i in index.split(",")))],
            rtol=1e-9,
            atol=1e-13,
        )
