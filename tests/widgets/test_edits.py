"""Networks that the page puts in place: matrices, presets, other sizes, undo."""

import json

import numpy as np
import pytest
import torch

import rnn_widgets as rw

ENTRY = "weight_hh_l0[0,1]"


def from_page(net):
    """A network as the page writes it."""
    return json.loads(net.to_json())


def test_a_network_of_the_page_is_taken_over_and_not_sent_back(browser):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider = lab.slider(ENTRY)
    other = rw.rnn(2, 3, 4, rng=1)
    browser.clear(lab, slider)
    browser.update(lab, _network=from_page(other))
    np.testing.assert_array_equal(lab.net.values["weight_hh_l0"], other.values["weight_hh_l0"])
    assert slider.value == other.values["weight_hh_l0"][0, 1]
    # A late echo of any of these would undo what the user has moved since.
    assert browser.updates(lab) == {}
    assert browser.updates(slider) == {}


def test_leaves_that_the_page_leaves_alone_keep_their_parameter_objects(browser):
    module = torch.nn.RNN(2, 3)
    lab = rw.Lab(rw.from_torch(module, x=np.ones((4, 2))))
    moved = np.array(lab.net.values["weight_ih_l0"]) + 1
    browser.update(lab, _network=from_page(lab.net.replace(weight_ih_l0=moved)))
    gradients = lab.net.gradients()
    np.testing.assert_array_equal(gradients[module.weight_hh_l0], gradients["weight_hh_l0"])
    with pytest.raises(KeyError):
        gradients[module.weight_ih_l0]


def test_another_structure_brings_its_names_and_a_focus_that_exists(browser):
    lab = rw.Lab(rw.lstm(2, 3, 6))
    lab.selection, lab.loss_step, lab.source_step = "weight_hh_l0[11,2]", 5, 4
    slider = lab.slider("weight_hh_l0[11,2]")
    browser.clear(lab, slider)
    other = rw.gru(2, 3, 4, reset_after=False)
    browser.update(lab, _network=from_page(other), selection="bias_hh_l0[8]")
    assert repr(lab.net) == repr(other)
    assert (lab.selection, lab.loss_step, lab.source_step) == ("bias_hh_l0[8]", 3, 3)
    assert not any("Flux" in name for name in browser.updates(lab)["_aliases"]["weight_hh_l0"])
    assert slider.disabled
    assert "disabled" not in browser.updates(slider)
    browser.update(lab, _network=from_page(rw.lstm(2, 3, 6)))
    assert not slider.disabled


def test_names_that_stay_the_same_are_told_again(browser):
    lab = rw.Lab(rw.rnn(2, 3, 6))
    names = lab._aliases
    browser.clear(lab)
    browser.update(lab, _network=from_page(rw.rnn(2, 3, 5)))
    assert browser.updates(lab) == {"_aliases": names, "loss_step": 4}


def test_names_are_news_to_a_page_even_where_another_structure_has_the_same(browser):
    lab = rw.Lab(rw.rnn(2, 3, 6, bias="single"))
    names = lab._aliases
    browser.clear(lab)
    browser.update(lab, _network=from_page(rw.lstm(2, 3, 6, bias="single")))
    said = [data["state"]["_aliases"] for _, data in lab.comm.sent if "_aliases" in data["state"]]
    assert said == [{}, names]  # a page's model takes what it has for no change


def test_a_network_from_python_moves_the_focus_too(browser):
    lab = rw.Lab(rw.rnn(2, 3, 6))
    lab.selection = "weight_hh_l0[2,2]"
    lab.net = rw.rnn(2, 2, 3)
    assert (lab.selection, lab.loss_step, lab.source_step) == ("weight_hh_l0[0,0]", 2, 2)


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda data: data["values"].pop("x"), "must have values for"),
        (lambda data: data.update(seq_len=0), "seq_len"),
        (lambda data: data["values"].update(x=[[1, 2]]), "x"),
        (lambda data: data.update(format="other"), "format"),
        (lambda data: data["values"]["x"][0].__setitem__(0, None), "x"),
    ],
)
def test_a_damaged_network_is_refused_and_the_page_told(browser, caplog, damage, expected):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    before = lab.net
    data = from_page(rw.rnn(2, 3, 4, rng=1))
    damage(data)
    browser.clear(lab)
    browser.update(lab, _network=data)
    assert expected in caplog.text
    assert lab.net is before
    assert browser.updates(lab)["_network"]["values"] == {
        name: array.tolist() for name, array in before.values.items()
    }


@pytest.mark.parametrize("name", ["loss_step", "source_step"])
@pytest.mark.parametrize("step", [-1, 4])
def test_a_step_that_does_not_exist_is_refused(browser, name, step):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    with pytest.raises(IndexError, match=f"{name} goes from 0 to 3, not {step}"):
        setattr(lab, name, step)
    assert getattr(lab, name) == {"loss_step": 3, "source_step": 1}[name]
