"""Scripts: they run by themselves and print the network's gradients."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.testing import assert_allclose

import rnn_widgets as rw
from rnn_widgets.core.template import Template
from rnn_widgets.interop.equations import step_source
from rnn_widgets.network import Network

from .networks import networks, stirred
from .unrolled import make, odd, pair


def printed(text: str) -> dict[str, Any]:
    """Read what a script printed: a name and numbers on every line."""
    lines = (line.partition(" ") for line in text.splitlines())
    return {name: np.array(json.loads(numbers)) for name, _, numbers in lines}


def agree(net: Network, text: str) -> None:
    gradients = net.gradients()
    found = printed(text)
    assert list(found) == ["loss", *gradients]
    assert_allclose(found.pop("loss"), net.forward().loss, rtol=1e-12, atol=1e-14)
    for name, gradient in found.items():
        mine = gradients[name]
        zero = 1e-12 * np.abs(mine).max()
        assert gradient.shape == mine.shape
        assert_allclose(gradient, mine, rtol=1e-10, atol=zero, err_msg=name)


SCRIPTS = [
    make("lstm", 2, 3, 4, num_layers=2, loss="mse", readout=2),
    make("relu", 2, 2, 3, bias="single", bidirectional=True, loss_steps=[0, 2]),
    make("gru before", 2, 2, 5, loss="sse", readout=1).truncate(chunk=2),
    make("odd", 2, 2, 4, loss="cross_entropy", bidirectional=True).truncate(window=2),
    make("pair", 1, 2, 3, loss="sum", loss_steps="last"),
]


RUN = """
import runpy, sys
sys.modules["rnn_widgets"] = None  # so that importing it fails
for path in sys.argv[1:]:
    runpy.run_path(path, run_name="__main__")
    print("END")
