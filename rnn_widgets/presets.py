"""Networks worth looking at, each with one sentence that says what to look for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .build import gru, lstm, rnn
from .convert import from_flux
from .core.names import unknown
from .core.ops import Array
from .network import Network


@dataclass(frozen=True)
class Preset:
    """A network that shows something, what that is, and where it shows best.

    ``entry`` is a parameter entry and ``focus`` a loss step and a source step, 0-based. ``about``
    says in a word or two what a name alone does not.
    """

    name: str
    say: str
    make: Callable[[], Network]
    entry: str
    focus: tuple[int, int]
    about: str = ""

    @property
    def label(self) -> str:
        """What the toolbar calls it."""
        return f"{self.name}: {self.about}" if self.about else self.name


def preset(name: str) -> Network:
    """The network of a preset.

    Raises
    ------
    KeyError
        For a name that is none of `PRESETS`, naming the nearest.

    Examples
    --------
    >>> from rnn_widgets.presets import preset
    >>> preset("fading memory")
    Network(rnn_tanh, input_size=2, hidden_size=3, seq_len=8, loss='seed')
    """
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    net = PRESETS[name].make()
    return Network(net.program, net.values)  # of nobody's objects


def question_a() -> Network:
    """A Flux RNN whose gradients were printed without names.

    Its inputs were not printed; the gradient by the target, −2 (h_t − 1), gives every h_t, and
    W_i x_t = artanh(h_t) − W_h h_{t−1} then gives them.
    """
    by_target = [
        [1.8429752588272095, 0.6448161602020264, 2.7944788932800293],
        [1.6635382175445557, 1.508173942565918, 3.3710970878601074],
        [3.514638900756836, 1.2005153894424438, 3.7064309120178223],
    ]
    w_i = np.array([[0.9722849, -0.80289185], [0.85602915, 0.34971967], [-0.20451058, -0.39597183]])
    w_h = np.array(
        [
            [-0.07491565, 0.4195478, 0.795933],
            [-0.6760104, -0.46338344, -0.15896535],
            [-0.9976423, -0.2424345, 0.89184976],
        ]
    )
    h = 1 - np.array(by_target) / 2
    before = np.vstack([np.zeros(3), h[:-1]])
    x = np.linalg.lstsq(w_i, (np.arctanh(h) - before @ w_h.T).T, rcond=None)[0].T
    return from_flux(Wi=w_i, Wh=w_h, b=np.zeros(3), x=x, target=np.ones((3, 3)), loss="sse")


def _question_d() -> Network:
    net = rnn(1, 1, 2, nonlinearity="identity", bias="single", loss="sum")
    return net.replace(
        weight_ih_l0=[[0.5]], weight_hh_l0=[[0.001]], bias_ih_l0=[0.85], x=[[0.3], [2.5]]
    )


def _tidy(net: Network) -> Network:
    """The same network with numbers of two digits, which are easier to follow."""
    return net.replace(**{name: array.round(2) for name, array in net.values.items()})


_SEED = np.array([1.0, -0.5, 0.25])


def _last_seed(net: Network) -> Array:
    """Seeds of zero but for the last step, so that every contribution has come all the way back."""
    v: Array = np.zeros((net.program.seq_len, net.program.output_size))
    v[-1] = _SEED[: net.program.output_size]
    return v


def _recurrent(nonlinearity: str, seq_len: int, v: Array, **leaves: Any) -> Network:
    net = _tidy(
        rnn(2, 3, seq_len, nonlinearity=nonlinearity, bias="single", loss_steps="last", rng=4)
    )
    plain = {
        "bias_ih_l0": np.zeros(3),
        "x": np.tile([1.0, 0.5], (seq_len, 1)),
        "v": np.vstack([np.zeros((seq_len - 1, 3)), v]),
    }
    return net.replace(**(plain | leaves))


_TURN = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])  # orthogonal
_SIGNS = np.array([1.0, -1.0, 1.0])


def _stretching(factor: float) -> dict[str, Array]:
    """A matrix that multiplies the seed by a factor, step by step: its eigenvector."""
    matrix = 0.1 * np.ones((3, 3)) + (factor - 0.3) * np.eye(3)
    return {"weight_hh_l0": (matrix * np.outer(_SIGNS, _SIGNS)).round(2), "v": _SIGNS}


def _gates(net: Network, block: int, bias: float) -> Network:
    """The same network with one gate's bias set, as PyTorch stacks the gates."""
    hidden = net.program.hidden_size
    biases = net.values["bias_ih_l0"].copy()
    biases[block * hidden : (block + 1) * hidden] = bias
    return net.replace(bias_ih_l0=biases, v=_last_seed(net))


