"""How the options of every view lay it out, scale and colour it: the numbers stay."""

from collections.abc import Iterator
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch

from rnn_widgets.recording.layer import Array
from rnn_widgets.recording.views.images import SCHEMES, colours
from rnn_widgets.recording.views.options import FIGURES, OPTIONS
from rnn_widgets.recording.views.selection import of_recording
from rnn_widgets.recording.views.view import View

from .both_ways import (
    HH,
    PURPLE,
    both_ways,
    drawn,
    of_samples,
)
from .drawn import dash_numbers, lying
from .samples import recorded


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()


SEVERAL: dict[str, dict[str, Any]] = {
    "features_0d": {},
    "features_1d": {},
    "features_2d": {},
    "flow": {},
    "lag": {"direction": "both"},
    "histogram": {"what": "total"},
    "heatmap": {},
}


@pytest.mark.parametrize("view", FIGURES)
@pytest.mark.parametrize("orientation", ["horizontal", "vertical"])
def test_rows_are_rows_on_the_screen(view: str, orientation: str) -> None:
    rec = both_ways()
    plain = drawn(getattr(rec, view)(**SEVERAL[view]))
    for rows in (1, 2):
        made = getattr(rec, view)(rows=rows, orientation=orientation, **SEVERAL[view])
        grid = made._grid
        assert grid.rows == rows
        x, y = (
            np.asarray(side)[..., :-2]
            for side in (made.layers["frames"].x, made.layers["frames"].y)
        )
        corners = x.reshape(-1, 6)[:, 0], y.reshape(-1, 6)[:, 0]  # of each panel
        assert len(set(corners[1].round(6))) == rows
        assert len(set(corners[0].round(6))) == grid.columns
        found = drawn(made)
        if orientation == "vertical" and view in ("features_2d", "heatmap"):
            found = found.transpose(0, 2, 1)
        np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-4 * np.nanmax(np.abs(plain)))


@pytest.mark.parametrize("view", FIGURES)
def test_norm_sets_the_ends_and_the_numbers_stay(view: str) -> None:
    rec = both_ways()
    whole = getattr(rec, view)(**SEVERAL[view])
    plain, high = drawn(whole), whole.norm()[1]
    ends = (1e-9, 1e4) if view in ("flow", "lag") else (-1.5 * high, 1.75 * high)
    made = getattr(rec, view)(norm=ends, **SEVERAL[view])
    assert made.norm() == ends
    if view == "histogram":
        truth = np.histogram(rec.total[..., 4:], 40, ends)[0]
        np.testing.assert_allclose(drawn(made)[1], truth, atol=0.01)
        return
    tolerance = (2 / 60 if view in ("features_2d", "heatmap") else 1e-4) * high
    np.testing.assert_allclose(drawn(made), plain, rtol=1e-3, atol=tolerance)
    if view not in ("flow", "lag"):
        assert getattr(rec, view)(norm=3, **SEVERAL[view]).norm() == (-3, 3)
    if view == "flow":
        assert getattr(rec, view)(norm=ends).norm() == ends


@pytest.mark.parametrize("view", FIGURES)
def test_scales_place_numbers_by_their_definition(view: str) -> None:
    """Read back by the definition of the scale, the numbers are the same on each."""
    rec = both_ways()
    plain = drawn(getattr(rec, view)(**SEVERAL[view]))
    other = "linear" if view in ("flow", "lag") else "symlog"
    made = getattr(rec, view)(scale=other, **SEVERAL[view])
    if view == "histogram":
        high = made.norm()[1]
        places = np.arcsinh(rec.total[..., :4] / high * 1e6) / np.arcsinh(1e6)
        truth = np.histogram(places, 40, (-1, 1))[0]
        np.testing.assert_allclose(drawn(made)[0], truth, atol=0.01)
        assert made.read(20.0, made._grid.bottom(np.array(0)) + 1).count("from 0 to") == 1
        return
    found = drawn(made)
    there = np.isfinite(plain) & (np.abs(plain) > 1e-3)
    # A depth of colour is one of 120 on a logarithmic scale of a million.
    rtol = 0.14 if view in ("features_2d", "heatmap") else 2e-2
    assert there.sum() > 5
    atol = 0 if view in ("flow", "lag") else made.norm()[1] / 119
    np.testing.assert_allclose(found[there], plain[there], rtol=rtol, atol=atol)


