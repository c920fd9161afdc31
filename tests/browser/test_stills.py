"""Still pictures show where no widget can be drawn, and only there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbconvert import HTMLExporter
from playwright.sync_api import Page, expect

import rnn_widgets as rw

from .conftest import OpenNotebook, Server

CODE = "import rnn_widgets as rw\nrw.explore()"
STILL = "img[src^='data:image/svg+xml'], .jp-RenderedSVG"
TOLD = "gradient of weight_hh_l0[0,1] = Σ C[t, k] = −0.279"
DRAWN = """(images) => images.map((i) => i.complete && i.naturalWidth)"""


def notebook_of(*widgets: Any) -> nbformat.NotebookNode:
    """A notebook whose cells have shown these widgets, saved without their state."""
    cells = []
    for widget in widgets:
        data, metadata = widget._repr_mimebundle_()
        shown = nbformat.v4.new_output("execute_result", data, metadata=metadata, execution_count=1)
        cells.append(nbformat.v4.new_code_cell(CODE, outputs=[shown], execution_count=1))
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "python3"}
    return notebook


def test_a_page_exported_without_widgets_has_the_pictures(page: Page, tmp_path: Path) -> None:
    lab = rw.Lab(rw.lstm(2, 3, 6))
    shown = [rw.explore(), lab.graph("values"), lab.heatmap(), lab.bars(), lab.table()]
    html, _ = HTMLExporter().from_notebook_node(notebook_of(*shown))
    path = tmp_path / "page.html"
    path.write_text(html)
    page.goto(path.as_uri())
    images = page.locator(STILL).and_(page.locator("img"))
    expect(images).to_have_count(len(shown))
    assert images.evaluate_all(DRAWN) == [860, 860, 640, 640, 860]
    expect(page.get_by_text(TOLD)).to_have_count(0)  # the text is for where there are no pictures


def test_jupyterlab_draws_the_widget(open_lab: Callable[..., OpenNotebook]) -> None:
    page = open_lab("drawn.ipynb", CODE).page
    expect(page.locator(".rw-explorer")).to_be_visible()
    expect(page.locator(".jp-OutputArea").locator(STILL)).to_have_count(0)


def test_voila_draws_the_widget(voila: Callable[[str], str], page: Page) -> None:
    page.goto(voila(CODE))
    expect(page.locator(".rw-explorer")).to_be_visible()
    expect(page.locator(STILL)).to_have_count(0)


def test_before_it_is_run_a_notebook_tells_the_results(
    lab_server: Server, open_lab: Callable[..., OpenNotebook]
) -> None:
    nbformat.write(notebook_of(rw.explore()), lab_server.root / "unrun.ipynb")
    notebook = open_lab("unrun.ipynb", run=False)
    expect(notebook.page.locator(".jp-OutputArea-output")).to_contain_text(TOLD)
    assert notebook.python("1 + 1") == 2  # a kernel still starting would hold up the server's end
