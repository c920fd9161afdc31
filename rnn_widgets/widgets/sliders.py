"""Sliders bound to entries: ordinary ipywidgets sliders whose exact value the lab keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import ipywidgets

from .sync import silently


@dataclass(frozen=True, eq=False)
class SliderBinding:
    """A slider and the entry that it moves, for example ``"weight_hh_l0"``, ``(0, 1)``."""

    slider: ipywidgets.FloatSlider
    leaf: str
    index: tuple[int, ...]

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
