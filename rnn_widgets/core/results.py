"""What a network answers with: traces, adjoints and contributions, all read-only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from .backward import BlockSweep, Sweep, within_step
from .bounds import bound
from .forward import BlockTrace, ForwardPass
from .frozen import frozen, read_only
from .names import parse_parameter, unknown
from .norms import norms
from .ops import Array
from .program import Program


def _led(program: Program, arrays: list[Array]) -> Array:
    """Arrays per layer and direction with that axis in front, or the only one without it."""
    return frozen(arrays[0] if program.rows == 1 else np.stack(arrays))


class Trace(Mapping[str, Array]):
    """The forward pass: a mapping from node name (``"h"``, gates such as ``"z"``) to its values.

    Each value has shape (T, n), with several layers or directions (layers·directions, T, n);
    dimensionless, as is everything else here.

    Examples
    --------
    A GRU without weights opens its gates half way, and forgets half of its state at every step:

    >>> import numpy as np, rnn_widgets as rw
    >>> net = rw.gru(1, 1, 3, bias=False)
    >>> net = net.replace(weight_ih_l0=np.zeros((3, 1)), weight_hh_l0=np.zeros((3, 1)), h0=[8])
    >>> trace = net.forward()
    >>> trace.hidden[:, 0], trace["z"][:, 0]
    (array([8., 4., 2., 1.]), array([0.5, 0.5, 0.5]))
    """

    def __init__(self, program: Program, forward: ForwardPass) -> None:
        self._program = program
        self._forward = forward
        self._recurrent = [b for b in forward.blocks if b.block.recurrent]
        self._nodes: dict[str, list[Array]] = {}
        for block in forward.blocks[:-1]:
            for node, array in zip(block.block.template.nodes, block.nodes, strict=True):
                if node.name:
                    self._nodes.setdefault(node.name, []).append(array)

    @property
    def hidden(self) -> Array:
        """Hidden states with the initial one: (T+1, H); in a reverse direction row T is initial."""
        return self._states("h")

    @property
    def cell(self) -> Array:
        """Cell states like `hidden`.

        Raises
        ------
        AttributeError
            If the cell has no cell state.
        """
        if "c" not in self._program.cell.states:
            raise AttributeError(f"a {self._program.cell.name} has no cell state, only an LSTM has")
        return self._states("c")

    def _states(self, name: str) -> Array:
        return _led(self._program, [b.states[name] for b in self._recurrent])

    @property
    def output(self) -> Array:
        """The outputs y_t, shape (T, O)."""
        return frozen(self._forward.output)

    @property
    def losses(self) -> Array:
        """Each step's share of the loss, shape (T,); zero for steps that do not enter it."""
        return frozen(self._forward.losses)

    @property
    def loss(self) -> float:
        """The loss, the sum of `losses`."""
        with np.errstate(all="ignore"):
            return float(self._forward.losses.sum())

    @property
    def overflow(self) -> int | None:
        """The first step (0-based) with a value that is not finite, None if all are."""
        bad = np.zeros(self._program.seq_len, dtype=bool)
        for block in self._forward.blocks:
            for node, array in zip(block.block.template.nodes, block.nodes, strict=True):
                if node.op != "param":
                    bad |= ~np.isfinite(array).all(axis=-1)
        return int(np.argmax(bad)) if bad.any() else None

    def __getitem__(self, name: str) -> Array:
        if name not in self._nodes:
            raise unknown("node", name, self._nodes)
        arrays = self._nodes[name]
        return frozen(arrays[0] if len(arrays) == 1 else np.stack(arrays))

    def __iter__(self) -> Iterator[str]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)

    def __repr__(self) -> str:
        return f"Trace of {self._program.seq_len} steps: {', '.join(self._nodes)}"


