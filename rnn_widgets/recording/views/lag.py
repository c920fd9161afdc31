"""Norms against lag, with the rate at which they fall."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rnn_widgets.core.norms import norms
from rnn_widgets.recording.layer import Array
from rnn_widgets.recording.rates import half_life, logs, rate_of, told

from .by_step import part
from .choice import Choice
from .drawing import PALE, Drawing, Scales, Title
from .grid import ticks_across
from .maps import place_ticks
from .parameters import both_directions, contributions, direction_of, read_group, recurrent
from .pick import EVERY, channel_list
from .scales import Norm
from .sizes import Sizes, room
from .telling import ALL_ZERO, listed_samples, of_layer, of_samples, sentences
from .telling import told as symbol
from .text import not_finite, three_digits
from .view import Legend, View

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

LAG = "#8b5fd6"
OF_CONTRIBUTIONS = (
    "The mean norm of what the loss at t adds through the parameter's use at k, over the steps t "
    "with a loss; summed over the batch first."
)
OF_STATES = "The norm so many steps before the last one to run, each sample's own."


@dataclass(frozen=True)
class ByLag:
    """Norms by lag of one direction, with the line fitted to them."""

    direction: str
    norms: Array
    idle: int | None = None

    @property
    def rate(self) -> float:
        """The factor of each further step, on a fitted line."""
        return rate_of(self.norms)

    def fitted(self, norm: Norm) -> Array:
        """The fitted line, as far as there are numbers and the axis goes; (1, lags)."""
        if not math.isfinite(self.rate):
            return np.full((1, len(self.norms)), np.nan)
        lags, sizes = logs(self.norms)
        start = math.exp(float((sizes - lags * math.log(self.rate)).mean()))
        line: Array = start * self.rate ** np.arange(len(self.norms), dtype=float)
        line[lags[-1] + 1 :] = np.nan
        low, high = norm
        return np.where((line >= low) & (line <= high), line, np.nan)[None]


class Lag(View):
    """See `lag`."""

    kind = "lag"

    def _prepare(self) -> None:
        rec, options = self.rec, self.options
        what = recurrent(rec, options.layer) if options.what is None else options.what
        group = read_group(rec, what)
        self._what, self._choice, self.follows = what, None, ()
        if group and group[0] == "contributions":
            self._what = group[1] or recurrent(rec, options.layer)
        if self._what in rec._parameters:
            self._lags = self._of_parameter()
            return
        self._choice = Choice(rec, what, replace(options, max_timesteps=None))
        self.follows = self._choice.follows
        self._lags = self._of_states()

    @property
    def rate(self) -> float:
        """The factor of each further step, on the fitted line; of two directions, the first's."""
        return self._lags[0].rate

    @property
    def half_life(self) -> float:
        """Steps in which the norm falls to half, on the fitted line.

        ∞ if it does not fall, NaN where there is nothing to fit.
        """
        return half_life(self.rate)

    @property
    def _norms(self) -> Array:
        """Norms by lag, (lags,), or of two directions (2, lags)."""
        found = np.stack([one.norms for one in self._lags])
        return found[0] if len(found) == 1 else found

    def _of_parameter(self) -> list[ByLag]:
        """Contributions, of the direction that the parameter is of unless others are asked for."""
        rec, options = self.rec, self.options
        names = [self._what]
        if options.direction is not None:
            names = both_directions(rec, self._what)
        if options.direction in ("forward", "reverse") and rec.directions == 2:
            names = [name for name in names if direction_of(rec, name) == options.direction]
        of = part(rec, options.samples or range(rec.samples))
        gate = None if options.gate in (None, EVERY) or len(rec.gates) == 1 else options.gate
        found = []
        for name in names:
            units = None
            if options.channels is not None:
                projects = rec._parameters[name].sources[0].startswith("weight_hr")
                count = rec.hidden if projects else rec._spec.hidden_size
                units = channel_list(options.channels, count)
            idle = idle_step(of, name)
            table = contributions(of, name, units, gate)
            found.append((direction_of(rec, name), by_lag(table, idle), idle))
        least = min(len(one) for _, one, _ in found)
        most = min(options.max_timesteps or least, least)
        return [ByLag(direction, one[:most], idle) for direction, one, idle in found]

    def _of_states(self) -> list[ByLag]:
        """A quantity of each step, by how long before the last step to run it is."""
        assert self._choice is not None
        choice, rec = self._choice, self.rec
        picked = self._picked = choice.picked(self.selection, choice.alone(self.selection))
        steps = picked.steps
        ends = picked.real.sum(1)
        most = min(self.options.max_timesteps or steps, steps)
        found = []
        for at, direction in enumerate(picked.directions):
            values = picked.values[:, :, at]
            if not (direction == "reverse" or rec._spec.go_backwards):
                back = ends[:, None] - 1 - np.arange(steps)  # the step of each lag
                values = np.take_along_axis(values, np.maximum(back, 0)[..., None], 1)
                values = np.where((back >= 0)[..., None], values, 0)
            found.append(ByLag(direction, norms(values, (0, 2)).astype(float)[:most]))
        return found

    def _fixed(self) -> set[str]:
        return self._choice.fixed() if self._choice else set()

    def _extent(self) -> Norm:
        lags = self._lags if self._choice is None else self._of_states()
        return self.options.norm or room(np.stack([one.norms for one in lags]), self.options)

    def _draw(self, scales: type[Scales]) -> Drawing:
        if self._choice is not None:
            self._lags = self._of_states()
        lags, options = self._lags, self.options
        values = np.stack([one.norms for one in lags])[None]
        names = [one.direction if len(lags) > 1 else "" for one in lags]
        self._sizes = sizes = Sizes(values, names, options, self.norm())
        self._grid = grid = sizes.grid
        made = scales(grid.across, grid.up, grid.vertical)
        layers = {"frames": made.frame(grid.rectangles())}
        color = options.scheme[1] if options.scheme else LAG
        fit = options.scheme[0] if options.scheme else PALE
        if any(math.isfinite(one.rate) for one in lags):
            ends = [sizes.scale(i) for i in range(len(lags))]
            lines = [one.fitted((s.low, s.high)) for one, s in zip(lags, ends, strict=True)]
            points = sizes.points(np.stack(lines, 1))
            layers["fit"] = made.lines(*points, colors=[fit], line_style="dashed", stroke_width=2)
        layers["norms"] = made.lines(*sizes.points(values), colors=[color], stroke_width=2.5)
        layers |= sizes.around(made, np.ones((1, 1, 1), bool))
        ticks = [(float(at), str(at)) for at in place_ticks(values.shape[2], 12)]
        label = "mean norm ‖C[t, k]‖" if self._choice is None else "norm"
        if not options.share_axes:
            label = f"{label}, own scales"
        apart = "lag |t − k| in steps" if self._choice is None else "steps before the last"
        height = 280 if grid.rows == 1 else 400
        return Drawing(
            layers,
            self._heading(),
            grid.across,
            grid.up,
            ticks_across(grid, ticks),
            sizes.ticks(),
            apart,
            label,
            460 if grid.vertical else height,
            vertical=grid.vertical,
        )

    def _heading(self) -> Title:
        bad = not_finite(np.stack([one.norms for one in self._lags]))
        if self._choice is not None:
            whose = f"{of_layer(self.rec)}{of_samples(self._picked, self.rec)}"
            label = symbol(self._what, self._picked.label)
            return Title(f"{label} before the last step", whose, bad)
        gate = self.options.gate
        which = f", gate {gate}" if gate not in (None, EVERY) else ""
        whose = f"{of_layer(self.rec)}{listed_samples(self.options.samples, self.rec)}"
        return Title(f"contributions to {self._what}{which} by lag", whose, bad)

    def _note(self) -> str:
        values = np.stack([one.norms for one in self._lags])
        idle = [one.idle for one in self._lags if one.idle is not None]
        return sentences(
            OF_CONTRIBUTIONS if self._choice is None else OF_STATES,
            *(
                f"Step {step}, which begins with a state of zero, is left out as a source."
                for step in idle
            ),
            "" if values.any() else ALL_ZERO,
        )

    def _legend(self) -> Legend:
        color = self.options.scheme[0] if self.options.scheme else PALE
        found = []
        for one in self._lags:
            if math.isfinite(one.rate):
                which = f" {one.direction}" if len(self._lags) > 1 else ""
                rate = f"× {three_digits(one.rate)} each step, {told(one.rate)}"
                found.append(("dashed", color, f"fitted{which}: {rate}"))
        return found

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None:
            return ""
        one = self._lags[found[0]]
        which = f" · {one.direction}" if len(self._lags) > 1 else ""
        return f"lag {found[1]}{which}: {three_digits(float(one.norms[found[1]]))}"


