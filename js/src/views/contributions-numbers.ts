/** The numbers of the heat map: C[t, k] with its sums over k, over t and over both. */

import { norm, parseEntry, type Results } from "../engine/quantities";
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

/**
 * A number in at most `room` characters: three significant digits where they fit, else two or one,
 * without the zero before the point. "" where not even one fits.
 */
export function fitting(x: number, room: number): string {
  for (let digits = 3; digits > 0; digits--) {
    const text = shortest(x, digits);
    if (text.length <= room) return text;
  }
  return "";
}

function shortest(x: number, digits: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const [mantissa, exponent] = Math.abs(x)
    .toExponential(digits - 1)
    .split("e");
  const power = Number(exponent);
  const plain =
    power < digits
      ? Number(`${mantissa}e${power}`).toFixed(digits - 1 - power)
      : Math.abs(x).toFixed(0);
  const fixed = plain.replace(/^0\./, ".");
  const scientific = `${mantissa}e${power}`;
  const text = power > 4 || fixed.length > scientific.length ? scientific : fixed;
  return (x < 0 ? "−" : "") + text.replaceAll("-", "−");
}
