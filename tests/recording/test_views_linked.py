"""What links the figures of a recording, what they refuse, and what is not finite."""

import copy
import io
import pickle
from collections.abc import Iterator
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import rnn_widgets as rw
from rnn_widgets.recording.views.grid import HALF, Grid, step_ticks
from rnn_widgets.recording.views.images import NOT_FINITE
from rnn_widgets.recording.views.scales import Scale
from rnn_widgets.recording.views.text import three_digits

from .samples import as_shares, changed, curve_values, pixels, points, recorded

KINDS = ("features_0d", "features_1d", "features_2d", "flow", "lag", "histogram", "heatmap")


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_counted_and_marked_and_never_zero(value: float) -> None:
    rec = changed(recorded(torch.nn.RNN), "direct_l0", (2, 1, 3), value)  # step 2, sample 1, unit 3
    name = "1 NaN" if np.isnan(value) else "1 +∞" if value > 0 else "1 −∞"
    curves = rec.features_1d(what="direct")
    drawn = curve_values(curves, curves.layers["samples"], curves.norm()[1])
    missing = np.zeros((3, 4, 6), bool)
    missing[1, 3, 2] = True
    np.testing.assert_array_equal(np.isnan(drawn), missing)
    x, y = points(curves.layers["not finite"])
    grid = curves._grid
    bars_x, bars_y = (side.reshape(-1, 3)[:, :2] for side in (x, y))
    np.testing.assert_array_equal(bars_x, float(grid.left(np.array(3))) + 2)
    middle = float(grid.bottom(np.array(3))) + HALF
    edges = [1, -1] if np.isnan(value) else [np.sign(value)]  # the other samples' curves stay clear
    np.testing.assert_array_equal(np.sign(bars_y - middle), np.repeat(edges, 2).reshape(-1, 2))
    assert (np.abs(bars_y - middle) > 0.8 * HALF).all()
    maps = rec.features_2d(what="direct")
    np.testing.assert_array_equal(pixels(maps) == NOT_FINITE, missing)
    flow = rec.flow()
    np.testing.assert_array_equal(flow._norms, rec.flow(samples=[0, 2])._norms)
    assert set(points(flow.layers["not finite"])[0][:2]) == {2}
    assert "Sample 1 has NaN or ∞" in flow.foot.note
    alone = rec.flow(samples=1)
    assert np.isfinite(alone._norms).sum() == alone._norms.size - 2  # total and direct, at one step
    for view in (curves, maps, rec.histogram(what="direct"), rec.features_0d(what="direct")):
        assert view.figure.title.endswith(f" · {name}")
        assert ("fill", "#d81b60", "NaN or ±∞") in view.foot.legend
    assert "not finite" in rec.histogram(what="direct").layers
    reading = curves.read(2.0 + float(grid.left(np.array(3))), middle)
    assert reading.endswith(f"sample 1: {three_digits(value)}")


def test_a_figure_of_nothing_but_nan_says_so() -> None:
    x = torch.full((2, 4, 2), torch.nan, dtype=torch.float64)
    rec = rw.record(torch.nn.GRU(2, 3, batch_first=True).double(), x, lambda out: out[0].sum())
    for kind in KINDS:
        view = getattr(rec, kind)()
        assert "NaN" in view.figure.title, kind
        assert np.isfinite(view.norm()).all()


@pytest.mark.parametrize("size", [1e-12, 1e12, 0.0, 1e-200, 1e200])
def test_sizes_of_every_magnitude_are_drawn_within_the_panel(size: float) -> None:
    rec = recorded(torch.nn.RNN, loss=lambda out: size * out[0].sum())
    assert np.abs(rec.total).max() == pytest.approx(size, rel=20, abs=0)
    for kind in KINDS:
        view = getattr(rec, kind)()
        (left, right), (down, top) = (view.foot.axes[name] for name in ("across", "up"))
        for mark in view.layers.values():
            if hasattr(mark, "stroke_width"):
                x, y = points(mark)
                assert left <= np.nanmin(x, initial=0.0) <= np.nanmax(x, initial=0.0) <= right
                assert down <= np.nanmin(y, initial=0.0) <= np.nanmax(y, initial=0.0) <= top
    flow = rec.flow()
    truth = size * np.linalg.norm(
        recorded(torch.nn.RNN, loss=lambda out: out[0].sum()).total, axis=(0, 2)
    )
    np.testing.assert_allclose(flow._norms[0, 0], truth, rtol=1e-9)
    if size == 0:
        assert "All of these numbers are zero." in flow.foot.note


