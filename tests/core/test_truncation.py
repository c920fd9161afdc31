"""What a window and chunk edges leave out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import rnn_widgets as rw
from rnn_widgets.network import Network

from .networks import networks, stirred

one_way = networks(directions=(False,), max_layers=1, truncated=False)


@given(one_way, st.integers(1, 7))
@settings(max_examples=40, deadline=None)
def test_a_window_keeps_the_lags_below_it(net: Network, window: int) -> None:
    lags = np.subtract.outer(range(net.program.seq_len), range(net.program.seq_len))
    cut = net.truncate(window=window)
    for name, full in net.contributions().items():
        kept = (lags < window).reshape(lags.shape + (1,) * (full.ndim - 2))
        assert_array_equal(cut.contributions()[name], np.where(kept, full, 0))
    if window >= net.program.seq_len + 1:
        assert_array_equal(cut.gradients()["h0"], net.gradients()["h0"])


@given(one_way, st.integers(1, 7))
@settings(max_examples=40, deadline=None)
def test_chunks_keep_what_stays_inside_them(net: Network, chunk: int) -> None:
    chunks = np.arange(net.program.seq_len) // chunk
    same = np.equal.outer(chunks, chunks)
    cut = net.truncate(chunk=chunk)
    for name, full in net.contributions().items():
        kept = same.reshape(same.shape + (1,) * (full.ndim - 2))
        assert_array_equal(cut.contributions()[name], np.where(kept, full, 0))
    if chunk >= net.program.seq_len:
        assert_array_equal(cut.gradients()["h0"], net.gradients()["h0"])


def test_window_and_chunk_are_two_different_things() -> None:
    net = rw.rnn(1, 1, 4, nonlinearity="identity", bias=False, loss="sum")
    net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=np.ones((4, 1)))
    window = net.truncate(window=2).contributions()["weight_ih_l0"][:, :, 0, 0]
    chunk = net.truncate(chunk=2).contributions()["weight_ih_l0"][:, :, 0, 0]
    assert_array_equal(window, [[1, 0, 0, 0], [2, 1, 0, 0], [0, 2, 1, 0], [0, 0, 2, 1]])
    assert_array_equal(chunk, [[1, 0, 0, 0], [2, 1, 0, 0], [0, 0, 1, 0], [0, 0, 2, 1]])


def test_the_initial_state_counts_as_the_step_before_the_first() -> None:
    net = rw.rnn(1, 1, 3, nonlinearity="identity", bias=False, loss="sum")
    net = net.replace(weight_hh_l0=[[2]])
    whole = 2 + 4 + 8
    assert net.gradients()["h0"].item() == whole
    windows = [net.truncate(window=n).gradients()["h0"].item() for n in (1, 2, 3, 4)]
    assert windows == [0, 2, 6, whole]
    chunks = [net.truncate(chunk=n).gradients()["h0"].item() for n in (1, 2, 3)]
    assert chunks == [2, 6, whole]  # the first chunk starts at h0 and is not cut from it


def test_a_reverse_direction_is_cut_from_its_own_past() -> None:
    net = stirred(rw.rnn(1, 1, 4, bidirectional=True, loss="sum"), 2)
    full = net.contributions()["weight_ih_l0_reverse"][..., 0, 0]
    window = net.truncate(window=2).contributions()["weight_ih_l0_reverse"][..., 0, 0]
    chunk = net.truncate(chunk=3).contributions()["weight_ih_l0_reverse"][..., 0, 0]
    t, k = np.indices((4, 4))
    assert_array_equal(window, np.where(k - t < 2, full, 0))
    assert_array_equal(chunk, np.where(k // 3 == t // 3, full, 0))


def test_truncation_is_undone_by_truncating_by_nothing() -> None:
    net = stirred(rw.lstm(1, 2, 4), 2)
    again = net.truncate(chunk=1).truncate()
    assert_array_equal(again.gradients()["weight_hh_l0"], net.gradients()["weight_hh_l0"])
    assert net.truncate(chunk=1).forward().loss == net.forward().loss
    assert repr(net.truncate(chunk=3)).endswith("chunk=3, loss='seed')")


def test_nonsense_is_refused() -> None:
    net = rw.rnn(1, 1, 2)
    with pytest.raises(TypeError, match="by a window or by chunks, not both"):
        net.truncate(window=1, chunk=1)
    with pytest.raises(ValueError, match="window must be at least 1, not 0"):
        net.truncate(window=0)
    with pytest.raises(TypeError, match="chunk must be a whole number"):
        net.truncate(chunk=1.5)  # type: ignore[arg-type]
