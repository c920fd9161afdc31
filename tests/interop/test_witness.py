"""The report: true where three computations agree, false and plain where they do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal

import rnn_widgets as rw
from rnn_widgets.core import backward
from rnn_widgets.core.differences import Differences
from rnn_widgets.core.ops import OPS, Partial
from rnn_widgets.interop import witness
from rnn_widgets.network import Network

from .networks import networks, stirred
from .unrolled import CELLS, make


@settings(max_examples=40, deadline=None)
@given(networks(scales=(0.3, 1.0, 10.0), max_layers=2))
def test_every_kind_of_network_passes(drawn: tuple[Network, str]) -> None:
    net, _ = drawn
    report = net.check()
    assert report, report
    assert set(report.contributions) == set(net.gradients())
    for name, array in net.contributions().items():
        assert_array_equal(report.contributions[name], array.sum((0, 1)))
    assert (report.bias is None) == (net.program.truncation is None)


@pytest.mark.parametrize("kind", sorted(CELLS))
@pytest.mark.parametrize("scale", [1.0, 6.0])
def test_long_networks_pass_however_wild(kind: str, scale: float) -> None:
    report = stirred(make(kind, 1, 2, 16, loss="sse"), 5, scale if kind != "odd" else 1.0).check()
    assert report, report


def wrong(op: str, change: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Change an operation's derivatives."""
    right = OPS[op].partials

    def partials(*args: Any) -> list[Partial]:
        return [dataclasses.replace(p, data=change(p.data)) for p in right(*args)]

    monkeypatch.setitem(OPS, op, dataclasses.replace(OPS[op], partials=partials))


