"""Frobenius norms that overflow only where the norm itself does."""

from __future__ import annotations

import numpy as np

from .ops import Array


def norms(array: Array, axes: tuple[int, ...]) -> Array:
    """Square roots of sums of squares over axes, without overflow where the norm has none."""
    with np.errstate(all="ignore"):
        largest = np.abs(array).max(axis=axes, keepdims=True, initial=0.0)
        usable = np.isfinite(largest) & (largest > 0)
        scale = np.where(usable, largest, 1.0)
        scaled = np.sqrt(((array / scale) ** 2).sum(axis=axes))
        result: Array = scaled * np.squeeze(scale, axis=axes)
    return result
