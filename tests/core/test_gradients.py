"""Which gradient is which: by name, by another framework's name, by the object itself."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import rnn_widgets as rw
from rnn_widgets.core.gradients import Gradients

from .networks import stirred


def test_names_of_other_frameworks_answer_in_their_layout() -> None:
    g = stirred(rw.gru(2, 3, 4), 1).gradients()
    assert_array_equal(g["Wh"], g["weight_hh_l0"])
    assert_array_equal(g["Wi"], g["weight_ih"])
    r, z, n = np.split(g["weight_hh_l0"], 3)
    assert_array_equal(g["recurrent_kernel"], np.concatenate([z, r, n]).T)
    i, f, c, o = np.split(rw.lstm(2, 3, 4).gradients()["weight_ih_l0"], 4)
    assert_array_equal(rw.lstm(2, 3, 4).gradients()["kernel"], np.concatenate([i, f, c, o]).T)


def test_a_parameter_object_finds_its_gradient() -> None:
    Wi, Wh = np.array([[0.5]]), np.array([[0.5]])
    net = rw.from_flux(Wi=Wi, Wh=Wh, x=[[1.0], [2.0]], nonlinearity="identity", loss="sum")
    g = net.gradients()
    assert g.name_of(Wi) == "weight_ih_l0"
    assert_array_equal(g[Wh], g["weight_hh_l0"])
    assert g[Wi].item() == 1 + 0.5 + 2
    assert Wi in g
    for stranger in (Wi.copy(), 3, None, (1, 2)):
        assert stranger not in g
        with pytest.raises(KeyError, match="not an object that the network was made from"):
            g[stranger]
    with pytest.raises(KeyError, match=r"ndarray of shape \(1, 1\).*those are weight_ih_l0, w"):
        g[Wi.copy()]
    moved = net.replace(weight_ih_l0=[[2.0]]).gradients()
    assert Wi not in moved  # that object no longer is what the network holds
    assert Wh in moved


def test_a_name_that_does_not_exist_meets_the_nearest() -> None:
    g = rw.rnn(2, 3, 4).gradients()
    with pytest.raises(KeyError, match="did you mean 'recurrent_kernel'"):
        g["recurent_kernel"]
    with pytest.raises(KeyError) as caught:
        g["weight_hh"[::-1]]
    assert str(caught.value).startswith("there is no gradient 'hh_thgiew'")
    assert "recurent_kernel" not in g
    assert "kernel" in g


def test_as_a_mapping_it_holds_each_leaf_once() -> None:
    net = rw.lstm(2, 3, 4, loss="mse")
    g = net.gradients()
    assert list(g) == list(net.values)
    assert len(g) == len(net.values)
    assert all(g[name].shape == net.values[name].shape for name in net.values)
    classes = rw.lstm(2, 3, 4, loss="cross_entropy").gradients()
    assert "target" not in classes
    assert "v" not in rw.lstm(2, 3, 4).gradients()


def test_the_table_is_the_same_every_time() -> None:
    net = rw.rnn(1, 1, 2, nonlinearity="identity", loss="sum", bias=False)
    net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [1]])
    rows = [line.split("  ") for line in repr(net.gradients()).splitlines()]
    assert [[cell.strip() for cell in row if cell] for row in rows] == [
        ["gradient", "also called", "shape", "norm"],
        ["weight_ih_l0", "PyTorch cell: weight_ih, Keras: kernel, Flux: Wi", "(1, 1)", "4"],
        [
            "weight_hh_l0",
            "PyTorch cell: weight_hh, Keras: recurrent_kernel, Flux: Wh",
            "(1, 1)",
            "1",
        ],
        ["x", "(2, 1)", "3.16228"],
        ["h0", "(1,)", "6"],
    ]
    assert repr(net.gradients()) == repr(net.replace().gradients())


def test_what_a_user_passed_finds_its_gradient() -> None:
    Wi, Wh, x, h0, c0 = (np.full(shape, 0.5) for shape in ((8, 1), (8, 2), (3, 1), (1, 2), 2))
    target: list[list[float]] = [[1, 0]] * 3
    net = rw.from_flux(Wi=Wi, Wh=Wh, x=x, h0=h0, c0=c0, target=target, loss="sse")
    gradients = net.gradients()
    for source, name in ((Wi, "Wi"), (x, "x"), (h0, "h0"), (c0, "c0"), (target, "target")):
        assert (gradients[source].ravel() == gradients[name].ravel()).all()
        assert gradients[source].shape == np.shape(source)
    assert gradients.name_of(h0) == "h0"
    assert x.copy() not in gradients
    with pytest.raises(KeyError, match=r"those are weight_ih_l0.*\. By name there are .*target"):
        gradients[x.copy()]


def test_what_replaces_numbers_finds_its_gradient() -> None:
    x, W = np.ones((4, 2)), [[0.5] * 3] * 3
    net = rw.rnn(2, 3, 4).replace(x=x, weight_hh_l0=W)
    gradients = net.gradients()
    assert (gradients[x] == gradients["x"]).all()
    assert gradients.name_of(W) == "weight_hh_l0"
    later = net.replace(x=2 * x).gradients()
    assert x not in later
    assert W in later


def test_objects_whose_gradient_cannot_be_told() -> None:
    both, v, classes = np.ones((2, 1)), np.ones((2, 1)), np.zeros(2)
    net = rw.rnn(1, 1, 2, loss="sse").replace(x=both, target=both)
    with pytest.raises(KeyError, match=r"given as x and as target: .* by its name, such as 'x'"):
        net.gradients()[both]
    with pytest.raises(KeyError, match=r"shape \(2, 1\) was given as v, which has no gradient"):
        rw.rnn(1, 1, 2).replace(v=v).gradients()[v]
    net = rw.rnn(1, 2, 2, loss="cross_entropy").replace(target=classes)
    with pytest.raises(KeyError, match="given as target, which has no gradient"):
        net.gradients()[classes]


def test_gradients_of_nothing_but_arrays() -> None:
    g = Gradients({"a": np.array([3.0, 4.0])})
    assert repr(g).splitlines()[1].split() == ["a", "(2,)", "5"]
    with pytest.raises(KeyError, match="none: it was not made from objects"):
        g.name_of(3)
    with pytest.raises(KeyError, match="no parameter 'weight_hh_lO'; did you mean 'weight_hh_l0'"):
        rw.rnn(1, 1, 1).contributions()["weight_hh_lO"]
