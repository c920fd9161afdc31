"""The operations: each with its value and its local derivatives, side by side.

Vectors lie on the last axis, so an operation serves one step ``(n,)`` and all steps at once
``(T, n)``. `js/src/engine/ops.ts` holds the same operations in the same order.

A local derivative is never stored as a full Jacobian but as one of a few *kinds* of `Partial`;
`pull` applies its transpose to an adjoint, and `paths` reads single entries off it:

==========  =====================================  =================================
kind        ``∂out/∂arg``                           ``data``
==========  =====================================  =================================
identity    I
scale       s·I                                    the number s
diagonal    diag(d)                                d, shape (..., n)
matrix      W                                      W, shape (m, n)
outer       ``∂out[i]/∂W[i, j] = x[j]``              x, shape (..., n)
row         r, a single row (out is a scalar)      r, shape (..., n)
slice       picks ``arg[start:stop]``                (start, stop)
place       puts arg at ``out[start:stop]``          (start, stop)
==========  =====================================  =================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Partial:
    """A local derivative ``∂out/∂arg`` of one of the kinds listed in this module.

    ``magnitude`` bounds ``|data|`` before cancellation: for ``1 − h²`` it is ``1 + h²``. Sums of
    products of magnitudes are the scale against which rounding is judged.
    """

    kind: str
    data: Any = None
    magnitude: Any = None

    @property
    def bound(self) -> Any:
        """The magnitude, which is ``|data|`` unless cancellation makes it more."""
        if self.magnitude is not None or self.kind not in _NUMERIC:
            return self.magnitude if self.magnitude is not None else self.data
        return np.abs(self.data)


_NUMERIC = {"scale", "diagonal", "matrix", "outer", "row"}

IDENTITY = Partial("identity")
NEGATED = Partial("scale", -1.0)


@dataclass(frozen=True, slots=True)
class Op:
    """An operation: ``value(out, attrs, *args)`` fills ``out``; ``partials`` gives ∂out/∂arg."""

    name: str
    arity: int | None
    value: Callable[..., None]
    partials: Callable[..., Sequence[Partial]]


def _add(out: Array, attrs: Any, a: Array, b: Array) -> None:
    np.add(a, b, out)


def _add_partials(out: Array, attrs: Any, a: Array, b: Array) -> Sequence[Partial]:
    return IDENTITY, IDENTITY


def _sub(out: Array, attrs: Any, a: Array, b: Array) -> None:
    np.subtract(a, b, out)


def _sub_partials(out: Array, attrs: Any, a: Array, b: Array) -> Sequence[Partial]:
    return IDENTITY, NEGATED


def _mul(out: Array, attrs: Any, a: Array, b: Array) -> None:
    np.multiply(a, b, out)


def _mul_partials(out: Array, attrs: Any, a: Array, b: Array) -> Sequence[Partial]:
    return Partial("diagonal", b), Partial("diagonal", a)


def _affine(out: Array, attrs: Any, a: Array) -> None:
    np.multiply(a, attrs["scale"], out)
    out += attrs["shift"]


def _affine_partials(out: Array, attrs: Any, a: Array) -> Sequence[Partial]:
    return (Partial("scale", attrs["scale"]),)


def _matvec(out: Array, attrs: Any, w: Array, x: Array) -> None:
    np.dot(x, w.T, out)


def _matvec_partials(out: Array, attrs: Any, w: Array, x: Array) -> Sequence[Partial]:
    return Partial("outer", x), Partial("matrix", w)


def _slice(out: Array, attrs: Any, a: Array) -> None:
    out[...] = a[..., attrs["start"] : attrs["stop"]]


def _slice_partials(out: Array, attrs: Any, a: Array) -> Sequence[Partial]:
    return (Partial("slice", (attrs["start"], attrs["stop"])),)


def _concat(out: Array, attrs: Any, *args: Array) -> None:
    np.concatenate(args, axis=-1, out=out)


def _concat_partials(out: Array, attrs: Any, *args: Array) -> Sequence[Partial]:
    ends = np.cumsum([a.shape[-1] for a in args]).tolist()
    return [Partial("place", bounds) for bounds in zip([0, *ends[:-1]], ends, strict=True)]


def _tanh(out: Array, attrs: Any, a: Array) -> None:
    np.tanh(a, out)


def _tanh_partials(out: Array, attrs: Any, a: Array) -> Sequence[Partial]:
    squared = out * out
    return (Partial("diagonal", 1.0 - squared, 1.0 + squared),)


def _sigmoid(out: Array, attrs: Any, a: Array) -> None:
    np.exp(-a, out)  # overflow to inf is meant: 1/(1 + inf) is the right 0
    out += 1.0
    np.reciprocal(out, out)


def _sigmoid_partials(out: Array, attrs: Any, a: Array) -> Sequence[Partial]:
    return (Partial("diagonal", out * (1.0 - out), out * (1.0 + out)),)


def _relu(out: Array, attrs: Any, a: Array) -> None:
    np.maximum(a, 0.0, out=out)


def _relu_partials(out: Array, attrs: Any, a: Array) -> Sequence[Partial]:
    return (Partial("diagonal", np.where(a > 0, 1.0, 0.0)),)


def _dot(out: Array, attrs: Any, a: Array, b: Array) -> None:
    out[...] = (a * b).sum(-1, keepdims=True)


def _dot_partials(out: Array, attrs: Any, a: Array, b: Array) -> Sequence[Partial]:
    return Partial("row", b), Partial("row", a)


def _sum(out: Array, attrs: Any, a: Array) -> None:
    out[...] = a.sum(-1, keepdims=True)


def _sum_partials(out: Array, attrs: Any, a: Array) -> Sequence[Partial]:
    return (Partial("row", np.ones_like(a)),)


def _sse(out: Array, attrs: Any, y: Array, target: Array) -> None:
    out[...] = ((y - target) ** 2).sum(-1, keepdims=True)


def _sse_partials(out: Array, attrs: Any, y: Array, target: Array) -> Sequence[Partial]:
    row, bound = 2.0 * (y - target), 2.0 * (np.abs(y) + np.abs(target))
    return Partial("row", row, bound), Partial("row", -row, bound)


def _mse(out: Array, attrs: Any, y: Array, target: Array) -> None:
    out[...] = ((y - target) ** 2).mean(-1, keepdims=True)


def _mse_partials(out: Array, attrs: Any, y: Array, target: Array) -> Sequence[Partial]:
    n = y.shape[-1]
    row, bound = 2.0 / n * (y - target), 2.0 / n * (np.abs(y) + np.abs(target))
    return Partial("row", row, bound), Partial("row", -row, bound)


def _log_softmax(y: Array) -> Array:
    shifted = y - y.max(-1, keepdims=True)
    log_p: Array = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return log_p


def _cross_entropy(out: Array, attrs: Any, y: Array, onehot: Array) -> None:
    out[...] = -(onehot * _log_softmax(y)).sum(-1, keepdims=True)


def _cross_entropy_partials(out: Array, attrs: Any, y: Array, onehot: Array) -> Sequence[Partial]:
    log_p = _log_softmax(y)
    p = np.exp(log_p)
    return Partial("row", p - onehot, p + onehot), Partial("row", -log_p)


OPS: dict[str, Op] = {
    op.name: op
    for op in (
        Op("add", 2, _add, _add_partials),
        Op("sub", 2, _sub, _sub_partials),
        Op("mul", 2, _mul, _mul_partials),
        Op("affine", 1, _affine, _affine_partials),
        Op("matvec", 2, _matvec, _matvec_partials),
        Op("slice", 1, _slice, _slice_partials),
        Op("concat", None, _concat, _concat_partials),
        Op("tanh", 1, _tanh, _tanh_partials),
        Op("sigmoid", 1, _sigmoid, _sigmoid_partials),
        Op("relu", 1, _relu, _relu_partials),
        Op("dot", 2, _dot, _dot_partials),
        Op("sum", 1, _sum, _sum_partials),
        Op("sse", 2, _sse, _sse_partials),
        Op("mse", 2, _mse, _mse_partials),
        Op("cross_entropy", 2, _cross_entropy, _cross_entropy_partials),
    )
}


def pull(kind: str, data: Any, adjoint: Array, size: int) -> Array:
    """Vector-Jacobian product: the adjoint of an argument from the adjoint of the result.

    Parameters
    ----------
    kind, data
        The `Partial`; ``data`` must broadcast against ``adjoint``.
    adjoint : array, shape (..., L, m)
        One row per loss step.
    size : int
        Length n of the argument.

    Returns
    -------
    array, shape (..., L, n)
        ``adjoint @ ∂out/∂arg``.
    """
    pulled: Array
    match kind:
        case "identity":
            return adjoint
        case "scale" | "diagonal" | "row":
            pulled = np.multiply(adjoint, data)
            return pulled
        case "matrix":
            pulled = adjoint.dot(data) if adjoint.ndim == 2 else np.matmul(adjoint, data)
            return pulled
        case "slice":
            pulled = np.zeros((*adjoint.shape[:-1], size))
            pulled[..., data[0] : data[1]] = adjoint
            return pulled
        case "place":
            return adjoint[..., data[0] : data[1]]
    raise AssertionError(f"unknown kind of local derivative {kind!r}")
