"""The figure of a watch: adjoints by timestep as training goes, with a slider back through it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import bqplot
import numpy as np
from ipywidgets import HBox, Image, IntSlider, Label, Layout, ToggleButtons, VBox

from rnn_widgets.stills import Picture, Still
from rnn_widgets.widgets.sync import close_earlier_runs

from .views.drawing import ACCENT, drawable
from .views.flow import PARTS, STYLES
from .views.images import ALARM, NOTHING, colours, levels, png
from .views.maps import place_ticks
from .views.scales import Scale, decades
from .views.selection import Selection
from .views.stills import WIDE, of_figures
from .views.telling import SUM
from .views.text import at_step, not_finite, three_digits
from .views.view import close_all
from .watch_panel import Panel, bars, linear
from .watch_parts import Shown, shown

if TYPE_CHECKING:
    from .watched import Watched

SECONDS = 0.25  # between one drawing and the next while training goes on
EMPTY = "nothing recorded yet"
PAIR = colours("blue-orange")
SCALES = {"absolute": "absolute", "÷ pass's largest": "largest", "÷ loss": "loss"}
RELATIVE = {"absolute": "", "largest": " ÷ the pass's largest", "loss": " ÷ the loss"}
NO_LOSS = "tell the loss with watch.note_loss(loss) to see norms relative to it"
ANY_LENGTH = 10**9  # how long sequences will be is not known yet


class WatchView(Still, VBox):
    """Norms of adjoints against time at one moment of training, beside a map of all moments.

    Attributes
    ----------
    moment : ipywidgets.IntSlider
        Which recorded pass the lines show, counted from 0; it follows training until it is moved.
    scale, direction, state : ipywidgets.ToggleButtons
        What norms are relative to, whose they are, and of h or an LSTM's c.
    map, curves : Panel
        Both figures, ``.figure`` of bqplot and what stands under it.
    """

    def __init__(self, watch: Watched, scale: str = "absolute", direction: str = "both") -> None:
        self._watch = watch
        self._drawn = 0.0
        self._following = False
        self._shown: Shown | None = None
        self._selection = Selection(steps=ANY_LENGTH, samples=1, channels=1, directions=1, gates=())
        self._make_panels()
        self.moment = IntSlider(
            0, 0, 0, description="moment", readout=False, layout=Layout(width="320px")
        )
        self._told = Label(EMPTY)
        noted = scale == "loss" or bool(np.isfinite(watch.losses).any())
        self.scale = _switch("norms", list(SCALES.items())[: 3 if noted else 2], scale)
        self.direction = _switch(
            "direction", ["both", "forward", "reverse"][: 2 * watch.directions - 1], direction
        )
        self.state = _switch("state", ["h", "c"] if watch.cell is not None else ["h"], "h")
        switches = [self.scale, self.direction, self.state]
        used = [one for one in switches if len(one.options) > 1]
        figures = HBox([self.map.box, self.curves.box], layout=Layout(flex_flow="row wrap"))
        row = Layout(flex_flow="row wrap", margin="0 0 0 8px")
        below, chosen = HBox([self.moment, self._told], layout=row), HBox(used, layout=row)
        chosen.add_class("rw-controls")
        self._kept = [self.moment, self._told, *switches, figures, below, chosen]
        self._whole = (figures, below, chosen)
        self.children: tuple[Any, ...]
        super().__init__([below])
        self.add_class("rw-view")
        self.moment.observe(self._moved, "value")
        for one in switches:
            one.observe(self._switched, "value")
        close_earlier_runs(self)
        self.follow()

    def _make_panels(self) -> None:
        self._across, self._down = linear(0.5, 1.5), linear(-0.5, 0.5, reverse=True)
        self._up = linear(-1.0, 1.05)
        file = "_".join(part for part in (self._watch.layer.replace(".", "-"), "watch") if part)
        wide = 320 if self._watch.directions == 1 else 420
        self.map = Panel(self._selection, self._across, self._down, "pass", f"{file}_map", wide)
        self.curves = Panel(self._selection, self._across, self._up, "norm", file, wide)
        self._lines = {
            part: self.curves.line(color, width, line_style=style)
            for part, (color, style, width) in STYLES.items()
        }
        self._lines["total"].opacities = [0.5]
        blank = Image(value=png(np.full((1, 1), NOTHING, np.uint8), PAIR), format="png")
        self._image = bqplot.Image(image=blank, scales=self.map.scales, pixelated=True)
        self._now = self.map.line(ACCENT, 2)
        self._lost = self.curves.line(ALARM, 1.5)
        self.map.put([self._image, self._now], self._read_map)
        self.curves.put([*self._lines.values(), self._lost], self._read_curves)

    def _still(self) -> Picture:
        figures = [panel.figure._still(WIDE / 2) for panel in (self.map, self.curves)]
        return of_figures(figures, _legend(), f"{self._told.value}. {SUM}")

    def __repr__(self) -> str:
        return f"WatchView({self._told.value!r})"

    def close(self) -> None:
        """Close it with all that it has made."""
        if self.comm is not None:
            for panel in (self.map, self.curves):
                panel.close()
            close_all([self._across, self._down, self._up, self._selection, *self._kept])
        super().close()

    def grow(self) -> None:
        """Show what has been recorded, unless that was done a moment ago."""
        if time.perf_counter() - self._drawn >= SECONDS:
            self.follow()

    def follow(self) -> None:
        """Show all that has been recorded; at its last moment, unless another one is looked at."""
        watch = self._watch
        if not len(watch.passes):
            return
        if len(self.scale.options) == 2 and np.isfinite(watch.losses).any():
            self.scale.options = list(SCALES.items())
        latest = self.moment.value == self.moment.max
        self._following = True
        self.moment.max = len(watch.passes) - 1
        if latest:
            self.moment.value = self.moment.max
        self._following = False
        self._draw()
        # Not before: bqplot misses what comes while a figure is being put on the page.
        if len(self.children) < len(self._whole):
            self.children = self._whole
        self._drawn = time.perf_counter()

    def _switched(self, _: Any) -> None:
        if len(self._watch.passes):
            self._draw()

    def _moved(self, _: Any) -> None:
        if not self._following:
            self._show()

    def _draw(self) -> None:
        of = self._shown = shown(
            self._watch, self.scale.value, self.direction.value, self.state.value
        )
        everything = np.stack(list(of.parts.values()))
        self._height = Scale(*decades(everything), "log")
        self._across.max = of.width + 0.5
        self._up.max = 1.2 if len(of.names) > 1 else 1.05
        self._draw_map(of)
        ticks = [
            (of.at(n, step), str(step + 1))
            for n in range(len(of.names))
            for step in place_ticks(of.steps, 8 // len(of.names))
        ]
        up = [-1.0, self._up.max]
        self.curves.label(ticks, self._height.ticks(), of.captions(1.12))
        self.curves.tell(of.marks(up, 0.0), [0.5, of.width + 0.5], up, _legend(), SUM)
        down = [self._down.max, self._down.min]
        rows = [(float(i), str(self._watch.passes[i])) for i in place_ticks(len(of.real), 6)]
        self.map.label(ticks, rows, of.captions((self._down.min - 0.5) / 2))
        ramp = f"linear-gradient(to right, transparent, {PAIR[1]})"
        ends = f"{three_digits(self._depth.low * 10)} to {three_digits(self._depth.high)}"
        text = f"{ends}, logarithmic; zero is blank"
        self.map.tell(
            of.marks(down, 0.5),
            [0.5, of.width + 0.5],
            down,
            [("ramp", ramp, text)],
            NO_LOSS if of.without_loss else "",
        )
        self._show()

    def _draw_map(self, of: Shown) -> None:
        total = of.parts["total"]
        self._depth = scale = Scale(*decades(total), "log")
        depth = (np.clip(scale.place(total), -1, 1) + 1) / 2
        places = np.where(of.real, levels(depth, Scale(0.0, 1.0)), NOTHING)
        image = Image(value=png(of.side_by_side(places, NOTHING), PAIR), format="png")
        before, self._image.image = self._image.image, image
        before.close()
        rows = len(places)
        self._down.max = rows - 0.5
        self._down.min = -0.5 - (0.12 * rows if len(of.names) > 1 else 0.0)
        with self._image.hold_sync():
            self._image.x, self._image.y = (0.5, of.width + 0.5), (rows - 0.5, -0.5)
        self.map.figure.title = self._map_title + not_finite(total[of.real])

    @property
    def _map_title(self) -> str:
        symbol = "∂L/∂cₜ" if self.state.value == "c" else "∂L/∂hₜ"
        return f"‖{symbol}‖{self._relative} as training goes"

    @property
    def _relative(self) -> str:
        return RELATIVE[self.scale.value]

    def _show(self) -> None:
        of, at = self._shown, self.moment.value
        if of is None or at >= len(of.real):
            return
        for part, line in self._lines.items():
            x, y = of.curve(self._height.place(of.parts[part][at]))
            with line.hold_sync():
                line.visible = bool(np.isfinite(y).any())
                if line.visible:
                    line.x, line.y = drawable(x), drawable(y)
        now = np.stack([numbers[at][of.real[at]] for numbers in of.parts.values()])
        lost = of.lost(at)
        with self._lost.hold_sync():
            self._lost.visible = bool(lost.size)
            if lost.size:
                self._lost.x, self._lost.y = map(drawable, bars(lost))
        watch = self._watch
        what = f"adjoints of {self.state.value}ₜ{self._relative}"
        self.curves.figure.title = f"{what} in pass {watch.passes[at]}{not_finite(now)}"
        with self._now.hold_sync():
            self._now.x = np.array([0.5, of.width + 0.5])
            self._now.y = np.full(2, float(at))
            self._now.visible = True
        loss = watch.losses[at]
        noted = "" if np.isnan(loss) else f" · loss {three_digits(float(loss))}"
        self._told.value = f"pass {watch.passes[at]} of {watch.passes[-1]}{noted}"

    def _read_map(self, x: float, y: float) -> str:
        row = round(y)
        if self._shown is None or not 0 <= row < len(self._shown.real):
            return ""
        return self._read(x, row, ("total",), f"pass {self._watch.passes[row]} · ")

    def _read_curves(self, x: float, _: float) -> str:
        return self._read(x, self.moment.value, PARTS, "")

    def _read(self, x: float, row: int, parts: tuple[str, ...], where: str) -> str:
        of = self._shown
        found = None if of is None else of.locate(x)
        if of is None or found is None or not of.real[row][found]:
            return ""
        name = f" · {of.names[found[0]]}" if len(of.names) > 1 else ""
        told = ", ".join(
            f"{part} {three_digits(float(of.parts[part][row][found]))}" for part in parts
        )
        return f"{where}{at_step(found[1])}{name} · norm{self._relative}: {told}"


def _switch(what: str, options: list[Any], value: str) -> ToggleButtons:
    return ToggleButtons(
        options=options,
        value=value,
        description=what,
        style={"button_width": "auto", "description_width": "initial"},
        layout=Layout(width="max-content"),
    )


def _legend() -> list[tuple[str, str, str]]:
    kinds = {"total": "broad"}
    return [(kinds.get(part, STYLES[part][1]), STYLES[part][0], part) for part in PARTS]
