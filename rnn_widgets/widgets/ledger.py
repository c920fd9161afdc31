"""`Ledger`: which object each gradient belongs to, and whether that is still as it was."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

import anywidget
import numpy as np
import traitlets

from rnn_widgets.core.gradients import Gradients, shape_of
from rnn_widgets.core.ops import Array
from rnn_widgets.core.values import array
from rnn_widgets.interop.names import aliases, leaves_of
from rnn_widgets.network import Network
from rnn_widgets.stills import Picture, Still
from rnn_widgets.stills.table import table
from rnn_widgets.stills.written import listed, three_digits

from .bundle import bundle
from .lab import Lab
from .sync import close_earlier_runs
from .views import View

if TYPE_CHECKING:
    from rnn_widgets.interop.tape import TensorGradients
    from rnn_widgets.interop.tape.graph import Node, Tape
    from rnn_widgets.interop.tape.recorded import Look

MOST_NUMBERS = 60  # larger gradients are shown by their norm
MOST_NODES = 40  # larger tapes are shown by their leaves
MOST_LEAVES = 24
MOST_SAID = 8
TITLE = "Which gradient is which"


@dataclass(frozen=True)
class Source:
    """Whose numbers a leaf of a lab has.

    Attributes
    ----------
    leaf : str
    object : int
        Which object the leaf was copied from, counted from 1; 0 for none: the lab's own numbers.
    what : str
        The object's kind and shape, such as "Parameter (3, 3)"; "" for none.
    recorded, now : int or None
        PyTorch's version of the object when the ledger was made, and now; None where the object
        counts none.
    state : str
        "current" while lab and object have the same numbers, or what has become different.
    """

    leaf: str
    object: int
    what: str
    recorded: int | None
    now: int | None
    state: str


class Ledger(Still, anywidget.AnyWidget):
    """Which object each gradient belongs to, by name, shape, identity and version.

    What a reader points at, with the mouse or by walking along the names with the arrow keys,
    lights up in the graph: in every `Lab.graph` of a lab, and for gradients of tensors in the tape
    drawn beside them. "Look again", and `look` in Python, compare each object with what was
    recorded.

    Parameters
    ----------
    subject : TensorGradients, Lab, Explorer or Network
        What `rnn_widgets.gradient` gave; a lab or explorer; or a network, which gets a lab of its
        own, ``ledger.lab``.

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> W, b = torch.ones(2, 3), torch.zeros(2)
    >>> g = rw.gradient(lambda W, b: (W.sum(1) + b).sum(), W, b)
    >>> ledger = rw.Ledger(g)
    >>> _ = b.add_(1)
    >>> ledger
    Ledger(W: object 1, current; b: object 2, changed in place since (version 0 → 1))
    """

    def __new__(cls, subject: Any, **_: Any) -> Ledger:
        """Take the ledger that fits the subject."""
        kind: type[Ledger] = cls
        if kind is Ledger:
            kind = LabLedger if isinstance(_opened(subject), Lab | Network) else TapeLedger
        return cast(Ledger, super().__new__(kind))

    def look(self) -> Sequence[Look] | Sequence[Source]:
        """Compare each object with what was recorded, here and on the page; the rows."""
        raise NotImplementedError

    def _asked(self, _: Any, content: Any, __: Any) -> None:
        if not isinstance(content, dict) or content.get("kind") != "look":
            raise ValueError(f"an unknown message came from the browser: {content!r:.200}")
        self.look()
        self.send({"kind": "looked"})


class TapeLedger(Ledger):
    """The ledger of gradients of tensors, with a drawing of their tape."""

    # As text: of a file anywidget keeps every widget for ever, and this one keeps tensors.
    _esm = bundle("ledger.js").read_text(encoding="utf-8")
    _css = bundle("ledger.css").read_text(encoding="utf-8")

    _rows: Any = traitlets.List().tag(sync=True)
    """How each gradient stands, a dict per name. Written by Python only."""

    _result: Any = traitlets.Any().tag(sync=True)
    """The function's result y. Written by Python only."""

    _tape = traitlets.Dict().tag(sync=True)
    """Nodes and edges of the tape, or its leaves alone. Written by Python only."""

    def __init__(self, subject: Any) -> None:
        if not hasattr(subject, "tape") or not hasattr(subject, "look"):
            hint = ": give the network itself" if isinstance(subject, Gradients) else ""
            raise TypeError(
                "a ledger is made of what rw.gradient gives, a lab, an explorer or a network, not "
                f"of {type(subject).__name__}{hint}"
            )
        self._gradients: TensorGradients = subject
        super().__init__(
            _rows=[_row(look) for look in subject.look()],
            _result=_number(float(subject.value.item())),
            _tape=_drawn(subject.tape),
        )
        self.on_msg(self._asked)
        close_earlier_runs(self)

    def look(self) -> Sequence[Look]:
        """Compare each tensor with what was recorded, here and on the page.

        Returns
        -------
        tuple of Look
        """
        found = self._gradients.look()
        self._rows = [_row(look) for look in found]
        return found

    def _still(self, width: float = 860) -> Picture:
        rows = [["gradient of", "object", "shape", "version", "norm", "state"]]
        for one in self._gradients.look():
            version = (
                f"{one.recorded}" if one.recorded == one.now else f"{one.recorded} → {one.now}"
            )
            norm = "" if one.norm is None else three_digits(one.norm)
            shape = "×".join(map(str, one.shape))
            rows.append([one.name, f"object {one.object}", shape, version, norm, one.state])
        norms = listed([f"{row[0]} {row[4]}" for row in rows[1:] if row[4]], MOST_SAID)
        told = f"y = {three_digits(self._gradients.value.item())}; norms of gradients: {norms}"
        return table(rows, [told], TITLE, width)

    def __repr__(self) -> str:
        rows = [f"{one.name}: object {one.object}, {one.state}" for one in self._gradients.look()]
        more = [f"and {len(rows) - MOST_SAID} more"] if len(rows) > MOST_SAID else []
        return f"Ledger({'; '.join([*rows[:MOST_SAID], *more])})"


