"""What is refused, with what was given and what would do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
from torch import nn

import rnn_widgets as rw
from rnn_widgets.recording.views.options import FIGURES, SCALES

from .samples import recorded

X = torch.ones(4, 3, 2)


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    ipywidgets.Widget.close_all()


def total(out: Any) -> torch.Tensor:
    return out[0].sum()


def each(out: Any) -> torch.Tensor:
    return out[0].sum((0, 2))


def made_in_inference() -> nn.Module:
    with torch.inference_mode():
        return nn.GRU(2, 3)


RECORDED: list[tuple[type[Exception], str, Callable[[nn.GRU], Any]]] = [
    (ValueError, "the model has no numbers: device meta",
     lambda m: rw.record(m.to("meta"), X.to("meta"), total)),
    (ValueError, "x has no numbers: device meta", lambda m: rw.record(m, X.to("meta"), total)),
    (TypeError, "x must be a tensor, not ndarray: torch.from_numpy",
     lambda m: rw.record(m, X.numpy(), total)),
    (TypeError, "x must be a tensor, not list: torch.tensor",
     lambda m: rw.record(m, X.tolist(), total)),
    (ValueError, "made under torch.inference_mode",
     lambda _: rw.record(made_in_inference(), X, total)),
    (TypeError, "sample_weight must be numbers, not ['a', 'b', 'c']",
     lambda m: rw.record(m, X, each, sample_weight=["a", "b", "c"])),
    (ValueError, "sample_weight must be finite, and that of sample 1 is not",
     lambda m: rw.record(m, X, each, sample_weight=[1, np.nan, 2])),
    (TypeError, "a real number, not complex64", lambda m: rw.record(m, X, lambda o: 1j * total(o))),
    (TypeError, "not a tensor of shape (4, 3, 2); x is a function: they may be swapped",
     lambda m: rw.record(m, total, X)),
    (TypeError, "recordings go by names, which are text, not 1",
     lambda m: rw.compare({1: rw.record(m, X, total)})),  # type: ignore[dict-item]
]  # fmt: skip


@pytest.mark.parametrize(("error", "said", "attempt"), RECORDED, ids=[s for _, s, _ in RECORDED])
def test_what_cannot_be_recorded_is_refused_with_a_sentence(
    error: type[Exception], said: str, attempt: Callable[[nn.GRU], Any]
) -> None:
    with pytest.raises(error, match=re.escape(said)):
        attempt(nn.GRU(2, 3))


@rw.cell(params={"W": ("H", "I"), "decay": ("H",)})
def leaky(p: Any, x: Any, h: Any) -> Any:
    return p.decay * h + p.W @ x


@pytest.mark.parametrize(
    "net",
    [
        rw.custom(leaky, input_size=2, hidden_size=3, seq_len=4),
        rw.rnn(2, 3, 4, readout=2),  # a subclass of nn.RNN
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_of_a_networks_own_module_the_network_is_named_to_ask(
    net: rw.Network, inside: bool
) -> None:
    module = net.to_torch()
    with pytest.raises(TypeError, match=r"net\.contributions .* rw\.explore\(net\)"):
        rw.record(nn.Sequential(module) if inside else module, X.double(), total)


def test_for_a_cell_of_ones_own_its_equations_are_asked_for() -> None:
    with pytest.raises(ValueError, match=r"write its equations with rw\.cell"):
        rw.record(nn.Linear(2, 3), X, total)


def test_a_model_may_take_what_is_no_tensor() -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(2, 3)

        def forward(self, x: Any) -> Any:
            return self.rnn(torch.as_tensor(np.asarray(x), dtype=torch.float32))

    model = Reads()
    expected = rw.record(model, X, total).total
    for given in (X.numpy(), X.tolist()):
        np.testing.assert_array_equal(rw.record(model, given, total).total, expected)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": -5}, "from 60 to 10000"),
        ({"width": "wide"}, "such as \"50%\", not 'wide'"),
        ({"height": 10**6}, "height is a number of pixels from 60 to 10000"),
        ({"cmap": "viridis"}, "there is no option of flow 'cmap': it is scheme"),
        ({"what": "totl"}, "no quantity 'totl'; did you mean 'total'"),
        ({"what": "layers[7]"}, "no quantity 'layers[7]'"),
    ],
)
def test_an_option_that_is_none_is_refused_by_the_word_that_was_given(
    options: dict[str, Any], said: str
) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)) as error:
        recorded().flow(**options)
    assert said in str(error.value)


@pytest.mark.parametrize("width", [60, 700, "50%", "12.5em", "calc(100% - 20px)", "auto"])
def test_widths_are_pixels_or_what_css_has(width: Any) -> None:
    shown = recorded().flow(width=width).layout.width
    assert shown == (f"{width}px" if isinstance(width, int) else width)


def test_a_heatmap_of_what_it_cannot_draw_says_so_without_quotes() -> None:
    with pytest.raises(KeyError) as error:
        recorded().heatmap(what="cell.direct")
    assert str(error.value).startswith("heatmap shows gradients[name]")


def test_what_reflect_leaves_as_it_is_is_refused_before_it_is_computed() -> None:
    rec = recorded(bidirectional=True)
    with pytest.raises(ValueError, match="both axes of contributions are time"):
        rec.heatmap(what="contributions", reflect=True)
    assert "_norms" not in vars(rec)
    rec.heatmap(what="contributions")
    assert "_norms" in vars(rec)


def test_a_folder_that_is_not_there_is_named_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.npz"
    with pytest.raises(FileNotFoundError) as error:
        recorded().save(path)
    assert error.value.filename == str(path)


@pytest.mark.parametrize("view", FIGURES)
def test_help_lists_the_scales_that_a_view_takes(view: str) -> None:
    method = getattr(rw.Recording, view)
    listed = re.search(r"^scale : \{(.*?)\}", method.__doc__, re.MULTILINE)
    assert listed is not None
    assert tuple(re.findall(r'"(\w+)"', listed[1])) == SCALES[view]
    for scale in SCALES[view]:
        assert getattr(recorded(), view)(scale=scale).layers
