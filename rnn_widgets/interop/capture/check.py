"""What is refused before a model is run, each with a sentence of what to give instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import Parameter, signature
from reprlib import repr as shortened
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rnn_widgets.interop.keras.layers import is_keras
from rnn_widgets.interop.keras.models import everything


def check_given(model: Any, x: Any, loss: Any) -> None:
    """Refuse what is no model, and no function of its output alone.

    Raises
    ------
    TypeError
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    if not callable(loss):
        swapped = "; x is a function: they may be swapped, rw.record(model, x, loss)"
        raise TypeError(
            f"loss must be a function of the model's output, not {_briefly(loss)}"
            f"{swapped if callable(x) else ''}"
        )
    _check_one_argument(loss)


def _briefly(value: Any) -> str:
    if isinstance(value, Tensor | np.ndarray):
        word = "a tensor" if isinstance(value, Tensor) else "an array"
        return f"{word} of shape {tuple(value.shape)}"
    return shortened(value)


def _check_one_argument(loss: Callable[..., Any]) -> None:
    """Refuse a criterion that takes the target too, before the model is run."""
    try:
        given = signature(loss.forward if isinstance(loss, nn.Module) else loss)
    except (TypeError, ValueError):  # of something that is not written in Python
        return
    several = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    needed = [
        name
        for name, parameter in given.parameters.items()
        if parameter.default is Parameter.empty and parameter.kind not in several
    ]
    if len(needed) > 1:
        output = "y_pred" if "y_pred" in needed else needed[0]  # Keras has the target first
        written = ", ".join("out" if name == output else name for name in needed)
        raise TypeError(
            f"loss gets the output alone, but this one takes {', '.join(needed)}: write "
            f"loss=lambda out: criterion({written})"
        )


def check_numbers(model: nn.Module, inputs: Sequence[Tensor]) -> None:
    """Refuse tensors without numbers, or that autograd cannot follow.

    Raises
    ------
    ValueError
    """
    parts = [tensor for m in everything(model) for tensor in m._parameters.values()]
    parameters = [tensor for tensor in parts if tensor is not None]
    for what, tensors in (("the model", parameters), ("x", inputs)):
        if any(tensor.is_meta for tensor in tensors):
            raise ValueError(
                f"{what} has no numbers: device meta. Make it on a device that has memory, such as "
                "cpu"
            )
    if any(tensor.is_inference() for tensor in parameters):
        raise ValueError(
            "the model was made under torch.inference_mode(), and autograd cannot follow its "
            "parameters: make it outside, or load its state_dict into one that is"
        )


@contextmanager
def told_of_arrays(model: nn.Module, x: Any) -> Iterator[None]:
    """Say of a pass that failed that a model of torch was given an array or a list for a tensor.

    Raises
    ------
    TypeError
    """
    try:
        yield
    except (TypeError, AttributeError) as error:
        parts = x.values() if isinstance(x, dict) else x if isinstance(x, tuple) else (x,)
        given = [part for part in parts if isinstance(part, np.ndarray | list)]
        if is_keras(model) or not given:
            raise
        make = "torch.from_numpy(x)" if isinstance(given[0], np.ndarray) else "torch.tensor(x)"
        raise TypeError(
            f"x must be a tensor, not {type(given[0]).__name__}: {make} ({error})"
        ) from error


def read_weights(given: Any) -> Tensor:
    """The weights of samples.

    Raises
    ------
    TypeError, ValueError
        If they are no numbers, or not finite.
    """
    weight = given.detach() if isinstance(given, Tensor) else np.asarray(given)
    if isinstance(weight, np.ndarray) and weight.dtype.kind not in "biuf":
        raise TypeError(f"sample_weight must be numbers, not {_briefly(given)}")
    found = torch.as_tensor(weight)
    if found.is_complex():
        raise TypeError("sample_weight must be real numbers, not complex ones")
    bad = (~found.isfinite()).nonzero().flatten()
    if len(bad):
        raise ValueError(f"sample_weight must be finite, and that of sample {int(bad[0])} is not")
    return found
