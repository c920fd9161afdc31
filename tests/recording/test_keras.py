"""Recordings of Keras's layers, against autograd through Keras itself and torch's layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence

import rnn_widgets as rw
from rnn_widgets.core.ops import Array
from rnn_widgets.interop.names import KERAS_GATES
from tests.interop.keras64 import KINDS, both, built, drawn, float64, keras, variables

from .cases import close
from .keras_models import H, I, Model, loss, same

__all__ = ["float64"]  # a fixture is found by its name


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    directions, masked = draw(st.sampled_from((1, 2))), draw(st.booleans())
    case: dict[str, Any] = {
        "seed": draw(st.integers(0, 2**31)),
        "kind": draw(st.sampled_from(sorted(KINDS))),
        "directions": directions,
        "size": (draw(st.integers(1, 3)), draw(st.integers(1, 5))),
        "live": draw(st.sampled_from((0.5, 0.9))) if masked else None,
        "begins": draw(st.booleans()),
        # An RNN of the cell in place of the layer; whether it gives zeros at masked steps.
        "of_a_cell": draw(st.sampled_from((None, True, False))) if directions == 1 else None,
    }
    layer = {
        name: draw(st.booleans())
        for name in ("use_bias", "return_sequences", "return_state", "unroll")
    }
    if directions == 2:
        layer["merge_mode"] = draw(st.sampled_from(("concat", "sum", "ave", "mul", None)))
    else:
        layer["go_backwards"] = draw(st.booleans())
    if masked and (directions == 2 or layer["go_backwards"]):
        layer["unroll"] = False  # Keras itself fails to unroll a mask backwards
    return case | {"layer": layer}


def made(case: dict[str, Any]) -> tuple[Model, torch.Tensor]:
    rng, options = np.random.default_rng(case["seed"]), dict(case["layer"])
    make = built if case["directions"] == 1 else both
    layer = make(case["kind"], I, H, rng, **options)
    if case["of_a_cell"] is not None:
        del options["use_bias"]
        layer = keras.layers.RNN(layer.cell, zero_output_for_mask=case["of_a_cell"], **options)
        layer.build((None, None, I))
    mask = None if case["live"] is None else torch.tensor(rng.random(case["size"]) < case["live"])
    states = case["directions"] * (2 if case["kind"] == "LSTM" else 1)
    model = Model(layer, mask, states if case["begins"] else 0)
    drawn(model.first, 3, rng)
    return model, torch.tensor(rng.standard_normal((*case["size"], 3)), requires_grad=True)


@given(cases())
@settings(max_examples=40, deadline=None)
def test_agrees_with_autograd_through_keras(case: dict[str, Any]) -> None:
    model, x = made(case)
    rec = rw.record(model, x, loss)
    total = loss(model(x))
    held = variables(model.layer)
    asked = [model.seen, *(v.value for v in held.values()), *model.starts]
    found = torch.autograd.grad(total, asked, allow_unused=True)
    exact = [torch.zeros_like(a) if g is None else g for a, g in zip(asked, found, strict=True)]
    assert abs(rec.loss - float(total.detach())) < 1e-10
    close(rec.inputs, exact[0], "inputs")
    assert list(rec.gradients) == list(held)
    for name, expected in zip(held, exact[1:], strict=False):
        close(rec.gradients[name], expected, name)
        close(rec.by_source(name).sum(0), expected, f"by_source {name}")
    for i, (name, adjoint) in enumerate(rec.initial.items()):
        of_state = exact[1 + len(held) :][i :: len(rec.initial)]
        if of_state:
            close(adjoint, torch.stack(of_state), name)
    close(rec.direct + rec.carried, rec.total, "total")
    if model.mask is not None:
        live = model.mask.numpy()
        for array in (rec.inputs, *(gate.adjoints for gate in rec.gates.values())):
            assert not array[~live].any()
        # A sample without any step gives back its initial state.
        assert not rec.direct[~live & live.any(1, keepdims=True)].any()


def torch_twin(layer: Any) -> torch.nn.Module:
    """torch's own layer with the same weights."""
    directions = [layer]
    if isinstance(layer, keras.layers.Bidirectional):
        directions = [layer.forward_layer, layer.backward_layer]
    cell, options = directions[0].cell, {"batch_first": True, "dtype": torch.float64}
    kind = type(directions[0]).__name__
    if kind == "SimpleRNN":
        kind, options["nonlinearity"] = "RNN", cell.activation.__name__
    twin = getattr(torch.nn, kind)(I, H, bidirectional=len(directions) == 2, **options)
    with torch.no_grad():
        for end, one in zip(("_l0", "_l0_reverse"), directions, strict=False):
            for name, held in (("weight_ih", "kernel"), ("weight_hh", "recurrent_kernel")):
                getattr(twin, name + end).copy_(rows(kind, getattr(one.cell, held).value.T))
            bias = one.cell.bias.value
            first, second = bias if kind == "GRU" else (bias, torch.zeros_like(bias))
            getattr(twin, "bias_ih" + end).copy_(rows(kind, first))
            getattr(twin, "bias_hh" + end).copy_(rows(kind, second))
    return twin


