"""`Network`: what users hold. A program with its numbers, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from .core import backward, forward, paths, results, saved
from .core.gradients import Gradients
from .core.jacobians import StateJacobians
from .core.names import parse_parameter_entry
from .core.ops import Array
from .core.program import Program
from .core.values import Values, checked, choice, leaf, size, truncation, whole
from .interop import names

if TYPE_CHECKING:
    import torch

    from .interop.witness import Report


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Network:
    """A tiny recurrent network: equations, sizes and numbers. Frozen: every change makes a new one.

    Made by `rnn`, `gru`, `lstm`, `custom`, `from_torch`, `from_keras`, `from_flux` or `from_json`.

    Parameters
    ----------
    program : Program
        The equations and sizes.
    values : dict
        An array-like for each of ``program.leaves``; checked and copied.
    sources : dict, optional
        The objects that parameters were copied from, for ``gradients()[parameter]``.

    Raises
    ------
    KeyError
        For a missing or an unknown leaf.
    ValueError, TypeError, IndexError
        As for `replace`.
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
            ``**{"readout.weight": W}``.

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
        moved = {name: leaf(self.program, name, value) for name, value in changes.items()}
        kept = {
            name: source
            for name, source in self.sources.items()
            if not moved.keys() & set(names.leaves_of(self.program, name))
        }
        return Network._of(self.program, {**self._leaves, **moved}, kept)

    @cached_property
    def _forward(self) -> forward.ForwardPass:
        return forward.forward(self.program, self._leaves)

    @cached_property
    def _sweep(self) -> backward.Sweep:
        return backward.sweep(self.program, self._forward)

    def forward(self) -> results.Trace:
        """Run the network.

        Returns
        -------
        Trace
            ``.hidden`` (T+1, H), ``.cell``, ``.output`` (T, O), ``.losses`` (T,), ``.loss``, and by
            name every named node. A network whose numbers overflow is reported by ``.overflow``.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 1, 3, nonlinearity="identity", bias=False, loss="sum")
        >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [0], [0]])
        >>> trace = net.forward()
        >>> trace.hidden[:, 0], trace.loss
        (array([0., 1., 2., 4.]), 7.0)
        """
        return results.Trace(self.program, self._forward)

    def gradients(self) -> Gradients:
        """∂L/∂leaf of parameters, ``x``, ``h0``, ``c0`` and a real-valued ``target``.

        Returns
        -------
        Gradients
            A mapping from name to array; also answers to Keras's and Flux's names, and to the
            parameter objects that the network was made from.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> gradients = rw.rnn(2, 3, 4).gradients()
        >>> bool((gradients["recurrent_kernel"] == gradients["weight_hh_l0"].T).all())
        True
        """
        arrays = backward.gradients(self.program, self._sweep)
        return Gradients(arrays, names.aliases(self.program), self.sources)

    def contributions(self) -> results.Contributions:
        """C[t, k] of every parameter from one reverse sweep.

        Returns
        -------
        Contributions
            Name to (T, T, *shape), [loss step, source step]: the derivative of loss term L_t with
            only step k's copy of the parameter left free. Σ_k C[t, ·] is the gradient of L_t.

        Notes
        -----
        C[t, k] = v_tᵀ (∂y_t/∂s_t) J_t … J_{k+1} ∂⁺s_k/∂θ for one layer (Pascanu, Mikolov & Bengio
        2013, eq. 3–5).

        Examples
        --------
        With h_t = x_t + 2 h_{t−1} and L = h_1 + h_2 + h_3, each step back doubles:

        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 1, 3, nonlinearity="identity", bias=False, loss="sum")
        >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [1], [1]])
        >>> net.contributions()["weight_ih_l0"][:, :, 0, 0]
        array([[1., 0., 0.],
               [2., 1., 0.],
               [4., 2., 1.]])
        """
        arrays = backward.contributions(self.program, self._sweep)
        return results.Contributions(arrays, self.program, self._forward, self._sweep)

    def adjoints(self) -> results.Adjoints:
        """∂L/∂h_t split into direct and carried; ``.cell`` the same for an LSTM's cell.

        Returns
        -------
        Adjoints
            ``.total``, ``.direct`` and ``.carried``, each (T, H), led by the layers·directions axis
            where there are several.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 1, 3, nonlinearity="identity", bias=False)
        >>> adjoints = net.replace(weight_hh_l0=[[2]], v=[[0], [0], [1]]).adjoints()
        >>> adjoints.total[:, 0], adjoints.direct[:, 0], adjoints.carried[:, 0]
        (array([4., 2., 1.]), array([0., 0., 1.]), array([4., 2., 0.]))
        """
        return results.adjoints(self.program, self._forward, self._sweep)

    def jacobians(self, layer: int = 0, reverse: bool = False) -> StateJacobians:
        """State Jacobians ∂s_t/∂s_{t−1} of one layer and direction.

        Parameters
        ----------
        layer : int
            0-based, from the input up.
        reverse : bool
            Whether to take the direction that runs from the last step to the first.

        Returns
        -------
        StateJacobians
            ``[t]`` (S, S), ``.product(t, k)``, ``.blocks(t)`` and ``.singular_values(t, k)``.

        Raises
        ------
        IndexError
            If there is no such layer or direction.
        TypeError
            If ``layer`` is not a whole number or ``reverse`` not True or False.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 1, 3, nonlinearity="identity").replace(weight_hh_l0=[[2]])
        >>> net.jacobians().product(2, 0)
        array([[4.]])
        """
        layer = whole("layer", layer, self.program.num_layers)
        if not isinstance(reverse, bool | np.bool_):
            raise TypeError(f"reverse must be True or False, not {reverse!r}")
        if reverse and not self.program.bidirectional:
            raise IndexError("the network has no reverse direction: it is not bidirectional")
        row = layer * self.program.directions + bool(reverse)
        return StateJacobians(self._forward.blocks[row], self.program.cell.name)

    def terms(self, wrt: str, loss_step: int, source_step: int, top: int = 10) -> paths.Terms:
        """The largest chain-rule terms inside one contribution.

        Parameters
        ----------
        wrt : str
            A parameter entry, for example ``"weight_hh_l0[0,1]"``.
        loss_step, source_step : int
            0-based steps t and k.
        top : int
            How many to list; all, if there are no more than that.

        Returns
        -------
        Terms
            A sequence with ``.total``, ``.remainder``, ``.count`` and ``.gross``.

        Raises
        ------
        KeyError, IndexError, ValueError, TypeError
            For an entry or step that does not exist, or more than a million terms.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 1, 3, nonlinearity="identity", bias=False, loss="sum")
        >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[3], [0], [0]])
        >>> net.terms("weight_ih_l0[0,0]", loss_step=2, source_step=0)[0].factors
        (('weight_hh_l0[0,0]', 2.0), ('weight_hh_l0[0,0]', 2.0), ('x₁[0]', 3.0))
        """
        steps = self.program.seq_len
        name, entry = parse_parameter_entry(wrt, self.program)
        t = whole("loss_step", loss_step, steps)
        k = whole("source_step", source_step, steps)
        top = size("top", top)
        overflow = self.forward().overflow
        if overflow is not None:
            raise ValueError(f"the network overflows at step {overflow}; its terms are not numbers")
        total = float(backward.contributions(self.program, self._sweep)[name][(t, k, *entry)])
        return paths.terms(self.program, self._forward, name, entry, t, k, top, total)

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
