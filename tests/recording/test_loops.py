"""Hand-called cells of all kinds, in stacks, with states that are cut now and then."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings

import rnn_widgets as rw
from rnn_widgets.recording.watch import watch

from .cases import DEVICES, close
from .loops import ByHand, Looped, Stack, loops


@given(loops())
@settings(max_examples=60, deadline=None)
def test_any_loop_agrees_with_the_unrolled_layer_and_autograd(case: Looped) -> None:
    agrees(case, "cpu")


@pytest.mark.parametrize("device", DEVICES)
def test_a_stack_of_three_kinds(device: str) -> None:
    breaks = {(2, 0): "detached", (3, 1): "anew", (1, 2): "detached"}
    for layer in range(3):
        agrees(
            Looped(("LSTM", "GRU", "RNN"), layer, 5, 2, True, True, False, True, breaks, 3), device
        )


def agrees(case: Looped, device: str) -> None:
    model = Stack(case)
    truth = ByHand(model)
    model.to(device)
    rec = rw.record(model, (), model.loss, layer=f"cells.{case.layer}")
    close(rec.loss, truth.loss, "loss")
    for name, expected in truth.states().items():
        close(rec.quantity(name).values, expected, name)
    cell = model.cells[case.layer]
    parameters = dict(cell.named_parameters())
    grads = torch.autograd.grad(model.loss(model()), list(parameters.values()))
    for name, expected in zip(parameters, grads, strict=True):
        close(rec.gradients[name], expected, name)
        close(rec.by_source(name), truth.by_source(name), f"by_source {name}")
    if case.halves:
        with pytest.raises(ValueError, match="did something to the state"):
            rec.contributions("weight_hh")
    elif not (case.finals and case.kind == "LSTM"):
        for name in parameters:
            close(rec.contributions(name), truth.contributions(name), f"C {name}")


@given(loops())
@settings(max_examples=15, deadline=None)
def test_watching_such_a_loop_gives_its_norms(case: Looped) -> None:
    model = Stack(case)
    rec = rw.record(model, (), model.loss, layer=f"cells.{case.layer}")
    with watch(model, f"cells.{case.layer}", progress=False, show=False) as w:
        model.loss(model()).backward()
    for name in ("direct", "carried", "total"):
        norms = torch.tensor(getattr(rec, name)).norm(dim=(0, 2))
        close(getattr(w, name)[0], norms, name)
