"""Functions that torch differentiates row by row: any of the reader's, and a network's outputs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from rnn_widgets.core.names import unknown
from rnn_widgets.core.ops import Array
from rnn_widgets.core.program import Program

from .code import run_source
from .modules import to_torch
from .rows import Explored, Tensors

_NAME = re.compile(r"[^\W\d][\w.]*")

LOSSES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "sum": lambda z, target: z.sum(),
    "mean": lambda z, target: z.mean(),
    "sse": lambda z, target: ((z - target) ** 2).sum(),
    "mse": lambda z, target: ((z - target) ** 2).mean(),
}


def of_function(
    f: Callable[..., Any],
    names: list[str],
    losses: Mapping[str, Callable[..., Any]],
    target: Array | None,
) -> Explored:
    """A torch function of one or several tensors.

    Parameters
    ----------
    f : callable
        Called with float64 tensors by position.
    names : list of str
        One for each argument.
    losses, target
        As for `Explored`.

    Returns
    -------
    Explored
    """

    def run(values: Mapping[str, Array]) -> tuple[Tensors, Any, None]:
        inputs = {
            name: torch.tensor(values[name], dtype=torch.float64, device="cpu").requires_grad_()
            for name in names
        }
        try:
            return inputs, f(*inputs.values()), None
        except Exception as error:
            text = str(error)
            hint = ""
            if "positional argument" in text:
                hint = (
                    f"; it was called with {len(names)}: give x as a tuple of arrays, one for each"
                )
            elif "dtype" in text or "Double" in text:
                hint = "; f is called with float64 tensors: call .double() on a module"
            elif "in-place" in text:
                hint = "; f changes an input in place: let it work on a copy, x.clone()"
            raise ValueError(f"f raised {type(error).__name__}: {text}{hint}") from error

    return Explored(run, partial(_entries, "z"), losses, target)


def _entries(symbol: str, shape: tuple[int, ...]) -> list[str]:
    if not shape:
        return [symbol]
    return [f"{symbol}[{','.join(map(str, index))}]" for index in np.ndindex(*shape)]


def of_network(
    program: Program,
    leaves: Mapping[str, Array],
    losses: Mapping[str, Callable[..., Any]],
    target: Array | None,
) -> Explored:
    """A network's outputs y (T, O) as a function of its leaves.

    Parameters
    ----------
    program : Program
    leaves : dict
        Every leaf; those that `Explored.at` is given take their place.
    losses, target
        As for `Explored`; the network's own loss is added as "network".

    Returns
    -------
    Explored
    """

    def run(values: Mapping[str, Array]) -> tuple[Tensors, Any, torch.Tensor]:
        here = {**leaves, **values}
        net = to_torch(program, here)
        data = {
            name: torch.tensor(here[name], dtype=torch.float64)
            for name in program.leaves
            if name not in program.parameters
        }
        if "target" in data and program.loss == "cross_entropy":
            data["target"] = data["target"].long()
        inputs: Tensors = {
            name: net.get_parameter(name) if name in program.parameters else data[name]
            for name in values
        }
        for parameter in net.parameters():
            parameter.requires_grad_(False)
        for tensor in inputs.values():
            tensor.requires_grad_()
        namespace: dict[str, Any] = {"torch": torch, "net": net, **data}
        exec(compile(run_source(program), "<rnn_widgets: outputs>", "exec"), namespace)  # noqa: S102
        return inputs, namespace["y"], namespace["loss"]

    return Explored(run, partial(_entries, "y"), losses, target)


def network_leaves(program: Program, wrt: list[str] | None) -> list[str]:
    """The leaves that outputs are differentiated by: x, the initial states and the parameters.

    Raises
    ------
    KeyError
        For a leaf that there is not, or that no output depends on, naming the nearest.
    """
    there = [name for name in program.leaves if name not in ("v", "target")]
    if wrt is None:
        return sorted(there, key=lambda name: name in program.parameters)
    for name in wrt:
        if name not in there:
            raise unknown("leaf that the outputs depend on", name, there)
    return wrt


def argument_names(f: Callable[..., Any], count: int) -> list[str]:
    """A function's own names for its first arguments; x, or x0, x1 …, where it tells none."""
    made = ["x"] if count == 1 else [f"x{i}" for i in range(count)]
    told = f.forward if isinstance(f, torch.nn.Module) else f
    try:
        parameters = list(inspect.signature(told).parameters.values())
    except (TypeError, ValueError):  # written in C, it has no signature
        return made
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    names = [p.name for p in parameters if p.kind in positional]
    return names[:count] if len(names) >= count else made


def refuse_whole_numbers(name: str, value: Any) -> None:
    """Refuse a tensor of integers, which cannot have a gradient.

    Raises
    ------
    TypeError
    """
    if isinstance(value, torch.Tensor) and not (value.is_floating_point() or value.is_complex()):
        raise TypeError(
            f"{name} is a tensor of {value.dtype}, which cannot have a gradient: "
            f"pass {name}.double()"
        )
    if isinstance(value, np.ndarray) and value.dtype.kind in "iu":
        raise TypeError(
            f"{name} is an array of {value.dtype}, which cannot have a gradient: "
            f"pass {name}.astype(float)"
        )


def arguments(x: Any, names: Sequence[str] | None) -> list[Any]:
    """One value for each argument: a tuple, a list of arrays, or a single one."""
    if isinstance(x, tuple) and x:
        return list(x)
    if isinstance(x, list) and x:
        named = names is not None and not isinstance(names, str) and len(names) > 1
        if any(hasattr(part, "detach") or isinstance(part, np.ndarray) for part in x):
            return x
        if named and len(x) == len(names or ()):
            return x
    return [x]


def checked_names(names: Any, count: int) -> list[str] | None:
    """Names that were given for so many arguments, None where none were.

    Raises
    ------
    ValueError
    """
    if names is None:
        return None
    given = [names] if isinstance(names, str) else list(names)
    if len(given) != count:
        raise ValueError(
            f"names must name {count} {'argument' if count == 1 else 'arguments'}, not {len(given)}"
        )
    for name in given:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"a name is a word such as 'a' or 'hidden', not {name!r}")
    if len(set(given)) < count:
        raise ValueError(f"the names must differ: {', '.join(given)}")
    return given
