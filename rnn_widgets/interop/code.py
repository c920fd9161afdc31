"""A network as Python code for torch: the module that `to_torch` makes, and a script to read.

There is one source of torch code. What `to_torch` executes, what the witness runs and what
`script` prints are the same text.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rnn_widgets.core.ops import Array
from rnn_widgets.core.program import Program

from .builtin import Builtin, builtin
from .equations import identifier, plain, step_source


def script(program: Program, leaves: Mapping[str, Array]) -> str:
    """A script that builds the network, runs it and prints its gradients by autograd.

    Parameters
    ----------
    program : Program
    leaves : dict
        Every leaf; the numbers are written with every bit.

    Returns
    -------
    str
        Python source that needs nothing but torch. It prints ``loss`` and every gradient, one
        per line: the name, then nested lists. Standard cells are torch.nn's; for other cells and
        for truncated networks it defines a class from the cell's equations.

    Raises
    ------
    ValueError
        If a saved network holds names that cannot stand in code.
    """
    parameters = [f'"{name}": {_tensor(leaves[name], 8)},' for name in program.parameters]
    parameters += [
        f'"{name}": torch.zeros({len(leaves[name.replace("hh", "ih")])}),  # not of this network'
        for name in zero_biases(program)
    ]
    inputs = [name for name in program.leaves if name not in program.parameters]
    silent = [f"net.{name}.requires_grad_(False)" for name in zero_biases(program)]
    lines = [
        f'"""{_described(program)}: gradients by autograd. Written by rnn_widgets."""',
        "",
        "import torch",
        "",
        "",
        "def tensor(values, **options):",
        "    return torch.tensor(values, dtype=torch.float64, **options)",
        "",
        *([""] if "def " in module_source(program) else []),
        module_source(program).rstrip(),
        "net.load_state_dict(",
        "    {",
        *(f"        {line}" for line in parameters),
        "    }",
        ")",
        *silent,
        "",
        *(_input(program, name, leaves[name]) for name in inputs),
        "",
        run_source(program).rstrip(),
        "loss.backward()",
        "",
        'print("loss", loss.item())',
        f"leaves = dict(net.named_parameters()) | {{{_named(program)}}}",
        "for name, leaf in leaves.items():",
        "    if leaf.requires_grad:",
        "        gradient = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad",
        "        print(name, gradient.tolist())",
        "",
    ]
    return "\n".join(lines)


def module_source(program: Program) -> str:
    """Source that makes ``net``, a float64 module whose parameters are still to be set.

    torch.nn's own class where it computes the same, a subclass of it with a readout, or a class
    written from the cell's equations. Called with x (T, I) and, like torch.nn's classes, h0 or
    (h0, c0) of shape (layers·directions, H), zeros by default, it returns the outputs (T, O) and
    the final states.

    Raises
    ------
    ValueError
        If a saved network holds names that cannot stand in code.
    """
    cell = builtin(program.cell)
    if cell is None or cell.module is None or program.truncation is not None:
        return _generated(program)
    made = f"torch.nn.{cell.module}"
    if not program.readout:
        return f"net = {made}({_arguments(program, cell)}).double()\n"
    return f'''class Network({made}):
    """{made} with a linear readout."""

    def __init__(self):
        super().__init__({_arguments(program, cell)})
        {_readout(program)}

    def forward(self, x, hx=None):
        hidden, final = super().forward(x, hx)
        return self.readout(hidden), final


net = Network().double()
'''


def zero_biases(program: Program) -> list[str]:
    """The second biases that torch.nn's class has and a network with a single bias has not."""
    cell = builtin(program.cell)
    if cell is None or cell.module is None or cell.bias != "single" or program.truncation:
        return []
    return [b.leaves["bias_ih"].replace("ih", "hh") for b in program.blocks if b.recurrent]


