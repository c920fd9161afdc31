"""What a lab draws: figures and views."""

from __future__ import annotations

from typing import Any

import ipywidgets
from traitlets import TraitError

from rnn_widgets.interop.names import native

from .focus import Focus
from .state import recurrent
from .sync import check_options
from .views import Graph, Parameters, View


class Panels(Focus):
    """The part of a lab that makes what is looked at."""

    def heatmap(self, wrt: str | None = None, **options: Any) -> ipywidgets.DOMWidget:
        """Heat map of C[t, k]: signed for an entry, the norm for a whole parameter.

        Parameters
        ----------
        wrt : str, optional
            A parameter or entry, or "selection" to follow the one in focus; by default the first
            recurrent weight.
        **options
            Traits of the `bqplot.Figure`.

        Returns
        -------
        bqplot.Figure

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> lab = rw.Lab(rw.rnn(2, 3, seq_len=4))
        >>> lab.heatmap("weight_hh_l0[0,1]").marks[0].color.shape  # C[t, k]
        (4, 4)
        """
        from .figures import heatmap

        return heatmap(self, wrt or recurrent(self._network), **options)

    def bars(self, wrt: str | None = None, **options: Any) -> ipywidgets.DOMWidget:
        """What each source step adds to the gradient, stacked by loss step; arguments as `heatmap`.

        Returns
        -------
        bqplot.Figure
        """
        from .figures import bars

        return bars(self, wrt or recurrent(self._network), **options)

    def lag_plot(self, wrt: str | None = None, **options: Any) -> ipywidgets.DOMWidget:
        """What each lag |t − k| adds, in absolute value on a log axis; arguments as `heatmap`.

        Returns
        -------
        bqplot.Figure
        """
        from .figures import lag_plot

        return lag_plot(self, wrt or recurrent(self._network), **options)

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

        self._network.jacobians(layer, reverse)  # refuses what does not exist
        program = self._network.program
        suffix = f"_l{layer}" + ("_reverse" if reverse else "") if program.rows > 1 else ""
        step = program.seq_len - 1 if t is None else t
        return jacobian_map(
            self, f"jacobian{suffix}[{step}{'' if k is None else f',{k}'}]", **options
        )

    def graph(self, lens: str = "flow", **options: Any) -> ipywidgets.DOMWidget:
        """The network unrolled in time, to be stepped through operation by operation.

        Parameters
        ----------
        lens : str
            What the colours show: "values", "adjoints" or "flow", the way of C[t, k] in focus.
        **options
            ``part``, of the adjoints: "direct", "carried" or "total"; ``layer`` and ``reverse``,
            of which layer and direction; traits of `anywidget.AnyWidget`.

        Returns
        -------
        anywidget.AnyWidget

        Raises
        ------
        traitlets.TraitError
            For a lens or part that does not exist.
        """
        return self._view(Graph, "graph", lens=lens, **options)

    def chain(self, **options: Any) -> ipywidgets.DOMWidget:
        """The product behind C[t, k] in focus, its ranked chain-rule terms, and the accounting.

        Returns
        -------
        anywidget.AnyWidget
        """
        return self._view(View, "chain", **options)

    def contributions_map(self, **options: Any) -> ipywidgets.DOMWidget:
        """C[t, k] of the entry in focus with its sums; a click puts a cell in focus.

        Returns
        -------
        anywidget.AnyWidget
        """
        return self._view(View, "contributions", **options)

    def matrix(self, *names: str, tools: bool = False, **options: Any) -> ipywidgets.DOMWidget:
        """A slider for every entry of a leaf, each with its gradient.

        Parameters
        ----------
        *names : str
            Leaves such as ``"weight_hh_l0"``, ``"x"`` or ``"v"``; without any, all of them.
        tools : bool
            Show what can be done to a whole matrix, such as to scale it to another spectral
            radius, beside its sliders; by default it is behind the button "⋯".
        **options
            Traits of `anywidget.AnyWidget`.

        Returns
        -------
        anywidget.AnyWidget

        Raises
        ------
        KeyError
            For a leaf that does not exist, naming the nearest.
        traitlets.TraitError
            If ``tools`` is neither True nor False.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> lab = rw.Lab(rw.rnn(2, 3, seq_len=4))
        >>> lab.matrix("weight_hh_l0", tools=True).leaves
        ['weight_hh_l0']
        """
        net = self._network
        leaves = [native(net.program, name, ordered=False) for name in names]
        for leaf in leaves:
            net.values[leaf]  # refuses what does not exist
        shown = {"leaves": leaves or None, "tools": tools}
        return self._view(Parameters, "parameters", **shown, **options)

    def _view(self, view: type[View], kind: str, **options: Any) -> View:
        check_options(view, options)
        with self._open():
            try:
                return view(self, kind, **options)
            except TraitError as error:  # made deep inside ipywidgets, and of what was given here
                raise error.with_traceback(None) from None

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

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> lab = rw.Lab(rw.rnn(2, 3, seq_len=4))
        >>> lab.table(compare={"Wh": [[0] * 3] * 3}).compare["weight_hh_l0"][0]
        [0.0, 0.0, 0.0]
        """
        from .table import Table

        with self._open():
            table = Table(self, compare or {})
            self.own(table)
            return table
