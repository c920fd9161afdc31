"""What the options of every view pick: the numbers drawn are those asked for."""

from collections.abc import Iterator
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch

import rnn_widgets as rw
from rnn_widgets.recording.layer import Array
from rnn_widgets.recording.views.options import FIGURES, OPTIONS, defaults

from .both_ways import (
    HH,
    before_last,
    both_ways,
    drawn,
    layer_and_input,
    loss,
    norms_of,
    of_samples,
    same,
    truth_of,
)
from .drawn import by_step
from .samples import recorded


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()


def by_gate(held: Array) -> Array:
    """A parameter (12, columns) as (3 gates, 4 units, columns)."""
    return held.reshape(3, 4, -1)


STATES = ("features_0d", "features_1d", "features_2d", "flow", "lag", "histogram")
COVERED: dict[str, tuple[str, ...]] = {
    "what": FIGURES,  # in test_views_what.py
    "step": ("features_0d", "heatmap"),  # as well
    "bins": ("histogram",),
    "layer": ("lag", "histogram", "heatmap"),
    **{
        name: FIGURES for name, option in OPTIONS.items() if option.views[: len(FIGURES)] == FIGURES
    },
}


def test_every_option_of_every_view_is_tested_here() -> None:
    for view in FIGURES:
        for option in defaults(view):
            assert view in COVERED[option], (view, option)


@pytest.mark.parametrize("view", STATES)
@pytest.mark.parametrize(
    "options",
    [
        {"samples": [2, 0]},
        {"channels": "1, 3"},
        {"direction": "reverse"},
        {"direction": "both"},
        {"max_timesteps": 4},
        {"samples": slice(1, None), "channels": [2, 0], "direction": "forward", "max_timesteps": 2},
    ],
    ids=str,
)
def test_what_picks_of_states_picks_what_it_says(view: str, options: dict[str, Any]) -> None:
    values = by_step(both_ways(), "total")
    values = values[[2, 0] if "samples" in options and len(options) == 1 else slice(None)]
    if len(options) > 1:
        values = values[1:, -2:][:, :, :, [2, 0]]
    elif options.get("channels"):
        values = values[..., [1, 3]]
    elif options.get("max_timesteps"):
        values = values[:, -4:]
    way = {"reverse": slice(1, 2), "forward": slice(0, 1)}.get(options.get("direction", ""))
    made = getattr(both_ways(), view)(what="total", **options)
    if view == "lag":
        whole = by_step(both_ways(), "total")
        if len(options) > 1:
            whole = whole[1:][..., [2, 0]]
        elif "max_timesteps" not in options:
            whole = values
        truth = before_last(norms_of(whole))[way or slice(None)]
        same(made, truth[:, : options.get("max_timesteps", 6)])
        return
    values = values[:, :, way or slice(None)]
    if view == "histogram":
        low, high = made.norm()
        truth = [np.histogram(values[:, :, d], 40, (low, high))[0] for d in range(values.shape[2])]
        np.testing.assert_array_equal(made._counts, truth)
        np.testing.assert_allclose(drawn(made), truth, atol=1e-4 * np.max(truth))
    else:
        same(made, truth_of(view, values))


@pytest.mark.parametrize("view", ["features_0d", "features_1d", "features_2d", "flow", "lag"])
def test_what_picks_of_parameters_picks_what_it_says(view: str) -> None:
    """The norm of each unit's rows, of one gate, of some samples: those of a smaller batch."""
    options = {"samples": [2, 0], "channels": [3, 1], "gate": "z", "max_timesteps": 3}
    made = getattr(both_ways(), view)(what=f"by_source[{HH}]", **options)
    values = by_step(of_samples(2, 0), f"by_source[{HH}]", gate=1)[..., [3, 1]]
    if view == "lag":
        same(made, before_last(norms_of(values))[:, :3])
    else:
        same(made, truth_of(view, values[:, -3:]))


