"""The lab while the kernel is busy, after it is gone, after a reload, and in two tabs."""

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, expect

from .conftest import OpenNotebook, Server, watch_errors
from .lab import (
    CELLS,
    ENTRY,
    HEAT,
    SETUP,
    Opener,
    agrees,
    hover,
    on_page,
    slider_value,
    torch_answers,
)


def test_works_while_the_kernel_is_busy(open_lab: Opener) -> None:
    notebook = open_lab("busy.ipynb", *CELLS)
    before = on_page(notebook)
    notebook.page.evaluate(
        """() => {
            const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
            const code = 'import time; time.sleep(4)';
            window.busy = kernel.requestExecute({ code }).done.then(() => { window.idle = true; });
        }"""
    )
    notebook.handle(ENTRY).first.focus()
    notebook.page.keyboard.press("End")
    assert slider_value(notebook) == 2.0
    assert on_page(notebook) != before
    assert not notebook.page.evaluate("() => window.idle")
    notebook.page.evaluate("() => window.busy")
    agrees(notebook)


def test_after_a_reload(open_lab: Opener, lab_server: Server) -> None:
    notebook = open_lab("reload.ipynb", *CELLS)
    notebook.handle(ENTRY).first.focus()
    notebook.page.keyboard.press("End")
    notebook.wait_for(
        lambda: notebook.python("float(lab.net.values['weight_hh_l0'][0, 1])") == 2.0,
        "Python knows",
    )
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    again = OpenNotebook(notebook.page, f"{lab_server.url}lab/tree/reload.ipynb")
    expect(again.handle(ENTRY).first).to_have_attribute("title", "2")
    again.handle(ENTRY).first.focus()
    again.page.keyboard.press("ArrowLeft")
    assert slider_value(again) == pytest.approx(1.99)
    agrees(again)


def test_running_the_cell_again_leaves_one_lab(open_lab: Opener) -> None:
    notebook = open_lab("rerun.ipynb", SETUP, *CELLS[2:])
    first = notebook.python("lab.model_id")
    for _ in range(3):
        notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.run_cell(2)
    assert notebook.python("lab.model_id") != first
    alive = (
        "[type(w).__name__ for w in __import__('ipywidgets').widgets.widget._instances.values()]"
    )
    assert notebook.python(f"{alive}.count('Lab')") == 1
    # js/test/live.test.ts counts the listeners of a closed lab; here the page goes on as if alone.
    notebook.handle(ENTRY).first.focus()
    notebook.page.keyboard.press("End")
    agrees(notebook)


@pytest.mark.parametrize("how", ["shutdown", "restart"])
def test_after_the_kernel_is_gone_the_page_works_on_and_says_so(open_lab: Opener, how: str) -> None:
    notebook = open_lab(f"{how}.ipynb", *CELLS)
    values = notebook.python("{k: v.tolist() for k, v in lab.net.values.items()}")
    logged: list[str] = []
    notebook.page.on("console", lambda m: logged.append(m.text) if m.type == "error" else None)
    session = "window.jupyterapp.shell.currentWidget.sessionContext"
    end = {"shutdown": "shutdown()", "restart": "session.kernel.restart()"}[how]
    notebook.page.evaluate(f"() => {session}.{end}")
    expect(notebook.page.locator(".rw-notice")).to_contain_text("the page works on")
    notebook.handle(ENTRY).first.focus()
    notebook.page.keyboard.press("End")
    assert slider_value(notebook) == 2.0
    values["weight_hh_l0"][0][1] = 2.0
    truth = torch_answers(np.array(values["weight_hh_l0"]), values)
    assert on_page(notebook) == pytest.approx(truth["gradient"][0, 1], abs=1e-13)
    heat = np.array(notebook.page.evaluate(HEAT)).reshape(4, 4)
    np.testing.assert_allclose(heat, truth["contributions"], rtol=0, atol=1e-13)
    autograd = notebook.page.locator('[data-witness="autograd"]')
    expect(autograd).to_contain_text("missing: the kernel has stopped")
    for mark, index in ((".heatmapcell", 0), (".bar", 5), (".dot", 1)):
        hover(notebook, mark, index)
    assert logged == []


def test_two_tabs_do_not_fight(
    open_lab: Opener, lab_server: Server, context: BrowserContext
) -> None:
    notebook = open_lab("tabs.ipynb", *CELLS)
    notebook.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page = context.new_page()
    errors = watch_errors(page)
    other = OpenNotebook(page, f"{lab_server.url}lab/tree/tabs.ipynb")
    expect(other.handle(ENTRY).first).to_have_attribute(
        "title", notebook.handle(ENTRY).first.get_attribute("title")
    )
    for mover, watcher in ((notebook, other), (other, notebook), (notebook, other)):
        mover.page.bring_to_front()
        mover.handle(ENTRY).first.focus()
        for _ in range(5):
            mover.page.keyboard.press("ArrowRight")
        here = slider_value(mover)
        watcher.page.bring_to_front()
        watcher.wait_for(
            lambda w=watcher, h=here: slider_value(w) == pytest.approx(h, abs=1e-9),
            "the other tab follows",
        )
        watcher.page.wait_for_timeout(500)  # time in which a fight would show
        assert slider_value(mover) == pytest.approx(here, abs=1e-9)
        assert slider_value(watcher) == pytest.approx(here, abs=1e-9)
        agrees(watcher)
    assert errors == []
