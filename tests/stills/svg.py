"""Reading a picture back."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
NEGATIVE, POSITIVE, ALARM = (0x2B, 0x6C, 0xB0), (0xD9, 0x68, 0x0B), "#d81b60"


def bundle(widget: Any) -> dict[str, str]:
    """The forms of a widget, its picture parsed once to see that it can be."""
    data, _ = widget._repr_mimebundle_()
    parsed(data["image/svg+xml"])
    return data


def parsed(svg: str) -> ET.Element:
    """The picture as a tree; whatever must not be in one, so that many stand on a page, fails."""
    root = ET.fromstring(svg)
    assert len(svg.encode()) < 40_000
    for element in root.iter():
        assert element.tag != f"{SVG}style"
        assert not {"id", "class", "style", "clip-path"} & set(element.attrib)
        for text in element.attrib.values():
            if not text.startswith("data:"):
                assert not re.search(r"nan|inf|var\(", text), text
                assert not re.search(r"\d\.\d{3}", text), text
    return root


def find(root: ET.Element, tag: str) -> list[ET.Element]:
    """All elements of a kind, in order."""
    return list(root.iter(SVG + tag))


def words(root: ET.Element) -> list[str]:
    """What is written."""
    return [element.text or "" for element in find(root, "text")]


def strength(color: str, positive: bool) -> float:
    """How much of its colour a fill over white has, from 0 to 1."""
    full = POSITIVE if positive else NEGATIVE
    seen = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    parts = [(255 - s) / (255 - f) for s, f in zip(seen, full, strict=True)]
    assert max(parts) - min(parts) < 0.06, (color, positive)
    return sum(parts) / 3
