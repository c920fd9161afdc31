"""A layer's parameters and what belongs to them, split into gates and directions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnn_widgets.core.names import unknown
from rnn_widgets.recording.layer import Array

from .pick import EVERY, channel_list, part

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

    from .options import Options
    from .selection import Selection

GROUPS = ("weights", "gradients", "by_source", "contributions")
OVER_TIME = "contributions"  # (T, T) norms for each parameter


@dataclass(frozen=True)
class Block:
    """What one gate of one direction has of a parameter, (rows, columns), or (·, rows, columns).

    ``rows`` and ``columns`` are what the entries are called: indices within the gate, or steps.
    """

    name: str
    gate: str
    direction: str
    values: Array
    rows: Sequence[int]
    columns: Sequence[int]

    @property
    def caption(self) -> str:
        """The parameter and the gate; Keras's names, which are long, without their layer."""
        before, _, name = self.name.rpartition(".")
        if before and self.direction:
            name = f"{name} {self.direction}"
        return f"{name} · {self.gate}" if self.gate else name

    @property
    def place(self) -> str:
        """The direction and the gate, as far as there are several."""
        return " ".join(filter(None, (self.direction, self.gate)))


def roles(rec: Recording, layer: int) -> dict[str, list[str]]:
    """Names of a layer's parameters by what they are in PyTorch, in each direction."""
    end = f"_l{layer}"
    found: dict[str, list[str]] = {}
    for name, parameter in rec._parameters.items():
        role, at, _ = parameter.sources[0].partition(end)
        if at and parameter.sources[0].removeprefix(role + end) in ("", "_reverse"):
            found.setdefault(role, []).append(name)
    return found


def recurrent(rec: Recording, layer: int) -> str:
    """The name of a layer's recurrent kernel."""
    return roles(rec, layer)["weight_hh"][0]


def both_directions(rec: Recording, name: str) -> list[str]:
    """A parameter and the same of the other direction, forward first."""
    source = rec._parameters[name].sources[0]
    forward = source.removesuffix("_reverse")
    twins = [
        n for n, p in rec._parameters.items() if p.sources[0].removesuffix("_reverse") == forward
    ]
    return sorted(twins, key=lambda n: rec._parameters[n].sources[0].endswith("_reverse"))


def direction_of(rec: Recording, name: str) -> str:
    """The direction of a parameter; "" where there is only one."""
    if rec.directions == 1:
        return ""
    return "reverse" if rec._parameters[name].sources[0].endswith("_reverse") else "forward"


def check_parameter(rec: Recording, name: str) -> str:
    """Refuse what is no parameter.

    Raises
    ------
    KeyError
        Naming the nearest that is.
    """
    if name not in rec._parameters:
        raise unknown("parameter", name, rec._parameters)
    return name


def read_group(rec: Recording, what: str) -> tuple[str, str | None] | None:
    """Read such as "gradients" or "gradients[weight_hh_l0]"; None for another name.

    Raises
    ------
    KeyError
        If the parameter does not exist.
    """
    group, _, rest = what.partition("[")
    if group not in GROUPS:
        return None
    return group, check_parameter(rec, rest.removesuffix("]")) if rest else None


def contributions(
    rec: Recording,
    name: str,
    units: Sequence[int] | None = None,
    gate: str | None = None,
    reach: int | None = None,
) -> Array:
    """Norms of C[t, k] (T, T), of the rows of some units and of one gate where these are given.

    Where only a ``reach`` of source steps is needed, those further from the loss may be zero.
    """
    if units is None and gate is None and (reach is None or reach >= rec.steps):
        return np.asarray(rec.contributions(name), float)
    rec._refuse_transformed("contributions")
    from rnn_widgets.interop.capture.contributions import norms

    at = None if gate is None else list(rec.gates).index(gate)
    found = norms(rec._spec, rec._arrays, rec._meta["cuts"], rec.device, units, at, reach)
    tables = [found[source] for source in rec._parameters[name].sources]
    return np.asarray(tables[0] if len(tables) == 1 else np.hypot(*tables))


