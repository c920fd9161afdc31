"""Cells that a model loops over by hand, in several layers: drawn, run, and unrolled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from rnn_widgets.interop.capture.spec import LayerSpec

from .unrolled import Step, Unrolled, gradients

CELLS: dict[str, Any] = {"RNN": nn.RNNCell, "GRU": nn.GRUCell, "LSTM": nn.LSTMCell}
HIDDEN, INPUTS = 3, 2


@dataclass(frozen=True)
class Looped:
    """A stack of cells, of one kind or of several, that is called step by step.

    ``breaks`` says where a state does not simply go on: (step, layer) to "detached", "anew", of an
    LSTM also "h detached". ``layer`` is the one that is recorded.
    """

    kinds: tuple[str, ...]
    layer: int
    steps: int
    samples: int
    bias: bool
    begins: bool
    unbatched: bool
    finals: bool
    breaks: dict[tuple[int, int], str]
    seed: int

    @property
    def kind(self) -> str:
        return self.kinds[self.layer]

    @property
    def halves(self) -> bool:
        """Whether a step of the recorded layer gets only a part of the state before."""
        return any(how == "h detached" for (_, at), how in self.breaks.items() if at == self.layer)

    def spec(self, layer: int) -> LayerSpec:
        return LayerSpec(self.kinds[layer], HIDDEN if layer else INPUTS, HIDDEN)


@st.composite
def loops(draw: st.DrawFn) -> Looped:
    kinds = tuple(draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=3)))
    steps, breaks = draw(st.integers(1, 5)), {}
    for step in range(1, steps):
        for layer, kind in enumerate(kinds):
            hows = ["", "", "", "detached", "anew", *(["h detached"] if kind == "LSTM" else [])]
            if how := draw(st.sampled_from(hows)):
                breaks[step, layer] = how
    return Looped(
        kinds,
        draw(st.integers(0, len(kinds) - 1)),
        steps,
        draw(st.integers(1, 3)),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.booleans()),
        draw(st.booleans()),
        breaks,
        draw(st.integers(0, 1000)),
    )


class Stack(nn.Module):
    """The model that a user would write."""

    def __init__(self, case: Looped) -> None:
        super().__init__()
        torch.manual_seed(case.seed)
        self.case = case
        self.cells = nn.ModuleList(
            CELLS[kind](HIDDEN if layer else INPUTS, HIDDEN, bias=case.bias).double()
            for layer, kind in enumerate(case.kinds)
        )
        samples = 1 if case.unbatched else case.samples
        self.x = nn.Parameter(torch.randn(case.steps, samples, INPUTS).double())
        self.starts = nn.ParameterList(
            nn.Parameter(torch.randn(2, samples, HIDDEN).double()) for _ in case.kinds
        )

    def forward(self) -> tuple[Tensor, list[Any]]:
        case = self.case
        states: list[Any] = [self._start(layer) for layer in range(len(case.kinds))]
        outputs = []
        for t in range(case.steps):
            below = self.x[t, 0] if case.unbatched else self.x[t]
            for layer, cell in enumerate(self.cells):
                given = _broken(states[layer], case.breaks.get((t, layer)))
                states[layer] = cell(below, given)
                below = states[layer][0] if case.kinds[layer] == "LSTM" else states[layer]
            outputs.append(below)
        return torch.stack(outputs), states

    def _start(self, layer: int) -> Any:
        if not self.case.begins:
            return None
        h, c = self.starts[layer][:, 0] if self.case.unbatched else self.starts[layer]
        return (h, c) if self.case.kinds[layer] == "LSTM" else h

    def loss(self, made: tuple[Tensor, list[Any]]) -> Tensor:
        outputs, states = made
        total = torch.sin(3 * outputs).sum()
        if self.case.finals:  # of every layer, so that lower ones are reached at the end
            for state in states:
                for one in state if isinstance(state, tuple) else (state,):
                    total = total + torch.sin(2 * one).sum()
        return total


def _broken(state: Any, how: str | None) -> Any:
    if how is None or state is None:
        return state
    if how == "anew":
        return None
    if how == "h detached":
        return state[0].detach(), state[1]
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


class ByHand:
    """The same from primitives, layer after layer; every step has its own copies of weights."""

    def __init__(self, model: Stack) -> None:
        case = self.case = model.case
        below = list(model.x.detach())
        self.read: list[list[Tensor]] = []
        self.runs: list[Unrolled] = []
        self.steps: list[list[Step]] = []
        finals: list[Tensor] = []
        for layer, cell in enumerate(model.cells):
            weights = {f"{name}_l0": p.detach() for name, p in cell.named_parameters()}
            starts = model.starts[layer].detach()
            if not case.begins:
                starts = torch.zeros_like(starts)
            h, c = (one.clone().requires_grad_() for one in starts)
            run = Unrolled(case.spec(layer), weights, torch.stack(below), h, c)
            run.copies = {
                name: [w.clone().requires_grad_() for _ in below] for name, w in weights.items()
            }
            read = [(one * 1).requires_grad_() for one in below]
            made: list[Step] = []
            for t in range(case.steps):
                how = case.breaks.get((t, layer))
                if how in ("detached", "h detached", "anew"):
                    h = h.detach() if how != "anew" else torch.zeros_like(h)
                if how in ("detached", "anew"):
                    c = c.detach() if how != "anew" else torch.zeros_like(c)
                step = run._step(t, "_l0", read[t], h, c)
                h, c = step.h_next, c if step.c_next is None else step.c_next
                made.append(step)
            self.read.append(read)
            self.runs.append(run)
            self.steps.append(made)
            finals.append(made[-1].h_out)
            if made[-1].c_out is not None:
                finals.append(made[-1].c_out)
            below = [step.h_out for step in made]
        total = torch.sin(3 * torch.stack(below)).sum()
        if case.finals:
            total = total + sum(torch.sin(2 * one).sum() for one in finals)
        self.loss = total
        self.y = [step.h_out for step in self.steps[case.layer]]
        self.of_y = gradients(total, self.y)

    def _by_time(self, tensors: list[Tensor | None]) -> Tensor:
        return torch.stack(gradients(self.loss, [t for t in tensors if t is not None])).transpose(
            0, 1
        )

    def states(self) -> dict[str, Tensor]:
        """Adjoints of the recorded layer's states, gates and inputs: (N, T, …)."""
        steps = self.steps[self.case.layer]
        found = {
            "direct": self._by_time([s.h_out for s in steps]),
            "carried": self._by_time([s.h_next for s in steps]),
            "inputs": self._by_time([*self.read[self.case.layer]]),
        }
        if self.case.kind == "LSTM":
            found["cell.direct"] = self._by_time([s.c_in_out for s in steps]) + self._by_time(
                [s.c_out for s in steps]
            )
            found["cell.carried"] = self._by_time([s.c_in_next for s in steps]) + self._by_time(
                [s.c_next for s in steps]
            )
        for at, gate in enumerate(self.case.spec(self.case.layer).gates):
            found[f"gates.{gate}.adjoints"] = self._by_time([s.pre[at] for s in steps])
        return found

    def by_source(self, name: str) -> Tensor:
        """∂L/∂(each step's copy), (T, *shape)."""
        return torch.stack(gradients(self.loss, self.runs[self.case.layer].copies[f"{name}_l0"]))

    def contributions(self, name: str) -> Tensor:
        """Norms of C[t, k] where final cell states have no loss of their own: (T, T)."""
        copies = self.runs[self.case.layer].copies[f"{name}_l0"]
        rows = [
            gradients((seed * y).sum(), copies) for seed, y in zip(self.of_y, self.y, strict=True)
        ]
        return torch.stack([torch.stack([one.norm() for one in row]) for row in rows])
