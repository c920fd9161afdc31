"""Whether gradients vanish, and what a summary gives to notice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import rnn_widgets as rw

from .samples import changed, recorded


def linear(weight: float, dtype: torch.dtype = torch.float64) -> nn.RNN:
    """A layer of one unit that multiplies its state by a number."""
    layer = nn.RNN(1, 1, nonlinearity="relu", bias=False, batch_first=True).to(dtype)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1)
        layer.weight_hh_l0.fill_(weight)
    return layer


def last(out: Any) -> torch.Tensor:
    return out[0][:, -1].sum()


def test_a_summary_says_how_fast_the_gradient_falls() -> None:
    x = torch.ones(1, 9, 1, dtype=torch.float64)
    text = rw.record(linear(0.5), x, last).summary()
    row = next(line for line in text.splitlines() if line.startswith("total "))
    assert row.split("  ")[-1].strip() == "× 0.5, half-life 1 step"
    assert "1 at step 8" in row
    assert f"{0.5**8:.3g} at step 0" in row
    assert "direct adjoint enters" not in text
    grows = rw.record(linear(2.0), x, last).summary()
    assert "× 2, grows: doubles every 1 step" in grows
    everywhere = rw.record(linear(0.5), x, lambda out: out[0].sum()).summary()
    assert "a direct adjoint enters at 9 of 9 steps" in everywhere


def test_each_direction_goes_back_the_way_it_ran() -> None:
    rec = recorded(bidirectional=True, loss=last)
    lines = [" ".join(line.split()) for line in rec.summary().splitlines()]
    rows = [line for line in lines if line.startswith("total, ")]
    norms = np.linalg.norm(rec.total.reshape(3, 6, 2, 4), axis=(0, 3))
    assert f"{norms[5, 0]:.3g} at step 5 {norms[0, 0]:.3g} at step 0" in rows[0]
    assert f"{norms[5, 1]:.3g} at step 5 {norms[5, 1]:.3g} at step 5" in rows[1]


def test_sequences_of_several_lengths_count_from_their_own_ends() -> None:
    torch.manual_seed(0)
    layer = linear(0.5)
    x = torch.ones(2, 6, 1, dtype=torch.float64)
    packed = nn.utils.rnn.pack_padded_sequence(x, [6, 4], batch_first=True)
    text = rw.record(layer, packed, lambda out: out[1].sum()).summary()
    assert f"{2**0.5:.3g} at each last step to run" in text
    assert f"{2**0.5 / 8:.3g} at 3 steps before" in text
    assert "× 0.5, half-life 1 step" in text


def test_gates_are_told_by_their_mean_and_ends() -> None:
    layer = nn.LSTM(1, 2, batch_first=True).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0[:] = torch.tensor([-9.0, 0, 9, 9, 0, 0, 0, 0])
    text = rw.record(layer, torch.ones(1, 5, 1, dtype=torch.float64), last).summary()
    assert "input gate   0.25  0 %        50 %" in text
    assert "forget gate  1.00  100 %      0 %" in text
    assert "output gate  0.50  0 %        0 %" in text
    assert "gate " not in rw.record(linear(0.5), torch.ones(1, 5, 1).double(), last).summary()


class Loop(nn.Module):
    """Calls a cell at every step, with or without the state of the one before."""

    def __init__(self, forgets: tuple[int, ...]) -> None:
        super().__init__()
        self.cell, self.forgets = nn.GRUCell(2, 3), forgets

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h, made = None, []
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], None if t in self.forgets else h)
            made.append(h)
        return torch.stack(made).sum()


def test_a_state_that_is_not_handed_on_is_told() -> None:
    x = torch.ones(2, 4, 2)
    texts = [rw.record(Loop(f), x, lambda out: out).summary() for f in ((), (2,), (1, 2, 3))]
    assert "to notice" not in texts[0]
    assert "the state was cut before step 2: no gradient passes there" in texts[1]
    assert "no call of the layer was given the state of the one before" in texts[2]
    assert "weight_hh: exactly zero: every step that a gradient reaches begins" in texts[2]


def test_a_gradient_of_zero_is_told_with_its_reason_where_that_is_certain() -> None:
    both = recorded(num_layers=2, bidirectional=True, loss=last).summary()
    assert (
        "weight_hh_l1_reverse: exactly zero: the loss uses the reverse direction only at its "
        "first processed step" in both
    )
    assert both.count("exactly zero") == 1
    dead = rw.record(linear(0.5), torch.zeros(1, 4, 1).double(), lambda out: out[0].sum())
    assert "the gradient of every parameter is exactly zero" in dead.summary()
    assert "exactly zero" not in recorded().summary()


def test_underflow_is_told_with_its_steps() -> None:
    x = torch.ones(1, 30, 1)
    text = rw.record(linear(0.01, torch.float32), x, last).summary()
    assert "the total is exactly 0 at steps 0–6: smaller than float32 holds (underflow)" in text
    in_double = rw.record(linear(0.01), x.double(), last).summary()
    assert "underflow" not in in_double
    switched_off = rw.record(linear(0.0), x.double(), last).summary()
    assert "is exactly 0 at steps 0–28 in float64" in switched_off
    assert "underflow" not in switched_off


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_model_of_half_precision_is_told(dtype: torch.dtype) -> None:
    try:
        rec = rw.record(nn.GRU(2, 3).to(dtype), torch.ones(4, 1, 2, dtype=dtype), lambda o: last(o))
    except RuntimeError as error:  # float16 on a CPU of older torch
        pytest.skip(str(error))
    name = str(dtype).removeprefix("torch.")
    assert f"{name} model, recorded in float32: what {name} cannot hold is not lost here" in (
        rec.summary()
    )
    assert (
        "recorded in float32:" not in rw.record(nn.GRU(2, 3), torch.ones(4, 1, 2), last).summary()
    )


def test_the_first_line_says_where_nan_begins() -> None:
    rec = recorded(num_layers=2)
    assert "begins" not in rec.summary()
    for name, place, value, expected in (
        (
            "direct_l1",
            (5, 1),
            np.nan,
            "NaN begins in the direct adjoint of layer 1, sample 1, step 5",
        ),
        ("c_l1", (3, 2), np.inf, "Infinity begins in the state c of layer 1, sample 2, step 3"),
        ("gates_l0", (4, 0), np.nan, "NaN begins in the gates of layer 0, sample 0, step 4"),
        ("weights.weight_hh_l1", (0,), np.nan, "NaN begins in the parameter weight_hh_l1"),
        ("x", (4, 2), np.nan, "NaN begins in the input x, sample 2, step 4"),
    ):
        rec = changed(rec, name, (*place, 0), value)
        assert rec.summary().splitlines()[0] == expected


@pytest.mark.parametrize(
    ("array", "step", "where"),
    [
        ("gates_l0", 2, "the gates of the forward direction"),
        ("gates_l0_reverse", 4, "the gates of the reverse direction"),
        ("direct_l0", 4, "the direct adjoint of the forward direction"),
        ("direct_l0_reverse", 2, "the direct adjoint of the reverse direction"),
    ],
)
def test_nan_begins_at_the_step_that_is_computed_first(array: str, step: int, where: str) -> None:
    rec = recorded(bidirectional=True)
    for at, sample in ((2, 1), (3, 0), (4, 1)):
        rec = changed(rec, array, (at, sample, 0), np.nan)
    assert rec.summary().splitlines()[0] == f"NaN begins in {where}, sample 1, step {step}"


def test_lag_leaves_out_the_step_that_begins_with_a_state_of_zero() -> None:
    x = torch.ones(1, 9, 1, dtype=torch.float64)
    view = rw.record(linear(0.5), x, last).lag()
    assert len(view._norms) == 8
    assert (view._norms > 0).all()
    assert "Step 0, which begins with a state of zero, is left out" in view.foot.note
    given = rw.record(linear(0.5), (x, torch.ones(1, 1, 1).double()), last).lag()
    assert len(given._norms) == 9
    assert "left out" not in given.foot.note
    back = recorded(nn.RNN, bidirectional=True).lag(what="weight_hh_l0_reverse")
    assert "Step 5, which begins" in back.foot.note


def test_lag_draws_no_fit_where_there_is_nothing() -> None:
    x = torch.ones(1, 40, 1)
    view = rw.record(linear(0.01, torch.float32), x, last).lag(what="weight_ih_l0")
    reached = np.flatnonzero(view._norms)[-1]
    assert reached < 39
    assert np.isnan(view._lags[0].fitted(view.norm())[0, reached + 1 :]).all()
    nothing = rw.record(linear(0.5), x.double(), lambda out: 0 * out[0].sum()).lag()
    assert np.isnan(nothing.half_life)


class Twice(nn.Module):
    """Calls its layer on two sequences, each from the beginning."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.rnn = layer

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.rnn(a)[1][0] - 7 * self.rnn(b)[1][0]


