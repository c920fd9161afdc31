"""A Hypothesis strategy over networks of every kind, as (network, kind of its cell)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from rnn_widgets.core.program import LOSSES
from rnn_widgets.network import Network

from .unrolled import CELLS, make


def stirred(net: Network, seed: int, scale: float = 1.0) -> Network:
    """Draw every leaf anew, initial states too; a scale of 10 saturates every gate."""
    rng = np.random.default_rng(seed)
    return net.replace(
        **{
            name: scale * rng.standard_normal(value.shape)
            for name, value in net.values.items()
            if not (name == "target" and net.program.loss == "cross_entropy")
        }
    )


@st.composite
def networks(
    draw: st.DrawFn, scales: tuple[float, ...] = (0.3, 1.0, 10.0), max_layers: int = 3
) -> tuple[Network, str]:
    """Draw small networks over cells, layers, directions, biases, readouts, losses, truncations."""
    kind = draw(st.sampled_from(sorted(CELLS)))
    inputs, hidden, steps = (draw(st.integers(1, n)) for n in (2, 3, 5))
    some = st.lists(st.integers(0, steps - 1), min_size=1, unique=True)
    net = make(
        kind,
        inputs,
        hidden,
        steps,
        num_layers=draw(st.integers(1, max_layers)),
        bidirectional=draw(st.booleans()),
        bias=draw(st.sampled_from((True, "single", False))),
        readout=draw(st.sampled_from((None, 1, 2))),
        loss=draw(st.sampled_from(LOSSES)),
        loss_steps=draw(st.one_of(st.sampled_from(("all", "last")), some)),
    )
    net = stirred(net, draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from(scales)))
    cuts: list[dict[str, int]] = [{}, {"window": 1}, {"window": 2}, {"chunk": 1}, {"chunk": 2}]
    return net.truncate(**draw(st.sampled_from(cuts))), kind
