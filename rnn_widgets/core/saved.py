"""A network as text, and read back, trusting nothing in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import values
from .ops import Array
from .program import FORMAT, Program, Truncation
from .template import Template


def to_text(program: Program, leaves: Mapping[str, Array]) -> str:
    """The folded program and its numbers as JSON; floats keep every bit."""
    data = program.to_json()
    data["values"] = {name: array.tolist() for name, array in leaves.items()}
    return json.dumps(data, allow_nan=False)


def from_text(text: str) -> Any:
    """The plain data of `to_text`, unchecked.

    Raises
    ------
    ValueError
        If it is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"a saved network is JSON text; this is not: {error}") from error


def from_data(data: Any) -> tuple[Program, dict[str, Array]]:
    """A program and its leaves from the plain data of `to_text`.

    Raises
    ------
    ValueError
        If something is missing or damaged, naming it.
    """
    program = _program(data)
    given = data.get("values")
    if not isinstance(given, dict) or set(given) != set(program.leaves):
        raise ValueError(f"the saved network must have values for {', '.join(program.leaves)}")
    try:
        return program, values.checked(program, given)
    except (TypeError, IndexError) as error:
        raise ValueError(f"the saved network is damaged: {error}") from error


def _program(data: Any) -> Program:
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f"a saved network is an object with format {FORMAT!r}")
    try:
        cut = data["truncation"]
        readout = data["readout"]
        program = Program(
            cell=Template.from_json(data["cell"]),
            input_size=values.size("input_size", data["input_size"]),
            hidden_size=values.size("hidden_size", data["hidden_size"]),
            seq_len=values.size("seq_len", data["seq_len"]),
            num_layers=values.size("num_layers", data["num_layers"]),
            bidirectional=values.choice("bidirectional", data["bidirectional"], (True, False)),
            readout=None if readout is None else values.size("readout", readout),
            loss=values.loss_kind(data["loss"]),
            truncation=None
            if cut is None
            else Truncation(
                values.choice("truncation", cut["kind"], ("window", "chunk")),
                values.size("truncation", cut["size"]),
            ),
        )
        chosen = values.loss_steps(data["loss_steps"], program.seq_len)
        if list(chosen) != data["loss_steps"]:
            raise ValueError("the saved network's loss_steps are not an ascending list of steps")
        return replace(program, loss_steps=chosen)
    except KeyError as error:
        raise ValueError(f"the saved network lacks {error.args[0]!r}") from error
    except (TypeError, IndexError) as error:
        raise ValueError(f"the saved network is damaged: {error}") from error