def test_rates_of_calls_that_hand_nothing_on_are_those_within_a_call() -> None:
    x = torch.ones(1, 9, 1, dtype=torch.float64)
    rec = rw.record(Twice(linear(0.5)), (x, x), torch.sum)
    row = next(line for line in rec.summary().splitlines() if line.startswith("total "))
    assert row.endswith("× 0.5, half-life 1 step in each of 2 stretches")
    for what in ("total", "weight_ih_l0"):
        assert rec.lag(what=what).half_life == pytest.approx(1), what
    line = rec.lag(what="total")._lags[0].fitted((1e-9, 100))[0]
    np.testing.assert_allclose(line, np.r_[7 * 0.5 ** np.arange(9), 0.5 ** np.arange(9)])
    note = rec.lag(what="weight_hh_l0").foot.note
    assert "Steps 0, 9, which begin with states of zero, are left out" in note


def test_no_rate_is_told_where_direct_adjoints_enter_on_the_way() -> None:
    x = torch.ones(1, 9, 1, dtype=torch.float64)
    everywhere = rw.record(linear(0.9), x, lambda out: out[0].sum())
    text = everywhere.summary()
    assert "no rate: see below" in text
    assert "grows" not in text
    for what in ("total", "carried", "gates.h.adjoints", "inputs", "by_source[weight_ih_l0]"):
        view = everywhere.lag(what=what)
        assert np.isnan(view.rate), what
        assert "No line is fitted" in view.foot.note
        assert not view.foot.legend
    assert everywhere.lag(what="weight_ih_l0").rate == pytest.approx(0.9)
    twice = rw.record(linear(0.5), x, lambda out: out[0][:, [5, 8]].sum())
    assert "× 0.5, half-life 1 step from step 5 back" in twice.summary()
    assert twice.lag(what="total").rate == pytest.approx(0.5)


