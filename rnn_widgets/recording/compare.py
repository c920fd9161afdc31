"""Recordings side by side, on one scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, GridBox, Layout, VBox

from rnn_widgets.core.names import unknown
from rnn_widgets.stills import Picture, Still
from rnn_widgets.widgets.sync import close_earlier_runs

from .views import Views
from .views.selection import Selection
from .views.stills import of_views
from .views.view import View, close_all, controls_row

if TYPE_CHECKING:
    from .recording import Recording

MOST_BESIDE = 3  # figures beside one another, unless told
VIEWS = ("features_0d", "features_1d", "features_2d", "flow", "heatmap", "histogram", "lag")


class Comparison(Still, VBox):
    """Views of several recordings, made by `compare`.

    Attributes
    ----------
    views : dict of str to View
        The view of each recording, by its name.
    selection : Selection
        What all of them look at.
    """

    def __init__(self, views: Mapping[str, View], selection: Selection, columns: int) -> None:
        self.views, self.selection = dict(views), selection
        self._columns = columns
        for view in views.values():
            view.layout.width, view.layout.min_width = "auto", "0"
        found = (control for view in views.values() for control in view.controls())
        controls = dict.fromkeys(found)
        share = f"minmax(max(280px, {100 / columns:.4g}% - 8px), 1fr)"
        wrap = Layout(grid_template_columns=f"repeat(auto-fit, {share})", grid_gap="0 8px")
        first = next(iter(views.values()))
        heading = HTML(f"<b>{escape(first.what)}</b>, on one scale. {escape(first.told())}")
        self._kept = [heading, GridBox(list(views.values()), layout=wrap), controls_row(controls)]
        super().__init__(self._kept)
        self.add_class("rw-view")
        close_earlier_runs(self)

    def _still(self) -> Picture:
        views = list(self.views.values())
        heading = f"{views[0].what}, on one scale. {views[0].told()}"
        return of_views(views, heading, self._columns)

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.views)})"

    def close(self) -> None:
        """Close it, its views and what they look at."""
        for view in self.views.values():
            view.close()
        close_all([*self._kept, self.selection])
        super().close()


def compare(
    recordings: Mapping[str, Recording],
    *,
    view: str = "features_2d",
    columns: int | None = None,
    **options: Any,
) -> Comparison:
    """Show several recordings side by side, on one scale.

    They may be of other models, or of one layer at different moments of training. Where T or H
    differ each has its own axes; the scale of the numbers is the same.

    Parameters
    ----------
    recordings : dict of str to Recording
        Name to recording, in the order in which they are shown.
    view : str
        One of a recording's figures: "features_0d", "features_1d", "features_2d", "flow",
        "heatmap", "histogram", "lag".
    columns : int, optional
        Figures beside one another; by default up to three.
    **options
        What that figure takes, such as ``what`` or ``norm``.

    Returns
    -------
    Comparison
        Which is shown as the last line of a cell. Its figures follow a selection of its own.

    Raises
    ------
    KeyError
        If there is no such view.
    ValueError, TypeError
        If there is nothing to compare, or an option is not one of that view.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> x, kinds = torch.ones(5, 4, 2), {"RNN": torch.nn.RNN(2, 3), "GRU": torch.nn.GRU(2, 8)}
    >>> recs = {name: rw.record(m, x, lambda out: out[0].sum()) for name, m in kinds.items()}
    >>> both = rw.compare(recs, view="flow")
    >>> both
    Comparison(RNN, GRU)
    >>> both.views["RNN"].norm() == both.views["GRU"].norm()
    True
    """
    if view not in VIEWS:
        raise unknown("view", view, VIEWS)
    given: Any = recordings
    if not isinstance(given, Mapping) or not given:
        raise TypeError('compare takes a dict such as {"RNN": rec1, "LSTM": rec2}')
    for name, rec in recordings.items():
        if not isinstance(name, str):
            raise TypeError(f"recordings go by names, which are text, not {name!r}")
        if not isinstance(rec, Views):
            raise TypeError(f"{name} is no recording of rw.record, but {type(rec).__name__}")
    if columns is not None and columns < 1:
        raise ValueError(f"columns is at least 1, not {columns}")
    selection = _selection(list(recordings.values()))
    views: dict[str, View] = {}
    for name, rec in recordings.items():
        keywords = {"title": name, **options, "controls": False, "selection": selection}
        views[name] = getattr(rec, view)(**keywords)
    for made in views.values():
        made.peers = tuple(views.values())
        made.redraw()
    rows = math.ceil(len(views) / MOST_BESIDE)
    return Comparison(views, selection, columns or math.ceil(len(views) / rows))


def _selection(recordings: list[Recording]) -> Selection:
    """A selection of what all of them have."""
    gates = [tuple(rec.gates) for rec in recordings]
    return Selection(
        steps=max(rec.steps for rec in recordings),
        samples=min(rec.samples for rec in recordings),
        channels=min(rec.hidden for rec in recordings),
        directions=min(rec.directions for rec in recordings),
        gates=gates[0] if len(set(gates)) == 1 else (),
    )