def rows(kind: str, held: torch.Tensor) -> torch.Tensor:
    if kind != "GRU":
        return held
    z, r, n = held.chunk(3)
    return torch.cat((r, z, n))


TWINS = ["SimpleRNN tanh", "SimpleRNN relu", "LSTM", "GRU"]


@pytest.mark.parametrize("make", [built, both])
@pytest.mark.parametrize("kind", TWINS)
def test_equals_the_recording_of_torchs_layer(kind: str, make: Any) -> None:
    rng = np.random.default_rng(0)
    layer, x = make(kind, I, H, rng, return_sequences=True), rng.standard_normal((3, 6, I))
    rec = rw.record(layer, x, loss)
    other = rw.record(torch_twin(layer), torch.tensor(x), lambda out: loss(out[0]))
    same(rec, other)
    assert rec.kind == kind.split()[0]
    ends = ("_l0", "_l0_reverse")[: rec.directions]
    for end, before in zip(
        ends, sorted({n.rpartition(".")[0] for n in rec.gradients})[::-1], strict=True
    ):
        prefix = f"{before}." if before else ""
        close(
            rec.contributions(prefix + "kernel"), other.contributions("weight_ih" + end), "kernel"
        )
        tables = [other.contributions("bias_ih" + end)]
        tables += [other.contributions("bias_hh" + end)] if kind == "GRU" else []
        close(rec.contributions(prefix + "bias"), np.hypot.reduce(tables), "bias")
        reverse = end.endswith("reverse")
        jacobians = [one.state_jacobians(sample=1, reverse=reverse) for one in (rec, other)]
        close(jacobians[0].norms(), jacobians[1].norms(), "state Jacobians")


@pytest.mark.parametrize("kind", TWINS)
def test_time_is_the_inputs_also_backwards(kind: str) -> None:
    rng = np.random.default_rng(1)
    layer = built(kind, I, H, rng, return_sequences=True, go_backwards=True)
    x = rng.standard_normal((2, 5, I))
    rec = rw.record(layer, x, loss)
    flipped = torch.tensor(x[:, ::-1].copy())
    other = rw.record(torch_twin(layer), flipped, lambda out: loss(out[0]))
    same(rec, other, time=slice(None, None, -1))
    turned = rec.contributions("recurrent_kernel")[::-1, ::-1]
    close(turned, other.contributions("weight_hh_l0"), "contributions")
    close(
        rec.by_source("kernel")[::-1].swapaxes(1, 2),
        rows_of(kind, other.by_source("weight_ih_l0")),
        "by_source",
    )
    ours, theirs = rec.state_jacobians(), other.state_jacobians()
    close(ours.norms(5)[::-1], theirs.norms(-1), "∂h_t/∂h_0")
    with pytest.raises(ValueError, match="go_backwards=True, and networks here read"):
        rec.network()


def rows_of(kind: str, array: Array) -> Array:
    """PyTorch's rows in Keras's order."""
    if kind != "GRU":
        return array
    r, z, n = np.split(array, 3, 1)
    return np.concatenate((z, r, n), 1)


