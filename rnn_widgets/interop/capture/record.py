"""One recording of a model: run it with the layer's stand-in, and collect what passed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rnn_widgets.core.values import whole
from rnn_widgets.interop.keras.layers import is_keras
from rnn_widgets.interop.keras.models import everything

from .calls import Call
from .collect import collected
from .guard import as_found
from .standing import Standing, stand_in
from .torch_layers import find

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
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    if not callable(loss):
        raise TypeError(f"loss must be a function of the model's output, not {loss!r}")
    if training is not None and not is_keras(model):
        raise ValueError(
            "training= is for models of Keras; a torch model is recorded in the mode it is in: "
            "call model.train() or model.eval() first"
        )
    model = getattr(model, "_orig_mod", model)  # what torch.compile was given
    name, module = find(model, layer)
    with (
        as_found(model, *_leaves(x)),
        torch.inference_mode(False),
        torch.enable_grad(),
        _without_cudnn(model, module),
        _uncompiled(model),
    ):
        device = next(module.parameters()).device
        dummy = torch.zeros((), device=device, requires_grad=True)
        there = stand_in(module, dummy)
        # A callable in the instance's own dict is found before the class's method.
        module.__dict__[there.attribute] = there.forward
        output = _called(model, x, bool(training))
        if there.refusal:
            raise ValueError(there.refusal)
        if not there.calls:
            raise ValueError(f"the model's forward pass did not call {_quoted(name)}")
        total, losses = _scalar(loss(output), sample_weight)
        nowhere = f"the loss does not depend on {_quoted(name)}"
        if not total.requires_grad:
            raise ValueError(f"{nowhere}: it has no gradient at all")
        calls = _chosen(there, name, call)  # before a checkpoint runs the layer again
        torch.autograd.grad(total, dummy, allow_unused=True, retain_graph=len(calls) > 1)
        if all(one.swept is None for one in calls):
            raise ValueError(nowhere)
        meta: dict[str, Any] = {
            "layer": name,
            "module": type(module).__name__,
            "mode": "train" if _trains(model, bool(training)) else "eval",
            "layer_mode": there.mode,
            "loss": float(total.detach()),
            "device": str(device),
        }
        more, arrays = collected(there, calls)
        if losses is not None:
            arrays["losses"] = losses
        return meta | more, arrays


def _chosen(there: Standing, name: str, call: int | None) -> list[Call]:
    calls, count = list(there.calls), len(there.calls)
    if call is not None:
        return [calls[whole("call", call, count)]]
    if count == 1:
        return calls
    why = ""
    if there.spec.directions == 2:
        why = "with two directions they do not follow each other in time"
    elif there.spec.go_backwards:
        why = "with go_backwards they do not follow each other in time"
    elif any(one.lengths is not None or one.live is not None for one in calls):
        why = "batches of padded sequences do not follow each other in time"
    elif len({one.samples for one in calls}) > 1:
        why = "they have different numbers of samples"
    if why:
        raise ValueError(
            f"{_quoted(name)} is called {count} times and {why}: say which with call=0 to "
            f"call={count - 1}"
        )
    return calls


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


def _without_cudnn(model: nn.Module, recorded: nn.Module) -> AbstractContextManager[Any]:
    """Without cuDNN if another layer is in eval mode, where cuDNN refuses its backward pass."""
    others = (m for m in everything(model) if isinstance(m, nn.RNNBase) and m is not recorded)
    if not any(not m.training and any(p.is_cuda for p in m.parameters()) for m in others):
        return nullcontext()
    now = torch.backends.cudnn
    made: AbstractContextManager[Any] = now.flags(
        enabled=False,
        benchmark=now.benchmark,
        deterministic=now.deterministic,
        allow_tf32=now.allow_tf32,
    )
    return made


def _scalar(value: Any, sample_weight: Any) -> tuple[Tensor, NDArray[Any] | None]:
    if not isinstance(value, Tensor):
        raise TypeError(f"loss must give a tensor, not {type(value).__name__}")
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
    weight = torch.as_tensor(np.asarray(sample_weight)).to(value)
    if weight.shape != value.shape:
        raise ValueError(
            f"sample_weight must have shape {tuple(value.shape)} as the losses have, not "
            f"{tuple(weight.shape)}"
        )
    losses: NDArray[Any] = value.detach().to("cpu", copy=True).numpy()
    return (weight * value).mean(), losses
