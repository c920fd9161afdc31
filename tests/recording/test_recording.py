"""What a recording answers: names, text, files, and the network of one sample."""

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

from .cases import Case, Model, close

BOTH = Case("LSTM", layers=2, directions=2, lengths=(3, 5, 1), uses=("all",))


def record(case: Case = BOTH) -> Recording:
    model = Model(case)
    return rw.record(model, (), model.loss, layer="rnn")


def test_every_quantity_has_a_name_and_axes_of_its_own() -> None:
    rec = record()
    sizes = {
        "sample": 3, "step": 5, "input": 2, "unit": 6, "source step": 5, "loss step": 5,
        "layer and direction": 4,
    }  # fmt: skip
    named = {
        "direct": rec.direct,
        "cell.total": rec.cell.total,  # type: ignore[union-attr]
        "inputs": rec.inputs,
        "outputs": rec.outputs,
        "gates.i.adjoints": rec.gates["i"].adjoints,
        "layers[0].carried": rec.layers[0].carried,
        "layers[1].gates.o.values": rec.gates["o"].values,
        "gradients[weight_hh_l0]": rec.gradients["weight_hh_l0"],
        "by_source[weight_ih_l1_reverse]": rec.by_source("weight_ih_l1_reverse"),
        "contributions[bias_hh_l1]": rec.contributions("bias_hh_l1"),
        "initial[c0]": rec.initial["c0"],
        "weights[bias_ih_l0]": rec.weights["bias_ih_l0"],
    }
    for name, array in named.items():
        quantity = rec.quantity(name)
        assert (quantity.values == array).all(), name
        assert len(quantity.axes) == array.ndim
        for axis, size in zip(quantity.axes, array.shape, strict=True):
            assert size == sizes.get(axis, size) or name == "initial[c0]", (name, axis)
    assert rec.quantity("layers[0].cell.direct").label == "layer 0: direct adjoint of c"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("totl", "no quantity 'totl'; did you mean 'total'"),
        ("gates.j.values", "did you mean 'gates.[ifgo].values'"),
        ("layers[7].total", r"did you mean 'layers\[[01]\].total'.*layers\[0\].direct and so on"),
        ("gradients[weight_hh]", r"did you mean 'gradients\[weight_hh_l[01]"),
        (
            "weight_hh_l0",
            r"did you mean 'weights\[weight_hh_l0\]' or 'gradients\[weight_hh_l0\]'",
        ),
    ],
)
def test_an_unknown_quantity_names_the_nearest(name: str, says: str) -> None:
    with pytest.raises(KeyError, match=says):
        record().quantity(name)
    with pytest.raises(TypeError, match="named by text"):
        record().quantity(3)  # type: ignore[arg-type]


def test_only_an_lstm_has_a_cell() -> None:
    rec = record(Case("GRU"))
    assert rec.cell is None
    assert "c0" not in rec.initial
    with pytest.raises(KeyError, match=r"no quantity 'cell\.total'"):
        rec.quantity("cell.total")


@pytest.mark.parametrize("method", ["by_source", "contributions"])
def test_an_unknown_parameter_names_the_nearest(method: str) -> None:
    with pytest.raises(KeyError, match="no parameter 'weight_hh'; did you mean 'weight_hh_l"):
        getattr(record(), method)("weight_hh")
    with pytest.raises(KeyError, match="no gate 'z'"):
        record().gates["z"]
    with pytest.raises(KeyError, match="no initial state 'h'; did you mean 'h0'"):
        record().initial["h"]


def test_text_is_the_same_every_time() -> None:
    rec, again = record(), record()
    assert rec.summary() == again.summary()
    assert (
        repr(rec)
        == repr(again)
        == (f"Recording('rnn', LSTM, 3 samples × 5 steps × 3 units, train, loss={rec.loss:.4g})")
    )
    assert "\n" not in repr(rec)
    alone = rw.record(nn.RNN(1, 1), torch.ones(1, 1, 1), lambda out: out[0].sum())
    assert "1 sample × 1 step × 1 unit," in repr(alone)


def test_a_summary_says_what_was_recorded() -> None:
    layer = nn.RNN(1, 1, nonlinearity="relu", bias=False)
    with torch.no_grad():
        layer.weight_ih_l0.fill_(1)
        layer.weight_hh_l0.fill_(2)
    rec = rw.record(nn.ModuleList([layer]).eval()[0], torch.ones(3, 1, 1), lambda o: o[0][-1].sum())
    assert (
        rec.summary()
        == """\
RNN
  1 sample × 3 steps × 1 unit × 1 layer, float32 on cpu
  recorded in eval mode, loss 7

going back in time  nearest the loss  farthest     each step back
total               1 at step 2       4 at step 0  × 2, grows: doubles every 1 step

adjoint of h  norm  first step  last step
direct        1     0           1
carried       4.47  4           0
total         4.58  4           1

gradient      shape   norm
weight_ih_l0  (1, 1)  7
weight_hh_l0  (1, 1)  5"""
    )