@pytest.mark.parametrize("view", FIGURES)
@pytest.mark.parametrize("scheme", ["purple-green", PURPLE])
def test_schemes_colour_by_sign(view: str, scheme: Any) -> None:
    rec = both_ways()
    made = getattr(rec, view)(scheme=scheme, **SEVERAL[view])
    negative, positive = PURPLE
    layers = made.layers
    if view in ("features_2d", "heatmap"):
        data = bytes(layers["map"].image.value)
        at = data.index(b"PLTE") + 4
        assert data[at : at + 3] == bytes.fromhex(negative[1:])
        assert data[at + 3 * 120 :][3:6] == bytes.fromhex(positive[1:])
        assert negative in made.foot.legend[0][1]
        return
    if view == "flow":
        assert layers["carried"].colors == [negative]
        assert layers["direct"].colors == [positive]
        assert rec.flow(what="inputs", scheme=scheme).layers["norm"].colors == [positive]
        return
    if view == "lag":
        assert (layers["fit"].colors, layers["norms"].colors) == ([negative], [positive])
        return
    if view == "histogram":
        fills = [layers[name].fill_colors for name in ("negative", "positive")]
        assert fills == [[negative], [positive]]
        return
    assert (layers["negative"].colors, layers["positive"].colors) == ([negative], [positive])
    plain = drawn(getattr(rec, view)(**SEVERAL[view]))
    parts = [
        dash_numbers(made, sign) if view == "features_0d" else _at_steps(made, sign)
        for sign in ("negative", "positive")
    ]
    for part, there in zip(parts, (plain < 0, plain > 0), strict=True):
        np.testing.assert_array_equal(np.isfinite(part), there)
        np.testing.assert_allclose(part[there], plain[there], atol=1e-4 * np.abs(plain).max())


def _at_steps(view: View, name: str) -> Array:
    """Numbers at the steps of curves that are broken where they cross zero."""
    grid, (x, y) = view._grid, lying(view, name)
    shape = (len(y), grid.panels, 2 * grid.width)
    x, y = (side.reshape(shape)[..., :-1] for side in (x, y))
    lefts = np.asarray(grid.left(np.arange(grid.panels)))[:, None]
    np.testing.assert_allclose(
        (x - lefts)[..., ::2], np.broadcast_to(np.arange(6), x[..., ::2].shape)
    )
    zero = np.asarray(grid.bottom(np.arange(grid.panels)))[:, None] + 1000
    # Between two numbers of different sign the line meets zero where the straight one would.
    numbers = (y - zero) / 1000 * view.norm()[1]
    whole = drawn(view.rec.features_1d())
    now, after = whole[..., :-1], whole[..., 1:]
    crossing = (now * after < 0) & np.isfinite(numbers[..., 1::2])
    assert crossing.any()
    share = (x - lefts)[..., 1::2] - np.arange(5)
    np.testing.assert_allclose(numbers[..., 1::2][crossing], 0, atol=1e-6)
    np.testing.assert_allclose(share[crossing], (now / (now - after))[crossing], atol=1e-4)
    return numbers[..., ::2]


@pytest.mark.parametrize("view", FIGURES)
@pytest.mark.parametrize("orientation", ["horizontal", "vertical"])
def test_panels_on_their_own_scales_have_the_same_numbers(view: str, orientation: str) -> None:
    rec = both_ways()
    options = {"orientation": orientation, **SEVERAL[view]}
    shared = drawn(getattr(rec, view)(**options))
    made = getattr(rec, view)(share_axes=False, **options)
    own = drawn(made)
    high = np.nanmax(np.abs(shared))
    atol = 2 * high / 120 if view in ("features_2d", "heatmap") else 1e-4 * high
    np.testing.assert_allclose(own, shared, rtol=1e-3, atol=atol)
    texts = list(made.layers["captions"].text)
    assert len(set(texts)) == len(texts)
    if view != "histogram":
        scales = made if hasattr(made, "_scales") else getattr(made, "_sizes", None) or made._maps
        ends = getattr(scales, "_scales", None) or scales.scales
        assert len(ends) == made._grid.panels
        assert len({scale.high for scale in ends}) > 1
        room = max(np.nanmax(np.abs(own)), 0)
        assert max(scale.high for scale in ends) >= room * 0.999
    if view not in ("features_2d", "heatmap"):
        assert not len(made.figure.axes[0 if made._grid.vertical else 1].tick_values)


