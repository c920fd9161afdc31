"""Figures of a recording: what they draw is what was recorded."""

from collections.abc import Iterator
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch

import rnn_widgets as rw
from rnn_widgets.recording.views.grid import HALF
from rnn_widgets.recording.views.scales import rising
from rnn_widgets.recording.views.text import three_digits

from .samples import as_shares, changed, curve_values, pixels, points, recorded


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()


def by_channel(values: Any) -> Any:
    """From (samples, steps, channels) to (samples, channels, steps)."""
    return np.asarray(values).transpose(0, 2, 1)


@pytest.mark.parametrize("what", ["total", "direct", "cell.carried", "gates.f.adjoints", "inputs"])
def test_curves_are_the_recorded_numbers(what: str) -> None:
    rec = recorded(bidirectional=True)
    view = rec.features_1d(what=what)
    truth = by_channel(rec.quantity(what).values)
    low, high = view.norm()
    assert low == -high
    assert np.abs(truth).max() <= high <= 1.34 * np.abs(truth).max()
    drawn = curve_values(view, view.layers["samples"], high)
    np.testing.assert_allclose(drawn, truth, rtol=0, atol=1e-5 * high)
    x, _ = points(view.layers["samples"])
    grid = view._grid
    steps = x.reshape(grid.panels, -1)[:, :-1] - grid.left(np.arange(grid.panels))[:, None]
    np.testing.assert_array_equal(steps, np.broadcast_to(np.arange(6.0), steps.shape))
    captions = list(view.layers["captions"].text)
    assert captions[0] == ("0" if what == "inputs" else "forward 0")
    assert captions[-1] == ("1" if what == "inputs" else "reverse 3")


def test_the_options_of_curves_pick_what_they_say() -> None:
    rec = recorded(bidirectional=True)
    options = {"samples": [2, 0], "channels": "1:3", "direction": "reverse", "max_timesteps": 4}
    view = rec.features_1d(**options, norm=0.5, rows=2)
    truth = by_channel(rec.total[[2, 0], 2:, 5:7])
    np.testing.assert_allclose(curve_values(view, view.layers["samples"], 0.5), truth, atol=1e-5)
    assert view.norm() == (-0.5, 0.5)
    assert (view._grid.rows, view._grid.columns) == (2, 1)
    assert list(view.layers["captions"].text) == ["1", "2"]
    assert view.figure.axes[0].tick_labels["0"] == "3"  # the first step shown is t = 3
    assert view.controls() == [rec.selection.control("sample")]


def test_panels_with_scales_of_their_own_say_which() -> None:
    rec = recorded()
    view = rec.features_1d(share_axes=False)
    truth = by_channel(rec.total)
    limits = [float(caption.split("±")[1]) for caption in view.layers["captions"].text]
    for channel, limit in enumerate(limits):
        drawn = curve_values(view, view.layers["samples"], limit)[:, channel]
        np.testing.assert_allclose(drawn, truth[:, channel], atol=1e-5 * limit)
        assert np.abs(truth[:, channel]).max() <= limit
    assert not len(view.figure.axes[1].tick_values)


def test_many_curves_become_a_range_and_one_curve() -> None:
    rec = recorded(torch.nn.RNN, samples=16, steps=100, hidden=256)
    view = rec.features_1d()
    assert "samples" not in view.layers
    high = view.norm()[1]
    _, y = points(view.layers["range"])
    outline = y.reshape(256, 201)[:, :-1]
    bottoms = np.asarray(view._grid.bottom(np.arange(256)))[:, None]
    shares = (outline - bottoms) / HALF - 1
    np.testing.assert_allclose(shares[:, :100] * high, rec.total.min(0).T, atol=1e-5 * high)
    np.testing.assert_allclose(shares[:, :99:-1] * high, rec.total.max(0).T, atol=1e-5 * high)
    for sample in (None, 5):
        rec.selection.sample = sample
        drawn = curve_values(view, view.layers["focus"], high)[0]
        np.testing.assert_allclose(drawn, rec.total[sample or 0].T, atol=1e-5 * high)
    assert len(rec.features_1d(samples="all").layers["samples"].y) == 16


