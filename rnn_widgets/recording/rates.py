"""How fast norms fall or grow from step to step: one definition for figures and text."""

from __future__ import annotations

import math

import numpy as np

from .layer import Array


def logs(norms: Array) -> tuple[Array, Array]:
    """The places at which there is a positive number, and its logarithm."""
    places = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    return places, np.log(norms[places])


def rate_of(norms: Array, stretches: Array | None = None) -> float:
    """The factor of each further step, by least squares on a log axis; NaN if unknown.

    ``stretches`` names the stretch of each place, where nothing is handed from one stretch to
    another: each has its own line, and all have the same slope.

    >>> round(rate_of(0.5 ** np.arange(6)), 12)
    0.5
    >>> round(rate_of(np.array([1, 0.5, 0.25, 8, 4, 2]), np.array([0, 0, 0, 1, 1, 1])), 12)
    0.5
    """
    places, sizes = logs(norms)
    apart = places.astype(float)
    of = np.zeros(len(norms), int) if stretches is None else stretches
    for here in (of[places] == stretch for stretch in np.unique(of[places])):
        apart[here] -= apart[here].mean()
        sizes[here] -= sizes[here].mean()
    if not apart.any():
        return math.nan
    return math.exp(float(apart @ sizes / (apart @ apart)))


def after_the_last(entered: Array, stretches: Array) -> Array:
    """The places of each stretch from the last on at which something enters: (S,) of bool.

    Only there what is left of it falls undisturbed.

    >>> after_the_last(np.array([1, 0, 1, 0, 1, 0], bool), np.array([0, 0, 0, 0, 1, 1])).tolist()
    [False, False, True, True, True, True]
    """
    found = np.ones(len(entered), bool)
    for stretch in np.unique(stretches):
        here = np.flatnonzero(stretches == stretch)
        places = here[entered[here]]
        if len(places):
            found[here[here < places[-1]]] = False
    return found


def half_life(rate: float) -> float:
    """Steps in which a norm falls to half; ∞ if it does not fall, NaN if the rate is unknown.

    >>> half_life(0.5), half_life(1.5), half_life(math.nan)
    (1.0, inf, nan)
    """
    if math.isnan(rate):
        return math.nan
    if rate == 0:
        return 0.0
    return math.log(0.5) / math.log(rate) if rate < 1 else math.inf


def told(rate: float) -> str:
    """A rate in words.

    >>> told(0.5), told(2 ** 0.25), told(1.0)
    ('half-life 1 step', 'grows: doubles every 4 steps', 'stays as it is')
    """
    if math.isnan(rate):
        return "unknown"
    if abs(rate - 1) < 1e-9:
        return "stays as it is"
    if rate < 1:
        return f"half-life {_steps(half_life(rate))}"
    return f"grows: doubles every {_steps(half_life(1 / rate))}"


def _steps(count: float) -> str:
    text = f"{count:.0f}" if count >= 100 else f"{count:.3g}"
    return f"{text} step" if text == "1" else f"{text} steps"
