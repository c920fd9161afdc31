"""Still pictures hold the network's numbers, for every network, and are the same on every run."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping

import ipywidgets
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_widgets as rw
from rnn_widgets.core.program import LOSSES
from rnn_widgets.network import Network
from rnn_widgets.stills import Picture, Still
from rnn_widgets.stills.flow import Flow
from rnn_widgets.stills.focus import Focus
from rnn_widgets.stills.network import numbers
from rnn_widgets.stills.written import steady, three_digits
from rnn_widgets.widgets.explorer import PANELS
from rnn_widgets.widgets.transforms import transformed
from tests.core.networks import BUILT_IN, CUSTOM, make, networks, stirred
from tests.stills.svg import ALARM, bundle, find, parsed, strength, words

VIEW = "application/vnd.jupyter.widget-view+json"


def widgets(lab: rw.Lab) -> dict[str, ipywidgets.DOMWidget]:
    """Every kind of widget that a lab makes, but for the explorer, which is composed of them."""
    return {
        "graph": lab.graph(),
        "values": lab.graph("values"),
        "adjoints": lab.graph("adjoints", part="carried"),
        "chain": lab.chain(),
        "contributions": lab.contributions_map(),
        "matrix": lab.matrix(),
        "table": lab.table(),
        "heatmap": lab.heatmap(),
        "selected": lab.heatmap("selection"),
        "bars": lab.bars("selection"),
        "lag": lab.lag_plot("selection"),
        "jacobian": lab.jacobian_map(),
    }


def check_all(lab: rw.Lab) -> None:
    """Every widget of a lab has a picture and a text beside its live view."""
    check(widgets(lab) | {"explorer": rw.explore(lab, panels=list(PANELS))})


def check(shown: Mapping[str, ipywidgets.DOMWidget]) -> None:
    for name, widget in shown.items():
        data = bundle(widget)
        assert set(data) == {VIEW, "text/plain", "image/svg+xml"}, name
        first, *summary = data["text/plain"].split("\n")
        assert first == repr(widget)
        assert summary, name
        assert "nan" not in data["text/plain"]


@settings(max_examples=25, deadline=None)
@given(networks(), st.data())
def test_every_widget_of_every_network_has_a_picture(net: Network, data: st.DataObject) -> None:
    lab = rw.Lab(net)
    steps = st.integers(0, net.program.seq_len - 1)
    lab.loss_step, lab.source_step = data.draw(steps), data.draw(steps)
    leaf = data.draw(st.sampled_from(list(net.program.parameters)))
    lab.selection = f"{leaf}[{','.join('0' for _ in net.program.parameters[leaf])}]"
    check(widgets(lab))
    lab.close()


@pytest.mark.parametrize("size", [1e8, 1e155, 1e300])
@pytest.mark.parametrize("kind", ["relu", "identity", "lstm", "gru", CUSTOM[0]], ids=str)
def test_networks_that_overflow(kind: object, size: float) -> None:
    net = stirred(make(kind, 2, 3, 4, loss="sse"), 0)  # type: ignore[arg-type]
    leaves = {name: size * net.values[name] for name in net.program.parameters}
    check_all(rw.Lab(net.replace(**leaves)))


@pytest.mark.parametrize(
    "net",
    [
        rw.rnn(1, 1, 1),
        rw.rnn(4, 16, 32),
        rw.lstm(4, 16, 32),
        rw.gru(2, 40, 3),
        rw.rnn(1, 1, 60),
        rw.rnn(300, 2, 3),
        rw.gru(2, 3, 4, num_layers=3, bidirectional=True, readout=2, loss="cross_entropy"),
    ],
    ids=str,
)
def test_small_and_large_networks(net: Network) -> None:
    check_all(rw.Lab(net))


def test_too_many_steps_for_a_picture_are_told() -> None:
    lab = rw.Lab(rw.rnn(1, 1, 201))
    data = bundle(lab.contributions_map())
    told = "201 steps are too many for a still picture of C[t, k]: run the cell."
    assert " ".join(words(parsed(data["image/svg+xml"]))) == told
    assert "gradient of weight_hh_l0[0,0] = Σ C[t, k] = " in data["text/plain"]
    assert not find(parsed(bundle(lab.graph())["image/svg+xml"]), "circle")


def test_zero_everything() -> None:
    net = rw.lstm(2, 3, 4)
    check_all(rw.Lab(net.replace(**{name: 0 * value for name, value in net.values.items()})))


def fills(lab: rw.Lab, end: float) -> np.ndarray:
    """The numbers that the colours of the picture of C[t, k] stand for, by the words over them."""
    root = parsed(bundle(lab.contributions_map())["image/svg+xml"])
    steps = lab.net.program.seq_len
    found = np.zeros((steps, steps))
    for rect in find(root, "rect"):
        if len(rect) and (name := rect[0].text or ""):
            label, value = name.split(" = ")
            t, k = (int(n) - 1 for n in re.findall(r"[0-9]+", label.translate(PLAIN)))
            positive = not value.startswith("−")
            size = strength(rect.attrib["fill"], positive) * end
            found[t, k] = size if positive else -size
    return found


PLAIN = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


@pytest.mark.parametrize("kind", BUILT_IN)
def test_the_cells_of_the_heat_map_have_the_numbers_of_torch(kind: str) -> None:
    net = stirred(make(kind, 2, 3, 4, loss="sse"), 3)
    lab = rw.Lab(net)
    lab.selection = "weight_hh_l0[0,1]"
    exact = net.contributions()["weight_hh_l0"][..., 0, 1]
    end = float(transformed(exact, "limit"))
    found = fills(lab, end)
    np.testing.assert_allclose(found, exact, atol=0.012 * end)

    gradient = net.check().autograd["weight_hh_l0"][0, 1]
    told = bundle(lab.contributions_map())["text/plain"].split("\n")[1]
    assert told == f"gradient of weight_hh_l0[0,1] = Σ C[t, k] = {three_digits(gradient)}"


def test_the_bars_are_as_high_as_the_contributions() -> None:
    net = stirred(rw.rnn(2, 3, 5), 1)
    figure = rw.Lab(net).bars("weight_hh_l0[0,1]")
    exact = net.contributions()["weight_hh_l0"][..., 0, 1]
    root = parsed(bundle(figure)["image/svg+xml"])
    bars = [p.attrib["d"] for p in find(root, "path") if p.attrib["d"].endswith("z")]
    parts = [one for path in bars for one in re.findall(r"M(\S+) (\S+)V(\S+)h(\S+)V\S+z", path)]
    drawn = [float(to) - float(start) for _, start, to, _ in parts]
    ticks = [e for e in find(root, "text") if e.attrib.get("text-anchor") == "end"]
    places = {e.text or "": float(e.attrib["y"]) for e in ticks}
    (low, a), (high, b) = sorted((float(t.replace("−", "-")), y) for t, y in places.items())[:2]
    scale = (a - b) / (high - low)  # pixels for one
    up, down = (sum(d for d in drawn if d < 0), sum(d for d in drawn if d > 0))
    assert -up / scale == pytest.approx(exact[exact > 0].sum(), rel=0.02)
    assert -down / scale == pytest.approx(exact[exact < 0].sum(), rel=0.02)


@settings(max_examples=60, deadline=None)
@given(networks(max_layers=1, directions=(False,)), st.data())
def test_what_flows_through_each_step_is_the_contribution(
    net: Network, data: st.DataObject
) -> None:
    leaf = data.draw(st.sampled_from([n for n in net.program.parameters if "readout" not in n]))
    t = data.draw(st.integers(0, net.program.seq_len - 1))
    k = data.draw(st.integers(0, t))
    entry = tuple(0 for _ in net.program.parameters[leaf])
    exact = net.contributions()[leaf][(t, k, *entry)]
    flow = Flow(net, leaf, entry, t, k)
    for step in range(k, t + 1):
        assert flow.leaving(0, step).sum() == pytest.approx(exact, rel=1e-9, abs=1e-12)
    reached = net.program.truncation is None
    for step in range(k + 1, t + 1) if reached else ():
        assert flow.between(0, step).sum() == pytest.approx(exact, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("lens", ["values", "adjoints"])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_graph_has_the_numbers_of_its_lens(lens: str, reverse: bool) -> None:
    net = stirred(rw.lstm(2, 2, 3, num_layers=2, bidirectional=True), 4)
    focus = Focus("weight_hh_l0[0,0]", 2, 0)
    found = numbers(net, focus, lens, "total", 3 if reverse else 2)
    row = 3 if reverse else 2
    if lens == "values":
        trace = net.forward()
        exact = np.concatenate([trace.hidden[row], trace.cell[row]], axis=1)
        np.testing.assert_allclose(found.nodes, exact, atol=1e-8)
    else:
        adjoints = net.adjoints()
        assert adjoints.cell is not None
        exact = np.concatenate([adjoints.total[row], adjoints.cell.total[row]], axis=1)
        steps = found.nodes[:-1] if reverse else found.nodes[1:]
        np.testing.assert_allclose(steps, exact, atol=1e-8 * np.abs(exact).max())
    picture = bundle(rw.Lab(net).graph(lens, layer=1, reverse=reverse))["image/svg+xml"]
    circles = find(parsed(picture), "circle")
    assert len(circles) == found.nodes.size
    signs = [c.attrib["fill"] for c in circles]
    for color, value in zip(signs, found.nodes.ravel(), strict=True):
        end = float(transformed(found.nodes, "limit"))
        assert strength(color, value > 0) == pytest.approx(min(abs(value) / end, 1), abs=0.03)


def test_the_chain_lists_the_largest_terms() -> None:
    lab = rw.explore().lab
    terms = lab.net.terms(lab.selection, lab.loss_step, lab.source_step, top=3)
    written = words(parsed(bundle(lab.chain())["image/svg+xml"]))
    for term in terms:
        assert three_digits(term.value) in written
        assert " → ".join(term.path) in written


def test_what_is_not_finite_is_marked() -> None:
    net = rw.rnn(1, 1, 4, nonlinearity="identity", loss="sum")
    net = net.replace(weight_hh_l0=[[1e200]], x=[[1.0]] * 4, weight_ih_l0=[[1.0]])
    lab = rw.Lab(net)
    for widget in (lab.heatmap(), lab.contributions_map(), lab.graph("values")):
        svg = bundle(widget)["image/svg+xml"]
        assert f'"{ALARM}"' in svg
    told = bundle(lab.contributions_map())["text/plain"]
    assert told.endswith("The network overflows from t = 3 on.")


def test_figures_show_what_the_network_is_now_even_while_a_page_draws() -> None:
    lab = rw.Lab(stirred(rw.rnn(2, 2, 3), 1))
    figure = lab.heatmap("weight_hh_l0[0,1]")
    before = bundle(figure)["image/svg+xml"]
    lab._showing.leave_to_browser()  # from here on marks are the browser's
    lab.net = stirred(rw.rnn(2, 2, 3), 2)
    stale = figure.marks[0].color
    assert not np.allclose(stale, lab.net.contributions()["weight_hh_l0"][..., 0, 1])
    after = bundle(figure)["image/svg+xml"]
    lab._showing.take_over(lab.net, lab.selection)
    assert after == bundle(figure)["image/svg+xml"] != before


def test_a_quantity_that_has_vanished_says_so() -> None:
    lab = rw.Lab(rw.rnn(2, 3, 4))
    figure = lab.heatmap("weight_hh_l0[2,2]")
    lab.net = rw.rnn(2, 2, 4)
    told = "weight_hh_l0[2,2] does not exist in this network"
    assert told in words(parsed(bundle(figure)["image/svg+xml"]))


def test_a_slider_stands_where_its_entry_does() -> None:
    lab = rw.Lab(rw.rnn(2, 3, 4).replace(weight_hh_l0=np.eye(3)))
    data = bundle(lab.slider("weight_hh_l0[0,0]", min=-1, max=3))
    assert data["text/plain"] == "Slider('weight_hh_l0[0,0]', value=1)\nfrom −1 to 3"
    picture = parsed(data["image/svg+xml"])
    (track,) = [r for r in find(picture, "rect") if r.get("height") == "4"]
    (handle,) = find(picture, "circle")
    middle = float(track.get("x")) + float(track.get("width")) / 2
    assert float(handle.get("cx")) == middle
    assert {"weight_hh_l0[0,0]", "1"} <= set(words(picture))


def test_words_are_escaped() -> None:
    lab = rw.Lab(rw.rnn(2, 3, 4))
    root = parsed(bundle(lab.heatmap(title='<b>&"\x00</b>'))["image/svg+xml"])
    assert '<b>&" </b>' in words(root)
    assert not [element for element in root.iter() if element.tag.endswith("}b")]


SHOW = """
import rnn_widgets as rw
e = rw.explore(rw.lstm(2, 3, 6, num_layers=2))
for w in (e, e.lab.graph("values"), e.lab.table(), e.lab.matrix(), e.lab.heatmap()):
    data, _ = w._repr_mimebundle_()
    print(data["text/plain"], data["image/svg+xml"])
