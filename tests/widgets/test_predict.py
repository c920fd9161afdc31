"""`rw.predict`: what may be asked, what is refused, and the score that comes back."""

from typing import Any

import pytest

import rnn_widgets as rw
from rnn_widgets.network import Network
from rnn_widgets.quantities import evaluate, parse
from rnn_widgets.widgets.lab import Lab
from rnn_widgets.widgets.predict import Predict

from .conftest import Browser

NET = rw.rnn(2, 3, seq_len=4)


@pytest.fixture
def lab() -> Lab:
    return Lab(NET)


def asked(card: Predict) -> dict[str, Any]:
    (question,) = card._questions
    return question


def number(question: dict[str, Any], net: Network = NET) -> Any:
    """What a question is about, as the browser reads it."""
    return evaluate(parse(question["quantity"], net), net)[tuple(question["index"])]


@pytest.mark.parametrize(
    ("what", "truth"),
    [
        ("gradient[weight_hh_l0][0,1]", NET.gradients()["weight_hh_l0"][0, 1]),
        ("gradient[weight_hh_l0[0,1]]", NET.gradients()["weight_hh_l0"][0, 1]),
        (" gradient[h0][2] ", NET.gradients()["h0"][2]),
        (
            "contribution[weight_hh_l0[0,1]][2,0]",
            NET.contributions()["weight_hh_l0"][2, 0, 0, 1],
        ),
        ("adjoint.total[1,0]", NET.adjoints().total[1, 0]),
        ("hidden[3, 0]", NET.forward().hidden[3, 0]),
        ("hidden_l0[3,0]", NET.forward().hidden[3, 0]),
        ("node[h][3,2]", NET.forward()["h"][3, 2]),
        ("jacobian[2][0,1]", NET.jacobians()[2][0, 1]),
        ("jacobian[3,1][0,1]", NET.jacobians().product(3, 1)[0, 1]),
        ("losses[3]", NET.forward().losses[3]),
        ("loss", NET.forward().loss),
        ("by_source[weight_ih_l0[2,1]][1]", NET.contributions().by_source("weight_ih_l0")[1, 2, 1]),
    ],
)
def test_an_index_after_a_quantity_picks_one_number(lab: Lab, what: str, truth: float) -> None:
    question = asked(rw.predict(lab, what))
    assert question["ask"] == "number"
    assert number(question) == pytest.approx(truth, rel=1e-12)


@pytest.mark.parametrize(
    ("what", "truth", "quantity"),
    [
        ("gradient[Wh][0,1]", ("weight_hh_l0", 0, 1), "gradient[weight_hh_l0]"),
        ("gradient[kernel][1,2]", ("weight_ih_l0", 2, 1), "gradient[weight_ih_l0]"),
        ("gradient[kernel[1,2]]", ("weight_ih_l0", 2, 1), "gradient[weight_ih_l0]"),
    ],
)
def test_other_frameworks_names_are_understood(
    lab: Lab, what: str, truth: tuple[str, int, int], quantity: str
) -> None:
    question = asked(rw.predict(lab, what))
    leaf, *at = truth
    assert number(question) == NET.gradients()[leaf][tuple(at)]
    assert (question["quantity"], question["what"]) == (quantity, what)


def test_the_layer_of_a_quantity_is_kept() -> None:
    net = rw.lstm(2, 3, 4, num_layers=2, bidirectional=True)
    question = asked(rw.predict(Lab(net), "hidden_l1_reverse[2,1]"))
    assert number(question, net) == net.forward().hidden[3, 2, 1]
    assert question["question"] == "What is hidden_l1_reverse[2,1]?"


@pytest.mark.parametrize(
    ("what", "symbol"),
    [("hidden[1,0]", "h₁[0]"), ("cell[1,0]", "c₁[0]"), ("adjoint.total[1,0]", "∂L/∂h₂[0]")],
)
def test_states_are_counted_from_the_initial_one_and_adjoints_from_1(
    what: str, symbol: str
) -> None:
    question = asked(rw.predict(Lab(rw.lstm(2, 3, 4)), what))
    assert question["question"] == f"What is {symbol}?"


