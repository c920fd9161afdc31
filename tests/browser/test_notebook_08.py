"""The tutorial on truncation in JupyterLab, held to torch's numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
from playwright.sync_api import expect

from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network

from .conftest import OpenNotebook
from .explorer import READ, OnPage, number, truth

ENTRY = "weight_ih_l0[0,0]"
STEPS = 12


def test_08_in_jupyterlab(open_tutorial: Callable[[str], OpenNotebook]) -> None:
    notebook = open_tutorial("08_truncation")
    page = notebook.page
    toolbar, panel = OnPage(page), page.locator('[data-panel="contributions"]')

    def on_page() -> Array:
        numbers = [number(title) for title in panel.get_by_role("grid").evaluate(READ)]
        return np.reshape(numbers, (STEPS, STEPS))

    def by_torch() -> Array:
        net = Network.from_json(notebook.python("lab.net.to_json()"))
        return truth(net, "tanh", ENTRY)

    def truncation() -> Any:
        return notebook.python("""
cut = lab.net.program.truncation
cut and [cut.kind, cut.size]""")

    expect(panel).to_contain_text(ENTRY)
    full = on_page()
    np.testing.assert_allclose(full, by_torch(), rtol=0, atol=1e-14)
    assert (full[np.tril_indices(STEPS)] != 0).all()

    back, source = np.arange(STEPS)[:, None], np.arange(STEPS)
    left = {
        "window": (back >= source) & (back - source < 4),
        "chunk": (back >= source) & (back // 4 == source // 4),
    }
    for kind, cells in left.items():
        toolbar.choose("truncate", kind)
        toolbar.choose("to steps", "4")
        notebook.wait_for(lambda kind=kind: truncation() == [kind, 4], f"Python has the {kind}")
        np.testing.assert_allclose(on_page(), by_torch(), rtol=0, atol=1e-14)
        np.testing.assert_array_equal(on_page() != 0, cells)
        np.testing.assert_array_equal(on_page()[cells], full[cells])
        # The lag plot below has the sums along the diagonals.
        dots = page.locator(".rw-figure").evaluate(
            "(figure) => [...figure.querySelectorAll('.dot')].map((dot) => dot.__data__.rotation)"
        )
        lags = [np.trace(by_torch(), -lag) for lag in range(STEPS)]
        np.testing.assert_allclose(dots, lags, rtol=0, atol=1e-14)
