"""What a watch keeps, and its figure: directions, cell states, scales, files, and no leaks."""

from __future__ import annotations

import gc
import json
from collections import Counter
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
from torch import nn

import rnn_widgets as rw
from rnn_widgets.core.ops import Array
from rnn_widgets.recording.views.images import NOTHING
from rnn_widgets.recording.watch import Watch, watch

from .cases import close
from .samples import palette

T, N = 5, 3


class Model(nn.Module):
    """Both directions of a layer, used at different steps."""

    def __init__(self, kind: type[nn.RNNBase] = nn.LSTM, both: bool = True) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.rnn = kind(2, 4, bidirectional=both).double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.rnn(x)[0]
        used: torch.Tensor = y[-1, :, :4] ** 2
        return used.sum() + (torch.sin(y[1, :, 4:]).sum() if y.shape[-1] == 8 else 0)


def batch(seed: int = 0, steps: int = T) -> torch.Tensor:
    made = torch.Generator().manual_seed(seed)
    return torch.randn(steps, N, 2, generator=made, dtype=torch.float64)


def watched(net: nn.Module, passes: int = 4, noted: bool = True, **options: Any) -> Watch:
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    with watch(net, every=1, progress=False, show=False, **options) as w:
        for seed in range(passes):
            optimiser.zero_grad()
            loss = net(batch(seed))
            if noted:
                w.note_loss(loss)
            loss.backward()
            optimiser.step()
    return w


def norm(adjoints: Array) -> Array:
    return np.linalg.norm(adjoints, axis=(0, 2))


def test_directions_and_states_are_kept_apart() -> None:
    rec = rw.record(Model(), batch(), lambda loss: loss)
    w = watched(Model(), 2)
    assert w.cell is not None
    assert rec.cell is not None
    for part in ("direct", "carried", "total"):
        h, c = getattr(rec, part), getattr(rec.cell, part)
        for of, ends in ((w, slice(None)), (w.forward, slice(4)), (w.reverse, slice(4, None))):
            close(getattr(of, part)[0], norm(h[..., ends]), part)
            assert of.cell is not None
            close(getattr(of.cell, part)[0], norm(c[..., ends]), f"cell {part}")
    close(w.cell.reverse.total, w.reverse.cell.total, "either way")
    # The last output of a direction that runs back, and its step 1, reach different steps.
    assert (w.forward.total[0] > 0).all()
    assert (w.reverse.total[0] > 0).tolist() == [False, True, True, True, True]
    assert set(w.to_dict()) == {"passes", "losses"} | {
        f"{side}{state}{part}"
        for side in ("", "forward.", "reverse.")
        for state in ("", "cell.")
        for part in ("direct", "carried", "total")
    }


def test_one_direction_stays_simple() -> None:
    w = watched(Model(nn.GRU, both=False))
    assert w.cell is None
    close(w.forward.total, w.total, "forward")
    with pytest.raises(IndexError, match="no reverse direction: it is not bidirectional"):
        _ = w.reverse
    assert list(w.to_dict()) == ["passes", "losses", "direct", "carried", "total"]
    view = w.view()
    assert len(view.direction.options) == len(view.state.options) == 1


def test_losses_are_those_that_were_noted() -> None:
    net = Model()
    with watch(net, every=2, progress=False, show=False) as w:
        for seed in range(5):
            loss = net(batch(seed))
            if seed != 2:
                w.note_loss(loss if seed else loss.item())
            loss.backward()
    losses = [net(batch(seed)).item() for seed in (0, 4)]
    close(w.losses[[0, 2]], losses, "losses")
    assert np.isnan(w.losses[1])
    with watch(net, progress=False, show=False) as w:
        loss = net(batch())
        with pytest.raises(ValueError, match=r"the loss is one number, not of shape \(2,\)"):
            w.note_loss(torch.ones(2))
        loss.backward()
    assert np.isnan(w.losses).all()


