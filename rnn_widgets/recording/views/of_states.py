"""Figures of what is recorded for each sample and step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .linked import Linked

if TYPE_CHECKING:
    from .features_0d import Features0D
    from .features_1d import Features1D
    from .features_2d import Features2D
    from .flow import Flow
    from .selection import Selection


class StateViews(Linked):
    """Figures of what is recorded for each sample and step."""

    def features_0d(
        self,
        *,
        what: str = "total",
        step: int | str = "sum",
        samples: object = None,
        channels: object = None,
        direction: str | None = None,
        norm: object = "auto",
        scale: str = "linear",
        controls: bool = True,
        selection: Selection | None = None,
        **options: Any,
    ) -> Features0D:
        """Show one value for each channel and sample: at one step, or summed over time.

        Parameters
        ----------
        what : str
            Any quantity recorded for each sample and step, such as "direct", "cell.total",
            "layers[0].carried", "gates.f.adjoints" or "inputs".
        step : int or "sum"
            The step, from 0 to T − 1, or the sum over time.
        samples, channels : int, slice, list, optional
            Which; channels also as text such as "0:16, 20". Otherwise the selection decides.
        direction : {"both", "forward", "reverse"}, optional
            Which direction of a bidirectional layer. Otherwise the selection decides.
        norm : "auto", float or (low, high)
            Ends of the scale; "auto" is symmetric and has room for every number.
        scale : {"linear", "symlog"}
            "symlog" is logarithmic in both signs down to a millionth of the ends, for gradients
            that vanish.
        controls : bool
            Whether the controls of the selection are shown.
        selection : Selection, optional
            What to follow instead of the recording's own `selection`.
        **options
            ``title``, ``labels``, ``width``, ``height``, as for every figure.

        Raises
        ------
        KeyError, IndexError, ValueError, TypeError
            For what does not exist, naming the nearest that does.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(5, 4, 2), lambda out: out[0].sum())
        >>> rec.features_0d(what="direct", step=-1)
        features_0d('direct adjoint of h at t = 5 (step 4) · RNN, 4 samples')
        """
        from .features_0d import Features0D
        from .pick import Choice

        choice = Choice(self._recording, what, samples, channels, direction)
        view = Features0D(
            choice, selection or self.selection, step=step, norm=norm, scale=scale, **options
        )
        return view.shown(controls)

    def features_1d(
        self,
        *,
        what: str = "total",
        samples: object = None,
        channels: object = None,
        direction: str | None = None,
        max_timesteps: int | None = None,
        rows: int | None = None,
        norm: object = "auto",
        scale: str = "linear",
        share_axes: bool = True,
        controls: bool = True,
        selection: Selection | None = None,
        **options: Any,
    ) -> Features1D:
        """Show curves against time: one small panel for each channel, samples over one another.

        Where there are more numbers than can be drawn at once, the range over the samples is
        drawn with one sample's curve; ``samples="all"`` draws every curve all the same.

        Parameters
        ----------
        what : str
            Any quantity recorded for each sample and step.
        samples, channels, direction, norm, scale, controls, selection, **options
            As for `features_0d`.
        max_timesteps : int, optional
            Show only so many of the last steps.
        rows : int, optional
            Rows of panels.
        share_axes : bool
            One scale for all panels; otherwise each has its own, written in its caption.

        Raises
        ------
        KeyError, IndexError, ValueError, TypeError
            For what does not exist, naming the nearest that does.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(5, 4, 2), lambda out: out[0].sum())
        >>> rec.features_1d(samples=slice(2), rows=1)
        features_1d('total adjoint of h ∂L/∂hₜ · RNN, samples 0–1 of 4')
        """
        from .features_1d import Features1D
        from .pick import Choice

        choice = Choice(self._recording, what, samples, channels, direction, max_timesteps)
        view = Features1D(
            choice,
            selection or self.selection,
            rows=rows,
            norm=norm,
            scale=scale,
            share_axes=share_axes,
            **options,
        )
        return view.shown(controls)

    def features_2d(
        self,
        *,
        what: str = "total",
        samples: object = None,
        channels: object = None,
        direction: str | None = None,
        max_timesteps: int | None = None,
        rows: int | None = None,
        norm: object = "auto",
        scale: str = "linear",
        scheme: object = "blue-orange",
        orientation: str = "horizontal",
        reflect: bool = False,
        controls: bool = True,
        selection: Selection | None = None,
        **options: Any,
    ) -> Features2D:
        """Show heat maps of time and channel: of the sample in focus, or of each one.

        Parameters
        ----------
        what : str
            Any quantity recorded for each sample and step.
        samples, channels, direction, max_timesteps, rows, norm, scale
            As for `features_1d`. While no sample is in focus, up to 16 are shown.
        controls, selection, **options
            As for `features_0d`.
        scheme : str or pair of str
            Colours of negative and positive numbers: "blue-orange", "red-blue", "purple-green",
            "teal-brown", or two such as ("#2b6cb0", "#d9680b"). Zero is the background.
        orientation : {"horizontal", "vertical"}
            How time runs: across or down.
        reflect : bool
            Mirror the channels of the reverse direction, so that the halves meet like pages of a
            book; time stays input time.

        Raises
        ------
        KeyError, IndexError, ValueError, TypeError
            For what does not exist, naming the nearest that does.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.RNN(2, 3), torch.ones(5, 4, 2), lambda out: out[0].sum())
        >>> rec.features_2d(samples=0, norm=(-0.01, 0.01))
        features_2d('total adjoint of h ∂L/∂hₜ · RNN, sample 0')
        """
        from .features_2d import Features2D
        from .pick import Choice

        choice = Choice(self._recording, what, samples, channels, direction, max_timesteps)
        view = Features2D(
            choice,
            selection or self.selection,
            rows=rows,
            norm=norm,
            scale=scale,
            scheme=scheme,
            orientation=orientation,
            reflect=reflect,
            **options,
        )
        return view.shown(controls)

    def flow(
        self,
        *,
        what: str = "h",
        samples: object = None,
        channels: object = None,
        direction: str | None = None,
        max_timesteps: int | None = None,
        scale: str = "log",
        norm: object = "auto",
        reflect: bool = False,
        controls: bool = True,
        selection: Selection | None = None,
        **options: Any,
    ) -> Flow:
        """Show how large direct, carried and total adjoints are at each step.

        Parameters
        ----------
        what : str
            Whose: "h", "c" of an LSTM, or of a layer of the stack "layers[0]", "layers[0].cell".
        samples, channels, direction, max_timesteps, controls, selection, **options
            As for `features_1d`.
        scale : {"log", "linear"}
            The vertical axis; on a logarithmic one zero stands at the bottom.
        norm : "auto" or (low, high)
            Ends of that axis.
        reflect : bool
            Draw the reverse direction upside down, under the forward one.

        Raises
        ------
        KeyError, IndexError, ValueError, TypeError
            For what does not exist, naming the nearest that does.

        Examples
        --------
        >>> import rnn_widgets as rw
        >>> import torch
        >>> rec = rw.record(torch.nn.LSTM(2, 3), torch.ones(5, 4, 2), lambda out: out[0][-1].sum())
        >>> rec.flow(what="c")
        flow('gradient at each step: adjoints of cₜ · LSTM, 4 samples')
        """
        from .flow import Flow

        picks = {
            "samples": samples,
            "channels": channels,
            "direction": direction,
            "max_timesteps": max_timesteps,
        }
        view = Flow(
            self._recording,
            selection or self.selection,
            what=what,
            scale=scale,
            norm=norm,
            reflect=reflect,
            picks=picks,
            **options,
        )
        return view.shown(controls)
