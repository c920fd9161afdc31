"""Operations, sizes, and the tracing of a user's own equations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import rnn_widgets as rw
from rnn_widgets import ops
from rnn_widgets.core import ops as core_ops
from rnn_widgets.core.sizes import Size

from .networks import CUSTOM, peephole, stirred
from .reference import OPS, STEP

ATTRS: dict[str, dict[str, Any]] = {
    "affine": {"scale": -1.5, "shift": 0.25},
    "slice": {"start": 1, "stop": 3},
}
LOSSES = ("sse", "mse", "cross_entropy")


def arguments(name: str, seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((4, 3)) * 10 ** rng.uniform(-2, 1.5)
    if name == "matvec":
        return [rng.standard_normal((2, 3)), x]
    if name == "cross_entropy":
        return [x, np.eye(3)[rng.integers(0, 3, 4)]]
    count = core_ops.OPS[name].arity or 3
    return [x, *(rng.standard_normal((4, 3)) for _ in range(count - 1))]


def width(name: str) -> int:
    return {"matvec": 2, "slice": 2, "concat": 9}.get(
        name, 1 if name in (*LOSSES, "dot", "sum") else 3
    )


@pytest.mark.parametrize("name", core_ops.OPS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_every_operation_has_its_value_and_its_derivative(name: str, seed: int) -> None:
    """Of each argument, by complex steps; and no partial exceeds its bound."""
    attrs, args = ATTRS.get(name, {}), arguments(name, seed)
    out = np.empty((4, width(name)))
    core_ops.OPS[name].value(out, attrs, *args)
    partials = core_ops.OPS[name].partials(out, attrs, *args)
    cotangent = np.random.default_rng(seed + 1).standard_normal(out.shape)
    for step in range(4):
        here = [a if a.shape == (2, 3) else a[step] for a in args]
        assert_allclose(out[step], OPS[name](*here, **attrs), rtol=1e-12, atol=1e-14)
        for position, partial in enumerate(partials):
            slopes = np.empty(here[position].shape)
            for index in np.ndindex(slopes.shape):
                bumped = [a.astype(complex) for a in here]
                bumped[position][index] += 1j * STEP
                moved = OPS[name](*bumped, **attrs)
                slopes[index] = moved.imag @ cotangent[step] / STEP
            by_step = partial.kind in ("diagonal", "row", "outer")
            data = partial.data[step] if by_step else partial.data
            if partial.kind == "outer":
                got = np.outer(cotangent[step], data)
            else:
                size = here[position].size
                got = core_ops.pull(partial.kind, data, cotangent[step][None], size)[0]
            assert_allclose(got, slopes, rtol=1e-10, atol=1e-12)
    for partial in partials:
        if partial.kind in ("scale", "diagonal", "row", "matrix", "outer"):
            assert (np.abs(partial.data) <= partial.bound).all()


@pytest.mark.parametrize("name", ["x", "h", "c"])
def test_a_parameter_cannot_be_called_like_an_input(name):
    with pytest.raises(ValueError, match=f"cannot be called '{name}'"):

        @rw.cell(params={name: ("H",), "W": ("H", "I")})
        def cell(p, x, h):
            return p.W @ x + getattr(p, name)


def test_extreme_arguments_stay_finite() -> None:
    x = np.array([-1e4, -40.0, 0.0, 40.0, 1e4])
    for name, want in (("sigmoid", [0, np.exp(-40), 0.5, 1, 1]), ("tanh", [-1, -1, 0, 1, 1])):
        out = np.empty(5)
        with np.errstate(over="ignore"):
            core_ops.OPS[name].value(out, {}, x)
        assert_allclose(out, want, rtol=1e-12)
    net = rw.rnn(1, 2, 1, nonlinearity="identity", bias=False, loss="cross_entropy")
    net = net.replace(weight_ih_l0=[[1e4], [-1e4]], x=[[1]], target=[1])
    assert net.forward().loss == 2e4
    assert_allclose(net.gradients()["weight_ih_l0"], [[1], [-1]], rtol=0)


def test_a_sigmoid_far_out_raises_no_warning() -> None:
    net = rw.rnn(1, 1, 2, nonlinearity="sigmoid").replace(x=[[-1e6], [1e6]], weight_ih_l0=[[1]])
    assert_allclose(net.forward()["h"][:, 0], [0, 1], atol=1e-12)
    assert net.forward().overflow is None


def test_a_peephole_lstm_without_peepholes_is_an_lstm() -> None:
    plain = stirred(rw.lstm(2, 3, 4, bias="single"), 3)
    values = {n: plain.values[n] for n in ("x", "h0", "c0", "v")}
    net = rw.custom(peephole, 2, 3, 4).replace(
        W_l0=plain.values["weight_ih_l0"],
        U_l0=plain.values["weight_hh_l0"],
        b_l0=plain.values["bias_ih_l0"],
        **{f"p_{gate}_l0": np.zeros(3) for gate in "ifo"},
        **values,
    )
    assert_allclose(net.forward().cell, plain.forward().cell, rtol=1e-14)
    ours, theirs = net.contributions()["U_l0"], plain.contributions()["weight_hh_l0"]
    assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


def test_gru_forms_differ_by_where_the_reset_gate_acts() -> None:
    after = stirred(rw.gru(1, 2, 1), 4)
    before = rw.gru(1, 2, 1, reset_after=False).replace(**after.values)
    h, values = after.values["h0"], after.values
    i_n = np.split(values["weight_ih_l0"] @ values["x"][0] + values["bias_ih_l0"], 3)[2]
    u, b = np.split(values["weight_hh_l0"], 3)[2], np.split(values["bias_hh_l0"], 3)[2]
    r = after.forward()["r"][0]
    assert_allclose(before.forward()["r"][0], r, rtol=1e-14)
    assert_allclose(after.forward()["n"][0], np.tanh(i_n + r * (u @ h + b)), rtol=1e-13)
    assert_allclose(before.forward()["n"][0], np.tanh(i_n + u @ (r * h) + b), rtol=1e-13)


@pytest.mark.parametrize("text", ["H", "4*H", "H+I", "2*H+3", 3, "3*I+O"])
def test_sizes_read_back_what_they_print(text: str | int) -> None:
    size = Size(text)
    assert Size(str(size)) == size
    numbers = {"H": 5, "I": 7, "O": 11}
    by_python = eval(str(text), {}, numbers)  # noqa: S307 - a sum written in this file
    assert size.value(numbers) == by_python
    assert size.plus(size) == size.times(2)
    assert size.times(3).parts(3) == size
    assert size.times(3).minus(size) == size.times(2)
    assert size.minus(size.times(2)) is None


@pytest.mark.parametrize("text", ["", "Q", "H*2", "-1", "H-I", "1.5", "H++I", True])
def test_other_sizes_are_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="a size is a sum such as"):
        Size(text)


def traced(equations: Any, **params: Any) -> Any:
    return rw.cell(params=params or {"W": ("H", "I")})(equations)


REFUSED: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (lambda p, x: x, {}, ValueError, r"a function of \(p, x, h\)"),
    (lambda p, x, c: x, {}, ValueError, "not of"),
    (lambda p, x, h: p.w @ x, {}, AttributeError, "did you mean 'W'"),
    (lambda p, x, h: h, {}, ValueError, "declares W but its equations do not use it"),
    (lambda p, x, h: p.W @ h, {}, ValueError, r"W \(H, I\) @ h \(H\).* W as \('H', 'H'\), or .* I"),
    (lambda p, x, h: p.W @ x + x, {}, ValueError, r"one size, not a result \(H\) and x \(I\)"),
    (lambda p, x, h: x @ h, {}, ValueError, r"x \(I\) @ h \(H\) .* multiplied by \*"),
    (lambda p, x, h: h @ p.W, {}, ValueError, r"@ works on vectors, and W \(H, I\) is a matrix"),
    (lambda p, x, h: p.W + h, {}, ValueError, "only stand left of @"),
    (lambda p, x, h: ops.tanh(p.W), {}, ValueError, "only stand left of @"),
    (lambda p, x, h: (p.W @ x, h), {}, TypeError, "must return h"),
    (lambda p, x, h, c: p.W @ x, {}, TypeError, "must return h and c"),
    (lambda p, x, h: 3, {}, TypeError, "must return h"),
    (lambda p, x, h: ops.concat(p.W @ x, h), {}, ValueError, "must have size H"),
    (lambda p, x, h: h if h else p.W @ x, {}, TypeError, "cannot branch on values"),
    (lambda p, x, h: np.tanh(p.W @ x), {}, TypeError, "numpy.tanh cannot take .*rw.ops.tanh"),
    (lambda p, x, h: ops.tanh(3), {}, TypeError, "takes an expression of the cell, not int"),
    (lambda p, x, h: ops.concat(), {}, TypeError, "one or more expressions"),
    (lambda p, x, h: ops.chunk(3, 2), {}, TypeError, "takes an expression of the cell"),
    (lambda p, x, h: ops.chunk(h, 2)[0] + p.W @ x, {}, ValueError, "cannot be cut into 2"),
    (lambda p, x, h: ops.chunk(h, 0)[0], {}, ValueError, "number of parts"),
    (lambda p, x, h: ops.chunk(h, True)[0], {}, ValueError, "number of parts"),
    (lambda p, x, h: p.W @ x * float("nan"), {}, ValueError, "must be finite"),
    (lambda p, x, h: p.W @ x + float("inf"), {}, ValueError, "must be finite"),
    (lambda p, x, h: (p.W @ x).named("1z"), {}, ValueError, "identifier"),
    (lambda p, x, h: (p.W @ x).named(1), {}, TypeError, "a name is text"),
    (lambda p, x, h: (p.W @ x).named("y"), {}, ValueError, "name of the network's output"),
    (lambda p, x, h: (p.W @ x).named("z") + h.named("z"), {}, ValueError, "cannot both be called"),
    (lambda p, x, h: h + (p.W @ x).named("h"), {}, ValueError, "cannot both be called 'h'"),
    (lambda p, x, h: (p.W @ x) ** 2, {}, TypeError, "rw.ops.tanh, sigmoid"),
    (lambda p, x, h: [1] + p.W @ x, {}, TypeError, "can only concatenate|unsupported"),
    (lambda p, x, h: 1j * (p.W @ x), {}, TypeError, "unsupported operand"),
    (lambda p, x, h: x / (p.W @ x), {}, TypeError, "/ by a number"),
    (lambda p, x, h: 1 / (p.W @ x), {}, TypeError, "division by an expression"),
    (lambda p, x, h: h > 0, {}, TypeError, "a comparison cannot be used here"),
    (lambda p, x, h: abs(h), {}, TypeError, "abs cannot be used here"),
    (lambda p, x, h: h[0], {}, TypeError, "indexing cannot be used here"),
    (lambda p, x, h: h * float(h), {}, TypeError, "number made of an expression"),
    (lambda p, x, h: math.tanh(h), {}, TypeError, "rw.ops.tanh"),
    (lambda p, x, h: np.ones(3) * h, {}, TypeError, "an array of numpy"),
    (lambda p, x, h: np.ones((3, 3)) @ h, {}, TypeError, "an array of numpy"),
    (lambda p, x, h: h + np.ones(3), {}, TypeError, "unsupported|an array of numpy"),
    (lambda p, x, h: np.exp(h), {}, TypeError, "numpy.exp cannot take an expression of a cell"),
    (lambda p, x, h: np.concatenate([h, h]), {}, TypeError, "rw.ops.tanh"),
    (lambda p, x, h: torch.tanh(h), {}, TypeError, "rw.ops.tanh, sigmoid|must be Tensor"),
    (lambda p, x, h: p.zzzz @ x, {}, AttributeError, "no parameter 'zzzz'; it declares W"),
    (lambda p, x, h: p.W @ x, {"W W": ("H", "I")}, ValueError, "identifier such as 'W'"),
    (lambda p, x, h: h, {"A": "H", "B": "H"}, ValueError, "declares A, B .* do not use them"),
    (lambda p, x, h: p.W @ x, {"W": ("H", "Q")}, ValueError, "a size is a sum"),
    (lambda p, x, h: p.W @ x, {"W": ("H", "I", "I")}, ValueError, "a vector or a matrix"),
    (lambda p, x, h: p.W @ x, {"W": ("H", 0)}, ValueError, "cannot have a size of 0"),
    (
        lambda p, x, h: ops.chunk(ops.chunk(p.W, 2)[0], 2)[0] @ x,
        {"W": ("4*H", "I")},
        ValueError,
        "cannot be cut again",
    ),
    (
        lambda p, x, h: ops.tanh(ops.chunk(p.W, 2)[0]),
        {"W": ("2*H", "I")},
        ValueError,
        "rows of a matrix can only stand left of @",
    ),
    (
        lambda p, x, h: ops.chunk(p.W, 2)[0].named("a") @ x,
        {"W": ("2*H", "I")},
        ValueError,
        "rows of a matrix cannot be named",
    ),
]


@pytest.mark.parametrize(("equations", "params", "error", "message"), REFUSED)
def test_equations_that_are_none_are_refused(
    equations: Any, params: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        traced(equations, **params)


def test_a_decorator_without_parameters_says_how_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"write @rw\.cell\(params="):
        rw.cell(lambda p, x, h: h)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="maps each parameter's name to its shape"):
        rw.cell(params=["W"])  # type: ignore[arg-type]
    with pytest.raises(AttributeError, match="no parameter 'W'; it declares none"):
        rw.cell(params={})(lambda p, x, h: p.W @ x)


def test_expressions_of_two_cells_do_not_mix() -> None:
    kept: list[Any] = []

    def first(p: Any, x: Any, h: Any) -> Any:
        kept.append(h)
        return p.W @ x

    traced(first)
    with pytest.raises(ValueError, match="of another cell"):
        traced(lambda p, x, h: p.W @ x + kept[0])


def test_custom_takes_only_cells() -> None:
    with pytest.raises(TypeError, match=r"decorated with @rw\.cell"):
        rw.custom(lambda p, x, h: h, 1, 1, 1)  # type: ignore[arg-type]


def test_numbers_of_numpy_are_numbers() -> None:
    cell = traced(lambda p, x, h: np.float64(2) * (p.W @ x) + np.float32(0.5) - h * np.int64(3))
    net = rw.custom(cell, 1, 1, 1).replace(W_l0=[[1]], x=[[10]], h0=[2])
    assert net.forward().output.item() == 2 * 10 + 0.5 - 3 * 2


@pytest.mark.parametrize(
    ("equations", "by_hand"),
    [
        (lambda p, x, h: p.W @ x + 3, 10 + 3),
        (lambda p, x, h: 3 + p.W @ x, 3 + 10),
        (lambda p, x, h: p.W @ x - 3, 10 - 3),
        (lambda p, x, h: 3 - p.W @ x, 3 - 10),
        (lambda p, x, h: p.W @ x * 3, 10 * 3),
        (lambda p, x, h: 3 * (p.W @ x), 3 * 10),
        (lambda p, x, h: p.W @ x / 4, 10 / 4),
        (lambda p, x, h: -(p.W @ x), -10),
        (lambda p, x, h: p.W @ x + h, 10 + 2),
        (lambda p, x, h: p.W @ x - h, 10 - 2),
        (lambda p, x, h: h - p.W @ x, 2 - 10),
        (lambda p, x, h: p.W @ x * h, 10 * 2),
        (lambda p, x, h: ops.relu(p.W @ x - 11) + ops.relu(h), 2),
        (lambda p, x, h: ops.tanh(p.W @ x - 9.5), np.tanh(0.5)),
        (lambda p, x, h: ops.sigmoid(p.W @ x - 10 + h), 1 / (1 + np.exp(-2))),
    ],
)
def test_equations_compute_what_they_say(equations: Any, by_hand: float) -> None:
    net = rw.custom(traced(equations), 1, 1, 1).replace(W_l0=[[5]], x=[[2]], h0=[2])
    assert net.forward().output.item() == pytest.approx(by_hand, rel=1e-15)


def test_chunk_and_concat_keep_their_order() -> None:
    def equations(p: Any, x: Any, h: Any) -> Any:
        top, bottom = ops.chunk(p.W, 2)
        first, second, third = ops.chunk(ops.concat(top @ x, bottom @ x, h), 3)
        return first + 10 * second + 100 * third

    net = rw.custom(traced(equations, W=("2*H", "I")), 1, 2, 1)
    net = net.replace(W_l0=[[1], [2], [3], [4]], x=[[1]], h0=[5, 6])
    assert_allclose(net.forward()["h"][0], [1 + 30 + 500, 2 + 40 + 600], rtol=0)


@pytest.mark.parametrize("cell", CUSTOM, ids=lambda cell: cell.name)
def test_a_cell_is_named_after_its_function_and_names_its_states(cell: Any) -> None:
    assert [cell.nodes[out].name for out in cell.outputs] == list(cell.states)
    names = [node.name for node in cell.nodes if node.name]
    assert len(names) == len(set(names))


def test_parameters_may_have_greek_names() -> None:
    cell = rw.cell(params={"θ": ("H", "I")}, name="greek")(lambda p, x, h: p.θ @ x + h)
    net = rw.custom(cell, 1, 1, 2, loss="sum").replace(x=[[3], [5]])
    assert net.terms("θ_l0[0,0]", 1, 0)[0].value == 3.0
    assert repr(net).startswith("Network(greek,")
