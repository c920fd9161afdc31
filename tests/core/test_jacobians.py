"""State Jacobians: central differences of one step, the chain, named blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import rnn_widgets as rw
from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network

from .networks import coupled, make, networks, stirred

STEP = 1e-6


def states_after_one_step(net: Network, row: int, t: int, before: Array) -> Array:
    """Run one step of one layer alone, as a network of one step, from a given state."""
    program, block = net.program, net.program.blocks[row]
    trace = net.forward()
    if row < program.directions:
        x = net.values["x"][t]
    else:
        below = trace.hidden[row - row % program.directions - program.directions :]
        rows = [below[d][t + 1 - d] for d in range(program.directions)]
        x = np.concatenate(rows)
    alone = rw.custom(program.cell, len(x), program.hidden_size, 1)
    values = {p + "_l0": net.values[block.leaves[p]] for p in program.cell.params}
    parts = np.split(before, len(program.cell.states))
    values |= {s + "0": part for s, part in zip(program.cell.states, parts, strict=True)}
    after = alone.replace(x=[x], **values).forward()
    return np.concatenate([getattr(after, n)[1] for n in _names(net)])


def _names(net: Network) -> list[str]:
    return [{"h": "hidden", "c": "cell"}[state] for state in net.program.cell.states]


@given(networks(truncated=False), st.data())
@settings(max_examples=60, deadline=None)
def test_central_differences_of_one_step(net: Network, data: st.DataObject) -> None:
    program = net.program
    layer = data.draw(st.integers(0, program.num_layers - 1))
    reverse = program.bidirectional and data.draw(st.booleans())
    t = data.draw(st.integers(0, program.seq_len - 1))
    row = layer * program.directions + reverse
    states = [getattr(net.forward(), name) for name in _names(net)]
    led = [s if program.rows == 1 else s[row] for s in states]
    before = np.concatenate([s[t + 1 if reverse else t] for s in led])
    found = net.jacobians(layer, reverse)[t]
    for j in range(len(before)):
        step = STEP * np.eye(len(before))[j]
        above = states_after_one_step(net, row, t, before + step)
        below = states_after_one_step(net, row, t, before - step)
        slope = (above - below) / (2 * STEP)
        if "relu" in str([n.op for n in program.cell.nodes]) and not np.allclose(
            slope, found[:, j], atol=1e-6
        ):  # a kink inside the difference: one side must still agree
            here = states_after_one_step(net, row, t, before)
            sides = [(above - here) / STEP, (here - below) / STEP]
            assert any(np.allclose(side, found[:, j], atol=1e-4) for side in sides)
            continue
        assert_allclose(found[:, j], slope, atol=1e-7 * max(1.0, np.abs(found).max()))


@pytest.mark.parametrize("kind", ["tanh", "gru", "lstm"])
@pytest.mark.parametrize("reverse", [False, True])
def test_product_is_the_chain_and_what_the_initial_state_receives(kind: str, reverse: bool) -> None:
    net = stirred(make(kind, 2, 2, 4, bidirectional=True, loss="sum", loss_steps="last"), 4)
    jacobians = net.jacobians(reverse=reverse)
    chain = np.eye(len(jacobians[0]))
    for j in (1, 2, 3) if reverse else (3, 2, 1):
        chain = chain @ jacobians[j]
    product = jacobians.product(1, 4) if reverse else jacobians.product(3, 0)
    assert_allclose(product, chain, rtol=1e-13)
    assert_allclose(jacobians.product(2, 2), np.eye(len(chain)), rtol=0)
    assert_allclose(jacobians.product(2, 3 if reverse else 1), jacobians[2], rtol=0)


def test_product_to_the_initial_state_carries_the_gradient() -> None:
    net = stirred(rw.gru(2, 3, 4, loss_steps="last"), 4)
    seed = net.values["v"][3]
    whole = net.jacobians().product(3, -1)
    assert_allclose(net.gradients()["h0"], seed @ whole, rtol=1e-12)


def test_truncation_does_not_touch_jacobians() -> None:
    net = stirred(rw.gru(2, 3, 4), 4)
    cut = net.truncate(window=1).jacobians()
    assert_allclose([cut[t] for t in range(4)], [net.jacobians()[t] for t in range(4)], rtol=0)


@pytest.mark.parametrize("t", range(3))
def test_blocks_of_an_lstm_partition_its_jacobian(t: int) -> None:
    net = stirred(rw.lstm(2, 2, 3), 9)
    blocks = net.jacobians().blocks(t)
    assert list(blocks) == ["h→h", "h→c", "c→h", "c→c"]
    rows = [np.hstack([blocks["h→h"], blocks["c→h"]]), np.hstack([blocks["h→c"], blocks["c→c"]])]
    assert_allclose(np.vstack(rows), net.jacobians()[t], rtol=0)
    trace = net.forward()
    assert_allclose(blocks["c→c"], np.diag(trace["f"][t]), rtol=1e-14)  # the carousel
    slope = trace["o"][t] * (1 - np.tanh(trace["c"][t]) ** 2)
    assert_allclose(blocks["c→h"], np.diag(slope * trace["f"][t]), rtol=1e-14)


@pytest.mark.parametrize("after", [True, False])
def test_blocks_of_a_gru_are_paths_by_their_first_gate(after: bool) -> None:
    net = stirred(rw.gru(1, 2, 3, reset_after=after), 9)
    trace, t = net.forward(), 2
    h, r, z, n = trace.hidden[t], trace["r"][t], trace["z"][t], trace["n"][t]
    u_r, u_z, u_n = np.split(net.values["weight_hh_l0"], 3)
    b_n = np.split(net.values["bias_hh_l0"], 3)[2]
    blocks = net.jacobians().blocks(t)
    assert list(blocks) == ["skip", "via r", "via candidate", "via z"]
    assert_allclose(blocks["skip"], np.diag(z), rtol=1e-13)
    assert_allclose(blocks["via z"], ((h - n) * z * (1 - z))[:, None] * u_z, rtol=1e-12)
    into_n = ((1 - z) * (1 - n**2))[:, None]
    slope_r = (r * (1 - r))[:, None] * u_r
    if after:
        assert_allclose(blocks["via candidate"], into_n * r[:, None] * u_n, rtol=1e-12)
        assert_allclose(blocks["via r"], into_n * (u_n @ h + b_n)[:, None] * slope_r, rtol=1e-12)
    else:
        assert_allclose(blocks["via candidate"], into_n * (u_n * r), rtol=1e-12)
        assert_allclose(blocks["via r"], into_n * (u_n @ (h[:, None] * slope_r)), rtol=1e-12)
    assert_allclose(sum(blocks.values()), net.jacobians()[t], rtol=1e-13)


def test_blocks_of_other_cells() -> None:
    net = stirred(rw.custom(coupled, 2, 2, 3), 9)
    blocks = net.jacobians().blocks(1)
    assert list(blocks) == ["skip", "via u"]
    assert_allclose(sum(blocks.values()), net.jacobians()[1], rtol=1e-13)
    plain = stirred(rw.rnn(2, 2, 3), 9)
    slope = 1 - plain.forward()["h"][1] ** 2
    whole = slope[:, None] * plain.values["weight_hh_l0"]
    assert_allclose(plain.jacobians().blocks(1)["h→h"], whole, rtol=1e-13)


def test_singular_values_are_those_of_the_gram_matrix() -> None:
    net = stirred(rw.rnn(2, 3, 4), 2)
    jacobians = net.jacobians()
    for matrix, got in (
        (jacobians[2], jacobians.singular_values(2)),
        (jacobians.product(3, 0), jacobians.singular_values(3, 0)),
    ):
        squares = np.linalg.eigvalsh(matrix.T @ matrix)[::-1]
        assert_allclose(got, np.sqrt(np.maximum(squares, 0)), rtol=1e-6, atol=1e-9)
        assert (np.diff(got) <= 0).all()


def test_what_does_not_exist_is_refused() -> None:
    net = rw.rnn(1, 2, 3)
    for layer in (0.5, "0", True):
        with pytest.raises(TypeError, match="layer must be a whole number"):
            net.jacobians(layer)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="reverse must be True or False, not 'no'"):
        net.jacobians(reverse="no")  # type: ignore[arg-type]
    with pytest.raises(IndexError, match="layer 1 does not exist: 0 to 0"):
        net.jacobians(layer=1)
    with pytest.raises(IndexError, match="not bidirectional"):
        net.jacobians(reverse=True)
    with pytest.raises(IndexError, match="step 3 does not exist: 0 to 2"):
        net.jacobians()[3]
    with pytest.raises(IndexError, match="-1 does not exist"):
        net.jacobians()[-1]
    with pytest.raises(IndexError, match="step k 2 does not exist: -1 to 1"):
        net.jacobians().product(1, 2)
    with pytest.raises(TypeError, match="whole number"):
        net.jacobians().product(1, 0.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="whole number"):
        net.jacobians().blocks(True)
    assert len(list(net.jacobians())) == len(net.jacobians()) == 3
