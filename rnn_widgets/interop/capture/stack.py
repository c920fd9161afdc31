"""All layers and directions: forward, the reverse sweep, and what the weights receive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .cells import run, sweep
from .direction import Direction, Swept
from .spec import ROLES, LayerSpec, suffix

Rows = tuple[tuple[Tensor | None, ...], ...]  # [layer][direction]
Sweep = tuple[tuple[Swept, ...], ...]


@dataclass(frozen=True)
class Tape:
    """What a forward pass leaves for the reverse sweep.

    ``directions[l][d]`` is what ran; ``masks[l]`` (T, N, D·P) is what layer l's output was
    multiplied by on its way to layer l + 1, None without dropout.
    """

    spec: LayerSpec
    directions: tuple[tuple[Direction, ...], ...]
    masks: tuple[Tensor | None, ...]

    @property
    def live(self) -> Tensor | None:
        """False where a step keeps the state, (T, N)."""
        return self.directions[0][0].live


@dataclass(frozen=True)
class Reach:
    """What reaches the states from outside the layer, for each layer and direction.

    ``h[l][d]`` (T, R, N, P) and ``c[l][d]`` (T, R, N, H); None for nothing. The adjoint of the
    layer's output is that of h of the top layer.
    """

    h: Rows
    c: Rows


def run_stack(
    spec: LayerSpec,
    weights: Mapping[str, Tensor],
    x: Tensor,
    h0: Tensor | None,
    c0: Tensor | None,
    live: Tensor | None = None,
    dropout: float = 0.0,
) -> tuple[Tape, Tensor, Tensor, Tensor | None]:
    """Run all layers and directions.

    Parameters
    ----------
    spec : LayerSpec
    weights : dict
        Name (``weight_ih_l0`` …) to tensor.
    x : tensor, shape (T, N, I)
    h0, c0 : tensor, shape (L·D, N, P) and (L·D, N, H), optional
        Zeros by default.
    live : tensor, shape (T, N), optional
        False where a step keeps the state, as the padding of a batch of sequences does.
    dropout : float
        The share of each layer's outputs but the last one's that is dropped.

    Returns
    -------
    (Tape, outputs (T, N, D·P), final h (L·D, N, P), final c (L·D, N, H) or None)
    """
    samples, lstm = x.shape[1], spec.kind == "LSTM"
    rows = spec.num_layers * spec.directions
    if h0 is None:
        h0 = x.new_zeros(rows, samples, spec.output_size)
    if lstm and c0 is None:
        c0 = x.new_zeros(rows, samples, spec.hidden_size)
    ran: list[tuple[Direction, ...]] = []
    masks: list[Tensor | None] = []
    finals: list[Tensor] = []
    final_cells: list[Tensor] = []
    for layer in range(spec.num_layers):
        if layer and dropout > 0:
            keep = torch.zeros_like(x) if dropout >= 1 else torch.full_like(x, 1 - dropout)
            mask = keep.bernoulli_() / max(1 - dropout, torch.finfo(x.dtype).tiny)
            x = x * mask
            masks.append(mask)
        elif layer:
            masks.append(None)
        here = []
        for reverse in range(spec.directions):
            row = layer * spec.directions + reverse
            made, h, c = run(
                spec,
                {r: weights[n] for r in ROLES if (n := r + suffix(layer, reverse)) in weights},
                spec.reverse(reverse),
                x,
                h0[row],
                None if c0 is None else c0[row],
                live,
            )
            here.append(made)
            finals.append(h)
            if c is not None:
                final_cells.append(c)
        ran.append(tuple(here))
        x = here[0].h if len(here) == 1 else torch.cat([one.h for one in here], -1)
    masks.append(None)
    final_c = torch.stack(final_cells) if lstm else None
    return Tape(spec, tuple(ran), tuple(masks)), x, torch.stack(finals), final_c


def sweep_stack(tape: Tape, reach: Reach) -> Sweep:
    """Adjoints of all layers and directions, from the top layer down.

    Returns
    -------
    tuple of tuple of Swept
        ``[layer][direction]``.
    """
    size = tape.spec.output_size
    found: list[tuple[Swept, ...]] = []
    above: Tensor | None = None
    for layer in reversed(range(tape.spec.num_layers)):
        here = []
        for at, d in enumerate(tape.directions[layer]):
            part = None if above is None else above[..., at * size : (at + 1) * size]
            outside = reach.h[layer][at]
            total = outside if part is None else part if outside is None else part + outside
            assert total is not None
            here.append(sweep(d, total, reach.c[layer][at]))
        found.append(tuple(here))
        if layer:
            above = handed_down(tape, layer, found[-1])
            mask = tape.masks[layer - 1]
            if mask is not None:
                above = above * mask.unsqueeze(1)
    return tuple(reversed(found))


def handed_down(tape: Tape, layer: int, swept: tuple[Swept, ...]) -> Tensor:
    """The adjoint of what a layer read, (T, R, N, I)."""
    parts = [
        made.gates.flatten(3) @ d.weights["weight_ih"]
        for d, made in zip(tape.directions[layer], swept, strict=True)
    ]
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


@dataclass(frozen=True)
class Use:
    """How a weight is used at every step: its derivative is Σ_n ``adjoint`` ⊗ ``factor``.

    ``adjoint`` (T, R, N, rows), ``factor`` (T, N, columns), None for a bias; ``start`` is the
    first row of the weight.
    """

    role: str
    adjoint: Tensor
    factor: Tensor | None
    start: int = 0


def uses(d: Direction, swept: Swept) -> list[Use]:
    """Every use of every weight of one layer and direction."""
    gates, recurrent = swept.gates.flatten(3), swept.recurrent.flatten(3)
    found = [Use("weight_ih", gates, d.x)]
    if d.spec.kind == "GRU" and not d.spec.reset_after:
        split = 2 * d.spec.hidden_size
        found.append(Use("weight_hh", recurrent[..., :split], d.h_before))
        reset = d.gates[:, :, 0] * d.h_before
        found.append(Use("weight_hh", recurrent[..., split:], reset, split))
    else:
        found.append(Use("weight_hh", recurrent, d.h_before))
    found.append(Use("bias_ih", gates, None))
    found.append(Use("bias_hh", recurrent, None))
    if d.spec.proj_size:
        assert d.c is not None
        moving = swept.total if d.live is None else swept.total * d.live[:, None, :, None]
        found.append(Use("weight_hr", moving, d.gates[:, :, 3] * torch.tanh(d.c)))
    return [use for use in found if use.role in d.weights]


def gradients(tape: Tape, swept: Sweep) -> dict[str, Tensor]:
    """∂L/∂weight of every weight, from a sweep of one row."""
    found: dict[str, Tensor] = {}
    for layer, here in enumerate(tape.directions):
        for reverse, d in enumerate(here):
            biases: dict[int, Tensor] = {}
            for use in uses(d, swept[layer][reverse]):
                rows = use.adjoint.flatten(0, 2)
                if use.factor is not None:
                    made = rows.t() @ use.factor.flatten(0, 1)
                else:  # both biases of a layer mostly receive the same sum
                    key = use.adjoint.data_ptr()
                    made = biases[key] if key in biases else rows.sum(0)
                    biases[key] = made
                name = use.role + suffix(layer, reverse)
                found[name] = torch.cat((found[name], made)) if use.start else made
    return {name: found[name] for name in tape.spec.weights() if name in found}
