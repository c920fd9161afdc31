"""A mistake beside the right answer in JupyterLab: the page's three maps against Python's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, expect

from .conftest import OpenNotebook

AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
ENTRY = "weight_hh_l0[0,1]"
CELLS = (
    f"""
import rnn_widgets as rw
lab = rw.Lab(rw.rnn(2, 3, 4))
lab.slider("{ENTRY}")
""",
    f"""
pitfall = rw.pitfalls(lab)["forward order"]
view = pitfall.heatmap("{ENTRY}")
view
""",
)
Opener = Callable[..., OpenNotebook]

MAPS = """() => [...document.querySelectorAll('.rw-replay .rw-figure')]
    .map((figure) => [...figure.querySelectorAll('.heatmapcell')].map((e) => e.__data__.color))"""


def by_hand(values: dict[str, list[Any]]) -> list[np.ndarray]:
    """C[t, k] of the entry of a tanh RNN by two loops, and with pullbacks in forward order."""
    v = {name: np.array(value) for name, value in values.items()}
    w, states = v["weight_hh_l0"], [v["h0"]]
    for x in v["x"]:
        a = v["weight_ih_l0"] @ x + v["bias_ih_l0"] + w @ states[-1] + v["bias_hh_l0"]
        states.append(np.tanh(a))
    right, wrong = np.zeros((4, 4)), np.zeros((4, 4))
    for t in range(4):
        for order, found in ((range(3, -1, -1), right), (range(4), wrong)):
            slot = np.zeros(3)
            for k in order:
                slot = slot + (v["v"][t] if k == t else 0)
                at_a = slot * (1 - states[k + 1] ** 2)
                found[t, k] = at_a[0] * states[k][1]
                slot = w.T @ at_a
    return [right, wrong, wrong - right]


def agrees(notebook: OpenNotebook) -> None:
    """The page, Python and the loops show the same numbers."""

    def drawn() -> bool:
        values = notebook.python("{k: v.tolist() for k, v in lab.net.values.items()}")
        maps = notebook.page.evaluate(MAPS)
        return len(maps) == 3 and all(
            np.allclose(np.reshape(found, (4, 4)), truth, rtol=0, atol=1e-13)
            for found, truth in zip(maps, by_hand(values), strict=True)
        )

    notebook.wait_for(drawn, "the three maps show the network as it is")
    for which, found in (("contributions", 1), ("difference", 2)):
        python = notebook.python(f"pitfall.{which}()['weight_hh_l0'][..., 0, 1].tolist()")
        maps = notebook.page.evaluate(MAPS)
        np.testing.assert_allclose(np.reshape(maps[found], (4, 4)), python, rtol=0, atol=1e-13)


def test_three_maps_follow_the_slider(open_lab: Opener) -> None:
    logged: list[str] = []
    notebook = open_lab("replay.ipynb", *CELLS, run=False)
    notebook.page.on("console", lambda m: logged.append(m.text) if m.type == "error" else None)
    notebook.run_all()
    agrees(notebook)
    before = notebook.page.evaluate(MAPS)
    notebook.handle(ENTRY).first.focus()
    notebook.page.keyboard.press("End")
    notebook.wait_for(
        lambda: notebook.python("float(lab.net.values['weight_hh_l0'][0, 1])") == 2.0,
        "Python knows the slider's end",
    )
    agrees(notebook)
    assert notebook.page.evaluate(MAPS) != before
    said = notebook.page.locator(".rw-replay [role=status]")
    expect(said).to_have_text(notebook.python("view._told"))
    headings = notebook.page.locator(".rw-replay .mainheading")
    expect(headings).to_have_text(["right", "forward order", "wrong − right"])
    no_violations(notebook.page)
    assert logged == []


def no_violations(page: Page) -> None:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            theme,
        )
        light = str(theme.endswith("Light")).lower()
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", light)
        found = page.evaluate("() => axe.run(document.querySelector('.rw-replay'))")
        assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
        assert len(found["passes"]) > 3


def test_it_says_when_the_mistake_makes_no_sense_and_comes_back(open_lab: Opener) -> None:
    notebook = open_lab("replay_gone.ipynb", *CELLS)
    said = notebook.page.locator(".rw-replay [role=status]")
    notebook.python("lab.net = rw.rnn(2, 3, 1)\n1")
    expect(said).to_contain_text("makes no sense for this network: there is only one step")
    expect(notebook.page.locator(".rw-replay .heatmapcell").first).not_to_be_visible()
    notebook.python("lab.net = rw.rnn(2, 3, 4, rng=5)\n1")
    expect(said).to_contain_text("The pullbacks ran in forward order")
    agrees(notebook)
