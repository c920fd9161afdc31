"""The seed explorer in JupyterLab: moved by mouse and keys, its numbers compared with torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from .conftest import OpenNotebook

AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
SETUP = """
import torch
import rnn_widgets as rw
def f(a, b, c):
    return 3 * a + 2 * b**2 + torch.log(c)
explorer = rw.SeedExplorer(f, ([1, 2, 3], [3, 4, 5], [6, 7, 8]), seed=[0.1, 1.0, 0.0001])
explorer
"""
Opener = Callable[..., OpenNotebook]
Numbers = dict[str, list[float]]

# torch itself, asked for the inputs and the seed that Python holds; and its second call.
TORCH = """
def by_torch(calls=1, retain=True):
    inputs = [torch.tensor(x, requires_grad=True) for x in explorer.x.values()]
    z = f(*inputs)
    for _ in range(calls):
        z.backward(torch.tensor(explorer.seed), retain_graph=retain)
    return {n: t.grad.reshape(-1).tolist() for n, t in zip(explorer.x, inputs)}
"""


class Shown:
    """A seed explorer on a page."""

    def __init__(self, page: Page, nth: int = 0) -> None:
        self.page = page
        self.root = page.locator(".rw-seeds").nth(nth)
        expect(self.root).to_be_visible()

    def slider(self, name: str) -> Locator:
        return self.root.get_by_role("slider", name=name, exact=True)

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    def value(self, name: str) -> float:
        number = self.root.locator(f'.rw-seeds-number[data-entry="{name}"]')
        return float(number.get_attribute("data-value") or "nan")

    def sums(self, kind: str) -> Numbers:
        """A row of sums by argument: "gradient" or "partial"."""
        cells = self.root.locator(f'[data-sum="{kind}"] [data-entry]')
        found: Numbers = {}
        for name, value in cells.evaluate_all(
            "(all) => all.map((e) => [e.dataset.entry, Number(e.firstChild.dataset.value)])"
        ):
            found.setdefault(name.split("[")[0], []).append(value)
        return found

    def jacobian(self) -> np.ndarray:
        cells = self.root.locator("[data-jacobian]")
        numbers = cells.evaluate_all("(all) => all.map((e) => Number(e.dataset.jacobian))")
        return np.reshape(numbers, (self.root.locator("[data-row]").count(), -1))

    def grads(self) -> Numbers:
        """What is in .grad, by argument; empty where it is None."""
        return dict(
            self.root.locator("[data-grad]").evaluate_all(
                """(all) => all.map((e) => [
                    e.dataset.grad,
                    [...e.querySelectorAll("[data-value]")].map((c) => Number(c.dataset.value)),
                ])"""
            )
        )

    def status(self, name: str) -> None:
        status = self.root.locator(".rw-seeds-status")
        expect(status).to_have_attribute("data-status", name)


def same(found: Numbers, expected: Numbers) -> None:
    assert list(found) == list(expected)
    for name, numbers in expected.items():
        np.testing.assert_allclose(found[name], numbers, rtol=1e-13, atol=0, err_msg=name)


def agree(notebook: OpenNotebook, shown: Shown) -> None:
    """Page, Python and torch have the same seed and the same gradient."""
    seed = [shown.value(f"v[{i}]") for i in range(3)]
    notebook.wait_for(
        lambda: notebook.python("explorer.seed.tolist()") == seed, "Python has the page's seed"
    )
    expected = notebook.python(f"{TORCH}\nby_torch()")
    same(shown.sums("gradient"), expected)
    same(
        notebook.python("{n: g.reshape(-1).tolist() for n, g in explorer.gradient.items()}"),
        expected,
    )


def opened(open_lab: Opener, name: str, *cells: str) -> tuple[OpenNotebook, Shown, list[str]]:
    logged: list[str] = []
    notebook = open_lab(f"seeds-{name}.ipynb", *(cells or (SETUP,)), run=False)
    notebook.page.on("console", lambda m: logged.append(m.text) if m.type == "error" else None)
    notebook.run_all()
    return notebook, Shown(notebook.page), logged


def test_one_explorer_from_the_first_move_to_the_kernels_end(open_lab: Opener) -> None:
    notebook, shown, logged = opened(open_lab, "seed")
    rows_add_up_one_by_one(notebook, shown)
    nothing_jumps(notebook, shown)
    keyboard_mouse_and_presets(notebook, shown)
    inputs_bring_another_jacobian(notebook, shown)
    without_a_kernel(notebook, shown)
    assert logged == []


def keyboard_mouse_and_presets(notebook: OpenNotebook, shown: Shown) -> None:
    shown.button("[0.1, 1.0, 0.0001]").click()
    found = shown.sums("gradient")
    np.testing.assert_allclose(found["c"], [0.016667, 0.142857, 0.0000125], rtol=0, atol=5e-7)
    same({n: found[n] for n in "ab"}, {"a": [0.3, 3, 0.0003], "b": [1.2, 16, 0.002]})
    agree(notebook, shown)

    shown.slider("v[0]").focus()
    for key in ("ArrowRight", "PageUp", "ArrowLeft"):
        notebook.page.keyboard.press(key)
    assert shown.value("v[0]") == pytest.approx(0.2)
    agree(notebook, shown)
    notebook.page.keyboard.press("Enter")
    notebook.page.keyboard.type("1e-12")
    notebook.page.keyboard.press("Enter")
    assert shown.value("v[0]") == 1e-12
    expect(shown.slider("v[0]")).to_be_focused()
    agree(notebook, shown)

    handle = shown.slider("v[2]")
    box = handle.bounding_box()
    assert box
    mouse = notebook.page.mouse
    y = box["y"] + box["height"] / 2
    mouse.move(box["x"] + box["width"] / 2, y)
    mouse.down()
    seen = []
    for part in (0.6, 0.7, 0.8, 0.9):
        mouse.move(box["x"] + part * box["width"], y)
        seen.append(shown.sums("gradient")["a"][2])
    mouse.up()
    assert seen == sorted(set(seen))
    assert len(seen) == 4  # it has followed at every step
    agree(notebook, shown)

    for i in range(3):
        shown.button(f"z[{i}]").click()
        assert [shown.value(f"v[{k}]") for k in range(3)] == [float(k == i) for k in range(3)]
        agree(notebook, shown)
    for name in ("ones", "[0.1, 1.0, 0.0001]", "mean", "sse", "mse", "sum"):
        shown.button(name).click()
        expect(shown.button(name)).to_have_attribute("aria-pressed", "true")
        agree(notebook, shown)
    assert notebook.python("explorer.loss") == "sum"


def rows_add_up_one_by_one(notebook: OpenNotebook, shown: Shown) -> None:
    jacobian, v = shown.jacobian(), np.array([0.1, 1.0, 0.0001])
    expected = notebook.python("[row.tolist() for row in explorer.jacobian['b']]")
    np.testing.assert_array_equal(jacobian[:, 3:6], expected)
    slider = shown.slider("rows added so far")
    slider.focus()
    notebook.page.keyboard.press("Home")
    for count in range(4):
        expect(slider).to_have_attribute("aria-valuetext", f"{count} of 3")
        partial = np.concatenate(list(shown.sums("partial").values()))
        np.testing.assert_allclose(partial, v[:count] @ jacobian[:count], rtol=1e-14, atol=0)
        notebook.page.keyboard.press("ArrowRight")
    same(shown.sums("partial"), shown.sums("gradient"))
    shown.button("play").click()
    expect(slider).to_have_attribute("aria-valuetext", "1 of 3")
    expect(slider).to_have_attribute("aria-valuetext", "3 of 3")
    expect(shown.button("play")).to_be_visible()


def inputs_bring_another_jacobian(notebook: OpenNotebook, shown: Shown) -> None:
    shown.button("sse").click()
    shown.slider("b[1]").focus()
    for _ in range(3):
        notebook.page.keyboard.press("PageUp")
    shown.status("ready")
    moved = shown.value("b[1]")
    assert moved != 4
    assert notebook.python("explorer.x['b'][1]") == moved
    np.testing.assert_allclose(np.diag(shown.jacobian()[:, 3:6]), [12, 4 * moved, 20], rtol=1e-14)
    # The seed is what the loss makes of z, also there.
    z = notebook.python("explorer.output.tolist()")
    np.testing.assert_allclose([shown.value(f"v[{i}]") for i in range(3)], 2 * np.array(z))
    agree(notebook, shown)

    shown.slider("c[0]").focus()
    notebook.page.keyboard.press("Home")  # log(−2)
    shown.status("refused")
    expect(shown.root).to_contain_text("z[0] is nan")
    agree(notebook, shown)
    shown.button("put the inputs back").click()
    assert shown.value("c[0]") == 6

    notebook.python("setattr(explorer, 'x', {'a': [0, 0, 0], 'b': [1, 1, 1]})")
    notebook.wait_for(lambda: shown.value("b[2]") == 1, "the page has what Python has set")
    np.testing.assert_array_equal(np.diag(shown.jacobian()[:, 3:6]), [4, 4, 4])
    agree(notebook, shown)
    notebook.python("setattr(explorer, 'seed', [0, 2, 0])")
    notebook.wait_for(lambda: shown.value("v[1]") == 2, "the page follows Python's seed")
    agree(notebook, shown)


def without_a_kernel(notebook: OpenNotebook, shown: Shown) -> None:
    """J is of b = [1, 1, 1] by now."""
    notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    shown.status("gone")
    expect(shown.slider("a[0]")).to_be_disabled()
    shown.button("z[1]").click()
    assert shown.sums("gradient")["b"] == [0, 4, 0]
    shown.slider("v[1]").focus()
    notebook.page.keyboard.press("End")
    most = shown.value("v[1]")
    assert most > 1
    assert shown.sums("gradient")["b"] == [0, 4 * most, 0]
    shown.button("call z.backward(v)").click()
    assert shown.grads()["b"] == [0, 4 * most, 0]
    notebook.page.wait_for_timeout(300)  # longer than the page waits before it tells the kernel


def nothing_jumps(notebook: OpenNotebook, shown: Shown) -> None:
    boxes = """() => {
        const { top } = document.querySelector(".rw-seeds").getBoundingClientRect();
        return [...document.querySelectorAll(
            ".rw-seeds :is(.rw-seeds-card, .rw-seeds-scroll, .rw-seeds-formula, .rw-seeds-term, tr)"
        )].map((e) => e.getBoundingClientRect()).map((b) => [b.x, b.y - top, b.width, b.height]);
    }"""
    before = notebook.page.evaluate(boxes)
    shown.slider("v[0]").focus()
    for key in ("Home", "PageUp", "ArrowRight", "End"):
        notebook.page.keyboard.press(key)
        np.testing.assert_allclose(notebook.page.evaluate(boxes), before, atol=0.5, err_msg=key)
    for _ in range(3):
        shown.button("one row less").click()
        np.testing.assert_allclose(notebook.page.evaluate(boxes), before, atol=0.5)
    shown.button("call z.backward(v)").click()
    np.testing.assert_allclose(notebook.page.evaluate(boxes), before, atol=0.5)


# Functions that torch treats differently on a second call, and what is done with each.
KINDS = {
    "saves": "3 * a + 2 * b**2 + torch.log(c)",
    "saves nothing": "a + b - c",
    "fails after adding": "a.exp() + b.reshape(3) + c.exp()",
    "leaves one out": "a * b",
}
CALLS = ["call", "call", "retain", "run", "call", "call", "zero", "call", "retain", "call", "call"]
REPLAY = """
def replay(calls):
    inputs = [torch.tensor(x, requires_grad=True) for x in explorer.x.values()]
    z, retain, errors = f(*inputs), False, []
    for call in calls:
        if call == "retain":
            retain = not retain
        elif call == "run":
            z = f(*inputs)
        elif call == "zero":
            for tensor in inputs:
                tensor.grad = None
        else:
            try:
                z.backward(torch.tensor(explorer.seed), retain_graph=retain)
            except RuntimeError as error:
                errors.append(f"RuntimeError: {error}")
    grads = [[] if t.grad is None else t.grad.tolist() for t in inputs]
    return [dict(zip("abc", grads)), errors]