def test_a_summary_says_which_mode_lengths_and_calls() -> None:
    model = Model(BOTH)
    model.rnn.eval()
    text = rw.record(model, (), model.loss, layer="rnn").summary()
    assert "recorded in train mode (the layer in eval mode)" in text
    assert "both directions" in text
    assert "lengths from 1 to 5" in text


def test_numbers_that_are_not_finite_are_told_with_their_place() -> None:
    x = torch.ones(6, 3, 2)
    x[2, 1, 0] = torch.inf
    x[4, 2, 1] = torch.nan
    layer = nn.RNN(2, 3, nonlinearity="relu")
    rec = rw.record(layer, x, lambda out: out[0].sum())
    assert rec.nonfinite["x"].count == 2
    assert (rec.nonfinite["x"].sample, rec.nonfinite["x"].step) == (1, 2)
    assert rec.nonfinite["outputs"].step == 2
    assert rec.nonfinite["loss"].count == 1
    assert rec.nonfinite["gradients[weight_ih_l0]"].step is None
    assert not np.isfinite(rec.loss)
    assert "x: 2 not finite, first at sample 1, step 2" in rec.summary()
    assert "loss: 1 not finite" in rec.summary()
    with pytest.raises(ValueError, match="of sample 1 is not finite"):
        rec.network(1)
    assert record().nonfinite == {}
    assert "not finite" not in record().summary()


def test_a_loss_that_explodes_marks_adjoints_only() -> None:
    rec = rw.record(nn.GRU(2, 3), torch.ones(4, 2, 2), lambda out: (out[0] * 1e30).pow(2).sum())
    assert "outputs" not in rec.nonfinite
    assert rec.nonfinite["total"].count == rec.total.size
    assert np.isnan(rec.contributions("weight_hh_l0")).any()


# Files


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


# One sample as a network


@pytest.mark.parametrize(
    "case",
    [
        Case("RNN", layers=2, states="given"),
        Case("RNN", "relu", bias=False, directions=2),
        Case("GRU", layers=2, directions=2, lengths=(2, 5, 3), states="given"),
        Case("LSTM", states="given", uses=("last",)),
        Case("LSTM", uses=("h_n",)),
    ],
    ids=repr,
)
def test_networks_of_all_samples_share_the_gradient(case: Case) -> None:
    rec = record(case)
    nets = [rec.network(n) for n in range(rec.samples)]
    for name, gradient in rec.gradients.items():
        close(gradient, sum(net.gradients()[name] for net in nets), name)
    for n, net in enumerate(nets):
        steps = net.program.seq_len
        assert steps == (case.lengths[n] if case.lengths else 5)
        close(rec.inputs[n, :steps], net.gradients()["x"], "x")
        close(rec.outputs[n, :steps], net.forward().output, "outputs")
        close(rec.initial["h0"][:, n].reshape(net.values["h0"].shape), net.gradients()["h0"], "h0")


def test_the_explorer_opens_a_sample() -> None:
    rec = record(Case("GRU", states="given"))
    explorer = rec.explore(2, panels=["table"])
    assert (explorer.net.values["x"] == rec.x[2]).all()
    assert (explorer.net.values["v"] == rec.direct[2]).all()
    assert (explorer.net.values["weight_hh_l0"] == rec.weights["weight_hh_l0"]).all()
    explorer.lab.close()


@pytest.mark.parametrize(
    ("sizes", "steps"), [((2, 17), 4), ((2, 3), 33), ((65, 3), 4)], ids=["H", "T", "I"]
)
def test_the_explorer_refuses_what_it_cannot_draw(sizes: tuple[int, int], steps: int) -> None:
    rec = rw.record(nn.RNN(*sizes), torch.ones(steps, 1, sizes[0]), lambda out: out[0].sum())
    says = (
        "draws up to 16 units, 32 steps and 64 inputs; this layer has "
        f"{sizes[1]} units, {steps} steps and {sizes[0]} inputs"
    )
    with pytest.raises(ValueError, match=says):
        rec.explore()
    assert rec.network().program.seq_len == steps


@pytest.mark.parametrize(
    ("case", "says"),
    [
        (Case(proj=2), "proj_size=2; networks here have no projection"),
        (Case(layers=2, dropout=0.5), "dropped out outputs .* eval mode"),
        (Case(uses=("c_n",)), "reaches c of a layer otherwise than through the layer's outputs"),
        (Case("GRU", layers=2, uses=("h_n",)), "reaches h of a layer otherwise"),
    ],
    ids=repr,
)
def test_no_network_is_made_of_what_networks_have_not(case: Case, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        record(case).network()


@pytest.mark.parametrize("method", ["network", "explore", "state_jacobians"])
def test_samples_that_do_not_exist(method: str) -> None:
    with pytest.raises(IndexError, match="sample 3 does not exist: 0 to 2"):
        getattr(record(), method)(3)
    with pytest.raises(TypeError, match="sample must be a whole number"):
        getattr(record(), method)(True)
