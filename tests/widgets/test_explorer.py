"""`rw.explore`: what can be explored, which panels there are, and what is refused."""

import json

import ipywidgets
import numpy as np
import pytest
import torch

import rnn_widgets as rw
from rnn_widgets.network import Network
from rnn_widgets.presets import PRESETS, preset
from rnn_widgets.widgets.catalogue import BIASES, catalogue
from rnn_widgets.widgets.explorer import DEFAULT, PANELS, Explorer


def panels(explorer):
    """The kinds of the panels, in their order."""
    (grid,) = explorer.children
    flat = []
    for cell in grid.children:
        flat += cell.children if isinstance(cell, ipywidgets.VBox) else [cell]
    return [getattr(panel, "_kind", "figure") for panel in flat]


def test_without_arguments_it_opens_question_a(browser):
    explorer = rw.explore()
    assert explorer.net.to_json() == preset("question A").to_json()
    expected = [name if name not in ("bars", "lag") else "figure" for name in DEFAULT]
    assert panels(explorer) == expected


def test_it_opens_a_network_a_module_a_preset_and_a_lab(browser):
    net = rw.lstm(2, 3, 5)
    assert rw.explore(net).net.to_json() == net.to_json()
    module = torch.nn.LSTM(2, 3)
    x = np.ones((4, 2))
    explored = rw.explore(module, x=x).net
    assert explored.gradients()[module.weight_hh_l0].shape == (12, 3)
    np.testing.assert_array_equal(explored.values["x"], x)
    skip = rw.explore("exploding", h0=[1, 2, 3])
    assert skip.net.values["h0"].tolist() == [1, 2, 3]
    assert skip.lab.selection == PRESETS["exploding"].entry != rw.Lab(skip.net).selection
    assert (skip.lab.loss_step, skip.lab.source_step) == PRESETS["exploding"].focus
    lab = rw.Lab(net)
    assert rw.explore(lab).lab is lab


def test_panels_are_chosen_and_ordered(browser):
    explorer = rw.explore(panels=["chain", "lag", "graph", "bars", "table"])
    assert panels(explorer) == ["chain", "figure", "graph", "figure", "table"]
    for name in PANELS:
        assert isinstance(rw.explore(panels=[name]), Explorer)


def test_the_panels_share_one_lab_and_one_bundle(browser):
    explorer = rw.explore()
    (grid,) = explorer.children
    views = [cell for cell in grid.children if hasattr(cell, "_kind")]
    assert all(view._lab is explorer.lab for view in views)
    assert all(len(view._esm) < 500 for view in views)


@pytest.mark.parametrize(
    ("arguments", "error", "expected"),
    [
        ({"net": "fading memry"}, KeyError, "fading memory"),
        ({"net": 3, "x": [[1]]}, TypeError, "a recurrent layer of torch or Keras, .* not int"),
        ({"net": torch.nn.Linear(1, 1), "x": [[1]]}, TypeError, "nn.RNN"),
        ({"net": torch.nn.GRU(1, 1)}, TypeError, r"x=, of shape \(T, I\)"),
        ({"net": ""}, KeyError, "preset"),
        ({"net": "LSTM"}, KeyError, "saturated tanh; LSTM, forget gate open; LSTM, forget gate"),
        ({"net": rw.rnn(1, 1, 101)}, ValueError, "up to 100 steps and 64 units, .* has 101 and 1"),
        ({"net": rw.rnn(1, 65, 2)}, ValueError, "has 2 and 65"),
        ({"panels": ["graph", "graph"]}, ValueError, "once"),
        ({"panel": ["graph"]}, TypeError, "panels="),
        ({"panels": ["grap"]}, KeyError, "graph"),
        ({"panels": "graph"}, TypeError, "list of names"),
        ({"panels": []}, TypeError, "list of names"),
        ({"weight_hh_l1": 3}, KeyError, "weight_hh_l0"),
        ({"x": np.ones((3, 3))}, ValueError, r"\(3, 2\)"),
    ],
)
def test_what_cannot_be_explored_is_refused(browser, arguments, error, expected):
    with pytest.raises(error, match=expected):
        rw.explore(**arguments)


def test_values_for_a_lab_are_refused(browser):
    with pytest.raises(TypeError, match=r"lab\.set"):
        rw.explore(rw.Lab(rw.rnn(2, 3, 4)), h0=[0, 0, 0])


def test_the_network_can_be_assigned_and_read(browser):
    explorer = rw.explore()
    explorer.net = rw.gru(1, 2, 3)
    assert repr(explorer) == f"Explorer({explorer.lab.net!r})"
    assert explorer.net is explorer.lab.net


def test_closing_the_lab_closes_the_explorer(browser):
    explorer = rw.explore()
    explorer.lab.close()
    assert explorer.comm is None
    assert all(child.comm is None for child in explorer.children)


def test_the_catalogue_has_every_cell_that_can_be_built(browser):
    built = {
        (kind, form): make(1, 1, 1, bias=bias, **options).program.cell.to_json()
        for form, bias in BIASES.items()
        for kind, make, options in [
            ("RNN · tanh", rw.rnn, {}),
            ("RNN · relu", rw.rnn, {"nonlinearity": "relu"}),
            ("RNN · identity", rw.rnn, {"nonlinearity": "identity"}),
            ("RNN · sigmoid", rw.rnn, {"nonlinearity": "sigmoid"}),
            ("GRU", rw.gru, {}),
            ("GRU · reset before", rw.gru, {"reset_after": False}),
            ("LSTM", rw.lstm, {}),
        ]
    }
    offered = {
        (cell["label"], form): template
        for cell in catalogue()["cells"]
        for form, template in cell["templates"].items()
    }
    assert offered == built


def test_the_catalogue_has_every_preset(browser):
    offered = catalogue()["presets"]
    labels = {one["name"]: one["label"] for one in offered}
    assert labels["question A"] == "question A: gradients by name"
    assert labels["GRU skip"] == "GRU skip"  # says it itself
    assert [one["name"] for one in offered] == list(PRESETS)
    for one in offered:
        assert Network.from_json(json.dumps(one["network"])).check()
        assert one["say"].endswith(".")
