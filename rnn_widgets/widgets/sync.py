"""What ipywidgets knows but has no public way to say, or takes without a word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ipywidgets import DOMWidget, Widget
from traitlets import TraitError

from rnn_widgets.core.names import unknown


def from_front_end(widget: Widget, name: str) -> bool:
    """Whether the change of a trait that is being observed was made in a browser.

    While `Widget.set_state` applies a browser's message it locks the property against being sent
    back; that lock is the only trace of where a change comes from.
    """
    return name in widget._property_lock


@contextmanager
def silently(widget: Widget, *names: str) -> Iterator[None]:
    """Set synchronised traits without sending them; `get_state` has them all the same.

    For what the browser knows already: sending it would arrive late and undo newer moves there.
    """
    outer, widget._holding_sync = widget._holding_sync, True
    before = set(widget._states_to_send)
    try:
        yield
    finally:
        widget._states_to_send.difference_update(set(names) - before)
        widget._holding_sync = outer
        if not outer and widget._states_to_send:
            widget.send_state(widget._states_to_send)
            widget._states_to_send.clear()


def current_cell() -> tuple[str, str] | None:
    """The notebook cell being run and this run of it, None outside a notebook that tells."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    shell: Any = get_ipython()
    parent: dict[str, Any] = getattr(shell, "get_parent", dict)() if shell is not None else {}
    cell = parent.get("metadata", {}).get("cellId")
    return (cell, parent["header"]["msg_id"]) if cell else None


_by_cell: dict[str, tuple[str, list[Widget]]] = {}


def close_earlier_runs(widget: Widget) -> None:
    """Close the widgets that an earlier run of the same notebook cell has passed to this."""
    here = current_cell()
    if here is None:
        return
    cell, run = here
    earlier_run, widgets = _by_cell.get(cell, (run, []))
    if earlier_run != run:
        for earlier in widgets:
            earlier.close()
        widgets = []
    _by_cell[cell] = (run, [*widgets, widget])


class Refusing:
    """A widget that refuses a value where it was assigned, not deep inside traitlets.

    What traitlets does in between says nothing to who assigned the value, and takes some forty
    lines of a notebook.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign; a refusal of traitlets' has this for its origin."""
        self._refuse(name, value)
        try:
            super().__setattr__(name, value)
        except TraitError as error:
            raise error.with_traceback(None) from None

    def _refuse(self, name: str, value: Any) -> None:
        """Raise an error for what is not to be assigned."""


class Strict(Refusing):
    """A widget of which a misspelt attribute cannot be assigned, since that would do nothing.

    Traitlets and ipywidgets keep their own state in names that begin with an underscore.
    """

    def _refuse(self, name: str, value: Any) -> None:
        """Refuse any public name that the class does not have."""
        if not name.startswith("_") and not hasattr(type(self), name):
            own = [n for n in self._public() if not n.startswith("_")]
            raise AttributeError(str(unknown(f"attribute of {type(self).__name__}", name, own)))

    def _public(self) -> list[str]:
        """What is worth naming: not what every widget has."""
        return sorted(set(dir(type(self))) - set(dir(DOMWidget)))


def check_options(widget: type[Widget], options: dict[str, Any]) -> None:
    """Refuse an option that is no trait of a widget, or that a lab sets itself.

    Raises
    ------
    TypeError
        Naming the nearest option there is.
    """
    for name in options:
        if name in ("value", "marks", "axes"):
            raise TypeError(f"{name} is the lab's: change its numbers with lab.set or lab.net")
        if name not in widget.class_trait_names():
            known = [n for n in widget.class_trait_names() if not n.startswith("_")]
            raise TypeError(str(unknown(f"option of {widget.__name__}", name, known)))
