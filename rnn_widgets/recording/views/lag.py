"""Norms against lag, with the rate at which they fall."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rnn_widgets.core.norms import norms
from rnn_widgets.recording.layer import Array
from rnn_widgets.recording.rates import after_the_last, half_life, logs, rate_of, told

from .choice import Choice, Picked
from .drawing import PALE, Drawing, Scales, Title
from .grid import ticks_across
from .maps import place_ticks
from .parameters import both_directions, contributions, direction_of, read_group, recurrent
from .pick import EVERY, channel_list, part
from .scales import Norm
from .sizes import Sizes, room
from .telling import ALL_ZERO, listed_samples, of_layer, of_samples, sentences
from .telling import told as symbol
from .text import listed, not_finite, three_digits
from .view import Legend, View

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording

LAG = "#8b5fd6"
OF_CONTRIBUTIONS = (
    "The mean norm of what the loss at t adds through the parameter's use at k, over the steps t "
    "with a loss; summed over the batch first."
)
OF_STATES = "The norm so many steps before the last one to run, each sample's own."
ONE_STEP = "There is one step only: no lag to show."
MIXED = (
    "No line is fitted: direct adjoints enter along the way, and each number holds all of them; "
    "contributions, rec.lag(), tell them apart."
)


@dataclass(frozen=True)
class ByLag:
    """Norms by lag of one direction, with the line fitted to them.

    ``idle`` source steps are left out. Nothing is handed from one of the ``stretches`` (lags,) to
    another, and the line is fitted where ``fits`` (lags,) is True.
    """

    direction: str
    norms: Array
    idle: tuple[int, ...] = ()
    stretches: Array | None = None
    fits: Array | None = None

    @property
    def _fitted_to(self) -> Array:
        return self.norms if self.fits is None else np.where(self.fits, self.norms, 0)

    @property
    def rate(self) -> float:
        """The factor of each further step, on a fitted line."""
        return rate_of(self._fitted_to, self.stretches)

    def fitted(self, norm: Norm) -> Array:
        """The fitted line, as far as there are numbers and the axis goes; (1, lags).

        Of several stretches each has its own, all with the same slope.
        """
        line = np.full(len(self.norms), np.nan)
        of = np.zeros(len(line), int) if self.stretches is None else self.stretches
        places, sizes = logs(self._fitted_to)
        for stretch in np.unique(of[places]) if math.isfinite(self.rate) else ():
            there = of[places] == stretch
            lags = places[there]
            start = float((sizes[there] - lags * math.log(self.rate)).mean())
            here = np.arange(lags[0] if self.fits is not None else 0, lags[-1] + 1)
            here = here[of[here] == stretch]
            line[here] = math.exp(start) * self.rate ** here.astype(float)
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
            idle = idle_steps(of, name)
            table = contributions(of, name, units, gate, options.max_timesteps)
            found.append((direction_of(rec, name), by_lag(table, idle, rec._meta["cuts"]), idle))
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
        cut_off = np.searchsorted(rec._meta["cuts"], np.arange(steps), "right")
        found = []
        for at, direction in enumerate(picked.directions):
            values, entering = picked.values[:, :, at], self._entering(picked, direction)
            stretches = cut_off
            if not (direction == "reverse" or rec._spec.go_backwards):
                back = ends[:, None] - 1 - np.arange(steps)  # the step of each lag
                values = np.take_along_axis(values, np.maximum(back, 0)[..., None], 1)
                values = np.where((back >= 0)[..., None], values, 0)
                entering = np.take_along_axis(entering, np.maximum(back, 0), 1) & (back >= 0)
                stretches = cut_off[::-1]
            fits = after_the_last(np.asarray(entering.any(0)), stretches)
            sizes = norms(values, (0, 2)).astype(float)
            found.append(ByLag(direction, sizes[:most], (), stretches[:most], fits[:most]))
        return found

    def _entering(self, picked: Picked, direction: str) -> Array:
        """Where direct adjoints enter that an adjoint holds, (samples or 1, steps) of bool."""
        rec, what = self.rec, self._what
        there: Array = np.zeros((rec.samples, rec.steps), bool)
        if not re.search(r"direct$|values$|outputs$|^x$", what):
            named = re.search(r"layers\[(\d+)\]|_l(\d+)(_reverse)?\]$", what)
            at = int(named[1] or named[2]) if named else 0 if what == "inputs" else -1
            layer = rec.layers[at]
            held = [layer.direct] if layer.cell is None else [layer.direct, layer.cell.direct]
            for one in held:
                apart = (one != 0).reshape(*one.shape[:2], rec.directions, -1)
                sides = [int(direction == "reverse")] if direction else range(rec.directions)
                there = there | apart[:, :, sides].any((2, 3))
        return there[picked.samples] if picked.by_sample else np.any(there, 0, keepdims=True)

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
            points = sizes.points(_apart(np.stack(lines, 1), lags[0].stretches))
            layers["fit"] = made.lines(*points, colors=[fit], line_style="dashed", stroke_width=2)
        points = sizes.points(_apart(values, lags[0].stretches))
        layers["norms"] = made.lines(*points, colors=[color], stroke_width=2.5)
        layers |= sizes.around(made, np.ones((1, 1, 1), bool))
        if values.shape[2] == 1:
            corner = np.array([grid.across[0]]), np.array([grid.up[grid.vertical]])
            layers["hint"] = made.texts(*corner, [ONE_STEP], x_offset=6, y_offset=-16, size=12)
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
        idle = [left_out(one.idle) for one in self._lags if one.idle]
        return sentences(
            OF_CONTRIBUTIONS if self._choice is None else OF_STATES,
            *idle,
            *self._why_no_fit(),
            "" if values.any() or values.shape[1] == 1 else ALL_ZERO,
        )

    def _why_no_fit(self) -> list[str]:
        if self._lags[0].norms.size == 1:
            return [ONE_STEP]
        mixed = any(math.isnan(one.rate) and not _all(one.fits) for one in self._lags)
        return [MIXED] if mixed else []

    def _legend(self) -> Legend:
        color = self.options.scheme[0] if self.options.scheme else PALE
        found = []
        for one in self._lags:
            if math.isfinite(one.rate):
                which = f" {one.direction}" if len(self._lags) > 1 else ""
                rate = f"× {three_digits(one.rate)} each step, {told(one.rate)}"
                count = len(set(one.stretches.tolist())) if one.stretches is not None else 1
                rate += f", in each of {count} stretches" if count > 1 else ""
                found.append(("dashed", color, f"fitted{which}: {rate}"))
        return found

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None:
            return ""
        one = self._lags[found[0]]
        which = f" · {one.direction}" if len(self._lags) > 1 else ""
        return f"lag {found[1]}{which}: {three_digits(float(one.norms[found[1]]))}"


def _apart(lines: Array, stretches: Array | None) -> Array:
    """The lines (1, panels, lags) as two, taking turns, where stretches are not to be joined."""
    if stretches is None or stretches[0] == stretches[-1]:
        return lines
    return np.concatenate([np.where(stretches % 2 == turn, lines, np.nan) for turn in (0, 1)])


def _all(fits: Array | None) -> bool:
    return fits is None or bool(fits.all())


def left_out(steps: tuple[int, ...]) -> str:
    """A sentence on source steps that are left out."""
    if len(steps) == 1:
        return f"Step {steps[0]}, which begins with a state of zero, is left out as a source."
    return f"Steps {listed(steps)}, which begin with states of zero, are left out as sources."


def idle_steps(rec: Recording, name: str) -> tuple[int, ...]:
    """The first steps to run at which a recurrent weight meets a state of zero."""
    role, end = rec._parameter(name).sources[0].split("_l", 1)
    if role != "weight_hh" or rec.steps < 2:
        return ()
    back = end.endswith("_reverse") or rec._spec.go_backwards
    before = rec._arrays[f"h_before_l{end}"]
    firsts = [rec.steps - 1 if back else 0, *rec._meta["cuts"]]
    return tuple(step for step in firsts if not before[step].any())


def by_lag(norms: Array, idle: Sequence[int] = (), cuts: Sequence[int] = ()) -> Array:
    """Mean over loss steps of norms (T, T) [loss step, source step] for each lag |t − k|.

    Loss steps without any contribution are left out: where only the last output has a loss, the
    mean is that of its own row. So are source steps that are ``idle``, the lag that only they have,
    and pairs of steps with one of the ``cuts`` between them, which nothing passes.
    """
    steps = len(norms)
    has_loss = ~(norms == 0).all(1)
    apart = np.abs(np.subtract.outer(np.arange(steps), np.arange(steps)))
    stretches = np.searchsorted(cuts, np.arange(steps), "right")
    counted = has_loss[:, None] & (stretches[:, None] == stretches)
    # The other side of the diagonal is zero in one direction, and no contribution.
    if not np.triu(norms, 1).any():
        counted &= np.tri(steps, dtype=bool)
    elif not np.tril(norms, -1).any():
        counted &= np.tri(steps, dtype=bool).T
    counted[:, list(idle)] = False
    longest = int(np.bincount(stretches).max()) - bool(idle)
    return np.array(
        [
            norms[counted & (apart == lag)].mean() if (counted & (apart == lag)).any() else 0.0
            for lag in range(max(longest, 1))
        ]
    )
