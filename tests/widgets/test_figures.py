"""Figures: what they show, and who draws them."""

import base64
import gzip
from importlib.resources import files
from typing import Any

import nbformat
import numpy as np
import pytest
import traitlets
from nbclient import NotebookClient

import rnn_widgets as rw
from rnn_widgets.widgets.figures import Map

ENTRY = "weight_hh_l0[0,1]"


def test_figures_show_the_network_as_it_is():
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider = lab.slider(ENTRY)
    signed, norm = lab.heatmap(ENTRY).marks[0], lab.heatmap().marks[0]
    bars, (lag, _, bound) = lab.bars(ENTRY).marks[0], lab.lag_plot(ENTRY).marks
    jacobian, product = lab.jacobian_map(2).marks[0], lab.jacobian_map(3, -1).marks[0]
    for value in (0.3, -1.7):
        slider.value = value
        contributions = lab.net.contributions()
        entry = contributions["weight_hh_l0"][:, :, 0, 1]
        np.testing.assert_array_equal(signed.color, entry)
        np.testing.assert_array_equal(norm.color, contributions.norm("weight_hh_l0"))
        np.testing.assert_array_equal(bars.y, entry)
        low, high = lag.scales["y"].min, lag.scales["y"].max
        by_lag = np.abs(contributions.by_lag("weight_hh_l0")[:, 0, 1])
        assert by_lag[3] == 0  # h₀ is zero; on a log axis that stands at the bottom
        np.testing.assert_array_equal(lag.y, [*by_lag[:3], low])
        most = np.array([np.trace(contributions.bound(ENTRY), -lag) for lag in range(4)])
        np.testing.assert_allclose(bound.y, [*most[:3], low])
        assert (bound.y[:3] >= lag.y[:3]).all()
        assert bound.y.max() <= high
        np.testing.assert_array_equal(jacobian.color, lab.net.jacobians()[2])
        np.testing.assert_array_equal(product.color, lab.net.jacobians().product(3, -1))
        scale = signed.scales["color"]
        largest = np.abs(entry).max()
        assert scale.max == -scale.min
        assert largest <= scale.max <= 1.34 * largest
        stacks = bars.scales["y"]
        assert stacks.min <= np.minimum(entry, 0).sum(0).min()
        assert stacks.max >= np.maximum(entry, 0).sum(0).max()
        assert low <= by_lag[:3].min() <= by_lag.max() <= high


@pytest.mark.parametrize("steps", [1, 2, 16])
@pytest.mark.parametrize("hidden", [1, 8])
def test_figures_take_every_size(steps, hidden):
    lab = rw.Lab(rw.lstm(1, hidden, steps))
    assert lab.heatmap().marks[0].color.shape == (steps, steps)
    assert lab.bars().marks[0].y.shape == (steps, steps)
    assert lab.lag_plot().marks[0].y.shape == (steps,)
    assert lab.jacobian_map().marks[0].color.shape == (2 * hidden, 2 * hidden)
    lab.heatmap().get_state()


def test_a_network_of_other_sizes_redraws_and_hides_what_it_lacks():
    lab = rw.Lab(rw.rnn(2, 3, 4))
    heat, gone = lab.heatmap().marks[0], lab.heatmap("weight_hh_l0[2,2]").marks[0]
    lab.net = rw.rnn(2, 2, 6)
    assert heat.color.shape == (6, 6)
    np.testing.assert_array_equal(heat.row, np.arange(1, 7))
    assert heat.visible
    assert not gone.visible
    lab.net = rw.rnn(2, 3, 5)
    assert gone.visible
    assert gone.color.shape == (5, 5)


TITLES = {
    "heatmap": (f"C[t, k] of {ENTRY}", "‖C[t, k]‖ of weight_hh_l0"),
    "bars": (f"C[t, k] of {ENTRY} by source step", "‖C[t, k]‖ of weight_hh_l0 by source step"),
    "lag_plot": (f"|Σ C[t, k]| of {ENTRY} by lag", "‖Σ C[t, k]‖ of weight_hh_l0 by lag"),
}
LINEAR = rw.rnn(1, 3, 6, nonlinearity="identity", rng=1)
OVERFLOWING = LINEAR.replace(weight_hh_l0=np.full((3, 3), 1e150))


@pytest.mark.parametrize("kind", TITLES)
def test_a_title_says_when_numbers_overflow_or_no_longer_exist(kind):
    lab = rw.Lab(LINEAR)
    entry, whole = getattr(lab, kind)(ENTRY), getattr(lab, kind)()
    marks = [*entry.marks, *entry.axes]
    assert (entry.title, whole.title) == TITLES[kind]
    lab.net = OVERFLOWING
    assert OVERFLOWING.forward().overflow == 3
    assert entry.title == f"{ENTRY} overflows from t = 4 (step 3)"
    assert whole.title == "weight_hh_l0 overflows from t = 4 (step 3)"
    lab.net = rw.rnn(1, 1, 4)
    assert entry.title == f"{ENTRY} does not exist in this network"
    assert whole.title == TITLES[kind][1]
    assert [m.visible for m in marks] == [False] * len(marks)
    lab.net = LINEAR
    assert (entry.title, whole.title) == TITLES[kind]
    assert [m.visible for m in marks] == [True] * len(marks)