class LabLedger(Ledger, View):
    """The ledger of a lab's leaves, drawn by the lab's own bundle."""

    _sources: Any = traitlets.List().tag(sync=True)
    """Whose numbers each leaf has, a dict per leaf. Written by Python only."""

    def __init__(self, subject: Lab | Network) -> None:
        opened = _opened(subject)
        lab = opened if isinstance(opened, Lab) else Lab(opened)
        # Kept: a lab forgets an object as soon as one of the leaf's numbers is moved.
        self._known: dict[str, _Known] = {}
        View.__init__(self, lab, "ledger", _sources=[])
        self.on_msg(self._asked)
        lab.observe(self._moved, "_network")
        self.look()

    @property
    def lab(self) -> Lab:
        """The lab whose leaves these are."""
        return cast(Lab, self._lab)

    def look(self) -> Sequence[Source]:
        """Compare each leaf with the object that it was copied from, here and on the page.

        Returns
        -------
        tuple of Source
        """
        found = tuple(self._found())
        self._sources = [asdict(one) for one in found]
        return found

    def _found(self) -> list[Source]:
        net = self.lab.net
        for name, source in net.sources.items():
            known = self._known.get(name)
            if known is None or known.object is not source:
                self._known[name] = _Known(self._number(source), source, _version(source))
        of_leaf = {leaf: name for name in self._known for leaf in leaves_of(net.program, name)}
        numbers = Gradients(net.values, aliases(net.program))
        rows = []
        for leaf in net.program.leaves:
            if leaf == "v":
                continue
            if leaf not in of_leaf:
                rows.append(Source(leaf, 0, "", None, None, "the lab's own numbers"))
                continue
            name = of_leaf[leaf]
            known = self._known[name]
            now = _version(known.object)
            kept = net.sources.get(name) is known.object
            state = _state(known, now, kept, _same(known.object, numbers[name]))
            rows.append(Source(leaf, known.number, known.what, known.recorded, now, state))
        return rows

    def _number(self, source: object) -> int:
        """The number of an object: what it had, or the next."""
        for known in self._known.values():
            if known.object is source:
                return known.number
        return 1 + max((known.number for known in self._known.values()), default=0)

    def _moved(self, _: Any) -> None:
        if self.comm is not None:
            self.look()

    def close(self) -> None:
        """Close it; the lab stays open."""
        if self.comm is not None:
            self.lab.unobserve(self._moved, "_network")
        super().close()

    def _still(self, width: float = 860) -> Picture:
        net = self.lab.net
        gradients = net.gradients()
        rows = [["gradient of", "also called", "object", "shape", "state"]]
        for one in self._found():
            if one.leaf in gradients:
                also = ", ".join(gradients.aliases(one.leaf))
                shape = "×".join(map(str, net.program.leaves[one.leaf]))
                whose = f"object {one.object}" if one.object else "—"
                rows.append([one.leaf, also, whose, shape, one.state])
        told = listed([f"{row[0]} of {row[2]}" for row in rows[1:] if row[2] != "—"], MOST_SAID)
        return table(rows, [f"copied from objects: {told or 'none'}"], TITLE, width)

    def __repr__(self) -> str:
        return f"Ledger({self._lab!r})"