def _gated(make: Callable[..., Network], block: int, bias: float) -> Network:
    return _gates(_tidy(make(2, 3, 8, bias="single", loss_steps="last", rng=4)), block, bias)


def _no_seeds() -> Network:
    net = _tidy(rnn(2, 3, 6, bias="single", rng=4))
    return net.replace(v=np.zeros((6, 3)))


def _dead_relu() -> Network:
    return _recurrent(
        "relu",
        6,
        np.ones(3),
        weight_hh_l0=[[0.5, 0.4, 0.3], [0.2, 0.6, -0.4], [0.5, -0.3, 0.4]],
        bias_ih_l0=[0.8, -9.0, 0.6],
    )


def _saturated() -> Network:
    matrix = [[3.35, -0.35, 0.15], [0.15, 3.35, 0.35], [-0.35, -0.15, 3.35]]
    return _recurrent("tanh", 6, _SEED, weight_hh_l0=matrix, bias_ih_l0=[2.0, -2.0, 2.0])


PRESETS: Mapping[str, Preset] = {
    one.name: one
    for one in (
        Preset(
            "question A",
            "A weight is used at every step: C[t, k] is what its use at step k adds to the "
            "gradient of the loss at step t. These gradients were once printed without names.",
            question_a,
            "weight_hh_l0[0,1]",
            (2, 1),
            "gradients by name",
        ),
        Preset(
            "question D",
            "Two steps of a linear network: the only contribution that crosses time is "
            "C[t = 2, k = 1] = weight_hh · x₁: it stands below the diagonal, never above it.",
            _question_d,
            "weight_ih_l0[0,0]",
            (1, 0),
            "two linear steps",
        ),
        Preset(
            "fading memory",
            "The loss is at the last step and all inputs are alike: follow its row to the left, "
            "each step back is worth less than half of the one after it.",
            lambda: _recurrent("tanh", 8, **_stretching(0.45)),
            "weight_ih_l0[0,0]",
            (7, 5),
        ),
        Preset(
            "exploding",
            "Each step back multiplies the adjoint by 1.6: what this weight does at the first of "
            "ten steps is worth 69 times what it does at the last.",
            lambda: _recurrent("identity", 10, **_stretching(1.6)),
            "weight_ih_l0[0,0]",
            (9, 7),
        ),
        Preset(
            "orthogonal memory that lasts",
            "The recurrent matrix is orthogonal: it hands each unit's adjoint on to the next unit, "
            "so what this weight adds comes round every three steps and never fades.",
            lambda: _recurrent("identity", 10, _SEED, weight_hh_l0=_TURN),
            "weight_ih_l0[0,0]",
            (9, 7),
        ),
        Preset(
            "dead ReLU",
            "Unit 1, the middle one, is below zero at every step: its derivative is exactly 0, so "
            "nothing goes back through it. Click a number in its row: no gradient at all.",
            _dead_relu,
            "weight_hh_l0[0,2]",
            (5, 3),
        ),
        Preset(
            "saturated tanh",
            "Every unit is near ±1, where 1 − h² is almost 0: little enters at the last step, and "
            "one step further back nearly nothing is left, though the weights are large.",
            _saturated,
            "weight_ih_l0[0,0]",
            (5, 4),
        ),
        Preset(
            "LSTM, forget gate open",
            "The forget gates stand near 1: the cell hands the gradient back from step to step "
            "almost whole, along c → c.",
            lambda: _gated(lstm, 1, 5.0),
            "weight_ih_l0[6,0]",
            (7, 4),
        ),
        Preset(
            "LSTM, forget gate shut",
            "The forget gates stand near 0: the way c → c is closed, and only the short way "
            "through h is left.",
            lambda: _gated(lstm, 1, -5.0),
            "weight_ih_l0[6,0]",
            (7, 5),
        ),
        Preset(
            "GRU skip",
            "The update gates stand near 1, so hₜ is almost hₜ₋₁: a step adds little, but what "
            "it adds lasts, along the skip path past every tanh.",
            lambda: _gated(gru, 1, 4.0),
            "weight_ih_l0[6,0]",
            (7, 3),
        ),
        Preset(
            "all seeds zero",
            "Nothing is asked for, so nothing flows: raise one seed v and see its row alone come "
            "to life.",
            _no_seeds,
            "weight_hh_l0[0,1]",
            (5, 3),
        ),
    )
}
