"""The tutorial on the argument of backward in JupyterLab, held to torch's numbers."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from .conftest import OpenNotebook
from .test_seeds import Numbers, Shown

QUESTION: dict[str, list] = {"a": [1.0, 2, 3], "b": [3.0, 4, 5], "c": [6.0, 7, 8]}
ONE_UNIT: dict[str, list] = {
    "x": [[0.5], [0.2], [-0.3]],
    "h0": [0.0],
    "weight_ih_l0": [[1.0]],
    "weight_hh_l0": [[0.5]],
    "bias_ih_l0": [0.0],
}
Tensor = torch.Tensor


def question(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return 3 * a + 2 * b**2 + torch.log(c)


def unrolled(x: Tensor, h: Tensor, w_ih: Tensor, w_hh: Tensor, bias: Tensor) -> Tensor:
    states = []
    for at in x:
        h = torch.tanh(w_ih @ at + w_hh @ h + bias)
        states.append(h)
    return torch.cat(states)


def backward(f: Callable[..., Tensor], x: dict[str, list], v: list[float]) -> Numbers:
    """What v as the argument of backward makes of each input."""
    inputs = [
        torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in x.values()
    ]
    seed = torch.tensor(v, dtype=torch.float64)
    gradients = torch.autograd.grad(f(*inputs), inputs, grad_outputs=seed)
    return {name: found.ravel().tolist() for name, found in zip(x, gradients, strict=True)}


def test_04_in_jupyterlab(open_tutorial: Callable[[str], OpenNotebook]) -> None:
    notebook = open_tutorial("04_the_argument_of_backward")
    page = notebook.page
    rows, of_question, of_rnn = (Shown(page, nth) for nth in range(3))

    def agree(shown: Shown, f: Callable[..., Tensor], x: dict[str, list], v: list[float]) -> None:
        """The page has the seed v, and the gradient that torch makes of it."""
        unit = ",0" if shown is of_rnn else ""
        assert [shown.value(f"v[{i}{unit}]") for i in range(len(v))] == pytest.approx(v, rel=1e-14)
        found, expected = shown.sums("gradient"), backward(f, x, v)
        assert list(found) == list(expected)
        for name, numbers in expected.items():
            np.testing.assert_allclose(found[name], numbers, rtol=1e-13, atol=1e-15, err_msg=name)

    def twice(shown: Shown, preset: str, v: list[float]) -> None:
        shown.button(preset).click()
        agree(shown, lambda x: 2 * x, {"x": [1.0, 2, 3, 4]}, v)

    twice(rows, "z[0]", [1, 0, 0, 0])
    twice(rows, "z[3]", [0, 0, 0, 1])
    twice(rows, "ones", [1, 1, 1, 1])

    # The numbers that were asked about, then the keys, a row and a loss.
    agree(of_question, question, QUESTION, [0.1, 1, 0.0001])
    found = of_question.sums("gradient")
    np.testing.assert_allclose(found["a"] + found["b"], [0.3, 3, 3e-4, 1.2, 16, 2e-3], rtol=1e-13)
    np.testing.assert_allclose(found["c"], [0.016667, 0.142857, 0.0000125], rtol=0, atol=5e-7)
    of_question.slider("v[0]").focus()
    for key in ("PageUp", "ArrowRight"):
        page.keyboard.press(key)
    moved = of_question.value("v[0]")
    assert moved > 0.1
    agree(of_question, question, QUESTION, [moved, 1, 0.0001])
    of_question.button("z[1]").click()
    agree(of_question, question, QUESTION, [0, 1, 0])
    of_question.button("sse").click()
    z = question(*(torch.tensor(x, dtype=torch.float64) for x in QUESTION.values()))
    agree(of_question, question, QUESTION, (2 * z).tolist())
    of_question.button("[0.1, 1.0, 0.0001]").click()
    notebook.wait_for(
        lambda: notebook.python("question.seed.tolist()") == [0.1, 1, 0.0001], "Python follows"
    )

    # A second call of backward adds to what the first has left.
    of_question.root.get_by_role("checkbox", name="retain_graph").click()
    for count in (1, 2):
        of_question.button("call z.backward(v)").click()
        for name, numbers in backward(question, QUESTION, [0.1, 1, 0.0001]).items():
            np.testing.assert_allclose(of_question.grads()[name], count * np.array(numbers))

    # An RNN's outputs: one of them reaches back to every step before it.
    agree(of_rnn, unrolled, ONE_UNIT, [0, 0, 1])
    sizes = of_rnn.sums("gradient")["x"]
    assert 0 < sizes[0] < sizes[1] < sizes[2]
    of_rnn.button("y[0,0]").click()
    agree(of_rnn, unrolled, ONE_UNIT, [1, 0, 0])
    assert of_rnn.sums("gradient")["weight_hh_l0"] == [0]
    of_rnn.slider("v[1,0]").focus()
    page.keyboard.press("End")
    agree(of_rnn, unrolled, ONE_UNIT, [1, of_rnn.value("v[1,0]"), 0])
    assert of_rnn.value("v[1,0]") > 1