@pytest.mark.parametrize("view", FIGURES)
def test_a_vertical_view_is_the_horizontal_one_turned(view: str) -> None:
    rec = both_ways()
    across = getattr(rec, view)(**SEVERAL[view])
    down = getattr(rec, view)(orientation="vertical", **SEVERAL[view])
    plain, found = drawn(across), drawn(down)
    if view in ("features_2d", "heatmap"):
        found = found.transpose(0, 2, 1)
    np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-5 * np.nanmax(plain))
    x_label, y_label = (axis.label.split(" (")[0] for axis in across.figure.axes)
    assert [axis.label.split(" (")[0] for axis in down.figure.axes] == [y_label, x_label]
    (left, right), (bottom, top) = (down.foot.axes[name] for name in ("across", "up"))
    for mark in down.layers.values():
        if hasattr(mark, "stroke_width"):
            x, y = (np.asarray(side)[..., :-2] for side in (mark.x, mark.y))
            if np.isnan(x).all():  # no sample is in focus
                continue
            assert left - 1e-6 <= np.nanmin(x) <= np.nanmax(x) <= right + 1e-6
            assert bottom - 1e-6 <= np.nanmin(y) <= np.nanmax(y) <= top + 1e-6
            np.testing.assert_array_equal(np.isnan(y) | ~np.isnan(x), True)
    if view in ("features_1d", "features_2d", "flow"):
        assert down.foot.steps["vertical"]
        for step in (0, 5):
            along = down.foot.steps["offset"] + step + 0.5
            point = down.foot.steps["within"], -along
            assert down.read(*point).startswith(f"t = {step + 1} (step {step})")
    elif view == "lag":
        assert down.read(1.0, -2.5).startswith("lag 2")


@pytest.mark.parametrize("view", FIGURES)
@pytest.mark.parametrize("orientation", ["horizontal", "vertical"])
def test_reflect_mirrors_the_reverse_direction_and_never_time(view: str, orientation: str) -> None:
    rec = both_ways()
    options = {"orientation": orientation, **SEVERAL[view]}
    plain = drawn(getattr(rec, view)(**options))
    made = getattr(rec, view)(reflect=True, **options)
    found = drawn(made)
    if orientation == "vertical" and view in ("features_2d", "heatmap"):
        plain, found = plain.transpose(0, 2, 1), found.transpose(0, 2, 1)
    if view in ("flow", "lag", "histogram"):  # they hang down, with the same sizes
        np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-3)
        mark = {"flow": "total", "lag": "norms", "histogram": "positive"}[view]
        upright = lying(getattr(rec, view)(**options), mark)[1]
        assert not np.allclose(lying(made, mark)[1], upright, equal_nan=True)
        return
    expected = plain.copy()
    if view == "features_0d":
        expected[:, 1] = plain[:, 1, ::-1]
    elif view == "heatmap":
        expected[1::2] = plain[1::2, :, ::-1]
    else:
        expected[:, 4:] = plain[:, :3:-1]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(plain).max())
    if view == "features_1d":
        assert list(made.layers["captions"].text)[3:6] == ["forward 3", "reverse 3", "reverse 2"]


def test_a_mirrored_view_reads_the_right_channel() -> None:
    rec = both_ways()
    number = f"{rec.total[0, 2, 7]:.3g}".replace("-", "−")  # reverse, unit 3
    maps = rec.features_2d(reflect=True, samples=0)
    assert maps.read(2.0, -4.5) == f"t = 3 (step 2) · channel reverse 3 · sample 0: {number}"
    curves = rec.features_1d(reflect=True, samples=0)
    x = float(curves._grid.left(np.array(4))) + 2
    y = float(curves._grid.bottom(np.array(4))) + 1000
    assert curves.read(x, y) == f"t = 3 (step 2) · channel reverse 3 · sample 0: {number}"
    units = rec.features_0d(reflect=True, samples=0, step=2)
    x = float(units._grid.left(np.array(1)))
    y = float(units._grid.bottom(np.array(1))) + 1000
    assert units.read(x, y) == f"channel reverse 3 · sample 0: {number}"
    entry = f"{rec.weights[HH + '_reverse'][0, 3]:.3g}".replace("-", "−")
    parts = rec.heatmap(what=f"weights[{HH}]", reflect=True)
    x = float(parts._grid.left(np.array(1)))
    y = float(parts._grid.bottom(np.array(1))) + 3.5
    assert parts.read(x, y) == f"{HH}_reverse · r[0, 3]: {entry}"


