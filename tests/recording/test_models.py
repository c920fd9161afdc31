"""Layers inside models: found, called in every way that torch allows, and refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence
from torch.utils.checkpoint import checkpoint

import rnn_widgets as rw
from rnn_widgets.interop.capture.record import _without_cudnn

from .cases import bent, close

CELLS: dict[str, Any] = {"RNN": nn.RNNCell, "GRU": nn.GRUCell, "LSTM": nn.LSTMCell}
LAYERS: dict[str, Any] = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}


class Translator(nn.Module):
    """An encoder of two layers and a decoder, with the usual things around them."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 4)
        self.encoder = nn.ModuleDict(
            {"rnn": nn.LSTM(4, 3, batch_first=True), "unused": nn.GRU(3, 3)}
        )
        self.decoder = nn.Module()
        self.decoder.rnn = nn.GRU(3, 5, batch_first=True)
        self.decoder.norm = nn.LayerNorm(5)
        self.head = nn.Linear(5, 2)

    def forward(self, tokens: Tensor, scale: float = 1.0) -> dict[str, Tensor]:
        encoded, _ = self.encoder["rnn"](self.embed(tokens))
        decoded, last = self.decoder.rnn(encoded)
        return {"steps": self.head(self.decoder.norm(decoded)) * scale, "last": last}


def translator() -> tuple[Translator, Tensor]:
    torch.manual_seed(0)
    return Translator().double(), torch.randint(7, (3, 6))


def squares(out: dict[str, Tensor]) -> Tensor:
    return out["steps"].pow(2).sum() + out["last"].sum()


def record(layer: Any = "encoder.rnn", loss: Callable[[Any], Any] = squares, **options: Any) -> Any:
    model, tokens = translator()
    return rw.record(model, tokens, loss, layer=layer, **options)


@pytest.mark.parametrize("name", ["encoder.rnn", "decoder.rnn"])
def test_a_layer_anywhere_in_a_model(name: str) -> None:
    model, tokens = translator()
    rec = rw.record(model, tokens, squares, layer=name)
    module = model.get_submodule(name)
    squares(model(tokens)).backward()
    assert rec.layer == name
    for parameter, value in module.named_parameters():
        close(rec.gradients[parameter], value.grad, parameter)
    close(rec.loss, squares(model(tokens)), "loss")


def test_a_layer_by_name_part_of_a_name_module_or_place() -> None:
    model, tokens = translator()
    by_name = rw.record(model, tokens, squares, layer="decoder.rnn")
    for layer in (model.decoder.rnn, 2, -1):
        rec = rw.record(model, tokens, squares, layer=layer)
        assert rec.layer == "decoder.rnn"
        assert (rec.total == by_name.total).all()
    alone = nn.ModuleDict({"a": nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 3))})
    alone.forward = lambda x: alone["a"](x)[0]  # type: ignore[method-assign]
    for name in ("a.1", "1", None, 0):
        assert rw.record(alone, torch.ones(4, 1, 2), Tensor.sum, layer=name).layer == "a.1"
    assert rw.record(nn.RNN(2, 3), torch.ones(4, 1, 2), lambda out: out[0].sum()).layer == ""


def test_arguments_as_a_tuple_or_by_name() -> None:
    model, tokens = translator()
    plain = rw.record(model, tokens, squares, layer=0)
    twice = rw.record(model, (tokens, 2.0), squares, layer=0)
    named = rw.record(model, {"tokens": tokens, "scale": 2.0}, squares, layer=0)
    assert (twice.total == named.total).all()
    assert (twice.total != plain.total).any()


def test_a_packed_sequence_is_one_argument() -> None:
    packed = pack_sequence([torch.ones(2, 2), torch.ones(4, 2)], enforce_sorted=False)
    rec = rw.record(nn.LSTM(2, 3), packed, lambda out: out[0].data.sum())
    assert (rec.samples, rec.steps) == (2, 4)
    assert rec.lengths is not None
    assert rec.lengths.tolist() == [2, 4]


