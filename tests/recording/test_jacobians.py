"""State Jacobians of a recording, against autograd and the core's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rnn_widgets as rw
from rnn_widgets.interop.capture.spec import LayerSpec
from rnn_widgets.recording.jacobians import RecordedJacobians
from rnn_widgets.recording.recording import Recording

from .cases import Case, Model, close, of_spec
from .test_record import SPECS
from .unrolled import Unrolled

ONE_LAYER = [spec for spec in SPECS if spec.num_layers == 1] + [LayerSpec("LSTM", 2, 3)]


def from_initial(run: Unrolled, sample: int, direction: int) -> list[np.ndarray]:
    """∂s_t/∂s_0 of every step by autograd, of one sample of a single layer."""
    initial = [run.h0, *([] if run.c0 is None else [run.c0])]
    found = []
    for step in run.steps[0][direction]:
        rows = []
        for state in (step.h_next, *([] if step.c_next is None else [step.c_next])):
            for unit in range(state.shape[1]):
                pulled = torch.autograd.grad(
                    state[sample, unit], initial, retain_graph=True, materialize_grads=True,
                    allow_unused=True,
                )  # fmt: skip
                rows.append(torch.cat([one[direction, sample] for one in pulled]))
        found.append(torch.stack(rows).numpy())
    return found


@pytest.mark.parametrize("spec", ONE_LAYER, ids=repr)
@settings(max_examples=6, deadline=None)
@given(st.integers(0, 1000), st.booleans())
def test_products_from_the_initial_state_are_autograds(
    spec: LayerSpec, seed: int, masked: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    weights = {name: drawn(*shape) for name, shape in spec.weights().items()}
    x = drawn(4, 2, 2)
    h0 = drawn(spec.directions, 2, spec.output_size)
    c0 = drawn(spec.directions, 2, spec.hidden_size)
    live = torch.rand(4, 2, generator=generator) < 0.7 if masked else None
    rec = of_spec(spec, weights, x, h0, c0, live, lambda parts: parts[0].sum())
    lstm = c0.requires_grad_() if spec.kind == "LSTM" else None
    run = Unrolled(spec, weights, x, h0.requires_grad_(), lstm, live)
    run.run()
    for direction in range(spec.directions):
        jacobians = rec.state_jacobians(1, reverse=direction == 1)
        initial = 4 if direction else -1
        expected = from_initial(run, 1, direction)
        for t in range(4):
            close(jacobians.product(t, initial), expected[t], f"step {t}")
        close(jacobians.norms(initial), [np.linalg.norm(j) for j in expected], "norms")
        agrees_with_itself(jacobians, direction == 1)


def agrees_with_itself(jacobians: RecordedJacobians, reverse: bool) -> None:
    steps = len(jacobians)
    table = jacobians.norms()
    own = 0 if reverse else -1
    for t in range(steps):
        parts = jacobians.blocks(t)
        if "h→c" not in parts:
            close(jacobians[t], sum(parts.values()), "blocks")
        for k in range(t, steps + 1) if reverse else range(-1, t + 1):
            product = jacobians.product(t, k)
            close(
                table[t - own if not reverse else t, k - own if not reverse else k],
                np.linalg.norm(product),
                f"norm {t} {k}",
            )
            close(
                jacobians.singular_values(t, k),
                np.linalg.svd(product, compute_uv=False),
                "singular values",
            )
        close(jacobians.singular_values(t)[0], np.linalg.norm(jacobians[t], 2), "largest")
    later = np.triu(table, 1) if not reverse else np.tril(table, -1)
    assert not later.any()


def record(case: Case) -> Recording:
    model = Model(case)
    return rw.record(model, (), model.loss, layer="rnn")


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_every_layer_and_direction_has_the_cores_jacobians_and_blocks(kind: str) -> None:
    rec = record(Case(kind, layers=2, directions=2, lengths=(3, 5), samples=2, states="given"))
    for sample, steps in enumerate((3, 5)):
        net = rec.network(sample)
        for layer in range(2):
            for reverse in (False, True):
                mine = rec.state_jacobians(sample, layer, reverse)
                theirs = net.jacobians(layer, reverse)
                assert len(mine) == len(theirs) == steps
                for t in range(steps):
                    close(mine[t], theirs[t], f"step {t}")
                    blocks = theirs.blocks(t)
                    assert set(mine.blocks(t)) == set(blocks)
                    for name, block in mine.blocks(t).items():
                        close(block, blocks[name], name)
    top = rec.state_jacobians()
    assert (top[0] == rec.state_jacobians(0, 1)[0]).all()
    assert (rec.state_jacobians(0, -2)[0] == rec.state_jacobians(0, 0)[0]).all()


def test_jacobians_that_do_not_exist() -> None:
    rec = record(Case("GRU"))
    with pytest.raises(IndexError, match="no reverse direction"):
        rec.state_jacobians(reverse=True)
    with pytest.raises(TypeError, match="reverse must be True or False, not 1"):
        rec.state_jacobians(reverse=1)  # type: ignore[arg-type]
    for layer in (1, -2):
        with pytest.raises(IndexError, match=f"layer {layer} does not exist: -1 to 0"):
            rec.state_jacobians(layer=layer)
    jacobians = rec.state_jacobians()
    with pytest.raises(IndexError, match="step 5 does not exist: 0 to 4"):
        jacobians[5]
    with pytest.raises(IndexError, match="step k 3 does not exist: -1 to 2"):
        jacobians.product(2, 3)
    with pytest.raises(IndexError, match="k 5 does not exist: -1 to 4"):
        jacobians.norms(5)
    assert repr(jacobians) == "RecordedJacobians of 5 steps, (3, 3) each"


def test_a_table_that_would_take_too_long_is_refused_with_what_would_not() -> None:
    layer = torch.nn.LSTM(2, 256)
    rec = rw.record(layer, torch.ones(100, 1, 2), lambda out: out[0][-1].sum())
    jacobians = rec.state_jacobians()
    with pytest.raises(
        ValueError, match=r"100 steps with a state of 512 .* state of 341 .*norms\(k\)"
    ):
        jacobians.norms()
    with pytest.raises(ValueError, match=r"norms\(band=14\) those of states so near"):
        jacobians.norms(band=40)
    near = jacobians.norms(band=1)
    close(near[99, 98], np.linalg.norm(jacobians[98]), "norm")
    column = jacobians.norms(97)
    assert column.shape == (100,)
    close(column[99], np.linalg.norm(jacobians[99] @ jacobians[98]), "norm")


@pytest.mark.parametrize("reverse", [False, True])
def test_a_band_of_the_table_is_part_of_it(reverse: bool) -> None:
    layer = torch.nn.GRU(2, 3, bidirectional=True)
    rec = rw.record(layer, torch.randn(6, 1, 2), lambda out: out[0].sum())
    jacobians = rec.state_jacobians(reverse=reverse)
    whole, apart = jacobians.norms(), np.abs(np.subtract.outer(np.arange(7), np.arange(7)))
    for band in (0, 2, 6):
        part = jacobians.norms(band=band)
        assert np.isnan(part[apart > band]).all()
        np.testing.assert_array_equal(part[apart <= band], whole[apart <= band])
    with pytest.raises(IndexError, match="band 7 does not exist: 0 to 6"):
        jacobians.norms(band=7)
    with pytest.raises(TypeError, match="k, for one column, or band"):
        jacobians.norms(2, band=2)


def test_norms_do_not_overflow_before_they_are_infinite() -> None:
    layer = torch.nn.RNN(1, 2, nonlinearity="relu", bias=False)
    with torch.no_grad():
        layer.weight_ih_l0.zero_()
        layer.weight_hh_l0.copy_(1e30 * torch.eye(2))
    layer.double()
    h0 = torch.full((1, 1, 2), 1e-200, dtype=torch.float64)
    rec = rw.record(layer, (torch.ones(7, 1, 1).double(), h0), lambda out: out[0].sum())
    norms = rec.state_jacobians().norms(-1)
    assert np.allclose(norms / (2**0.5 * 1e30 ** np.arange(1.0, 8)), 1)


def test_singular_values_of_what_is_not_finite_are_refused() -> None:
    x = torch.ones(3, 1, 2)
    x[1] = torch.nan
    rec = rw.record(torch.nn.GRU(2, 3), x, lambda out: out[0].sum())
    with pytest.raises(ValueError, match="∂s_1/∂s is not finite; it has no singular values"):
        rec.state_jacobians().singular_values(1)
    assert rec.state_jacobians().singular_values(0).shape == (3,)