def test_the_sample_slider_moves_every_figure() -> None:
    rec = recorded()
    curves, maps, flow = rec.features_1d(), rec.features_2d(), rec.flow()
    units, counts = rec.features_0d(), rec.histogram(what="total")
    slider = rec.selection.control("sample")
    for view in (curves, maps, flow, units, counts):
        assert slider in view.children[-1].children
    assert len(pixels(maps)) == 3
    before = curves.layers["samples"]
    slider.value = "2"
    assert rec.selection.sample == 2
    high = curves.norm()[1]
    focus = curve_values(curves, curves.layers["focus"], high)[0]
    np.testing.assert_allclose(focus, rec.total[2].T, atol=1e-5 * high)
    assert curves.layers["samples"] is before  # what is long to draw stays
    shares = as_shares(pixels(maps))
    np.testing.assert_allclose(shares, rec.total[None, 2].transpose(0, 2, 1) / high, atol=1 / 120)
    np.testing.assert_allclose(flow._norms[0, 0], np.linalg.norm(rec.total[2], axis=1))
    assert counts._counts.sum() == rec.total[2].size
    assert maps.figure.title.endswith("LSTM, sample 2")
    slider.value = "all"
    assert rec.selection.sample is None
    assert len(pixels(maps)) == 3


def test_the_channel_filter_moves_every_figure() -> None:
    rec = recorded()
    curves, maps, flow = rec.features_1d(), rec.features_2d(), rec.flow()
    field, told = rec.selection.control("channels").children
    field.value = "1:3"
    assert rec.selection.channels == (1, 2)
    assert curves._grid.panels == 2
    assert pixels(maps).shape == (3, 2, 6)
    truth = np.linalg.norm(rec.total[..., 1:3], axis=(0, 2))
    np.testing.assert_allclose(flow._norms[0, 0], truth)
    field.value = "9"
    assert rec.selection.channels == (1, 2)
    assert field.value == "9"
    assert "channel 9 is not one of 0 to 3" in told.value
    field.value = "3"
    assert told.value == ""
    field.value = "nine"
    assert told.value
    rec.selection.channels = 0
    assert (field.value, told.value) == ("0", "")
    rec.selection.channels = None
    assert curves._grid.panels == 4
    rec.selection.channels = slice(3)
    assert field.value == "0, 1, 2"


def test_heat_maps_have_depth_by_size_and_colour_by_sign() -> None:
    rec = recorded(bidirectional=True)
    view = rec.features_2d()
    high = view.norm()[1]
    truth = by_channel(rec.total)
    shares = as_shares(pixels(view))
    np.testing.assert_allclose(shares, truth / high, rtol=0, atol=1 / 120)
    np.testing.assert_array_equal(np.sign(shares), np.sign(truth))
    down = as_shares(pixels(rec.features_2d(orientation="vertical")))
    np.testing.assert_array_equal(down, shares.transpose(0, 2, 1))
    mirrored = as_shares(pixels(rec.features_2d(reflect=True)))
    np.testing.assert_array_equal(mirrored[:, :4], shares[:, :4])
    np.testing.assert_array_equal(mirrored[:, 4:], shares[:, :3:-1])
    log = as_shares(pixels(rec.features_2d(scale="symlog")))
    expected = np.arcsinh(truth / high * 1e6) / np.arcsinh(1e6)
    np.testing.assert_allclose(log, expected, atol=1 / 120)


def test_zero_alone_is_the_background() -> None:
    rec = recorded(torch.nn.RNN, loss=lambda out: out[0][:, -1].sum())
    view = rec.features_2d(what="direct")
    places = pixels(view)
    np.testing.assert_array_equal(places == 120, by_channel(rec.direct) == 0)
    tiny = changed(rec, "direct_l0", (0, 0, 0), 1e-30)
    np.testing.assert_array_equal(pixels(tiny.features_2d(what="direct"))[0, 0, 0], 121)


