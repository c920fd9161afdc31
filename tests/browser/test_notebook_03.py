"""The tutorial on implicit and explicit gradients in JupyterLab, held to torch's numbers."""

from collections.abc import Callable

import numpy as np
import torch
from playwright.sync_api import expect

from .conftest import OpenNotebook
from .test_ledger import lights, name

ROW = '.rw-ledger tr[data-name="{}"]'


def test_03_in_jupyterlab(open_tutorial: Callable[[str], OpenNotebook]) -> None:
    notebook = open_tutorial("03_implicit_and_explicit")
    page = notebook.page

    # The tensors as they are when the ledger is made: W bound again, b changed in place.
    generator = torch.Generator().manual_seed(0)
    _, W = (torch.randn(3, 5, dtype=torch.float64, generator=generator) for _ in range(2))
    b = torch.ones(3, dtype=torch.float64, requires_grad=True)
    y = (W.requires_grad_() @ torch.tensor([3.0, 1, 0, 1, 2], dtype=torch.float64) + b).sum()
    y.backward()
    for leaf, tensor in (("W", W), ("b", b)):
        numbers = page.locator(f"{ROW.format(leaf)} [data-sign]")
        titles = numbers.evaluate_all("(all) => all.map((cell) => cell.title)")
        shown = [float(title.split(" = ")[1].replace("−", "-")) for title in titles]
        assert tensor.grad is not None
        np.testing.assert_array_equal(shown, tensor.grad.numpy().ravel())
    expect(page.locator(".rw-ledger caption")).to_contain_text(f"y = {y.item():.3g}")

    name(page, "W").hover()
    lights(notebook, ["W"], ["y", "sum", "add", "mv", "W"])
    page.locator(".rw-ledger h3").hover()
    again = page.get_by_role("button", name="look again")
    again.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    lights(notebook, ["b"], ["y", "sum", "add", "b"])

    # What the text asks for: a change in place, and another look.
    states = [page.locator(f"{ROW.format(leaf)} .rw-ledger-state") for leaf in ("W", "b")]
    expect(states[1]).to_have_text("✓ current")
    notebook.python("b += 1\n1")
    again.click()
    expect(page.locator(".rw-ledger-looked")).to_have_text("looked again: not as recorded: b")
    expect(states[1]).to_have_text("≠ changed in place since (version 1 → 2)")
    expect(states[0]).to_have_text("✓ current")
    notebook.python("W.data *= 2\n1")
    again.press("Enter")
    expect(states[0]).to_contain_text("as through .data")
