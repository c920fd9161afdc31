"""Two questions people asked, with the numbers they printed."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

import rnn_widgets as rw
from rnn_widgets.network import Network

# A. "Which weight is each gradient bound to?" (discourse.julialang.org/t/58925): float32 numbers,
# printed without names.
WI = np.array([[0.9722849, -0.80289185], [0.85602915, 0.34971967], [-0.20451058, -0.39597183]])
WH = np.array(
    [
        [-0.07491565, 0.4195478, 0.795933],
        [-0.6760104, -0.46338344, -0.15896535],
        [-0.9976423, -0.2424345, 0.89184976],
    ]
)
BY_TARGET = np.array(
    [
        [1.8429752588272095, 0.6448161602020264, 2.7944788932800293],
        [1.6635382175445557, 1.508173942565918, 3.3710970878601074],
        [3.514638900756836, 1.2005153894424438, 3.7064309120178223],
    ]
)
PRINTED = {
    "h0": [3.7878030195, 1.6127685020, -2.3355165515],
    "Wi": [
        [0.9432474362, -0.0712458472],
        [-0.6602998565, -1.1630237278],
        [-4.4782836829, -4.9566772239],
    ],
    "b": [0.4786334111, -1.9622023619, -8.0154199698],
    "Wh": [
        [-0.2417448860, -0.2787280515, 0.9748700622],
        [-0.2748194556, -1.1553449387, 1.2234039849],
        [-0.3902901267, -2.1524374670, 1.8077103083],
    ],
    "x": [
        [2.9819661075, 0.3152601912],
        [-0.4424604992, 0.5381940410],
        [-2.1146017665, 1.2499146846],
    ],
    "target": BY_TARGET,
}
B = np.zeros(3)


def inputs() -> np.ndarray:
    """Recover the inputs, which were not printed, from the gradient by the target, −2(h_t − 1)."""
    h = np.vstack([np.zeros(3), 1 - BY_TARGET / 2])
    rest = np.arctanh(h[1:]) - h[:-1] @ WH.T  # = W_i x_t: three equations in two unknowns
    x, residual, *_ = np.linalg.lstsq(WI, rest.T, rcond=None)
    assert np.sqrt(residual.max()) < 3e-7
    return x.T


def test_a_every_printed_array_has_its_name() -> None:
    net = rw.from_flux(Wi=WI, Wh=WH, b=B, x=inputs(), target=np.ones((3, 3)), loss="sse")
    gradients = net.gradients()
    for name, printed in PRINTED.items():
        assert_allclose(gradients[name], printed, rtol=0, atol=5e-6, err_msg=name)
    for name, parameter in (("Wi", WI), ("Wh", WH), ("b", B)):
        assert_allclose(gradients[parameter], PRINTED[name], rtol=0, atol=5e-6)
    assert gradients.name_of(B) == "bias_ih_l0"
    assert net.check()


# D. "Why does the framework's gradient differ from mine?" (Flux/Zygote): a 1→1 linear RNN.
def linear() -> Network:
    return rw.rnn(1, 1, 2, nonlinearity="identity", bias="single", loss="sum").replace(
        weight_ih_l0=[[0.5]],
        weight_hh_l0=[[0.001]],
        bias_ih_l0=[0.85],
        x=[[0.3], [2.5]],
    )


def test_d_the_correct_order() -> None:
    net = linear()
    gradients, contributions = net.gradients(), net.contributions()
    assert_allclose(net.adjoints().total.ravel(), [1.001, 1.0], rtol=1e-14)
    assert_allclose(gradients["Wi"], [[2.8003]], rtol=1e-14)
    assert_allclose(gradients["Wh"], [[1.0]], rtol=1e-14)
    assert_allclose(gradients["b"], [2.001], rtol=1e-14)
    # Each loss step and source step: x1 | Wh·x1, x2; nothing is acausal.
    expected = [[0.3, 0.0], [0.001 * 0.3, 2.5]]
    assert_allclose(contributions["weight_ih_l0"][..., 0, 0], expected, rtol=1e-14)
    assert net.check()


def test_d_detached_at_every_step() -> None:
    gradients = linear().truncate(chunk=1).gradients()
    assert_allclose(gradients["Wi"], [[2.8]], rtol=1e-14)
    assert_allclose(gradients["Wh"], [[1.0]], rtol=1e-14)
    assert_allclose(gradients["b"], [2.0], rtol=1e-14)


def test_d_reversed_input() -> None:
    gradients = linear().replace(x=[[2.5], [0.3]]).gradients()
    assert_allclose(gradients["Wi"], [[2.8025]], rtol=1e-14)
    assert_allclose(gradients["Wh"], [[2.1]], rtol=1e-14)
