"""`Derivatives`: what is computed of a network, forwards and backwards."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from .core import backward, forward, paths, results
from .core.gradients import Gradients
from .core.jacobians import StateJacobians
from .core.names import parse_parameter_entry
from .core.ops import Array
from .core.program import Program
from .core.values import size, whole
from .interop import names


class Derivatives:
    """A program with its numbers, from which each answer is computed when it is asked for.

    Attributes
    ----------
    program : Program
        The equations and sizes.
    sources : dict
        The objects that leaves were copied from, for ``gradients()[object]``.
    """

    program: Program
    sources: Mapping[str, object]
    _leaves: Mapping[str, Array]  # what is computed with; never handed out

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
            objects that the network was made from: parameters, x, h0, c0 and a target.

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
        name, entry = parse_parameter_entry(names.native(self.program, wrt), self.program)
        t = whole("loss_step", loss_step, steps)
        k = whole("source_step", source_step, steps)
        top = size("top", top)
        overflow = self.forward().overflow
        if overflow is not None:
            raise ValueError(f"the network overflows at step {overflow}; its terms are not numbers")
        total = float(backward.contributions(self.program, self._sweep)[name][(t, k, *entry)])
        return paths.terms(self.program, self._forward, name, entry, t, k, top, total)
