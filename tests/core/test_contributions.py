"""Contributions, gradients and adjoints against hand-worked numbers and exact derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import rnn_widgets as rw
from rnn_widgets.core.differences import central_differences
from rnn_widgets.core.template import Template
from rnn_widgets.network import Network

from .networks import BUILT_IN, CUSTOM, delay, make, networks, stirred
from .reference import derivative, losses, own_values, run

seeds = st.integers(0, 2**32 - 1)


def label(kind: str | Template) -> str:
    """Name a kind of cell in a test's id."""
    return kind if isinstance(kind, str) else kind.name


def question_d() -> Network:
    """The linear network of the forum's question D."""
    net = rw.rnn(1, 1, 2, nonlinearity="identity", bias="single", loss="sum")
    return net.replace(
        weight_ih_l0=[[0.5]], weight_hh_l0=[[0.001]], bias_ih_l0=[0.85], x=[[0.3], [2.5]]
    )


def test_question_d_worked_by_hand() -> None:
    net = question_d()
    gradients = net.gradients()
    assert gradients["weight_ih_l0"].item() == pytest.approx(2.8003, abs=1e-15)
    assert gradients["weight_hh_l0"].item() == pytest.approx(1.000, abs=1e-15)
    assert gradients["bias_ih_l0"].item() == pytest.approx(2.001, abs=1e-15)
    x1, x2, recurrent = 0.3, 2.5, 0.001
    by_hand = [[x1, 0.0], [recurrent * x1, x2]]
    assert_allclose(net.contributions()["weight_ih_l0"][:, :, 0, 0], by_hand, rtol=1e-15)
    assert_allclose(net.contributions()["bias_ih_l0"][..., 0], [[1, 0], [recurrent, 1]], rtol=1e-15)
    h1 = 0.5 * x1 + 0.85
    assert_allclose(net.contributions()["weight_hh_l0"][:, :, 0, 0], [[0, 0], [0, h1]], rtol=1e-15)
    detached = net.truncate(chunk=1).gradients()
    assert detached["weight_ih_l0"].item() == pytest.approx(2.8, abs=1e-15)
    assert detached["bias_ih_l0"].item() == pytest.approx(2.0, abs=1e-15)


def test_tanh_step_worked_by_hand() -> None:
    net = rw.rnn(1, 1, 2, bias=False, loss="sse")
    net = net.replace(
        weight_ih_l0=[[0.5]], weight_hh_l0=[[-2]], x=[[1], [3]], h0=[0.25], target=[[0], [1]]
    )
    h1 = np.tanh(0.5 * 1 - 2 * 0.25)
    h2 = np.tanh(0.5 * 3 - 2 * h1)
    d1, d2 = 1 - h1**2, 1 - h2**2
    v1, v2 = 2 * h1, 2 * (h2 - 1)
    assert net.forward().losses == pytest.approx([h1**2, (h2 - 1) ** 2])
    by_hand = [[v1 * d1 * 0.25, 0], [v2 * d2 * -2 * d1 * 0.25, v2 * d2 * h1]]
    assert_allclose(net.contributions()["weight_hh_l0"][:, :, 0, 0], by_hand, rtol=1e-14)
    total = (v1 + v2 * d2 * -2) * d1 * -2
    assert net.gradients()["h0"].item() == pytest.approx(total, rel=1e-14)
    assert_allclose(net.gradients()["target"][:, 0], [-v1, -v2], rtol=1e-14)


@given(networks(), st.data())
@settings(max_examples=120, deadline=None)
def test_each_contribution_is_the_derivative_by_one_copy(net: Network, data: st.DataObject) -> None:
    """The definition, for all cells, losses and truncations: only step k's copy left free."""
    rng = np.random.default_rng(data.draw(seeds))
    contributions = net.contributions()
    leaf = data.draw(st.sampled_from(sorted(contributions)))
    direction = rng.standard_normal(net.values[leaf].shape)
    for k in range(net.program.seq_len):
        got = np.tensordot(contributions[leaf][:, k], direction, direction.ndim)
        want = derivative(net, leaf, direction, at=k)
        assert_allclose(got, want, rtol=1e-9, atol=1e-11 * max(1.0, np.abs(want).max()))


@given(networks(), st.data())
@settings(max_examples=120, deadline=None)
def test_gradient_is_the_derivative_by_every_leaf(net: Network, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(seeds))
    gradients = net.gradients()
    assert set(gradients) == set(net.values) - (
        {"target"} if net.program.loss == "cross_entropy" else {"v"}
    )
    for leaf, gradient in gradients.items():
        assert isinstance(leaf, str)
        direction = rng.standard_normal(gradient.shape)
        want = derivative(net, leaf, direction).sum()
        assert np.vdot(gradient, direction) == pytest.approx(want, rel=1e-9, abs=1e-10)