"""


def test_scripts_need_only_torch(tmp_path: Path) -> None:
    nets = [stirred(net, 3, 0.7) for net in SCRIPTS]
    paths = [tmp_path / f"script{i}.py" for i in range(len(nets))]
    for net, path in zip(nets, paths, strict=True):
        path.write_text(net.code("torch"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-c", RUN, *paths],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *outputs, rest = done.stdout.split("END\n")
    assert not rest
    for net, output in zip(nets, outputs, strict=True):
        agree(net, output)


@settings(max_examples=40, deadline=None)
@given(networks(scales=(0.3, 1.0), max_layers=2))
def test_every_script_prints_the_gradients(drawn: tuple[Network, str]) -> None:
    net, _ = drawn
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(net.code(), "script", "exec"), {})  # noqa: S102
    agree(net, out.getvalue())


def test_a_standard_network_reads_as_torch() -> None:
    code = make("gru", 2, 3, 4, num_layers=2, bias=False, bidirectional=True, loss="mse").code()
    assert "net = torch.nn.GRU(2, 3, num_layers=2, bias=False, bidirectional=True).double()" in code
    assert "loss = ((y - target) ** 2).mean()\nloss.backward()\n" in code


def test_values_keep_every_bit() -> None:
    net = make("tanh", 1, 1, 1).replace(x=[[0.1 + 0.2]], h0=[-0.0], weight_hh_l0=[[5e-324]])
    code = net.code()
    for text in ("0.30000000000000004", "tensor([-0.0]", "5e-324"):
        assert text in code


GRU_BEFORE = '''\
def step(x, h, weight_ih, weight_hh, bias_ih):
    """One step of gru_reset_before."""
    H = len(h)
    a = weight_ih @ x + bias_ih
    r = torch.sigmoid(a[:H] + weight_hh[:H] @ h)
    n = torch.tanh(a[2 * H : 3 * H] + weight_hh[2 * H : 3 * H] @ (r * h))
    z = torch.sigmoid(a[H : 2 * H] + weight_hh[H : 2 * H] @ h)
    h_new = (1 - z) * n + z * h
    return h_new
'''
ODD = '''\
def step(x, h, W, lambda_2, O_):
    """One step of odd."""
    H = len(h)
    a = W @ torch.cat([h, x])
    a_2 = a[H : 2 * H]
    lambda_3 = torch.sigmoid(a[:H] + lambda_2 * h)
    len_2 = torch.relu(2 * a_2 - 0.25) - 0.25 * torch.tanh(-a_2)
    h_new = 0.5 * (1 - lambda_3) * (O_ @ len_2) + lambda_3 * (O_ @ h) - 1
    return h_new
'''
PAIR = '''\
def step(x, h, c, U, V, a):
    """One step of pair."""
    h_new = torch.tanh(U @ c + V @ x + a)
    c_new = 0.9 * c + 0.1 * (h - c) * h_new
    return h_new, c_new
'''


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (make("gru before", 1, 1, 1, bias="single").program.cell, GRU_BEFORE),
        (odd, ODD),
        (pair, PAIR),
    ],
    ids=["gru", "odd", "pair"],
)
def test_a_cell_reads_like_its_equations(cell: Template, expected: str) -> None:
    assert step_source(cell, 1) == expected


def test_numbers_and_signs_in_equations() -> None:
    @rw.cell(params={"U": ("H", "H"), "W": ("H", "I")})
    def signs(p: Any, x: Any, h: Any) -> Any:
        a = p.W @ x
        return -(p.U @ -h) - (a - h) - (2 - a) * (-a) * -0.5 + (-3 * a + 0.1) - (h + 1.5) / 4

    net = stirred(rw.custom(signs, 2, 2, 3), 0)
    text = step_source(signs, 2)
    assert "-(U @ -h) - (a - h) - -0.5 * ((2 - a) * -a) + (-3 * a + 0.1) - 0.25 * (h + 1.5)" in text
    assert net.check()


@pytest.mark.parametrize(
    ("cut", "both", "lines"),
    [
        ({"chunk": 3}, False, ["if k > 0 and k % 3 == 0:  # a chunk begins here"]),
        (
            {"chunk": 3},
            True,
            ["if 0 <= previous < len(x) and max(k, previous) % 3 == 0:  # a chunk's edge"],
        ),
        ({"window": 3}, False, ["if loss_step - (k - 1) >= 3:  # the window ends here"]),
        ({"window": 3}, True, ["if abs(loss_step - previous) >= 3:  # the window ends here"]),
    ],
)
@pytest.mark.parametrize("kind", ["tanh", "lstm"])
def test_truncation_shows_as_detach(
    kind: str, cut: dict[str, int], both: bool, lines: list[str]
) -> None:
    code = make(kind, 1, 1, 4, bidirectional=both).truncate(**cut).code()
    detach = {
        "tanh": "            h = h.detach()",
        "lstm": "            h, c = h.detach(), c.detach()",
    }
    for line in lines:
        assert f"        {line}\n{detach[kind]}\n" in code


def test_a_cells_free_text_name_cannot_break_the_code() -> None:
    @rw.cell(params={"U": ("H", "H"), "W": ("H", "I")}, name='"""\nraise SystemExit\\')
    def named(p: Any, x: Any, h: Any) -> Any:
        return p.U @ h + p.W @ x

    assert stirred(rw.custom(named, 1, 1, 2), 0).check()


def test_a_name_that_cannot_stand_in_code_is_refused() -> None:
    @rw.cell(params={"__U": ("H", "H")})
    def mangled(p: Any, x: Any, h: Any) -> Any:
        return getattr(p, "__U") @ h

    with pytest.raises(ValueError, match="'__U' cannot be a name in code"):
        rw.custom(mangled, 1, 1, 2).code()


def test_deep_and_wide_expressions_become_lines() -> None:
    @rw.cell(params={"U": ("H", "H"), "W": ("H", "I")})
    def deep(p: Any, x: Any, h: Any) -> Any:
        a = p.W @ x
        for _ in range(150):
            a = 0.99 * rw.ops.tanh(p.U @ a + 0.1 * h)
        return a

    net = stirred(rw.custom(deep, 1, 2, 2), 0)
    assert max(map(len, step_source(deep, 1).splitlines())) < 200
    assert net.check()
