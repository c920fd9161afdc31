"""The tutorials where nothing runs: pictures for widgets, and exercises that stand apart."""

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
WIDGET = "application/vnd.jupyter.widget-view+json"


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_widget_has_a_picture(path: Path) -> None:
    shown = [output.get("data", {}) for cell in cells(path) for output in cell.get("outputs", [])]
    assert [
        data["text/plain"] for data in shown if WIDGET in data and "image/svg+xml" not in data
    ] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_an_answer_stands_apart_from_the_next_question(path: Path) -> None:
    # JupyterLab gives <details> no margin: an empty paragraph has one.
    text = "".join(
        "".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "markdown"
    )
    parts = text.split("</details>\n")[1:]
    assert all(after.startswith("<p></p>\n\n") for after in parts)
