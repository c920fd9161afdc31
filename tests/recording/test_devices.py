"""The same numbers, and the same model afterwards, on every device that there is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import rnn_widgets as rw
from rnn_widgets.core.ops import Array
from rnn_widgets.recording.watch import watch

from .cases import DEVICES, bent, close

pytestmark = pytest.mark.parametrize("device", DEVICES)


class Two(nn.Module):
    """Two layers, of which one is recorded, with dropout between what they have inside."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.first = nn.LSTM(2, 3, 2, dropout=dropout, bidirectional=True).double()
        self.second = nn.GRU(6, 3).double()
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Any) -> Tensor:
        made = self.first(x)[0]
        return self.second(self.drop(made))[0] if isinstance(made, Tensor) else made.data


def data() -> Tensor:
    return torch.randn(6, 3, 2, generator=torch.Generator().manual_seed(2)).double()


def flags() -> tuple[Any, ...]:
    cudnn = torch.backends.cudnn
    return (
        cudnn.enabled,
        cudnn.deterministic,
        cudnn.benchmark,
        torch.backends.cuda.matmul.allow_tf32,
        torch.get_float32_matmul_precision(),
        torch.is_autocast_enabled("cpu"),
        torch.is_grad_enabled(),
    )


@pytest.mark.parametrize("layer", ["first", "second"])
@pytest.mark.parametrize("training", [True, False])
def test_either_mode_agrees_with_autograd(device: str, training: bool, layer: str) -> None:
    """In eval mode cuDNN has no backward pass: not for the layer itself, nor for the other one."""
    model, x, before = Two().train(training), data(), flags()
    grads = torch.autograd.grad(bent(model(x)), list(model.get_submodule(layer).parameters()))
    model.to(device)
    rec = rw.record(model, x.to(device), bent, layer=layer)
    assert torch.device(rec.device).type == device
    assert flags() == before
    for array, exact in zip(rec.gradients.values(), grads, strict=True):
        close(array, exact, layer)
    close(rec.by_source("weight_hh_l0").sum(0), rec.gradients["weight_hh_l0"], "by source")
    norms = rec.contributions("weight_hh_l0")
    alone = rw.record(model.cpu(), x, bent, layer=layer).contributions("weight_hh_l0")
    close(norms, alone, "contributions")


def test_padding_and_masks_are_on_the_layers_device(device: str) -> None:
    lengths = torch.tensor([2, 6, 4])
    model = Two().to(device)

    def packed(x: Tensor) -> Any:
        return pack_padded_sequence(x, lengths, enforce_sorted=False)

    rec = rw.record(model, packed(data().to(device)), bent, layer="first")
    assert rec.lengths is not None
    assert rec.lengths.tolist() == [2, 6, 4]
    beyond = np.arange(6) >= rec.lengths[:, None]
    assert not rec.total[beyond].any()
    x = data().requires_grad_()
    (exact,) = torch.autograd.grad(bent(model.cpu()(packed(x))), x)
    close(rec.inputs, exact.transpose(0, 1), "inputs")


def test_random_numbers_go_on_where_they_were(device: str) -> None:
    model, x = Two(0.5).to(device), data().to(device)
    states = [torch.rand(3, device=device)]  # CUDA's own are there from now on

    def drawn() -> tuple[Tensor, Tensor]:
        return torch.rand(3, device=device), torch.rand(3)

    torch.manual_seed(1)
    expected = drawn()
    torch.manual_seed(1)
    recs = [rw.record(model, x, bent, layer="first") for _ in range(2)]
    assert recs[0].layer_mode == "train"
    assert (recs[0].total == recs[1].total).all()
    for one, other in zip(drawn(), expected, strict=True):
        assert torch.equal(one, other)
    assert len(states[0]) == 3


def relative(one: Array, other: Array) -> float:
    return float(np.abs(one - other).max() / np.abs(other).max())


@pytest.mark.parametrize("layer", [nn.LSTM(3, 4), nn.GRU(3, 4, bidirectional=True), nn.RNN(3, 4)])
def test_half_precision_around_the_layer_and_in_it(device: str, layer: Any) -> None:
    """With autocast and with weights of bfloat16 the recording itself computes in float32."""
    x = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0)).bfloat16()
    exact = rw.record(layer.cpu(), x.float(), lambda out: out[0].pow(2).mean())
    layer.to(device)
    before = flags()
    with torch.autocast(device, dtype=torch.bfloat16):
        rec = rw.record(layer, x.to(device), lambda out: out[0].float().pow(2).mean())
    assert rec.dtype == "float32"
    assert relative(rec.outputs, exact.outputs) < 1e-5
    assert relative(rec.total, exact.total) < 0.02
    half = type(layer)(3, 4, bidirectional=layer.bidirectional).to(device, torch.bfloat16)
    half.load_state_dict(layer.state_dict())
    rec = rw.record(half, x.to(device), lambda out: out[0].float().pow(2).mean())
    assert rec.dtype == "float32"
    assert relative(rec.total, exact.total) < 0.05
    assert flags() == before


def test_a_watched_training(device: str) -> None:
    model, alone, x = Two().to(device), Two().to(device), data().to(device)
    optimisers = [torch.optim.SGD(m.parameters(), lr=0.05) for m in (model, alone)]
    with watch(model, "first", every=2, progress=False, show=False) as w:
        for _ in range(4):
            for net, optimiser in zip((model, alone), optimisers, strict=True):
                loss = bent(net(x))
                if net is model:
                    w.note_loss(loss)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    for one, other in zip(model.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
    rec = rw.record(Two(), data(), bent, layer="first")
    expected = np.linalg.norm(rec.total[..., 3:], axis=(0, 2))
    close(w.reverse.total[0], expected, "reverse")
    close(w.losses[0], rec.loss, "loss")