@given(networks())
@settings(max_examples=80, deadline=None)
def test_contributions_sum_to_the_gradient(net: Network) -> None:
    contributions, gradients = net.contributions(), net.gradients()
    for name, array in contributions.items():
        scale = np.abs(array).sum((0, 1)).max() + 1e-300
        assert_allclose(array.sum((0, 1)), gradients[name], rtol=0, atol=1e-13 * scale)


@pytest.mark.parametrize("kind", [*BUILT_IN, *CUSTOM], ids=label)
@pytest.mark.parametrize("cut", [{}, {"window": 2}, {"chunk": 2}], ids=str)
def test_central_differences_agree(kind: str | Template, cut: dict[str, int]) -> None:
    """The package's own witness, states held where they are cut."""
    net = make(kind, 2, 2, 4, num_layers=2, bidirectional=True, loss="mse", readout=2)
    net = stirred(net, 5, 0.5).truncate(**cut)
    gradients = net.gradients()
    names = [str(name) for name in gradients]
    estimate = central_differences(net.program, net.values, names, net._forward)
    for name in names:
        clean = ~estimate.kinks[name]
        assert_allclose(estimate.values[name][clean], gradients[name][clean], atol=2e-9)
    assert all(clean.any() for clean in (~estimate.kinks[name] for name in names))


def test_a_relu_that_changes_side_is_marked_as_a_kink() -> None:
    net = rw.rnn(1, 1, 1, nonlinearity="relu", bias=False, loss="sum")
    net = net.replace(weight_ih_l0=[[0.0]], x=[[1.0]])
    found = central_differences(net.program, net.values, ["weight_ih_l0", "x"], net._forward)
    assert found.kinks["weight_ih_l0"].item() is True
    assert found.kinks["x"].item() is False
    assert net.gradients()["weight_ih_l0"].item() == 0.0  # torch's choice at the kink


def test_a_kink_that_a_window_leaves_out_is_none() -> None:
    net = rw.rnn(1, 1, 2, nonlinearity="relu", bias=False, loss="sum", loss_steps=[1])
    net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[1]], x=[[0], [1]])
    for window, kink, value in ((2, True, 0.5), (1, False, 0.0)):
        cut = net.truncate(window=window)
        found = central_differences(cut.program, cut.values, ["x"], cut._forward)
        assert found.kinks["x"].tolist() == [[kink], [False]]
        assert_allclose(found.values["x"], [[value], [1.0]], atol=1e-9)


@given(networks(directions=(False,), max_layers=3))
@settings(max_examples=60, deadline=None)
def test_unidirectional_networks_are_causal(net: Network) -> None:
    steps = net.program.seq_len
    future = np.triu(np.ones((steps, steps), dtype=bool), 1)
    for array in net.contributions().values():
        assert (array[future] == 0).all()


def test_a_bidirectional_network_looks_ahead() -> None:
    net = stirred(rw.rnn(2, 2, 4, bidirectional=True), 1)
    array = net.contributions()["weight_ih_l0_reverse"]
    above, below = np.triu_indices(4, 1), np.tril_indices(4, -1)
    assert (np.abs(array[above]).max(axis=(1, 2)) > 0).all()
    assert (array[below] == 0).all()


@given(networks(losses=("seed",)), seeds, st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=60, deadline=None)
def test_the_vjp_is_linear_in_the_seed(net: Network, seed: int, a: float, b: float) -> None:
    rng = np.random.default_rng(seed)
    shape = net.values["v"].shape
    u, w = rng.standard_normal(shape), rng.standard_normal(shape)
    of_u, of_w, of_both = (net.replace(v=v) for v in (u, w, a * u + b * w))
    for name in net.contributions():
        parts = [n.contributions()[name] for n in (of_u, of_w, of_both)]
        scale = max(1.0, *(np.abs(part).max() for part in parts))
        assert_allclose(parts[2], a * parts[0] + b * parts[1], rtol=0, atol=1e-13 * scale)


@given(networks(losses=("seed",)))
@settings(max_examples=40, deadline=None)
def test_zero_seed_zero_everything(net: Network) -> None:
    net = net.replace(v=np.zeros_like(net.values["v"]))
    assert net.forward().loss == 0
    for array in [*net.contributions().values(), *net.gradients().values()]:
        assert (array == 0).all()
    adjoints = net.adjoints()
    assert (adjoints.total == 0).all()
    assert (adjoints.direct == 0).all()


