"""A cell's equations written back as Python, from the template that tracing made of them."""

from __future__ import annotations

import keyword
import re
from collections import Counter

from rnn_widgets.core.sizes import Size
from rnn_widgets.core.template import Node, Template

_SUM, _PRODUCT, _NEGATIVE, _ATOM = 1, 2, 3, 4  # how tightly an expression binds
_LONG = 80  # a longer expression gets a name of its own

_CALLS = {
    "concat": "torch.cat([{}])",
    "tanh": "torch.tanh({})",
    "sigmoid": "torch.sigmoid({})",
    "relu": "torch.relu({})",
    "dot": "torch.linalg.vecdot({}).unsqueeze(0)",
    "sum": "torch.sum({}, 0, keepdim=True)",
}

_Expression = tuple[str, int]


def identifier(name: str) -> str:
    """A name that may stand in code as it is.

    Raises
    ------
    ValueError
        If it is not an identifier: a saved network can hold any text.
    """
    if not name.isidentifier() or name.startswith("__"):
        raise ValueError(f"{name!r} cannot be a name in code; names are like 'weight_hh' or 'z'")
    return name


def plain(text: str) -> str:
    """A cell's name as it can stand in a docstring, whatever text it is."""
    return re.sub(r"[^\w .,+-]", "", text) or "the cell"


def step_source(template: Template, output_size: int) -> str:
    """A Python function ``step`` that computes one step of a cell with torch.

    Named quantities become local variables, and so does what is used more than once; the rest is
    written in place. Arguments are x, the states, then the parameters in their order.

    Parameters
    ----------
    template : Template
    output_size : int
        What O stands for.

    Returns
    -------
    str
        Source text, ending in a newline.

    Raises
    ------
    ValueError
        For a name that cannot stand in code, or an operation that only a loss uses.
    """
    return _Writer(template, output_size).source()


class _Writer:
    def __init__(self, template: Template, output_size: int) -> None:
        self.template = template
        self.output_size = output_size
        self.taken = {"torch", "len", "H", "I", "O", *keyword.kwlist}
        self.lines: list[str] = []
        self.symbols: set[str] = set()
        self.arguments = {s: self.unique(s) for s in ("x", *template.states)}
        self.params = {p: self.unique(p) for p in template.params}
        self.needed = self._reachable()
        self.uses = Counter(a for i in self.needed for a in template.nodes[i].args)
        self.uses.update(template.outputs)

    def unique(self, name: str) -> str:
        base, number = identifier(name), 1
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return name

    def _reachable(self) -> set[int]:
        found: set[int] = set()
        todo = list(self.template.outputs)
        while todo:
            i = todo.pop()
            if i not in found:
                found.add(i)
                todo.extend(self.template.nodes[i].args)
        return found

    def source(self) -> str:
        nodes, outputs = self.template.nodes, self.template.outputs
        written: dict[int, _Expression] = {}
        for i in sorted(self.needed):
            node = nodes[i]
            text, binding = self.expression(node, [written[a] for a in node.args])
            computed = node.op not in ("input", "param")
            if computed and (node.name or i in outputs or self.uses[i] > 1 or len(text) > _LONG):
                name = node.name or "a"
                if i in outputs:
                    name = self.template.states[outputs.index(i)] + "_new"
                name = self.unique(name)
                self.lines.append(f"{name} = {text}")
                text, binding = name, _ATOM
            written[i] = text, binding
        arguments = ", ".join([*self.arguments.values(), *self.params.values()])
        sizes = {"H": f"len({self.arguments['h']})", "I": "len(x)", "O": str(self.output_size)}
        body = [f"{s} = {size}" for s, size in sizes.items() if s in self.symbols] + self.lines
        results = ", ".join(written[i][0] for i in outputs)
        return "\n".join(
            [
                f"def step({arguments}):",
                f'    """One step of {plain(self.template.name)}."""',
                *(f"    {line}" for line in body),
                f"    return {results}",
                "",
            ]
        )

    def expression(self, node: Node, args: list[_Expression]) -> _Expression:
        match node.op:
            case "input":
                slot = node.attrs["slot"]
                if slot not in self.arguments:
                    raise ValueError(f"the cell reads {slot!r}, which is neither x nor a state")
                return self.arguments[slot], _ATOM
            case "param":
                return self.params[node.attrs["param"]], _ATOM
            case "add" | "sub":
                sign = "+" if node.op == "add" else "-"
                return f"{_at(args[0], _SUM)} {sign} {_at(args[1], _PRODUCT)}", _SUM
            case "mul":
                return f"{_at(args[0], _PRODUCT)} * {_at(args[1], _NEGATIVE)}", _PRODUCT
            case "matvec":
                matrix = _at(args[0], _ATOM)
                if "start" in node.attrs:
                    matrix += self.bounds(node)
                return f"{matrix} @ {_at(args[1], _NEGATIVE)}", _PRODUCT
            case "slice":
                return _at(args[0], _ATOM) + self.bounds(node), _ATOM
            case "affine":
                return _affine(args[0], node.attrs["scale"], node.attrs["shift"])
        if node.op not in _CALLS:
            raise ValueError(f"the operation {node.op!r} belongs to losses, not to a cell")
        return _CALLS[node.op].format(", ".join(text for text, _ in args)), _ATOM

    def bounds(self, node: Node) -> str:
        start, stop = self.size(node.attrs["start"]), self.size(node.attrs["stop"])
        space = " " if " " in start + stop else ""
        return f"[{'' if start == '0' else start + space}:{space if start != '0' else ''}{stop}]"

    def size(self, size: Size) -> str:
        self.symbols |= set(size.terms) - {""}
        return str(size).replace("*", " * ").replace("+", " + ")


def _at(expression: _Expression, binding: int) -> str:
    """The expression, in parentheses if it binds less tightly than its place asks for."""
    return expression[0] if expression[1] >= binding else f"({expression[0]})"


def _affine(a: _Expression, scale: float, shift: float) -> _Expression:
    if shift == 0:
        if scale == 1:
            return a
        if scale == -1:
            return f"-{_at(a, _NEGATIVE)}", _NEGATIVE
        return f"{_number(scale)} * {_at(a, _NEGATIVE)}", _PRODUCT
    if scale == -1:
        return f"{_number(shift)} - {_at(a, _PRODUCT)}", _SUM
    scaled = a if scale == 1 else (f"{_number(scale)} * {_at(a, _NEGATIVE)}", _PRODUCT)
    sign = "-" if shift < 0 else "+"
    return f"{_at(scaled, _SUM)} {sign} {_number(abs(shift))}", _SUM


def _number(value: float) -> str:
    value = float(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
