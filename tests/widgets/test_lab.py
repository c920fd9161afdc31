"""The lab and its sliders: messages both ways, and what is refused."""

import threading

import ipywidgets
import numpy as np
import pytest
import traitlets
from hypothesis import given
from hypothesis import strategies as st

import rnn_widgets as rw
from rnn_widgets.widgets.sliders import grown, only_snapped
from rnn_widgets.widgets.state import aliases_to_json, network_to_json
from rnn_widgets.widgets.sync import silently

ENTRY = "weight_hh_l0[0,1]"


def entry(lab: rw.Lab) -> float:
    return float(lab.net.values["weight_hh_l0"][0, 1])


def test_a_move_in_the_browser_reaches_the_network_and_is_not_sent_back(browser):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider, twin = lab.slider(ENTRY), lab.slider(ENTRY)
    browser.clear(lab, slider, twin)
    browser.update(slider, value=1.25)
    assert entry(lab) == 1.25
    assert twin.value == 1.25
    # A late echo of any of these would undo what the user has moved since.
    assert "_network" not in browser.updates(lab)
    assert browser.updates(twin) == {}
    assert browser.updates(slider) == {}
    # But a page that is loaded now gets them all.
    assert lab.get_state()["_network"]["values"]["weight_hh_l0"][0][1] == 1.25
    assert twin.get_state()["value"] == 1.25


def test_a_move_in_python_is_sent(browser):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider, twin = lab.slider(ENTRY), lab.slider(ENTRY)
    browser.clear(lab, slider, twin)
    slider.value = 1.234
    assert entry(lab) == 1.234
    assert browser.updates(lab)["_network"]["values"]["weight_hh_l0"][0][1] == 1.234
    assert browser.updates(slider)["value"] == 1.234
    assert browser.updates(twin)["value"] == 1.234


def test_set_sends_sliders_before_the_network(browser):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider = lab.slider(ENTRY)
    order = []
    for widget in (lab, slider):
        send = widget.comm.publish_msg
        widget.comm.publish_msg = lambda *a, _w=widget, _s=send, **k: (
            order.append(_w),
            _s(*a, **k),
        )
    lab.set(weight_hh_l0=np.full((3, 3), 0.5))
    assert order == [slider, lab]
    assert slider.value == 0.5


def test_what_a_slider_rounds_to_its_step_is_no_move(browser):
    exact = 0.123456
    net = rw.rnn(2, 3, 4).replace(weight_hh_l0=np.full((3, 3), exact))
    lab = rw.Lab(net)
    slider = lab.slider(ENTRY, step=0.1)
    browser.update(slider, value=0.10000000000000009)
    assert entry(lab) == exact
    browser.update(slider, value=0.2)
    assert entry(lab) == 0.2
    browser.update(slider, value=0.1)
    assert entry(lab) == 0.1


def test_a_value_set_in_python_is_taken_exactly_even_next_to_the_old_one(browser):
    lab = rw.Lab(rw.rnn(2, 3, 4).replace(weight_hh_l0=np.full((3, 3), 0.304)))
    slider = lab.slider(ENTRY, step=0.01)
    slider.value = 0.30
    assert entry(lab) == 0.30


def test_the_range_of_a_slider_grows_with_its_value(browser):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider = lab.slider(ENTRY, min=-1, max=1)
    lab.set(weight_hh_l0=np.full((3, 3), 5.3))
    assert (slider.value, slider.min, slider.max) == (5.3, -1, 6)
    lab.set(weight_hh_l0=np.full((3, 3), -0.037))
    assert (slider.value, slider.min, slider.max) == (-0.037, -1, 6)


def test_a_slider_starts_with_a_range_that_holds_its_value():
    lab = rw.Lab(rw.rnn(2, 3, 4).replace(h0=[5.3, 0, 0]))
    slider = lab.slider("h0[0]", min=-1, max=1)
    assert (slider.value, slider.min, slider.max) == (5.3, -1, 6)


@given(st.floats(-1e9, 1e9))
def test_a_grown_range_holds_the_value(value):
    low, high = grown(-2.0, 2.0, value)
    assert low <= value <= high
    assert low <= -2.0 < 2.0 <= high


