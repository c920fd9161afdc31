"""Products of state Jacobians, of whatever they are made from."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from .frozen import frozen
from .ops import Array
from .values import whole


class JacobianProducts(ABC):
    """State Jacobians J_t = ∂s_t/∂s_{t−1} of one layer and direction, and what follows from them.

    In a reverse direction the state before step t is that of step t + 1.
    """

    _reverse: bool

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def _size(self) -> int:
        """Size of the state, S."""

    @abstractmethod
    def _whole(self, t: int) -> Array:
        """J_t of a step that there is, (S, S)."""

    def __getitem__(self, t: int) -> Array:
        return frozen(self._whole(self._step(t)))

    def __repr__(self) -> str:
        return f"{type(self).__name__} of {len(self)} steps, ({self._size}, {self._size}) each"

    def _step(self, t: int) -> int:
        return whole("step", t, len(self))

    def product(self, t: int, k: int) -> Array:
        """∂s_t/∂s_k = J_t J_{t−1} … J_{k+1}.

        Parameters
        ----------
        t : int
            Step, 0-based.
        k : int
            Earlier step, from −1 (the initial state) to t; in a reverse direction from t to T,
            where T is the initial state.

        Returns
        -------
        array, shape (S, S)

        Examples
        --------
        ∂h_t/∂h_0 in PyTorch's counting, where h_0 is the initial state:

        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 2, 3, nonlinearity="identity")
        >>> net.replace(weight_hh_l0=[[1, 1], [0, 1]]).jacobians().product(2, -1)
        array([[1., 3.],
               [0., 1.]])
        """
        step = self._step(t)
        first, last = (step, len(self)) if self._reverse else (-1, step)
        other = whole("step k", k, last - first + 1, first)
        between = range(step, other) if self._reverse else range(step, other, -1)
        result = np.eye(self._size)
        with np.errstate(all="ignore"):
            for j in between:
                result = result @ self._whole(j)
        return frozen(result)

    def singular_values(self, t: int, k: int | None = None) -> Array:
        """Singular values of J_t, or of ``product(t, k)``, descending; shape (S,).

        Raises
        ------
        ValueError
            If it is not finite.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 2, 3, nonlinearity="identity")
        >>> jacobians = net.replace(weight_hh_l0=[[0, 2], [-3, 0]]).jacobians()
        >>> jacobians.singular_values(0).round(12), jacobians.singular_values(2, 0).round(12)
        (array([3., 2.]), array([6., 6.]))
        """
        matrix = self[t] if k is None else self.product(t, k)
        if not np.isfinite(matrix).all():
            raise ValueError(f"∂s_{t}/∂s is not finite; it has no singular values")
        return frozen(np.asarray(np.linalg.svd(matrix, compute_uv=False), dtype=np.float64))
