"""`predict`: a card that hides a number, takes a guess, then reveals it and keeps the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

import traitlets

from rnn_widgets.core.labels import subscript
from rnn_widgets.core.names import unknown, whole_numbers
from rnn_widgets.quantities import Quantity, evaluate, native, parse, table
from rnn_widgets.stills import Picture
from rnn_widgets.stills.composed import stacked
from rnn_widgets.stills.picture import sentence

from .lab import Lab
from .views import View

if TYPE_CHECKING:
    from rnn_widgets.network import Network

ASKS = ("number", "sign", "step")
_ARGUMENTS = ("what", "ask", "tolerance", "question", "hint")
_GIVEN = ("value", "steps", "lags")
# What runs over steps once a row of it is picked, if it has two axes, and the step's symbol.
_STEPS = {"by_source": "k", "by_loss": "t", "losses": "t", "contribution": "k"}
_SYMBOLS = {"hidden": "h", "cell": "c", "output": "y", "adjoint": "∂L/∂h", "cell_adjoint": "∂L/∂c"}


class Predict(View):
    """Questions about numbers of a lab, hidden until the reader has guessed. Made by `predict`."""

    _questions: Any = traitlets.List().tag(sync=True)
    """What is asked, in order: {what, quantity, index, ask, tolerance, question, hint, axis}."""

    _turn = traitlets.Int(0).tag(sync=True)
    """How many questions have been left, over all rounds. Written by the browser."""

    guesses: Any = traitlets.List(traitlets.Dict()).tag(sync=True)
    """What was guessed, in order; written by the browser.

    Each is {turn, what, ask, guess, truth, right, seen}. `guess` and `truth` are numbers, the signs
    "+", "0" and "-", or 0-based steps: the one guessed, and a list of those that are right; `seen`
    are the numbers that the truth was read from. A guess is None where the reader gave up.
    """

    def __init__(self, lab: Lab, questions: list[dict[str, Any]]) -> None:
        super().__init__(lab, "predict", _questions=questions)

    @property
    def score(self) -> tuple[int, int]:
        """How many guesses were right, and how many questions were answered."""
        return sum(bool(guess.get("right")) for guess in self.guesses), len(self.guesses)

    def _still(self, width: float = 860) -> Picture:
        """The questions, never what they ask for."""
        asked = [question["question"] for question in self._questions]
        numbered = [f"{i}. {words}" for i, words in enumerate(asked, 1)]
        lines = ["Predict, then reveal", *(asked if len(asked) == 1 else numbered)]
        return stacked([sentence(words, width) for words in lines], lines)

    def __repr__(self) -> str:
        return f"Predict({', '.join(repr(question['what']) for question in self._questions)})"


def predict(
    lab: Any,
    what: str | Sequence[Any],
    ask: str | None = None,
    *,
    tolerance: float = 0.1,
    question: str | None = None,
    hint: str | None = None,
) -> Predict:
    """Ask for a number before it is shown: a guess first, then the truth and the score.

    While a question is open, the lab's other views show "?" wherever its number would stand, and
    leave its colour out; other numbers of the same size are hidden with it, and so are the
    contributions that a ``by_source`` or ``by_loss`` sums. A mark of a figure that would show one
    of them is blank; the widths of the graph's edges are still to be seen. The truth is the
    network's at the moment of the reveal.

    Parameters
    ----------
    lab : Lab or Explorer
    what : str or sequence
        A derived quantity, as in `Lab.drive`, and an index where it has entries:
        ``"gradient[weight_hh_l0][0,1]"``, ``"contribution[weight_hh_l0[0,1]][2,0]"``,
        ``"adjoint.total[1,0]"``, ``"loss"``; indices are 0-based. Or several questions, each a
        name, a pair ``(what, ask)`` or a dict of this function's arguments.
    ask : str, optional
        "number", the default for one number; "sign", whether it is positive, negative or zero; or
        "step", which step has the largest absolute value (any, of several alike), the default for
        ``by_source``, ``by_loss``, ``losses`` and ``"contribution[…][t]"``, the row of a loss step.
    tolerance : float
        A number is right within this part of the truth, or of a tenth of the largest absolute
        value of the same quantity if that is more; dimensionless.
    question, hint : str, optional
        Words in place of the card's own, and what may be unfolded.

    Returns
    -------
    Predict
        ``.score`` is (right, asked), ``.guesses`` what was guessed.

    Raises
    ------
    TypeError, KeyError, IndexError, ValueError
        For a lab, quantity, index or kind of question that does not exist, naming the nearest.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> lab = rw.Lab(rw.rnn(2, 3, seq_len=4))
    >>> rw.predict(lab, "gradient[weight_hh_l0][0,1]")
    Predict('gradient[weight_hh_l0][0,1]')
    >>> rw.predict(lab, [("loss", "sign"), "by_source[weight_hh_l0]"]).score
    (0, 0)
    """
    held = getattr(lab, "lab", lab)
    if not isinstance(held, Lab):
        raise TypeError(
            f"predict asks about a Lab or an Explorer, such as rw.explore(), not {lab!r}"
        )
    common: dict[str, Any] = {
        "ask": ask,
        "tolerance": tolerance,
        "question": question,
        "hint": hint,
    }
    if isinstance(what, str):
        items = [{**common, "what": what}]
    else:
        if not isinstance(what, list | tuple) or not what:
            raise TypeError(f"what is a quantity or a list of questions, not {what!r}")
        if any(given is not None for given in (ask, question, hint)):
            raise TypeError("of several questions, each has its own ask, question and hint")
        items = [{**common, **_item(item)} for item in what]
    with held._open():
        return Predict(held, [_question(held.net, **item) for item in items])


def _item(item: Any) -> dict[str, Any]:
    """One of several questions: a name, a pair, or a dict of arguments."""
    if isinstance(item, str):
        return {"what": item}
    if isinstance(item, tuple) and len(item) == 2:
        return {"what": item[0], "ask": item[1]}
    if not isinstance(item, Mapping):
        raise TypeError(f"a question is a name, a pair (what, ask) or a dict, not {item!r}")
    for name in item:
        if name not in _ARGUMENTS:
            raise unknown("argument of a question", name, _ARGUMENTS)
    if "what" not in item:
        raise TypeError(f"a question needs what=, such as 'loss', but has only {list(item)}")
    return dict(item)


def _question(
    net: Network,
    what: Any,
    ask: Any,
    tolerance: Any,
    question: str | None,
    hint: str | None,
) -> dict[str, Any]:
    """A question as the browser gets it, once it has been found to make sense."""
    if not isinstance(what, str):
        raise TypeError(f"what is a quantity such as 'gradient[weight_hh_l0][0,1]', not {what!r}")
    name, index = _native(*_split(what.strip()), net)
    quantity = parse(name, net)
    if quantity.name in _GIVEN:
        raise ValueError(
            f"{what} is given, not derived: predict what follows from it, such as "
            "'gradient[weight_hh_l0][0,1]' or 'loss'"
        )
    if quantity.name == "gradient" and quantity.index and not index:
        # The entry of a whole gradient, the largest of which says what is small.
        name, index = f"gradient[{quantity.leaf}]", quantity.index
    shape = evaluate(parse(name, net), net).shape
    if len(index) > len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=False)):
        ranges = ", ".join(f"0 to {n - 1}" for n in shape)
        runs = f"its index runs over {ranges}" if shape else "it is one number and takes no index"
        raise IndexError(f"{name} has shape {shape}: {runs}, not {list(index)}")
    left = shape[len(index) :]
    axis = _axis(quantity, index) if len(left) == 1 else ""
    kind = _ask(ask, what, left, axis)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float):
        raise TypeError(f"tolerance is a number such as 0.1, not {tolerance!r}")
    if not (isfinite(tolerance) and tolerance > 0):
        raise ValueError(f"tolerance is a part of the truth, such as 0.1, not {tolerance!r}")
    for which, text in (("question", question), ("hint", hint)):
        if text is not None and not isinstance(text, str):
            raise TypeError(f"{which} is text, not {text!r}")
    return {
        "what": what.strip(),
        "quantity": name,
        "index": list(index),
        "ask": kind,
        "tolerance": float(tolerance),
        "question": question or _words(quantity, index, kind, what.strip(), net),
        "hint": hint or "",
        "axis": axis,
    }


def _split(text: str) -> tuple[str, tuple[int, ...]]:
    """A quantity, and the index after it."""
    first = text.find("[")
    if first < 0:
        return text, ()
    known = table().get(_bare(text[:first].strip()))
    start = first
    if known is None or known["argument"] != "none":
        depth = 0
        for start, letter in enumerate(text[first:], first + 1):  # noqa: B007, used after the loop
            depth += {"[": 1, "]": -1}.get(letter, 0)
            if depth == 0:
                break
    name, rest = text[:start], text[start:].strip()
    if not rest:
        return name, ()
    index = whole_numbers(rest[1:-1]) if rest[0] == "[" and rest[-1] == "]" else None
    if index is None:
        raise ValueError(f"after {name} comes an index such as [0,1], not {rest}")
    return name, index


def _native(name: str, index: tuple[int, ...], net: Network) -> tuple[str, tuple[int, ...]]:
    """The same with PyTorch's name of a leaf: the entry of Keras's transpose is another one's."""
    try:
        return native(name, net), index
    except ValueError:
        if not index or not name.endswith("]"):
            raise
        return native(f"{name[:-1]}[{','.join(map(str, index))}]]", net), ()


