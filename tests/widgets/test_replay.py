"""Three heat maps of a mistake: what they show, whom they follow, and that they let go."""

from typing import Any

import ipywidgets
import numpy as np
import pytest

import rnn_widgets as rw
from rnn_widgets.widgets.replay import ReplayMap

ENTRY = "weight_hh_l0[0,1]"
BEFORE = [[1.0, -1.0], [0.5, 2.0]]


def shown(view: ReplayMap) -> list[np.ndarray]:
    return [figure.marks[0].color for figure in view.children[1].children]


def told(view: ReplayMap) -> str:
    return view.children[0].value


def agrees(view: ReplayMap, net: rw.Network, name: str) -> None:
    """The maps are those of the entry, on one scale that holds all of them."""
    pitfall = rw.pitfalls(net, name, previous=BEFORE)[name]
    right = net.contributions()["weight_hh_l0"][..., 0, 1]
    wrong = pitfall.contributions()["weight_hh_l0"][..., 0, 1]
    for found, expected in zip(shown(view), (right, wrong, wrong - right), strict=True):
        np.testing.assert_array_equal(found, expected)
    marks = [figure.marks[0] for figure in view.children[1].children]
    largest = max(np.abs(right).max(), np.abs(wrong).max(), np.abs(wrong - right).max())
    for mark in marks:
        scale = mark.scales["color"]
        assert largest <= scale.max <= 1.34 * largest
        assert scale.min == -scale.max
        np.testing.assert_array_equal(mark.row, np.arange(1, len(right) + 1))
    assert pitfall.sentence.split(":")[0] in told(view)


@pytest.mark.parametrize("name", rw.pitfalls(rw.gru(2, 3, 4), previous=BEFORE))
def test_right_wrong_and_difference(name: str) -> None:
    net = rw.gru(2, 3, 4)
    agrees(rw.pitfalls(net, name, previous=BEFORE)[name].heatmap(ENTRY), net, name)


def test_a_whole_parameter_is_shown_by_norms() -> None:
    net = rw.lstm(2, 3, 4)
    pitfall = rw.pitfalls(net)["hidden carry dropped"]
    right, wrong, difference = shown(pitfall.heatmap())
    np.testing.assert_allclose(right, net.contributions().norm("weight_hh_l0"))
    np.testing.assert_allclose(wrong, pitfall.contributions().norm("weight_hh_l0"))
    np.testing.assert_allclose(difference, pitfall.difference().norm("weight_hh_l0"))


def test_it_follows_a_lab_through_every_change() -> None:
    lab = rw.Lab(rw.gru(2, 3, 4))
    slider = lab.slider(ENTRY)
    view = rw.pitfalls(lab, previous=BEFORE)["forward order"].heatmap(ENTRY)
    slider.value = 1.5
    agrees(view, lab.net, "forward order")
    lab.net = rw.lstm(2, 2, 6, loss="mse")
    agrees(view, lab.net, "forward order")
    lab.net = rw.rnn(2, 1, 4)
    assert f"{ENTRY} does not exist in this network" in told(view)
    assert "weight_hh_l0 has shape (1, 1)" in told(view)
    assert list(view.children) == [view._said]  # no empty frames of maps
    lab.net = rw.rnn(2, 3, 1)
    assert "makes no sense for this network: there is only one step" in told(view)
    lab.net = rw.rnn(2, 3, 5)
    agrees(view, lab.net, "forward order")


def test_a_mistake_that_has_no_sense_any_more_says_so() -> None:
    lab = rw.Lab(rw.gru(2, 3, 4))
    pitfalls = rw.pitfalls(lab, "reset gate mixed up", "state not reset", previous=BEFORE)
    lab.net = rw.rnn(3, 3, 4)
    for pitfall, reason in (
        (pitfalls["reset gate mixed up"], "the cell rnn_tanh is no GRU"),
        (pitfalls["state not reset"], "previous= has 2 inputs, and the network 3"),
    ):
        assert reason in pitfall.sentence
        assert reason in repr(pitfalls)
        with pytest.raises(ValueError, match=reason):
            pitfall.gradients()
        view = pitfall.heatmap("weight_hh_l0")
        assert reason in told(view)
        assert reason in view._repr_mimebundle_()[0]["text/plain"]


def test_it_follows_the_selection() -> None:
    lab = rw.explore(rw.lstm(2, 3, 4)).lab
    pitfall = rw.pitfalls(lab)["cell carry dropped"]
    view = pitfall.heatmap("selection")
    for entry, index in (("weight_ih_l0[5,1]", (5, 1)), ("bias_hh_l0[2]", (2,))):
        lab.selection = entry
        name = entry.split("[")[0]
        np.testing.assert_array_equal(shown(view)[1], pitfall.contributions()[name][(..., *index)])
        assert entry in told(view)


