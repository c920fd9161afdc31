"""Sliders bound to entries: ordinary ipywidgets sliders whose exact value the lab keeps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np

from rnn_widgets.core.names import first_entry, parse_entry
from rnn_widgets.core.values import array
from rnn_widgets.interop.names import native
from rnn_widgets.network import Network
from rnn_widgets.stills import Picture, Still
from rnn_widgets.stills.colours import CARD, LINE, QUIET
from rnn_widgets.stills.written import three_digits

from .sync import Refusing, check_options, from_front_end, silently

if TYPE_CHECKING:
    from .lab import Lab


class Slider(Refusing, Still, ipywidgets.FloatSlider):
    """An ordinary slider, with a picture for where it cannot be drawn. Made by `Lab.slider`.

    A lesson makes one of its own for a number that is no entry, such as a factor.
    """

    def _refuse(self, name: str, value: Any) -> None:
        """NaN, which a slider would take and the network refuse."""
        if name == "value" and isinstance(value, float) and math.isnan(value):
            raise ValueError(f"the slider {self.description!r} takes a finite number, not {value}")

    def _still(self) -> Picture:
        at, low, high = map(three_digits, (self.value, self.min, self.max))
        picture = Picture(430, 30, [f"from {low} to {high}"], name=f"{self.description} = {at}")
        share = (self.value - self.min) / ((self.max - self.min) or 1.0)
        picture.text(12, 19, self.description)
        picture.rect(170, 13, 180, 4, fill=LINE)
        picture.circle(170 + 180 * share, 15, 7, fill=CARD, stroke=QUIET)
        picture.text(364, 19, at)
        return picture

    def __repr__(self) -> str:
        return f"Slider({self.description!r}, value={self.value:.4g})"


@dataclass(frozen=True, eq=False)
class SliderBinding:
    """A slider and the entry that it moves, for example ``"weight_hh_l0"``, ``(0, 1)``."""

    slider: ipywidgets.FloatSlider
    leaf: str
    index: tuple[int, ...]

    def exists(self, net: Network) -> bool:
        """Whether a network has the entry: it can vanish when sizes change."""
        shape = net.program.leaves.get(self.leaf, ())
        return len(shape) == len(self.index) and all(
            i < n for i, n in zip(self.index, shape, strict=True)
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data with the widget itself, for the browser."""
        return {"slider": self.slider, "leaf": self.leaf, "index": list(self.index)}

    def only_snapped(self, exact: float) -> bool:
        """Whether the slider stands where its own step puts the exact value.

        A displayed slider writes its value back rounded to its step; such a report is no move.
        `js/src/sliders.ts` has the same rule.
        """
        slider = self.slider
        return only_snapped(slider.value, exact, slider.min, slider.max, slider.step)

    def show(self, value: float, *, send: bool) -> None:
        """Move the slider to a value, widening its range where needed.

        Without ``send`` a browser is not told, since it knows already.
        """
        slider = self.slider
        low, high = grown(slider.min, slider.max, value)
        # The range goes in a message of its own: with both in one, the browser's slider would
        # clamp the new value to the old range and report that as a move.
        if (low, high) != (slider.min, slider.max):
            with silently(slider, *(() if send else ("min", "max"))):
                slider.min, slider.max = low, high
        with silently(slider, *(() if send else ("value",))):
            slider.value = value


