"""Cells written as the equations they are, traced once into templates."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .expr import Expr, chunk, unary
from .sizes import Size, SizeLike
from .template import STATES, Builder, Template


class _Params:
    """The ``p`` of a cell's equations: parameters as attributes."""

    def __init__(self, builder: Builder) -> None:
        self._builder = builder

    def __getattr__(self, name: str) -> Expr:
        params = self._builder.params
        if name not in params:
            by_fold = {known.casefold(): known for known in params}
            near = difflib.get_close_matches(name.casefold(), by_fold, 1)
            hint = f"did you mean {by_fold[near[0]]!r}? It" if near else "it"
            declared = ", ".join(params) or "none"
            raise AttributeError(f"the cell has no parameter {name!r}; {hint} declares {declared}.")
        return Expr(self._builder, self._builder.param(name))


def trace(
    equations: Callable[..., Any], params: Mapping[str, Sequence[SizeLike]], name: str
) -> Template:
    """Run a cell's equations once on symbols and record them.

    Parameters
    ----------
    equations : callable
        ``f(p, x, h) -> h`` or ``f(p, x, h, c) -> (h, c)``.
    params : dict
        Parameter name to shape in H and I, for example ``{"weight_ih": ("H", "I")}``.
    name : str
        What the cell is called.

    Returns
    -------
    Template

    Raises
    ------
    ValueError, TypeError
        If the signature, a shape or a result is not of this form.
    """
    arguments = list(inspect.signature(equations).parameters)
    if tuple(arguments[2:]) not in STATES:
        raise ValueError(
            f"a cell is a function of (p, x, h) or (p, x, h, c), not of ({', '.join(arguments)})"
        )
    states = tuple(arguments[2:])
    shapes = {key: tuple(Size(s) for s in _as_shape(key, shape)) for key, shape in params.items()}
    builder = Builder(shapes)
    x = Expr(builder, builder.input("x", Size("I")))
    inputs = [Expr(builder, builder.input(state, Size("H"))) for state in states]
    result = equations(_Params(builder), x, *inputs)
    results = result if isinstance(result, tuple) else (result,)
    if len(results) != len(states) or not all(isinstance(r, Expr) for r in results):
        raise TypeError(f"the cell must return {' and '.join(states)}, each made of its inputs")
    outputs = []
    for state, new in zip(states, results, strict=True):
        if new.shape != (Size("H"),):
            raise ValueError(f"the new {state} must have size H, not {new.shape}")
        outputs.append(new.named(state)._index)
    used = {node.attrs["param"] for node in builder.nodes if node.op == "param"}
    unused = [key for key in shapes if key not in used]
    if unused:
        them = "it" if len(unused) == 1 else "them"
        raise ValueError(
            f"the cell declares {', '.join(unused)} but its equations do not use {them}"
        )
    return Template(name, shapes, tuple(builder.nodes), states, tuple(outputs))


def _as_shape(key: str, shape: Any) -> Sequence[SizeLike]:
    if not str(key).isidentifier():
        raise ValueError(f"a parameter's name is an identifier such as 'W', not {key!r}")
    if isinstance(shape, str | int | Size):
        shape = (shape,)
    if not isinstance(shape, Sequence):
        raise TypeError(f"the shape of parameter {key!r} is such as ('H', 'I'), not {shape!r}")
    if len(shape) not in (1, 2):
        raise ValueError(f"parameter {key!r} must be a vector or a matrix, not of shape {shape}")
    if not all(Size(part).terms for part in shape):
        raise ValueError(f"parameter {key!r} cannot have a size of 0, as in {shape}")
    return list(shape)


def cell(
    params: Mapping[str, Sequence[SizeLike]], name: str | None = None
) -> Callable[[Callable[..., Any]], Template]:
    """Decorate a function of ``(p, x, h)`` or ``(p, x, h, c)`` into a cell.

    Parameters
    ----------
    params : dict
        Parameter name to shape in H (hidden size) and I (input size of the layer).
    name : str, optional
        Defaults to the function's name.

    Returns
    -------
    Template
        To be passed to `rnn_widgets.custom`.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> @rw.cell(params={"W": ("H", "I"), "U": ("H", "H"), "b": ("H",)})
    ... def elman(p, x, h):
    ...     return rw.ops.tanh(p.W @ x + p.U @ h + p.b)
    >>> rw.custom(elman, input_size=2, hidden_size=3, seq_len=4).values["U_l0"].shape
    (3, 3)
    """
    if callable(params):
        raise TypeError("write @rw.cell(params={…}): a cell declares its parameters' shapes")
    if not isinstance(params, Mapping):
        raise TypeError(
            f"params maps each parameter's name to its shape, as {{'W': ('H', 'I')}}, "
            f"not {params!r}"
        )

    def decorate(equations: Callable[..., Any]) -> Template:
        return trace(equations, params, name or equations.__name__)

    return decorate


