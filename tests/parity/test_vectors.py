"""The committed test vectors are what the numpy engine computes today."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
with pytest.MonkeyPatch.context() as patch:  # its neighbours are found as when it is run
    patch.syspath_prepend(HERE)
    MODULE = runpy.run_path(str(HERE / "vectors.py"))
FOLDER: Path = MODULE["FOLDER"]
FAMILIES = sorted(
    path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.json")
)


@pytest.fixture(scope="module")
def generated() -> dict[str, list[dict[str, Any]]]:
    return MODULE["generate"]()


def test_files(generated: dict[str, Any]) -> None:
    assert set(FAMILIES) == set(generated)


@pytest.mark.parametrize("family", FAMILIES)
def test_vectors(generated: dict[str, Any], family: str) -> None:
    committed = json.loads((FOLDER / f"{family}.json").read_text(encoding="utf-8"))
    _compare(committed, json.loads(MODULE["text"](generated[family])), family)


def _compare(old: Any, new: Any, where: str) -> None:
    if isinstance(new, dict) and {"scale", "values"} <= set(new):
        # The last bits differ among BLAS builds.
        assert new["scale"] == pytest.approx(old["scale"], rel=0.02), where
        assert new["values"] == pytest.approx(old["values"], rel=0, abs=1e-12 * old["scale"]), where
        old, new = (
            {k: v for k, v in d.items() if k not in ("scale", "values")} for d in (old, new)
        )
    if isinstance(new, dict):
        assert list(old) == list(new), where
        for key in new:
            _compare(old[key], new[key], f"{where}/{key}")
    elif isinstance(new, list):
        assert len(old) == len(new), where
        for i, (was, now) in enumerate(zip(old, new, strict=True)):
            _compare(was, now, f"{where}/{i}")
    else:
        assert old == new, f"{where}: run python tests/parity/vectors.py"
