"""Drives: a quantity of the network shown in a trait of some widget."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import traitlets
import traittypes
from ipywidgets import Color, Widget

from rnn_widgets.core.names import unknown
from rnn_widgets.core.ops import Array
from rnn_widgets.core.values import choice
from rnn_widgets.network import Network
from rnn_widgets.quantities import evaluate, native, parse

from .transforms import TRANSFORMS, color, transformed

LEASE_SECONDS = 12.0  # the page renews it every 4 seconds
FOCUS = "[selection]"  # in a quantity, the entry in focus


@dataclass(frozen=True, eq=False)
class Drive:
    """One trait of one widget and the quantity it shows.

    ``kind`` says what the trait holds: "array" (a bqplot array), "list", "colors" (a list of them),
    "number" or "text".
    ``transform`` is one of `TRANSFORMS`: ``finite`` puts 0 for what is not finite, which bqplot
    cannot draw; ``limit`` is the largest absolute value (1 if that is 0), rounded up, for a
    symmetric scale. Of bars stacked by row, ``stack_bottom`` and ``stack_top`` are the ends,
    rounded outward, ``stack_ticks`` round numbers between them, ``layers`` the row of each with
    its sign, ``last_layer`` the end of a scale for those, and ``depths`` the strengths of its
    colours, negative and positive in turn. Of a logarithmic axis, ``decade_below`` and
    ``decade_above`` are the ends, ``decades`` the powers of ten to label, after the lower end if a
    number is 0; ``floored`` takes absolute values, with 0 at the lower end and what is not finite
    at the upper one, ``floored_first`` and ``floored_last`` one row of that. ``finite_each`` and
    ``finite_all`` are opacities: 0 for what is not finite, or for all if one is not.

    ``text`` is what a trait of text says, "{}" standing for the number. With a ``name`` it is a
    title, which says by that name when there are no numbers to look at.
    """

    widget: Widget
    trait: str
    quantity: str
    kind: str
    transform: str = "identity"
    text: str = "{}"
    name: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data with the widget itself, for the browser."""
        return {
            "widget": self.widget,
            "trait": self.trait,
            "quantity": self.quantity,
            "kind": self.kind,
            "transform": self.transform,
            "text": self.text,
            "name": self.name,
        }

    def focused(self, selection: str) -> Drive:
        """The drive with the entry in focus where its words say "selection"."""
        if FOCUS not in self.quantity:
            return self
        words = {
            field: getattr(self, field).replace("selection", selection)
            for field in ("quantity", "text", "name")
        }
        return replace(self, **words)

    def exists(self, net: Network) -> bool:
        """Whether a network has the quantity: an entry can vanish when sizes change."""
        try:
            self._numbers(net)
        except (KeyError, IndexError, ValueError):
            return False
        return True

    def value(self, net: Network) -> Any:
        """What the trait is to hold; where the quantity does not exist, only text has an answer."""
        return self.held(net, self.numbers(net))

    def numbers(self, net: Network) -> Array | None:
        """The quantity's numbers, None where it does not exist."""
        return self._numbers(net) if self.exists(net) else None

    def held(self, net: Network, numbers: Array | None) -> Any:
        """What the trait is to hold, given what `numbers` has found."""
        if self.kind == "text":
            return self._said(net, numbers)
        if numbers is None:
            raise KeyError(f"{self.quantity} does not exist in this network")
        numbers = transformed(numbers, self.transform)
        if self.kind == "array":
            return numbers
        if self.kind == "colors":
            return [color(float(number)) for number in numbers]
        return numbers.tolist() if self.kind == "list" else float(numbers)

    def _numbers(self, net: Network) -> Array:
        return evaluate(parse(self.quantity, net), net)

    def _said(self, net: Network, numbers: Array | None) -> str:
        if numbers is None:
            return f"{self.name or self.quantity} does not exist in this network"
        if self.name and not np.isfinite(numbers).all():
            return f"{self.name} overflows {_overflow(net.forward().overflow)}"
        return self.text.replace("{}", f"{float(transformed(numbers, self.transform)):.4g}")


