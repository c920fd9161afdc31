"""Predict, then reveal, in JupyterLab: by the keys alone, hidden everywhere, without a kernel."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network

from .conftest import OpenNotebook
from .explorer import ENTRY, Opener, truth

AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
CELL = """
import rnn_widgets as rw
explorer = rw.explore(
    rw.rnn(2, 3, 4),
    panels=["toolbar", "graph", "parameters", "contributions", "bars", "chain", "table"],
)
card = rw.predict(explorer, {})
display(card, explorer)
"""
THREE = """[
    "gradient[weight_hh_l0][0,1]",
    ("contribution[weight_hh_l0[0,1]][3,1]", "sign"),
    {"what": "by_source[weight_hh_l0[0,1]]", "hint": "The sums over t."},
]"""

# Every text, field and attribute of the outputs, once everything has been pointed at.
EVERYTHING = """() => {
    const found = [];
    for (const root of document.querySelectorAll('.jp-OutputArea-output')) {
        for (const el of root.querySelectorAll('*')) {
            for (const kind of ['pointerover', 'pointermove', 'pointerenter']) {
                el.dispatchEvent(new PointerEvent(kind, { bubbles: kind !== 'pointerenter' }));
            }
        }
        for (const el of root.querySelectorAll('*')) {
            for (const { name, value } of el.attributes) {
                if (!['class', 'style', 'id', 'd', 'transform'].includes(name)) found.push(value);
            }
            for (const node of el.childNodes) if (node.nodeType === 3) found.push(node.data);
            if (el instanceof HTMLInputElement) found.push(el.value);
        }
    }
    return found;
}"""
# Standing alone: the ids of widgets have digits too, and an e between them.
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d{1,2})?(?!\w)")


def told(page: Page, number: float) -> list[str]:
    """What on the page tells a number to four digits or more, of either sign."""
    page.wait_for_timeout(400)  # numbers for readers are written when the hand rests

    def tells(text: str) -> bool:
        for shown in NUMBER.findall(text):
            mantissa, _, exponent = shown.partition("e")
            _, _, decimals = mantissa.partition(".")
            unit = 10.0 ** (int(exponent or 0) - len(decimals))
            digits = len(mantissa.replace(".", "").lstrip("0"))
            if digits > 3 and abs(float(shown) - abs(number)) <= 0.5001 * unit + 1e-11 * abs(
                number
            ):
                return True
        return False

    return [text for text in page.evaluate(EVERYTHING) if tells(text.replace("−", "-"))]


def card(page: Page) -> Locator:
    return page.locator('[data-panel="predict"]')


def opened(open_lab: Opener, questions: str = THREE) -> tuple[OpenNotebook, Array]:
    """A card above an explorer, and C[t, k] of the entry by torch."""
    notebook = open_lab("predict.ipynb", CELL.format(questions))
    expect(card(notebook.page).locator(".rw-predict-question")).to_be_visible()
    expect(notebook.page.locator("[data-witness='worst']").first).to_contain_text("✓")
    net = Network.from_json(notebook.python("explorer.net.to_json()"))
    return notebook, truth(net, "tanh", ENTRY)


def test_guesses_by_the_keys_alone(open_lab: Opener) -> None:
    notebook, shares = opened(open_lab)
    page, keys = notebook.page, notebook.page.keyboard
    gradient = float(shares.sum())
    verdict = card(page).locator("[data-verdict]")
    score = card(page).locator(".rw-predict-score")
    assert told(page, gradient) == []

    field = card(page).get_by_role("textbox")
    field.focus()
    for nonsense in ("", "a half", "1,2,3"):
        field.fill(nonsense)
        keys.press("Enter")
        expect(card(page).locator(".rw-predict-error")).to_contain_text("It was not counted")
    expect(score).to_have_text("no guess yet")
    assert told(page, gradient) == []
    field.fill(f"{gradient:.17g}".replace(".", ","))
    keys.press("Enter")
    expect(verdict).to_have_attribute("data-verdict", "right")
    assert len(told(page, gradient)) > 10

    keys.press("Enter")  # the button "next" has the focus
    sign = float(shares[3, 1])
    assert told(page, sign) == []
    expect(card(page).get_by_role("button", name="negative")).to_be_focused()
    for _ in range(2 if sign < 0 else 0):  # the wrong one
        keys.press("Tab")
    keys.press("Enter")
    expect(verdict).to_have_attribute("data-verdict", "wrong")
    expect(verdict).to_contain_text("negative" if sign < 0 else "positive")
    selected = page.locator('[data-panel="contributions"] [data-cell="3,1"]')
    expect(selected).to_have_attribute("aria-selected", "true")
    assert told(page, sign) != []

    keys.press("Enter")
    sizes = abs(shares.sum(axis=0))
    for worth in sizes[sizes > 0]:
        assert told(page, float(worth)) == []
    for _ in range(int(sizes.argmax())):
        keys.press("Tab")
    keys.press("Enter")
    expect(verdict).to_have_attribute("data-verdict", "right")
    expect(score).to_have_text("2 of 3 right")

    notebook.wait_for(lambda: notebook.python("card.score") == [2, 3], "Python has the score")
    number, signed, step = notebook.python("card.guesses")
    assert number["truth"] == pytest.approx(gradient, abs=1e-13)
    assert (signed["right"], step["truth"]) == (False, [int(sizes.argmax())])
    assert str(round(gradient, 3)) not in notebook.python("repr(card)")


def test_a_wrong_guess_says_how_far_off(open_lab: Opener) -> None:
    notebook, shares = opened(open_lab, "'gradient[weight_hh_l0][0,1]'")
    page = notebook.page
    gradient = float(shares.sum())
    card(page).get_by_role("textbox").fill(str(2 * gradient))
    card(page).get_by_role("button", name="reveal").click()
    verdict = card(page).locator("[data-verdict]")
    expect(verdict).to_have_attribute("data-verdict", "wrong")
    expect(verdict).to_contain_text("(100 %)")
    shown = verdict.locator("[data-truth]").get_attribute("data-truth")
    assert float(shown or "nan") == pytest.approx(gradient, abs=1e-13)

    page.get_by_role("slider", name="weight_hh_l0[2,2]", exact=True).first.press("PageUp")
    expect(card(page)).to_contain_text("this is what it was when you guessed")
    assert verdict.locator("[data-truth]").get_attribute("data-truth") == shown

    card(page).get_by_role("button", name="again").click()
    net = Network.from_json(notebook.python("explorer.net.to_json()"))
    now = float(truth(net, "tanh", ENTRY).sum())
    assert told(page, now) == []
    card(page).get_by_role("textbox").fill(f"{now:.2e}")
    card(page).get_by_role("textbox").press("Enter")
    expect(card(page).locator(".rw-predict-score")).to_have_text("1 of 2 right")


def test_nothing_moves_and_the_guess_counts_without_a_kernel(open_lab: Opener) -> None:
    notebook, shares = opened(open_lab, "'gradient[weight_hh_l0][0,1]'")
    nothing_moves(notebook.page)
    card(notebook.page).get_by_role("button", name="again").click()
    without_a_kernel(notebook.page, float(shares.sum()))


def nothing_moves(page: Page) -> None:
    """When the card hides and reveals."""

    def places() -> list[object]:
        page.wait_for_timeout(400)
        return [
            panel.bounding_box()
            for panel in page.locator("[data-panel], .rw-table, .rw-card, [data-sum]").all()
        ]

    open_ = places()
    card(page).get_by_role("textbox").fill("a half")
    card(page).get_by_role("textbox").press("Enter")
    expect(card(page).locator(".rw-predict-error")).to_be_visible()
    assert places() == open_
    card(page).get_by_role("button", name="show me").click()
    expect(card(page).locator("[data-verdict]")).to_be_visible()
    assert places() == open_


def without_a_kernel(page: Page, gradient: float) -> None:
    page.evaluate("""() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()""")
    expect(card(page)).to_contain_text("The kernel has stopped")
    assert told(page, gradient) == []
    card(page).get_by_role("textbox").fill(str(gradient))
    card(page).get_by_role("textbox").press("Enter")
    expect(card(page).locator("[data-verdict]")).to_have_attribute("data-verdict", "right")
    assert told(page, gradient) != []
    card(page).get_by_role("button", name="again").click()
    assert told(page, gradient) == []


def test_axe_finds_no_violation(open_lab: Opener) -> None:
    notebook, _ = opened(open_lab)
    page = notebook.page
    page.evaluate(AXE.read_text(encoding="utf-8"))

    def check(*parts: str) -> None:
        for theme in ("JupyterLab Light", "JupyterLab Dark"):
            page.evaluate(
                "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
                theme,
            )
            light = str(theme.endswith("Light")).lower()
            expect(page.locator("body")).to_have_attribute("data-jp-theme-light", light)
            include = [[part] for part in ("[data-panel=predict]", *parts)]
            found = page.evaluate("(include) => axe.run({ include })", include)
            told = [
                {"id": v["id"], "nodes": [n["html"][:200] for n in v["nodes"]]}
                for v in found["violations"]
            ]
            assert told == [], json.dumps(told, indent=1)

    check(".rw-explorer")  # its numbers are hidden
    card(page).get_by_role("textbox").fill("nonsense")
    card(page).get_by_role("textbox").press("Enter")
    expect(card(page).locator(".rw-predict-error")).to_be_visible()
    check()
    card(page).get_by_role("textbox").fill("1e9")
    card(page).get_by_role("button", name="reveal", exact=True).click()
    check(".rw-explorer")  # and in sight
    for name in ("next", "zero", "next", "k = 1"):
        card(page).get_by_role("button", name=name, exact=True).click()
        check()
