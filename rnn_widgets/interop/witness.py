"""torch as the independent witness: contributions against autograd and central differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from rnn_widgets.core import backward
from rnn_widgets.core.differences import central_differences
from rnn_widgets.core.forward import ForwardPass, forward
from rnn_widgets.core.frozen import frozen
from rnn_widgets.core.ops import Array
from rnn_widgets.core.program import Program
from rnn_widgets.core.results import Trace

from .code import run_source
from .modules import to_torch

AUTOGRAD, DIFFERENCES = 1e-12, 1e-6  # what counts as agreement, relative to the scale
_EXACT = 1e-300  # below this, numbers have lost digits to underflow


def autograd(program: Program, leaves: Mapping[str, Array]) -> dict[str, Array]:
    """Gradients by torch's autograd, through the module that `to_torch` makes.

    Parameters
    ----------
    program : Program
    leaves : dict
        Every leaf.

    Returns
    -------
    dict
        Leaf name to ∂L/∂leaf, float64: parameters, x, h0, c0 and a real-valued target.

    Raises
    ------
    ValueError
        If a saved network holds names that cannot stand in code.
    """
    with torch.inference_mode(False), torch.enable_grad():
        net = to_torch(program, leaves)
        known = dict(net.named_parameters())
        inputs = {
            name: _tensor(leaves[name], program, name)
            for name in program.leaves
            if name not in program.parameters
        }
        wanted = {name: known[name] for name in program.parameters}
        wanted |= {
            n: t.requires_grad_() for n, t in inputs.items() if n != "v" and t.is_floating_point()
        }
        namespace = {"torch": torch, "net": net, **inputs}
        exec(compile(run_source(program), "<rnn_widgets: loss>", "exec"), namespace)  # noqa: S102
        loss = namespace["loss"]
        if not loss.requires_grad:  # everything that it depends on is detached
            return {name: np.zeros(program.leaves[name]) for name in wanted}
        found = torch.autograd.grad(
            loss, list(wanted.values()), allow_unused=True, materialize_grads=True
        )
    return {name: g.numpy() for name, g in zip(wanted, found, strict=True)}


def _tensor(array: Array, program: Program, name: str) -> torch.Tensor:
    classes = name == "target" and program.loss == "cross_entropy"
    return torch.tensor(array, dtype=torch.int64 if classes else torch.float64, device="cpu")


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """What three independent computations of the same gradients say; true if they agree.

    Every dict maps a leaf name (parameters, x, h0, c0, a real-valued target) to what is said of
    it; arrays have the leaf's shape. Dimensionless.

    Parameters
    ----------
    contributions : dict
        Σ_{t,k} C[t, k] of each parameter; of other leaves, the reverse sweep's gradient.
    autograd : dict
        torch's autograd.
    differences : dict
        Central differences of the loss; for a truncated network with the cut states held at their
        base value.
    scale : dict
        The largest sum, over a leaf's entries, of the absolute values of all products that make
        an entry up, before anything cancels. It bounds the rounding error of any way to add them.
    errors : dict
        (largest |contributions − autograd|, largest |contributions − differences|), both divided
        by ``scale``; the second leaves out entries at a kink.
    rounding : dict
        How far the gradients move, at most, if every number entering them is changed by about one
        part in 10¹²: what two correct computations may differ by. Far below ``1e-12 · scale``
        where the products of a long or saturated network are large but cancel.
    kinks : int
        Entries that central differences cannot judge, since a relu's kink lies between the two
        evaluations.
    bias : dict or None
        For a truncated network, its full gradient minus the truncated one.
    overflow : int or None
        The first step (0-based) with a value that is not finite.
    """

    contributions: dict[str, Array]
    autograd: dict[str, Array]
    differences: dict[str, Array]
    scale: dict[str, float]
    errors: dict[str, tuple[float, float]]
    rounding: dict[str, float]
    kinks: int
    bias: dict[str, Array] | None
    overflow: int | None

    def __bool__(self) -> bool:
        return self.overflow is None and not any(map(self._disagreements, self.contributions))

    def _disagreements(self, name: str) -> list[str]:
        """What is wrong with a leaf's gradient, in words; empty if nothing is."""
        mine = self.contributions[name]
        others = {"autograd": self.autograd[name], "central differences": self.differences[name]}
        for word, array in {"the contributions": mine, **others}.items():
            if not np.isfinite(array).all():
                return [f"{name}: {word} are not finite" if word != "autograd" else f"{name}: autograd is not finite"]
        said = []
        by_torch, by_differences = self.errors[name]
        gap = np.abs(mine - self.autograd[name])
        if by_torch > AUTOGRAD or gap.max() > self.rounding[name] + _EXACT:
            said.append(_words(name, mine, self.autograd[name], gap, "autograd"))
        if by_differences > DIFFERENCES:
            gap = np.abs(mine - self.differences[name])
            said.append(_words(name, mine, self.differences[name], gap, "central differences"))
        return said

    def __repr__(self) -> str:
        raise NotImplementedError
