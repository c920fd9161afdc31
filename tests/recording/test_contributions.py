"""Contributions where only some steps have a loss: only those are swept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from rnn_widgets.interop.capture import contributions
from rnn_widgets.recording.recording import Recording

from .cases import close
from .samples import recorded

KINDS = [torch.nn.RNN, torch.nn.GRU, torch.nn.LSTM]
SHAPES = [{}, {"bidirectional": True}, {"num_layers": 2}, {"num_layers": 2, "bidirectional": True}]


def at(*steps: int) -> Any:
    return lambda out: (out[0][:, list(steps)] ** 2).sum()


def rows_swept(monkeypatch: pytest.MonkeyPatch, rec: Recording) -> int:
    """Rows of the sweeps that contributions of a single layer take."""
    rows, sweep = [], contributions.sweep

    def counted(d: Any, reach: Any, reach_c: Any = None) -> Any:
        rows.append(reach.shape[1])
        return sweep(d, reach, reach_c)

    monkeypatch.setattr(contributions, "sweep", counted)
    rec.contributions("weight_hh_l0")
    return sum(rows)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", SHAPES)
def test_steps_without_a_loss_have_none_and_the_others_keep_theirs(
    kind: Any, options: dict[str, Any]
) -> None:
    some = recorded(kind, loss=at(1, 2, 4), **options)
    alone = {step: recorded(kind, loss=at(step), **options) for step in (1, 2, 4)}
    for name in some.weights:
        table = some.contributions(name)
        for step in range(some.steps):
            if step in alone:
                close(table[step], alone[step].contributions(name)[step], name)
            else:
                assert not table[step].any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", SHAPES)
def test_of_a_single_step_with_a_loss_they_are_the_gradients_by_source(
    kind: Any, options: dict[str, Any]
) -> None:
    rec = recorded(kind, loss=at(3), **options)
    for name in rec.weights:
        by_source = rec.by_source(name).reshape(rec.steps, -1)
        close(rec.contributions(name)[3], np.linalg.norm(by_source, axis=1), name)


def test_only_steps_with_a_loss_are_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows_swept(monkeypatch, recorded(loss=at(1, 4))) == 2
    assert rows_swept(monkeypatch, recorded(loss=at(5))) == 0  # the recording has them already
    assert rows_swept(monkeypatch, recorded(loss=lambda out: 0 * out[0].sum())) == 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", SHAPES)
def test_lags_that_are_not_asked_for_change_none_of_the_others(
    kind: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contributions, "_ROWS", 6)  # two loss steps at a time, so that many follow
    rec = recorded(kind, steps=9, **options)
    for name in rec.weights:
        whole = rec.lag(what=name)._norms
        near = recorded(kind, steps=9, **options).lag(what=name, max_timesteps=3)._norms
        close(near, whole[:3], name)


def test_only_the_lags_that_are_asked_for_are_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    swept, sweep = [], contributions.sweep

    def counted(d: Any, reach: Any, reach_c: Any = None) -> Any:
        swept.append(d.steps)
        return sweep(d, reach, reach_c)

    monkeypatch.setattr(contributions, "sweep", counted)
    monkeypatch.setattr(contributions, "_ROWS", 3)  # one loss step at a time
    recorded(steps=30).lag(max_timesteps=4)
    assert swept == [1, 2, 3, *[4] * 27]
