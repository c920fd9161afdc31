"""A view: one bqplot figure of a recording, what it says, and the controls that move it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import anywidget
import numpy as np
import traitlets
from bqplot import Lines
from ipywidgets import HBox, Layout, VBox, Widget, widget_serialization

from rnn_widgets.stills import Picture, Still
from rnn_widgets.widgets.figures import Figure
from rnn_widgets.widgets.sync import close_earlier_runs

from .drawing import ACCENT, Drawing, Scales, Title, axis, blank_figure, ends
from .images import ALARM
from .options import read
from .scales import Norm
from .selection import Selection
from .stills import of_view

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

HERE = Path(__file__).parent
Legend = list[tuple[str, str, str]]


class Foot(anywidget.AnyWidget):
    """The lines under a figure, and what watches the pointer over it."""

    _esm = HERE / "foot.js"
    _css = HERE / "foot.css"

    figure = traitlets.Instance(Figure).tag(sync=True, **widget_serialization)
    """The figure above it."""

    marker = traitlets.Instance(Lines).tag(sync=True, **widget_serialization)
    """The mark that shows the step; where it is, the browser says."""

    selection = traitlets.Instance(Selection).tag(sync=True, **widget_serialization)
    """Whose step it marks."""

    note = traitlets.Unicode().tag(sync=True)
    """What the numbers are, a sentence or two. Written by Python."""

    legend: Any = traitlets.List().tag(sync=True)
    """Kind, colour and text of each entry. Written by Python."""

    axes = traitlets.Dict().tag(sync=True)
    """Ends of the axes: "across" and "up". Written by Python."""

    steps = traitlets.Dict().tag(sync=True)
    """Where steps are on the axes, empty where there are none. Written by Python."""

    file = traitlets.Unicode("figure").tag(sync=True)
    """Name of a saved file, without its ending."""

    def __repr__(self) -> str:
        return "Foot()"


class View(Still, VBox):
    """A figure of a recording that follows its selection.

    Attributes
    ----------
    figure : bqplot.Figure
        The figure; ``figure.save_png()`` and ``figure.save_svg()`` save it, as its buttons do.
    layers : dict of str to bqplot.Mark
        The marks by what they show, from the back to the front.
    selection : Selection
        What is looked at, shared by all figures of the recording.
    """

    kind = "view"
    what = ""
    _turned = False  # whether what is along goes down the screen
    _parts: Sequence[Widget] = ()  # redrawn
    _kept: Sequence[Widget] = ()  # ipywidgets also closes what was refused while it was made
    follows: tuple[str, ...] = ("sample", "channels", "direction")

    def __init__(self, rec: Recording, given: Mapping[str, object]) -> None:
        self.rec, self.options = rec, read(self.kind, rec, given)
        self.selection = selection = self.options.selection or rec.selection
        self._prepare()
        self.layers: dict[str, Any] = {}
        self.peers: tuple[View, ...] = (self,)
        self.figure = blank_figure(layout=Layout(width="100%", min_width="0"))
        blank = np.full(2, np.nan)
        nowhere = Scales((0.0, 1.0), (0.0, 1.0))
        self._marker = nowhere.lines(
            blank, blank, colors=[ACCENT], stroke_width=1.5, opacities=[0.9]
        )
        self.foot = Foot(
            figure=self.figure,
            marker=self._marker,
            selection=selection,
            file="_".join(part for part in (rec.layer.replace(".", "-"), self.kind) if part),
        )
        self.foot.on_msg(self._asked)
        scales = [nowhere.x, nowhere.y, self.figure.scale_x, self.figure.scale_y]
        self._kept = [self._marker, self.foot, self.figure, *scales]
        self.children: tuple[Any, ...]
        super().__init__([self.figure, self.foot], layout=Layout(width=self.options.width))
        self.add_class("rw-view")
        if self.follows:  # nothing, to traitlets, would mean everything
            selection.observe(self._moved, list(self.follows))
        selection.join(self)
        close_earlier_runs(self)

    def _still(self) -> Picture:
        return of_view(self)

    def __repr__(self) -> str:
        return f"{self.kind}({self.figure.title!r})"

    def _prepare(self) -> None:
        """Look for what the options name, before there is a widget."""
        raise NotImplementedError

    def controls(self) -> list[Widget]:
        """The controls of the selection that move this view."""
        free = [name for name in self.follows if name not in self._fixed()]
        found = (self.selection.control(name) for name in free)
        return [control for control in found if control is not None]

    def _fixed(self) -> set[str]:
        """Traits of the selection that the options leave without effect."""
        return {name for name in self.follows if getattr(self.options, name) is not None}

    def shown(self) -> Self:
        """Draw, with the controls under the figure."""
        if self.options.controls and (widgets := self.controls()):
            row = controls_row(widgets)
            self.children, self._kept = (*self.children, row), [*self._kept, row]
        self.redraw()
        return self

    def norm(self) -> Norm:
        """The scale: of this view alone, or of all that it is compared with."""
        ends = [peer._extent() for peer in self.peers]
        return min(low for low, _ in ends), max(high for _, high in ends)

    @property
    def beside(self) -> bool:
        """Whether it stands beside others, whose legends say what colours mean in little room."""
        return len(self.peers) > 1

    def _extent(self) -> Norm:
        """The ends that this view's numbers ask for."""
        raise NotImplementedError

    def _draw(self, scales: type[Scales]) -> Drawing:
        """Draw the numbers of the recording under the selection."""
        raise NotImplementedError

    def told(self) -> str:
        """What is written under the figure."""
        return self._note()

    def _note(self) -> str:
        """A sentence or two on what the numbers are."""
        return ""

    def _legend(self) -> Legend:
        """Kind, colour and text of what stands under the figure; kinds as in `foot.css`."""
        return []

    def _all_legend(self, title: Title) -> Legend:
        return [*self._legend(), *([("fill", ALARM, "NaN or ±∞")] if title.alarm else [])]

    def read(self, x: float, y: float) -> str:
        """What is at a point of the axes, in words and numbers; empty between panels."""
        return self._read(-y - 0.5, x) if self._turned else self._read(x, y)

    def _read(self, x: float, y: float) -> str:
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw anew, as the selection and the options are now."""
        drawing = self._draw(Scales)
        self.layers, self._turned = drawing.layers, drawing.vertical
        before = self._parts
        some = next(iter(drawing.layers.values())).scales
        self._marker.scales = {"x": some["x"], "y": some["y"]}
        marks = [*drawing.layers.values(), self._marker]
        axes = self._axes(drawing, some)
        with self.figure.hold_sync():
            self.figure.fig_margin = {
                "top": 12 if self.options.title == "" else 34,
                "bottom": 44 if self.options.labels else 24,
                "left": 88 if self.options.labels else 66,
                "right": 16,
            }
            self.figure.marks, self.figure.axes = marks, axes
            self.entitle(drawing.title)
            self.figure.layout.height = f"{self.options.height or drawing.height}px"
        with self.foot.hold_sync():
            across, up = ends(drawing.across, drawing.up, drawing.vertical)
            self.foot.axes = {"across": across, "up": up}
            self.foot.steps = drawing.steps
            self.foot.note = self._note() if len(self.peers) == 1 else ""
            self.foot.legend = self._all_legend(drawing.title)
        self._parts = [*drawing.layers.values(), *axes, *some.values()]
        close_all(before)

    def entitle(self, title: Title) -> None:
        """Write the title, or the user's own with what is not finite."""
        self.what = title.what
        own = self.options.title
        self.figure.title = str(title) if own is None else own + title.alarm

    def _axes(self, drawing: Drawing, scales: dict[str, Any]) -> list[Any]:
        names = (drawing.x_label, drawing.y_label) if self.options.labels else ("", "")
        x_ticks, y_ticks = drawing.x_ticks, drawing.y_ticks
        if drawing.vertical:
            x_ticks, y_ticks = y_ticks, [(-(place + 0.5), text) for place, text in x_ticks]
            names = names[::-1]
        return [
            axis(scales["x"], x_ticks, names[0], label_offset="32px"),
            axis(scales["y"], y_ticks, names[1], side="left", label_offset="72px"),
        ]

    def _restyle(self, name: str) -> bool:
        """Follow a trait of the selection without drawing all anew, if that can be done."""
        return False

    def _moved(self, change: Any) -> None:
        if not self._restyle(change.name):
            self.redraw()

    def _asked(self, _: Widget, content: Any, __: Any) -> None:
        x, y = content["at"]
        self.foot.send({"reading": self.read(x, y)})

    def close(self) -> None:
        """Close it with all that it has made; the recording's selection goes with the last one."""
        if self.comm is not None:
            if self.follows:
                self.selection.unobserve(self._moved, list(self.follows))
            self.selection.leave(self)
        close_all([*self._parts, *self._kept])
        super().close()


def controls_row(controls: Iterable[Widget]) -> HBox:
    """Controls beside one another."""
    row = HBox(list(controls), layout=Layout(flex_flow="row wrap", margin="0 0 0 8px"))
    return row.add_class("rw-controls")


def close_all(widgets: Iterable[Widget]) -> None:
    """Close widgets, and the images of marks among them."""
    for widget in widgets:
        image = getattr(widget, "image", None)
        if image is not None:
            image.close()
        widget.close()
