"""Every example in a docstring runs, and imports stay as light as promised."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rnn_widgets as rw
from rnn_widgets.core.gradients import Gradients
from rnn_widgets.core.jacobians import StateJacobians
from rnn_widgets.core.paths import Term, Terms
from rnn_widgets.core.results import Adjoints, Contributions, StateAdjoints, Trace
from rnn_widgets.interop.witness import Report
from rnn_widgets.network import Network

PACKAGE = [
    rw.__name__,
    *(m.name for m in pkgutil.walk_packages(rw.__path__, rw.__name__ + ".")),
]


@pytest.mark.parametrize("name", PACKAGE)
def test_docstring_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name), raise_on_error=False)
    assert result.failed == 0


def test_each_public_method_of_a_network_has_an_example() -> None:
    public = [m for n, m in inspect.getmembers(Network) if not n.startswith("_")]
    readers = [rw.from_torch, rw.from_keras, rw.from_flux]
    makers = [rw.rnn, rw.gru, rw.lstm, rw.custom, rw.cell, *readers]
    written = [m for m in (*public, *makers) if callable(m) or isinstance(m, property)]
    assert len(written) > 18
    for method in written:
        assert ">>>" in (inspect.getdoc(method) or ""), method


RESULTS = (
    Adjoints,
    Contributions,
    Gradients,
    Report,
    StateAdjoints,
    StateJacobians,
    Term,
    Terms,
    Trace,
)
METHODS = {
    Contributions: ("by_lag", "by_loss", "by_source", "norm"),
    StateJacobians: ("blocks", "product", "singular_values"),
    rw.ops: tuple(rw.ops.__all__),
}
DOCUMENTED = [
    *RESULTS,
    *(getattr(of, name) for of, names in METHODS.items() for name in names),
]


@pytest.mark.parametrize("documented", DOCUMENTED, ids=lambda it: it.__qualname__)
def test_results_and_operations_have_examples_that_are_run(documented: Any) -> None:
    assert documented.__module__ in PACKAGE
    found = doctest.DocTestFinder(recurse=False).find(documented)
    assert sum(len(test.examples) for test in found) > 1


@pytest.mark.parametrize("also", ["", "; rw.lstm(1, 2, 3).replace(h0=[1, 2]).contributions()"])
def test_importing_and_computing_load_neither_torch_nor_widgets(also: str) -> None:
    code = (
        f"import sys, rnn_widgets as rw{also}\n"
        "heavy = {'torch', 'ipywidgets', 'bqplot', 'anywidget', 'traitlets', 'IPython', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_core_needs_nothing_but_numpy() -> None:
    allowed = {"numpy", *sys.stdlib_module_names}
    files = sorted((Path(rw.__file__).parent / "core").glob("*.py"))
    assert len(files) > 10
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level <= 1, f"{file.name} imports from outside the core"
                names = [] if node.level else [node.module or ""]
            assert {name.split(".")[0] for name in names} <= allowed, file.name
