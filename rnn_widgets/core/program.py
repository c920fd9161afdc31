"""A program: a cell's template plus counts, stored folded and unfolded into blocks on demand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from math import prod
from types import MappingProxyType
from typing import Any

from .expr import Expr
from .sizes import Size
from .template import Builder, Template

FORMAT = "rnn_widgets/1"
LOSSES = ("seed", "sum", "sse", "mse", "cross_entropy")
MEANS = ("mse", "cross_entropy")  # averaged over all selected entries
MAX_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Truncation:
    """Which state edges the backward pass does not cross.

    ``kind`` "window": loss step t keeps only lags below ``size``. ``kind`` "chunk": states are
    detached at every multiple of ``size`` steps.
    """

    kind: str
    size: int

    def cuts(self, step: int, previous: int, loss_step: int, initial: bool) -> bool:
        """Whether a loss step is cut from the state made at ``previous`` and read at ``step``.

        ``initial`` tells that it is the initial state: a window may leave it out, a chunk edge
        never falls on it.
        """
        if self.kind == "window":
            return abs(loss_step - previous) >= self.size
        return not initial and max(step, previous) % self.size == 0


@dataclass(frozen=True, eq=False)
class Block:
    """One layer and direction, the readout or the loss: a template applied at every step.

    ``sources`` maps an input slot to leaves (str) or earlier blocks (int) that are joined;
    ``leaves`` maps a template's parameter, and each state, to its leaf. ``label`` marks the layer
    and direction in names, ``""`` where there is only one.
    """

    template: Template
    sources: Mapping[str, tuple[str | int, ...]]
    leaves: Mapping[str, str]
    sizes: Mapping[str, int]
    reverse: bool = False
    row: int = 0
    label: str = ""

    @property
    def recurrent(self) -> bool:
        """Whether the block carries a state from step to step."""
        return bool(self.template.states)

    @cached_property
    def attrs(self) -> tuple[dict[str, Any], ...]:
        """Each node's attrs with its symbolic sizes made numbers."""
        return tuple(
            {k: v.value(self.sizes) if isinstance(v, Size) else v for k, v in node.attrs.items()}
            for node in self.template.nodes
        )

    def order(self, steps: int) -> range:
        """Steps in the order in which the forward pass visits them."""
        return range(steps - 1, -1, -1) if self.reverse else range(steps)

    def previous(self, step: int) -> int:
        """The step whose state this step reads; −1 or T is the initial state."""
        return step + 1 if self.reverse else step - 1


