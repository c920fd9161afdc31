"""Test vectors for what the lab draws: every quantity, what is none, and the lab's own rules."""

import math
from typing import Any

import numpy as np
from written import Draws, largest, leaves, result

import rnn_widgets as rw
from rnn_widgets import quantities
from rnn_widgets.core import backward
from rnn_widgets.core.forward import forward
from rnn_widgets.core.ops import Array
from rnn_widgets.network import Network
from rnn_widgets.widgets.drives import Drive
from rnn_widgets.widgets.sliders import grown, only_snapped
from rnn_widgets.widgets.transforms import TRANSFORMS, transformed


@rw.cell(params={"β": ("H", "I"), "leak": ("H",)})
def leaky(p: Any, x: Any, h: Any) -> Any:
    """A cell whose parameters have names of its author's own."""
    return rw.ops.tanh(p.leak * h + p.β @ x).named("new")


def _networks() -> dict[str, Network]:
    stacked = {"num_layers": 2, "bidirectional": True}
    return {
        "rnn": rw.rnn(2, 2, 3),
        "rnn, window": rw.rnn(1, 2, 4, readout=1, loss="sse").truncate(window=2),
        "gru, chunk": rw.gru(1, 2, 3, loss="sum").truncate(chunk=2),
        "lstm, last step": rw.lstm(1, 1, 3, readout=2, loss="cross_entropy", loss_steps="last"),
        "stacked lstm, window": rw.lstm(1, 1, 2, bias=False, **stacked).truncate(window=1),
        "rnn, both directions": rw.rnn(1, 1, 3, bias=False, loss="mse", bidirectional=True),
        "custom": rw.custom(leaky, 1, 2, 2),
    }


# Quantities


def _texts(net: Network) -> list[str]:
    """Every row of the table for every layer, with whole leaves and with their last entries.

    Each leaf is left to every third row, which between them have all.
    """
    program = net.program
    last = program.seq_len - 1
    blocks = [b for b in program.blocks if b.recurrent]
    nodes = list(dict.fromkeys(node.name for node in program.cell.nodes if node.name))
    leaves_for = {
        "leaf": program.leaves,
        "differentiable": {leaf: program.leaves[leaf] for leaf in net.gradients()},
        "parameter": program.parameters,
    }
    texts = []
    for place, (name, row) in enumerate(quantities.table().items()):
        kind = str(row["argument"])
        if name.startswith("cell") and "c" not in program.cell.states:
            continue
        for suffix, block in (
            zip(_suffixes(net), blocks, strict=True) if row.get("layered") else [("", blocks[0])]
        ):
            ends = (0, last + 1) if block.reverse else (last, -1)
            arguments = {
                "none": [""],
                "node": [f"[{node}]" for node in nodes],
                "steps": [f"[{last}]", "[{},{}]".format(*ends), f"[{last},{last}]"],
            }.get(kind) or [
                f"[{leaf}{index}]"
                for leaf, shape in list(leaves_for[kind].items())[place % 3 :: 3]
                for index in ("", f"[{','.join(str(n - 1) for n in shape)}]")
            ]
            texts += [f"{name}{suffix}{argument}" for argument in arguments]
    return texts


def _suffixes(net: Network) -> list[str]:
    """One layer and direction needs no suffix, though it may have one."""
    program = net.program
    if program.rows == 1:
        return [""]
    ends = ["", "_reverse"][: program.directions]
    return [f"_l{layer}{end}" for layer in range(program.num_layers) for end in ends]


def _variants(net: Network) -> list[str]:
    """Other ways of writing, which are as good."""
    leaf, shape = next(iter(net.program.parameters.items()))
    zeros = " , ".join("0" for _ in shape)
    return [
        "  loss ",
        f" gradient [ {leaf} ]",
        f"by_lag[{leaf} [ {zeros} ] ]",
        f"value[{leaf}[{','.join('+0' for _ in shape)}]]",
        f"value[{leaf}[{','.join('-0' for _ in shape)}]]",
        *(
            ["hidden_l0", "jacobian_l0[0]", "singular_values[ 0 , 0 ]"]
            if _suffixes(net) == [""]
            else []
        ),
    ]


