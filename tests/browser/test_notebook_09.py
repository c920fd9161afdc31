"""The tutorial on a cell of one's own in JupyterLab, held to torch's numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from playwright.sync_api import expect

from rnn_widgets.core.ops import Array

from .conftest import OpenNotebook
from .explorer import OnPage

STEPS = 8
DOTS = "(figure) => [...figure.querySelectorAll('.dot')].map((dot) => dot.__data__.rotation)"


def minimal(values: dict[str, Any]) -> dict[str, Array]:
    """Zhou et al.'s unit in torch, every step with a bias of the candidate that is its own.

    Returns the gates, the states, and what the bias of each step adds to the gradient.
    """
    p = {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
    biases = p["bh_l0"].repeat(STEPS, 1).requires_grad_()
    h, gates, states = p["h0"], [], []
    for x, bias in zip(p["x"], biases, strict=True):
        f = torch.sigmoid(p["Wf_l0"] @ x + p["Uf_l0"] @ h + p["bf_l0"])
        candidate = torch.tanh(p["Wh_l0"] @ x + p["Uh_l0"] @ (f * h) + bias)
        h = (1 - f) * h + f * candidate
        gates.append(f.detach().numpy())
        states.append(h.detach().numpy())
    h.backward(p["v"][-1])
    assert biases.grad is not None
    return {"f": np.array(gates), "h": np.array(states), "bias": biases.grad.numpy()}


def test_09_in_jupyterlab(open_tutorial: Callable[[str], OpenNotebook]) -> None:
    notebook = open_tutorial("09_your_own_cell")
    page = notebook.page
    explorer, figure = OnPage(page), page.locator(".rw-figure")

    def truth() -> dict[str, Array]:
        return minimal(notebook.python("{n: v.tolist() for n, v in lab.net.values.items()}"))

    def by_lag() -> Array:
        numbers: Array = np.array(figure.evaluate(DOTS), dtype=float)
        return numbers

    expect(explorer.panel("contributions")).to_contain_text("bh_l0[0]")
    drawn, bias = explorer.contributions(), truth()["bias"][:, 0]
    np.testing.assert_array_equal(drawn[:-1], 0)
    np.testing.assert_allclose(drawn[-1], bias, rtol=0, atol=1e-14)
    np.testing.assert_allclose(by_lag(), bias[::-1], rtol=0, atol=1e-14)
    assert abs(bias[0] / bias[-1]) < 1e-2

    # A gate that is shut remembers: the first step counts for nearly as much as the last.
    for unit in (0, 1):
        handle = figure.page.locator(".widget-slider", has_text=f"bf_l0[{unit}]")
        handle.locator(".noUi-handle").focus()
        page.keyboard.press("Home")
    notebook.wait_for(
        lambda: notebook.python("lab.net.values['bf_l0'].tolist()") == [-4, -4], "Python follows"
    )
    shut = truth()
    np.testing.assert_allclose(by_lag(), shut["bias"][::-1, 0], rtol=0, atol=1e-14)
    assert shut["bias"][0, 0] / shut["bias"][-1, 0] > 0.5

    # The explorer above has the same network: its graph, its witnesses, its Jacobians by name.
    explorer.lens("values")
    for name in ("f", "h"):
        shown = [explorer.node(name, step) for step in range(STEPS)]
        np.testing.assert_allclose(shown, shut[name], rtol=0, atol=1e-14)
    chain = explorer.panel("chain")
    for witness in ("autograd", "differences", "worst"):
        expect(chain.locator(f"[data-witness='{witness}']")).to_contain_text("✓")
    chain.get_by_role("button", name="skip", exact=True).click()
    expect(chain).to_contain_text(f"{1 - shut['f'][-1, 0]:.3f}")
