"""The picture of one contribution taken apart: its product of factors and its largest terms."""

from __future__ import annotations

import numpy as np

from rnn_widgets.core.labels import subscript
from rnn_widgets.core.norms import norms
from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network

from .colours import NEGATIVE, POSITIVE, QUIET
from .flow import Flow
from .focus import Focus, overflow
from .picture import Picture, cut, wrapped
from .written import steady, three_digits

TOP_TERMS = 4
LINE = 17.0
MOST_FACTORS = 7  # written out; of more the first and the last


def chain(net: Network, focus: Focus, width: float = 860) -> Picture:
    """The product behind C[t, k], how large its factors are, and its largest terms.

    Parameters
    ----------
    net : Network
    focus : Focus
    width : float
        In pixels.

    Returns
    -------
    Picture
    """
    lines = product(net, focus)
    ranked = terms(net, focus)
    picture = Picture(width, 0, [focus.told(net), *lines[1:], *ranked[:1]])
    picture.text(12, 20, cut(f"The product behind {focus.told(net)}", width - 24), font_weight=600)
    y = 22.0
    for words in [*lines, *ranked[:1]]:
        for line in wrapped(words, width - 24):
            y += LINE
            picture.text(12, y, line, fill=QUIET)
    for words in ranked[1:]:
        y += LINE
        value, path = words.split(" along ")
        color = NEGATIVE if value.startswith("−") else POSITIVE
        picture.rect(12, y - 9, 3, 11, fill=color)
        picture.text(92, y, value, text_anchor="end", font_weight=600)
        picture.text(104, y, cut(path, width - 116))
    picture.height = y + 14
    return picture


def product(net: Network, focus: Focus) -> list[str]:
    """The formula of a contribution, and the norms of its factors."""
    program, t, k = net.program, focus.loss_step, focus.source_step
    if program.rows > 1:
        return [f"{focus.name} sums over all ways through {program.rows} layers and directions."]
    if t not in program.loss_steps:
        return [f"{focus.name} is 0: step {t + 1} does not enter the loss."]
    if k > t:
        return [f"{focus.name} is 0: no later step reaches an earlier loss."]
    if focus.selection.startswith("readout") and k < t:
        return [f"{focus.name} is 0: the readout of a step serves that step's loss only."]
    if focus.selection.startswith("readout"):
        return [f"{focus.name} = ∂L{_at(t)}/∂{focus.selection}, without any state between."]
    state = "h" if len(program.cell.states) == 1 else "s"
    between = [f"∂{state}{_at(j)}/∂{state}{_at(j - 1)}" for j in range(t, k, -1)]
    factors = [
        f"∂L{_at(t)}/∂{state}{_at(t)}",
        *_shortened(between),
        f"∂⁺{state}{_at(k)}/∂{focus.selection}",
    ]
    also = "" if state == "h" else ", with s = (h, c)"
    lines = [f"{focus.name} = {' · '.join(factors)}{also}"]
    flow = Flow(net, *focus.entry(net), t, k)
    jacobians = net.jacobians()
    sizes = [
        _size(flow.arriving(0, t)),
        *_shortened([_size(jacobians[j]) for j in range(t, k, -1)]),
        _size(flow.tangent(0, k)),
    ]
    return [*lines, f"largest singular values: {' · '.join(sizes)}"]


def terms(net: Network, focus: Focus) -> list[str]:
    """How many terms there are and what they sum to; then the largest, as "value along path"."""
    lost = overflow(net)
    if net.forward().overflow is not None:
        return [f"{lost} Its terms are not numbers."]
    t, k = focus.loss_step, focus.source_step
    found = net.terms(focus.selection, t, k, top=TOP_TERMS)
    if not found.count:
        return ["There is no chain-rule term."]
    kinds = "chain-rule term" if found.count == 1 else "chain-rule terms"
    count = f"{found.count:,}" if found.count < 10**9 else f"about {float(found.count):.0e}"
    told = f"{count} {kinds}, in absolute value {three_digits(found.gross)} together"
    listed = [f"{three_digits(term.value)} along {' → '.join(term.path)}" for term in found]
    return [told, *listed]


def _at(step: int) -> str:
    return subscript(step + 1)


def _size(factor: Array) -> str:
    """The largest singular value."""
    matrix = steady(factor)
    if not np.isfinite(matrix).all():
        return "not finite"
    if matrix.ndim == 1:
        return three_digits(float(norms(matrix, (0,))))
    return three_digits(float(np.linalg.svd(matrix, compute_uv=False)[0]))


def _shortened(factors: list[str]) -> list[str]:
    if len(factors) <= MOST_FACTORS:
        return factors
    return [*factors[: MOST_FACTORS - 2], "…", factors[-1]]
