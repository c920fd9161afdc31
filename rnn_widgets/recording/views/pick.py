"""Options that pick: samples, channels, directions, steps; and the numbers that they pick."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from rnn_widgets.core.names import unknown
from rnn_widgets.recording.layer import Array

from .scales import Norm, extent

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

    from .selection import Selection


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


@dataclass(frozen=True)
class Picked:
    """Numbers of a recorded quantity, with what each axis holds.

    ``values`` is (samples, steps, directions, channels); ``values[i, j, d, c]`` belongs to sample
    ``samples[i]``, step ``first + j``, direction ``directions[d]`` and channel ``channels[c]``.
    Steps beyond a sample's own length are masked by ``real`` (samples, steps).
    """

    values: Array
    real: Array
    samples: list[int]
    directions: list[str]
    channels: list[int]
    first: int
    label: str
    channel_word: str

    @property
    def steps(self) -> int:
        """How many steps are shown."""
        return int(self.values.shape[1])

    def numbers(self) -> Array:
        """All the numbers, without padding."""
        return self.values[self.real]

    def name(self, direction: int, channel: int) -> str:
        """A channel, and its direction where two are shown."""
        before = f"{self.directions[direction]} " if len(self.directions) > 1 else ""
        return f"{before}{self.channels[channel]}"


def recorded(rec: Recording, what: str) -> tuple[Array, str, bool]:
    """A quantity recorded for each sample and step, (N, T, channels).

    Returns
    -------
    values : array
    label : str
    of_input : bool
        Whether channels are those of the layer's input, which are of no direction.

    Raises
    ------
    KeyError
        If there is no such quantity.
    ValueError
        If it is one without samples or steps, such as the gradient of a parameter.
    """
    quantity = rec.quantity(what)
    values = np.asarray(quantity.values)
    if tuple(quantity.axes[:2]) != ("sample", "step"):
        raise ValueError(
            f"{what} has the axes {', '.join(quantity.axes)}, not sample, step and channel; "
            "histogram and heatmap show parameters, lag shows contributions"
        )
    return values, quantity.label, quantity.axes[2] == "input"


@dataclass(frozen=True)
class Choice:
    """The options of a view that pick; what they leave open, the selection decides.

    Raises
    ------
    KeyError, IndexError, TypeError, ValueError
        When made, of what does not exist.
    """

    rec: Recording
    what: str
    samples: object = None
    channels: object = None
    direction: str | None = None
    max_timesteps: int | None = None

    def __post_init__(self) -> None:
        check_direction(self.rec, self.direction)
        self.picked(None)

    @property
    def all_samples(self) -> list[int]:
        """The samples asked for."""
        return index_list(self.samples, self.rec.samples, "sample")

    def picked(self, selection: Selection | None, samples: list[int] | None = None) -> Picked:
        """The numbers, of some samples or of all that were asked for."""
        rec = self.rec
        values, label, of_input = recorded(rec, self.what)
        directed = rec.directions == 2 and not of_input
        names = ["forward", "reverse"] if directed else [""]
        values = values.reshape(*values.shape[:2], len(names), -1)
        direction, channels = self.direction or "both", self.channels
        if selection is not None and not of_input:
            direction = self.direction or selection.direction
            channels = selection.channels if channels is None else channels
        wanted = names if not directed or direction == "both" else [direction]
        chosen = channel_list("all" if channels is None else channels, values.shape[-1])
        first = rec.steps - shown_steps(rec.steps, self.max_timesteps)
        some = self.all_samples if samples is None else samples
        real = np.ones((rec.samples, rec.steps), bool)
        if rec.lengths is not None:
            real = np.arange(rec.steps) < np.asarray(rec.lengths)[:, None]
        steps = range(first, rec.steps)
        places = [names.index(name) for name in wanted]
        return Picked(
            values[np.ix_(some, steps, places, chosen)],
            real[np.ix_(some, steps)],
            some,
            wanted,
            chosen,
            first,
            label,
            "input" if of_input else "channel",
        )

    def ends(self, numbers: Array) -> Norm:
        """The ends of the norm called "auto": 0 and 1 of a gate's values, which are shares."""
        gate = re.search(r"(^|\.)gates\.[ifozr]\.values$", self.what)
        return (0.0, 1.0) if gate else extent(numbers)

    def fixed(self, overlaid: bool = False) -> set[str]:
        """Traits of the selection that have no effect.

        Where samples are overlaid, the one in focus stands out of those that were asked for.
        """
        one = len(self.all_samples) == 1
        given = {
            "sample": one or not (overlaid or self.samples is None),
            "channels": self.channels is not None or recorded(self.rec, self.what)[2],
            "direction": self.direction is not None,
        }
        return {name for name, is_given in given.items() if is_given}

    def alone(self, selection: Selection) -> list[int] | None:
        """The sample in focus where the options leave it open, else None: all asked for."""
        sample = selection.sample
        return None if sample is None or self.samples is not None else [sample]

    def focus(self, selection: Selection) -> int | None:
        """The sample in focus, where it is one of those asked for."""
        return selection.sample if selection.sample in self.all_samples else None


def shown_steps(steps: int, most: int | None) -> int:
    """How many of the last steps to show.

    Raises
    ------
    ValueError
        If ``most`` is not positive.
    """
    if most is None:
        return steps
    if operator.index(most) < 1:
        raise ValueError(f"max_timesteps is at least 1, not {most}")
    return min(steps, most)


def check_direction(rec: Recording, direction: str | None) -> str | None:
    """Refuse a direction that the layer does not have.

    Raises
    ------
    KeyError, ValueError
        If there is no direction of that name, or the layer has only one.
    """
    if direction is None:
        return None
    if direction not in ("both", "forward", "reverse"):
        raise unknown("direction", direction, ("both", "forward", "reverse"))
    if direction == "reverse" and rec.directions == 1:
        raise ValueError(
            "direction='reverse' needs a bidirectional layer; this one has forward only"
        )
    return direction
