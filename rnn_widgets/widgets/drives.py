"""Drives: a quantity of the network shown in a trait of some widget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import traitlets
import traittypes
from ipywidgets import Widget

from rnn_widgets.core.names import unknown
from rnn_widgets.core.ops import Array
from rnn_widgets.core.values import choice
from rnn_widgets.network import Network
from rnn_widgets.quantities import evaluate, parse

TRANSFORMS = (
    "identity",
    "finite",
    "floored",
    "limit",
    "minus_limit",
    "stack_bottom",
    "stack_top",
    "decade_below",
    "decade_above",
    "decades",
)

MOST_TICKS = 6
MOST_HEIGHT = 1e300  # an axis as long as a float can be has infinitely many ticks
# Ends of scales go up this ladder, so that they stand still while numbers move a little.
RUNGS = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, eq=False)
class Drive:
    """One trait of one widget and the quantity it shows.

    ``kind`` says what the trait holds: "array" (a bqplot array), "list", "number" or "text".
    ``transform`` is one of `TRANSFORMS`: ``finite`` puts 0 for what is not finite, which bqplot
    cannot draw; ``limit`` is the largest absolute value (1 if that is 0), rounded up, for a
    symmetric scale; ``stack_bottom`` and ``stack_top`` hold bars stacked by row, rounded outward;
    for a logarithmic one, ``floored`` takes absolute values, with 0 at the axis's bottom and what
    is not finite at its top, ``decade_below`` and ``decade_above`` are those ends, and ``decades``
    the powers of ten to label.
    """

    widget: Widget
    trait: str
    quantity: str
    kind: str
    transform: str = "identity"

    def to_json(self) -> dict[str, Any]:
        """Plain data with the widget itself, for the browser."""
        return {
            "widget": self.widget,
            "trait": self.trait,
            "quantity": self.quantity,
            "kind": self.kind,
            "transform": self.transform,
        }

    def exists(self, net: Network) -> bool:
        """Whether the quantity exists in a network (an entry can vanish when sizes change)."""
        try:
            parse(self.quantity, net)
        except (KeyError, IndexError, ValueError):
            return False
        return True

    def value(self, net: Network) -> Any:
        """What the trait is to hold."""
        numbers = transformed(evaluate(parse(self.quantity, net), net), self.transform)
        if self.kind == "array":
            return numbers
        if self.kind == "list":
            return numbers.tolist()
        return float(numbers) if self.kind == "number" else f"{float(numbers):.4g}"


def make(widget: Widget, trait: str, quantity: str, transform: str, net: Network) -> Drive:
    """A validated drive.

    Raises
    ------
    TypeError
        If ``widget`` is no widget, or the trait cannot hold numbers of this rank.
    KeyError, IndexError, ValueError
        If there is no such trait or quantity, naming the nearest.
    """
    if not isinstance(widget, Widget):
        raise TypeError(f"drive needs a widget or bqplot mark, not {type(widget).__name__}")
    if trait not in widget.keys:
        raise unknown(f"trait of {type(widget).__name__}", trait, widget.keys)
    choice("transform", transform, TRANSFORMS)
    rank = transformed(evaluate(parse(quantity, net), net), transform).ndim
    kind = _kind(widget.traits()[trait])
    if kind is None:
        raise TypeError(
            f"{type(widget).__name__}.{trait} holds neither numbers nor text: "
            "drive a trait of fractional numbers, arrays or text"
        )
    if kind in ("number", "text") and rank != 0:
        raise TypeError(
            f"{quantity} has rank {rank}, but {type(widget).__name__}.{trait} holds one {kind}; "
            "name an entry, such as 'gradient[bias_ih_l0[0]]'"
        )
    if kind in ("array", "list") and rank == 0:
        raise TypeError(
            f"{quantity} is one number, but {type(widget).__name__}.{trait} holds an array"
        )
    return Drive(widget, trait, quantity, kind, transform)


def _kind(trait: traitlets.TraitType[Any, Any]) -> str | None:
    if isinstance(trait, traitlets.Unicode):
        return "text"
    if isinstance(trait, traitlets.Float):
        return "number"
    if isinstance(trait, traitlets.List | traitlets.Tuple):
        return "list"
    return "array" if isinstance(trait, traittypes.Array) else None


def transformed(numbers: Array, transform: str) -> Array:
    """Apply one of `TRANSFORMS`; `js/src/drives.ts` has the same."""
    match transform:
        case "finite":
            return np.where(np.isfinite(numbers), numbers, 0.0)
        case "floored":
            bottom, _, top = _decades(numbers)
            sizes = np.where(np.isfinite(numbers), np.abs(numbers), 10.0**top)
            return np.where(sizes > 0, sizes, 10.0**bottom)
        case "limit" | "minus_limit":
            finite = np.abs(numbers[np.isfinite(numbers)])
            limit = _rounded_up(float(finite.max(initial=0.0))) or 1.0
            return np.asarray(limit if transform == "limit" else -limit)
        case "stack_bottom" | "stack_top":
            low, high = _stack(np.atleast_2d(np.where(np.isfinite(numbers), numbers, 0.0)))
            return np.asarray(low if transform == "stack_bottom" else high)
        case "decade_below":
            return np.asarray(10.0 ** _decades(numbers)[0])
        case "decade_above":
            return np.asarray(10.0 ** _decades(numbers)[2])
        case "decades":
            _, first, top = _decades(numbers)
            every = math.ceil((top - first + 1) / MOST_TICKS)
            return np.array([10.0**power for power in range(first, top + 1, every)])
    return numbers


def _stack(rows: Array) -> tuple[float, float]:
    """Ends of an axis for bars stacked by row, negative ones downwards."""
    lowest = min(_sums(np.maximum(-rows, 0.0)), MOST_HEIGHT)
    highest = min(_sums(np.maximum(rows, 0.0)), MOST_HEIGHT)
    return -_rounded_up(lowest), _rounded_up(highest) or (0.0 if lowest else 1.0)


def _sums(rows: Array) -> float:
    """The largest column sum, its terms added in order as the browser adds them."""
    total = np.zeros(rows.shape[1])
    with np.errstate(over="ignore"):
        for row in rows:
            total = total + row
    return float(total.max(initial=0.0))


def _rounded_up(size: float) -> float:
    """The next rung of the ladder; 0 and what is too small or large for one stay."""
    if not 1e-300 < size < 1e300:
        return size
    decade = 10.0 ** math.floor(math.log10(size))
    return next((rung * decade for rung in RUNGS if size <= rung * decade), size)


def _decades(numbers: Array) -> tuple[int, int, int]:
    """Exponents of a logarithmic axis: its bottom, its first labelled decade, and its top.

    Where there are zeros, they stand at the bottom, one decade below that of the smallest number.
    """
    sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
    apart = int((numbers == 0).any())
    if not sizes.size:
        return -1 - apart, -1, 0
    first = max(math.floor(math.log10(sizes.min())), -306)
    top = max(math.ceil(math.log10(sizes.max())), first + 1)
    return first - apart, first, min(top, 308)
