"""Programs of drawn shapes: what nobody thought of when the other vectors were written."""

import runpy
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from pathlib import Path

from written import Draws

from rnn_widgets.core.cells import gru_cell, lstm_cell, rnn_cell
from rnn_widgets.core.program import LOSSES, Program, Truncation
from rnn_widgets.core.template import Template

EACH = 3  # programs per cell
MOST = 150  # numbers in the leaves, since every one of them is written down

CUSTOM = runpy.run_path(str(Path(__file__).parents[1] / "core" / "networks.py"))["CUSTOM"]
BIAS = (True, "single", False)


def programs(draws: Draws) -> Iterator[tuple[str, Program]]:
    """Some programs of every kind of cell, with names that say what they are."""
    for _ in range(EACH):
        cells: list[Template] = [
            *(rnn_cell(f, draws.choice(BIAS)) for f in ("tanh", "relu", "identity", "sigmoid")),
            *(gru_cell(after, draws.choice(BIAS)) for after in (True, False)),
            lstm_cell(draws.choice(BIAS)),
            *CUSTOM,
        ]
        for cell in cells:
            program = _program(cell, draws)
            while sum(map(prod, program.leaves.values())) > MOST:
                program = _program(cell, draws)
            yield _described(program), program


def _program(cell: Template, draws: Draws) -> Program:
    steps = draws.whole(1, 7)
    chosen = tuple(t for t in range(steps) if draws.whole(0, 1)) or (steps - 1,)
    program = Program(
        cell,
        input_size=draws.whole(1, 4),
        hidden_size=draws.whole(1, 6),
        seq_len=steps,
        num_layers=draws.whole(1, 3),
        bidirectional=draws.choice((False, True)),
        readout=draws.choice((None, 1, 2, 3)),
        loss=draws.choice(LOSSES),
        loss_steps=draws.choice((tuple(range(steps)), chosen)),
    )
    kind = draws.choice((None, "window", "chunk"))
    return replace(program, truncation=kind and Truncation(kind, draws.whole(1, steps)))


def _described(program: Program) -> str:
    cut = program.truncation
    parts = [
        program.cell.name,
        f"I={program.input_size} H={program.hidden_size} T={program.seq_len}",
        f"{program.num_layers} layers" if program.num_layers > 1 else "",
        "both directions" if program.bidirectional else "",
        f"readout {program.readout}" if program.readout else "",
        f"{program.loss} at {' '.join(map(str, program.loss_steps))}",
        f"{cut.kind} {cut.size}" if cut else "",
    ]
    return ", ".join(filter(None, parts))
