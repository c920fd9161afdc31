"""Recording layers of Keras wherever they are, and leaving their models as found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import rnn_widgets as rw
from rnn_widgets.recording.watch import watch
from tests.interop.keras64 import both, built, float64, keras, variables

from .cases import close
from .keras_models import H, I, loss, same

__all__ = ["float64"]  # a fixture is found by its name


class Everything(keras.Model):
    """A model with whatever keeps something between calls."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = {"rnn": keras.layers.LSTM(H, stateful=True, dropout=0.3, use_cudnn=False)}
        self.norms = [keras.layers.BatchNormalization()]
        self.drop = keras.layers.Dropout(0.3)
        self.seen = keras.metrics.Mean()
        self.calls: list[int] = []

    def call(self, x: torch.Tensor, training: bool = False) -> torch.Tensor:
        self.calls.append(len(self.calls))
        self.add_loss(x.sum())
        made = self.drop(self.parts["rnn"](x, training=training), training=training)
        self.seen.update_state(made.detach().numpy())
        noise = keras.random.normal(made.shape)  # of the global generator
        return self.norms[0](made + noise, training=training)


def everything_in(model: Any) -> list[Any]:
    layers, states = model._flatten_layers(), model.parts["rnn"].states
    return [
        [v.value.detach().clone() for v in (*model.variables, *states)],
        [v.trainable for v in model.variables],
        [None if v.value.grad is None else v.value.grad.clone() for v in model.variables],
        [{n: id(v) for n, v in layer.__dict__.items()} for layer in layers],
        list(model.calls),
        len(model.losses),
        [torch.get_rng_state(), np.random.get_state()[1]],  # noqa: NPY002
    ]


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, torch.Tensor | np.ndarray):
        return bool((torch.as_tensor(one) == torch.as_tensor(other)).all())
    return bool(one == other)


@pytest.mark.parametrize("fails", [False, True])
def test_a_model_is_left_as_found(fails: bool) -> None:
    keras.utils.set_random_seed(0)
    model, x = Everything(), torch.randn(2, 4, I, dtype=torch.float64)
    loss(model(x)).backward()
    model.parts["rnn"].cell.kernel.trainable = False
    before = everything_in(model)

    def criterion(output: torch.Tensor) -> torch.Tensor:
        if fails:
            raise ZeroDivisionError
        return loss(output)

    if fails:
        with pytest.raises(ZeroDivisionError):
            rw.record(model, x, criterion, training=True)
    else:
        rec = rw.record(model, x, criterion, training=True)
        assert rec.total.any()
    assert equal(before, everything_in(model))
    # The same random numbers come as would have come without.
    ours = model(x, training=True).detach()
    keras.utils.set_random_seed(0)
    model, x = Everything(), torch.randn(2, 4, I, dtype=torch.float64)
    loss(model(x)).backward()
    close(ours, model(x, training=True).detach(), "output")


def functional() -> Any:
    inputs = keras.Input((5, I))
    made = keras.layers.LSTM(H, return_sequences=True, name="encoder")(inputs)
    inner = keras.Sequential(
        [
            keras.layers.Dense(H),
            keras.layers.GRU(H, return_sequences=True, name="deep"),
        ],
        name="inner",
    )
    both_ways = keras.layers.Bidirectional(keras.layers.SimpleRNN(H), name="reader")
    return keras.Model(inputs, both_ways(inner(made)))


def test_layers_by_name_object_and_index() -> None:
    model, x = functional(), np.random.default_rng(6).standard_normal((2, 5, I))
    deep = model.get_layer("inner").get_layer("deep")
    for layer in ("inner/deep", "deep", deep, 1, -2):
        rec = rw.record(model, x, loss, layer=layer)
        assert (rec.layer, rec.kind) == ("inner/deep", "GRU")
    assert rw.record(model, x, loss, layer="reader").directions == 2


def test_a_layer_that_is_not_there() -> None:
    model, x = functional(), np.ones((2, 5, I))
    listed = r"'encoder' \(LSTM\), 'inner/deep' \(GRU\), 'reader' \(Bidirectional\)"
    for layer, error, said in (
        ("encodre", KeyError, r"did you mean 'encoder'\? There are: encoder, inner/deep, reader"),
        ("inner", ValueError, "'inner' is no recurrent layer but holds 'inner/deep'"),
        (None, ValueError, f"say which layer=: there are {listed}"),
        (7, IndexError, listed),
        (model.get_layer("reader").forward_layer, ValueError, f"not among .* {listed}"),
        (1.5, TypeError, listed),
    ):
        with pytest.raises(error, match=said):
            rw.record(model, x, loss, layer=layer)
    with pytest.raises(ValueError, match="no recurrent layer in this Dense"):
        rw.record(keras.layers.Dense(2), x, loss)
    with pytest.raises(ValueError, match="the loss does not depend on the layer 'encoder'"):
        rw.record(model, x, lambda out: torch.ones((), requires_grad=True), layer="encoder")
    with pytest.raises(ValueError, match=r"'later' has no weights yet: .* or the model"):
        rw.record(keras.layers.LSTM(H, name="later"), x, loss)
    with pytest.raises(ValueError, match="training= is for models of Keras"):
        rw.record(torch.nn.GRU(I, H), torch.ones(4, I), lambda out: out[0].sum(), training=True)


