"""What all figures of a recording look at, and the controls that move it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets
import traitlets
from ipywidgets import Layout
from traitlets import link

from rnn_widgets.core.names import unknown

from .pick import DIRECTIONS, EVERY, channel_list

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

CHOSEN = ("step", "sample", "channels", "gate", "direction")


class Selection(ipywidgets.Widget):
    """The step, sample, channels, gate and direction that the figures of a recording share.

    It has no view of its own; `controls` are its sliders and switches, one of each, however many
    figures show them. A refused value leaves the selection as it was.

    Parameters
    ----------
    steps, samples, channels, directions : int
        How many there are: T, N, channels of one direction, 1 or 2.
    gates : tuple of str
        Names of the gates.
    lasting : bool
        Whether it stays when the last figure that follows it is closed.

    Examples
    --------
    >>> chosen = Selection(steps=20, samples=4, channels=8, directions=1, gates=("r", "z", "n"))
    >>> chosen.sample = 3
    >>> chosen.channels = "0:2, 7"
    >>> chosen.channels
    (0, 1, 7)
    >>> chosen
    Selection(step=None, sample=3, channels=(0, 1, 7), gate='all', direction='both')
    """

    _view_name = traitlets.Unicode(None, allow_none=True).tag(sync=True)

    step = traitlets.Int(None, allow_none=True).tag(sync=True)
    """The step under the pointer, 0 to T − 1, or None. Written by the browser and by Python."""

    pinned = traitlets.Bool(False).tag(sync=True)
    """Whether the step stays while the pointer moves. Written by the browser and by Python."""

    sample = traitlets.Int(None, allow_none=True)
    """The sample in focus, 0 to N − 1; None, the default, for all. Written by Python."""

    channels: Any = traitlets.Any(None, allow_none=True)
    """Channels of each direction, a tuple of int; None, the default, for all. Written by Python.

    Also takes a slice, a list, or text such as "0:16, 20".
    """

    gate = traitlets.Unicode(EVERY)
    """The gate whose weights histograms and heat maps show, or "all". Written by Python."""

    direction = traitlets.Unicode("both")
    """The direction shown: "both", "forward" or "reverse". Written by Python."""

    def __init__(
        self,
        *,
        steps: int,
        samples: int,
        channels: int,
        directions: int,
        gates: tuple[str, ...],
        lasting: bool = True,
    ) -> None:
        self._sizes = {"step": steps, "sample": samples}
        self._hidden, self._directions, self._gates = channels, directions, gates
        self._controls: dict[str, ipywidgets.Widget] = {}
        self._lasting, self._figures = lasting, set[object]()
        super().__init__()

    def __repr__(self) -> str:
        chosen = ", ".join(f"{name}={value!r}" for name, value in self.chosen().items())
        return f"Selection({chosen})"

    def chosen(self) -> dict[str, Any]:
        """What is looked at, by the names of traits."""
        return {name: getattr(self, name) for name in CHOSEN}

    @traitlets.validate("step", "sample")
    def _valid_index(self, proposal: Any) -> int | None:
        index, name = proposal["value"], proposal["trait"].name
        if index is not None and not 0 <= index < self._sizes[name]:
            last = self._sizes[name] - 1
            raise OutsideError(f"{name} goes from 0 to {last}, or is None, not {index}")
        return index

    @traitlets.validate("channels")
    def _valid_channels(self, proposal: Any) -> tuple[int, ...] | None:
        if proposal["value"] is None:
            return None
        try:
            found = tuple(channel_list(proposal["value"], self._hidden))
        except (IndexError, ValueError, TypeError) as error:
            raise ChannelsError(str(error)) from error
        return None if found == tuple(range(self._hidden)) else found

    @traitlets.validate("gate", "direction")
    def _valid_name(self, proposal: Any) -> str:
        name = proposal["trait"].name
        directions = DIRECTIONS if self._directions == 2 else DIRECTIONS[:2]
        valid = (EVERY, *self._gates) if name == "gate" else directions
        if proposal["value"] not in valid:
            raise UnknownError(str(unknown(name, proposal["value"], valid)))
        return str(proposal["value"])

    def control(self, name: str) -> ipywidgets.Widget | None:
        """The one slider, field or switch for a trait; None where there is nothing to choose."""
        if name not in self._controls and (made := self._made(name)):
            self._controls[name] = made
        return self._controls.get(name)

    def _made(self, name: str) -> ipywidgets.Widget | None:
        if name == "sample" and self._sizes["sample"] > 1:
            return self._sample_slider()
        if name == "channels" and self._hidden > 1:
            return self._channel_field()
        options: tuple[str, ...] = ()
        if name == "direction" and self._directions == 2:
            options = DIRECTIONS
        if name == "gate" and len(self._gates) > 1:
            options = (EVERY, *self._gates)
        if not options:
            return None
        switch = ipywidgets.ToggleButtons(
            options=options,
            value=getattr(self, name),
            description=name,
            style={"button_width": "auto", "description_width": "initial"},
            layout=Layout(width="max-content"),
        )
        link((self, name), (switch, "value"))
        return switch

    def _sample_slider(self) -> ipywidgets.Widget:
        names = [EVERY, *map(str, range(self._sizes["sample"]))]
        slider = ipywidgets.SelectionSlider(
            options=names, description="sample", layout=Layout(width="300px")
        )
        link(
            (self, "sample"),
            (slider, "value"),
            transform=(
                lambda sample: EVERY if sample is None else str(sample),
                lambda text: None if text == EVERY else int(text),
            ),
        )
        return slider

    def _channel_field(self) -> ipywidgets.Widget:
        field = ipywidgets.Text(
            description="channels",
            placeholder=f"all, or such as 0:{min(8, self._hidden)}",
            continuous_update=False,
            layout=Layout(width="230px"),
        )

        told = ipywidgets.HTML()

        def show(_: Any = None) -> None:
            chosen = self.channels
            if chosen is None or self._read(field.value) != chosen:
                field.value = "" if chosen is None else ", ".join(map(str, chosen))

        def typed(change: Any) -> None:
            text = change.new.strip()
            try:
                self.channels = None if text in ("", EVERY) else text
            except traitlets.TraitError as error:  # what was typed stays, to be put right
                told.value = f"<small>{escape(str(error))}</small>"
            else:
                told.value = ""

        field.observe(typed, "value")
        self.observe(show, "channels")
        return ipywidgets.HBox([field, told])

    def _read(self, text: str) -> tuple[int, ...] | None:
        try:
            return tuple(channel_list(text, self._hidden))
        except (IndexError, ValueError):
            return None

    def join(self, figure: object) -> None:
        """A figure follows it from now on."""
        self._figures.add(figure)

    def leave(self, figure: object) -> None:
        """A figure is closed; with the last one goes what does not last."""
        self._figures.discard(figure)
        if not (self._figures or self._lasting):
            self.close()

    def close(self) -> None:
        """Close it and its controls."""
        for control in self._controls.values():
            for widget in (*getattr(control, "children", ()), control):
                widget.close()
        super().close()


def of_recording(rec: Recording) -> Selection:
    """A selection of everything in a recording."""
    return Selection(
        steps=rec.steps,
        samples=rec.samples,
        channels=rec.hidden,
        directions=rec.directions,
        gates=tuple(rec.gates),
        lasting=False,
    )


class OutsideError(traitlets.TraitError, IndexError):
    """No such step or sample (traitlets takes back only what a TraitError refuses)."""


class ChannelsError(traitlets.TraitError, ValueError):
    """No such channels."""


class UnknownError(traitlets.TraitError, KeyError):
    """No gate or direction of that name."""

    def __str__(self) -> str:
        return str(self.args[0])
