"""State Jacobians of a recorded layer, of one sample, layer and direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from rnn_widgets.core.frozen import frozen
from rnn_widgets.core.products import JacobianProducts
from rnn_widgets.core.values import whole
from rnn_widgets.interop.capture.spec import LayerSpec

from .layer import Array

_MOST = 2.0e11  # multiplications for a table of norms: some seconds


@dataclass(frozen=True)
class Ran:
    """One sample of one layer and direction as it ran, float64 and led by time.

    ``weights`` go by their role; ``kept`` (T,) is True where a step kept the state, ``cut`` where
    the state before it came from elsewhere.
    """

    spec: LayerSpec
    weights: Mapping[str, Array]
    gates: Array
    h_before: Array
    c: Array | None
    c_before: Array | None
    recurrent: Array | None
    kept: Array
    cut: Array


class RecordedJacobians(JacobianProducts):
    """State Jacobians of one sample, one per step: what `Network.jacobians` is for a small network.

    ``jacobians[t]`` is J_t = ∂s_t/∂s_{t−1}, shape (S, S), float64: S = H, with the cell's
    size added for an LSTM, whose state (h, c) is taken in independent coordinates. In a reverse
    direction the state before step t is that of step t + 1. Made when they are asked for.

    Notes
    -----
    Pascanu, Mikolov & Bengio 2013, "On the difficulty of training recurrent neural networks".

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> layer = torch.nn.RNN(1, 1, nonlinearity="relu", bias=False)
    >>> with torch.no_grad():
    ...     _ = layer.weight_ih_l0.fill_(1), layer.weight_hh_l0.fill_(2)
    >>> rec = rw.record(layer, torch.ones(3, 1, 1), lambda out: out[0].sum())
    >>> jacobians = rec.state_jacobians()
    >>> jacobians[0], jacobians.norms(-1)
    (array([[2.]]), array([2., 4., 8.]))
    """

    def __init__(self, ran: Ran, reverse: bool) -> None:
        self._ran, self._reverse = ran, reverse
        self._parts = lru_cache(maxsize=8)(self._made)

    def __len__(self) -> int:
        return len(self._ran.gates)

    @property
    def _size(self) -> int:
        spec = self._ran.spec
        return spec.output_size + (spec.hidden_size if "c" in spec.states else 0)

    def _whole(self, t: int) -> Array:
        parts = self._parts(t)
        if "h→c" not in parts:
            return np.asarray(sum(parts.values()))
        return np.block([[parts["h→h"], parts["c→h"]], [parts["h→c"], parts["c→c"]]])

    @np.errstate(all="ignore")
    def _made(self, t: int) -> dict[str, Array]:
        ran = self._ran
        parts = _BLOCKS[ran.spec.kind](ran, t)
        if ran.kept[t]:
            through = next(name for name in ("skip", "h→h") if name in parts)
            passed = {through, "c→c"}
            parts = {
                n: np.eye(len(p)) if n in passed else np.zeros_like(p) for n, p in parts.items()
            }
        return {n: np.zeros_like(p) for n, p in parts.items()} if ran.cut[t] else parts

    def blocks(self, t: int) -> dict[str, Array]:
        """Named blocks of J_t.

        Returns
        -------
        dict
            LSTM: "h→h", "h→c", "c→h" and "c→c" (the forget gate's carousel); GRU: "skip", "via r",
            "via candidate" and "via z", the paths from h_{t−1}, which sum to J_t; RNN: "h→h", the
            whole.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.LSTM(1, 2), torch.ones(3, 1, 1), lambda out: out[0].sum())
        >>> list(rec.state_jacobians().blocks(0))
        ['h→h', 'h→c', 'c→h', 'c→c']
        """
        parts = self._parts(self._step(t))
        return {name: frozen(part) for name, part in parts.items()}

    def norms(self, k: int | None = None, *, band: int | None = None) -> Array:
        """Frobenius norms ‖∂s_t/∂s_k‖.

        Parameters
        ----------
        k : int, optional
            One state only, from −1 (the initial one) to T − 1; in a reverse direction from 0 to T,
            where T is the initial one.
        band : int, optional
            Of the whole table only the states at most so many steps apart, which is quick where the
            whole would take too long; the others are NaN.

        Returns
        -------
        array
            With ``k``: (T,), one for each t; zero where s_k comes after s_t. Without: a table
            (T + 1, T + 1) over all states, ``[t + 1, k + 1]`` with the initial state first, or in a
            reverse direction ``[t, k]`` with the initial state last.

        Raises
        ------
        ValueError
            If the table would take too long, naming the sizes and the band that would do.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> layer = torch.nn.RNN(1, 1, nonlinearity="relu", bias=False)
        >>> with torch.no_grad():
        ...     _ = layer.weight_ih_l0.fill_(1), layer.weight_hh_l0.fill_(2)
        >>> rec = rw.record(layer, torch.ones(2, 1, 1), lambda out: out[0].sum())
        >>> rec.state_jacobians().norms()
        array([[1., 0., 0.],
               [2., 1., 0.],
               [4., 2., 1.]])
        >>> rec.state_jacobians().norms(band=1)
        array([[ 1.,  0., nan],
               [ 2.,  1.,  0.],
               [nan,  2.,  1.]])
        """
        steps, size = len(self), self._size
        if k is not None:
            if band is not None:
                raise TypeError("norms takes k, for one column, or band, for part of the table")
            start = whole("k", k, steps + 1, 0 if self._reverse else -1)
            column = self._column(start)
            return frozen(column[:-1] if self._reverse else column[1:])
        reach = steps if band is None else whole("band", band, steps + 1)
        products = reach * steps - reach**2 / 2  # of matrices, for the whole table
        most = _MOST / float(size) ** 3
        if products > most:
            fitting = int((_MOST / products) ** (1 / 3))
            near = int(most / steps)
            told = f", or norms(band={near}) those of states so near" if near else ""
            part = "all norms" if band is None else f"norms(band={band})"
            raise ValueError(
                f"{part} of {steps} steps with a state of {size} would take too long: up to a "
                f"state of {fitting} they would not; norms(k) gives those of one k{told}"
            )
        first = 0 if self._reverse else -1
        table = np.stack([self._column(first + j, reach) for j in range(steps + 1)], 1)
        states = np.arange(steps + 1)
        table[np.abs(states[:, None] - states) > reach] = np.nan
        return frozen(table)

    @np.errstate(all="ignore")
    def _column(self, k: int, reach: int | None = None) -> Array:
        """‖∂s_t/∂s_k‖ of all states s_t, the initial one included; zero beyond ``reach`` steps."""
        steps = len(self)
        column, product = np.zeros(steps + 1), np.eye(self._size)
        own = k if self._reverse else k + 1
        column[own] = np.linalg.norm(product)
        after = range(k - 1, -1, -1) if self._reverse else range(k + 1, steps)
        for t in after[:reach]:
            product = self._whole(t) @ product
            scale = np.abs(product).max()
            usable = scale if np.isfinite(scale) and scale > 0 else 1.0
            column[t if self._reverse else t + 1] = np.linalg.norm(product / usable) * usable
        return column


def _rnn(ran: Ran, t: int) -> dict[str, Array]:
    value = ran.gates[t, 0]
    slope = {
        "tanh": 1 - value**2,
        "relu": (value > 0).astype(float),
        "sigmoid": value * (1 - value),
        "identity": np.ones_like(value),
    }[ran.spec.nonlinearity]
    return {"h→h": slope[:, None] * ran.weights["weight_hh"]}


def _gru(ran: Ran, t: int) -> dict[str, Array]:
    r, z, n = ran.gates[t]
    w_r, w_z, w_n = np.split(ran.weights["weight_hh"], 3)
    before = ran.h_before[t]
    of_n = (1 - z) * (1 - n**2)
    if ran.recurrent is not None:
        via_n = (of_n * r)[:, None] * w_n
        via_r = (of_n * ran.recurrent[t] * r * (1 - r))[:, None] * w_r
    else:
        via_n = of_n[:, None] * w_n * r
        via_r = (of_n[:, None] * w_n * (before * r * (1 - r))) @ w_r
    via_z = ((before - n) * z * (1 - z))[:, None] * w_z
    return {"skip": np.diag(z), "via r": via_r, "via candidate": via_n, "via z": via_z}


def _lstm(ran: Ran, t: int) -> dict[str, Array]:
    assert ran.c is not None
    assert ran.c_before is not None
    i, f, g, o = ran.gates[t]
    w_i, w_f, w_g, w_o = np.split(ran.weights["weight_hh"], 4)
    squashed = np.tanh(ran.c[t])
    to_m = o * (1 - squashed**2)
    h_to_c = (
        (g * i * (1 - i))[:, None] * w_i
        + (ran.c_before[t] * f * (1 - f))[:, None] * w_f
        + (i * (1 - g**2))[:, None] * w_g
    )
    h_to_m = to_m[:, None] * h_to_c + (squashed * o * (1 - o))[:, None] * w_o
    c_to_m = np.diag(to_m * f)
    if (projection := ran.weights.get("weight_hr")) is not None:
        h_to_m, c_to_m = projection @ h_to_m, projection @ c_to_m
    return {"h→h": h_to_m, "h→c": h_to_c, "c→h": c_to_m, "c→c": np.diag(f)}


_BLOCKS = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}
