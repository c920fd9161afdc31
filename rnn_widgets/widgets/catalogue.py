"""What the toolbar offers: cells and presets as data, so that choosing one needs no kernel."""

from __future__ import annotations

from functools import cache
from typing import Any

from rnn_widgets.build import gru, lstm, rnn
from rnn_widgets.network import Network
from rnn_widgets.presets import PRESETS

from .state import network_to_json

BIASES: dict[str, Any] = {"two": True, "one": "single", "none": False}


@cache
def catalogue() -> dict[str, Any]:
    """Cells by label and bias form, and presets by name.

    Returns
    -------
    dict
        ``cells``: a list of ``{label, templates}``, with the folded template for the bias forms
        "two" (PyTorch), "one" (Flux, Keras) and "none"; ``presets``: a list of ``{name, label,
        say, entry, cell, network}``.
    """
    makers: dict[str, Any] = {
        f"RNN · {nonlinearity}": lambda bias, n=nonlinearity: rnn(
            1, 1, 1, nonlinearity=n, bias=bias
        )
        for nonlinearity in ("tanh", "relu", "identity", "sigmoid")
    }
    makers["GRU"] = lambda bias: gru(1, 1, 1, bias=bias)
    makers["GRU · reset before"] = lambda bias: gru(1, 1, 1, bias=bias, reset_after=False)
    makers["LSTM"] = lambda bias: lstm(1, 1, 1, bias=bias)
    return {
        "cells": [
            {"label": label, "templates": {form: _template(make(b)) for form, b in BIASES.items()}}
            for label, make in makers.items()
        ],
        "presets": [
            {
                "name": one.name,
                "label": one.label,
                "say": one.say,
                "entry": one.entry,
                "cell": one.focus,
                "network": network_to_json(one.make(), None),
            }
            for one in PRESETS.values()
        ],
    }


def _template(net: Network) -> dict[str, Any]:
    return net.program.cell.to_json()
