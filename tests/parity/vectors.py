"""Test vectors: what the numpy engine computes, for the TypeScript engine to agree with.

``python tests/parity/vectors.py`` rewrites ``vectors/*.json``, which `js/test/parity.test.ts`
reads, and ``vectors/lab/*.json``, which `js/test/lab-parity.test.ts` does.
A result is ``{"scale": s, "values": [...]}``, row by row; ``scale`` is the largest absolute product
summed, and the engines must agree within 1e-11 of it. Of programs of drawn shapes only a part is
written down, for the files' sake.
"""

from dataclasses import replace
from itertools import count
from typing import Any

import drawn
import lab_vectors
import numpy as np
from written import FOLDER, Draws, largest, leaves, result, text

from rnn_widgets.core import backward, differences, paths, results
from rnn_widgets.core.cells import cell, gru_cell, lstm_cell, rnn_cell
from rnn_widgets.core.expr import chunk, concat, unary
from rnn_widgets.core.forward import ForwardPass, forward
from rnn_widgets.core.jacobians import StateJacobians
from rnn_widgets.core.ops import Array
from rnn_widgets.core.program import Program, Truncation
from rnn_widgets.core.template import Template

TOP = 3


@cell(params={"weight": ("H", "I+H"), "peephole": ("H",), "bias": ("H",)})
def joined(p: Any, x: Any, h: Any) -> Any:
    """A gate over x and h joined, with elementwise parameters and constants."""
    gate = unary("sigmoid", p.weight @ concat(x, h) + p.peephole * h).named("gate")
    return 0.5 * gate * h - (0.25 - gate) * unary("tanh", p.bias) / 3


@cell(params={"w": ("3*H", "I"), "u": ("3*H", "H"), "p": ("2*H",), "d": ("H", 2), "e": (2,)})
def peephole(p: Any, x: Any, h: Any, c: Any) -> Any:
    """Two states, gates that see the cell, rows of a matrix, a matrix times a vector parameter."""
    a_f, a_i, a_g = chunk(p.w @ x, 3)
    u_f, u_i, u_g = chunk(p.u, 3)
    p_f, p_i = chunk(p.p, 2)
    f = unary("sigmoid", a_f + u_f @ h + p_f * c).named("f")
    i = unary("sigmoid", a_i + u_i @ h + p_i * c).named("i")
    new = f * c + i * unary("relu", a_g + u_g @ h + p.d @ p.e)
    return unary("tanh", new - 0.1), new


@cell(params={"w": ("2*H", "I"), "u": ("2*H", "H")})
def sliced(p: Any, x: Any, h: Any, c: Any) -> Any:
    """States that are slices, and so nothing but a view of something else."""
    a, b = chunk(p.w @ x + p.u @ h, 2)
    return a, b + c


@cell(params={"w": ("H", "I"), "u": ("H", "H")})
def delayed(p: Any, x: Any, h: Any, c: Any) -> Any:
    """A cell state that does not depend on the state before."""
    return unary("tanh", p.u @ h + c), unary("tanh", p.w @ x)


Case = tuple[str, Program]


def _program(template: Template, sizes: tuple[int, int, int], **options: Any) -> Program:
    """A program of I, H, T; all steps enter the loss unless ``loss_steps`` says which."""
    input_size, hidden_size, seq_len = sizes
    steps = options.pop("loss_steps", tuple(range(seq_len)))
    return Program(template, input_size, hidden_size, seq_len, loss_steps=steps, **options)


