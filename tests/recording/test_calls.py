"""Layers that a model calls several times: cells in a loop, decoders step by step, pieces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

import rnn_widgets as rw

from .cases import bent, close

CELLS: dict[str, Any] = {"RNN": nn.RNNCell, "GRU": nn.GRUCell, "LSTM": nn.LSTMCell}
LAYERS: dict[str, Any] = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}


class Loop(nn.Module):
    """A cell that the model loops over itself; ``between`` acts on the state between steps."""

    def __init__(self, kind: str, between: Callable[[Tensor], Tensor] = lambda s: s) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.cell = CELLS[kind](2, 3).double()
        self.between = between
        self.states: Any = None

    def forward(self, x: Tensor) -> Tensor:
        state, outputs = self.states, []
        for one in x:
            state = self.cell(one, state)
            outputs.append(state[0] if isinstance(state, tuple) else state)
            state = (
                tuple(self.between(s) for s in state)
                if isinstance(state, tuple)
                else self.between(state)
            )
        return torch.stack(outputs)


def same_as_layer(loop: Loop, kind: str) -> Any:
    layer = LAYERS[kind](2, 3).double()
    with torch.no_grad():
        for name, parameter in loop.cell.named_parameters():
            getattr(layer, name + "_l0").copy_(parameter)
    return layer


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("between", [lambda s: s, lambda s: s.clone(), lambda s: s.view_as(s)])
def test_a_loop_over_a_cell_is_recorded_as_a_layer_is(kind: str, between: Any) -> None:
    loop = Loop(kind, between)
    x = torch.randn(5, 4, 2).double()
    rec = rw.record(loop, x, bent, layer="cell")
    same = rw.record(same_as_layer(loop, kind), x, lambda out: bent(out[0]))
    assert (rec.kind, rec.calls, rec.steps) == (kind, 5, 5)
    mine, theirs = rec.to_dict(), same.to_dict()
    assert [
        name.replace("]", "_l0]") for name in mine if "[" in name and "initial" not in name
    ] == [name for name in theirs if "[" in name and "initial" not in name]
    for (name, array), other in zip(mine.items(), theirs.values(), strict=True):
        close(array, other, name)
    for name in rec.gradients:
        close(rec.by_source(name), same.by_source(name + "_l0"), name)
        close(rec.contributions(name), same.contributions(name + "_l0"), name)
    close(rec.state_jacobians(2).product(4, -1), same.state_jacobians(2).product(4, -1), "J")
    x.requires_grad_()
    gradients = torch.autograd.grad(bent(loop(x)), [x, *loop.cell.parameters()])
    for array, gradient in zip(
        [rec.inputs.swapaxes(0, 1), *rec.gradients.values()], gradients, strict=True
    ):
        close(array, gradient, "autograd")


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_on_one_sequence_without_a_batch(kind: str) -> None:
    loop = Loop(kind)
    x = torch.randn(5, 2).double()
    rec = rw.record(loop, x, bent)
    same = rw.record(same_as_layer(loop, kind), x, lambda out: bent(out[0]))
    assert rec.samples == 1
    close(rec.total, same.total, "total")


@pytest.mark.parametrize("kind", CELLS)
def test_a_state_detached_between_steps_carries_nothing(kind: str) -> None:
    loop = Loop(kind, Tensor.detach)
    x = torch.randn(4, 2, 2).double()
    rec = rw.record(loop, x, bent)
    assert not rec.carried.any()
    assert rec.direct.any()
    for name in rec.gradients:
        off = rec.contributions(name) * (1 - np.eye(4))
        assert not off.any()
        close(
            np.diag(rec.contributions(name)),
            np.linalg.norm(rec.by_source(name).reshape(4, -1), axis=1),
            name,
        )
    assert not rec.state_jacobians()[1].any()
    with pytest.raises(ValueError, match=r"cut before step 1.*call="):
        rec.network()


@pytest.mark.parametrize("kind", CELLS)
def test_what_is_done_to_a_state_between_steps_is_differentiated(kind: str) -> None:
    loop = Loop(kind, lambda s: 0.5 * torch.tanh(s))
    x = torch.randn(4, 2, 2).double()
    rec = rw.record(loop, x, bent)
    gradients = torch.autograd.grad(bent(loop(x)), list(loop.cell.parameters()))
    for array, gradient in zip(rec.gradients.values(), gradients, strict=True):
        close(array, gradient, "autograd")
    y = rec.outputs.swapaxes(0, 1)
    close(rec.direct, (3 * np.cos(3 * y)).swapaxes(0, 1), "direct")
    assert rec.carried[:, :-1].any()
    for refused in (lambda: rec.contributions("weight_hh"), rec.state_jacobians, rec.network):
        with pytest.raises(
            ValueError, match="did something to the state or the weights between two"
        ):
            refused()


def test_weights_that_are_drawn_anew_at_every_call() -> None:
    class Drop(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return weight * torch.bernoulli(torch.full_like(weight, 0.5))

    loop, x = Loop("GRU"), torch.randn(4, 2, 2).double().requires_grad_()
    nn.utils.parametrize.register_parametrization(loop.cell, "weight_hh", Drop())
    rec = rw.record(loop, x, bent)
    (gradient,) = torch.autograd.grad(bent(loop(x)), x)
    close(rec.inputs.swapaxes(0, 1), gradient, "autograd")
    with pytest.raises(ValueError, match="the state or the weights"):
        rec.contributions("weight_hh")


def test_a_decoder_that_calls_its_layer_step_by_step() -> None:
    """Two layers, one step at a time, fed with what they gave: later losses arrive directly."""
    torch.manual_seed(2)
    layer = nn.LSTM(3, 3, 2).double()
    x = torch.randn(1, 2, 3).double()

    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = layer

        def forward(self, x: Tensor) -> Tensor:
            state, outputs = None, []
            for _ in range(4):
                x, state = self.rnn(x, state)
                outputs.append(x)
            return torch.cat(outputs)

    rec = rw.record(Decoder(), x, bent)
    assert (rec.calls, rec.steps, rec.num_layers) == (4, 4, 2)
    gradients = torch.autograd.grad(bent(Decoder()(x)), list(layer.parameters()))
    for array, gradient in zip(rec.gradients.values(), gradients, strict=True):
        close(array, gradient, "autograd")
    assert not rec.carried[:, -1].any()
    losses_alone = 3 * np.cos(3 * rec.outputs)
    close(rec.direct[:, -1], losses_alone[:, -1], "last")
    assert (np.abs(rec.direct - losses_alone)[:, :-1] > 1e-6).all()


def test_longer_pieces_follow_each_other_too() -> None:
    """A sequence in two calls is the sequence in one, but for what is direct at the seam."""
    torch.manual_seed(3)
    layer = nn.GRU(2, 3, 2, batch_first=True).double()
    x = torch.randn(2, 7, 2).double()

    class Pieces(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = layer

        def forward(self, x: Tensor) -> Tensor:
            first, state = self.rnn(x[:, :3])
            return torch.cat([first, self.rnn(x[:, 3:], state)[0]], 1)

    rec = rw.record(Pieces(), x, bent)
    same = rw.record(layer, x, lambda out: bent(out[0]))
    for (name, array), other in zip(rec.to_dict().items(), same.to_dict().values(), strict=True):
        close(array, other, name)
    for name in rec.gradients:
        close(rec.contributions(name), same.contributions(name), name)


class Pair(nn.Module):
    """One bidirectional layer for two sentences, as models that compare them have it."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.rnn = nn.GRU(2, 3, bidirectional=True, **options).double()

    def forward(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        return self.rnn(one)[0], self.rnn(other)[0]


def test_one_of_several_calls() -> None:
    torch.manual_seed(4)
    model, x = Pair(), (torch.randn(4, 2, 2).double(), torch.randn(6, 2, 2).double())
    parts = [rw.record(model, x, lambda out: bent(out[0]) * bent(out[1]), call=i) for i in (0, 1)]
    assert [rec.steps for rec in parts] == [4, 6]
    one, other = model(*x)
    gradients = torch.autograd.grad(bent(one) * bent(other), list(model.rnn.parameters()))
    both = [sum(pair) for pair in zip(*(p.gradients.values() for p in parts), strict=True)]
    for array, gradient in zip(both, gradients, strict=True):
        close(array, gradient, "autograd")
    with pytest.raises(
        ValueError, match=r"'rnn' is called 2 times and with two directions .*call=0"
    ):
        rw.record(model, x, lambda out: bent(out[0]))
    with pytest.raises(IndexError, match="call 2 does not exist: 0 to 1"):
        rw.record(model, x, lambda out: bent(out[0]), call=2)


def test_calls_that_cannot_follow_each_other() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(2, 3)

        def forward(self, one: Any, other: Any) -> Tensor:
            return self.rnn(one)[1].sum() + self.rnn(other)[1].sum()

    with pytest.raises(ValueError, match="different numbers of samples"):
        rw.record(Twice(), (torch.ones(4, 2, 2), torch.ones(4, 3, 2)), lambda out: out)
    packed = pack_sequence([torch.ones(2, 2), torch.ones(1, 2)])
    with pytest.raises(ValueError, match="padded sequences do not follow"):
        rw.record(Twice(), (packed, packed), lambda out: out)