def test_a_loss_is_that_of_its_own_pass() -> None:
    net = Model()
    with watch(net, every=1, progress=False, show=False) as w:
        for seed, noted, back in ((0, True, False), (1, True, True), (2, True, False), (3, 0, 1)):
            loss = net(batch(seed))
            if noted:
                w.note_loss(loss)
            if back:
                loss.backward()
    assert w.passes.tolist() == [1, 3]
    close(w.losses[:1], [net(batch(1)).item()], "losses")
    assert np.isnan(w.losses[1])  # nobody told it, and that of pass 2 is another
    with watch(net, every=3, progress=False, show=False) as w:
        both = torch.zeros((), dtype=torch.float64)
        for seed in (4, 5):  # two passes before one way back; only the first is recorded
            loss = net(batch(seed))
            w.note_loss(loss)
            both = both + loss
        both.backward()
    close(w.losses, [net(batch(4)).item()], "losses")


def test_of_a_stack_the_top_layer_is_watched() -> None:
    torch.manual_seed(4)
    net = nn.LSTM(2, 4, num_layers=2).double()
    rec = rw.record(net, batch(), lambda out: out[0].sum())
    with watch(net, every=1, progress=False, show=False) as w:
        net(batch())[0].sum().backward()
    for part in ("direct", "carried", "total"):
        close(getattr(w, part)[0], norm(getattr(rec, part)), part)
    assert w.cell is not None
    assert rec.cell is not None
    close(w.cell.total[0], norm(rec.cell.total), "cell total")


def heights(view: Any, part: str) -> tuple[Array, Array]:
    """The numbers that a curve shows, one panel after the other."""
    line = view._lines[part]
    low, high = np.log10(view._height.low), np.log10(view._height.high)
    y = np.asarray(line.y, float)[:-2]
    return np.asarray(line.x)[:-2], 10 ** ((y + 1) / 2 * (high - low) + low)


@pytest.mark.parametrize("scale", ["absolute", "largest", "loss"])
@pytest.mark.parametrize("state", ["h", "c"])
def test_the_figure_shows_what_its_switches_say(scale: str, state: str) -> None:
    w = watched(Model())
    view = w.view()
    view.scale.value, view.state.value, view.moment.value = scale, state, 1
    of = w if state == "h" else w.cell
    assert of is not None
    for direction in ("forward", "reverse"):
        view.direction.value = direction
        side = getattr(of, direction)
        by = {"absolute": 1.0, "largest": side.total[1].max(), "loss": abs(w.losses[1])}[scale]
        for part in ("direct", "carried", "total"):
            expected = getattr(side, part)[1] / by
            x, shown = heights(view, part)
            assert x.tolist() == [1, 2, 3, 4, 5]
            np.testing.assert_allclose(shown[expected > 0], expected[expected > 0], rtol=1e-5)
    relative = {"absolute": "", "largest": " ÷ the pass's largest", "loss": " ÷ the loss"}[scale]
    assert view.curves.figure.title == f"adjoints of {state}ₜ{relative} in pass 1"
    assert view.map.figure.title == f"‖∂L/∂{state}ₜ‖{relative} as training goes"


