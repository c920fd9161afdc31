"""The numbers that the options of a view pick; what they leave open, the selection decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rnn_widgets.recording.layer import Array

from .by_step import ByStep, by_step
from .pick import EVERY, channel_list, part
from .scales import Norm, extent, rising

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

    from .options import Options
    from .selection import Selection


@dataclass(frozen=True)
class Picked:
    """Numbers of a recorded quantity, with what each axis holds.

    ``values`` is (samples, steps, directions, channels); ``values[i, j, d, c]`` belongs to sample
    ``samples[i]``, step ``first + j``, direction ``directions[d]`` and the channel that
    ``channel(d, c)`` says. Steps beyond a sample's own length are masked by ``real`` (samples,
    steps). What is summed over the batch has one row, of all ``samples`` together.
    """

    values: Array
    real: Array
    samples: list[int]
    directions: list[str]
    channels: list[int]
    first: int
    label: str
    channel_word: str
    by_sample: bool
    mirrored: bool
    of_batch: bool

    @property
    def steps(self) -> int:
        """How many steps are shown."""
        return int(self.values.shape[1])

    def numbers(self) -> Array:
        """All the numbers, without padding."""
        return self.values[self.real]

    def channel(self, direction: int, place: int) -> int:
        """Which channel is at a place of a direction."""
        back = self.mirrored and self.directions[direction].endswith("reverse")
        return self.channels[::-1][place] if back else self.channels[place]

    def name(self, direction: int, place: int) -> str:
        """The channel at a place, and its direction where two are shown."""
        before = f"{self.directions[direction]} " if len(self.directions) > 1 else ""
        return f"{before}{self.channel(direction, place)}"

    def of_sample(self, row: int) -> str:
        """Which sample a row is of, for a reading; nothing where there is no choice."""
        many = self.by_sample and self.of_batch
        return f" · sample {self.samples[row]}" if many else ""


class Choice:
    """The numbers of a quantity that the options of a view pick.

    Parameters
    ----------
    rec : Recording
    what : str
    options : Options
    timed : bool
        Whether only what has steps will do.

    Raises
    ------
    KeyError, IndexError, TypeError, ValueError
        For what does not exist.
    """

    def __init__(self, rec: Recording, what: str, options: Options, timed: bool = True) -> None:
        self.rec, self.what, self.options = rec, what, options
        self._read: dict[str | None, ByStep] = {}
        made = self._by_step(None)
        if timed and not made.timed:
            name = re.sub(r"^\w+", "by_source", what)
            more = "" if what.startswith("initial") else f"; {name} has what each step adds"
            raise ValueError(
                f"{what} has no steps: features_0d, histogram and heatmap draw it{more}"
            )
        if options.max_timesteps is not None and not made.timed:
            raise ValueError(f"{what} has no steps for max_timesteps to pick from")
        if options.gate is not None and not made.gated:
            raise ValueError(
                f"gate picks rows of a parameter, which {what} is not: the numbers of gates are "
                "gates.i.values, gates.i.adjoints and so on"
            )
        if options.samples is not None and what.startswith("weights"):
            raise ValueError("weights are the same for every sample")
        if options.direction in ("forward", "reverse") and rec.directions == 2:
            self._places(options.direction, made)
        self.picked(None)

    @cached_property
    def _rec(self) -> Recording:
        """What to read of: where numbers are summed over the batch, the samples asked for."""
        return part(self.rec, self.all_samples)

    def _by_step(self, gate: str | None) -> ByStep:
        if gate not in self._read:
            summed = re.match(r"(gradients|by_source|contributions)\[", self.what)
            rec = self._rec if summed else self.rec
            self._read[gate] = by_step(rec, self.what, gate)
        return self._read[gate]

    @property
    def follows(self) -> tuple[str, ...]:
        """Traits of the selection that pick of this quantity."""
        made = self._by_step(None)
        can = {
            "sample": made.by_sample,
            "channels": made.word == "channel",
            "direction": any(made.groups),
            "gate": made.gated,
        }
        return tuple(name for name, is_so in can.items() if is_so)

    @property
    def all_samples(self) -> list[int]:
        """The samples asked for."""
        given = self.options.samples
        return list(range(self.rec.samples)) if given is None else given

    @property
    def timed(self) -> bool:
        """Whether it has steps."""
        return self._by_step(None).timed

    @property
    def one_row(self) -> bool:
        """Whether there is one row of numbers only, without a choice of samples."""
        return not self._by_step(None).by_sample or self.rec.samples == 1

    def _places(self, direction: str, made: ByStep) -> list[int]:
        found = [i for i, name in enumerate(made.groups) if name.endswith(direction)]
        if not found:
            raise ValueError(f"{self.what} is of no direction: both read and pass it on together")
        return found

    def picked(self, selection: Selection | None, samples: list[int] | None = None) -> Picked:
        """The numbers, of some samples or of all that were asked for."""
        rec, options = self.rec, self.options
        direction, channels, gate = options.direction, options.channels, options.gate
        made = self._by_step(None)
        if selection is not None:
            direction = direction or selection.direction
            if made.word == "channel" and channels is None:
                channels = selection.channels
            gate = gate or selection.gate
        if made.gated and gate not in (None, EVERY):
            made = self._by_step(gate)
        count, steps = made.values.shape[3], made.values.shape[1]
        places = list(range(len(made.groups)))
        if direction in ("forward", "reverse") and any(made.groups):
            places = self._places(direction, made)
        chosen = channel_list("all" if channels is None else channels, count)
        first = max(steps - (options.max_timesteps or steps), 0)
        some = self.all_samples if samples is None else samples
        rows = some if made.by_sample else [0]
        real = np.ones((len(rows), steps), bool)
        if rec.lengths is not None and made.by_sample and made.timed:
            real = np.arange(steps) < np.asarray(rec.lengths)[rows, None]
        values = made.values[np.ix_(rows, range(first, steps), places, chosen)]
        groups = [made.groups[place] for place in places]
        if options.reflect:
            for at, name in enumerate(groups):
                if name.endswith("reverse"):
                    values[:, :, at] = values[:, :, at, ::-1].copy()
        return Picked(
            values,
            real[:, first:],
            some,
            groups,
            chosen,
            first,
            made.label,
            made.word,
            made.by_sample,
            options.reflect,
            rec.samples > 1 and not self.what.startswith("weights"),
        )

    def ends(self, numbers: Array) -> Norm:
        """The ends of the norm called "auto": 0 and 1 of a gate's values, which are shares."""
        if re.search(r"(^|\.)gates\.[ifozr]\.values$", self.what):
            return 0.0, 1.0
        return self.room(numbers)

    def room(self, numbers: Array) -> Norm:
        """Ends with room for all numbers, from zero where there are no negative ones."""
        return extent(numbers) if self._by_step(None).signed else rising(numbers)

    def fixed(self, overlaid: bool = False) -> set[str]:
        """Traits of the selection that have no effect.

        Where samples are overlaid, the one in focus stands out of those that were asked for.
        """
        options, followed = self.options, self.follows
        one = len(self.all_samples) == 1
        given = {
            "sample": one or not (overlaid or options.samples is None),
            "channels": options.channels is not None,
            "direction": options.direction is not None,
            "gate": options.gate is not None,
        }
        return {name for name, is_given in given.items() if is_given or name not in followed}

    def alone(self, selection: Selection) -> list[int] | None:
        """The sample in focus where the options leave it open, else None: all asked for."""
        sample = selection.sample
        free = self.options.samples is None and self._by_step(None).by_sample
        return [sample] if free and sample is not None else None

    def focus(self, selection: Selection) -> int | None:
        """The sample in focus, where it is one of those asked for."""
        if not self._by_step(None).by_sample:
            return None
        return selection.sample if selection.sample in self.all_samples else None
