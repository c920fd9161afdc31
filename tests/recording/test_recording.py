"""What a recording answers: names, text, and the network of one sample."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import rnn_widgets as rw

from .cases import BOTH, Case, Model, close, record


def test_every_quantity_has_a_name_and_axes_of_its_own() -> None:
    rec = record()
    sizes = {
        "sample": 3, "step": 5, "input": 2, "unit": 6, "source step": 5, "loss step": 5,
        "layer and direction": 4,
    }  # fmt: skip
    named = {
        "direct": rec.direct,
        "cell.total": rec.cell.total,  # type: ignore[union-attr]
        "inputs": rec.inputs,
        "outputs": rec.outputs,
        "gates.i.adjoints": rec.gates["i"].adjoints,
        "layers[0].carried": rec.layers[0].carried,
        "layers[1].gates.o.values": rec.gates["o"].values,
        "gradients[weight_hh_l0]": rec.gradients["weight_hh_l0"],
        "by_source[weight_ih_l1_reverse]": rec.by_source("weight_ih_l1_reverse"),
        "contributions[bias_hh_l1]": rec.contributions("bias_hh_l1"),
        "initial[c0]": rec.initial["c0"],
        "weights[bias_ih_l0]": rec.weights["bias_ih_l0"],
    }
    for name, array in named.items():
        quantity = rec.quantity(name)
        assert (quantity.values == array).all(), name
        assert len(quantity.axes) == array.ndim
        for axis, size in zip(quantity.axes, array.shape, strict=True):
            assert size == sizes.get(axis, size) or name == "initial[c0]", (name, axis)
    assert rec.quantity("layers[0].cell.direct").label == "layer 0: direct adjoint of c"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("totl", "no quantity 'totl'; did you mean 'total'"),
        ("gates.j.values", "did you mean 'gates.[ifgo].values'"),
        ("layers[7].total", r"did you mean 'layers\[[01]\].total'.*layers\[0\].direct and so on"),
        ("gradients[weight_hh]", r"did you mean 'gradients\[weight_hh_l[01]"),
        (
            "weight_hh_l0",
            r"did you mean 'weights\[weight_hh_l0\]' or 'gradients\[weight_hh_l0\]'",
        ),
    ],
)
def test_an_unknown_quantity_names_the_nearest(name: str, says: str) -> None:
    with pytest.raises(KeyError, match=says):
        record().quantity(name)
    with pytest.raises(TypeError, match="named by text"):
        record().quantity(3)  # type: ignore[arg-type]


def test_only_an_lstm_has_a_cell() -> None:
    rec = record(Case("GRU"))
    assert rec.cell is None
    assert "c0" not in rec.initial
    with pytest.raises(KeyError, match=r"no quantity 'cell\.total'"):
        rec.quantity("cell.total")


@pytest.mark.parametrize("method", ["by_source", "contributions"])
def test_an_unknown_parameter_names_the_nearest(method: str) -> None:
    with pytest.raises(KeyError, match="no parameter 'weight_hh'; did you mean 'weight_hh_l"):
        getattr(record(), method)("weight_hh")
    with pytest.raises(KeyError, match="no gate 'z'"):
        record().gates["z"]
    with pytest.raises(KeyError, match="no initial state 'h'; did you mean 'h0'"):
        record().initial["h"]


def test_text_is_the_same_every_time() -> None:
    rec, again = record(), record()
    assert rec.summary() == again.summary()
    assert (
        repr(rec)
        == repr(again)
        == (f"Recording('rnn', LSTM, 3 samples × 5 steps × 3 units, train, loss={rec.loss:.4g})")
    )
    assert "\n" not in repr(rec)
    alone = rw.record(nn.RNN(1, 1), torch.ones(1, 1, 1), lambda out: out[0].sum())
    assert "1 sample × 1 step × 1 unit," in repr(alone)


def test_a_summary_says_what_was_recorded() -> None:
    layer = nn.RNN(1, 1, nonlinearity="relu", bias=False)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1)
        layer.weight_hh_l0.fill_(2)
    rec = rw.record(nn.ModuleList([layer]).eval()[0], torch.ones(3, 1, 1), lambda o: o[0][-1].sum())
    assert (
        rec.summary()
        == """\
RNN
  1 sample × 3 steps × 1 unit × 1 layer, float32 on cpu
  recorded in eval mode, loss 7

going back in time  nearest the loss  farthest     each step back
total               1 at step 2       4 at step 0  × 2, grows: doubles every 1 step

adjoint of h  norm  first step  last step
direct        1     0           1
carried       4.47  4           0
total         4.58  4           1