def test_samples_channels_and_gate_of_gradients() -> None:
    rec, some = both_ways(), of_samples(2, 0)
    options = {"samples": [2, 0], "channels": "1:3", "direction": "reverse"}
    truth = by_gate(some.gradients[f"{HH}_reverse"])[:, 1:3]
    view = rec.heatmap(what=f"gradients[{HH}]", **options)
    same(view, truth)
    assert view.figure.title.endswith("GRU, samples 2, 0 of 3")
    same(rec.heatmap(what=f"gradients[{HH}]", gate="n", **options), truth[2:])
    counts = rec.histogram(what=f"gradients[{HH}]", gate="n", **options)
    expected = np.histogram(truth[2], 40, counts.norm())[0][None]
    np.testing.assert_array_equal(counts._counts, expected)
    last = rec.heatmap(what=f"by_source[{HH}]", max_timesteps=2, direction="forward", gate="r")
    same(last, by_gate(rec.by_source(HH)[-2:].sum(0))[:1])
    one = rec.histogram(what=f"by_source[{HH}]", max_timesteps=2, gate="r", direction="forward")
    truth = rec.by_source(HH)[-2:, :4]
    np.testing.assert_array_equal(one._counts[0], np.histogram(truth, 40, one.norm())[0])


def test_samples_channels_and_gate_of_contributions() -> None:
    """Against autograd of each loss term alone: its gradient by source, some rows of it."""
    layer, x = layer_and_input()
    truth = np.zeros((6, 6))
    for t in range(6):
        alone = rw.record(layer, x[[2, 0]], lambda out, t=t: loss([out[0][:, [t]]]))
        rows = alone.by_source(HH).reshape(6, 3, 4, 4)[:, 1, [3, 1]]
        truth[t] = np.sqrt((rows**2).sum((1, 2)))
    options = {"samples": [2, 0], "channels": [3, 1], "gate": "z"}
    rec = both_ways()
    maps = rec.heatmap(what=f"contributions[{HH}]", direction="forward", **options)
    np.testing.assert_allclose(maps._shown[0].values, truth, rtol=1e-9, atol=1e-15)
    same(maps, truth[None])
    late = rec.heatmap(what=f"contributions[{HH}]", direction="forward", max_timesteps=4, **options)
    same(late, truth[None, 2:, 2:])
    assert "t = 3, k = 3" in late.read(0.0, -0.5)
    lags = [np.diagonal(truth, -lag)[1 if lag < 1 else 0 :] for lag in range(5)]
    lags = [np.mean([truth[k + lag, k] for k in range(1, 6 - lag)]) for lag in range(5)]
    same(rec.lag(**options), np.array([lags]))  # the first step meets a state of zero
    same(rec.lag(max_timesteps=2, **options), np.array([lags[:2]]))


def test_lag_shows_the_directions_that_are_asked_for() -> None:
    rec = both_ways()
    tables = [rec.contributions(f"weight_ih_l0{end}") for end in ("", "_reverse")]
    truth = np.array(
        [
            [np.diagonal(table, lag * way).mean() for lag in range(6)]
            for table, way in zip(tables, (-1, 1), strict=True)
        ]
    )
    same(rec.lag(what="weight_ih_l0"), truth[:1])
    same(rec.lag(what="weight_ih_l0", direction="reverse"), truth[1:])
    both = rec.lag(what="weight_ih_l0", direction="both", reflect=True)
    same(both, truth)
    assert both._sizes.down == [False, True]
    assert list(both.layers["captions"].text) == ["forward", "reverse"]
    assert "fitted reverse: ×" in both.foot.legend[1][2]


@pytest.mark.parametrize("view", ["lag", "histogram", "heatmap"])
def test_layer_chooses_one_of_a_stack(view: str) -> None:
    rec = recorded(torch.nn.RNN, num_layers=2)
    for layer in (0, 1, -1):
        of = layer % 2
        made = getattr(rec, view)(layer=layer)
        if view == "lag":
            lags = rec.lag(what=f"weight_hh_l{of}")._norms
            np.testing.assert_array_equal(made._norms, lags)
            assert f"weight_hh_l{of} " in made.figure.title
        elif view == "heatmap":
            same(made, rec.gradients[f"weight_hh_l{of}"][None])
        else:
            held = [g for name, g in rec.gradients.items() if name.endswith(f"l{of}")]
            assert made._counts.sum() == sum(g.size for g in held)
    with pytest.raises(IndexError, match="0 to 1, not 2"):
        getattr(rec, view)(layer=2)


@pytest.mark.parametrize("bins", [1, 6, 7])
def test_bins_are_as_many_as_asked_for_and_even(bins: int) -> None:
    view = both_ways().histogram(what="total", bins=bins, direction="forward")
    count = bins + bins % 2
    truth = np.histogram(both_ways().total[..., :4], count, view.norm())[0]
    np.testing.assert_allclose(drawn(view)[0], truth, atol=0.01)


# What draws several panels of each view.
