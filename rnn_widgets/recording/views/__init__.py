"""Figures of a recording, linked with one another.

The figures are bqplot's and are imported when the first is made: recording needs none of them.
Their options, in `options`, are one table: it makes their signatures and their help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .linked import Linked
from .options import documented

if TYPE_CHECKING:
    from .features_0d import Features0D
    from .features_1d import Features1D
    from .features_2d import Features2D
    from .flow import Flow
    from .heatmap import Heatmap
    from .histogram import Histogram
    from .lag import Lag


class Views(Linked):
    """The figures of a recording.

    All figures of one recording follow its `selection`: pointing at a step marks it in each of
    them, a click keeps it, and one slider and one field, shown under each, choose the sample and
    the channels.
    """

    @documented
    def features_0d(self, **options: Any) -> Features0D:
        """Show one value for each channel and sample: at one step, or summed over time.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(5, 4, 2), lambda out: out[0].sum())
        >>> rec.features_0d(what="direct", step=-1)
        features_0d('direct adjoint of h at t = 5 (step 4) · RNN, 4 samples')
        """
        from .features_0d import Features0D

        return Features0D(self._recording, options).shown()

    @documented
    def features_1d(self, **options: Any) -> Features1D:
        """Show curves against time: one small panel for each channel, samples over one another.

        Where there are more numbers than can be drawn at once, the range over the samples is
        drawn with one sample's curve; ``samples="all"`` draws every curve all the same.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(5, 4, 2), lambda out: out[0].sum())
        >>> rec.features_1d(samples=slice(2), rows=1)
        features_1d('total adjoint of h ∂L/∂hₜ · RNN, samples 0–1 of 4')
        """
        from .features_1d import Features1D

        return Features1D(self._recording, options).shown()

    @documented
    def features_2d(self, **options: Any) -> Features2D:
        """Show heat maps of time and channel: of the sample in focus, or of each one, up to 16.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(5, 4, 2), lambda out: out[0].sum())
        >>> rec.features_2d(samples=0, norm=(-0.01, 0.01))
        features_2d('total adjoint of h ∂L/∂hₜ · RNN, sample 0')
        >>> rec.features_2d(what="by_source[weight_hh_l0]").norm()[0]
        0.0
        """
        from .features_2d import Features2D

        return Features2D(self._recording, options).shown()

    @documented
    def flow(self, **options: Any) -> Flow:
        """Show how large direct, carried and total adjoints are at each step.

        Of any other quantity, its norm over samples and channels at each step.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.LSTM(2, 3), torch.ones(5, 4, 2), lambda out: out[0][-1].sum())
        >>> rec.flow(what="c")
        flow('gradient at each step: adjoints of cₜ · LSTM, 4 samples')
        >>> rec.flow(what="gates.f.adjoints")
        flow("norm at each step: adjoint of gate f's pre-activation · LSTM, 4 samples")
        """
        from .flow import Flow

        return Flow(self._recording, options).shown()

    @documented
    def lag(self, **options: Any) -> Lag:
        """Show how contributions fall with the lag between loss and source step.

        ``what`` is a parameter, the recurrent kernel of the top layer if none is given; of a
        quantity with steps its norm is shown against how long before the last step it is. The
        dashed line is fitted by least squares on a logarithmic axis; the figure's ``rate`` and
        ``half_life`` (in steps) are its numbers.

        Examples
        --------
        A linear layer with the recurrent weight 0.5 loses half at each step:

        >>> import rnn_widgets as rw
        >>> import torch
        >>> layer = torch.nn.RNN(1, 1, nonlinearity="relu", bias=False).double()
        >>> _ = layer.weight_ih_l0.data.fill_(1.0), layer.weight_hh_l0.data.fill_(0.5)
        >>> x = torch.ones(6, 1, 1).double()
        >>> rec = rw.record(layer, x, lambda out: out[0][-1].sum())
        >>> view = rec.lag(what="weight_ih_l0")
        >>> round(view.rate, 6), round(view.half_life, 6)
        (0.5, 1.0)
        >>> round(rec.lag(what="total").rate, 6)
        0.5
        """
        from .lag import Lag

        return Lag(self._recording, options).shown()

    @documented
    def histogram(self, **options: Any) -> Histogram:
        """Count the entries of parameters or gradients by gate, or any recorded numbers.

        "gradients" or "weights" alone mean every parameter of a layer.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.GRU(2, 3), torch.ones(5, 4, 2), lambda out: out[0].sum())
        >>> rec.histogram(what="weights", gate="z")
        histogram('weights · GRU')
        """
        from .histogram import Histogram

        return Histogram(self._recording, options).shown()

    @documented
    def heatmap(self, **options: Any) -> Heatmap:
        """Show a parameter or its gradient as heat maps: by gate, directions side by side.

        ``what`` is such as "gradients[weight_ih_l0]", "weights[weight_hh_l0]", "initial[h0]",
        "by_source[weight_hh_l0]", a matrix at one ``step`` or summed over time, or, for the norms
        of C[t, k] over time, "contributions[weight_hh_l0]"; a group alone means the recurrent
        kernel of the top layer.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.GRU(2, 3), torch.ones(5, 4, 2), lambda out: out[0].sum())
        >>> rec.heatmap(what="weights", gate="z")
        heatmap('weight_hh_l0, gate z · GRU')
        """
        from .heatmap import Heatmap

        return Heatmap(self._recording, options).shown()
