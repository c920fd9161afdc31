"""From the calls of a layer to the arrays of a recording.

Names of the arrays, each led by time and the batch: ``x``; per layer ``mask_l0``; per layer and
direction (``_l0``, ``_l0_reverse``) what ran (``h``, ``h_before``, ``gates``, ``recurrent``, ``c``,
``c_before``) and adjoints: ``direct`` and ``carried`` of h, ``cell_kept``, which came to c through
the next step's c, ``adjoints`` of the gates' pre-activations, and ``outside_h`` and ``outside_c``,
what final states brought to layers below the top and to c. Without time: ``initial.h0``,
``weights.…``, ``gradients.…`` by PyTorch's names, ``lengths``, ``live`` and ``losses``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from .calls import Arrived, Call, settle
from .spec import suffix
from .standing import Standing

Arrays = dict[str, NDArray[Any]]


def collected(stand_in: Standing, calls: Sequence[Call]) -> tuple[dict[str, Any], Arrays]:
    """What calls that follow each other in time recorded, as one sequence."""
    spec, first = stand_in.spec, calls[0]
    assert first.tape is not None
    arrived = settle(calls)
    links = [
        _link(call, following, back)
        for (call, following), back in zip(pairwise(calls), arrived[1:], strict=True)
    ]
    parts: dict[str, list[Tensor]] = {}
    with torch.no_grad():
        for call, back, link in zip(calls, arrived, [*links, None], strict=True):
            for name, tensor in _sequences(call, back, link, len(calls) > 1).items():
                parts.setdefault(name, []).append(tensor)
        joined = {name: p[0] if len(p) == 1 else torch.cat(p) for name, p in parts.items()}
        for state in spec.states:
            joined[f"initial.{state}0"] = arrived[0].initial(f"{state}0")
        for name, weight in first.weights.items():
            joined[f"weights.{name}"] = weight
            made = [back.gradients[name] for back in arrived]
            joined[f"gradients.{name}"] = made[0] if len(made) == 1 else torch.stack(made).sum(0)
    for name in ("lengths", "live"):
        if (tensor := getattr(first, name)) is not None:
            joined[name] = tensor
    cuts, start = [], 0
    for call, link in zip(calls, links, strict=False):
        start += call.steps
        if link.kind == "cut":
            cuts.append(start)
    meta = {
        "kind": stand_in.kind,
        "spec": asdict(spec),
        "parameters": [asdict(p) for p in stand_in.names],
        "gates": dict(stand_in.gates),
        "dtype": str(first.tape.directions[0][0].x.dtype).removeprefix("torch."),
        "calls": len(calls),
        "cuts": cuts,
        "transformed": any(link.kind == "transformed" for link in links) or _reweighted(calls),
    }
    return meta, {name: _array(tensor) for name, tensor in joined.items()}


def apart(calls: Sequence[Call]) -> str:
    """Why several calls are no sequence in time, one after the other; empty if they may be."""
    if len(calls) < 2:
        return ""
    if calls[0].spec.directions == 2:
        return "with two directions they do not follow each other in time"
    if calls[0].spec.go_backwards:
        return "with go_backwards they do not follow each other in time"
    if any(call.lengths is not None or call.live is not None for call in calls):
        return "batches of padded sequences do not follow each other in time"
    if len({call.samples for call in calls}) > 1:
        return "they have different numbers of samples"
    return ""


class _Link:
    """How a call's states became the next one's, and the adjoints that came back that way.

    ``kind`` is "same" if they are the next one's states, "cut" if they did not reach it and
    "transformed" if something was done to them on the way. ``carried`` maps a state to
    (L·D, N, ·).
    """

    def __init__(self) -> None:
        self.kind = "same"
        self.carried: dict[str, Tensor] = {}


def _link(call: Call, following: Call, arrived: Arrived) -> _Link:
    """``arrived`` is what came to the following call."""
    link, kinds = _Link(), set()
    pairs = zip(call.spec.states, call.returned, following.given, strict=True)
    for state, left, taken in pairs:
        adjoint = arrived.initial(f"{state}0")
        if taken is left:
            link.carried[state] = adjoint
            kinds.add("same")
            continue
        back = None if taken is None else _pulled(taken, left, adjoint.reshape(taken.shape))
        if taken is None or back is None:
            link.carried[state] = torch.zeros_like(adjoint)
            kinds.add("cut")
            continue
        link.carried[state] = back.reshape(adjoint.shape).to(adjoint)
        kinds.add("same" if _is_identity(taken, left) else "transformed")
    link.kind = kinds.pop() if len(kinds) == 1 else "transformed"
    return link


def _reweighted(calls: Sequence[Call]) -> bool:
    """Whether the weights were others in other calls, as with dropout on weights."""
    first = calls[0].weights
    return any(
        call.weights[name] is not weight and not torch.equal(call.weights[name], weight)
        for call in calls
        for name, weight in first.items()
    )


def _pulled(taken: Tensor, left: Tensor, adjoint: Tensor) -> Tensor | None:
    if not taken.requires_grad:
        return None
    (found,) = torch.autograd.grad(
        taken, left, adjoint.to(taken.dtype), retain_graph=True, allow_unused=True
    )
    return found


def _is_identity(taken: Tensor, left: Tensor) -> bool:
    """Whether a state was only copied or reshaped: a random vector tells, almost surely."""
    probe = torch.rand_like(taken) + 0.5
    found = _pulled(taken, left, probe)
    return found is not None and torch.equal(found.flatten(), probe.flatten())


def _sequences(
    call: Call, arrived: Arrived, link: _Link | None, several: bool
) -> dict[str, Tensor]:
    tape, swept, reach = call.tape, arrived.swept, arrived.reach
    assert tape is not None
    found: dict[str, Tensor | None] = {"x": tape.directions[0][0].x}
    for layer, here in enumerate(tape.directions):
        found[f"mask_l{layer}"] = tape.masks[layer]
        for reverse, d in enumerate(here):
            made, end = swept[layer][reverse], suffix(layer, reverse)
            for name in ("h", "h_before", "gates", "recurrent", "c", "c_before"):
                found[name + end] = getattr(d, name)
            adjoints: dict[str, Tensor | None] = {
                "direct": made.direct,
                "carried": made.carried,
                "cell_kept": made.cell_kept,
                "adjoints": made.gates,
                "outside_h": reach.h[layer][reverse] if layer < len(swept) - 1 else None,
                "outside_c": reach.c[layer][reverse],
            }
            padded = None if call.lengths is None else tape.live
            if several:  # where one call has them, all do
                if layer < len(swept) - 1:
                    adjoints["outside_h"] = _or_zeros(adjoints["outside_h"], made.direct)
                adjoints["outside_c"] = _or_zeros(adjoints["outside_c"], made.cell_kept)
            kept = {n: _one_row(t, padded) for n, t in adjoints.items() if t is not None}
            if link is not None:
                _relink(kept, link, layer)
            found |= {name + end: tensor for name, tensor in kept.items()}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def _or_zeros(tensor: Tensor | None, like: Tensor | None) -> Tensor | None:
    return torch.zeros_like(like) if tensor is None and like is not None else tensor


def _one_row(tensor: Tensor, live: Tensor | None) -> Tensor:
    """An adjoint of the only row; padding, which the sweep only passes on, is zero."""
    row = tensor[:, 0]
    return (
        row if live is None else torch.where(live.view(*live.shape, *[1] * (row.ndim - 2)), row, 0)
    )


def _relink(kept: dict[str, Tensor], link: _Link, row: int) -> None:
    """What came back from the next call is carried, although it reached this call from outside."""
    moves = {"h": (("direct", "outside_h"), "carried"), "c": (("outside_c",), "cell_kept")}
    for state, carried in link.carried.items():
        sources, target = moves[state]
        for name in sources:
            if name in kept:
                kept[name] = kept[name].clone()
                kept[name][-1] -= carried[row]
        kept[target] = kept[target].clone()
        kept[target][-1] += carried[row]


def _array(tensor: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    array.setflags(write=False)
    return array