def test_one_short_sequence_does_not_hide_the_rate() -> None:
    x = [torch.ones(n, 1, dtype=torch.float64) for n in (9, 8, 1, 5)]
    packed = nn.utils.rnn.pack_sequence(x, enforce_sorted=False)
    text = rw.record(linear(0.5), packed, lambda out: out[1].sum()).summary()
    row = next(line for line in text.splitlines() if line.startswith("total, 3 of 4 samples"))
    assert row.endswith("× 0.5, half-life 1 step")
    assert f"{3**0.5 / 16:.3g} at 4 steps before" in row


def test_what_is_not_trained_is_told() -> None:
    layer = nn.GRU(2, 3)
    assert "not trained" not in rw.record(layer, torch.ones(4, 1, 2), last).summary()
    layer.weight_hh_l0.requires_grad_(False)
    assert "not trained: weight_hh_l0;" in rw.record(layer, torch.ones(4, 1, 2), last).summary()
    layer.requires_grad_(False)
    rec = rw.record(layer, torch.ones(4, 1, 2), last)
    assert "not trained: every parameter;" in rec.summary()
    assert rec.gradients["weight_ih_l0"].any()


def test_numbers_with_too_few_digits_are_told_before_they_are_zero() -> None:
    x = torch.ones(1, 21, 1)
    text = rw.record(linear(0.01, torch.float32), x, last).summary()
    assert "the total underflowed at steps 0–1: below 1e-38" in text
    row = next(line for line in text.splitlines() if line.startswith("total "))
    assert row.endswith("× 0.01, half-life 0.151 steps")
    x = torch.ones(1, 40, 1)
    text = rw.record(linear(0.01, torch.float32), x, lambda o: o[0][:, ::39].sum()).summary()
    assert "the total is exactly 0 at steps 1–16: smaller than float32" in text