@given(st.integers(-2000, 2000), st.floats(-2, 2), st.sampled_from([0.1, 0.01, 0.001]))
def test_only_the_nearest_step_counts_as_rounding(steps, exact, step):
    report = min(max(round(steps * 0.001 / step) * step, -2.0), 2.0)
    nearest = abs(report - exact) < step * 0.499
    far = abs(report - exact) > step * 0.501
    if nearest or far:
        assert only_snapped(report, exact, -2.0, 2.0, step) == nearest


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "1", None])
def test_a_slider_value_that_is_no_number_leaves_the_network_finite(browser, value):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider = lab.slider(ENTRY)
    browser.update(slider, value=value)
    assert np.isfinite(entry(lab))
    assert slider.value == entry(lab)


def test_assigning_another_network_disables_and_revives_sliders(browser):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider = lab.slider("weight_hh_l0[2,2]")
    first = lab.net
    lab.net = rw.rnn(2, 2, 4)
    assert slider.disabled
    slider.value = 1.9  # moves nothing: its entry is gone
    assert lab.net.values["weight_hh_l0"].shape == (2, 2)
    lab.net = first
    assert not slider.disabled
    assert slider.value == first.values["weight_hh_l0"][2, 2]


def test_a_network_that_a_browser_puts_in_place_is_followed_without_an_echo(browser):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    kept, lost = lab.slider("h0[1]"), lab.slider("weight_hh_l0[2,2]")
    mark = lab.heatmap().marks[0]
    lab.selection, lab.loss_step, lab.source_step = "weight_hh_l0[2,2]", 3, 2
    browser.clear(lab, kept, lost)
    net = rw.lstm(1, 2, 2, bias=False, rng=3).replace(h0=[0.5, 0.75])
    browser.update(lab, _network=network_to_json(net, None))
    assert lab.net.to_json() == net.to_json()
    assert (kept.value, kept.disabled, lost.disabled) == (0.75, False, True)
    assert browser.updates(kept) == browser.updates(lost) == {}
    assert "_network" not in browser.updates(lab)
    np.testing.assert_array_equal(mark.color, net.contributions().norm("weight_hh_l0"))
    # What the browser cannot know is sent, and what it looks at exists.
    assert browser.updates(lab)["_aliases"] == aliases_to_json(net)
    assert (lab.selection, lab.loss_step, lab.source_step) == ("weight_hh_l0[0,0]", 1, 1)
    browser.clear(lost)
    browser.update(lab, _network=network_to_json(rw.rnn(2, 3, 4), None))
    assert not lost.disabled
    assert browser.updates(lost) == {}


def test_seed_slider_is_the_slider_of_that_seed(browser):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider = lab.seed_slider(step=2, unit=0, min=-5, max=5)
    browser.update(slider, value=-3.0)
    assert lab.net.values["v"][2, 0] == -3.0


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda lab: lab.slider("weight_hh_0[0,1]"), KeyError, "did you mean 'weight_hh_l0'"),
        (lambda lab: lab.slider("weight_hh_l0"), ValueError, "one entry"),
        (lambda lab: lab.slider("weight_hh_l0[3,0]"), IndexError, "0 to 2"),
        (lambda lab: lab.slider(ENTRY, min=1, max=1), ValueError, "min < max"),
        (lambda lab: lab.slider(ENTRY, step=0), ValueError, "step > 0"),
        (lambda lab: lab.slider(ENTRY, max="2"), TypeError, "text"),
        (lambda lab: lab.seed_slider(step=9, unit=0), IndexError, "0 to 3"),
        (lambda lab: lab.set(weight_hh_l0=np.eye(2)), ValueError, r"\(3, 3\)"),
        (lambda lab: lab.set(weight=1), KeyError, "weight_hh_l0"),
        (lambda lab: setattr(lab, "net", "rnn"), TypeError, "Network"),
        (lambda lab: lab.heatmap("weight_hi_l0"), KeyError, "did you mean"),
        (lambda lab: lab.jacobian_map(9), IndexError, "0 to 3"),
        (lambda lab: lab.table(compare={"Wq": [1]}), KeyError, "did you mean"),
        (lambda lab: lab.table(compare={"Wh": [1]}), ValueError, r"\(3, 3\)"),
        (lambda lab: setattr(lab, "selection", "bias_ih_l0"), ValueError, "one entry"),
        (lambda lab: rw.Lab("net"), TypeError, "Network"),
    ],
)
def test_refusals_say_what_was_expected_and_change_nothing(make, error, says):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    before, bound, selected = lab.net, list(lab._sliders), lab.selection
    with pytest.raises(error, match=says):
        make(lab)
    assert lab.net is before
    assert list(lab._sliders) == bound
    assert lab.selection == selected


