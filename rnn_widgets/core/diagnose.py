"""Which mistake explains a gradient: every one is replayed, and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeAlias

import numpy as np

from .diagnose_precision import COARSEST, ROUNDINGS, SINGLE, Level, bluntest, levels
from .ops import Array
from .pitfalls import MISTAKES, Case, Replay, sensible
from .pitfalls_words import done, share

Names: TypeAlias = Callable[[Mapping[str, Array]], Mapping[object, Array]]

ROUNDING = 1e-12  # errors below it differ from machine to machine
MANY = 4  # numbers that one factor would hardly fit by chance
NEAR_ONE = 0.02  # a factor nearer than that is rounding, in half precision


@dataclass(frozen=True)
class Cause:
    """An explanation: mistakes, one or two; or none, which is the right gradient or its multiple.

    Parameters
    ----------
    names : tuple of str
        The mistakes.
    error : float
        How far the gradients given are from those replayed: the largest difference, relative to
        the largest number, of any name given; 0 for what is rounding in double precision.
    factor : float
        What the right gradient is multiplied by; 1 with mistakes.

    Examples
    --------
    >>> cause = Cause(("forward order", "transposed weight"), 0.25)
    >>> cause.fit, str(cause)
    (0.75, "'forward order' and 'transposed weight'")
    """

    names: tuple[str, ...]
    error: float
    factor: float = 1.0

    @property
    def fit(self) -> float:
        """1 − `error`: 1 is equality, 0 no likeness at all."""
        return 1.0 - min(self.error, 1.0)

    def __str__(self) -> str:
        if self.factor != 1.0:
            return f"the right gradient times {self.factor:.4g}"
        return " and ".join(map(repr, self.names)) or "the right gradient"


@dataclass(frozen=True)
class Diagnosis:
    """What explains a gradient. Made by `rnn_widgets.diagnose`.

    Parameters
    ----------
    right : bool
        Whether the gradients given are right; False too where they are too coarse to tell.
    causes : tuple of Cause
        The mistakes that explain them, the best fit first; none if they are right, or if no
        mistake fits.
    ask : tuple of str
        Further gradients that would tell the causes apart, or, of what is right so far, would show
        a mistake that does not show in what was given.
    nearest : Cause
        The best fit, whether or not it explains what was given.
    unseen : tuple of str
        Of what is right, mistakes that would show in other gradients only.
    story : tuple of str
        The diagnosis in sentences.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> net = rw.rnn(2, 3, 4)
    >>> wrong = rw.pitfalls(net)["detached each step"].gradients()
    >>> diagnosis = rw.diagnose(net, wrong)
    >>> diagnosis.causes[0].names, diagnosis.causes[0].fit
    (('detached each step',), 1.0)
    """

    right: bool
    causes: tuple[Cause, ...]
    ask: tuple[str, ...]
    nearest: Cause
    unseen: tuple[str, ...]
    story: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join(self.story)


class _Comparison:
    """The gradients given, and how far each replay is from them."""

    def __init__(self, case: Case, given: Mapping[object, Array], names: Names) -> None:
        self.case, self.given, self.names = case, given, names
        self.known = self._covered()

    def _covered(self) -> set[str]:
        """The leaves that what is given tells all about."""
        right = Replay(self.case).gradients
        order = list(right)
        marked = self.names({n: np.full(right[n].shape, float(i)) for i, n in enumerate(order)})
        return {order[int(i)] for key in self.given for i in np.unique(marked[key])}

    def error(self, replay: Replay) -> float:
        """As `Cause` has it; infinite where the replay overflows."""
        found = 0.0
        for key, (off, there) in self._off(replay).items():
            size = max(there, float(np.abs(self.given[key]).max()))
            if not np.isfinite(size):
                return float("inf")
            found = max(found, off / size if size else 0.0)
        return found if found > ROUNDING else 0.0

    def explains(self, replay: Replay, level: Level) -> bool:
        """Whether every gradient given is that of the replay, as far as the level can tell."""
        if not all(map(np.isfinite, replay.scales.values())):
            return False
        sizes = {n: np.full(g.shape, replay.scales[n]) for n, g in replay.gradients.items()}
        scales = self.names(sizes)
        return all(
            bool(off <= level.share * float(scales[key].max()) + 1.01 * level.steps[key])
            for key, (off, _) in self._off(replay).items()
        )

    def is_rounding(self, replay: Replay, sensitivity: Mapping[str, float]) -> bool:
        """Whether the replay is near, and no further than rounding in float32 may move it."""
        moved = {n: np.full(g.shape, sensitivity[n]) for n, g in replay.gradients.items()}
        reach = self.names(moved)
        return self.error(replay) <= COARSEST and all(
            bool(off <= ROUNDINGS * float(reach[key].max()))
            for key, (off, _) in self._off(replay).items()
        )

    def _off(self, replay: Replay) -> dict[object, tuple[float, float]]:
        """Of each name the largest difference, and the largest number replayed."""
        replayed = self.names(replay.gradients)
        with np.errstate(all="ignore"):
            return {
                key: (float(np.abs(replayed[key] - g).max()), float(np.abs(replayed[key]).max()))
                for key, g in self.given.items()
            }


def diagnose(
    case: Case,
    given: Mapping[object, Array],
    names: Names,
    called: Callable[[str], str],
    sensitivity: Callable[[], Mapping[str, float]],
) -> Diagnosis:
    """Find what explains the gradients of some leaves.

    Parameters
    ----------
    case : Case
    given : dict
        Name to array, by any name that ``names`` knows.
    names : callable
        From gradients by leaf to a mapping by any name.
    called : callable
        How a leaf is written in sentences.
    sensitivity : callable
        How far the right gradient of each leaf moves per relative change of every number that it
        comes from; asked for only where nothing fits.

    Returns
    -------
    Diagnosis
    """
    compared = _Comparison(case, given, names)
    right = Replay(case)
    singles = [Replay(case, (name,)) for name in sensible(case)]
    tried = [right, *singles]
    pairs: list[Replay] = []
    for level in levels(given):
        if compared.explains(right, level):
            fitting = [single for single in singles if compared.explains(single, level)]
            return _right(compared, right, fitting, level, called)
        found = [single for single in singles if compared.explains(single, level)]
        factor = None if found else _factor(compared, right, level)
        if factor:
            return _multiple(compared, right, factor, level)
        if not found and level.pairs:
            pairs = pairs or [Replay(case, p) for p in combinations(sensible(case), 2)]
            found = [pair for pair in pairs if compared.explains(pair, level)]
        if found:
            return _wrong(compared, right, found, level, called)
    if compared.is_rounding(right, sensitivity()):
        cause = Cause((), compared.error(right))
        blurred = "The gradient is right, as far as rounding in this network lets anyone tell."
        return Diagnosis(True, (), (), cause, (), (blurred,))
    return _nothing(compared, [*tried, *pairs])


def _right(
    compared: _Comparison,
    right: Replay,
    fitting: Sequence[Replay],
    level: Level,
    called: Callable[[str], str],
) -> Diagnosis:
    cause = Cause((), compared.error(right))
    hidden = [replay for replay in fitting if _separating(right, replay, compared.known)]
    pairs = [(right, replay) for replay in hidden]
    ask = _ask(compared, pairs)
    complete = compared.known >= set(compared.case.program.parameters)
    what = "The gradient is" if complete else "What was given is"
    story = [f"{what} right{_precisely(level)}."]
    if hidden:
        unseen = _listed([repr(replay.names[0]) for replay in hidden], "or")
        would = _listed([called(leaf) for leaf in ask], "and")
        story.append(f"So it would be with {unseen}: {would} would show that.")
    blurred = [f for f in fitting if f not in hidden and _separating(right, f, set())]
    if blurred:
        names = _listed([repr(replay.names[0]) for replay in blurred], "or")
        story.append(f"Only numbers with more digits would tell it from {names}.")
    unseen_names = tuple(replay.names[0] for replay in hidden)
    return Diagnosis(True, (), ask, cause, unseen_names, tuple(story))


def _wrong(
    compared: _Comparison,
    right: Replay,
    found: Sequence[Replay],
    level: Level,
    called: Callable[[str], str],
) -> Diagnosis:
    ranked = sorted(found, key=compared.error)  # a stable order: that of the mistakes
    causes = tuple(Cause(replay.names, compared.error(replay)) for replay in ranked)
    pairs = list(combinations(ranked, 2))
    ask = _ask(compared, pairs)
    off = share(compared.error(right))
    story = []
    if len(causes) == 1:
        story.append(f"{causes[0]} {_explain(causes[0])}{_precisely(level)}.")
    else:
        count = len(causes)
        each = "; ".join(map(str, causes))
        kind = "pairs of mistakes" if len(causes[0].names) > 1 else "mistakes"
        story.append(
            f"{count} {kind} explain the gradient equally well{_precisely(level)}: {each}."
        )
    for replay in ranked if len(causes) <= 2 else ():
        story += [f"{done(name, compared.case, replay)}." for name in replay.names]
    story.append(f"The right gradient is {off} away from what was given.")
    if ask:
        would = _listed([called(leaf) for leaf in ask], "and")
        story.append(f"To tell them apart, give {would} too.")
    if any(not _separating(one, other, set()) for one, other in pairs):
        story.append("Some of them make the same gradients here, whichever are given.")
    if level.digits is None and _bluntly_right(compared, right):
        story.append("Were these numbers rounded to so few digits, the right ones would fit too.")
    return Diagnosis(False, causes, ask, causes[0], (), tuple(story))


def _factor(compared: _Comparison, right: Replay, level: Level) -> float | None:
    """What the right gradient was multiplied by, if that explains all that was given.

    Of few numbers only factors that people do forget, or put in twice, are tried.
    """
    replayed = compared.names(right.gradients)
    numbers = np.concatenate([replayed[key].ravel() for key in compared.given])
    found = np.concatenate([np.ravel(array) for array in compared.given.values()])
    with np.errstate(all="ignore"):
        fitted = float(found @ numbers / (numbers @ numbers))
    if not fitted or not np.isfinite(fitted):
        return None
    tried = [sign * factor for factor in _counts(compared.case) for sign in (1.0, -1.0)][1:]
    if np.count_nonzero(numbers) >= MANY and abs(fitted - 1.0) > NEAR_ONE:
        tried.append(fitted)
    for factor in tried:
        if not 0.5 < fitted / factor < 2.0:
            continue
        given = {key: array / factor for key, array in compared.given.items()}
        steps = {key: step / abs(factor) for key, step in level.steps.items()}
        whole = _Comparison(compared.case, given, compared.names)
        if whole.explains(right, replace(level, steps=steps)):
            return factor
    return None


def _counts(case: Case) -> dict[float, str]:
    """Factors that people forget, beginning with 1, and what they are the number of."""
    program = case.program
    counts = {1.0: "", 2.0: "", 0.5: ""}
    for count, what in (
        (program.seq_len, "the number of steps"),
        (len(program.loss_steps), "the number of losses"),
        (program.output_size, "the number of outputs"),
    ):
        for factor in (float(count), 1.0 / count):
            counts.setdefault(factor, what)
    return counts


def _multiple(compared: _Comparison, right: Replay, factor: float, level: Level) -> Diagnosis:
    given = {key: array / factor for key, array in compared.given.items()}
    error = _Comparison(compared.case, given, compared.names).error(right)
    cause = Cause((), error, factor)
    said = "with the opposite sign" if factor < 0 else ""
    size = abs(factor)
    if size < 1 and 1 / size == round(1 / size):
        said += f" and divided by {1 / size:.4g}"
    elif size != 1:
        said += f" and multiplied by {size:.4g}"
    what = _counts(compared.case).get(size, "")
    said = said.removeprefix(" and ") + (f", {what}" if what else "")
    story = (f"What was given is the right gradient {said}{_precisely(level)}.",)
    return Diagnosis(False, (cause,), (), cause, (), story)


def _explain(cause: Cause) -> str:
    return "explain the gradient together" if len(cause.names) > 1 else "explains the gradient"


def _precisely(level: Level) -> str:
    if level.dtype is not None:
        return f", to the precision of {level.dtype}"
    if level.digits is None:
        return ""
    return f", if it was rounded to {level.digits} digit{'s' if level.digits > 1 else ''}"


def _bluntly_right(compared: _Comparison, right: Replay) -> bool:
    level = bluntest(compared.given)
    return level is not None and compared.explains(right, level)


def _nothing(compared: _Comparison, tried: Sequence[Replay]) -> Diagnosis:
    errors = [compared.error(replay) for replay in tried]
    best = int(np.argmin(errors))
    nearest = Cause(tried[best].names, errors[best])
    story = ["No mistake that is known here explains the gradient, and no two together do."]
    if _bluntly_right(compared, tried[0]):
        story = ["Nothing can be told: the right gradient is the same to so few digits. Give more."]
    if np.isinf(errors[0]):
        story.append("The network overflows: its right gradient is not made of numbers.")
    elif nearest.names:
        story.append(f"The right gradient is {share(errors[0])} away from what was given.")
    if np.isfinite(nearest.error):
        story.append(f"The nearest is {nearest}, {share(nearest.error)} away.")
    reason = MISTAKES["state not reset"].why_not(compared.case)
    if compared.case.previous is None and "previous=" in reason:
        story.append(f"'state not reset' was not tried: {reason}.")
    return Diagnosis(False, (), (), nearest, (), tuple(story))


def _separating(one: Replay, other: Replay, known: set[str]) -> list[str]:
    """Leaves, not yet known, whose gradients tell two explanations apart, parameters first."""
    parameters = [n for n in one.gradients if n in one.program.parameters]
    others = [n for n in one.gradients if n not in one.program.parameters]
    return [name for name in (*parameters, *others) if name not in known and _far(one, other, name)]


def _far(one: Replay, other: Replay, name: str) -> bool:
    noise = SINGLE * (one.scales[name] + other.scales[name])
    with np.errstate(all="ignore"):
        return bool(np.abs(one.gradients[name] - other.gradients[name]).max() > noise)


def _ask(compared: _Comparison, pairs: Sequence[tuple[Replay, Replay]]) -> tuple[str, ...]:
    """Few leaves that tell all these pairs apart, as far as any does."""
    telling = [set(_separating(one, other, compared.known)) for one, other in pairs]
    parameters = compared.case.program.parameters
    asked: list[str] = []

    def worth(leaf: str) -> tuple[bool, int]:
        count = sum(leaf in leaves for leaves in telling)
        return count > 0 and leaf in parameters, count

    while telling := [leaves for leaves in telling if leaves and not leaves & set(asked)]:
        asked.append(max(compared.case.program.leaves, key=worth))
    return tuple(asked)


def _listed(words: Sequence[str], last: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return ", ".join(words[:-1]) + f" {last} {words[-1]}"
