"""Modules read from torch and made for it."""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from torch.nn.utils import prune

import rnn_widgets as rw
from rnn_widgets.network import Network

from .networks import networks, stirred
from .unrolled import make

LAYERS = [
    (cls, layers, both, bias, options)
    for cls, options in (
        (nn.RNN, {}),
        (nn.RNN, {"nonlinearity": "relu"}),
        (nn.GRU, {}),
        (nn.LSTM, {}),
    )
    for layers in (1, 2)
    for both in (False, True)
    for bias in (True, False)
]
CELLS = [
    (cls, bias, options)
    for cls, options in (
        (nn.RNNCell, {}),
        (nn.RNNCell, {"nonlinearity": "relu"}),
        (nn.GRUCell, {}),
        (nn.LSTMCell, {}),
    )
    for bias in (True, False)
]


def leaf(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize(("cls", "layers", "both", "bias", "options"), LAYERS)
def test_a_layer_computes_the_same_here(
    cls: Any, layers: int, both: bool, bias: bool, options: Any
) -> None:
    torch.manual_seed(0)
    module = cls(2, 3, layers, bias=bias, bidirectional=both, batch_first=True, **options).double()
    x, rows = leaf(4, 2), layers * (1 + both)
    states = [leaf(rows, 3) for _ in range(1 + (cls is nn.LSTM))]
    v = torch.randn(4, 3 * (1 + both), dtype=torch.float64)
    y, _ = module(x, tuple(states) if cls is nn.LSTM else states[0])
    y.backward(v)

    net = rw.from_torch(module, x=x, v=v, **dict(zip(("h0", "c0"), states, strict=False)))
    assert_allclose(net.forward().output, y.detach(), rtol=1e-13, atol=1e-15)
    gradients = net.gradients()
    for name, parameter in module.named_parameters():
        assert gradients.name_of(parameter) == name
        assert_allclose(gradients[parameter], parameter.grad, rtol=1e-10, atol=1e-14)
    assert_allclose(gradients["x"], x.grad, rtol=1e-10, atol=1e-14)
    for name, state in zip(("h0", "c0"), states, strict=False):
        assert_allclose(gradients[name].reshape(rows, 3), state.grad, rtol=1e-10, atol=1e-14)

    again = net.to_torch()
    assert type(again) is cls
    for name, parameter in module.named_parameters():
        assert_array_equal(again.get_parameter(name).detach(), parameter.detach())
    assert len(list(again.parameters())) == len(list(module.parameters()))


@pytest.mark.parametrize(("cls", "bias", "options"), CELLS)
def test_a_cell_computes_the_same_here(cls: Any, bias: bool, options: Any) -> None:
    torch.manual_seed(1)
    cell = cls(2, 3, bias=bias, **options).double()
    x, h = leaf(4, 2), leaf(3)
    state: Any = (h, torch.zeros(3, dtype=torch.float64)) if cls is nn.LSTMCell else h
    outputs = []
    for row in x:
        state = cell(row, state)
        outputs.append(state[0] if cls is nn.LSTMCell else state)
    torch.stack(outputs).sum().backward()

    net = rw.from_torch(cell, x=x, h0=h)  # the default seed is that of y.sum().backward()
    gradients = net.gradients()
    assert_allclose(net.forward().output, torch.stack(outputs).detach(), rtol=1e-13, atol=1e-15)
    for name, parameter in cell.named_parameters():
        assert gradients.name_of(parameter) == name + "_l0"
        assert_allclose(gradients[parameter], parameter.grad, rtol=1e-10, atol=1e-14)
        assert_array_equal(gradients[name], gradients[parameter])
    assert_allclose(gradients["h0"], h.grad, rtol=1e-10, atol=1e-14)


def test_values_are_copies_both_ways() -> None:
    module = nn.GRU(2, 3)
    net = rw.from_torch(module, x=np.ones((2, 2)))
    before = net.values["weight_hh_l0"].copy()
    made = net.to_torch()
    for m in (module, made):
        m.get_parameter("weight_hh_l0").data.fill_(7.0)
    assert_array_equal(net.values["weight_hh_l0"], before)
    assert_array_equal(net.to_torch().get_parameter("weight_hh_l0").detach(), before)


def test_identity_is_of_the_object_not_of_its_value() -> None:
    module = nn.RNN(2, 3)
    gradients = rw.from_torch(module, x=np.ones((2, 2))).gradients()
    old = module.weight_hh_l0
    module.weight_hh_l0 = nn.Parameter(old.detach().clone())
    assert gradients[old].shape == (3, 3)
    with pytest.raises(KeyError, match="not an object that the network was made from"):
        gradients[module.weight_hh_l0]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_other_float_types_are_read_exactly(dtype: torch.dtype) -> None:
    module = nn.LSTM(2, 3).to(dtype)
    net = rw.from_torch(module, x=np.ones((2, 2)))
    assert_array_equal(net.values["bias_ih_l0"], module.bias_ih_l0.detach().double())


class Doubled(nn.GRU):
    def forward(self, *args: Any) -> Any:  # type: ignore[override]
        y, h = super().forward(*args)
        return 2 * y, h


def weight_normed() -> nn.Module:
    return nn.utils.parametrizations.weight_norm(nn.RNN(2, 3), "weight_hh_l0")


def pruned() -> nn.Module:
    return prune.random_unstructured(nn.RNN(2, 3), "weight_hh_l0", 0.5)  # type: ignore[no-any-return, no-untyped-call]


def tied() -> nn.Module:
    module = nn.RNN(3, 3, 2)
    module.weight_hh_l1 = module.weight_hh_l0
    return module


def infinite() -> nn.Module:
    module = nn.RNN(2, 3)
    module.bias_ih_l0.data[1] = torch.inf
    return module


@pytest.mark.parametrize(
    ("module", "error", "sentence"),
    [
        (lambda: nn.Linear(2, 3), TypeError, r"from_torch takes an nn.RNN, .*, not Linear$"),
        (lambda: nn.GRU, TypeError, "not GRU itself"),
        (lambda: "rnn", TypeError, "not str"),
        (
            lambda: nn.Sequential(nn.Linear(2, 2), nn.GRU(2, 3)),
            TypeError,
            r"not Sequential; it holds one: pass get_submodule\('1'\)",
        ),
        (lambda: Doubled(2, 3), TypeError, "Doubled overrides the forward of nn.GRU"),
        (lambda: nn.LSTM(2, 3, proj_size=2), ValueError, "proj_size=2; .* no projection"),
        (
            lambda: nn.GRU(2, 3, 2, dropout=0.5),
            ValueError,
            r"drops out at random \(dropout=0.5, training mode\); call module.eval\(\)",
        ),
        (infinite, ValueError, "bias_ih_l0 has entries that are not finite"),
        (weight_normed, ValueError, "weight_hh_l0 is not a parameter of this .* computed from"),
        (pruned, ValueError, "weight_hh_l0 is not a parameter of this RNN but computed from"),
        (tied, ValueError, "weight_hh_l0 and weight_hh_l1 are one and the same parameter"),
        (lambda: nn.RNN(2, 3, device="meta"), ValueError, "weight_ih_l0 is on the meta device"),
        (lambda: nn.RNN(2, 3, dtype=torch.complex64), ValueError, "weight_ih_l0 is complex"),
    ],
)
def test_refusals(module: Any, error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        rw.from_torch(module(), x=np.ones((2, 2)))


def test_inactive_dropout_is_no_obstacle() -> None:
    for module in (nn.GRU(2, 3, 2, dropout=0.5).eval(), nn.GRU(2, 3, 2, dropout=0.0)):
        assert rw.from_torch(module, x=np.ones((2, 2))).program.num_layers == 2


def run(net: Network, module: nn.Module) -> Any:
    rows = net.program.rows
    states = tuple(
        torch.tensor(net.values[s + "0"]).reshape(rows, -1) for s in net.program.cell.states
    )
    return module(torch.tensor(net.values["x"]), states if len(states) > 1 else states[0])


@settings(max_examples=60, deadline=None)
@given(networks(scales=(0.3, 1.0)))
def test_a_made_module_runs_and_names_like_the_network(drawn: tuple[Network, str]) -> None:
    net, _ = drawn
    module = net.to_torch()
    y, final = run(net, module)
    assert_allclose(y.detach(), net.forward().output, rtol=1e-10, atol=1e-13)
    trainable = {n for n, p in module.named_parameters() if p.requires_grad}
    assert trainable == set(net.program.parameters)
    finals = final if isinstance(final, tuple) else (final,)
    trace = net.forward()
    kept = [trace.hidden, trace.cell][: len(finals)] if len(finals) > 1 else [trace.hidden]
    for mine, theirs in zip(kept, finals, strict=True):
        by_row = mine.reshape(net.program.rows, *mine.shape[-2:])
        last = [
            states[0] if net.program.blocks[row].reverse else states[-1]
            for row, states in enumerate(by_row)
        ]
        assert_allclose(theirs.detach(), np.stack(last), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize(
    ("net", "base"),
    [
        (rw.rnn(2, 3, 2, nonlinearity="relu", num_layers=2), nn.RNN),
        (rw.gru(2, 3, 2, bias="single", bidirectional=True), nn.GRU),
        (rw.lstm(2, 3, 2, bias=False), nn.LSTM),
    ],
)
def test_torchs_own_classes_where_they_compute_the_same(net: Network, base: Any) -> None:
    assert type(net.to_torch()) is base
    assert type(rw.Network.from_json(net.to_json()).to_torch()) is base


@pytest.mark.parametrize("kind", ["tanh", "relu", "gru", "lstm"])
def test_a_readout_makes_a_subclass(kind: str) -> None:
    net = make(kind, 2, 3, 4, readout=2)
    module = net.to_torch()
    base = type(module).__mro__[1]
    assert base.__module__ == "torch.nn.modules.rnn"
    assert_array_equal(module.readout.weight.detach(), net.values["readout.weight"])


@pytest.mark.parametrize("kind", ["identity", "sigmoid", "gru before", "odd", "pair"])
def test_other_cells_make_a_generated_class(kind: str) -> None:
    assert type(make(kind, 2, 3, 4).to_torch()).__module__ == "rnn_widgets.generated"


def test_a_single_bias_leaves_torchs_second_at_zero() -> None:
    module = rw.lstm(2, 3, 2, bias="single", num_layers=2).to_torch()
    for layer in (0, 1):
        second = module.get_parameter(f"bias_hh_l{layer}")
        assert_array_equal(second.detach(), np.zeros(12))
        assert not second.requires_grad


def test_a_cell_that_only_borrows_a_name_is_not_taken_for_a_built_in() -> None:
    @rw.cell(params={"weight_ih": ("H", "I"), "weight_hh": ("H", "H")}, name="rnn_tanh")
    def mine(p: Any, x: Any, h: Any) -> Any:
        return rw.ops.tanh(p.weight_ih @ x - p.weight_hh @ h)

    net = stirred(rw.custom(mine, 2, 3, 4), 0)
    assert net.check()
    assert "kernel" not in net.gradients()


def test_a_batch_is_refused_by_a_generated_module() -> None:
    with pytest.raises(AssertionError, match="one unbatched sequence"):
        make("sigmoid", 2, 3, 4).to_torch()(torch.zeros(4, 2, 2, dtype=torch.float64))


def test_states_are_zero_by_default_as_in_torch() -> None:
    for kind in ("pair", "lstm", "sigmoid", "tanh"):
        net = stirred(make(kind, 2, 3, 4), 0)
        zero = {s + "0": np.zeros(3) for s in net.program.cell.states}
        y, _ = net.to_torch()(torch.tensor(net.values["x"]))
        assert_allclose(y.detach(), net.replace(**zero).forward().output, rtol=1e-12)


def test_a_made_module_trains_copies_and_saves() -> None:
    module = make("gru before", 2, 3, 4, readout=1).to_torch()
    x = torch.ones(4, 2, dtype=torch.float64)
    losses = []
    for _ in range(3):
        module.zero_grad()
        loss = ((module(x)[0] - 1) ** 2).sum()
        loss.backward()
        for parameter in module.parameters():
            parameter.data -= 0.1 * parameter.grad
        losses.append(loss.item())
    assert losses[2] < losses[1] < losses[0]
    twin = copy.deepcopy(module)
    torch.save(module.state_dict(), file := io.BytesIO())
    file.seek(0)
    twin.load_state_dict(torch.load(file))
    assert_array_equal(twin(x)[0].detach(), module(x)[0].detach())


def test_torchs_global_state_is_neither_used_nor_moved() -> None:
    net = make("lstm", 2, 3, 4, readout=2)
    expected = net.check().autograd
    before = torch.random.get_rng_state()
    torch.set_default_dtype(torch.float16)
    torch.set_default_device("meta")
    try:
        with torch.inference_mode():
            report = net.check()
            module = net.to_torch()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)
    assert_array_equal(torch.random.get_rng_state(), before)
    assert report
    for name, array in expected.items():
        assert_array_equal(report.autograd[name], array)
    for parameter in module.parameters():
        assert (parameter.dtype, parameter.device.type) == (torch.float64, "cpu")
        assert not parameter.is_inference()
