"""Making networks: from sizes, from a user's own cell, and from other frameworks' parameters."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .core import cells, values
from .core.ops import Array
from .core.program import Program
from .core.template import Template
from .network import Network

if TYPE_CHECKING:
    import torch

BIAS = (True, "single", False)


def _network(
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
    return Network(program, values.initial(program, rng, given), sources or {})


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
    return _network(
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
    rng: int | np.random.Generator = 0,
    **options: Any,
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
    bias, rng, **options
        As for `rnn`, except ``nonlinearity``.

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
    return _network(cell, input_size, hidden_size, seq_len, rng, {}, **options)


def lstm(
    input_size: int,
    hidden_size: int,
    seq_len: int,
    *,
    bias: bool | str = True,
    rng: int | np.random.Generator = 0,
    **options: Any,
) -> Network:
    """A long short-term memory, gates stacked i, f, g, o as in PyTorch's nn.LSTM.

    Parameters
    ----------
    input_size, hidden_size, seq_len : int
        I, H and T.
    bias, rng, **options
        As for `rnn`, except ``nonlinearity``.

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
    return _network(cell, input_size, hidden_size, seq_len, rng, {}, **options)


def custom(
    cell: Template,
    input_size: int,
    hidden_size: int,
    seq_len: int,
    *,
    rng: int | np.random.Generator = 0,
    **options: Any,
) -> Network:
    """A network of a user's own cell, made with ``@rw.cell``.

    Parameters
    ----------
    cell : Template
        What ``@rw.cell`` made of the equations.
    input_size, hidden_size, seq_len : int
        I, H and T.
    rng, **options
        As for `rnn`, except ``nonlinearity`` and ``bias``.

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
    return _network(cell, input_size, hidden_size, seq_len, rng, {}, **options)


def from_torch(
    module: torch.nn.Module,
    x: Any,
    h0: Any = None,
    c0: Any = None,
    *,
    v: Any = None,
    target: Any = None,
    loss: str = "seed",
    loss_steps: Any = "all",
) -> Network:
    """A network from an nn.RNN, nn.GRU, nn.LSTM or one of their cells; weights are copied.

    Parameters
    ----------
    module : torch.nn.Module
        Any number of layers and directions; without projection.
    x : array-like, shape (T, I)
        One unbatched sequence.
    h0, c0 : array-like, optional
        Initial states, zero by default; as torch takes them or as the network stores them.
    v : array-like, shape (T, O), optional
        Seed vectors for loss "seed"; ones by default, as for ``y.sum().backward()``.
    target : array-like, optional
        Needed by the losses "sse", "mse" and "cross_entropy".
    loss, loss_steps
        As for `rnn`.

    Returns
    -------
    Network
        ``net.gradients()[module.weight_hh_l0]`` answers by the parameter object itself.

    Raises
    ------
    TypeError, ValueError
        For a module of another kind, a projection, a batched x or a wrong shape.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> module = torch.nn.GRU(2, 3)
    >>> gradients = rw.from_torch(module, x=[[1, 0], [0, 1]]).gradients()
    >>> gradients.name_of(module.weight_hh_l0)
    'weight_hh_l0'
    """
    from .interop.modules import from_torch as read

    cell, sizes, given, sources = read(module)
    sequence = _sequence(x)
    given |= {"x": sequence}
    return _with_states(
        cell, sequence, sizes, given, sources, h0, c0, v, target, loss=loss, loss_steps=loss_steps
    )


def from_flux(
    *,
    Wi: Any,
    Wh: Any,
    x: Any,
    b: Any = None,
    h0: Any = None,
    c0: Any = None,
    v: Any = None,
    target: Any = None,
    nonlinearity: str = "tanh",
    loss: str = "seed",
    loss_steps: Any = "all",
) -> Network:
    """A network from the arrays of a Flux RNN, GRU or LSTM, told apart by the rows of ``Wi``.

    Parameters
    ----------
    Wi : array-like, shape (H, I), (3H, I) or (4H, I)
        Input weights of an RNN, a GRU (gates r, z, n; reset after the matrix) or an LSTM.
    Wh : array-like, shape (H, H), (3H, H) or (4H, H)
        Recurrent weights.
    x : array-like, shape (T, I)
        The inputs, one row per step.
    b : array-like, optional
        The single bias; without it the network has none.
    h0, c0, v, target, loss, loss_steps
        As for `from_torch`.
    nonlinearity : str
        Of an RNN.

    Returns
    -------
    Network
        ``net.gradients()[Wh]`` answers by the array object itself.

    Raises
    ------
    ValueError, TypeError
        For shapes that fit no cell.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> net = rw.from_flux(Wi=[[0.5]], Wh=[[0.001]], b=[0.85], x=[[0.3], [2.5]],
    ...                    nonlinearity="identity", loss="sum")
    >>> net.gradients()["Wi"].round(4)
    array([[2.8003]])
    """
    given = {"weight_ih_l0": values.array("Wi", Wi), "weight_hh_l0": values.array("Wh", Wh)}
    sources: dict[str, object] = {"weight_ih_l0": Wi, "weight_hh_l0": Wh}
    bias: bool | str = False
    if b is not None:
        given["bias_ih_l0"], bias = values.array("b", b), "single"
        sources["bias_ih_l0"] = b
    if given["weight_hh_l0"].ndim != 2 or given["weight_ih_l0"].ndim != 2:
        raise ValueError("Wi and Wh are matrices, (gates·H, I) and (gates·H, H)")
    rows, hidden = given["weight_hh_l0"].shape
    values.choice("nonlinearity", nonlinearity, cells.NONLINEARITIES)
    made = {
        hidden: lambda: cells.rnn_cell(nonlinearity, bias),
        3 * hidden: lambda: cells.gru_cell(True, bias),
        4 * hidden: lambda: cells.lstm_cell(bias),
    }
    if rows not in made:
        raise ValueError(f"Wh must be (H, H), (3H, H) or (4H, H), not ({rows}, {hidden})")
    sequence = _sequence(x)
    given |= {"x": sequence}
    sizes = {"input_size": given["weight_ih_l0"].shape[1], "hidden_size": hidden}
    return _with_states(
        made[rows](),
        sequence,
        sizes,
        given,
        sources,
        h0,
        c0,
        v,
        target,
        loss=loss,
        loss_steps=loss_steps,
    )


def _sequence(x: Any) -> Array:
    sequence = values.array("x", x)
    if sequence.ndim != 2:
        raise ValueError(
            f"x must be one unbatched sequence of shape (T, I), not of shape {sequence.shape}"
        )
    return sequence


def _with_states(
    cell: Template,
    sequence: Array,
    sizes: dict[str, Any],
    given: dict[str, Any],
    sources: dict[str, object],
    h0: Any,
    c0: Any,
    v: Any,
    target: Any,
    **options: Any,
) -> Network:
    rows = sizes.get("num_layers", 1) * (2 if sizes.get("bidirectional") else 1)
    hidden = sizes["hidden_size"]
    for name, state in (("h0", h0), ("c0", c0)):
        if state is None:
            continue
        array = values.array(name, state)
        if array.shape == (1, hidden) and rows == 1:
            array = array[0]  # as torch takes it
        given[name] = array
    loss = values.loss_kind(options["loss"])
    if target is not None:
        given["target"] = target
    elif loss in ("sse", "mse", "cross_entropy"):
        raise ValueError(f"the loss {loss!r} needs target=")
    outputs = hidden * (2 if sizes.get("bidirectional") else 1)
    if loss == "seed":
        given["v"] = np.ones((len(sequence), outputs)) if v is None else v
    elif v is not None:
        raise ValueError(f"v is the seed of loss 'seed'; the loss {loss!r} derives its own")
    return _network(
        cell, seq_len=len(sequence), rng=0, given=given, sources=sources, **sizes, **options
    )
