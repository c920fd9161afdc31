"""What is called in a layer's place while it is watched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn


class InPlace:
    """A method's stand-in on an object; a copy or a pickle of the object has its own method again.

    Parameters
    ----------
    module : nn.Module
    attribute : str
        The method's name.
    act : callable
        What is called instead.
    """

    def __init__(self, module: nn.Module, attribute: str, act: Callable[..., Any]) -> None:
        self._module, self._attribute, self._act = module, attribute, act

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Call what is called instead."""
        return self._act(*args, **options)

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy looks this up before it has a dict of its own: it finds the class's method.
        return getattr, (self._module, self._attribute)


def replaced(module: nn.Module, attribute: str) -> bool:
    """Whether a method was replaced on the object itself, other than by a watch."""
    held = module.__dict__.get(attribute)
    if held is None or isinstance(held, InPlace):
        return False
    own = getattr(type(module), attribute).__get__(module)
    return bool(held != own)
