"""What all figures of a recording share."""

from __future__ import annotations

import weakref
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

    from .selection import Selection


class Linked:
    """What all figures of a recording share."""

    _selection: Selection | None = None

    @property
    def selection(self) -> Selection:
        """What the figures look at: step, sample, channels, gate, direction.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(5, 4, 2), lambda out: out[0].sum())
        >>> rec.selection.sample = 2
        >>> rec.selection
        Selection(step=None, sample=2, channels=None, gate='all', direction='both')
        """
        from .selection import of_recording

        before = self._selection
        if before is None or before.comm is None:  # closed with the last figure
            self._selection = made = of_recording(self._recording)
            for name, value in {} if before is None else before.chosen().items():
                setattr(made, name, value)
            weakref.finalize(self, made.close).atexit = False
            return made
        return before

    def __getstate__(self) -> dict[str, Any]:
        """Without what a copy makes anew: the selection, a widget, and what was derived."""
        own = [vars(kind) for kind in type(self).__mro__]
        derived = {n for names in own for n, of in names.items() if isinstance(of, cached_property)}
        made = derived | {"_selection"}
        return {name: held for name, held in self.__dict__.items() if name not in made}

    @property
    def _recording(self) -> Recording:
        return cast("Recording", self)
