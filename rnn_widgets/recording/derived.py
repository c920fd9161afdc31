"""`Derived`: what is computed from a recording, at the moment it is asked for."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_widgets.core.names import unknown
from rnn_widgets.core.values import whole
from rnn_widgets.interop.capture.spec import ROLES, Parameter, suffix

from .jacobians import Ran, RecordedJacobians
from .layer import Array, sealed
from .recorded import Recorded
from .uses import by_source

if TYPE_CHECKING:
    from rnn_widgets.network import Network
    from rnn_widgets.widgets.explorer import Explorer


class Derived(Recorded):
    """Contributions, state Jacobians and networks, made from what was recorded."""

    def by_source(self, name: str) -> Array:
        """What each step's use of a parameter adds to its gradient.

        Parameters
        ----------
        name : str
            A parameter, by the layer's own name.

        Returns
        -------
        array, shape (T, *shape)
            Its sum over steps is ``gradients[name]``.

        Raises
        ------
        KeyError
            For an unknown parameter, naming the nearest.

        Examples
        --------
        >>> import numpy as np, rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(4, 5, 2), lambda out: out[0].sum())
        >>> by_source = rec.by_source("weight_hh_l0")
        >>> by_source.shape, np.allclose(by_source.sum(0), rec.gradients["weight_hh_l0"], atol=1e-5)
        ((4, 3, 3), True)
        """
        parameter = self._parameter(name)
        made = {s: by_source(self._spec, self._arrays, s) for s in parameter.sources}
        return sealed(parameter.laid_out(made))

    def contributions(self, name: str) -> Array:
        """Norms of C[t, k], the derivative of loss term t by step k's copy of a parameter.

        Loss term t is what enters through the layer's output at step t; adjoints of final states
        enter at the last step of their direction, each sample's own. C is summed over the batch.

        Parameters
        ----------
        name : str
            A parameter, by the layer's own name.

        Returns
        -------
        array, shape (T, T), float64
            ``[loss step, source step]``, Frobenius norms. Those of all parameters are made
            together, by a sweep with a row for each step that has a loss, when the first is asked
            for.

        Raises
        ------
        KeyError
            For an unknown parameter, naming the nearest.
        ValueError
            If something was done to the state or the weights between calls of the layer.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> layer = torch.nn.RNN(1, 1, nonlinearity="relu", bias=False)
        >>> with torch.no_grad():
        ...     _ = layer.weight_ih_l0.fill_(1), layer.weight_hh_l0.fill_(2)
        >>> rec = rw.record(layer, torch.ones(3, 1, 1), lambda out: out[0].sum())
        >>> rec.contributions("weight_ih_l0")
        array([[1., 0., 0.],
               [2., 1., 0.],
               [4., 2., 1.]])
        """
        parameter = self._parameter(name)
        tables = [self._norms[source] for source in parameter.sources]
        return sealed(tables[0] if len(tables) == 1 else np.hypot(*tables))

    @cached_property
    def _norms(self) -> dict[str, Array]:
        from rnn_widgets.interop.capture.contributions import norms

        self._refuse_transformed("contributions")
        return norms(self._spec, self._arrays, self._meta["cuts"], self.device)

    def state_jacobians(
        self, sample: int = 0, layer: int = -1, reverse: bool = False
    ) -> RecordedJacobians:
        """State Jacobians ∂s_t/∂s_{t−1} of one sample, layer of the stack and direction.

        Parameters
        ----------
        sample : int
        layer : int
            0-based from the input up; −1 for the top.
        reverse : bool
            Whether to take the direction that runs from the last step to the first.

        Returns
        -------
        RecordedJacobians
            ``[t]``, ``.product(t, k)``, ``.singular_values(t, k)``, ``.norms()`` and
            ``.blocks(t)``, over the steps of this sample.

        Raises
        ------
        IndexError, TypeError
            If there is no such sample, layer or direction.
        ValueError
            If something was done to the state or the weights between calls of the layer.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.LSTM(2, 3), torch.ones(4, 1, 2), lambda out: out[0].sum())
        >>> rec.state_jacobians()
        RecordedJacobians of 4 steps, (6, 6) each
        """
        self._refuse_transformed("state Jacobians")
        n = whole("sample", sample, self.samples)
        i = whole("layer", layer, 2 * self.num_layers, -self.num_layers) % self.num_layers
        if not isinstance(reverse, bool | np.bool_):
            raise TypeError(f"reverse must be True or False, not {reverse!r}")
        if reverse and self.directions == 1:
            raise IndexError("the layer has no reverse direction: it is not bidirectional")
        return RecordedJacobians(
            self._ran(n, suffix(i, int(reverse))), self._spec.reverse(int(reverse))
        )

    def _ran(self, sample: int, end: str) -> Ran:
        steps = self._length(sample)

        def read(name: str) -> Array | None:
            held = self._arrays.get(name + end)
            return None if held is None else held[:steps, sample].astype(np.float64)

        def state(name: str) -> Array:
            found = read(name)
            assert found is not None
            return found

        live = self._arrays.get("live")
        weights = {
            role: self._arrays[f"weights.{role}{end}"].astype(np.float64)
            for role in ROLES
            if f"weights.{role}{end}" in self._arrays
        }
        return Ran(
            self._spec,
            weights,
            state("gates"),
            state("h_before"),
            read("c"),
            read("c_before"),
            read("recurrent"),
            np.zeros(steps, bool) if live is None else ~live[:steps, sample],
            np.isin(np.arange(steps), self._meta["cuts"]),
        )

    def network(self, sample: int = 0) -> Network:
        """One sample as a network: the layer's weights, that sample's inputs and initial states.

        Its seeds are the sample's direct adjoints, so its gradients are the sample's share of the
        layer's: over all samples they sum to ``gradients``.

        Raises
        ------
        ValueError
            If the layer has what networks here have not: a projection, dropout between layers,
            final states in the loss.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.GRU(2, 3), torch.ones(4, 5, 2), lambda out: out[0].sum())
        >>> rec.network(sample=1)
        Network(gru_reset_after, input_size=2, hidden_size=3, seq_len=4, loss='seed')
        """
        from .tiny import network

        self._refuse_transformed("a network")
        if self._meta["cuts"]:
            raise ValueError(
                f"the state was cut before step {self._meta['cuts'][0]}, which networks here "
                "cannot say: record one call with call="
            )
        n = whole("sample", sample, self.samples)
        return network(self._spec, self._arrays, n, self._length(n))

    def explore(self, sample: int = 0, **options: Any) -> Explorer:
        """Open one sample in the explorer, with the layer's real weights and inputs.

        Parameters
        ----------
        sample : int
        **options
            As for `rnn_widgets.explore`.

        Raises
        ------
        ValueError
            If the layer is too large to draw, with the sizes that would do; or as for `network`.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.GRU(2, 3), torch.ones(4, 5, 2), lambda out: out[0].sum())
        >>> rec.explore().net
        Network(gru_reset_after, input_size=2, hidden_size=3, seq_len=4, loss='seed')
        """
        from rnn_widgets.widgets.explorer import explore

        from .tiny import refuse_large

        refuse_large(self._spec, self._length(whole("sample", sample, self.samples)))
        return explore(self.network(sample), **options)

    def _parameter(self, name: str) -> Parameter:
        if name not in self._parameters:
            raise unknown("parameter", name, self._parameters)
        return self._parameters[name]

    def _length(self, sample: int) -> int:
        return self.steps if self.lengths is None else int(self.lengths[sample])

    def _refuse_transformed(self, what: str) -> None:
        if self._meta["transformed"]:
            raise ValueError(
                "the model did something to the state or the weights between two calls of the "
                f"layer, which is not recorded: there are adjoints, but {what} would need it"
            )
