/** How the row of factors fits the width there is: how large its numbers are drawn, as text or as
 * tiles, and which Jacobians are left out. Its ends, and C with them, are to stay in sight. */

import type { Program } from "../engine/program";
import { type Factor, WHOLE } from "./chain-factors";

/** How large one number is drawn; as text or as a tile. */
export interface Measure {
  readonly tiles: boolean;
  readonly width: number;
  readonly height: number;
}

const THIN = 14; // pixels that a row or column of tiles has across at least
const LABEL = 48; // what a symbol and its limit take above it
const AXIS = 13; // what "h" and "c" take left of the rows
const SIGN = 19; // what a sign between factors takes
const MORE = 112; // the button for the Jacobians left out
const RESULT = 64; // and C itself
const LEAST_TILE = 2;

/** How numbers are drawn in a panel so wide. It goes by the longest product that the network has, not
 * by the cell chosen: the panel keeps its height from cell to cell. */
export function unitFor(program: Program, width: number): Measure {
  const size = sizeOf(program);
  const text = { tiles: false, width: 40, height: size <= 4 ? 24 : 22 };
  if (size <= 4 && width >= 900 && longest(program, { ...text, width: 48 }) <= width) {
    return { ...text, width: 48 };
  }
  if (size <= 6 && longest(program, text) <= width) return text;
  const side = Math.min(152, Math.max(100, 0.15 * width));
  let tile = Math.max(3, Math.min(24, Math.floor(side / size)));
  while (tile > LEAST_TILE && longest(program, square(tile)) > width) tile--;
  return square(tile);
}

const square = (tile: number): Measure => ({ tiles: true, width: tile, height: tile });

/** The longest side of all factors. */
export function sizeOf({ cell, hiddenSize, readout }: Program): number {
  return Math.max(cell.states.length * hiddenSize, readout ?? 0);
}

/** What the longest product takes with all but one of its Jacobians left out. */
function longest({ cell, hiddenSize, readout, rows, seqLen }: Program, unit: Measure): number {
  const S = cell.states.length * hiddenSize;
  const axis = cell.states.length > 1 ? AXIS : 0;
  const across = (columns: number) => spread(columns, unit.width, unit) + SIGN;
  const right = across(S) + across(1) + axis + RESULT;
  if (rows > 1) return right;
  const seed = readout === null ? across(S) : across(readout) + across(S);
  const jacobians = seqLen > 1 ? across(S) + axis : 0;
  return seed + jacobians + (seqLen > 2 ? MORE + SIGN : 0) + right;
}

const spread = (count: number, one: number, { tiles }: Measure) =>
  Math.max(count * one, tiles ? THIN : 0, LABEL);

/** Pixels that a factor's numbers take. */
export function extent({ rows, columns }: Factor, { tiles, width, height }: Measure) {
  const across = (count: number, one: number) => Math.max(count * one, tiles ? THIN : 0);
  return [across(columns, width), across(rows, height)] as const;
}

/** What a factor takes of the line. */
function share({ columns, split, part }: Factor, unit: Measure): number {
  const named = part === WHOLE ? 0 : 28 + 7 * part.length;
  return Math.max(spread(columns, unit.width, unit), named) + (split[0] ? AXIS : 0);
}

/** How many Jacobians are shown at either end: all that have room, one at least. */
export function shownEnds(
  factors: readonly Factor[],
  unit: Measure,
  width: number,
): readonly [number, number] {
  const jacobians = factors.filter(({ kind }) => kind === "jacobian");
  const count = jacobians.length;
  if (count < 2) return [count, 0];
  const one = share(jacobians[0], unit) + SIGN;
  const others = factors
    .filter(({ kind }) => kind !== "jacobian" && kind !== "result")
    .reduce((sum, factor) => sum + share(factor, unit) + SIGN, RESULT);
  if (others + count * one <= width) return [count, 0];
  const shown = Math.min(count, Math.max(1, Math.floor((width - others - MORE - SIGN) / one)));
  return [Math.ceil(shown / 2), Math.floor(shown / 2)];
}
