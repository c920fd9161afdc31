"""What nbval compares when it runs the tutorials."""

import pytest


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Leave out the pictures: the text beside each, which is compared, has the same numbers."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("image/svg+xml",)
