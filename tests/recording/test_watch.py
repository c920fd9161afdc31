"""Watching a layer during training: the numbers, and that the loop does not notice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import rnn_widgets as rw
from rnn_widgets.recording.watch import watch

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
    assert set(w.to_dict()) == {"passes", "direct", "carried", "total"}
    view = w.view()
    (line, *_) = view.children[0].children[1].marks
    np.testing.assert_array_equal(line.x, [1, 2, 3, 4, 5])
    view.moment.value = 0
    np.testing.assert_array_equal(line.x, [1, 2, 3])


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
    curves = view.children[0].children[1]
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
    for part, line in zip(("total", "carried", "direct"), curves.marks, strict=True):
        numbers = getattr(w, part)[1]
        heights = np.log10(np.where(numbers > 0, numbers, 10**low))
        np.testing.assert_allclose(line.y, 2 * (heights - low) / (high - low) - 1, atol=1e-9)
    view.moment.value = 6
    assert curves.title == "adjoints of hₜ in pass 6"
    np.testing.assert_array_equal(view.children[0].children[0].marks[1].y, [6, 6])
