"""What a watch recorded: norms of a layer's adjoints at each timestep, one pass after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from rnn_widgets.core.norms import norms
from rnn_widgets.core.ops import Array

from .recording import Recording
from .saved import npz, read, write

PARTS = ("direct", "carried", "total")
FORMAT = "rnn_widgets.watch/1"
Rows = Mapping[str, Sequence[Array]]


class Norms:
    """Norms of adjoints over samples and units, at each timestep of each recorded pass.

    ``direct``, ``carried`` and ``total`` are (R, T), as `Recording` has the adjoints themselves;
    where a pass had fewer steps than others they end with NaN. ``forward`` and ``reverse`` are the
    same of one direction, ``cell`` of an LSTM's cell state.
    """

    def __init__(self, rows: Rows, state: str = "", direction: int | None = None) -> None:
        # "direct" and so on, "cell.direct", to the (D, T) of each pass.
        self._rows, self._state, self._direction = rows, state, direction

    @property
    def direct(self) -> Array:
        """Norm of the direct adjoints at each timestep: (R, T)."""
        return self._over_time("direct")

    @property
    def carried(self) -> Array:
        """Norm of the carried adjoints: (R, T)."""
        return self._over_time("carried")

    @property
    def total(self) -> Array:
        """Norm of ∂L/∂h_t, or ∂L/∂c_t: (R, T)."""
        return self._over_time("total")

    @property
    def cell(self) -> Norms | None:
        """The same of an LSTM's cell state; None for other kinds."""
        return Norms(self._rows, "cell.", self._direction) if "cell.total" in self._rows else None

    @property
    def forward(self) -> Norms:
        """The same of the direction that runs from the first step to the last."""
        return Norms(self._rows, self._state, 0)

    @property
    def reverse(self) -> Norms:
        """The same of the direction that runs from the last step to the first.

        Raises
        ------
        IndexError
            If the layer has none.
        """
        if self._directions == 1:
            raise IndexError("the layer has no reverse direction: it is not bidirectional")
        return Norms(self._rows, self._state, 1)

    @property
    def _directions(self) -> int:
        return max((len(row) for row in self._rows["total"]), default=2)

    def _over_time(self, name: str) -> Array:
        whole = joined(self._rows[self._state + name], self._directions)
        return norms(whole, (1,)) if self._direction is None else whole[:, self._direction]

    def __repr__(self) -> str:
        of = {None: "", 0: ", forward", 1: ", reverse"}[self._direction]
        passes, steps = self.total.shape
        return f"Norms(of {'c' if self._state else 'h'}{of}, {passes} passes, {steps} steps)"


