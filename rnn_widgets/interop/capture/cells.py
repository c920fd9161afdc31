"""The equations of RNN, GRU and LSTM over a whole batch and sequence, forward and in reverse.

A `Direction` is one layer and direction as it ran. Its adjoints have a leading axis of R rows, so
that one sweep serves one loss (R = 1) or many loss steps at once. Everything that a step of the
reverse sweep multiplies by is made for all steps beforehand; the loops only do what cannot wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from .direction import Direction, Loop, Passed, Swept, still
from .spec import LayerSpec


def run(
    spec: LayerSpec,
    weights: Mapping[str, Tensor],
    reverse: bool,
    x: Tensor,
    h0: Tensor,
    c0: Tensor | None,
    live: Tensor | None,
) -> tuple[Direction, Tensor, Tensor | None]:
    """Run one layer and direction.

    Parameters
    ----------
    spec : LayerSpec
    weights : dict
        Role ("weight_ih" …) to tensor.
    reverse : bool
        Whether it runs from the last step to the first.
    x : tensor, shape (T, N, I)
    h0 : tensor, shape (N, P)
    c0 : tensor, shape (N, H), or None
    live : tensor, shape (T, N), or None
        False where a step keeps the state.

    Returns
    -------
    (Direction, tensor, tensor or None)
        What ran, and the final states.
    """
    steps, samples, _ = x.shape
    hidden, count = spec.hidden_size, len(spec.gates)
    both = spec.kind != "GRU" or not spec.reset_after
    bias = weights.get("bias_ih")
    if both and "bias_hh" in weights:
        bias = weights["bias_hh"] if bias is None else bias + weights["bias_hh"]
    gates = torch.nn.functional.linear(x, weights["weight_ih"], bias)
    gates = gates.view(steps, samples, count, hidden)
    h = Loop(reverse, steps, x.new_empty(steps + 1, samples, spec.output_size))
    h.initial.copy_(h0)
    kept = still(live, steps)
    made = Direction(spec, weights, reverse, x, gates, h.after, h.before, live=live)
    if spec.kind == "RNN":
        _run_rnn(made, h, kept)
        return made, h.final, None
    if spec.kind == "GRU":
        return replace(made, recurrent=_run_gru(made, h, kept)), h.final, None
    c = Loop(reverse, steps, x.new_empty(steps + 1, samples, hidden))
    assert c0 is not None
    c.initial.copy_(c0)
    _run_lstm(made, h, c, kept)
    return replace(made, c=c.after, c_before=c.before), h.final, c.final


def sweep(d: Direction, reach: Tensor, reach_c: Tensor | None = None) -> Swept:
    """Adjoints of one layer and direction.

    Parameters
    ----------
    d : Direction
    reach : tensor, shape (T, R, N, P)
        What reaches each h except through this layer's own next step: the direct adjoint.
    reach_c : tensor, shape (T, R, N, H), optional
        What reaches each c from outside the layer.

    Returns
    -------
    Swept

    Notes
    -----
    δ_t = d_t + J_{t+1}ᵀ δ_{t+1}, with d_t the direct adjoint (Werbos 1990).
    """
    if d.spec.kind == "RNN":
        return _sweep_rnn(d, reach)
    if d.spec.kind == "LSTM":
        return _sweep_lstm(d, reach, reach_c)
    return (_sweep_gru if d.spec.reset_after else _sweep_gru_before)(d, reach)


def _run_rnn(d: Direction, h: Loop, kept: list[Tensor | None]) -> None:
    """h_t = f(W_ih x_t + b_ih + W_hh h_{t−1} + b_hh)."""
    matrix = d.weights["weight_hh"].t()
    gates = d.gates.flatten(2).unbind()
    f = _ACTIVATION[d.spec.nonlinearity]
    for t, before, after in h.forwards():
        a = gates[t].addmm_(before, matrix)
        after.copy_(f(a))
        if (held := kept[t]) is not None:
            after.copy_(torch.where(held, before, after))


def _sweep_rnn(d: Direction, reach: Tensor) -> Swept:
    slope = _masked(d, _SLOPE[d.spec.nonlinearity](d.gates.squeeze(2)))
    carry, total = _buffers(d, reach)
    adjoints = reach.new_empty(*reach.shape[:3], 1, d.spec.hidden_size)
    matrix = d.weights["weight_hh"]
    slopes, totals, reaches = slope.unbind(), total.unbind(), reach.unbind()
    made, flat = adjoints.squeeze(3).unbind(), _flat(adjoints)
    passed = Passed(d, total)
    for t, before, after in carry.backwards():
        torch.add(reaches[t], after, out=totals[t])
        torch.mul(totals[t], slopes[t], out=made[t])
        torch.mm(flat[t], matrix, out=before.view(-1, before.shape[-1]))
        passed.on(t, before)
    return Swept(reach, carry.after, total, adjoints, adjoints, carry.initial)


def _run_gru(d: Direction, h: Loop, kept: list[Tensor | None]) -> Tensor | None:
    """h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}, the reset gate before or after the candidate's matrix."""
    flat, hidden = d.gates.flatten(2), d.spec.hidden_size
    opened = d.gates[:, :, :2].unbind()
    r, z, n = (gate.unbind() for gate in d.gates.unbind(2))
    matrix = d.weights["weight_hh"].t()
    if not d.spec.reset_after:
        first, second = flat[..., : 2 * hidden].unbind(), flat[..., 2 * hidden :].unbind()
        to_gates, to_candidate = matrix[:, : 2 * hidden], matrix[:, 2 * hidden :]
        for t, before, after in h.forwards():
            first[t].addmm_(before, to_gates).sigmoid_()
            second[t].addmm_(r[t] * before, to_candidate).tanh_()
            torch.lerp(n[t], before, z[t], out=after)
            if (held := kept[t]) is not None:
                after.copy_(torch.where(held, before, after))
        return None
    made = torch.empty_like(d.gates)
    of_state = made.flatten(2).unbind()
    of_gates, of_candidate = made[:, :, :2].unbind(), made[:, :, 2].unbind()
    bias = d.weights.get("bias_hh")
    for t, before, after in h.forwards():
        if bias is None:
            torch.mm(before, matrix, out=of_state[t])
        else:
            torch.addmm(bias, before, matrix, out=of_state[t])
        opened[t].add_(of_gates[t]).sigmoid_()
        n[t].addcmul_(r[t], of_candidate[t]).tanh_()
        torch.lerp(n[t], before, z[t], out=after)
        if (held := kept[t]) is not None:
            after.copy_(torch.where(held, before, after))
    return made[:, :, 2]


