"""A tensor's Jacobian row by row, and what `backward` does when it is really called."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch

from rnn_widgets.core.frozen import frozen
from rnn_widgets.core.ops import Array

Tensors: TypeAlias = dict[str, torch.Tensor]

MOST_OUTPUTS, MOST_INPUTS = 16, 64
OWN, NETWORK = "own", "network"  # a loss that was passed, and the one that a network has


@dataclass(frozen=True)
class Backward:
    """What torch did when `backward` was really called on the output.

    Parameters
    ----------
    bare : str or None
        The error of ``z.backward()``; None if it works, as of an output with a single entry.
    again : str or None
        The error of a second ``z.backward(v)`` after one without ``retain_graph``; None if it
        works, as where nothing had been saved.
    reached : tuple of str
        The inputs to whose ``.grad`` that second call added, be it before it failed.
    """

    bare: str | None
    again: str | None
    reached: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Point:
    """A function at one place.

    Parameters
    ----------
    x : dict
        Argument name to array.
    output : ndarray
        z as the function returned it.
    jacobian : dict
        Argument name to ∂z/∂argument, (m, *shape), the entries of z in row-major order.
    unused : tuple of str
        Arguments that z does not depend on; their ``.grad`` would stay None.
    losses : dict
        Loss name to ∂loss/∂z, (m,); None where that is not finite.
    backward : Backward
    """

    x: dict[str, Array]
    output: Array
    jacobian: dict[str, Array]
    unused: tuple[str, ...]
    losses: dict[str, Array | None]
    backward: Backward


class Explored:
    """A function to be differentiated by its arguments, at one place after another.

    Parameters
    ----------
    run : callable
        From argument name to array to the tensors that stand for the arguments, the output and,
        for a network, its loss.
    label : callable
        From the output's shape to a name for each of its entries.
    losses : dict
        Loss name to a function of z (flat) and target.
    target : ndarray or None
        What the losses compare z with, flat; zeros for None.
    """

    def __init__(
        self,
        run: Callable[[Mapping[str, Array]], tuple[Tensors, Any, torch.Tensor | None]],
        label: Callable[[tuple[int, ...]], list[str]],
        losses: Mapping[str, Callable[..., Any]],
        target: Array | None = None,
    ) -> None:
        self._run = run
        self._label = label
        self._losses = dict(losses)
        self._target = target

    def labels(self, point: Point) -> list[str]:
        """A name for each entry of z."""
        return self._label(point.output.shape)

    def at(self, values: Mapping[str, Array]) -> Point:
        """Differentiate at one place.

        Parameters
        ----------
        values : dict
            Argument name to float64 array.

        Returns
        -------
        Point

        Raises
        ------
        ValueError, TypeError
            If the function raises, returns no tensor of real numbers, cannot be differentiated,
            gives other numbers when it is called again, or if a number is not finite.
        """
        devices: list[int] = []  # random numbers of the CPU alone are put back
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.random.fork_rng(devices=devices),
        ):
            inputs, z, loss = self._called(values)
            again, repeated, _ = self._called(values)
            if repeated.shape != z.shape or not torch.equal(repeated, z):
                raise ValueError(
                    "f gave other numbers when it was called again with the same input: it draws "
                    "random numbers (a module with dropout: call its eval() first) or keeps "
                    "something between calls"
                )
            jacobian, unused = _jacobian(inputs, z, self._label(z.shape))
            losses = self._derivatives(z, loss)
            with _grads_untouched(z, inputs), _grads_untouched(repeated, again):
                backward = Backward(_bare(z), *_twice(again, repeated))
        return Point(
            x={name: frozen(array) for name, array in values.items()},
            output=frozen(z.detach().to(torch.float64).numpy()),
            jacobian=jacobian,
            unused=unused,
            losses=losses,
            backward=backward,
        )

    def _called(self, values: Mapping[str, Array]) -> tuple[Tensors, torch.Tensor, Any]:
        inputs, z, loss = self._run(values)
        if not isinstance(z, torch.Tensor):
            hint = "; join the parts with torch.cat or torch.stack" if _several(z) else ""
            raise TypeError(f"f must return a tensor, not {type(z).__name__}{hint}")
        if not z.is_floating_point():
            raise TypeError(f"f must return real numbers, not {z.dtype}: only they have gradients")
        if not z.numel():
            raise ValueError("f returned an empty tensor: there is no output to differentiate")
        refuse_many(outputs=z.numel())
        for name, tensor in inputs.items():
            if not np.array_equal(tensor.detach().numpy(), values[name]):
                raise ValueError(f"f changes {name} in place: give it a copy, {name}.clone()")
        if not bool(torch.isfinite(z).all()):
            raise ValueError(f"z must be finite, but {_first_bad(z, self._label)}")
        if not z.requires_grad:
            raise ValueError(
                "torch sees no way from the inputs to z: f does not depend on them, or leaves "
                "torch on the way (numpy, .item(), .detach(), torch.no_grad())"
            )
        return inputs, z, loss

    def _derivatives(self, z: torch.Tensor, loss: torch.Tensor | None) -> dict[str, Array | None]:
        found: dict[str, Array | None] = {}
        if loss is not None:
            (by_z,) = torch.autograd.grad(loss, z, retain_graph=True, materialize_grads=True)
            found[NETWORK] = _finite(by_z)
        flat = z.detach().to(torch.float64).reshape(-1)
        target = torch.zeros_like(flat) if self._target is None else torch.tensor(self._target)
        if target.shape != flat.shape:
            raise ValueError(
                f"target must have one number for each of the {len(flat)} outputs, "
                f"not {target.numel()}"
            )
        for name, of in self._losses.items():
            leaf = flat.clone().requires_grad_()
            given = leaf.reshape(z.shape) if name == OWN else leaf
            value = _own(of, given) if name == OWN else of(given, target)
            if not value.requires_grad:
                raise ValueError("the loss does not depend on z")
            (by_z,) = torch.autograd.grad(value, leaf, materialize_grads=True)
            found[name] = _finite(by_z)
        return found


def _own(loss: Callable[..., Any], z: torch.Tensor) -> torch.Tensor:
    try:
        value = loss(z)
    except Exception as error:
        raise ValueError(f"the loss raised {type(error).__name__}: {error}") from error
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        raise TypeError("the loss must return a tensor with a single number, such as (z**2).sum()")
    return value.reshape(())


def _finite(by_z: torch.Tensor) -> Array | None:
    return frozen(by_z.reshape(-1).numpy()) if bool(torch.isfinite(by_z).all()) else None


def _several(z: object) -> bool:
    return isinstance(z, list | tuple) and any(isinstance(part, torch.Tensor) for part in z)


def _first_bad(z: torch.Tensor, label: Callable[[tuple[int, ...]], list[str]]) -> str:
    flat = z.detach().reshape(-1)
    at = int(torch.nonzero(~torch.isfinite(flat))[0])
    return f"{label(tuple(z.shape))[at]} is {float(flat[at])}"


def _jacobian(
    inputs: Tensors, z: torch.Tensor, labels: list[str]
) -> tuple[dict[str, Array], tuple[str, ...]]:
    flat = z.reshape(-1)
    rows = []
    for i in range(len(flat)):
        try:
            rows.append(
                torch.autograd.grad(
                    flat[i], list(inputs.values()), retain_graph=True, allow_unused=True
                )
            )
        except RuntimeError as error:
            raise ValueError(f"torch cannot differentiate f: {error}") from error
    jacobian, unused = {}, []
    for (name, tensor), column in zip(inputs.items(), zip(*rows, strict=True), strict=True):
        if all(gradient is None for gradient in column):
            unused.append(name)
        parts = [torch.zeros_like(tensor) if g is None else g.detach() for g in column]
        array = np.stack([part.to(torch.float64).numpy() for part in parts])
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            i, *index = (int(k) for k in bad[0])
            entry = f"{name}[{','.join(map(str, index))}]" if index else name
            raise ValueError(
                f"the Jacobian must be finite, but the derivative of {labels[i]} by {entry} "
                f"is {array[(i, *index)]}"
            )
        jacobian[name] = frozen(array)
    return jacobian, tuple(unused)


def _bare(z: Any) -> str | None:
    try:
        z.backward(retain_graph=True)
    except RuntimeError as error:
        return f"{type(error).__name__}: {error}"
    return None


def _twice(inputs: dict[str, Any], z: Any) -> tuple[str | None, tuple[str, ...]]:
    reached: list[str] = []
    z.backward(torch.ones_like(z))
    for name, tensor in inputs.items():
        tensor.register_post_accumulate_grad_hook(lambda _, name=name: reached.append(name))
    try:
        z.backward(torch.ones_like(z))
    except RuntimeError as error:
        return f"{type(error).__name__}: {error}", tuple(n for n in inputs if n in reached)
    return None, tuple(n for n in inputs if n in reached)


@contextmanager
def _grads_untouched(z: torch.Tensor, inputs: Tensors) -> Iterator[None]:
    """Let `backward` add to no `.grad` but those of the inputs, such as of a module's weights."""
    ours = {id(tensor) for tensor in inputs.values()}
    kept = [(leaf, leaf.grad) for leaf in _leaves(z) if id(leaf) not in ours]
    for leaf, _ in kept:
        leaf.grad = None
    try:
        yield
    finally:
        for leaf, gradient in kept:
            leaf.grad = gradient


def _leaves(z: torch.Tensor) -> Iterator[torch.Tensor]:
    waiting, seen = [z.grad_fn], set()
    while waiting:
        node: Any = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting += [earlier for earlier, _ in node.next_functions]


def refuse_many(inputs: int = 1, outputs: int = 1, hint: str = "") -> None:
    """Refuse what is too large to be looked at.

    Raises
    ------
    ValueError
        Naming the limits.
    """
    for count, most, what in (
        (inputs, MOST_INPUTS, "inputs"),
        (outputs, MOST_OUTPUTS, "outputs"),
    ):
        if count > most:
            raise ValueError(
                f"{count} {what} are too many to look at: a seed explorer takes at most "
                f"{MOST_OUTPUTS} outputs and {MOST_INPUTS} inputs in total{hint}"
            )
