"""The contenders of the browser's benchmarks: how they are moved, timed and checked.

Both sides stand in one notebook and take turns, so that a machine that slows down slows both down.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Locator, Page
from pytest_benchmark.fixture import BenchmarkFixture

import rnn_widgets as rw
from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network

ENTRY, START, STEP = "weight_hh_l0[0,1]", 0.26, 0.01
WARM_UP, PRESSES, MOVES = 12, 20, 60
PROBE = Path(__file__).with_name("probe.js").read_text(encoding="utf-8")

Picture = dict[str, Any]
Shows = Callable[[Picture, Array], bool]


@dataclass(frozen=True)
class Subject:
    """The network whose entry is moved, here and as code for a notebook."""

    cell: str
    sizes: tuple[int, int, int]

    @property
    def steps(self) -> int:
        return self.sizes[2]

    @property
    def code(self) -> str:
        return f"""
import rnn_widgets as rw
net = rw.{self.cell}{self.sizes}
weight = net.values["weight_hh_l0"].copy()
weight[0, 1] = {START}
net = net.replace(weight_hh_l0=weight)
"""

    @lru_cache(maxsize=1000)  # noqa: B019 - a subject lives as long as the tests
    def network(self, value: float) -> Network:
        net: Network = getattr(rw, self.cell)(*self.sizes)
        weight = net.values["weight_hh_l0"].copy()
        weight[0, 1] = value
        return net.replace(weight_hh_l0=weight)

    def contributions(self, value: float) -> Array:
        return self.network(value).contributions()["weight_hh_l0"][:, :, 0, 1]

    @property
    def largest(self) -> int:
        """The cell of C[t, k] by which a fresh picture is told from a stale one."""
        return int(np.abs(self.contributions(START)).argmax())


def opacity(fill: str) -> float:
    found = re.fullmatch(r"rgba\(.*,\s*([\d.]+)\)", fill)
    return float(found[1]) if found else 1.0


def up_to_scale(drawn: Array, truth: Array, tolerance: float) -> bool:
    """Whether what is on the screen is the truth in some unit."""
    unit = (drawn @ truth) / (truth @ truth)
    return bool(np.abs(drawn - unit * truth).max() < tolerance)


def cells_show(picture: Picture, c: Array) -> bool:
    return bool(np.abs(np.reshape(picture["colors"], c.shape) - c).max() <= 1e-9)


def heat_shows(picture: Picture, c: Array) -> bool:
    opacities = np.array([opacity(fill) for fill in picture["fills"]])
    return cells_show(picture, c) and up_to_scale(opacities, np.abs(c).ravel(), 0.01)


def bars_show(picture: Picture, c: Array) -> bool:
    return up_to_scale(np.array(picture["heights"]), np.abs(c).T.ravel(), 1e-3)


def line_shows(picture: Picture, c: Array) -> bool:
    """Whether the logarithmic line has the true shape; a lag that adds nothing lies at its foot."""
    y = np.array([float(point.split(",")[1]) for point in re.split("[ML]", picture["line"])[1:]])
    sizes = np.abs([np.trace(c, -lag) for lag in range(len(c))])
    some = sizes > 0
    logs = np.log10(sizes[some])
    return up_to_scale(y[some].max() - y[some], logs - logs.min(), 1e-2)


class Side:
    """One of the contenders: what it shows, and whether that is right."""

    def __init__(
        self,
        page: Page,
        name: str,
        subject: Subject,
        shows: Sequence[Shows],
        handle: str = ".noUi-handle",
        also: Callable[[Picture, float], bool] = lambda picture, value: True,
    ) -> None:
        self.page, self.name, self.subject, self.shows = page, name, subject, shows
        self.handle, self.also = handle, also
        self.value = START
        self.forwards = True
        self.stale = 0
        self.rested: list[float] = []
        """Milliseconds until what waits for the hand to rest was drawn, where anything did."""

    def presses(self, count: int) -> list[float]:
        """Press an arrow key again and again; milliseconds until each was drawn by all views."""
        self._turn_to()
        taken = []
        for _ in range(count):
            self.page.keyboard.press("ArrowRight" if self.forwards else "ArrowLeft")
            self.value = round(self.value + (STEP if self.forwards else -STEP), 2)
            taken.append(self._settle())
        self.forwards = not self.forwards
        return taken

    def drag(self) -> Drag:
        """Drag the handle by one pixel at a time; the next drag goes the other way."""
        self._turn_to()
        box = self._handle().bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.evaluate("() => probe.startDrag()")
        for i in range(1, MOVES + 1):
            self.page.mouse.move(x + i if self.forwards else x - i, y)
        self.page.mouse.up()
        self.value = self._slider()
        self._settle()
        self.forwards = not self.forwards
        recorded = self.page.evaluate("() => probe.endDrag()")
        return Drag.of(self.subject, self.shows, **recorded)

    def _slider(self) -> float:
        return round(float(self.page.evaluate("() => probe.value()")), 2)

    def _turn_to(self) -> None:
        self.page.evaluate(
            "([name, handle]) => probe.watch(name, handle)", [self.name, self.handle]
        )
        self._handle().focus()
        self.value = self._slider()

    def _handle(self) -> Locator:
        return self.page.locator(f".{self.name} {self.handle}")

    def _settle(self) -> float:
        c = self.subject.contributions(self.value)
        cell = self.subject.largest
        settled: dict[str, Any] = self.page.evaluate(
            "([cell, color]) => probe.settled(cell, color)", [cell, float(c.flat[cell])]
        )
        picture = settled["picture"]
        fresh = all(shows(picture, c) for shows in self.shows) and self.also(picture, self.value)
        self.stale += not fresh
        if settled["rested"] is not None:
            self.rested.append(float(settled["rested"]))
        return float(settled["latency"])


@dataclass(frozen=True)
class Drag:
    """How many steps the slider took in drags, and how late all figures had drawn each."""

    steps: int
    late: list[float]
    seconds: float

    @classmethod
    def of(
        cls,
        subject: Subject,
        shows: Sequence[Shows],
        steps: list[dict[str, float]],
        pictures: list[Picture],
    ) -> Drag:
        """Look for every step's numbers among the pictures that came after it."""
        late = []
        for step in steps:
            c = subject.contributions(round(step["value"], 2))
            after = [picture for picture in pictures if picture["at"] >= step["at"]]
            drawn = [next((p["at"] for p in after if shown(p, c)), None) for shown in shows]
            late += [max(at for at in drawn if at) - step["at"]] if None not in drawn else []
        return cls(len(steps), late, (steps[-1]["at"] - steps[0]["at"]) / 1000)

    def __add__(self, other: Drag) -> Drag:
        return Drag(self.steps + other.steps, self.late + other.late, self.seconds + other.seconds)


