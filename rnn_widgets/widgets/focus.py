"""What is in focus: an entry and a contribution, in Python and in every view."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from rnn_widgets.core.names import first_entry, parse_entry
from rnn_widgets.interop.names import native
from rnn_widgets.network import Network

from . import state
from .sync import Strict


class Focus(Strict, anywidget.AnyWidget):
    """The part of a lab that says what its views look at."""

    _network: Network

    selection = traitlets.Unicode().tag(sync=True)
    """The parameter entry in focus, such as "weight_hh_l0[0,0]". Written by Python and browser."""

    loss_step = traitlets.Int().tag(sync=True)
    """The loss step t in focus, 0 to T − 1; at first the last one. Written likewise."""

    source_step = traitlets.Int().tag(sync=True)
    """The source step k in focus, 0 to T − 1; at first two earlier. Written likewise."""

    def _keep_focus(self) -> None:
        """Focus on what exists."""
        steps = self._network.program.seq_len
        try:
            parse_entry(self.selection, self._network.program.parameters)
        except (KeyError, IndexError):
            self.selection = state.first_entry(self._network)
        if max(self.loss_step, self.source_step) >= steps:
            self.loss_step, self.source_step = steps - 1, min(self.source_step, steps - 1)

    @traitlets.validate("loss_step", "source_step")
    def _valid_step(self, proposal: Any) -> int:
        steps = self._network.program.seq_len
        if not 0 <= proposal["value"] < steps:
            name = proposal["trait"].name
            raise StepError(f"{name} goes from 0 to {steps - 1}, not {proposal['value']}")
        return int(proposal["value"])

    @traitlets.validate("selection")
    def _valid_selection(self, proposal: Any) -> str:
        try:
            program = self._network.program
            leaf, index = parse_entry(native(program, proposal["value"]), program.parameters)
        except (KeyError, IndexError, ValueError) as error:
            raise SelectionError(str(error)) from None
        if not index:
            example = first_entry(leaf, program.parameters[leaf])
            raise SelectionError(f"select one entry of {leaf}, such as {example}")
        return f"{leaf}[{','.join(map(str, index))}]"


class SelectionError(traitlets.TraitError, ValueError):
    """The selection is no parameter entry (traitlets takes back only what a TraitError refuses)."""


class StepError(traitlets.TraitError, IndexError):
    """No step of the network."""
