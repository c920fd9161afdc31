"""Arrays that cannot be written to, whatever the caller does with them."""

from __future__ import annotations

import numpy as np

from .ops import Array


def frozen(array: Array) -> Array:
    """An immutable float64 copy: its memory is a bytes object, which numpy never makes writeable."""
    copy = np.asarray(array, dtype=np.float64)
    result: Array = np.frombuffer(copy.tobytes(), dtype=np.float64).reshape(copy.shape)
    return result
