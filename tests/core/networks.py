"""Networks to test with: cells of every shape, and a Hypothesis strategy over all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

import rnn_widgets as rw
from rnn_widgets import ops
from rnn_widgets.core.expr import Expr
from rnn_widgets.core.program import LOSSES
from rnn_widgets.core.template import Template
from rnn_widgets.network import Network

GATES = {"W": ("4*H", "I"), "U": ("4*H", "H"), "b": ("4*H",)}


@rw.cell(params={**GATES, "p_i": ("H",), "p_f": ("H",), "p_o": ("H",)})
def peephole(p: Any, x: Expr, h: Expr, c: Expr) -> tuple[Expr, Expr]:
    """Gers & Schmidhuber 2000: the gates also see the cell."""
    i, f, g, o = ops.chunk(p.W @ x + p.U @ h + p.b, 4)
    i = ops.sigmoid(i + p.p_i * c).named("i")
    f = ops.sigmoid(f + p.p_f * c).named("f")
    new = f * c + i * ops.tanh(g)
    o = ops.sigmoid(o + p.p_o * new).named("o")
    return o * ops.tanh(new), new


@rw.cell(params={"W": ("2*H", "H+I"), "b": ("2*H",)})
def coupled(p: Any, x: Expr, h: Expr) -> Expr:
    """One gate both forgets and writes; a single matrix reads [h; x]."""
    gate, candidate = ops.chunk(p.W @ ops.concat(h, x) + p.b, 2)
    gate = ops.sigmoid(gate).named("u")
    return (1 - gate) * h + gate * ops.tanh(candidate)


@rw.cell(params={"W": ("H", "I"), "U": ("H", "H")})
def constants(p: Any, x: Expr, h: Expr) -> Expr:
    """Every way in which a number may enter."""
    a = 2 * (p.W @ x) - 0.5 + (p.U @ h) / 4
    return 0.9 * h + (1 - ops.tanh(-a)) * 0.1 - ops.relu(0.3 - a)


@rw.cell(params={"W": ("H", "I"), "U": ("H", "H"), "s": ("H",)})
def reused(p: Any, x: Expr, h: Expr) -> Expr:
    """One matrix twice in a row, one vector in two roles."""
    return ops.tanh(p.W @ x + p.U @ ops.tanh(p.U @ h + p.s) + p.s * h)


@rw.cell(params={"W": ("2*H", "I"), "U": ("2*H", "H")})
def sliced(p: Any, x: Expr, h: Expr) -> Expr:
    """Return a slice, and read the state through slices."""
    (again,) = ops.chunk(h, 1)
    new, _ = ops.chunk(ops.tanh(p.W @ x + p.U @ again), 2)
    return new


@rw.cell(params={"W": ("H", "I"), "U": ("H", "H")})
def sliced_memory(p: Any, x: Expr, h: Expr, c: Expr) -> tuple[Expr, Expr]:
    """Read the new c through a slice."""
    new = ops.tanh(p.W @ x + p.U @ h) + 0.5 * c
    (seen,) = ops.chunk(new, 1)
    return ops.tanh(seen), new


@rw.cell(params={"W": ("H", "I"), "b": ("H",)})
def memoryless(p: Any, x: Expr, h: Expr) -> Expr:
    """Ignore the past."""
    return ops.sigmoid(p.W @ x + p.b)


@rw.cell(params={"W": ("H", "I"), "U": ("H", "H")})
def delay(p: Any, x: Expr, h: Expr, c: Expr) -> tuple[Expr, Expr]:
    """Keep in c what was written without looking at the past."""
    new = ops.tanh(p.W @ x)
    return p.U @ h + new * c + ops.sigmoid(new), new


CUSTOM = (
    peephole,
    coupled,
    constants,
    reused,
    sliced,
    sliced_memory,
    memoryless,
    delay,
)
BUILT_IN = ("tanh", "relu", "identity", "sigmoid", "gru", "gru before", "lstm")


def make(kind: str | Template, *sizes: int, **options: Any) -> Network:
    """Build a network of any kind of cell."""
    if isinstance(kind, Template):
        options.pop("bias", None)
        return rw.custom(kind, *sizes, **options)
    if kind.startswith("gru"):
        return rw.gru(*sizes, reset_after=kind == "gru", **options)
    if kind == "lstm":
        return rw.lstm(*sizes, **options)
    return rw.rnn(*sizes, nonlinearity=kind, **options)


def stirred(net: Network, seed: int, scale: float = 1.0) -> Network:
    """Draw every real leaf anew, initial states included, so that nothing is zero by luck."""
    rng = np.random.default_rng(seed)
    classes = net.program.loss == "cross_entropy"
    return net.replace(
        **{
            name: scale * rng.standard_normal(value.shape)
            for name, value in net.values.items()
            if not (classes and name == "target")
        }
    )


@st.composite
def networks(
    draw: st.DrawFn,
    *,
    kinds: tuple[str | Template, ...] = (*BUILT_IN, *CUSTOM),
    losses: tuple[str, ...] = LOSSES,
    truncated: bool = True,
    max_layers: int = 2,
    directions: tuple[bool, ...] = (False, True),
) -> Network:
    """Draw small networks over cells, sizes, stacks, directions, readouts, losses, truncations."""
    inputs, hidden, steps = (draw(st.integers(1, n)) for n in (2, 3, 5))
    chosen = st.lists(st.integers(0, steps - 1), min_size=1, unique=True)
    net = make(
        draw(st.sampled_from(kinds)),
        inputs,
        hidden,
        steps,
        num_layers=draw(st.integers(1, max_layers)),
        bidirectional=draw(st.sampled_from(directions)),
        bias=draw(st.sampled_from((True, "single", False))),
        readout=draw(st.sampled_from((None, 1, 2))),
        loss=draw(st.sampled_from(losses)),
        loss_steps=draw(st.one_of(st.sampled_from(("all", "last")), chosen)),
    )
    net = stirred(net, draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from((0.3, 1.0))))
    if truncated:
        cut = draw(st.sampled_from(({}, {"window": 1}, {"window": 2}, {"chunk": 1}, {"chunk": 2})))
        net = net.truncate(**cut)
    return net
