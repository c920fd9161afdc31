"""torch as the independent witness: contributions against autograd and central differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import torch

from rnn_widgets.core import backward
from rnn_widgets.core.differences import STEP, central_differences
from rnn_widgets.core.forward import forward
from rnn_widgets.core.frozen import frozen
from rnn_widgets.core.ops import Array
from rnn_widgets.core.program import Program
from rnn_widgets.core.results import Trace

from .code import run_source
from .modules import to_torch
from .rounding import sensitivity

AUTOGRAD, DIFFERENCES = 1e-12, 1e-6  # what counts as agreement, relative to the scale
_UNDERFLOW = 1e-300  # smaller numbers have lost digits


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
        inputs = {
            name: _tensor(program, name, leaves[name])
            for name in program.leaves
            if name not in program.parameters
        }
        wanted: dict[str, torch.Tensor] = {n: net.get_parameter(n) for n in program.parameters}
        for name, tensor in inputs.items():
            if name != "v" and tensor.is_floating_point():
                wanted[name] = tensor.requires_grad_()
        namespace: dict[str, Any] = {"torch": torch, "net": net, **inputs}
        exec(compile(run_source(program), "<rnn_widgets: loss>", "exec"), namespace)  # noqa: S102
        loss = namespace["loss"]
        if not loss.requires_grad:  # truncation leaves nothing
            return {name: np.zeros(program.leaves[name]) for name in wanted}
        found = torch.autograd.grad(
            loss, list(wanted.values()), allow_unused=True, materialize_grads=True
        )
    return {name: gradient.numpy() for name, gradient in zip(wanted, found, strict=True)}


def _tensor(program: Program, name: str, array: Array) -> torch.Tensor:
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
        Σ_{t,k} C[t, k] of each parameter; of the other leaves, the reverse sweep's gradient.
    autograd : dict
        torch's autograd.
    differences : dict
        Central differences of the loss; for a truncated network with the cut states held at their
        base value.
    scale : dict
        How far any entry of the gradient moves per relative change of all numbers that it comes
        from, and at least its largest entry: what rounding errors are relative to.
    errors : dict
        (largest |contributions − autograd|, largest |contributions − differences|), both divided
        by ``scale``; the second leaves out entries at a kink.
    resolution : float
        The smallest derivative that central differences of this loss can tell from rounding.
    kinks : int
        Entries that central differences cannot judge, since a relu's kink lies between the two
        evaluations.
    bias : dict or None
        For a truncated network, its full gradient minus the truncated one.
    overflow : int or None
        The first step (0-based) with a value that is not finite.
    problems : tuple of str
        A sentence for every disagreement.

    Notes
    -----
    Agreement means: with autograd within 1e-12 of the scale, with central differences within 1e-6
    of the scale plus their resolution, all numbers finite.

    Examples
    --------
    With h_t = x_t + 2 h_{t−1} and L = h_1 + h_2 + h_3, a window of 2 leaves out 4 = 2², what step 1
    does for L_3:

    >>> import rnn_widgets as rw
    >>> net = rw.rnn(1, 1, 3, nonlinearity="identity", bias=False, loss="sum")
    >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [1], [1]])
    >>> report = net.truncate(window=2).check()
    >>> bool(report), report.autograd["weight_ih_l0"], report.bias["weight_ih_l0"]
    (True, array([[7.]]), array([[4.]]))
    """

    contributions: dict[str, Array]
    autograd: dict[str, Array]
    differences: dict[str, Array]
    scale: dict[str, float]
    errors: dict[str, tuple[float, float]]
    resolution: float
    kinks: int
    bias: dict[str, Array] | None
    overflow: int | None
    problems: tuple[str, ...]

    def __bool__(self) -> bool:
        return not self.problems

    def __repr__(self) -> str:
        if self.overflow is not None:
            return f"✗ {self.problems[0]}"
        head = ["gradient", "torch autograd", "central differences"]
        rows = [head + (["left out by truncation"] if self.bias is not None else [])]
        for name, mine in self.contributions.items():
            by_torch, by_differences = (e * self.scale[name] for e in self.errors[name])
            wrong = [p for p in self.problems if p.startswith(name + "[")]
            cells = [
                _agreement(by_torch, AUTOGRAD, mine, any("autograd" in p for p in wrong)),
                _agreement(by_differences, DIFFERENCES, mine, any("central" in p for p in wrong)),
            ]
            if self.bias is not None:
                cells.append(f"{_norm(self.bias[name], AUTOGRAD * self.scale[name]):.3g}")
            rows.append([name, *cells])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        if self.kinks:
            lines.append(
                f"{self.kinks} {'entry' if self.kinks == 1 else 'entries'} without a central "
                "difference: a relu's kink lies between its two evaluations"
            )
        if self.problems:
            lines += ["✗ the computations do not agree:", *(f"  {p}" for p in self.problems)]
        else:
            lines.append("✓ the contributions sum to what autograd and central differences give")
        return "\n".join(lines)


