"""Recurrent layers in all their forms: drawn, run, recorded, and unrolled by hand."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import rnn_widgets as rw
from rnn_widgets.interop.capture.calls import Call, apply
from rnn_widgets.interop.capture.collect import collected
from rnn_widgets.interop.capture.spec import LayerSpec, same_names
from rnn_widgets.recording.recording import Recording

from .unrolled import Adjoints, Unrolled

CLASSES: dict[str, Any] = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
USES = ("all", "last", "h_n", "c_n")


@dataclass(frozen=True)
class Case:
    """A layer and a batch: what torch's recurrent layers can be asked for."""

    kind: str = "LSTM"
    nonlinearity: str = "tanh"
    layers: int = 1
    directions: int = 1
    batch_first: bool = False
    bias: bool = True
    proj: int = 0
    dropout: float = 0.0
    training: bool = True
    lengths: tuple[int, ...] | None = None
    enforce_sorted: bool = False
    unbatched: bool = False
    states: str = "none"  # "none", "given", "requiring"
    uses: tuple[str, ...] = ("all",)
    frozen: bool = False
    seed: int = 0
    steps: int = 5
    samples: int = 3

    @property
    def dropping(self) -> bool:
        return self.dropout > 0 and self.training and self.layers > 1

    def module(self) -> Any:
        torch.manual_seed(self.seed)
        options: dict[str, Any] = {"nonlinearity": self.nonlinearity} if self.kind == "RNN" else {}
        if self.proj:
            options["proj_size"] = self.proj
        module = CLASSES[self.kind](
            2,
            3,
            self.layers,
            bias=self.bias,
            batch_first=self.batch_first,
            dropout=self.dropout if self.layers > 1 else 0.0,
            bidirectional=self.directions == 2,
            **options,
        ).double()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.mul_(1.5)
                parameter.requires_grad_(not self.frozen)
        return module.train(self.training)


@st.composite
def cases(draw: Any) -> Case:
    kind = draw(st.sampled_from(list(CLASSES)))
    packed = draw(st.booleans())
    samples = draw(st.integers(1, 3))
    steps = draw(st.integers(1, 5))
    lengths, ordered = None, False
    if packed:
        ordered = draw(st.booleans())
        drawn = draw(st.lists(st.integers(1, steps), min_size=samples, max_size=samples))
        lengths = tuple(sorted(drawn, reverse=True) if ordered else drawn)
    uses = [use for use in USES if (use != "c_n" or kind == "LSTM") and draw(st.booleans())]
    return Case(
        kind,
        draw(st.sampled_from(("tanh", "relu"))) if kind == "RNN" else "tanh",
        draw(st.integers(1, 3)),
        draw(st.integers(1, 2)),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.sampled_from((0, 2))) if kind == "LSTM" else 0,
        draw(st.sampled_from((0.0, 0.5))),
        draw(st.booleans()),
        lengths,
        ordered,
        not packed and draw(st.booleans()),
        draw(st.sampled_from(("none", "given", "requiring"))),
        tuple(uses) or ("all",),
        draw(st.booleans()),
        draw(st.integers(0, 1000)),
        max(lengths) if lengths else steps,
        samples,
    )


