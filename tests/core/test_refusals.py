"""Everything that cannot be a network is refused, in words that say what was expected."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

import rnn_widgets as rw
from rnn_widgets.network import Network
from rnn_widgets.quantities import evaluate, parse


@pytest.fixture
def net() -> Network:
    return rw.rnn(2, 3, 4, loss="sse")


BAD_VALUES: list[tuple[str, Any, type[Exception], str]] = [
    ("weight_hh_lO", [[0]], KeyError, "no leaf 'weight_hh_lO'; did you mean 'weight_hh_l0'"),
    ("Weight_HH_L0", [[0]], KeyError, "did you mean 'weight_hh_l0'"),
    ("qqqqqqqq", 0, KeyError, "there are: weight_ih_l0, weight_hh_l0"),
    ("v", np.zeros((4, 3)), KeyError, "no leaf 'v'"),
    ("x", np.zeros((4, 3)), ValueError, r"\(4, 2\) \(T steps × I inputs\), not \(4, 3\)"),
    ("x", np.zeros((1, 4, 2)), ValueError, "one unbatched sequence"),
    ("x", np.zeros((4, 1, 2)), ValueError, "one unbatched sequence"),
    ("h0", np.zeros((1, 3)), ValueError, r"\(3,\) \(H units\), not \(1, 3\)"),
    ("target", np.zeros(4), ValueError, r"\(4, 3\) \(T steps × O outputs\), not \(4,\)"),
    ("weight_hh_l0", np.zeros((3, 2)), ValueError, r"must have shape \(3, 3\), not \(3, 2\)"),
    ("weight_hh_l0", 1.0, ValueError, r"must have shape \(3, 3\), not \(\)"),
    ("weight_hh_l0", [[1, 2], [3]], ValueError, "must be a full array of numbers"),
    ("h0", [0, np.nan, 0], ValueError, r"h0 must be finite, but it has nan at \[1\]"),
    ("h0", [0, 0, -np.inf], ValueError, r"-inf at \[2\]"),
    ("h0", np.nan, ValueError, "it has nan"),
    ("h0", ["1", "2", "3"], TypeError, "real numbers, not text"),
    ("h0", "abc", TypeError, "real numbers, not text"),
    ("h0", b"abc", TypeError, "real numbers, not text"),
    ("h0", [1j, 0, 0], TypeError, "real numbers, not complex numbers"),
    ("h0", [True, False, True], TypeError, "real numbers, not booleans"),
    ("h0", None, TypeError, "real numbers, not object values"),
    ("h0", [None, 1, 2], TypeError, "real numbers, not object values"),
    ("h0", [10**400, 0, 0], TypeError, "real numbers"),
    ("h0", {"a": 1}, TypeError, "real numbers"),
    ("h0", np.array(["2020", "2021", "2022"], dtype="M8[Y]"), TypeError, "real numbers"),
    ("h0", np.array(["1e400", "0", "0"], dtype=np.longdouble), ValueError, "finite"),
]


@pytest.mark.parametrize(("name", "value", "error", "message"), BAD_VALUES)
def test_values_that_do_not_fit(
    net: Network, name: str, value: Any, error: type[Exception], message: str
) -> None:
    before = net.to_json()
    with pytest.raises(error, match=message):
        net.replace(**{name: value})
    assert net.to_json() == before


@pytest.mark.parametrize(
    "value", [[1, 2, 3], (1.0, 2, 3), np.float32([1, 2, 3]), np.uint8([1, 2, 3]), range(1, 4)]
)
def test_any_array_like_of_real_numbers_is_taken(net: Network, value: Any) -> None:
    assert_array_equal(net.replace(h0=value).values["h0"], [1.0, 2.0, 3.0])


def test_a_refused_value_among_good_ones_changes_nothing(net: Network) -> None:
    with pytest.raises(ValueError, match="h0 must be finite"):
        net.replace(x=np.ones((4, 2)), h0=[np.inf, 0, 0])
    assert not (net.values["x"] == 1).any()


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ([0, 1, 2, 3], IndexError, "the classes are 0 to 2"),
        ([0, 1, 2, -1], IndexError, "the classes are 0 to 2"),
        ([0, 1, 2, 0.5], TypeError, "whole numbers"),
        ([0, 1, 2], ValueError, r"\(4,\) \(T classes\), not \(3,\)"),
        (np.eye(4, 3), ValueError, r"\(4,\) \(T classes\), not \(4, 3\)"),
        (["a", "b", "c", "d"], TypeError, "text"),
    ],
)
def test_classes_that_do_not_exist(target: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rw.rnn(2, 3, 4, loss="cross_entropy").replace(target=target)


BAD_OPTIONS: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"input_size": 0}, ValueError, "input_size must be at least 1, not 0"),
    ({"hidden_size": -1}, ValueError, "hidden_size must be at least 1, not -1"),
    ({"seq_len": 1.5}, TypeError, "seq_len must be a whole number of at least 1, not 1.5"),
    ({"seq_len": 2.0}, TypeError, "whole number"),
    ({"seq_len": True}, TypeError, "whole number"),
    ({"seq_len": np.True_}, TypeError, "whole number"),
    ({"seq_len": "3"}, TypeError, "whole number"),
    ({"hidden_size": None}, TypeError, "whole number"),
    ({"hidden_size": np.nan}, TypeError, "whole number"),
    ({"num_layers": 0}, ValueError, "num_layers must be at least 1"),
    ({"readout": 0}, ValueError, "readout must be at least 1"),
    ({"readout": True}, TypeError, "readout must be a whole number"),
    ({"bidirectional": 1}, ValueError, "bidirectional must be True or False, not 1"),
    ({"bias": "double"}, ValueError, "bias must be True or 'single' or False"),
    ({"bias": 1}, ValueError, "bias must be"),
    ({"nonlinearity": "elu"}, ValueError, "'tanh' or 'relu' or 'identity' or 'sigmoid'"),
    ({"loss": "huber"}, ValueError, "'seed' or 'sum' or 'sse' or 'mse' or 'cross_entropy'"),
    ({"loss": None}, ValueError, "loss must be"),
    ({"loss_steps": [3]}, IndexError, "loss step 3 does not exist; the steps are 0 to 2"),
    ({"loss_steps": [-1]}, IndexError, "loss step -1 does not exist"),
    ({"loss_steps": []}, ValueError, "at least one step"),
    ({"loss_steps": "first"}, ValueError, "'all' or 'last'"),
    ({"loss_steps": [0.5]}, TypeError, "a list of steps"),
    ({"loss_steps": [True]}, TypeError, "a list of steps"),
    ({"loss_steps": 1}, TypeError, "a list of steps"),
    ({"loss_steps": None}, TypeError, "a list of steps"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD_OPTIONS)
def test_options_that_make_no_network(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    sizes = {"input_size": 1, "hidden_size": 1, "seq_len": 3}
    with pytest.raises(error, match=message):
        rw.rnn(**{**sizes, **options})


def test_each_maker_checks_its_own_options() -> None:
    with pytest.raises(ValueError, match="reset_after must be True or False, not 0"):
        rw.gru(1, 1, 1, reset_after=0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="bias must be"):
        rw.lstm(1, 1, 1, bias="both")
    with pytest.raises(TypeError, match="nonlinearity"):
        rw.lstm(1, 1, 1, nonlinearity="relu")


@pytest.mark.parametrize(
    "sizes",
    [
        (1, 1, 10**12),
        (1, 10**6, 10),
        (10**12, 1, 10),
        (100, 100, 100),
        (10**300, 10**300, 10**300),
    ],
)
def test_more_than_a_gigabyte_is_refused_at_once(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"would need .* GB .* the limit is 1 GB"):
        rw.rnn(*sizes)


def test_the_limit_counts_every_layer_direction_and_readout() -> None:
    with pytest.raises(ValueError, match="GB"):
        rw.rnn(1, 1, 2, num_layers=10**12)
    for options in ({}, {"num_layers": 3}, {"num_layers": 2, "bidirectional": True, "readout": 3}):
        program = rw.lstm(2, 3, 4, **options).program  # type: ignore[arg-type]
        assert program.parameter_count == sum(int(np.prod(s)) for s in program.parameters.values())
    steps = int(np.sqrt(1e9 / 8 / 3))
    assert rw.rnn(1, 1, steps, bias="single").program.contribution_bytes <= 10**9
    with pytest.raises(ValueError, match=r"would need 1\.00 GB"):
        rw.rnn(1, 1, steps + 1, bias="single")


def test_flux_arrays_that_fit_no_cell() -> None:
    x = [[1.0]]
    with pytest.raises(ValueError, match=r"\(H, H\), \(3H, H\) or \(4H, H\), not \(2, 1\)"):
        rw.from_flux(Wi=[[1], [1]], Wh=[[1], [1]], x=x)
    with pytest.raises(ValueError, match="matrices"):
        rw.from_flux(Wi=[1.0], Wh=[[1]], x=x)
    with pytest.raises(ValueError, match=r"unbatched sequence of shape \(T, I\)"):
        rw.from_flux(Wi=[[1]], Wh=[[1]], x=[x])
    with pytest.raises(ValueError, match="needs target="):
        rw.from_flux(Wi=[[1]], Wh=[[1]], x=x, loss="mse")
    with pytest.raises(ValueError, match="derives its own"):
        rw.from_flux(Wi=[[1]], Wh=[[1]], x=x, v=[[1]], loss="sum")
    with pytest.raises(ValueError, match=r"Wi must have the 2 rows of Wh"):
        rw.from_flux(Wi=[[1]], Wh=np.eye(2), x=x)


def test_what_a_conversion_has_no_place_for() -> None:
    rnn, x = torch.nn.RNN(1, 2), [[1.0]]
    with pytest.raises(ValueError, match="an RNN has no cell state"):
        rw.from_torch(rnn, x, c0=[0, 0])
    with pytest.raises(ValueError, match="the loss 'seed' has no target"):
        rw.from_torch(rnn, x, target=[[0, 0]])
    with pytest.raises(ValueError, match=r"b must have shape \(2,\)"):
        rw.from_flux(Wi=[[1], [1]], Wh=np.eye(2), b=[1], x=x)
    with pytest.raises(ValueError, match="as Wi has columns, 1, not 2"):
        rw.from_flux(Wi=[[1], [1]], Wh=np.eye(2), x=[[1, 2]])


def test_tensors_of_every_kind(net: Network) -> None:
    for kind in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
        x = torch.arange(8.0).reshape(4, 2).to(kind)
        rows = [row.requires_grad_() for row in x]
        for given in (x, rows):
            assert_array_equal(net.replace(x=given).values["x"], np.arange(8.0).reshape(4, 2))
    with pytest.raises(TypeError, match="x is on the meta device"):
        net.replace(x=torch.zeros(4, 2, device="meta"))


@pytest.mark.parametrize("make", [rw.gru, rw.lstm])
def test_a_misspelt_option_names_the_function(make: Any) -> None:
    for option in ("nonlinearity", "sources", "given", "num_layer"):
        with pytest.raises(TypeError, match=rf"{make.__name__}\(\) got .*'{option}'"):
            make(1, 1, 1, **{option: 1})


def test_norms_do_not_overflow_before_their_numbers_do() -> None:
    net = rw.rnn(1, 2, 1, nonlinearity="identity", bias=False, loss="sum")
    net = net.replace(x=[[1e200]])
    norm = np.sqrt(2) * 1e200
    assert net.contributions().norm("weight_ih_l0").item() == pytest.approx(norm)
    assert evaluate(parse("by_lag[weight_ih_l0]", net), net).item() == pytest.approx(norm)
    assert "1.41421e+200" in repr(net.gradients())


def test_short_reprs_are_the_same_every_time() -> None:
    net = rw.lstm(1, 2, 3)
    assert repr(net.jacobians()) == "StateJacobians of 3 steps, (4, 4) each"
    assert repr(net.adjoints()) == "Adjoints of shape (3, 2): total, direct, carried, cell"
    assert repr(net.values).splitlines()[0] == "weight_ih_l0  (8, 1)"


def overflowing(loss: str) -> Network:
    net = rw.rnn(1, 2, 30, nonlinearity="identity", loss=loss)
    return net.replace(weight_hh_l0=[[1e100, 0], [0, -1e100]], x=np.ones((30, 1)), h0=[1, 1])


@pytest.mark.parametrize("loss", ["seed", "sum", "sse", "mse", "cross_entropy"])
def test_overflow_is_named_and_never_warned_about(loss: str) -> None:
    net = overflowing(loss)
    trace = net.forward()
    squares = {"sse": 1, "mse": 1}
    assert trace.overflow == squares.get(loss, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not np.isfinite(trace.loss)
        assert repr(net.gradients()).count("nan") >= 1
        contributions = net.contributions()
        for name in contributions:
            for ask in ("by_loss", "by_source", "by_lag", "norm"):
                assert not np.isfinite(getattr(contributions, ask)(name)).all()
        adjoints = net.adjoints()
        assert not np.isfinite(adjoints.total).all()
        assert not np.isfinite(adjoints.carried).all()
        assert not np.isfinite(net.jacobians().product(29, 0)).all()
    with pytest.raises(ValueError, match=f"overflows at step {trace.overflow}"):
        net.terms("weight_hh_l0[0,0]", 29, 0)
    with pytest.raises(ValueError, match="has no singular values"):
        net.jacobians().singular_values(29, 0)


def test_a_network_without_overflow_has_none() -> None:
    assert rw.lstm(2, 3, 4).forward().overflow is None
    huge = rw.rnn(1, 1, 2, loss="mse").replace(x=[[1e300], [-1e300]])
    assert huge.forward().overflow is None  # tanh saturates
