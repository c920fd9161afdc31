"""`Lab`: the live state behind sliders, figures and tables, and its in-browser engine."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets
import traitlets
from ipywidgets import widget_serialization

from rnn_widgets.network import Network

from .bundle import bundle
from .drives import Drives
from .panels import Panels
from .sliders import Sliders
from .state import (
    aliases_to_json,
    first_entry,
    first_source,
    network_from_json,
    network_to_json,
    witness,
)
from .sync import close_earlier_runs, from_front_end, silently


class Lab(Panels):
    """A network that is live: move a slider, and every figure follows at each of its steps.

    The numbers that figures show are computed in the browser; Python computes the same ones when
    asked, and while no browser is attached keeps the figures right by itself.

    Parameters
    ----------
    net : Network
        Where to start.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> lab = rw.Lab(rw.rnn(2, 3, seq_len=4))
    >>> slider = lab.slider("weight_hh_l0[0,1]", min=-2, max=2)
    >>> slider.value = 1.5
    >>> float(lab.net.values["weight_hh_l0"][0, 1])
    1.5
    """

    _esm = bundle("lab.js")
    _css = bundle("lab.css")
    _view_name: Any = traitlets.Unicode(None, allow_none=True).tag(sync=True)

    _network = traitlets.Instance(Network).tag(
        sync=True, to_json=network_to_json, from_json=network_from_json
    )
    """The program and the exact numbers. Written by Python and browser; read through `net`."""

    _aliases = traitlets.Dict().tag(sync=True)
    """What other frameworks call each leaf: leaf name to names. Written by Python only."""

    _sliders: Any = traitlets.List().tag(sync=True, **widget_serialization)
    """Which slider moves which entry: {slider, leaf, index}. Written by Python only."""

    _drives: Any = traitlets.List().tag(sync=True, **widget_serialization)
    """Which trait shows which quantity: {widget, trait, quantity, kind, transform, text, name}."""

    def __init__(self, net: Network) -> None:
        # Comm messages may arrive in another thread of the kernel than the one running a cell.
        self._lock = threading.RLock()
        self._moving = Sliders(self)
        self._showing = Drives()
        self._owned: list[ipywidgets.Widget] = []
        if not isinstance(net, Network):
            raise TypeError(f"a lab needs a Network, such as rw.rnn(2, 3, 4), not {net!r}")
        super().__init__(
            _network=net,
            _aliases=aliases_to_json(net),
            selection=first_entry(net),
            loss_step=net.program.loss_steps[-1],
            source_step=first_source(net.program.loss_steps[-1]),
        )
        self.on_msg(self._on_message)
        close_earlier_runs(self)

    # What the network is now

    @property
    def net(self) -> Network:
        """The network as it is now, wherever a slider stands. Assign to change it.

        Raises
        ------
        TypeError
            If what is assigned is not a Network.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> lab = rw.Lab(rw.rnn(2, 3, seq_len=4))
        >>> lab.net = rw.lstm(2, 3, seq_len=6, loss="mse")
        >>> lab.net
        Network(lstm, input_size=2, hidden_size=3, seq_len=6, loss='mse')
        """
        return self._network

    @net.setter
    def net(self, net: Network) -> None:
        if not isinstance(net, Network):
            raise TypeError(f"lab.net must be a Network, not {type(net).__name__}")
        with self._open():
            # Sliders first: a browser then knows that what differs from the network's message
            # is a move made meanwhile.
            self._moving.follow(net)
            self._take(net)

    def set(self, **changes: Any) -> None:
        """Change leaves, as `Network.replace` does: ``lab.set(weight_hh_l0=W)``.

        Raises
        ------
        KeyError, ValueError, TypeError, IndexError
            As `Network.replace`; the lab stays as it was.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> lab = rw.Lab(rw.rnn(2, 3, seq_len=4))
        >>> slider = lab.slider("h0[1]")
        >>> lab.set(h0=[0, 0.25, 0])
        >>> slider.value
        0.25
        """
        with self._open():
            self.net = self.net._moved(changes)

    # Sliders

    def slider(
        self,
        entry: str,
        min: float = -2.0,
        max: float = 2.0,
        step: float = 0.01,
        **options: Any,
    ) -> ipywidgets.FloatSlider:
        """An ordinary ipywidgets slider for one entry of one leaf.

        Parameters
        ----------
        entry : str
            For example ``"weight_hh_l0[0,1]"``, ``"x[2,0]"`` or ``"v[2,0]"``.
        min, max, step : float
            The range, which grows when a value leaves it, and the step; dimensionless. The lab
            keeps exact values: a slider merely shows them rounded to its step.
        **options
            Further traits of `ipywidgets.FloatSlider`.

        Returns
        -------
        ipywidgets.FloatSlider

        Raises
        ------
        KeyError, IndexError, ValueError, TypeError
            For an entry that does not exist or a range that is none.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> lab = rw.Lab(rw.rnn(2, 3, seq_len=4))
        >>> slider = lab.slider("x[2,0]", min=-1, max=1)
        >>> slider.value = 0.123456789
        >>> float(lab.net.values["x"][2, 0])
        0.123456789
        """
        with self._open():
            slider = self._moving.make(entry, min, max, step, options)
            slider.observe(self._forget, "comm")
            self._owned.append(slider)
            self._sliders = self._moving.to_json()
            return slider

    def seed_slider(self, step: int, unit: int, **options: Any) -> ipywidgets.FloatSlider:
        """A slider for one seed entry, the same as ``lab.slider("v[step,unit]")``.

        Raises
        ------
        KeyError, IndexError
            If the loss is not "seed", or there is no such step or unit.
        """
        return self.slider(f"v[{step},{unit}]", **options)

    @traitlets.observe("_network")
    def _on_network(self, change: Any) -> None:
        """Follow a network of another program, and one that a browser has put in place."""
        net = change.new
        if not isinstance(change.old, Network):
            return
        if net.program is not change.old.program:
            self._aliases = {}  # so that a page hears of the same names told of another structure
            self._aliases = aliases_to_json(net)
            self._keep_focus()
        if from_front_end(self, "_network"):
            self._moving.follow(net, send=False)
            self._showing.refresh(net, self.selection)

    @traitlets.observe("selection")
    def _on_selection(self, change: Any) -> None:
        if isinstance(change.old, str) and change.old:
            self._showing.refresh(self._network, self.selection)

    def _take(self, net: Network, *, send: bool = True) -> None:
        """Have another network; without ``send`` its browser has it already."""
        # What a browser has drawn must not come back to it late, and undo newer moves.
        with silently(self, *(() if send else ("_network",))):
            self._network = net
        self._showing.refresh(net, self.selection)

    # Other widgets

    def drive(
        self,
        widget: ipywidgets.Widget,
        trait: str,
        quantity: str,
        transform: str = "identity",
        *,
        text: str = "{}",
        name: str = "",
    ) -> None:
        """Show a quantity in a trait of any widget, such as a mark of your own bqplot figure.

        While a page is open the browser sets the trait, and the copy that Python holds may lag
        behind: read numbers from `net`.

        Parameters
        ----------
        widget : ipywidgets.Widget
        trait : str
            A synchronised trait that holds numbers or text.
        quantity : str
            For example ``"gradient[weight_hh_l0]"``, ``"contribution[weight_hh_l0[0,1]]"``,
            ``"adjoint.carried"``, ``"hidden"``, ``"loss"``; ``"gradient[selection]"`` follows the
            entry in focus.
        transform : str
            "identity"; "finite" (0 for what is not); "floored" (absolute values, 0 lifted to the
            end of the axis), "decade_below" and "decade_above", for a logarithmic scale; "limit"
            and "minus_limit" (the largest absolute value), for the ends of a symmetric one.
        text : str
            What a trait of text says, for example ``"loss {}"``: the number stands for "{}".
        name : str
            Makes the text a title, which under this name says where numbers overflow.

        Raises
        ------
        KeyError, IndexError, ValueError, TypeError
            For a name that does not exist, naming the nearest, or a trait of the wrong rank.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> lab, label = rw.Lab(rw.rnn(2, 3, seq_len=4)), ipywidgets.Label()
        >>> lab.drive(label, "value", "gradient[h0[1]]", text="∂L/∂h₀[1] = {}")
        >>> lab.set(v=[[0, 0, 0]] * 4)
        >>> label.value
        '∂L/∂h₀[1] = 0'
        """
        with self._open():
            self._showing.make(
                *(widget, trait, quantity, transform, text, name),
                net=self.net,
                selection=self.selection,
            )
            widget.observe(self._forget, "comm")
            self._drives = self._showing.to_json()

    def fresh(self, widgets: Iterable[ipywidgets.Widget]) -> dict[tuple[int, str], Any]:
        """What driven traits of widgets show now, by the widget's id and the trait.

        While a page is open, the traits themselves lag behind.
        """
        with self._lock:
            return self._showing.fresh(widgets, self.net, self.selection)

    def own(self, *widgets: ipywidgets.Widget) -> None:
        """Close these widgets when the lab is closed."""
        self._owned.extend(widgets)

    # Messages from the browser

    def _on_message(self, _: Any, content: Any, buffers: Any) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        with self._lock:
            if kind == "attached":
                self._showing.leave_to_browser()
            elif kind == "detached":
                self._showing.take_over(self.net, self.selection)
            elif kind == "confirm":
                self.send(witness(self.net, content.get("id")))
            else:
                raise ValueError(f"an unknown message came from the browser: {content!r:.200}")

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take a browser's message; one that is refused leaves the state, here and there."""
        with self._lock:
            try:
                super().set_state(sync_data)
            except Exception:
                self.send_state([name for name in sync_data if name in self.keys])
                raise

    # Life and death

    @contextmanager
    def _open(self) -> Iterator[None]:
        """Hold the lab's state, which must not have been closed."""
        with self._lock:
            if self.comm is None:
                raise RuntimeError("this lab is closed: make another with rw.Lab(lab.net)")
            yield

    def _forget(self, change: Any) -> None:
        """Let go of a slider or a driven widget that has been closed."""
        widget = change.owner
        if change.new is not None or self.comm is None:
            return
        with self._lock:
            self._owned = [w for w in self._owned if w is not widget]
            self._moving.forget(widget)
            self._showing.forget(widget)
            self._sliders, self._drives = self._moving.to_json(), self._showing.to_json()

    def close(self) -> None:
        """Close the lab with the sliders, figures and tables that it made.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> lab = rw.Lab(rw.rnn(2, 3, seq_len=4))
        >>> slider = lab.slider("h0[1]")
        >>> lab.close()
        >>> slider.comm is None
        True
        """
        if "_lock" not in self.__dict__:
            return  # it was never made
        with self._lock:
            super().close()
            for widget in self._owned:
                widget.close()
            self._owned.clear()
            self._moving.clear()
            self._showing.clear()

    def __repr__(self) -> str:
        return f"Lab({self._network!r})"
