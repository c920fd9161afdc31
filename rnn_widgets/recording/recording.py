"""`Recording`: what a layer's gradient does at every timestep."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from os import PathLike
from types import MappingProxyType
from typing import Any

from .derived import Derived
from .layer import Array
from .quantity import Quantity, names, quantity
from .saved import check, npz, read, write
from .summary import NonFinite, nonfinite, summary
from .views import Views
from .views.options import documented
from .views.options import read as read_options
from .views.text import plural


class Recording(Views, Derived):
    """A recurrent layer's states, adjoints and gradients, recorded by `rnn_widgets.record`.

    Parameters
    ----------
    meta : dict
        What is not an array: plain data as `Recording.save` writes it.
    arrays : dict
        Name to array, as `rnn_widgets.interop.capture.collect` names them.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> import torch
    >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(4, 5, 2), lambda out: out[0].sum())
    >>> rec.total.shape, rec.gradients["weight_hh_l0"].shape
    ((5, 4, 3), (3, 3))
    """

    def quantity(self, what: str) -> Quantity:
        """A recorded quantity by its name.

        Parameters
        ----------
        what : str
            Such as "total", "cell.direct", "gates.i.adjoints", "layers[0].carried", "inputs",
            "gradients[weight_hh_l0]", "by_source[weight_hh_l0]", "contributions[weight_hh_l0]".

        Returns
        -------
        Quantity
            ``.values``, ``.axes`` and ``.label``.

        Raises
        ------
        KeyError
            If there is none of that name, naming the nearest.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(4, 5, 2), lambda out: out[0].sum())
        >>> rec.quantity("carried")
        Quantity(carried adjoint of h, sample × step × unit: (5, 4, 3))
        """
        return quantity(self, what)

    @cached_property
    def nonfinite(self) -> Mapping[str, NonFinite]:
        """Where NaN or infinity is: quantity to its count, first step and sample; else empty.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> x = torch.ones(4, 5, 2)
        >>> x[2, 3] = torch.nan
        >>> rec = rw.record(torch.nn.RNN(2, 3), x, lambda out: out[0].sum())
        >>> rec.nonfinite["outputs"]
        NonFinite(count=6, sample=3, step=2)
        """
        return MappingProxyType(nonfinite(self))

    @documented
    def summary(self, **options: Any) -> str:
        """What was recorded, whether its gradient vanishes, and what there is to notice.

        With any option, what the numbers of one quantity come to instead: the total adjoint, or
        ``what``.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(4, 5, 2), lambda out: 0 * out[0].sum())
        >>> print(rec.summary().splitlines()[1].strip())
        5 samples × 4 steps × 3 units × 1 layer, float32 on cpu
        >>> print(rec.summary(what="direct", samples=0, max_timesteps=1))
        direct adjoint of h
          RNN, sample 0
        <BLANKLINE>
        3 channels, 3 numbers
          norm                      0
          mean                      0
          least, most               0, 0
          exactly zero              3
          norm, first step shown    0 at t = 4 (step 3)
          norm, largest step shown  0 at t = 4 (step 3)
          norm, last step shown     0 at t = 4 (step 3)
        """
        if not options:
            return summary(self)
        from .part_summary import part_summary

        return part_summary(self, read_options("summary", self, options))

    def to_dict(self) -> dict[str, Array]:
        """Everything that is recorded, for plots and tables of your own.

        Returns
        -------
        dict
            Name, as `quantity` takes it, to array; ``lengths`` and ``losses`` where there are. What
            has to be computed first, ``by_source`` and ``contributions``, is left out.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(4, 5, 2), lambda out: out[0].sum())
        >>> rec.to_dict()["gates.h.adjoints"].shape
        (5, 4, 3)
        """
        found = {
            name: self.quantity(name).values
            for name in names(self)
            if not name.startswith(("by_source", "contributions"))
            and (self.num_layers > 1 or not name.startswith("layers"))
        }
        more = {name: self._arrays[name] for name in ("lengths", "losses") if name in self._arrays}
        return found | more

    def save(self, path: str | PathLike[str]) -> None:
        """Write everything to one .npz file, which `load` reads back.

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
        >>> import tempfile, torch
        >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(4, 5, 2), lambda out: out[0].sum())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rec.save(f"{folder}/rnn.npz")
        ...     same = rw.Recording.load(f"{folder}/rnn.npz")
        >>> bool((same.total == rec.total).all())
        True
        """
        write(npz(path), self._meta, self._arrays)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Recording:
        """Read what `save` wrote; nothing in the file is executed.

        Parameters
        ----------
        path : str or path
            Of a file that ends with .npz.

        Returns
        -------
        Recording

        Raises
        ------
        ValueError
            If the file is no recording or damaged, saying how.
        OSError
            If there is no such file.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> rw.Recording.load("notes.txt")
        Traceback (most recent call last):
        ...
        ValueError: a recording is saved as one .npz file, not as 'notes.txt'
        """
        return cls(*read(npz(path), check))

    def __repr__(self) -> str:
        name = f"{self.layer!r}, " if self.layer else ""
        counts = {"sample": self.samples, "step": self.steps, "unit": self.hidden}
        sizes = " × ".join(plural(count, thing) for thing, count in counts.items())
        return f"Recording({name}{self.kind}, {sizes}, {self.mode}, loss={self.loss:.4g})"
