"""Each tutorial in JupyterLab, and the first one's widgets in Notebook 7 too."""

import shutil
from collections.abc import Callable

import numpy as np
import torch
from playwright.sync_api import Page, expect

from rnn_widgets.network import Network
from tests.benchmarks.sides import bars_show, line_shows

from .conftest import NOTEBOOKS, OpenNotebook, Server
from .explorer import Adjoints, OnPage
from .explorer import truth as contributions

ENTRY = "weight_hh_l0[0,1]"


def gradients(values: dict[str, list]) -> dict[str, np.ndarray]:
    """Torch's own gradients of question A's network, loss Σ‖h_t − 1‖²."""
    module = torch.nn.RNN(2, 3).double()
    leaves = {name: torch.tensor(values[name], dtype=torch.float64) for name in values}
    state = dict.fromkeys(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"))
    module.load_state_dict(
        {name: leaves[name] for name in state} | {"bias_hh_l0": torch.zeros(3).double()}
    )
    x, h0 = leaves["x"].requires_grad_(), leaves["h0"].requires_grad_()
    output, _ = module(x, h0[None])
    ((output - leaves["target"]) ** 2).sum().backward()
    found = {name: getattr(module, name).grad.numpy() for name in state}
    return found | {"x": x.grad.numpy(), "h0": h0.grad.numpy()}


def table(page: Page, leaf: str) -> list[float]:
    """The gradient of a leaf, all its digits, as the page's table has it."""
    titles = page.locator(f".rw-table [data-leaf='{leaf}'] [data-entry]").evaluate_all(
        "(cells) => cells.map((cell) => cell.title)"
    )
    return [float(title.split(" = ")[1].replace("−", "-")) for title in titles]


def drive(notebook: OpenNotebook) -> None:
    """Use the first tutorial's explorer, and compare every panel's numbers with torch."""
    page = notebook.page
    expect(page.locator(".rw-table")).to_be_visible()
    explorer, second = OnPage(page), OnPage(page, 1)
    still = second.contributions()
    explorer.slider(ENTRY).focus()
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowRight")
    before = 0.4195478  # as it was printed
    moved = "float(explorer.net.values['weight_hh_l0'][0, 1])"
    notebook.wait_for(lambda: notebook.python(moved) > before, "Python follows")
    net = Network.from_json(notebook.python("explorer.net.to_json()"))
    truth = gradients({name: array.tolist() for name, array in net.values.items()})
    for leaf, expected in truth.items():
        np.testing.assert_allclose(table(page, leaf), expected.ravel(), rtol=0, atol=1e-13)
    np.testing.assert_allclose(
        explorer.contributions(), contributions(net, "tanh", ENTRY), rtol=0, atol=1e-13
    )
    of_entry = contributions(net, "tanh", ENTRY)
    notebook.wait_for(lambda: bars_show(explorer.figures(), of_entry), "bars as torch has them")
    notebook.wait_for(lambda: line_shows(explorer.figures(), of_entry), "lags as torch has them")
    for witness in ("autograd", "differences", "worst"):
        expect(explorer.panel("chain").locator(f"[data-witness='{witness}']")).to_contain_text("✓")
    by_torch = Adjoints(net, "tanh")
    for lens, expected in (("values", by_torch.hidden), ("adjoints", by_torch.total)):
        explorer.lens(lens)
        shown = [explorer.node("h", step) for step in range(3)]
        np.testing.assert_allclose(shown, expected, rtol=0, atol=1e-13)
    explorer.cell(2, 1).click()
    expect(explorer.panel("chain")).to_contain_text("C₃,₂")
    here = explorer.contributions()
    explorer.choose("cell", "LSTM")
    notebook.wait_for(lambda: not np.array_equal(explorer.contributions(), here), "an LSTM")
    explorer.root.get_by_role("button", name="undo").click()
    notebook.wait_for(lambda: np.array_equal(explorer.contributions(), here), "the RNN again")
    # The second explorer of the page has not moved with the first.
    np.testing.assert_array_equal(second.contributions(), still)


def test_01_in_jupyterlab(open_tutorial: Callable[[str], OpenNotebook]) -> None:
    drive(open_tutorial("01_explorer"))


def test_01_in_notebook_7(notebook_server: Server, page: Page, logged: list[str]) -> None:
    shutil.copy(NOTEBOOKS / "01_explorer.ipynb", notebook_server.root)
    notebook = OpenNotebook(page, f"{notebook_server.url}notebooks/01_explorer.ipynb")
    notebook.run_all()
    drive(notebook)
    assert logged == []


def recall() -> tuple[torch.nn.GRU, torch.nn.Linear, torch.Tensor, torch.Tensor]:
    """The untrained GRU of the sixth tutorial and a batch of its task."""
    torch.manual_seed(0)
    gru, out = torch.nn.GRU(1, 8, batch_first=True).double(), torch.nn.Linear(8, 1)
    generator = torch.Generator().manual_seed(1000)
    x = 0.3 * torch.randn(32, 16, 1, generator=generator, dtype=torch.float64)
    sign = torch.sign(torch.randn(32, generator=generator, dtype=torch.float64))
    x[:, 0, 0] = sign
    return gru, out, x, sign


def total_norms() -> list[float]:
    """‖∂L/∂h_t‖ of each step by autograd alone, the layer called step by step."""
    torch.manual_seed(0)
    gru, out, x, sign = recall()
    out.double()
    states, h = [], torch.zeros(1, 32, 8, dtype=torch.float64)
    for t in range(16):
        _, h = gru(x[:, t : t + 1], h)
        h.retain_grad()
        states.append(h)
    ((out(h[0])[:, 0] - sign) ** 2).mean().backward()
    return [float(state.grad.norm()) for state in states]


def test_06_in_jupyterlab(open_tutorial: Callable[[str], OpenNotebook]) -> None:
    notebook = open_tutorial("06_every_timestep")
    page, truth = notebook.page, total_norms()
    flow = page.locator(".rw-figure").first
    flow.scroll_into_view_if_needed()
    flow.focus()
    for step in (0, 1):
        page.keyboard.press("ArrowRight")
        reading = page.locator(".rw-foot output").first
        expect(reading).to_contain_text(f"t = {step + 1} (step {step})")
        shown = reading.inner_text().split("total ")[1].split(",")[0].replace("−", "-")
        assert float(shown) == float(f"{truth[step]:.3g}")

    # Back through training, as far as its beginning.
    moment = page.locator(".widget-slider", has_text="moment").first.locator(".noUi-handle")
    moment.scroll_into_view_if_needed()
    moment.focus()
    page.keyboard.press("Home")
    expect(page.get_by_text("pass 0 of 190")).to_be_visible()
    begun = notebook.python("watched['GRU'].total[0].tolist()")
    assert begun[0] < 1e-3 * begun[-1]
    expect(page.get_by_text("adjoints of hₜ in pass 0")).to_be_visible()
