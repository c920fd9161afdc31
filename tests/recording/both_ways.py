"""A bidirectional layer whose views are looked at, and what each view draws of it."""

from functools import cache
from typing import Any

import numpy as np
import torch

import rnn_widgets as rw
from rnn_widgets.recording.layer import Array
from rnn_widgets.recording.recording import Recording
from rnn_widgets.recording.views.options import FEATURES
from rnn_widgets.recording.views.view import View

from .drawn import bar_counts, curve_numbers, dash_numbers, map_numbers

HH, PURPLE = "weight_hh_l0", ("#762a83", "#1b7837")
UNEQUAL = torch.tensor([1.0] * 4 + [8.0] * 4, dtype=torch.float64)  # of forward and reverse units


def loss(out: Any) -> torch.Tensor:
    return ((out[0] * UNEQUAL) ** 2).sum()


@cache
def layer_and_input() -> tuple[torch.nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    layer = torch.nn.GRU(2, 4, batch_first=True, bidirectional=True).double()
    return layer, torch.randn(3, 6, 2, dtype=torch.float64)


@cache
def both_ways() -> Recording:
    layer, x = layer_and_input()
    return rw.record(layer, x, loss)


@cache
def of_samples(*samples: int) -> Recording:
    """The same layer and loss, of some samples only."""
    layer, x = layer_and_input()
    return rw.record(layer, x[list(samples)], loss)


def norms_of(values: Array) -> Array:
    """Norms over samples and channels of (samples, steps, directions, channels)."""
    return np.sqrt((values**2).sum((0, 3))).T


def before_last(norms: Array) -> Array:
    """By lag, from (directions, steps): the reverse direction runs towards the first step."""
    return np.stack([norms[0, ::-1], *norms[1:]])


def drawn(view: View) -> Array:
    """What a view draws, read back from its marks, for any of the seven."""
    grid = view._grid
    if view.kind == "features_0d":
        return dash_numbers(view, "samples")
    if view.kind == "features_1d":
        name = "samples" if "samples" in view.layers else "focus"
        return curve_numbers(view, name, view._scales)
    if view.kind in ("features_2d", "heatmap"):
        return map_numbers(view)
    if view.kind == "histogram":
        tops = tops_of(view)
        hang = [view.options.reflect and g.direction == "reverse" for g in view._shown]
        return bar_counts(view, tops, hang)
    name = "norms" if view.kind == "lag" else "total" if "total" in view.layers else "norm"
    found = curve_numbers(view, name, view._sizes.scales, view._sizes.down)[0]
    return found[:, : grid.width]


def tops_of(view: View) -> list[float]:
    """The ends of the count axis, from its ticks, or from the captions of panels on their own."""
    if view.options.share_axes:
        axis = view.figure.axes[0 if view._grid.vertical else 1]
        texts = set(axis.tick_labels.values())
        assert len(texts) == 1
        return [float(texts.pop())] * view._grid.panels
    return [float(text.split("up to ")[1]) for text in view.layers["captions"].text]


def truth_of(view: str, values: Array) -> Array:
    """What a view should draw of values (samples, steps, directions, channels)."""
    if view == "features_0d":
        return values.sum(1)
    if view in FEATURES:
        return values.transpose(0, 2, 3, 1).reshape(len(values), -1, values.shape[1])
    return norms_of(values) if view == "flow" else before_last(norms_of(values))


def same(view: View, truth: Array, rtol: float | None = None) -> None:
    """Assert that a view draws some numbers, as exactly as it can."""
    found = drawn(view)
    if view.kind in ("flow", "lag"):
        there = truth > 0  # on a logarithmic axis zeros stand at the bottom, apart
        np.testing.assert_allclose(found[there], truth[there], rtol=rtol or 1e-4)
    else:
        high = max(np.abs(view.norm()).max(), np.abs(truth).max())
        tolerance = 1 / 120 if view.kind in ("features_2d", "heatmap") else 1e-5
        np.testing.assert_allclose(found, truth, rtol=0, atol=(rtol or tolerance) * high)
