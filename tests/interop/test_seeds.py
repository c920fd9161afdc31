"""Jacobians row by row, against torch asked in one go and against central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

import rnn_widgets as rw
from rnn_widgets.interop.rows import Explored
from rnn_widgets.interop.seeds import LOSSES, argument_names, of_function, of_network
from rnn_widgets.network import Network

MATRIX = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4)

# Functions of one (4,) and one (2, 2) argument, by what they do to the graph.
FUNCTIONS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "linear": lambda x, w: MATRIX @ x + w.sum(),
    "saved": lambda x, w: torch.tanh(MATRIX @ x) * w[0, 1] ** 2,
    "matrix": lambda x, w: w @ x.reshape(2, 2) @ w.T,
    "scalar": lambda x, w: (x**2).sum() * w.prod(),
    "one entry": lambda x, w: (x.sum() * w.sum()).reshape(1),
    "unused": lambda x, w: torch.sin(x),
    "branches": lambda x, w: torch.where(x > 0, x * w[0, 0], x**3),
    "the input": lambda x, w: x,
    "partly freed": lambda x, w: x.exp() + w.reshape(-1),
}
NUMBERS = st.floats(-3, 3, allow_nan=False, allow_subnormal=False)
X, W = arrays(np.float64, 4, elements=NUMBERS), arrays(np.float64, (2, 2), elements=NUMBERS)


def explored(f: Callable[..., Any], *names: str) -> Explored:
    return of_function(f, list(names), LOSSES, None)


def tensors(*values: Any) -> list[torch.Tensor]:
    return [torch.tensor(value, requires_grad=True) for value in values]


@pytest.mark.parametrize("kind", FUNCTIONS)
@settings(max_examples=25, deadline=None)
@given(x=X, w=W, draw=st.data())
def test_a_weighted_sum_of_rows_is_what_torch_gives_for_the_seed(
    kind: str, x: np.ndarray, w: np.ndarray, draw: st.DataObject
) -> None:
    f = FUNCTIONS[kind]
    point = explored(f, "x", "w").at({"x": x, "w": w})
    inputs = tensors(x, w)
    z = f(*inputs)
    v = draw.draw(arrays(np.float64, z.numel(), elements=NUMBERS))
    expected = torch.autograd.grad(
        z, inputs, torch.tensor(v).reshape(z.shape), allow_unused=True, materialize_grads=True
    )
    assert_array_equal(point.output, z.detach().numpy())
    for name, gradient in zip("xw", expected, strict=True):
        rows = point.jacobian[name]
        scale = (np.abs(v) @ np.abs(rows).reshape(len(v), -1)).max() + 1e-300
        found = np.tensordot(v, rows, 1)
        assert np.abs(found - gradient.numpy()).max() <= 1e-14 * scale


@pytest.mark.parametrize("kind", [k for k in FUNCTIONS if k != "branches"])
@settings(max_examples=10, deadline=None)
@given(x=X, w=W)
def test_rows_are_what_central_differences_say(kind: str, x: np.ndarray, w: np.ndarray) -> None:
    f = FUNCTIONS[kind]
    point = explored(f, "x", "w").at({"x": x, "w": w})
    step = 1e-5
    for name, values in (("x", x), ("w", w)):
        for index in np.ndindex(*values.shape):
            moved = []
            for side in (step, -step):
                at = {"x": x, "w": w, name: values.copy()}
                at[name][index] += side
                moved.append(f(*map(torch.tensor, (at["x"], at["w"]))).numpy().reshape(-1))
            expected = (moved[0] - moved[1]) / (2 * step)
            scale = np.abs(point.output).max() + np.abs(point.jacobian[name]).max() + 1.0
            assert_allclose(
                point.jacobian[name][(slice(None), *index)], expected, rtol=0, atol=1e-7 * scale
            )


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_what_backward_does_is_what_torch_does(kind: str) -> None:
    f = FUNCTIONS[kind]
    x, w = np.array([0.5, -1.0, 2.0, 1.5]), np.array([[1.0, 2.0], [0.5, -1.0]])
    point = explored(f, "x", "w").at({"x": x, "w": w})
    inputs = tensors(x, w)
    z = f(*inputs)
    if z.numel() == 1:
        assert point.backward.bare is None
        z.backward()
        assert_allclose(inputs[0].grad.numpy(), point.jacobian["x"][0])
    else:
        with pytest.raises(RuntimeError) as bare:
            z.backward()
        assert point.backward.bare == f"RuntimeError: {bare.value}"
        assert "implicitly created only for scalar outputs" in point.backward.bare

    inputs = tensors(x, w)
    z = f(*inputs)
    z.backward(torch.ones_like(z))
    once = [None if t.grad is None else t.grad.clone() for t in inputs]
    assert point.unused == tuple(n for n, g in zip("xw", once, strict=True) if g is None)
    if point.backward.again is None:
        z.backward(torch.ones_like(z))
    else:
        with pytest.raises(RuntimeError) as again:
            z.backward(torch.ones_like(z))
        assert point.backward.again == f"RuntimeError: {again.value}"
    grown = [
        name
        for name, tensor, before in zip("xw", inputs, once, strict=True)
        if before is not None and not torch.equal(tensor.grad, before)
    ]
    assert list(point.backward.reached) == grown


def test_a_function_without_saved_tensors_needs_no_retained_graph() -> None:
    assert explored(lambda x: x + 1, "x").at({"x": np.ones(2)}).backward.again is None


def test_a_failing_call_may_have_added_already() -> None:
    point = explored(FUNCTIONS["partly freed"], "x", "w").at({"x": np.ones(4), "w": np.eye(2)})
    assert "a second time" in (point.backward.again or "")
    assert point.backward.reached == ("w",)


@settings(max_examples=25, deadline=None)
@given(x=X, target=arrays(np.float64, 4, elements=NUMBERS))
def test_a_loss_makes_the_seed_that_the_chain_rule_says(x: np.ndarray, target: np.ndarray) -> None:
    losses = {**LOSSES, "own": lambda z: (z**4).sum()}
    found = of_function(torch.sin, ["x"], losses, target).at({"x": x}).losses
    z = np.sin(x)
    expected = {
        "sum": np.ones(4),
        "mean": np.full(4, 0.25),
        "sse": 2 * (z - target),
        "mse": (z - target) / 2,
        "own": 4 * z**3,
    }
    assert list(found) == list(expected)
    for name, seed in expected.items():
        assert_allclose(found[name], seed, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("loss", ["seed", "sum", "sse", "mse", "cross_entropy"])
@pytest.mark.parametrize(
    "make",
    [
        lambda loss: rw.rnn(2, 2, 3, loss=loss),
        lambda loss: rw.gru(1, 2, 3, readout=2, loss=loss, loss_steps="last"),
        lambda loss: rw.lstm(1, 2, 3, loss=loss).truncate(window=2),
    ],
    ids=["rnn", "gru", "truncated"],
)
def test_a_networks_own_loss_gives_its_gradients(make: Callable[[str], Network], loss: str) -> None:
    net = make(loss)
    names = [name for name in net.program.leaves if name not in ("v", "target")]
    explorer = of_network(net.program, dict(net.values), {}, None)
    point = explorer.at({name: net.values[name] for name in names})
    v = point.losses["network"]
    assert v is not None
    assert_allclose(point.output, net.forward().output, rtol=1e-13, atol=1e-15)
    assert explorer.labels(point)[:3] == ["y[0,0]", "y[0,1]", "y[1,0]"]
    gradients = net.gradients()
    for name in names:
        assert_allclose(
            np.tensordot(v, point.jacobian[name], 1), gradients[name], rtol=1e-11, atol=1e-13
        )


def test_nothing_of_the_users_is_left_changed() -> None:
    module = torch.nn.Linear(2, 2).double()
    module.weight.grad = torch.full((2, 2), 7.0, dtype=torch.float64)
    kept = module.weight.grad
    torch.manual_seed(3)
    drawn = torch.rand(3)
    torch.manual_seed(3)
    explored(module, "x").at({"x": np.ones(2)})
    assert module.weight.grad is kept
    assert torch.equal(kept, torch.full((2, 2), 7.0, dtype=torch.float64))
    assert module.bias.grad is None
    with pytest.raises(ValueError, match="draws random numbers"):
        explored(lambda x: x * torch.rand(2), "x").at({"x": np.ones(2)})
    assert torch.equal(torch.rand(3), drawn)


def test_it_differentiates_where_gradients_are_switched_off() -> None:
    with torch.inference_mode():
        point = explored(torch.square, "x").at({"x": np.array([3.0])})
    assert_array_equal(point.jacobian["x"], [[6.0]])


COUNT = iter(range(99))


@pytest.mark.parametrize(
    ("f", "x", "error", "words"),
    [
        (lambda x: x.numpy(), [1.0], ValueError, "f raised RuntimeError: Can't call numpy"),
        (lambda x: x / 0 if len(x) else 1 / 0, [1.0], ValueError, r"z\[0\] is inf"),
        (lambda x: 1 / 0, [1.0], ValueError, "f raised ZeroDivisionError"),
        (torch.log, [1.0, -1.0], ValueError, r"z\[1\] is nan"),
        (torch.sqrt, [0.0], ValueError, r"derivative of z\[0\] by x\[0\] is inf"),
        (lambda x: x.detach(), [1.0], ValueError, "torch sees no way"),
        (lambda x: torch.ones(2), [1.0], ValueError, "does not depend|do not depend|torch sees no"),
        (lambda x: x.argmax(), [1.0], TypeError, "real numbers, not torch.int64"),
        (lambda x: x.to(torch.complex128), [1.0], TypeError, "real numbers, not torch.complex128"),
        (lambda x: (x, x), [1.0], TypeError, "not tuple; join the parts"),
        (lambda x: 3.0, [1.0], TypeError, "must return a tensor, not float"),
        (lambda x: x[:0], [1.0], ValueError, "an empty tensor"),
        (lambda x: x.repeat(17), [1.0], ValueError, "17 outputs are too many.*at most 16"),
        (lambda x: x.add_(1), [1.0], ValueError, "in place: let it work on a copy"),
        (lambda x: x.data.add_(1) * 0 + x, [1.0], ValueError, "f changes x in place"),
        (lambda x: x + next(COUNT), [1.0], ValueError, "keeps something between calls"),
        (torch.nn.Dropout(), [1.0] * 16, ValueError, r"call its eval\(\) first"),
        (torch.nn.Linear(1, 1), [1.0], ValueError, r"call \.double\(\) on a module"),
        (lambda x, w: x, [1.0], ValueError, "a tuple of arrays, one for each"),
    ],
)
def test_what_cannot_be_differentiated_is_refused(
    f: Callable[..., Any], x: list[float], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        explored(f, "x").at({"x": np.array(x)})


def test_arguments_are_named_by_the_function() -> None:
    assert argument_names(lambda a, b, c=1: a, 2) == ["a", "b"]
    assert argument_names(torch.tanh, 1) == ["x"]
    assert argument_names(torch.add, 2) == ["x0", "x1"]
    assert argument_names(torch.nn.Linear(1, 1), 1) == ["input"]
    assert argument_names(lambda *parts: parts[0], 2) == ["x0", "x1"]
