"""What a cell's equations may use, besides +, −, *, @ and numbers: the vocabulary of ``@rw.cell``.

``tanh``, ``sigmoid`` and ``relu`` act entry by entry; ``concat(a, b)`` joins vectors;
``chunk(a, n)`` cuts a vector, or the rows of a parameter matrix, into n equal parts like
`torch.chunk`. Any expression can be given a name with ``.named("z")``, under which traces, terms
and graphs show it.
"""

from __future__ import annotations

from .core.cells import Expr, chunk, concat, unary

__all__ = ["chunk", "concat", "relu", "sigmoid", "tanh"]


def tanh(a: Expr) -> Expr:
    """Hyperbolic tangent of each entry."""
    return unary("tanh", a)


def sigmoid(a: Expr) -> Expr:
    """Logistic function ``1 / (1 + e^−a)`` of each entry."""
    return unary("sigmoid", a)


def relu(a: Expr) -> Expr:
    """``max(a, 0)`` of each entry; its derivative at 0 is taken as 0, as in torch."""
    return unary("relu", a)