def test_numbers_beyond_the_ends_are_counted() -> None:
    rec = recorded()
    beyond = int((np.abs(rec.total) > 0.05).sum())
    assert 0 < beyond < rec.total.size
    for view in (rec.features_1d(norm=0.05), rec.features_2d(norm=(-0.05, 0.05))):
        assert f"{beyond} numbers beyond the ends" in view.foot.note
    assert "beyond" not in rec.features_1d().foot.note


def test_values_at_one_step_and_summed() -> None:
    rec = recorded()
    for step, truth in ((2, rec.total[:, 2]), (-1, rec.total[:, 5]), ("sum", rec.total.sum(1))):
        view = rec.features_0d(step=step)
        _, y = points(view.layers["samples"])
        heights = y.reshape(3, 4, 3)[..., 0]
        bottom = float(view._grid.bottom(np.array(0)))
        drawn = ((heights - bottom) / HALF - 1) * view.norm()[1]
        np.testing.assert_allclose(drawn, truth, atol=1e-5 * view.norm()[1])
    assert "at t = 3 (step 2)" in rec.features_0d(step=2).figure.title


def test_flow_is_the_norms_of_the_three_parts() -> None:
    rec = recorded(bidirectional=True)
    view = rec.flow()
    low, high = view.norm()
    for i, part in enumerate(("total", "carried", "direct")):
        truth = np.linalg.norm(getattr(rec, part).reshape(3, 6, 2, 4), axis=(0, 3)).T
        np.testing.assert_allclose(view._norms[i], truth, rtol=1e-12)
        _, y = points(view.layers[part])
        y = y[: 2 * 7].reshape(2, 7)[:, :-1]
        bottoms = np.asarray(view._grid.bottom(np.arange(2)))[:, None]
        drawn = low * (high / low) ** ((y - bottoms) / HALF / 2)
        np.testing.assert_allclose(drawn[truth > 0], truth[truth > 0], rtol=1e-4)
        assert np.isnan(drawn[truth == 0]).all()
    assert "norms do not add" in view.foot.note
    linear = rec.flow(scale="linear", what="c")
    truth = np.linalg.norm(rec.cell.direct[..., 4:], axis=(0, 2))
    np.testing.assert_allclose(linear._norms[2, 1], truth)
    assert linear.norm()[0] == 0


def test_zeros_stand_at_the_bottom_and_are_joined_with_zeros_only() -> None:
    rec = recorded(torch.nn.RNN, loss=lambda out: out[0][:, -1].sum())
    view = rec.flow()
    _, y = points(view.layers["direct"])
    bottom = float(view._grid.bottom(np.array(0)))
    assert np.isnan(y[:5]).all()
    assert np.isfinite(y[5])
    np.testing.assert_array_equal(y[7:12], bottom)
    assert np.isnan(y[12])
    axis = view.figure.axes[1]
    assert dict(zip(axis.tick_labels.values(), axis.tick_values, strict=True))["0"] == bottom


def test_direct_and_total_tell_opposite_stories_on_screen() -> None:
    """A layer that carries everything: the direct adjoint is zero at every step but the last."""
    rec = recorded(torch.nn.GRU, loss=lambda out: out[0][:, -1].sum())
    flow = rec.flow()
    total, carried, direct = flow._norms[:, 0]
    assert (direct[:-1] == 0).all()
    assert (total > 0).all()
    np.testing.assert_array_equal(carried[:-1], total[:-1])
    assert "does not mean no gradient" in rec.features_2d(what="direct").foot.note


def test_a_reflected_direction_hangs_down() -> None:
    rec = recorded(bidirectional=True)
    plain, mirrored = rec.flow(), rec.flow(reflect=True)
    _, one = points(plain.layers["total"])
    _, other = points(mirrored.layers["total"])
    middle = float(plain._grid.bottom(np.array(1))) + HALF
    np.testing.assert_array_equal(other[:6], one[:6])
    np.testing.assert_allclose(other[7:13], 2 * middle - one[7:13], atol=0.01)