def test_a_layer_inside_a_checkpoint() -> None:
    from torch.utils.checkpoint import checkpoint

    class Saving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.GRU(2, 3).double(), nn.Linear(3, 2).double()

        def forward(self, x: Tensor) -> Any:
            def part(x: Tensor) -> Tensor:
                return torch.tanh(self.head(self.rnn(torch.tanh(x))[0]))

            return checkpoint(part, x, use_reentrant=False)

    model, x = Saving(), torch.randn(4, 2, 2).double()
    rec = rw.record(model, x, bent)
    gradients = torch.autograd.grad(bent(model(x)), list(model.rnn.parameters()))
    for array, gradient in zip(rec.gradients.values(), gradients, strict=True):
        close(array, gradient, "autograd")


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch 2.13's own
def test_a_compiled_model_is_recorded_as_it_is_written() -> None:
    torch.manual_seed(5)
    inner = nn.ModuleDict({"rnn": nn.GRU(2, 3)})
    inner.forward = lambda x: inner["rnn"](x)[0]  # type: ignore[method-assign]
    x = torch.randn(4, 2, 2)
    plain = rw.record(inner, x, bent, layer="rnn")
    whole = rw.record(torch.compile(inner), x, bent, layer="rnn")
    part = rw.record(nn.Sequential(torch.compile(inner)), x, bent)
    assert whole.layer == "rnn"
    assert (whole.total == plain.total).all()
    assert (part.total == plain.total).all()


def test_weights_that_are_computed() -> None:
    """With weight norm the layer's weights are results of others: their adjoints are recorded."""
    layer = nn.utils.parametrizations.weight_norm(nn.GRU(2, 3).double(), "weight_hh_l0")
    x = torch.randn(4, 2, 2).double()
    rec = rw.record(layer, x, lambda out: bent(out[0]))
    weight = layer.weight_hh_l0.detach().requires_grad_()
    plain = nn.GRU(2, 3).double()
    with torch.no_grad():
        for name in rec.gradients:
            getattr(plain, name).copy_(getattr(layer, name))
    bent(plain(x)[0]).backward()
    close(rec.gradients["weight_hh_l0"], plain.weight_hh_l0.grad, "weight_hh_l0")
    close(rec.weights["weight_hh_l0"], weight, "value")


def test_the_model_may_change_what_it_gets_in_place() -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.RNN(2, 3).double()

        def forward(self, x: Tensor) -> Tensor:
            y, last = self.rnn(x)
            last.zero_()
            return y.mul_(2.0).relu_()

    model, x = InPlace(), torch.randn(4, 2, 2).double()
    rec = rw.record(model, x, bent)
    gradients = torch.autograd.grad(bent(model(x)), list(model.rnn.parameters()))
    for array, gradient in zip(rec.gradients.values(), gradients, strict=True):
        close(array, gradient, "autograd")
    close(rec.outputs, model.rnn(x)[0].transpose(0, 1), "outputs")


def test_recording_inside_no_grad_and_inference_mode() -> None:
    layer, x = nn.GRU(2, 3), torch.ones(4, 1, 2)
    rec = rw.record(layer, x, lambda out: out[0].sum())
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            again = rw.record(layer, x, lambda out: out[0].sum())
        assert (again.total == rec.total).all()


def test_a_layer_that_the_model_runs_without_gradients() -> None:
    class Frozen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.GRU(2, 3), nn.Linear(3, 1)

        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                y = self.rnn(x)[0]
            return self.head(y)

    says = (
        r"loss does not depend on the layer 'rnn': the layer is run without gradients, under torch"
    )
    with pytest.raises(ValueError, match=says):
        rw.record(Frozen(), torch.ones(4, 1, 2), Tensor.sum)


def test_a_checkpoint_that_hides_the_layer_is_told() -> None:
    class Checkpointed(nn.Module):
        def __init__(self, reentrant: bool) -> None:
            super().__init__()
            self.rnn, self.reentrant = nn.GRU(2, 3), reentrant

        def forward(self, x: Tensor) -> Tensor:
            made: Tensor = checkpoint(lambda x: self.rnn(x)[0], x, use_reentrant=self.reentrant)
            return made

    x = torch.ones(4, 1, 2, requires_grad=True)
    with pytest.raises(ValueError, match="use_reentrant=True"):
        rw.record(Checkpointed(True), x, Tensor.sum)
    assert rw.record(Checkpointed(False), x, Tensor.sum).total.any()


