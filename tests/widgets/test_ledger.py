"""The ledger: what it says of tensors and of a lab's leaves, and what it sends."""

from __future__ import annotations

import gc
import json
import weakref

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import rnn_widgets as rw
from rnn_widgets.interop.tape import NotFiniteWarning
from rnn_widgets.widgets.ledger import MOST_NODES, LabLedger, TapeLedger
from tests.interop.keras64 import keras

X = torch.tensor([3.0, 1, 0, 1, 2])


def recorded() -> tuple[Tensor, Tensor, rw.Ledger]:
    W, b = torch.ones(3, 5), torch.zeros(3)
    g = rw.gradient(lambda: (W @ X + b).sum(), params=rw.Params(W=W, b=b, V=W))
    return W, b, rw.Ledger(g)


def states(ledger: rw.Ledger) -> dict[str, str]:
    return {row["name"]: row["state"] for row in ledger.get_state()["_rows"]}


def sources(ledger: rw.Ledger) -> dict[str, dict]:
    return {row["leaf"]: row for row in ledger.get_state()["_sources"]}


class TestOfTensors:
    def test_rows_have_objects_versions_and_numbers(self, browser):
        _, _, ledger = recorded()
        assert isinstance(ledger, TapeLedger)
        rows = {row["name"]: row for row in ledger.get_state()["_rows"]}
        assert [row["object"] for row in rows.values()] == [1, 2, 1]
        assert rows["W"]["gradient"] == [3, 1, 0, 1, 2] * 3
        assert rows["b"]["gradient"] == [1, 1, 1]
        assert rows["W"]["norm"] == pytest.approx(45**0.5)
        assert rows["W"]["shape"] == [3, 5]
        json.dumps(ledger.get_state(["_rows", "_tape", "_result"]), allow_nan=False)

    def test_look_again_sees_changes_and_answers(self, browser):
        W, b, ledger = recorded()
        assert states(ledger) == {"W": "current", "b": "current", "V": "current"}
        b.add_(1)
        W.data.mul_(2)
        assert states(ledger) == {"W": "current", "b": "current", "V": "current"}
        browser.clear(ledger)
        browser.custom(ledger, {"kind": "look"})
        assert browser.messages(ledger) == [{"kind": "looked"}]
        sent = {row["name"]: row for row in browser.updates(ledger)["_rows"]}
        assert sent["b"]["state"] == "changed in place since (version 0 → 1)"
        assert (sent["b"]["recorded"], sent["b"]["now"]) == (0, 1)
        assert sent["W"]["state"] == sent["V"]["state"]
        assert sent["W"]["state"].startswith("changed since, as through .data")

    def test_python_may_ask_too(self, browser):
        _, b, ledger = recorded()
        b.sub_(1)
        assert [row.now for row in ledger.look()] == [0, 1, 0]
        assert states(ledger)["b"].startswith("changed in place")
        assert repr(ledger) == (
            "Ledger(W: object 1, current; b: object 2, changed in place since (version 0 → 1); "
            "V: object 1, current)"
        )

    def test_numbers_that_json_cannot_say(self, browser):
        with pytest.warns(NotFiniteWarning):
            g = rw.gradient(lambda a: (a / 0).sum(), torch.tensor([1.0, -1.0]))
        state = rw.Ledger(g).get_state(["_rows", "_result"])
        assert state["_rows"][0]["gradient"] == ["Infinity", "Infinity"]
        assert state["_result"] == "NaN"
        json.dumps(state, allow_nan=False)

    def test_large_gradients_are_not_sent(self, browser):
        g = rw.gradient(lambda a: a.sum(), torch.ones(100, 100))
        (row,) = rw.Ledger(g).get_state()["_rows"]
        assert row["gradient"] is None
        assert row["norm"] == 100

    def test_a_large_tape_is_its_leaves(self, browser):
        def steps(count: int) -> dict:
            def f(W: Tensor) -> Tensor:
                h = torch.ones(2)
                for _ in range(count):
                    h = torch.tanh(W @ h)
                return h.sum()

            return rw.Ledger(rw.gradient(f, torch.eye(2))).get_state()["_tape"]

        few = steps((MOST_NODES - 3) // 2)
        assert few["whole"]
        assert len(few["nodes"]) == 3 + 2 * ((MOST_NODES - 3) // 2)
        many = steps(MOST_NODES // 2)
        assert not many["whole"]
        assert [node["label"] for node in many["nodes"]] == ["W"]
        assert many["edges"] == []
        assert many["operations"] == MOST_NODES + 1

    def test_its_still_picture_says_the_same(self, browser):
        _, b, ledger = recorded()
        b.add_(1)
        data, _ = ledger._repr_mimebundle_()
        assert "y = 21; norms of gradients: W 6.71, b 1.73, V 6.71" in data["text/plain"]
        for words in ("object 1", "object 2", "0 → 1", "changed in place since"):
            assert words in data["image/svg+xml"]


class TestOfALab:
    def test_objects_of_a_module_and_their_changes(self, browser):
        module = nn.RNN(2, 3)
        lab = rw.Lab(rw.from_torch(module, x=np.ones((4, 2))))
        ledger = rw.Ledger(lab)
        assert isinstance(ledger, LabLedger)
        assert ledger.lab is lab
        found = sources(ledger)
        assert list(found) == [
            *("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "x", "h0")
        ]
        assert [row["object"] for row in found.values()] == [1, 2, 3, 4, 5, 0]
        assert found["weight_ih_l0"]["what"] == "Parameter (3, 2)"
        assert found["weight_ih_l0"]["state"] == "current"
        assert (found["x"]["what"], found["x"]["state"]) == ("ndarray (4, 2)", "current")
        assert found["h0"]["state"] == "the lab's own numbers"
        lab.set(weight_hh_l0=np.eye(3))
        assert sources(ledger)["weight_hh_l0"]["state"].startswith("moved in the lab since")
        with torch.no_grad():
            module.bias_ih_l0.add_(1)
        browser.clear(ledger)
        browser.custom(ledger, {"kind": "look"})
        assert browser.messages(ledger) == [{"kind": "looked"}]
        row = sources(ledger)["bias_ih_l0"]
        assert row["now"] == row["recorded"] + 1
        assert row["state"].startswith("the object was changed in place since")
        module.weight_ih_l0.data[0, 0] = torch.nan
        assert ledger.look()[0].state == "the object was changed in place since; the lab was not"

    def test_numbers_moved_there_and_back(self, browser):
        net = rw.from_torch(nn.RNN(2, 3), x=np.ones((4, 2)))
        ledger = rw.Ledger(net)
        lab, before = ledger.lab, net.values["weight_hh_l0"]
        lab.set(weight_hh_l0=before + 1)
        lab.set(weight_hh_l0=before)
        assert "again" in sources(ledger)["weight_hh_l0"]["state"]

    def test_another_module_brings_other_objects(self, browser):
        ledger = rw.Ledger(rw.from_torch(nn.RNN(2, 3), x=np.ones((4, 2))))
        ledger.lab.net = rw.from_torch(nn.LSTM(2, 3), x=np.ones((4, 2)))
        found = sources(ledger)
        assert [row["object"] for row in found.values()] == [6, 7, 8, 9, 10, 0, 0]
        assert {found[leaf]["state"] for leaf in ("weight_ih_l0", "bias_hh_l0")} == {"current"}

    def test_an_array_of_flux_and_one_array_under_two_names(self, browser):
        W = np.eye(2)
        net = rw.from_flux(Wi=W, Wh=W, b=np.zeros(2), x=np.ones((3, 2)))
        found = sources(rw.Ledger(net))
        assert found["weight_ih_l0"]["object"] == found["weight_hh_l0"]["object"] == 1
        assert found["bias_ih_l0"]["object"] == 2
        assert found["weight_ih_l0"]["what"] == "ndarray (2, 2)"
        assert found["weight_ih_l0"]["recorded"] is None

    def test_a_variable_of_keras_that_joins_two_leaves(self, browser):
        layer = keras.layers.GRU(2, reset_after=True)
        layer.build((1, 3, 2))
        ledger = rw.Ledger(rw.from_keras(layer, x=np.ones((3, 2))))
        found = sources(ledger)
        assert found["bias_ih_l0"]["object"] == found["bias_hh_l0"]["object"]
        assert found["bias_ih_l0"]["what"].endswith("(2, 6)")
        assert {found[leaf]["state"] for leaf in ledger.lab.net.program.parameters} == {"current"}
        layer.weights[0].assign(layer.weights[0] + 1)
        assert ledger.look()[0].state.startswith("the object was changed in place since")

    def test_a_target_of_the_only_output_and_a_state_laid_out_otherwise(self, browser):
        layer = keras.layers.SimpleRNN(2)
        layer.build((1, 3, 2))
        target, h0 = np.ones(2), np.ones((1, 2))
        net = rw.from_keras(layer, x=np.ones((3, 2)), h0=h0, loss="mse", target=target)
        found = sources(rw.Ledger(net))
        assert {found[leaf]["state"] for leaf in ("x", "h0", "target")} == {"current"}
        target[1] = 2
        state = sources(rw.Ledger(net))["target"]["state"]
        assert state == "the object was changed in place since; the lab was not"

    def test_networks_and_explorers(self, browser):
        net = rw.rnn(2, 3, 4)
        assert rw.Ledger(net).lab.net is net
        explorer = rw.explore(net)
        ledger = rw.Ledger(explorer)
        assert ledger.lab is explorer.lab
        assert isinstance(ledger, rw.Ledger)
        assert repr(ledger) == f"Ledger({explorer.lab!r})"
        data, _ = ledger._repr_mimebundle_()
        assert "copied from objects: none" in data["text/plain"]
        assert "recurrent_kernel" in data["image/svg+xml"]

    def test_closing_it_leaves_the_lab_and_its_listeners_as_they_were(self, browser):
        lab = rw.Lab(rw.rnn(2, 3, 4))
        before = len(lab._trait_notifiers.get("_network", {}).get("change", []))
        ledger = rw.Ledger(lab)
        ledger.close()
        assert lab.comm is not None
        assert len(lab._trait_notifiers["_network"]["change"]) == before
        lab.set(h0=[1, 0, 0])
        other = rw.Ledger(lab)
        lab.close()
        assert other.comm is None


@pytest.mark.parametrize("given", [3, None, "lab", torch.ones(2)])
def test_what_is_no_subject(given, browser):
    with pytest.raises(TypeError, match="a lab, an explorer or a network"):
        rw.Ledger(given)


def test_gradients_of_a_network_point_to_the_network(browser):
    with pytest.raises(TypeError, match="give the network itself"):
        rw.Ledger(rw.rnn(2, 3, 4).gradients())


@pytest.mark.parametrize("content", [None, {"kind": "other"}, "look"])
def test_messages_that_mean_nothing(content, browser):
    _, _, ledger = recorded()
    with pytest.raises(ValueError, match="unknown message"):
        ledger._asked(ledger, content, [])


def test_closing_it_lets_the_tensors_go(browser):
    W, b, ledger = recorded()
    references = [weakref.ref(W), weakref.ref(b)]
    ledger.close()
    del W, b, ledger
    gc.collect()
    assert [reference() for reference in references] == [None, None]
