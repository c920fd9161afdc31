"""A recurrent layer unrolled in torch primitives, differentiated by autograd alone.

Written by hand from torch's pages and Cho et al. 2014, not from the package. Every step has its own
copy of every weight, and every state leaves its step twice: once for the layer's output, whatever
that is used for, and once for the layer's own next step. What autograd gives for the first is the
direct adjoint, for the second the carried one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from rnn_widgets.interop.capture.spec import LayerSpec

F: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": lambda a: a * 1,
}


@dataclass
class Step:
    """Tensors of one step of one layer and direction, as nodes of autograd's graph."""

    pre: list[Tensor]
    gates: list[Tensor]
    h_out: Tensor
    h_next: Tensor
    c_out: Tensor | None = None
    c_in_out: Tensor | None = None  # the copy of c that h_out is made of
    c_in_next: Tensor | None = None
    c_next: Tensor | None = None


@dataclass
class Unrolled:
    """A layer over time; ``steps[l][d][t]`` is in input time."""

    spec: LayerSpec
    weights: dict[str, Tensor]
    x: Tensor
    h0: Tensor
    c0: Tensor | None
    live: Tensor | None = None
    lengths: Tensor | None = None
    masks: list[Tensor | None] | None = None
    copies: dict[str, list[Tensor]] = field(default_factory=dict)
    steps: list[list[list[Step]]] = field(default_factory=list)

    def run(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Outputs (T, N, D·P), final h and final c."""
        spec, count = self.spec, len(self.x)
        self.copies = {
            name: [w.detach().clone().requires_grad_() for _ in range(count)]
            for name, w in self.weights.items()
        }
        below = list(self.x)
        finals, final_cells = [], []
        for layer in range(spec.num_layers):
            directions = []
            for reverse in range(spec.directions):
                end = f"_l{layer}" + ("_reverse" if reverse else "")
                row = layer * spec.directions + reverse
                h = self.h0[row]
                c = None if self.c0 is None else self.c0[row]
                made: list[Step | None] = [None] * count
                for t in reversed(range(count)) if reverse else range(count):
                    step = made[t] = self._step(t, end, below[t], h, c)
                    h, c = step.h_next, step.c_next
                steps = [step for step in made if step is not None]
                directions.append(steps)
                last = self._last(bool(reverse))
                each = range(self.x.shape[1])
                finals.append(torch.stack([steps[last[n]].h_out[n] for n in each]))
                if c is not None:
                    ends: list[Any] = [steps[last[n]].c_out for n in each]
                    final_cells.append(torch.stack([ends[n][n] for n in each]))
            self.steps.append(directions)
            below = [torch.cat([s[t].h_out for s in directions], -1) for t in range(count)]
            mask = self.masks[layer] if self.masks else None
            if mask is not None:
                below = [b * m for b, m in zip(below, mask, strict=True)]
        y = torch.stack(below)
        if self.lengths is not None and self.live is not None:
            y = y * self.live[..., None]
        return y, torch.stack(finals), torch.stack(final_cells) if final_cells else None

    def _last(self, reverse: bool) -> list[int]:
        """The last step of each sample, in a direction, that was more than keeping the state."""
        count, samples = self.x.shape[:2]
        if self.live is None:
            return [0 if reverse else count - 1] * samples
        moving = [[t for t in range(count) if self.live[t, n]] for n in range(samples)]
        return [
            (min(steps, default=0) if reverse else max(steps, default=count - 1))
            for steps in moving
        ]

    def _step(self, t: int, end: str, x: Tensor, h: Tensor, c: Tensor | None) -> Step:
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")
        p = {name: self.copies[name + end][t] for name in names if name + end in self.copies}
        a = x @ p["weight_ih"].T + p.get("bias_ih", 0)
        s = h @ p["weight_hh"].T + p.get("bias_hh", 0)
        live = None if self.live is None else self.live[t][:, None]

        def kept(new: Tensor, old: Tensor) -> Tensor:
            return new * 1 if live is None else torch.where(live, new, old)

        if self.spec.kind == "RNN":
            pre = [a + s]
            value = F[self.spec.nonlinearity](pre[0])
            return Step(pre, [value], kept(value, h), kept(value, h))
        if self.spec.kind == "GRU":
            return self._gru(p, a, s, h, kept)
        assert c is not None
        pre = list((a + s).chunk(4, -1))
        i, f, o = (torch.sigmoid(pre[k]) for k in (0, 1, 3))
        g = torch.tanh(pre[2])
        cell = kept(f * c + i * g, c)

        def output(copy: Tensor) -> Tensor:
            m = o * torch.tanh(copy)
            return m @ p["weight_hr"].T if "weight_hr" in p else m

        c_out, c_in_out, c_in_next, c_next = (cell.clone() for _ in range(4))
        return Step(
            pre,
            [i, f, g, o],
            kept(output(c_in_out), h),
            kept(output(c_in_next), h),
            c_out,
            c_in_out,
            c_in_next,
            c_next,
        )

    def _gru(
        self, p: dict[str, Tensor], a: Tensor, s: Tensor, h: Tensor, kept: Callable[..., Tensor]
    ) -> Step:
        a_r, a_z, a_n = a.chunk(3, -1)
        s_r, s_z, s_n = s.chunk(3, -1)
        pre_r, pre_z = a_r + s_r, a_z + s_z
        r, z = torch.sigmoid(pre_r), torch.sigmoid(pre_z)
        if self.spec.reset_after:
            pre_n = a_n + r * s_n
        else:
            hidden = self.spec.hidden_size
            bias = p["bias_hh"][2 * hidden :] if "bias_hh" in p else 0
            pre_n = a_n + (r * h) @ p["weight_hh"][2 * hidden :].T + bias
        n = torch.tanh(pre_n)
        new = (1 - z) * n + z * h
        return Step([pre_r, pre_z, pre_n], [r, z, n], kept(new, h), kept(new, h))


def gradients(of: Tensor, by: list[Tensor]) -> list[Tensor]:
    """∂of/∂each, zeros where there is no way."""
    if not of.requires_grad:
        return [torch.zeros_like(one) for one in by]
    return list(
        torch.autograd.grad(of, by, retain_graph=True, allow_unused=True, materialize_grads=True)
    )


class Adjoints:
    """Every adjoint of an unrolled layer, (N, T, …) as a recording has them."""

    def __init__(self, run: Unrolled, loss: Tensor, y: Tensor, finals: list[Tensor]) -> None:
        self.run, self.loss = run, loss
        self._y, self._finals = y, finals
        wanted = [y, *finals, run.x, run.h0, *([] if run.c0 is None else [run.c0])]
        for step in (s for layer in run.steps for steps in layer for s in steps):
            states = (step.c_out, step.c_in_out, step.c_in_next, step.c_next)
            wanted += [*step.pre, step.h_out, step.h_next, *(c for c in states if c is not None)]
        wanted += [copy for copies in run.copies.values() for copy in copies]
        found = gradients(loss, wanted)
        self._found = {id(one): adjoint for one, adjoint in zip(wanted, found, strict=True)}
        self._rows: list[list[Tensor]] = []

    def of(self, tensor: Tensor | None) -> Tensor:
        """∂L/∂(a tensor of the unrolled layer)."""
        return self._found[id(tensor)]

    def state(self, layer: int, name: str) -> Tensor:
        """``direct`` or ``carried`` of h."""
        copy = {"direct": "h_out", "carried": "h_next"}[name]
        return self._stacked(layer, lambda step: self.of(getattr(step, copy)))

    def cell(self, layer: int, name: str) -> Tensor:
        """``direct`` or ``carried`` of c."""
        one, other = {"direct": ("c_in_out", "c_out"), "carried": ("c_in_next", "c_next")}[name]
        return self._stacked(
            layer, lambda step: self.of(getattr(step, one)) + self.of(getattr(step, other))
        )

    def gate(self, layer: int, gate: int) -> Tensor:
        """∂L/∂pre-activation."""
        return self._stacked(layer, lambda step: self.of(step.pre[gate]))

    def _stacked(self, layer: int, of: Callable[[Step], Tensor]) -> Tensor:
        parts = [torch.stack([of(step) for step in steps]) for steps in self.run.steps[layer]]
        whole = torch.cat(parts, -1)
        if self.run.lengths is not None and self.run.live is not None:
            whole = whole * self.run.live[..., None]
        return whole.transpose(0, 1)

    def by_source(self, name: str) -> Tensor:
        """∂L/∂(each step's copy), (T, *shape)."""
        return torch.stack([self.of(copy) for copy in self.run.copies[name]])

    def contributions(self, name: str) -> Tensor:
        """C[t, k] itself, (T, T, *shape): what enters at step t differentiated by step k's copy."""
        count, copies = len(self._y), self.run.copies
        if not self._rows:
            every = [copy for of_name in copies.values() for copy in of_name]
            self._rows = [gradients(self._term(t), every) for t in range(count)]
        start = list(copies).index(name) * count
        return torch.stack([torch.stack(row[start : start + count]) for row in self._rows])

    def _term(self, t: int) -> Tensor:
        """What enters through the layer's outputs and final states at one step."""
        term = (self.of(self._y)[t] * self._y[t]).sum()
        for final in self._finals:
            for row in range(len(final)):
                last = self.run._last(row % self.run.spec.directions == 1)
                for n in (n for n, at in enumerate(last) if at == t):
                    term = term + (self.of(final)[row, n] * final[row, n]).sum()
        return term
