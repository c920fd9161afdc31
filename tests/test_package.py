"""The shipped artefact: built, installed outside the checkout, and used from there."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
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
    run(python, "-m", "pip", "install", "-c", ROOT / "constraints.txt", wheel, cwd=folder)
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


# Drawing a lab from `installed` belongs here.
