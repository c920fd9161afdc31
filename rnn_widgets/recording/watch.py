"""`watch`: where in time a layer's gradient lives, as training goes."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any, Self

import numpy as np

from rnn_widgets.core.names import unknown
from rnn_widgets.core.values import size

from .recording import Recording
from .watched import Watched, no_rows, rows_of

SCALES = ("absolute", "largest", "loss")
DIRECTIONS = ("both", "forward", "reverse")


class Watch(Watched):
    """A training that is being watched: a context, and a `Watched` that grows.

    Made by `rnn_widgets.watch`.
    """

    def __init__(
        self,
        model: Any,
        layer: Any,
        every: int,
        progress: bool,
        total: int | None,
        show: bool,
        scale: str = "absolute",
        direction: str = "both",
    ) -> None:
        from rnn_widgets.interop.capture.watching import Watcher

        self._every = size("every", every)
        if scale not in SCALES:
            raise ValueError(str(unknown("scale", scale, SCALES)))
        self._watcher = Watcher(model, layer, self._every, self._counted, self._received)
        spec = self._watcher.spec
        if direction not in DIRECTIONS[: 3 if spec.directions == 2 else 2]:
            valid = DIRECTIONS if spec.directions == 2 else DIRECTIONS[:2]
            raise ValueError(str(unknown("direction", direction, valid)))
        self._kept = no_rows(spec.kind == "LSTM")
        super().__init__(self._watcher.name, spec.directions, self._kept)
        self._shown = {"scale": scale, "direction": direction}
        self._progress, self._total, self._show = progress, total, show
        self._noted: tuple[int, Any] | None = None
        self._bar: Any = None
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
        noted, self._noted = self._noted, None
        self._passes.append(number)
        self._losses.append(float(noted[1]) if noted and noted[0] == number else np.nan)
        for name, row in rows_of(rec).items():
            self._kept[name].append(row)
        if self._view is not None:
            begun = time.perf_counter()
            self._view.grow()
            self._drawing += time.perf_counter() - begun

    def note_loss(self, loss: Any) -> None:
        """Keep the loss of the pass under way, if it is one that is recorded.

        Nothing tells a watch what the loss is: without this, norms cannot be shown relative to it.

        Parameters
        ----------
        loss : tensor of one number, or float
            Called any time between the model's pass and the next one, for every pass.

        Raises
        ------
        ValueError
            If it is more than one number.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> model = torch.nn.GRU(1, 4)
        >>> with rw.watch(model, every=2, progress=False, show=False) as w:
        ...     for i in range(3):
        ...         loss = i + 0 * model(torch.ones(6, 3, 1))[0].sum()
        ...         w.note_loss(loss)
        ...         loss.backward()
        >>> w.losses
        array([0., 2.])
        """
        # A tensor stays where it is until its pass is handed over: a loop need not wait for it.
        held = loss.detach().clone() if hasattr(loss, "detach") else np.asarray(loss, np.float64)
        if math.prod(held.shape) != 1:
            raise ValueError(f"the loss is one number, not of shape {tuple(held.shape)}")
        number = self._watcher.recording
        if number is not None and (self._noted is None or self._noted[0] != number):
            self._noted = number, held.reshape(())

    @property
    def overhead(self) -> float:
        """The share of the loop's time that recording took, from 0 to 1.

        The recorded passes of the layer count in full, although the layer's own would have taken
        part of that time: it is an upper bound. Of a GPU it is the time until the work is handed to
        it, not until it is done.
        """
        if self._begun is None:
            return 0.0
        ended = time.perf_counter() if self._ended is None else self._ended
        return (self._watcher.seconds + self._drawing) / max(ended - self._begun, 1e-12)

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
    scale: str = "absolute",
    direction: str = "both",
) -> Watch:
    """Watch a recurrent layer during training: a context for one's own loop.

    Every tenth time that the model is called in training mode, the layer's pass and its way back
    are recorded; nothing in the loop has to change. Where nothing was, a warning says why.

    Several ``loss.backward()`` through one pass add up, as they do in ``.grad``; what
    `torch.autograd.grad` takes beside them does not count, unless the loop uses nothing else. Of
    several passes before one way back, as of a pair that is compared, the one that is due is
    recorded, and the last where all are.

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
    scale : {"absolute", "largest", "loss"}
        What the figure's norms are relative to at first: nothing, the largest total norm of the
        same pass, or the loss that `Watch.note_loss` was told. A switch in it changes that.
    direction : {"both", "forward", "reverse"}
        Of two directions, which the figure shows at first: both beside one another, or one.

    Returns
    -------
    Watch

    Raises
    ------
    KeyError, IndexError, ValueError, TypeError
        For a layer that there is not, or that cannot be read, as `record`; if the layer's state is
        changed between calls; for nn.DataParallel on several devices.
    NotImplementedError
        If the layer is called under torch.func, such as vmap.

    Notes
    -----
    In a model that torch.compile has compiled the watched layer runs as it is written, and the rest
    is compiled in parts, so not with ``fullgraph=True``. A ``torch.utils.checkpoint`` around the
    layer needs ``use_reentrant=False``. With a ``GradScaler`` the norms carry its factor, as the
    gradients do before it is taken out.

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
    return Watch(model, layer, every, progress, total, show, scale, direction)
