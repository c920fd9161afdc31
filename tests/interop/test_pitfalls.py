"""Every mistake made in torch, by really making it, against the replayed one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import rnn_widgets as rw
from rnn_widgets.network import Network

from .networks import stirred
from .test_threads import PRINTED, WH, WI, B, inputs
from .unrolled import CELLS, P, Unrolled, from_input, make

NETWORKS: dict[str, dict[str, Any]] = {
    "plain": {},
    "stack": {"num_layers": 2, "readout": 2, "loss": "mse", "loss_steps": [1, 3]},
    "both ways": {"bidirectional": True, "num_layers": 2, "bias": "single", "loss": "sse"},
    "classes": {"readout": 3, "loss": "cross_entropy", "bias": False, "loss_steps": "last"},
}
KINDS = ("tanh", "identity", "sigmoid", "gru", "gru before", "lstm")
Mv = Callable[..., torch.Tensor]


def network(kind: str, shape: str, **cut: int) -> Network:
    return stirred(make(kind, 2, 3, 4, **NETWORKS[shape]), 5, 0.5).truncate(**cut)


def same(net: Network, name: str, contributions: Any, rows: Any, previous: Any = None) -> None:
    """Contributions and gradients are those of torch, and the first add up to the second."""
    pitfall = rw.pitfalls(net, name, previous=previous)[name]
    found, gradients = pitfall.contributions(), pitfall.gradients()
    for parameter in net.program.parameters:
        assert_allclose(found[parameter], contributions[parameter], rtol=0, atol=1e-10)
        assert_allclose(found[parameter].sum((0, 1)), gradients[parameter], rtol=0, atol=1e-10)
        difference = found[parameter] - net.contributions()[parameter]
        assert_allclose(pitfall.difference()[parameter], difference, rtol=0, atol=1e-13)
    assert list(gradients) == list(net.gradients())
    for leaf in gradients:
        assert_allclose(gradients[leaf], rows[leaf].sum(0), rtol=0, atol=1e-10, err_msg=leaf)


# Mistakes inside the cell: each is written with a product of its own for what multiplies h.


class Late(torch.autograd.Function):
    """W @ operand, differentiated by W as if the operand had been another."""

    @staticmethod
    def forward(ctx: Any, w: Any, operand: Any, late: Any) -> Any:
        ctx.save_for_backward(w, late)
        return w @ operand

    @staticmethod
    def backward(ctx: Any, adjoint: Any) -> Any:
        w, late = ctx.saved_tensors
        return torch.outer(adjoint, late), w.T @ adjoint, None


class Transposed(torch.autograd.Function):
    """W @ operand, carried back through W, gate by gate."""

    @staticmethod
    def forward(ctx: Any, w: Any, operand: Any) -> Any:
        ctx.save_for_backward(w, operand)
        return w @ operand

    @staticmethod
    def backward(ctx: Any, adjoint: Any) -> Any:
        w, operand = ctx.saved_tensors
        n = len(operand)
        carried = sum(w[i : i + n] @ adjoint[i : i + n] for i in range(0, len(w), n))
        return torch.outer(adjoint, operand), carried


def state_part(p: P, h: torch.Tensor, mv: Mv) -> torch.Tensor:
    a = mv(p["weight_hh"], h)
    return a + p["bias_hh"] if "bias_hh" in p else a


def elman(f: Callable[[Any], Any], p: P, x: Any, h: Any, mv: Mv) -> Any:
    return (f(from_input(p, x) + state_part(p, h, mv)),)


def gru(p: P, x: Any, h: Any, mv: Mv, before: bool = False, swapped: bool = False) -> Any:
    n = len(h)
    i = from_input(p, x)
    if before:
        w, b = p["weight_hh"], p.get("bias_hh", torch.zeros(3 * n, dtype=torch.float64))
        r = torch.sigmoid(i[:n] + mv(w[:n], h) + b[:n])
        z = torch.sigmoid(i[n : 2 * n] + mv(w[n : 2 * n], h) + b[n : 2 * n])
        candidate = torch.tanh(i[2 * n :] + mv(w[2 * n :], h, r) + b[2 * n :])
    else:
        s = state_part(p, h, mv)
        r, z = torch.sigmoid(i[:n] + s[:n]), torch.sigmoid(i[n : 2 * n] + s[n : 2 * n])
        candidate = torch.tanh(i[2 * n :] + r * s[2 * n :])
    if swapped:
        return (z * candidate + (1 - z) * h,)
    return ((1 - z) * candidate + z * h,)


def lstm(p: P, x: Any, h: Any, c: Any, mv: Mv) -> Any:
    i, f, g, o = (from_input(p, x) + state_part(p, h, mv)).chunk(4)
    new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(new), new


FORMS: dict[str, Any] = {
    "tanh": partial(elman, torch.tanh),
    "identity": partial(elman, lambda a: a),
    "sigmoid": partial(elman, torch.sigmoid),
    "gru": gru,
    "gru before": partial(gru, before=True),
    "lstm": lstm,
}


def right_mv(w: Any, h: Any, gate: Any = 1.0) -> Any:
    return w @ (gate * h)


def transposed_mv(w: Any, h: Any, gate: Any = 1.0) -> Any:
    return Transposed.apply(w, gate * h)


def late_cell(kind: str) -> Any:
    def cell(p: P, x: Any, *state: Any) -> Any:
        new = CELLS[kind](p, x, *state)[0].detach()

        def mv(w: Any, h: Any, gate: Any = 1.0) -> Any:
            return Late.apply(w, gate * h, torch.as_tensor(gate * new).detach())

        return FORMS[kind](p, x, *state, mv=mv)

    return cell


class Mistaken(Unrolled):
    """The unrolled network with another cell."""

    def __init__(self, net: Network, cell: Any) -> None:
        self.other = cell
        super().__init__(net, "tanh")

    def _outputs(self, t: int) -> list[torch.Tensor]:
        self.cell = self.other
        return super()._outputs(t)


every = pytest.mark.parametrize("kind", KINDS)
shapes = pytest.mark.parametrize("shape", NETWORKS)


@every
@shapes
def test_off_by_one_hidden_state(kind: str, shape: str) -> None:
    net = network(kind, shape)
    torchs = Mistaken(net, late_cell(kind))
    same(net, "off-by-one hidden state", torchs.contributions, torchs.rows)


@every
@shapes
def test_transposed_weight(kind: str, shape: str) -> None:
    net = network(kind, shape)
    torchs = Mistaken(net, partial(FORMS[kind], mv=transposed_mv))
    same(net, "transposed weight", torchs.contributions, torchs.rows)


@pytest.mark.parametrize("dropped", ["h", "c"])
@pytest.mark.parametrize("kind", ["lstm", "pair"])
@shapes
def test_dropped_carries(dropped: str, kind: str, shape: str) -> None:
    net = network(kind, shape)

    def cell(p: P, x: Any, h: Any, c: Any) -> Any:
        h, c = (h.detach(), c) if dropped == "h" else (h, c.detach())
        return CELLS[kind](p, x, h, c)

    torchs = Mistaken(net, cell)
    name = {"h": "hidden carry dropped", "c": "cell carry dropped"}[dropped]
    same(net, name, torchs.contributions, torchs.rows)


@pytest.mark.parametrize("kind", ["gru", "gru before"])
@shapes
def test_reset_gate_mixed_up(kind: str, shape: str) -> None:
    net = network(kind, shape)
    torchs = Unrolled(net, {"gru": "gru before", "gru before": "gru"}[kind])
    same(net, "reset gate mixed up", torchs.contributions, torchs.rows)


@pytest.mark.parametrize("kind", ["gru", "gru before"])
@shapes
def test_update_gate_swapped(kind: str, shape: str) -> None:
    net = network(kind, shape)
    torchs = Mistaken(net, partial(FORMS[kind], mv=right_mv, swapped=True))
    same(net, "update gate swapped", torchs.contributions, torchs.rows)


# Mistakes around the cell.


@pytest.mark.parametrize("kind", [*KINDS, "odd", "pair"])
@shapes
def test_reversed_input(kind: str, shape: str) -> None:
    net = network(kind, shape)
    torchs = Unrolled(net.replace(x=net.values["x"][::-1]), kind)
    rows = torchs.rows | {"x": torchs.rows["x"][:, ::-1]}
    same(net, "reversed input", torchs.contributions, rows)


@pytest.mark.parametrize("kind", [*KINDS, "odd", "pair"])
@shapes
@pytest.mark.parametrize("cut", [{}, {"window": 2}], ids=str)
def test_detached_each_step(kind: str, shape: str, cut: dict[str, int]) -> None:
    net = network(kind, shape, **cut)
    torchs = Unrolled(net.truncate(chunk=1), kind)
    same(net, "detached each step", torchs.contributions, torchs.rows)


def last_states(net: Network, kind: str, previous: Any) -> dict[str, Any]:
    """Where a sequence ends, step by step in torch."""
    program, names = net.program, net.program.cell.states
    below = list(torch.tensor(previous))
    last: dict[str, list[Any]] = {state: [] for state in names}
    for layer in range(program.num_layers):
        found = []
        for reverse in (False, True)[: program.directions]:
            suffix = f"_l{layer}" + ("_reverse" if reverse else "")
            p = {n: torch.tensor(net.values[n + suffix]) for n in program.cell.params}
            state = [
                torch.tensor(net.values[s + "0"]).reshape(program.rows, -1)[len(last["h"])]
                for s in names
            ]
            made = {}
            steps = range(len(previous))
            for k in reversed(steps) if reverse else steps:
                state = list(CELLS[kind](p, below[k], *state))
                made[k] = state[0]
            for name, final in zip(names, state, strict=True):
                last[name].append(final.numpy())
            found.append([made[k] for k in steps])
        below = [torch.cat(parts) for parts in zip(*found, strict=True)]
    return {s + "0": np.array(last[s]).reshape(net.values[s + "0"].shape) for s in names}


@pytest.mark.parametrize("kind", [*KINDS, "odd", "pair"])
@shapes
def test_state_not_reset(kind: str, shape: str) -> None:
    net = network(kind, shape)
    previous = np.random.default_rng(3).standard_normal((6, 2))
    torchs = Unrolled(net.replace(**last_states(net, kind, previous)), kind)
    same(net, "state not reset", torchs.contributions, torchs.rows, previous)


class Slots:
    """Pullbacks of single steps, with the state's adjoint in a slot that each one overwrites.

    This is what a framework does whose hidden state is a mutable slot: every step hands what is
    in the slot back to its own inputs, and puts there what belongs to the state it has read.
    """

    def __init__(self, net: Network, kind: str) -> None:
        self.net, self.kind, p = net, kind, net.program
        steps = range(p.seq_len)
        self.contributions: dict[str, Any] = {
            name: np.zeros((p.seq_len, p.seq_len, *shape)) for name, shape in p.parameters.items()
        }
        self.rows = {n: np.zeros((p.seq_len, *net.values[n].shape)) for n in net.gradients()}
        below = [self.leaf("x", k) for k in steps]
        self.made: list[list[Any]] = []
        for layer in range(p.num_layers):
            outputs = []
            for reverse in (False, True)[: p.directions]:
                self.made.append(self.block(layer, reverse, below))
                outputs.append([step[1][0].detach() for step in self.made[-1]])
            below = [torch.cat(parts).requires_grad_() for parts in zip(*outputs, strict=True)]
        self.top = below
        for t in p.loss_steps:
            self.backward(t)

    def leaf(self, name: str, *index: int) -> torch.Tensor:
        return torch.tensor(self.net.values[name][index], requires_grad=True)

    def block(self, layer: int, reverse: bool, below: list[torch.Tensor]) -> list[Any]:
        program = self.net.program
        row = layer * program.directions + reverse
        end = f"_l{layer}" + ("_reverse" if reverse else "")
        state = [
            torch.tensor(self.net.values[s + "0"]).reshape(program.rows, -1)[row]
            for s in program.cell.states
        ]
        made: list[Any] = [None] * program.seq_len
        steps = range(program.seq_len)
        for k in reversed(steps) if reverse else steps:
            p = {n: self.leaf(n + end) for n in program.cell.params}
            read = [s.detach().requires_grad_() for s in state]
            x = below[k].detach().requires_grad_()
            state = list(CELLS[self.kind](p, x, *read))
            made[k] = (p, state, x, read)
        return made

    def backward(self, t: int) -> None:
        program = self.net.program
        steps, names = program.seq_len, program.cell.states
        width = program.hidden_size
        loss, copies = self.loss(t)
        wanted = [self.top[t], *copies.values()]
        reaching = torch.zeros(steps, len(self.top[t]), dtype=torch.float64)
        own, *rest = torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
        reaching[t] = own
        for name, gradient in zip(copies, rest, strict=True):
            if name in self.contributions:
                self.contributions[name][t, t] += gradient.numpy()
            if name in self.rows:
                target = self.rows[name][t]
                (target[t] if name == "target" else target)[...] += gradient.numpy()
        for layer in reversed(range(program.num_layers)):
            handed: list[Any] = [0.0] * steps
            for reverse in (False, True)[: program.directions]:
                row = layer * program.directions + reverse
                end = f"_l{layer}" + ("_reverse" if reverse else "")
                direct = reaching[:, reverse * width : (reverse + 1) * width]
                slot = [torch.zeros(width, dtype=torch.float64) for _ in names]
                order = list(reversed(range(steps))) if reverse else list(range(steps))
                for k in order:
                    cut = program.truncation
                    edge = k + 1 if reverse else k
                    if cut and cut.kind == "chunk" and k != order[0] and edge % cut.size == 0:
                        slot = [torch.zeros_like(s) for s in slot]
                    slot[0] = slot[0] + direct[k]
                    p, made, x, read = self.made[row][k]
                    wanted = [*p.values(), x, *read]
                    found = torch.autograd.grad(
                        made, wanted, slot, retain_graph=True,
                        allow_unused=True, materialize_grads=True,
                    )  # fmt: skip
                    for name, gradient in zip(p, found, strict=False):
                        self.contributions[name + end][t, k] += gradient.numpy()
                        self.rows[name + end][t] += gradient.numpy()
                    handed[k] = handed[k] + found[len(p)]
                    slot = list(found[len(p) + 1 :])
                for name, left in zip(names, slot, strict=True):
                    rows = self.rows[name + "0"][t].reshape(program.rows, -1)
                    rows[row] += left.numpy()
            reaching = torch.stack(handed)
        self.rows["x"][t] += reaching.numpy()

    def loss(self, t: int) -> tuple[torch.Tensor, P]:
        program, y, copies = self.net.program, self.top[t], {}
        if program.readout:
            copies = {n: self.leaf(n) for n in ("readout.weight", "readout.bias")}
            y = copies["readout.weight"] @ y + copies["readout.bias"]
        chosen = len(program.loss_steps)
        if program.loss == "seed":
            return torch.dot(torch.tensor(self.net.values["v"][t]), y), copies
        if program.loss == "cross_entropy":
            target = int(self.net.values["target"][t])
            return (torch.logsumexp(y, 0) - y[target]) / chosen, copies
        copies["target"] = self.leaf("target", t)
        squares = ((y - copies["target"]) ** 2).sum()
        return squares / (chosen * len(y) if program.loss == "mse" else 1), copies


@pytest.mark.parametrize("kind", [*KINDS, "odd", "pair"])
@shapes
@pytest.mark.parametrize("cut", [{}, {"chunk": 2}, {"chunk": 3}], ids=str)
def test_forward_order(kind: str, shape: str, cut: dict[str, int]) -> None:
    net = network(kind, shape, **cut)
    torchs = Slots(net, kind)
    same(net, "forward order", torchs.contributions, torchs.rows)


def test_gradients_that_were_printed_in_single_precision_are_right() -> None:
    """Question A: ten decimals of float32, whole and name by name."""
    net = rw.from_flux(Wi=WI, Wh=WH, b=B, x=inputs(), target=np.ones((3, 3)), loss="sse")
    assert rw.diagnose(net, PRINTED).right
    for name, printed in PRINTED.items():
        assert rw.diagnose(net, {name: printed}).right
    swapped = {"h0": PRINTED["b"], "b": PRINTED["h0"]}  # of the same shape
    assert not rw.diagnose(net, swapped).right


def test_torch_in_float32_is_right() -> None:
    """A gradient really computed in single precision, not one that is rounded to it."""
    for seed in range(5):
        torch.manual_seed(seed)
        for module in (torch.nn.RNN(3, 8), torch.nn.GRU(3, 8), torch.nn.LSTM(3, 8, num_layers=2)):
            x = torch.randn(20, 3)
            module(x)[0].square().sum().backward()
            net = rw.from_torch(module, x=x, loss="sse", target=torch.zeros(20, 8))
            found = {name: p.grad.detach().numpy() for name, p in module.named_parameters()}
            assert rw.diagnose(net, found).right
            assert rw.diagnose(net, [p.grad for p in module.parameters()]).right
            assert rw.diagnose(net, dict.fromkeys(module.parameters()) | {
                module.weight_hh_l0: module.weight_hh_l0.grad
            }).right  # fmt: skip


def test_two_mistakes_together() -> None:
    """A gradient of two mistakes, made in torch: the input reversed and the state detached."""
    torch.manual_seed(1)
    cell, x = torch.nn.RNNCell(2, 3).double(), torch.randn(5, 2, dtype=torch.float64)
    h, loss = torch.zeros(3, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64)
    for step in x.flip(0):
        h = cell(step, h.detach())
        loss = loss + h.sum()
    loss.backward()
    net = rw.from_torch(cell, x=x, loss="sum")
    diagnosis = rw.diagnose(net, [p.grad.numpy() for p in cell.parameters()])
    assert [cause.names for cause in diagnosis.causes] == [("reversed input", "detached each step")]
    assert diagnosis.causes[0].fit == pytest.approx(1.0)
    assert "explain the gradient together" in repr(diagnosis)
