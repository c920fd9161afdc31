"""The bundle as a browser meets it, loaded the way anywidget loads it."""

from pathlib import Path

from playwright.sync_api import Page

BUNDLE = Path(__file__).parents[2] / "rnn_widgets/static/lab.js"


def test_bundle_is_one_module_with_an_initialize(page: Page) -> None:
    kind = page.evaluate(
        """async source => {
            const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            return typeof (await import(url)).default.initialize;
        }""",
        BUNDLE.read_text(encoding="utf-8"),
    )
    assert kind == "function"
