"""Watching a layer during training: the numbers, and that the loop does not notice."""

from __future__ import annotations

import copy
import gc
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
from torch import nn

import rnn_widgets as rw
from rnn_widgets.interop.capture.calls import Call
from rnn_widgets.recording.views.images import NOT_FINITE, NOTHING
from rnn_widgets.recording.watch import watch

from .samples import palette

T, N = 5, 3


class Model(nn.Module):
    """The last output of a recurrent layer through a linear one."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.rnn = layer
        self.out = nn.Linear(4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.out(self.rnn(x)[0][-1])
        return made


class Loop(nn.Module):
    """A cell called by hand."""

    def __init__(self, between: float = 1.0) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(2, 4)
        self.between = between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        state = None
        for step in x:
            h, c = self.cell(step, state)
            state = (h, c) if self.between == 1 else (h * self.between, c)
        return h


def model(kind: str = "GRU") -> Model:
    torch.manual_seed(4)
    return Model(getattr(nn, kind)(2, 4)).double()


def batches(count: int, steps: int = T) -> list[torch.Tensor]:
    made = torch.Generator().manual_seed(7)
    return [torch.randn(steps, N, 2, generator=made, dtype=torch.float64) for _ in range(count)]


def trained(net: nn.Module, data: list[torch.Tensor]) -> list[float]:
    """A loop of a user's own; the losses."""
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    losses = []
    for x in data:
        optimiser.zero_grad()
        loss = (net(x) ** 2).mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_norms_are_those_of_single_recordings(kind: str) -> None:
    data = batches(5)
    watched, single = model(kind), model(kind)
    with watch(watched, every=2, progress=False, show=False) as w:
        losses = trained(watched, data)
    np.testing.assert_array_equal(w.passes, [0, 2, 4])
    optimiser = torch.optim.SGD(single.parameters(), lr=0.1)
    for number, x in enumerate(data):
        if number % 2 == 0:
            rec = rw.record(single, x, lambda out: (out**2).mean())
            for name in ("direct", "carried", "total"):
                expected = np.linalg.norm(getattr(rec, name).swapaxes(0, 1).reshape(T, -1), axis=1)
                found = getattr(w, name)[number // 2]
                np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)
        optimiser.zero_grad()
        loss = (single(x) ** 2).mean()
        assert loss.item() == pytest.approx(losses[number], rel=1e-12)
        loss.backward()
        optimiser.step()


def test_training_takes_the_same_way() -> None:
    data = batches(12)
    watched, alone = model(), model()
    with watch(watched, "rnn", every=3, progress=False, show=False):
        trained(watched, data)
    trained(alone, data)
    for (name, a), b in zip(watched.named_parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-13, msg=name)


def test_the_model_is_left_as_it_was() -> None:
    net = model()
    hooks = len(net._forward_hooks), len(net._forward_pre_hooks)
    with watch(net, progress=False, show=False) as w:
        trained(net, batches(2))
        assert w.overhead > 0
    assert "forward" not in net.rnn.__dict__

    def broken() -> None:
        with watch(net, progress=False, show=False):
            net(batches(1)[0])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert "forward" not in net.rnn.__dict__
    assert (len(net._forward_hooks), len(net._forward_pre_hooks)) == hooks
    with pytest.raises(RuntimeError, match="has been used"), w:
        pass


def test_only_passes_with_a_way_back_are_recorded() -> None:
    net = model()
    data = batches(6)
    with watch(net, every=1, progress=False, show=False) as w:
        trained(net, data[:2])
        net.eval()
        net(data[2])
        net.train()
        with torch.no_grad():
            net(data[3])
        net(data[4])  # counted, but no backward pass comes to it
        trained(net, data[5:])
    np.testing.assert_array_equal(w.passes, [0, 1, 3])
    assert 0 < w.overhead < 1


def test_sequences_of_other_lengths_end_earlier() -> None:
    net = model()
    with watch(net, every=1, progress=False, show=False) as w:
        trained(net, [*batches(1, 3), *batches(1, 5)])
    assert w.total.shape == (2, 5)
    assert np.isnan(w.total[0, 3:]).all()
    assert np.isfinite(w.total[0, :3]).all()
    assert np.isfinite(w.total[1]).all()
    assert set(w.to_dict()) == {"passes", "losses", "direct", "carried", "total"}
    view = w.view()
    (line, *_) = view.curves.figure.marks
    np.testing.assert_array_equal(line.x[:-2], [1, 2, 3, 4, 5])
    assert np.isfinite(line.y[:-2]).all()
    view.moment.value = 0
    assert np.isfinite(line.y[:-2]).tolist() == [True, True, True, False, False]


