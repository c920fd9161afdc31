"""Quantities of a lab in traits of any widget."""

import bqplot
import ipywidgets
import numpy as np
import pytest

import rnn_widgets as rw

ENTRY = "weight_hh_l0[0,1]"
LINEAR = rw.rnn(1, 3, 6, nonlinearity="identity", rng=1)
OVERFLOWING = LINEAR.replace(weight_hh_l0=np.full((3, 3), 1e150))


def test_drive_any_widget():
    lab = rw.Lab(rw.rnn(2, 3, 4))
    label, progress = ipywidgets.Label(), ipywidgets.FloatProgress(min=-100, max=100)
    line = bqplot.Lines(scales={"x": bqplot.LinearScale(), "y": bqplot.LinearScale()})
    lab.drive(label, "value", "loss")
    lab.drive(progress, "value", f"gradient[{ENTRY}]")
    lab.drive(line, "y", "adjoint.carried")
    lab.set(h0=[1.0, 0.5, 0.25])
    assert label.value == f"{lab.net.forward().loss:.4g}"
    assert progress.value == lab.net.gradients()["weight_hh_l0"][0, 1]
    np.testing.assert_array_equal(line.y, lab.net.adjoints().carried)
    # A trait shows one quantity: the later drive replaces the earlier.
    lab.drive(label, "value", f"value[{ENTRY}]")
    assert len([d for d in lab._drives if d["widget"] is label]) == 1


def test_the_traits_of_one_widget_are_set_together(browser):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    mark, progress = lab.heatmap().marks[0], ipywidgets.FloatProgress(max=1)
    lab.drive(progress, "value", "value[h0[0]]")
    lab.drive(progress, "max", "value[h0[0]]", "limit")
    lab.set(h0=[5.0, 0.0, 0.0])  # on its own the value would end at the old maximum
    assert (progress.value, progress.max) == (5.0, 5.0)
    browser.clear(mark)
    lab.net = rw.rnn(2, 3, 6)
    (sent,) = [data["state"] for _, data in mark.comm.sent if data.get("method") == "update"]
    assert {"row", "column", "color"} <= set(sent)


def test_driven_text_says_what_is_no_longer_there():
    lab = rw.Lab(LINEAR)
    plain, worded = ipywidgets.Label(), ipywidgets.Label()
    line = bqplot.Lines(scales={"x": bqplot.LinearScale(), "y": bqplot.LinearScale()})
    lab.drive(plain, "value", f"gradient[{ENTRY}]")
    lab.drive(worded, "value", f"value[{ENTRY}]", text="W = {}, again {}")
    lab.drive(line, "y", "singular_values[5,0]")
    before = line.y
    lab.net = OVERFLOWING
    assert plain.value == "nan"
    assert worded.value == "W = 1e+150, again 1e+150"
    assert not line.visible  # what has overflowed has no singular values
    np.testing.assert_array_equal(line.y, before)
    lab.net = rw.rnn(1, 1, 4)
    assert plain.value == f"gradient[{ENTRY}] does not exist in this network"
    assert worded.value == f"value[{ENTRY}] does not exist in this network"
    lab.net = LINEAR
    assert plain.value == f"{LINEAR.gradients()['weight_hh_l0'][0, 1]:.4g}"
    assert line.visible


@pytest.mark.parametrize(
    ("widget", "trait", "quantity", "error", "says"),
    [
        (ipywidgets.Label, "value", "los", KeyError, "did you mean 'loss'"),
        (ipywidgets.Label, "valeu", "loss", KeyError, "did you mean 'value'"),
        (ipywidgets.Label, "value", "losses", TypeError, "rank 1"),
        (bqplot.Lines, "y", "loss", TypeError, "one number"),
        (dict, "value", "loss", TypeError, "widget"),
        (ipywidgets.Label, "value", "gradient", ValueError, "argument"),
        (ipywidgets.Label, "value", "loss[0]", ValueError, "no argument"),
        (ipywidgets.Label, "value", "gradient[v[0,0]]", KeyError, "there is no leaf 'v'"),
        (bqplot.Lines, "y", "cell", KeyError, "no cell state"),
        (bqplot.Lines, "y", "jacobian[9]", IndexError, "0 to 3"),
        (bqplot.Lines, "y", "jacobian[1,2]", IndexError, "-1 to 1"),
        (bqplot.Lines, "y", "hidden_l1", IndexError, "does not exist"),
        (bqplot.Lines, "y", "node[z]", KeyError, "there are: h"),
        (bqplot.Lines, "y", "a quantity", ValueError, "written like"),
    ],
)
def test_drive_refuses_what_does_not_exist(widget, trait, quantity, error, says):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    with pytest.raises(error, match=says):
        lab.drive(widget(), trait, quantity)
    assert list(lab._drives) == []