gradient      shape   norm
weight_ih_l0  (1, 1)  7
weight_hh_l0  (1, 1)  5"""
    )


def test_a_summary_says_which_mode_lengths_and_calls() -> None:
    model = Model(BOTH)
    model.rnn.eval()
    text = rw.record(model, (), model.loss, layer="rnn").summary()
    assert "recorded in train mode (the layer in eval mode)" in text
    assert "both directions" in text
    assert "lengths from 1 to 5" in text


def test_numbers_that_are_not_finite_are_told_with_their_place() -> None:
    x = torch.ones(6, 3, 2)
    x[2, 1, 0] = torch.inf
    x[4, 2, 1] = torch.nan
    layer = nn.RNN(2, 3, nonlinearity="relu")
    rec = rw.record(layer, x, lambda out: out[0].sum())
    assert rec.nonfinite["x"].count == 2
    assert (rec.nonfinite["x"].sample, rec.nonfinite["x"].step) == (1, 2)
    assert rec.nonfinite["outputs"].step == 2
    assert rec.nonfinite["loss"].count == 1
    assert rec.nonfinite["gradients[weight_ih_l0]"].step is None
    assert not np.isfinite(rec.loss)
    assert "x: 2 not finite, first at sample 1, step 2" in rec.summary()
    assert "loss: 1 not finite" in rec.summary()
    with pytest.raises(ValueError, match="of sample 1 is not finite"):
        rec.network(1)
    assert record().nonfinite == {}
    assert "not finite" not in record().summary()


def test_a_loss_that_explodes_marks_adjoints_only() -> None:
    rec = rw.record(nn.GRU(2, 3), torch.ones(4, 2, 2), lambda out: (out[0] * 1e30).pow(2).sum())
    assert "outputs" not in rec.nonfinite
    assert rec.nonfinite["total"].count == rec.total.size
    assert np.isnan(rec.contributions("weight_hh_l0")).any()


# One sample as a network


@pytest.mark.parametrize(
    "case",
    [
        Case("RNN", layers=2, states="given"),
        Case("RNN", "relu", bias=False, directions=2),
        Case("GRU", layers=2, directions=2, lengths=(2, 5, 3), states="given"),
        Case("LSTM", states="given", uses=("last",)),
        Case("LSTM", uses=("h_n",)),
    ],
    ids=repr,
)
def test_networks_of_all_samples_share_the_gradient(case: Case) -> None:
    rec = record(case)
    nets = [rec.network(n) for n in range(rec.samples)]
    for name, gradient in rec.gradients.items():
        close(gradient, sum(net.gradients()[name] for net in nets), name)
    for n, net in enumerate(nets):
        steps = net.program.seq_len
        assert steps == (case.lengths[n] if case.lengths else 5)
        close(rec.inputs[n, :steps], net.gradients()["x"], "x")
        close(rec.outputs[n, :steps], net.forward().output, "outputs")
        close(rec.initial["h0"][:, n].reshape(net.values["h0"].shape), net.gradients()["h0"], "h0")


def test_the_explorer_opens_a_sample() -> None:
    rec = record(Case("GRU", states="given"))
    explorer = rec.explore(2, panels=["table"])
    assert (explorer.net.values["x"] == rec.x[2]).all()
    assert (explorer.net.values["v"] == rec.direct[2]).all()
    assert (explorer.net.values["weight_hh_l0"] == rec.weights["weight_hh_l0"]).all()
    explorer.lab.close()


@pytest.mark.parametrize(
    ("sizes", "steps"), [((2, 17), 4), ((2, 3), 33), ((65, 3), 4)], ids=["H", "T", "I"]
)
def test_the_explorer_refuses_what_it_cannot_draw(sizes: tuple[int, int], steps: int) -> None:
    rec = rw.record(nn.RNN(*sizes), torch.ones(steps, 1, sizes[0]), lambda out: out[0].sum())
    says = (
        "draws up to 16 units, 32 steps and 64 inputs; this layer has "
        f"{sizes[1]} units, {steps} steps and {sizes[0]} inputs"
    )
    with pytest.raises(ValueError, match=says):
        rec.explore()
    assert rec.network().program.seq_len == steps


@pytest.mark.parametrize(
    ("case", "says"),
    [
        (Case(proj=2), "proj_size=2; networks here have no projection"),
        (Case(layers=2, dropout=0.5), "dropped out outputs .* eval mode"),
        (Case(uses=("c_n",)), "reaches c of a layer otherwise than through the layer's outputs"),
        (Case("GRU", layers=2, uses=("h_n",)), "reaches h of a layer otherwise"),
    ],
    ids=repr,
)
def test_no_network_is_made_of_what_networks_have_not(case: Case, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        record(case).network()


@pytest.mark.parametrize("method", ["network", "explore", "state_jacobians"])
def test_samples_that_do_not_exist(method: str) -> None:
    with pytest.raises(IndexError, match="sample 3 does not exist: 0 to 2"):
        getattr(record(), method)(3)
    with pytest.raises(TypeError, match="sample must be a whole number"):
        getattr(record(), method)(True)