def test_what_has_overflowed_is_drawn_inside_the_axes():
    net = LINEAR.replace(weight_hh_l0=np.full((3, 3), 1e70))
    lab = rw.Lab(net)
    bars, line = lab.bars().marks[0], lab.lag_plot().marks[0]
    found = net.contributions().norm("weight_hh_l0")
    finite = np.isfinite(found)
    assert 0 < finite.sum() < finite.size
    np.testing.assert_array_equal(bars.y, np.where(finite, found, 0.0))
    highest = bars.y.sum(0).max()
    assert highest <= bars.scales["y"].max <= 1.34 * highest
    assert ((line.scales["y"].min <= line.y) & (line.y <= line.scales["y"].max)).all()


def test_decades_of_lags_have_few_ticks():
    figure = rw.Lab(LINEAR.replace(weight_hh_l0=np.full((3, 3), 1e-9))).lag_plot()
    found = figure.marks[0].y
    ticks, scale = figure.axes[1].tick_values, figure.marks[0].scales["y"]
    assert found.max() / found.min() > 1e30
    assert 4 <= len(ticks) <= 6
    assert scale.min <= ticks[0] < ticks[-1] <= scale.max
    np.testing.assert_array_equal(figure.axes[0].tick_values, range(6))
    assert figure.marks[0].scales["x"].max >= 5


def test_an_overflow_of_gradients_alone_is_told_too():
    net = rw.rnn(1, 2, 3).replace(
        x=[[1e200]] * 3, v=[[1e200, 0]] * 3, weight_ih_l0=np.zeros((2, 1))
    )
    figure = rw.Lab(net).heatmap("weight_ih_l0")
    assert net.forward().overflow is None
    assert figure.title == "weight_ih_l0 overflows on the way back"


def test_a_jacobian_map_names_its_product_and_the_states():
    lab = rw.Lab(rw.lstm(2, 3, 6))
    figure = lab.jacobian_map(4, 1)
    across, down = figure.axes
    assert figure.title == "∂s₅/∂s₂"
    assert (across.label.split(" (")[0], down.label) == ("entry of s₂", "entry of s₅")
    names = ["h[0]", "h[1]", "h[2]", "c[0]", "c[1]", "c[2]"]
    assert across.tick_labels == down.tick_labels == dict(zip("012345", names, strict=True))
    lab.net = rw.gru(2, 2, 6)
    assert across.tick_labels == {"0": "h[0]", "1": "h[1]"}
    lab.net = rw.lstm(2, 8, 6)
    labels = [across.tick_labels[str(i)] for i in range(16)]
    assert [label for label in labels if label] == [f"{s}[{i}]" for s in "hc" for i in (0, 2, 4, 6)]
    assert labels[8] == "c[0]"
    lab.net = rw.lstm(2, 3, 4)
    assert figure.title == "∂s₅/∂s₂ does not exist in this network"
    assert lab.jacobian_map(2, -1).title == "∂s₃/∂s₀"
    two = rw.Lab(rw.gru(2, 3, 4, num_layers=2, bidirectional=True))
    reverse = two.jacobian_map(1, layer=1, reverse=True)
    assert reverse.title == "∂s_l1_reverse₂/∂s_l1_reverse₃"
    assert reverse.axes[0].label.startswith("entry of s₃")
    assert two.jacobian_map(3, layer=1, reverse=True).title == "∂s_l1_reverse₄/∂s_l1_reverse₀"


def test_a_map_takes_matrices_alone():
    with pytest.raises(traitlets.TraitError, match="dimension"):
        Map(color=np.zeros(3))


def test_a_maps_lower_axis_has_the_key_to_its_colours():
    lab = rw.Lab(LINEAR)
    for figure, key in (
        (lab.heatmap(ENTRY), "source step k (blue −, orange +, up to {})"),
        (lab.heatmap(), "source step k (orange up to {})"),
        (lab.jacobian_map(), "entry of s₅ (blue −, orange +, up to {})"),
    ):
        scale = figure.marks[0].scales["color"]
        assert figure.axes[0].label == key.format(f"{scale.max:.4g}")
        lab.set(weight_hh_l0=np.full((3, 3), -0.7))
        assert figure.axes[0].label == key.format(f"{scale.max:.4g}")