@pytest.mark.parametrize(("samples", "steps", "hidden"), [(1, 1, 1), (1, 1, 40), (2, 200, 1)])
def test_every_size_is_drawn(samples: int, steps: int, hidden: int) -> None:
    rec = recorded(samples=samples, steps=steps, hidden=hidden, bidirectional=hidden == 1)
    for kind in KINDS:
        view = getattr(rec, kind)()
        assert view.layers, kind
        view.read(0.0, -0.5)
    curves = rec.features_1d()
    mark = curves.layers["samples" if samples > 1 else "focus"]
    if steps > 1:
        drawn = curve_values(curves, mark, curves.norm()[1])
        np.testing.assert_allclose(
            drawn, rec.total.transpose(0, 2, 1), atol=1e-5 * curves.norm()[1]
        )


def test_padding_is_left_out() -> None:
    rec = recorded(torch.nn.GRU, samples=2, steps=5, lengths=[5, 3])
    curves = rec.features_1d()
    drawn = curve_values(curves, curves.layers["samples"], curves.norm()[1])
    assert np.isnan(drawn[1, :, 3:]).all()
    np.testing.assert_allclose(drawn[1, :, :3], rec.total[1, :3].T, atol=1e-5 * curves.norm()[1])
    assert "not finite" not in curves.layers
    assert (as_shares(pixels(rec.features_2d()))[1, :, 3:] == 0).all()
    assert rec.histogram(what="total")._counts.sum() == (5 + 3) * 4
    assert "own length" in curves.foot.note


def test_pointing_at_a_step_reads_it_in_every_figure() -> None:
    rec = recorded(bidirectional=True)
    for view in (
        rec.features_1d(),
        rec.features_2d(),
        rec.flow(),
        rec.features_2d(orientation="vertical"),
    ):
        steps = view.foot.steps
        assert (steps["first"], steps["count"]) == (0, 6)
        for step in (0, 3, 5):
            along = steps["pitch"] * (steps["repeats"] - 1) + steps["offset"] + step + 0.5
            inside = view._grid.lane + 0.5
            x, y = (0.0, -along) if steps["vertical"] else (along - 0.5, -inside)
            assert view.read(x, y).startswith(f"t = {step + 1} (step {step}) · "), view
    late = rec.features_1d(max_timesteps=2)
    assert (late.foot.steps["first"], late.foot.steps["count"]) == (4, 2)
    assert late.read(0.0, -late._grid.lane - 1).startswith("t = 5 (step 4)")
    assert rec.lag().foot.steps == {}


def test_a_reading_has_the_number() -> None:
    rec = recorded(torch.nn.RNN, samples=2)
    rec = changed(rec, "direct_l0", (4, 1, 2), -0.0123456)
    rec.selection.sample = 1
    view = rec.features_1d(what="direct")
    x = float(view._grid.left(np.array(2))) + 4.2
    y = float(view._grid.bottom(np.array(2))) + 10
    assert view.read(x, y) == "t = 5 (step 4) · channel 2 · sample 1: −0.0123"
    view.foot.send = sent = Sent()
    view.foot._handle_custom_msg({"at": [x, y]}, [])
    assert sent.content == {"reading": view.read(x, y)}
    maps = rec.features_2d(what="direct")
    assert maps.read(4.0, -2.5) == view.read(x, y)
    assert maps.read(4.0, 3.0) == ""


class Sent:
    def __call__(self, content: Any) -> None:
        self.content = content


