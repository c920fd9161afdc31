"""The shipped artefact: built, installed outside the checkout, and used from there."""

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .conftest import OpenNotebook, Server

ROOT = Path(__file__).parents[2]
BUNDLE = "rnn_widgets/static/lab.js"


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hold the sdist made from the checkout and the wheel made from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an environment of its own and give its Python."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    (wheel,) = dist.glob("*.whl")
    pinned = ("-c", ROOT / "constraints.txt")
    run(python, "-m", "pip", "install", *pinned, wheel, cwd=folder)
    return python


def test_sdist_and_wheel_carry_the_bundle_as_built(dist: Path) -> None:
    built = (ROOT / BUNDLE).read_bytes()
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(BUNDLE) == built
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(f"{sdist.name.removesuffix('.tar.gz')}/{BUNDLE}")
        assert member is not None
        assert member.read() == built


def test_importing_loads_neither_torch_nor_widgets(installed: Path) -> None:
    code = (
        "import sys, rnn_widgets; print(rnn_widgets.__file__);"
        "print(*sorted({'torch', 'ipywidgets', 'anywidget', 'bqplot'} & set(sys.modules)))"
    )
    where, _, loaded = run(installed, "-I", "-c", code, cwd=installed.parent).partition("\n")
    assert not Path(where).is_relative_to(ROOT)
    assert loaded == ""


def test_the_installed_wheel_draws_a_lab(
    installed: Path, lab_server: Server, open_lab: Callable[..., OpenNotebook]
) -> None:
    # JupyterLab comes from the checkout's environment; the kernel, and with it the bundle, from
    # the wheel.
    pinned = ("-c", ROOT / "constraints.txt")
    run(installed, "-m", "pip", "install", *pinned, "ipykernel", cwd=installed.parent)
    spec = lab_server.root.parent / "data" / "kernels" / "installed" / "kernel.json"
    spec.parent.mkdir(parents=True)
    argv = [str(installed), "-I", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec.write_text(json.dumps({"argv": argv, "display_name": "wheel", "language": "python"}))
    code = """
import rnn_widgets as rw
from ipywidgets import VBox
lab = rw.Lab(rw.rnn(2, 3, 4))
VBox([lab.slider("weight_hh_l0[0,1]"), lab.heatmap(), lab.table()])
"""
    notebook = open_lab("wheel.ipynb", code, kernel="installed")
    assert not Path(notebook.python("rw.__file__")).is_relative_to(ROOT)
    expect(notebook.page.locator(".heatmapcell")).to_have_count(16)
    notebook.handle("weight_hh_l0[0,1]").focus()
    notebook.page.keyboard.press("End")
    expect(notebook.page.locator("[data-witness='autograd']")).to_contain_text("✓")
