"""Names of leaves and entries, and the sentence for a name that does not exist."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .program import Program

_WHOLE = re.compile(r"\s*[+-]?[0-9]+\s*")
_ENTRY = re.compile(r"\s*([^\W\d][\w.]*)\s*(?:\[([^\[\]]*)\])?\s*")


class UnknownNameError(KeyError):
    """A name that does not exist; the message names the nearest one that does."""

    def __str__(self) -> str:
        return str(self.args[0])


def unknown(what: str, name: object, names: Iterable[str]) -> UnknownNameError:
    """The error for an unknown name.

    Parameters
    ----------
    what : str
        What kind of thing was named, for example "leaf".
    name : object
        What was given.
    names : iterable of str
        What there is.
    """
    valid = list(names)
    by_fold = {v.casefold(): v for v in valid}
    near = difflib.get_close_matches(str(name).casefold(), by_fold, 1, cutoff=0.4)
    hint = f"did you mean {by_fold[near[0]]!r}? There are" if near else "there are"
    listed = ("; " if any("," in v for v in valid) else ", ").join(valid)
    return UnknownNameError(f"there is no {what} {name!r}; {hint}: {listed}.")


def first_entry(leaf: str, shape: tuple[int, ...]) -> str:
    """How an entry of a leaf is written, for an example: ``weight_hh_l0[0,0]``."""
    return f"{leaf}[{','.join('0' for _ in shape)}]"


def parse_parameter(text: object, program: Program) -> tuple[str, tuple[int, ...]]:
    """Read a parameter or an entry of one, such as ``"weight_hh_l0[0,1]"``.

    Raises
    ------
    KeyError, IndexError, ValueError
        As for `parse_entry`; of a leaf that is no parameter it says so.
    """
    match = _ENTRY.fullmatch(text) if isinstance(text, str) else None
    name = match[1] if match else None
    if name in program.leaves and name not in program.parameters:
        raise UnknownNameError(
            f"{name} is not a parameter; contributions exist for parameters only: "
            f"{', '.join(program.parameters)}."
        )
    return parse_entry(text, program.parameters)


def parse_parameter_entry(text: object, program: Program) -> tuple[str, tuple[int, ...]]:
    """Read one entry of a parameter; the whole parameter is not enough.

    Raises
    ------
    KeyError, IndexError, ValueError
        As for `parse_parameter`.
    """
    name, index = parse_parameter(text, program)
    if not index:
        example = first_entry(name, program.parameters[name])
        raise ValueError(f"name one entry of {name}, for example {example}")
    return name, index


def parse_entry(text: object, leaves: Mapping[str, tuple[int, ...]]) -> tuple[str, tuple[int, ...]]:
    """Read an entry such as ``"weight_hh_l0[0,1]"``.

    Parameters
    ----------
    text : str
    leaves : dict
        Leaf name to shape.

    Returns
    -------
    (name, index)
        ``index`` is empty if the text names a whole leaf.

    Raises
    ------
    KeyError
        For an unknown leaf, naming the nearest.
    IndexError
        For an index out of range or of the wrong length.
    ValueError
        If the text is not of this form.
    """
    match = _ENTRY.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"an entry is written like 'weight_hh_l0[0,1]', not {text!r}")
    name, brackets = match.groups()
    if name not in leaves:
        raise unknown("leaf", name, leaves)
    return name, () if brackets is None else entry_index(name, leaves[name], brackets)


def entry_index(name: str, shape: tuple[int, ...], brackets: str) -> tuple[int, ...]:
    """The index that stands between brackets after a name.

    Raises
    ------
    IndexError, ValueError
        As for `parse_entry`.
    """
    index = whole_numbers(brackets)
    if index is None:
        raise ValueError(f"an index is made of whole numbers, not [{brackets}]")
    if len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        ranges = ", ".join(f"0 to {n - 1}" for n in shape)
        raise IndexError(
            f"{name} has shape {shape}: its index runs over {ranges}, not [{brackets}]"
        )
    return index


def whole_numbers(text: str) -> tuple[int, ...] | None:
    """The whole numbers between commas; None if there is anything else."""
    parts = text.split(",")
    return tuple(map(int, parts)) if all(map(_WHOLE.fullmatch, parts)) else None
