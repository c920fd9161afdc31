"""Cells written as the equations they are, traced once into templates.

`Expr` is what a cell function computes with; `rnn_widgets.ops` offers the functions (tanh,
sigmoid, relu, concat, chunk) and operators (+, −, *, @ and numbers) that it may use.
"""

from __future__ import annotations

import difflib
import inspect
import operator
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

from .sizes import Size, SizeLike
from .template import STATES, Builder, Template, checked_name

_ALLOWED = (
    "a cell's equations are made of +, −, *, @, numbers and rw.ops.tanh, sigmoid, relu, concat and "
    "chunk, with / by a number"
)


def _refused(what: str) -> Callable[..., Any]:
    def refuse(*_: object) -> Any:
        raise TypeError(f"{what} cannot be used here: {_ALLOWED}")

    return refuse


class Expr:
    """A vector (or a parameter matrix) inside a cell's equations."""

    def __init__(self, builder: Builder, index: int, rows: tuple[Size, Size] | None = None) -> None:
        self._builder = builder
        self._index = index
        self._rows = rows  # of a parameter matrix, the rows that this expression stands for

    @property
    def shape(self) -> tuple[Size, ...]:
        """Symbolic shape, for example ``(4*H,)``."""
        return self._builder.nodes[self._index].shape

    def named(self, name: str) -> Expr:
        """Give this quantity a name under which traces, terms and graphs show it."""
        if self._rows is not None:
            raise ValueError("rows of a matrix cannot be named; name what is computed with them")
        return Expr(self._builder, self._builder.name(self._index, checked_name(name)))

    def _apply(self, op: str, *args: Expr, **attrs: Any) -> Expr:
        for arg in args:
            if arg._builder is not self._builder:
                raise ValueError("an expression of another cell cannot be used here")
            if arg._rows is not None and op != "matvec":
                raise ValueError("rows of a matrix can only stand left of @")
        index = self._builder.op(op, [arg._index for arg in args], **attrs)
        return Expr(self._builder, index)

    def _affine(self, scale: float, shift: float) -> Expr:
        return self._apply("affine", self, scale=scale, shift=shift)

    def __add__(self, other: object) -> Expr:
        if isinstance(other, Real):
            return self._affine(1.0, float(other))
        if isinstance(other, Expr):
            return self._apply("add", self, other)
        return NotImplemented

    def __sub__(self, other: object) -> Expr:
        if isinstance(other, Real):
            return self._affine(1.0, -float(other))
        if isinstance(other, Expr):
            return self._apply("sub", self, other)
        return NotImplemented

    def __rsub__(self, other: object) -> Expr:
        if isinstance(other, Real):
            return self._affine(-1.0, float(other))
        return NotImplemented

    def __mul__(self, other: object) -> Expr:
        if isinstance(other, Real):
            return self._affine(float(other), 0.0)
        if isinstance(other, Expr):
            return self._apply("mul", self, other)
        return NotImplemented

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: object) -> Expr:
        if isinstance(other, Real):
            return self._affine(1.0 / float(other), 0.0)
        raise TypeError(f"division by an expression cannot be used here: {_ALLOWED}")

    def __neg__(self) -> Expr:
        return self._affine(-1.0, 0.0)

    def __matmul__(self, other: object) -> Expr:
        if not isinstance(other, Expr):
            return NotImplemented
        attrs = {} if self._rows is None else {"start": self._rows[0], "stop": self._rows[1]}
        return self._apply("matvec", self, other, **attrs)

    def __bool__(self) -> bool:
        raise TypeError(
            "a cell's equations cannot branch on values: they are traced once, before any are known"
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Take the scalars of numpy as numbers, and refuse its functions and arrays."""
        plain = method == "__call__" and len(inputs) == 2 and not options
        apply = _NUMPY_OPERATORS.get(ufunc.__name__)
        if plain and apply and all(isinstance(i, Expr | Real) for i in inputs):
            one, other = (i if isinstance(i, Expr) else float(i) for i in inputs)
            return apply(one, other)
        if apply or ufunc.__name__ == "matmul":
            raise TypeError(f"an array of numpy is not one of a cell's parameters: {_ALLOWED}")
        raise TypeError(f"numpy.{ufunc.__name__} cannot take an expression of a cell: {_ALLOWED}")

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise TypeError(
            f"numpy.{function.__name__} cannot take an expression of a cell: {_ALLOWED}"
        )

    @classmethod
    def __torch_function__(cls, function: Any, *_: Any) -> Any:
        name = getattr(function, "__name__", "function")
        raise TypeError(f"torch.{name} cannot take an expression of a cell: {_ALLOWED}")

    __array__ = _refused("an array of numpy")
    __pow__ = __rpow__ = _refused("**")
    __rtruediv__ = _refused("division by an expression")
    __floordiv__ = __rfloordiv__ = _refused("//")
    __mod__ = __rmod__ = _refused("%")
    __lt__ = __le__ = __gt__ = __ge__ = _refused("a comparison")
    __abs__ = _refused("abs")
    __getitem__ = __iter__ = __len__ = _refused("indexing")
    __float__ = __int__ = __index__ = _refused("a number made of an expression")


_NUMPY_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
}


def unary(op: str, a: Expr) -> Expr:
    """Apply an elementwise operation to an expression."""
    if not isinstance(a, Expr):
        raise TypeError(f"rw.ops.{op} takes an expression of the cell, not {type(a).__name__}")
    return a._apply(op, a)


def concat(*parts: Expr) -> Expr:
    """Join vectors end to end.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> @rw.cell(params={"W": ("H", "I+H")})
    ... def joined(p, x, h):
    ...     return p.W @ rw.ops.concat(x, h)
    >>> net = rw.custom(joined, 1, 1, 2).replace(W_l0=[[1, 10]], x=[[3], [4]])
    >>> net.forward().hidden[:, 0]
    array([ 0.,  3., 34.])
    """
    if not parts or not all(isinstance(part, Expr) for part in parts):
        raise TypeError("rw.ops.concat takes one or more expressions of the cell")
    return parts[0]._apply("concat", *parts)


def chunk(a: Expr, count: int) -> tuple[Expr, ...]:
    """Split a vector, or the rows of a parameter matrix, into equal parts, like `torch.chunk`.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> @rw.cell(params={"W": ("2*H", "I")})
    ... def product(p, x, h):
    ...     a, b = rw.ops.chunk(p.W @ x, 2)
    ...     return a * b
    >>> net = rw.custom(product, 1, 1, 2).replace(W_l0=[[2], [5]], x=[[1], [3]])
    >>> net.forward()["h"][:, 0]
    array([10., 90.])
    """
    if not isinstance(a, Expr):
        raise TypeError(f"rw.ops.chunk takes an expression of the cell, not {type(a).__name__}")
    if a._rows is not None:
        raise ValueError("rows of a matrix cannot be cut again; cut the matrix into more parts")
    if type(count) is not int or count < 1:
        raise ValueError(f"the number of parts is a whole number of at least 1, not {count!r}")
    length = a.shape[0]
    part = length.parts(count)
    if part is None:
        raise ValueError(f"a size of {length} cannot be cut into {count} equal parts")
    bounds = [(part.times(i), part.times(i + 1)) for i in range(count)]
    if len(a.shape) == 2:
        return tuple(Expr(a._builder, a._index, rows) for rows in bounds)
    return tuple(a._apply("slice", a, start=start, stop=stop) for start, stop in bounds)


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
