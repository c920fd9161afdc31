"""A model is left as it was found, whatever its forward pass, the loss or an exception does."""

from __future__ import annotations

import copy
import gc
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import rnn_widgets as rw
from rnn_widgets.interop.capture.calls import Call


class Busy(nn.Module):
    """A model whose forward pass changes everything that a forward pass can change."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(6, 4, max_norm=0.5)  # renormalises its weight in place
        self.norm = nn.BatchNorm1d(4)
        self.rnn = nn.LSTM(4, 3, 2, dropout=0.5)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(3, 1)
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("nothing", torch.tensor([torch.nan, 1.0]))
        self.hidden: Any = None
        self.past = torch.zeros(2)
        self.history: list[Any] = []
        self.counts = {"calls": 0}
        self.states = (torch.zeros(2),)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.norm(self.embed(tokens).transpose(1, 2)).transpose(1, 2)
        y, self.hidden = self.rnn(x)
        self.seen = self.seen + 1  # a new buffer under the old name
        self.nothing += 1
        self.past.add_(1)
        self.states[0].add_(1)
        self.past_too = self.past.clone()
        self.history.append(y)
        self.counts["calls"] += 1
        self.rnn.train(not self.rnn.training)
        self.head.weight.data.mul_(2)
        noise = torch.rand(()).item() + np.random.rand() + random.random()  # noqa: NPY002
        return self.head(self.drop(y)) + noise


def everything(model: nn.Module) -> dict[str, Any]:
    """All that shall be the same afterwards."""
    found: dict[str, Any] = {}
    for path, module in model.named_modules():
        for name, value in module.__dict__.items():
            found[f"{path}.{name}"] = (id(value), copy.copy(value))
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        found[name] = (id(tensor), tensor.detach().clone(), tensor._version)
        found[name + ".grad"] = (
            id(tensor.grad),
            None if tensor.grad is None else tensor.grad.clone(),
        )
    if isinstance(model, Busy):
        found["past"] = model.past.clone(), model.states[0].clone()
    found["torch"] = torch.get_rng_state()
    found["numpy"] = np.random.get_state()[1].copy()  # type: ignore[union-attr]  # noqa: NPY002
    found["python"] = random.getstate()
    found["flags"] = (torch.backends.cudnn.enabled, torch.is_grad_enabled())
    return found


def same(one: Any, other: Any) -> bool:
    if isinstance(one, Tensor):
        return torch.equal(one.nan_to_num(nan=-7), other.nan_to_num(nan=-7))
    if isinstance(one, np.ndarray):
        return bool((one == other).all())
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one is other or one == other)


def busy() -> tuple[Busy, Tensor]:
    torch.manual_seed(0)
    model, tokens = Busy(), torch.randint(6, (5, 3))
    model.drop.eval()
    model.head.weight.grad = torch.ones(1, 3)
    model.rnn.register_forward_hook(lambda *_: None)
    model.rnn.weight_hh_l0.register_hook(lambda _: pytest.fail("a hook on .grad ran"))
    return model, tokens


def test_the_forward_pass_really_does_all_that() -> None:
    model, tokens = busy()
    before = everything(model)
    model(tokens)
    after = everything(model)
    changed = {name for name in before if name in after and not same(before[name], after[name])}
    assert changed >= {
        "embed.weight", "norm.running_mean", "seen", "nothing", ".hidden", "past", ".history",
        ".counts", "rnn.training", "head.weight", "torch", "numpy", "python",
    }  # fmt: skip
    assert ".past_too" in set(after) - set(before)


def assert_untouched(model: nn.Module, before: dict[str, Any]) -> None:
    after = everything(model)
    assert set(after) == set(before)
    different = [n for n in before if not same(before[n][:2], after[n][:2])]
    assert not [n for n in different if n not in ("torch", "numpy", "python", "flags", "past")]
    for name in ("torch", "numpy", "python", "flags", "past"):
        assert same(before[name], after[name]), name


def squares(out: Tensor) -> Tensor:
    return out.pow(2).mean()


@pytest.mark.parametrize("training", [True, False])
def test_a_model_is_as_it_was(training: bool) -> None:
    model, tokens = busy()
    model.train(training)
    before = everything(model)
    for _ in range(2):
        rec = rw.record(model, tokens, squares, layer="rnn")
        assert_untouched(model, before)
    assert rec.mode == ("train" if training else "eval")
    assert "forward" not in model.rnn.__dict__


def broken(out: Tensor) -> Tensor:
    out.sum().backward(retain_graph=True)
    raise ZeroDivisionError("of the user's own")


@pytest.mark.parametrize(
    ("loss", "error"),
    [
        (broken, ZeroDivisionError),
        (lambda out: out, ValueError),
        (lambda out: torch.ones(()), ValueError),
        (lambda out: out.detach().sum(), ValueError),
    ],
)
def test_a_model_is_as_it_was_after_an_error(loss: Any, error: type[Exception]) -> None:
    model, tokens = busy()
    model.rnn.weight_hh_l0._backward_hooks = None  # broken() calls backward itself
    before = everything(model)
    with pytest.raises(error):
        rw.record(model, tokens, loss, layer="rnn")
    assert_untouched(model, before)


def test_an_error_in_the_forward_pass() -> None:
    model, _ = busy()
    before = everything(model)
    with pytest.raises(IndexError):
        rw.record(model, torch.full((5, 3), 99), squares, layer="rnn")
    assert_untouched(model, before)


def test_inputs_and_their_gradients_are_as_they_were() -> None:
    layer = nn.GRU(2, 3)
    x = torch.randn(4, 1, 2, requires_grad=True)
    x.grad = torch.full_like(x, 5)
    kept = x.detach().clone()

    class Rude(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = layer

        def forward(self, x: Tensor) -> Tensor:
            y = self.rnn(x)[0]
            x.data.zero_()
            return y

    rec = rw.record(Rude(), x, Tensor.sum)
    assert torch.equal(x.detach(), kept)
    assert (x.grad == 5).all()
    assert (rec.x.swapaxes(0, 1) == kept.numpy()).all()


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
def test_memory_that_cannot_be_written_to_is_not(tmp_path: Path) -> None:
    """Writing even the same values back would end the process."""
    np.ones((4, 1, 2), np.float32).tofile(tmp_path / "x")
    x = torch.from_numpy(np.memmap(tmp_path / "x", np.float32, "r", shape=(4, 1, 2)))
    rec = rw.record(nn.GRU(2, 3), x, lambda out: out[0].sum())
    assert (rec.x == 1).all()


def test_inputs_made_in_inference_mode() -> None:
    with torch.inference_mode():
        x = torch.ones(4, 1, 2)
    rec = rw.record(nn.GRU(2, 3), x, lambda out: out[0].sum())
    assert (rec.x == 1).all()


def test_a_graph_of_the_users_own_can_still_be_differentiated() -> None:
    """Writing parameters back, even the same values, would make autograd refuse."""
    model, tokens = busy()
    model.rnn.weight_hh_l0._backward_hooks = None
    model.embed.max_norm = None
    versions = [p._version for p in model.parameters()]
    loss = squares(model.head(model.rnn(torch.randn(5, 3, 4))[0]))
    rw.record(model, tokens, squares, layer="rnn")
    assert [p._version for p in model.parameters()] == versions
    loss.backward()
    assert model.rnn.weight_hh_l0.grad is not None


def test_a_recording_does_not_follow_the_model() -> None:
    layer, x = nn.LSTM(2, 3), torch.randn(4, 2, 2)
    rec = rw.record(layer, x, lambda out: out[0].sum())
    before = {name: array.copy() for name, array in rec.to_dict().items()}
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        x.zero_()
    fresh = rw.record(nn.LSTM(2, 3), torch.randn(4, 2, 2), lambda out: out[0].sum())
    assert fresh.loss != rec.loss
    for name, array in rec.to_dict().items():
        assert (array == before[name]).all(), name
    assert rec.contributions("weight_hh_l0").any()
    for array in (*rec.to_dict().values(), rec.contributions("weight_hh_l0")):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(ValueError, match="WRITEABLE"):
        rec.total.setflags(write=True)


def test_a_sparse_gradient_is_as_it_was() -> None:
    model = nn.Sequential(nn.Embedding(6, 2, sparse=True), nn.GRU(2, 3))
    tokens = torch.tensor([[1], [4], [1]])
    model(tokens)[0].sum().backward()
    grad = model[0].weight.grad
    before = grad.clone()

    def loss(out: Any) -> Tensor:
        grad.mul_(2)
        return out[0].sum()

    rw.record(model, tokens, loss)
    assert model[0].weight.grad is grad
    assert torch.equal(grad.to_dense(), before.to_dense())


def kept() -> int:
    """Calls of recorded layers that are still in memory."""
    gc.collect()
    return sum(type(thing) is Call for thing in gc.get_objects())


def a_loop(cell: nn.Module) -> Any:
    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = cell

        def forward(self, x: Tensor) -> Any:
            h = None
            for step in x:
                h = self.cell(step, h)
            return (h,)

    return Loop()


@pytest.mark.parametrize("model", [nn.LSTM(2, 3), a_loop(nn.GRUCell(2, 3))])
def test_nothing_of_the_pass_stays_in_memory(model: nn.Module) -> None:
    """Autograd's graph holds each call: what held the graph in turn would never be freed."""
    before = kept()
    rec = rw.record(model, torch.ones(4, 1, 2), lambda out: out[0].sum())
    assert kept() == before
    with pytest.raises(ValueError, match="must give a scalar"):
        rw.record(model, torch.ones(4, 1, 2), lambda out: out[0])
    assert kept() == before
    assert rec.total.any()
