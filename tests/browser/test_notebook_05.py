"""The tutorial on the order of state in JupyterLab: its replays against the mistakes themselves."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from playwright.sync_api import expect

from rnn_widgets.core.ops import Array

from .conftest import OpenNotebook
from .explorer import OnPage
from .test_replay import MAPS

ENTRY = "weight_hh_l0[0,1]"


def forward_order(w: float) -> list[Array]:
    """C[t, k] of the input's weight of question D: right, and with pullbacks in forward order."""
    x1, x2 = 0.3, 2.5
    return [np.array([[x1, 0], [w * x1, x2]]), np.array([[x1, w * x2], [0, x2]])]


def contributions(values: dict[str, Any], mistake: str = "") -> Array:
    """C[t, k] of an entry of Wh in a tanh layer that makes a mistake, by torch."""
    p = {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}

    def step(x: torch.Tensor, h: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        if mistake == "detached each step":
            h = h.detach()
        a = p["weight_ih_l0"] @ x + p["bias_ih_l0"] + w @ h + p["bias_hh_l0"]
        return torch.tanh(a)

    h, w = p["h0"], p["weight_hh_l0"]
    if mistake == "state not reset":
        for x in torch.ones(4, 2, dtype=torch.float64):
            h = step(x, h, w)
    uses = [w.clone().requires_grad_() for _ in p["x"]]
    found = np.zeros((len(uses), len(uses)))
    for t, (x, use) in enumerate(zip(p["x"], uses, strict=True)):
        h = step(x, h, use)
        gradients = torch.autograd.grad(
            h @ p["v"][t], uses, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        found[t] = [float(gradient[0, 1]) for gradient in gradients]
    return found


def test_05_in_jupyterlab(open_tutorial: Callable[[str], OpenNotebook]) -> None:
    notebook = open_tutorial("05_the_order_of_state")
    page = notebook.page
    explorer = OnPage(page)
    said = page.locator(".rw-replay [role=status]")
    sliders, grid = (
        explorer.panel(name).bounding_box() for name in ("parameters", "contributions")
    )
    assert sliders
    assert grid
    assert sliders["y"] == grid["y"], "what is moved and what moves stand side by side"

    def shows(nth: int, right: Array, wrong: Array) -> None:
        """The nth replay has the two maps and their difference."""

        def drawn() -> bool:
            maps = page.evaluate(MAPS)[3 * nth : 3 * nth + 3]
            return all(
                np.allclose(np.reshape(shown, right.shape), truth, rtol=0, atol=1e-13)
                for shown, truth in zip(maps, (right, wrong, wrong - right), strict=True)
            )

        notebook.wait_for(drawn, f"replay {nth} shows the mistake")

    def both() -> Array:
        """The explorer's network in both of its replays; returns what is right of it."""
        values = notebook.python("{n: v.tolist() for n, v in explorer.net.values.items()}")
        right = contributions(values)
        for nth, mistake in ((1, "detached each step"), (2, "state not reset")):
            shows(nth, right, contributions(values, mistake))
        return right

    # Question D, at 0.5, at the slider's ends, and near the 0.001 that was asked about.
    assert len(page.evaluate(MAPS)) == 9
    shows(0, *forward_order(0.5))
    expect(said.first).to_contain_text(
        "1 comes from a step after its loss, on which it cannot depend, and 1 is missing"
    )
    page.locator(".noUi-handle").first.focus()
    for key, w in (("End", 1.0), ("Home", -1.0)):
        page.keyboard.press(key)
        shows(0, *forward_order(w))
    notebook.python("lab.set(weight_hh_l0=[[0.001]])\n1")
    shows(0, *forward_order(0.001))

    before, start = both(), explorer.value(ENTRY)
    explorer.slider(ENTRY).focus()
    for key in ("PageUp", "ArrowRight"):
        page.keyboard.press(key)
    notebook.wait_for(
        lambda: (
            notebook.python("float(explorer.net.values['weight_hh_l0'][0, 1])")
            == explorer.value(ENTRY)
            != start
        ),
        "Python has the moved weight",
    )
    assert not np.allclose(both(), before)
    shows(0, *forward_order(0.001))  # of another lab