def _gru_slopes(d: Direction) -> tuple[Tensor, Tensor, Tensor]:
    """∂h/∂(z's pre-activation), ∂h/∂(n's pre-activation) and ∂h/∂h_{t−1} along the skip path."""
    _, z, n = d.gates.unbind(2)
    of_z = _masked(d, (d.h_before - n) * z * (1 - z))
    of_n = _masked(d, (1 - z) * (1 - n * n))
    skip = z if d.live is None else torch.where(d.live.unsqueeze(-1), z, 1)
    return of_z, of_n, skip


def _sweep_gru(d: Direction, reach: Tensor) -> Swept:
    r = d.gates[:, :, 0]
    of_z, of_n, skip = _gru_slopes(d)
    assert d.recurrent is not None
    of_r = of_n * d.recurrent * r * (1 - r)
    slopes = torch.stack((of_r, of_z, of_n * r), 2).unbind()
    carry, total = _buffers(d, reach)
    recurrent = reach.new_empty(*reach.shape[:3], 3, d.spec.hidden_size)
    made, flat = recurrent.unbind(), _flat(recurrent)
    matrix, skips = d.weights["weight_hh"], skip.unbind()
    totals, wide, reaches = total.unbind(), total.unsqueeze(3).unbind(), reach.unbind()
    passed = Passed(d, None)
    for t, before, after in carry.backwards():
        torch.add(reaches[t], after, out=totals[t])
        torch.mul(wide[t], slopes[t], out=made[t])
        torch.mul(totals[t], skips[t], out=before)
        before.view(-1, before.shape[-1]).addmm_(flat[t], matrix)
        passed.on(t, before)
    gates = recurrent.clone()
    torch.mul(total, of_n.unsqueeze(1), out=gates[:, :, :, 2])
    return Swept(reach, carry.after, total, gates, recurrent, carry.initial)


def _sweep_gru_before(d: Direction, reach: Tensor) -> Swept:
    hidden, r = d.spec.hidden_size, d.gates[:, :, 0]
    of_z, of_n, skip = _gru_slopes(d)
    of_r = (d.h_before * r * (1 - r)).unbind()
    slopes = torch.stack((of_z, of_n), 2).unbind()
    carry, total = _buffers(d, reach)
    gates = reach.new_empty(*reach.shape[:3], 3, hidden)
    flat, of_zn = _flat(gates), gates[:, :, :, 1:].unbind()
    to_r, to_n = gates[:, :, :, 0].unbind(), gates[:, :, :, 2].unbind()
    from_gates, from_n = torch.split(d.weights["weight_hh"], [2 * hidden, hidden])
    totals, wide, reaches = total.unbind(), total.unsqueeze(3).unbind(), reach.unbind()
    skips, resets = skip.unbind(), r.unbind()
    passed = Passed(d, None)
    for t, before, after in carry.backwards():
        torch.add(reaches[t], after, out=totals[t])
        torch.mul(wide[t], slopes[t], out=of_zn[t])
        of_reset = to_n[t] @ from_n  # the adjoint of r ⊙ h
        torch.mul(of_reset, of_r[t], out=to_r[t])
        torch.mul(totals[t], skips[t], out=before)
        before.addcmul_(of_reset, resets[t])
        before.view(-1, before.shape[-1]).addmm_(flat[t][:, : 2 * hidden], from_gates)
        passed.on(t, before)
    return Swept(reach, carry.after, total, gates, gates, carry.initial)


