"""The table of named gradients, a view that the lab's own bundle draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from ipywidgets import widget_serialization

from rnn_widgets.core.gradients import Gradients
from rnn_widgets.core.values import array
from rnn_widgets.stills import Picture, Still
from rnn_widgets.stills.table import gradients

if TYPE_CHECKING:
    from .lab import Lab

# Views carry no code of their own: the lab's model has it, so ten views cost one bundle.
STUB = """export default {
  async render({ model, el, host, signal }) {
    const lab = await host.getWidget(model.get("_lab").replace("IPY_MODEL_", "anywidget:"));
    return lab.exports.mount(el, model, signal);
  },
};
"""


class Table(Still, anywidget.AnyWidget):
    """Every gradient under its names, and whether its witnesses agree. Made by `Lab.table`."""

    _esm = STUB

    _kind = traitlets.Unicode("table").tag(sync=True)
    """Which of the lab's views this is."""

    _lab = traitlets.Instance(anywidget.AnyWidget).tag(sync=True, **widget_serialization)
    """The lab that draws it."""

    compare = traitlets.Dict().tag(sync=True)
    """Gradients from elsewhere in PyTorch's layout: leaf name to nested lists."""

    def __init__(self, lab: Lab, compare: dict[str, Any]) -> None:
        gradients = lab.net.gradients()
        super().__init__(_lab=lab, compare=_by_leaf(gradients, compare))

    def _still(self, width: float = 860) -> Picture:
        return gradients(self._lab.net, self.compare, width)

    def __repr__(self) -> str:
        return f"Table({self._lab!r})"


def _by_leaf(gradients: Gradients, compare: dict[str, Any]) -> dict[str, Any]:
    """Check the gradients to compare with: leaf name to nested lists."""
    laid_out = (gradients.to_leaf(name, array(name, given)) for name, given in compare.items())
    return {leaf: values.tolist() for leaf, values in laid_out}
