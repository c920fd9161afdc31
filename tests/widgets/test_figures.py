"""Figures and drives: what they show, and who draws them."""

import base64
import gzip
from importlib.resources import files
from typing import Any

import bqplot
import ipywidgets
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

import rnn_widgets as rw
from rnn_widgets.quantities import evaluate, parse, table

ENTRY = "weight_hh_l0[0,1]"


def test_figures_show_the_network_as_it_is():
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider = lab.slider(ENTRY)
    signed, norm = lab.heatmap(ENTRY).marks[0], lab.heatmap().marks[0]
    bars, lag = lab.bars(ENTRY).marks[0], lab.lag_plot(ENTRY).marks[0]
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


def test_drive_any_widget():
    lab = rw.Lab(rw.rnn(2, 3, 4))
    label, progress = ipywidgets.Label(), ipywidgets.FloatProgress(min=-100, max=100)
    line = bqplot.Lines(scales={"x": bqplot.LinearScale(), "y": bqplot.LinearScale()})
    lab.drive(label, "value", "loss")
    lab.drive(progress, "value", f"gradient[{ENTRY}]")
    lab.drive(line, "y", "adjoint.carried")
    lab.set(h0=[1.0, 0.5, 0.25])
    assert label.value == f"{lab.net.forward().loss:.4g}"
    assert progress.value == lab.net.gradients()["weight_hh_l0"][0, 1]
    np.testing.assert_array_equal(line.y, lab.net.adjoints().carried)
    # A trait shows one quantity: the later drive replaces the earlier.
    lab.drive(label, "value", f"value[{ENTRY}]")
    assert len([d for d in lab._drives if d["widget"] is label]) == 1


@pytest.mark.parametrize(
    ("widget", "trait", "quantity", "error", "says"),
    [
        (ipywidgets.Label, "value", "los", KeyError, "did you mean 'loss'"),
        (ipywidgets.Label, "valeu", "loss", KeyError, "did you mean 'value'"),
        (ipywidgets.Label, "value", "losses", TypeError, "rank 1"),
        (bqplot.Lines, "y", "loss", TypeError, "one number"),
        (dict, "value", "loss", TypeError, "widget"),
        (ipywidgets.Label, "value", "gradient", ValueError, "argument"),
        (ipywidgets.Label, "value", "loss[0]", ValueError, "no argument"),
        (ipywidgets.Label, "value", "gradient[v[0,0]]", KeyError, "there is no leaf 'v'"),
        (bqplot.Lines, "y", "cell", KeyError, "no cell state"),
        (bqplot.Lines, "y", "jacobian[9]", IndexError, "0 to 3"),
        (bqplot.Lines, "y", "jacobian[1,2]", IndexError, "-1 to 1"),
        (bqplot.Lines, "y", "hidden_l1", IndexError, "does not exist"),
        (bqplot.Lines, "y", "node[z]", KeyError, "there are: h"),
        (bqplot.Lines, "y", "a quantity", ValueError, "written like"),
    ],
)
def test_drive_refuses_what_does_not_exist(widget, trait, quantity, error, says):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    with pytest.raises(error, match=says):
        lab.drive(widget(), trait, quantity)
    assert list(lab._drives) == []


def test_every_quantity_is_what_the_network_answers():
    net = rw.lstm(2, 3, 4, loss="mse")
    trace, adjoints, found = net.forward(), net.adjoints(), net.contributions()
    weight = found["weight_hh_l0"]
    expected = {
        "value[x]": net.values["x"],
        "value[x[1,0]]": net.values["x"][1, 0],
        "gradient[target]": net.gradients()["target"],
        "contribution[weight_hh_l0]": found.norm("weight_hh_l0"),
        "contribution[weight_hh_l0[5,2]]": weight[:, :, 5, 2],
        "by_source[weight_hh_l0[5,2]]": weight.sum(0)[:, 5, 2],
        "by_loss[weight_hh_l0]": np.sqrt((weight.sum(1) ** 2).sum((1, 2))),
        "by_lag[bias_ih_l0[3]]": found.by_lag("bias_ih_l0")[:, 3],
        "steps": [1, 2, 3, 4],
        "lags": [0, 1, 2, 3],
        "hidden": trace.hidden,
        "cell": trace.cell,
        "node[f]": trace["f"],
        "output": trace.output,
        "losses": trace.losses,
        "loss": trace.loss,
        "adjoint.direct": adjoints.direct,
        "adjoint.carried": adjoints.carried,
        "adjoint.total": adjoints.total,
        "cell_adjoint.direct": adjoints.cell.direct,
        "cell_adjoint.carried": adjoints.cell.carried,
        "cell_adjoint.total": adjoints.cell.total,
        "jacobian[2]": net.jacobians()[2],
        "jacobian[3,0]": net.jacobians().product(3, 0),
        "singular_values[3,0]": net.jacobians().singular_values(3, 0),
    }
    assert {text.split("[")[0] for text in expected} == set(table())
    for text, value in expected.items():
        np.testing.assert_allclose(evaluate(parse(text, net), net), value, rtol=1e-14, err_msg=text)


def test_quantities_of_one_layer_among_several():
    net = rw.gru(2, 3, 4, num_layers=2, bidirectional=True)
    hidden = net.forward().hidden
    np.testing.assert_array_equal(evaluate(parse("hidden_l1_reverse", net), net), hidden[3])
    np.testing.assert_array_equal(
        evaluate(parse("jacobian_l1_reverse[1,3]", net), net),
        net.jacobians(1, reverse=True).product(1, 3),
    )
    with pytest.raises(ValueError, match="hidden_l0, hidden_l0_reverse"):
        parse("hidden", net)


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
