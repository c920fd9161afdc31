"""What there is to notice in a recording: said only where it is so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from rnn_widgets.interop.capture.spec import suffix

from .layer import Array
from .vanishing import Way, ways
from .views.text import listed

if TYPE_CHECKING:
    from .recording import Recording


def notices(rec: Recording) -> list[str]:
    """Sentences on what is easily overlooked."""
    parts = (_cuts, _fed_back, _shared, _frozen, _zeros, _underflow, _precision)
    return [line for part in parts for line in part(rec)]


def origin(rec: Recording) -> str:
    """Where numbers that are not finite begin, in the order of the computation; else empty."""
    for where, array, reverse in _in_order(rec):
        bad = ~np.isfinite(array)
        if not bad.any():
            continue
        at, place = tuple(np.argwhere(bad)[0]), ""
        if array.ndim > 2:  # (T, N, …)
            steps = np.flatnonzero(bad.reshape(*array.shape[:2], -1).any((1, 2)))
            step = int(steps[-1 if reverse else 0])
            sample = int(np.argwhere(bad[step])[0][0])
            at = (step, sample, *np.argwhere(bad[step, sample])[0])
            place = f", sample {sample}, step {step}"
        kind = "NaN" if np.isnan(array[at]) else "Infinity"
        return f"{kind} begins in {where}{place}"
    return ""


def _in_order(rec: Recording) -> Iterator[tuple[str, Array, bool]]:
    """Name and array, and whether its last step is the first to be computed."""
    arrays, spec = rec._arrays, rec._spec
    yield "the input x", arrays["x"], False
    for name, array in rec.weights.items():
        yield f"the parameter {name}", array, False
    ends = [
        (suffix(layer, d), spec.reverse(d), _whose(rec, layer, d))
        for layer in range(spec.num_layers)
        for d in range(spec.directions)
    ]
    for end, reverse, whose in ends:
        first = slice(-1, None) if reverse else slice(0, 1)
        for state in spec.states:
            if not np.isfinite(arrays[f"{state}_before{end}"][first]).all():
                yield f"the initial {state}{whose}", arrays[f"{state}_before{end}"], reverse
        for state in ("gates", *reversed(spec.states)):
            word = "the gates" if state == "gates" else f"the state {state}"
            yield word + whose, arrays[state + end], reverse
    if rec.losses is not None:
        yield "the losses", rec.losses, False
    yield "the loss", np.array([rec.loss]), False
    for end, reverse, whose in reversed(ends):
        for name, word in (("direct", "direct"), ("outside_c", "direct"), ("carried", "carried")):
            if name + end in arrays:
                yield f"the {word} adjoint{whose}", arrays[name + end], not reverse


def _whose(rec: Recording, layer: int, direction: int) -> str:
    parts = [f"layer {layer}"] if rec.num_layers > 1 else []
    parts += [("the forward direction", "the reverse direction")[direction]] * (rec.directions == 2)
    return f" of {', '.join(parts)}" if parts else ""


def _cuts(rec: Recording) -> list[str]:
    cuts = rec._meta["cuts"]
    if not cuts:
        return []
    if rec.calls > 1 and len(cuts) == rec.calls - 1:
        alone = "no call of the layer was given the state of the one before (or it was detached)"
        return [f"{alone}: no gradient passes from one call to another"]
    word = "step" if len(cuts) == 1 else "steps"
    return [f"the state was cut before {word} {listed(cuts)}: no gradient passes there"]


def _fed_back(rec: Recording) -> list[str]:
    if not rec._meta.get("fed_back"):
        return []
    way = "what the layer gave comes back as its own input in a later call"
    return [f"{way}: the gradient on that way counts as direct, only that of the state as carried"]


def _frozen(rec: Recording) -> list[str]:
    names = rec._meta.get("frozen", [])
    if not names:
        return []
    whose = "every parameter" if len(names) == len(rec.gradients) else ", ".join(names)
    return [f"not trained: {whose}; gradients are recorded all the same, .grad would have none"]


def _shared(rec: Recording) -> list[str]:
    return [
        f"{name} is also {', '.join(others)}: its gradient here is the layer's own share of .grad"
        for name, others in rec.shared.items()
    ]


def _zeros(rec: Recording) -> list[str]:
    zero = [name for name, array in rec.gradients.items() if not array.any()]
    if len(zero) == len(rec.gradients) and len(zero) > 1:
        return ["the gradient of every parameter is exactly zero"]
    return [f"gradient of {name}: exactly zero{_why_zero(rec, name)}" for name in zero]


def _why_zero(rec: Recording, name: str) -> str:
    """The reason, where it is certain."""
    sources = rec._parameters[name].sources
    role, at = sources[0].split("_l", 1)
    end = f"_l{at}"
    reverse = end.endswith("_reverse") or rec._spec.go_backwards
    received = rec._arrays["adjoints" + end].any((2, 3))
    whose = "the reverse direction" if end.endswith("_reverse") else "the layer"
    if not received.any():
        return f": no gradient reaches {whose}" if rec.num_layers == 1 else ""
    if role != "weight_hh" or rec._arrays["h_before" + end][received].any():
        return ""
    first = 0 if not reverse else rec.steps - 1 if rec.lengths is None else rec.lengths - 1
    steps, samples = np.nonzero(received)
    if (steps != np.broadcast_to(first, rec.samples)[samples]).any():
        return ": every step that a gradient reaches begins with a state of zero"
    uses = "the loss uses" if end.startswith(f"_l{rec.num_layers - 1}") else "a gradient reaches"
    return f": {uses} {whose} only at its first processed step, where the state before it is zero"


def _underflow(rec: Recording) -> list[str]:
    return [line for way in ways(rec) if (line := _of_way(rec, way))]


def _of_way(rec: Recording, way: Way) -> str:
    """Where the total of a way back is lost, from the first loss step that it happens to on."""
    starts = way.entered | (np.diff(way.stretches, prepend=-1) != 0)
    starts[way.near or 0] = True
    for part in np.split(np.arange(len(way.norms)), np.flatnonzero(starts)):
        sizes = way.norms[part]
        if len(part) and sizes[0] > 0 and sizes[-1] < way.least:
            gone = sizes[-1] == 0
            kept = np.flatnonzero(sizes > 0 if gone else sizes >= way.least)
            return _lost(rec, way, part[kept[-1] + 1 :] if len(kept) else part)
    return ""


def _lost(rec: Recording, way: Way, places: Array) -> str:
    steps = f"steps {listed(sorted(int(t) for t in way.steps[places]))}"
    if way.own_ends:
        steps = f"{way.place(int(places[0]))} each sample's last step and further back"
    elif len(places) == 1:
        steps = f"step {way.steps[places[0]]}"
    of = f" of the {way.name} direction" if way.name else ""
    if way.norms[places[-1]]:
        return (
            f"the total{of} underflowed at {steps}: below {way.least:.0e} {rec.dtype} has few "
            "digits left or none, and what is there is rounding"
        )
    tiny = way.norms[places[0] - 1] < way.least * 1e8
    why = f": smaller than {rec.dtype} holds (underflow)" if tiny else f" in {rec.dtype}"
    return f"the total{of} is exactly 0 at {steps}{why}, nearer to the loss it is not"


def _precision(rec: Recording) -> list[str]:
    own = rec._meta.get("model_dtype", rec.dtype)
    if own not in ("float16", "bfloat16"):
        return []
    return [f"{own} model, recorded in {rec.dtype}: what {own} cannot hold is not lost here"]
