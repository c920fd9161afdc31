"""What a widget does not have cannot be assigned."""

import math
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb

import pytest
from traitlets import TraitError

import rnn_widgets as rw


def test_a_misspelt_attribute_is_refused_with_the_nearest() -> None:
    explorer = rw.explore()
    with pytest.raises(AttributeError, match="no attribute of Explorer 'nets'; did you mean 'net'"):
        explorer.nets = rw.rnn(2, 3, 4)
    with pytest.raises(AttributeError, match=r"no attribute of Lab 'weight_hh_l0'.*set"):
        explorer.lab.weight_hh_l0 = [[0]]
    seeds = rw.SeedExplorer(lambda x: 2 * x, [1.0, 2.0])
    with pytest.raises(AttributeError, match="'seeds'; did you mean 'seed'"):
        seeds.seeds = [1, 0]


def test_what_there_is_is_assigned() -> None:
    explorer = rw.explore()
    explorer.net = rw.lstm(2, 3, 4)
    explorer.layout.width = "50%"
    explorer.lab.selection = "bias_ih_l0[1]"
    assert explorer.lab.net == explorer.net
    assert explorer.lab.selection == "bias_ih_l0[1]"


def test_a_leaf_is_not_taken_for_a_quantity() -> None:
    with pytest.raises(KeyError, match=r"such as gradient\[weight_hh_l0\[0,1\]\]"):
        rw.predict(rw.explore(), "weight_hh_l0[0,1]")


def test_a_class_and_another_layer_are_refused() -> None:
    import torch

    with pytest.raises(TypeError, match=r"not the class: RNN"):
        rw.explore(torch.nn.RNN)
    with pytest.raises(TypeError, match=r"give x=.*beside the RNN"):
        rw.explore(torch.nn.RNN(2, 3))


def traceback_of(assign: Callable[[], object]) -> tuple[BaseException, list[str]]:
    """What is raised, and the files that its traceback names, the caller's first."""
    with pytest.raises(Exception) as caught:  # noqa: PT011, which one is told by the caller
        assign()
    error = caught.value
    assert error.__suppress_context__ or error.__context__ is None
    assert error.__cause__ is None
    return error, [Path(frame.filename).parts[-2] for frame in extract_tb(error.__traceback__)][2:]


@pytest.mark.parametrize(
    ("name", "value", "error", "says"),
    [
        ("selection", "nonsense", ValueError, "there is no leaf 'nonsense'; there are: weight_ih"),
        ("selection", "Wh", ValueError, "entry of weight_hh_l0, such as weight_hh_l0[0,0]"),
        ("selection", 3, TraitError, "expected a unicode string, not the int 3"),
        ("loss_step", 9, IndexError, "loss_step goes from 0 to 3, not 9"),
        ("lens", "x", TraitError, "any of ['values', 'adjoints', 'flow'], not the str 'x'"),
        ("value", math.nan, ValueError, "slider 'h0[1]' takes a finite number, not nan"),
        ("value", "a", TraitError, "expected a float, not the str 'a'"),
    ],
)
def test_a_refused_value_is_refused_where_it_is_assigned(
    name: str, value: object, error: type[Exception], says: str
) -> None:
    lab = rw.Lab(rw.rnn(2, 3, 4))
    widget = {"lens": lab.graph(), "value": lab.slider("h0[1]")}.get(name, lab)
    before = getattr(widget, name)
    raised, files = traceback_of(lambda: setattr(widget, name, value))
    assert isinstance(raised, error)
    assert says in str(raised)
    assert files in (["widgets"], ["widgets", "widgets"])  # none of traitlets or ipywidgets
    assert getattr(widget, name) == before


def test_a_view_with_an_option_that_does_not_exist_is_refused_by_its_lab() -> None:
    lab = rw.Lab(rw.rnn(2, 3, 4))
    raised, files = traceback_of(lambda: lab.graph(3))  # type: ignore[arg-type]
    assert "any of ['values', 'adjoints', 'flow'], not the int 3" in str(raised)
    assert files == ["widgets", "widgets"]
    with pytest.raises(AttributeError, match="no attribute of Graph 'lense'; did you mean 'lens'"):
        lab.graph().lense = "values"