def in_turns(*sides: Side, blocks: int) -> list[list[float]]:
    """Each side's key presses, in blocks that take turns, after a warm-up of each."""
    for side in sides:
        side.presses(WARM_UP)
    taken = [[side.presses(PRESSES) for side in sides] for _ in range(blocks)]
    return [[ms for block in of_side for ms in block] for of_side in zip(*taken, strict=True)]


def drags_in_turns(*sides: Side, count: int) -> list[Drag]:
    rounds = [[side.drag() for side in sides] for _ in range(count)]
    return [sum(of_side[1:], of_side[0]) for of_side in zip(*rounds, strict=True)]


def row(benchmark: BenchmarkFixture, name: str, ms: list[float]) -> str:
    """A line of the printed table; its numbers are kept with the benchmark's own record."""
    p50, p95 = np.percentile(ms, [50, 95]).tolist()
    benchmark.extra_info.update({f"{name} p50": p50, f"{name} p95": p95})
    return f"{name:34}{p50:8.1f}{p95:8.1f}"


def key_rows(
    benchmark: BenchmarkFixture, name: str, ours: list[float], theirs: list[float], who: str = "lab"
) -> list[str]:
    ratio = float(np.median(theirs) / np.median(ours))
    benchmark.extra_info[f"{name}: faster"] = ratio
    return [
        row(benchmark, f"{name}: {who}", ours),
        row(benchmark, f"{name}: plain", theirs),
        f"{name}: the {who} is {ratio:.1f} × faster (at least 3)",
    ]


def drag_rows(benchmark: BenchmarkFixture, name: str, drag: Drag) -> list[str]:
    benchmark.extra_info[f"drag: {name} drew"] = len(drag.late) / drag.steps
    share, rate = f"{len(drag.late)} of {drag.steps}", drag.steps / drag.seconds
    return [
        row(benchmark, f"drag: {name}", drag.late or [float("nan")]),
        f"drag: {name} drew {share} steps, at {rate:.0f} steps a second",
    ]
