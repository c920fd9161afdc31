"""What is looked at: an entry and one of its contributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rnn_widgets.core.names import parse_entry
from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network

from .written import cell_name, steady, three_digits


@dataclass(frozen=True)
class Focus:
    """A parameter entry such as ``"weight_hh_l0[0,1]"`` and 0-based steps t and k."""

    selection: str
    loss_step: int
    source_step: int

    def entry(self, net: Network) -> tuple[str, tuple[int, ...]]:
        """The parameter and the index."""
        return parse_entry(self.selection, net.program.parameters)

    def contributions(self, net: Network) -> Array:
        """C[t, k] of the entry, (T, T)."""
        leaf, index = self.entry(net)
        place: tuple[Any, ...] = (slice(None), slice(None), *index)
        return steady(net.contributions()[leaf][place])

    @property
    def name(self) -> str:
        """The contribution's name: ``C₃,₂``."""
        return cell_name(self.loss_step, self.source_step)

    def told(self, net: Network) -> str:
        """The contribution in words."""
        here = self.contributions(net)[self.loss_step, self.source_step]
        return f"{self.name} of {self.selection}: {three_digits(float(here))}"


def overflow(net: Network) -> str:
    """A sentence where a network's numbers overflow, else nothing."""
    step = net.forward().overflow
    if step is not None:
        return f"The network overflows from t = {step + 1} on."
    if not all(np.isfinite(array).all() for array in net.gradients().values()):
        return "The gradients overflow on the way back."
    return ""