def run_source(program: Program) -> str:
    """Source that computes ``y`` and ``loss`` with ``net`` from x, h0, c0, v and target."""
    states = [s + ("0[None]" if program.rows == 1 else "0") for s in program.cell.states]
    initial = states[0] if len(states) == 1 else f"({', '.join(states)})"
    chosen, at = "", ""
    if len(program.loss_steps) < program.seq_len:
        chosen, at = f"steps = {list(program.loss_steps)}  # those that enter the loss\n", "[steps]"
    y, against = "y" + at, f"{program.against}{at}"
    loss = {
        "seed": f"({against} * {y}).sum()",
        "sum": f"{y}.sum()",
        "sse": f"(({y} - {against}) ** 2).sum()",
        "mse": f"(({y} - {against}) ** 2).mean()",
        "cross_entropy": f"torch.nn.functional.cross_entropy({y}, {against})",
    }[program.loss]
    return f"y, final = net(x, {initial})\n{chosen}loss = {loss}\n"


def _arguments(program: Program, cell: Builtin) -> str:
    options = [str(program.input_size), str(program.hidden_size)]
    options += [f"num_layers={program.num_layers}"] if program.num_layers > 1 else []
    options += ['nonlinearity="relu"'] if cell.nonlinearity == "relu" else []
    options += ["bias=False"] if not cell.bias else []
    options += ["bidirectional=True"] if program.bidirectional else []
    return ", ".join(options)


def _readout(program: Program) -> str:
    width = program.hidden_size * program.directions
    return f"self.readout = torch.nn.Linear({width}, {program.readout})"


def _generated(program: Program) -> str:
    return "\n\n".join(
        [
            step_source(program.cell, program.output_size),
            _layer(program),
            _network(program),
            "net = Network().double()\n",
        ]
    )


def _layer(program: Program) -> str:
    """The function that runs one layer in one direction."""
    states = ", ".join(program.cell.states)
    window = program.truncation is not None and program.truncation.kind == "window"
    options = ", loss_step" if window else ""
    options += ", reverse=False" if program.bidirectional else ""
    steps, keep, start = "range(len(x))", "outputs.append(h)", "[]"
    if program.bidirectional:
        steps = "reversed(range(len(x))) if reverse else range(len(x))"
        keep, start = "outputs[k] = h", "[None] * len(x)"
    lines = [
        f"def layer(x, {states}, parameters{options}):",
        f'    """One layer in one direction: all its h (T, H), then the final {states}."""',
        f"    outputs = {start}",
        f"    for k in {steps}:",
        *(f"        {line}" for line in _detached(program, states)),
        f"        {states} = step(x[k], {states}, *parameters)",
        f"        {keep}",
        f"    return torch.stack(outputs), {states}",
        "",
    ]
    return "\n".join(lines)


def _detached(program: Program, states: str) -> list[str]:
    cut, both = program.truncation, program.bidirectional
    if cut is None:
        return []
    previous = ["previous = k + 1 if reverse else k - 1"] if both else []
    detach = ", ".join(f"{state}.detach()" for state in program.cell.states)
    if cut.kind == "window":
        lag = "abs(loss_step - previous)" if both else "loss_step - (k - 1)"
        where = f"{lag} >= {cut.size}:  # the window ends here"
    elif both:
        where = f"0 <= previous < len(x) and max(k, previous) % {cut.size} == 0:  # a chunk's edge"
    else:
        where = f"k > 0 and k % {cut.size} == 0:  # a chunk begins here"
    return [*previous, f"if {where}", f"    {states} = {detach}"]


