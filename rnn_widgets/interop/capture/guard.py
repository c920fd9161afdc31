"""Leaving a model as it was found, whatever its forward pass or the loss does to it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rnn_widgets.interop.keras.models import everything, variables


@contextmanager
def as_found(model: nn.Module, *tensors: Tensor) -> Iterator[None]:
    """Put everything back on leaving, also after an exception.

    Parameters, buffers and Keras's variables get their values back, modules and layers their
    attributes (modes, hooks, states that they keep between calls), parameters their ``.grad``; the
    random numbers of torch, numpy and Python continue where they were.

    Parameters
    ----------
    model : nn.Module
    *tensors : tensor
        Others that shall keep their values and ``.grad``, such as the model's inputs.
    """
    modules = [(m, _attributes(m)) for m in everything(model)]
    held = _tensors(modules, (*tensors, *variables(model)))
    values = [(t, t.detach().clone()) for t in held]
    grads = [(t, t.grad, None if t.grad is None else t.grad.clone()) for t in held if t.is_leaf]
    restore_random = _random()
    try:
        yield
    finally:
        for module, attributes in modules:
            _restore(module, attributes)
        for tensor, value in values:
            _put_back(tensor, value)
        for tensor, grad, copy in grads:
            tensor.grad = grad
            if grad is not None and copy is not None:
                _put_back(grad, copy)
        restore_random()


def _attributes(module: nn.Module) -> dict[str, tuple[Any, Any]]:
    """Each attribute with a shallow copy of what it holds, if that is a container."""
    return {
        name: (value, value.copy() if isinstance(value, dict | list | set) else None)
        for name, value in module.__dict__.items()
    }


def _restore(module: nn.Module, attributes: dict[str, tuple[Any, Any]]) -> None:
    for name in [name for name in module.__dict__ if name not in attributes]:
        del module.__dict__[name]
    for name, (value, copy) in attributes.items():
        module.__dict__[name] = value
        if copy is None or _unchanged(value, copy):
            continue
        if isinstance(value, list):
            value[:] = copy
        else:
            value.clear()
            value.update(copy)


def _unchanged(value: Any, copy: Any) -> bool:
    """Whether a container still holds the same objects: Keras's locked ones cannot be refilled."""
    if len(value) != len(copy) or isinstance(value, set):
        return bool(value == copy)
    one, other = (c.items() if isinstance(c, dict) else enumerate(c) for c in (value, copy))
    return all(k == k2 and v is v2 for (k, v), (k2, v2) in zip(one, other, strict=True))


def _tensors(
    modules: list[tuple[nn.Module, dict[str, tuple[Any, Any]]]], more: tuple[Tensor, ...]
) -> list[Tensor]:
    found: dict[int, Tensor] = {id(t): t for t in more}
    for _, attributes in modules:
        for value, _ in attributes.values():  # parameters and buffers are in dicts of their own
            parts = value.values() if isinstance(value, dict) else value
            for part in parts if isinstance(value, dict | list | tuple | set) else (value,):
                if isinstance(part, Tensor):
                    found[id(part)] = part
    return [t for t in found.values() if not t.is_meta]


def _put_back(tensor: Tensor, value: Tensor) -> None:
    """Write a value back where it has changed: memory that is mapped may be for reading only."""
    if tensor.shape == value.shape and _same_bits(tensor.detach(), value):
        return
    # .data keeps autograd's version counter, by which graphs of the user's own are checked.
    tensor.data = tensor.data.copy_(value) if tensor.shape == value.shape else value


def _same_bits(one: Tensor, other: Tensor) -> bool:
    if one.layout is torch.sparse_coo:  # the .grad of an Embedding with sparse=True
        same = one._nnz() == other._nnz() and torch.equal(one._indices(), other._indices())
        return same and _same_bits(one._values(), other._values())
    if torch.equal(one, other):
        return True
    if not (one.is_floating_point() or one.is_complex()):
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())


def _random() -> Any:
    """The random states now, as a function that puts them back."""
    cpu, python = torch.get_rng_state(), random.getstate()
    numbers = np.random.get_state()  # noqa: NPY002 - the user's models may draw from it
    started = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    cuda = torch.cuda.get_rng_state_all() if started else None

    def restore() -> None:
        torch.set_rng_state(cpu)
        random.setstate(python)
        np.random.set_state(numbers)  # noqa: NPY002
        if cuda is not None:
            torch.cuda.set_rng_state_all(cuda)

    return restore