def test_a_step_outside_the_loss_contributes_nothing() -> None:
    net = stirred(rw.gru(2, 2, 4, loss="mse", loss_steps=[1, 3]), 3)
    trace = net.forward()
    assert (trace.losses[[0, 2]] == 0).all()
    squares = ((trace.output - net.values["target"]) ** 2).mean(1)
    assert_allclose(trace.losses[[1, 3]], squares[[1, 3]] / 2, rtol=1e-14)
    array = net.contributions()["weight_hh_l0"]
    assert (array[[0, 2]] == 0).all()
    assert (np.abs(array[3]).max(axis=(1, 2)) > 0).all()


@given(networks())
@settings(max_examples=40, deadline=None)
def test_sums_over_contributions_are_what_they_say(net: Network) -> None:
    contributions = net.contributions()
    steps = range(net.program.seq_len)
    for name, array in contributions.items():
        assert_allclose(contributions.by_loss(name), sum(array[:, k] for k in steps), atol=1e-12)
        assert_allclose(contributions.by_source(name), sum(array[t] for t in steps), atol=1e-12)
        for lag in steps:
            pairs = [array[t, k] for t in steps for k in steps if abs(t - k) == lag]
            assert_allclose(contributions.by_lag(name)[lag], sum(pairs), atol=1e-12)
        norms = [[np.linalg.norm(array[t, k].ravel()) for k in steps] for t in steps]
        assert_allclose(contributions.norm(name), norms, rtol=1e-12)


@given(networks())
@settings(max_examples=60, deadline=None)
def test_no_contribution_exceeds_its_bound(net: Network) -> None:
    contributions = net.contributions()
    for name, array in contributions.items():
        assert (contributions.norm(name) <= contributions.bound(name) * (1 + 1e-9) + 1e-14).all()
        last = tuple(n - 1 for n in array.shape[2:])
        entry = contributions.bound(f"{name}[{','.join(map(str, last))}]")
        assert (np.abs(array[(..., *last)]) <= entry * (1 + 1e-9) + 1e-14).all()


def test_a_scalar_chain_reaches_its_bound() -> None:
    net = rw.rnn(1, 1, 4, nonlinearity="identity").replace(weight_hh_l0=[[-1.5]])
    contributions = net.contributions()
    assert_allclose(contributions.bound("weight_ih_l0"), contributions.norm("weight_ih_l0"))
    steep = net.replace(weight_hh_l0=[[1e200]]).contributions().bound("weight_ih_l0")
    assert np.isinf(steep[3, 1])
    assert np.isfinite(steep[3, 3])


@given(networks())
@settings(max_examples=60, deadline=None)
def test_the_forward_pass_is_the_equations(net: Network) -> None:
    made = run(net, own_values(net))
    trace = net.forward()
    assert_allclose(trace.losses, losses(net, made), rtol=1e-12, atol=1e-14)
    assert trace.loss == trace.losses.sum()
    program = net.program
    joined = [program.blocks[b] for b in program.blocks[-1].sources["y"] if isinstance(b, int)]
    parts = [
        [step[block.template.outputs[0]] for step in made[program.blocks.index(block)]]
        for block in joined
    ]
    assert_allclose(trace.output, np.concatenate(parts, axis=1), rtol=1e-12, atol=1e-14)


def expected_states(net: Network, state: str) -> list[Any]:
    """The states of every layer and direction, each (T+1, H), from the naive evaluation."""
    made = run(net, own_values(net))
    found = []
    for b, block in enumerate(net.program.blocks):
        if not block.recurrent:
            continue
        out = block.template.outputs[block.template.states.index(state)]
        rows = [step[out] for step in made[b]]
        initial = net.values[state + "0"]
        first = initial if initial.ndim == 1 else initial[block.row]
        found.append([*rows, first] if block.reverse else [first, *rows])
    return found


def test_states_stand_in_order_of_time() -> None:
    one = stirred(rw.lstm(2, 3, 4), 2)
    assert_allclose(one.forward().hidden, expected_states(one, "h")[0], atol=1e-14)
    assert_allclose(one.forward().cell, expected_states(one, "c")[0], atol=1e-14)
    assert_array_equal(one.forward().hidden[0], one.values["h0"])
    stack = stirred(rw.lstm(2, 3, 4, num_layers=2, bidirectional=True), 2)
    trace = stack.forward()
    assert_allclose(trace.hidden, expected_states(stack, "h"), atol=1e-14)
    assert_allclose(trace.cell, expected_states(stack, "c"), atol=1e-14)
    assert_array_equal(trace.hidden[[1, 3], 4], stack.values["h0"][[1, 3]])
    assert_array_equal(trace.output, np.concatenate([trace.hidden[2, 1:], trace.hidden[3, :4]], 1))
    assert_allclose(trace["i"] * trace["g"] + trace["f"] * before(trace.cell), trace["c"])


