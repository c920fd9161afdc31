"""`gradient`: differentiate by arguments, or by a set of tensors that a function reads."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from .graph import read_tape, variable_names
from .params import Params, check_tensor
from .recorded import NO_PART, Entry, Held, TensorGradients, warn_not_finite


def gradient(
    f: Callable[..., Any], /, *tensors: Tensor, params: Params | None = None
) -> TensorGradients:
    """The gradient of a function of torch tensors, kept with the objects that it belongs to.

    Explicit, ``rw.gradient(f, W, b)`` calls ``f(W, b)`` and differentiates by every argument, and
    by these alone: a tensor that f also reads through its closure counts as a constant there.
    Implicit, ``rw.gradient(f, params=rw.Params(W=W, b=b))`` calls ``f()`` and differentiates by
    the tensors of ``params``, found in the computation as the objects they are.

    The tensors need not require gradients. They, their ``.grad``, ``.requires_grad`` and versions
    are left as they were, also if f fails.

    Parameters
    ----------
    f : callable
        Gives one number: a tensor with one entry. Its own parameter names name the gradients.
    *tensors : torch.Tensor
        The arguments of f, of any shapes. Those of whole numbers are passed on without a gradient.
    params : Params, optional
        In place of arguments, the tensors to differentiate by.

    Returns
    -------
    TensorGradients
        A mapping to ∂y/∂tensor, of the tensor's shape and dtype, by name, object and position.

    Raises
    ------
    TypeError
        For what is no tensor, a function of other arguments, or one that does not give a tensor.
    ValueError
        If f gives more than one number, or numbers that have no derivative.

    Warns
    -----
    NotFiniteWarning
        If the result or a gradient is NaN or infinite.

    Notes
    -----
    The two modes are those of Flux's ``gradient(f, W, b)`` and ``gradient(f, params([W, b]))``.
    Computed by `torch.autograd.grad`.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> W, b, x = torch.ones(3, 5), torch.zeros(3), torch.tensor([3.0, 1, 0, 1, 2])
    >>> rw.gradient(lambda W, b: (W @ x + b).sum(), W, b)["W"]
    tensor([[3., 1., 0., 1., 2.],
            [3., 1., 0., 1., 2.],
            [3., 1., 0., 1., 2.]])
    >>> g = rw.gradient(lambda: (W @ x + b).sum(), params=rw.Params(W=W, b=b))
    >>> g[b]
    tensor([1., 1., 1.])
    """
    _check(f, tensors, params)
    names = list(params) if params is not None else _argument_names(f, len(tensors))
    objects = list(params.values()) if params is not None else list(tensors)
    for name, tensor in zip(names, objects, strict=True):
        check_tensor(name, tensor)
    held = _held(objects)
    with torch.inference_mode(False), torch.enable_grad():
        if params is None:
            inputs = [_stand_in(tensor) for tensor in objects]
            y = _number(f(*inputs))
            return _recorded(f, y, names, held, inputs)
        with _requiring([one.tensor for one in held]):
            y = _number(f())
            return _recorded(f, y, names, held, objects)


def _check(f: object, tensors: Sequence[object], params: object) -> None:
    if not callable(f) or isinstance(f, Tensor):
        given = "its result, a tensor" if isinstance(f, Tensor) else type(f).__name__
        raise TypeError(
            f"rw.gradient needs the function itself, which it calls, not {given}: "
            "rw.gradient(lambda W, b: (W @ x + b).sum(), W, b)"
        )
    if params is None and not tensors:
        raise TypeError(
            "give the arguments to differentiate by, rw.gradient(f, W, b), or the tensors that f "
            "reads, rw.gradient(f, params=rw.Params(W=W, b=b))"
        )
    if params is None:
        return
    if tensors:
        raise TypeError("give either arguments for f or params=, not both")
    if not isinstance(params, Params):
        raise TypeError(
            f"params must be rw.Params, such as rw.Params(W=W, b=b), not {type(params).__name__}"
        )
    if (problem := _refuses(f, ())) is not None:
        raise TypeError(f"with params= the function is called without arguments, as f(): {problem}")


def _signature(f: Callable[..., object]) -> inspect.Signature | None:
    """None for the functions of C that do not tell."""
    try:
        return inspect.signature(f.forward if isinstance(f, nn.Module) else f)
    except (TypeError, ValueError):
        return None


def _refuses(f: Callable[..., object], arguments: Sequence[object]) -> str | None:
    signature = _signature(f)
    if signature is None:
        return None
    try:
        signature.bind(*arguments)
    except TypeError as error:
        return str(error)
    return None


def _argument_names(f: Callable[..., object], count: int) -> list[str]:
    """The names of f's first parameters; those under a star are ``args[0]`` and so on."""
    if (problem := _refuses(f, range(count))) is not None:
        takes = ", ".join(map(str, _signature(f).parameters.values()))  # type: ignore[union-attr]
        many = "1 tensor" if count == 1 else f"{count} tensors"
        raise TypeError(f"f takes ({takes}) and was given {many}: {problem}")
    signature = _signature(f)
    plain: list[str] = []
    star = "args"
    for parameter in signature.parameters.values() if signature else ():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            plain.append(parameter.name)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            star = parameter.name
    return [*plain[:count], *(f"{star}[{i}]" for i in range(count - len(plain)))]


