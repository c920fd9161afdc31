"""`Network`: what users hold. A program with its numbers, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from .core import saved
from .core.ops import Array
from .core.program import Program
from .core.values import Values, checked, choice, leaf, truncation
from .derivatives import Derivatives
from .interop import names

if TYPE_CHECKING:
    import torch

    from .interop.witness import Report


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Network(Derivatives):
    """A tiny recurrent network: equations, sizes and numbers. Frozen: every change makes a new one.

    Made by `rnn`, `gru`, `lstm`, `custom`, `from_torch`, `from_keras`, `from_flux` or `from_json`.

    Parameters
    ----------
    program : Program
        The equations and sizes.
    values : dict
        An array-like for each of ``program.leaves``; checked and copied.
    sources : dict, optional
        The objects that leaves were copied from, for ``gradients()[object]``.

    Raises
    ------
    KeyError
        For a missing or an unknown leaf.
    ValueError, TypeError, IndexError
        As for `replace`.

    Examples
    --------
    >>> import rnn_widgets as rw
    >>> net = rw.rnn(1, 1, 3, nonlinearity="identity", bias=False, loss="sum")
    >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [1], [1]])
    >>> net.forward().hidden[:, 0], net.gradients()["weight_hh_l0"]
    (array([0., 1., 3., 7.]), array([[6.]]))
    """

    program: Program
    sources: Mapping[str, object]
    _leaves: Mapping[str, Array] = field()  # what is computed with; never handed out

    def __init__(
        self,
        program: Program,
        values: Mapping[str, Any],
        sources: Mapping[str, object] | None = None,
    ) -> None:
        self._fill(program, checked(program, values), sources or {})

    def _fill(
        self, program: Program, leaves: Mapping[str, Array], sources: Mapping[str, object]
    ) -> None:
        object.__setattr__(self, "program", program)
        object.__setattr__(self, "_leaves", MappingProxyType(dict(leaves)))
        object.__setattr__(self, "sources", MappingProxyType(dict(sources)))

    @classmethod
    def _of(
        cls, program: Program, leaves: Mapping[str, Array], sources: Mapping[str, object]
    ) -> Network:
        """A network of arrays that `core.values.leaf` made, which need no second check."""
        net = cls.__new__(cls)
        net._fill(program, leaves, sources)
        return net

    def __reduce__(self) -> tuple[Any, ...]:
        # Unpickled arrays could be written to; read back from JSON they are frozen again.
        return Network.from_json, (self.to_json(),)

    @property
    def values(self) -> Mapping[str, Array]:
        """Leaf name to float64 array: parameters, x, h0, c0, v, target.

        Each is a read-only copy, made when it is asked for; an unknown name raises a KeyError
        that names the nearest.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> list(rw.rnn(2, 3, 4, bias=False).values)
        ['weight_ih_l0', 'weight_hh_l0', 'x', 'h0', 'v']
        """
        return Values(self._leaves)

    def replace(self, **changes: Any) -> Network:
        """A new network with other numbers.

        Parameters
        ----------
        **changes
            Leaf name to array-like. A name with a dot, such as ``readout.weight``, is passed as
            ``**{"readout.weight": W}``. ``gradients()[W]`` then answers by that object.

        Returns
        -------
        Network

        Raises
        ------
        KeyError
            For an unknown leaf, naming the nearest.
        ValueError, TypeError, IndexError
            For a wrong shape, NaN or infinity, text or complex numbers, or a class out of range.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.rnn(2, 3, 4)
        >>> net.replace(h0=[1, 0, -1]).values["h0"]
        array([ 1.,  0., -1.])
        """
        made = self._moved(changes)
        return Network._of(made.program, made._leaves, {**made.sources, **changes})

    def _moved(self, changes: Mapping[str, Any]) -> Network:
        """`replace`, for numbers that are nobody's object: a slider's, or a browser's."""
        moved = {name: leaf(self.program, name, value) for name, value in changes.items()}
        kept = {
            name: source
            for name, source in self.sources.items()
            if not moved.keys() & set(names.leaves_of(self.program, name))
        }
        return Network._of(self.program, {**self._leaves, **moved}, kept)

    def truncate(self, *, window: int | None = None, chunk: int | None = None) -> Network:
        """The same network with a truncated backward pass; without arguments, the full one.

        Parameters
        ----------
        window : int, optional
            Each loss step keeps only lags below it: its graph holds the state ``window`` steps
            back fixed.
        chunk : int, optional
            States are detached at every multiple of it, as in chunk-by-chunk training.

        Returns
        -------
        Network

        Raises
        ------
        TypeError
            If both are given, or not a whole number.
        ValueError
            If it is less than 1.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 1, 3, nonlinearity="identity", bias=False, loss="sum")
        >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [1], [1]])
        >>> net.truncate(window=2).contributions()["weight_ih_l0"][:, :, 0, 0]
        array([[1., 0., 0.],
               [2., 1., 0.],
               [0., 2., 1.]])
        """
        program = self.program.truncated(truncation(window, chunk))
        return Network._of(program, self._leaves, self.sources)

    def check(self) -> Report:
        """Compare the sum of contributions with torch's autograd and with central differences.

        Returns
        -------
        Report
            True if all agree to rounding; ``.autograd``, ``.differences`` and ``.errors`` hold the
            numbers. For a truncated network the cut states are held at their base value, and
            ``.bias`` is what truncation leaves out of the full gradient.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> bool(rw.lstm(2, 3, 4).check())
        True
        """
        from .interop.witness import check

        return check(self.program, self._leaves)

    def to_torch(self) -> torch.nn.Module:
        """The network as a float64 torch module with the same parameter names.

        nn.RNN, nn.GRU or nn.LSTM where these compute the same, otherwise a generated module.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> rw.gru(2, 3, 4).to_torch()
        GRU(2, 3)
        """
        from .interop.modules import to_torch

        return to_torch(self.program, self._leaves)

    def code(self, framework: str = "torch") -> str:
        """A script that builds the network, runs it and prints the same gradients.

        Parameters
        ----------
        framework : {"torch"}

        Returns
        -------
        str
            Python that needs PyTorch alone. It prints a line for the loss and for each gradient:
            its name and its numbers as JSON.

        Raises
        ------
        ValueError
            If the framework is not "torch".

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> "import torch" in rw.gru(2, 3, 4).code()
        True
        """
        from .interop.code import script

        choice("framework", framework, ("torch",))
        return script(self.program, self._leaves)

    def to_json(self) -> str:
        """The program and its numbers as text; floats keep every bit.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.gru(2, 3, 4)
        >>> rw.Network.from_json(net.to_json()).forward().loss == net.forward().loss
        True
        """
        return saved.to_text(self.program, self._leaves)

    @classmethod
    def from_json(cls, text: str) -> Network:
        """Read back `to_json`.

        Parameters
        ----------
        text : str

        Returns
        -------
        Network

        Raises
        ------
        ValueError
            If the text is damaged, naming what was expected.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> rw.Network.from_json(rw.lstm(2, 3, 4).to_json())
        Network(lstm, input_size=2, hidden_size=3, seq_len=4, loss='seed')
        """
        return network_from_data(saved.from_text(text))

    def __repr__(self) -> str:
        p = self.program
        extra = [f"num_layers={p.num_layers}"] if p.num_layers > 1 else []
        extra += ["bidirectional=True"] if p.bidirectional else []
        extra += [f"readout={p.readout}"] if p.readout else []
        extra += [f"{p.truncation.kind}={p.truncation.size}"] if p.truncation else []
        sizes = f"input_size={p.input_size}, hidden_size={p.hidden_size}, seq_len={p.seq_len}"
        return f"Network({', '.join([p.cell.name, sizes, *extra, f'loss={p.loss!r}'])})"


def network_from_data(data: Any) -> Network:
    """A network from the plain data of `Network.to_json`; a ValueError names what is damaged."""
    return Network._of(*saved.from_data(data), {})