@pytest.mark.parametrize(
    ("what", "axis"),
    [
        ("by_source[weight_hh_l0]", "k"),
        ("by_loss[weight_hh_l0[0,1]]", "t"),
        ("losses", "t"),
        ("contribution[weight_hh_l0][2]", "k"),
    ],
)
def test_of_numbers_over_steps_the_step_is_asked(lab: Lab, what: str, axis: str) -> None:
    question = asked(rw.predict(lab, what))
    assert (question["ask"], question["axis"]) == ("step", axis)
    assert number(question).shape == (4,)
    assert f"step {axis}" in question["question"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["gradiant[weight_hh_l0][0,1]"], KeyError, "did you mean 'gradient'"),
        (["gradient[weight_hh_0][0,1]"], KeyError, "did you mean 'weight_hh_l0'"),
        (["gradient[weight_hh_l0][0,3]"], IndexError, r"shape \(3, 3\): .* 0 to 2, 0 to 2"),
        (["gradient[weight_hh_l0][-1,0]"], IndexError, "0 to 2"),
        (["gradient[weight_hh_l0][0,1,2]"], IndexError, r"\(3, 3\)"),
        (["gradient[weight_hh_l0][0,1] or so"], ValueError, r"an index such as \[0,1\]"),
        (["gradient[weight_hh_l0][a]"], ValueError, r"an index such as \[0,1\]"),
        (["gradient[weight_hh_l0"], ValueError, "written like"),
        (["gradient[weight_hh_l0]"], IndexError, r"shape \(3, 3\): pick one number"),
        (["gradient[weight_hh_l0][0]"], IndexError, r"shape \(3,\): pick one number"),
        (["loss[0]"], IndexError, "takes no index"),
        (["hidden[5,0]"], IndexError, r"\(5, 3\): its index runs over 0 to 4, 0 to 2"),
        (["value[weight_hh_l0][0,1]"], ValueError, "given, not derived"),
        (["cell[0,0]"], KeyError, "no cell state"),
        (["loss", "sing"], KeyError, "did you mean 'sign'"),
        (["loss", "step"], ValueError, "does not run over steps"),
        (["by_lag[weight_hh_l0]", "step"], ValueError, "does not run over steps"),
        (["by_source[weight_hh_l0]", "sign"], IndexError, r"shape \(4,\)"),
        ([3], TypeError, "a quantity or a list of questions, not 3"),
        ([[]], TypeError, "not \\[\\]"),
        ([["loss", 3]], TypeError, "a name, a pair"),
        ([[{"what": "loss", "tolerence": 1}]], KeyError, "did you mean 'tolerance'"),
        ([[{"ask": "sign"}]], TypeError, "a question needs what="),
        ([["loss"], "sign"], TypeError, "each has its own"),
    ],
)
def test_what_does_not_exist_is_refused(
    lab: Lab, arguments: list[Any], error: type[Exception], message: str
) -> None:
    owned = len(lab._owned)
    with pytest.raises(error, match=message):
        rw.predict(lab, *arguments)
    assert len(lab._owned) == owned


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"tolerance": 0}, ValueError),
        ({"tolerance": float("nan")}, ValueError),
        ({"tolerance": "10 %"}, TypeError),
        ({"tolerance": True}, TypeError),
        ({"hint": 3}, TypeError),
        ({"question": ["How large?"]}, TypeError),
    ],
)
def test_options_that_make_no_sense_are_refused(
    lab: Lab, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"tolerance|hint|question"):
        rw.predict(lab, "loss", **options)


def test_only_a_lab_is_asked_about() -> None:
    with pytest.raises(TypeError, match="a Lab or an Explorer"):
        rw.predict(NET, "loss")
    explorer = rw.explore(NET, panels=["table"])
    assert rw.predict(explorer, "loss")._lab is explorer.lab


def test_a_closed_lab_is_not_asked_about(lab: Lab) -> None:
    card = rw.predict(lab, "loss")
    lab.close()
    assert card.comm is None
    with pytest.raises(RuntimeError, match="closed"):
        rw.predict(lab, "loss")