def test_a_title_of_the_users_own_is_kept():
    lab = rw.Lab(LINEAR)
    first, second = lab.heatmap(ENTRY, title="mine"), lab.bars(ENTRY)
    second.title = "mine as well"
    lab.set(h0=[1, 2, 3])
    assert (first.title, second.title) == ("mine", "mine as well")
    lab.net = OVERFLOWING
    assert first.title == second.title == f"{ENTRY} overflows from t = 4 (step 3)"
    lab.net = rw.rnn(1, 1, 2)
    first.title = "while there is nothing"  # refuses nothing
    lab.net = LINEAR
    assert (first.title, second.title) == ("mine", "mine as well")
    lab.close()
    second.title = "after the end"


def test_hovering_names_the_steps_and_the_number():
    lab = rw.Lab(LINEAR)
    heat, bars = lab.heatmap(ENTRY).marks[0], lab.bars(ENTRY).marks[0]
    line, dots, _ = lab.lag_plot(ENTRY).marks
    both = ["loss step t", "loss_step", "source step k", "source_step", "C[t, k]"]
    for mark, rounded in ((heat, ""), (bars, "d")):
        assert mark.tooltip.labels == both
        assert mark.tooltip.formats == [rounded, "", "", "", ".3~g"]
    # The fields are bqplot's own; a browser test reads what they say.
    assert heat.tooltip.fields == ["row", "rowNum", "column", "columnNum", "color"]
    assert bars.tooltip.fields == ["color", "subIndex", "x", "index", "y"]
    # Source step by source step, each loss step, which the format rounds to.
    np.testing.assert_array_equal(np.round(bars.color), np.tile(np.arange(1, 7), 6))
    assert dots.tooltip.labels == ["lag |t − k|", "Σ C[t, k]"]
    lab.set(h0=[0.0, 0.0, 0.0])
    by_lag = lab.net.contributions().by_lag("weight_hh_l0")[:, 0, 1]
    assert by_lag[5] == 0
    np.testing.assert_array_equal(dots.rotation, by_lag)  # not lifted to the axis's end
    np.testing.assert_array_equal(dots.y, line.y)
    assert lab.heatmap().marks[0].tooltip.labels[-1] == "‖C[t, k]‖"


BLUE, ORANGE = "rgba(43, 108, 176, {:.3f})", "rgba(217, 104, 11, {:.3f})"


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_bars_are_coloured_by_their_sign_and_deeper_for_a_later_loss(steps):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    mark, norms = lab.bars(ENTRY).marks[0], lab.bars().marks[0]
    lab.net = rw.rnn(2, 3, steps)
    np.testing.assert_array_equal(mark.x, np.arange(1, steps + 1))
    scale = mark.scales["color"]
    where = np.linspace(scale.min, scale.max, len(scale.colors))  # as bqplot places them
    depths = np.linspace(0.45, 1.0, steps) if steps > 1 else [1.0]
    contributions = lab.net.contributions()["weight_hh_l0"][:, :, 0, 1]
    for k in range(steps):
        for t in range(steps):
            color = scale.colors[int(np.flatnonzero(where == mark.color[k * steps + t])[0])]
            sign = BLUE if contributions[t, k] < 0 else ORANGE
            assert color == sign.format(depths[t])
    assert all(norms.color % 1 == 0.25)  # a norm is positive


@pytest.mark.parametrize("size", [1e-11, 3e-7, 0.002, 0.7, 1.0, 40.0, 2e6])
def test_bars_have_a_few_round_ticks(size):
    figure = rw.Lab(LINEAR.replace(v=LINEAR.values["v"] * size)).bars(ENTRY)
    ticks, scale = figure.axes[1].tick_values, figure.marks[0].scales["y"]
    assert 3 <= len(ticks) <= 5
    assert 0 in ticks
    assert scale.min <= ticks[0] < ticks[-1] <= scale.max
    np.testing.assert_allclose(np.diff(ticks), ticks[1] - ticks[0])


def test_ticks_are_written_as_a_person_would():
    bars, lags = rw.Lab(LINEAR).bars(), rw.Lab(LINEAR).lag_plot()
    found = bars.axes[1].tick_labels
    texts = {"-0.000015": "−1.5e−5", "0.000002": "2e−6", "-0.02": "−0.02", "100000": "1e5"}
    texts |= {"-0.0075": "−0.0075", "2.5e-7": "2.5e−7", "-5e-9": "−5e−9", "-15000": "−15000"}
    assert {key: found[key] for key in texts} == texts
    assert "0.02" not in found  # d3 writes it well
    decades = {"1": "1", "0.1": "0.1", "0.01": "10⁻²", "1e-7": "10⁻⁷", "1000": "10³", "0.002": "0"}
    assert {key: lags.axes[1].tick_labels[key] for key in decades} == decades


