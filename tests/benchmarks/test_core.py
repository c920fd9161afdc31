"""What a drag costs beside torch, as ratios measured in one run; `make bench` prints them.

Each round measures every contender, so that a machine that slows down slows all of them down, and
the medians over rounds are compared. Timing decides no test.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

import rnn_widgets as rw
from rnn_widgets.network import Network

ROUNDS, CALLS = 50, 10


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Let torch use one thread, as numpy does on matrices this small."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def medians(
    benchmark: BenchmarkFixture, rounds: int, calls: int, **contenders: Callable[[], Any]
) -> dict[str, float]:
    """Median over rounds of each contender's mean seconds in a few calls on end."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    if benchmark.disabled:  # in an ordinary test run it is enough that everything runs
        rounds = calls = 1
    for _ in range(rounds):
        for name, run in contenders.items():
            start = perf_counter()
            for _ in range(calls):
                run()
            taken[name].append((perf_counter() - start) / calls)
    return {name: statistics.median(times) for name, times in taken.items()}


def report(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str], text: str, **ratios: float
) -> None:
    """Print the ratios and keep them with the benchmark's own record."""
    benchmark.extra_info.update(ratios)
    if benchmark.disabled:
        return
    with capsys.disabled():
        print(f"\n  {text}")  # noqa: T201 - this is what `make bench` is for


def pair(kind: str, hidden: int, steps: int) -> tuple[Network, Callable[[], Any], torch.nn.Module]:
    """Make a torch layer, the same network of ours, and torch's forward and backward pass."""
    torch.manual_seed(0)
    module = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM}[kind](4, hidden).double()
    x = torch.randn(steps, 4, dtype=torch.float64)
    seed = torch.randn(steps, hidden, dtype=torch.float64)
    net = rw.from_torch(module, x=x, v=seed)

    def forward_and_backward() -> None:
        module.zero_grad()
        output, _ = module(x)
        output.backward(seed)

    forward_and_backward()
    ours = net.gradients()["weight_hh_l0"]
    assert torch.allclose(torch.tensor(ours.copy()), module.weight_hh_l0.grad)
    return net, forward_and_backward, module


def after_a_drag(net: Network) -> Callable[[], Any]:
    """Replace values through the public API, nothing carried over, and read every C[t, k]."""
    moved = {name: value.copy() for name, value in net.values.items() if name in ("x", "v")}
    moved |= {name: net.values[name].copy() for name in net.program.parameters}

    def run() -> Any:
        return dict(net.replace(**moved).contributions())

    return run


def test_all_contributions_of_an_rnn(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = 12
    net, torch_pass, module = pair("rnn", 4, steps)
    x = torch.tensor(net.values["x"].copy())
    seed = torch.tensor(net.values["v"].copy())
    parameters = list(module.parameters())

    def backward_calls() -> None:
        output, _ = module(x)
        for t in range(steps):
            torch.autograd.grad(output[t], parameters, seed[t], retain_graph=True)

    ours = after_a_drag(net)
    benchmark(ours)
    took = medians(
        benchmark, ROUNDS, CALLS, ours=ours, torch=torch_pass, backward_calls=backward_calls
    )
    ratio, faster = took["ours"] / took["torch"], took["backward_calls"] / took["ours"]
    report(
        benchmark,
        capsys,
        f"RNN H=4 T=12, all C[t,k]: {took['ours'] * 1e6:.0f} µs = {ratio:.2f} × one torch forward "
        f"and backward (at most 1); {faster:.1f} × faster than T backward calls (at least 5)",
        to_torch=ratio,
        faster_than_calls=faster,
    )


def test_all_contributions_of_an_lstm(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    net, torch_pass, _ = pair("lstm", 8, 16)
    ours = after_a_drag(net)
    benchmark(ours)
    took = medians(benchmark, ROUNDS, CALLS, ours=ours, torch=torch_pass)
    ratio = took["ours"] / took["torch"]
    report(
        benchmark,
        capsys,
        f"LSTM H=8 T=16, all C[t,k]: {took['ours'] * 1e6:.0f} µs = {ratio:.2f} × one torch "
        "forward and backward (at most 2)",
        to_torch=ratio,
    )


def test_ten_ranked_terms_of_an_lstm(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    net, torch_pass, _ = pair("lstm", 8, 16)
    x = net.values["x"].copy()

    def ours() -> Any:
        return net.replace(x=x).terms("weight_hh_l0[0,1]", loss_step=15, source_step=0, top=10)

    assert len(ours()) == 10
    benchmark(ours)
    took = medians(benchmark, ROUNDS, 2, ours=ours, torch=torch_pass)
    ratio = took["ours"] / took["torch"]
    report(
        benchmark,
        capsys,
        f"LSTM H=8 T=16, ten ranked terms over 15 lags: {took['ours'] * 1e3:.1f} ms = "
        f"{ratio:.1f} × one torch forward and backward (at most 30)",
        to_torch=ratio,
    )


def test_import_beyond_numpy(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    def imported(module: str) -> Callable[[], Any]:
        command = [sys.executable, "-c", f"import numpy, {module}"]
        return lambda: subprocess.run(command, check=True)

    ours, numpy = imported("rnn_widgets"), imported("sys")
    benchmark.pedantic(ours, rounds=3)
    took = medians(benchmark, 9, 1, ours=ours, numpy=numpy)
    beyond = took["ours"] - took["numpy"]
    report(
        benchmark,
        capsys,
        f"import rnn_widgets: {beyond * 1e3:.0f} ms beyond numpy's own (at most 100)",
        beyond_numpy=beyond,
    )