def test_a_cell_called_by_hand() -> None:
    torch.manual_seed(1)
    net = Loop().double()
    (x,) = batches(1)
    rec = rw.record(net, x, lambda out: (out**2).mean())
    with watch(net, progress=False, show=False) as w:
        (net(x) ** 2).mean().backward()
    expected = np.linalg.norm(rec.carried.swapaxes(0, 1).reshape(T, -1), axis=1)
    np.testing.assert_allclose(w.carried[0], expected, rtol=1e-12)


def test_a_state_changed_between_calls_is_refused() -> None:
    net = Loop(0.5).double()
    with pytest.raises(ValueError, match="state is changed in between"):  # noqa: SIM117
        with watch(net, progress=False, show=False):
            trained(net, batches(2))
    assert "forward" not in net.cell.__dict__


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"layer": "rnm"}, KeyError, "rnn"),
        ({"every": 0}, ValueError, "every"),
        ({"every": 2.5}, TypeError, "every"),
    ],
)
def test_refusals(options: dict[str, object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        watch(model(), **options)  # type: ignore[arg-type]


def test_tqdm_counts_the_passes(capsys: pytest.CaptureFixture[str]) -> None:
    net = model()
    with watch(net, total=4, show=False):
        trained(net, batches(4))
    shown = capsys.readouterr().err
    assert "watching rnn" in shown
    assert "4/4" in shown


def test_the_view_shows_a_moment_and_follows_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnn_widgets.recording.watch_view.SECONDS", 0.0)
    net = model()
    w = watch(net, every=1, progress=False, show=False)
    view = w.view()
    assert w.view() is view
    assert repr(view) == "WatchView('nothing recorded yet')"
    curves = view.curves.figure
    data = batches(7)
    with w:
        trained(net, data[:4])
        assert curves.title == "adjoints of hₜ in pass 2"  # the last one comes with the next
        view.moment.value = 1
        trained(net, data[4:])
        assert view.moment.value == 1
    assert (view.moment.max, view.moment.value) == (6, 1)
    assert repr(view) == "WatchView('pass 1 of 6')"
    everything = np.concatenate([w.total, w.carried, w.direct])
    low = np.floor(np.log10(everything[everything > 0].min())) - 1  # where zero stands
    high = np.ceil(np.log10(everything.max()))
    for part, line in zip(("total", "carried", "direct"), curves.marks[:3], strict=True):
        numbers = getattr(w, part)[1]
        heights = np.log10(np.where(numbers > 0, numbers, 10**low))
        np.testing.assert_allclose(line.y[:-2], 2 * (heights - low) / (high - low) - 1, atol=1e-6)
    view.moment.value = 6
    assert curves.title == "adjoints of hₜ in pass 6"
    np.testing.assert_array_equal(view.map.figure.marks[1].y, [6, 6])


def test_a_copy_of_a_watched_model_is_its_own(tmp_path: Path) -> None:
    """As loops keep the best model: it is not watched, and has its own weights."""
    net, x = model(), batches(1)[0]
    path = tmp_path / "model.pt"
    with watch(net, every=2, progress=True, show=False) as w:
        net(x).sum().backward()
        net.zero_grad()
        copied = copy.deepcopy(net)
        torch.save(net, path)
        expected = net(x)
        for other in (copied, torch.load(path, weights_only=False)):
            assert torch.equal(other(x), expected)
        with torch.no_grad():
            net.rnn.weight_hh_l0.zero_()
        assert torch.equal(copied(x), expected)
    assert w.passes.tolist() == [0]


def test_nothing_is_held_after_an_error_in_the_loop() -> None:
    net, x = Loop(), batches(1)[0].float()
    w = watch(net, every=1, progress=False, show=False)
    w.__enter__()
    net(x).sum().backward()
    w.__exit__(KeyboardInterrupt)
    gc.collect()
    assert not [thing for thing in gc.get_objects() if type(thing) is Call]
    assert w.passes.tolist() == []


def test_calls_that_are_no_sequence_are_refused() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(2, 4, bidirectional=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self.rnn(x)[0].sum() - self.rnn(2 * x)[0].sum()
            return made

    net, x = Twice(), batches(1)[0].float()
    says = "'rnn' is called 2 times in a pass and with two directions"
    with pytest.raises(ValueError, match=says), watch(net, every=1, progress=False, show=False):
        net(x).backward()
    assert "forward" not in net.rnn.__dict__


def test_the_view_marks_nan_and_not_the_end_of_shorter_sequences() -> None:
    net = model()
    with watch(net, every=1, progress=False, show=False) as w:
        net(batches(1)[0]).sum().backward()
        net(batches(1, 3)[0]).sum().backward()
        with torch.no_grad():
            net.rnn.weight_hh_l0[0, 0] = torch.nan
        net(batches(1)[0]).sum().backward()
    assert w.steps.tolist() == [5, 3, 5]
    lost = ~np.isfinite(w.total[2])
    assert 0 < lost.sum() < T
    view = w.view()
    heat_map, curves = view.map.figure, view.curves.figure
    assert heat_map.title.endswith(f"{lost.sum()} NaN")
    drawn = palette(bytes(heat_map.marks[0].image.value))
    assert (drawn == NOT_FINITE).tolist() == [[False] * T, [False] * T, lost.tolist()]
    assert (drawn[1, 3:] == NOTHING).all()
    assert "NaN" in curves.title
    alarm = curves.marks[3]
    assert alarm.visible
    assert alarm.x[:-2:3].tolist() == (np.flatnonzero(lost) + 1.0).tolist()
    view.moment.value = 1
    assert "NaN" not in curves.title
    assert not alarm.visible


def test_a_closed_view_leaves_nothing_and_makes_room_for_another() -> None:
    net = model()
    with watch(net, every=1, progress=False, show=False) as w:
        trained(net, batches(2))
    before = set(ipywidgets.widgets.widget._instances)
    view = w.view()
    view.close()
    left = set(ipywidgets.widgets.widget._instances) - before
    names = {type(ipywidgets.widgets.widget._instances[one]).__name__ for one in left}
    # Layouts and styles are never closed by ipywidgets itself.
    assert {name for name in names if not name.endswith(("Layout", "Style"))} == set()
    assert w.view() is not view
    assert w.view().comm is not None


def test_a_recording_while_watching_is_no_pass_of_the_loop() -> None:
    net, (x, y) = model(), batches(2)
    alone = rw.record(net, y, torch.Tensor.sum)
    with watch(net, every=1, progress=False, show=False) as w:
        net(x).sum().backward()
        between = rw.record(net, y, torch.Tensor.sum)
        net(x).sum().backward()
    assert (between.total == alone.total).all()
    assert w.passes.tolist() == [0, 1]
    assert (w.total[0] == w.total[1]).all()


def test_two_layers_are_watched_at_once_and_none_twice() -> None:
    net, x = (
        nn.Sequential(Loop(), nn.Flatten(), nn.Unflatten(1, (1, 4)), nn.GRU(4, 2)),
        batches(1)[0],
    )
    with watch(net, "0.cell", every=1, progress=False, show=False) as one:
        with watch(net, "3", every=1, progress=False, show=False) as other:
            net(x.float())[0].sum().backward()
        with pytest.raises(ValueError, match=r"'0\.cell' is being watched already"):
            watch(net, "0.cell", progress=False, show=False).__enter__()
    assert (len(one.passes), len(other.passes)) == (1, 1)
    assert not net._forward_pre_hooks


def test_a_layer_that_is_the_model_is_watched_and_copied() -> None:
    layer, x = nn.GRU(2, 4), batches(1)[0].float()
    with watch(layer, every=1, progress=False, show=False) as w:
        layer(x)[0].sum().backward()
        copied = copy.deepcopy(layer)
        alone = rw.record(layer, x, lambda out: out[0].sum())
        of_copy = rw.record(copied, x, lambda out: out[0].sum())
    assert (w.passes.tolist(), w.total.shape) == ([0], (1, T))
    np.testing.assert_allclose(w.total[0], np.linalg.norm(alone.total, axis=(0, 2)), rtol=1e-6)
    assert (of_copy.total == alone.total).all()
    with watch(copied, every=1, progress=False, show=False) as again:
        copied(x)[0].sum().backward()
    assert (again.total == w.total).all()
    assert "forward" not in layer.__dict__


@pytest.mark.parametrize(
    ("loop", "said"),
    [
        (lambda net, x: net.eval()(x).sum().backward(), "in eval mode or without gradients only"),
        (lambda net, x: net(x), "no backward pass has come to the layer 'rnn'"),
        (lambda net, x: net.out(net.rnn(x)[0]).sum().backward(), "the model itself was not called"),
    ],
)
def test_a_watch_that_recorded_nothing_says_why(loop: Any, said: str) -> None:
    net = model()
    with pytest.warns(UserWarning, match=said), watch(net, progress=False, show=False):
        loop(net, batches(1)[0])


def test_a_figure_that_cannot_be_shown_leaves_the_model_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise OSError("no display")

    monkeypatch.setattr("IPython.display.display", broken)
    net = model()
    with pytest.raises(OSError, match="no display"), watch(net, progress=False):
        pass
    assert "forward" not in net.rnn.__dict__