def _network(program: Program) -> str:
    names = {
        block.leaves[p]: identifier(block.leaves[p])
        for block in program.blocks
        if block.recurrent
        for p in program.cell.params
    }
    window = program.truncation is not None and program.truncation.kind == "window"
    shapes = {name: ", ".join(map(str, program.parameters[name])) for name in names}
    made = [f"self.{n} = torch.nn.Parameter(torch.zeros({shapes[n]}))" for n in names]
    made += [_readout(program)] if program.readout else []
    initial = [f"{state}0" for state in program.cell.states]
    zeros = [f"x.new_zeros({program.rows}, {program.hidden_size})"] * len(initial)
    given = ", ".join(initial) if len(initial) > 1 else "h0"
    default = f"({', '.join(zeros)})" if len(zeros) > 1 else zeros[0]
    lines = [
        "class Network(torch.nn.Module):",
        f'    """{_described(program)}."""',
        "",
        "    def __init__(self):",
        "        super().__init__()",
        *(f"        {line}" for line in made),
        "",
        "    def forward(self, x, hx=None):",
        '        assert x.dim() == 2, "x must be one unbatched sequence (T, I)"',
        f"        {given} = {default} if hx is None else hx",
    ]
    if window:
        arguments = ", ".join(["x", *initial, "loss_step"])
        lines += [
            "        outputs = []",
            "        for loss_step in range(len(x)):  # each loss step has a graph of its own",
            f"            y, final = self.run({arguments})",
            "            outputs.append(y[loss_step])",
            "        return torch.stack(outputs), final",
            "",
            f"    def run(self, {arguments}):",
        ]
    return "\n".join([*lines, *(f"        {line}" for line in _layers(program, window)), ""])


def _layers(program: Program, window: bool) -> list[str]:
    lines = []
    below = "x"
    for layer in range(program.num_layers):
        made = []
        for row in range(layer * program.directions, (layer + 1) * program.directions):
            block = program.blocks[row]
            results = ", ".join(f"{s}_{row}" for s in ("y", *program.cell.states))
            initial = ", ".join(f"{s}0[{row}]" for s in program.cell.states)
            parameters = ", ".join(f"self.{block.leaves[p]}" for p in program.cell.params)
            options = ", loss_step" if window else ""
            options += ", reverse=True" if block.reverse else ""
            lines.append(f"p = [{parameters}]")
            lines.append(f"{results} = layer({below}, {initial}, p{options})")
            made.append(f"y_{row}")
        below = made[0]
        if program.bidirectional:
            below = f"y_l{layer}"
            lines.append(f"{below} = torch.cat([{', '.join(made)}], 1)")
    finals = [
        f"torch.stack([{', '.join(f'{s}_{row}' for row in range(program.rows))}])"
        for s in program.cell.states
    ]
    final = finals[0] if len(finals) == 1 else f"({', '.join(finals)})"
    return [*lines, f"return {f'self.readout({below})' if program.readout else below}, {final}"]


def _described(program: Program) -> str:
    words = [f"{plain(program.cell.name)}, input size {program.input_size}"]
    words.append(f"hidden size {program.hidden_size}")
    words += [f"{program.num_layers} layers"] if program.num_layers > 1 else []
    words += ["bidirectional"] if program.bidirectional else []
    words += [f"{program.readout} outputs"] if program.readout else []
    cut = program.truncation
    words += [f"backward pass truncated by {cut.kind} {cut.size}"] if cut else []
    return ", ".join(words)


def _input(program: Program, name: str, array: Array) -> str:
    if name == "target" and program.loss == "cross_entropy":
        return f"target = torch.tensor({np.asarray(array, dtype=int).tolist()})"
    grad = "" if name == "v" else "requires_grad=True"
    return f"{name} = {_tensor(array, 0, grad)}"


def _named(program: Program) -> str:
    classes = program.loss == "cross_entropy"
    skipped = {*program.parameters, "v", *(["target"] if classes else [])}
    return ", ".join(f'"{n}": {n}' for n in program.leaves if n not in skipped)


def _tensor(array: Array, indent: int, options: str = "") -> str:
    """An array as a call of ``tensor``, a matrix with one row per line."""
    if array.ndim < 2:
        return f"tensor({array.tolist()}{', ' + options if options else ''})"
    space = " " * indent
    rows = "".join(f"\n{space}        {row}," for row in array.tolist())
    end = f",\n{space}    {options},\n{space})" if options else f"\n{space})"
    return f"tensor(\n{space}    [{rows}\n{space}    ]{end}"