def test_keras_inside_torch_and_torch_inside_keras() -> None:
    class Outer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read = both("GRU", I, H, np.random.default_rng(7))
            self.models = torch.nn.ModuleList([functional()])

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.read(x) + self.models[0](x)

    class Inner(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            inside = torch.nn.GRU(I, H, batch_first=True, dtype=torch.float64)
            self.wrapped = keras.layers.TorchModuleWrapper(inside)

        def call(self, x: torch.Tensor) -> Any:
            return self.wrapped(x)[0]

    x = torch.tensor(np.random.default_rng(8).standard_normal((2, 5, I)))
    model = Outer()
    with pytest.raises(ValueError, match=r"'read' .*'models.0/encoder' .*, 'models.0/inner/deep'"):
        rw.record(model, x, loss)
    rec = rw.record(model, x, loss, layer="read")
    loss(model(x)).backward()
    for name, variable in variables(model.read).items():
        close(rec.gradients[name], variable.value.grad, name)
    inner = Inner()
    rec = rw.record(inner, x, loss)
    loss(inner(x)).backward()
    close(rec.gradients["weight_hh_l0"], inner.wrapped.module.weight_hh_l0.grad, "weight_hh_l0")


def test_a_layer_called_several_times() -> None:
    inputs = keras.Input((4, I))
    layer = keras.layers.GRU(H, return_state=True, name="shared")
    _, state = layer(inputs)
    output, _ = layer(inputs, initial_state=state)
    model, x = keras.Model(inputs, output), np.random.default_rng(9).standard_normal((2, 4, I))
    rec = rw.record(model, x, loss)
    assert (rec.steps, rec.calls) == (8, 2)
    whole = rw.record(layer, np.concatenate([x, x], 1), lambda out: loss(out[0]))
    same(rec, whole)
    close(rw.record(model, x, loss, call=1).total, whole.total[:, 4:], "second call")


def test_a_recording_is_saved_under_keras_names(tmp_path: Any) -> None:
    rng = np.random.default_rng(10)
    layer = built("GRU", I, H, rng, return_sequences=True, go_backwards=True)
    rec = rw.record(layer, rng.standard_normal((2, 4, I)), loss)
    rec.save(tmp_path / "gru.npz")
    again = rw.Recording.load(tmp_path / "gru.npz")
    assert list(again.gradients) == ["kernel", "recurrent_kernel", "bias"]
    close(again.contributions("bias"), rec.contributions("bias"), "bias")
    close(again.gradients["bias"], rec.gradients["bias"], "bias")


@pytest.mark.parametrize("make", [built, both])
def test_a_sample_as_a_network_answers_to_the_same_names(make: Any) -> None:
    rng = np.random.default_rng(11)
    layer = make("GRU", I, H, rng, return_sequences=True)
    rec = rw.record(layer, rng.standard_normal((2, 4, I)), loss)
    shares = [rec.network(sample=n).gradients() for n in range(2)]
    for name, gradient in rec.gradients.items():
        close(shares[0][name] + shares[1][name], gradient, name)


def test_watching_a_loop() -> None:
    rng = np.random.default_rng(12)
    layer, x = built("LSTM", I, H, rng, return_sequences=True), rng.standard_normal((2, 4, I))
    rec = rw.record(layer, x, loss)
    with watch(layer, every=2, progress=False, show=False) as w:
        for _ in range(3):
            loss(layer(x)).backward()
    assert w.passes.tolist() == [0, 2]
    close(w.total[1], np.sqrt((rec.total**2).sum((0, 2))), "total")
    assert "call" not in layer.__dict__


def test_watching_a_model_that_is_told_with_the_call_that_it_trains() -> None:
    """After fit, torch's own flag says eval."""
    rng = np.random.default_rng(13)
    layer, x = built("GRU", I, H, rng, return_sequences=True), rng.standard_normal((2, 4, I))
    layer.eval()
    with watch(layer, every=1, progress=False, show=False) as w:
        loss(layer(x, training=True)).backward()
        loss(layer(x, training=False)).backward()
    assert w.passes.tolist() == [0]
