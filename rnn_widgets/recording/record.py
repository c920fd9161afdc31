"""`record`: one line that shows where in time a layer's gradient lives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .recording import Recording


def record(
    model: Any,
    x: Any,
    loss: Callable[[Any], Any],
    layer: Any = None,
    *,
    sample_weight: Any = None,
    call: int | None = None,
    training: bool | None = None,
) -> Recording:
    """Record a recurrent layer of a model: the gradient at every timestep.

    Parameters
    ----------
    model : torch.nn.Module or keras.Model
        Any model with an nn.RNN, nn.GRU or nn.LSTM in it, or one that loops over an nn.RNNCell,
        nn.GRUCell or nn.LSTMCell (each call is a step); on Keras's torch backend, one with a
        SimpleRNN, GRU, LSTM or Bidirectional. It is run once, in the mode it is in, and left as it
        was found: parameters, buffers, ``.grad``, modes, hooks, random state.
    x : tensor, tuple, dict or anything else
        What the model is called with: a tuple's parts are its arguments, a dict's its keyword
        arguments, anything else, a PackedSequence too, its only argument. A model of Keras takes
        any of these as its only argument.
    loss : callable
        Of the model's output, giving a scalar; with ``sample_weight`` the losses of the N samples.
    layer : str, torch.nn.Module, int, optional
        Which recurrent layer: its name in the model, or the last part of it; the module or Keras
        layer; its place among the recurrent layers. Not needed if there is only one.
    sample_weight : array-like, shape (N,), optional
        The loss is then the mean over samples of weight times loss, as in Keras.
    call : int, optional
        Which one, if the model calls the layer several times; by default the calls are taken as
        one sequence in time.
    training : bool, optional
        Of a model of Keras, whether it is called for training; by default it is not.

    Returns
    -------
    Recording

    Raises
    ------
    KeyError, IndexError, ValueError, TypeError
        For a layer that there is not, naming those there are; a loss that is no scalar or does not
        depend on the layer; a layer whose equations cannot be told.

    Notes
    -----
    The layer's pass is run by equations of our own, in one node of autograd's graph; in training
    mode its dropout between layers is drawn anew and used in both directions.

    A layer of Keras is recorded under Keras's names and in its layout ("recurrent_kernel",
    "forward_layer.bias"). Time is the input's, also where ``go_backwards`` turns the outputs round;
    ``outputs`` are the states. At a masked step the state is kept: nothing enters there, its gates'
    adjoints are zero, and carried and total pass on to the step before as they are. What Keras
    gives there, and for ``return_sequences=False``, is the output of the last step that was not
    masked, and its adjoint enters there. With dropout in training, ``x`` and ``inputs`` are
    those after it.

    Examples
    --------
    With the last output alone there is still a gradient at every step, carried by the state:

    >>> import rnn_widgets as rw
    >>> import torch
    >>> model = torch.nn.GRU(2, 3, batch_first=True)
    >>> rec = rw.record(model, torch.ones(1, 4, 2), lambda out: out[0][:, -1].sum())
    >>> [bool(abs(rec.direct[:, t]).sum()) for t in range(4)]
    [False, False, False, True]
    >>> [bool(abs(rec.total[:, t]).sum()) for t in range(4)]
    [True, True, True, True]
    """
    from rnn_widgets.interop.capture.record import record as run

    return Recording(*run(model, x, loss, layer, sample_weight, call, training))
