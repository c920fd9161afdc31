"""Mistakes that are made on the way back through time, each replayed on any network.

A mistake is the right reverse sweep over something wrong: other inputs, another cell, or a
forward pass of which the way back reads something else (`pitfalls_traces`). Mistakes therefore
combine, and what they make has contributions that add up to its gradient.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from . import backward, cells
from . import pitfalls_traces as traces
from .backward import BlockSweep, Sweep, Use
from .forward import BlockTrace, ForwardPass, forward
from .ops import Array
from .program import Program, Truncation
from .template import Template


@dataclass(frozen=True)
class Case:
    """What a network is run on: its program, its leaves, and the sequence before, if any."""

    program: Program
    leaves: Mapping[str, Array]
    previous: Array | None = None


@dataclass(frozen=True)
class Mistake:
    """One kind of mistake.

    Parameters
    ----------
    why_not : callable
        Says of a case why the mistake makes no sense there; "" where it does.
    fed : callable
        The case that is run instead.
    passed : callable
        The forward pass of a recurrent block that the way back reads instead.
    """

    why_not: Callable[[Case], str]
    fed: Callable[[Case], Case] = lambda case: case
    passed: traces.Wrong = lambda trace: trace


def _memory(case: Case) -> str:
    cell = case.program.cell
    if not any(traces.reads(cell, state) for state in cell.states):
        return f"the cell {cell.name} does not read its past"
    return ""


def _steps(case: Case) -> str:
    return "there is only one step" if case.program.seq_len == 1 else ""


def _is_detached(case: Case) -> str:
    cut = case.program.truncation
    return "the network is detached at every step already" if cut and cut.size == 1 else ""


def _carry(state: str) -> Callable[[Case], str]:
    def why_not(case: Case) -> str:
        cell = case.program.cell
        if len(cell.states) == 1:
            word = "no cell state" if state == "c" else "one state only, h"
            return f"the cell {cell.name} has {word}"
        if not traces.reads(cell, state):
            return f"the cell {cell.name} does not read {state} of the step before"
        return ""

    return why_not


def _weighs_state(case: Case) -> str:
    cell = case.program.cell
    weighs = traces.weighs_state(cell)
    return "" if weighs else f"no parameter of the cell {cell.name} multiplies h directly"


def _square(case: Case) -> str:
    cell = case.program.cell
    squares = traces.square_weights(cell)
    return "" if squares else f"the cell {cell.name} has no H × H matrix that carries its state"


def _gru(case: Case) -> str:
    known = gru_form(case.program.cell) is not None
    return "" if known else f"the cell {case.program.cell.name} is no GRU"


def _previous(case: Case) -> str:
    if case.previous is None:
        return "it needs previous=, the sequence before, of shape (T, I)"
    width = case.program.input_size
    if case.previous.shape[1] != width:
        return f"previous= has {case.previous.shape[1]} inputs, and the network {width}"
    return ""


def _any(*reasons: Callable[[Case], str]) -> Callable[[Case], str]:
    return lambda case: next(filter(None, (reason(case) for reason in reasons)), "")


@lru_cache(maxsize=1)
def _grus() -> dict[str, tuple[bool, bool | str]]:
    forms = ((after, bias) for after in (True, False) for bias in (True, "single", False))
    return {_equations(cells.gru_cell(*form)): form for form in forms}


def _equations(cell: Template) -> str:
    return json.dumps(cell.to_json() | {"name": ""})


def gru_form(cell: Template) -> tuple[bool, bool | str] | None:
    """``reset_after`` and ``bias`` of a GRU, None for other cells."""
    return _grus().get(_equations(cell))


def _other_reset(case: Case) -> Case:
    form = gru_form(case.program.cell)
    assert form is not None
    after, bias = form
    return replace(case, program=replace(case.program, cell=cells.gru_cell(not after, bias)))


def update_rows(program: Program) -> dict[str, slice]:
    """Of a GRU, the rows of each parameter of its layers that make the update gate."""
    rows = slice(program.hidden_size, 2 * program.hidden_size)
    recurrent = (block for block in program.blocks if block.recurrent)
    return {block.leaves[name]: rows for block in recurrent for name in program.cell.params}


def _negated(arrays: Mapping[str, Array], rows: Mapping[str, slice], axis: int) -> dict[str, Array]:
    """The same arrays with those rows, on that axis, of the other sign."""
    result = dict(arrays)
    for name, there in rows.items():
        result[name] = np.array(result[name])
        result[name][(slice(None),) * axis + (there,)] *= -1.0
    return result


def _swapped_update(case: Case) -> Case:
    # σ(−a) = 1 − σ(a): the gate with its rows negated is the gate with z and 1 − z swapped.
    return replace(case, leaves=_negated(case.leaves, update_rows(case.program), 0))


def _reversed(case: Case) -> Case:
    before = None if case.previous is None else case.previous[::-1]
    return replace(case, leaves={**case.leaves, "x": case.leaves["x"][::-1]}, previous=before)


def _not_reset(case: Case) -> Case:
    assert case.previous is not None
    steps = len(case.previous)
    program = replace(
        case.program, seq_len=steps, loss="sum", loss_steps=(steps - 1,), truncation=None
    )
    ran = forward(program, {**case.leaves, "x": case.previous})
    last = {}
    for state in program.cell.states:
        recurrent = (b for b in ran.blocks if b.block.recurrent)
        rows = [b.states[state][0 if b.block.reverse else -1] for b in recurrent]
        last[state + "0"] = rows[0] if program.rows == 1 else np.stack(rows)
    return replace(case, leaves={**case.leaves, **last})


def _detached(case: Case) -> Case:
    return replace(case, program=case.program.truncated(Truncation("chunk", 1)))


MISTAKES: dict[str, Mistake] = {
    "forward order": Mistake(_any(_steps, _memory), passed=traces.in_forward_order),
    "reversed input": Mistake(_steps, fed=_reversed),
    "state not reset": Mistake(_any(_memory, _previous), fed=_not_reset),
    "detached each step": Mistake(_any(_steps, _memory, _is_detached), fed=_detached),
    "off-by-one hidden state": Mistake(_weighs_state, passed=traces.one_step_late),
    "cell carry dropped": Mistake(_carry("c"), passed=traces.without_carry("c")),
    "hidden carry dropped": Mistake(_carry("h"), passed=traces.without_carry("h")),
    "transposed weight": Mistake(_square, passed=traces.transposed),
    "reset gate mixed up": Mistake(_gru, fed=_other_reset),
    "update gate swapped": Mistake(_gru, fed=_swapped_update),
}

# Where several are made: the network first, then what it is fed, then what is read of it.
_APPLIED = (
    "update gate swapped",
    "reset gate mixed up",
    "reversed input",
    "state not reset",
    "detached each step",
    "off-by-one hidden state",
    "transposed weight",
    "cell carry dropped",
    "hidden carry dropped",
    "forward order",
)


def sensible(case: Case) -> list[str]:
    """The mistakes that make sense in a case."""
    return [name for name, mistake in MISTAKES.items() if not mistake.why_not(case)]


class Replay:
    """The gradient that a network has when mistakes are made; without any, the right one.

    Parameters
    ----------
    case : Case
    names : collection of str
        Of `MISTAKES`, such as make sense in the case.
    """

    def __init__(self, case: Case, names: Collection[str] = ()) -> None:
        self.names = tuple(name for name in MISTAKES if name in names)
        self._swapped = update_rows(case.program) if "update gate swapped" in names else {}
        self._reversed = "reversed input" in names
        for name in _APPLIED:
            if name in names:
                case = MISTAKES[name].fed(case)
        self.program = case.program
        self.leaves = case.leaves
        passed = forward(case.program, case.leaves)
        self.trace = ForwardPass(
            tuple(self._passed(block) for block in passed.blocks), passed.losses
        )

    def _passed(self, block: BlockTrace) -> BlockTrace:
        for name in _APPLIED:
            if name in self.names and block.block.recurrent:
                block = MISTAKES[name].passed(block)
        return block

    @cached_property
    def swept(self) -> Sweep:
        """The sweep; its adjoints are those of what was run."""
        return backward.sweep(self.program, self.trace)

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """The gradient of every leaf, laid out as the leaf itself is."""
        return self._restored(backward.gradients(self.program, self.swept))

    @cached_property
    def contributions(self) -> dict[str, Array]:
        """C[t, k] of every parameter: (T, T, *shape), [loss step, source step]."""
        return _negated(backward.contributions(self.program, self.swept), self._swapped, 2)

    @cached_property
    def scales(self) -> dict[str, float]:
        """Of every leaf the largest Σ |C[t, k]| of an entry: what rounding is judged against."""
        size = Sweep(
            self.swept.rows,
            tuple(_sizes(block) for block in self.swept.blocks),
            {leaf: np.abs(adjoint) for leaf, adjoint in self.swept.leaves.items()},
        )
        sums = backward.gradients(self.program, size)
        return {name: float(np.abs(array).max()) for name, array in sums.items()}

    def _restored(self, arrays: dict[str, Array]) -> dict[str, Array]:
        arrays = _negated(arrays, self._swapped, 0)
        if self._reversed:  # that of x as it was given
            arrays["x"] = arrays["x"][::-1]
        return arrays


def _sizes(block: BlockSweep) -> BlockSweep:
    uses = [
        Use(u.leaf, u.start, np.abs(u.adjoint), None if u.x is None else np.abs(u.x))
        for u in block.uses
    ]
    initial = {state: np.abs(adjoint) for state, adjoint in block.initial.items()}
    return replace(block, uses=uses, initial=initial)
