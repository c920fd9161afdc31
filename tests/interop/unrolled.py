"""An unrolled network in torch primitives, in which every step has its own copy of a parameter.

Written by hand from the cells' papers and torch's pages, and not from the package's templates:
what it gives for C[t, k] is autograd's derivative of L_t by the copy that step k uses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import rnn_widgets as rw
from rnn_widgets import ops
from rnn_widgets.network import Network

P = dict[str, torch.Tensor]


def from_input(p: P, x: torch.Tensor) -> torch.Tensor:
    a = torch.mv(p["weight_ih"], x)
    return a + p["bias_ih"] if "bias_ih" in p else a


def from_state(p: P, h: torch.Tensor) -> torch.Tensor:
    a = torch.mv(p["weight_hh"], h)
    return a + p["bias_hh"] if "bias_hh" in p else a


def elman(f: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    return lambda p, x, h: (f(from_input(p, x) + from_state(p, h)),)


def gru(p: P, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, ...]:
    n = len(h)
    i, s = from_input(p, x), from_state(p, h)
    r, z = torch.sigmoid(i[:n] + s[:n]), torch.sigmoid(i[n : 2 * n] + s[n : 2 * n])
    candidate = torch.tanh(i[2 * n :] + r * s[2 * n :])
    return ((1 - z) * candidate + z * h,)


def gru_before(p: P, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, ...]:
    n = len(h)
    i, s = from_input(p, x), from_state(p, h)
    r, z = torch.sigmoid(i[:n] + s[:n]), torch.sigmoid(i[n : 2 * n] + s[n : 2 * n])
    candidate = torch.tanh(i[2 * n :] + from_state(p, r * h)[2 * n :])
    return ((1 - z) * candidate + z * h,)


def lstm(p: P, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, ...]:
    n = len(h)
    a = from_input(p, x) + from_state(p, h)
    i, f = torch.sigmoid(a[:n]), torch.sigmoid(a[n : 2 * n])
    g, o = torch.tanh(a[2 * n : 3 * n]), torch.sigmoid(a[3 * n :])
    new = f * c + i * g
    return o * torch.tanh(new), new


@rw.cell(params={"W": ("2*H", "H+I"), "lambda": ("H",), "O_": ("H", "H")})
def odd(p: Any, x: Any, h: Any) -> Any:
    """Names that code must work around, numbers, a joined input, and a matrix used twice."""
    gate, new = ops.chunk(p.W @ ops.concat(h, x), 2)
    k = ops.sigmoid(gate + getattr(p, "lambda") * h).named("lambda")
    new = (ops.relu(2 * new - 0.25) - ops.tanh(-new) / 4).named("len")
    return 0.5 * (1 - k) * (p.O_ @ new) + k * (p.O_ @ h) - 1


def odd_by_hand(p: P, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, ...]:
    n = len(h)
    a = torch.mv(p["W"], torch.cat([h, x]))
    k = torch.sigmoid(a[:n] + p["lambda"] * h)
    new = torch.relu(2 * a[n:] - 0.25) + torch.tanh(a[n:]) / 4
    matrix = p["O_"]
    return (torch.mv(matrix, new) * (1 - k) / 2 + k * torch.mv(matrix, h) - 1,)


@rw.cell(params={"U": ("H", "H"), "V": ("H", "I"), "a": ("H",)})
def pair(p: Any, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """Two states, the new h made before the new c, which still reads the old ones."""
    new = ops.tanh(p.U @ c + p.V @ x + p.a)
    return new, 0.9 * c + 0.1 * (h - c) * new


def pair_by_hand(
    p: P, x: torch.Tensor, h: torch.Tensor, c: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    new = torch.tanh(torch.mv(p["U"], c) + torch.mv(p["V"], x) + p["a"])
    return new, 0.9 * c + 0.1 * (h - c) * new


CELLS: dict[str, Any] = {
    "tanh": elman(torch.tanh),
    "relu": elman(torch.relu),
    "identity": elman(lambda a: a),
    "sigmoid": elman(torch.sigmoid),
    "gru": gru,
    "gru before": gru_before,
    "lstm": lstm,
    "odd": odd_by_hand,
    "pair": pair_by_hand,
}


def make(kind: str, *sizes: int, **options: Any) -> Network:
    """Build a network of any of `CELLS`."""
    if kind in ("odd", "pair"):
        options.pop("bias", None)
        return rw.custom(odd if kind == "odd" else pair, *sizes, **options)
    if kind.startswith("gru"):
        return rw.gru(*sizes, reset_after=kind == "gru", **options)
    if kind == "lstm":
        return rw.lstm(*sizes, **options)
    return rw.rnn(*sizes, nonlinearity=kind, **options)


class Unrolled:
    """C[t, k] of every parameter, and the gradient of each loss step by the other leaves."""

    def __init__(self, net: Network, kind: str) -> None:
        self.net, self.program, self.cell = net, net.program, CELLS[kind]
        steps = net.program.seq_len
        self.copies = {
            name: [self._tensor(name) for _ in range(steps)] for name in net.program.parameters
        }
        self.inputs = {n: self._tensor(n) for n in net.values if n not in self.copies}
        self.contributions: dict[str, Any] = {
            name: np.zeros((steps, steps, *shape)) for name, shape in net.program.parameters.items()
        }
        self.rows: dict[str, Any] = {
            name: np.zeros((steps, *net.values[name].shape)) for name in net.gradients()
        }
        for t in net.program.loss_steps:
            self._backward(t)

    def _tensor(self, name: str) -> torch.Tensor:
        return torch.tensor(self.net.values[name], requires_grad=True)

    def _backward(self, t: int) -> None:
        loss = self._loss(self._outputs(t)[t], t)
        wanted = [*(c for copies in self.copies.values() for c in copies), *self.inputs.values()]
        found = list(torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True))
        for name, copies in self.copies.items():
            for k in range(len(copies)):
                self.contributions[name][t, k] = found.pop(0).numpy()
            self.rows[name][t] = self.contributions[name][t].sum(0)
        for name, gradient in zip(self.inputs, found, strict=True):
            if name in self.rows:
                self.rows[name][t] = gradient.numpy()

    def _outputs(self, t: int) -> list[torch.Tensor]:
        """Outputs of all steps, in the graph that loss step t sees."""
        p = self.program
        below = list(self.inputs["x"])
        for layer in range(p.num_layers):
            found = []
            for reverse in (False, True)[: p.directions]:
                row = layer * p.directions + reverse
                suffix = f"_l{layer}" + ("_reverse" if reverse else "")
                state = [self._initial(s, row) for s in p.cell.states]
                made = {}
                steps = list(range(p.seq_len))
                for k in steps[::-1] if reverse else steps:
                    if self._is_cut(k, k + 1 if reverse else k - 1, t):
                        state = [s.detach() for s in state]
                    own = {name: self.copies[name + suffix][k] for name in p.cell.params}
                    state = self.cell(own, below[k], *state)
                    made[k] = state[0]
                found.append([made[k] for k in steps])
            below = [torch.cat(parts) for parts in zip(*found, strict=True)]
        if p.readout:
            weights = zip(self.copies["readout.weight"], self.copies["readout.bias"], strict=True)
            below = [torch.mv(w, y) + b for (w, b), y in zip(weights, below, strict=True)]
        return below

    def _initial(self, state: str, row: int) -> torch.Tensor:
        leaf = self.inputs[state + "0"]
        return leaf if leaf.ndim == 1 else leaf[row]

    def _is_cut(self, k: int, previous: int, t: int) -> bool:
        cut = self.program.truncation
        if cut is None:
            return False
        if cut.kind == "window":
            return abs(t - previous) >= cut.size
        edges = [(a - 1, a) for a in range(cut.size, self.program.seq_len, cut.size)]
        return (previous, k) in edges or (k, previous) in edges

    def _loss(self, y: torch.Tensor, t: int) -> torch.Tensor:
        chosen, loss = len(self.program.loss_steps), self.program.loss
        if loss == "sum":
            return y.sum()
        if loss == "seed":
            return torch.dot(self.inputs["v"][t], y)
        target = self.inputs["target"][t]
        if loss == "cross_entropy":
            return (torch.logsumexp(y, 0) - y[int(target)]) / chosen
        return ((y - target) ** 2).sum() / (chosen * len(y) if loss == "mse" else 1)