@pytest.mark.parametrize("view", FIGURES)
def test_labels_title_size_controls_and_selection(view: str) -> None:
    rec = both_ways()
    made = getattr(rec, view)(**SEVERAL[view])
    assert any(axis.label for axis in made.figure.axes)
    bare = getattr(rec, view)(
        labels=False, title="mine", width=456, height="321px", controls=False, **SEVERAL[view]
    )
    assert [axis.label for axis in bare.figure.axes] == ["", ""]
    assert bare.figure.title == "mine"
    assert (bare.layout.width, bare.figure.layout.height) == ("456px", "321px")
    assert len(bare.children) == 2
    assert made.layout.width == "100%"
    assert getattr(rec, view)(width="50%", **SEVERAL[view]).layout.width == "50%"
    assert bool(made.controls()) == (len(made.children) == 3)
    other = of_recording(rec)
    other.direction = "reverse"
    one_way = getattr(rec, view)(
        selection=other, **{k: v for k, v in SEVERAL[view].items() if k != "direction"}
    )
    assert one_way.selection is other
    if view == "lag":  # contributions follow what is asked for, not the slider
        assert rec.lag(selection=other, what="total")._grid.panels == 1
    else:
        whole, shown = (drawn(one).shape for one in (made, one_way))
        assert np.prod(shown) * 2 == np.prod(whole)


def test_the_summary_of_a_part_has_its_numbers() -> None:
    rec = both_ways()
    text = rec.summary(
        what="direct", samples=[2, 0], channels="1:3", direction="reverse", max_timesteps=3
    )
    numbers = rec.direct[[2, 0], 3:, 5:7]
    assert "GRU, samples 2, 0 of 3" in text
    assert "reverse: 2 channels, 12 numbers" in text
    lines = dict(line.strip().split("  ", 1) for line in text.splitlines() if line.count("  ") > 1)
    norm = float(lines["norm"].replace("−", "-"))
    assert norm == pytest.approx(np.linalg.norm(numbers), rel=1e-2)
    steps = np.linalg.norm(numbers, axis=(0, 2))
    largest = int(steps.argmax())
    told = lines["norm, largest step shown"].strip()
    assert told.endswith(f"at t = {4 + largest} (step {3 + largest})")
    assert float(told.split(" at ")[0]) == pytest.approx(steps.max(), rel=1e-2)
    by_source = rec.summary(what=f"by_source[{HH}]", samples=[2, 0], direction="forward")
    norm = next(line for line in by_source.splitlines() if line.strip().startswith("norm  "))
    truth = np.linalg.norm(of_samples(2, 0).by_source(HH))
    assert float(norm.split()[-1]) == pytest.approx(truth, rel=1e-2)
    assert rec.summary().splitlines()[0] == "GRU"


def test_a_figure_of_curves_says_when_there_is_nothing_to_see() -> None:
    rec = both_ways()
    assert "hint" not in rec.features_1d().layers
    blank = rec.features_1d(norm=1e4)
    assert list(blank.layers["hint"].text) == ['most curves lie on zero: scale="symlog" shows them']
    assert "symlog" not in blank.foot.note  # once is enough
    assert "hint" not in rec.features_1d(norm=1e4, scale="symlog").layers
    assert "hint" not in rec.features_1d(share_axes=False).layers
    last = recorded(torch.nn.RNN, loss=lambda out: 0 * out[0].sum())
    assert list(last.features_1d().layers["hint"].text) == ["All of these numbers are zero."]


def test_captions_of_a_histogram_stay_clear_of_the_panels_over_them() -> None:
    for rows in (2, 4, 8, 16):
        view = recorded(num_layers=2).histogram(what="weights", rows=rows)
        grid, pixels = view._grid, int(view.figure.layout.height.removesuffix("px")) - 78
        whole = grid.up[1] - grid.up[0]
        assert grid.lane / whole * pixels >= 18, rows


def test_schemes_are_those_of_the_table() -> None:
    assert colours("purple-green") == PURPLE
    assert all(name in OPTIONS["scheme"].meaning for name in SCHEMES)
