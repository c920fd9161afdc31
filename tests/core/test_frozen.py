"""A network cannot be changed: not by its makers' arrays, not through anything that it returns."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

import rnn_widgets as rw
from rnn_widgets.network import Network

from .networks import stirred


@pytest.fixture
def net() -> Network:
    return stirred(rw.lstm(2, 2, 3, loss="mse", num_layers=2, bidirectional=True), 1)


def fingerprint(net: Network) -> tuple[Any, ...]:
    fresh = Network.from_json(net.to_json())
    for n in (net, fresh):
        assert n.forward().loss == fresh.forward().loss
        for name, array in n.gradients().items():
            np.testing.assert_array_equal(array, fresh.gradients()[name])
    return net.to_json(), net.forward().loss


def returned(net: Network) -> Iterator[Any]:
    """Every array that a network hands out."""
    yield from net.values.values()
    trace = net.forward()
    yield from (trace.hidden, trace.cell, trace.output, trace.losses, *trace.values())
    yield from net.gradients().values()
    yield net.gradients()["layers[0].forward_layer.kernel"]
    contributions = net.contributions()
    for name, array in contributions.items():
        yield array
        yield from (getattr(contributions, a)(name) for a in ("by_loss", "by_source", "by_lag"))
        yield contributions.norm(name)
    adjoints = net.adjoints()
    for one in (adjoints, adjoints.cell):
        assert one is not None
        yield from (one.direct, one.carried, one.total)
    jacobians = net.jacobians()
    yield from (jacobians[1], jacobians.product(2, 0), jacobians.singular_values(1))
    yield from jacobians.blocks(1).values()


def attack(array: Any) -> None:
    """Try to write, in the ways that numpy leaves open, to an array and all it is made of."""
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 7
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.setflags(write=True)
    with pytest.raises(ValueError, match="WRITEABLE"):
        array.flags.writeable = True
    base = array.base
    while base is not None:
        if isinstance(base, np.ndarray):
            with pytest.raises(ValueError, match="WRITEABLE"):
                base.setflags(write=True)
        else:
            assert memoryview(base).readonly
        base = getattr(base, "base", None)


def test_no_returned_array_can_be_written_to(net: Network) -> None:
    before = fingerprint(net)
    count = 0
    for array in returned(net):
        attack(array)
        count += 1
    assert count > 50
    assert fingerprint(net) == before


def test_even_the_memory_behind_a_result_is_not_the_networks(net: Network) -> None:
    """A result's buffer may be reached through its memoryview; the network keeps another."""
    for one in (net, rw.rnn(1, 1, 1), rw.rnn(1, 1, 1, bias=False, nonlinearity="identity")):
        before = fingerprint(one)
        for array in returned(one) if one is net else one.contributions().values():
            owner = getattr(array.base, "obj", None)
            if isinstance(owner, np.ndarray):
                owner.setflags(write=True)
                owner[...] = 7
        assert fingerprint(one) == before


def test_arrays_are_copied_on_the_way_in() -> None:
    net = rw.rnn(2, 2, 3)
    given = {name: np.array(value) for name, value in net.values.items()}
    made = net.replace(**given)
    before = fingerprint(made)
    for array in given.values():
        array[...] = 7
    assert fingerprint(made) == before
    wi, wh = np.ones((1, 1)), np.ones((1, 1))
    flux = rw.from_flux(Wi=wi, Wh=wh, x=[[1]])
    before = fingerprint(flux)
    wi[...] = wh[...] = 7
    assert fingerprint(flux) == before


def test_replace_leaves_the_first_network_alone(net: Network) -> None:
    before = fingerprint(net)
    other = net.replace(h0=np.ones((4, 2)))
    assert fingerprint(net) == before
    assert other.forward().loss != net.forward().loss
    assert all(other._leaves[n] is net._leaves[n] for n in net.values if n != "h0")