class Watched(Norms):
    """A watched training: its norms, passes and losses, and the figure that shows them.

    Attributes
    ----------
    layer : str
        The layer's name in the model.
    directions : int
        D: 1, or 2 for a bidirectional layer.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> model = torch.nn.GRU(1, 4)
    >>> with rw.watch(model, every=1, progress=False, show=False) as w:
    ...     for _ in range(3):
    ...         model(torch.ones(6, 3, 1))[0][-1].sum().backward()
    >>> w.passes, w.steps, w.total.shape
    (array([0, 1, 2]), array([6, 6, 6]), (3, 6))
    >>> bool((w.direct[:, :-1] == 0).all())  # the loss is that of the last step
    True
    """

    def __init__(self, layer: str, directions: int, rows: dict[str, list[Array]]) -> None:
        super().__init__(rows)
        self.layer, self.directions = layer, directions
        self._shown = {"scale": "absolute", "direction": "both"}
        self._passes: list[int] = []
        self._losses: list[float] = []
        self._view: Any = None

    @property
    def _directions(self) -> int:
        return self.directions

    @property
    def passes(self) -> Array:
        """The recorded passes of the model, counted from 0: (R,)."""
        return np.array(self._passes, np.int64)

    @property
    def losses(self) -> Array:
        """The loss of each recorded pass, where `Watch.note_loss` was told, else NaN: (R,)."""
        return np.array(self._losses, np.float64)

    @property
    def steps(self) -> Array:
        """How many timesteps each recorded pass had, (R,): beyond them the norms are NaN."""
        return np.array([row.shape[1] for row in self._rows["total"]], np.int64)

    def view(self) -> Any:
        """The norms by timestep, with a slider over training; it grows while training goes on.

        Switches choose the direction, the state, and what norms are relative to: nothing, the
        largest total norm of the same pass, or its loss. The figures save as PNG and SVG.

        Returns
        -------
        ipywidgets.VBox

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> model = torch.nn.GRU(1, 4)
        >>> with rw.watch(model, every=1, progress=False, show=False) as w:
        ...     for _ in range(3):
        ...         model(torch.ones(6, 3, 1))[0][-1].sum().backward()
        >>> w.view()
        WatchView('pass 2 of 2')
        """
        if self._view is None or self._view.comm is None:  # closed, as when its cell is run anew
            from .watch_view import WatchView

            self._view = WatchView(self, **self._shown)
        return self._view

    def to_dict(self) -> dict[str, Array]:
        """Every array by its name, for plots of one's own.

        Returns
        -------
        dict
            ``passes`` and ``losses`` (R,); ``direct``, ``carried``, ``total`` (R, T), of an LSTM
            ``cell.direct`` and so on; with two directions ``forward.direct`` and so on as well.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> model = torch.nn.GRU(1, 4)
        >>> with rw.watch(model, every=1, progress=False, show=False) as w:
        ...     for _ in range(3):
        ...         model(torch.ones(6, 3, 1))[0][-1].sum().backward()
        >>> {name: array.shape for name, array in w.to_dict().items()}
        {'passes': (3,), 'losses': (3,), 'direct': (3, 6), 'carried': (3, 6), 'total': (3, 6)}
        """
        found = {"passes": self.passes, "losses": self.losses}
        sides: dict[str, Norms] = {"": self}
        if self.directions == 2:
            sides |= {"forward.": self.forward, "reverse.": self.reverse}
        for side, of_h in sides.items():
            for state, of in (("", of_h), ("cell.", of_h.cell)):
                if of is not None:
                    found |= {side + state + part: getattr(of, part) for part in PARTS}
        return found

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to one .npz file, which `Watched.load` reads back.

        Parameters
        ----------
        path : str or path
            Of a file that ends with .npz; one that is there is replaced.

        Raises
        ------
        ValueError
            If the name ends otherwise.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> with rw.watch(torch.nn.GRU(1, 4), progress=False, show=False) as w:
        ...     w.save("training.txt")
        Traceback (most recent call last):
        ...
        ValueError: a recording is saved as one .npz file, not as 'training.txt'
        """
        arrays = {"passes": self.passes, "losses": self.losses, "steps": self.steps}
        for name, rows in self._rows.items():
            arrays[f"norms.{name}"] = joined(rows, self.directions)
        write(npz(path), {"layer": self.layer, "directions": self.directions}, arrays, FORMAT)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Watched:
        """Read what `save` wrote; nothing in the file is executed.

        Parameters
        ----------
        path : str or path
            Of a file that ends with .npz.

        Returns
        -------
        Watched

        Raises
        ------
        ValueError
            If the file is no watched training or damaged, saying how.
        OSError
            If there is no such file.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import tempfile, torch
        >>> model = torch.nn.GRU(1, 4)
        >>> with rw.watch(model, progress=False, show=False) as w:
        ...     model(torch.ones(6, 3, 1))[0][-1].sum().backward()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     w.save(f"{folder}/training.npz")
        ...     same = rw.Watched.load(f"{folder}/training.npz")
        >>> bool((same.total == w.total).all())
        True
        """
        meta, arrays = read(npz(path), _check, FORMAT, "watched training")
        lengths = arrays["steps"].tolist()
        rows = {
            name.removeprefix("norms."): [
                row[:, :steps] for row, steps in zip(whole, lengths, strict=True)
            ]
            for name, whole in arrays.items()
            if name.startswith("norms.")
        }
        found = Watched(meta["layer"], meta["directions"], rows)
        found._passes, found._losses = arrays["passes"].tolist(), arrays["losses"].tolist()
        return found

    def __repr__(self) -> str:
        name = f"{self.layer!r}, " if self.layer else ""
        return f"Watched({name}{len(self._passes)} recorded)"


def no_rows(lstm: bool) -> dict[str, list[Array]]:
    """Rows for what is to be recorded of a layer."""
    states = ("", "cell.") if lstm else ("",)
    return {state + part: [] for state in states for part in PARTS}


def joined(rows: Sequence[Array], directions: int) -> Array:
    """Rows of all passes as one array (R, D, T), shorter ones ended with NaN."""
    steps = max((row.shape[1] for row in rows), default=0)
    whole = np.full((len(rows), directions, steps), np.nan)
    for one, row in zip(whole, rows, strict=True):
        one[:, : row.shape[1]] = row
    return whole


def rows_of(rec: Recording) -> dict[str, Array]:
    """What is kept of a recording: norms over samples and units, (D, T) each."""
    states = {"": rec.layers[-1], "cell.": rec.cell}
    return {
        state + part: _by_direction(getattr(of, part), rec.directions)
        for state, of in states.items()
        if of is not None
        for part in PARTS
    }


def _by_direction(adjoints: Array, directions: int) -> Array:
    samples, steps, _ = adjoints.shape
    apart = np.asarray(adjoints, np.float64).reshape(samples, steps, directions, -1)
    return norms(apart, (0, 3)).T


def _check(meta: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Refuse what does not make a watched training."""
    if not isinstance(meta.get("layer"), str) or meta.get("directions") not in (1, 2):
        raise ValueError("it lacks the name of its layer, or its directions")
    count = len(arrays["passes"])
    for name, kind in (("passes", "i"), ("losses", "f"), ("steps", "i")):
        if arrays[name].shape != (count,) or arrays[name].dtype.kind != kind:
            raise ValueError(f"{name!r} is not one number for each of its {count} passes")
    steps = arrays["steps"]
    if (steps < 1).any() or (np.diff(arrays["passes"]) < 1).any():
        raise ValueError("its passes are none, or out of order")
    shape = (count, meta["directions"], int(steps.max(initial=0)))
    for name in no_rows("norms.cell.total" in arrays):
        if arrays[f"norms.{name}"].shape != shape or arrays[f"norms.{name}"].dtype != np.float64:
            raise ValueError(f"{name!r} has not the shape {shape}")
