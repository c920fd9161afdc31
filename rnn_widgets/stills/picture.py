"""A small picture: shapes and words on a light card, written as SVG."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from .colours import CARD, LINE, QUIET, TEXT

Attribute = str | float
SIZE = 11  # of text, in pixels


class Picture:
    """Shapes in pixels from the top left, and what the picture says in words.

    No element has a name and none is styled from outside, so that many can stand on one page.

    Parameters
    ----------
    width, height : float
        In pixels.
    summary : sequence of str
        Lines that say the same in words.
    name : str
        What is shown; by default the first of these lines.

    Examples
    --------
    >>> picture = Picture(40, 20)
    >>> picture.rect(2, 2, 10.004, 5, fill="#2b6cb0")
    >>> picture.body()
    '<rect x="2" y="2" width="10" height="5" fill="#2b6cb0"/>'
    """

    def __init__(
        self, width: float, height: float, summary: Sequence[str] = (), name: str = ""
    ) -> None:
        self.width, self.height, self.name = width, height, name
        self.summary = list(summary)
        self._parts: list[str] = []

    def rect(
        self, x: float, y: float, width: float, height: float, tip: str = "", **style: Attribute
    ) -> None:
        """A rectangle; ``tip`` is what pointing at it says."""
        self._add("rect", dict(x=x, y=y, width=width, height=height, **style), tip)

    def circle(self, x: float, y: float, radius: float, tip: str = "", **style: Attribute) -> None:
        """A circle."""
        self._add("circle", dict(cx=x, cy=y, r=radius, **style), tip)

    def path(self, points: str, **style: Attribute) -> None:
        """A path in SVG's own words."""
        self._add("path", dict(d=points, **style))

    def text(self, x: float, y: float, words: str, **style: Attribute) -> None:
        """Words that begin, end or have their middle (``text_anchor``) at a point."""
        at = _written(dict(x=x, y=y, **style))
        self._parts.append(f"<text{at}>{_plain(words)}</text>")

    def image(
        self, x: float, y: float, width: float, height: float, png: bytes, sharp: bool
    ) -> None:
        """A PNG image."""
        data = "data:image/png;base64," + base64.b64encode(png).decode()
        style: dict[str, Attribute] = {"x": x, "y": y, "width": width, "height": height}
        style |= {"preserveAspectRatio": "none", "href": data}
        self._add("image", style | ({"image_rendering": "pixelated"} if sharp else {}))

    def open(self, **style: Attribute) -> None:
        """Begin a group of shapes that share a style; `shut` ends it."""
        self._parts.append(f"<g{_written(style)}>")

    def shut(self) -> None:
        """End a group."""
        self._parts.append("</g>")

    def put(self, other: Picture, x: float, y: float) -> None:
        """Another picture, without its card."""
        self._parts.append(f'<g transform="translate({number(x)} {number(y)})">')
        self._parts.extend(other._parts)
        self._parts.append("</g>")

    def body(self) -> str:
        """The shapes alone."""
        return "".join(self._parts)

    def svg(self) -> str:
        """The whole as SVG."""
        width, height = number(self.width), number(self.height)
        called = self.name or next(iter(self.summary), "")
        name = f"<title>{_plain(called)}</title>" if called else ""
        card: dict[str, Attribute] = {"x": 0.5, "y": 0.5, "rx": 6}
        card |= {"width": self.width - 1, "height": self.height - 1}
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" font-family="system-ui, sans-serif" '
            f'font-size="{SIZE}" fill="{TEXT}">{name}'
            f'<rect{_written(card)} fill="{CARD}" stroke="{LINE}"/>{self.body()}</svg>'
        )

    def _add(self, tag: str, style: dict[str, Attribute], tip: str = "") -> None:
        end = f"><title>{_plain(tip)}</title></{tag}>" if tip else "/>"
        self._parts.append(f"<{tag}{_written(style)}{end}")


def number(x: float) -> str:
    """Two decimals at most."""
    text = f"{x:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def points(*xy: float) -> str:
    """Coordinates for a path, to a tenth of a pixel."""
    return " ".join(f"{v:.1f}".removesuffix(".0") for v in xy)


def wide(words: str, size: float = SIZE) -> float:
    """About how wide words are, in pixels."""
    return 0.56 * size * len(words)


def cut(words: str, room: float, size: float = SIZE) -> str:
    """Words that fit into so many pixels, with … for what does not.

    >>> cut("a long sentence", 60), cut("short", 60)
    ('a long s…', 'short')
    """
    most = int(room / (0.56 * size))
    return words if len(words) <= most else words[: max(most - 1, 0)].rstrip() + "…"


def wrapped(words: str, room: float, size: float = SIZE) -> list[str]:
    """Lines of words that fit into so many pixels."""
    lines = [""]
    for word in words.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if wide(longer, size) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return [cut(line, room, size) for line in lines]


def sentence(words: str, width: float = 860, summary: Sequence[str] | None = None) -> Picture:
    """A picture that only says something."""
    lines = wrapped(words, width - 24)
    picture = Picture(width, 18 + 16 * len(lines), [words] if summary is None else summary)
    for i, line in enumerate(lines):
        picture.text(12, 21 + 16 * i, line, fill=QUIET)
    return picture


def _plain(words: str) -> str:
    """Words as XML can hold them."""
    return escape("".join(c if c.isprintable() else " " for c in words))


def _written(attributes: Mapping[str, Attribute]) -> str:
    texts = {k: v if isinstance(v, str) else number(v) for k, v in attributes.items()}
    return "".join(f" {k.replace('_', '-')}={quoteattr(v)}" for k, v in texts.items())
