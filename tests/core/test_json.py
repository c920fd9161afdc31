"""Saved networks: every bit comes back, and damage is found."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import rnn_widgets as rw
from rnn_widgets.network import Network

from .networks import coupled, networks, peephole, stirred

NONSENSE: tuple[Any, ...] = (None, True, -1, 0, 1.5, 10**400, "nonsense", [], {}, [[]], "H")


@given(networks())
@settings(max_examples=60, deadline=None)
def test_round_trip_bit_for_bit(net: Network) -> None:
    again = Network.from_json(net.to_json())
    assert again.to_json() == net.to_json()
    assert list(again.values) == list(net.values)
    for name, value in net.values.items():
        assert again.values[name].tobytes() == value.tobytes()
    assert again.forward().losses.tobytes() == net.forward().losses.tobytes()
    for name, array in net.contributions().items():
        assert again.contributions()[name].tobytes() == array.tobytes()


def test_awkward_floats_survive() -> None:
    awkward = [[-0.0], [5e-324], [0.1 + 0.2], [1.7976931348623157e308]]
    net = rw.rnn(1, 1, 4).replace(x=awkward)
    again = Network.from_json(net.to_json())
    assert again.values["x"].tobytes() == np.array(awkward).tobytes()


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_copies_and_pickles_are_networks_too(way: Any) -> None:
    net = stirred(rw.gru(2, 2, 3).truncate(chunk=2), 1)
    made = way(net)
    assert made.to_json() == net.to_json()
    with pytest.raises(ValueError, match="read-only"):
        made.values["x"][0, 0] = 1


def saved() -> Iterator[dict[str, Any]]:
    """Two networks whose equations use every kind of node."""
    one = rw.custom(coupled, 1, 2, 3, readout=1, loss="mse", loss_steps=[0, 2]).truncate(window=2)
    two = rw.custom(peephole, 1, 1, 2, num_layers=2, bidirectional=True, loss="cross_entropy")
    for net in (stirred(one, 1), two):
        yield json.loads(net.to_json())


def places(data: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in nested data, as a path of keys."""
    keys = list(data) if isinstance(data, dict) else range(len(data))
    for key in keys:
        yield (*here, key)
        if isinstance(data[key], dict | list):
            yield from places(data[key], (*here, key))


def at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def refused_or_faithful(data: Any) -> bool:
    """Tell whether damaged data was refused; if not, it must mean exactly what it says."""
    try:
        net = Network.from_json(json.dumps(data))
    except ValueError:
        return True
    assert json.loads(net.to_json()) == data
    for value in net.gradients().values():
        assert np.isfinite(value).all()
    return False


REQUIRED = {"op", "args", "shape", "slot", "param", "start", "stop", "scale", "shift"}


@pytest.mark.parametrize("data", list(saved()), ids=["coupled", "peephole"])
def test_each_missing_field_is_noticed(data: dict[str, Any]) -> None:
    for path in list(places(data)):
        damaged = copy.deepcopy(data)
        del at(damaged, path[:-1])[path[-1]]
        refused = refused_or_faithful(damaged)
        if (
            len(path) == 1
            or path[0] == "values"
            or path[-1] in REQUIRED
            or path[1:2] == ("params",)
        ):
            assert refused, f"{path} is missing, and nobody noticed"


@pytest.mark.parametrize("data", list(saved()), ids=["coupled", "peephole"])
def test_each_field_of_nonsense_is_refused_or_taken_at_its_word(data: dict[str, Any]) -> None:
    refused = 0
    tried = 0
    for path in list(places(data)):
        for nonsense in NONSENSE:
            original = at(data, path)
            if type(original) is type(nonsense) and original == nonsense:
                continue
            at(data, path[:-1])[path[-1]] = nonsense
            tried += 1
            refused += refused_or_faithful(data)
            at(data, path[:-1])[path[-1]] = original
    assert refused > 0.8 * tried


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "3",
        '"text"',
        "{}",
        "[" * 100_000,
        "1" * 5_000,
        '{"format": "rnn_widgets/2"}',
        None,
        3,
    ],
    ids=lambda text: str(text)[:12],
)
def test_what_is_no_network_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="a saved network is"):
        Network.from_json(text)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_refused(word: str) -> None:
    text = rw.rnn(1, 1, 1).replace(x=[[0.125]]).to_json()
    with pytest.raises(ValueError, match="x must be finite"):
        Network.from_json(text.replace("0.125", word))
    cell = rw.cell(params={"W": ("H", "I")})(lambda p, x, h: 0.125 * (p.W @ x))
    with pytest.raises(ValueError, match="must be finite"):
        Network.from_json(rw.custom(cell, 1, 1, 1).to_json().replace("0.125", word))


def test_a_saved_network_over_a_gigabyte_is_refused_before_it_is_built() -> None:
    for field in ("seq_len", "hidden_size", "input_size", "num_layers"):
        data = json.loads(rw.rnn(1, 1, 1).to_json())
        data[field], data["loss_steps"] = 10**12, "all"
        with pytest.raises(ValueError, match="the limit is 1 GB"):
            Network.from_json(json.dumps(data))
