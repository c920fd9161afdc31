"""Layers in what torch wraps around models: checkpoints, compilers, copies for several devices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.utils.checkpoint import checkpoint

import rnn_widgets as rw
from rnn_widgets.recording.watch import watch

from .cases import DEVICES, bent, close

# torch 2.13's own, of torch.jit and of what Dynamo looks into
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore:There is a performance drop:UserWarning",
    "ignore::torch.jit.TracerWarning",
    r"ignore:The \.grad attribute of a Tensor that is not a leaf:UserWarning",
)
Run = Callable[[nn.Module, Tensor], Tensor]


class Model(nn.Module):
    """A GRU, or a loop over its cell, between layers that save what they need for the way back."""

    def __init__(self, loop: bool = False, around: Run | None = None) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.rnn = (nn.GRUCell if loop else nn.GRU)(2, 4).double()
        self.head = nn.Linear(4, 3).double()
        self.loop, self.around = loop, around

    def inside(self, x: Tensor) -> Tensor:
        x = torch.tanh(x)
        if not self.loop:
            return torch.tanh(self.head(self.rnn(x)[0])) ** 2
        state, outputs = None, []
        for one in x:
            state = self.rnn(one, state)
            outputs.append(state)
        return torch.tanh(self.head(torch.stack(outputs))) ** 2

    def forward(self, x: Tensor) -> Tensor:
        return self.inside(x) if self.around is None else self.around(self, x)


def data(device: str = "cpu") -> Tensor:
    return torch.randn(5, 3, 2, generator=torch.Generator().manual_seed(1)).double().to(device)


def as_autograd(model: nn.Module, run: Callable[[Tensor], Tensor], layer: str, **at: Any) -> None:
    """Recorded and watched, the numbers are those of the plain model and of autograd."""
    x = data(**at)
    plain = Model(isinstance(model.get_submodule(layer), nn.RNNCellBase)).to(x.device)
    grads = torch.autograd.grad(bent(plain(x)), list(plain.parameters()))
    alone = rw.record(plain, x, bent)
    for array, exact in zip(alone.gradients.values(), grads, strict=False):
        close(array, exact, "alone")
    parameters = [p for p in model.parameters() if p.requires_grad]
    with watch(model, layer, every=2, progress=False, show=False) as w:
        for _ in range(3):
            model.zero_grad()
            bent(run(x)).backward()
            for parameter, exact in zip(parameters, grads, strict=True):
                close(parameter.grad.cpu(), exact, "trained")
    assert w.passes.tolist() == [0, 2]
    for name in ("direct", "carried", "total"):
        norms = np.linalg.norm(getattr(alone, name), axis=(0, 2))
        close(getattr(w, name), np.stack([norms, norms]), name)
    rec = rw.record(model, x, bent, layer=layer)
    close(rec.total, alone.total, "recorded")
    assert "forward" not in model.get_submodule(layer).__dict__
    assert not model._forward_hooks
    assert not model._forward_pre_hooks
    close(run(x).detach().cpu(), plain(x), "afterwards")


def kept(model: Any, x: Tensor, **options: Any) -> Tensor:
    made: Tensor = checkpoint(model.inside, x, **options)
    return made


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("loop", [False, True])
def test_a_checkpoint_runs_the_layer_again_as_it_ran(loop: bool, device: str) -> None:
    model = Model(loop, lambda m, x: kept(m, x, use_reentrant=False)).to(device)
    as_autograd(model, model, "rnn", device=device)


def test_a_checkpoint_without_gradients_is_told() -> None:
    model = Model(False, lambda m, x: kept(m, x, use_reentrant=True))
    x = data().requires_grad_()
    says = "use_reentrant=True .with False it can be recorded"
    with pytest.raises(ValueError, match=says):
        rw.record(model, x, bent)
    with pytest.warns(UserWarning, match=says), watch(model, progress=False, show=False):
        bent(model(x)).backward()
    assert model.rnn.weight_hh_l0.grad is not None
    assert "forward" not in model.rnn.__dict__


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("way", ["of the model", "in place", "of the watched one", "of the layer"])
def test_a_compiled_model(way: str, loop: bool) -> None:
    torch._dynamo.reset()
    model = Model(loop)
    if way == "of the layer":
        model.rnn.compile(backend="eager")
        as_autograd(model, model, "rnn")
    elif way == "in place":
        model.compile(backend="eager")
        model(data())
        as_autograd(model, model, "rnn")
    else:
        compiled = torch.compile(model, backend="eager")
        compiled(data())
        if way == "of the model":
            as_autograd(compiled, compiled, "rnn")
        else:  # as where the loop calls one and the watch was given the other
            as_autograd(model, compiled, "rnn")


def test_a_model_compiled_in_one_piece_is_told() -> None:
    torch._dynamo.reset()
    model, x = Model(True), data()
    compiled: Any = torch.compile(model, backend="eager", fullgraph=True)
    expected = compiled(x)
    with (
        pytest.raises(torch._dynamo.exc.Unsupported, match="without fullgraph=True"),
        watch(model, progress=False, show=False),
    ):
        compiled(x)
    assert not model._forward_pre_hooks
    assert torch.equal(compiled(x), expected)


def test_a_wrapper_for_several_devices() -> None:
    model = nn.DataParallel(Model())
    as_autograd(model, model, "module.rnn")
    model.device_ids = [0, 1]
    with pytest.raises(ValueError, match=r"to 2 devices at every pass, .* call the model .*module"):
        watch(model, progress=False, show=False)
    # Recorded it is the model inside that is run, once.
    close(rw.record(model, data(), bent).total, rw.record(model.module, data(), bent).total, "2")


def test_a_model_distributed_over_processes(tmp_path: Path) -> None:
    distributed = torch.distributed
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    try:
        model = nn.parallel.DistributedDataParallel(Model())
        as_autograd(model, model, "module.rnn")
        del model
    finally:
        distributed.destroy_process_group()


@pytest.mark.parametrize("make", [torch.jit.script, lambda m: torch.jit.trace(m, data())])
def test_what_torch_jit_compiled_is_told(make: Any) -> None:
    model = nn.Sequential(make(nn.GRU(2, 4).double()))
    for layer in (None, "0", 0, model[0]):
        with pytest.raises(TypeError, match=r"'0' \(GRU\) is compiled by torch.jit"):
            rw.record(model, data(), lambda out: out[0].sum(), layer=layer)
    with pytest.raises(TypeError, match=r"'1' \(GRU\) is compiled"):
        watch(nn.Sequential(nn.GRU(2, 4), make(nn.GRU(2, 4).double())), "1")
    alone = nn.Sequential(nn.GRU(2, 2).double(), make(nn.GRU(2, 4).double()))
    assert rw.record(alone[0], data(), lambda out: out[0].sum()).kind == "GRU"


def test_parameters_given_with_the_call() -> None:
    model, x = Model(), data()
    others = {name: (1.5 * p).detach().requires_grad_() for name, p in model.named_parameters()}

    class Called(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> Any:
            return functional_call(model, others, (x,))

    exact = torch.autograd.grad(bent(functional_call(model, others, (x,))), list(others.values()))
    rec = rw.record(Called(), x, bent)
    for name, expected in zip(others, exact, strict=True):
        if name.startswith("rnn."):
            close(rec.gradients[name.removeprefix("rnn.")], expected, name)
    with watch(model, progress=False, show=False) as w:
        bent(functional_call(model, others, (x,))).backward()
    close(w.total[0], np.linalg.norm(rec.total, axis=(0, 2)), "watched")


@pytest.mark.parametrize(
    "run",
    [
        lambda model, x: vmap(model, in_dims=1, out_dims=1)(x),
        lambda model, x: grad(lambda p: bent(functional_call(model, p, (x,))))(
            dict(model.named_parameters())
        ),
    ],
)
def test_transforms_of_functions_are_told(run: Any) -> None:
    model, x = Model(loop=True), data()
    run(model, x)  # torch itself can

    class Called(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> Any:
            return run(model, x)

    says = r"called under torch\.func .*take gradients with loss\.backward"
    with pytest.raises(NotImplementedError, match=says):
        rw.record(Called(), x, bent)
    with (
        pytest.raises(NotImplementedError, match=says),
        watch(model, progress=False, show=False),
    ):
        run(model, x)
    assert "forward" not in model.rnn.__dict__


# Several backward passes through one forward pass


def split(out: Tensor) -> tuple[Tensor, Tensor]:
    return torch.sin(out[:2]).sum(), (out[1:] ** 2).sum()


Way = Callable[[Any, Tensor, Tensor], Any]
WAYS: dict[str, Way] = {
    "two": lambda m, a, b: (a.backward(retain_graph=True), b.backward()),
    "to inputs": lambda m, a, b: (
        a.backward(inputs=list(m.parameters()), retain_graph=True),
        b.backward(inputs=list(m.parameters())),
    ),
    "grad": lambda m, a, b: (
        torch.autograd.grad(a, list(m.parameters()), retain_graph=True),
        torch.autograd.grad(b, list(m.parameters())),
    ),
    "and a look aside": lambda m, a, b: (
        torch.autograd.grad(a, list(m.parameters()), retain_graph=True),
        a.backward(retain_graph=True),
        torch.autograd.grad(b, list(m.parameters()), retain_graph=True),
        b.backward(retain_graph=True),
        torch.autograd.grad(a + b, list(m.parameters())),
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("loop", [False, True])
def test_backward_passes_through_one_pass_add_up(way: str, loop: bool) -> None:
    model, x = Model(loop), data()
    rec = rw.record(model, x, lambda out: sum(split(out)))
    with watch(model, every=1, progress=False, show=False) as w:
        WAYS[way](model, *split(model(x)))
    for name in ("direct", "carried", "total"):
        close(getattr(w, name)[0], np.linalg.norm(getattr(rec, name), axis=(0, 2)), name)
    held = model.rnn.weight_hh_l0.grad if not loop else model.rnn.weight_hh.grad
    if way != "grad":  # which leaves .grad alone
        close(rec.gradients["weight_hh" if loop else "weight_hh_l0"], held, ".grad")


def test_a_pair_of_passes_before_one_way_back() -> None:
    """As of two sentences that are compared: the pass that is due waits for it."""
    model, x = Model(), data()
    other = torch.flip(x, (0,))
    fixed = model(other).detach()
    rec = rw.record(model, x, lambda out: (out * fixed).sum())
    with watch(model, every=4, progress=False, show=False) as w:
        for _ in range(3):
            loss = (model(x) * model(other)).sum()
            w.note_loss(loss)
            loss.backward()
    assert w.passes.tolist() == [0, 4]
    close(w.losses, np.full(2, rec.loss), "loss")
    for row in w.total:
        close(row, np.linalg.norm(rec.total, axis=(0, 2)), "total")


# Parameters that are used in other places too


def test_a_tied_weight_has_the_layers_own_share() -> None:
    torch.manual_seed(0)

    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.head = nn.RNN(3, 3).double(), nn.Linear(3, 3).double()
            self.head.weight = self.rnn.weight_hh_l0

        def forward(self, x: Tensor) -> Any:
            return self.head(self.rnn(x)[0])

    model, x = Tied(), torch.randn(4, 2, 3).double()
    rec = rw.record(model, x, bent)
    assert rec.shared == {"weight_hh_l0": ("head.weight",)}
    assert "weight_hh_l0 is also head.weight: its gradient here is the layer's own" in rec.summary()
    bent(model(x)).backward()
    y = model.rnn(x)[0].detach()
    weight = model.head.weight.detach().requires_grad_()
    bent(nn.functional.linear(y, weight, model.head.bias.detach())).backward()
    close(rec.gradients["weight_hh_l0"] + weight.grad.numpy(), model.head.weight.grad, "both")
    close(rec.by_source("weight_hh_l0").sum(0), rec.gradients["weight_hh_l0"], "by source")
    close(rec.gradients["weight_ih_l0"], model.rnn.weight_ih_l0.grad, "not shared")


def test_weights_tied_within_a_layer_and_a_layer_called_twice() -> None:
    torch.manual_seed(0)
    layer = nn.GRU(3, 3, 2).double()
    layer.weight_hh_l1 = layer.weight_hh_l0

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = self.again = layer

        def forward(self, x: Tensor) -> Any:
            return self.again(self.first(x)[0])[0]

    model, x = Twice(), torch.randn(4, 2, 3).double()
    parts = [rw.record(model, x, bent, layer="first", call=i) for i in (0, 1)]
    assert parts[0].shared == {
        "weight_hh_l0": ("weight_hh_l1",),
        "weight_hh_l1": ("weight_hh_l0",),
    }
    bent(model(x)).backward()
    share = {n: sum(part.gradients[n] for part in parts) for n in parts[0].gradients}
    close(share["weight_hh_l0"] + share["weight_hh_l1"], layer.weight_hh_l0.grad, "tied")
    for name in ("weight_ih_l0", "weight_ih_l1", "bias_hh_l0", "bias_hh_l1"):
        close(share[name], getattr(layer, name).grad, name)


def test_a_saved_recording_keeps_what_is_shared(tmp_path: Path) -> None:
    layer = nn.RNN(3, 3)
    layer.weight_hh_l0 = layer.weight_ih_l0
    rec = rw.record(layer, torch.ones(4, 1, 3), lambda out: out[0].sum())
    rec.save(tmp_path / "tied.npz")
    assert rw.Recording.load(tmp_path / "tied.npz").shared == rec.shared