class StateAdjoints:
    """Adjoints of one kind of state, each (T, H) or (layers·directions, T, H); dimensionless.

    ``total`` is autograd's ∂L/∂state_t; ``direct`` is what reaches it except through this layer's
    own next step; ``carried`` is the rest.

    Examples
    --------
    With h_t = 2 h_{t−1} and L = h_1 + h_2, the state h_1 gets 1 directly and 2 through h_2:

    >>> import rnn_widgets as rw
    >>> net = rw.rnn(1, 1, 2, nonlinearity="identity", bias=False, loss="sum")
    >>> adjoints = net.replace(weight_hh_l0=[[2]]).adjoints()
    >>> adjoints.direct[0], adjoints.carried[0], adjoints.total[0]
    (array([1.]), array([2.]), array([3.]))
    """

    def __init__(self, direct: Array, total: Array) -> None:
        self._direct, self._total = direct, total

    @property
    def direct(self) -> Array:
        """What reaches the state except through this layer's own next step."""
        return frozen(self._direct)

    @property
    def total(self) -> Array:
        """∂L/∂state_t, as autograd has it."""
        return frozen(self._total)

    @property
    def carried(self) -> Array:
        """``total − direct``: what came back through this layer's own next step."""
        with np.errstate(all="ignore"):
            return frozen(self._total - self._direct)

    def __repr__(self) -> str:
        return f"{type(self).__name__} of shape {self._total.shape}: total, direct, carried"


class Adjoints(StateAdjoints):
    """Adjoints of the hidden state; ``cell`` has those of an LSTM's cell, else None.

    Examples
    --------
    An LSTM without weights reads half of its cell and keeps half of it for the next step:

    >>> import numpy as np, rnn_widgets as rw
    >>> net = rw.lstm(1, 1, 2, bias=False).replace(v=[[0], [1]])
    >>> net = net.replace(weight_ih_l0=np.zeros((4, 1)), weight_hh_l0=np.zeros((4, 1)))
    >>> cell = net.adjoints().cell
    >>> cell.direct[:, 0], cell.carried[:, 0]
    (array([0. , 0.5]), array([0.25, 0.  ]))
    """

    def __init__(self, direct: Array, total: Array, cell: StateAdjoints | None = None) -> None:
        super().__init__(direct, total)
        self._cell = cell

    @property
    def cell(self) -> StateAdjoints | None:
        """Adjoints of an LSTM's cell state, None for other cells."""
        return self._cell

    def __repr__(self) -> str:
        return super().__repr__() + (", cell" if self._cell else "")


@np.errstate(all="ignore")
def adjoints(program: Program, forward: ForwardPass, swept: Sweep) -> Adjoints:
    """Adjoints of every state from a sweep, summed over loss steps."""
    pairs = [
        (trace, made)
        for trace, made in zip(forward.blocks, swept.blocks, strict=True)
        if trace.block.recurrent
    ]
    found = {}
    for state, out in zip(program.cell.states, program.cell.outputs, strict=True):
        direct = [_direct(trace, made, out).sum(1) for trace, made in pairs]
        total = [_or_zeros(made.nodes[out], trace.nodes[out]).sum(1) for trace, made in pairs]
        found[state] = StateAdjoints(_led(program, direct), _led(program, total))
    hidden = found["h"]
    return Adjoints(hidden.direct, hidden.total, found.get("c"))


def _direct(trace: BlockTrace, made: BlockSweep, out: int) -> Array:
    within = within_step(trace, {trace.block.template.outputs[0]: made.reaching})
    return _or_zeros(within[out], trace.nodes[out])


def _or_zeros(adjoint: Array | None, like: Array) -> Array:
    return np.zeros_like(like)[:, None] if adjoint is None else adjoint


