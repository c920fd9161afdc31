"""The seed explorer's Python side: the question's numbers, assignments, messages."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import rnn_widgets as rw
from rnn_widgets.widgets.seeds import SeedExplorer

A, B, C = [1, 2, 3], [3, 4, 5], [6, 7, 8]
ASKED = [0.1, 1.0, 0.0001]


def asked(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    return 3 * a + 2 * b**2 + torch.log(c)


@pytest.fixture
def explorer(browser: Any) -> SeedExplorer:
    return rw.SeedExplorer(asked, (A, B, C), seed=ASKED)


def everything(explorer: SeedExplorer) -> str:
    state = explorer.get_state()
    return json.dumps({name: state[name] for name in ("_about", "_point", "_seed", "_loss")})


def test_the_questions_own_numbers(browser: Any) -> None:
    doubled = rw.SeedExplorer(lambda x: 2 * x, [1, 2, 3, 4])
    for i in range(4):
        doubled.seed = np.eye(4)[i]
        assert_array_equal(doubled.gradient["x"], 2 * np.eye(4)[i])
    doubled.seed = [1, 1, 1, 1]
    assert_array_equal(doubled.gradient["x"], [2, 2, 2, 2])
    doubled.loss = "sum"
    assert_array_equal(doubled.gradient["x"], [2, 2, 2, 2])

    found = rw.SeedExplorer(asked, [A, B, C], names=["a", "b", "c"], seed=ASKED).gradient
    assert_allclose(found["a"], [0.3, 3, 0.0003], rtol=1e-14)
    assert_allclose(found["b"], [1.2, 16, 0.002], rtol=1e-14)
    assert_allclose(found["c"], [0.016667, 0.142857, 0.0000125], rtol=0, atol=5e-7)
    assert_allclose(found["c"], [0.1 / 6, 1 / 7, 0.0001 / 8], rtol=1e-14)


def test_what_it_holds(explorer: SeedExplorer) -> None:
    assert_array_equal(explorer.seed, ASKED)
    assert {name: list(x) for name, x in explorer.x.items()} == {"a": A, "b": B, "c": C}
    assert_array_equal(explorer.jacobian["b"], np.diag([12.0, 16.0, 20.0]))
    assert_array_equal(explorer.output, asked(*(torch.tensor(x).double() for x in (A, B, C))))
    assert repr(explorer) == (
        "SeedExplorer(f(a, b, c): 9 inputs → 3 outputs, seed=[0.1, 1, 0.0001])"
    )
    with pytest.raises(ValueError, match="read-only"):
        explorer.seed[0] = 1.0


def test_x_can_be_given_in_many_ways(browser: Any) -> None:
    ones = torch.ones(2, dtype=torch.float32)
    for x in ([1, 1], np.ones(2), np.ones(2, np.float32), ones, (ones,), [ones]):
        explorer = rw.SeedExplorer(lambda u: u**2, x)
        assert list(explorer.x) == ["u"]
        assert explorer.gradient["u"].dtype == np.float64
        assert_array_equal(explorer.gradient["u"], [2, 2])
    matrix = rw.SeedExplorer(lambda u: u**2, [[1, 2], [3, 4]])
    assert matrix.jacobian["u"].shape == (4, 2, 2)
    assert matrix.output.shape == (2, 2)
    assert matrix._about["outputs"] == ["z[0,0]", "z[0,1]", "z[1,0]", "z[1,1]"]
    matrix.seed = [[1, 0], [0, 2]]
    assert_array_equal(matrix.gradient["u"], [[2, 0], [0, 16]])
    scalar = rw.SeedExplorer(torch.exp, 0.0)
    assert_array_equal(scalar.jacobian["x"], [1.0])
    assert scalar._about["outputs"] == ["z"]
    assert scalar._point["bare"] is None


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (torch.tensor([1, 2]), TypeError, r"torch.int64.*pass x.double\(\)"),
        (np.array([1, 2]), TypeError, r"int64.*pass x.astype\(float\)"),
        ([1.0, np.nan], ValueError, r"x must be finite, but it has nan at \[1\]"),
        ([1.0, np.inf], ValueError, "x must be finite, but it has inf"),
        ([1 + 2j], TypeError, "complex"),
        (["a"], TypeError, "text"),
        ([], ValueError, "x is empty"),
        ([[1.0], [1.0, 2.0]], ValueError, "a full array"),
        (None, TypeError, "give x"),
        (np.ones((5, 13)), ValueError, "65 inputs are too many.*16 outputs and 64 inputs"),
    ],
)
def test_inputs_are_refused_with_a_sentence(
    browser: Any, x: Any, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        rw.SeedExplorer(lambda x: x.reshape(-1)[:1] * 2, x)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"names": ["a"]}, ValueError, "names must name 3 arguments, not 1"),
        ({"names": ["a", "b", "a"]}, ValueError, "the names must differ"),
        ({"names": ["a", "b", "3 c"]}, ValueError, "'3 c'"),
        ({"seed": [1, 2]}, ValueError, r"each of the 3 outputs, shape \(3,\), not \(2,\)"),
        ({"seed": [1, 2, np.nan]}, ValueError, "seed must be finite"),
        ({"seed": ASKED, "loss": "sum"}, TypeError, "give one of them"),
        ({"loss": "ssé"}, KeyError, "did you mean 'sse'"),
        ({"loss": 3}, TypeError, "a name or a function of z"),
        ({"loss": lambda z: z}, TypeError, "a single number"),
        ({"loss": lambda z: z.sum().detach()}, ValueError, "does not depend on z"),
        ({"loss": lambda z: 1 / 0}, ValueError, "the loss raised ZeroDivisionError"),
        ({"loss": "sse", "target": [1]}, ValueError, "each of the 3 outputs, not 1"),
        ({"wrt": ["a"]}, TypeError, "leaves of a network"),
    ],
)
def test_options_are_refused_with_a_sentence(
    browser: Any, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        rw.SeedExplorer(asked, (A, B, C), **options)


@pytest.mark.parametrize(
    ("name", "value", "error", "words"),
    [
        ("seed", [1, 2], ValueError, "seed must have one weight"),
        ("seed", [1, 2, np.inf], ValueError, "seed must be finite"),
        ("seed", "abc", TypeError, "text"),
        ("x", {"d": A}, KeyError, "there is no argument 'd'"),
        ("x", {"a": [1, 2]}, ValueError, r"a must have shape \(3,\), not \(2,\)"),
        ("x", (A, B), ValueError, "an array for each of a, b, c, not 2"),
        ("x", {"c": [0, 1, 2]}, ValueError, r"z\[0\] is -inf"),
        ("x", {"c": [-1, 1, 2]}, ValueError, r"z\[0\] is nan"),
        ("x", {"a": torch.tensor(A)}, TypeError, "cannot have a gradient"),
        ("loss", "cross", KeyError, "there is no loss 'cross'"),
    ],
)
def test_a_refused_assignment_changes_nothing(
    explorer: SeedExplorer, name: str, value: Any, error: type[Exception], words: str
) -> None:
    before, gradient = everything(explorer), explorer.gradient
    with pytest.raises(error, match=words):
        setattr(explorer, name, value)
    assert everything(explorer) == before
    for argument, array in gradient.items():
        assert_array_equal(explorer.gradient[argument], array)


def test_x_moves_the_jacobian_and_keeps_a_free_seed(explorer: SeedExplorer, browser: Any) -> None:
    browser.clear(explorer)
    explorer.x = {"b": [1, 1, 1]}
    assert_array_equal(explorer.jacobian["b"], 4 * np.eye(3))
    assert_array_equal(explorer.x["a"], A)
    assert_array_equal(explorer.seed, ASKED)
    state = browser.updates(explorer)
    assert state["_point"]["x"][1] == [1, 1, 1]
    assert state["_point"]["jacobian"][1] == (4 * np.eye(3)).tolist()
    explorer.x = (C, B, A)
    assert_array_equal(explorer.x["a"], C)


def test_a_seed_that_a_loss_makes_follows_x(browser: Any) -> None:
    explorer = rw.SeedExplorer(torch.square, [1, 2], loss="sse", target=[0, 3])
    assert_array_equal(explorer.seed, [2, 2])
    explorer.x = [2, 3]
    assert explorer.loss == "sse"
    assert_array_equal(explorer.seed, [8, 12])
    assert_array_equal(explorer.gradient["x"], [32, 72])
    explorer.seed = [1, 0]
    assert explorer.loss is None
    explorer.x = [1, 1]
    assert_array_equal(explorer.seed, [1, 0])
    explorer.loss = "mean"
    explorer.loss = None
    assert_array_equal(explorer.seed, [0.5, 0.5])


def test_a_loss_of_ones_own(browser: Any) -> None:
    explorer = rw.SeedExplorer(torch.square, [1, 2], loss=lambda z: (z**3).sum())
    assert explorer.loss == "own"
    assert_array_equal(explorer.seed, [3, 48])


def test_a_loss_that_is_not_finite_is_not_offered(browser: Any) -> None:
    explorer = rw.SeedExplorer(lambda x: 1e308 * x, [1.0, 0.5])
    assert explorer._point["losses"]["sse"] is None
    with pytest.raises(ValueError, match="not finite here"):
        explorer.loss = "sse"
    json.dumps(explorer.get_state()["_point"], allow_nan=False)


def test_an_input_without_a_part_in_it_is_said(browser: Any) -> None:
    explorer = rw.SeedExplorer(lambda x, y: 2 * x, (A, B))
    assert explorer._point["unused"] == ["y"]
    assert_array_equal(explorer.gradient["y"], [0, 0, 0])


def test_a_network_is_explored_by_its_outputs(browser: Any) -> None:
    net = rw.rnn(2, 3, 3, loss="sse")
    explorer = rw.SeedExplorer(net)
    assert explorer.loss == "network"
    assert list(explorer.x)[:2] == ["x", "h0"]
    gradients = net.gradients()
    for name, array in explorer.gradient.items():
        assert_allclose(array, gradients[name], rtol=1e-11, atol=1e-13)
    chosen = rw.SeedExplorer(net, wrt=["h0"], seed=np.ones((3, 3)))
    assert list(chosen.gradient) == ["h0"]
    assert chosen.output.shape == (3, 3)
    assert repr(chosen).startswith("SeedExplorer(y(h0): 3 inputs → 9 outputs, seed=[1, 1")
    with pytest.raises(ValueError, match=r"98 inputs are too many.*with wrt="):
        rw.SeedExplorer(rw.lstm(2, 3, 4))
    with pytest.raises(KeyError, match="did you mean 'weight_hh_l0'"):
        rw.SeedExplorer(net, wrt=["weight_hh"])
    with pytest.raises(ValueError, match="each once"):
        rw.SeedExplorer(net, wrt=[])
    with pytest.raises(TypeError, match=r"net\.replace"):
        rw.SeedExplorer(net, [1.0])
    wild = rw.rnn(1, 1, 2, nonlinearity="identity").replace(weight_hh_l0=[[1e308]], h0=[1e308])
    with pytest.raises(ValueError, match=r"y\[0,0\] is inf"):
        rw.SeedExplorer(wild)


def test_what_is_no_function_is_refused(browser: Any) -> None:
    with pytest.raises(TypeError, match="a torch function or a network, not int"):
        rw.SeedExplorer(3, [1.0])  # type: ignore[arg-type]


def test_where_no_widget_is_drawn_there_is_a_picture(explorer: SeedExplorer) -> None:
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"].splitlines() == [
        "SeedExplorer(f(a, b, c): 9 inputs → 3 outputs, seed=[0.1, 1, 0.0001])",
        "The Jacobian of f(a, b, c), weighted by v = (0.1, 1, 1e−4)",
        "gradient by a: 0.3, 3, 3e−4",
        "gradient by b: 1.2, 16, 0.002",
        "gradient by c: 0.0167, 0.143, 1.25e−5",
    ]
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", data["image/svg+xml"])
    assert [t for t in texts if t.startswith("row")] == ["row z[0]", "row z[1]", "row z[2]"]
    for number in ("12", "16", "20", "0.167", "1.2", "0.002"):  # of J and of the gradient
        assert number in texts
    explorer.seed = [0, 0, 0]
    assert explorer._repr_mimebundle_()[0]["image/svg+xml"] != data["image/svg+xml"]


# What a browser sends


def test_the_seed_follows_the_browser(explorer: SeedExplorer, browser: Any) -> None:
    browser.update(explorer, _seed=[0, 0, 2], _loss="")
    assert_array_equal(explorer.gradient["a"], [0, 0, 6])
    browser.update(explorer, _seed=[1, 1, 1], _loss="sum")
    assert explorer.loss == "sum"


@pytest.mark.parametrize("seed", [[1], [1, 2, float("nan")], "abc"])
def test_nonsense_from_a_browser_changes_nothing(
    explorer: SeedExplorer, browser: Any, seed: Any
) -> None:
    browser.update(explorer, _seed=seed)
    assert_array_equal(explorer.seed, ASKED)


def test_a_move_is_answered_with_its_request(explorer: SeedExplorer, browser: Any) -> None:
    browser.clear(explorer)
    # Whole numbers lose their point on the way through JSON.
    browser.custom(explorer, {"kind": "move", "request": "p 1", "x": [A, [0, 1, 2], C]})
    point = browser.updates(explorer)["_point"]
    assert point["request"] == "p 1"
    assert point["x"][1] == [0, 1, 2]
    assert_array_equal(explorer.jacobian["b"], np.diag([0.0, 4.0, 8.0]))
    browser.clear(explorer)
    # The same once more is answered, too: the page waits for it.
    browser.custom(explorer, {"kind": "move", "request": "p 2", "x": [A, [0, 1, 2], C]})
    assert browser.updates(explorer)["_point"]["request"] == "p 2"


@pytest.mark.parametrize(
    "x", [[A, B, [-1, 7, 8]], [A, B], [A, B, [1]], [A, B, ["x", 1, 2]], None, 3]
)
def test_a_refused_move_says_why(explorer: SeedExplorer, browser: Any, x: Any) -> None:
    before = everything(explorer)
    browser.clear(explorer)
    browser.custom(explorer, {"kind": "move", "request": "p 1", "x": x})
    (message,) = browser.messages(explorer)
    assert (message["kind"], message["request"]) == ("refused", "p 1")
    assert len(message["error"]) > 10
    assert everything(explorer) == before


def test_messages_of_other_kinds_are_let_pass(explorer: SeedExplorer, browser: Any) -> None:
    before = everything(explorer)
    for content in ("move", {}, {"kind": "other"}):
        browser.custom(explorer, content)
    assert everything(explorer) == before


def test_two_explorers_are_independent(browser: Any) -> None:
    first, second = (rw.SeedExplorer(torch.square, [1, 2]) for _ in range(2))
    browser.update(first, _seed=[0, 3])
    first.x = [5, 5]
    assert_array_equal(second.seed, [1, 1])
    assert_array_equal(second.x["x"], [1, 2])