def test_lags_that_overflow_are_not_drawn_as_memory_that_lasts():
    lab = rw.Lab(rw.rnn(2, 3, 6, nonlinearity="identity"))
    line, dots, bound = lab.lag_plot("weight_ih_l0[0,0]").marks
    assert (list(line.opacities), list(bound.opacities)) == ([1], [1])
    weight = np.array(lab.net.values["weight_hh_l0"])
    weight[0, 0] = weight[1, 1] = 1e80
    lab.set(weight_hh_l0=weight)
    finite = np.isfinite(lab.net.contributions().by_lag("weight_ih_l0")[:, 0, 0])
    assert 0 < finite.sum() < 6
    np.testing.assert_array_equal(dots.opacities, finite)
    assert (list(line.opacities), list(bound.opacities)) == ([0], [0])


def test_what_adds_nothing_stands_on_a_line_of_its_own():
    lab = rw.Lab(rw.rnn(2, 3, 4))
    figure = lab.lag_plot(ENTRY)
    ticks, line = figure.axes[1].tick_values, figure.marks[0]
    assert ticks[0] == line.scales["y"].min == line.y[3]
    assert ticks[1] == pytest.approx(5 * ticks[0])
    lab.set(h0=[1.0, 1.0, 1.0])
    assert (line.y > 0).all()
    assert np.log10(figure.axes[1].tick_values[0]) % 1 == 0


def test_a_closed_figure_follows_nothing():
    lab = rw.Lab(rw.lstm(2, 3, 4))
    followers = len(lab._trait_notifiers["_network"]["change"])
    figure = lab.jacobian_map()
    assert len(lab._trait_notifiers["_network"]["change"]) == followers + 1
    figure.close()
    assert len(lab._trait_notifiers["_network"]["change"]) == followers
    labels = figure.axes[0].tick_labels
    lab.net = rw.lstm(2, 2, 9)
    assert figure.axes[0].tick_labels == labels


def test_python_leaves_figures_alone_while_a_browser_draws(browser, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider, mark = lab.slider(ENTRY), lab.heatmap(ENTRY).marks[0]
    browser.custom(lab, {"kind": "attached"})
    browser.clear(mark)
    before = mark.color.copy()
    browser.update(slider, value=1.5)
    lab.set(h0=[1, 2, 3])
    np.testing.assert_array_equal(mark.color, before)
    assert browser.updates(mark) == {}
    # The page is closed: Python takes over at once.
    browser.custom(lab, {"kind": "detached"})
    np.testing.assert_array_equal(mark.color, lab.net.contributions()["weight_hh_l0"][:, :, 0, 1])
    # It crashed instead: Python takes over with the first change after the lease has run out.
    browser.custom(lab, {"kind": "attached"})
    now[0] += 13
    slider.value = -0.5
    np.testing.assert_array_equal(mark.color, lab.net.contributions()["weight_hh_l0"][:, :, 0, 1])


def executed(*lines: str) -> dict[str, Any]:
    """The widget state that a notebook of one cell stores when it is run without a browser."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("\n".join(lines))])
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    return notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]


def test_an_executed_notebook_stores_the_right_picture():
    state = executed(
        "import rnn_widgets as rw",
        "lab = rw.Lab(rw.rnn(2, 3, 4))",
        f"slider = lab.slider('{ENTRY}')",
        f"figure = lab.heatmap('{ENTRY}')",
        "slider.value = 1.75",
        "figure",
    )
    (mark,) = [m for m in state.values() if m["model_name"] == "GridHeatMapModel"]
    (data,) = [b for b in mark["buffers"] if b["path"][0] == "color"]
    color = np.frombuffer(base64.b64decode(data["data"])).reshape(mark["state"]["color"]["shape"])
    net = rw.rnn(2, 3, 4)
    weight = net.values["weight_hh_l0"].copy()
    weight[0, 1] = 1.75
    expected = net.replace(weight_hh_l0=weight).contributions()["weight_hh_l0"][:, :, 0, 1]
    np.testing.assert_array_equal(color, expected)


def test_a_notebook_with_a_lab_and_eight_views_holds_one_bundle():
    state = executed(
        "import rnn_widgets as rw",
        "from ipywidgets import VBox",
        "lab = rw.Lab(rw.rnn(2, 3, 4))",
        "views = [lab.table() for _ in range(4)]",
        "VBox([*views, lab.heatmap(), lab.bars(), lab.lag_plot(), lab.jacobian_map()])",
    )
    bundle = (files("rnn_widgets") / "static" / "lab.js").read_text("utf-8")
    code = [m["state"]["_esm"] for m in state.values() if "_esm" in m["state"]]
    assert code.count(bundle) == 1
    assert sum(map(len, code)) < len(bundle) + 4 * 500
    assert len(gzip.compress(bundle.encode())) < 150_000