class Contributions(Mapping[str, Array]):
    """C[t, k] of every parameter: name to (T, T, *shape), [loss step, source step]; dimensionless.

    ``C[t, k]`` is the derivative of loss term L_t with only step k's copy of the parameter left
    free. ``arrays`` are kept without a copy, so they must be the caller's to give away.

    Examples
    --------
    With h_t = x_t + 2 h_{t−1} and L = h_1 + h_2, step 1 serves L_1 once and L_2 twice:

    >>> import rnn_widgets as rw
    >>> net = rw.rnn(1, 1, 2, nonlinearity="identity", bias=False, loss="sum")
    >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [1]])
    >>> net.contributions()["weight_ih_l0"][..., 0, 0]
    array([[1., 0.],
           [2., 1.]])
    """

    def __init__(
        self, arrays: Mapping[str, Array], program: Program, trace: ForwardPass, swept: Sweep
    ) -> None:
        self._arrays = dict(arrays)
        self._program = program
        self._trace = trace
        self._sweep = swept

    def __getitem__(self, name: str) -> Array:
        if name not in self._arrays:
            raise unknown("parameter", name, self._arrays)
        return read_only(self._arrays[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @np.errstate(all="ignore")
    def by_loss(self, name: str) -> Array:
        """Gradient of each loss step, Σ_k C[t, k]: (T, *shape).

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 1, 3, nonlinearity="identity", bias=False, loss="sum")
        >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [1], [1]])
        >>> net.contributions().by_loss("weight_ih_l0")[:, 0, 0]
        array([1., 3., 7.])
        """
        return frozen(self[name].sum(1))

    @np.errstate(all="ignore")
    def by_source(self, name: str) -> Array:
        """What using the parameter at each step is worth, Σ_t C[t, k]: (T, *shape).

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 1, 3, nonlinearity="identity", bias=False, loss="sum")
        >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [1], [1]])
        >>> net.contributions().by_source("weight_ih_l0")[:, 0, 0]
        array([7., 3., 1.])
        """
        return frozen(self[name].sum(0))

    @np.errstate(all="ignore")
    def by_lag(self, name: str) -> Array:
        """What each distance |t − k| adds to the gradient: (T, *shape).

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 1, 3, nonlinearity="identity", bias=False, loss="sum")
        >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [1], [1]])
        >>> net.contributions().by_lag("weight_ih_l0")[:, 0, 0]
        array([3., 4., 4.])
        """
        array = self[name]
        result = np.zeros(array.shape[1:])
        for t in range(len(array)):
            for k in range(len(array)):
                result[abs(t - k)] += array[t, k]
        return frozen(result)

    def norm(self, name: str) -> Array:
        """Frobenius norm of every C[t, k]: (T, T).

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> net = rw.rnn(2, 1, 2, nonlinearity="identity", bias=False, loss="sum")
        >>> net = net.replace(weight_hh_l0=[[2]], x=[[3, 4], [0, 0]])
        >>> net.contributions().norm("weight_ih_l0")
        array([[ 5.,  0.],
               [10.,  0.]])
        """
        array = self[name]
        return frozen(norms(array, tuple(range(2, array.ndim))))

    def bound(self, wrt: str) -> Array:
        """What the norm of every C[t, k] cannot exceed, whatever the directions: (T, T).

        Parameters
        ----------
        wrt : str
            A parameter, or an entry such as ``weight_hh_l0[0,1]``.

        Returns
        -------
        array, shape (T, T)
            [loss step, source step]; NaN where a state Jacobian on the way has overflowed.

        Raises
        ------
        KeyError, IndexError
            If there is no such parameter or entry.

        Notes
        -----
        Of one layer: ‖v_tᵀ ∂y_t/∂s_t‖ σ(J_t) … σ(J_{k+1}) ‖∂⁺s_k/∂θ‖ with σ the largest singular
        value; of a stack the sum over the steps at which L_t reaches the layer from above. After
        Pascanu, Mikolov & Bengio 2013, section 2.1.

        Examples
        --------
        In one dimension there is but one direction, so the bound is reached:

        >>> import rnn_widgets as rw
        >>> net = rw.rnn(1, 1, 3, nonlinearity="identity", bias=False, loss="sum")
        >>> net = net.replace(weight_ih_l0=[[1]], weight_hh_l0=[[2]], x=[[1], [1], [1]])
        >>> net.contributions().bound("weight_ih_l0[0,0]")
        array([[1., 0., 0.],
               [2., 1., 0.],
               [4., 2., 1.]])
        """
        leaf, index = parse_parameter(wrt, self._program)
        return frozen(bound(self._program, self._trace, self._sweep, leaf, index))

    def __repr__(self) -> str:
        lines = [f"{name}  {array.shape}" for name, array in self._arrays.items()]
        return "Contributions [loss step, source step]\n" + "\n".join(lines)
