"""What is sent to the browser, and when."""

import rnn_widgets as rw
from rnn_widgets.widgets.sync import silently


def test_a_hold_around_a_silent_change_goes_on_holding(browser):
    slider = rw.Lab(rw.rnn(2, 3, 4)).slider("weight_hh_l0[0,1]")
    browser.clear(slider)
    with slider.hold_sync():
        with silently(slider, "description"):
            slider.description = "ours"
        slider.tooltip = "first"
        assert browser.updates(slider) == {}
        slider.tooltip = "second"
    assert browser.updates(slider) == {"tooltip": "second"}