def test_a_recording_that_was_summed_up_can_be_copied_pickled_and_saved_by_torch() -> None:
    rec = recorded()
    text, norms = rec.summary(), rec.contributions("weight_hh_l0")
    file = io.BytesIO()
    torch.save(rec, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    for other in (copy.deepcopy(rec), pickle.loads(pickle.dumps(rec)), loaded):
        assert other.summary() == text
        np.testing.assert_array_equal(other.contributions("weight_hh_l0"), norms)


def test_a_recording_with_figures_can_be_copied_and_pickled() -> None:
    rec = recorded()
    rec.selection.sample = 1
    rec.features_2d()
    for other in (copy.deepcopy(rec), pickle.loads(pickle.dumps(rec))):
        assert (other.total == rec.total).all()
        assert other.selection is not rec.selection
        assert other.selection.sample is None


def test_a_closed_comparison_leaves_nothing() -> None:
    rec = recorded()
    before = set(ipywidgets.widgets.widget._instances)
    rw.compare({"one": rec, "other": rec}, view="flow").close()
    left = set(ipywidgets.widgets.widget._instances) - before
    names = {type(ipywidgets.widgets.widget._instances[one]).__name__ for one in left}
    assert {name for name in names if not name.endswith(("Layout", "Style"))} == set()


def test_a_closed_figure_follows_no_longer_and_leaves_nothing() -> None:
    rec = recorded()
    before = set(ipywidgets.widgets.widget._instances)
    selection = rec.selection
    kept = rec.features_2d()
    title = kept.figure.title
    kept.close()
    selection.sample = 1
    assert kept.figure.title == title
    for control in ("sample", "channels", "gate", "direction"):
        selection.control(control)
    selection.close()
    left = set(ipywidgets.widgets.widget._instances) - before
    names = {type(ipywidgets.widgets.widget._instances[one]).__name__ for one in left}
    # Layouts and styles are never closed by ipywidgets itself.
    assert {name for name in names if not name.endswith(("Layout", "Style"))} == set()


REFUSED = [
    ("features_1d", {"what": "totl"}, KeyError, "did you mean 'total'"),
    ("features_1d", {"what": "gradients[weight_hh_l0]"}, ValueError, "histogram and heatmap"),
    ("features_1d", {"samples": 3}, IndexError, "sample 3 is not one of 0 to 2"),
    ("features_1d", {"samples": "most"}, TypeError, "not 'most'"),
    ("features_1d", {"samples": []}, ValueError, "picks no sample"),
    ("features_2d", {"channels": "0:2, x"}, ValueError, "0:16, 20"),
    ("features_2d", {"channels": 4}, IndexError, "channel 4 is not one of 0 to 3"),
    ("features_2d", {"direction": "reverse"}, ValueError, "forward only"),
    ("features_2d", {"direction": "backward"}, KeyError, "no direction 'backward'"),
    ("features_2d", {"reflect": True}, ValueError, "only one"),
    ("features_2d", {"orientation": "down"}, ValueError, "horizontal, vertical"),
    ("features_2d", {"norm": "max"}, TypeError, '"auto"'),
    ("features_2d", {"norm": (0.1, 0.2)}, ValueError, "low <= 0 <= high"),
    ("features_2d", {"norm": (0, 0)}, ValueError, "low <= 0 <= high"),
    ("features_2d", {"scheme": "blue-oranges"}, KeyError, "did you mean 'blue-orange'"),
    ("features_2d", {"scheme": ("red", "blue")}, TypeError, "#2b6cb0"),
    ("features_2d", {"scale": "log"}, ValueError, "linear, symlog"),
    ("features_2d", {"max_timesteps": 0}, ValueError, "at least 1"),
    ("features_2d", {"rows": 0}, ValueError, "at least 1"),
    ("features_2d", {"titel": "x"}, TypeError, "did you mean 'title'"),
    ("features_2d", {"height": "tall"}, ValueError, "pixels"),
    ("features_0d", {"step": 6}, IndexError, "0 to 5"),
    ("features_0d", {"step": "last"}, TypeError, '"sum"'),
    ("flow", {"what": "cel"}, KeyError, "cell.total"),
    ("flow", {"scale": "symlog"}, ValueError, "log, linear"),
    ("flow", {"norm": (0, 1)}, ValueError, "positive on a log axis"),
    ("flow", {"reflect": True}, ValueError, "only one"),
    ("lag", {"what": "weight_hh"}, KeyError, "weight_hh_l0"),
    ("histogram", {"what": "weights[bias]"}, KeyError, "bias_hh_l0"),
    ("histogram", {"bins": 0}, ValueError, "at least 1"),
    ("histogram", {"layer": 1}, IndexError, "0 to 0"),
    ("histogram", {"gate": "z"}, KeyError, "there are: i, f, g, o"),
    ("heatmap", {"what": "total"}, KeyError, "gradients"),
]


@pytest.mark.parametrize(("kind", "options", "error", "says"), REFUSED)
def test_refusals_name_what_was_expected(kind: str, options: Any, error: Any, says: str) -> None:
    rec = recorded()
    with pytest.raises(error) as raised:
        getattr(rec, kind)(**options)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("step", 6, "0 to 5"),
        ("sample", -1, "0 to 2"),
        ("channels", "7", "0 to 3"),
        ("gate", "z", "i, f, g, o"),
        ("direction", "reverse", "both, forward"),
    ],
)
def test_a_refused_selection_leaves_it_as_it_was(name: str, value: Any, says: str) -> None:
    selection = recorded().selection
    before = repr(selection)
    with pytest.raises((IndexError, ValueError, KeyError)) as raised:
        setattr(selection, name, value)
    assert says in str(raised.value)
    assert repr(selection) == before


