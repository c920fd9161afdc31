"""The ledger in JupyterLab: what lights up, what is seen again, by keyboard alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import OpenNotebook
from .explorer import OnPage

AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
Opener = Callable[..., OpenNotebook]

TENSORS = """
import torch
import rnn_widgets as rw
W, b = torch.ones(3, 5), torch.zeros(3)
x = torch.tensor([3.0, 1, 0, 1, 2], requires_grad=True)
g = rw.gradient(lambda: (W @ x + b).sum(), params=rw.Params(W=W, b=b, V=W))
rw.Ledger(g)
"""
LAB = (
    """
import torch
import rnn_widgets as rw
module = torch.nn.RNN(2, 3)
lab = rw.Lab(rw.from_torch(module, x=torch.ones(4, 2)))
rw.Ledger(lab)
""",
    "lab.graph()",
    "lab.graph('values')",
)
# How many pixels of each graph have another colour than at first; the first call remembers.
DIFFERENCES = """() => {
    const shots = [...document.querySelectorAll('.rw-graph canvas')].map((canvas) =>
        canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data);
    window.before ??= shots;
    return shots.map((shot, i) => {
        let count = 0;
        for (let at = 0; at < shot.length; at += 4) {
            const same = [0, 1, 2, 3].every((c) => shot[at + c] === window.before[i][at + c]);
            if (!same) count++;
        }
        return count;
    });
}"""


def name(page: Page, text: str) -> Locator:
    return page.locator(".rw-ledger th").get_by_role("button", name=text, exact=True)


def lights(notebook: OpenNotebook, rows: list[str], nodes: list[str]) -> None:
    """Wait until these rows, and these nodes of the tape by their labels, are lit, and no more."""
    names = notebook.page.locator('.rw-ledger tr[data-lit="true"]')
    labels = notebook.page.locator('.rw-ledger g[data-lit="true"]')
    notebook.wait_for(
        lambda: (
            names.evaluate_all("(all) => all.map((row) => row.dataset.name)") == rows
            and labels.evaluate_all("(all) => all.map((node) => node.dataset.label)") == nodes
        ),
        f"{rows} and {nodes} are lit",
    )


OF_W, OF_B = ["y", "sum", "add", "mv", "W, V"], ["y", "sum", "add", "b"]


def no_violations(page: Page) -> None:
    found = page.evaluate("() => axe.run(document.querySelector('.rw-ledger'))")
    assert not found["violations"], [
        (violation["id"], [node["html"] for node in violation["nodes"]])
        for violation in found["violations"]
    ]
    assert len(found["passes"]) > 5


def test_tensors_by_mouse_and_by_keyboard_alone(open_lab: Opener) -> None:
    notebook = open_lab("ledger.ipynb", TENSORS)
    their_tape_and_a_change_in_place(notebook, notebook.page)
    by_keyboard_alone(notebook, notebook.page)


def their_tape_and_a_change_in_place(notebook: OpenNotebook, page: Page) -> None:
    row = page.locator('.rw-ledger tr[data-name="W"]')
    titles = row.locator("[data-sign]").evaluate_all("(all) => all.map((cell) => cell.title)")
    shown = [float(title.split(" = ")[1]) for title in titles]
    assert shown == notebook.python("g['W'].flatten().tolist()") == [3, 1, 0, 1, 2] * 3

    name(page, "V").hover()
    lights(notebook, ["W", "V"], OF_W)
    name(page, "b").hover()
    lights(notebook, ["b"], OF_B)
    page.locator('.rw-ledger g[data-label="W, V"]').hover()
    lights(notebook, ["W", "V"], OF_W)
    page.locator(".rw-ledger h3").hover()
    lights(notebook, [], [])
    expect(page.locator('.rw-ledger g[data-kind="unasked"] > text')).to_have_text("x")

    state = page.locator('.rw-ledger tr[data-name="b"] .rw-ledger-state')
    expect(state).to_have_text("✓ current")
    notebook.python("_ = b.add_(1)\nW.data[0, 0] = 7\n1")
    page.get_by_role("button", name="look again").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".rw-ledger-looked")).to_have_text("looked again: not as recorded: W, b, V")
    expect(state).to_have_text("≠ changed in place since (version 0 → 1)")
    expect(row.locator(".rw-ledger-state")).to_contain_text("as through .data")


def by_keyboard_alone(notebook: OpenNotebook, page: Page) -> None:
    page.get_by_role("button", name="look again").focus()
    page.keyboard.press("Tab")
    expect(name(page, "W")).to_be_focused()
    lights(notebook, ["W", "V"], OF_W)
    page.keyboard.press("ArrowDown")
    expect(name(page, "b")).to_be_focused()
    lights(notebook, ["b"], OF_B)
    page.keyboard.press("Enter")
    expect(name(page, "b")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Shift+Tab")
    lights(notebook, ["b"], OF_B)
    expect(page.locator(".rw-ledger-told")).to_contain_text("b is an object of its own")


def test_a_leaf_lights_up_in_every_graph_of_its_lab(open_lab: Opener) -> None:
    notebook = open_lab("ledger-lab.ipynb", *LAB)
    page = notebook.page
    canvases = page.locator(".rw-graph canvas")
    expect(canvases).to_have_count(2)
    selection = notebook.python("lab.selection")
    assert page.evaluate(DIFFERENCES) == [0, 0]
    for leaf in ("weight_hh_l0", "bias_hh_l0", "h0"):
        name(page, leaf).hover()
        for i in range(2):
            expect(canvases.nth(i)).to_have_attribute("data-pointed", leaf)
        assert all(count > 50 for count in page.evaluate(DIFFERENCES))
    page.locator(".rw-ledger h3").hover()
    expect(canvases.nth(0)).to_have_attribute("data-pointed", "")
    assert page.evaluate(DIFFERENCES) == [0, 0]
    assert notebook.python("lab.selection") == selection

    state = page.locator('.rw-ledger tr[data-name="weight_hh_l0"] .rw-ledger-state')
    expect(state).to_have_text("✓ the same numbers")
    notebook.python("_ = module.weight_hh_l0.data.add_(1)\n1")
    page.get_by_role("button", name="look again").click()
    expect(state).to_contain_text("the object was changed in place since")
    notebook.python("lab.set(weight_ih_l0=[[0, 0]] * 3)\n1")
    moved = page.locator('.rw-ledger tr[data-name="weight_ih_l0"] .rw-ledger-state')
    expect(moved).to_contain_text("moved in the lab since")


@pytest.mark.parametrize("cells", [(TENSORS,), LAB], ids=["tensors", "lab"])
def test_axe_finds_no_violation(open_lab: Opener, cells: tuple[str, ...]) -> None:
    notebook = open_lab("ledger-axe.ipynb", *cells)
    page = notebook.page
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.locator(".rw-ledger th > button").first.hover()
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            theme,
        )
        light = str("Light" in theme).lower()
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", light)
        no_violations(page)


def test_other_names_stay_when_the_toolbar_changes_the_structure(open_lab: Opener) -> None:
    explorer = """
import rnn_widgets as rw
explorer = rw.explore(rw.rnn(2, 3, 4, bias="single"))
explorer
"""
    notebook = open_lab("ledger_toolbar.ipynb", explorer, "rw.Ledger(explorer)")
    on_page = OnPage(notebook.page)
    also = notebook.page.locator('.rw-ledger tr[data-name="weight_hh_l0"] .rw-ledger-also')
    of_a_layer = ["PyTorch cell: weight_hh", "Keras: recurrent_kernel", "Flux: Wh"]
    expect(also.locator("div")).to_have_text(of_a_layer)
    on_page.choose("steps", "6")
    expect(also.locator("div")).to_have_text(of_a_layer)
    on_page.choose("units", "2")
    expect(also.locator("div")).to_have_text(of_a_layer)
    on_page.choose("cell", "LSTM")  # which has the same names, told of another structure
    notebook.wait_for(
        lambda: notebook.python("explorer.net.program.cell.name") == "lstm", "an LSTM"
    )
    expect(also.locator("div")).to_have_text(of_a_layer)