@pytest.mark.parametrize("make", [built, both])
@pytest.mark.parametrize("kind", TWINS)
def test_padding_on_the_right_equals_a_packed_sequence(kind: str, make: Any) -> None:
    rng = np.random.default_rng(2)
    lengths, padded = [5, 2, 4], rng.standard_normal((3, 5, I)) + 5
    for row, length in zip(padded, lengths, strict=True):
        row[length:] = 0
    layer = make(kind, I, H, rng)
    model = keras.Sequential([keras.layers.Masking(), layer])
    rec = rw.record(model, padded, loss)
    packed = pack_padded_sequence(torch.tensor(padded), lengths, True, enforce_sorted=False)

    def last(out: Any) -> torch.Tensor:
        h = out[1][0] if kind == "LSTM" else out[1]
        return loss(torch.cat(tuple(h), -1))

    other = rw.record(torch_twin(layer), packed, last)
    real = np.arange(5) < np.array(lengths)[:, None]
    for name in ("direct", "carried", "total", "inputs"):
        close(getattr(rec, name)[real], getattr(other, name)[real], name)
    for n, length in enumerate(lengths):  # the only output's adjoint enters where it was made
        entered = np.flatnonzero(rec.direct[n, :, :H].any(1))
        assert entered.tolist() == [length - 1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_masked_step_is_as_if_it_were_not_there(kind: str) -> None:
    rng = np.random.default_rng(3)
    layer = built(kind, I, H, rng, return_sequences=True, return_state=True)
    x, live = rng.standard_normal((1, 7, I)), np.array([0, 1, 1, 0, 0, 1, 0], bool)
    rec = rw.record(
        Masked(layer, live), x, lambda out: loss([out[0][:, live], *out[1:]]), layer=layer
    )
    other = rw.record(layer, x[:, live], loss)
    for name in ("direct", "carried", "total", "inputs"):
        close(getattr(rec, name)[:, live], getattr(other, name), name)
    assert not rec.direct[:, ~live].any()
    assert not rec.inputs[:, ~live].any()
    # The state is kept, and so is the adjoint on its way back.
    close(rec.total[:, [0, 3, 4, 6]], rec.carried[:, [0, 3, 4, 6]], "total")
    close(rec.total[:, 0], other.initial["h0"][0], "total")
    close(rec.total[:, 3], rec.total[:, 4], "total")
    close(rec.total[:, 3], rec.carried[:, 2], "total")
    for name in rec.gradients:
        close(rec.by_source(name)[live], other.by_source(name), name)
        assert not rec.by_source(name)[~live].any()
        close(rec.contributions(name)[np.ix_(live, live)], other.contributions(name), name)
    with pytest.raises(ValueError, match="steps were masked"):
        rec.network()


def test_gates_at_masked_steps_are_not_counted() -> None:
    layer = built("LSTM", I, H, np.random.default_rng(3), return_sequences=True)
    x, live = np.random.default_rng(4).standard_normal((2, 7, I)), np.array([0, 1, 1, 0, 0, 1, 0])
    x[:, live == 0] = 50  # where the gates would be wide open or shut
    masked = rw.record(Masked(layer, live.astype(bool)), x, loss, layer=layer).summary()
    alone = rw.record(layer, x[:, live == 1], loss).summary()
    rows, expected = (
        [line.split() for line in text.splitlines() if " gate " in line] for text in (masked, alone)
    )
    assert len(rows) == 3
    assert rows == expected


class Masked(keras.Model):
    def __init__(self, layer: Any, live: Array) -> None:
        super().__init__()
        self.layer, self.live, self.built = layer, live, True

    def call(self, x: torch.Tensor) -> Any:
        return self.layer(x, mask=torch.tensor(self.live)[None].expand(len(x), -1))


def test_an_embedding_masks_its_zeros() -> None:
    model = keras.Sequential(
        [
            keras.layers.Embedding(6, I, mask_zero=True),
            keras.layers.LSTM(H, name="words"),
            keras.layers.Dense(1),
        ]
    )
    words = np.array([[3, 1, 4, 0, 0], [5, 2, 1, 3, 0]])
    model(words)
    rec = rw.record(model, words, loss, layer="words")
    assert np.flatnonzero(rec.direct[0].any(1)).tolist() == [2]
    assert np.flatnonzero(rec.total[1].any(1)).tolist() == [0, 1, 2, 3]
    loss(model(words)).backward()
    kernel = model.get_layer("words").cell.kernel
    close(rec.gradients["kernel"], kernel.value.grad, "kernel")


def test_dropout_in_training_is_that_of_the_layer() -> None:
    rng = np.random.default_rng(4)
    layer = built("GRU", I, H, rng, dropout=0.5, seed=4, return_sequences=True)
    model, x = Model(layer), torch.tensor(rng.standard_normal((2, 4, 3)))
    drawn(model.first, 3, rng)
    rec = rw.record(model, x, loss, training=True)
    assert (rec.mode, rec.layer_mode) == ("train", "train")
    assert rw.record(model, x, loss).mode == "eval"
    loss(model(x, training=True)).backward()  # the generator is where it was: the same mask
    for name, variable in variables(layer).items():
        close(rec.gradients[name], variable.value.grad, name)
    assert (rec.x == 0).any()


@pytest.mark.parametrize(
    ("make", "options", "why"),
    [
        (built, {"recurrent_dropout": 0.5}, "has recurrent_dropout"),
        (
            built,
            {"dropout": 0.5, "implementation": 1, "use_cudnn": False},
            "differently for each gate",
        ),
        (both, {"dropout": 0.5}, "differently for each direction"),
    ],
)
def test_other_dropout_is_refused_in_training(make: Any, options: Any, why: str) -> None:
    layer = make("LSTM", I, H, np.random.default_rng(5), **options)
    x = np.ones((2, 4, I))
    with pytest.raises(ValueError, match=f"{why}, which cannot be recorded in training: record"):
        rw.record(layer, x, loss, training=True)
    assert rw.record(layer, x, loss).layer_mode == "eval"


def test_gates_go_by_the_names_of_keras_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    expected = {"LSTM": ("i", "f", "c", "o"), "GRU": ("z", "r", "h"), "SimpleRNN tanh": ("h",)}
    for kind, letters in expected.items():
        model = Model(built(kind, I, H, rng), None, 0)
        drawn(model.first, 3, rng)
        x = torch.tensor(rng.standard_normal((2, 4, 3)))
        rec = rw.record(model, x, loss)
        assert tuple(KERAS_GATES[rec.kind.removeprefix("Simple").lower()]) == letters
        # The kernel's columns are the gates in Keras's order: its gradient says which is which.
        parts = np.split(rec.gradients["kernel"], len(letters), axis=1)
        for letter, part in zip(letters, parts, strict=True):
            made = np.einsum("nti,nth->ih", rec.x, rec.gates[letter].adjoints)
            close(made, part, f"{kind} {letter}")
            one = rec.quantity(f"gates.{letter}.adjoints").values
            close(one, rec.gates[letter].adjoints, letter)
    with pytest.raises(KeyError, match="'c'"):
        rec.gates["c"]
    model = Model(built("GRU", I, H, rng), None, 0)
    drawn(model.first, 3, rng)
    rec = rw.record(model, x, loss)
    assert list(rec.gates) == ["r", "z", "n"]  # as they are listed, for comparisons
    assert rec.quantity("layers[0].gates.h.values").label.endswith("gate n")
    rec.save(tmp_path / "gru.npz")
    same = rw.Recording.load(tmp_path / "gru.npz")
    assert (same.gates["h"].values == rec.gates["n"].values).all()
    of_torch = rw.record(torch.nn.GRU(2, 3), torch.ones(4, 1, 2), lambda out: out[0].sum())
    with pytest.raises(KeyError, match="'h'"):
        of_torch.gates["h"]


def test_a_layer_that_is_not_trained_is_told(float64: None) -> None:
    rng = np.random.default_rng(0)
    for layer in (built("GRU", I, H, rng), both("LSTM", I, H, rng)):
        model, x = keras.Sequential([layer]), torch.ones(2, 4, I, dtype=torch.float64)
        assert "not trained" not in rw.record(model, x, torch.sum).summary()
        layer.trainable = False
        assert "not trained: every parameter;" in rw.record(model, x, torch.sum).summary()
