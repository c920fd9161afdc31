"""The tutorial on unnamed gradients in JupyterLab, held to torch's numbers."""

from collections.abc import Callable

import numpy as np
from playwright.sync_api import expect

from rnn_widgets.network import Network

from .conftest import OpenNotebook
from .explorer import OnPage, truth
from .test_ledger import name
from .test_notebooks import gradients
from .test_predict import card

BIAS, ASKED = "bias_ih_l0[2]", "weight_hh_l0[2,1]"


def test_02_in_jupyterlab(open_tutorial: Callable[[str], OpenNotebook]) -> None:
    notebook = open_tutorial("02_which_gradient_is_which")
    page = notebook.page
    explorer, graph = OnPage(page), page.locator(".rw-graph canvas")

    def net() -> Network:
        return Network.from_json(notebook.python("explorer.net.to_json()"))

    def agree() -> None:
        """The ledger's norms, the map and torch."""
        now = net()
        by_torch = gradients({leaf: array.tolist() for leaf, array in now.values.items()})
        for leaf, gradient in by_torch.items():
            norm = page.locator(f'.rw-ledger tr[data-name="{leaf}"] .rw-cell')
            shown = float(norm.get_attribute("title") or "nan")
            np.testing.assert_allclose(shown, np.linalg.norm(gradient), rtol=1e-13, err_msg=leaf)
        shares = truth(now, "tanh", BIAS)
        np.testing.assert_allclose(explorer.contributions(), shares, rtol=0, atol=1e-13)

    # Pointed at, by the mouse and by the keys, a leaf is lit in the graph.
    for leaf in ("weight_hh_l0", "h0"):
        name(page, leaf).hover()
        expect(graph).to_have_attribute("data-pointed", leaf)
    page.locator(".rw-ledger h3").hover()
    name(page, "weight_ih_l0").focus()
    page.keyboard.press("ArrowDown")
    expect(graph).to_have_attribute("data-pointed", "weight_hh_l0")
    page.keyboard.press("ArrowDown")
    expect(graph).to_have_attribute("data-pointed", "bias_ih_l0")

    # The bias that the text speaks of.
    explorer.slider(BIAS).focus()
    expect(explorer.panel("contributions")).to_contain_text(BIAS)
    agree()

    uses = abs(truth(net(), "tanh", ASKED).sum(axis=0))
    assert uses[0] == 0
    verdict = card(page).locator("[data-verdict]")
    for press in ("zero", "next", f"k = {uses.argmax() + 1}"):
        card(page).get_by_role("button", name=press, exact=True).click()
        if press != "next":
            expect(verdict).to_have_attribute("data-verdict", "right")
    expect(card(page).locator(".rw-predict-score")).to_have_text("2 of 2 right")

    explorer.slider("h0[1]").focus()
    page.keyboard.press("PageUp")
    notebook.wait_for(lambda: net().values["h0"][1] != 0, "Python has the initial state")
    explorer.slider(BIAS).focus()
    expect(explorer.panel("contributions")).to_contain_text(BIAS)
    agree()
