"""How quantities and local derivatives are written: ``h₆[0]``, ``1 − h₆[0]²``.

Subscripts are steps as mathematics counts them, from 1 (h₀ is the initial state); brackets are
entries as Python counts them, from 0.
"""

from __future__ import annotations

from .forward import ForwardPass
from .program import Block, Program

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def subscript(number: int) -> str:
    """A number in subscript digits."""
    return str(number).translate(_SUBSCRIPTS)


class Labels:
    """Labels for the nodes (block, node, step) of one network."""

    def __init__(self, program: Program, trace: ForwardPass) -> None:
        self._program = program
        self._trace = trace

    def weight(self) -> tuple[str, float]:
        """The factor that a mean loss puts on every step."""
        return f"1/{len(self._program.loss_steps)}", self._program.loss_weight

    def name(self, key: tuple[int, int, int], entry: int) -> str | None:
        """A named quantity's label, None if the node has no name of its own."""
        b, i, k = key
        block = self._program.blocks[b]
        node = block.template.nodes[i]
        return _written(block, node.name, k + 1, entry) if node.name else None

    def node(self, key: tuple[int, int, int], entry: int) -> str:
        """A label for any node: its name, or how it is computed."""
        b, i, k = key
        block = self._program.blocks[b]
        node = block.template.nodes[i]
        if node.name == "L":
            return "L" + subscript(k + 1)
        if node.name:
            return _written(block, node.name, k + 1, entry)
        if node.op == "param":
            return f"{block.leaves[node.attrs['param']]}[{entry}]"
        if node.op == "input":
            return self._input(b, node.attrs["slot"], k, entry)
        if node.op in ("tanh", "sigmoid", "relu"):
            return f"{node.op}({self.node((b, node.args[0], k), entry)})"
        if node.op == "slice":
            return self.node((b, node.args[0], k), entry + block.attrs[i]["start"])
        if node.op in ("add", "sub", "mul"):
            parts = [self.node((b, a, k), entry) for a in node.args]
            if node.op == "mul":
                return " ".join(parts)
            if all(block.template.nodes[a].name for a in node.args):
                return "(" + (" + " if node.op == "add" else " − ").join(parts) + ")"
        if node.op == "affine" and (node.attrs["scale"], node.attrs["shift"]) == (-1.0, 1.0):
            return f"(1 − {self.node((b, node.args[0], k), entry)})"
        return _written(block, "a", k + 1, entry)

    def _input(self, b: int, slot: str, k: int, entry: int) -> str:
        block = self._program.blocks[b]
        if slot in block.template.states:
            before = block.previous(k)
            initial = before in (-1, self._program.seq_len)
            return _written(block, slot, 0 if initial else before + 1, entry)
        for source in block.sources[slot]:
            if isinstance(source, str):
                scalar = source == "target" and self._program.loss == "cross_entropy"
                return f"{'onehot' if scalar else source}{subscript(k + 1)}[{entry}]"
            width = self._trace.blocks[source].output.shape[1]
            if entry < width:
                top = self._program.blocks[source].template.outputs[0]
                return self.node((source, top, k), entry)
            entry -= width
        raise AssertionError(f"entry {entry} of slot {slot!r} has no source")

    def factor(
        self, key: tuple[int, int, int], position: int, kind: str, out: int, arg: int
    ) -> str | None:
        """A label for the derivative of entry ``out`` of a node by entry ``arg`` of an argument.

        None for derivatives that are one by construction: sums, slices, joins.
        """
        b, i, k = key
        block = self._program.blocks[b]
        node = block.template.nodes[i]
        if kind in ("identity", "slice", "place") or node.op == "sum":
            return None
        others = [(b, a, k) for a in node.args]
        here = self.node(key, out)
        match node.op:
            case "tanh":
                return f"1 − {here}²"
            case "sigmoid":
                return f"{here} (1 − {here})"
            case "relu":
                return f"relu′({self.node(others[0], arg)})"
            case "mul":
                return self.node(others[1 - position], arg)
            case "sub":
                return "−1"
            case "affine":
                scale = node.attrs["scale"]
                return None if scale == 1.0 else f"{scale:g}".replace("-", "−")
            case "matvec" if kind == "outer":
                return self.node(others[1], arg)
            case "matvec":
                leaf = block.leaves[block.template.nodes[node.args[0]].attrs["param"]]
                return f"{leaf}[{out + block.attrs[i].get('start', 0)},{arg}]"
            case "dot":
                return self.node(others[1 - position], arg)
        y, target = (self.node(other, arg) for other in others)
        match node.op:
            case "sse":
                return f"2 ({y} − {target})"
            case "mse":
                return f"2 ({y} − {target}) / {self._program.output_size}"
        return f"softmax(y{subscript(k + 1)})[{arg}] − {target}"


def _written(block: Block, name: str, step: int, entry: int) -> str:
    return f"{name}{block.label}{subscript(step)}[{entry}]"
