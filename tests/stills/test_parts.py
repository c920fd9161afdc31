"""The parts that still pictures are made of: cells, bars, lines, tables, the flow."""

from __future__ import annotations

import re

import numpy as np
import pytest

import rnn_widgets as rw
from rnn_widgets.core.ops import Array
from rnn_widgets.stills import Picture
from rnn_widgets.stills.cells import cells
from rnn_widgets.stills.colours import ACCENT, TEXT
from rnn_widgets.stills.contributions import contributions
from rnn_widgets.stills.flow import Flow
from rnn_widgets.stills.focus import Focus
from rnn_widgets.stills.network import network
from rnn_widgets.stills.plot import Axis, Curve, Plot, Stack, plot
from rnn_widgets.stills.table import gradients, table
from tests.core.networks import stirred
from tests.stills.svg import ALARM, find, parsed, words


def drawn(picture: Picture) -> list[dict[str, str]]:
    """The attributes of every path."""
    return [path.attrib for path in find(parsed(picture.svg()), "path")]


def corners(path: str) -> Array:
    """The points of a path of M and L."""
    return np.array([[float(n) for n in at.split()] for at in re.findall(r"[ML]([^ML]+)", path)])


def test_the_outlined_contribution_is_in_the_row_of_its_loss() -> None:
    picture = contributions(rw.rnn(2, 3, 5), Focus("weight_hh_l0[0,0]", 3, 1))
    rects = [rect.attrib for rect in find(parsed(picture.svg()), "rect")]
    (outline,) = [rect for rect in rects if rect.get("stroke") == ACCENT]
    wide = pytest.approx(5 * float(outline["width"]), abs=0.5)
    frame = next(rect for rect in rects if float(rect["width"]) == wide)
    column = (float(outline["x"]) - float(frame["x"])) / float(outline["width"])
    row = (float(outline["y"]) - float(frame["y"])) / float(outline["height"])
    assert (round(column), round(row)) == (1, 3)


def test_negative_cells_without_room_for_numbers_have_a_minus_sign() -> None:
    picture = Picture(100, 100)
    cells(picture, np.array([[-0.123, 0.5], [0.5, 0.0]]), (0, 0, 20, 20), 1.0)
    dashes = [path["d"] for path in drawn(picture) if path.get("stroke") == TEXT]
    assert dashes == ["M3 5h4"]


AXIS = Axis(-0.5, 3.5), Axis(-2.0, 2.0)


def test_a_bar_with_a_number_that_is_not_finite_is_marked() -> None:
    heights = np.array([[1.0, 1, 1, 1], [1, np.nan, 1, 1]])
    paths = drawn(plot(Plot("bars", *AXIS, [Stack(heights)]), 480, 280))
    (marks,) = [path["d"] for path in paths if path.get("stroke") == ALARM]
    (at,) = re.findall(r"M(\S+) ", marks)
    assert float(at) == pytest.approx(64 + (480 - 80) * 1.5 / 4, abs=0.1)


def line(y: Array) -> str:
    """The path of a curve through such points."""
    x, y = np.linspace(-0.5, 3.5, len(y)), np.asarray(y, float)
    made = plot(Plot("line", *AXIS, [Curve(x, y, ["#123456"])]), 480, 280)
    (path,) = [path["d"] for path in drawn(made) if path.get("stroke") == "#123456"]
    return path


def test_a_line_has_a_gap_where_there_is_no_number() -> None:
    assert re.sub(r"[^ML]", "", line(np.array([0, 1, np.nan, 1, 0.0]))) == "MLML"


def test_a_long_line_keeps_its_highest_and_lowest_points() -> None:
    y = np.zeros(20_000)
    y[7_001], y[13_003] = 1.5, -1.5
    heights = corners(line(y))[:, 1]
    bottom, top = (corners(line(np.array([end, end])))[0, 1] for end in (-1.5, 1.5))
    assert (heights.min(), heights.max()) == (top, bottom)
    assert len(heights) < 3_000


def test_a_table_that_is_too_wide_is_cut_within_its_width() -> None:
    row = ["a name of many letters " * 6, "another of as many " * 6, "short", "end"]
    root = parsed(table([["one", "two", "three", "four"], row], [], width=400).svg())
    texts = find(root, "text")
    assert words(root)[-2:] == ["short", "end"]
    assert float(texts[-1].attrib["x"]) < 380
    assert all("…" in text for text in words(root)[4:6])


def test_a_difference_is_judged_beside_the_gradient_however_small_that_is() -> None:
    net = stirred(rw.rnn(2, 3, 4), 1)
    net = net.replace(v=1e-9 * net.values["v"])
    exact = net.gradients()["weight_hh_l0"]
    for factor, told in ((1.0, "none but rounding"), (2.0, None)):
        written = words(parsed(gradients(net, {"weight_hh_l0": factor * exact}).svg()))
        assert ("none but rounding" in written) == (told is not None)


def test_the_initial_state_of_the_reverse_direction_is_at_the_end() -> None:
    net = rw.rnn(2, 2, 3, bidirectional=True)
    focus = Focus("weight_hh_l0[0,0]", 2, 0)
    for reverse, order in ((False, ["h₀", "x₁", "x₂", "x₃"]), (True, ["x₁", "x₂", "x₃", "h₀"])):
        root = parsed(network(net, focus, "values", reverse=reverse).svg())
        texts = [text for text in find(root, "text") if text.text in order]
        places = {text.text: float(text.attrib["x"]) for text in texts}
        assert sorted(places, key=lambda name: places[name or ""]) == order
        assert len(set(places.values())) == 4


def test_nothing_flows_where_one_factor_is_zero_and_another_too_large() -> None:
    net = rw.rnn(1, 2, 4, nonlinearity="identity")
    net = net.replace(weight_hh_l0=[[0.5, 0], [0, 1e200]], h0=[1.0, 0.0], v=np.ones((4, 2)))
    net = net.replace(x=np.zeros((4, 1)))
    flow = Flow(net, "weight_hh_l0", (0, 0), 3, 0)
    assert np.isinf(flow.arriving(0, 1)[1])
    np.testing.assert_array_equal(flow.between(0, 1), [[0.5**3, 0], [0, 0]])