def _bare(name: str) -> str:
    """A quantity's name without the suffix of its layer."""
    head, _, tail = name.rpartition("_l")
    return head if head and tail.removesuffix("_reverse").isdigit() else name


def _axis(quantity: Quantity, index: tuple[int, ...]) -> str:
    """By which step the numbers run: "t", "k", or "" for none."""
    return _STEPS.get(quantity.name, "") if len(index) == (quantity.name == "contribution") else ""


def _ask(ask: Any, what: str, left: tuple[int, ...], axis: str) -> str:
    """What is asked of numbers of a shape."""
    if ask is not None and ask not in ASKS:
        raise unknown("kind of question", ask, ASKS)
    if ask is None and left:
        if not axis:
            raise IndexError(f"{what} has shape {left}: pick one number of it by an index after it")
        return "step"
    if ask == "step" and not axis:
        raise ValueError(
            f"{what} does not run over steps: ask for a step of {', '.join(_STEPS)}, "
            "such as 'by_source[weight_hh_l0]' or, of a loss step, 'contribution[weight_hh_l0][2]'"
        )
    if ask != "step" and left:
        raise IndexError(f"{what} has shape {left}: pick one number of it by an index after it")
    return ask or "number"


def _words(quantity: Quantity, index: tuple[int, ...], ask: str, what: str, net: Network) -> str:
    """The question in words."""
    leaf = quantity.leaf + (f"[{','.join(map(str, quantity.index))}]" if quantity.index else "")
    if ask == "number":
        return f"What is {_named(quantity, leaf, index, net) or what}?"
    if ask == "sign":
        return f"Is {_named(quantity, leaf, index, net) or what} positive, negative or zero?"
    if quantity.name == "losses":
        return "Which step t has the largest loss?"
    if quantity.name == "by_loss":
        return f"Which loss step t adds most to the gradient by {leaf}, whatever its sign?"
    at = f" of the loss at t = {index[0] + 1}" if quantity.name == "contribution" else ""
    return f"Which source step k adds most to the gradient{at} by {leaf}, whatever its sign?"


def _named(quantity: Quantity, leaf: str, index: tuple[int, ...], net: Network) -> str:
    """What a single number is called, "" where it has no better name than the quantity's own."""
    name, steps = quantity.name, tuple(i + 1 for i in index)
    if name == "loss":
        return "the loss L"
    if name == "losses":
        return f"the loss L{subscript(steps[0])} at t = {steps[0]}"
    if name == "gradient":
        return f"∂L/∂{leaf}" if quantity.index else f"∂L/∂{leaf}[{','.join(map(str, index))}]"
    if name == "contribution":
        return f"C[t = {steps[0]}, k = {steps[1]}] of {leaf}"
    if name == "by_source":
        return f"what using {leaf} at step k = {steps[0]} adds to the gradient"
    if name == "by_loss":
        return f"the gradient of the loss at t = {steps[0]} by {leaf}"
    kind, _, part = name.partition(".")
    if kind in _SYMBOLS and (net.program.rows == 1 or kind == "output"):
        initial = kind in ("hidden", "cell")  # row 0 is the initial state
        symbol = f"{_SYMBOLS[kind]}{subscript(steps[0] - initial)}[{index[1]}]"
        return f"{symbol}{f', the {part} part' if part in ('direct', 'carried') else ''}"
    return ""
