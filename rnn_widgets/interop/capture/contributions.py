"""Norms of every contribution C[t, k], from sweeps with one row for each step with a loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from .cells import sweep
from .direction import Direction, Swept
from .spec import ROLES, LayerSpec, suffix
from .stack import Reach, Tape, Use, sweep_stack, uses

_ROWS = 256  # samples times loss steps of a sweep: enough for a matrix product to run at its best
_NUMBERS = 2**25  # of the largest array of a sweep

Arrays = Mapping[str, NDArray[Any]]


def norms(
    spec: LayerSpec,
    arrays: Arrays,
    cuts: list[int],
    device: str,
    units: Sequence[int] | None = None,
    gate: int | None = None,
    reach: int | None = None,
) -> dict[str, NDArray[Any]]:
    """Frobenius norm of every batch-summed C[t, k].

    Parameters
    ----------
    spec : LayerSpec
    arrays : dict
        Of a recording, as `collect` names them.
    cuts : list of int
        Steps whose initial state did not come from the step before.
    device : str
        Where it was recorded, and is computed if that is a CUDA device that is there.
    units : sequence of int, optional
        Whose rows of the weights to take; by default all.
    gate : int, optional
        Whose rows of the weights to take, in PyTorch's order; by default all.
    reach : int, optional
        How many source steps of each loss step are needed, its own and those before it; further
        ones may be left zero.

    Returns
    -------
    dict
        Name of a weight, as PyTorch has it, to (T, T), [loss step, source step], float64.

    Notes
    -----
    C[t, k] = Σ_n a_n b_nᵀ, with an adjoint a_n and a factor b_n for each sample. With Bᵀ = Q R
    of the factors the norm is that of R A: no large C is formed, and no small one lost in squares.
    A loss step that nothing enters at has no C, and is not swept. Where there is one step with a
    loss, its adjoints are the recorded ones.
    """
    there = _there(device)
    tape = tape_of(spec, arrays, frozenset(cuts), there)
    outside = _outside(tape, arrays)
    steps, samples = tape.directions[0][0].x.shape[:2]
    width = max(len(spec.gates) * spec.hidden_size, spec.below(1), spec.input_size)
    at_once = min(_ROWS // samples, _NUMBERS // (steps * samples * width), steps) or 1
    triangles: dict[tuple[str, int], Tensor] = {}
    found = {
        name: torch.zeros(steps, steps, dtype=torch.float64, device=there)
        for name in spec.weights()
        if f"weights.{name}" in arrays
    }
    terms = _terms(outside)
    for rows in _with_progress(terms, at_once):
        alone = len(terms) == 1
        made = _recorded(tape, arrays) if alone else _rows(tape, outside, rows, reach or steps)
        for end, d, swept, offset in made:
            sums: dict[int, Tensor] = {}
            for use in uses(d, swept):
                name = use.role + end
                adjoint = _rows_of(spec, use, units, gate)
                if use.factor is None:
                    key = use.adjoint.data_ptr()  # both biases mostly receive the same
                    if key not in sums:
                        sums[key] = _norm(adjoint.sum(2), (2,))
                    size = sums[key]
                else:
                    held = (name, use.start)
                    if held not in triangles:
                        triangles[held] = _triangles(tape, end, use.role, use.start)
                    size = _product_norms(triangles[held][offset:], adjoint)
                part = found[name][:, offset : offset + d.steps]
                part[rows] = torch.hypot(part[rows], size.t())
    return {name: table.cpu().numpy() for name, table in found.items()}


def _rows_of(spec: LayerSpec, use: Use, units: Sequence[int] | None, gate: int | None) -> Tensor:
    """What a use adds through the rows of some units and of one gate, (T, R, N, ·)."""
    if units is None and (gate is None or use.role == "weight_hr"):
        return use.adjoint
    if use.role == "weight_hr":  # its rows are the projection's
        return use.adjoint[..., [unit for unit in units or () if unit < spec.output_size]]
    parts = use.adjoint.reshape(*use.adjoint.shape[:3], -1, spec.hidden_size)
    if gate is not None:
        at = gate - use.start // spec.hidden_size
        parts = parts[..., max(at, 0) : max(at + 1, 0), :]
    return (parts if units is None else parts[..., list(units)]).flatten(3)


def _there(device: str) -> torch.device:
    found = torch.device(device)
    there = found.type == "cuda" and (found.index or 0) < torch.cuda.device_count()
    return found if there else torch.device("cpu")


def _terms(outside: Reach) -> Tensor:
    """The loss steps that anything but zero enters at, in order."""
    states = [one for state in (outside.h, outside.c) for here in state for one in here]
    entering = [(one != 0).flatten(1).any(1) for one in states if one is not None]
    return torch.stack(entering).any(0).nonzero().flatten()


def _with_progress(terms: Tensor, at_once: int) -> Iterator[Tensor]:
    """Some loss steps at a time; a bar tells how far it is if it takes more than two seconds."""
    from tqdm.auto import tqdm

    with tqdm(
        total=len(terms), desc="contributions", unit=" loss steps", delay=2.0, leave=False
    ) as bar:
        for start in range(0, len(terms), at_once):
            rows = terms[start : start + at_once]
            yield rows
            bar.update(len(rows))


def _recorded(tape: Tape, arrays: Arrays) -> Iterator[tuple[str, Direction, Swept, int]]:
    """The adjoints of the recording itself, all from one loss step; as `_rows` yields them."""
    for layer, here in enumerate(tape.directions):
        for at, d in enumerate(here):
            end = suffix(layer, at)

            def row(name: str, d: Direction = d, end: str = end) -> Tensor:
                return torch.from_numpy(arrays[name + end].copy()).to(d.x).unsqueeze(1)

            direct, carried, gates = row("direct"), row("carried"), row("adjoints")
            recurrent = gates
            if d.recurrent is not None:  # the candidate's share passed the reset gate
                recurrent = gates.clone()
                recurrent[:, :, :, 2] *= d.gates[:, None, :, 0]
            total = direct + carried
            yield end, d, Swept(direct, carried, total, gates, recurrent, carried[0]), 0


def _rows(
    tape: Tape, outside: Reach, rows: Tensor, back: int
) -> Iterator[tuple[str, Direction, Swept, int]]:
    """Sweeps with a row for each of some loss steps, in order.

    Yields the end of the weights' names, the steps that the rows can reach, their sweep, and the
    first of these steps. A loss step reaches back only, unless a direction above ran in reverse,
    and only the ``back`` steps that end with it are asked for.
    """
    spec, start, stop = tape.spec, int(rows[0]), int(rows[-1]) + 1
    if spec.num_layers == 1:
        for at, d in enumerate(tape.directions[0]):
            first, last = max(start + 1 - back, 0), stop
            if d.reverse:
                first, last = start, min(stop - 1 + back, d.steps)
            reach = [_diagonal(o[0][at], rows, first, last) for o in (outside.h, outside.c)]
            assert reach[0] is not None
            part = d.between(first, last)
            yield suffix(0, at), part, sweep(part, reach[0], reach[1]), first
        return
    first, last = max(start + 1 - back, 0), stop
    if spec.directions == 2:
        first, last = 0, tape.directions[0][0].steps
    part_of = Tape(
        spec,
        tuple(tuple(d.between(first, last) for d in here) for here in tape.directions),
        tuple(None if mask is None else mask[first:last] for mask in tape.masks),
    )
    of_rows = Reach(
        *(
            tuple(tuple(_diagonal(one, rows, first, last) for one in here) for here in state)
            for state in (outside.h, outside.c)
        )
    )
    for layer, made in enumerate(sweep_stack(part_of, of_rows)):
        for at, swept in enumerate(made):
            yield suffix(layer, at), part_of.directions[layer][at], swept, first


def _diagonal(outside: Tensor | None, rows: Tensor, first: int, last: int) -> Tensor | None:
    """Each loss step's own row of what reaches the states from outside: (steps, R, N, ·)."""
    if outside is None:
        return None
    made = outside.new_zeros(last - first, len(rows), *outside.shape[1:])
    made[rows - first, torch.arange(len(rows), device=rows.device)] = outside[rows]
    return made


