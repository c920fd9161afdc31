"""Heat maps of a parameter or its gradient by gate, directions side by side, or of its C[t, k]."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_widgets.core.names import UnknownNameError
from rnn_widgets.recording.layer import Array

from .drawing import Drawing, Scales, Title
from .grid import columns_for
from .maps import Maps, place_ticks
from .parameters import (
    OVER_TIME,
    Block,
    Parts,
    both_directions,
    initial_blocks,
    initial_name,
    read_group,
    recurrent,
)
from .pick import EVERY
from .scales import Norm, Ticks, extent, hint
from .telling import ALL_ZERO, listed_samples, of_layer, sentences
from .text import at_step, not_finite, three_digits
from .view import Legend, View


class Heatmap(View):
    """See `heatmap`."""

    kind = "heatmap"

    def _prepare(self) -> None:
        rec, options = self.rec, self.options
        group = read_group(rec, options.what)
        self._picks: Parts | None = None
        self._state = initial_name(options.what)
        self._group = group[0] if group else "initial"
        self.follows = ()
        if options.reflect and self._over_time:
            raise ValueError(
                "both axes of contributions are time, which reflect leaves as it is: it mirrors "
                "gradients, weights, by_source and initial"
            )
        if group:
            names = both_directions(rec, group[1] or recurrent(rec, options.layer))
            self._picks = Parts(rec, self._group, names, options, whole=False)
            self.follows = self._picks.follows
        elif self._state is not None:
            self._blocks()
        else:
            rec.quantity(options.what)
            raise UnknownNameError(
                "heatmap shows gradients[name], weights[name], by_source[name], "
                f"contributions[name] or initial[name], not {options.what!r}, which features_2d "
                "draws against time"
            )

    @property
    def _over_time(self) -> bool:
        return self._group == OVER_TIME

    def _blocks(self, all_of: bool = False) -> list[Block]:
        if self._picks is None:
            assert self._state is not None
            found = initial_blocks(self.rec, self._state, self.options)
        else:
            parts = self._picks
            found = parts.all(self.selection) if all_of else parts.shown(self.selection)
        if self.options.reflect:
            found = [_mirrored(block) for block in found]
        # Directions side by side, gate after gate.
        gates = list(dict.fromkeys(block.gate for block in found))
        return sorted(found, key=lambda block: gates.index(block.gate))

    def _extent(self) -> Norm:
        numbers = np.concatenate([b.values.ravel() for b in self._blocks(all_of=True)])
        return self.options.norm or extent(numbers)

    def _draw(self, scales: type[Scales]) -> Drawing:
        options = self.options
        self._shown = shown = self._blocks()
        values = np.stack([block.values for block in shown])
        lie = values.swapaxes(1, 2) if options.vertical else values
        count, down = lie.shape[:2]
        columns = columns_for(count, options.rows) if options.rows else min(count, 4)
        rows = -(-count // columns)
        height = None if rows == 1 else min(90 + rows * 230, 800)
        if rows == 1:
            height = 90 + min(max(down, 12) * 14, 420) if down <= 300 else None
        self._maps = maps = Maps(
            lie,
            [block.place for block in shown] if count > 1 else [""],
            columns,
            options,
            self.norm(),
            extent,
            height if down > 2 else 90 + 70 * rows,
        )
        self._grid = maps.grid
        made = scales(maps.grid.across, maps.grid.up)
        names = [self._row_name(shown[0]), self._column_name()]
        down_label, across_label = names[::-1] if options.vertical else names
        return Drawing(
            maps.layers(made),
            self._heading(values),
            maps.grid.across,
            maps.grid.up,
            self._across_ticks(),
            self._down_ticks(),
            across_label if self.beside else maps.keyed(across_label),
            down_label,
            maps.height,
        )

    def _names_along(self, across: bool) -> list[list[int]]:
        """What the rows or columns of each panel are called, as they lie on the screen."""
        by_column = across != self.options.vertical
        return [list(block.columns if by_column else block.rows) for block in self._shown]

    def _across_ticks(self) -> Ticks:
        names, grid = self._names_along(True), self._maps.grid
        if all(one == names[0] for one in names):
            return self._maps.across(_ticks(names[0], 6))
        slots = names[: grid.columns]  # a mirrored panel counts the other way
        return [
            (float(grid.left(np.array(slot))) + at, text)
            for slot, one in enumerate(slots)
            for at, text in _ticks(one, 2)
        ]

    def _down_ticks(self) -> Ticks:
        names = self._names_along(False)
        if any(one != names[0] for one in names):
            return []  # panels beside one another count different ways: a reading says which
        return self._maps.down(_ticks(names[0], 5 if self._maps.grid.rows == 1 else 2))

    def _row_name(self, block: Block) -> str:
        if self._state is not None:
            return "sample"
        if self._over_time:
            return "loss step t"
        return "row of the gate" if block.gate else "row"

    def _column_name(self) -> str:
        if self._state is not None:
            return "unit"
        return "source step k" if self._over_time else "column"

    def _heading(self, values: Array) -> Title:
        options, shown = self.options, self._shown
        directions = {block.direction for block in shown}
        both = ", both directions" if len(directions) > 1 else ""
        of = {"gradients": "gradient of ", OVER_TIME: "‖C[t, k]‖ of ", "initial": "adjoint of "}
        what = of.get(self._group, "")
        if self._group == "by_source":
            when = "summed over time" if options.step is None else f"at {at_step(options.step)}"
            if options.max_timesteps and options.step is None:
                when = f"of the last {min(options.max_timesteps, self.rec.steps)} steps"
            both, what = f"{both}, {when}", "gradient of "
        gates = list(dict.fromkeys(block.gate for block in shown if block.gate))
        gate = f", gate {gates[0]}" if len(gates) == 1 else ", by gate" if gates else ""
        name = self._state or shown[0].name
        if self._over_time and options.gate not in (None, EVERY):
            gate = f", gate {options.gate}"
        whose = f"{of_layer(self.rec)}{listed_samples(options.samples, self.rec)}"
        return Title(f"{what}{name}{both}{gate}", whose, not_finite(values))

    def _note(self) -> str:
        numbers = np.concatenate([b.values.ravel() for b in self._blocks(all_of=True)])
        lost = hint(self._maps.scales[0], numbers) if self.options.share_axes else ""
        return sentences(lost, "" if numbers.any() else ALL_ZERO)

    def _legend(self) -> Legend:
        return self._maps.legend()

    def _read(self, x: float, y: float) -> str:
        found = self._maps.at(x, y)
        if found is None:
            return ""
        panel, *place = found
        row, column = place[::-1] if self.options.vertical else place
        block = self._shown[panel]
        number = three_digits(float(block.values[row, column]))
        row, column = block.rows[row], block.columns[column]
        if self._over_time:
            steps = f"t = {row}, k = {column} (loss step {row - 1}, source step {column - 1})"
            return f"{block.caption}: {steps}: {number}"
        if self._state is not None:
            where = f"{block.caption} {block.direction}".strip()
            return f"{where} · sample {row} · unit {column}: {number}"
        return f"{block.caption}[{row}, {column}]: {number}"


def _ticks(names: list[int], most: int) -> Ticks:
    return [(float(at), str(names[at])) for at in place_ticks(len(names), most)]


def _mirrored(block: Block) -> Block:
    """The same from the last column to the first, if it is of the reverse direction."""
    if block.direction != "reverse":
        return block
    return replace(block, values=block.values[:, ::-1], columns=list(block.columns)[::-1])
