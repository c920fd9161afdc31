"""Take the README's picture from the running product: ``make picture``."""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from tests.browser.conftest import ARGUMENTS, OpenNotebook, Server

PICTURE = Path(__file__).parents[2] / "notebooks" / "pictures" / "lab.png"
CELL = """
import rnn_widgets as rw
from ipywidgets import HBox, Layout, VBox

net = rw.rnn(input_size=2, hidden_size=2, seq_len=6, rng=7)
lab = rw.Lab(net.replace(weight_hh_l0=[[0.9, -0.6], [0.7, 0.8]]))
entries = [f"weight_hh_l0[{i},{j}]" for i in range(2) for j in range(2)]
seeds = [f"v[{t},0]" for t in (3, 5)]
sliders = VBox([lab.slider(entry) for entry in entries + seeds], layout=Layout(width="320px"))
wide = Layout(flex="1 1 0", width="auto", min_width="0", height="260px")
heat = lab.heatmap("weight_hh_l0[0,1]", layout=wide)
bars = lab.bars("weight_hh_l0[0,1]", layout=wide)
lab.selection = "weight_hh_l0[0,1]"
VBox([HBox([sliders, heat, bars]), lab.table()])
"""


def main() -> None:
    """Open a lab in JupyterLab, move a slider, and keep what the cell shows."""
    executable = shutil.which("chromium")
    server = Server(Path(tempfile.mkdtemp()), "lab")
    try:
        server.write("picture.ipynb", CELL)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1500, "height": 1400})
            notebook = OpenNotebook(page, f"{server.url}lab/tree/picture.ipynb?reset")
            notebook.run_all()
            notebook.handle("weight_hh_l0[1,0]").focus()
            for _ in range(3):
                page.keyboard.press("PageUp")
            expect(page.locator("[data-witness='worst']")).to_contain_text("✓")
            PICTURE.parent.mkdir(exist_ok=True)
            page.locator(".jp-OutputArea-output").first.screenshot(path=PICTURE)
            browser.close()
    finally:
        server.stop()


if __name__ == "__main__":
    main()