def _triangles(tape: Tape, end: str, role: str, start: int) -> Tensor:
    """R of the QR decomposition of each step's factors, (T, m, N)."""
    for layer, here in enumerate(tape.directions):
        for at, d in enumerate(here):
            if suffix(layer, at) != end:
                continue
            nothing = d.h.new_zeros(d.steps, 1, *d.h.shape[1:])
            gates = d.gates.new_zeros(d.gates.shape).unsqueeze(1)
            empty = Swept(nothing, nothing, nothing, gates, gates, nothing[0])
            for use in uses(d, empty):
                if (use.role, use.start) == (role, start) and use.factor is not None:
                    _, triangles = torch.linalg.qr(use.factor.transpose(1, 2), mode="r")
                    return torch.as_tensor(triangles)
    raise AssertionError(role + end)


def _product_norms(triangles: Tensor, adjoint: Tensor) -> Tensor:
    """‖R A‖ for each step and row, (T, R)."""
    return torch.stack([_norm(r @ a, (1, 2)) for r, a in zip(triangles, adjoint, strict=False)])


def _norm(array: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Square roots of sums of squares in float64, without overflow or underflow of the squares."""
    if array.dtype != torch.float64:
        found: Tensor = torch.linalg.vector_norm(array, dim=axes, dtype=torch.float64)
        return found
    largest = array.abs().amax(axes, keepdim=True)
    scale = torch.where(largest.isfinite() & (largest > 0), largest, 1)
    scaled: Tensor = torch.linalg.vector_norm(array / scale, dim=axes)
    return scaled * scale.squeeze(axes)


def _outside(tape: Tape, arrays: Arrays) -> Reach:
    """What reached the states from outside the layer, (T, N, ·) each."""
    top = tape.spec.num_layers - 1

    def read(name: str, layer: int, at: int) -> Tensor | None:
        held = arrays.get(name + suffix(layer, at))
        return None if held is None else torch.from_numpy(held.copy()).to(tape.directions[0][0].x)

    return Reach(
        *(
            tuple(
                tuple(read(one if layer == top else lower, layer, at) for at in range(len(here)))
                for layer, here in enumerate(tape.directions)
            )
            for one, lower in (("direct", "outside_h"), ("outside_c", "outside_c"))
        )
    )


def tape_of(spec: LayerSpec, arrays: Arrays, cuts: frozenset[int], device: torch.device) -> Tape:
    """The tape of a recording, on a device."""

    def tensor(name: str) -> Tensor | None:
        # torch warns of arrays that cannot be written to, as a recording's are; it writes nothing.
        return torch.from_numpy(arrays[name].copy()).to(device) if name in arrays else None

    def needed(name: str) -> Tensor:
        found = tensor(name)
        assert found is not None
        return found

    x, live = needed("x"), tensor("live")
    weights = {name: needed(f"weights.{name}") for name in _weights(arrays)}
    layers, masks = [], []
    for layer in range(spec.num_layers):
        here = []
        for reverse in range(spec.directions):
            end = suffix(layer, reverse)
            here.append(
                Direction(
                    spec,
                    {role: weights[role + end] for role in ROLES if role + end in weights},
                    spec.reverse(reverse),
                    x,
                    needed("gates" + end),
                    needed("h" + end),
                    needed("h_before" + end),
                    tensor("c" + end),
                    tensor("c_before" + end),
                    tensor("recurrent" + end),
                    live,
                    cuts,
                )
            )
        layers.append(tuple(here))
        mask = tensor(f"mask_l{layer}")
        masks.append(mask)
        x = here[0].h if len(here) == 1 else torch.cat([one.h for one in here], -1)
        x = x if mask is None else x * mask
    return Tape(spec, tuple(layers), tuple(masks))


def _weights(arrays: Arrays) -> list[str]:
    return [name.removeprefix("weights.") for name in arrays if name.startswith("weights.")]
