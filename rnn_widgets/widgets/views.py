"""The explorer's panels as widgets of their own; the lab's bundle draws them all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from ipywidgets import widget_serialization

from rnn_widgets.stills import Picture, Still
from rnn_widgets.stills.chain import chain
from rnn_widgets.stills.contributions import contributions
from rnn_widgets.stills.focus import Focus
from rnn_widgets.stills.network import network
from rnn_widgets.stills.parameters import parameters
from rnn_widgets.stills.picture import sentence

from .sync import Strict
from .table import STUB

if TYPE_CHECKING:
    from .lab import Lab


class View(Strict, Still, anywidget.AnyWidget):
    """One panel of a lab."""

    _esm = STUB

    _kind = traitlets.Unicode().tag(sync=True)
    """Which of the lab's views this is."""

    _lab = traitlets.Instance(anywidget.AnyWidget).tag(sync=True, **widget_serialization)
    """The lab that draws it."""

    def __init__(self, lab: Lab, kind: str, **options: Any) -> None:
        super().__init__(_lab=lab, _kind=kind, **options)
        lab.own(self)

    def _focus(self) -> Focus:
        lab = self._lab
        return Focus(lab.selection, lab.loss_step, lab.source_step)

    def _still(self, width: float = 860) -> Picture:
        net, focus = self._lab.net, self._focus()
        if self._kind == "chain":
            return chain(net, focus, width)
        if self._kind == "contributions":
            return contributions(net, focus, min(width, 430))
        return sentence(repr(net), width)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._lab!r})"


class Graph(View):
    """The network unrolled in time. Made by `Lab.graph`."""

    lens = traitlets.Enum(("values", "adjoints", "flow"), "flow").tag(sync=True)
    """What the colours show. Written by Python and browser."""

    part = traitlets.Enum(("direct", "carried", "total"), "total").tag(sync=True)
    """Which adjoint the lens "adjoints" shows. Written by Python and browser."""

    layer = traitlets.Int(0).tag(sync=True)
    """Which layer is drawn, from the input up. Written by Python and browser."""

    reverse = traitlets.Bool(False).tag(sync=True)
    """Whether the direction from the last step to the first is drawn. Written likewise."""

    def _still(self, width: float = 860) -> Picture:
        drawn = self.lens, self.part, self.layer, self.reverse
        return network(self._lab.net, self._focus(), *drawn, width)


class Parameters(View):
    """Matrices of sliders. Made by `Lab.matrix` and by the explorer."""

    leaves = traitlets.List(traitlets.Unicode(), allow_none=True, default_value=None).tag(sync=True)
    """The leaves to show, all for None. Written by Python only."""

    tools = traitlets.Bool(False).tag(sync=True)
    """Whether the tools of each open leaf are in sight, not behind a button. Written by Python."""

    def _still(self, width: float = 860) -> Picture:
        return parameters(self._lab.net, self.leaves, width)


class Toolbar(View):
    """Presets, cell, sizes, loss, truncation, undo and redo. Made by the explorer."""

    _catalogue = traitlets.Dict().tag(sync=True)
    """Cells and presets as Python makes them, so that changing one needs no kernel."""
