"""The grammar of quantities against what the network itself answers."""

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
