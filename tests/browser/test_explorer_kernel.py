"""The explorer after a reload, in two tabs, in Voilà, and while the kernel is busy or gone."""

from collections.abc import Callable

import numpy as np
from playwright.sync_api import BrowserContext, Page, expect

from rnn_widgets.presets import PRESETS
from tests.benchmarks.sides import bars_show, line_shows

from .conftest import OpenNotebook, Server, watch_errors
from .explorer import ENTRY, Adjoints, OnPage, Opener, agree, opened, python_net, truth

SKIP = PRESETS["GRU skip"]


def test_after_a_reload_it_stands_where_it_was_left(open_lab: Opener, lab_server: Server) -> None:
    notebook, on_page = opened(open_lab, "reload", "rw.rnn(2, 3, 4)")
    on_page.choose("cell", "GRU")
    on_page.choose("steps", "6")
    on_page.slider(ENTRY).focus()
    notebook.page.keyboard.press("PageUp")
    on_page.cell(4, 3).click()
    left = agree(notebook, on_page, "gru")
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    again = OpenNotebook(notebook.page, f"{lab_server.url}lab/tree/reload.ipynb")
    on_page = OnPage(again.page)
    expect(on_page.cell(4, 3)).to_have_attribute("aria-selected", "true")
    assert agree(again, on_page, "gru").to_json() == left.to_json()
    on_page.slider(ENTRY).focus()
    again.page.keyboard.press("PageUp")
    assert agree(again, on_page, "gru").to_json() != left.to_json()


def test_two_tabs_follow_each_other(
    open_lab: Opener, lab_server: Server, context: BrowserContext
) -> None:
    notebook, first = opened(open_lab, "tabs2", "rw.rnn(2, 3, 4)")
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page = context.new_page()
    errors = watch_errors(page)
    other = OpenNotebook(page, f"{lab_server.url}lab/tree/tabs2.ipynb")
    second = OnPage(page)
    first.slider(ENTRY).focus()
    notebook.page.keyboard.press("PageUp")
    agree(notebook, first, "tanh")
    page.bring_to_front()
    agree(other, second, "tanh")
    second.choose("cell", "LSTM")
    moved = agree(other, second, "lstm")
    notebook.page.bring_to_front()
    notebook.page.wait_for_timeout(500)  # time in which a fight would show
    assert agree(notebook, first, "lstm").to_json() == moved.to_json()
    assert errors == []


def test_a_busy_kernel_is_not_waited_for(open_lab: Opener) -> None:
    notebook, on_page = opened(open_lab, "busy2", "rw.rnn(2, 3, 4)")
    net = python_net(notebook)
    notebook.page.evaluate(
        """() => {
            const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
            window.idle = false;
            const future = kernel.requestExecute({ code: "import time; time.sleep(6)" });
            window.busy = future.done.then(() => { window.idle = true; });
        }"""
    )
    on_page.slider(ENTRY).focus()
    notebook.page.keyboard.press("End")
    on_page.choose("steps", "3")
    shown = on_page.contributions()
    assert not notebook.page.evaluate("() => window.idle")
    assert shown.shape == (3, 3)
    weight = np.array(net.values["weight_hh_l0"])
    weight[0, 1] = 2.0
    full = truth(net.replace(weight_hh_l0=weight), "tanh", ENTRY)
    np.testing.assert_allclose(shown, full[:3, :3], rtol=0, atol=1e-13)
    notebook.page.evaluate("() => window.busy")
    agree(notebook, on_page, "tanh")


def test_in_voila(voila: Callable[[str], str], page: Page) -> None:
    page.goto(voila("import rnn_widgets as rw\nrw.explore('GRU skip')"))
    on_page = OnPage(page)
    net = SKIP.make()
    np.testing.assert_allclose(
        on_page.contributions(), truth(net, "gru", SKIP.entry), rtol=0, atol=1e-13
    )
    on_page.slider(SKIP.entry).focus()
    page.keyboard.press("End")
    weight = np.array(net.values["weight_ih_l0"])
    weight[6, 0] = float(on_page.slider(SKIP.entry).get_attribute("max") or "nan")
    moved = net.replace(weight_ih_l0=weight)
    of_entry = truth(moved, "gru", SKIP.entry)
    np.testing.assert_allclose(on_page.contributions(), of_entry, rtol=0, atol=1e-13)
    assert bars_show(on_page.figures(), of_entry)
    assert line_shows(on_page.figures(), of_entry)
    by_torch = Adjoints(moved, "gru")
    for lens, expected in (("values", by_torch.hidden), ("adjoints", by_torch.total)):
        on_page.lens(lens)
        shown = [on_page.node("h", step) for step in range(8)]
        np.testing.assert_allclose(shown, expected, rtol=0, atol=1e-13)
    on_page.cell(5, 2).click()
    expect(on_page.panel("chain")).to_contain_text("C₆,₃")
    expect(on_page.panel("chain").locator("[data-witness='autograd']")).to_contain_text("✓")
    on_page.choose("cell", "LSTM")
    assert on_page.contributions().shape == (8, 8)
    expect(page.locator(".bqplot.figure")).to_have_count(2)


def test_without_a_kernel_everything_but_torch_works_on(open_lab: Opener) -> None:
    notebook, on_page = opened(open_lab, "alone", "rw.rnn(2, 3, 4)")
    logged: list[str] = []
    notebook.page.on("console", lambda m: logged.append(m.text) if m.type == "error" else None)
    notebook.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    expect(on_page.panel("toolbar")).to_contain_text("the page works on")
    on_page.choose("preset", "GRU skip")
    expect(on_page.panel("chain")).to_contain_text("missing: the kernel has stopped")
    preset = SKIP.make()
    np.testing.assert_allclose(
        on_page.contributions(), truth(preset, "gru", SKIP.entry), rtol=0, atol=1e-13
    )
    on_page.choose("steps", "5")
    assert on_page.contributions().shape == (5, 5)
    on_page.slider(SKIP.entry).focus()
    notebook.page.keyboard.press("PageUp")
    on_page.root.get_by_role("button", name="undo").click()
    on_page.root.get_by_role("button", name="gradient-descent").click()
    on_page.root.get_by_role("button", name="reset").click()
    np.testing.assert_allclose(
        on_page.contributions(), truth(preset, "gru", SKIP.entry), rtol=0, atol=1e-13
    )
    assert logged == []
