"""How large a contribution can be at most: the product of norms along its way."""

from __future__ import annotations

import numpy as np

from .backward import BlockSweep, Sweep, partials, within_step
from .forward import BlockTrace, ForwardPass, cut_mask
from .jacobians import StateJacobians
from .norms import norms
from .ops import Array
from .program import Program


@np.errstate(all="ignore")
def bound(
    program: Program, trace: ForwardPass, swept: Sweep, leaf: str, index: tuple[int, ...] = ()
) -> Array:
    """What ‖C[t, k]‖ of a parameter, or |C[t, k]| of an entry, cannot exceed.

    Parameters
    ----------
    program : Program
    trace : ForwardPass
    swept : Sweep
    leaf : str
        A parameter.
    index : tuple of int
        Of an entry; empty for the whole parameter.

    Returns
    -------
    array, shape (T, T)
        [loss step, source step]; NaN where a state Jacobian on the way is not finite.

    Notes
    -----
    ‖C[t, k]‖ ≤ Σ_j ‖d_{t,j}‖ σ(J_j) … σ(J_{k+1}) ‖∂⁺s_k/∂θ‖, with d_{t,j} the adjoint through
    which L_t reaches the state of step j other than through the layer's next step, and σ and
    the norm of ∂⁺s_k/∂θ the largest singular value; in a network of one layer the sum is its term
    j = t. After Pascanu, Mikolov & Bengio 2013, section 2.1.
    """
    result = np.zeros((program.seq_len, program.seq_len))
    for passed, made in zip(trace.blocks, swept.blocks, strict=True):
        if leaf in passed.block.leaves.values():
            arriving = _arriving(program, passed, made)
            result[list(swept.rows)] += (arriving * _immediate(passed, leaf, index)[:, None]).T
    return result


def _arriving(program: Program, trace: BlockTrace, made: BlockSweep) -> Array:
    """(T, L): the bound of ‖∂L_t/∂s_k‖."""
    block, steps = trace.block, program.seq_len
    result: Array = norms(made.reaching, (2,))
    if not block.recurrent:
        return result
    jacobians = StateJacobians(trace, program.cell.name)
    kept = cut_mask(program.truncation, program.loss_steps, steps, block.reverse)
    later: int | None = None
    for k in reversed(block.order(steps)):
        if later is not None:
            passing = result[later] if kept is None else result[later] * kept[later, :, 0]
            result[k] += _norm(jacobians[later]) * passing
        later = k
    return result


def _norm(matrix: Array) -> float:
    """The largest singular value; NaN if the matrix is not finite."""
    if not np.isfinite(matrix).all():
        return float("nan")
    return float(np.linalg.svd(matrix, compute_uv=False).max(initial=0.0))


def _immediate(trace: BlockTrace, leaf: str, index: tuple[int, ...]) -> Array:
    """(T,): the largest singular value of ∂⁺s_k/∂θ, or more where a step uses a row of θ twice."""
    block, template = trace.block, trace.block.template
    widths = [trace.nodes[i].shape[-1] for i in template.outputs]
    steps = len(trace.output)
    seeds, start = {}, 0
    for out, width in zip(template.outputs, widths, strict=True):
        seeds[out] = np.zeros((steps, sum(widths), width))
        seeds[out][:, start : start + width] = np.eye(width)
        start += width
    adjoints = within_step(trace, seeds)
    columns = [np.zeros((steps, sum(widths), 0))]  # derivatives by a row of θ but for its factor x
    uses: list[int] = []

    def used(first: int, adjoint: Array, factor: Array) -> None:
        for i in range(adjoint.shape[2]):
            if not index or first + i == index[0]:
                uses.append(first + i)
                columns.append(adjoint[:, :, i : i + 1] * factor[:, None, None])

    local = partials(trace)
    for i, node in enumerate(template.nodes):
        adjoint = adjoints[i]
        if adjoint is None:
            continue
        if node.op == "param" and block.leaves[node.attrs["param"]] == leaf:
            used(0, adjoint, np.ones(steps))
        for a, (kind, data) in zip(node.args, local[i], strict=True):
            if kind == "outer" and block.leaves[template.nodes[a].attrs["param"]] == leaf:
                x = data[:, 0]
                factor = np.abs(x[:, index[1]]) if index else norms(x, (1,))
                used(block.attrs[i].get("start", 0), adjoint, factor)
    most = max((uses.count(row) for row in uses), default=0)
    # (a + b)² ≤ 2 (a² + b²) for a row used twice
    result: Array = np.sqrt(most) * np.array([_norm(m) for m in np.concatenate(columns, axis=2)])
    return result
