"""An explorer on a page: what a person does to it, and the numbers that it shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from playwright.sync_api import Locator, Page, expect

from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network
from tests.interop.unrolled import Unrolled

from .conftest import OpenNotebook

ENTRY = "weight_hh_l0[0,1]"
SETUP = "import rnn_widgets as rw\nexplorer = rw.explore({})\nexplorer"
Opener = Callable[..., OpenNotebook]

# The cells of the toolbar by the names that the independent torch code knows them by.
CELLS = {
    "RNN · tanh": "tanh",
    "RNN · relu": "relu",
    "RNN · identity": "identity",
    "RNN · sigmoid": "sigmoid",
    "GRU": "gru",
    "GRU · reset before": "gru before",
    "LSTM": "lstm",
}

# The full number stands in the hover text, which a cell gets when it is pointed at.
READ = """(grid) => [...grid.querySelectorAll("[data-cell]")].map((cell) => {
    cell.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
    return cell.title;
})"""


def number(title: str) -> float:
    """The number of a cell, all its digits; a cell that no way leads to has none."""
    if ": nothing: " in title or ": cut by truncation: " in title:
        return 0.0
    found = re.search(r"\] = (\S+) \(loss step", title)
    assert found, title
    return float(found[1].replace("−", "-"))


class OnPage:
    """One explorer of a page; `root` is what it stands in."""

    def __init__(self, page: Page, nth: int = 0) -> None:
        self.page = page
        self.root = page.locator(".rw-explorer").nth(nth)
        expect(self.root).to_be_visible()

    def panel(self, name: str) -> Locator:
        """A panel by its kind."""
        return self.root.locator(f'[data-panel="{name}"]')

    def choose(self, label: str, option: str) -> None:
        """Choose in the toolbar, in what is folded away too."""
        choice = self.root.locator(f'[data-choice="{label}"]')
        if not choice.is_visible():
            self.more().click()
        choice.select_option(label=option)

    def more(self) -> Locator:
        """The toolbar's button that unfolds the other settings."""
        return self.panel("toolbar").get_by_role("button", name="more settings")

    def slider(self, entry: str) -> Locator:
        """The slider of an entry in the matrices."""
        return self.panel("parameters").get_by_role("slider", name=entry, exact=True)

    def value(self, entry: str) -> float:
        """The number of an entry in the matrices, all its digits."""
        card = self.panel("parameters").locator(f'.rw-card[data-entry="{entry}"]')
        return float(card.get_attribute("data-value") or "nan")

    def cell(self, t: int, k: int) -> Locator:
        """A cell of the contributions map."""
        return self.panel("contributions").locator(f'[data-cell="{t},{k}"]')

    def contributions(self) -> Array:
        """C[t, k] as the map has it."""
        grid = self.panel("contributions").get_by_role("grid")
        numbers = [number(title) for title in grid.evaluate(READ)]
        steps = round(len(numbers) ** 0.5)
        return np.reshape(numbers, (steps, steps))

    def figures(self) -> dict[str, Any]:
        """How high the bars are drawn, and the way of the lag plot's line, in pixels."""
        heights = "(bars) => bars.map((bar) => Number(bar.getAttribute('height')))"
        line = self.root.locator("path.line").first.get_attribute("d")
        return {"heights": self.root.locator(".bar").evaluate_all(heights), "line": line}

    def node(self, name: str, step: int) -> Array:
        """The numbers of one node of the graph at one step; −1 is the initial state."""
        group = self.panel("graph").locator(f'[data-node="{name}"][data-step="{step}"]')
        return np.array([float(x) for x in (group.get_attribute("data-value") or "").split()])

    def lens(self, name: str) -> None:
        """Choose a lens of the graph, and wait until its numbers are written."""
        self.panel("graph").get_by_role("button", name=name, exact=True).click()
        self.page.wait_for_timeout(400)  # numbers for readers are written when the hand rests


def opened(open_lab: Opener, name: str, net: str = "") -> tuple[OpenNotebook, OnPage]:
    """An explorer in a notebook of JupyterLab, once its map is drawn."""
    notebook = open_lab(f"{name}.ipynb", SETUP.format(net))
    on_page = OnPage(notebook.page)
    expect(on_page.panel("contributions").get_by_role("grid")).to_be_visible()
    return notebook, on_page


def truth(net: Network, kind: str, entry: str) -> Array:
    """C[t, k] of an entry by torch, every step with its own copy of the parameter."""
    leaf, index = entry.rstrip("]").split("[")
    contributions: Any = Unrolled(net, kind).contributions[leaf]
    return contributions[(..., *(int(i) for i in index.split(",")))]


class Adjoints(Unrolled):
    """h_t by torch, and ∂L/∂h_t: what a number added to every entry of it would change."""

    def __init__(self, net: Network, kind: str) -> None:
        size, steps = net.program.hidden_size, net.program.seq_len
        self.added = [
            torch.zeros(size, dtype=torch.float64, requires_grad=True) for _ in range(steps)
        ]
        self.total = np.zeros((steps, size))
        self.hidden = np.zeros((steps, size))
        super().__init__(net, kind)
        cell, calls = self.cell, 0

        def disturbed(*args: Any) -> tuple[torch.Tensor, ...]:
            nonlocal calls
            hidden, *rest = cell(*args)
            self.hidden[calls % steps] = hidden.detach().numpy()
            calls += 1
            return (hidden + self.added[(calls - 1) % steps], *rest)

        self.cell = disturbed
        for t in net.program.loss_steps:
            loss = self._loss(self._outputs(t)[t], t)
            found = torch.autograd.grad(loss, self.added, allow_unused=True, materialize_grads=True)
            self.total += np.array([gradient.numpy() for gradient in found])


def python_net(notebook: OpenNotebook) -> Network:
    return Network.from_json(notebook.python("explorer.net.to_json()"))


def agree(notebook: OpenNotebook, on_page: OnPage, kind: str, entry: str = ENTRY) -> Network:
    """Python has the page's network, and the page's contributions are torch's."""
    cells = {"gru before": "gru_reset_before", "gru": "gru_reset_after", "lstm": "lstm"}
    cell = cells.get(kind, f"rnn_{kind}")
    notebook.wait_for(
        lambda: python_net(notebook).program.cell.name == cell, f"Python has a {cell}"
    )

    def same() -> bool:
        expected = truth(python_net(notebook), kind, entry)
        shown = on_page.contributions()
        return shown.shape == expected.shape and np.allclose(shown, expected, rtol=0, atol=1e-13)

    notebook.wait_for(same, f"page, Python and torch have the same C[t, k] of a {kind}")
    return python_net(notebook)
