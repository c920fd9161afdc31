"""Ranked chain-rule terms against a walk of every path."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import rnn_widgets as rw
from rnn_widgets.core.paths import _largest
from rnn_widgets.network import Network

from .networks import (
    BUILT_IN,
    CUSTOM,
    constants,
    coupled,
    make,
    networks,
    peephole,
    reused,
    stirred,
)
from .reference import paths

SMALL = ("tanh", "relu", "identity", "sigmoid", constants, coupled)


def walked(net: Network, leaf: str, entry: tuple[int, ...], t: int, k: int) -> list[Any]:
    """List value and path of every term of a contribution, by brute force."""
    last = f"{leaf}[{','.join(map(str, entry))}] @ {k + 1}"
    return [
        (value, (*names, last))
        for name, index, step, value, names in paths(net, t)
        if (name, index, step) == (leaf, entry, k)
    ]


def assert_same_terms(net: Network, leaf: str, entry: tuple[int, ...], t: int, k: int) -> None:
    every = walked(net, leaf, entry, t, k)
    wrt = f"{leaf}[{','.join(map(str, entry))}]"
    total = net.contributions()[leaf][(t, k, *entry)]
    terms = net.terms(wrt, t, k, top=max(1, len(every)))
    assert terms.count == len(terms) == len(every)
    assert Counter(term.path for term in terms) == Counter(path for _, path in every)
    magnitudes = sorted((abs(value) for value, _ in every), reverse=True)
    gross = sum(magnitudes)
    tiny = 1e-13 * (gross + 1e-300)
    assert_allclose([abs(term.value) for term in terms], magnitudes, rtol=1e-11, atol=tiny)
    assert terms.gross == pytest.approx(gross, rel=1e-11, abs=tiny)
    assert sum(term.value for term in terms) == pytest.approx(total, rel=0, abs=1e-12 * gross)
    assert terms.total == total
    assert terms.remainder == pytest.approx(0, abs=1e-12 * gross + 1e-300)
    by_path: dict[Any, list[float]] = {}
    for value, path in every:
        by_path.setdefault(path, []).append(value)
    for term in terms:
        product = np.prod([number for _, number in term.factors])
        assert term.value == pytest.approx(product, rel=1e-12, abs=tiny)
        assert min(abs(term.value - value) for value in by_path[term.path]) <= 1e-11 * gross
    some = net.terms(wrt, t, k, top=3)
    assert [term.path for term in some] == [term.path for term in list(terms)[:3]]
    assert some.remainder == pytest.approx(
        sum(term.value for term in list(terms)[3:]), rel=0, abs=1e-12 * gross + 1e-300
    )


@given(networks(kinds=SMALL, max_layers=1), st.data())
@settings(max_examples=40, deadline=None)
def test_terms_are_all_paths_in_order(net: Network, data: st.DataObject) -> None:
    steps = st.integers(0, net.program.seq_len - 1)
    t, k = data.draw(steps), data.draw(steps)
    if abs(t - k) > 2:
        k = t
    leaf = data.draw(st.sampled_from(sorted(net.program.parameters)))
    entry = tuple(data.draw(st.integers(0, n - 1)) for n in net.program.parameters[leaf])
    assert_same_terms(net, leaf, entry, t, k)


@pytest.mark.parametrize("kind", ["gru", "gru before", "lstm", peephole, reused])
@pytest.mark.parametrize("loss", ["seed", "cross_entropy"])
def test_terms_of_gated_cells(kind: Any, loss: str) -> None:
    net = stirred(make(kind, 1, 2, 3, loss=loss), 3, 0.4)
    for leaf, shape in net.program.parameters.items():
        entry = tuple(n - 1 for n in shape)
        assert_same_terms(net, leaf, entry, 1, 0)
        assert_same_terms(net, leaf, entry, 2, 2)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_terms_of_stacks(bidirectional: bool) -> None:
    net = make("tanh", 1, 2, 3, num_layers=2, bidirectional=bidirectional, readout=1, loss="mse")
    net = stirred(net, 3, 0.4)
    for leaf in net.program.parameters:
        entry = (0,) * len(net.program.parameters[leaf])
        assert_same_terms(net, leaf, entry, 2, 0)
        assert_same_terms(net, leaf, entry, 1, 2)
    assert_same_terms(net.truncate(window=2), "weight_hh_l0", (1, 0), 2, 1)
    assert_same_terms(net.truncate(chunk=2), "weight_ih_l0", (1, 0), 2, 1)


@pytest.mark.parametrize("kind", [*BUILT_IN, *CUSTOM], ids=lambda k: getattr(k, "name", k))
def test_the_remainder_completes_the_total(kind: Any) -> None:
    net = stirred(make(kind, 2, 3, 6, loss="sse"), 3)
    leaf = next(iter(net.program.parameters))
    terms = net.terms(f"{leaf}[0,0]", 5, 3, top=7)
    listed = sum(term.value for term in terms)
    contribution = net.contributions()[leaf][5, 3, 0, 0]
    assert listed + terms.remainder == pytest.approx(contribution, rel=1e-12)
    assert terms.gross >= abs(contribution) * (1 - 1e-12)
    assert len(terms) == min(7, terms.count)
    sizes = [abs(term.value) for term in terms]
    assert sizes == sorted(sizes, reverse=True)


def test_one_term_worked_by_hand() -> None:
    net = rw.rnn(1, 1, 2, loss="sse", bias=False)
    net = net.replace(weight_ih_l0=[[0.5]], weight_hh_l0=[[2]], x=[[1], [3]], target=[[0], [1]])
    h1 = np.tanh(0.5)
    h2 = np.tanh(1.5 + 2 * h1)
    (term,) = net.terms("weight_ih_l0[0,0]", 1, 0)
    assert term.path == ("L₂", "h₂[0]", "h₁[0]", "weight_ih_l0[0,0] @ 1")
    assert [label for label, _ in term.factors] == [
        "2 (h₂[0] − target₂[0])",
        "1 − h₂[0]²",
        "weight_hh_l0[0,0]",
        "1 − h₁[0]²",
        "x₁[0]",
    ]
    by_hand = [2 * (h2 - 1), 1 - h2**2, 2, 1 - h1**2, 1]
    assert [number for _, number in term.factors] == pytest.approx(by_hand, rel=1e-14)
    assert term.value == pytest.approx(np.prod(by_hand), rel=1e-14)


def test_the_initial_state_is_written_as_step_zero() -> None:
    net = stirred(rw.rnn(1, 2, 3, bidirectional=True), 1)
    for leaf, step in (("weight_hh_l0", 0), ("weight_hh_l0_reverse", 2)):
        suffix = leaf.removeprefix("weight_hh")
        label, number = net.terms(f"{leaf}[0,1]", step, step)[0].factors[-1]
        assert label == f"h{suffix}₀[1]"
        assert number == net.values["h0"][int(leaf.endswith("reverse")), 1]


def test_a_mean_writes_its_weight() -> None:
    net = rw.rnn(1, 1, 4, loss="mse", loss_steps=[1, 3])
    label, number = net.terms("bias_ih_l0[0]", 3, 3)[0].factors[0]
    assert (label, number) == ("1/2", 0.5)


def test_ties_stand_in_a_fixed_order() -> None:
    net = rw.rnn(1, 3, 3, nonlinearity="identity", bias=False, loss="sum")
    net = net.replace(weight_ih_l0=np.ones((3, 1)), weight_hh_l0=np.ones((3, 3)), x=np.ones((3, 1)))
    terms = net.terms("weight_ih_l0[1,0]", 2, 0, top=9)
    assert terms.count == 9
    assert [term.value for term in terms] == [1.0] * 9
    assert len({term.path for term in terms}) == 9
    for top in (1, 4, 8):
        again = net.replace().terms("weight_ih_l0[1,0]", 2, 0, top=top)
        assert [term.path for term in again] == [term.path for term in terms][:top]


def test_ranks_that_no_entry_fills_are_not_carried_along() -> None:
    nan = np.nan
    values, columns = _largest(np.array([[nan, 1.0, nan, -2.0], [nan, nan, 3.0, nan]]), 4)
    assert_array_equal(values, [[-2.0, 1.0], [3.0, nan]])
    assert_array_equal(columns[0], [3, 1])
    assert (
        len(rw.lstm(1, 2, 5, loss_steps="last").terms("weight_ih_l0[0,0]", 4, 0, top=10**6)) > 6000
    )


def test_counts_are_exact_beyond_floats() -> None:
    hidden, steps = 10, 20
    net = rw.rnn(1, hidden, steps, nonlinearity="identity", bias=False, loss_steps="last")
    terms = net.terms("weight_ih_l0[0,0]", steps - 1, 0, top=1)
    assert terms.count == hidden ** (steps - 1)
    assert isinstance(terms.count, int)


def test_more_than_a_million_are_refused_with_their_number() -> None:
    net = rw.rnn(1, 11, 8, nonlinearity="identity", bias=False, loss_steps="last")
    with pytest.raises(ValueError, match=f"{11**7} terms"):
        net.terms("weight_ih_l0[0,0]", 7, 0, top=2_000_000)
    assert len(net.terms("weight_ih_l0[0,0]", 7, 0, top=5)) == 5


def test_all_of_them_when_there_are_fewer_than_asked() -> None:
    net = stirred(rw.rnn(1, 3, 4, bias=False, loss_steps="last"), 1)
    terms = net.terms("weight_ih_l0[0,0]", 3, 0, top=2_000_000)
    assert len(terms) == terms.count == 27
    assert terms.remainder == pytest.approx(0, abs=1e-14)


def test_no_terms_where_nothing_flows() -> None:
    net = stirred(rw.rnn(1, 2, 4, loss_steps=[2]), 1)
    for t, k in ((2, 3), (1, 0)):
        terms = net.terms("weight_hh_l0[0,0]", t, k)
        assert (list(terms), terms.count, terms.gross, terms.total) == ([], 0, 0.0, 0.0)
    cut = net.truncate(window=1)
    assert cut.terms("weight_hh_l0[0,0]", 2, 1).count == 0


def test_terms_are_a_sequence() -> None:
    terms = stirred(rw.rnn(1, 2, 4), 1).terms("weight_hh_l0[0,0]", 3, 0)
    assert list(terms) == [terms[i] for i in range(len(terms))]
    assert terms[-1] is list(terms)[-1]
    assert tuple(terms[:2]) == tuple(terms)[:2]
    shown = repr(terms).splitlines()
    assert len(shown) == len(terms) + 2
    assert shown[-1].split()[1:5] == ["total", "of", str(terms.count), "terms,"]


@pytest.mark.parametrize(
    ("wrt", "t", "k", "top", "error", "message"),
    [
        ("weight_hh_l0", 0, 0, 1, ValueError, r"for example weight_hh_l0\[0,0\]"),
        ("weight_hh_l0[0,0]", np.array([1, 2]), 0, 1, TypeError, "must be a whole number"),
        ("weigth_hh_l0[0,0]", 0, 0, 1, KeyError, "did you mean 'weight_hh_l0'"),
        ("x[0,0]", 0, 0, 1, KeyError, "contributions exist for parameters only"),
        ("weight_hh_l0[0,2]", 0, 0, 1, IndexError, "0 to 1, 0 to 1"),
        ("weight_hh_l0[-1,0]", 0, 0, 1, IndexError, "0 to 1"),
        ("weight_hh_l0[0]", 0, 0, 1, IndexError, "0 to 1"),
        ("weight_hh_l0[a,b]", 0, 0, 1, ValueError, "whole numbers"),
        ("weight_hh_l0[0,0", 0, 0, 1, ValueError, "written like"),
        (3, 0, 0, 1, ValueError, "written like"),
        ("weight_hh_l0[0,0]", 3, 0, 1, IndexError, "loss_step 3 does not exist: 0 to 2"),
        ("weight_hh_l0[0,0]", 0, -1, 1, IndexError, "source_step -1"),
        ("weight_hh_l0[0,0]", 0.5, 0, 1, TypeError, "loss_step must be a whole number"),
        ("weight_hh_l0[0,0]", True, 0, 1, TypeError, "whole number"),
        ("weight_hh_l0[0,0]", 0, 0, 0, ValueError, "top must be at least 1"),
        ("weight_hh_l0[0,0]", 0, 0, 1.5, TypeError, "top must be a whole number"),
    ],
)
def test_what_does_not_exist_is_refused(
    wrt: Any, t: Any, k: Any, top: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rw.rnn(1, 2, 3).terms(wrt, t, k, top=top)
