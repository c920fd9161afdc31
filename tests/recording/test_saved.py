"""Recordings in files: what is saved comes back, and what is damaged is refused."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import rnn_widgets as rw
from rnn_widgets.recording.recording import Recording

from .cases import Case, record


def test_a_file_gives_back_everything(tmp_path: Path) -> None:
    rec = record()
    rec.save(tmp_path / "rec.npz")
    same = Recording.load(str(tmp_path / "rec.npz"))
    assert repr(same) == repr(rec)
    assert same.summary() == rec.summary()
    mine, theirs = rec.to_dict(), same.to_dict()
    assert list(mine) == list(theirs)
    for name, array in mine.items():
        assert array.dtype == theirs[name].dtype
        assert (array == theirs[name]).all(), name
    for name in rec.gradients:
        assert (rec.by_source(name) == same.by_source(name)).all()
        assert (rec.contributions(name) == same.contributions(name)).all()
    one, other = (r.state_jacobians(1, 0, True).norms() for r in (rec, same))
    assert (one == other).all()
    assert not same.total.flags.writeable
    with np.load(tmp_path / "rec.npz") as held:  # numpy 2.0 takes unknown options for arrays
        assert set(held.files) == {"meta", *rec._arrays}


def test_a_file_of_a_loop_with_losses_and_nan(tmp_path: Path) -> None:
    layer = nn.RNN(2, 3, batch_first=True)
    x = torch.ones(2, 4, 2)
    x[1] = torch.nan
    rec = rw.record(layer, x, lambda out: out[0].sum((1, 2)), sample_weight=[1, 2])
    rec.save(tmp_path / "rec.npz")
    same = Recording.load(tmp_path / "rec.npz")
    assert np.isnan(same.loss)
    assert same.losses is not None
    assert rec.losses is not None
    assert np.array_equal(same.losses, rec.losses, equal_nan=True)
    assert dict(same.nonfinite) == dict(rec.nonfinite)


def rewritten(path: Path, change: Any) -> Path:
    with np.load(path) as held:
        arrays = {name: held[name] for name in held.files}
    meta = json.loads(str(arrays.pop("meta")))
    change(meta, arrays)
    np.savez(path, meta=np.array(json.dumps(meta)), **arrays)
    return path


DAMAGE = {
    "format": (lambda m, a: m.update(format="other/1"), "its format is not"),
    "no format": (lambda m, a: m.pop("format"), "format"),
    "missing": (lambda m, a: a.pop("h_l0"), "lacks 'h_l0'"),
    "shape": (lambda m, a: a.update(h_l0=a["h_l0"][1:]), r"'h_l0' has shape \(4, 3, 3\), not \(5"),
    "type": (lambda m, a: a.update(x=a["x"].astype("f4")), "'x' is of type float32"),
    "text": (lambda m, a: a.update(lengths=a["lengths"].astype(str)), "'lengths' is of type"),
    "lengths": (lambda m, a: a.update(lengths=a["lengths"] + 9), "lengths are not those"),
    "no x": (lambda m, a: a.pop("x"), "no inputs"),
    "kind": (lambda m, a: m["spec"].update(kind="CNN"), "of no kind"),
    "size": (lambda m, a: m["spec"].update(hidden_size="3"), "of no kind"),
    "sizes": (lambda m, a: m["spec"].update(num_layers=10**9), "has shape"),
    "word": (lambda m, a: m["spec"].update(colour="red"), "colour"),
    "loss": (lambda m, a: m.update(loss="low"), "'loss' is 'low'"),
    "lacking": (lambda m, a: m.pop("device"), "lacks 'device'"),
    "model's type": (lambda m, a: m.update(model_dtype=16), "'model_dtype' is 16"),
    "frozen": (lambda m, a: m.update(frozen=1), "'frozen' is 1"),
    "fed back": (lambda m, a: m.update(fed_back="no"), "'fed_back' is 'no'"),
    "cuts": (lambda m, a: m.update(cuts=[99]), "cuts are no steps"),
    "dtype": (lambda m, a: m.update(dtype="O"), "is of type float64"),
    "source": (lambda m, a: m["parameters"][0].update(sources=["w"]), "lacks 'w'"),
    "parameter": (lambda m, a: m["parameters"].append(3), "damaged"),
    "list": (lambda m, a: m.update(spec=[1]), "'spec' is"),
}


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()], ids=repr)
def test_a_save_that_fails_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    rec, path = record(), tmp_path / "rec.npz"
    rec.save(path)
    before = path.read_bytes()

    def half(file: Any, **_: Any) -> None:
        file.write(b"PK half of it")
        raise error

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(type(error)):
        rec.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["rec.npz"]


def test_a_recording_is_saved_over_an_older_one_and_through_a_link(tmp_path: Path) -> None:
    path, link = tmp_path / "rec.npz", tmp_path / "link.npz"
    path.write_bytes(b"older")
    link.symlink_to(path)
    rec = record()
    rec.save(link)
    assert link.is_symlink()
    assert (rw.Recording.load(path).total == rec.total).all()


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_file_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "rec.npz"
    record().save(path)
    change, says = DAMAGE[what]
    with pytest.raises(ValueError, match=f"is not a recording, or it is damaged: .*{says}|{says}"):
        Recording.load(rewritten(path, change))


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rec.npz"
    record().save(path)
    whole = path.read_bytes()
    pickled = io.BytesIO()
    np.savez(pickled, allow_pickle=True, meta=np.array([{"a": 1}], dtype=object))
    plain = io.BytesIO()
    np.savez(plain, a=np.ones(3))
    array = io.BytesIO()
    np.save(array, np.ones(3))
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    contents = [
        b"", b"text", whole[: len(whole) // 2], whole[:-30], pickled.getvalue(), plain.getvalue(),
        array.getvalue(), empty.getvalue(),
    ]  # fmt: skip
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is not a recording, or it is damaged: it ") as error:
            Recording.load(path)
        assert "pickle" not in str(error.value)
    with pytest.raises(FileNotFoundError):
        Recording.load(tmp_path / "none.npz")
    with pytest.raises(ValueError, match=r"one .npz file, not as '.*rec.txt'"):
        record().save(tmp_path / "rec.txt")


@pytest.mark.parametrize("seed", range(6))
def test_flipped_bytes_never_get_through_unnoticed(tmp_path: Path, seed: int) -> None:
    """A zip file has checksums: what still loads is what was saved."""
    path = tmp_path / "rec.npz"
    rec = record(Case("RNN", steps=2, samples=1))
    rec.save(path)
    rng = np.random.default_rng(seed)
    content = np.frombuffer(path.read_bytes(), np.uint8).copy()
    refused = 0
    for at in rng.integers(len(content), size=12):
        damaged = content.copy()
        damaged[at] ^= 0xFF
        path.write_bytes(damaged.tobytes())
        try:
            same = Recording.load(path)
        except ValueError as error:
            assert "is not a recording, or it is damaged" in str(error)  # noqa: PT017
            refused += 1
        else:
            assert (same.total == rec.total).all()
    assert refused > 0
