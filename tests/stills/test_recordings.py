"""Still pictures of a recording's figures."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import bqplot
import pytest
import torch

import rnn_widgets as rw
from tests.stills.svg import ALARM, bundle, find, parsed, words

FIGURES = ("features_0d", "features_1d", "features_2d", "histogram", "heatmap", "flow", "lag")
FRAME = re.compile(r"M[0-9.]+ ([0-9.]+)V([0-9.]+)H[0-9.]+")
PREFIX = "data:image/png;base64,"


def recorded(kind: Callable[..., Any], hidden: int = 4, steps: int = 12, **options: Any) -> Any:
    torch.manual_seed(0)
    layer, x = kind(3, hidden, **options), torch.randn(steps, 5, 3)
    return rw.record(layer, x, lambda out: (out[0] ** 2).sum())


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("kind", [torch.nn.RNN, torch.nn.GRU, torch.nn.LSTM])
def test_every_figure_has_a_picture(kind: Any, figure: str) -> None:
    for options in ({}, {"bidirectional": True}):
        view = getattr(recorded(kind, **options), figure)()
        data = bundle(view)
        assert data["text/plain"].split("\n")[0] == repr(view)
        written = words(parsed(data["image/svg+xml"]))
        assert view.figure.title in written or written[0].endswith("…")


@pytest.mark.parametrize("figure", FIGURES)
def test_large_recordings_stay_small(figure: str) -> None:
    bundle(getattr(recorded(torch.nn.LSTM, 64, 150), figure)())


def test_the_image_is_that_of_the_figure() -> None:
    view = recorded(torch.nn.GRU).features_2d()
    (mark,) = [m for m in view.figure.marks if isinstance(m, bqplot.Image)]
    (image,) = find(parsed(bundle(view)["image/svg+xml"]), "image")
    assert base64.b64decode(image.attrib["href"].removeprefix(PREFIX)) == mark.image.value


def test_an_image_that_is_too_large_says_so() -> None:
    view = recorded(torch.nn.RNN, 128, 400).features_2d()
    root = parsed(bundle(view)["image/svg+xml"])
    assert find(root, "image") or any("too large" in text for text in words(root))
    (mark,) = [m for m in view.figure.marks if isinstance(m, bqplot.Image)]
    assert bool(find(root, "image")) == (len(mark.image.value) <= 22_000)
    assert len(mark.image.value) > 22_000


def test_lines_go_through_the_numbers() -> None:
    """A line's points in pixels are the marks' places on the axes."""
    view = recorded(torch.nn.GRU).lag()
    mark = view.layers["norms"]
    root = parsed(bundle(view)["image/svg+xml"])
    color = mark.colors[0]
    style = {"stroke": color, "stroke-width": "2.5"}
    (path,) = [p for p in find(root, "path") if style.items() <= p.attrib.items()]
    drawn = [float(y) for _, y in re.findall(r"([0-9.]+) ([0-9.]+)", path.attrib["d"])]
    low, high = mark.scales["y"].min, mark.scales["y"].max
    (frame,) = [p for p in find(root, "path") if FRAME.fullmatch(p.attrib["d"])]
    ((top, bottom),) = (map(float, ends) for ends in FRAME.findall(frame.attrib["d"]))
    real = [y for y in mark.y.ravel().tolist() if y == y]
    exact = [bottom + (y - low) / (high - low) * (top - bottom) for y in real]
    assert len(drawn) == len(exact) >= 12
    assert drawn == pytest.approx(exact, abs=0.11)


def test_what_is_not_finite_is_marked() -> None:
    layer, x = torch.nn.RNN(2, 3), torch.ones(5, 2, 2)
    x[2] = float("nan")
    rec = rw.record(layer, x, lambda out: out[0].sum())
    assert ALARM in bundle(rec.features_1d(what="outputs"))["image/svg+xml"]


def test_a_comparison_and_a_watch() -> None:
    both = {"RNN": recorded(torch.nn.RNN), "a < b": recorded(torch.nn.GRU)}
    comparison = rw.compare(both, view="flow")
    assert "a < b" in words(parsed(bundle(comparison)["image/svg+xml"]))
    layer = torch.nn.RNN(3, 4)
    with rw.watch(layer, every=1, progress=False, show=False) as watch:
        for _ in range(3):
            layer(torch.randn(6, 2, 3))[0].sum().backward()
    view = watch.view()
    data = bundle(view)
    assert data["text/plain"].startswith(repr(view))
    assert len(find(parsed(data["image/svg+xml"]), "image")) == 1