def test_classes_have_no_slider():
    lab = rw.Lab(rw.rnn(2, 3, 4, loss="cross_entropy"))
    with pytest.raises(TypeError, match="whole numbers"):
        lab.slider("target[0]")


@pytest.mark.parametrize(
    "state",
    [
        {"selection": "weight_hh_l0[7,7]"},
        {"selection": "nothing[0]"},
        {"selection": 3},
        {"loss_step": 4},
        {"source_step": -1},
        {"_network": {"format": "rnn_widgets/1"}},
        {"_network": "nonsense"},
        {"_network": None},
    ],
)
def test_malformed_updates_are_refused_and_the_state_is_kept(browser, state):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    before, selected = lab.net, lab.selection
    browser.clear(lab)
    browser.update(lab, **state)  # ipywidgets prints the refusal
    assert lab.net is before
    assert lab.selection == selected
    told = browser.updates(lab)  # the browser is told what holds instead
    assert set(told) == set(state)
    assert told.get("selection", selected) == selected
    slider = lab.slider(ENTRY)
    browser.update(slider, value=0.5)
    assert entry(lab) == 0.5


@pytest.mark.parametrize("content", [None, "confirm", {}, {"kind": "explode"}, [1, 2]])
def test_unknown_messages_are_refused(browser, content, capsys):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    browser.clear(lab)
    with pytest.raises(ValueError, match="unknown message"):
        lab._on_message(lab, content, [])
    assert browser.messages(lab) == []


