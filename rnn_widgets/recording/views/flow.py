"""Norms against time: of direct, carried and total adjoints, or of any other quantity."""

from __future__ import annotations

import numpy as np

from rnn_widgets.core.norms import norms
from rnn_widgets.recording.layer import Array
from rnn_widgets.recording.quantity import names

from .choice import Choice
from .curves import step_marks
from .drawing import Drawing, Scales, Title
from .grid import step_ticks, ticks_across
from .scales import Norm
from .sizes import Sizes, room
from .telling import SUM, about, meaning, of_layer, of_samples, sentences, told
from .text import at_step, listed, not_finite, three_digits
from .view import Legend, View

PARTS = ("total", "carried", "direct")  # the first lies behind the others
STYLES = {
    # Where one of the others is all of the total, it shows within the total's broad line.
    "total": ("#8b5fd6", "solid", 6.0),
    "carried": ("#c98f00", "dashed", 2.0),
    "direct": ("#16a394", "solid", 2.0),
}
KINDS = {"total": "broad"}


class Flow(View):
    """See `flow`."""

    kind = "flow"

    def _prepare(self) -> None:
        rec, options, what = self.rec, self.options, self.options.what
        self._of_state = what not in names(rec)
        self._where = ""
        if self._of_state:
            before = {"h": "", "c": "cell."}.get(what, f"{what.removesuffix('.')}.")
            if before + "total" not in names(rec):
                rec.quantity(what)  # which refuses it by the name that was given
            self._letter = "c" if before.endswith("cell.") else "h"
            self._where = before.removesuffix("cell.").removesuffix(".")
            found = {part: before + part for part in PARTS}
        else:
            found = {"norm": what}
        self._choices = {part: Choice(rec, name, options) for part, name in found.items()}
        self._first = next(iter(self._choices.values()))
        self.follows = self._first.follows
        self._styles = {"norm": (STYLES["total"][0], "solid", 2.5), **STYLES}
        if options.scheme:
            carried, direct = options.scheme
            self._styles["norm"] = (direct, *self._styles["norm"][1:])
            self._styles["carried"] = (carried, *STYLES["carried"][1:])
            self._styles["direct"] = (direct, *STYLES["direct"][1:])

    def norms(self) -> Array:
        """Norms over samples and channels, (parts, directions, steps).

        Samples with NaN or ∞ are left out, unless all have some: then they stay.
        """
        choices = self._choices.values()
        picked = [choice.picked(self.selection, choice.alone(self.selection)) for choice in choices]
        self._picked = picked[0]
        values = np.stack([one.values for one in picked])  # (parts, samples, steps, directions, ·)
        bad = (~np.isfinite(values)).any((0, 2, 3, 4))
        self._bad = np.flatnonzero(bad) if not bad.all() else np.zeros(0, int)
        self._lost = norms(values[:, self._bad], (1, 4)).swapaxes(1, 2)
        return norms(np.delete(values, self._bad, 1), (1, 4)).swapaxes(1, 2)

    def _fixed(self) -> set[str]:
        return self._first.fixed()

    def _extent(self) -> Norm:
        return self.options.norm or room(self.norms(), self.options)

    def _draw(self, scales: type[Scales]) -> Drawing:
        self._norms = norms = self.norms()
        picked = self._picked
        self._sizes = sizes = Sizes(norms, picked.directions, self.options, self.norm())
        self._grid = grid = sizes.grid
        made = scales(grid.across, grid.up, grid.vertical)
        layers = {"frames": made.frame(grid.rectangles())}
        real = np.atleast_1d(picked.real.any(axis=0))
        points = sizes.points(np.where(real, norms, np.nan))
        for part, x, y in zip(self._choices, *points, strict=True):
            color, style, width = self._styles[part]
            layers[part] = made.lines(
                x,
                y,
                colors=[color],
                line_style=style,
                stroke_width=width,
                opacities=[0.5 if part == "total" else 1.0],
            )
        lost = np.where(np.isfinite(self._lost), 0.0, self._lost)
        layers |= sizes.around(made, real, lost)
        ticks = [(float(at), str(at + picked.first + 1)) for at in step_ticks(picked.steps, 10)]
        height = 260 if grid.rows == 1 else 400
        return Drawing(
            layers,
            self._heading(),
            grid.across,
            grid.up,
            ticks_across(grid, ticks),
            sizes.ticks(),
            "step t",
            self._size_label(),
            460 if grid.vertical else height,
            step_marks(grid, picked.first, 0.0),
            grid.vertical,
        )

    def _size_label(self) -> str:
        if not self.options.share_axes:
            return "norm, each panel on its own scale"
        if not self._picked.of_batch:
            return "norm"
        over = len(self._picked.samples) > 1
        return "norm over the batch" if over else f"norm, sample {self._picked.samples[0]}"

    def _heading(self) -> Title:
        where = f" {self._where}" if self._where else ""
        whose = f"{of_layer(self.rec)}{where}{of_samples(self._picked, self.rec)}"
        every = np.concatenate([self._norms, self._lost])
        bad = not_finite(every[..., np.atleast_1d(self._picked.real.any(0))])
        if self._of_state:
            return Title(f"gradient at each step: adjoints of {self._letter}ₜ", whose, bad)
        label = told(self.options.what, self._picked.label)
        return Title(f"norm at each step: {label}", whose, bad)

    def _note(self) -> str:
        what = SUM if self._of_state else meaning(self.options.what)
        return sentences(what, self._left_out(), *about(self.rec, self._norms, self._sizes.scales))

    def _left_out(self) -> str:
        names = [self._picked.samples[row] for row in self._bad]
        if not names:
            return ""
        many = len(names) > 1
        return (
            f"{'Samples' if many else 'Sample'} {listed(names)} {'have' if many else 'has'} NaN or "
            "∞, marked where it is, and no part in the curves."
        )

    def _legend(self) -> Legend:
        if not self._of_state:
            return []
        styles = self._styles
        return [(KINDS.get(part, styles[part][1]), styles[part][0], part) for part in PARTS]

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None:
            return ""
        direction, position, _ = found
        numbers = self._norms[:, direction, position]
        told = ", ".join(
            f"{f'{part} ' if self._of_state else ''}{three_digits(float(n))}"
            for part, n in zip(self._choices, numbers, strict=True)
        )
        names = self._picked.directions
        which = f" · {names[direction]}" if len(names) > 1 else ""
        return f"{at_step(position + self._picked.first)}{which} · norm: {told}"