def _held(objects: Sequence[Tensor]) -> list[Held]:
    """What is recorded of each; the same for the same object."""
    found: list[Held] = []
    distinct: list[Held] = []
    for tensor in objects:
        same = next((held for held in distinct if held.tensor is tensor), None)
        if same is None:
            same = Held(tensor, len(distinct) + 1)
            distinct.append(same)
        found.append(same)
    return found


def _differentiable(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _stand_in(tensor: Tensor) -> Tensor:
    """A leaf of its own over the same memory, so that the tensor itself is not touched."""
    alone = tensor.detach()
    return alone.requires_grad_() if _differentiable(tensor) else alone


@contextmanager
def _requiring(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Let tensors require gradients meanwhile; what f's own backward() leaves in them goes."""
    with ExitStack() as stack:
        for tensor in tensors:
            if _differentiable(tensor) and not tensor.requires_grad:
                stack.callback(setattr, tensor, "grad", tensor.grad)
                stack.callback(tensor.requires_grad_, False)
                tensor.requires_grad_()
        yield


def _number(y: object) -> Tensor:
    """Refuse a result that has no gradient."""
    if not isinstance(y, Tensor):
        hint = {
            "NoneType": "is a return missing?",
            "float": "float() and .item() take a number off the tape: return the tensor",
            "ndarray": "numpy keeps no tape: return the tensor",
            "tuple": "return the one of them to differentiate",
        }.get(type(y).__name__, "return the tensor to differentiate")
        raise TypeError(f"f must give a torch tensor of one number, not {type(y).__name__}: {hint}")
    if y.numel() != 1:
        raise ValueError(
            f"f must give one number, not a tensor of shape {tuple(y.shape)}. PyTorch says: "
            f'"{_what_pytorch_says(y)}", since a vector has one gradient per entry, and backward() '
            "adds them up with weights that it cannot guess. Return y.sum(), which weighs each "
            "by 1, or choose the weights: rw.SeedExplorer(f, …) shows what each does"
        )
    if not y.is_floating_point():
        what = "complex" if y.is_complex() else str(y.dtype).removeprefix("torch.")
        raise ValueError(
            f"f must give a real number to differentiate, not one that is {what}"
            + (": return y.abs() or y.real" if y.is_complex() else "; whole numbers do not vary")
        )
    return y


def _what_pytorch_says(y: Tensor) -> str:
    leaf = torch.zeros(y.shape, requires_grad=True)
    try:
        torch.autograd.grad(leaf, leaf)
    except RuntimeError as error:
        return str(error)
    raise AssertionError(f"PyTorch differentiated a tensor of shape {tuple(y.shape)}")


def _recorded(
    f: Callable[..., object],
    y: Tensor,
    names: Sequence[str],
    held: Sequence[Held],
    inputs: Sequence[Tensor],
) -> TensorGradients:
    gradients: dict[int, Tensor] = {}
    if y.requires_grad:
        which = [tensor for tensor in inputs if tensor.requires_grad]
        # Kept, since f may have read a graph that is not its own.
        answers: Sequence[Tensor | None] = torch.autograd.grad(
            y, which, retain_graph=True, allow_unused=True
        )
        for tensor, answer in zip(which, answers, strict=True):
            if answer is not None and id(tensor) not in gradients:
                gradients[id(tensor)] = answer.detach().clone()
    numbers = [one.number for one in held]
    tape, unasked = read_tape(y, list(zip(names, numbers, inputs, strict=True)), variable_names(f))
    entries = []
    for name, one, tensor in zip(names, held, inputs, strict=True):
        found = gradients.get(id(tensor))
        dtype = str(one.value.dtype).removeprefix("torch.")
        why = NO_PART if _differentiable(one.value) else f"{dtype} numbers have no derivative"
        entries.append(Entry(name, one, found, why if found is None else ""))
    result = TensorGradients(y.detach().clone(), entries, tape, unasked)
    warn_not_finite(result.value, entries, stacklevel=4)
    return result
