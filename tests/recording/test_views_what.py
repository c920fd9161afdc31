"""Every view of every recorded quantity: the right numbers, or a view that draws it."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch

from rnn_widgets.recording.quantity import names
from rnn_widgets.recording.recording import Recording
from rnn_widgets.recording.views.options import FIGURES, OPTIONS

from .drawn import by_step, curve_numbers, dash_numbers, map_numbers
from .samples import recorded

KINDS = {"GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM, "RNN": torch.nn.RNN}
TIMED = [
    "cell.carried",
    "gates.f.values",
    "gates.o.adjoints",
    "layers[0].direct",
    "outputs",
    "x",
    "by_source[weight_hh_l0]",
    "by_source[bias_ih_l0]",
    "contributions[weight_ih_l0]",
]
UNTIMED = ["weights[weight_hh_l0]", "gradients[bias_hh_l0]", "initial[h0]", "initial[c0]"]


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()


@cache
def both_ways(kind: str = "LSTM") -> Recording:
    return recorded(KINDS[kind], bidirectional=True)


def close(drawn: Any, truth: Any, high: float, rtol: float = 1e-5) -> None:
    assert np.isfinite(drawn).all()
    np.testing.assert_allclose(drawn, truth, rtol=0, atol=rtol * high)


@pytest.mark.parametrize("what", TIMED)
def test_what_has_steps_is_drawn_by_all_features(what: str) -> None:
    rec = both_ways()
    truth = by_step(rec, what)
    panels = truth.transpose(0, 2, 3, 1).reshape(len(truth), -1, 6)  # samples, panels, steps
    view = rec.features_1d(what=what)
    name = "samples" if len(truth) > 1 else "focus"
    close(curve_numbers(view, name, view._scales), panels, view.norm()[1])
    if what.startswith(("by_source", "contributions")):
        assert view.norm()[0] == 0
    maps = rec.features_2d(what=what)
    close(map_numbers(maps), panels, maps.norm()[1], 1 / 120)
    units = rec.features_0d(what=what)
    close(dash_numbers(units, "samples"), truth.sum(1), units.norm()[1])
    units = rec.features_0d(what=what, step=4)
    close(dash_numbers(units, "samples"), truth[:, 4], units.norm()[1])


@pytest.mark.parametrize("what", UNTIMED)
def test_what_has_no_steps_is_drawn_unit_by_unit(what: str) -> None:
    rec = both_ways()
    view = rec.features_0d(what=what)
    close(dash_numbers(view, "samples"), by_step(rec, what)[:, 0], view.norm()[1])
    assert "summed over time" not in view.figure.title


@pytest.mark.parametrize("what", TIMED)
def test_flow_has_the_norm_of_anything_at_each_step(what: str) -> None:
    rec = both_ways()
    view = rec.flow(what=what)
    truth = np.sqrt((by_step(rec, what) ** 2).sum((0, 3))).T[None]
    np.testing.assert_allclose(view._norms, truth, rtol=1e-12)
    drawn = curve_numbers(view, "norm", view._sizes.scales)
    np.testing.assert_allclose(drawn[truth > 0], truth[truth > 0], rtol=1e-4)
    assert np.isnan(drawn[truth == 0]).all()  # these stand at the bottom, apart


@pytest.mark.parametrize("what", TIMED)
def test_lag_has_the_norm_of_anything_before_the_last_step(what: str) -> None:
    """In the reverse direction the last step to run is the first of the input."""
    rec = both_ways()
    truth = np.sqrt((by_step(rec, what) ** 2).sum((0, 3))).T  # directions, steps
    if what.startswith("contributions"):
        table = rec.contributions("weight_ih_l0")
        truth = np.array([[np.diagonal(table, -lag).mean() for lag in range(6)]])
    else:
        truth[0] = truth[0, ::-1]
    view = rec.lag(what=what)
    np.testing.assert_allclose(np.atleast_2d(view._norms), truth, rtol=1e-12)
    drawn = curve_numbers(view, "norms", view._sizes.scales)[0]
    np.testing.assert_allclose(drawn[truth > 0], truth[truth > 0], rtol=1e-4)


def test_lag_counts_from_the_end_of_each_sequence() -> None:
    rec = recorded(torch.nn.GRU, samples=2, steps=5, lengths=[5, 3])
    truth = [
        np.hypot(*(np.linalg.norm(rec.total[n, end - 1 - lag]) for n, end in ((0, 5), (1, 3))))
        for lag in range(3)
    ]
    norms = rec.lag(what="total")._norms
    np.testing.assert_allclose(norms[:3], truth)
    np.testing.assert_allclose(norms[3:], np.linalg.norm(rec.total[0, 1::-1], axis=1))


@pytest.mark.parametrize("what", [*TIMED, *UNTIMED, "gradients", "weights"])
def test_histograms_count_every_number_of_anything(what: str) -> None:
    rec = both_ways()
    group, _, name = what.removesuffix("]").partition("[")
    if group in ("gradients", "weights"):
        held = getattr(rec, group)
        numbers = [held[n] for n in held if name in n]
    elif group == "by_source":
        numbers = [rec.by_source(name + end) for end in ("", "_reverse")]
    elif group == "contributions":  # of the pairs of steps that have one
        forward, back = (rec.contributions(name + end) for end in ("", "_reverse"))
        numbers = [forward[np.tri(6, dtype=bool)], back[np.tri(6, dtype=bool).T]]
    else:
        numbers = [rec.quantity(what).values]
    truth = np.concatenate([part.ravel() for part in numbers])
    view = rec.histogram(what=what)
    counts = np.histogram(truth, view._bins, view.norm())[0]
    np.testing.assert_array_equal(view._counts.sum(0), counts)
    assert counts.sum() == len(truth)


def test_heat_maps_of_what_each_step_adds() -> None:
    rec = both_ways()
    truth = rec.by_source("weight_ih_l0").reshape(6, 4, 4, 2)
    at_one = rec.heatmap(what="by_source[weight_ih_l0]", step=2, direction="forward")
    close(map_numbers(at_one), truth[2], at_one.norm()[1], 1 / 120)
    assert "at t = 3 (step 2)" in at_one.figure.title
    summed = rec.heatmap(what="by_source[weight_ih_l0]", direction="forward")
    whole = rec.gradients["weight_ih_l0"].reshape(4, 4, 2)
    close(map_numbers(summed), whole, summed.norm()[1], 1 / 120)


def test_heat_maps_of_initial_states() -> None:
    rec = recorded(torch.nn.LSTM, bidirectional=True, num_layers=2)
    view = rec.heatmap(what="initial[c0]")
    close(map_numbers(view), rec.initial["c0"], view.norm()[1], 1 / 120)
    assert view.read(2.0, -1.5 - view._grid.lane).startswith(
        "c0 of layer 0 forward · sample 1 · unit 2: "
    )


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_view_cannot_draw_it_refuses_with_one_that_can(kind: str) -> None:
    rec = both_ways(kind)
    refused: dict[tuple[str, str], str] = {}
    for view, what in product(FIGURES, names(rec)):
        try:
            assert getattr(rec, view)(what=what).layers
        except (ValueError, KeyError) as error:
            refused[view, what] = str(error)
    for (view, what), said in refused.items():
        others = [name for name in FIGURES if re.search(rf"\b{name}\b", said) and name != view]
        assert others, (view, what, said)
        assert not [other for other in others if (other, what) in refused], (view, what, said)
    for view in FIGURES:
        drawn = tuple(what for what in names(rec) if (view, what) not in refused)
        assert len(drawn) > len(names(rec)) / 4
        everything = {"features_0d", "histogram"}
        assert drawn == names(rec) or view not in everything


def test_help_says_what_every_option_means() -> None:
    rec = both_ways()
    for view in FIGURES:
        text = getattr(rec, view).__doc__
        for name, option in OPTIONS.items():
            there = re.search(rf"^{name} : ", text, re.MULTILINE)
            assert bool(there) == (view in option.views), (view, name)
        assert text.index("Parameters\n") < text.index("Raises\n") < text.index("Examples\n")


@pytest.mark.parametrize(
    ("view", "options", "says"),
    [
        ("flow", {"what": "gradients[weight_hh_l0]"}, r"by_source\[weight_hh_l0\] has what each"),
        ("features_1d", {"what": "initial[h0]"}, "features_0d, histogram and heatmap draw it"),
        ("features_1d", {"gate": "r"}, "gates.i.adjoints"),
        ("features_1d", {"bins": 3}, "features_1d has no bins: it is an option of histogram"),
        ("features_2d", {"step": 3}, "has no step: it is an option of features_0d, heatmap"),
        ("features_1d", {"layer": 0}, "it is an option of lag, histogram, heatmap"),
        ("features_1d", {"what": "inputs", "direction": "forward"}, "of no direction"),
        ("features_0d", {"step": 1, "max_timesteps": 2}, "not one of the last 2"),
        ("features_0d", {"what": "weights[bias_ih_l0]", "step": 1}, "no steps"),
        ("features_0d", {"what": "weights[bias_ih_l0]", "samples": 1}, "the same for every sample"),
        ("histogram", {"what": "weights", "samples": 1}, "the same for every sample"),
        ("histogram", {"what": "gradients", "max_timesteps": 1}, "by_source"),
        ("heatmap", {"what": "weights", "step": 1}, "by_source"),
        ("heatmap", {"what": "contributions", "step": 1}, "pairs of steps"),
        ("heatmap", {"what": "contributions", "reflect": True}, "it mirrors gradients, weights"),
        ("heatmap", {"what": "by_source", "max_timesteps": 2, "step": 1}, "last 2"),
        ("heatmap", {"what": "initial[h0]", "max_timesteps": 2}, "max_timesteps"),
        ("lag", {"scale": "symlog"}, "log, linear"),
        ("lag", {"rows": "two"}, "whole number"),
        ("lag", {"share_axes": 1}, "True or False"),
        ("lag", {"titel": "x"}, "did you mean 'title'"),
        ("histogram", {"orientation": "down"}, "horizontal, vertical"),
        ("flow", {"title": 3}, "title is text"),
        ("flow", {"width": True}, "pixels"),
        ("flow", {"selection": 3}, "rec.selection"),
        ("flow", {"what": 3}, "named by text"),
        ("summary", {"norm": 3}, "summary has no norm: it is an option of features_0d"),
        ("summary", {"sample": 3}, "did you mean 'samples'"),
        ("summary", {"what": "totl"}, "did you mean 'total'"),
    ],
)
def test_refusals_say_what_would_do(view: str, options: Any, says: str) -> None:
    with pytest.raises((KeyError, ValueError, TypeError), match=says):
        getattr(both_ways("GRU"), view)(**options)
