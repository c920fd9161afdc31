"""Figures of a recording for those who cannot see them: axe, and the names of their controls."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from .conftest import OpenNotebook

AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
SETUP = """
import torch, rnn_widgets as rw
torch.manual_seed(0)
x = torch.randn(4, 8, 2)
rec = rw.record(torch.nn.GRU(2, 3, batch_first=True), x, lambda out: (out[0] ** 2).sum())
both = torch.nn.LSTM(2, 3, bidirectional=True, batch_first=True)
two = rw.record(both, x, lambda out: (out[0] ** 2).sum())
"""
WATCH = """
with rw.watch(both, every=1, progress=False) as watch:
    for _ in range(3):
        loss = (both(x)[0] ** 2).sum()
        watch.note_loss(loss)
        loss.backward()
"""
COMPARED = "rw.compare({'one': rec, 'other': rec}, view='flow')"
VIEWS = """
from IPython.display import display
for view in ("features_0d", "features_1d", "features_2d", "flow", "lag", "histogram", "heatmap"):
    display(getattr(two, view)())
"""
Opener = Callable[..., OpenNotebook]


def slider(notebook: OpenNotebook, cell: int, name: str) -> Locator:
    output = notebook.page.locator(".jp-OutputArea").nth(cell)
    return output.get_by_role("slider", name=name, exact=True)


def test_sliders_have_names_and_tell_what_is_written_beside_them(open_lab: Opener) -> None:
    notebook = open_lab("names.ipynb", SETUP, WATCH, "rec.features_1d()", COMPARED)
    page = notebook.page
    expect(slider(notebook, 1, "moment")).to_have_attribute("aria-valuetext", "2")
    for cell in (2, 3):
        expect(slider(notebook, cell, "sample")).to_have_attribute("aria-valuetext", "all")
    slider(notebook, 2, "sample").focus()
    page.keyboard.press("ArrowRight")
    expect(slider(notebook, 2, "sample")).to_have_attribute("aria-valuetext", "0")
    slider(notebook, 1, "moment").focus()
    page.keyboard.press("ArrowLeft")
    notebook.wait_for(lambda: notebook.python("watch.view().moment.value") == 1, "the pass before")


@pytest.mark.parametrize("cells", [(WATCH, "rec.features_1d()", COMPARED), (VIEWS,)])
def test_axe_finds_no_violation(open_lab: Opener, cells: tuple[str, ...]) -> None:
    notebook = open_lab("names-axe.ipynb", SETUP, *cells)
    page = notebook.page
    figures = 7 if cells == (VIEWS,) else 5
    expect(page.locator(".rw-figure .mainheading")).to_have_count(figures)
    expect(page.get_by_role("button", name="SVG")).to_have_count(figures)
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            theme,
        )
        light = str(theme.endswith("Light")).lower()
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", light)
        include = "() => axe.run({ include: [['.jp-OutputArea-output']] })"
        found = page.evaluate(include)
        told = [
            {"id": v["id"], "nodes": [n["html"][:200] for n in v["nodes"]]}
            for v in found["violations"]
        ]
        assert told == [], json.dumps(told, indent=1)
        assert len(found["passes"]) > 10