def before(cell: Any) -> Any:
    """For each layer and direction of a bidirectional stack, the state that each step reads."""
    return np.stack([c[:-1] if row % 2 == 0 else c[1:] for row, c in enumerate(cell)])


def test_a_network_without_a_cell_state_says_so() -> None:
    with pytest.raises(AttributeError, match="has no cell state"):
        _ = rw.rnn(1, 1, 1).forward().cell
    with pytest.raises(KeyError, match="did you mean 'z'"):
        rw.gru(1, 1, 1).forward()["Z"]


@given(networks())
@settings(max_examples=60, deadline=None)
def test_total_is_direct_and_carried(net: Network) -> None:
    """Nothing is carried back from beyond the last step, and total = direct + carried."""
    adjoints = net.adjoints()
    for one in (adjoints, adjoints.cell):
        if one is None:
            continue
        assert_allclose(one.direct + one.carried, one.total, atol=1e-12)
        layers = one.carried if one.carried.ndim == 3 else one.carried[None]
        for row, carried in enumerate(layers):
            last = 0 if net.program.bidirectional and row % 2 else -1
            assert_allclose(carried[last], 0, atol=1e-13)


@pytest.mark.parametrize("kind", ["tanh", "gru", "gru before"])
def test_adjoints_of_one_layer(kind: str) -> None:
    """Direct is ∂L/∂h_t of the outputs alone; carried is the next step's total through J."""
    net = stirred(make(kind, 2, 3, 4, loss="sse"), 6)
    adjoints, jacobians = net.adjoints(), net.jacobians()
    assert_allclose(adjoints.direct, 2 * (net.forward().output - net.values["target"]), rtol=1e-14)
    assert adjoints.cell is None
    for t in range(1, 4):
        assert_allclose(adjoints.carried[t - 1], adjoints.total[t] @ jacobians[t], rtol=1e-11)
    assert (adjoints.carried[3] == 0).all()
    assert_allclose(net.gradients()["h0"], adjoints.total[0] @ jacobians[0], rtol=1e-11)


def test_adjoints_of_an_lstm() -> None:
    """The cell's direct adjoint is (∂h/∂c)ᵀ of h's; what is left of c's total came through J."""
    net = stirred(rw.lstm(2, 3, 4, loss="sse"), 6)
    adjoints, jacobians, trace = net.adjoints(), net.jacobians(), net.forward()
    assert_allclose(adjoints.direct, 2 * (trace.output - net.values["target"]), rtol=1e-14)
    assert adjoints.cell is not None
    slope = trace["o"] * (1 - np.tanh(trace["c"]) ** 2)
    assert_allclose(adjoints.cell.direct, slope * adjoints.direct, rtol=1e-12)
    own = adjoints.cell.total - slope * adjoints.total  # of c_t, not by way of h_t
    for t in range(4):
        arriving = np.concatenate([adjoints.total[t], own[t]]) @ jacobians[t]
        to_h, to_c = np.split(arriving, 2)
        if t == 0:
            assert_allclose(net.gradients()["h0"], to_h, rtol=1e-11)
            assert_allclose(net.gradients()["c0"], to_c, rtol=1e-11)
        else:
            assert_allclose(adjoints.carried[t - 1], to_h, rtol=1e-11)
            assert_allclose(own[t - 1], to_c, rtol=1e-11)
            carried = to_c + slope[t - 1] * adjoints.carried[t - 1]
            assert_allclose(adjoints.cell.carried[t - 1], carried, rtol=1e-11)


def test_direct_adjoint_below_the_top_carries_later_losses() -> None:
    net = stirred(rw.rnn(2, 3, 4, num_layers=2, loss="sum", loss_steps="last"), 7)
    adjoints = net.adjoints()
    assert (adjoints.direct[1, :3] == 0).all()
    into_above = (1 - net.forward().hidden[1, 1:] ** 2) * adjoints.total[1]
    assert_allclose(adjoints.direct[0], into_above @ net.values["weight_ih_l1"], rtol=1e-12)


def test_the_cell_that_h_reads_without_the_past_still_has_a_direct_adjoint() -> None:
    net = stirred(rw.custom(delay, 2, 2, 3, loss="sum"), 8)
    adjoints, trace = net.adjoints(), net.forward()
    assert adjoints.cell is not None
    squash = 1 / (1 + np.exp(-trace["c"]))
    slope = trace.cell[:-1] + squash * (1 - squash)
    assert_allclose(adjoints.cell.direct, slope * adjoints.direct, rtol=1e-12)
    for one in (adjoints, adjoints.cell):
        assert_allclose(one.direct + one.carried, one.total, atol=1e-14)