@dataclass(frozen=True)
class _Known:
    """An object that leaves were copied from, and its version when it was first seen."""

    number: int
    object: Any
    recorded: int | None

    @property
    def what(self) -> str:
        shape = shape_of(_value(self.object))
        return type(self.object).__name__ + (f" {shape}" if shape is not None else "")


def _state(known: _Known, now: int | None, kept: bool, same: bool) -> str:
    if same:
        return "current" if kept else "moved in the lab, and has the object's numbers again"
    if not kept:
        return "moved in the lab since; the object was not"
    counted = f" (version {known.recorded} → {now})" if known.recorded != now else ""
    return f"the object was changed in place since{counted}; the lab was not"


def _same(source: object, held: Array) -> bool:
    try:
        given = array("the object", _value(source))
        if given.size != held.size:
            held = held[-1:]  # a target of Keras's only output is the leaf's last row
        return given.size == held.size and np.array_equal(given.reshape(held.shape), held)
    except ValueError:  # it is no longer finite, or has no numbers any more
        return False


def _opened(subject: Any) -> Any:
    """An explorer's lab, or what was given."""
    lab = getattr(subject, "lab", None)
    return lab if isinstance(lab, Lab) else subject


def _value(source: Any) -> Any:
    """A variable of Keras is a box around its array or tensor."""
    return getattr(source, "value", source)


def _version(source: Any) -> int | None:
    """PyTorch's count of changes; a tensor of torch.inference_mode has none."""
    value = _value(source)
    counts = hasattr(value, "is_inference") and not value.is_inference()
    return int(value._version) if counts else None


def _row(look: Look) -> dict[str, Any]:
    gradient = look.gradient
    shown = gradient is not None and gradient.numel() <= MOST_NUMBERS and not gradient.is_complex()
    return {
        "name": look.name,
        "object": look.object,
        "shape": list(look.shape),
        "dtype": look.dtype,
        "norm": None if look.norm is None else _number(look.norm),
        "recorded": look.recorded,
        "now": look.now,
        "state": look.state,
        "gradient": [_number(x) for x in gradient.double().flatten().tolist()]
        if gradient is not None and shown
        else None,
    }


def _drawn(tape: Tape) -> dict[str, Any]:
    """What of a tape is drawn: all of it, or as far as there is room its leaves."""
    nodes, edges = tape.nodes, tape.edges
    leaves = [node for node in nodes if node.kind in ("recorded", "unasked")]
    whole = len(nodes) <= MOST_NODES
    return {
        "nodes": [_node(node) for node in (nodes if whole else leaves[:MOST_LEAVES])],
        "edges": [list(edge) for edge in edges] if whole else [],
        "whole": whole,
        "operations": sum(node.kind == "operation" for node in nodes),
        "leaves": len(leaves),
        "complete": tape.complete,
    }


def _node(node: Node) -> dict[str, Any]:
    return {**asdict(node), "shape": None if node.shape is None else list(node.shape)}


def _number(x: float) -> float | str:
    """A number as JSON can say it: what is not finite as JavaScript reads it from text."""
    if math.isfinite(x):
        return x
    return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"