@pytest.mark.parametrize(
    ("op", "kind"),
    [("tanh", "tanh"), ("sigmoid", "lstm"), ("mul", "gru"), ("relu", "relu"), ("affine", "gru")],
)
@pytest.mark.parametrize("steps", [3, 24])
def test_a_derivative_wrong_by_a_billionth_is_seen(
    op: str, kind: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = stirred(make(kind, 2, 3, steps, loss="sse"), 1, 0.6)
    assert net.check()
    wrong(op, lambda data: data * (1 + 1e-9), monkeypatch)
    report = net.replace().check()
    assert not report
    assert any("autograd is" in problem for problem in report.problems)
    assert "DIFFERS" in repr(report)


def test_differences_disagree_on_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    net = stirred(make("lstm", 2, 2, 4), 2, 0.5)

    def off(program: Any, values: Any, names: list[str], trace: Any) -> Differences:
        found = right(program, values, names, trace)
        found.values["weight_hh_l0"][3, 1] += 1e-3
        return found

    right = witness.central_differences
    monkeypatch.setattr(witness, "central_differences", off)
    report = net.check()
    assert not report
    (problem,) = report.problems
    assert problem.startswith("weight_hh_l0[3,1]: the contributions sum to ")
    assert problem.endswith("(difference -0.001)")
    assert "weight_hh_l0  agrees to 1e-12  DIFFERS\n" in repr(report)
    assert repr(report).endswith(f"✗ the computations do not agree:\n  {problem}")


def test_a_lost_path_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    net = stirred(make("gru", 2, 3, 6, loss="mse"), 4)
    monkeypatch.setattr(backward, "cut_mask", lambda *args: np.zeros((6, 6, 1)))
    report = net.replace().check()
    assert not report
    assert len(report.problems) > 2


def test_an_overflow_is_named_by_its_first_step() -> None:
    net = make("relu", 1, 1, 6).replace(weight_hh_l0=[[1e200]], h0=[1.0], x=np.ones((6, 1)))
    report = net.check()
    assert not report
    assert report.overflow == net.forward().overflow == 1
    assert repr(report) == "✗ the network overflows at step 1: its gradients are not numbers"


def test_a_gradient_that_overflows_alone_fails() -> None:
    net = make("identity", 1, 1, 4).replace(
        weight_hh_l0=[[1e120]],
        weight_ih_l0=[[0.0]],
        bias_ih_l0=[0.0],
        bias_hh_l0=[0.0],
        h0=[0.0],
    )
    assert net.forward().overflow is None
    report = net.check()
    assert not report
    assert "h0[0]: the contributions sum to " in repr(report)


def test_kinks_are_counted_and_left_out() -> None:
    net = make("relu", 1, 1, 2, bias=False, loss="sum").replace(
        weight_ih_l0=[[1.0]], weight_hh_l0=[[1.0]], h0=[0.0], x=[[0.0], [1.0]]
    )
    report = net.check()  # at step 0 the relu stands on its kink: x[0], h0 move it either way
    assert report
    assert report.kinks == 2
    assert "2 entries without a central difference: a relu's kink lies between" in repr(report)
    assert report.differences["x"][0, 0] == pytest.approx(1.0)  # half of the 2 on the right
    assert report.contributions["x"][0, 0] == 0.0


def test_dead_networks_agree_exactly() -> None:
    net = make("relu", 1, 2, 3, loss="sum").replace(bias_ih_l0=[-99.0, -99.0])
    report = net.check()
    assert report
    assert report.scale["h0"] == 0.0
    assert report.errors["h0"] == (0.0, 0.0)


@pytest.mark.parametrize("cut", [{"window": 2}, {"chunk": 2}])
@pytest.mark.parametrize("both", [False, True])
def test_the_bias_of_truncation_is_what_is_missing(cut: dict[str, int], both: bool) -> None:
    full = stirred(make("tanh", 2, 2, 5, bidirectional=both, loss="sse"), 3, 0.5)
    report = full.truncate(**cut).check()
    assert report
    assert report.bias is not None
    whole, cut_short = full.gradients(), full.truncate(**cut).gradients()
    for name, missing in report.bias.items():
        assert_allclose(missing, whole[name] - cut_short[name], atol=1e-13)
    assert np.abs(report.bias["weight_hh_l0"]).max() > 1e-3
    assert_array_equal(report.bias["target"], np.zeros((5, 2 * (1 + both))))


def test_a_window_as_long_as_the_network_leaves_nothing_out() -> None:
    report = stirred(make("lstm", 2, 2, 4), 0).truncate(window=5).check()
    assert report.bias is not None
    assert not any(missing.any() for missing in report.bias.values())


def test_a_window_that_leaves_nothing_at_all() -> None:
    @rw.cell(params={"g": ("H",)})
    def held(p: Any, x: Any, h: Any) -> Any:
        return h + 0 * p.g

    net = stirred(rw.custom(held, 1, 2, 3), 0).truncate(window=1)
    assert net.check()
    assert not net.check().autograd["h0"].any()


REPORT = """\
gradient      torch autograd   central differences  left out by truncation
weight_ih_l0  agrees to 1e-12  agrees to 1e-6       0.358
weight_hh_l0  agrees to 1e-12  agrees to 1e-6       0.458
bias_ih_l0    agrees to 1e-12  agrees to 1e-6       0.556
x             agrees to 1e-12  agrees to 1e-6       0.209
h0            agrees to 1e-12  agrees to 1e-6       0.0846
✓ the contributions sum to what autograd and central differences give"""


def test_the_table_is_the_same_every_time() -> None:
    values = {
        "weight_ih_l0": [[0.5], [-0.25]],
        "weight_hh_l0": [[0.25, 0.125], [-0.5, 0.5]],
        "bias_ih_l0": [0.125, 0.0],
        "x": [[1.0], [0.5], [-1.0]],
        "h0": [0.5, -0.5],
    }
    net = make("tanh", 1, 2, 3, bias="single", loss="sum").replace(**values).truncate(chunk=2)
    assert repr(net.check()) == REPORT
    assert repr(net.check()) == REPORT


def test_reports_are_frozen() -> None:
    report = make("tanh", 1, 1, 2).check()
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.kinks = 3  # type: ignore[misc]
    for arrays in (report.contributions, report.autograd, report.differences):
        with pytest.raises(ValueError, match="read-only"):
            arrays["x"][0] = 1
