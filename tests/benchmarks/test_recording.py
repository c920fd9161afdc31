"""What recording a layer costs beside one plain pass, as ratios measured in one run.

`make bench` prints them. Each round measures every contender, so that a machine that slows down
slows all of them down, and the medians over rounds are compared. Timing decides no test.
"""

from __future__ import annotations

from collections.abc import Callable
from resource import RUSAGE_SELF, getrusage
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

import rnn_widgets as rw
from rnn_widgets.interop.capture.record import record
from rnn_widgets.recording.recording import Recording
from tests.benchmarks.test_core import medians, report

SAMPLES, STEPS = 16, 100
Pass = Callable[[], Any]


@pytest.fixture(autouse=True)
def two_threads() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


class Regressor(torch.nn.Module):
    """An LSTM with a linear readout at every step."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.rnn = torch.nn.LSTM(inputs, hidden, batch_first=True)
        self.head = torch.nn.Linear(hidden, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.head(self.rnn(x)[0])
        return out


def squares(out: torch.Tensor) -> torch.Tensor:
    return out.pow(2).mean()


def passes(inputs: int, hidden: int) -> tuple[Pass, Pass, Pass]:
    """A plain forward and backward, the pass alone that records it, and all it is asked for."""
    model = Regressor(inputs, hidden)
    x = torch.randn(SAMPLES, STEPS, inputs)
    parameters = list(model.parameters())

    def plain() -> None:
        torch.autograd.grad(squares(model(x)), parameters)

    def bare() -> None:
        record(model, x, squares, "rnn")

    def recorded() -> Recording:
        rec = rw.record(model, x, squares, layer="rnn")
        for part in (rec, rec.cell):
            _ = part.direct, part.carried, part.total  # type: ignore[union-attr]
        dict(rec.gradients)
        return rec

    expected = torch.autograd.grad(squares(model(x)), parameters)
    found = recorded().gradients.values()
    for mine, theirs in zip(found, expected, strict=False):
        assert torch.allclose(torch.tensor(mine), theirs, rtol=1e-3, atol=1e-6)
    return plain, bare, recorded


@pytest.mark.parametrize(
    ("inputs", "hidden", "most"), [(64, 256, "at most 3.5, 2.5 aimed at"), (6, 6, "at most 6")]
)
def test_a_recording(
    benchmark: BenchmarkFixture,
    capsys: pytest.CaptureFixture[str],
    inputs: int,
    hidden: int,
    most: str,
) -> None:
    plain, bare, recorded = passes(inputs, hidden)
    benchmark(recorded)
    calls = 1 if hidden > 6 else 5
    took = medians(benchmark, 25, calls, plain=plain, bare=bare, recorded=recorded)
    ratio, of_pass = took["recorded"] / took["plain"], took["bare"] / took["plain"]
    report(
        benchmark,
        capsys,
        f"LSTM-{hidden} N={SAMPLES} T={STEPS}, adjoints and gradients: "
        f"{took['recorded'] * 1e3:.1f} ms = {ratio:.2f} × one plain forward and backward "
        f"({most}); the recorded pass alone {of_pass:.2f} ×",
        to_plain=ratio,
        pass_alone=of_pass,
    )


def test_contributions_to_all_parameters(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, _, recorded = passes(64, 256)

    def norms() -> Any:
        rec = recorded()
        return {name: rec.contributions(name) for name in rec.gradients}

    before = getrusage(RUSAGE_SELF).ru_maxrss
    norms()
    grown = (getrusage(RUSAGE_SELF).ru_maxrss - before) / 2**20
    benchmark.pedantic(norms, rounds=1)
    took = medians(benchmark, 3, 1, plain=plain, norms=norms)
    ratio = took["norms"] / took["plain"]
    report(
        benchmark,
        capsys,
        f"LSTM-256 N={SAMPLES} T={STEPS}, recorded, and the (T, T) norms of all contributions: "
        f"{took['norms'] * 1e3:.0f} ms = {ratio:.1f} × one plain forward and backward (at most "
        f"60); the process grew by {grown:.2f} GiB (at most 2 GB)",
        to_plain=ratio,
        grown_gib=grown,
    )


def test_one_parameter_by_source_step(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, _, recorded = passes(64, 256)
    rec = recorded()

    def by_source() -> Any:
        return rec.by_source("weight_hh_l0")

    benchmark(by_source)
    took = medians(benchmark, 5, 1, plain=plain, by_source=by_source)
    ratio = took["by_source"] / took["plain"]
    report(
        benchmark,
        capsys,
        f"LSTM-256 N={SAMPLES} T={STEPS}, by_source of weight_hh_l0: "
        f"{took['by_source'] * 1e3:.0f} ms = {ratio:.2f} × one plain forward and backward",
        to_plain=ratio,
    )
