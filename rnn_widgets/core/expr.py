"""`Expr`: what a cell's equations compute with, recorded as they run.

`rnn_widgets.ops` offers the functions (tanh, sigmoid, relu, concat, chunk); the operators are
+, −, *, @ and those with numbers.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from numbers import Real
from typing import Any

from .sizes import Size
from .template import Builder, checked_name

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

    Parameters
    ----------
    *parts : Expr
        Vectors of any sizes.

    Returns
    -------
    Expr
        A vector of the sum of their sizes.

    Raises
    ------
    TypeError
        For nothing, or for what is no expression of the cell.
    ValueError
        For a matrix.

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

    Parameters
    ----------
    a : Expr
        A vector, or a parameter matrix: its parts stand left of @ only.
    count : int
        How many parts; the size must be a multiple, as 4*H is of 4, 2 and 1.

    Returns
    -------
    tuple of Expr
        ``count`` of them, the first entries or rows first.

    Raises
    ------
    TypeError
        For what is no expression of the cell.
    ValueError
        If the size cannot be cut into so many parts, or if ``a`` has been cut from a matrix.

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
