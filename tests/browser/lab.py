"""The lab on a page, and what torch says of its network."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from playwright.sync_api import expect

from .conftest import OpenNotebook

ENTRY = "weight_hh_l0[0,1]"
SETUP = f"""
import rnn_widgets as rw
lab = rw.Lab(rw.rnn(2, 3, 4))
lab.slider("{ENTRY}")
"""
CELLS = (
    SETUP,
    f'lab.slider("{ENTRY}", description="twin")',
    f"""
from ipywidgets import HBox
HBox([lab.heatmap("{ENTRY}"), lab.bars("{ENTRY}"), lab.lag_plot("{ENTRY}")])
""",
    "lab.table()",
)
Opener = Callable[..., OpenNotebook]

HEAT = "() => [...document.querySelectorAll('.heatmapcell')].map((e) => e.__data__.color)"


def torch_answers(weight: np.ndarray, values: dict[str, list]) -> dict[str, np.ndarray]:
    """C[t, k] of the entry and the gradients, by torch alone: every step has its own weight."""
    tensors = {k: torch.tensor(v, dtype=torch.float64) for k, v in values.items()}
    steps = [torch.tensor(weight, requires_grad=True) for _ in range(4)]
    h, rows = tensors["h0"], []
    for t in range(4):
        drive = tensors["weight_ih_l0"] @ tensors["x"][t] + tensors["bias_ih_l0"]
        h = torch.tanh(drive + steps[t] @ h + tensors["bias_hh_l0"])
        loss = tensors["v"][t] @ h
        rows.append(torch.autograd.grad(loss, steps, retain_graph=True, allow_unused=True))
    zero = torch.zeros(3, 3, dtype=torch.float64)
    contributions = np.array(
        [[(zero if g is None else g).numpy()[0, 1] for g in row] for row in rows]
    )
    gradient = sum((zero if g is None else g).numpy() for row in rows for g in row)
    return {"contributions": contributions, "gradient": gradient}


def hover(notebook: OpenNotebook, mark: str, index: int) -> list[str]:
    """Rest the mouse on a mark; what the tooltip then says, label by label."""
    box = notebook.page.locator(mark).nth(index).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    notebook.page.mouse.move(x - 1, y)
    notebook.page.mouse.move(x, y)
    tooltip = notebook.page.locator(".bqplot_mark_tooltip").filter(visible=True)
    expect(tooltip).to_have_count(1)
    return tooltip.locator("td").all_inner_texts()


def expected(notebook: OpenNotebook) -> dict[str, np.ndarray]:
    values = notebook.python("{k: v.tolist() for k, v in lab.net.values.items()}")
    return torch_answers(np.array(values["weight_hh_l0"]), values)


def on_page(notebook: OpenNotebook) -> float:
    """The full gradient of the entry as the table's hover text has it."""
    cell = notebook.page.locator(f'[data-entry="{ENTRY}"]')
    return float(cell.get_attribute("title").split(" = ")[1].replace("−", "-"))


def slider_value(notebook: OpenNotebook) -> float:
    """The exact value as the first slider's hover text has it."""
    title = notebook.handle(ENTRY).first.get_attribute("title")
    return float(title.replace("−", "-"))


def agrees(notebook: OpenNotebook) -> None:
    """Python, page and torch show the same numbers."""
    notebook.wait_for(
        lambda: (
            notebook.python("float(lab.net.values['weight_hh_l0'][0, 1])") == slider_value(notebook)
        ),
        "Python's lab.net has what the slider shows",
    )
    truth = expected(notebook)
    assert on_page(notebook) == pytest.approx(truth["gradient"][0, 1], abs=1e-13)
    heat = np.array(notebook.page.evaluate(HEAT)).reshape(4, 4)
    np.testing.assert_allclose(heat, truth["contributions"], rtol=0, atol=1e-13)
