"""What a reader waits for before the first cell can run."""

import subprocess
import sys

from pytest_benchmark.fixture import BenchmarkFixture


def test_importing_the_package(benchmark: BenchmarkFixture) -> None:
    command = [sys.executable, "-I", "-c", "import rnn_widgets"]
    benchmark.pedantic(lambda: subprocess.run(command, check=True), rounds=5)
