"""Figures of a recording, linked with one another.

The figures are bqplot's and are imported when the first is made: recording needs none of them.
"""

from __future__ import annotations

from .of_parameters import ParameterViews
from .of_states import StateViews


class Views(StateViews, ParameterViews):
    """The figures of a recording.

    All figures of one recording follow its `selection`: pointing at a step marks it in each of
    them, and one slider and one field, shown under each, choose the sample and the channels.
    Every figure takes ``title``, ``labels=False`` to leave out what is written along the axes,
    ``width`` and ``height`` in pixels, and ``controls=False``.
    """
