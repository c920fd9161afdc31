"""Mistakes replayed: what is true of each, whatever the network."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import rnn_widgets as rw
from rnn_widgets.core.pitfalls import MISTAKES, Case, Replay, sensible
from rnn_widgets.network import Network

from .networks import coupled, memoryless, networks, stirred

BEFORE = np.random.default_rng(7).standard_normal((4, 2))


def question_d() -> Network:
    return rw.from_flux(
        Wi=[[0.5]],
        Wh=[[0.001]],
        b=[0.85],
        x=[[0.3], [2.5]],
        nonlinearity="identity",
        loss="sum",
    )


def previous(net: Network) -> np.ndarray:
    return BEFORE[:, : net.program.input_size]


@pytest.mark.parametrize(
    ("name", "dWx", "dWh", "db"),
    [
        ("forward order", 2.8025, 1.001, 2.001),
        ("reversed input", 2.8025, 2.1, 2.001),
        ("detached each step", 2.8, 1.0, 2.0),
        ("transposed weight", 2.8003, 1.0, 2.001),
    ],
)
def test_question_d(name: str, dWx: float, dWh: float, db: float) -> None:
    right, wrong = question_d().gradients(), rw.pitfalls(question_d())[name].gradients()
    assert [right[n].item() for n in ("Wi", "Wh", "b")] == pytest.approx([2.8003, 1.0, 2.001])
    assert [wrong[n].item() for n in ("Wi", "Wh", "b")] == pytest.approx([dWx, dWh, db])


def test_an_acausal_term_takes_the_place_of_a_missing_one() -> None:
    pitfall = rw.pitfalls(question_d())["forward order"]
    right = question_d().contributions()["weight_ih_l0"][..., 0, 0]
    assert_allclose(right, [[0.3, 0], [0.001 * 0.3, 2.5]])
    wrong = pitfall.contributions()["weight_ih_l0"][..., 0, 0]
    assert_allclose(wrong, [[0.3, 0.001 * 2.5], [0, 2.5]])
    assert_allclose(pitfall.difference()["weight_ih_l0"][..., 0, 0], wrong - right)
    assert (
        "of 4 contributions C[t, k], 1 comes from a step after its loss, on which it cannot "
        "depend, and 1 is missing"
    ) in pitfall.sentence
    told = "weight_hh_l0 is furthest off, by 0.1 % (1 of 3 parameters' gradients is right)"
    assert told in pitfall.sentence


@given(networks(), st.data())
@settings(max_examples=60, deadline=None)
def test_contributions_add_up_and_are_causal_unless_the_mistake_is_not(
    net: Network, data: st.DataObject
) -> None:
    case = Case(net.program, net.values, previous(net))
    possible = sensible(case)
    names = data.draw(st.lists(st.sampled_from(possible), unique=True) if possible else st.just([]))
    replay = Replay(case, names)
    steps = net.program.seq_len
    for name, array in replay.contributions.items():
        total, scale = replay.gradients[name], replay.scales[name]
        assert_allclose(array.sum((0, 1)), total, rtol=0, atol=1e-12 * scale)
        assert float(np.abs(array).sum((0, 1)).max()) <= scale * (1 + 1e-12)
        if not net.program.bidirectional:
            acausal = ~np.tri(steps, dtype=bool)
            if "forward order" in names:
                assert_array_equal(array[acausal.T], 0)
            else:
                assert_array_equal(array[acausal], 0)


@given(networks())
@settings(max_examples=40, deadline=None)
def test_without_a_mistake_the_replay_is_the_network(net: Network) -> None:
    replay = Replay(Case(net.program, net.values))
    assert replay.gradients.keys() == net.gradients().keys()
    for name, array in net.gradients().items():
        assert_array_equal(replay.gradients[name], array)
    for name, array in net.contributions().items():
        assert_array_equal(replay.contributions[name], array)


@given(networks())
@settings(max_examples=40, deadline=None)
def test_a_mistake_made_twice_over_is_none(net: Network) -> None:
    """Reading backwards, the other reset gate, and the other update gate each undo themselves."""
    case = Case(net.program, net.values)
    for name in {"reversed input", "reset gate mixed up", "update gate swapped"} & {
        *sensible(case)
    }:
        once = MISTAKES[name].fed(case)
        again = MISTAKES[name].fed(once)
        for leaf, value in case.leaves.items():
            assert_array_equal(again.leaves[leaf], value)
        assert again.program.cell.to_json() == case.program.cell.to_json()


def test_a_symmetric_or_scalar_weight_is_its_transpose() -> None:
    one, three = rw.rnn(2, 1, 4), rw.rnn(2, 3, 4)
    weight = three.values["weight_hh_l0"]
    symmetric = three.replace(weight_hh_l0=weight + weight.T)
    for net in (one, symmetric):
        pitfall = rw.pitfalls(net)["transposed weight"]
        assert pitfall.sentence.endswith("here it makes no difference.")
        assert set(pitfall.errors.values()) == {0.0}
    assert any(rw.pitfalls(three)["transposed weight"].errors.values())


def test_carrying_back_one_step_of_a_linear_net_by_hand() -> None:
    """∂L/∂h0 is v W₂ W₁ = v W W, and with the mistake v Wᵀ Wᵀ."""
    net = stirred(rw.rnn(1, 2, 2, nonlinearity="identity", bias=False, loss_steps="last"), 1)
    w, v = net.values["weight_hh_l0"], net.values["v"][1]
    assert_allclose(net.gradients()["h0"], v @ w @ w)
    assert_allclose(rw.pitfalls(net)["transposed weight"].gradients()["h0"], v @ w.T @ w.T)


def test_states_of_the_sequence_before_come_from_its_own_beginning() -> None:
    """h_t = x_t + 2 h_{t−1} ends at 4·h0 + 2·1 + 3, which dL/dW then reads."""
    net = rw.rnn(1, 1, 1, nonlinearity="identity", bias=False, loss="sum")
    net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[7]], h0=[0.5])
    pitfall = rw.pitfalls(net, "state not reset", previous=[[1], [3]])["state not reset"]
    assert pitfall.gradients()["weight_hh_l0"].item() == 4 * 0.5 + 2 * 1 + 3
    assert "6.5 away from h0" in pitfall.sentence
    # Who reads one sequence backwards reads the one before it backwards too.
    case = Case(net.program, net.values, np.array([[1.0], [3.0]]))
    both = Replay(case, ["state not reset", "reversed input"])
    assert both.gradients["weight_hh_l0"].item() == 4 * 0.5 + 2 * 3 + 1


def test_what_makes_sense_where() -> None:
    def listed(net: Network) -> set[str]:
        return set(rw.pitfalls(net, previous=previous(net)))

    always = {"reversed input"}
    recurrent = {"forward order", "state not reset", "detached each step"}
    weights = {"off-by-one hidden state", "transposed weight"}
    gru = {"reset gate mixed up", "update gate swapped"}
    lstm = {"cell carry dropped", "hidden carry dropped"}
    assert listed(rw.rnn(2, 3, 4)) == always | recurrent | weights
    assert listed(rw.gru(2, 3, 4)) == always | recurrent | weights | gru
    assert listed(rw.lstm(2, 3, 4)) == always | recurrent | weights | lstm
    assert listed(rw.custom(memoryless, 2, 3, 4)) == always
    assert listed(rw.custom(coupled, 2, 3, 4)) == always | recurrent | weights - {
        "transposed weight"
    }
    assert listed(rw.rnn(2, 3, 1)) == {"state not reset"} | weights
    assert "detached each step" not in listed(rw.rnn(2, 3, 4).truncate(chunk=1))
    assert "state not reset" not in rw.pitfalls(rw.rnn(2, 3, 4))


def test_refusals_say_why() -> None:
    net = rw.rnn(2, 3, 4)
    with pytest.raises(TypeError, match="names are given one by one"):
        rw.pitfalls(net, ["forward order"])  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="no pitfall 'forward ordr'; did you mean 'forward order'"):
        rw.pitfalls(net, "forward ordr")
    with pytest.raises(ValueError, match="makes no sense for this network: it needs previous="):
        rw.pitfalls(net, "state not reset")
    with pytest.raises(ValueError, match="the cell rnn_tanh has no cell state"):
        rw.pitfalls(net, "cell carry dropped")
    with pytest.raises(ValueError, match="the cell rnn_tanh is no GRU"):
        rw.pitfalls(net, "update gate swapped")
    with pytest.raises(ValueError, match="there is only one step"):
        rw.pitfalls(rw.rnn(2, 3, 1), "forward order")
    with pytest.raises(KeyError, match="the cell rnn_tanh is no GRU"):
        rw.pitfalls(net)["reset gate mixed up"]
    with pytest.raises(ValueError, match=r"of shape \(T, 2\).*not \(4, 3\)"):
        rw.pitfalls(net, previous=np.ones((4, 3)))
    with pytest.raises(ValueError, match="previous must be finite"):
        rw.pitfalls(net, previous=[[np.nan, 1]])
    with pytest.raises(TypeError, match="a network or a lab is needed"):
        rw.pitfalls("net")
    with pytest.raises(ValueError, match="the bound of C"):
        rw.pitfalls(net)["forward order"].contributions().bound("weight_hh_l0")


def test_gradients_answer_to_every_name() -> None:
    net = rw.rnn(2, 3, 4, bias="single")
    gradients = rw.pitfalls(net)["forward order"].gradients()
    assert_array_equal(gradients["recurrent_kernel"], gradients["weight_hh_l0"].T)
    assert_array_equal(gradients["Wh"], gradients["weight_hh_l0"])
    assert not gradients["Wh"].flags.writeable


def test_an_overflow_is_said() -> None:
    net = rw.rnn(1, 2, 3, nonlinearity="identity").replace(weight_hh_l0=np.full((2, 2), 1e200))
    assert "the numbers overflow" in rw.pitfalls(net)["reversed input"].sentence
    assert "the numbers overflow" in repr(rw.pitfalls(net))


def test_only_an_initial_state_can_be_wrong() -> None:
    net = stirred(rw.lstm(2, 3, 1), 3)
    sentence = rw.pitfalls(net)["cell carry dropped"].sentence
    assert "no contribution differs, but the gradient of c0 is off by 100 %" in sentence


def test_sentences_count_what_is_wrong() -> None:
    pitfalls = rw.pitfalls(stirred(rw.lstm(2, 3, 4), 2))
    of_all = "of {} contributions C[t, k], {};"
    for name, told in {
        "forward order": of_all.format(
            16,
            "6 come from steps after their loss, on which it cannot depend, and 6 are missing",
        ),
        "detached each step": of_all.format(10, "6 are missing"),
        "cell carry dropped": of_all.format(10, "6 have another value"),
        "reversed input": of_all.format(10, "10 have another value"),
    }.items():
        assert told in pitfalls[name].sentence
    kept = "(3 of 4 parameters' gradients are right)"
    assert kept in pitfalls["off-by-one hidden state"].sentence
    # The first step reads h0 = 0, and so its weight has a gradient of 0, but not by mistake.
    first = rw.pitfalls(rw.rnn(2, 3, 1))["off-by-one hidden state"]
    assert "of 1 contribution C[t, k], 1 has another value" in first.sentence
    assert "the gradient of weight_hh_l0 is not 0 as it should be" in first.sentence
    assert "weight_hh_l0" in repr(rw.pitfalls(rw.rnn(2, 3, 1)))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("forward order", "of 16 contributions C[t, k], 12 have another value;"),
        ("reversed input", "of 16 contributions C[t, k], 16 have another value;"),
        ("detached each step", "of 16 contributions C[t, k], 12 are missing;"),
    ],
)
def test_a_bidirectional_network_depends_on_steps_after_a_loss(name: str, told: str) -> None:
    pitfall = rw.pitfalls(stirred(rw.rnn(2, 3, 4, bidirectional=True), 2))[name]
    assert told in pitfall.sentence
