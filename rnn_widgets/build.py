"""Making networks from sizes: built-in cells and a user's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .core import cells, values
from .core.program import Program
from .core.template import Template
from .network import Network

BIAS = (True, "single", False)


def make(
    cell: Template,
    input_size: int,
    hidden_size: int,
    seq_len: int,
    rng: int | np.random.Generator,
    given: dict[str, Any],
    *,
    num_layers: int = 1,
    bidirectional: bool = False,
    readout: int | None = None,
    loss: str = "seed",
    loss_steps: Any = "all",
    sources: dict[str, object] | None = None,
) -> Network:
    """Check the sizes and choices, and fill in what is not given with seeded draws."""
    program = Program(
        cell=cell,
        input_size=values.size("input_size", input_size),
        hidden_size=values.size("hidden_size", hidden_size),
        seq_len=values.size("seq_len", seq_len),
        num_layers=values.size("num_layers", num_layers),
        bidirectional=values.choice("bidirectional", bidirectional, (True, False)),
        readout=None if readout is None else values.size("readout", readout),
        loss=values.loss_kind(loss),
    )
    program = replace(program, loss_steps=values.loss_steps(loss_steps, program.seq_len))
    return Network._of(program, values.initial(program, rng, given), sources or {})


def rnn(
    input_size: int,
    hidden_size: int,
    seq_len: int,
    *,
    nonlinearity: str = "tanh",
    num_layers: int = 1,
    bidirectional: bool = False,
    bias: bool | str = True,
    readout: int | None = None,
    loss: str = "seed",
    loss_steps: Any = "all",
    rng: int | np.random.Generator = 0,
) -> Network:
    """An Elman network, ``h_t = f(W_ih x_t + b_ih + W_hh h_{t−1} + b_hh)``, as PyTorch's nn.RNN.

    Parameters
    ----------
    input_size, hidden_size, seq_len : int
        I, H and T.
    nonlinearity : str
        f: "tanh", "relu", "identity" or "sigmoid".
    num_layers : int
        Layers, each reading the states of the one below.
    bidirectional : bool
        Whether each layer also runs from the last step to the first.
    bias : bool or "single"
        True: two biases, as PyTorch has; "single": ``bias_ih`` alone, as in Flux and Keras; False:
        none.
    readout : int, optional
        Outputs of a linear readout; without it the hidden states are the outputs.
    loss : str
        "seed" (Σ_t v_t·y_t, with v what ``y.backward(v)`` takes), "sum", "sse" (no ½), "mse" or
        "cross_entropy" (means over all selected entries).
    loss_steps : str or list of int
        "all", "last" (return_sequences False) or 0-based steps.
    rng : int or numpy.random.Generator
        Draws parameters from ±1/√H, x, v and targets from a standard normal; states start at 0.

    Returns
    -------
    Network

    Raises
    ------
    ValueError, TypeError, IndexError
        For a size below 1, an unknown choice, a loss step that does not exist, or sizes whose
        contributions would need over 1 GB.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> net = rw.rnn(2, 3, seq_len=4)
    >>> net.contributions()["weight_hh_l0"].shape
    (4, 4, 3, 3)
    """
    values.choice("nonlinearity", nonlinearity, cells.NONLINEARITIES)
    cell = cells.rnn_cell(nonlinearity, values.choice("bias", bias, BIAS))
    return make(
        cell,
        input_size,
        hidden_size,
        seq_len,
        rng,
        {},
        num_layers=num_layers,
        bidirectional=bidirectional,
        readout=readout,
        loss=loss,
        loss_steps=loss_steps,
    )


def gru(
    input_size: int,
    hidden_size: int,
    seq_len: int,
    *,
    reset_after: bool = True,
    bias: bool | str = True,
    num_layers: int = 1,
    bidirectional: bool = False,
    readout: int | None = None,
    loss: str = "seed",
    loss_steps: Any = "all",
    rng: int | np.random.Generator = 0,
) -> Network:
    """A gated recurrent unit, gates stacked r, z, n as in PyTorch's nn.GRU.

    Parameters
    ----------
    input_size, hidden_size, seq_len : int
        I, H and T.
    reset_after : bool
        True: the reset gate acts after the recurrent matrix, ``n = tanh(… + r ⊙ (W_hn h + b_hn))``
        (Cho et al. 2014 v1; default of PyTorch, cuDNN and Keras). False: before it,
        ``n = tanh(… + W_hn (r ⊙ h) + b_hn)`` (v3; default of ONNX).
    bias, num_layers, bidirectional, readout, loss, loss_steps, rng
        As for `rnn`.

    Returns
    -------
    Network

    Raises
    ------
    ValueError, TypeError, IndexError
        As for `rnn`.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> sorted(rw.gru(2, 3, seq_len=4).forward())
    ['h', 'n', 'r', 'z']
    """
    after = values.choice("reset_after", reset_after, (True, False))
    cell = cells.gru_cell(after, values.choice("bias", bias, BIAS))
    return make(
        cell,
        input_size,
        hidden_size,
        seq_len,
        rng,
        {},
        num_layers=num_layers,
        bidirectional=bidirectional,
        readout=readout,
        loss=loss,
        loss_steps=loss_steps,
    )


def lstm(
    input_size: int,
    hidden_size: int,
    seq_len: int,
    *,
    bias: bool | str = True,
    num_layers: int = 1,
    bidirectional: bool = False,
    readout: int | None = None,
    loss: str = "seed",
    loss_steps: Any = "all",
    rng: int | np.random.Generator = 0,
) -> Network:
    """A long short-term memory, gates stacked i, f, g, o as in PyTorch's nn.LSTM.

    Parameters
    ----------
    input_size, hidden_size, seq_len : int
        I, H and T.
    bias, num_layers, bidirectional, readout, loss, loss_steps, rng
        As for `rnn`.

    Returns
    -------
    Network

    Raises
    ------
    ValueError, TypeError, IndexError
        As for `rnn`.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> rw.lstm(2, 3, seq_len=4).forward().cell.shape
    (5, 3)
    """
    cell = cells.lstm_cell(values.choice("bias", bias, BIAS))
    return make(
        cell,
        input_size,
        hidden_size,
        seq_len,
        rng,
        {},
        num_layers=num_layers,
        bidirectional=bidirectional,
        readout=readout,
        loss=loss,
        loss_steps=loss_steps,
    )


def custom(
    cell: Template,
    input_size: int,
    hidden_size: int,
    seq_len: int,
    *,
    num_layers: int = 1,
    bidirectional: bool = False,
    readout: int | None = None,
    loss: str = "seed",
    loss_steps: Any = "all",
    rng: int | np.random.Generator = 0,
) -> Network:
    """A network of a user's own cell, made with ``@rw.cell``.

    Parameters
    ----------
    cell : Template
        What ``@rw.cell`` made of the equations.
    input_size, hidden_size, seq_len : int
        I, H and T.
    num_layers, bidirectional, readout, loss, loss_steps, rng
        As for `rnn`.

    Returns
    -------
    Network

    Raises
    ------
    TypeError
        If ``cell`` is not decorated.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> @rw.cell(params={"W": ("H", "I"), "decay": ("H",)})
    ... def leaky(p, x, h):
    ...     return p.decay * h + p.W @ x
    >>> net = rw.custom(leaky, input_size=1, hidden_size=1, seq_len=3)
    >>> net = net.replace(W_l0=[[1]], decay_l0=[0.5], x=[[1], [0], [0]])
    >>> net.forward().hidden[:, 0]
    array([0.  , 1.  , 0.5 , 0.25])
    """
    if not isinstance(cell, Template):
        raise TypeError(f"cell must be a function decorated with @rw.cell(params=…), not {cell!r}")
    return make(
        cell,
        input_size,
        hidden_size,
        seq_len,
        rng,
        {},
        num_layers=num_layers,
        bidirectional=bidirectional,
        readout=readout,
        loss=loss,
        loss_steps=loss_steps,
    )
