"""What a widget does not have cannot be assigned."""

import pytest

import rnn_widgets as rw


def test_a_misspelt_attribute_is_refused_with_the_nearest() -> None:
    explorer = rw.explore()
    with pytest.raises(AttributeError, match="no attribute of Explorer 'nets'; did you mean 'net'"):
        explorer.nets = rw.rnn(2, 3, 4)
    with pytest.raises(AttributeError, match=r"no attribute of Lab 'weight_hh_l0'.*set"):
        explorer.lab.weight_hh_l0 = [[0]]
    seeds = rw.SeedExplorer(lambda x: 2 * x, [1.0, 2.0])
    with pytest.raises(AttributeError, match="'seeds'; did you mean 'seed'"):
        seeds.seeds = [1, 0]


def test_what_there_is_is_assigned() -> None:
    explorer = rw.explore()
    explorer.net = rw.lstm(2, 3, 4)
    explorer.layout.width = "50%"
    explorer.lab.selection = "bias_ih_l0[1]"
    assert explorer.lab.net == explorer.net
    assert explorer.lab.selection == "bias_ih_l0[1]"


def test_a_leaf_is_not_taken_for_a_quantity() -> None:
    with pytest.raises(KeyError, match=r"such as gradient\[weight_hh_l0\[0,1\]\]"):
        rw.predict(rw.explore(), "weight_hh_l0[0,1]")


def test_a_class_and_another_layer_are_refused() -> None:
    import torch

    with pytest.raises(TypeError, match=r"not the class: RNN"):
        rw.explore(torch.nn.RNN)
    with pytest.raises(TypeError, match=r"give x=.*beside the RNN"):
        rw.explore(torch.nn.RNN(2, 3))
