"""What went wrong where, in one sentence about one network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .labels import subscript
from .norms import norms
from .ops import Array
from .pitfalls import Case, Replay, gru_form

ROUNDING = 1e-11  # of the scale: what the same derivative computed twice may differ by


def error(right: Array, wrong: Array) -> float:
    """‖wrong − right‖ / ‖right‖; infinite where only the right one is zero."""
    axes = tuple(range(right.ndim))
    with np.errstate(all="ignore"):
        off, size = float(norms(wrong - right, axes)), float(norms(right, axes))
    if off == 0.0:
        return 0.0
    return off / size if size else float("inf")


def errors(right: Replay, wrong: Replay) -> dict[str, float]:
    """How far each gradient is off, 0 for what is rounding."""
    found = {}
    for name, array in right.gradients.items():
        there = wrong.gradients[name]
        noise = ROUNDING * max(right.scales[name], wrong.scales[name])
        with np.errstate(all="ignore"):
            same = float(np.abs(there - array).max()) <= noise
        found[name] = 0.0 if same else error(array, there)
    return found


def furthest(found: Mapping[str, float]) -> tuple[str, float]:
    """The gradient that is furthest off, and by how much; what has overflowed first of all."""
    name = max(found, key=lambda n: (np.isnan(found[n]), found[n]))
    return name, found[name]


def share(size: float) -> str:
    """A share in percent, of three digits; "∞" of zero."""
    if np.isinf(size):
        return "∞"
    percent = 100.0 * size
    if percent < 1e-4:
        return "less than 0.0001 %"
    text = f"{percent:.3g}"
    return f"{float(text):.0f} %" if "e+" in text else f"{text} %"


def sentence(name: str, case: Case, right: Replay, wrong: Replay) -> str:
    """One sentence: what was done, which contributions are wrong, and how far gradients are off."""
    return f"{done(name, case, wrong)}: {where(case, right, wrong)}."


def where_of(
    case: Case, right: Replay, wrong: Replay, leaf: str, index: tuple[int, ...] = ()
) -> str:
    """Of one parameter or entry and its maps, which contributions are wrong, and how much."""
    entry: Any = (..., *index)
    one, other = (replay.contributions[leaf][entry] for replay in (right, wrong))
    gradient, there = (np.asarray(replay.gradients[leaf][entry]) for replay in (right, wrong))
    if not all(np.isfinite(array).all() for array in (one, other, gradient, there)):
        return "the numbers overflow, and cannot be compared"
    noise = ROUNDING * max(right.scales[leaf], wrong.scales[leaf])
    which = " that are not 0 in the first map or the second"
    terms = _counted(*_kinds(case, [(one, other, noise)]), which)
    if float(np.abs(there - gradient).max()) <= noise:
        return f"{terms}, yet its gradient is right" if terms else "here it makes no difference"
    off = error(gradient, there)
    size = "is not 0 as it should be" if np.isinf(off) else f"is off by {share(off)}"
    return f"{terms or 'no contribution differs'}; its gradient {size}"


def done(name: str, case: Case, wrong: Replay) -> str:
    """What the mistake did, without a full stop."""
    match name:
        case "forward order":
            return (
                "The pullbacks ran in forward order, so each step handed its adjoint on to the "
                "step after it and not to the one before"
            )
        case "reversed input":
            last = subscript(case.program.seq_len)
            return f"The inputs were read in reverse order, x{last} first"
        case "state not reset":
            states = [state + "0" for state in case.program.cell.states]
            away = np.concatenate(
                [(wrong.leaves[state] - case.leaves[state]).ravel() for state in states]
            )
            far = f"{float(norms(away, (0,))):.3g}"
            return (
                "The sequence began in the state that the one before it had left, "
                f"{far} away from {' and '.join(states)}"
            )
        case "detached each step":
            return "The state was detached at every step, so no loss reaches back through it"
        case "off-by-one hidden state":
            return "The derivative by the recurrent weights took hₜ for hₜ₋₁"
        case "cell carry dropped":
            return "Nothing was carried back into the cell state, only into the hidden one"
        case "hidden carry dropped":
            return "Nothing was carried back into the hidden state, only into the cell state"
        case "transposed weight":
            return "Adjoints were carried back through W where its transpose belongs"
        case "reset gate mixed up":
            form = gru_form(case.program.cell)
            one, other = ("before", "after") if form and form[0] else ("after", "before")
            return f"The reset gate acted {one} the recurrent matrix and not {other} it"
    return "The update gate z and 1 − z had changed places"


def where(case: Case, right: Replay, wrong: Replay) -> str:
    """Which contributions are wrong over all parameters, and which gradient is furthest off."""
    found = errors(right, wrong)
    name, worst = furthest(found)
    if np.isnan(worst):
        return "the numbers overflow, and cannot be compared"
    terms = _terms(case, right, wrong)
    if not worst:
        return f"{terms}, yet no gradient is off" if terms else "here it makes no difference"
    parameters = {p: found[p] for p in case.program.parameters}
    chosen, off = furthest(parameters)
    if off:
        rest = sum(1 for size in parameters.values() if not size)
        far = "; ".join(filter(None, [terms, _far(chosen, off, most=len(parameters) - rest > 1)]))
        kept = f"{rest} of {len(parameters)} parameters' gradients {_verb(rest, 'is', 'are')} right"
        return f"{far} ({kept})" if rest else far
    start = f"{terms}, yet" if terms else "no contribution differs, but"
    return f"{start} {_far(name, worst)}"


def _far(name: str, off: float, *, most: bool = False) -> str:
    if np.isinf(off):
        return f"the gradient of {name} is not 0 as it should be"
    return f"the gradient of {name} is {'furthest off, by' if most else 'off by'} {share(off)}"


def _terms(case: Case, right: Replay, wrong: Replay) -> str:
    """How many contributions are acausal, missing or of another value; "" if none differs."""
    return _counted(*counts(case, right, wrong))


def _counted(acausal: int, missing: int, other: int, total: int, which: str = "") -> str:
    come = _verb(acausal, "comes from a step after its", "come from steps after their")
    parts = [f"{acausal} {come} loss, on which it cannot depend"] if acausal else []
    parts += [f"{missing} {_verb(missing, 'is', 'are')} missing"] if missing else []
    parts += [f"{other} {_verb(other, 'has', 'have')} another value"] if other else []
    if not parts:
        return ""
    comma = "," if acausal else ""  # closes what is said of the first
    joined = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + f"{comma} and " + parts[-1]
    return f"of {total} {_verb(total, 'contribution', 'contributions')} C[t, k]{which}, {joined}"


def _verb(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


def counts(case: Case, right: Replay, wrong: Replay) -> tuple[int, int, int, int]:
    """Pairs (t, k) with acausal, missing and otherwise wrong contributions, and of all that are.

    A pair counts once, whatever the parameter; of a bidirectional network none is acausal.
    """
    return _kinds(
        case,
        [
            (one, wrong.contributions[name], ROUNDING * max(right.scales[name], wrong.scales[name]))
            for name, one in right.contributions.items()
        ],
    )


def _kinds(case: Case, pairs: list[tuple[Array, Array, float]]) -> tuple[int, int, int, int]:
    """`counts` of right and wrong contributions with the rounding of each."""
    steps = case.program.seq_len
    shape = (steps, steps)
    there, here, differs = (np.zeros(shape, dtype=bool) for _ in range(3))
    for one, other, noise in pairs:
        there |= _beyond(one, 0.0)
        here |= _beyond(other, 0.0)
        differs |= _beyond(other - one, noise)
    acausal = differs & here & ~np.tri(steps, dtype=bool)
    if case.program.bidirectional:
        acausal[:] = False
    missing = differs & ~here
    rest = differs & here & ~acausal
    return int(acausal.sum()), int(missing.sum()), int(rest.sum()), int((there | here).sum())


def _beyond(array: Array, noise: float) -> NDArray[np.bool_]:
    """(T, T): where any entry is larger than rounding."""
    largest: NDArray[np.bool_] = np.abs(array).reshape(*array.shape[:2], -1).max(2) > noise
    return largest