NONLINEARITIES = ("tanh", "relu", "identity", "sigmoid")


def _activation(name: str) -> Callable[[Expr], Expr]:
    return (lambda a: a) if name == "identity" else (lambda a: unary(name, a))


def _shapes(gates: int, bias: bool | str) -> dict[str, tuple[str, ...]]:
    rows = "H" if gates == 1 else f"{gates}*H"
    shapes: dict[str, tuple[str, ...]] = {"weight_ih": (rows, "I"), "weight_hh": (rows, "H")}
    if bias:
        shapes["bias_ih"] = (rows,)
    if bias is True:
        shapes["bias_hh"] = (rows,)
    return shapes


def _from_input(p: _Params, x: Expr, bias: bool | str) -> Expr:
    return p.weight_ih @ x + p.bias_ih if bias else p.weight_ih @ x


def _from_state(p: _Params, h: Expr, bias: bool | str) -> Expr:
    return p.weight_hh @ h + p.bias_hh if bias is True else p.weight_hh @ h


def rnn_cell(nonlinearity: str, bias: bool | str) -> Template:
    """Elman cell, as in PyTorch's nn.RNN: ``h = f(W_ih x + b_ih + W_hh h + b_hh)``."""
    f = _activation(nonlinearity)

    def rnn(p: _Params, x: Expr, h: Expr) -> Expr:
        return f(_from_input(p, x, bias) + _from_state(p, h, bias))

    return trace(rnn, _shapes(1, bias), f"rnn_{nonlinearity}")


def gru_cell(reset_after: bool, bias: bool | str) -> Template:
    """Gated recurrent unit, gates stacked r, z, n as in PyTorch's nn.GRU.

    ``h' = (1 − z) ⊙ n + z ⊙ h``. With ``reset_after`` the reset gate acts on ``W_hn h + b_hn``
    (Cho et al. 2014 v1, PyTorch, cuDNN), otherwise on h itself (v3, ONNX default).
    """
    f, g = _activation("sigmoid"), _activation("tanh")

    def gru(p: _Params, x: Expr, h: Expr) -> Expr:
        r_in, z_in, n_in = chunk(_from_input(p, x, bias), 3)
        if reset_after:
            r_h, z_h, n_h = chunk(_from_state(p, h, bias), 3)
            r = f(r_in + r_h).named("r")
            n = g(n_in + r * n_h).named("n")
        else:
            w_r, w_z, w_n = chunk(p.weight_hh, 3)
            r_h, z_h = w_r @ h, w_z @ h
            if bias is True:
                b_r, b_z, b_n = chunk(p.bias_hh, 3)
                r_h, z_h, n_in = r_h + b_r, z_h + b_z, n_in + b_n
            r = f(r_in + r_h).named("r")
            n = g(n_in + w_n @ (r * h)).named("n")
        z = f(z_in + z_h).named("z")
        return (1 - z) * n + z * h

    return trace(gru, _shapes(3, bias), "gru_reset_after" if reset_after else "gru_reset_before")


def lstm_cell(bias: bool | str) -> Template:
    """Long short-term memory, gates stacked i, f, g, o as in PyTorch's nn.LSTM.

    ``c' = f ⊙ c + i ⊙ g``, ``h' = o ⊙ tanh(c')``.
    """
    sigmoid, tanh = _activation("sigmoid"), _activation("tanh")

    def lstm(p: _Params, x: Expr, h: Expr, c: Expr) -> tuple[Expr, Expr]:
        i, f, g, o = chunk(_from_input(p, x, bias) + _from_state(p, h, bias), 4)
        i, f, g, o = (
            sigmoid(i).named("i"),
            sigmoid(f).named("f"),
            tanh(g).named("g"),
            sigmoid(o).named("o"),
        )
        c_new = f * c + i * g
        return o * tanh(c_new), c_new

    return trace(lstm, _shapes(4, bias), "lstm")
