"""Every recorded number against autograd: on the layer as it is, and unrolled by hand."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_widgets as rw
from rnn_widgets.interop.capture.spec import LayerSpec
from rnn_widgets.recording.recording import Recording

from .cases import DEVICES, Case, Model, cases, close, of_spec, unrolled
from .unrolled import Adjoints, gradients


def record(model: Model) -> Recording:
    return rw.record(model, (), model.loss, layer="rnn")


def agree(rec: Recording, by_hand: Adjoints) -> None:
    """All that a recording says, but for contributions."""
    assert abs(rec.loss - float(by_hand.loss.detach())) <= 1e-10 * max(1, abs(rec.loss))
    for i, layer in enumerate(rec.layers):
        direct, carried = by_hand.state(i, "direct"), by_hand.state(i, "carried")
        close(layer.direct, direct, f"direct {i}")
        close(layer.carried, carried, f"carried {i}")
        close(layer.total, direct + carried, f"total {i}")
        for g, gate in enumerate(layer.gates.values()):
            close(gate.adjoints, by_hand.gate(i, g), f"gate {g} {i}")
        if layer.cell is not None:
            direct, carried = by_hand.cell(i, "direct"), by_hand.cell(i, "carried")
            close(layer.cell.direct, direct, f"cell direct {i}")
            close(layer.cell.carried, carried, f"cell carried {i}")
            close(layer.cell.total, direct + carried, f"cell total {i}")
    run = by_hand.run
    close(rec.inputs, by_hand.of(run.x).transpose(0, 1), "inputs")
    close(rec.initial["h0"], by_hand.of(run.h0), "h0")
    if run.c0 is not None:
        close(rec.initial["c0"], by_hand.of(run.c0), "c0")
    assert list(rec.gradients) == list(run.copies)
    for name in run.copies:
        by_source = by_hand.by_source(name)
        close(rec.by_source(name), by_source, f"by_source {name}")
        close(rec.gradients[name], by_source.sum(0), f"gradient {name}")


def agree_values(rec: Recording, by_hand: Adjoints) -> None:
    run = by_hand.run
    real = torch.ones(run.x.shape[:2]) if run.lengths is None else run.live
    assert real is not None
    for i, layer in enumerate(rec.layers):
        steps = run.steps[i]
        outputs = torch.cat([torch.stack([s.h_out for s in one]) for one in steps], -1)
        close(layer.outputs, (outputs * real[..., None]).transpose(0, 1), f"outputs {i}")
        for g, gate in enumerate(layer.gates.values()):
            values = torch.cat([torch.stack([s.gates[g] for s in one]) for one in steps], -1)
            close(gate.values, (values * real[..., None]).transpose(0, 1), f"gate {g} {i}")
        if layer.cell is not None:
            cells: Any = [torch.stack([s.c_next for s in one]) for one in steps]  # type: ignore[misc]
            values = torch.cat(cells, -1) * real[..., None]
            close(layer.cell.values, values.transpose(0, 1), f"cell {i}")
    close(rec.x, (run.x * real[..., None]).transpose(0, 1), "x")


def agree_contributions(rec: Recording, by_hand: Adjoints) -> None:
    for name in by_hand.run.copies:
        explicit = by_hand.contributions(name)
        norms = torch.linalg.vector_norm(explicit.flatten(2), dim=2)
        close(rec.contributions(name), norms, f"contributions {name}")
        close(explicit.sum((0, 1)), rec.gradients[name], f"sum of contributions {name}")


@settings(max_examples=120, deadline=None)
@given(cases())
def test_autograd_on_the_layer_as_it_is_agrees(case: Case) -> None:
    model = Model(Case(**{**case.__dict__, "training": case.training and not case.dropping}))
    rec = record(model)
    plain = copy.deepcopy(model)
    for parameter in plain.parameters():
        parameter.requires_grad_()
    loss = plain.loss(plain())
    every = dict(plain.named_parameters())
    found = dict(zip(every, gradients(loss, list(every.values())), strict=True))
    close(rec.loss, loss, "loss")
    for name in rec.gradients:
        close(rec.gradients[name], found["rnn." + name], name)
    close(rec.inputs, found["x"].transpose(0, 1), "inputs")
    for state in ("h0", "c0") if case.kind == "LSTM" else ("h0",):
        if case.states != "none":
            close(rec.initial[state], found[state], state)
    y = model.plain(plain())[0]
    close(rec.outputs, y.transpose(0, 1), "outputs")


@settings(max_examples=60, deadline=None)
@given(cases())
def test_the_layer_unrolled_by_hand_agrees(case: Case) -> None:
    model = Model(case)
    rec = record(model)
    by_hand = model.unrolled(rec)
    agree(rec, by_hand)
    agree_values(rec, by_hand)


@settings(max_examples=25, deadline=None)
@given(cases())
def test_contributions_are_those_of_the_unrolled_layer(case: Case) -> None:
    model = Model(case)
    rec = record(model)
    agree_contributions(rec, model.unrolled(rec))


SPECS = [
    LayerSpec("RNN", 2, 3, nonlinearity="sigmoid"),
    LayerSpec("RNN", 2, 3, 2, 2, nonlinearity="identity"),
    LayerSpec("RNN", 2, 3, 2, nonlinearity="relu"),
    LayerSpec("GRU", 2, 3),
    LayerSpec("GRU", 2, 3, reset_after=False),
    LayerSpec("GRU", 2, 3, 2, 2, reset_after=False),
    LayerSpec("LSTM", 2, 3, 2, 2),
    LayerSpec("LSTM", 2, 3, 1, 2, proj_size=2),
]


@pytest.mark.parametrize("spec", SPECS, ids=repr)
@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(("both", "single", "none")), st.booleans())
def test_layers_of_other_frameworks_agree(
    spec: LayerSpec, seed: int, bias: str, masked: bool
) -> None:
    """Kinds that torch has no module for, masks that keep the state at any step, one bias."""
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    weights = {
        name: drawn(*shape)
        for name, shape in spec.weights(bias=bias != "none").items()
        if bias == "both" or not name.startswith("bias_hh")
    }
    rows = spec.num_layers * spec.directions
    x = drawn(4, 3, 2)
    h0, c0 = drawn(rows, 3, spec.output_size), drawn(rows, 3, spec.hidden_size)
    live = torch.rand(4, 3, generator=generator) < 0.6 if masked else None
    w = [drawn(4, 3, spec.directions * spec.output_size), drawn(*h0.shape), drawn(*c0.shape)]

    def loss(parts: tuple[torch.Tensor, ...]) -> torch.Tensor:
        terms = [torch.sin(part * one).sum() for part, one in zip(parts, w, strict=False)]
        return torch.stack(terms).sum()

    rec = of_spec(spec, weights, x, h0, c0, live, loss)
    by_hand = unrolled(spec, weights, x, h0, c0, live, None, [None] * spec.num_layers, loss)
    agree(rec, by_hand)
    agree_contributions(rec, by_hand)


def test_one_step_has_one_contribution() -> None:
    model = Model(Case(steps=1, layers=2))
    rec = record(model)
    for name, gradient_ in rec.gradients.items():
        close(rec.contributions(name)[0, 0], np.linalg.norm(gradient_), name)


def test_tiny_contributions_are_not_lost_in_squares() -> None:
    """In float32 the squares of norms below 1e-23 are zero."""
    layer = torch.nn.RNN(2, 2, nonlinearity="relu", bias=False)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.eye(2))
        layer.weight_hh_l0.copy_(1e-4 * torch.eye(2))
    rec = rw.record(layer, torch.ones(9, 2, 2), lambda out: out[0][-1].sum(-1).mean())
    norms = rec.contributions("weight_ih_l0")[-1]
    assert np.allclose(norms, 2 * 1e-4 ** np.arange(8, -1, -1.0), rtol=1e-5, atol=0)


def test_samples_that_cancel_cancel() -> None:
    """C is summed over the batch: two samples with opposite losses leave nothing."""
    model = Model(Case(samples=1))
    x = model.x.detach().repeat(1, 2, 1)
    sign = torch.tensor([1.0, -1.0])[:, None]
    rec = rw.record(model.rnn, x, lambda out: (out[0] * sign).sum())
    assert rec.total.any()
    for name in rec.gradients:
        assert np.abs(rec.contributions(name)).max() < 1e-14


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_numbers_are_the_models_or_float32(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = torch.nn.GRU(3, 4).to(dtype)
    x = torch.randn(5, 2, 3).to(dtype)
    rec = rw.record(layer, x, lambda out: out[0].float().pow(2).mean())
    assert rec.dtype == "float32"
    assert {a.dtype for a in rec.to_dict().values()} == {np.dtype("float32")}
    exact = rw.record(layer.double(), x.double(), lambda out: out[0].pow(2).mean())
    error = {torch.float32: 1e-6, torch.bfloat16: 1e-2, torch.float16: 2e-3}[dtype]
    for name, found in exact.gradients.items():
        assert np.abs(rec.gradients[name] - found).max() < error * np.abs(found).max()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("training", [True, False])
def test_every_device_agrees_in_both_modes(device: str, training: bool) -> None:
    case = Case("LSTM", layers=2, directions=2, training=training, lengths=(5, 2, 4))
    model = Model(case).to(device)
    rec = record(model)
    assert rec.device.startswith(device)
    by_hand = Model(case).unrolled(rec)
    agree(rec, by_hand)
    agree_contributions(rec, by_hand)


def test_dropout_is_drawn_and_one_mask_serves_both_directions() -> None:
    model = Model(Case("GRU", layers=3, dropout=0.5, steps=9, samples=20))
    rec, again = record(model), record(model)
    masks = [rec._arrays[f"mask_l{i}"] for i in range(2)]
    for mask in masks:
        assert set(np.unique(mask)) == {0.0, 2.0}
        assert 0.4 < (mask == 0).mean() < 0.6
    assert (masks[0] != masks[1]).any()
    assert rec.loss == again.loss  # the random state is as it was before
    agree(rec, model.unrolled(rec))


def test_everything_dropped_leaves_nothing_below() -> None:
    rec = record(Model(Case("RNN", layers=2, dropout=1.0)))
    assert not rec.layers[0].direct.any()
    assert not rec.inputs.any()
    assert rec.total.any()


def linear(first: float, second: float) -> torch.nn.RNN:
    """Two layers of one unit whose relu never switches off."""
    layer = torch.nn.RNN(1, 1, 2, nonlinearity="relu", bias=False).double()
    with torch.no_grad():
        for name, value in (("ih_l0", 1.0), ("hh_l0", first), ("ih_l1", 3.0), ("hh_l1", second)):
            getattr(layer, f"weight_{name}").fill_(value)
    return layer


def test_a_second_layer_without_recurrence_carries_nothing() -> None:
    rec = rw.record(linear(2.0, 0.0), torch.ones(4, 1, 1).double(), lambda out: out[0].sum())
    assert rec.direct[0, :, 0].tolist() == [1, 1, 1, 1]
    assert rec.carried[0, :, 0].tolist() == [0, 0, 0, 0]
    assert rec.layers[0].direct[0, :, 0].tolist() == [3, 3, 3, 3]
    assert rec.layers[0].carried[0, :, 0].tolist() == [42, 18, 6, 0]
    assert rec.layers[0].total[0, :, 0].tolist() == [45, 21, 9, 3]


def test_a_first_layer_without_recurrence_still_gets_later_losses() -> None:
    """Its direct adjoint holds what the layer above carried, and not only the loss at its step."""
    rec = rw.record(linear(0.0, 2.0), torch.ones(4, 1, 1).double(), lambda out: out[0][-1].sum())
    assert rec.direct[0, :, 0].tolist() == [0, 0, 0, 1]
    assert rec.carried[0, :, 0].tolist() == [8, 4, 2, 0]
    assert rec.layers[0].direct[0, :, 0].tolist() == [24, 12, 6, 3]
    assert not rec.layers[0].carried.any()


def test_per_step_mean_squared_error_gives_its_derivative() -> None:
    torch.manual_seed(0)
    layer = torch.nn.LSTM(2, 3, batch_first=True).double()
    x, y = torch.randn(4, 6, 2).double(), torch.randn(4, 6, 3).double()
    rec = rw.record(layer, x, lambda out: torch.nn.functional.mse_loss(out[0], y))
    close(rec.direct, 2 * (rec.outputs - y.numpy()) / (4 * 6 * 3), "direct")


def test_padding_is_exactly_zero() -> None:
    case = Case("LSTM", layers=2, directions=2, lengths=(2, 5, 1), uses=("all", "h_n", "c_n"))
    model = Model(case)
    rec = record(model)
    assert rec.lengths is not None
    assert rec.lengths.tolist() == [2, 5, 1]
    padding = np.arange(5) >= rec.lengths[:, None]
    for name, array in rec.to_dict().items():
        if array.shape[:2] == padding.shape and name != "x":
            assert not array[padding].any(), name
            assert array[~padding].any(), name


def test_sample_weights_weigh_the_losses() -> None:
    torch.manual_seed(0)
    layer = torch.nn.GRU(2, 3, batch_first=True).double()
    x = torch.randn(4, 6, 2).double()

    def losses(out: Any) -> torch.Tensor:
        return out[0].pow(2).sum((1, 2))

    weight = [0.0, 1.0, 2.0, 4.0]
    rec = rw.record(layer, x, losses, sample_weight=weight)
    plain = rw.record(layer, x, lambda out: losses(out).sum())
    assert rec.losses is not None
    close(rec.losses, losses(layer(x)), "losses")
    close(rec.loss, (rec.losses * weight).mean(), "loss")
    close(rec.total, plain.total * np.array(weight)[:, None, None] / 4, "total")
    assert plain.losses is None
