"""Contributions and gradients against torch: the whole, its rows, its columns."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from numpy.testing import assert_allclose

from rnn_widgets.core import backward
from rnn_widgets.core.forward import forward
from rnn_widgets.interop import witness
from rnn_widgets.interop.code import run_source
from rnn_widgets.interop.rounding import sensitivity
from rnn_widgets.network import Network

from .networks import networks
from .unrolled import Unrolled

Drawn = tuple[Network, str]


def scales(net: Network) -> dict[str, float]:
    """Hold what rounding in each gradient is relative to."""
    return sensitivity(net.program, net.values, dict(net.gradients())).gradients


@settings(max_examples=80, deadline=None)
@given(networks())
def test_gradients_are_autograds(drawn: Drawn) -> None:
    net, _ = drawn
    gradients, scale = net.gradients(), scales(net)
    found = witness.autograd(net.program, net.values)
    assert set(found) == set(gradients)
    for name, mine in gradients.items():
        assert found[name].shape == mine.shape
        assert_allclose(mine, found[name], rtol=0, atol=1e-12 * scale[name] + 1e-300, err_msg=name)


@settings(max_examples=80, deadline=None)
@given(networks())
def test_errors_are_within_the_sum_of_absolute_products(drawn: Drawn) -> None:
    net, _ = drawn
    bounds = backward.gradients(
        net.program, backward.sweep(net.program, forward(net.program, net.values), magnitude=True)
    )
    found = witness.autograd(net.program, net.values)
    for name, mine in net.gradients().items():
        assert (np.abs(mine - found[name]) <= 1e-12 * bounds[name] + 1e-300).all(), name


@settings(max_examples=80, deadline=None)
@given(networks())
def test_contributions_are_derivatives_by_each_steps_own_copy(drawn: Drawn) -> None:
    net, kind = drawn
    mine, scale, unrolled = net.contributions(), scales(net), Unrolled(*drawn)
    for name, expected in unrolled.contributions.items():
        # A part of a sum can be larger than the sum, and so can its error.
        largest = max(scale[name], float(np.abs(expected).max()) * 1e2)
        assert_allclose(mine[name], expected, rtol=0, atol=1e-12 * largest + 1e-300, err_msg=kind)


@settings(max_examples=60, deadline=None)
@given(networks(scales=(0.3,)))
def test_unsaturated_entries_agree_one_by_one(drawn: Drawn) -> None:
    net, _ = drawn
    unrolled, gradients = Unrolled(*drawn), net.gradients()
    pairs: dict[str, tuple[Any, Any]] = {
        f"C of {name}": (array, unrolled.contributions[name])
        for name, array in net.contributions().items()
    }
    pairs |= {name: (gradients[name], unrolled.rows[name].sum(0)) for name in gradients}
    for name, (mine, expected) in pairs.items():
        zero = 1e-14 * (np.abs(expected).max() if expected.size else 0)
        assert_allclose(mine, expected, rtol=1e-10, atol=zero, err_msg=name)


@settings(max_examples=40, deadline=None)
@given(networks(scales=(0.3, 1.0)))
def test_each_loss_steps_row_is_its_own_backward_call(drawn: Drawn) -> None:
    net, _ = drawn
    module = net.to_torch()
    inputs = {
        name: torch.tensor(array).long()
        if name == "target" and net.program.loss == "cross_entropy"
        else torch.tensor(array)
        for name, array in net.values.items()
        if name not in net.program.parameters
    }
    for t in net.program.loss_steps:
        alone = replace(net.program, loss_steps=(t,))
        namespace: dict[str, Any] = {"torch": torch, "net": module, **inputs}
        exec(run_source(alone), namespace)  # noqa: S102
        module.zero_grad()
        loss = namespace["loss"] * net.program.loss_weight  # a mean over one step, over all
        loss.backward()
        for name in net.program.parameters:
            grad = module.get_parameter(name).grad
            expected = np.zeros(net.values[name].shape) if grad is None else grad.numpy()
            mine = net.contributions().by_loss(name)[t]
            largest = np.abs(net.contributions()[name]).max()
            assert_allclose(mine, expected, rtol=1e-9, atol=1e-12 * largest, err_msg=name)