def _families() -> dict[str, list[Case]]:
    rnn, gru, lstm = rnn_cell("tanh", True), gru_cell(True, True), lstm_cell(True)
    window, chunks = Truncation("window", 2), Truncation("chunk", 2)
    rnns = [
        (f"{f}, bias {bias}", _program(rnn_cell(f, bias), (2, 3, 4)))
        for f, bias in [("tanh", True), ("relu", "single"), ("identity", False), ("sigmoid", True)]
    ]
    grus = [
        (
            f"reset {'after' if after else 'before'}, bias {bias}",
            _program(gru_cell(after, bias), (1, 2, 3)),
        )
        for after in (True, False)
        for bias in (True, "single", False)
    ]
    lstms = [
        (f"bias {bias}", _program(lstm_cell(bias), (2, 2, 3))) for bias in (True, "single", False)
    ]
    losses = [
        (f"{loss}, steps {steps}", _program(rnn, (1, 2, 3), readout=3, loss=loss, loss_steps=steps))
        for loss in ("seed", "sum", "sse", "mse", "cross_entropy")
        for steps in ((0, 1, 2), (2,), (0, 2))
    ]
    losses.append(("mse without a readout", _program(gru, (1, 2, 3), loss="mse")))
    stacks = [
        ("two layers", _program(rnn, (1, 2, 3), num_layers=2, loss="sse")),
        ("three layers", _program(rnn_cell("relu", True), (2, 1, 3), num_layers=3)),
        ("both directions", _program(rnn, (2, 2, 3), bidirectional=True)),
        (
            "lstm, both directions, readout",
            _program(lstm, (1, 1, 3), bidirectional=True, readout=2, loss="mse"),
        ),
        (
            "gru, two layers, both directions",
            _program(gru, (1, 1, 3), num_layers=2, bidirectional=True),
        ),
    ]
    customs = [
        ("joined", _program(joined, (2, 2, 3))),
        ("joined, two layers", _program(joined, (1, 2, 3), num_layers=2, loss="sse")),
        ("peephole", _program(peephole, (1, 2, 3), readout=1, loss="sum")),
        ("sliced", _program(sliced, (1, 2, 3))),
        ("delayed", _program(delayed, (1, 2, 3))),
    ]
    truncated = [
        (f"{name}, {cut.kind}", replace(program, truncation=cut))
        for cut in (window, chunks)
        for name, program in [
            ("rnn", _program(rnn, (1, 2, 5))),
            ("lstm, some steps", _program(lstm, (1, 2, 4), loss_steps=(1, 3), loss="sse")),
            ("both directions", _program(rnn, (1, 1, 5), bidirectional=True, num_layers=2)),
        ]
    ]
    return {
        "rnn": rnns,
        "gru": grus,
        "lstm": lstms,
        "losses": losses,
        "stacks": stacks,
        "custom": customs,
        "truncation": truncated,
        "saturated": [("rnn", rnns[0][1]), ("lstm", _program(lstm, (1, 2, 4), loss="sse"))],
        "ties": [("identity", _program(rnn_cell("identity", False), (1, 2, 4)))],
    }


def _refolds() -> list[tuple[str, Program, dict[str, Any], Program]]:
    """Name, a program, what the browser changes of it, and the program that must come out."""
    rnn, lstm = rnn_cell("tanh", True), lstm_cell("single")
    return [
        (
            "T and H up",
            _program(rnn, (2, 2, 3)),
            {"seqLen": 5, "hiddenSize": 3},
            _program(rnn, (2, 3, 5)),
        ),
        (
            "T down, last step",
            _program(lstm, (1, 3, 6), loss="sse", loss_steps=(5,)),
            {"seqLen": 4, "hiddenSize": 1},
            _program(lstm, (1, 1, 4), loss="sse", loss_steps=(3,)),
        ),
        (
            "layers, directions, loss",
            _program(peephole, (2, 1, 3)),
            {
                "numLayers": 2,
                "bidirectional": True,
                "readout": 2,
                "loss": "mse",
                "lossSteps": [0, 2],
            },
            _program(
                peephole,
                (2, 1, 3),
                num_layers=2,
                bidirectional=True,
                readout=2,
                loss="mse",
                loss_steps=(0, 2),
            ),
        ),
    ]


def _expected(family: str, program: Program, draws: Draws) -> dict[str, Any]:
    """Leaf values and what follows from them."""
    values = leaves(family, program, draws)
    trace = forward(program, values)
    scale = max(1.0, *(largest(array) for block in trace.blocks for array in block.nodes))
    recurrent = [block for block in trace.blocks if block.block.recurrent]
    rows = [draws.whole(0, program.rows - 1)] if family == "drawn" else range(program.rows)
    made: dict[str, Any] = {
        "values": {name: np.ravel(array).tolist() for name, array in values.items()},
        "losses": result(trace.losses, scale),
        "outputs": result(trace.output, scale),
        "states": [
            {s: result(array, scale) for s, array in block.states.items()} for block in recurrent
        ],
        **_backward(family, program, trace, draws),
        "jacobians": [{"row": row, **_jacobians(program, recurrent[row])} for row in rows],
    }
    if family in ("rnn", "custom", "truncation", "refold", "drawn"):
        names = list(program.parameters)
        names = [draws.choice(names)] if family == "drawn" else names
        found = differences.central_differences(program, values, names, trace)
        # Two losses are subtracted and divided by 2ε.
        scale = max(1.0, float(np.abs(trace.losses).sum())) / (2 * differences.STEP)
        made["differences"] = {
            name: {**result(found.values[name], scale), "kinks": found.kinks[name].any().item()}
            for name in names
        }
    return made


