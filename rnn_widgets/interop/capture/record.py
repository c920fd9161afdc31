"""One recording of a model: run it with the layer's stand-in, and collect what passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rnn_widgets.core.values import whole
from rnn_widgets.interop.keras.layers import is_keras
from rnn_widgets.interop.keras.models import everything

from .calls import Call, fed_back, own, precision
from .check import check_given, check_numbers, read_weights, told_of_arrays
from .collect import apart, collected
from .guard import as_found
from .standing import UNTRACKED, Standing, stand_in
from .torch_layers import find, without_wrapper

Arrays = dict[str, NDArray[Any]]


def record(
    model: nn.Module,
    x: Any,
    loss: Callable[[Any], Any],
    layer: Any = None,
    sample_weight: Any = None,
    call: int | None = None,
    training: bool | None = None,
) -> tuple[dict[str, Any], Arrays]:
    """Record a layer of a model of torch, or of Keras on its torch backend.

    Parameters
    ----------
    model : nn.Module
    x : tensor, tuple, dict or anything else
        What the model is called with: a tuple's parts are its arguments, a dict's its keyword
        arguments, anything else (a PackedSequence too) its only argument. A model of Keras takes
        all of these as its only argument.
    loss : callable
        Of the model's output, giving a scalar; with ``sample_weight`` the N losses.
    layer : str, nn.Module, int or None
        As for `find`.
    sample_weight : array-like, shape (N,), optional
        The loss is the mean over samples of weight times loss.
    call : int, optional
        Which of several calls of the layer; by default all, one after the other in time.
    training : bool, optional
        Whether a model of Keras is called for training; by default it is not.

    Returns
    -------
    (dict, dict)
        What there is to say of the recording, and its arrays.
    """
    check_given(model, x, loss)
    if training is not None and not is_keras(model):
        raise ValueError(
            "training= is for models of Keras; a torch model is recorded in the mode it is in: "
            "call model.train() or model.eval() first"
        )
    model = getattr(model, "_orig_mod", model)  # what torch.compile was given
    name, module = find(model, layer)
    check_numbers(model, _leaves(x))
    model = without_wrapper(model)
    with (
        as_found(model, *_leaves(x)),
        torch.inference_mode(False),
        torch.enable_grad(),
        _without_cudnn(model, module),
        _uncompiled(model),
        closing(stand_in(module)) as there,
    ):
        # A callable in the instance's own dict is found before the class's method.
        module.__dict__[there.attribute] = there.forward
        with told_of_arrays(model, x):
            output = _called(model, x, bool(training))
        if there.refusal:
            raise ValueError(there.refusal)
        if not there.calls:
            raise ValueError(f"the model's forward pass did not call {_quoted(name)}")
        total, losses = _scalar(loss(output), sample_weight)
        nowhere = f"the loss does not depend on {_quoted(name)}"
        if not total.requires_grad:
            raise ValueError(f"{nowhere}: it has no gradient at all{_USUAL}")
        calls = _chosen(there, name, call)  # before a checkpoint runs the layer again
        for one in calls:
            one.forget()  # a gradient that the model or the loss took on the way
        torch.autograd.grad(total, there.dummy, allow_unused=True, retain_graph=len(calls) > 1)
        if not any(one.touched for one in calls):
            raise ValueError(nowhere + _untracked(calls))
        meta: dict[str, Any] = {
            "layer": name,
            "module": type(module).__name__,
            "mode": "train" if _trains(model, bool(training)) else "eval",
            "layer_mode": there.mode,
            "frozen": there.frozen,
            "fed_back": fed_back(there.calls),
            "shared": _shared(model, module, [p.name for p in there.names]),
            "loss": float(total.detach()),
            "device": str(there.dummy.device),
            "model_dtype": str(next(module.parameters()).dtype).removeprefix("torch."),
        }
        more, arrays = collected(there, calls)
        if losses is not None:
            arrays["losses"] = losses
        return meta | more, arrays


def _shared(model: nn.Module, layer: nn.Module, names: list[str]) -> dict[str, list[str]]:
    """Where else in the model the layer's parameters stand; Keras ties weights in no such way."""
    own = layer._parameters
    found: dict[str, list[str]] = {}
    for name in (n for n in names if own.get(n) is not None):
        others = [
            f"{path}.{other}" if module is not layer else other
            for path, module in model.named_modules()
            for other, parameter in module._parameters.items()
            if parameter is own[name] and (module is not layer or other != name)
        ]
        if others:
            found[name] = [other.removeprefix(".") for other in others]
    return found