def check(program: Program, leaves: Mapping[str, Array]) -> Report:
    """Compare the sum of contributions with torch's autograd and with central differences.

    Parameters
    ----------
    program : Program
    leaves : dict
        Every leaf.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If a saved network holds names that cannot stand in code.
    """
    trace = forward(program, leaves)
    swept = backward.sweep(program, trace)
    mine = backward.gradients(program, swept)
    with np.errstate(all="ignore"):
        for name, array in backward.contributions(program, swept).items():
            mine[name] = array.sum((0, 1))
        estimates = central_differences(program, leaves, list(mine), trace)
        witness = autograd(program, leaves)
        moved = sensitivity(program, leaves, mine)
        resolution = 10.0 * float(np.finfo(float).eps) / STEP * (moved.loss + 1.0)
        overflow = Trace(program, trace).overflow
        problems = []
        if overflow is not None:
            problems = [f"the network overflows at step {overflow}: its gradients are not numbers"]
        errors = {}
        for name, scale in moved.gradients.items():
            judged = np.where(estimates.kinks[name], mine[name], estimates.values[name])
            others = {
                "autograd": (witness[name], AUTOGRAD * scale + _UNDERFLOW),
                "a central difference": (judged, DIFFERENCES * scale + resolution),
            }
            gaps = []
            for whose, (other, limit) in others.items():
                gap, at = _furthest(mine[name], other)
                gaps.append(gap / (scale or 1.0))
                if overflow is None and not (isfinite(gap) and gap <= limit):
                    problems.append(_apart(name, at, mine[name], other, whose))
            errors[name] = gaps[0], gaps[1]
        full = _full(program, leaves) if program.truncation else None
        return Report(
            contributions=_all_frozen(mine),
            autograd=_all_frozen(witness),
            differences=_all_frozen(estimates.values),
            scale=moved.gradients,
            errors=errors,
            resolution=resolution,
            kinks=sum(int(k.sum()) for k in estimates.kinks.values()),
            bias=None if full is None else _all_frozen({n: full[n] - g for n, g in mine.items()}),
            overflow=overflow,
            problems=tuple(problems),
        )


def _full(program: Program, leaves: Mapping[str, Array]) -> dict[str, Array]:
    whole = program.truncated(None)
    swept = backward.sweep(whole, forward(whole, leaves))
    full = backward.gradients(whole, swept)
    contributions = backward.contributions(whole, swept)
    return full | {name: array.sum((0, 1)) for name, array in contributions.items()}


def _all_frozen(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: frozen(array) for name, array in arrays.items()}


def _furthest(mine: Array, other: Array) -> tuple[float, tuple[int, ...]]:
    """The largest distance of two entries, infinite where one is not finite, and where it is."""
    gap = np.abs(mine - other)
    gap = np.where(np.isfinite(gap), gap, np.inf)
    at = np.unravel_index(int(np.argmax(gap)), gap.shape)
    return float(gap[at]), tuple(int(i) for i in at)


def _apart(name: str, at: tuple[int, ...], mine: Array, other: Array, whose: str) -> str:
    return (
        f"{name}[{','.join(map(str, at))}]: the contributions sum to {mine[at]:.6g}, "
        f"{whose} is {other[at]:.6g} (difference {mine[at] - other[at]:.3g})"
    )


def _agreement(error: float, limit: float, mine: Array, wrong: bool) -> str:
    if wrong:
        return "DIFFERS"
    if error <= limit * float(np.abs(mine).max()):
        return f"agrees to {limit:.0e}".replace("e-0", "e-")
    return "agrees to rounding"


def _norm(array: Array, noise: float) -> float:
    norm = float(np.sqrt((array**2).sum()))
    return norm if norm > noise else 0.0