def test_confirm_is_answered_by_torch(browser):
    lab = rw.Lab(rw.lstm(2, 3, 4, loss="mse"))
    browser.clear(lab)
    browser.custom(lab, {"kind": "confirm", "id": 7})
    (answer,) = browser.messages(lab)
    assert answer["id"] == 7
    gradients = lab.net.gradients()
    assert set(answer["gradients"]) == set(gradients)
    for name, array in answer["gradients"].items():
        np.testing.assert_allclose(array, gradients[name], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(answer["values"]["x"], lab.net.values["x"])


def test_confirm_of_an_overflowed_network_is_valid_json(browser):
    lab = rw.Lab(rw.rnn(1, 1, 4, nonlinearity="identity").replace(weight_hh_l0=[[1e200]]))
    browser.clear(lab)
    browser.custom(lab, {"kind": "confirm", "id": 1})
    (answer,) = browser.messages(lab)
    assert None in np.ravel(answer["gradients"]["weight_hh_l0"]).tolist()


def test_threads_moving_two_sliders_lose_no_move():
    # Comm messages arrive in another thread of the kernel than the cell that is running.
    lab = rw.Lab(rw.rnn(2, 3, 4))
    first, second = lab.slider("weight_hh_l0[0,0]"), lab.slider("weight_hh_l0[1,1]")

    def move(slider):
        for i in range(200):
            slider.value = i / 200

    threads = [threading.Thread(target=move, args=(s,)) for s in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = lab.net.values["weight_hh_l0"]
    assert values[0, 0] == values[1, 1] == 199 / 200


def test_close_closes_all_that_the_lab_made():
    before = set(ipywidgets.widgets.widget._instances)
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider = lab.slider(ENTRY)
    lab.heatmap(), lab.bars(), lab.lag_plot(), lab.jacobian_map(), lab.table()
    lab.close()
    left = [
        widget
        for key, widget in ipywidgets.widgets.widget._instances.items()
        if key not in before and not isinstance(widget, ipywidgets.Layout | ipywidgets.Style)
    ]
    assert [w for w in left if not type(w).__name__.endswith("Style")] == []
    slider.value = 1.0  # nothing listens any more


def test_running_a_cell_again_closes_its_earlier_labs(monkeypatch):
    runs = iter(["run 1", "run 1", "run 2"])
    monkeypatch.setattr("rnn_widgets.widgets.sync.current_cell", lambda: ("cell", next(runs)))
    first, second = (rw.Lab(rw.rnn(2, 3, 4)) for _ in range(2))
    assert first.comm is not None  # two labs of one run live side by side
    third = rw.Lab(rw.rnn(2, 3, 4))
    assert first.comm is None
    assert second.comm is None
    assert third.comm is not None


def test_text_forms_are_the_same_on_every_run():
    lab = rw.Lab(rw.rnn(2, 3, 4))
    assert repr(lab) == (
        "Lab(Network(rnn_tanh, input_size=2, hidden_size=3, seq_len=4, loss='seed'))"
    )
    assert repr(lab.heatmap(ENTRY)) == "Figure('C[t, k] of weight_hh_l0[0,1]')"
    assert repr(lab.table()) == f"Table({lab!r})"


@pytest.mark.parametrize("net", [rw.rnn(2, 3, 4), rw.lstm(2, 3, 4), rw.gru(2, 3, 4)])
def test_a_recurrent_weight_is_selected_and_shown_to_begin_with(net):
    lab = rw.Lab(net)
    assert lab.selection == "weight_hh_l0[0,0]"
    assert lab.heatmap().title == "‖C[t, k]‖ of weight_hh_l0"


def test_a_selection_is_written_in_one_way():
    lab = rw.Lab(rw.rnn(2, 3, 4))
    lab.selection = " weight_hh_l0 [ +0 , 1 ] "
    assert lab.selection == ENTRY


def test_what_was_to_be_sent_before_a_silent_change_still_is(browser):
    slider = rw.Lab(rw.rnn(2, 3, 4)).slider(ENTRY)
    browser.clear(slider)
    with slider.hold_sync():
        slider.description = "theirs"
        with silently(slider, "description", "tooltip"):
            slider.description, slider.tooltip = "ours", "ours"
    assert browser.updates(slider) == {"description": "ours"}


def test_a_closed_lab_says_so():
    lab = rw.Lab(rw.rnn(2, 3, 4))
    lab.close()
    for use in (
        lambda: lab.slider(ENTRY),
        lambda: lab.heatmap(),
        lambda: lab.table(),
        lambda: lab.set(h0=[1, 2, 3]),
        lambda: setattr(lab, "net", rw.rnn(2, 3, 4)),
    ):
        with pytest.raises(RuntimeError, match="closed"):
            use()
    lab.close()


def test_a_closed_slider_or_mark_is_let_go():
    lab = rw.Lab(rw.rnn(2, 3, 4))
    mark = lab.heatmap().marks[0]
    lab.slider(ENTRY).close()
    mark.close()
    assert list(lab._sliders) == []
    assert mark not in [spec["widget"] for spec in lab._drives]
    twin = lab.slider(ENTRY)
    lab.bars()
    lab.set(h0=[1, 2, 3])
    assert [spec["slider"] for spec in lab._sliders] == [twin]
    assert mark not in [spec["widget"] for spec in lab._drives]


def test_a_slider_that_the_user_disabled_stays_so_and_still_follows():
    lab = rw.Lab(rw.rnn(2, 3, 4))
    slider = lab.slider("h0[1]", disabled=True)
    lab.set(h0=[0.0, 0.5, 0.0])
    assert (slider.disabled, slider.value) == (True, 0.5)
    slider.value = 1.5
    assert lab.net.values["h0"][1] == 1.5


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda lab: lab.slider("h0[0]", mn=2), "did you mean 'min'"),
        (lambda lab: lab.slider("h0[0]", value=2), "lab.set"),
        (lambda lab: lab.heatmap(tilte="T"), "did you mean 'title'"),
    ],
)
def test_misspelt_options_are_refused(make, says):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    with pytest.raises(TypeError, match=says):
        make(lab)


def test_a_refused_drive_is_not_kept():
    lab = rw.Lab(rw.rnn(2, 3, 4))
    progress, whole = ipywidgets.FloatSlider(min=0, max=1), ipywidgets.IntText()
    with pytest.raises(traitlets.TraitError):
        lab.drive(progress, "max", "value[weight_ih_l0[0,0]]", "minus_limit")
    with pytest.raises(TypeError, match="neither numbers nor text"):
        lab.drive(whole, "value", "loss")
    assert list(lab._drives) == []
    lab.set(h0=[1, 2, 3])
