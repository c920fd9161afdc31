"""Any recorded quantity as numbers of samples, steps, directions and channels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rnn_widgets.core.norms import norms
from rnn_widgets.recording.layer import Array
from rnn_widgets.recording.uses import by_source

from .parameters import both_directions, check_parameter, direction_of

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

OF_PARAMETERS = re.compile(r"(weights|gradients|by_source|contributions)\[(.*)\]")
INITIAL = re.compile(r"initial\[(.*)\]")


@dataclass(frozen=True)
class ByStep:
    """A recorded quantity, ``values`` (samples, steps, groups, channels).

    A group is a direction, "" where there is one or none; of initial states also a layer.
    ``word`` is what a channel is called. What is ``summed`` over the batch has one row for all
    samples, what is not ``timed`` one step; ``signed`` is False for norms.
    """

    values: Array
    label: str
    groups: tuple[str, ...]
    word: str = "channel"
    by_sample: bool = True
    timed: bool = True
    gated: bool = False
    signed: bool = True


def by_step(rec: Recording, what: str, gate: str | None = None) -> ByStep:
    """Read a quantity.

    Parameters
    ----------
    rec : Recording
    what : str
        As `Recording.quantity` takes it.
    gate : str, optional
        Of a parameter, the rows of one gate only.

    Raises
    ------
    KeyError
        If there is none of that name.

    Notes
    -----
    Of a parameter, or what each step adds to its gradient, a channel is a unit and the number the
    norm of all entries in rows of that unit. Of contributions a channel is a loss step and a step
    is a source step. Both directions of a bidirectional layer stand side by side.
    """
    if match := OF_PARAMETERS.fullmatch(what):
        return _of_parameter(rec, match[1], check_parameter(rec, match[2]), gate)
    quantity = rec.quantity(what)
    values = np.asarray(quantity.values)
    if INITIAL.fullmatch(what):
        names = [
            f"layer {i} {direction}".strip() if rec.num_layers > 1 else direction
            for i in range(rec.num_layers)
            for direction in _directions(rec)
        ]
        return ByStep(values.swapaxes(0, 1)[:, None], quantity.label, tuple(names), timed=False)
    of_input = quantity.axes[2] == "input"
    groups = ("",) if of_input else _directions(rec)
    values = values.reshape(*values.shape[:2], len(groups), -1)
    return ByStep(values, quantity.label, groups, "input" if of_input else "channel")


def _directions(rec: Recording) -> tuple[str, ...]:
    return ("forward", "reverse") if rec.directions == 2 else ("",)


def _of_parameter(rec: Recording, group: str, name: str, gate: str | None) -> ByStep:
    names = both_directions(rec, name)
    groups = tuple(direction_of(rec, one) for one in names)
    if group == "contributions":
        tables = [np.asarray(rec.contributions(one)).T for one in names]
        label = f"norm of the contributions to {name} by source step"
        values = np.stack(tables, 1)[None]
        return ByStep(values, label, groups, "loss step", by_sample=False, signed=False)
    values = np.stack([_of_units(rec, group, one, gate) for one in names], 1)[None]
    which = f", gate {gate}" if gate else ""
    label = {
        "weights": f"norm of each unit's part of {name}{which}",
        "gradients": f"norm of each unit's part of the gradient of {name}{which}",
        "by_source": f"norm of each unit's part of the gradient of {name}{which} by source step",
    }[group]
    return ByStep(
        values,
        label,
        groups,
        by_sample=False,
        timed=group == "by_source",
        gated=True,
        signed=False,
    )


def _of_units(rec: Recording, group: str, name: str, gate: str | None) -> Array:
    """Norms of the entries in each unit's rows of a parameter, (steps or 1, units)."""
    found = np.zeros(1)
    for source in rec._parameters[name].sources:
        if group == "by_source":
            held = by_source(rec._spec, rec._arrays, source)
        else:
            held = rec._arrays[f"{group}.{source}"][None]
        held = held.reshape(*held.shape[:2], -1)
        gates = list(rec.gates)
        if source.startswith("weight_hr"):
            gates = [""]
        parts = held.reshape(len(held), len(gates), -1, held.shape[2])
        if gate and gate in gates:
            parts = parts[:, gates.index(gate)][:, None]
        found = np.hypot(found, norms(parts, (1, 3)))
    return found
