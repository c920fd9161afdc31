"""`watch`: where in time a layer's gradient lives, as training goes."""

from __future__ import annotations

import time
import warnings
from typing import Any, Self

import numpy as np

from rnn_widgets.core.norms import norms
from rnn_widgets.core.ops import Array
from rnn_widgets.core.values import size

from .recording import Recording


class Watch:
    """What a layer's adjoints were during training; made by `rnn_widgets.watch`.

    Attributes
    ----------
    layer : str
        The layer's name in the model.
    """

    def __init__(
        self, model: Any, layer: Any, every: int, progress: bool, total: int | None, show: bool
    ) -> None:
        from rnn_widgets.interop.capture.watching import Watcher

        self._every = size("every", every)
        self._watcher = Watcher(model, layer, self._every, self._counted, self._received)
        self.layer = self._watcher.name
        self._progress, self._total, self._show = progress, total, show
        self._passes: list[int] = []
        self._norms: dict[str, list[Array]] = {"direct": [], "carried": [], "total": []}
        self._bar: Any = None
        self._view: Any = None
        self._begun: float | None = None
        self._ended: float | None = None
        self._drawing = 0.0

    def __enter__(self) -> Self:
        if self._begun is not None:
            raise RuntimeError("this watch has been used: make another with rw.watch")
        self._watcher.start()
        self._begun = time.perf_counter()
        try:
            self._announce()
        except BaseException:
            self._watcher.stop(hand_over=False)
            raise
        return self

    def _announce(self) -> None:
        if self._progress:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=self._total, desc=f"watching {self.layer or 'the layer'}")
        if self._show:
            from IPython.display import display

            display(self.view())  # type: ignore[no-untyped-call]

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            self._watcher.stop(hand_over=kind is None)
        finally:
            self._ended = time.perf_counter()
            if self._bar is not None:
                self._bar.close()
            if self._view is not None:
                self._view.follow()
        if kind is None and not self._passes:
            warnings.warn(f"nothing was recorded: {self._watcher.nothing}", stacklevel=2)

    def _counted(self) -> None:
        if self._bar is not None:
            self._bar.update()

    def _received(self, number: int, meta: dict[str, Any], arrays: dict[str, Any]) -> None:
        rec = Recording({"mode": "train", "loss": np.nan, "device": ""} | meta, arrays)
        self._passes.append(number)
        for name, rows in self._norms.items():
            rows.append(norms(np.asarray(getattr(rec, name), np.float64), (0, 2)))
        if self._view is not None:
            begun = time.perf_counter()
            self._view.grow()
            self._drawing += time.perf_counter() - begun

    @property
    def passes(self) -> Array:
        """The recorded passes of the model, counted from 0: (R,)."""
        return np.array(self._passes, np.int64)

    @property
    def direct(self) -> Array:
        """Norm of the direct adjoints at each timestep over samples and units: (R, T)."""
        return self._over_time("direct")

    @property
    def carried(self) -> Array:
        """Norm of the carried adjoints: (R, T)."""
        return self._over_time("carried")

    @property
    def total(self) -> Array:
        """Norm of ∂L/∂h_t: (R, T)."""
        return self._over_time("total")

    @property
    def steps(self) -> Array:
        """How many timesteps each recorded pass had, (R,): beyond them the norms are NaN."""
        return np.array([len(row) for row in self._norms["total"]], np.int64)

    def _over_time(self, name: str) -> Array:
        rows = self._norms[name]
        steps = max((len(row) for row in rows), default=0)
        found = np.full((len(rows), steps), np.nan)
        for row, values in zip(found, rows, strict=True):
            row[: len(values)] = values
        return found

    @property
    def overhead(self) -> float:
        """The share of the loop's time that recording took, from 0 to 1.

        The recorded passes of the layer count in full, although the layer's own would have taken
        part of that time: it is an upper bound.
        """
        if self._begun is None:
            return 0.0
        ended = time.perf_counter() if self._ended is None else self._ended
        return (self._watcher.seconds + self._drawing) / max(ended - self._begun, 1e-12)

    def view(self) -> Any:
        """The norms by timestep, with a slider over training; it grows while training goes on.

        Returns
        -------
        ipywidgets.VBox
        """
        if self._view is None or self._view.comm is None:  # closed, as when its cell is run anew
            from .watch_view import WatchView

            self._view = WatchView(self)
        return self._view

    def to_dict(self) -> dict[str, Array]:
        """``passes`` (R,) and ``direct``, ``carried``, ``total`` (R, T), for plots of one's own."""
        return {name: getattr(self, name) for name in ("passes", *self._norms)}

    def __repr__(self) -> str:
        name = f"{self.layer!r}, " if self.layer else ""
        return f"Watch({name}every={self._every}, {len(self._passes)} recorded)"


def watch(
    model: Any,
    layer: Any = None,
    *,
    every: int = 10,
    progress: bool = True,
    total: int | None = None,
    show: bool = True,
) -> Watch:
    """Watch a recurrent layer during training: a context for one's own loop.

    Every tenth time that the model is called in training mode, the layer's pass and its way back
    are recorded; nothing in the loop has to change. Of several passes before one way back only the
    last can be recorded. Where none was, a warning says why.

    Parameters
    ----------
    model : torch.nn.Module
        What the loop calls.
    layer : str, torch.nn.Module, int, optional
        Which recurrent layer, as for `record`.
    every : int
        How many passes apart the recorded ones are. The recorded passes are run by equations of
        our own: they differ from the others by rounding, and dropout between layers is drawn anew.
    progress : bool
        Whether tqdm shows the passes.
    total : int, optional
        How many passes there will be, for tqdm.
    show : bool
        Whether the figure is shown at once; `Watch.view` gives it in any case.

    Returns
    -------
    Watch

    Raises
    ------
    KeyError, IndexError, ValueError, TypeError
        For a layer that there is not, as `record`; if the layer's state is changed between calls.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> model = torch.nn.GRU(1, 4)
    >>> with rw.watch(model, every=2, progress=False, show=False) as w:
    ...     for _ in range(5):
    ...         model(torch.ones(6, 3, 1))[0][-1].sum().backward()
    >>> w.passes, w.total.shape
    (array([0, 2, 4]), (3, 6))
    """
    return Watch(model, layer, every, progress, total, show)
