"""`rw.gradient` against torch.autograd.grad, and how it answers for objects and names."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import rnn_widgets as rw
from rnn_widgets.interop.tape import NotFiniteWarning, StaleGradientWarning

from .forum import X, thread_b, y


@pytest.mark.parametrize("mode", ["explicit", "implicit"])
def test_the_question_of_the_julia_forum(mode: str) -> None:
    W, b = thread_b()
    if mode == "explicit":
        g = rw.gradient(y, W, b)
    else:
        g = rw.gradient(lambda: y(W, b), params=rw.Params(W=W, b=b))
    assert torch.equal(g[W], X.expand(3, 5))
    assert torch.equal(g[b], torch.ones(3))
    assert torch.equal(g["W"], g[W])
    assert torch.equal(g[0], g[W])
    assert torch.equal(g[1], g["b"])
    assert list(g) == ["W", "b"]
    assert g.value.item() == pytest.approx(y(W, b).item())
    assert repr(g) == (
        f"y = {y(W, b).item():.6g}\n"
        "gradient of  object    shape   norm     state\n"
        "W            object 1  (3, 5)  6.7082   current\n"
        "b            object 2  (3,)    1.73205  current"
    )


FUNCTIONS: list[Callable[[Tensor, Tensor], Tensor]] = [
    lambda a, b: (a * b).sum(),
    lambda a, b: (torch.tanh(a) @ b.T).pow(2).mean(),
    lambda a, b: torch.logsumexp(a + 2 * b, 0).sum(),
    lambda a, b: (a[0] * b[-1]).norm(),
    lambda a, _: a.cos().prod(),
    lambda a, b: sum((a * b.exp())[i].sum() * i for i in range(len(a))) + b.sum(),
]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(range(len(FUNCTIONS))),
    st.tuples(st.integers(1, 4), st.integers(1, 4)),
    st.integers(0, 1000),
    st.sampled_from(["leaf", "requires", "view", "computed", "parameter"]),
)
def test_both_modes_equal_autograd(
    which: int, shape: tuple[int, int], seed: int, kind: str
) -> None:
    f = FUNCTIONS[which]
    generator = torch.Generator().manual_seed(seed)
    values = [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2)]
    leaves = [value.clone().requires_grad_() for value in values]
    expected = torch.autograd.grad(f(*leaves), leaves, allow_unused=True)
    make: dict[str, Callable[[Tensor], Tensor]] = {
        "leaf": torch.clone,
        "requires": lambda v: v.clone().requires_grad_(),
        "view": lambda v: torch.stack([v, v])[1],
        "computed": lambda v: v.clone().requires_grad_() * 1.0,
        "parameter": lambda v: nn.Parameter(v.clone(), requires_grad=False),
    }
    a, b = (make[kind](value) for value in values)
    before = [(t.requires_grad, t.is_leaf, t._version, t.clone()) for t in (a, b)]
    explicit = rw.gradient(f, a, b)
    implicit = rw.gradient(lambda: f(a, b), params=rw.Params(a=a, b=b))
    for tensor, name, answer in zip((a, b), "ab", expected, strict=True):
        for g, key in ((explicit, tensor), (implicit, tensor), (implicit, name)):
            if answer is None:
                assert g.get(key) is None
            else:
                torch.testing.assert_close(g[key], answer, rtol=1e-12, atol=1e-12)
                assert not g[key].requires_grad
    for tensor, (required, leaf, version, value) in zip((a, b), before, strict=True):
        assert (tensor.requires_grad, tensor.is_leaf, tensor._version) == (required, leaf, version)
        assert not leaf or tensor.grad is None
        assert torch.equal(tensor, value)


def test_gradients_of_a_module_have_pytorchs_names() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x = torch.ones(4, 2)
    g = rw.gradient(lambda: model(x).sum(), params=rw.Params(model))
    same = rw.gradient(lambda: model(x).sum(), params=rw.Params(**dict(model.named_parameters())))
    model(x).sum().backward()
    assert list(g) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(g[parameter], parameter.grad)
        assert torch.equal(same[name], g[name])


def test_a_shared_parameter_is_one_object_under_two_names() -> None:
    model = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    model[1].weight = model[0].weight
    g = rw.gradient(lambda: model[1](model[0](torch.ones(2))).sum(), params=rw.Params(model))
    assert torch.equal(g["0.weight"], g["1.weight"])
    assert [look.object for look in g.look()] == [1, 2, 1, 3]
    (expected,) = torch.autograd.grad(model[1](model[0](torch.ones(2))).sum(), [model[0].weight])
    assert torch.equal(g[model[0].weight], expected)


def test_an_object_given_at_two_positions_has_the_sum_of_both() -> None:
    a = torch.tensor([1.0, 2.0])
    g = rw.gradient(lambda p, q: (p * q**2).sum(), a, a)
    assert torch.equal(g["p"], a**2)
    assert torch.equal(g[1], 2 * a * a)
    assert torch.equal(g[a], 3 * a**2)


def test_answers_are_copies() -> None:
    W, b = thread_b()
    g = rw.gradient(y, W, b)
    g[W].zero_()
    g["b"].mul_(7)
    assert torch.equal(g[W], X.expand(3, 5))
    assert torch.equal(g[b], torch.ones(3))


class TestAfterwards:
    def test_a_name_bound_anew_is_a_new_object(self) -> None:
        W, b = thread_b()
        g = rw.gradient(y, W, b)
        old, W = W, torch.randn(3, 5)
        with pytest.raises(KeyError, match=r"new object.*shape and dtype of W, with other values"):
            g[W]
        with pytest.raises(KeyError, match=r"dtype of W, and the very values that it had"):
            g[old.clone()]
        with pytest.raises(KeyError, match=r"shares memory with W"):
            g[old[1:]]
        with pytest.raises(KeyError, match=r"shares memory with b"):
            g[b.detach()]
        with pytest.raises(KeyError, match=r"shape \(7,\) was not recorded.*W \(3, 5\), b \(3,\)"):
            g[torch.ones(7)]
        with pytest.raises(KeyError, match="resembles nothing"):
            g[old.double()]
        assert W not in g
        assert old in g
        assert torch.equal(g[old], X.expand(3, 5))

    @pytest.mark.parametrize(
        ("edit", "says"),
        [
            (lambda W: W.add_(1), r"changed in place since \(version 0 → 1\)"),
            (lambda W: W.__setitem__((0, 0), 9.0), r"version 0 → 1"),
            (lambda W: W.data.mul_(2), r"as through \.data"),
            (lambda W: setattr(W, "data", torch.ones(2)), "changed"),
            (lambda W: W.numpy().fill(4), r"\.data \(version still 0\)"),
            (lambda W: W.data[0].fill_(torch.nan), r"changed"),
        ],
    )
    def test_a_change_in_place_is_warned_of(self, edit: Callable[[Tensor], Any], says: str) -> None:
        W, b = thread_b()
        g = rw.gradient(y, W, b)
        with torch.no_grad():
            edit(W)
        for key in (W, "W", 0):
            with pytest.warns(StaleGradientWarning, match=says):
                assert torch.equal(g[key], X.expand(3, 5))
        assert torch.equal(g[b], torch.ones(3))  # nothing is said of what is as it was
        assert [look.state.startswith("changed") for look in g.look()] == [True, False]

    def test_the_warning_points_at_the_line_that_asks(self) -> None:
        W, b = thread_b()
        g = rw.gradient(y, W, b)
        W.add_(1)
        with pytest.warns(StaleGradientWarning) as record:
            g[W]
        assert record[0].filename == __file__

    def test_of_several_alike_the_one_of_equal_value_is_named(self) -> None:
        first, second = torch.ones(2), torch.zeros(2)
        g = rw.gradient(lambda first, second: (first * second).sum(), first, second)
        with pytest.raises(KeyError, match="dtype of second, and the very values that it had"):
            g[torch.zeros(2)]

    def test_the_same_value_is_current_whatever_was_done(self) -> None:
        W, b = thread_b()
        g = rw.gradient(y, W, b)
        W.mul_(2)
        W.div_(2)
        W.grad = torch.ones(3, 5)
        W.requires_grad_()
        assert torch.equal(g[W], X.expand(3, 5))
        assert g.look()[0].state == "written to, value as it was"
        assert (g.look()[0].recorded, g.look()[0].now) == (0, 2)

    def test_nan_that_was_there_is_no_change(self) -> None:
        a = torch.tensor([torch.nan, 1.0])
        g = rw.gradient(lambda a: a[1] * 2, a)
        assert torch.equal(g[a], torch.tensor([0.0, 2.0]))

    def test_recorded_tensors_live_as_long_as_their_gradients(self) -> None:
        def short() -> tuple[Any, Any]:
            W = torch.ones(4)
            return rw.gradient(lambda W: W.sum(), W), weakref.ref(W)

        g, reference = short()
        gc.collect()
        assert reference() is not None
        assert torch.equal(g[reference()], torch.ones(4))
        del g
        gc.collect()
        assert reference() is None


class TestWhatTookNoPart:
    def test_says_so(self) -> None:
        W, b = thread_b()
        c = torch.ones(2)
        g = rw.gradient(lambda W, b, c: y(W, b), W, b, c)
        for key in (c, "c", 2):
            with pytest.raises(KeyError, match="no gradient of c: y does not depend on it"):
                g[key]
        assert g.get(c) is None
        assert "c" not in g
        assert list(g) == ["W", "b"]
        assert len(g) == 2
        assert "y does not depend on it" in repr(g)

    def test_what_was_made_before_is_not_recorded(self) -> None:
        W, b = thread_b()
        transposed = W.T
        g = rw.gradient(lambda: (X @ transposed + b).sum(), params=rw.Params(W=W, b=b))
        with pytest.raises(KeyError, match="such as a transpose"):
            g[W]

    def test_what_took_part_but_was_not_asked_for(self) -> None:
        W, b = thread_b()
        x = X.clone().requires_grad_()
        g = rw.gradient(lambda: (W @ x + b).sum(), params=rw.Params(W=W, b=b))
        for key in (x, "x"):
            with pytest.raises(KeyError, match=r"x took part: .*rw\.Params\(…, x=x\)"):
                g[key]

    def test_an_explicit_gradient_is_by_the_arguments_alone(self) -> None:
        W, b = thread_b()
        g = rw.gradient(lambda V: (W @ X).sum() + V.sum(), b)
        assert list(g) == ["V"]
        g = rw.gradient(lambda _: (W * W).sum(), W)
        assert g.get(W) is None

    def test_whole_numbers_have_no_derivative(self) -> None:
        index = torch.tensor([0, 2])
        g = rw.gradient(lambda i, W: W[i].sum(), index, torch.ones(3))
        assert torch.equal(g["W"], torch.tensor([1.0, 0, 1]))
        with pytest.raises(KeyError, match="int64 numbers have no derivative"):
            g["i"]

    def test_names_and_positions_that_do_not_exist(self) -> None:
        g = rw.gradient(y, *thread_b())
        with pytest.raises(KeyError, match="did you mean 'W'"):
            g["w"]
        for position in (2, -1):
            with pytest.raises(IndexError, match="positions 0 to 1"):
                g[position]
        with pytest.raises(TypeError, match="not by float"):
            g[1.5]
        assert 5 not in g
        assert 1.5 not in g


class TestNames:
    def test_of_arguments(self) -> None:
        W, b = thread_b()
        assert list(rw.gradient(lambda *given: y(*given), W, b)) == ["given[0]", "given[1]"]
        assert list(rw.gradient(lambda first, *rest: y(first, *rest), W, b)) == [
            "first",
            "rest[0]",
        ]
        assert list(rw.gradient(partial(y, W), b)) == ["b"]
        assert list(rw.gradient(nn.Linear(5, 1), X)) == ["input"]
        assert list(rw.gradient(torch.dot, X, X)) == ["args[0]", "args[1]"]

    def test_of_leaves_that_nobody_asked_for(self) -> None:
        model = nn.Linear(5, 1)
        g = rw.gradient(lambda x: model(x), X)
        with pytest.raises(KeyError, match=r"model\.bias took part"):
            g[model.bias]
        assert [n.label for n in g.tape.nodes if n.kind == "unasked"] == [
            "model.bias",
            "model.weight",
        ]

    def test_of_params(self) -> None:
        assert repr(rw.Params(W=X, b=torch.ones(()))) == "Params(W: (5,), b: ())"
        params = rw.Params({"a.b": X}, c=X)
        assert list(params) == ["a.b", "c"]
        assert params["c"] is X
        assert params == rw.Params({"a.b": X, "c": X})
        assert params != rw.Params({"a.b": X.clone(), "c": X})
        with pytest.raises(KeyError, match="did you mean 'c'"):
            params["C"]


class TestNotFinite:
    def test_is_warned_of_with_where_it_came_from(self) -> None:
        W = torch.tensor([1.0, torch.nan])
        with pytest.warns(NotFiniteWarning, match=r"y is nan; .*W \(1 of 2\); so were values of W"):
            g = rw.gradient(lambda W: (W**2).sum(), W)
        assert g[W][1].isnan()
        assert g[W][0] == 2.0
        assert "nan" in repr(g)

    def test_a_gradient_alone_can_be_infinite(self) -> None:
        with pytest.warns(NotFiniteWarning, match=r"^entries .*not finite: a \(1 of 1\)$"):
            rw.gradient(lambda a: a.sqrt(), torch.zeros(()))


def test_dtypes_are_kept() -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float64, torch.complex64):
        a = torch.ones(3, dtype=dtype)
        g = rw.gradient(lambda a: (a * a.conj()).real.sum(), a)
        assert g[a].dtype == dtype
        assert torch.equal(g[a], 2 * a)
        assert repr(g).splitlines()[2].split()[-2] == "3.4641"
