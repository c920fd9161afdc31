"""Figures of a layer's parameters, their gradients and contributions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .linked import Linked

if TYPE_CHECKING:
    from .heatmap import Heatmap
    from .histogram import Histogram
    from .lag import Lag
    from .selection import Selection


class ParameterViews(Linked):
    """Figures of a layer's parameters, their gradients and contributions."""

    def lag(
        self,
        *,
        what: str | None = None,
        norm: object = "auto",
        controls: bool = True,
        selection: Selection | None = None,
        **options: Any,
    ) -> Lag:
        """Show how contributions fall with the lag between loss and source step.

        The dashed line is fitted by least squares on the logarithmic axis; the figure's ``rate``
        and ``half_life`` (in steps) are its numbers.

        Parameters
        ----------
        what : str, optional
            A parameter; the recurrent kernel of the top layer if none is given.
        norm : "auto" or (low, high)
            Ends of the vertical axis.
        controls, selection, **options
            As for `features_0d`.

        Raises
        ------
        KeyError, ValueError, TypeError
            For what does not exist, naming the nearest that does.

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
        """
        from .lag import Lag

        view = Lag(self._recording, selection or self.selection, what=what, norm=norm, **options)
        return view.shown(controls)

    def histogram(
        self,
        *,
        what: str = "gradients",
        bins: int = 40,
        layer: int = -1,
        gate: str | None = None,
        samples: object = None,
        channels: object = None,
        direction: str | None = None,
        max_timesteps: int | None = None,
        rows: int | None = None,
        norm: object = "auto",
        scheme: object = "blue-orange",
        share_axes: bool = True,
        controls: bool = True,
        selection: Selection | None = None,
        **options: Any,
    ) -> Histogram:
        """Count the entries of parameters or gradients by gate, or any recorded numbers.

        Parameters
        ----------
        what : str
            "gradients" or "weights" for every parameter of a layer, one of them such as
            "gradients[weight_hh_l0]", or a quantity recorded for each sample and step.
        bins : int
            How many bars; one more if that is odd, so that none has both signs.
        layer : int
            Which layer's parameters, of a stack.
        gate : str, optional
            One gate, or "all". Otherwise the selection decides.
        samples, channels, direction, max_timesteps, rows, norm, controls, selection, **options
            As for `features_1d`; samples and channels of recorded quantities only.
        scheme : str or pair of str
            Colours of negative and positive numbers, as for `features_2d`.
        share_axes : bool
            One scale of counts for all panels.

        Raises
        ------
        KeyError, IndexError, ValueError, TypeError
            For what does not exist, naming the nearest that does.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.GRU(2, 3), torch.ones(5, 4, 2), lambda out: out[0].sum())
        >>> rec.histogram(what="weights", gate="z")
        histogram('weights · GRU')
        """
        from .histogram import Histogram

        picks = {"samples": samples, "channels": channels, "max_timesteps": max_timesteps}
        view = Histogram(
            self._recording,
            selection or self.selection,
            what=what,
            bins=bins,
            layer=layer,
            gate=gate,
            direction=direction,
            picks=picks,
            rows=rows,
            norm=norm,
            scheme=scheme,
            share_axes=share_axes,
            **options,
        )
        return view.shown(controls)

    def heatmap(
        self,
        *,
        what: str = "gradients",
        gate: str | None = None,
        direction: str | None = None,
        rows: int | None = None,
        norm: object = "auto",
        scale: str = "linear",
        scheme: object = "blue-orange",
        controls: bool = True,
        selection: Selection | None = None,
        **options: Any,
    ) -> Heatmap:
        """Show a parameter or its gradient as heat maps: by gate, directions side by side.

        Parameters
        ----------
        what : str
            Such as "gradients[weight_ih_l0]", "weights[weight_hh_l0]" or, for the norms of C[t, k]
            over time, "contributions[weight_hh_l0]"; "gradients", "weights" and "contributions"
            alone mean the recurrent kernel of the top layer.
        gate : str, optional
            One gate, or "all". Otherwise the selection decides.
        direction, rows, norm, scale, scheme, controls, selection, **options
            As for `features_2d`.

        Raises
        ------
        KeyError, IndexError, ValueError, TypeError
            For what does not exist, naming the nearest that does.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.GRU(2, 3), torch.ones(5, 4, 2), lambda out: out[0].sum())
        >>> rec.heatmap(what="weights", gate="z")
        heatmap('weight_hh_l0, gate z · GRU')
        """
        from .heatmap import Heatmap

        view = Heatmap(
            self._recording,
            selection or self.selection,
            what=what,
            gate=gate,
            direction=direction,
            rows=rows,
            norm=norm,
            scale=scale,
            scheme=scheme,
            **options,
        )
        return view.shown(controls)