class Drives:
    """The drives of a lab, which Python writes unless a browser does."""

    def __init__(self) -> None:
        self._drives: list[Drive] = []
        self._attached_until = 0.0

    def make(
        self,
        widget: Widget,
        trait: str,
        quantity: str,
        transform: str,
        text: str,
        name: str,
        *,
        net: Network,
        selection: str,
    ) -> None:
        """Show a quantity in a trait, in place of what it showed; refusals are those of `valid`."""
        drive = Drive(widget, trait, quantity, "", transform, text, name)
        shown = valid(drive.focused(selection), net)
        drive = replace(drive, kind=shown.kind, quantity=native(quantity, net))
        setattr(widget, trait, shown.value(net))
        others = [d for d in self._drives if (d.widget, d.trait) != (widget, trait)]
        self._drives = [*others, drive]

    def leave_to_browser(self) -> None:
        """A browser draws: let it, for as long as it says so time and again."""
        self._attached_until = time.monotonic() + LEASE_SECONDS

    def take_over(self, net: Network, selection: str) -> None:
        """The browser has gone."""
        self._attached_until = 0.0
        self.refresh(net, selection)

    def refresh(self, net: Network, selection: str) -> None:
        """Bring every trait up to date, unless a browser does.

        A widget one of whose quantities does not exist is hidden if it can be, and text says so.
        """
        if time.monotonic() < self._attached_until:
            return
        for widget in dict.fromkeys(drive.widget for drive in self._drives):
            mine = [d.focused(selection) for d in self._drives if d.widget is widget]
            complete = all(drive.exists(net) for drive in mine)
            # Together: a browser's map checks its rows against its colours, a slider its value
            # against its range.
            with widget.hold_sync(), widget.hold_trait_notifications():
                for drive in mine:
                    if complete or drive.kind == "text":
                        setattr(widget, drive.trait, drive.value(net))
                if "visible" in widget.keys:
                    widget.visible = complete

    def fresh(
        self, widgets: Iterable[Widget], net: Network, selection: str
    ) -> dict[tuple[int, str], Any]:
        """What the traits of some widgets show now, by the widget's id and the trait."""
        wanted = {id(widget) for widget in widgets}
        known: dict[str, Array | None] = {}
        found: dict[tuple[int, str], Any] = {}
        for drive in (d.focused(selection) for d in self._drives if id(d.widget) in wanted):
            if drive.quantity not in known:
                known[drive.quantity] = drive.numbers(net)
            numbers, widget = known[drive.quantity], drive.widget
            if numbers is not None or drive.kind == "text":
                found[id(widget), drive.trait] = drive.held(net, numbers)
            if "visible" in widget.keys:
                visible = id(widget), "visible"
                found[visible] = found.get(visible, True) and numbers is not None
        return found

    def forget(self, widget: Widget) -> None:
        """Show nothing in a widget any more."""
        self._drives = [drive for drive in self._drives if drive.widget is not widget]

    def clear(self) -> None:
        """Show nothing anywhere."""
        self._drives.clear()

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data with the widgets themselves, for the browser."""
        return [drive.to_json() for drive in self._drives]


def valid(drive: Drive, net: Network) -> Drive:
    """The drive with its kind.

    Raises
    ------
    TypeError
        If ``widget`` is no widget, or the trait cannot hold numbers of this rank.
    KeyError, IndexError, ValueError
        If there is no such trait or quantity, naming the nearest.
    """
    widget, trait, quantity = drive.widget, drive.trait, drive.quantity
    if not isinstance(widget, Widget):
        raise TypeError(f"drive needs a widget or bqplot mark, not {type(widget).__name__}")
    if trait not in widget.keys:
        raise unknown(f"trait of {type(widget).__name__}", trait, widget.keys)
    choice("transform", drive.transform, TRANSFORMS)
    rank = transformed(evaluate(parse(quantity, net), net), drive.transform).ndim
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
    if kind in ("array", "list", "colors") and rank == 0:
        raise TypeError(
            f"{quantity} is one number, but {type(widget).__name__}.{trait} holds an array"
        )
    return replace(drive, kind=kind)


def _kind(trait: traitlets.TraitType[Any, Any]) -> str | None:
    if isinstance(trait, traitlets.Unicode):
        return "text"
    if isinstance(trait, traitlets.Float):
        return "number"
    if isinstance(trait, traitlets.List | traitlets.Tuple):
        return "colors" if isinstance(getattr(trait, "_trait", None), Color) else "list"
    return "array" if isinstance(trait, traittypes.Array) else None


def _overflow(step: int | None) -> str:
    """Where numbers overflow: the first step (0-based), None if only the way back has one."""
    return "on the way back" if step is None else f"from t = {step + 1} (step {step})"
