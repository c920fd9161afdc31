"""The grammar of quantities against what the network itself answers."""

import ipywidgets
import numpy as np
import pytest

import rnn_widgets as rw
from rnn_widgets.quantities import evaluate, parse, table


def test_every_quantity_is_what_the_network_answers():
    net = rw.lstm(2, 3, 4, loss="mse")
    trace, adjoints, found = net.forward(), net.adjoints(), net.contributions()
    weight = found["weight_hh_l0"]
    expected = {
        "value[x]": net.values["x"],
        "value[x[1,0]]": net.values["x"][1, 0],
        "gradient[target]": net.gradients()["target"],
        "contribution[weight_hh_l0]": found.norm("weight_hh_l0"),
        "contribution[weight_hh_l0[5,2]]": weight[:, :, 5, 2],
        "by_source[weight_hh_l0[5,2]]": weight.sum(0)[:, 5, 2],
        "by_loss[weight_hh_l0]": np.sqrt((weight.sum(1) ** 2).sum((1, 2))),
        "by_lag[bias_ih_l0[3]]": found.by_lag("bias_ih_l0")[:, 3],
        "lag_bound[weight_hh_l0[5,2]]": [
            [np.trace(of, -lag) for lag in range(4)]
            for of in (weight[:, :, 5, 2], found.bound("weight_hh_l0[5,2]"))
        ],
        "steps": [1, 2, 3, 4],
        "lags": [0, 1, 2, 3],
        "hidden": trace.hidden,
        "cell": trace.cell,
        "node[f]": trace["f"],
        "output": trace.output,
        "losses": trace.losses,
        "loss": trace.loss,
        "adjoint.direct": adjoints.direct,
        "adjoint.carried": adjoints.carried,
        "adjoint.total": adjoints.total,
        "cell_adjoint.direct": adjoints.cell.direct,
        "cell_adjoint.carried": adjoints.cell.carried,
        "cell_adjoint.total": adjoints.cell.total,
        "jacobian[2]": net.jacobians()[2],
        "jacobian[3,0]": net.jacobians().product(3, 0),
        "singular_values[3,0]": net.jacobians().singular_values(3, 0),
    }
    assert {text.split("[")[0] for text in expected} == set(table())
    for text, value in expected.items():
        np.testing.assert_allclose(evaluate(parse(text, net), net), value, rtol=1e-14, err_msg=text)


def test_quantities_of_one_layer_among_several():
    net = rw.gru(2, 3, 4, num_layers=2, bidirectional=True)
    hidden = net.forward().hidden
    np.testing.assert_array_equal(evaluate(parse("hidden_l1_reverse", net), net), hidden[3])
    np.testing.assert_array_equal(
        evaluate(parse("jacobian_l1_reverse[1,3]", net), net),
        net.jacobians(1, reverse=True).product(1, 3),
    )
    with pytest.raises(ValueError, match="hidden_l0, hidden_l0_reverse"):
        parse("hidden", net)


def test_names_of_other_frameworks_reach_the_page_as_pytorchs(browser):
    lab = rw.Lab(rw.rnn(2, 3, 4))
    gradients = lab.net.gradients()
    label = ipywidgets.Label()
    lab.drive(label, "value", "gradient[kernel[1,2]]")
    assert label.value == f"{gradients['weight_ih_l0'][2, 1]:.4g}"
    assert lab._drives[-1]["quantity"] == "gradient[weight_ih_l0[2,1]]"
    lab.selection = "recurrent_kernel[0,2]"
    assert lab.get_state()["selection"] == "weight_hh_l0[2,0]"
    slider = lab.slider("Wh[0,1]")
    slider.value = 1.5
    assert lab.net.values["weight_hh_l0"][0, 1] == 1.5
    assert slider.description == "Wh[0,1]"
    assert lab.matrix("Wi", "kernel").leaves == ["weight_ih_l0", "weight_ih_l0"]
    assert lab.heatmap("kernel").title == "‖C[t, k]‖ of kernel"
    drawn = [d["quantity"] for d in lab._drives]
    assert "contribution[weight_ih_l0]" in drawn
    assert not any("kernel" in quantity for quantity in drawn)
    with pytest.raises(ValueError, match="kernel is weight_ih_l0 in another layout"):
        lab.drive(ipywidgets.Label(), "value", "gradient[kernel]")


def test_chain_rule_terms_of_an_entry_by_another_name():
    net = rw.rnn(2, 3, 4)
    assert net.terms("Wh[0,1]", 3, 1).total == net.terms("weight_hh_l0[0,1]", 3, 1).total
    assert net.terms("kernel[1,0]", 3, 1).total == net.terms("weight_ih_l0[0,1]", 3, 1).total
