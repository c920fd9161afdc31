"""Drives: a quantity of the network shown in a trait of some widget."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import traitlets
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
    "decade_below",
    "decade_above",
)


@dataclass(frozen=True, eq=False)
class Drive:
    """One trait of one widget and the quantity it shows.

    ``kind`` says what the trait holds: "array" (a bqplot array), "list", "number" or "text".
    ``transform`` is one of `TRANSFORMS`: ``finite`` puts 0 for what is not finite, which bqplot
    cannot draw; ``floored`` takes absolute values and puts ``decade_below`` for 0; ``limit`` is
    the largest absolute value (1 if that is 0), for a symmetric scale; ``decade_below`` and
    ``decade_above`` are the powers of ten around the values, for a logarithmic one.
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


def _kind(trait: traitlets.TraitType[Any, Any]) -> str:
    if isinstance(trait, traitlets.Unicode):
        return "text"
    if isinstance(trait, traitlets.Int | traitlets.Float):
        return "number"
    return "list" if isinstance(trait, traitlets.List | traitlets.Tuple) else "array"


def transformed(numbers: Array, transform: str) -> Array:
    """Apply one of `TRANSFORMS`; `js/src/drives.ts` has the same."""
    match transform:
        case "finite":
            return np.where(np.isfinite(numbers), numbers, 0.0)
        case "floored":
            floor = transformed(numbers, "decade_below")
            sizes = np.abs(numbers)
            return np.where(np.isfinite(sizes) & (sizes > 0), sizes, floor)
        case "limit" | "minus_limit":
            finite = np.abs(numbers[np.isfinite(numbers)])
            limit = float(finite.max(initial=0.0)) or 1.0
            return np.asarray(limit if transform == "limit" else -limit)
        case "decade_below" | "decade_above":
            sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
            below, above = _decades(sizes) if sizes.size else (-1, 0)
            return np.asarray(10.0 ** (below if transform == "decade_below" else above))
    return numbers


def _decades(sizes: Array) -> tuple[int, int]:
    """Exponents of the powers of ten around positive numbers, within what a float holds."""
    below = max(math.floor(math.log10(sizes.min())), -307)
    return below, min(max(math.ceil(math.log10(sizes.max())), below + 1), 308)
