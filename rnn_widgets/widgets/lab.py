"""`Lab`: the live state behind sliders, figures and tables, and its in-browser engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import anywidget
import ipywidgets
import numpy as np
import traitlets
from ipywidgets import widget_serialization

from rnn_widgets.core.names import parse_entry
from rnn_widgets.core.values import array
from rnn_widgets.network import Network

from . import drives
from .bundle import bundle
from .drives import Drive
from .sliders import SliderBinding, grown
from .state import first_entry, network_to_json, recurrent, witness
from .sync import check_options, current_cell, from_front_end, silently

LEASE_SECONDS = 12.0  # the page renews it every 4 seconds


class Lab(anywidget.AnyWidget):
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

    _network = traitlets.Instance(Network).tag(sync=True, to_json=network_to_json)
    """The program and the exact numbers. Written by Python only; read through `net`."""

    _sliders: Any = traitlets.List().tag(sync=True, **widget_serialization)
    """Which slider moves which entry: {slider, leaf, index}. Written by Python only."""

    _drives: Any = traitlets.List().tag(sync=True, **widget_serialization)
    """Which trait shows which quantity: {widget, trait, quantity, kind, transform}."""

    selection = traitlets.Unicode().tag(sync=True)
    """The parameter entry in focus, such as "weight_hh_l0[0,0]". Written by Python and browser."""

    _by_cell: ClassVar[dict[str, tuple[str, list[Lab]]]] = {}

    def __init__(self, net: Network) -> None:
        # Comm messages may arrive in another thread of the kernel than the one running a cell.
        self._lock = threading.RLock()
        self._bindings: list[SliderBinding] = []
        self._driven: list[Drive] = []
        self._owned: list[ipywidgets.Widget] = []
        self._attached_until = 0.0
        self._silent = False
        self._vanished: set[SliderBinding] = set()
        if not isinstance(net, Network):
            raise TypeError(f"a lab needs a Network, such as rw.rnn(2, 3, 4), not {net!r}")
        super().__init__(_network=net, selection=first_entry(net))
        self.on_msg(self._on_message)
        self._replace_earlier_run()

    # What the network is now

    @property
    def net(self) -> Network:
        """The network as it is now, wherever a slider stands. Assign to change it.

        Raises
        ------
        TypeError
            If what is assigned is not a Network.
        """
        return self._network

    @net.setter
    def net(self, net: Network) -> None:
        if not isinstance(net, Network):
            raise TypeError(f"lab.net must be a Network, not {type(net).__name__}")
        with self._open():
            # Sliders first: a browser then knows that what differs from the network's message
            # is a move made meanwhile.
            for binding in self._bindings:
                self._show_in_slider(binding, net)
            self._network = net
            self._refresh()

    def set(self, **changes: Any) -> None:
        """Change leaves, as `Network.replace` does: ``lab.set(weight_hh_l0=W)``.

        Raises
        ------
        KeyError, ValueError, TypeError, IndexError
            As `Network.replace`; the lab stays as it was.
        """
        with self._open():
            self.net = self.net.replace(**changes)

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
        """
        with self._open():
            leaf, index = parse_entry(entry, self.net.program.leaves)
            if not index:
                raise ValueError(f"a slider moves one entry: name one, such as {leaf}[0]")
            if leaf == "target" and self.net.program.loss == "cross_entropy":
                raise TypeError("classes are whole numbers: change them with lab.set(target=…)")
            for name, bound in (("min", min), ("max", max), ("step", step)):
                array(name, bound)
            if not min < max or not step > 0:
                raise ValueError(f"a slider needs min < max and step > 0: {min}, {max}, {step}")
            value = float(self.net.values[leaf][index])
            low, high = grown(float(min), float(max), value)
            check_options(ipywidgets.FloatSlider, options)
            options.setdefault("description", entry)
            options.setdefault("style", {"description_width": "initial"})
            options.setdefault("readout_format", ".3f")
            slider = ipywidgets.FloatSlider(
                value=value, min=low, max=high, step=float(step), **options
            )
            binding = SliderBinding(slider, leaf, index)
            slider.observe(lambda change: self._on_slider(binding), "value")
            slider.observe(self._forget, "comm")
            self._bindings.append(binding)
            self._owned.append(slider)
            self._sliders = [b.to_json() for b in self._bindings]
            return slider

    def seed_slider(self, step: int, unit: int, **options: Any) -> ipywidgets.FloatSlider:
        """A slider for one seed entry, the same as ``lab.slider("v[step,unit]")``.

        Raises
        ------
        KeyError, IndexError
            If the loss is not "seed", or there is no such step or unit.
        """
        return self.slider(f"v[{step},{unit}]", **options)

    def _show_in_slider(self, binding: SliderBinding, net: Network) -> None:
        shape = net.program.leaves.get(binding.leaf)
        alive = shape is not None and len(shape) == len(binding.index)
        alive = alive and all(i < n for i, n in zip(binding.index, shape or (), strict=True))
        if not alive:
            self._vanished.add(binding)
            binding.slider.disabled = True
        elif binding in self._vanished:
            self._vanished.remove(binding)
            binding.slider.disabled = False
        if alive:
            with _muted(self):
                binding.show(float(net.values[binding.leaf][binding.index]), send=True)

    def _on_slider(self, binding: SliderBinding) -> None:
        with self._lock:
            if self._silent or binding in self._vanished:
                return
            here = from_front_end(binding.slider, "value")
            exact = float(self.net.values[binding.leaf][binding.index])
            if here and binding.only_snapped(exact):
                return
            moved = np.array(self.net.values[binding.leaf])
            moved[binding.index] = binding.slider.value
            try:
                net = self.net.replace(**{binding.leaf: moved})
            except ValueError:
                with _muted(self):
                    binding.show(exact, send=True)
                raise
            with _muted(self):
                for other in self._bindings:
                    same = (other.leaf, other.index) == (binding.leaf, binding.index)
                    if same and other is not binding:
                        other.show(binding.slider.value, send=not here)
            if here:
                # Its browser has drawn the move; a late echo would undo newer ones.
                with silently(self, "_network"):
                    self._network = net
            else:
                self._network = net
            self._refresh()

    # Figures and other widgets

    def drive(
        self, widget: ipywidgets.Widget, trait: str, quantity: str, transform: str = "identity"
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
            ``"adjoint.carried"``, ``"hidden"``, ``"loss"``.
        transform : str
            "identity"; "finite" (0 for what is not); "floored" (absolute values, 0 lifted to the
            end of the axis), "decade_below" and "decade_above", for a logarithmic scale; "limit"
            and "minus_limit" (the largest absolute value), for the ends of a symmetric one.

        Raises
        ------
        KeyError, IndexError, ValueError, TypeError
            For a name that does not exist, naming the nearest, or a trait of the wrong rank.
        """
        with self._open():
            drive = drives.make(widget, trait, quantity, transform, self.net)
            setattr(widget, trait, drive.value(self.net))
            others = [d for d in self._driven if (d.widget, d.trait) != (widget, trait)]
            self._driven = [*others, drive]
            self._drives = [d.to_json() for d in self._driven]
            widget.observe(self._forget, "comm")

    def heatmap(self, wrt: str | None = None, **options: Any) -> ipywidgets.DOMWidget:
        """Heat map of C[t, k]: signed for an entry, the norm for a whole parameter.

        Parameters
        ----------
        wrt : str, optional
            A parameter or entry; by default the first recurrent weight.
        **options
            Traits of the `bqplot.Figure`.

        Returns
        -------
        bqplot.Figure
        """
        from .figures import heatmap

        return heatmap(self, wrt or recurrent(self.net), **options)

    def bars(self, wrt: str | None = None, **options: Any) -> ipywidgets.DOMWidget:
        """What each source step adds to the gradient, stacked by loss step; arguments as `heatmap`.

        Returns
        -------
        bqplot.Figure
        """
        from .figures import bars

        return bars(self, wrt or recurrent(self.net), **options)

    def lag_plot(self, wrt: str | None = None, **options: Any) -> ipywidgets.DOMWidget:
        """What each lag |t − k| adds, in absolute value on a log axis; arguments as `heatmap`.

        Returns
        -------
        bqplot.Figure
        """
        from .figures import lag_plot

        return lag_plot(self, wrt or recurrent(self.net), **options)

    def jacobian_map(
        self,
        t: int | None = None,
        k: int | None = None,
        layer: int = 0,
        reverse: bool = False,
        **options: Any,
    ) -> ipywidgets.DOMWidget:
        """Heat map of the state Jacobian of step t, or with ``k`` of the product ∂s_t/∂s_k.

        Parameters
        ----------
        t : int, optional
            0-based step; the last by default.
        k : int, optional
            An earlier step, −1 for the initial state.
        layer, reverse
            Of which layer and direction, as in `Network.jacobians`.
        **options
            Traits of the `bqplot.Figure`.

        Returns
        -------
        bqplot.Figure
        """
        from .figures import jacobian_map

        self.net.jacobians(layer, reverse)  # refuses what does not exist
        program = self.net.program
        suffix = f"_l{layer}" + ("_reverse" if reverse else "") if program.rows > 1 else ""
        step = program.seq_len - 1 if t is None else t
        return jacobian_map(
            self, f"jacobian{suffix}[{step}{'' if k is None else f',{k}'}]", **options
        )

    def table(self, compare: dict[str, Any] | None = None) -> ipywidgets.DOMWidget:
        """Every gradient under its names, with the accounting line of the selected entry.

        Parameters
        ----------
        compare : dict, optional
            Gradients from elsewhere by any name that `Gradients` knows; each row then says how far
            they are from the network's.

        Returns
        -------
        anywidget.AnyWidget

        Raises
        ------
        KeyError, ValueError, TypeError
            For a name or shape in ``compare`` that the network does not have.
        """
        from .table import Table

        with self._open():
            table = Table(self, compare or {})
            self._owned.append(table)
            return table

    def own(self, *widgets: ipywidgets.Widget) -> None:
        """Close these widgets when the lab is closed."""
        self._owned.extend(widgets)

    def _refresh(self) -> None:
        """Write the figures' data from Python, unless a browser draws them itself."""
        if time.monotonic() < self._attached_until:
            return
        for widget in dict.fromkeys(drive.widget for drive in self._driven):
            mine = [drive for drive in self._driven if drive.widget is widget]
            complete = all(drive.exists(self.net) for drive in mine)
            # Held together, since bqplot checks a map's rows against its colours.
            with widget.hold_sync(), widget.hold_trait_notifications():
                for drive in mine if complete else ():
                    setattr(widget, drive.trait, drive.value(self.net))
                if "visible" in widget.keys:
                    widget.visible = complete

    # Messages from the browser

    def _on_message(self, _: Any, content: Any, buffers: Any) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        with self._lock:
            if kind == "attached":
                self._attached_until = time.monotonic() + LEASE_SECONDS
            elif kind == "detached":
                self._attached_until = 0.0
                self._refresh()
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

    @traitlets.validate("selection")
    def _valid_selection(self, proposal: Any) -> str:
        try:
            leaf, index = parse_entry(proposal["value"], self._network.program.parameters)
        except (KeyError, IndexError, ValueError) as error:
            raise SelectionError(str(error)) from error
        if not index:
            raise SelectionError(f"select one entry of {leaf}, such as {leaf}[0]")
        return f"{leaf}[{','.join(map(str, index))}]"

    # Life and death

    def _replace_earlier_run(self) -> None:
        """Close labs that an earlier run of the same notebook cell made."""
        here = current_cell()
        if here is None:
            return
        cell, run = here
        earlier_run, labs = Lab._by_cell.get(cell, (run, []))
        if earlier_run != run:
            for lab in labs:
                lab.close()
            labs = []
        Lab._by_cell[cell] = (run, [*labs, self])

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
            self._bindings = [b for b in self._bindings if b.slider is not widget]
            self._driven = [d for d in self._driven if d.widget is not widget]
            self._owned = [w for w in self._owned if w is not widget]
            self._sliders = [b.to_json() for b in self._bindings]
            self._drives = [d.to_json() for d in self._driven]

    def close(self) -> None:
        """Close the lab with the sliders, figures and tables that it made."""
        if "_lock" not in self.__dict__:
            return  # it was never made
        with self._lock:
            super().close()
            for widget in self._owned:
                widget.close()
            self._owned.clear()
            self._bindings.clear()
            self._driven.clear()

    def __repr__(self) -> str:
        return f"Lab({self._network!r})"


class SelectionError(traitlets.TraitError, ValueError):
    """The selection is no parameter entry (traitlets takes back only what a TraitError refuses)."""


class _muted:
    """While it lasts, slider observers take no notice: the lab itself is moving sliders."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def __enter__(self) -> None:
        self._outer, self._lab._silent = self._lab._silent, True

    def __exit__(self, *_: object) -> None:
        self._lab._silent = self._outer