def test_lag_finds_the_rate_of_a_linear_layer() -> None:
    layer = torch.nn.RNN(1, 1, nonlinearity="relu", bias=False, batch_first=True).double()
    layer.weight_ih_l0.data.fill_(1.0)
    layer.weight_hh_l0.data.fill_(0.8)
    for loss in (lambda out: out[0].sum(), lambda out: out[0][:, -1].sum()):
        view = rw.record(layer, torch.ones(1, 9, 1).double(), loss).lag(what="weight_ih_l0")
        np.testing.assert_allclose(view._norms, 0.8 ** np.arange(9))
        assert view.rate == pytest.approx(0.8)
        assert view.half_life == pytest.approx(np.log(0.5) / np.log(0.8))
        assert view.foot.legend[0][2] == "fitted: × 0.8 each step, half-life 3.11 steps"
    layer.weight_hh_l0.data.fill_(1.25)
    growing = rw.record(layer, torch.ones(1, 9, 1).double(), lambda out: out[0].sum())
    view = growing.lag(what="weight_ih_l0")
    assert view.rate == pytest.approx(1.25)
    assert view.half_life == np.inf
    assert "× 1.25 each step, grows: doubles every 3.11 steps" in view.foot.legend[0][2]


def test_lag_of_the_reverse_direction_counts_back_in_its_own_time() -> None:
    rec = recorded(torch.nn.RNN, bidirectional=True)
    norms = rec.contributions("weight_ih_l0_reverse")
    assert not np.tril(norms, -1).any()
    view = rec.lag(what="weight_ih_l0_reverse")
    truth = [np.mean(np.diagonal(norms, lag)) for lag in range(6)]
    np.testing.assert_allclose(view._norms, truth)


@pytest.mark.parametrize(("kind", "gates"), [(torch.nn.LSTM, "ifgo"), (torch.nn.GRU, "rzn")])
def test_heat_maps_of_weights_are_split_by_gate_and_direction(kind: Any, gates: str) -> None:
    rec = recorded(kind, bidirectional=True)
    view = rec.heatmap(what="weights[weight_hh_l0]")
    high = view.norm()[1]
    captions = [f"{direction} {gate}" for gate in gates for direction in ("forward", "reverse")]
    assert list(view.layers["captions"].text) == captions
    shares = as_shares(pixels(view)).reshape(len(gates), 2, 4, 4)
    for d, end in enumerate(("", "_reverse")):
        truth = rec.weights[f"weight_hh_l0{end}"].reshape(len(gates), 4, 4)
        np.testing.assert_allclose(shares[:, d] * high, truth, atol=high / 120)
    assert view.figure.title.startswith("weight_hh_l0, both directions, by gate")
    rec.selection.gate, rec.selection.direction = gates[1], "reverse"
    assert view.figure.title.startswith(f"weight_hh_l0_reverse, gate {gates[1]}")
    shares = as_shares(pixels(view))
    truth = rec.weights["weight_hh_l0_reverse"][None, 4:8]
    np.testing.assert_allclose(shares * high, truth, atol=high / 120)
    assert view.norm()[1] == high
    entry = three_digits(float(truth[0, 0, 0]))
    assert view.read(0.0, -0.5) == f"weight_hh_l0_reverse · {gates[1]}[0, 0]: {entry}"


def test_a_heat_map_of_contributions_is_steps_by_steps() -> None:
    rec = recorded(bidirectional=True)
    view = rec.heatmap(what="contributions[weight_hh_l0]")
    high = view.norm()[1]
    truth = np.stack([rec.contributions("weight_hh_l0" + end) for end in ("", "_reverse")])
    np.testing.assert_allclose(as_shares(pixels(view)) * high, truth, atol=high / 120)
    assert view.figure.title.startswith("‖C[t, k]‖ of weight_hh_l0, both directions")
    assert [axis.label for axis in view.figure.axes][1] == "loss step t"
    norm = three_digits(float(truth[0, 3, 1]))
    said = f"weight_hh_l0: t = 4, k = 2 (loss step 3, source step 1): {norm}"
    assert view.read(1.0, view._grid.bottom(np.array(0)) + 2.5) == said
    assert view.controls() == [rec.selection.control("direction")]
    with pytest.raises(KeyError, match=r"contributions\[name\]"):
        rec.heatmap(what="direct")


