"""Reading a folded program back from plain data, trusting nothing in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from . import values
from .program import FORMAT, Program, Truncation
from .template import Template


def program_from_data(data: Any) -> Program:
    """A program from the plain data of `Program.to_json`.

    Raises
    ------
    ValueError
        If something is missing or damaged, naming it.
    """
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
