from ..core.networks import networks
def test_x():
    print(__name__, networks.__module__)