def test_the_caption_tells_the_entry_shown_from_the_whole_network() -> None:
    net = rw.rnn(2, 3, 4)  # h0 is 0: nothing to multiply at the first step
    pitfall = rw.pitfalls(net)["detached each step"]
    did, shown_here, whole = pitfall.heatmap(ENTRY)._told.split(". ")
    assert did == "The state was detached at every step, so no loss reaches back through it"
    right, wrong = (made["weight_hh_l0"][0, 1] for made in (net.gradients(), pitfall.gradients()))
    assert shown_here == (
        "Shown is C[t, k] of weight_hh_l0[0,1]: of 6 contributions C[t, k] that are not 0 in the "
        "first map or the second, 3 are missing; its gradient is off by "
        f"{100 * abs(wrong - right) / abs(right):.3g} %"
    )
    assert whole.startswith(
        "In the whole network, over all parameters: of 10 contributions C[t, k], 6 are missing; "
        "the gradient of bias_ih_l0 is furthest off, by"
    )
    of_all = pitfall.heatmap("bias_ih_l0")._told
    assert "Shown is ‖C[t, k]‖ of bias_ih_l0: of 10 contributions" in of_all
    assert f"its gradient is off by {100 * pitfall.errors['bias_ih_l0']:.3g} %" in of_all


def test_the_caption_of_an_entry_that_the_mistake_leaves_right() -> None:
    late = rw.pitfalls(rw.rnn(2, 3, 4))["off-by-one hidden state"]
    assert (
        "Shown is C[t, k] of bias_ih_l0[0]: here it makes no difference."
        in late.heatmap("bias_ih_l0[0]")._told
    )
    nothing = rw.rnn(2, 3, 4).replace(weight_hh_l0=np.zeros((3, 3)))
    late = rw.pitfalls(nothing)["off-by-one hidden state"].heatmap("weight_hh_l0[0,0]")
    assert "4 have another value; its gradient is off by" in late._told
    huge = rw.rnn(1, 2, 3, nonlinearity="identity").replace(weight_hh_l0=np.full((2, 2), 1e200))
    overflows = rw.pitfalls(huge)["reversed input"].heatmap()._told
    assert "of weight_hh_l0: the numbers overflow, and cannot be compared." in overflows


def listeners(lab: Any, view: ReplayMap) -> int:
    found = lab._trait_notifiers["_network"]["change"] + lab._trait_notifiers["selection"]["change"]
    return sum(getattr(listener, "__self__", None) is view for listener in found)


def test_closing_either_ends_it() -> None:
    lab = rw.Lab(rw.rnn(2, 3, 4))
    one, other = (rw.pitfalls(lab)["forward order"].heatmap() for _ in range(2))
    assert listeners(lab, one) == listeners(lab, other) == 2
    alive = len(ipywidgets.widgets.widget._instances)
    one.close()
    assert listeners(lab, one) == 0
    assert listeners(lab, other) == 2
    assert all(figure.comm is None for figure in one._figures)
    before = shown(other)[0]
    lab.set(x=np.ones((4, 2)))
    assert not np.array_equal(shown(other)[0], before)
    lab.close()
    assert listeners(lab, other) == 0
    assert other.comm is None
    assert len(ipywidgets.widgets.widget._instances) < alive


def test_its_text_is_the_same_on_every_run() -> None:
    made = [rw.pitfalls(rw.rnn(2, 3, 4))["detached each step"].heatmap(ENTRY) for _ in range(2)]
    assert [repr(view) for view in made] == [f"ReplayMap('detached each step', '{ENTRY}')"] * 2
    texts = [view._repr_mimebundle_()[0] for view in made]
    assert texts[0]["text/plain"] == texts[1]["text/plain"]
    assert texts[0]["image/svg+xml"] == texts[1]["image/svg+xml"]
    assert "detached at every step" in texts[0]["text/plain"]


def test_overflow_and_one_step_are_drawn() -> None:
    net = rw.rnn(1, 2, 3, nonlinearity="identity").replace(weight_hh_l0=np.full((2, 2), 1e200))
    view = rw.pitfalls(net)["reversed input"].heatmap()
    assert "the numbers overflow" in told(view)
    single = rw.pitfalls(rw.gru(1, 1, 1))["update gate swapped"].heatmap()
    assert [array.shape for array in shown(single)] == [(1, 1)] * 3


def test_refusals() -> None:
    pitfall = rw.pitfalls(rw.rnn(2, 3, 4))["forward order"]
    with pytest.raises(KeyError, match="did you mean 'weight_hh_l0'"):
        pitfall.heatmap("weight_hh_0")
    with pytest.raises(IndexError, match="its index runs over"):
        pitfall.heatmap("weight_hh_l0[3,0]")
    with pytest.raises(KeyError, match="contributions exist for parameters only"):
        pitfall.heatmap("h0")
    with pytest.raises(ValueError, match="a network has no selection"):
        pitfall.heatmap("selection")
    with pytest.raises(TypeError, match="no option of Figure 'titel'; did you mean 'title'"):
        pitfall.heatmap(titel="x")
