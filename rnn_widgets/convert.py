"""Making networks from what other frameworks hold: torch modules, Keras layers, Flux's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .build import make
from .core import cells, values
from .core.ops import Array
from .core.template import Template
from .network import Network

if TYPE_CHECKING:
    import torch


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
        ``net.gradients()[module.weight_hh_l0]`` answers by the parameter object itself, and so it
        does by what was given as x, h0, c0 or target.

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
    sources |= {"x": x}
    return _with_states(
        cell, sequence, sizes, given, sources, h0, c0, v, target, loss=loss, loss_steps=loss_steps
    )


def from_keras(
    layer: Any,
    x: Any,
    h0: Any = None,
    c0: Any = None,
    *,
    v: Any = None,
    target: Any = None,
    loss: str = "seed",
    loss_steps: Any = None,
) -> Network:
    """A network from a SimpleRNN, GRU, LSTM or Bidirectional of Keras 3; weights are copied.

    It needs ``pip install rnn_widgets[keras]`` and Keras on its torch backend. The network
    computes what the layer does outside of training: dropout plays no part, nor do regularizers.

    Parameters
    ----------
    layer : keras.layers.Layer
        Built; also an RNN of one of their cells, or a cell. A Bidirectional is one that joins its
        directions (``merge_mode`` "concat", or None, where they are side by side all the same).
    x : array-like, shape (T, I)
        One unbatched sequence, without a mask.
    h0, c0 : array-like, optional
        Initial states, zero by default: (H,), (1, H) or, of two directions, (2, H).
    v : array-like, optional
        Seed vectors for loss "seed", ones by default: (T, O), or (O,) for the only output of a
        layer with return_sequences=False.
    target : array-like, optional
        Needed by the losses "sse", "mse" and "cross_entropy"; without its axis of time for the
        only output.
    loss : str
        As for `rnn`.
    loss_steps : str or list of int, optional
        As for `rnn`; by default the steps that the layer gives, "all" for return_sequences=True
        and "last" otherwise. A Bidirectional then gives its backward direction's state of the
        first step beside the forward one's of the last, which the loss "seed" alone can weigh.

    Returns
    -------
    Network
        ``net.gradients()["recurrent_kernel"]`` answers to Keras's names in Keras's layout, as
        ``net.gradients()[layer.cell.recurrent_kernel]`` does to the variable itself, and to what
        was given as x, h0, c0 or target.

    Raises
    ------
    TypeError, ValueError
        For another layer or activation, go_backwards=True, another merge_mode, a layer without
        weights, a stateful one without h0, a masked x, a wrong shape, another backend than torch.

    Examples
    --------
    >>> import os
    >>> os.environ["KERAS_BACKEND"] = "torch"  # before the first import of keras
    >>> import keras
    >>> import rnn_widgets as rw
    >>> layer = keras.layers.GRU(3)
    >>> layer.build((None, None, 2))
    >>> gradients = rw.from_keras(layer, x=[[1, 0], [0, 1]]).gradients()
    >>> gradients.name_of(layer.cell.kernel), gradients[layer.cell.kernel].shape
    ('kernel', (2, 9))
    """
    from .interop.keras.layers import from_keras as read

    described, cell, sizes, given = read(layer)
    if getattr(x, "_keras_mask", None) is not None and not bool(x._keras_mask.all()):
        raise ValueError(
            "x carries a mask of Keras, and a network here has none: pass the steps that are not "
            "masked"
        )
    needed = {"h0": h0, "c0": c0} if "c" in cell.states else {"h0": h0}
    if getattr(layer, "stateful", False) and None in needed.values():
        raise ValueError(
            f"the layer {layer.name!r} is stateful: say with {'= and '.join(needed)}= where it "
            "begins, for example h0=layer.states[0][0] for the first sample"
        )
    sequence = _sequence(x)
    given |= {"x": sequence}
    sources = {**described.variables, "x": x}
    # What was given, before it is laid out as the leaf is.
    sources |= {name: one for name, one in (("v", v), ("target", target)) if one is not None}
    if loss_steps is None:
        loss_steps = "all"
        if not described.return_sequences:
            hidden = sizes["hidden_size"] if sizes["bidirectional"] else None
            loss_steps, v, target = _only_output(len(sequence), hidden, loss, v, target)
    return _with_states(
        cell,
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


def _only_output(
    steps: int, hidden: int | None, loss: str, v: Any, target: Any
) -> tuple[Any, Any, Any]:
    """Loss steps, seeds and target that stand for a layer's only output.

    ``hidden`` is H of a Bidirectional, whose backward direction ends at the first step; None for
    one direction.
    """
    if hidden is None:
        classes = loss == "cross_entropy"
        return "last", _at_last("v", v, 1, steps), _at_last("target", target, 1 - classes, steps)
    if loss != "seed":
        raise ValueError(
            "a Bidirectional with return_sequences=False gives the forward state of the last step "
            "beside the backward state of the first, which only the loss 'seed' can weigh, not "
            f"{loss!r}: give loss_steps= to choose whole steps"
        )
    seed = np.ones(2 * hidden) if v is None else values.array("v", v)
    if seed.shape != (2 * hidden,):
        raise ValueError(
            f"v must have the shape of the layer's only output, ({2 * hidden},), not {seed.shape}"
        )
    seeds = np.zeros((steps, 2 * hidden))
    seeds[-1, :hidden], seeds[0, hidden:] = seed[:hidden], seed[hidden:]
    return sorted({0, steps - 1}), seeds, target


def _at_last(name: str, value: Any, dims: int, steps: int) -> Any:
    """What is given for the last step alone, of so many dimensions, as rows for all steps."""
    if value is None:
        return None
    array = values.array(name, value)
    if array.ndim != dims:
        return array
    rows = np.zeros((steps, *array.shape))
    rows[-1] = array
    return rows


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
        ``net.gradients()[Wh]`` answers by the array object itself, and so it does by what was
        given as x, h0, c0 or target.

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
    if len(given["weight_ih_l0"]) != rows:
        shape = given["weight_ih_l0"].shape
        raise ValueError(f"Wi must have the {rows} rows of Wh, not be of shape {shape}")
    if b is not None and given["bias_ih_l0"].shape != (rows,):
        shape = given["bias_ih_l0"].shape
        raise ValueError(f"b must have shape ({rows},), one number for each row of Wh, not {shape}")
    sequence = _sequence(x)
    given |= {"x": sequence}
    sizes = {"input_size": given["weight_ih_l0"].shape[1], "hidden_size": hidden}
    if sequence.shape[1] != sizes["input_size"]:
        raise ValueError(
            f"x must have as many inputs as Wi has columns, {sizes['input_size']}, not "
            f"{sequence.shape[1]}"
        )
    sources["x"] = x
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
    if c0 is not None and "c" not in cell.states:
        word = {"rnn": "an RNN", "gru": "a GRU"}[cell.name.split("_")[0]]
        raise ValueError(f"{word} has no cell state: c0 is an LSTM's")
    for name, state in (("h0", h0), ("c0", c0)):
        if state is None:
            continue
        sources[name] = state
        array = values.array(name, getattr(state, "value", state))  # of a variable of Keras
        if array.shape == (1, hidden) and rows == 1:
            array = array[0]  # as torch takes it
        given[name] = array
    loss = values.loss_kind(options["loss"])
    if target is not None and loss in ("seed", "sum"):
        raise ValueError(f"the loss {loss!r} has no target; choose 'sse', 'mse' or 'cross_entropy'")
    if target is not None:
        given["target"] = target
        sources.setdefault("target", target)
    elif loss in ("sse", "mse", "cross_entropy"):
        raise ValueError(f"the loss {loss!r} needs target=")
    outputs = hidden * (2 if sizes.get("bidirectional") else 1)
    if loss == "seed":
        given["v"] = np.ones((len(sequence), outputs)) if v is None else v
        if v is not None:
            sources.setdefault("v", v)
    elif v is not None:
        raise ValueError(f"v is the seed of loss 'seed'; the loss {loss!r} derives its own")
    return make(
        cell, seq_len=len(sequence), rng=0, given=given, sources=sources, **sizes, **options
    )
