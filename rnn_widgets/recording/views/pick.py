"""Reading what picks samples, channels and directions."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from rnn_widgets.core.names import unknown
from rnn_widgets.recording.layer import Array
from rnn_widgets.recording.uses import by_source

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

DIRECTIONS = ("both", "forward", "reverse")
EVERY = "all"


def index_list(given: object, count: int, what: str) -> list[int]:
    """Read an index, a slice, an iterable of indices or "all" of ``count`` things.

    Raises
    ------
    TypeError, IndexError, ValueError
        If it is none of these, outside, or nothing.

    >>> index_list(slice(-2, None), 5, "sample"), index_list(-1, 5, "sample")
    ([3, 4], [4])
    """
    if given is None or (isinstance(given, str) and given == "all"):
        return list(range(count))
    if isinstance(given, slice):
        found = list(range(count))[given]
        if not found:
            raise ValueError(f"{given} picks no {what} of {count}")
        return found
    if isinstance(given, str):
        raise TypeError(f'{what}s are an index, a slice, a list or "all", not {given!r}')
    indices = given if isinstance(given, Iterable) else [given]
    try:
        found = [operator.index(cast(Any, index)) for index in indices]
    except TypeError:
        raise TypeError(f'{what}s are an index, a slice, a list or "all", not {given!r}') from None
    for index in found:
        if not -count <= index < count:
            raise IndexError(f"{what} {index} is not one of 0 to {count - 1}")
    if not found:
        raise ValueError(f"an empty list picks no {what}")
    return [index % count for index in found]


def channel_list(given: object, count: int) -> list[int]:
    """Read channels as `index_list` does, or from text such as ``"0:16, 20"``.

    >>> channel_list("0:3, -1", 8)
    [0, 1, 2, 7]
    """
    if not isinstance(given, str) or given == "all":
        return index_list(given, count, "channel")
    found: list[int] = []
    for part in given.replace("–", ":").split(","):
        ends = part.split(":")
        try:
            numbers = [int(end) if end.strip() else None for end in ends]
        except ValueError:
            numbers = []
        if not numbers or len(ends) > 3 or numbers == [None]:
            raise ValueError(f'write channels as "0:16, 20", not {given!r}')
        piece: Any = slice(*numbers) if len(ends) > 1 else numbers[0]
        found += index_list(piece, count, "channel")
    return list(dict.fromkeys(found))


def check_direction(rec: Recording, direction: str | None) -> str | None:
    """Refuse a direction that the layer does not have.

    Raises
    ------
    KeyError, ValueError
        If there is no direction of that name, or the layer has only one.
    """
    if direction is None:
        return None
    if direction not in DIRECTIONS:
        raise unknown("direction", direction, DIRECTIONS)
    if direction == "reverse" and rec.directions == 1:
        raise ValueError(
            "direction='reverse' needs a bidirectional layer; this one has forward only"
        )
    return direction


def part(rec: Recording, samples: Sequence[int]) -> Recording:
    """A recording of some of the samples; what is summed over the batch is summed over these."""
    chosen = list(samples)
    if chosen == list(range(rec.samples)):
        return rec
    arrays: dict[str, Array] = {}
    for name, array in rec._arrays.items():
        if name.startswith("weights."):
            arrays[name] = array
        elif not name.startswith("gradients."):
            arrays[name] = array[chosen] if name in ("lengths", "losses") else array[:, chosen]
    sums = {
        name: by_source(rec._spec, arrays, name.removeprefix("gradients.")).sum(0)
        for name in rec._arrays
        if name.startswith("gradients.")
    }
    return type(rec)(rec._meta, arrays | sums)
