"""What a cell's equations may use, besides +, −, *, @ and numbers: the vocabulary of ``@rw.cell``.

``tanh``, ``sigmoid`` and ``relu`` act entry by entry; ``concat(a, b)`` joins vectors;
``chunk(a, n)`` cuts a vector, or the rows of a parameter matrix, into n equal parts like
`torch.chunk`. Any expression can be given a name with ``.named("z")``, under which traces, terms
and graphs show it.
"""

from __future__ import annotations

from .core.expr import Expr, chunk, concat, unary

__all__ = ["chunk", "concat", "relu", "sigmoid", "tanh"]


def tanh(a: Expr) -> Expr:
    """Hyperbolic tangent of each entry.

    Parameters
    ----------
    a : Expr
        A vector of any size.

    Returns
    -------
    Expr
        Of the same size.

    Raises
    ------
    TypeError
        For what is no expression of the cell.
    ValueError
        For a matrix.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> @rw.cell(params={"W": ("H", "I")})
    ... def one(p, x, h):
    ...     return rw.ops.tanh(p.W @ x)
    >>> net = rw.custom(one, 1, 1, 3).replace(W_l0=[[1]], x=[[-1], [0], [1]])
    >>> net.forward()["h"][:, 0].round(4)
    array([-0.7616,  0.    ,  0.7616])
    """
    return unary("tanh", a)


def sigmoid(a: Expr) -> Expr:
    """Logistic function ``1 / (1 + e^−a)`` of each entry.

    Parameters
    ----------
    a : Expr
        A vector of any size.

    Returns
    -------
    Expr
        Of the same size.

    Raises
    ------
    TypeError
        For what is no expression of the cell.
    ValueError
        For a matrix.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> @rw.cell(params={"W": ("H", "I")})
    ... def one(p, x, h):
    ...     return rw.ops.sigmoid(p.W @ x)
    >>> net = rw.custom(one, 1, 1, 3).replace(W_l0=[[1]], x=[[-1], [0], [1]])
    >>> net.forward()["h"][:, 0].round(4)
    array([0.2689, 0.5   , 0.7311])
    """
    return unary("sigmoid", a)


def relu(a: Expr) -> Expr:
    """``max(a, 0)`` of each entry; its derivative at 0 is taken as 0, as in torch.

    Parameters
    ----------
    a : Expr
        A vector of any size.

    Returns
    -------
    Expr
        Of the same size.

    Raises
    ------
    TypeError
        For what is no expression of the cell.
    ValueError
        For a matrix.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> @rw.cell(params={"W": ("H", "I")})
    ... def one(p, x, h):
    ...     return rw.ops.relu(p.W @ x)
    >>> net = rw.custom(one, 1, 1, 3).replace(W_l0=[[1]], x=[[-1], [0], [1]])
    >>> net.forward()["h"][:, 0].round(4)
    array([0., 0., 1.])
    """
    return unary("relu", a)