def test_a_rate_is_fitted_to_numbers_with_all_their_digits() -> None:
    # 0.6 of the least number that float32 holds is rounded to that number: it falls no more.
    x = torch.ones(1, 120, 1)
    rec = rw.record(linear(0.6, torch.float32), x, lambda out: 1e-30 * last(out))
    assert (rec.total[0, :40] == rec.total[0, 0]).all()
    row = next(line for line in rec.summary().splitlines() if line.startswith("total "))
    assert row.endswith("× 0.6, half-life 1.36 steps")


def test_underflow_is_told_where_only_the_last_cell_state_is_used() -> None:
    layer = nn.LSTM(1, 1, batch_first=True)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.weight_hh_l0.fill_(1e-3)
        layer.weight_ih_l0.fill_(0.3)
        layer.bias_ih_l0[1] = -20.0
    rec = rw.record(layer, torch.ones(1, 20, 1), lambda out: out[1][1].sum())
    # h of the last step makes none of it: the way back of h begins one step before.
    assert rec.total[0, -1] == 0 < abs(rec.total[0, -2, 0])
    lost = np.flatnonzero(rec.total[0, :-1] == 0)[-1]
    assert f"the total is exactly 0 at steps 0–{lost}: smaller than float32" in rec.summary()


class Feeds(nn.Module):
    """A loop whose input is made of the output before, or not, or of what was cut off from it."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.cell = how, nn.LSTMCell(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, y = None, torch.zeros(1, 2)
        for now in x:
            back = {"plain": 0 * x[0], "fed": torch.tanh(y), "cut": y.detach()}[self.how]
            states = self.cell(now + back, states)
            y = states[0]
        return y


def test_a_loop_that_feeds_its_output_back_is_told() -> None:
    for how in ("plain", "fed", "cut"):
        rec = rw.record(Feeds(how), torch.ones(4, 1, 2), torch.sum)
        told = "comes back as its own input in a later call" in rec.summary()
        assert told == (how == "fed")
        assert bool(rec.direct[0, :3].any()) == (how == "fed")


def test_a_single_step_has_no_lag_and_says_so() -> None:
    rec = rw.record(nn.GRU(2, 3), torch.ones(1, 1, 2), last)
    for what in (None, "total"):
        view = rec.lag(what=what)
        assert list(view.layers["hint"].text) == ["There is one step only: no lag to show."]
        assert np.isnan(view.half_life)


def test_what_hands_nothing_on_is_not_joined_in_a_line() -> None:
    x = torch.ones(1, 4, 1, dtype=torch.float64)
    view = rw.record(Twice(linear(0.5)), (x, x), torch.sum).lag(what="total")
    for name in ("norms", "fit"):
        y = np.asarray(view.layers[name].y)[:, :8]
        np.testing.assert_array_equal(
            np.isfinite(y), np.repeat([[False, True], [True, False]], 4, 1)
        )