def idle_step(rec: Recording, name: str) -> int | None:
    """The first step to run if a recurrent weight meets a state of zero there; else None."""
    role, end = rec._parameter(name).sources[0].split("_l", 1)
    if role != "weight_hh" or rec.steps < 2:
        return None
    step = rec.steps - 1 if end.endswith("_reverse") or rec._spec.go_backwards else 0
    return None if rec._arrays[f"h_before_l{end}"][step].any() else step


def by_lag(norms: Array, idle: int | None = None) -> Array:
    """Mean over loss steps of norms (T, T) [loss step, source step] for each lag |t − k|.

    Loss steps without any contribution are left out: where only the last output has a loss, the
    mean is that of its own row. So is the source step ``idle``, and the lag that it alone has.
    """
    steps = len(norms)
    has_loss = ~(norms == 0).all(1)
    apart = np.abs(np.subtract.outer(np.arange(steps), np.arange(steps)))
    # The other side of the diagonal is zero in one direction, and no contribution.
    later = not np.triu(norms, 1).any()
    earlier = not np.tril(norms, -1).any()
    counted = np.broadcast_to(has_loss[:, None], norms.shape).copy()
    if later:
        counted &= np.tri(steps, dtype=bool)
    elif earlier:
        counted &= np.tri(steps, dtype=bool).T
    if idle is not None:
        counted[:, idle] = False
    return np.array(
        [
            norms[counted & (apart == lag)].mean() if (counted & (apart == lag)).any() else 0.0
            for lag in range(steps if idle is None else steps - 1)
        ]
    )
