"""The picture of a network unrolled in time: states, and what passes between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnn_widgets.core.labels import subscript
from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network

from .cells import cells
from .colours import ACCENT, ALARM, LINE, PAIR, QUIET, TEXT, blend, deep, depths, ink, limit, shade
from .flow import Flow
from .focus import Focus, overflow
from .picture import Picture, cut, points
from .written import fitting, steady, three_digits

LEFT, RIGHT, TOP = 46.0, 20.0, 84.0
MOST_UNITS, MOST_STEPS = 34, 48  # beyond, the states are a heat map
MOST_CIRCLES = 90  # beyond, dots of one colour are one path
MOST_DOTS = 560  # beyond, the states are a heat map
MOST_EDGES = 250
LEAST = 0.02  # of the largest: thinner edges are left out
WIDTHS = (0.7, 1.3, 2.2, 3.4)  # of edges, by their size
DOT_DEPTHS = 8
BLANK = "#e9ecf0"  # of a dot that is zero
MOST_LABELS = 24


@dataclass(frozen=True)
class Numbers:
    """What is drawn: of states (columns, S), and of edges to each step's state (T, S, S).

    ``initial`` is the column of the initial state; ``of`` and ``between`` say what they are.
    """

    nodes: Array
    edges: Array
    initial: int
    of: str
    between: str


def network(
    net: Network,
    focus: Focus,
    lens: str = "flow",
    part: str = "total",
    layer: int = 0,
    reverse: bool = False,
    width: float = 860,
) -> Picture:
    """One layer and direction unrolled in time.

    Parameters
    ----------
    net : Network
    focus : Focus
        Whose flow the lens "flow" shows.
    lens, part, layer, reverse
        As in `Lab.graph`; a layer or direction that the network no longer has is its first.
    width : float
        In pixels.

    Returns
    -------
    Picture
    """
    program = net.program
    layer = layer if layer < program.num_layers else 0
    block = layer * program.directions + (reverse and program.bidirectional)
    made = numbers(net, focus, lens, part, block)
    of, told = made.of, [focus.told(net)]
    where = f"{program.blocks[block].label.lstrip('_')}, " if program.rows > 1 else ""
    title = f"The network unrolled in time: {where}{of}"
    lost = overflow(net)
    told = [f"{where}{of}", *told, *[lost] * bool(lost)]
    steps, units = made.nodes.shape
    if units > MOST_UNITS or steps > MOST_STEPS + 1 or steps * units > MOST_DOTS:
        return _as_map(made, title, told, width)
    return _Drawing(net, focus, made, lens, block, title, told, width).picture


def numbers(net: Network, focus: Focus, lens: str, part: str, block: int) -> Numbers:
    """The numbers of a lens, zero where there are none, as for the initial state's adjoint."""
    program = net.program
    here, steps = program.blocks[block], program.seq_len
    initial = steps if here.reverse else 0
    if lens == "flow":
        flow = Flow(net, *focus.entry(net), focus.loss_step, focus.source_step)
        with np.errstate(all="ignore"):
            columns = np.stack([flow.leaving(block, step) for step in range(steps)])
        edges = np.stack([flow.between(block, step) for step in range(steps)])
        told = f"how {focus.name} of {focus.selection} flows"
        return Numbers(_with_initial(columns, initial), steady(edges), initial, told, "flow")
    layer, direction = divmod(block, program.directions)
    jacobians = net.jacobians(layer, bool(direction))
    edges = steady(np.stack([jacobians[step] for step in range(steps)]))
    states = program.cell.states
    if lens == "values":
        trace = net.forward()
        found = [
            _row(trace.hidden if s == "h" else trace.cell, program.rows, block) for s in states
        ]
        together = steady(np.concatenate(found, axis=-1))
        return Numbers(together, edges, initial, "values of states", "state Jacobians")
    adjoints = net.adjoints()
    both = [adjoints, adjoints.cell]
    found = [_row(getattr(a, part), program.rows, block) for a in both if a is not None]
    columns = np.concatenate(found, axis=-1)
    told = f"{part} adjoints ∂L/∂{'h' if len(states) == 1 else '(h, c)'}"
    return Numbers(_with_initial(columns, initial), edges, initial, told, "state Jacobians")


def _row(array: Array, rows: int, block: int) -> Array:
    return array if rows == 1 else np.asarray(array[block])