def _no_quantities(net: Network) -> list[str]:
    """What either language refuses."""
    leaf, shape = list(net.program.parameters.items())[-1]
    zeros = ["0"] * len(shape)
    steps = net.program.seq_len
    layer = _suffixes(net)[0]
    return [
        "",
        " ",
        "[0]",
        "loss]",
        "loss[",
        "gradient",
        "gradient[]",
        f"gradient[{leaf}",
        f"gradient[{leaf}]]",
        f"gradient[{leaf}][0]",
        f"gradient {leaf}",
        leaf,
        f"{leaf}[{','.join(zeros)}]",
        "gradient[v]",
        "contribution[x]",
        "by_source[h0]",
        f"Gradient[{leaf}]",
        f"gradients[{leaf}]",
        f"gradient[{leaf[:-1]}]",
        f"gradient[{leaf.upper()}]",
        "value[]",
        "value[constructor]",
        "value[__proto__]",
        "value[toString[0]]",
        "constructor",
        "node[constructor]",
        f"value[{leaf}[]]",
        f"value[{leaf}[{','.join([*zeros[1:], str(shape[0])])}]]",
        f"value[{leaf}[{','.join([*zeros[1:], '-1'])}]]",
        f"value[{leaf}[{','.join([*zeros, '0'])}]]",
        f"value[{leaf}[{','.join([*zeros[1:], '0.0'])}]]",
        f"value[{leaf}[{','.join([*zeros[1:], '1e0'])}]]",
        f"value[{leaf}[{','.join([*zeros[1:], ''])}]]",
        f"value[{leaf}[{','.join([*zeros[1:], '0x0'])}]]",
        f"value[{leaf}[{':,' * (len(shape) - 1)}:]]",
        f"value[{leaf}[{','.join([*zeros[1:], '0_0'])}]]",
        f"value[{leaf}[{','.join([*zeros[1:], '٠'])}]]",
        "value[9x]",
        "value[²x]",
        "it's",
        'say "it"',
        """neither ' nor "?""",
        "back\\slash\tand\nline",
        "value[h]",
        "value[weigt_hh_l0]",
        "value[readout.wieght]",
        "los",
        "Loss",
        "losss",
        "loss[0]",
        "loss_l0",
        "steps_l0",
        f"gradient_l0[{leaf}]",
        "hidden_l7",
        "hidden_l",
        "hidden_l0_l0",
        "hidden_reverse",
        "hidden_l0_backward",
        "hidden[0]",
        f"hidden{layer}[]",
        f"adjoint{layer}",
        f"adjoint.carry{layer}",
        f"adjoint{layer or '_l0'}.carried",
        f"cell_adjoint.sum{layer}",
        f"node{layer}",
        f"node{layer}[]",
        f"node{layer}[zzz]",
        f"jacobian{layer}",
        f"jacobian{layer}[]",
        f"jacobian{layer}[a]",
        f"jacobian{layer}[0,]",
        f"jacobian{layer}[0,0,0]",
        f"jacobian{layer}[{steps}]",
        f"jacobian{layer}[-1]",
        f"jacobian{layer}[0,-2]",
        f"jacobian{layer}[0,{steps + 1}]",
        f"jacobian{layer}[0,1]" if steps > 1 else "jacobian[0,1]",
        f"singular_value{layer}[0]",
        f"singular_values{layer}[0.5]",
        *(
            ["hidden", "jacobian[0]", "node[h]", "adjoint.total"]
            if layer
            else ["hidden_l0_reverse"]
        ),
        *(["cell", "cell_adjoint.total"] if "c" not in net.program.cell.states else []),
    ]


def _refusal(text: str, net: Network) -> dict[str, str]:
    """A text that is refused, and the sentence that says why."""
    try:
        quantities.parse(text, net)
    except (KeyError, IndexError, ValueError) as error:
        return {"text": text, "message": str(error)}
    raise AssertionError(f"Python takes {text!r} for a quantity")


