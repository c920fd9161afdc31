"""The tutorial on vanishing and exploding gradients in JupyterLab, held to torch's numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from rnn_widgets.core.ops import Array

from .conftest import OpenNotebook

W = np.array([[0.6, 0.8], [0.2, 0.6]])
NOISE = np.random.default_rng(0).normal(size=(20, 2))
DOTS = "(figure) => [...figure.querySelectorAll('.dot')].map((dot) => dot.__data__.rotation)"
CELLS = "(figure) => [...figure.querySelectorAll('.heatmapcell')].map((c) => c.__data__.color)"


def by_lag(radius: float, x: Array, activation: Callable[[Any], Any]) -> Array:
    """‖∂L/∂b‖ through the bias of the step at each lag alone; L sums the last state."""
    biases = torch.zeros(20, 2, dtype=torch.float64, requires_grad=True)
    recurrent, h = torch.tensor(radius * W), torch.zeros(2, dtype=torch.float64)
    for at, bias in zip(torch.tensor(x), biases, strict=True):
        h = activation(recurrent @ h + at + bias)
    h.sum().backward()
    norms: Array = torch.linalg.vector_norm(biases.grad, dim=1).numpy()[::-1]
    return norms


def cells_by_torch(values: dict[str, Any]) -> Array:
    """∂(h, c) of step 20 by (h, c) of step 1, by autograd through torch's own cell."""
    cell = torch.nn.LSTMCell(2, 2).double()
    p = {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
    leaves = {name: p[f"{name}_l0"] for name in ("weight_ih", "weight_hh", "bias_ih")}
    cell.load_state_dict(leaves | {"bias_hh": torch.zeros(8)})
    x = p["x"]

    def last(state: torch.Tensor) -> torch.Tensor:
        h, c = state[:2], state[2:]
        for at in x[1:]:
            h, c = cell(at, (h, c))
        return torch.cat((h, c))

    first = torch.cat(cell(x[0]))
    jacobian: Array = torch.autograd.functional.jacobian(last, first.detach()).numpy()
    return jacobian


def shown(figure: Locator, what: str) -> Array:
    numbers: Array = np.array(figure.evaluate(what), dtype=float)
    return numbers


def end(page: Page, handle: Locator) -> None:
    """Move a slider to its upper end by keyboard."""
    handle.scroll_into_view_if_needed()
    handle.focus()
    page.keyboard.press("End")


def test_07_in_jupyterlab(open_tutorial: Callable[[str], OpenNotebook]) -> None:
    notebook = open_tutorial("07_vanishing_exploding")
    page = notebook.page
    linear, tanh, carousel = (page.locator(".rw-figure").nth(n) for n in range(3))
    plain = np.zeros((20, 2))

    def agree(figure: Locator, truth: Array) -> Callable[[], bool]:
        return lambda: np.allclose(shown(figure, DOTS), truth, rtol=1e-12, atol=0)

    # The radius by an ordinary slider, then one of the matrix's own sliders.
    notebook.wait_for(agree(linear, by_lag(0.8, plain, lambda a: a)), "a gradient that vanishes")
    end(page, page.locator(".widget-slider", has_text="radius").locator(".noUi-handle"))
    notebook.wait_for(agree(linear, by_lag(1.5, plain, lambda a: a)), "a gradient that explodes")
    entry = page.locator('.rw-card[data-entry="weight_hh_l0[0,1]"]')
    expect(entry).to_have_attribute("data-value", str(1.5 * 0.8))

    quiet = by_lag(1.2, plain, torch.tanh)
    notebook.wait_for(agree(tanh, quiet), "tanh in silence")
    end(page, page.locator(".widget-slider", has_text="loudness").locator(".noUi-handle"))
    notebook.wait_for(agree(tanh, by_lag(1.2, 2 * NOISE, torch.tanh)), "tanh that is loud")
    assert shown(tanh, DOTS)[-1] < 1e-6 < quiet[-1]

    gate = notebook.handle("bias_ih_l0[2]")
    end(page, gate)
    notebook.wait_for(
        lambda: notebook.python("float(lstm.net.values['bias_ih_l0'][2])") == 6,
        "Python has the gate's bias",
    )
    values = notebook.python("{name: v.tolist() for name, v in lstm.net.values.items()}")
    truth = cells_by_torch(values)
    np.testing.assert_allclose(
        shown(carousel, CELLS).reshape(4, 4), truth, rtol=0, atol=1e-13 * np.abs(truth).max()
    )
    # The first unit's cell still holds what it held, all else has been forgotten.
    assert truth[2, 2] == pytest.approx(1, abs=0.1)
    assert np.abs(np.delete(truth, 2, axis=0)).max() < 1e-2