def _chosen(there: Standing, name: str, call: int | None) -> list[Call]:
    calls, count = list(there.calls), len(there.calls)
    if call is not None:
        return [calls[whole("call", call, count)]]
    if count == 1:
        return calls
    if why := apart(calls):
        raise ValueError(
            f"{_quoted(name)} is called {count} times and {why}: say which with call=0 to "
            f"call={count - 1}"
        )
    return calls


def _untracked(calls: list[Call]) -> str:
    return _USUAL if any(one.tracked for one in calls) else f": {UNTRACKED}"


_USUAL = "; usual reasons are torch.no_grad() or .detach() between the layer and the loss"


def _quoted(name: str) -> str:
    return f"the layer {name!r}" if name else "the layer"


def _leaves(x: Any) -> list[Tensor]:
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, tuple | list) else (x,)
    return [part for part in parts if isinstance(part, Tensor)]


def _called(model: nn.Module, x: Any, training: bool) -> Any:
    if is_keras(model):
        return model(x, training=True) if training else model(x)
    if isinstance(x, dict):
        return model(**x)
    if isinstance(x, tuple) and not hasattr(x, "_fields"):  # a PackedSequence is a named tuple
        return model(*x)
    return model(x)


def _trains(model: nn.Module, training: bool) -> bool:
    """A layer of Keras is told with each call, and its modules' own mode says nothing."""
    return training if is_keras(model) else model.training


def _uncompiled(model: nn.Module) -> AbstractContextManager[Any]:
    """With compiled parts run as they are written, if there are any and torch can (2.6)."""
    parts = everything(model)
    if any("_orig_mod" in m._modules or m._compiled_call_impl is not None for m in parts):
        stance = getattr(torch.compiler, "set_stance", None)
        if stance is not None:
            made: AbstractContextManager[Any] = stance("force_eager")
            return made
    return nullcontext()


@contextmanager
def _without_cudnn(model: nn.Module, recorded: nn.Module) -> Iterator[None]:
    """Without cuDNN if another layer is in eval mode, where cuDNN refuses its backward pass."""
    others = (m for m in everything(model) if isinstance(m, nn.RNNBase) and m is not recorded)
    refused = any(not m.training and any(p.is_cuda for p in m.parameters()) for m in others)
    # Only this one switch: cudnn.flags reads and sets those of TF32 too, which may be mixed.
    cudnn, before = torch.backends.cudnn, torch.backends.cudnn.enabled
    cudnn.enabled = before and not refused
    try:
        yield
    finally:
        cudnn.enabled = before


def _scalar(value: Any, sample_weight: Any) -> tuple[Tensor, NDArray[Any] | None]:
    if not isinstance(value, Tensor):
        raise TypeError(f"loss must give a tensor, not {type(value).__name__}")
    if value.is_complex():
        dtype = str(value.dtype).removeprefix("torch.")
        raise TypeError(f"loss must give a real number, not {dtype}: take its .real or .abs()")
    if sample_weight is None:
        if value.numel() != 1:
            raise ValueError(
                f"loss must give a scalar, not a tensor of shape {tuple(value.shape)}; take its "
                "mean or sum (losses of each sample go with sample_weight=)"
            )
        return value.reshape(()), None
    if value.dim() != 1:
        raise ValueError(
            "with sample_weight the loss gives one number for each sample, shape (N,), not "
            f"{tuple(value.shape)}"
        )
    weight = read_weights(sample_weight).to(value)
    if weight.shape != value.shape:
        raise ValueError(
            f"sample_weight must have shape {tuple(value.shape)} as the losses have, not "
            f"{tuple(weight.shape)}"
        )
    losses: NDArray[Any] = own(value, precision(value.dtype)).cpu().numpy()
    return (weight * value).mean(), losses
