"""Diagnosis: which mistake explains a gradient, held to over random networks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_widgets as rw
from rnn_widgets.core.pitfalls import MISTAKES
from rnn_widgets.network import Network

from .networks import BUILT_IN, CUSTOM, make, networks, stirred
from .test_pitfalls import previous, question_d

MEASURABLE = 1e-4  # of a gradient's largest entry: a float32 gradient shows it


def six_digits(array: np.ndarray) -> np.ndarray:
    return np.array([float(f"{v:.6g}") for v in array.flat]).reshape(array.shape)


FORMS: dict[str, Callable[[np.ndarray], Any]] = {
    "double": lambda array: array,
    "float32": lambda array: array.astype(np.float32),
    "six digits": six_digits,
    "six decimals": lambda array: np.round(array, 6),
    "lists": lambda array: array.tolist(),
}


def random_network(rng: np.random.Generator) -> Network:
    kinds = (*BUILT_IN, *CUSTOM, "gru", "gru before", "lstm", "lstm")
    inputs, hidden, steps = (int(rng.integers(1, n)) for n in (3, 5, 8))
    net = make(
        kinds[rng.integers(len(kinds))],
        inputs,
        hidden,
        steps,
        num_layers=int(rng.integers(1, 3)),
        bidirectional=bool(rng.integers(2)),
        bias=(True, "single", False)[rng.integers(3)],
        readout=(None, 1, 2)[rng.integers(3)],
        loss=str(rng.choice(["seed", "sum", "sse", "mse", "cross_entropy"])),
        loss_steps=("all", "last")[rng.integers(2)],
    )
    cuts: tuple[dict[str, int], ...] = ({}, {}, {"window": 2}, {"chunk": 2}, {"chunk": 1})
    net = stirred(net, int(rng.integers(2**32)), (0.3, 1.0)[rng.integers(2)])
    return net.truncate(**cuts[rng.integers(len(cuts))])


def parameters(net: Network, gradients: Any) -> dict[str, np.ndarray]:
    return {name: gradients[name] for name in net.program.parameters}


def off(right: dict[str, np.ndarray], wrong: dict[str, np.ndarray]) -> float:
    """The largest difference relative to the larger of both, of any parameter."""
    found = 0.0
    for name, one in right.items():
        size = max(np.abs(one).max(), np.abs(wrong[name]).max())
        found = max(found, float(np.abs(wrong[name] - one).max() / size) if size else 0.0)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_replayed_mistake_is_named_and_the_right_gradient_never_called_wrong(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tried = named = 0
    seen = set()
    for form, _ in product(FORMS.values(), range(6)):
        net = random_network(rng)
        pitfalls = rw.pitfalls(net, previous=previous(net))
        right = parameters(net, net.gradients())
        wrong = {name: parameters(net, p.gradients()) for name, p in pitfalls.items()}
        given_right = {name: form(array) for name, array in right.items()}
        if off(right, given_right) > 0.1:  # so small that six decimals leave next to nothing
            continue
        assert rw.diagnose(net, given_right, previous=previous(net)).right
        for name, gradients in wrong.items():
            if off(right, gradients) < MEASURABLE:
                continue
            pasted = {n: form(array) for n, array in gradients.items()}
            diagnosis = rw.diagnose(net, pasted, previous=previous(net))
            tried += 1
            seen.add(name)
            named += (name,) in names(diagnosis)
            for cause in diagnosis.causes:  # what fits as well is as good an explanation
                (other,) = cause.names
                assert off(gradients, wrong[other]) < MEASURABLE
    assert seen == set(MISTAKES)
    assert tried > 100
    assert named / tried >= 0.99


@given(networks(), st.data())
@settings(max_examples=60, deadline=None)
def test_right_gradients_are_right_whole_or_in_part(net: Network, data: st.DataObject) -> None:
    gradients = net.gradients()
    assert rw.diagnose(net, gradients).right
    name = data.draw(st.sampled_from(list(gradients)))
    alone = rw.diagnose(net, {name: gradients[name].astype(np.float32)})
    assert alone.right
    assert name not in alone.ask


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scale", [0.01, 0.3, 1.0])
def test_half_precision_is_told(dtype: torch.dtype, scale: float) -> None:
    word = str(dtype).removeprefix("torch.")
    for seed in range(3):
        net = stirred(rw.lstm(2, 3, 5, loss="sse"), seed, scale)
        right = _cast(net, net.gradients(), dtype)
        diagnosis = rw.diagnose(net, right)
        assert diagnosis.right
        assert f"right, to the precision of {word}." in repr(diagnosis)
        for name, pitfall in rw.pitfalls(net).items():
            wrong = parameters(net, pitfall.gradients())
            if off(parameters(net, net.gradients()), wrong) > 0.05:
                assert (name,) in names(rw.diagnose(net, _cast(net, wrong, dtype)))
    off_by_a_percent = {name: 1.03 * array for name, array in right.items()}
    assert not rw.diagnose(net, off_by_a_percent).right


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_torch_in_half_precision_is_right(dtype: torch.dtype) -> None:
    for seed in range(20):
        net = stirred(rw.gru(2, 3, 6), seed, (0.3, 1.0)[seed % 2])
        module = net.to_torch().to(dtype)
        x, h0, v = (torch.tensor(net.values[name]).to(dtype) for name in ("x", "h0", "v"))
        (module(x, h0[None])[0] * v).sum().backward()
        made = {name: p.grad.double().numpy() for name, p in module.named_parameters()}
        assert rw.diagnose(net, made).right


def _cast(net: Network, gradients: Any, dtype: torch.dtype) -> dict[str, np.ndarray]:
    cast = {n: torch.tensor(a).to(dtype) for n, a in parameters(net, gradients).items()}
    return {name: array.double().numpy() for name, array in cast.items()}


def test_half_precision_as_torch_prints_it() -> None:
    """Four decimals, of which fewer are true: 30.3281 stands for 30.31 to 30.34."""
    net = stirred(rw.gru(2, 3, 5, loss="sse"), 1, 2.0)
    cast = _cast(net, net.gradients(), torch.float16)
    printed = {name: np.round(array, 4) for name, array in cast.items()}
    assert rw.diagnose(net, printed).right
    # What no half number reads like is not taken for one.
    name = max(cast, key=lambda n: np.abs(cast[n]).max())
    moved = cast[name] * (1 + 1e-3 * (np.abs(cast[name]) == np.abs(cast[name]).max()))
    assert not rw.diagnose(net, printed | {name: np.round(moved, 4)}).right


def test_numbers_too_coarse_to_tell() -> None:
    net = stirred(rw.rnn(2, 3, 4, loss="mse"), 1)
    small = net.replace(target=net.forward().output + 1e-6)
    zeros = {n: np.round(a, 4) for n, a in parameters(small, small.gradients()).items()}
    assert not any(array.any() for array in zeros.values())
    assert repr(rw.diagnose(small, zeros)).startswith("Nothing can be told")
    zeros_for_large = rw.diagnose(net, {name: 0 * array for name, array in zeros.items()})
    assert not zeros_for_large.right
    assert "Nothing can be told" not in repr(zeros_for_large)


def test_what_few_digits_hide_is_said() -> None:
    net = stirred(rw.rnn(2, 3, 4), 1)
    net = net.replace(weight_hh_l0=1e-6 * net.values["weight_hh_l0"])
    exact = {name: np.asarray(array) for name, array in net.gradients().items()}
    printed = {name: np.round(array, 4) for name, array in exact.items()}
    told = repr(rw.diagnose(net, printed))
    assert "Only numbers with more digits would tell it from 'forward order'" in told
    assert repr(rw.diagnose(net, exact)) == "The gradient is right."


def test_gradients_beyond_the_least_number_of_float32() -> None:
    net = rw.rnn(1, 1, 2, nonlinearity="identity", bias=False, loss="sum")
    net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[1e-44]], x=[[1e-44], [1e-44]])
    right = parameters(net, net.gradients())
    cast = {name: array.astype(np.float32) for name, array in right.items()}
    assert off(right, cast) > 1e-2
    assert rw.diagnose(net, cast).right


def names(diagnosis: Any) -> list[tuple[str, ...]]:
    return [cause.names for cause in diagnosis.causes]


def test_question_d_asks_for_dWh() -> None:
    net = question_d()
    both = rw.diagnose(net, {"Wi": [[2.8025]]})
    assert not both.right
    assert names(both) == [("forward order",), ("reversed input",)]
    assert both.ask == ("weight_hh_l0",)
    assert "give weight_hh_l0 (Wh) too" in repr(both)
    assert names(rw.diagnose(net, {"Wi": [[2.8025]], "Wh": [[1.001]]})) == [("forward order",)]
    assert names(rw.diagnose(net, {"Wi": [[2.8025]], "Wh": [[2.1]]})) == [("reversed input",)]
    assert names(rw.diagnose(net, [[[2.8]], [[1.0]], [2.0]])) == [("detached each step",)]
    assert rw.diagnose(net, [[[2.8003]], [[1.0]], [2.001]]).right
    # The bias cannot tell them apart either: it is asked for dWh all the same.
    assert rw.diagnose(net, {"Wi": [[2.8025]], "b": [2.001]}).ask == ("weight_hh_l0",)


def test_what_is_right_may_hide_a_mistake() -> None:
    diagnosis = rw.diagnose(question_d(), {"Wi": [[2.8003]]}, previous=[[1.0]])
    assert diagnosis.right
    assert "state not reset" in diagnosis.unseen  # the model is linear: dWx does not see h0
    assert diagnosis.ask == ("weight_hh_l0",)
    assert repr(diagnosis).startswith("What was given is right.")
    whole = rw.diagnose(question_d(), question_d().gradients(), previous=[[1.0]])
    assert whole.right
    assert (whole.unseen, whole.ask) == ((), ())
    assert repr(whole) == "The gradient is right."


@pytest.mark.parametrize(
    ("factor", "said"),
    [
        (-1.0, "the right gradient with the opposite sign."),
        (2.0, "the right gradient multiplied by 2."),
        (0.5, "the right gradient divided by 2."),
        (1 / 6, "the right gradient divided by 6, the number of steps."),
        (-6.0, "the opposite sign and multiplied by 6, the number of steps."),
        (0.37, "the right gradient multiplied by 0.37."),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_a_factor_is_told(factor: float, said: str, form: str) -> None:
    net = rw.lstm(2, 3, 6, loss="sum", rng=4)
    given = {n: FORMS[form](factor * g) for n, g in parameters(net, net.gradients()).items()}
    diagnosis = rw.diagnose(net, given)
    assert not diagnosis.right
    assert said in repr(diagnosis)
    (cause,) = diagnosis.causes
    assert cause.names == ()
    assert cause.factor == pytest.approx(factor, rel=1e-5)


@pytest.mark.parametrize("leaf", ["weight_hh_l0", "h0"])
def test_the_factor_may_be_the_number_of_losses(leaf: str) -> None:
    net = rw.rnn(1, 3, 6, loss="sum", loss_steps=[1, 3, 5], rng=4)
    diagnosis = rw.diagnose(net, {leaf: net.gradients()[leaf] / 3})
    assert "divided by 3, the number of losses." in repr(diagnosis)


def test_of_one_number_only_likely_factors_are_told() -> None:
    assert rw.diagnose(question_d(), {"Wi": [[-2.8003]]}).causes[0].factor == -1.0
    assert rw.diagnose(question_d(), {"Wi": [[2.9]]}).causes == ()


def test_nothing_fits() -> None:
    net = rw.gru(2, 3, 4)
    bent = {name: 2 * array**3 for name, array in parameters(net, net.gradients()).items()}
    diagnosis = rw.diagnose(net, bent)
    assert (diagnosis.right, diagnosis.causes, diagnosis.ask) == (False, (), ())
    assert diagnosis.nearest.fit < 0.9
    assert "'state not reset' was not tried: it needs previous=" in repr(diagnosis)
    nearly = rw.diagnose(net, {n: 1.01 * a for n, a in parameters(net, net.gradients()).items()})
    assert nearly.nearest.names == ()
    assert nearly.nearest.fit == pytest.approx(1 - 0.01 / 1.01)
    assert "The nearest is the right gradient, 0.99 % away" in repr(nearly)


def test_four_decimals_as_torch_prints_them() -> None:
    net = stirred(rw.lstm(2, 3, 5, loss="sse"), 2)
    for pitfall in rw.pitfalls(net).values():
        printed = {n: np.round(a, 4) for n, a in parameters(net, pitfall.gradients()).items()}
        assert (pitfall.name,) in names(rw.diagnose(net, printed))


def test_few_digits_may_be_exact_or_rounded() -> None:
    net = question_d()
    exact = rw.diagnose(net, [[[2.8]], [[1.0]], [2.0]])
    assert names(exact) == [("detached each step",)]
    assert "rounded to so few digits, the right ones would fit too" in repr(exact)
    rounded = rw.diagnose(stirred(rw.gru(2, 2, 3), 1), _two_digits(stirred(rw.gru(2, 2, 3), 1)))
    assert rounded.right
    assert "if it was rounded to 2 digits" in repr(rounded)


def _two_digits(net: Network) -> dict[str, np.ndarray]:
    return {
        name: np.array([float(f"{v:.2g}") for v in array.flat]).reshape(array.shape)
        for name, array in parameters(net, net.gradients()).items()
    }


def test_names_of_other_frameworks_and_joined_ones() -> None:
    net = stirred(rw.gru(2, 3, 4), 4)
    wrong = rw.pitfalls(net)["update gate swapped"].gradients()
    given = {n: wrong[n] for n in ("kernel", "recurrent_kernel", "bias")}
    assert given["bias"].shape == (2, 9)  # Keras stacks both biases
    assert names(rw.diagnose(net, given)) == [("update gate swapped",)]
    alone = rw.diagnose(net, {"bias": wrong["bias"]})
    assert not {"bias_ih_l0", "bias_hh_l0"} & {*alone.ask}


def test_equal_explanations_are_both_named() -> None:
    """With one unit and one step before the loss, dropping c or h: both of nothing but h0, c0."""
    net = stirred(rw.lstm(2, 1, 2), 1).replace(weight_hh_l0=np.zeros((4, 1)))
    dropped = rw.pitfalls(net)["cell carry dropped"].gradients()
    assert names(rw.diagnose(net, dropped)) == [("cell carry dropped",)]
    found = rw.diagnose(net, parameters(net, dropped))
    assert names(found) == [("detached each step",), ("cell carry dropped",)]
    assert found.ask == ("c0",)


@pytest.mark.parametrize(
    ("gradients", "error", "said"),
    [
        ({"weight_hh": [[0.0] * 3] * 2}, ValueError, r"must have shape \(3, 3\), not \(2, 3\)"),
        ({"weight_xx_l0": [[0.0]]}, KeyError, "no gradient 'weight_xx_l0'; did you mean"),
        ({"weight_hh_l0": [[np.nan] * 3] * 3}, ValueError, "weight_hh_l0 must be finite"),
        ({"bias_ih_l0": ["a", "b", "c"]}, TypeError, "array of real numbers, not text"),
        ({}, ValueError, "give the gradient of one leaf at least"),
        ([None], ValueError, "give the gradient of one leaf at least"),
        ([[[0.0] * 3] * 3], ValueError, "gradient 0 of the list is that of weight_ih_l0 and must"),
        ([None] * 5, ValueError, "5 gradients in the list and 4 parameters: weight_ih_l0"),
        (np.zeros((3, 3)), TypeError, "by name, .* or in a list .* not as ndarray"),
        ("weight_hh_l0", TypeError, "not as str"),
    ],
)
def test_refusals(gradients: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        rw.diagnose(rw.rnn(2, 3, 4), gradients)


def test_an_overflowing_network_has_nothing_to_compare_with() -> None:
    net = rw.rnn(1, 2, 3, nonlinearity="identity").replace(weight_hh_l0=np.full((2, 2), 1e200))
    diagnosis = rw.diagnose(net, {"weight_hh_l0": np.ones((2, 2))})
    assert not diagnosis.right
    assert "The network overflows" in repr(diagnosis)


@pytest.mark.parametrize("loss", ["seed", "cross_entropy"])
def test_right_to_four_decimals_is_never_called_wrong(loss: str) -> None:
    """Some of these have but two or three digits left, and entries that are printed as 0."""
    for seed in range(20):
        net = stirred(rw.gru(3, 4, 6, num_layers=2, loss=loss), seed, 0.3)
        printed = {n: np.round(a, 4) for n, a in parameters(net, net.gradients()).items()}
        assert rw.diagnose(net, printed).right


@pytest.mark.parametrize(("kind", "seed"), [("gru", 2), ("tanh", 7)])
def test_right_in_a_saturated_network_is_never_called_wrong(kind: str, seed: int) -> None:
    """Torch's gradient differs from this one in the third digit: rounding, amplified."""
    net = stirred(make(kind, 2, 3, 6, num_layers=1 + seed % 2, loss="mse"), seed, 10.0)
    by_torch = net.check().autograd
    assert off(parameters(net, net.gradients()), parameters(net, by_torch)) > 1e-4
    diagnosis = rw.diagnose(net, parameters(net, by_torch))
    assert diagnosis.right
    assert "as far as rounding in this network lets anyone tell" in repr(diagnosis)
    doubled = {name: 2 * array for name, array in parameters(net, by_torch).items()}
    assert not rw.diagnose(net, doubled).right


def test_a_mistake_below_single_precision_shows_in_double() -> None:
    net = question_d().replace(weight_hh_l0=[[1.23456789e-7]])
    wrong = parameters(net, rw.pitfalls(net)["forward order"].gradients())
    assert 0 < off(parameters(net, net.gradients()), wrong) < 1e-6
    assert names(rw.diagnose(net, wrong)) == [("forward order",)]
    assert rw.diagnose(net, {name: a.astype(np.float32) for name, a in wrong.items()}).right