def test_not_even_torch_writes_to_a_network(net: Network) -> None:
    """torch.from_numpy ignores that an array is read-only; what it writes to is a copy."""
    before = fingerprint(net)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for array in returned(net):
            torch.from_numpy(array).add_(1)
    assert fingerprint(net) == before


@pytest.mark.parametrize(("attribute", "value"), [("shape", (-1,)), ("dtype", np.int64)])
def test_reshaping_an_answer_in_place_changes_no_other(
    net: Network, attribute: str, value: Any
) -> None:
    before = fingerprint(net)
    gradients, contributions, adjoints = net.gradients(), net.contributions(), net.adjoints()
    for ask in (
        lambda: net.values["weight_hh_l0"],
        lambda: gradients["weight_hh_l0"],
        lambda: contributions["weight_hh_l0"],
        lambda: adjoints.total,
    ):
        shape = ask().shape
        setattr(ask(), attribute, value)
        assert (ask().shape, ask().dtype) == (shape, np.float64)
    assert fingerprint(net) == before


def test_the_constructor_checks_and_copies() -> None:
    net = rw.rnn(1, 1, 2)
    weight = np.ones((1, 1))
    made = Network(net.program, {**net.values, "weight_hh_l0": weight})
    weight[...] = 7
    assert made.values["weight_hh_l0"] == 1
    with pytest.raises(KeyError, match="needs values for weight_ih_l0"):
        Network(net.program, {"weight_hh_l0": weight})
    with pytest.raises(KeyError, match="did you mean 'h0'"):
        Network(net.program, {**net.values, "h1": [1]})
    with pytest.raises(ValueError, match=r"must have shape \(1, 1\)"):
        Network(net.program, {**net.values, "weight_hh_l0": np.eye(2)})


def test_attributes_cannot_be_assigned(net: Network) -> None:
    before = fingerprint(net)
    for owner, name in [
        (net, "program"),
        (net, "_leaves"),
        (net, "values"),
        (net.program, "seq_len"),
        (net.program, "loss_weight"),
        (net.program.cell, "nodes"),
        (net.program.cell.nodes[0], "op"),
        (net.forward(), "hidden"),
        (net.forward(), "loss"),
        (net.adjoints(), "total"),
        (net.adjoints(), "carried"),
    ]:
        with pytest.raises(AttributeError):
            setattr(owner, name, None)
    assert fingerprint(net) == before


def test_items_cannot_be_assigned(net: Network) -> None:
    before = fingerprint(net)
    for owner in (
        net.values,
        net._leaves,
        net.sources,
        net.program.leaves,
        net.program.parameters,
        net.program.cell.params,
        net.program.cell.nodes[-1].attrs,
        net.forward(),
        net.gradients(),
        net.contributions(),
    ):
        with pytest.raises(TypeError, match="does not support item assignment"):
            owner["x"] = np.zeros((3, 2))  # type: ignore[index]
    assert fingerprint(net) == before


def test_a_dictionary_that_a_network_was_made_from_is_not_its_own() -> None:
    net = rw.rnn(1, 1, 1)
    leaves = dict(net.values)
    made = Network(net.program, leaves, {})
    before = fingerprint(made)
    leaves["x"] = np.array([[99.0]])
    assert fingerprint(made) == before


def test_the_same_seed_draws_the_same_network() -> None:
    assert rw.lstm(2, 3, 4).to_json() == rw.lstm(2, 3, 4, rng=0).to_json()
    assert rw.lstm(2, 3, 4, rng=1).to_json() != rw.lstm(2, 3, 4, rng=2).to_json()
    net = rw.lstm(20, 16, 4)
    drawn = net.values["weight_hh_l0"]
    assert 0.2 < np.abs(drawn).max() <= 1 / 4
    assert abs(drawn.mean()) < 0.02
    assert (net.values["h0"] == 0).all()
    assert (net.values["c0"] == 0).all()