class Parts:
    """What the options of a view pick of a group of parameters.

    Parameters
    ----------
    rec : Recording
    group : str
        One of `GROUPS`.
    names : list of str
        Parameters.
    options : Options
    whole : bool
        Whether to keep the steps of what each step adds, instead of one matrix.

    Raises
    ------
    ValueError, IndexError
        For an option that has no meaning for this group.
    """

    def __init__(
        self, rec: Recording, group: str, names: list[str], options: Options, whole: bool
    ) -> None:
        self.group, self._names = group, names
        self._options, self._whole = options, whole
        if group in ("weights", "gradients"):
            for option, value in (("max_timesteps", options.max_timesteps), ("step", options.step)):
                if value is not None:
                    more = "by_source has what each step adds to a gradient"
                    raise ValueError(f"{group} have no steps for {option} to pick from; {more}")
        if group == "weights" and options.samples is not None:
            raise ValueError("weights are the same for every sample")
        if group == OVER_TIME and options.step is not None:
            raise ValueError("contributions are of pairs of steps: max_timesteps picks the last")
        self._rec = rec if options.samples is None else part(rec, options.samples)
        first = rec.steps - min(options.max_timesteps or rec.steps, rec.steps)
        if options.step is not None and options.step < first:
            last = rec.steps - first
            raise ValueError(
                f"step {options.step} is not one of the last {last} that max_timesteps leaves"
            )
        self._first = first
        self.follows = ("direction",) if group == OVER_TIME else ("gate", "direction", "channels")
        self.all(None)

    def all(self, selection: Selection | None) -> list[Block]:
        """Of every gate and direction."""
        channels = self._options.channels
        if channels is None and selection is not None and "channels" in self.follows:
            channels = selection.channels
        return [block for name in self._names for block in self._blocks(name, channels)]

    def shown(self, selection: Selection) -> list[Block]:
        """Of the gate and the direction that are chosen."""
        gate = self._options.gate or selection.gate
        direction = self._options.direction or selection.direction
        return [
            block
            for block in self.all(selection)
            if gate in (EVERY, block.gate) or not block.gate
            if direction in ("both", block.direction) or not block.direction
        ]

    def _held(self, name: str) -> Array:
        rec, step = self._rec, self._options.step
        if self.group != "by_source":
            return np.asarray(getattr(rec, self.group)[name])
        by_source = rec.by_source(name)
        if self._whole:
            return by_source[self._first :]
        return by_source[step] if step is not None else by_source[self._first :].sum(0)

    def _blocks(self, name: str, channels: object) -> list[Block]:
        """A parameter split into the layer's gates, in the layer's own order."""
        rec, options = self._rec, self._options
        parameter = rec._parameters[name]
        source, direction = parameter.sources[0], direction_of(rec, name)
        gates = list(rec.gates)
        projects = source.startswith("weight_hr")
        count = rec.hidden if projects else rec._spec.hidden_size
        units = channel_list("all" if channels is None else channels, count)
        if self.group == OVER_TIME:
            gate = None if options.gate in (None, EVERY) or len(gates) == 1 else options.gate
            some = None if options.channels is None else units
            table = contributions(rec, name, some, gate)[self._first :, self._first :]
            steps = range(self._first + 1, rec.steps + 1)
            return [Block(name, "", direction, table, steps, steps)]
        held = self._held(name)
        along = -2 if source.startswith("weight") and not parameter.transpose else -1
        split = not projects and len(gates) > 1
        parts = np.split(held, len(gates), axis=along) if split else [held]
        in_order = [gates[i] for i in parameter.order or range(len(gates))] if split else [""]
        lead = 1 if self.group == "by_source" and self._whole else 0
        found = []
        for gate, values in zip(in_order, parts, strict=True):
            own = values.take(units, along)
            if own.ndim - lead == 1:
                own = own[..., None, :]
            if along == -2:
                rows, columns = units, list(range(own.shape[-1]))
            else:
                rows, columns = list(range(own.shape[-2])), units
            found.append(Block(name, gate, direction, own, rows, columns))
        return found


def initial_blocks(rec: Recording, name: str, options: Options) -> list[Block]:
    """Adjoints of initial states as blocks of samples and units, of each layer and direction.

    Raises
    ------
    KeyError
        If there is no such initial state.
    ValueError
        For an option that has no meaning for them.
    """
    values = np.asarray(rec.quantity(f"initial[{name}]").values)
    for option in ("max_timesteps", "step", "gate"):
        if getattr(options, option) is not None:
            raise ValueError(f"initial states have no {option.split('_')[-1]} for {option} to pick")
    samples = list(range(rec.samples)) if options.samples is None else options.samples
    units = channel_list("all" if options.channels is None else options.channels, values.shape[2])
    found = []
    for row, held in enumerate(values):
        layer, reverse = divmod(row, rec.directions)
        direction = ("forward", "reverse")[reverse] if rec.directions == 2 else ""
        wanted = options.direction in (None, "both", direction)
        if wanted:
            caption = f"{name} of layer {layer}" if rec.num_layers > 1 else name
            values_of = held[np.ix_(samples, units)]
            found.append(Block(caption, "", direction, values_of, samples, units))
    return found


def initial_name(what: str) -> str | None:
    """The state in such as "initial[h0]"; None for another name."""
    match = re.fullmatch(r"initial\[(.*)\]", what)
    return match[1] if match else None
