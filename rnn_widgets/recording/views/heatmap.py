"""Heat maps of a parameter or its gradient by gate, directions side by side, or of its C[t, k]."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rnn_widgets.core.names import unknown
from rnn_widgets.recording.layer import Array

from .curves import captions
from .drawing import Drawing, Scales, Title
from .features_1d import check_rows
from .grid import columns_for, ticks_across
from .images import colours, levels, png
from .maps import WIDE, keyed, map_grid, map_height, mosaic, place_ticks, ramp, rows_down
from .parameters import GROUPS, OVER_TIME, Block, blocks, read_group, recurrent
from .pick import check_direction
from .scales import Norm, Scale, check_scale, extent, given_norm, hint
from .selection import EVERY, Selection
from .telling import of_layer
from .text import not_finite, three_digits
from .view import Legend, View

if TYPE_CHECKING:
    from rnn_widgets.recording.recording import Recording


class Heatmap(View):
    """See `heatmap`."""

    kind = "heatmap"
    follows: tuple[str, ...] = ("gate", "direction")

    def __init__(
        self,
        rec: Recording,
        selection: Selection,
        *,
        what: str,
        gate: str | None,
        direction: str | None,
        rows: int | None,
        norm: object,
        scale: str,
        scheme: object,
        **options: Any,
    ) -> None:
        self._direction, self._gate = check_direction(rec, direction), check_gate(rec, gate)
        group = read_group(rec, what, (*GROUPS, OVER_TIME))
        if group is None:
            raise KeyError(
                f"heatmap shows gradients[name], weights[name] or contributions[name], not {what!r}"
            )
        self._group, self._names = group[0], both_directions(rec, group[1] or recurrent(rec))
        if self._over_time:
            self.follows = ("direction",)
        self._kind = check_scale(scale)
        self._rows, self._norm, self._colours = check_rows(rows), given_norm(norm), colours(scheme)
        super().__init__(rec, selection, **options)

    @property
    def _over_time(self) -> bool:
        return self._group == OVER_TIME

    def _all(self) -> list[Block]:
        found = [block for name in self._names for block in blocks(self.rec, self._group, name)]
        # Directions side by side, gate after gate.
        gates = list(dict.fromkeys(block.gate for block in found))
        return sorted(found, key=lambda block: gates.index(block.gate))

    def _blocks(self) -> list[Block]:
        gate = self._gate or self.selection.gate
        direction = self._direction or self.selection.direction
        return [
            block
            for block in self._all()
            if gate in (EVERY, block.gate) or not block.gate
            if direction in ("both", block.direction) or not block.direction
        ]

    def _fixed(self) -> set[str]:
        given = {"gate": self._gate, "direction": self._direction}
        return {name for name, value in given.items() if value is not None}

    def _extent(self) -> Norm:
        return self._norm or extent(np.concatenate([b.values.ravel() for b in self._all()]))

    def _draw(self, scales: type[Scales]) -> Drawing:
        self._shown = shown = self._blocks()
        maps = np.stack([block.values for block in shown])
        count, down, across = maps.shape
        columns = columns_for(count, self._rows) if self._rows else min(count, 4)
        rows = math.ceil(count / columns)
        height = map_height(rows, max(down, 12)) if rows == 1 else min(90 + rows * 230, 800)
        height = height if down > 2 else 90 + 70 * rows
        self._grid = grid = map_grid(count, columns, (down, across), (height - 90) / rows)
        self._scale = Scale(*self.norm(), self._kind)
        made = scales(grid.across, grid.up)
        sharp = (height - 90) / rows >= down and WIDE / columns >= across
        data = png(mosaic(grid, levels(maps, self._scale)), self._colours)
        layers = {
            "map": made.image(data, grid.across, grid.up, sharp),
            "frames": made.frame(grid.rectangles()),
        }
        if count > 1:
            layers["captions"] = captions(made, grid, [b.place for b in shown], False)
        first = int(self._over_time)  # entries count from 0, steps from 1
        x_ticks = [(float(at), str(at + first)) for at in place_ticks(across, 6)]
        y_ticks = [(float(at), str(at + first)) for at in place_ticks(down, 5 if rows == 1 else 2)]
        x_label = "source step k" if self._over_time else "column"
        y_label = "row of the gate" if shown[0].gate else "row"
        return Drawing(
            layers,
            self._heading(maps),
            grid.across,
            grid.up,
            ticks_across(grid, x_ticks),
            rows_down(grid, y_ticks),
            x_label if self.beside else keyed(x_label, self._scale),
            "loss step t" if self._over_time else y_label,
            height,
        )

    def _heading(self, maps: Array) -> Title:
        name = self._shown[0].name
        both = ", both directions" if len({block.direction for block in self._shown}) > 1 else ""
        what = {"gradients": "gradient of ", OVER_TIME: "‖C[t, k]‖ of "}.get(self._group, "")
        gates = list(dict.fromkeys(block.gate for block in self._shown if block.gate))
        gate = f", gate {gates[0]}" if len(gates) == 1 else ", by gate" if gates else ""
        return Title(f"{what}{name}{both}{gate}", of_layer(self.rec), not_finite(maps))

    def _note(self) -> str:
        return hint(self._scale, np.concatenate([b.values.ravel() for b in self._all()]))

    def _legend(self) -> Legend:
        return ramp(self._scale, self._colours)

    def _read(self, x: float, y: float) -> str:
        found = self._grid.locate(x, y)
        if found is None or not 0 <= found[2] < 1:
            return ""
        panel, column, share = found
        block, row = self._shown[panel], int((1 - share) * self._grid.height)
        if self._over_time:
            norm = three_digits(float(block.values[row, column]))
            steps = f"t = {row + 1}, k = {column + 1} (loss step {row}, source step {column})"
            return f"{block.caption}: {steps}: {norm}"
        return f"{block.caption}[{row}, {column}]: {three_digits(float(block.values[row, column]))}"


def both_directions(rec: Recording, name: str) -> list[str]:
    """A parameter and the same of the other direction, forward first."""
    source = rec._parameters[name].sources[0]
    forward = source.removesuffix("_reverse")
    twins = [
        n for n, p in rec._parameters.items() if p.sources[0].removesuffix("_reverse") == forward
    ]
    return sorted(twins, key=lambda n: rec._parameters[n].sources[0].endswith("_reverse"))


def check_gate(rec: Recording, gate: str | None) -> str | None:
    """Refuse a gate that the layer does not have.

    Raises
    ------
    KeyError
        If there is none of that name.
    """
    if gate not in (None, EVERY, *rec.gates):
        raise unknown("gate", gate, rec.gates)
    return gate