"""


def test_calls_leave_in_grad_what_torch_leaves(open_lab: Opener) -> None:
    cells = [
        SETUP.replace(KINDS["saves"], formula).replace(
            "\nexplorer\n", f"\nkept{nth} = f, explorer\nexplorer\n"
        )
        for nth, formula in enumerate(KINDS.values())
    ]
    notebook, _, logged = opened(open_lab, "calls", *cells)
    for nth in range(len(KINDS)):
        notebook.python(f"f, explorer = kept{nth}\n0")
        calls_leave_what_torch_leaves(notebook, Shown(notebook.page, nth))
    assert logged == []


def calls_leave_what_torch_leaves(notebook: OpenNotebook, shown: Shown) -> None:
    card = shown.root.locator("[data-card=accumulation]")
    for count, call in enumerate(CALLS, 1):
        if call == "retain":
            card.get_by_role("checkbox", name="retain_graph").click()
        else:
            name = {"call": "call z.backward(v)", "run": "run f again", "zero": "zero grad"}[call]
            card.get_by_role("button", name=name).click()
        grads, errors = notebook.python(f"{REPLAY}\nreplay({CALLS[:count]!r})")
        same(shown.grads(), grads)
        shown_errors = card.locator("[data-error]").all_text_contents()
        assert [text.strip() for text in shown_errors] == errors
    bare = shown.root.locator("[data-card=bare] [data-error]")
    with pytest.raises(RuntimeError) as error:
        torch.ones(3, requires_grad=True).exp().backward()
    expect(bare).to_have_text(f"RuntimeError: {error.value}")


def test_a_network_and_a_twin_on_one_page(open_lab: Opener) -> None:
    notebook, shown, logged = opened(
        open_lab,
        "network",
        "import rnn_widgets as rw\nnet = rw.rnn(2, 3, 4, loss='mse')\n"
        "explorer = rw.SeedExplorer(net, wrt=['h0', 'weight_hh_l0'])\nexplorer",
        "other = rw.SeedExplorer(net, wrt=['h0', 'weight_hh_l0'])\nother",
    )
    twin = Shown(notebook.page, 1)
    gradients = notebook.python("{n: g.reshape(-1).tolist() for n, g in net.gradients().items()}")
    for name in ("h0", "weight_hh_l0"):
        found = shown.sums("gradient")[name]
        np.testing.assert_allclose(found, gradients[name], rtol=1e-10, atol=1e-13)
    before = twin.sums("gradient")
    shown.slider("v[1,2]").focus()
    notebook.page.keyboard.press("End")
    assert shown.sums("gradient") != before
    assert twin.sums("gradient") == before
    assert logged == []


LARGEST = """
import torch
import rnn_widgets as rw
W = torch.linspace(-1, 1, 16 * 60).reshape(16, 60).double() * 10.0 ** torch.linspace(-12, 12, 60)
def f(x, y):
    return W @ x + y.sum()
