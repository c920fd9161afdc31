"""Take the README's picture from the running product: ``make picture``."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, OpenNotebook, Server
from tests.browser.explorer import OnPage

PICTURE = Path(__file__).parents[2] / "notebooks" / "pictures" / "explorer.png"
CELL = """
import rnn_widgets as rw
rw.explore("fading memory")
"""


def main() -> None:
    """Open the explorer in JupyterLab, move a weight, and keep what the cell shows."""
    executable = shutil.which("chromium")
    server = Server(Path(tempfile.mkdtemp()), "lab")
    try:
        server.write("picture.ipynb", CELL)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1480, "height": 2200})
            notebook = OpenNotebook(page, f"{server.url}lab/tree/picture.ipynb?reset")
            hide = "window.jupyterapp.commands.execute('application:toggle-left-area')"
            page.evaluate(f"() => {hide}")
            notebook.run_all()
            explorer = OnPage(page)
            explorer.slider("weight_hh_l0[0,1]").focus()
            for key in ("PageUp", "PageUp", "Enter"):
                page.keyboard.press(key)
            page.keyboard.press("Escape")
            explorer.cell(7, 4).click()
            expect(explorer.panel("chain").locator("[data-witness='worst']")).to_contain_text("✓")
            page.mouse.move(0, 0)
            page.wait_for_timeout(500)  # until hover texts are gone
            PICTURE.parent.mkdir(exist_ok=True)
            page.locator(".jp-OutputArea-output").first.screenshot(path=PICTURE)
            browser.close()
    finally:
        server.stop()


if __name__ == "__main__":
    main()
