"""What `rw.gradient` refuses, and that it leaves everything as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rnn_widgets as rw
from rnn_widgets.interop.tape import StaleGradientWarning

from .forum import X, thread_b, y


class TestLeftAsFound:
    def test_after_an_exception(self) -> None:
        W, b = thread_b()
        c = torch.ones(3, requires_grad=True)

        def fails() -> Tensor:
            assert W.requires_grad
            raise RuntimeError("broken")

        with pytest.raises(RuntimeError, match="broken"):
            rw.gradient(fails, params=rw.Params(W=W, b=b, c=c))
        assert [t.requires_grad for t in (W, b, c)] == [False, False, True]
        with pytest.raises(ValueError, match="one number"):
            rw.gradient(lambda: W @ X, params=rw.Params(W=W, b=b))
        assert not W.requires_grad

    def test_grad_is_not_added_to(self) -> None:
        W = torch.ones(3, requires_grad=True)
        W.grad = torch.full((3,), 5.0)
        held = W.grad
        rw.gradient(lambda: (W**2).sum(), params=rw.Params(W=W))
        rw.gradient(lambda W: (W**2).sum(), W)
        assert W.grad is held
        assert torch.equal(held, torch.full((3,), 5.0))

    def test_a_backward_of_its_own_leaves_no_grad_in_what_needed_none(self) -> None:
        W, b = thread_b()

        def f() -> Tensor:
            loss = y(W, b)
            loss.backward(retain_graph=True)
            return loss

        g = rw.gradient(f, params=rw.Params(W=W, b=b))
        assert torch.equal(g[W], X.expand(3, 5))
        assert W.grad is None

    def test_a_graph_made_before_can_still_be_used(self) -> None:
        W = torch.ones(3, requires_grad=True)
        loss = (W**2).sum()
        g = rw.gradient(lambda: loss, params=rw.Params(W=W))
        loss.backward()
        assert torch.equal(g[W], W.grad)

    @pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
    def test_under_no_grad_and_inference_mode(self, context: Callable[[], Any]) -> None:
        W, b = thread_b()
        with context():
            g = rw.gradient(y, W, b)
            h = rw.gradient(lambda: y(W, b), params=rw.Params(W=W, b=b))
            assert not (torch.ones(1, requires_grad=True) * 2).requires_grad
        assert torch.equal(g[W], X.expand(3, 5))
        assert torch.equal(h[b], torch.ones(3))

    def test_an_edit_by_the_function_itself_is_seen(self) -> None:
        W = torch.ones(3)

        def step() -> Tensor:
            loss = (W**2).sum()
            W.data.sub_(0.5)
            return loss + W.sum()

        g = rw.gradient(step, params=rw.Params(W=W))
        with pytest.warns(StaleGradientWarning):
            g[W]


def refused(f: Any, *tensors: Any, **options: Any) -> str:
    with pytest.raises((TypeError, ValueError)) as error:
        rw.gradient(f, *tensors, **options)
    return str(error.value)


class TestRefusals:
    def test_a_vector_with_pytorchs_own_words(self) -> None:
        with pytest.raises(RuntimeError) as error:
            (torch.ones(3, requires_grad=True) * 2).backward()
        message = refused(lambda W: W * 2, torch.ones(3))
        assert str(error.value) in message
        assert "shape (3,)" in message
        assert "rw.SeedExplorer" in message

    def test_results_without_a_gradient(self) -> None:
        W = torch.ones(3)
        assert "is a return missing?" in refused(lambda W: None, W)
        assert ".item() take a number off the tape" in refused(lambda W: W.sum().item(), W)
        assert "not tuple" in refused(lambda W: (W.sum(), W), W)
        assert "int64" in refused(lambda W: W.argmax(), W)
        assert "y.abs()" in refused(lambda W: (W * 1j).sum(), W)
        assert "shape (0,)" in refused(lambda W: W[:0], W)

    def test_what_cannot_be_differentiated_by(self) -> None:
        assert "W must be a torch tensor, not list" in refused(y, [1.0], X)
        assert "rw.Params(module)" in refused(lambda m: m(X).sum(), nn.Linear(5, 1))
        assert "sparse" in refused(lambda W: W.sum(), torch.eye(2).to_sparse())
        assert "meta" in refused(lambda W: W.sum(), torch.ones(2, device="meta"))
        with torch.inference_mode():
            tensor = torch.ones(2)
        assert "inference_mode" in refused(lambda W: W.sum(), tensor)

    def test_calls_that_do_not_fit(self) -> None:
        W, b = thread_b()
        params = rw.Params(W=W)
        assert "missing a required argument: 'b'" in refused(y, W)
        assert "too many positional" in refused(lambda W: W.sum(), W, b)
        assert "not both" in refused(lambda: W.sum(), W, params=params)
        assert "rw.gradient(f, W, b)" in refused(lambda: W.sum())
        assert "without arguments" in refused(y, params=params)
        assert "must be rw.Params" in refused(lambda: W.sum(), params={"W": W})
        assert "its result, a tensor" in refused(W.sum(), W)
        assert "not int" in refused(3, W)

    def test_params_that_are_none(self) -> None:
        for first, options in [((), {}), ((nn.Tanh(),), {}), (([X],), {}), ((), {"a": 1.0})]:
            with pytest.raises((TypeError, ValueError)):
                rw.Params(*first, **options)
        with pytest.raises(TypeError, match="'weight' is given twice"):
            rw.Params(nn.Linear(2, 1), weight=X)