seed = 10.0 ** torch.linspace(-12, 12, 16)
rw.SeedExplorer(f, (torch.linspace(-2, 2, 60), torch.ones(2, 2)), seed=seed)
"""
SMALLEST = "import torch\nimport rnn_widgets as rw\nrw.SeedExplorer(torch.exp, 1.0)"


def test_axe_finds_no_violation_and_nothing_overflows(open_lab: Opener) -> None:
    notebook, _, logged = opened(open_lab, "axe", SETUP, LARGEST, SMALLEST)
    page = notebook.page
    for nth in range(3):
        shown = Shown(page, nth)
        shown.button("call z.backward(v)").click()
        shown.button("one row less").click()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        in_theme(page, theme)
        found: Any = page.evaluate("() => axe.run({ include: [['.rw-seeds']] })")
        told = [
            {"id": v["id"], "nodes": [n["html"][:200] for n in v["nodes"]]}
            for v in found["violations"]
        ]
        assert told == [], json.dumps(told, indent=1)
        assert len(found["passes"]) > 10
    for width in (1200, 700):
        page.set_viewport_size({"width": width + 160, "height": 1200})
        wider = width + 60  # the host lays its panels out some time after the window
        page.wait_for_function(
            "(most) => document.querySelector('.rw-seeds').offsetWidth < most", arg=wider
        )
        wide = """() => [...document.querySelectorAll(".rw-seeds *")].filter((e) =>
            !e.closest(".rw-seeds-table") && e.getBoundingClientRect().right
                > e.closest(".rw-seeds").getBoundingClientRect().right + 0.5
        ).map((e) => e.className)"""
        assert page.evaluate(wide) == []
        cut = """() => [...document.querySelectorAll(".rw-seeds .rw-cell")].filter(
            (e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent)"""
        assert page.evaluate(cut) == []
    assert logged == []


def in_theme(page: Page, theme: str) -> None:
    page.evaluate(
        "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
    )
    light = str(theme.endswith("Light")).lower()
    expect(page.locator("body")).to_have_attribute("data-jp-theme-light", light)
