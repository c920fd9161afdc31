"""Keras's and Flux's names: their layouts written out by hand, and their equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import rnn_widgets as rw
from rnn_widgets.core.names import parse_entry
from rnn_widgets.interop.names import aliases, native
from rnn_widgets.network import Network

from .networks import stirred
from .unrolled import make

H, I, T = 3, 2, 4  # noqa: E741


def gates(array: Any, *order: int) -> Any:
    """Pick blocks of H rows."""
    return np.concatenate([array[H * i : H * (i + 1)] for i in order])


def drawn(kind: str, **options: Any) -> Network:
    return stirred(make(kind, I, H, T, **options), 7, 0.5)


def keras_lstm(x: Any, h: Any, c: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """One step of keras.layers.LSTM: gates i, f, c, o stacked as columns."""
    i, f, g, o = (x @ kernel + h @ recurrent + bias).chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def keras_gru(x: Any, h: Any, kernel: Any, recurrent: Any, bias: Any, after: bool) -> Any:
    """One step of keras.layers.GRU: gates z, r, h as columns; two rows of bias if reset_after."""
    x_z, x_r, x_h = (x @ kernel + (bias[0] if after else bias)).chunk(3)
    if after:
        r_z, r_r, r_h = (h @ recurrent + bias[1]).chunk(3)
        z, r = torch.sigmoid(x_z + r_z), torch.sigmoid(x_r + r_r)
        new = torch.tanh(x_h + r * r_h)
    else:
        r_z, r_r = (h @ recurrent[:, : 2 * H]).chunk(2)
        z, r = torch.sigmoid(x_z + r_z), torch.sigmoid(x_r + r_r)
        new = torch.tanh(x_h + (r * h) @ recurrent[:, 2 * H :])
    return z * h + (1 - z) * new


def columns(array: Any, *order: int) -> Any:
    return torch.tensor(np.ascontiguousarray(gates(array, *order).T), requires_grad=True)


def test_keras_lstm() -> None:
    net = drawn("lstm", bias="single")
    values, g = net.values, net.gradients()
    kernel = columns(values["weight_ih_l0"], 0, 1, 2, 3)
    recurrent = columns(values["weight_hh_l0"], 0, 1, 2, 3)
    bias = torch.tensor(values["bias_ih_l0"], requires_grad=True)
    h, c, loss = torch.tensor(values["h0"]), torch.tensor(values["c0"]), torch.tensor(0.0)
    for x, v in zip(values["x"], values["v"], strict=True):
        h, c = keras_lstm(torch.tensor(x), h, c, kernel, recurrent, bias)
        loss = loss + (torch.tensor(v) * h).sum()
    loss.backward()
    assert_allclose(g["kernel"], kernel.grad, rtol=1e-10, atol=1e-14)
    assert_allclose(g["recurrent_kernel"], recurrent.grad, rtol=1e-10, atol=1e-14)
    assert_allclose(g["bias"], bias.grad, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("kind", ["gru", "gru before"])
def test_keras_gru(kind: str) -> None:
    net = drawn(kind, bias=True if kind == "gru" else "single")
    values, g = net.values, net.gradients()
    kernel = columns(values["weight_ih_l0"], 1, 0, 2)
    recurrent = columns(values["weight_hh_l0"], 1, 0, 2)
    rows = [gates(values[b], 1, 0, 2) for b in ("bias_ih_l0", "bias_hh_l0") if b in values]
    bias = torch.tensor(np.stack(rows) if len(rows) == 2 else rows[0], requires_grad=True)
    h, loss = torch.tensor(values["h0"]), torch.tensor(0.0)
    for x, v in zip(values["x"], values["v"], strict=True):
        h = keras_gru(torch.tensor(x), h, kernel, recurrent, bias, kind == "gru")
        loss = loss + (torch.tensor(v) * h).sum()
    loss.backward()
    assert_allclose(g["kernel"], kernel.grad, rtol=1e-10, atol=1e-14)
    assert_allclose(g["recurrent_kernel"], recurrent.grad, rtol=1e-10, atol=1e-14)
    assert_allclose(g["bias"], bias.grad, rtol=1e-10, atol=1e-14)


def test_layouts_of_a_gru_by_hand() -> None:
    g = drawn("gru", bias=True).gradients()
    r, z, n = np.split(g["weight_ih_l0"], 3)
    assert_array_equal(g["kernel"], np.hstack([z.T, r.T, n.T]))
    r, z, n = np.split(g["weight_hh_l0"], 3)
    assert_array_equal(g["recurrent_kernel"], np.hstack([z.T, r.T, n.T]))
    assert g["bias"].shape == (2, 9)
    assert_array_equal(g["bias"][1], gates(g["bias_hh_l0"], 1, 0, 2))
    assert_array_equal(g["Wi"], g["weight_ih_l0"])
    assert_array_equal(g["weight_hh"], g["weight_hh_l0"])
    assert "bias" not in drawn("gru", bias="single").gradients()
    assert not {"Wi", "Wh", "b"} & {a.name for a in drawn("gru before").gradients()._aliases}


def test_names_in_stacks_and_directions() -> None:
    stack = drawn("tanh", num_layers=2, readout=1).gradients()
    assert_array_equal(stack["layers[1].recurrent_kernel"], stack["weight_hh_l1"].T)
    assert_array_equal(stack["layers[2].Wh"], stack["weight_hh_l1"])  # Julia counts from 1
    assert_array_equal(stack["dense.kernel"], stack["readout.weight"].T)
    assert_array_equal(stack["dense.bias"], stack["readout.bias"])
    both = drawn("lstm", bidirectional=True).gradients()
    assert_array_equal(both["backward_layer.kernel"], both["weight_ih_l0_reverse"].T)
    assert_array_equal(both["forward_layer.bias"], both["bias_ih_l0"])
    assert "Wh" not in both


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("rnn", {"bias": "single"}),
        ("gru", {}),
        ("lstm", {"bias": "single"}),
        ("gru", {"layers": 2}),
    ],
)
def test_entries_by_other_names_are_the_entries_of_leaves(kind: str, options: Any) -> None:
    layers = {"num_layers": 2, "readout": 2} if options.pop("layers", None) else {}
    net = getattr(rw, kind)(I, H, T, **options, **layers)
    gradients = net.gradients()
    for alias in aliases(net.program):
        laid_out = gradients[alias.name]
        for index in np.ndindex(laid_out.shape):
            entry = native(net.program, f"{alias.name}[{','.join(map(str, index))}]")
            leaf, at = parse_entry(entry, net.program.leaves)
            assert gradients[leaf][at] == laid_out[index], (alias.name, entry)
    for leaf in net.program.leaves:
        assert native(net.program, leaf) == leaf


def test_whole_arrays_by_other_names() -> None:
    gru = rw.gru(I, H, T).program
    assert native(gru, "Wh") == "weight_hh_l0"
    assert native(gru, "kernel", ordered=False) == "weight_ih_l0"
    with pytest.raises(ValueError, match=r"kernel is weight_ih_l0 in .*kernel\[0,0\]"):
        native(gru, "kernel")
    with pytest.raises(ValueError, match=r"bias joins bias_ih_l0 and bias_hh_l0.*bias\[0,0\]"):
        native(gru, "bias", ordered=False)
    with pytest.raises(IndexError, match=r"kernel has shape \(2, 9\): its index runs over 0 to 1"):
        native(gru, "kernel[2,0]")
    assert native(gru, "nonsense[0]") == "nonsense[0]"
    assert native(rw.gru(I, H, T, reset_after=False).program, "Wh[0,0]") == "Wh[0,0]"


def test_a_users_cell_has_no_other_names() -> None:
    gradients = drawn("odd", readout=2).gradients()
    assert all(not gradients.aliases(n) for n in gradients if not n.startswith("readout"))
    assert gradients.aliases("readout.weight") == ["Keras: dense.kernel", "Flux: dense.weight"]


@pytest.mark.parametrize(("kind", "count"), [("tanh", 1), ("gru", 3), ("lstm", 4)])
@pytest.mark.parametrize("bias", ["single", False])
def test_from_flux(kind: str, count: int, bias: bool | str) -> None:
    net = drawn(kind, bias=bias)
    values = net.values
    arrays = {"Wi": values["weight_ih_l0"], "Wh": values["weight_hh_l0"]}
    if bias:
        arrays["b"] = values["bias_ih_l0"]
    arrays = {name: np.array(array) for name, array in arrays.items()}
    states = {s + "0": values[s + "0"] for s in net.program.cell.states}
    made = rw.from_flux(**arrays, x=values["x"], v=values["v"], **states)
    assert made.program.cell.to_json() == net.program.cell.to_json()
    assert arrays["Wh"].shape == (count * H, H)
    for name, gradient in net.gradients().items():
        assert_array_equal(made.gradients()[name], gradient)
    for name, array in arrays.items():
        assert_array_equal(made.gradients()[array], made.gradients()[name])
        array[...] = 0.0  # the network holds copies
    assert_array_equal(made.values["weight_hh_l0"], values["weight_hh_l0"])
    assert made.check()