class Sliders:
    """The sliders of a lab: they follow its network, and it follows them."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._bindings: list[SliderBinding] = []
        self._vanished: set[SliderBinding] = set()
        self._following = False

    def make(
        self, entry: str, low: float, high: float, step: float, options: dict[str, Any]
    ) -> ipywidgets.FloatSlider:
        """A slider that moves an entry; refusals are those of `Lab.slider`."""
        net = self._lab.net
        leaf, index = parse_entry(native(net.program, entry), net.program.leaves)
        if not index:
            example = first_entry(leaf, net.program.leaves[leaf])
            raise ValueError(f"a slider moves one entry: name one, such as {example}")
        if leaf == "target" and net.program.loss == "cross_entropy":
            raise TypeError("classes are whole numbers: change them with lab.set(target=…)")
        for name, bound in (("min", low), ("max", high), ("step", step)):
            array(name, bound)
        if not low < high or not step > 0:
            raise ValueError(f"a slider needs min < max and step > 0: {low}, {high}, {step}")
        check_options(ipywidgets.FloatSlider, options)
        options.setdefault("description", entry)
        options.setdefault("style", {"description_width": "initial"})
        options.setdefault("readout_format", ".3f")
        value = float(net.values[leaf][index])
        low, high = grown(float(low), float(high), value)
        slider = Slider(value=value, min=low, max=high, step=float(step), **options)
        binding = SliderBinding(slider, leaf, index)
        slider.observe(lambda _: self._moved(binding), "value")
        self._bindings.append(binding)
        return slider

    def follow(self, net: Network, *, send: bool = True) -> None:
        """Show another network's values. A slider whose entry has vanished is disabled."""
        for binding in self._bindings:
            exists = binding.exists(net)
            with silently(binding.slider, *(() if send else ("disabled",))):
                if not exists:
                    self._vanished.add(binding)
                    binding.slider.disabled = True
                elif binding in self._vanished:
                    self._vanished.remove(binding)
                    binding.slider.disabled = False
            if exists:
                with self._follow():
                    binding.show(float(net.values[binding.leaf][binding.index]), send=send)

    def _moved(self, binding: SliderBinding) -> None:
        with self._lab._lock:
            if self._following or binding in self._vanished:
                return
            here = from_front_end(binding.slider, "value")
            values = self._lab.net.values[binding.leaf]
            exact = float(values[binding.index])
            if here and binding.only_snapped(exact):
                return
            moved = np.array(values)
            moved[binding.index] = binding.slider.value
            try:
                net = self._lab.net._moved({binding.leaf: moved})
            except ValueError:
                with self._follow():
                    binding.show(exact, send=True)
                raise
            with self._follow():
                for other in self._bindings:
                    same = (other.leaf, other.index) == (binding.leaf, binding.index)
                    if same and other is not binding:
                        other.show(binding.slider.value, send=not here)
            self._lab._take(net, send=not here)

    @contextmanager
    def _follow(self) -> Iterator[None]:
        """While it lasts sliders are moved by the lab, not by their users."""
        outer, self._following = self._following, True
        try:
            yield
        finally:
            self._following = outer

    def forget(self, slider: ipywidgets.Widget) -> None:
        """Let go of a slider."""
        self._bindings = [b for b in self._bindings if b.slider is not slider]

    def clear(self) -> None:
        """Let go of all."""
        self._bindings.clear()

    def to_json(self) -> list[dict[str, Any]]:
        """Plain data with the widgets themselves, for the browser."""
        return [binding.to_json() for binding in self._bindings]


def only_snapped(report: float, exact: float, low: float, high: float, step: float | None) -> bool:
    """Whether a reported value is the exact one, or the exact one rounded to the slider's grid."""
    tolerance = 1e-9 * (high - low)
    if abs(report - exact) <= tolerance:
        return True
    if not step or not math.isfinite(report):
        return False
    inside = min(max(exact, low), high)
    steps = (report - low) / step
    on_grid = abs(steps - round(steps)) * step <= tolerance or report == high
    return on_grid and abs(report - inside) <= step / 2 + tolerance


def grown(low: float, high: float, value: float) -> tuple[float, float]:
    """A range that contains a value: the old one, or one widened to a rounder bound beyond it."""
    if low <= value <= high:
        return low, high
    magnitude = 10.0 ** math.floor(math.log10(abs(value or 1.0)))
    if value > high:
        return low, math.ceil(value / magnitude) * magnitude
    return math.floor(value / magnitude) * magnitude, high