def test_both_directions_stand_beside_one_another() -> None:
    view = watched(Model()).view()
    assert view.direction.value == "both"
    x, _ = heights(view, "total")
    # One step is left blank between five and five.
    np.testing.assert_array_equal(x, [1, 2, 3, 4, 5, np.nan, 7, 8, 9, 10, 11])
    drawn = palette(bytes(view._image.image.value))
    assert drawn.shape == (4, 11)
    assert (drawn[:, 5] == NOTHING).all()
    w = view._watch
    for columns, side in ((slice(5), w.forward), (slice(6, None), w.reverse)):
        assert ((drawn[:, columns] > NOTHING // 2) == (side.total > 0)).all()
    assert list(view.curves._captions.text) == ["forward", "reverse"]
    total = side.total[2, 3]
    assert view._read_map(10.2, 2.4).startswith("pass 2 · t = 4 (step 3) · reverse · norm: total")
    assert f"{total:.3g}" in view._read_map(10.2, 2.4)
    assert view._read_map(6.0, 2.0) == view._read_map(3.0, 9.0) == ""
    assert "direct" in view._read_curves(10.2, 0.0)
    steps = view.curves._foot.steps
    assert (steps["count"], steps["pitch"], steps["repeats"]) == (5, 6, 2)


def test_a_loss_that_nobody_told() -> None:
    w = watched(Model(), noted=False, scale="loss")
    view = w.view()
    assert "watch.note_loss(loss)" in view.map._foot.note
    assert not view._lines["total"].visible
    view.scale.value = "absolute"
    assert view._lines["total"].visible
    assert not view.map._foot.note
    assert len(watched(Model(), noted=False).view().scale.options) == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"scale": "relative"}, "scale 'relative'"),
        ({"direction": "backward"}, "direction 'backward'"),
    ],
)
def test_refusals(options: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        watch(Model(), **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"direction 'reverse'.*forward"):
        watch(Model(both=False), direction="reverse")


def test_saved_and_loaded(tmp_path: Path) -> None:
    net = Model()
    with watch(net, every=1, progress=False, show=False) as w:
        for steps in (3, 5):
            net(batch(1, steps)).backward()
    w.save(tmp_path / "w.npz")
    same = rw.Watched.load(tmp_path / "w.npz")
    for (name, mine), theirs in zip(w.to_dict().items(), same.to_dict().values(), strict=True):
        np.testing.assert_array_equal(mine, theirs, err_msg=name)
    assert same.steps.tolist() == [3, 5]
    assert repr(same) == "Watched('rnn', 2 recorded)"
    assert same.view().curves.figure.title == w.view().curves.figure.title


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    watched(Model()).save(path)
    held = dict(np.load(path))
    for name, array in (
        ("norms.total", held["norms.total"][1:]),
        ("steps", held["steps"] * 0),
        ("losses", held["losses"][1:]),
        ("meta", np.array(json.dumps({"format": "rnn_widgets.recording/1"}))),
    ):
        np.savez(path, **(held | {name: array}))
        with pytest.raises(ValueError, match="is not a watched training, or it is damaged"):
            rw.Watched.load(path)
    np.savez(path, **held)
    with pytest.raises(ValueError, match="is not a recording, or it is damaged: its format"):
        rw.Recording.load(path)
    with pytest.raises(ValueError, match=r"one \.npz file, not as"):
        rw.Watched.load(tmp_path / "w.txt")


# Widgets that stay


def there() -> Counter[str]:
    """How many widgets of each kind there are; ipywidgets never closes layouts and styles."""
    gc.collect()
    names = (type(one).__name__ for one in ipywidgets.widgets.widget._instances.values())
    return Counter(name for name in names if not name.endswith(("Layout", "Style")))


class Notebook:
    """A notebook that tells which cell is run, for what looks at that."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run = ("", "0")
        monkeypatch.setattr("rnn_widgets.widgets.sync.current_cell", lambda: self.run)

    def cell(self, name: str, act: Any) -> Any:
        self.run = (f"{name} of {id(self)}", str(int(self.run[1]) + 1))
        return act()


def figures() -> list[Any]:
    rec = rw.record(Model(), batch(), lambda loss: loss)
    return [rec.features_1d(), rec.flow(), rec.histogram()]


@pytest.mark.parametrize("act", [figures, lambda: watched(Model()).view()])
def test_a_cell_that_is_run_again_leaves_no_widgets(
    act: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook, kept = Notebook(monkeypatch), []
    before, counts = there(), []
    for _ in range(3):
        kept.append(notebook.cell("one", act))  # as Out[1], Out[2] and Out[3] of IPython do
        counts.append(there() - before)
    assert counts[0]["Selection"] == 1
    assert counts[0] == counts[1] == counts[2]


def test_a_selection_stays_while_another_cell_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook(monkeypatch)
    rec = rw.record(Model(), batch(), lambda loss: loss)
    before = there()
    kept = notebook.cell("one", rec.features_1d)
    other = notebook.cell("two", rec.flow)
    selection = rec.selection
    selection.sample = 2
    again = notebook.cell("one", rec.features_1d)
    assert kept.comm is None
    assert rec.selection is selection is again.selection is other.selection
    again.close()
    assert selection.comm is not None
    other.close()
    assert selection.comm is None
    assert there() - before == Counter()
    assert rec.features_1d().selection.sample == 2  # what was chosen is not lost


def test_a_selection_goes_with_its_recording() -> None:
    before = there()
    rec = rw.record(Model(), batch(), lambda loss: loss)
    rec.selection.control("sample")
    assert (there() - before)["Selection"] == 1
    del rec
    assert there() - before == Counter()