def test_histograms_count_everything_once() -> None:
    rec = recorded(bidirectional=True)
    view = rec.histogram(what="gradients", bins=11)
    assert view._counts.shape == (8 * 4, 12)
    assert view._counts.sum() == sum(g.size for g in rec.gradients.values())
    ends = view.norm()
    first = rec.gradients["weight_ih_l0"][:4].ravel()
    np.testing.assert_array_equal(view._counts[0], np.histogram(first, 12, ends)[0])
    # 12 bins of a panel, and one unit to the next: negative ones in its left half.
    for name, ends in (("negative", (-0.5, 5.5)), ("positive", (5.5, 11.5))):
        places = points(view.layers[name])[0] % 13
        assert set(places[np.isfinite(places)]) == {e % 13 for e in np.arange(ends[0], ends[1] + 1)}
    rec.selection.gate, rec.selection.direction = "g", "reverse"
    assert [g.caption for g in view._shown] == [
        f"{name}_l0_reverse · g" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    rec.selection.gate, rec.selection.direction = "all", "both"
    narrow = rec.histogram(what="weights", norm=0.1)
    weights = np.concatenate([w.ravel() for w in rec.weights.values()])
    assert f"{(np.abs(weights) > 0.1).sum()} beyond the ends" in narrow.foot.note
    assert narrow._counts.sum() == len(weights)


def test_each_panel_of_a_histogram_may_have_a_scale_of_its_own() -> None:
    rec = recorded()
    view = rec.histogram(what="gradients[weight_hh_l0]", share_axes=False)
    most = [int(counts.max()) for counts in view._counts]
    tops = [int(str(text).rpartition("up to ")[2]) for text in view.layers["captions"].text]
    assert tops == [rising(np.array(m))[1] for m in most]
    assert len(set(tops)) > 1
    grid, (_, y) = view._grid, points(view.layers["positive"])
    for panel, outline in enumerate(y.reshape(grid.panels, -1)):
        over = np.nanmax(outline) - float(grid.bottom(np.array(panel)))
        right = view._counts[panel, view._bins // 2 :].max()
        assert over / grid.height == pytest.approx(right / tops[panel], rel=1e-5)


def test_gates_are_drawn_between_shut_and_open() -> None:
    rec = recorded()
    for view in (
        rec.features_1d(what="gates.f.values"),
        rec.features_2d(what="layers[0].gates.o.values"),
        rec.features_0d(what="gates.i.values", step=2),
        rec.histogram(what="gates.f.values"),
    ):
        assert view.norm() == (0.0, 1.0)
    maps = rec.features_2d(what="gates.f.values")
    shares = as_shares(pixels(maps))
    np.testing.assert_allclose(shares, by_channel(rec.gates["f"].values), atol=1 / 120)
    assert maps.foot.legend[0][1].startswith("linear-gradient(to right, transparent, #")
    assert rec.features_2d(what="gates.g.values").norm()[0] < 0
    assert rec.features_2d(what="gates.f.adjoints").norm()[0] < 0
    assert rec.features_0d(what="gates.f.values").norm()[1] > 1  # summed over time
    assert rec.features_2d(what="gates.f.values", norm=0.5).norm() == (-0.5, 0.5)


def test_colours_are_named_along_the_axis_only_where_a_figure_stands_alone() -> None:
    rec = recorded()
    for name in ("features_2d", "heatmap"):
        assert "(colours from" in getattr(rec, name)().figure.axes[0].label
        for view in rw.compare({"a": rec, "b": recorded()}, view=name).views.values():
            assert "colours" not in view.figure.axes[0].label
            assert view.foot.legend
