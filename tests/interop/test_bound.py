"""The bound of a contribution against the factors that torch finds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import rnn_widgets as rw

NET = rw.lstm(2, 3, 4, rng=5)


@pytest.mark.parametrize(("t", "k"), [(3, 3), (3, 1), (2, 0)])
def test_the_bound_is_the_product_of_norms(t: int, k: int) -> None:
    cell = torch.nn.LSTMCell(2, 3, dtype=torch.float64)
    with torch.no_grad():
        for name, parameter in cell.named_parameters():
            parameter.copy_(torch.tensor(NET.values[name + "_l0"]))
    trace = NET.forward()

    def state(before: torch.Tensor, bias: torch.Tensor, step: int) -> torch.Tensor:
        inputs = torch.tensor(NET.values["x"][step]), tuple(before.chunk(2))
        return torch.cat(torch.func.functional_call(cell, {"bias_ih": bias}, inputs))

    def derivative(argument: int, step: int) -> np.ndarray:
        before = np.concatenate([trace.hidden[step], trace.cell[step]])
        bias = torch.tensor(NET.values["bias_ih_l0"])
        found = torch.func.jacrev(state, argument)(torch.tensor(before), bias, step)
        return np.asarray(found.detach().numpy())

    product = float(np.linalg.norm(NET.values["v"][t]))  # the output is h itself
    for j in range(k + 1, t + 1):
        product *= np.linalg.norm(derivative(0, j), 2)
    product *= np.linalg.norm(derivative(1, k), 2)
    bound = NET.contributions().bound("bias_ih_l0")
    np.testing.assert_allclose(bound[t, k], product, rtol=1e-12)
    assert (np.triu(bound, 1) == 0).all()
