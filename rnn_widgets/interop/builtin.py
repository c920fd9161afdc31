"""Which of the built-in cells a template is, told by its equations and not by its name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from rnn_widgets.core import cells
from rnn_widgets.core.template import Template


@dataclass(frozen=True)
class Builtin:
    """A built-in cell.

    ``kind`` is "rnn", "gru" or "lstm"; ``bias`` True, "single" or False; ``nonlinearity`` is that
    of an rnn and ``reset_after`` that of a gru.
    """

    kind: str
    bias: bool | str
    nonlinearity: str = "tanh"
    reset_after: bool = True

    @property
    def module(self) -> str | None:
        """The class in torch.nn that computes the same, None if there is none."""
        if self.nonlinearity not in ("tanh", "relu") or not self.reset_after:
            return None
        return self.kind.upper()


def builtin(cell: Template) -> Builtin | None:
    """The built-in cell whose equations these are, None for a user's own."""
    return _known().get(_equations(cell))


def _equations(cell: Template) -> str:
    return json.dumps(cell.to_json() | {"name": ""})


@lru_cache(maxsize=1)
def _known() -> dict[str, Builtin]:
    known = {}
    for bias in (True, "single", False):
        for f in cells.NONLINEARITIES:
            known[_equations(cells.rnn_cell(f, bias))] = Builtin("rnn", bias, nonlinearity=f)
        for after in (True, False):
            known[_equations(cells.gru_cell(after, bias))] = Builtin("gru", bias, reset_after=after)
        known[_equations(cells.lstm_cell(bias))] = Builtin("lstm", bias)
    return known