def _with_initial(columns: Array, initial: int) -> Array:
    return steady(np.insert(columns, initial, 0.0, axis=0))


def _as_map(made: Numbers, title: str, told: list[str], width: float) -> Picture:
    columns, units = made.nodes.shape
    high = min(max(3.0, 400 / units), 12.0) * units
    picture = Picture(width, 60 + high + 24, told)
    picture.text(12, 20, cut(title, width - 24), font_weight=600)
    end = limit(made.nodes)
    key = f"rows: {units} state entries; columns: the initial state and {columns - 1} steps; "
    picture.text(12, 37, f"{key}blue −, orange +, up to {three_digits(end)}", fill=QUIET)
    cells(picture, made.nodes.T, (LEFT, 50, width - LEFT - RIGHT, high), end)
    picture.text(width / 2, 50 + high + 17, "step t", fill=QUIET, text_anchor="middle")
    return picture


class _Drawing:
    """Circles, edges and words of one picture."""

    def __init__(
        self,
        net: Network,
        focus: Focus,
        made: Numbers,
        lens: str,
        block: int,
        title: str,
        told: list[str],
        width: float,
    ) -> None:
        self.net, self.focus, self.made, self.lens = net, focus, made, lens
        self.block = net.program.blocks[block]
        columns, units = made.nodes.shape
        self.width: float = width
        self.apart: float = (width - LEFT - RIGHT) / columns
        self.radius: float = min(15.0, self.apart * 0.27, 200 / units)
        self.pitch: float = 2 * self.radius + (5 if self.radius > 8 else 3)
        self.hidden: int = net.program.hidden_size
        self.bottom: float = TOP + units * self.pitch + 8 * (len(net.program.cell.states) - 1)
        self.picture = Picture(width, self.bottom + 50, told)
        self.end = limit(made.nodes, made.edges) if lens == "flow" else limit(made.nodes)
        self._words(title)
        self._lines()
        self._edges()
        if made.nodes.size > MOST_CIRCLES:
            self._dots()
        else:
            self._circles()

    def x(self, column: int) -> float:
        """The middle of a column."""
        return LEFT + (column + 0.5) * self.apart

    def y(self, unit: int) -> float:
        """The middle of a state entry's row."""
        return TOP + (unit + 0.5) * self.pitch + 8 * (unit // self.hidden)

    def column(self, step: int) -> int:
        """The column of a step's state."""
        return step if self.block.reverse else step + 1

    def _words(self, title: str) -> None:
        picture, made = self.picture, self.made
        picture.text(12, 20, cut(title, self.width - 24), font_weight=600)
        ends = f"up to {three_digits(self.end)}"
        key = f"circles: {ends}; lines: {made.between}"
        if self.lens != "flow":
            key += f" up to {three_digits(limit(made.edges))}"
        picture.text(12, 37, f"{key}; orange +, blue and dashed −", fill=QUIET)
        picture.open(fill=QUIET, font_size=10)
        units = made.nodes.shape[1]
        for unit in range(0, units, -(-units // MOST_LABELS)):
            state = self.net.program.cell.states[unit // self.hidden]
            words = f"{state}[{unit % self.hidden}]"
            picture.text(LEFT - 6, self.y(unit) + 3.5, words, text_anchor="end")
        picture.shut()

    def _lines(self) -> None:
        """Losses above, inputs below, and the lines to them."""
        picture, program = self.picture, self.net.program
        steps = program.seq_len
        every = -(-steps // MOST_LABELS)
        top, low = self.y(0) - self.radius, self.y(self.made.nodes.shape[1] - 1) + self.radius
        up, down = [], []
        picture.open(fill=QUIET, font_size=10.5, text_anchor="middle")
        for step in range(steps):
            x = self.x(self.column(step))
            down.append(f"M{points(x, low)}V{points(self.bottom + 13)}")
            if step % every == 0:
                picture.text(x, self.bottom + 24, f"x{subscript(step + 1)}")
            if step not in program.loss_steps:
                continue
            up.append(f"M{points(x, top)}V62")
            mine = self.lens == "flow" and step == self.focus.loss_step
            if mine or step % every == 0:
                style: dict[str, str | float] = {"fill": ACCENT, "font_weight": 600}
                picture.text(x, 58, f"L{subscript(step + 1)}", **style if mine else {})
        states = ", ".join(f"{s}₀" for s in program.cell.states)
        picture.text(self.x(self.made.initial), self.bottom + 24, states)
        picture.shut()
        picture.path("".join(up + down), stroke=LINE, fill="none")
        leaf, _ = self.focus.entry(self.net)
        if self.lens == "flow" and leaf in self.block.leaves.values():
            self._use()

    def _use(self) -> None:
        """The step whose copy of the entry is left free."""
        x, r = self.x(self.column(self.focus.source_step)), self.radius
        picture, top = self.picture, self.y(0) - self.radius - 4
        box = (x - r - 4, top, 2 * r + 8, self.bottom - top + 1)
        picture.rect(*box, fill="none", stroke=ACCENT, stroke_width=1.5, rx=r)
        words = f"{self.focus.selection} at step k = {self.focus.source_step + 1}"
        half = 3.2 * len(words)
        x = min(max(x, half + 10), self.width - half - 10)
        picture.text(x, self.bottom + 41, words, text_anchor="middle", fill=ACCENT)

    def _edges(self) -> None:
        edges = self.made.edges
        end = self.end if self.lens == "flow" else limit(edges)
        sizes = np.where(np.isfinite(edges), np.abs(edges) / end, 1.0).ravel()
        sizes[sizes < LEAST] = 0
        strongest = np.argsort(-sizes, kind="stable")[:MOST_EDGES]
        drawn: dict[tuple[int, int], list[str]] = {}
        for at in strongest[sizes[strongest] > 0]:
            step, i, j = (int(n) for n in np.unravel_index(at, edges.shape))
            value = float(edges[step, i, j])
            sign = int(np.sign(value)) if np.isfinite(value) else 0
            depth = min(int(sizes[at] ** 0.5 * len(WIDTHS)), len(WIDTHS) - 1)
            to = self.column(step)
            before = to + 1 if self.block.reverse else to - 1
            ends = points(self.x(before), self.y(j)), points(self.x(to), self.y(i))
            drawn.setdefault((depth, sign), []).append(f"M{ends[0]}L{ends[1]}")
        for (depth, sign), lines in sorted(drawn.items()):
            strength = 0.35 + 0.65 * depth / (len(WIDTHS) - 1)
            color = blend(PAIR[sign > 0], strength) if sign else ALARM
            dashed: dict[str, str | float] = {"stroke_dasharray": "5 3"} if sign < 0 else {}
            self.picture.path("".join(lines), stroke=color, stroke_width=WIDTHS[depth], **dashed)

    def _circles(self) -> None:
        picture, nodes = self.picture, self.made.nodes
        for (column, unit), value in np.ndenumerate(nodes):
            at = self.x(column), self.y(unit)
            picture.circle(*at, self.radius, fill=shade(value, self.end), stroke="#8b949e")
        picture.open(font_size=9 if self.radius > 12 else 8, text_anchor="middle")
        room = int((2 * self.radius - 1) / 5)
        for (column, unit), value in np.ndenumerate(nodes):
            if value == 0:
                continue
            words = fitting(value, room) or ("−" if value < 0 else "")
            at = self.x(column), self.y(unit) + 3.2
            picture.text(*at, words, fill=ink(value, self.end))
        picture.shut()

    def _dots(self) -> None:
        """One path for each depth of each colour."""
        nodes, found = self.made.nodes, dict[int, list[str]]()
        for (column, unit), level in np.ndenumerate(depths(nodes, self.end, DOT_DEPTHS)):
            at = points(self.x(column), self.y(unit))
            found.setdefault(int(level), []).append(f"M{at}h0")
        self.picture.open(stroke_linecap="round")
        wide = 2 * self.radius
        for depth, places in sorted(found.items()):
            color = deep(depth, DOT_DEPTHS) if depth else BLANK
            self.picture.path("".join(places), stroke=color, stroke_width=wide)
        self.picture.shut()
        below = np.argwhere(nodes < 0)
        half = self.radius * 0.4
        dashes = [f"M{points(self.x(c) - half, self.y(u))}h{2 * half:.1f}" for c, u in below]
        if dashes and self.radius >= 4:
            self.picture.path("".join(dashes), stroke=TEXT, stroke_width=1)
