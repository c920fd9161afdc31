"""Diagnosis: which mistake explains a gradient, held to over random networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

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


@pytest.mark.parametrize("form", FORMS)
def test_a_replayed_mistake_is_named_and_the_right_gradient_never_called_wrong(form: str) -> None:
    rng = np.random.default_rng(sorted(FORMS).index(form))
    tried = named = 0
    seen = set()
    for _ in range(30):
        net = random_network(rng)
        right = parameters(net, net.gradients())
        given_right = {name: FORMS[form](array) for name, array in right.items()}
        assert rw.diagnose(net, given_right, previous=previous(net)).right
        for name, pitfall in rw.pitfalls(net, previous=previous(net)).items():
            wrong = parameters(net, pitfall.gradients())
            if off(right, wrong) < MEASURABLE:
                continue
            pasted = {n: FORMS[form](array) for n, array in wrong.items()}
            diagnosis = rw.diagnose(net, pasted, previous=previous(net))
            tried += 1
            seen.add(name)
            named += (name,) in [cause.names for cause in diagnosis.causes]
            for cause in diagnosis.causes:  # what fits as well is as good an explanation
                assert len(cause.names) == 1
                found = rw.pitfalls(net, cause.names[0], previous=previous(net))
                other = parameters(net, found[cause.names[0]].gradients())
                assert off(wrong, other) < MEASURABLE
    assert seen == set(MISTAKES)
    assert tried > 100
    assert named / tried >= 0.99


@given(networks())
@settings(max_examples=60, deadline=None)
def test_right_gradients_are_right_whole_or_in_part(net: Network) -> None:
    gradients = net.gradients()
    assert rw.diagnose(net, gradients).right
    for name in gradients:
        alone = rw.diagnose(net, {name: gradients[name].astype(np.float32)})
        assert alone.right
        assert name not in alone.ask


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


def test_nothing_fits() -> None:
    net = rw.gru(2, 3, 4)
    doubled = {name: 2 * array for name, array in parameters(net, net.gradients()).items()}
    diagnosis = rw.diagnose(net, doubled)
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
    for seed in range(40):
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
