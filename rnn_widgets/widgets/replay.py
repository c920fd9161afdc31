"""Right contributions, a mistake's, and their difference: three heat maps on one colour scale."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from ipywidgets import Layout

from rnn_widgets.core.names import parse_parameter
from rnn_widgets.core.norms import norms
from rnn_widgets.core.ops import Array
from rnn_widgets.interop.names import native
from rnn_widgets.stills import Picture, Still
from rnn_widgets.stills.composed import beside, stacked
from rnn_widgets.stills.picture import sentence

from .figures import MOST_STEPS, diverging, framed, parts, tooltip_of
from .state import recurrent
from .sync import close_earlier_runs
from .transforms import transformed

if TYPE_CHECKING:
    from rnn_widgets.pitfalls import Pitfall

WIDE = 860.0
STYLE = "line-height: 1.4; margin: 0 0 4px"


class ReplayMap(Still, ipywidgets.VBox):
    """A mistake's contributions beside the right ones. Made by `Pitfall.heatmap`.

    Parameters
    ----------
    pitfall : Pitfall
        Made from a lab, it is followed through every change, until the lab or this is closed.
    wrt : str, optional
        A parameter or entry; the first recurrent weight by default. Of a lab also "selection".
    **options
        Traits of the three figures.
    """

    def __init__(self, pitfall: Pitfall, wrt: str | None = None, **options: Any) -> None:
        self._pitfall = pitfall
        self._wrt = recurrent(pitfall.net) if wrt is None else wrt
        lab = pitfall.lab
        if self._wrt == "selection" and lab is None:
            raise ValueError("a network has no selection: name a parameter or entry, such as 'x'")
        signed = bool(self._parsed()[1])
        what = "C[t, k]" if signed else "‖C[t, k]‖"
        self._what = what
        titles = ("right", pitfall.name, "wrong − right" if signed else "‖wrong − right‖")
        made = [diverging(("source step k", "loss step t"), signed, _tip(what)) for _ in range(3)]
        self._marks = [mark for mark, _ in made]
        self._axes = [axes for _, axes in made]
        self._keys = [axes[0].label for axes in self._axes]
        options = {"layout": Layout(width="100%", height="300px", min_width="0")} | options
        self._figures = [
            framed(title, [mark], axes, dict(options))
            for title, (mark, axes) in zip(titles, made, strict=True)
        ]
        columns = Layout(grid_template_columns="repeat(auto-fit, minmax(300px, 1fr))")
        self._said = ipywidgets.HTML()
        self._grid = ipywidgets.GridBox(self._figures, layout=columns)
        super().__init__()
        self.add_class("rw-replay")
        self._draw()
        if lab is not None:
            lab.own(self)
            lab.observe(self._changed, ["_network", "selection"])
        close_earlier_runs(self)

    def _entry(self) -> str:
        lab = self._pitfall.lab
        return lab.selection if self._wrt == "selection" else self._wrt

    def _parsed(self) -> tuple[str, tuple[int, ...]]:
        program = self._pitfall.net.program
        return parse_parameter(native(program, self._entry(), ordered=False), program)

    def _changed(self, _: Any) -> None:
        self._draw()

    def _arrays(self) -> list[Array]:
        """Right, wrong, and the difference: (T, T) each."""
        name, index = self._parsed()
        pitfall = self._pitfall
        found = (pitfall.net.contributions(), pitfall.contributions(), pitfall.difference())
        if index:
            entry: Any = (slice(None), slice(None), *index)
            return [made[name][entry] for made in found]
        return [norms(made[name], tuple(range(2, made[name].ndim))) for made in found]

    def _draw(self) -> None:
        """Show the network as it is now, or say why there is nothing to show."""
        missing = self._missing()
        told = [missing] if missing else self._pitfall._told(self._what, *self._parsed())
        self._told = " ".join(told)
        lines = "\n".join(f'<p style="{STYLE}">{escape(line)}</p>' for line in told)
        self._said.value = f'<div role="status">{lines}</div>'
        shown = [self._said] if missing else [self._said, self._grid]
        self.children = shown  # the same ones are no change
        if missing:
            return
        arrays = self._arrays()
        limit = float(transformed(np.stack(arrays), "limit"))
        steps = np.arange(1.0, len(arrays[0]) + 1)
        for array, mark, axes, key in zip(arrays, self._marks, self._axes, self._keys, strict=True):
            color = mark.scales["color"]
            with color.hold_sync():
                color.min, color.max = -limit, limit
            # Together: a browser's map checks its rows against its colours.
            with mark.hold_sync(), mark.hold_trait_notifications():
                mark.row, mark.column, mark.color = steps, steps, array
            axes[0].label = key.replace("{}", f"{limit:.4g}")
            for axis in axes:
                axis.num_ticks = MOST_STEPS

    def _missing(self) -> str:
        """Why there are no maps to show; "" where there are."""
        if self._pitfall.why_not:
            return self._pitfall.sentence
        try:
            self._parsed()
        except (KeyError, IndexError, ValueError) as error:  # a name of Keras's may join leaves now
            of = self._entry()
            why = str(error).removesuffix(".")
            return f"{of} does not exist in this network, so there are no maps of it: {why}."
        return ""

    def _still(self) -> Picture:
        said = sentence(self._told, WIDE)
        if self._missing():
            return said
        maps = [figure._still(WIDE / 3, 220.0) for figure in self._figures]
        return stacked([said, beside(maps, [])], [self._told])

    def close(self) -> None:
        """Close the widget with its figures, and follow the lab no more."""
        if self.comm is None:
            return
        super().close()
        if (lab := self._pitfall.lab) is not None:
            lab.unobserve(self._changed, ["_network", "selection"])
        for widget in (self._said, self._grid, *(p for f in self._figures for p in parts(f))):
            widget.close()

    def __repr__(self) -> str:
        return f"ReplayMap({self._pitfall.name!r}, {self._wrt!r})"


def _tip(what: str) -> Any:
    return tooltip_of(
        row="loss step t",
        rowNum="loss_step",
        column="source step k",
        columnNum="source_step",
        color=what,
    )