def test_comparisons_have_one_scale_and_their_own_axes() -> None:
    recs = {
        "RNN": recorded(torch.nn.RNN, steps=4, hidden=3),
        "LSTM": recorded(steps=7, samples=2),
        "louder": recorded(steps=7, loss=lambda out: 100 * out[0].sum()),
    }
    for kind in KINDS:
        both = rw.compare(recs, view=kind)
        norms = {view.norm() for view in both.views.values()}
        assert len(norms) == 1, kind
        (norm,) = norms
        assert norm[1] == max(getattr(rec, kind)().norm()[1] for rec in recs.values())
    maps = rw.compare(recs, view="features_2d", samples=0)
    assert repr(maps) == "Comparison(RNN, LSTM, louder)"
    for rec, view in zip(recs.values(), maps.views.values(), strict=True):
        shares = as_shares(pixels(view))[0]
        np.testing.assert_allclose(shares, rec.total[0].T / view.norm()[1], atol=1 / 120)
    assert [view.figure.title for view in maps.views.values()] == list(recs)
    flows = rw.compare(recs, view="flow")
    flows.selection.sample = 1
    for rec, view in zip(recs.values(), flows.views.values(), strict=True):
        np.testing.assert_allclose(view._norms[0, 0], np.linalg.norm(rec.total[1], axis=1))
    with pytest.raises(IndexError, match="0 to 1"):
        flows.selection.sample = 2  # which one of them does not have
    assert all(rec.selection.sample is None for rec in recs.values())


@pytest.mark.parametrize(
    ("given", "options", "says"),
    [
        ({}, {}, "takes a dict"),
        ([1], {}, "takes a dict"),
        ({"a": 1}, {}, "a is no recording"),
        (None, {"view": "feature_2d"}, "did you mean 'features_2d'"),
        (None, {"columns": 0}, "at least 1"),
        (None, {"wat": "total"}, "did you mean 'what'"),
    ],
)
def test_refused_comparisons(given: Any, options: Any, says: str) -> None:
    recordings = {"one": recorded()} if given is None else given
    with pytest.raises((KeyError, TypeError, ValueError)) as raised:
        rw.compare(recordings, **options)
    assert says in str(raised.value)


def test_text_forms_are_the_same_on_every_run() -> None:
    rec = recorded()
    for kind in KINDS:
        first, second = getattr(rec, kind)(), getattr(rec, kind)()
        assert repr(first) == repr(second)
        assert "0x" not in repr(first)
    assert repr(rec.features_1d(title="mine")) == "features_1d('mine')"
    assert repr(rec.features_1d().foot) == "Foot()"


GRIDS = st.builds(
    Grid,
    panels=st.integers(1, 30),
    columns=st.integers(1, 8),
    width=st.integers(1, 40),
    gap=st.integers(0, 5),
    height=st.sampled_from([1.0, 5.0, 2000.0]),
    lane=st.sampled_from([0.0, 0.5, 400.0]),
)


@given(GRIDS, st.data())
def test_a_grid_finds_the_place_of_what_it_has_placed(grid: Grid, data: st.DataObject) -> None:
    panel = data.draw(st.integers(0, grid.panels - 1))
    place = data.draw(st.integers(0, grid.width - 1))
    share = data.draw(st.floats(0.01, 0.99))
    x = float(grid.left(np.array(panel))) + place + data.draw(st.floats(-0.49, 0.49))
    y = float(grid.bottom(np.array(panel))) + share * grid.height
    assert grid.across[0] <= x <= grid.across[1]
    assert grid.up[0] <= y <= grid.up[1]
    found = grid.locate(x, y)
    assert found is not None
    assert found[:2] == (panel, place)
    assert found[2] == pytest.approx(share)
    assert grid.locate(grid.across[1] + 1, y) is None


@given(st.integers(1, 500))
def test_ticks_of_steps_are_few_and_first(steps: int) -> None:
    ticks = step_ticks(steps)
    assert ticks[0] == 0
    assert len(ticks) <= 7
    assert ticks == sorted(set(ticks))
    assert ticks[-1] < steps


@given(
    st.sampled_from(["linear", "symlog", "log"]),
    st.floats(1e-12, 1e12),
    st.lists(st.floats(-1, 1), min_size=2, max_size=20),
)
def test_scales_keep_order_and_sign(kind: Any, high: float, shares: list[float]) -> None:
    low = 1e-6 * high if kind == "log" else -high
    scale = Scale(low, high, kind)
    rounded = np.where(np.abs(shares) < 1e-9, 0.0, shares)
    numbers = np.sort(rounded) * high
    if kind == "log":
        numbers = np.sort(np.abs(numbers))
    places = scale.place(numbers)
    assert (np.diff(places) >= 0).all()
    if kind != "log":
        np.testing.assert_array_equal(np.sign(places[numbers != 0]), np.sign(numbers[numbers != 0]))
    assert scale.place(np.array(high)) == pytest.approx(1.0)
    assert np.isnan(scale.place(np.array([np.nan, np.inf, -np.inf]))).all()
    for place, _ in scale.ticks():
        assert -1 - 1e-9 <= place <= 1 + 1e-9
