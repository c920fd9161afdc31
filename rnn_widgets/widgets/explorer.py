"""The explorer: every panel of a lab on one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from rnn_widgets.convert import from_keras, from_torch
from rnn_widgets.core.names import unknown
from rnn_widgets.network import Network
from rnn_widgets.presets import PRESETS, preset
from rnn_widgets.stills import Picture, Still
from rnn_widgets.stills.composed import beside, stacked
from rnn_widgets.stills.picture import sentence

from .catalogue import catalogue
from .lab import Lab
from .sync import Strict
from .views import Toolbar


def _half() -> ipywidgets.Layout:
    return ipywidgets.Layout(width="100%", height="230px", min_width="0")


PANELS: dict[str, Callable[[Lab], ipywidgets.DOMWidget]] = {
    "toolbar": lambda lab: Toolbar(lab, "toolbar", _catalogue=catalogue()),
    "graph": lambda lab: lab.graph(),
    "parameters": lambda lab: lab.matrix(),
    "contributions": lambda lab: lab.contributions_map(),
    "bars": lambda lab: lab.bars("selection", layout=_half()),
    "lag": lambda lab: lab.lag_plot("selection", layout=_half()),
    "chain": lambda lab: lab.chain(),
    "jacobian": lambda lab: lab.jacobian_map(),
    "table": lambda lab: lab.table(),
}
DEFAULT = ("toolbar", "graph", "parameters", "contributions", "bars", "lag", "chain")
MOST_STEPS, MOST_UNITS = 100, 64
STACKED = {"bars", "lag"}  # one above the other, they take no more room than a heat map
HALVES = {"contributions", "jacobian", *STACKED}  # with room, two of them share a line

# The still picture: what is moved with sliders is left out, and the graph is on top.
WIDE = 860.0
FIGURES, MOVED = {"bars", "lag", "jacobian"}, {"toolbar", "parameters"}
BESIDE = (("contributions",), ("bars", "lag"))
TOLD = ("contributions", "chain", "table")


class Explorer(Strict, Still, ipywidgets.VBox):
    """Every panel of a lab on one page. Made by `rnn_widgets.explore`.

    Parameters
    ----------
    lab : Lab
    panels : sequence of str
        Which panels, in their order.
    """

    def __init__(self, lab: Lab, panels: Sequence[str]) -> None:
        self._the_lab = lab
        self._panels: dict[str, Any] = {}
        cells: list[ipywidgets.DOMWidget] = []
        for name in panels:
            panel = self._panels[name] = PANELS[name](lab)
            if name in STACKED and cells and isinstance(cells[-1], ipywidgets.VBox):
                cells[-1].children += (panel,)
            elif name in STACKED:
                cells.append(ipywidgets.VBox([panel]).add_class("rw-stacked"))
            else:
                cells.append(panel.add_class(f"rw-at-{name}"))
            if name in HALVES:
                cells[-1].add_class("rw-half")
        # The grid follows the width of the element around it, which the page gives.
        grid = ipywidgets.Box(cells).add_class("rw-panels")
        super().__init__([grid])
        self.add_class("rw-explorer")
        lab.own(self, grid, *(cell for cell in cells if isinstance(cell, ipywidgets.VBox)))

    @property
    def lab(self) -> Lab:
        """The live state behind the panels."""
        return self._the_lab

    @property
    def net(self) -> Network:
        """The network as it is now, wherever a slider stands. Assign to change it."""
        return self.lab.net

    @net.setter
    def net(self, net: Network) -> None:
        self.lab.net = net

    def _still(self) -> Picture:
        made: dict[str, Picture] = {}
        for name, panel in self._panels.items():
            if name in FIGURES:
                made[name] = panel._still(WIDE / 2, 190.0)
            elif name not in MOVED:
                made[name] = panel._still()
        summary = [line for name in TOLD if name in made for line in made[name].summary]
        columns = [[made.pop(name) for name in names if name in made] for names in BESIDE]
        rows = [made.pop("graph")] if "graph" in made else []
        if any(columns):
            rows.append(beside([stacked(column, []) for column in columns if column], []))
        return stacked([sentence(repr(self), WIDE), *rows, *made.values()], summary)

    def __repr__(self) -> str:
        return f"Explorer({self.net!r})"


def explore(net: Any = None, *, panels: Sequence[str] = DEFAULT, **values: Any) -> Explorer:
    """Open the explorer: build, move and take apart a tiny recurrent network.

    Parameters
    ----------
    net : Network, Lab, torch.nn.Module, keras.layers.Layer or str, optional
        What to explore: a network; a lab, to look at what it holds; an RNN, GRU or LSTM of torch
        or Keras (layer or cell), of which the weights are copied; or a preset's name. By default
        the network of a question that was really asked: which of five unnamed gradients is which?
    panels : sequence of str
        Which panels to show and in which order: "toolbar", "graph", "parameters",
        "contributions", "bars", "lag", "chain", "jacobian", "table".
    **values
        For a layer, what `from_torch` or `from_keras` takes: ``x=`` (T, I), ``h0=``, ``c0=``,
        ``loss=`` and so on; for a network or preset, leaves to replace, as `Network.replace` does.

    Returns
    -------
    Explorer
        A widget; ``.net`` is the network as it is now, ``.lab`` the live state.

    Raises
    ------
    TypeError, KeyError, ValueError, IndexError
        For what cannot be explored, an unknown panel or preset (naming the nearest), values that
        do not fit, or more than 100 steps or 64 units.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> explorer = rw.explore(rw.lstm(2, 3, 4))
    >>> explorer
    Explorer(Network(lstm, input_size=2, hidden_size=3, seq_len=4, loss='seed'))
    """
    if isinstance(panels, str) or not panels:
        raise TypeError(f"panels is a list of names, such as ['graph', 'chain'], not {panels!r}")
    for name in panels:
        if name not in PANELS:
            raise unknown("panel", name, PANELS)
    if len(set(panels)) < len(panels):
        raise ValueError(f"each panel is there once, not {list(panels)!r}")
    if "panel" in values:
        raise TypeError("panels=[…] chooses the panels; there is no panel=")
    lab = _lab(net, values)
    _refuse_large(lab.net)
    return Explorer(lab, panels)


def _refuse_large(net: Network) -> None:
    steps, units = net.program.seq_len, net.program.hidden_size
    if steps > MOST_STEPS or units > MOST_UNITS:
        raise ValueError(
            f"an explorer draws up to {MOST_STEPS} steps and {MOST_UNITS} units, and this network "
            f"has {steps} and {units}: explore a shorter or smaller one; long sequences of a "
            "trained layer are for rw.record and its views"
        )


def _lab(net: Any, values: dict[str, Any]) -> Lab:
    if isinstance(net, Lab):
        if values:
            raise TypeError("a lab has its values: change them with lab.set(…)")
        return net
    if net is None or isinstance(net, str):
        name = "question A" if net is None else net
        lab = Lab(preset(name).replace(**values))
        lab.selection = PRESETS[name].entry
        lab.loss_step, lab.source_step = PRESETS[name].focus
        return lab
    if isinstance(net, Network):
        return Lab(net.replace(**values))
    from rnn_widgets.interop.keras.layers import is_keras

    if not (hasattr(net, "forward") or is_keras(net)):
        raise TypeError(
            "explore takes a network, a lab, a recurrent layer of torch or Keras, or the name of a "
            f"preset, not {type(net).__name__}"
        )
    if isinstance(net, type):
        raise TypeError(f"explore takes a layer, not the class: {net.__name__}(…), with its sizes")
    if "x" not in values:
        raise TypeError(
            f"a recurrent layer is explored with inputs: give x=, of shape (T, I), beside the "
            f"{type(net).__name__}"
        )
    return Lab((from_keras if is_keras(net) else from_torch)(net, **values))