def _run_lstm(d: Direction, h: Loop, c: Loop, kept: list[Tensor | None]) -> None:
    """c_t = f ⊙ c_{t−1} + i ⊙ g, h_t = W_hr (o ⊙ tanh c_t), W_hr only with a projection."""
    matrix = d.weights["weight_hh"].t()
    project = d.weights["weight_hr"].t() if "weight_hr" in d.weights else None
    flat, sigmoids = d.gates.flatten(2).unbind(), d.gates[:, :, :2].unbind()
    i, f, g, o = (gate.unbind() for gate in d.gates.unbind(2))
    squashed = torch.empty_like(c.each[0])
    for (t, before, after), (_, c_before, c_after) in zip(h.forwards(), c.forwards(), strict=True):
        flat[t].addmm_(before, matrix)
        sigmoids[t].sigmoid_()
        g[t].tanh_()
        o[t].sigmoid_()
        torch.mul(f[t], c_before, out=c_after)
        c_after.addcmul_(i[t], g[t])
        torch.tanh(c_after, out=squashed)
        if project is None:
            torch.mul(o[t], squashed, out=after)
        else:
            torch.mm(squashed.mul_(o[t]), project, out=after)
        if (held := kept[t]) is not None:
            after.copy_(torch.where(held, before, after))
            c_after.copy_(torch.where(held, c_before, c_after))


def _sweep_lstm(d: Direction, reach: Tensor, reach_c: Tensor | None) -> Swept:
    i, f, g, o = d.gates.unbind(2)
    assert d.c is not None
    assert d.c_before is not None
    squashed = torch.tanh(d.c)
    to_c = _masked(d, o * (1 - squashed * squashed)).unbind()
    slopes = torch.stack((g * i * (1 - i), d.c_before * f * (1 - f), i * (1 - g * g)), 2)
    of_ifg = _masked(d, slopes).unbind()
    of_o = _masked(d, squashed * o * (1 - o)).unbind()
    keep = (f if d.live is None else torch.where(d.live.unsqueeze(-1), f, 1)).unbind()
    carry, total = _buffers(d, reach)
    kept = Loop(d.reverse, d.steps, reach.new_empty(d.steps + 1, *reach.shape[1:3], f.shape[-1]))
    kept.final.zero_()
    cell = torch.empty_like(kept.after)
    adjoints = reach.new_empty(*reach.shape[:3], 4, f.shape[-1])
    of_three, to_o = adjoints[:, :, :, :3].unbind(), adjoints[:, :, :, 3].unbind()
    flat, totals, reaches = _flat(adjoints), total.unbind(), reach.unbind()
    cells, wide = cell.unbind(), cell.unsqueeze(3).unbind()
    matrix, project = d.weights["weight_hh"], d.weights.get("weight_hr")
    passed, passed_c = Passed(d, total), Passed(d, None)
    steps = zip(carry.backwards(), kept.backwards(), strict=True)
    for (t, before, after), (_, c_before, c_after) in steps:
        torch.add(reaches[t], after, out=totals[t])
        m = totals[t] if project is None else totals[t] @ project
        torch.addcmul(c_after, m, to_c[t], out=cells[t])
        if reach_c is not None:
            cells[t].add_(reach_c[t])
        torch.mul(wide[t], of_ifg[t], out=of_three[t])
        torch.mul(m, of_o[t], out=to_o[t])
        torch.mul(cells[t], keep[t], out=c_before)
        torch.mm(flat[t], matrix, out=before.view(-1, before.shape[-1]))
        passed.on(t, before)
        passed_c.on(t, c_before)
    return Swept(
        reach, carry.after, total, adjoints, adjoints, carry.initial, cell, kept.after, kept.initial
    )


def _masked(d: Direction, slope: Tensor) -> Tensor:
    """A derivative, zero where the step keeps the state."""
    if d.live is None:
        return slope
    mask = d.live.view(*d.live.shape, *[1] * (slope.ndim - 2))
    return torch.where(mask, slope, 0)


def _buffers(d: Direction, reach: Tensor) -> tuple[Loop, Tensor]:
    carry = Loop(d.reverse, d.steps, reach.new_empty(d.steps + 1, *reach.shape[1:]))
    carry.final.zero_()
    return carry, reach.new_empty(reach.shape)


def _flat(adjoints: Tensor) -> tuple[Tensor, ...]:
    """Per step (R·N, G·H), for the recurrent matrix."""
    return adjoints.flatten(1, 2).flatten(2).unbind()


_ACTIVATION: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.Tensor.tanh_,
    "relu": torch.Tensor.relu_,
    "sigmoid": torch.Tensor.sigmoid_,
    "identity": lambda a: a,
}
_SLOPE: dict[str, Callable[[Tensor], Tensor]] = {  # by the value, as torch's own backward has it
    "tanh": lambda h: 1 - h * h,
    "relu": lambda h: (h > 0).to(h.dtype),
    "sigmoid": lambda h: h * (1 - h),
    "identity": torch.ones_like,
}
