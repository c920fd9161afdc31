"""`gradient`: which tensor each gradient belongs to, by object, by name and by position."""

from .gradient import gradient
from .params import Params
from .recorded import NotFiniteWarning, StaleGradientWarning, TensorGradients

__all__ = ["NotFiniteWarning", "Params", "StaleGradientWarning", "TensorGradients", "gradient"]