def test_several_questions_each_have_their_own_words(lab: Lab) -> None:
    card = rw.predict(
        lab,
        [
            "loss",
            ("gradient[h0][0]", "sign"),
            {"what": "losses", "question": "When is it worst?", "hint": "At the end."},
        ],
        tolerance=0.25,
    )
    first, second, third = card._questions
    assert [q["ask"] for q in card._questions] == ["number", "sign", "step"]
    assert first["question"] == "What is the loss L?"
    assert second["question"] == "Is ∂L/∂h0[0] positive, negative or zero?"
    assert (third["question"], third["hint"]) == ("When is it worst?", "At the end.")
    assert {q["tolerance"] for q in card._questions} == {0.25}
    assert repr(card) == "Predict('loss', 'gradient[h0][0]', 'losses')"


@pytest.mark.parametrize(
    ("what", "ask", "words"),
    [
        ("gradient[weight_hh_l0][0,1]", None, "What is ∂L/∂weight_hh_l0[0,1]?"),
        ("contribution[bias_hh_l0[1]][2,0]", None, "C[t = 3, k = 1] of bias_hh_l0[1]?"),
        ("hidden[0,2]", "sign", "Is h₀[2] positive, negative or zero?"),
        ("adjoint.total[1,0]", "sign", "Is ∂L/∂h₂[0] positive, negative or zero?"),
        ("adjoint.carried[1,0]", None, "∂L/∂h₂[0], the carried part?"),
        ("output[3,1]", None, "What is y₄[1]?"),
        ("losses[3]", None, "the loss L₄ at t = 4?"),
        ("jacobian[2][0,1]", None, "What is jacobian[2][0,1]?"),
        (
            "contribution[weight_hh_l0][2]",
            None,
            "gradient of the loss at t = 3 by weight_hh_l0, whatever its sign?",
        ),
        ("losses", None, "Which step t has the largest loss?"),
    ],
)
def test_questions_in_words(lab: Lab, what: str, ask: str | None, words: str) -> None:
    assert asked(rw.predict(lab, what, ask))["question"].endswith(words)


def test_neither_text_nor_state_holds_the_answer(lab: Lab) -> None:
    card = rw.predict(lab, "gradient[weight_hh_l0][0,1]")
    assert repr(card) == "Predict('gradient[weight_hh_l0][0,1]')"
    digits = f"{abs(NET.gradients()['weight_hh_l0'][0, 1]):.3g}"
    told = repr(card) + repr(card.get_state()) + repr(card._repr_mimebundle_())
    assert digits not in told


def test_a_single_question_has_no_number(lab: Lab) -> None:
    assert rw.predict(lab, "loss")._still().summary == [
        "Predict, then reveal",
        "What is the loss L?",
    ]
    two = rw.predict(lab, ["loss", "losses"])._still().summary
    assert two[1:] == ["1. What is the loss L?", "2. Which step t has the largest loss?"]


def test_the_still_picture_asks_and_does_not_tell(lab: Lab) -> None:
    card = rw.predict(lab, ["gradient[weight_hh_l0][0,1]", ("loss", "sign"), "losses"])
    data, _ = card._repr_mimebundle_()
    words = [
        "∂L/∂weight_hh_l0[0,1]?",
        "Is the loss L positive, negative or zero?",
        "Which step t has the largest",
    ]
    for said in (data["text/plain"], data["image/svg+xml"]):
        assert [word in said for word in words] == [True] * 3
    truths = [NET.gradients()["weight_hh_l0"][0, 1], evaluate(parse("loss", NET), NET).item()]
    assert not any(f"{abs(truth):.3g}" in str(data) for truth in truths)


def test_the_score_is_the_browsers(lab: Lab, browser: Browser) -> None:
    card = rw.predict(lab, [("loss", "sign"), "by_source[weight_hh_l0]"])
    assert card.score == (0, 0)
    heard: list[Any] = []
    card.observe(lambda _: heard.append(card.score), "guesses")
    one = {"turn": 0, "what": "loss", "ask": "sign", "guess": "+", "truth": "-", "right": False}
    two = {"turn": 1, "what": "by_source", "ask": "step", "guess": 3, "truth": [3], "right": True}
    browser.update(card, guesses=[one])
    browser.update(card, guesses=[one, two], _turn=1)
    assert card.score == (1, 2)
    assert card.guesses == [one, two]
    assert heard == [(0, 1), (1, 2)]