class _Scales:
    """The largest absolute product that is summed on the way to a quantity."""

    def __init__(self, net: Network) -> None:
        program = net.program
        trace = forward(program, net.values)
        bound = backward.sweep(program, trace, magnitude=True)
        self.net = net
        self.forward = max(1.0, *(largest(a) for block in trace.blocks for a in block.nodes))
        self.leaves = {n: largest(g) for n, g in backward.gradients(program, bound).items()}
        self.adjoint = max(self.leaves[n] for n in ("h0", "c0") if n in self.leaves)
        self.adjoint = max(self.adjoint, *(largest(b) for b in _adjoints(net)))

    def of(self, quantity: quantities.Quantity, found: Array) -> float:
        if quantity.name in ("gradient", "contribution", "by_source", "by_loss", "by_lag"):
            return self.leaves[quantity.leaf]
        if "adjoint" in quantity.name:
            return self.adjoint
        return max(self.forward, largest(found))


def _adjoints(net: Network) -> list[Array]:
    found = net.adjoints()
    states = [found, found.cell] if "c" in net.program.cell.states else [found]
    return [getattr(of, part) for of in states for part in ("direct", "carried", "total")]


def _quantity(text: str, net: Network, scales: _Scales) -> dict[str, Any]:
    quantity = quantities.parse(text, net)
    found = quantities.evaluate(quantity, net)
    return {"text": text, "shape": list(found.shape), **result(found, scales.of(quantity, found))}


def _quantities(name: str, net: Network, draws: Draws) -> dict[str, Any]:
    net = net.replace(**leaves("lab", net.program, draws))
    scales = _Scales(net)
    return {
        "name": name,
        "program": net.program.to_json(),
        "values": {leaf: np.ravel(array).tolist() for leaf, array in net.values.items()},
        "quantities": [_quantity(t, net, scales) for t in [*_texts(net), *_variants(net)]],
        "refused": [_refusal(t, net) for t in _no_quantities(net)],
    }


# Rules


def _plain(x: float) -> float | str:
    """A number as JSON has it; what is not finite as the text that JavaScript writes for it."""
    return x if math.isfinite(x) else "NaN" if math.isnan(x) else f"{'-' * (x < 0)}Infinity"


AWKWARD = [0.0, -0.0, 5e-324, 1e-310, 1e-12, -1e-12, 1e12, -1e12, 1.7976931348623157e308]
NOT_FINITE = [math.nan, math.inf, -math.inf]


def _transforms(draws: Draws) -> list[dict[str, Any]]:
    arrays = [
        *([x] for x in AWKWARD + NOT_FINITE),
        *([10.0**power] for power in range(-15, 16, 3)),
        *([math.nextafter(10.0**power, way)] for power in (-3, 0, 5) for way in (0.0, math.inf)),
        [],
        [0.0, -0.0],
        [0.0, 2e-7, -30.0],
        [1.0, math.nan, -100.0],
        [math.inf, -0.02, -math.inf],
        [math.nan, math.nan],
        *([draws.uniform(-spread, spread) for _ in range(4)] for spread in (1e-6, 0.1, 1, 1e5)),
    ]
    flat = [np.array(array) for array in arrays]
    rows = [
        np.array([[draws.uniform(-spread, spread) for _ in range(3)] for _ in range(2)])
        for spread in (1e-9, 1e-5, 3e-4, 0.02, 0.7, 1, 9, 4e6)
    ]
    return [
        {
            "shape": [*array.shape],
            "numbers": [*map(_plain, np.ravel(array).tolist())],
            **{name: _applied(array, name) for name in TRANSFORMS},
        }
        for array in [*flat, *rows]
    ]


def _applied(array: Array, transform: str) -> list[float | str]:
    with np.errstate(over="ignore"):
        return [*map(_plain, np.ravel(transformed(array, transform)).tolist())]


def _snaps(draws: Draws) -> list[list[float | str | bool | None]]:
    """Reports on the grid, beside it, and beyond the range, near and far from the exact value."""
    cases: list[list[float | str | bool | None]] = []
    for step in (0.01, 0.1, 0.25, 1 / 3, 1.0, None):
        for low, high in ((-2.0, 2.0), (-0.05, 0.3)):
            grid = step or 0.01
            for exact in (0.0, 1.2 * high, round(draws.uniform(1.4 * low, high), 5)):
                nearest = low + round((min(max(exact, low), high) - low) / grid) * grid
                for report in (
                    exact,
                    exact + 1e-12,
                    nearest,
                    nearest + grid,
                    nearest + 0.3 * grid,
                    high,
                    *NOT_FINITE[: exact == 0.0 and 3],
                ):
                    numbers = [report, exact, low, high]
                    snapped = bool(only_snapped(*numbers, step))
                    cases.append([*map(_plain, numbers), step, snapped])
    return cases


