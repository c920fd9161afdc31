/** The numbers of the heat map: C[t, k] with its sums over k, over t and over both. */

import { norm } from "../engine/norms";
import { parseEntry, type Results } from "../engine/quantities";
import { contribution } from "../engine/sweep";

/** Of one entry C[t, k] with its sign, or the norm over all entries of its parameter. */
export type Whole = "entry" | "parameter";

export interface Numbers {
  /** (T, T), loss step by source step. */
  readonly cells: Float64Array;
  /** Sums over k: the gradient of each L_t. */
  readonly byLoss: Float64Array;
  /** Sums over t: what each source step is worth. */
  readonly bySource: Float64Array;
  /** The gradient. */
  readonly total: number;
}

/** Norms are taken of the sums, not summed: contributions of opposite sign cancel in them. */
export function numbersOf(results: Results, entry: string, whole: Whole): Numbers {
  const { program, sweep } = results;
  const { seqLen: T, parameters } = program;
  const { leaf, index } = parseEntry(entry, parameters);
  const full = contribution(sweep, leaf, whole === "entry" ? index : undefined);
  const width = full.length / (T * T);
  const byLoss = new Float64Array(T * width);
  const bySource = new Float64Array(T * width);
  const total = new Float64Array(width);
  for (let t = 0, q = 0; t < T; t++) {
    for (let k = 0; k < T; k++) {
      for (let i = 0; i < width; i++, q++) {
        byLoss[t * width + i] += full[q];
        bySource[k * width + i] += full[q];
      }
    }
    for (let i = 0; i < width; i++) total[i] += byLoss[t * width + i];
  }
  if (whole === "entry") return { cells: full, byLoss, bySource, total: total[0] };
  const norms = (all: Float64Array) =>
    Float64Array.from({ length: all.length / width }, (_, group) =>
      norm(all.subarray(group * width, (group + 1) * width)),
    );
  return {
    cells: norms(full),
    byLoss: norms(byLoss),
    bySource: norms(bySource),
    total: norm(total),
  };
}

/** How far colours reach down from the largest of these numbers by decades: to the smallest that is
 * not zero, and to a millionth of the largest at most. */
export function decadesOf(numbers: Iterable<number>, limit: number): number {
  let smallest = limit;
  for (const x of numbers) if (x !== 0) smallest = Math.min(smallest, Math.abs(x)); // nan: nan
  const decades = Math.log10(limit / smallest);
  return decades >= 0 ? Math.min(6, Math.max(decades, 0.5)) : 6;
}

const LEAST = 0.1; // what is not zero can be told from it

/** What makes a cell of the map blue or orange: in proportion, or over so many decades. */
export function shade(x: number, limit: number, decades: number | null) {
  const part = Math.min(1, Math.abs(x) / limit);
  const depth = decades === null ? part : Math.max(0, 1 + Math.log10(part) / decades);
  const sign = !Number.isFinite(x) ? "nan" : x > 0 ? "+" : x < 0 ? "−" : "0";
  return { sign, depth: x === 0 ? 0 : Math.round(100 * (LEAST + (1 - LEAST) * (depth || 0))) };
}