class Model(nn.Module):
    """A layer between an input that is learnt too and a loss that is not linear."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.case = case
        self.rnn = case.module()
        generator = torch.Generator().manual_seed(case.seed + 1)

        def drawn(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64)

        samples = 1 if case.unbatched else case.samples
        units = case.proj or 3
        rows = case.layers * case.directions
        self.x = nn.Parameter(drawn(case.steps, samples, 2))
        required = case.states == "requiring"
        self.h0 = nn.Parameter(drawn(rows, samples, units), requires_grad=required)
        self.c0 = nn.Parameter(drawn(rows, samples, 3), requires_grad=required)
        self.weights = {
            "y": drawn(case.steps, samples, case.directions * units),
            "h": drawn(rows, samples, units),
            "c": drawn(rows, samples, 3),
        }

    def forward(self) -> Any:
        case, x, states = self.case, self.x * 1, (self.h0, self.c0)
        if case.unbatched:
            x, states = x[:, 0], (self.h0[:, 0], self.c0[:, 0])
        elif case.batch_first and case.lengths is None:
            x = x.transpose(0, 1)
        if case.lengths is not None:
            x = pack_padded_sequence(
                x, torch.tensor(case.lengths), enforce_sorted=case.enforce_sorted
            )
        given: Any = states if case.kind == "LSTM" else states[0]
        return self.rnn(x) if case.states == "none" else self.rnn(x, given)

    def plain(self, output: Any) -> tuple[Tensor, ...]:
        """Outputs (T, N, ·), final h and final c, however the layer gives them."""
        y, finals = output
        states = list(finals) if isinstance(finals, tuple) else [finals]
        if isinstance(y, PackedSequence):
            y = pad_packed_sequence(y)[0]
        elif self.case.unbatched:
            y, states = y.unsqueeze(1), [s.unsqueeze(1) for s in states]
        elif self.case.batch_first:
            y = y.transpose(0, 1)
        return (y, *states)

    def loss(self, output: Any) -> Tensor:
        return self.of_plain(self.plain(output))

    def of_plain(self, parts: tuple[Tensor, ...]) -> Tensor:
        y, uses = parts[0], self.case.uses
        total = torch.zeros((), dtype=y.dtype, device=y.device)
        w = {name: weight.to(y) for name, weight in self.weights.items()}
        if "all" in uses:
            total = total + torch.sin(y * w["y"]).sum()
        if "last" in uses:
            total = total + (y[-1] ** 2 * w["y"][-1]).sum()
        if "h_n" in uses:
            total = total + torch.sin(parts[1] * w["h"]).sum()
        if "c_n" in uses:
            total = total + torch.sin(parts[2] * w["c"]).sum()
        return total

    def spec(self) -> LayerSpec:
        case = self.case
        return LayerSpec(
            case.kind, 2, 3, case.layers, case.directions, case.proj, case.nonlinearity
        )

    def unrolled(self, rec: Recording) -> Adjoints:
        """The same by autograd, with the dropout that the recording drew."""
        case = self.case
        masks = [rec._arrays.get(f"mask_l{i}") for i in range(case.layers)]
        lengths = None if case.lengths is None else torch.tensor(case.lengths)
        live = None if lengths is None else torch.arange(case.steps)[:, None] < lengths
        nothing = case.states == "none"
        return unrolled(
            self.spec(),
            {name: p.detach() for name, p in self.rnn.named_parameters()},
            self.x.detach(),
            torch.zeros_like(self.h0) if nothing else self.h0.detach(),
            torch.zeros_like(self.c0) if nothing else self.c0.detach(),
            live,
            lengths,
            [None if mask is None else torch.tensor(mask) for mask in masks],
            self.of_plain,
        )


BOTH = Case("LSTM", layers=2, directions=2, lengths=(3, 5, 1), uses=("all",))


def record(case: Case = BOTH) -> Recording:
    """Record the layer of a case's model."""
    model = Model(case)
    return rw.record(model, (), model.loss, layer="rnn")


def unrolled(
    spec: LayerSpec,
    weights: dict[str, Tensor],
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    live: Tensor | None,
    lengths: Tensor | None,
    masks: list[Tensor | None],
    loss: Any,
) -> Adjoints:
    run = Unrolled(
        spec,
        weights,
        x.clone().requires_grad_(),
        h0.clone().requires_grad_(),
        c0.clone().requires_grad_() if spec.kind == "LSTM" else None,
        live,
        lengths,
        masks,
    )
    y, *finals = [part for part in run.run() if part is not None]
    return Adjoints(run, loss((y, *finals)), y, finals)


def of_spec(
    spec: LayerSpec,
    weights: dict[str, Tensor],
    x: Tensor,
    h0: Tensor,
    c0: Tensor,
    live: Tensor | None,
    loss: Any,
) -> Recording:
    """Record a layer that no module of torch is, as other frameworks have them."""
    call = Call(spec, weights, live=live)
    dummy = torch.zeros((), requires_grad=True)
    in_order = [weights.get(name) for name in spec.weights()]
    parts = apply(call, dummy, x, h0, c0 if spec.kind == "LSTM" else None, in_order)
    total = loss(parts)
    torch.autograd.grad(total, dummy, allow_unused=True)
    names = same_names(list(weights))
    stand_in: Any = SimpleNamespace(kind=spec.kind, spec=spec, names=names, gates={})
    meta, arrays = collected(stand_in, [call])
    more = {"layer": "", "module": "", "mode": "train", "layer_mode": "train", "device": "cpu"}
    return Recording(meta | more | {"loss": float(total.detach())}, arrays)


def close(one: Any, other: Any, what: str) -> None:
    """Agreement to 1e-10, absolutely and against the largest number."""
    mine = np.asarray(one)
    theirs = other.detach().cpu().numpy() if isinstance(other, Tensor) else np.asarray(other)
    assert mine.shape == theirs.shape, what
    gap = np.abs(mine - theirs).max(initial=0.0)
    assert gap <= 1e-10 * max(1.0, np.abs(theirs).max(initial=0.0)), f"{what}: {gap}"


def bent(y: Tensor) -> Tensor:
    return torch.sin(3 * y).sum()
