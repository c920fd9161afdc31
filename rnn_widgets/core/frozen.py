"""Arrays that cannot be written to, whatever the caller does with them."""

from __future__ import annotations

import numpy as np

from .ops import Array


def frozen(array: Array) -> Array:
    """An immutable float64 copy: its memory is a bytes object, which numpy never writes to."""
    copy = np.asarray(array, dtype=np.float64)
    result: Array = np.frombuffer(copy.tobytes(), dtype=np.float64).reshape(copy.shape)
    return result


def read_only(array: Array) -> Array:
    """A view, without a copy, of a result that nobody else holds, which numpy never writes to."""
    result: Array = np.asarray(array.data.toreadonly())
    return result