"""


def test_the_same_in_every_process() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as here:
        exec(compile(SHOW, "show", "exec"), {})  # noqa: S102
    elsewhere = subprocess.run(
        [sys.executable, "-c", SHOW],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        check=True,
        encoding="utf-8",
    ).stdout
    assert elsewhere == here.getvalue()
    assert elsewhere.count("<svg") == 5


def test_noise_does_not_show() -> None:
    net = stirred(rw.gru(2, 3, 6, loss="mse"), 5)
    moved = {n: v * (1 + 1e-15) for n, v in net.values.items()}
    both = [rw.explore(one) for one in (net, net.replace(**moved))]
    told = [bundle(one) for one in both]
    assert told[0]["text/plain"] == told[1]["text/plain"]
    assert told[0]["image/svg+xml"] == told[1]["image/svg+xml"]


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1))
def test_steady_numbers_are_close_to_the_exact_ones(given: list[float]) -> None:
    exact = np.array(given)
    found = steady(exact)
    finite = exact[np.isfinite(exact)]
    largest = np.abs(finite).max(initial=0.0)
    assert np.array_equal(np.isfinite(found), np.isfinite(exact))
    np.testing.assert_allclose(found[np.isfinite(exact)], finite, atol=1e-8 * largest, rtol=0)


def test_the_size_and_time_of_an_explorer() -> None:
    sizes = {}
    for kind, net in {"rnn": rw.rnn(4, 4, 12), "lstm": rw.lstm(4, 4, 12)}.items():
        explorer = rw.explore(net)
        bundle(explorer)
        begun = time.process_time()
        for _ in range(5):
            explorer._repr_mimebundle_()
        assert (time.process_time() - begun) / 5 < 0.1  # 0.02 on an idle machine
        sizes[kind] = len(bundle(explorer)["image/svg+xml"].encode())
    assert max(sizes.values()) < 24_000
    assert len(bundle(rw.explore())["image/svg+xml"].encode()) < 12_000


def test_the_mixin_serves_any_widget() -> None:
    class Mark(Still, ipywidgets.Label):
        def _still(self) -> Picture:
            picture = Picture(100, 30, ["a mark"])
            picture.text(4, 20, self.value)
            return picture

        def __repr__(self) -> str:
            return "Mark()"

    data = bundle(Mark(value="1 < 2"))
    assert data["text/plain"] == "Mark()\na mark"
    assert words(parsed(data["image/svg+xml"])) == ["1 < 2"]


def test_every_loss_has_a_picture() -> None:
    for loss in LOSSES:
        check_all(rw.Lab(stirred(rw.gru(2, 2, 3, readout=2, loss=loss), 1)))