@dataclass(frozen=True)
class Program:
    """A tiny network without its numbers.

    Parameters
    ----------
    cell : Template
    input_size, hidden_size, seq_len : int
        I, H and T.
    num_layers : int
    bidirectional : bool
    readout : int or None
        Outputs of a linear readout, None for the hidden state itself.
    loss : str
        One of `LOSSES`.
    loss_steps : tuple of int
        The steps that enter the loss, ascending and 0-based; chosen last, with `replace`, since a
        seq_len that is too large is to be refused before its steps are listed.
    truncation : Truncation or None
    """

    cell: Template
    input_size: int
    hidden_size: int
    seq_len: int
    num_layers: int = 1
    bidirectional: bool = False
    readout: int | None = None
    loss: str = "seed"
    loss_steps: tuple[int, ...] = ()
    truncation: Truncation | None = None

    def __post_init__(self) -> None:
        required = self.contribution_bytes
        if required > MAX_BYTES:
            raise ValueError(
                f"the contributions of this network would need {Decimal(required) / 10**9:.3g} GB "
                f"(T² × parameters × 8 bytes with T={self.seq_len} and {self.parameter_count} "
                f"parameters); the limit is 1 GB, for example H=16, T=32 or H=32, T=100"
            )

    @property
    def directions(self) -> int:
        """1, or 2 if bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def output_size(self) -> int:
        """O, the length of an output y_t."""
        return self.readout or self.hidden_size * self.directions

    @property
    def rows(self) -> int:
        """Layers times directions: the leading axis of h0."""
        return self.num_layers * self.directions

    @property
    def loss_weight(self) -> float:
        """What multiplies each chosen step's loss: 1, or 1 over their number for a mean."""
        return 1.0 / len(self.loss_steps) if self.loss in MEANS else 1.0

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The program unfolded: recurrent blocks from the input up, then readout and loss."""
        blocks: list[Block] = []
        below: tuple[str | int, ...] = ("x",)
        width = self.input_size
        for layer in range(self.num_layers):
            made = []
            for direction in range(self.directions):
                suffix = f"_l{layer}" + ("_reverse" if direction else "")
                leaves = {p: p + suffix for p in self.cell.params}
                leaves |= {state: state + "0" for state in self.cell.states}
                label = suffix if self.rows > 1 else ""
                sizes = {"H": self.hidden_size, "I": width, "O": self.output_size}
                row = layer * self.directions + direction
                made.append(len(blocks))
                blocks.append(
                    Block(self.cell, {"x": below}, leaves, sizes, direction == 1, row, label)
                )
            below, width = tuple(made), self.hidden_size * self.directions
        sizes = {"H": self.hidden_size, "I": width, "O": self.output_size}
        if self.readout:
            leaves = {p: p for p in READOUT.params}
            blocks.append(Block(READOUT, {"x": below}, leaves, sizes))
            below = (len(blocks) - 1,)
        sources: dict[str, tuple[str | int, ...]] = {"y": below}
        if self.against:
            sources[self.against] = (self.against,)
        blocks.append(Block(LOSS_TEMPLATES[self.loss], sources, {}, sizes))
        return tuple(blocks)

    @property
    def against(self) -> str | None:
        """The leaf that the loss weighs the outputs with: "v", "target", or none."""
        return {"seed": "v", "sum": None}.get(self.loss, "target")

    @cached_property
    def parameters(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every parameter, in PyTorch's order."""
        return MappingProxyType(
            {
                block.leaves[name]: tuple(size.value(block.sizes) for size in shape)
                for block in self.blocks
                for name, shape in block.template.params.items()
            }
        )

    @property
    def parameter_count(self) -> int:
        """How many numbers the parameters hold; known without unfolding, however large."""
        width = self.hidden_size * self.directions
        lowest, other = (self._count(self.cell, n) for n in (self.input_size, width))
        count = self.directions * (lowest + (self.num_layers - 1) * other)
        return count + (self._count(READOUT, width) if self.readout else 0)

    def _count(self, template: Template, width: int) -> int:
        sizes = {"H": self.hidden_size, "I": width, "O": self.output_size}
        return sum(prod(n.value(sizes) for n in shape) for shape in template.params.values())

    @property
    def contribution_bytes(self) -> int:
        """Memory that C[t, k] of all parameters takes."""
        return 8 * self.seq_len**2 * self.parameter_count

    @cached_property
    def leaves(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of every leaf: parameters, x, initial states, and v or target."""
        state = (self.hidden_size,)
        shapes = dict(self.parameters)
        shapes["x"] = (self.seq_len, self.input_size)
        for name in self.cell.states:
            shapes[name + "0"] = state if self.rows == 1 else (self.rows, *state)
        if self.loss == "cross_entropy":
            shapes["target"] = (self.seq_len,)
        elif self.against:
            shapes[self.against] = (self.seq_len, self.output_size)
        return MappingProxyType(shapes)

    def truncated(self, truncation: Truncation | None) -> Program:
        """The program with another truncation."""
        return replace(self, truncation=truncation)

    def to_json(self) -> dict[str, Any]:
        """The folded program as plain data."""
        cut = self.truncation
        return {
            "format": FORMAT,
            "cell": self.cell.to_json(),
            "input_size": self.input_size,
            "hidden_size": self.hidden_size,
            "seq_len": self.seq_len,
            "num_layers": self.num_layers,
            "bidirectional": self.bidirectional,
            "readout": self.readout,
            "loss": self.loss,
            "loss_steps": list(self.loss_steps),
            "truncation": {"kind": cut.kind, "size": cut.size} if cut else None,
        }


def _traced(name: str, slots: Mapping[str, str], op: str, *args: str) -> Template:
    builder = Builder({})
    inputs = {slot: builder.input(slot, Size(size)) for slot, size in slots.items()}
    out = builder.name(builder.op(op, [inputs[a] for a in args]), "L")
    return Template(name, {}, tuple(builder.nodes), (), (out,))


def _readout() -> Template:
    shapes = {"readout.weight": (Size("O"), Size("I")), "readout.bias": (Size("O"),)}
    builder = Builder(shapes)
    x = Expr(builder, builder.input("x", Size("I")))
    weight = Expr(builder, builder.param("readout.weight"))
    y = weight @ x + Expr(builder, builder.param("readout.bias"))
    out = builder.name(y._index, "y")
    return Template("readout", shapes, tuple(builder.nodes), (), (out,))


READOUT = _readout()
LOSS_TEMPLATES = {
    "seed": _traced("seed", {"y": "O", "v": "O"}, "dot", "v", "y"),
    "sum": _traced("sum", {"y": "O"}, "sum", "y"),
    "sse": _traced("sse", {"y": "O", "target": "O"}, "sse", "y", "target"),
    "mse": _traced("mse", {"y": "O", "target": "O"}, "mse", "y", "target"),
    "cross_entropy": _traced(
        "cross_entropy", {"y": "O", "target": "O"}, "cross_entropy", "y", "target"
    ),
}