@pytest.mark.parametrize("given", [[1, 2], torch.tensor([1.0, 2.0], requires_grad=True)])
def test_sample_weights_of_losses_in_half_precision(given: Any) -> None:
    layer = nn.GRU(2, 3).bfloat16()
    x = torch.randn(4, 2, 2, dtype=torch.bfloat16)
    rec = rw.record(layer, x, lambda out: out[0].mean((0, 2)), sample_weight=given)
    truth = layer(x)[0].mean((0, 2)).detach().float()
    assert rec.losses is not None
    np.testing.assert_allclose(rec.losses, truth, atol=1e-2)
    assert rec.losses.dtype == np.float32


def test_an_index_of_numpy_is_an_index() -> None:
    model = nn.Sequential(nn.GRU(2, 3))
    assert rw.record(model, torch.ones(4, 1, 2), lambda out: out[0].sum(), np.int64(0)).layer == "0"


def test_only_cudnn_itself_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the switches of TF32 is an error where convolutions and layers differ in them."""
    on_cuda = SimpleNamespace(is_cuda=True)
    other = nn.GRU(2, 3).eval()
    monkeypatch.setattr(other, "parameters", lambda: [on_cuda])
    module = type(torch.backends.cudnn)
    monkeypatch.setattr(module, "allow_tf32", property(lambda _: pytest.fail("was read")))
    before = torch.backends.cudnn.enabled
    layer = nn.GRU(2, 3)
    with _without_cudnn(nn.ModuleList([layer, other]), layer):
        assert not torch.backends.cudnn.enabled
    with _without_cudnn(nn.ModuleList([layer]), layer):
        assert torch.backends.cudnn.enabled == before
    assert torch.backends.cudnn.enabled == before


@pytest.mark.parametrize("layer", [nn.LSTM(3, 4), nn.GRU(3, 4), nn.LSTM(3, 4, 2, proj_size=2)])
def test_autocast_changes_no_number_of_the_layers_own(layer: Any) -> None:
    """Half precision is for speed: a recording computes in the type of the weights."""
    x = torch.randn(5, 2, 3).bfloat16()
    with torch.autocast("cpu"):
        rec = rw.record(layer, x, lambda out: out[0].float().pow(2).mean())
    same = rw.record(layer, x.float(), lambda out: out[0].pow(2).mean())
    assert (rec.outputs == same.outputs).all()
    assert np.allclose(rec.total, same.total, atol=0.01 * np.abs(same.total).max())


def test_a_model_that_is_the_layer_has_no_layer_of_a_name() -> None:
    with pytest.raises(ValueError, match="'rnn': the model itself is the only one, so leave out"):
        rw.record(nn.GRU(2, 3), torch.zeros(1, 4, 2), lambda out: out[0].sum(), layer="rnn")


REFUSED = [
    (
        {"layer": "encoder.rmn"},
        KeyError,
        "no recurrent layer 'encoder.rmn'; did you mean 'encoder.rnn'.*encoder.unused, decoder.rnn",
    ),
    ({"layer": "rnn"}, ValueError, "'rnn' may be 'encoder.rnn' or 'decoder.rnn': give the whole"),
    ({"layer": "encoder"}, ValueError, "'encoder' is no recurrent layer but holds 'encoder.rnn'"),
    ({"layer": None}, ValueError, r"say which layer=: there are 'encoder.rnn' \(LSTM\), "),
    ({"layer": 3}, IndexError, "layer 3 does not exist: in this order there are 'encoder.rnn'"),
    ({"layer": 1.5}, TypeError, "a name, a module, an index or None, not 1.5"),
    ({"layer": True}, TypeError, "not True"),
    ({"layer": nn.GRU(2, 3)}, ValueError, "GRU is not among the model's recurrent layers"),
    ({"layer": nn.Linear(2, 3)}, ValueError, "Linear is not among the model's recurrent layers"),
    ({"layer": "encoder.unused"}, ValueError, "did not call the layer 'encoder.unused'"),
    ({"loss": lambda out: out["steps"]}, ValueError, r"scalar, not a tensor of shape \(3, 6, 2\)"),
    ({"loss": lambda out: 3.0}, TypeError, "loss must give a tensor, not float"),
    ({"loss": lambda out: out}, TypeError, "loss must give a tensor, not dict"),
    (
        {"loss": lambda out: torch.zeros(())},
        ValueError,
        "layer 'encoder.rnn': it has no gradient at all; usual reasons are torch.no_grad",
    ),
    (
        {"loss": lambda out: out["last"].detach().sum() + nn.Parameter(torch.ones(())).double()},
        ValueError,
        r"loss does not depend on the layer 'encoder.rnn'; usual reasons .* or \.detach\(\)",
    ),
    (
        {"loss": nn.CrossEntropyLoss()},
        TypeError,
        r"gets the output alone, .* takes input, target: .*lambda out: criterion\(out, target\)",
    ),
    (
        {"loss": lambda y_true, y_pred: y_pred},
        TypeError,
        r"lambda out: criterion\(y_true, out\)",
    ),
    ({"loss": "mse"}, TypeError, "loss must be a function of the model's output, not 'mse'"),
    (
        {"loss": squares, "sample_weight": [1, 1, 1]},
        ValueError,
        r"one number for each sample, shape \(N,\), not \(\)",
    ),
    (
        {"loss": lambda out: out["steps"].sum((1, 2)), "sample_weight": [1, 2]},
        ValueError,
        r"sample_weight must have shape \(3,\) as the losses have, not \(2,\)",
    ),
]


@pytest.mark.parametrize(("options", "error", "says"), REFUSED)
def test_refusals_say_what_was_expected(options: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        record(**options)


def test_models_that_cannot_be_recorded() -> None:
    x = torch.ones(4, 1, 2)
    with pytest.raises(TypeError, match=r"must be a torch.nn.Module, not function"):
        rw.record(lambda x: x, x, Tensor.sum)
    with pytest.raises(ValueError, match=r"no recurrent layer .*: .*nn\.RNN.* loop of Linear"):
        rw.record(nn.Linear(2, 2), x, Tensor.sum)

    class Own(nn.GRU):
        def forward(self, *args: Any) -> Any:
            return super().forward(*args)

    with pytest.raises(TypeError, match=r"'the model' overrides the forward of nn\.GRU"):
        rw.record(Own(2, 3), x, lambda out: out[0].sum())


@pytest.mark.parametrize(
    ("x", "error", "says"),
    [
        (torch.ones(4, 1, 5), RuntimeError, "equal to input_size. Expected 2, got 5"),
        (torch.ones(4), ValueError, "Expected input to be 2D or 3D, got 1D"),
        (torch.ones(0, 1, 2), RuntimeError, "sequence length"),
        (torch.ones(4, 1, 2).double(), ValueError, "does not match weight dtype"),
        ((torch.ones(4, 1, 2), torch.ones(1, 3, 3)), RuntimeError, r"hidden size \(1, 1, 3\)"),
        ((torch.ones(4, 2), torch.ones(1, 1, 3)), RuntimeError, "has 2 dimensions, not 3"),
    ],
)
def test_what_torch_refuses_is_refused(x: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        rw.record(nn.GRU(2, 3), x, lambda out: out[0].sum())


class Sensitive(nn.Module):
    """A model that looks at the gradient of its own output."""

    def __init__(self, create_graph: bool) -> None:
        super().__init__()
        self.rnn, self.create_graph = nn.GRU(2, 3), create_graph

    def forward(self, x: Tensor) -> Tensor:
        x = x.requires_grad_()
        y: Tensor = self.rnn(x)[0]
        (slope,) = torch.autograd.grad(
            y[-1].sum(), x, create_graph=self.create_graph, retain_graph=True
        )
        return y[0] + slope.sum()


def test_a_gradient_on_the_way_is_not_the_losss_own() -> None:
    rec = rw.record(Sensitive(False), torch.ones(4, 1, 2), Tensor.sum)
    assert rec.direct.any(axis=(0, 2)).tolist() == [True, False, False, False]
    other = nn.Parameter(torch.ones(()))
    with pytest.raises(ValueError, match="does not depend on the layer 'rnn'"):
        rw.record(Sensitive(False), torch.ones(4, 1, 2), lambda _: other * 2)


def test_a_gradient_of_a_gradient_is_refused() -> None:
    """It would lack what the penalty gives, without a word."""
    with pytest.raises(NotImplementedError, match="cannot be differentiated twice"):
        rw.record(Sensitive(True), torch.ones(4, 1, 2), Tensor.sum)
