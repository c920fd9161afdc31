"""Networks from layers of Keras: equal to the layer itself, differentiated by autograd."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import rnn_widgets as rw

from .keras64 import KINDS, both, built, float64, keras, tensor, variables

__all__ = ["float64"]  # a fixture is found by its name

H, I, T = 3, 2, 4  # noqa: E741
EXACT = {"rtol": 1e-10, "atol": 1e-13}
X = np.ones((T, I))


@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("make", [built, both])
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_computes_the_same_here(
    kind: str, make: Any, use_bias: bool, sequences: bool
) -> None:
    rng = np.random.default_rng(0)
    layer = make(kind, I, H, rng, use_bias=use_bias, return_sequences=sequences)
    rows, states = 1 + (make is both), 1 + (kind == "LSTM")
    x, given = tensor(rng, 1, T, I), [tensor(rng, 1, H) for _ in range(rows * states)]
    v = rng.standard_normal((T, rows * H) if sequences else rows * H)
    y = layer(x, initial_state=given)
    (y[0] * torch.tensor(v)).sum().backward()

    starts = [torch.cat(given[i::states]) for i in range(states)]
    net = rw.from_keras(layer, x[0], *starts, v=v)
    output = net.forward().output
    if not sequences:
        ends = [output[-1, :H], output[0, H:]] if rows == 2 else [output[-1]]
        output = np.concatenate(ends)
    assert_allclose(output, y[0].detach(), **EXACT)
    gradients = net.gradients()
    for name, variable in variables(layer).items():
        assert_allclose(gradients[name], variable.value.grad, **EXACT, err_msg=name)
        assert gradients.name_of(variable) == name
        assert_array_equal(gradients[variable], gradients[name])
    assert_allclose(gradients["x"], x.grad[0], **EXACT)
    for i, state in enumerate(("h0", "c0")[:states]):
        expected = torch.cat([one.grad for one in given[i::states]])
        assert_allclose(gradients[state].reshape(rows, H), expected, **EXACT)
    assert net.check()


def test_the_only_output_has_losses_of_its_own() -> None:
    rng = np.random.default_rng(1)
    layer, x = built("GRU", I, H, rng), rng.standard_normal((T, I))
    y = layer(x[None])[0]
    target = rng.standard_normal(H)
    net = rw.from_keras(layer, x, loss="mse", target=target)
    assert_allclose(net.forward().loss, ((y - torch.tensor(target)) ** 2).mean().item(), **EXACT)
    net = rw.from_keras(layer, x, loss="cross_entropy", target=2)
    expected = torch.nn.functional.cross_entropy(y, torch.tensor(2)).item()
    assert_allclose(net.forward().loss, expected, **EXACT)
    assert rw.from_keras(layer, x, loss_steps=[0, 2]).program.loss_steps == (0, 2)


def test_what_was_given_beside_the_layer_finds_its_gradient() -> None:
    rng = np.random.default_rng(1)
    layer, x = built("GRU", I, H, rng), rng.standard_normal((T, I))
    h0, target = keras.Variable(rng.standard_normal((1, H))), rng.standard_normal(H)
    gradients = rw.from_keras(layer, x, h0, loss="mse", target=target).gradients()
    assert_array_equal(gradients[x], gradients["x"])
    assert_array_equal(gradients[h0], gradients["h0"][None])
    with pytest.raises(KeyError, match=r"target of shape \(.*\): ask .* by that name, 'target'"):
        gradients[target]  # what it is compared with is one row of the leaf


def test_without_seeds_they_are_ones() -> None:
    rng = np.random.default_rng(2)
    for make in (built, both):
        layer, x = make("LSTM", I, H, rng), tensor(rng, 1, T, I)
        layer(x).sum().backward()
        assert_allclose(rw.from_keras(layer, x[0]).gradients()["x"], x.grad[0], **EXACT)


def test_an_rnn_of_a_cell_and_a_cell_are_the_layer_too() -> None:
    rng = np.random.default_rng(3)
    layer, x = built("GRU", I, H, rng, return_sequences=True), rng.standard_normal((T, I))
    expected = layer(x[None])[0].detach()
    for same in (keras.layers.RNN(layer.cell, return_sequences=True), layer.cell):
        assert_allclose(rw.from_keras(same, x).forward().output, expected, **EXACT)


def test_dropout_plays_no_part_outside_of_training() -> None:
    rng = np.random.default_rng(4)
    layer = built("LSTM", I, H, rng, dropout=0.5, recurrent_dropout=0.5)
    x = rng.standard_normal((T, I))
    assert_allclose(
        rw.from_keras(layer, x).forward().output[-1], layer(x[None])[0].detach(), **EXACT
    )


def test_a_network_holds_copies_and_forgets_what_was_replaced() -> None:
    layer = built("GRU", I, H, np.random.default_rng(5))
    kernel = layer.cell.kernel.value.detach().numpy().copy()
    net = rw.from_keras(layer, X)
    layer.cell.kernel.assign(np.zeros_like(kernel))
    z, r, n = np.split(kernel.T, 3)
    assert_array_equal(net.values["weight_ih_l0"], np.concatenate([r, z, n]))
    gradients = net.replace(bias_hh_l0=np.zeros(3 * H)).gradients()
    assert layer.cell.kernel in gradients
    with pytest.raises(KeyError, match=r"not an object that the network was made from"):
        gradients[layer.cell.bias]  # one of its two rows is another now


def test_a_stateful_layer_says_where_it_begins() -> None:
    layer = keras.layers.LSTM(H, stateful=True)
    x = np.random.default_rng(6).standard_normal((1, T, I))
    layer(x)
    with pytest.raises(ValueError, match=r"stateful: say with h0= and c0="):
        rw.from_keras(layer, x[0])
    net = rw.from_keras(layer, x[0], h0=layer.states[0], c0=layer.states[1][0])
    assert_allclose(net.forward().output[-1], layer(x)[0].detach(), **EXACT)


def made(name: str, **options: Any) -> Any:
    layer = getattr(keras.layers, name)(H, **options)
    layer.build((None, None, I))
    return layer


class Doubled(keras.layers.LSTM):
    def call(self, *args: Any, **options: Any) -> Any:
        return 2 * super().call(*args, **options)


REFUSED = [
    (lambda: made("LSTM", activation="relu"), ValueError, "tanh and its recurrent_activation sig"),
    (lambda: made("GRU", recurrent_activation="hard_sigmoid"), ValueError, "tanh and hard_sigmoid"),
    (lambda: made("SimpleRNN", activation="softmax"), ValueError, "here, not softmax"),
    (lambda: made("SimpleRNN", activation=lambda a: a), ValueError, "<lambda> of one's own"),
    (lambda: made("LSTM", go_backwards=True), ValueError, r"go_backwards=True.*x\[::-1\]"),
    (lambda: keras.layers.LSTM(H), ValueError, "has no weights yet: call it once"),
    (lambda: keras.layers.Dense(H), TypeError, "a SimpleRNN, GRU or LSTM of Keras, .* not Dense"),
    (lambda: Doubled(H, name="twice"), TypeError, "'twice' overrides call of Keras's LSTM"),
    (lambda: keras.layers.LSTM, TypeError, "not LSTM itself"),
    (lambda: torch.nn.LSTM(I, H), TypeError, "read by from_torch"),
    (lambda: keras.layers.ConvLSTM1D(2, 2), TypeError, "not ConvLSTM1D of ConvLSTMCell"),
    (
        lambda: keras.Sequential([keras.Input((T, I)), keras.layers.GRU(H, name="inner")]),
        TypeError,
        r"not Sequential; it holds 'inner': pass get_layer\('inner'\)",
    ),
]


@pytest.mark.parametrize(("make", "error", "said"), REFUSED)
def test_refusals(make: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        rw.from_keras(make(), X)


def test_refusals_of_two_directions() -> None:
    def refused(said: str, layer: Any, backward: Any = None, **options: Any) -> None:
        whole = keras.layers.Bidirectional(layer, backward_layer=backward, **options)
        whole.build((None, None, I))
        with pytest.raises(ValueError, match=said):
            rw.from_keras(whole, X)

    backward = {"go_backwards": True}
    lstm, gru = keras.layers.LSTM, keras.layers.GRU
    refused("merge_mode='sum'", lstm(H), merge_mode="sum")
    refused("their kind is lstm and gru", lstm(H), gru(H, **backward))
    refused("their units is 3 and 4", lstm(H), lstm(4, **backward))
    refused("their bias is True and False", gru(H), gru(H, use_bias=False, **backward))
    refused("have changed places", gru(H, **backward), gru(H))
    layer = both("LSTM", I, H, np.random.default_rng(7))
    with pytest.raises(ValueError, match="which only the loss 'seed' can weigh, not 'sum'"):
        rw.from_keras(layer, X, loss="sum")
    with pytest.raises(ValueError, match=r"only output, \(6,\), not \(4, 6\)"):
        rw.from_keras(layer, X, v=np.ones((T, 2 * H)))
    apart = keras.layers.Bidirectional(lstm(H, return_sequences=True), merge_mode=None)
    apart.build((None, None, I))
    assert rw.from_keras(apart, X).forward().output.shape == (T, 2 * H)


def test_masks_and_batches_have_no_place() -> None:
    layer = built("GRU", I, H, np.random.default_rng(8))
    padded = keras.layers.Masking()(np.concatenate([X, 0 * X])[None])[0]
    padded._keras_mask = torch.tensor([True] * T + [False] * T)
    with pytest.raises(ValueError, match="x carries a mask of Keras"):
        rw.from_keras(layer, padded)
    padded._keras_mask[:] = True
    rw.from_keras(layer, padded)
    with pytest.raises(ValueError, match=r"one unbatched sequence of shape \(T, I\)"):
        rw.from_keras(layer, X[None])


def test_from_torch_and_from_keras_name_each_other() -> None:
    with pytest.raises(TypeError, match=r"not GRU of Keras: use from_keras"):
        rw.from_torch(made("GRU"), X)


def test_another_backend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = built("GRU", I, H, np.random.default_rng(9))
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"runs on its jax backend here; .* on its torch backend"):
        rw.from_keras(layer, X)


def test_keras_is_not_imported_here() -> None:
    code = """
import sys
import torch, rnn_widgets as rw
layer = torch.nn.GRU(1, 2)
rw.from_torch(layer, [[1.0]]).gradients()["kernel"]
rw.record(layer, torch.ones(3, 1), lambda out: out[0].sum()).summary()
try:
    rw.from_keras(layer, [[1.0]])
except TypeError:
    print("keras" in sys.modules)
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False"]


def test_the_explorer_opens_a_layer() -> None:
    layer = built("GRU", I, H, np.random.default_rng(2))
    explorer = rw.explore(layer, x=X, panels=["graph"])
    assert_array_equal(explorer.net.values["x"], X)
    expected = rw.from_keras(layer, X).gradients()["kernel"]
    assert_array_equal(explorer.net.gradients()["kernel"], expected)
