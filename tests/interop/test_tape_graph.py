"""The tape: autograd's graph from the result back to the leaves."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn

import rnn_widgets as rw
from rnn_widgets.interop.tape.graph import Tape, operation


def drawn(tape: Tape) -> set[tuple[str, str]]:
    return {(tape.nodes[user].label, tape.nodes[read].label) for user, read in tape.edges}


def test_of_an_affine_sum() -> None:
    W, b, x = torch.ones(3, 5), torch.zeros(3), torch.ones(5, requires_grad=True)
    g = rw.gradient(lambda: (W @ x + b).sum(), params=rw.Params(W=W, b=b, V=W))
    assert drawn(g.tape) == {
        ("y", "sum"),
        ("sum", "add"),
        ("add", "mv"),
        ("add", "b"),
        ("mv", "W, V"),
        ("mv", "x"),
    }
    kinds = {node.label: (node.kind, node.object, node.shape) for node in g.tape.nodes}
    assert kinds["W, V"] == ("recorded", 1, (3, 5))
    assert kinds["b"] == ("recorded", 2, (3,))
    assert kinds["x"] == ("unasked", 0, (5,))
    assert kinds["y"] == ("result", 0, ())
    assert repr(g.tape) == "Tape(3 operations, 2 recorded and 1 unasked leaves)"


def test_a_node_that_is_read_twice_is_there_once() -> None:
    g = rw.gradient(lambda a: (a.exp() * a.exp()).sum() + a.sum(), torch.ones(2))
    assert sum(node.label == "a" for node in g.tape.nodes) == 1
    assert sum(node.label == "exp" for node in g.tape.nodes) == 2


def test_two_uses_by_one_operation_are_one_edge() -> None:
    g = rw.gradient(lambda a: (a * a).sum(), torch.ones(2))
    labels = [(g.tape.nodes[user].label, g.tape.nodes[read].label) for user, read in g.tape.edges]
    assert labels == [("y", "sum"), ("sum", "mul"), ("mul", "a")]


def test_a_graph_too_large_to_walk_says_that_there_is_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnn_widgets.interop.tape.graph.MOST_WALKED", 3)
    g = rw.gradient(lambda a: a.exp().exp().exp().sum(), torch.zeros(2))
    assert not g.tape.complete
    assert repr(g.tape) == "Tape(2 operations, 0 recorded and 0 unasked leaves, and more)"


def test_it_ends_at_a_tensor_that_was_computed_itself() -> None:
    base = torch.ones(2, requires_grad=True)
    first, second = (base * 3).unbind()
    g = rw.gradient(lambda: first * second**2, params=rw.Params(first=first, second=second))
    labels = {node.label for node in g.tape.nodes}
    assert labels == {"y", "mul", "pow", "first", "second"}
    assert g["second"].item() == 18


def test_a_result_that_is_a_leaf_and_one_that_is_none() -> None:
    a = torch.tensor(2.0)
    assert drawn(rw.gradient(lambda a: a, a).tape) == {("y", "a")}
    g = rw.gradient(lambda a: torch.tensor(3.0), a)
    assert [node.label for node in g.tape.nodes] == ["y"]
    assert g.get(a) is None


def test_a_custom_function_has_its_name() -> None:
    class MyDouble(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor) -> Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: object, grad: Tensor) -> Tensor:
            return grad * 2

    g = rw.gradient(lambda a: MyDouble.apply(a).sum(), torch.ones(2))
    assert ("sum", "my_double") in drawn(g.tape)
    assert torch.equal(g["a"], torch.full((2,), 2.0))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("AddmmBackward0", "addmm"),
        ("LogSoftmaxBackward0", "log_softmax"),
        ("struct torch::autograd::CopySlices", "copy_slices"),
        ("torch::autograd::AccumulateGrad", "accumulate_grad"),
    ],
)
def test_names_of_operations(name: str, says: str) -> None:
    assert operation(name) == says


def test_a_long_recurrence_is_walked_without_recursion() -> None:
    W = torch.eye(2) * 0.5

    def f(W: Tensor) -> Tensor:
        h = torch.ones(2)
        for _ in range(3000):
            h = torch.tanh(W @ h)
        return h.sum()

    g = rw.gradient(f, W)
    assert sum(node.kind == "operation" for node in g.tape.nodes) == 6001
    assert g.tape.complete


def test_the_graph_is_let_go() -> None:
    kept: list[weakref.ref[object]] = []

    class Watched(torch.autograd.Function):
        @staticmethod
        def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
            kept.append(weakref.ref(ctx))
            return x * 2

        @staticmethod
        def backward(ctx: object, grad: Tensor) -> Tensor:
            return grad * 2

    g = rw.gradient(lambda a: Watched.apply(a).sum(), torch.ones(2))
    gc.collect()
    assert torch.equal(g["a"], torch.full((2,), 2.0))
    assert kept[0]() is None


def test_leaves_of_a_module_in_a_closure_are_named() -> None:
    model = nn.RNN(2, 3)
    g = rw.gradient(lambda x: model(x)[0].sum(), torch.ones(4, 2))
    unasked = {node.label for node in g.tape.nodes if node.kind == "unasked"}
    assert unasked == {f"model.{name}" for name, _ in model.named_parameters()}
