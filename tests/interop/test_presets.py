"""The presets show what their sentences say."""

import numpy as np
import pytest

from rnn_widgets.core.names import parse_parameter
from rnn_widgets.core.ops import Array
from rnn_widgets.presets import PRESETS, preset


def last_row(name: str, parameter: str = "weight_ih_l0") -> Array:
    """What the last loss owes to each source step."""
    return preset(name).contributions().norm(parameter)[-1]


def shown_row(name: str) -> Array:
    """The same for the entry that the preset opens with."""
    net = preset(name)
    leaf, index = parse_parameter(PRESETS[name].entry, net.program)
    row = net.contributions()[leaf][-1].reshape(net.program.seq_len, -1)
    return np.asarray(row[:, np.ravel_multi_index(index, net.program.parameters[leaf])])


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_agrees_with_torch_and_has_the_entry_it_points_at(name: str) -> None:
    net = preset(name)
    assert net.check()
    leaf, index = parse_parameter(PRESETS[name].entry, net.program)
    assert len(index) == len(net.program.parameters[leaf])
    shown = net.contributions()[leaf][(*PRESETS[name].focus, *index)]
    assert bool(shown) == (name != "all seeds zero")


def test_an_unknown_preset_is_refused_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="fading memory"):
        preset("fading memry")


def test_question_a_is_the_network_whose_gradients_were_printed() -> None:
    printed = [[0.9432474362, -0.0712458472], [-0.6602998565, -1.1630237278]]
    np.testing.assert_allclose(
        preset("question A").gradients()["Wi"][:2], printed, rtol=0, atol=1e-6
    )


def test_question_d_crosses_time_below_the_diagonal_only() -> None:
    net = preset("question D")
    c = net.contributions()["weight_ih_l0"][:, :, 0, 0]
    np.testing.assert_allclose(c, [[0.3, 0], [0.001 * 0.3, 2.5]], rtol=1e-12)


def test_fading_memory_loses_more_than_half_at_each_step_back() -> None:
    for row in (shown_row("fading memory"), last_row("fading memory")):
        assert (row > 0).all()
        assert (row[:-1] < row[1:] / 2).all()


def test_exploding_grows_by_1_6_at_each_step_back() -> None:
    row = shown_row("exploding")
    assert len(row) == 10
    np.testing.assert_allclose(row[:-1], 1.6 * row[1:], rtol=1e-12)
    assert round(row[0] / row[-1]) == 69


def test_orthogonal_memory_comes_round_and_never_fades() -> None:
    matrix = preset("orthogonal memory that lasts").values["weight_hh_l0"]
    np.testing.assert_array_equal(matrix @ matrix.T, np.eye(3))
    row = shown_row("orthogonal memory that lasts")
    np.testing.assert_allclose(row[3:], row[:-3], rtol=1e-12)
    assert len(set(row[:3])) == 3


def test_dead_relu_has_no_gradient_in_the_dead_unit() -> None:
    net = preset("dead ReLU")
    assert (net.forward().hidden[1:, 1] == 0).all()
    gradients = net.gradients()
    for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"):
        assert not gradients[name][1].any()
        assert gradients[name][[0, 2]].any()


def test_saturated_tanh_kills_one_step_back() -> None:
    net = preset("saturated tanh")
    assert (np.abs(net.forward().hidden[2:]) > 0.99).all()
    row = last_row("saturated tanh", "bias_ih_l0")
    assert row[-1] < 1e-2
    assert row[-2] < row[-1] / 100


def test_lstm_forget_gate_decides_what_lasts() -> None:
    gates = {name: preset(f"LSTM, forget gate {name}") for name in ("open", "shut")}
    assert (gates["open"].forward()["f"] > 0.95).all()
    assert (gates["shut"].forward()["f"] < 0.05).all()
    rows = {name: last_row(f"LSTM, forget gate {name}") for name in gates}
    assert rows["open"][0] > 0.1 * rows["open"][-1]
    assert rows["shut"][0] < 1e-6 * rows["shut"][-1]


def test_gru_skip_carries_the_state_over() -> None:
    net = preset("GRU skip")
    assert (net.forward()["z"] > 0.85).all()
    carousel = [net.jacobians().product(7, k) for k in (-1, 6)]
    assert all(np.trace(product) / 3 > 0.5 for product in carousel)
    row = last_row("GRU skip")
    assert row[0] > 0.1 * row[-1]


def test_all_seeds_zero_has_no_gradient() -> None:
    gradients = preset("all seeds zero").gradients()
    assert not any(array.any() for array in gradients.values())
