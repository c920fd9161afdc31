"""Still pictures of a recording's figures."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rnn_widgets.stills import Picture
from rnn_widgets.stills.colours import CARD, LINE, QUIET
from rnn_widgets.stills.composed import beside, stacked
from rnn_widgets.stills.picture import points, sentence, wide, wrapped

if TYPE_CHECKING:
    from .view import Legend, View

WIDE = 860.0
ROW = 17.0
MOST_VIEWS = 12


def of_view(view: View, width: float = WIDE) -> Picture:
    """A figure with its legend and what is said about it."""
    figure = view.figure._still(width)
    foot = view.foot
    return stacked(
        [figure, _words(foot.legend, foot.note, width)],
        [*figure.summary, *[foot.note] * bool(foot.note)],
    )


def of_views(views: Sequence[View], heading: str, columns: int) -> Picture:
    """Figures beside and under one another."""
    shown, width = views[:MOST_VIEWS], WIDE / columns
    made = [of_view(view, width) for view in shown]
    rows = [beside(made[i : i + columns], []) for i in range(0, len(made), columns)]
    left = len(views) - len(shown)
    more = [sentence(f"and {left} more", WIDE)] if left else []
    return stacked([sentence(heading, WIDE), *rows, *more], [heading])


def of_figures(pictures: Sequence[Picture], legend: Legend, note: str) -> Picture:
    """Pictures beside one another, with a legend for all."""
    summary = [line for picture in pictures for line in picture.summary]
    row = beside(pictures, [])
    return stacked([row, _words(legend, note, row.width)], summary)


def _words(legend: Legend, note: str, width: float) -> Picture:
    picture, x, y = Picture(width, 0), 14.0, 6.0
    for kind, color, words in legend:
        if x > 14 and x + 34 + wide(words) > width - 12:
            x, y = 14.0, y + ROW
        _swatch(picture, kind, color, x, y)
        picture.text(x + 28, y + 4, words, fill=QUIET)
        x += 28 + wide(words) + 16
    y += ROW if legend else 0.0
    for line in wrapped(note, width - 28) if note else []:
        picture.text(14, y + 4, line, fill=QUIET)
        y += ROW
    picture.height = y + 2
    return picture


def _swatch(picture: Picture, kind: str, color: str, x: float, y: float) -> None:
    if kind in ("solid", "dashed", "broad"):
        style = {"stroke_dasharray": "5 3"} if kind == "dashed" else {}
        wide_line = 4.0 if kind == "broad" else 2.0
        picture.path(f"M{points(x, y)}h22", stroke=color, stroke_width=wide_line, **style)
        return
    colors = [
        CARD if c == "transparent" else c for c in re.findall("#[0-9a-f]{6}|transparent", color)
    ]
    for i, part in enumerate(colors or [color]):
        each = 22 / max(len(colors), 1)
        picture.rect(x + i * each, y - 5, each, 10, fill=part)
    picture.rect(x, y - 5, 22, 10, fill="none", stroke=LINE)