def _ranges(draws: Draws) -> list[list[float]]:
    """Ranges, values in them and beyond, and the ranges that then hold."""
    beyond = [0.0, 2.0, -2.0, 2.0000001, 9.99, 10.0, 99.5, -1000.0, 1e-12, 0.3, 1e12, -1e-12]
    values = [*beyond, *(round(draws.uniform(-200, 200), 4) for _ in range(8))]
    ranges = [(-2.0, 2.0), (0.5, 1.0), (-1.0, -0.25)]
    return [[*ends, value, *grown(*ends, value)] for ends in ranges for value in values]


def _short_numbers(draws: Draws) -> list[list[float | str]]:
    ties = [1000.5, 1001.5, 1234.5, 12345.0, 12355.0, 99995.0, 1.0625, 0.03125 * 1.0625, 2.5**9]
    edges = [9999.4, 9999.5, 9999.6, 1e4, 1e-4, 9.9995e-5, 9.9994e-5, 0.00012345, 1e-5, 1e22, 1e100]
    some = [
        *(draws.uniform(-2, 2) * float(f"1e{draws.whole(-9, 8)}") for _ in range(40)),
        *(draws.whole(1000, 9998) + 0.5 for _ in range(12)),
        *(draws.whole(10000, 99998) / 10**5 for _ in range(12)),
        *(float(draws.whole(-(10**6), 10**6)) for _ in range(12)),
    ]
    numbers = [*AWKWARD, *NOT_FINITE, *ties, *(-x for x in ties), *edges, *some]
    return [[_plain(x), f"{x:.4g}"] for x in numbers]


def _said() -> list[dict[str, Any]]:
    """What a trait of text says: with numbers, without the quantity, and with too large ones."""
    plain = rw.rnn(1, 2, 3, rng=1).replace(v=[[1.0, -0.5]] * 3, x=[[0.3]] * 3)
    linear = rw.rnn(1, 2, 3, rng=1, nonlinearity="identity")
    linear = linear.replace(v=[[1.0, -0.5]] * 3, x=[[0.3]] * 3, weight_hh_l0=[[1e160, 1.0]] * 2)
    huge = {"x": [[1e200]] * 3, "v": [[1e200, 0.0]] * 3, "weight_ih_l0": [[0.0], [0.0]]}
    entry = "weight_hh_l0[0,1]"
    drives = [
        {"quantity": "loss"},
        {"quantity": "loss", "text": "L = {} ({})"},
        {"quantity": "gradient[weight_hh_l0[2,2]]", "text": "never shown: {}"},
        {"quantity": "gradient[weight_ih_l0[0,0]]"},
        {"quantity": f"contribution[{entry}]", "transform": "limit", "text": "C", "name": entry},
        {"quantity": "contribution[weight_ih_l0]", "transform": "limit", "name": "weight_ih_l0"},
        {"quantity": "jacobian[2]", "transform": "limit", "text": "± {}", "name": "J₃"},
        {"quantity": "jacobian[3]", "transform": "limit", "text": "± {}", "name": "J₄"},
    ]
    return [
        {
            "program": net.program.to_json(),
            "values": {leaf: np.ravel(array).tolist() for leaf, array in net.values.items()},
            "drives": [
                {"transform": "identity", "text": "{}", "name": ""}
                | drive
                | {"said": Drive(None, "value", kind="text", **drive).value(net)}
                for drive in drives
            ],
        }
        for net in (plain, linear, plain.replace(**huge))
    ]


def generate() -> dict[str, list[dict[str, Any]]]:
    """All cases by file name."""
    draws = Draws(1997)
    return {
        "lab/quantities": [_quantities(name, net, draws) for name, net in _networks().items()],
        "lab/rules": [
            {"transforms": _transforms(draws)},
            {"snaps": _snaps(draws)},
            {"ranges": _ranges(draws)},
            {"shortNumbers": _short_numbers(draws)},
            {"said": _said()},
        ],
    }