def _backward(family: str, program: Program, trace: ForwardPass, draws: Draws) -> dict[str, Any]:
    """Gradients, adjoints, terms, and C[t, k] of the first and last entry of every parameter.

    Of a drawn program C[t, k] of one drawn entry.
    """
    swept, bound = (backward.sweep(program, trace, magnitude=m) for m in (False, True))
    gradients = backward.gradients(program, swept)
    scales = {name: largest(g) for name, g in backward.gradients(program, bound).items()}
    made = backward.contributions(program, swept)
    chosen = [
        (leaf, entry)
        for leaf, shape in program.parameters.items()
        for entry in dict.fromkeys([(0,) * len(shape), tuple(n - 1 for n in shape)])
    ]
    whole = min(made, key=lambda leaf: made[leaf].size)
    if family == "drawn":
        chosen = [_drawn_entry(program, draws)]
    found, most = (results.adjoints(program, trace, s) for s in (swept, bound))
    states = [("h", found, most)] + ([("c", found.cell, most.cell)] if found.cell else [])
    return {
        "gradients": {name: result(g, scales[name]) for name, g in gradients.items()},
        "contributions": [
            {"leaf": leaf, "entry": list(entry), **result(made[leaf][(..., *entry)], scales[leaf])}
            for leaf, entry in chosen
        ],
        "whole": None
        if family == "drawn"
        else {"leaf": whole, **result(made[whole], scales[whole])},
        "adjoints": {
            f"{state}.{kind}": result(getattr(these, kind), largest(those.total))
            for state, these, those in states
            for kind in ("direct", "carried", "total")
        },
        "terms": None
        if family == "saturated"
        else _terms(family, program, trace, made, scales, draws),
    }


def _terms(
    family: str,
    program: Program,
    trace: ForwardPass,
    made: dict[str, Array],
    scales: dict[str, float],
    draws: Draws,
) -> dict[str, Any]:
    """The terms of one contribution, drawn until it has some whose order is beyond doubt."""
    top = 40 if family == "ties" else TOP
    for draw in count():
        leaf, entry = _drawn_entry(program, draws)
        t, k = draws.choice(program.loss_steps), draws.whole(0, program.seq_len - 1)
        total = float(made[leaf][(t, k, *entry)])
        ranked = paths.terms(program, trace, leaf, entry, t, k, top + 1, total)
        sizes = np.abs([term.value for term in ranked])
        gaps = sizes[:-1] - sizes[1:]
        doubtful = (gaps > 0) & (gaps < 1e-9 * sizes[:-1])
        enough = 2 if draw < 200 else 1  # the smallest networks have no two anywhere
        if len(ranked) >= enough and not doubtful.any():
            break
    ranked = paths.terms(program, trace, leaf, entry, t, k, top, total)
    return {
        "leaf": leaf,
        "entry": list(entry),
        "loss_step": t,
        "source_step": k,
        "top": top,
        "count": str(ranked.count),
        "paths": [" | ".join(term.path) for term in ranked],
        "labels": [" | ".join(label for label, _ in term.factors) for term in ranked],
        "factors": result([x for term in ranked for _, x in term.factors], 1.0),
        "numbers": result(
            [*(term.value for term in ranked), ranked.total, ranked.remainder, ranked.gross],
            max(scales[leaf], ranked.gross),
        ),
    }


def _drawn_entry(program: Program, draws: Draws) -> tuple[str, tuple[int, ...]]:
    leaf = draws.choice(list(program.parameters))
    return leaf, tuple(draws.whole(0, n - 1) for n in program.parameters[leaf])


def _jacobians(program: Program, trace: Any) -> dict[str, Any]:
    """J of a middle step, its blocks, and the product from one end to the other."""
    jacobians = StateJacobians(trace, program.cell.name)
    last = program.seq_len - 1
    t, k = (0, last) if trace.block.reverse else (last, 0)
    middle = program.seq_len // 2
    scale = max(1.0, *(largest(jacobians[i]) for i in range(len(jacobians))))
    product = jacobians.product(t, k)
    return {
        "step": middle,
        "jacobian": result(jacobians[middle], scale),
        "blocks": {name: result(part, scale) for name, part in jacobians.blocks(middle).items()},
        "ends": [t, k],
        "product": result(product, max(scale, largest(product))),
        "singular_values": result(jacobians.singular_values(t, k), max(scale, largest(product))),
    }


def generate() -> dict[str, list[dict[str, Any]]]:
    """All cases by file name."""
    files: dict[str, list[dict[str, Any]]] = {}
    draws = Draws(20130616)
    families = _families() | {"drawn": list(drawn.programs(Draws(1990)))}
    for family, cases in families.items():
        files[family] = [
            {"name": name, "program": program.to_json(), **_expected(family, program, draws)}
            for name, program in cases
        ]
    files["refold"] = [
        {
            "name": name,
            "from": before.to_json(),
            "changes": changes,
            "program": after.to_json(),
            **_expected("refold", after, draws),
        }
        for name, before, changes, after in _refolds()
    ]
    return files | lab_vectors.generate()


if __name__ == "__main__":
    (FOLDER / "lab").mkdir(parents=True, exist_ok=True)
    for name, cases in generate().items():
        (FOLDER / f"{name}.json").write_text(text(cases), encoding="utf-8")
