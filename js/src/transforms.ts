/** From a quantity to what a widget's trait holds; `rnn_widgets/widgets/transforms.py` has the same. */

import type { Tensor } from "./engine/quantities";
import { shortNumber } from "./format";

export type Transform =
  | "identity"
  | "finite"
  | "floored"
  | "floored_first"
  | "floored_last"
  | "finite_each"
  | "finite_all"
  | "limit"
  | "minus_limit"
  | "stack_bottom"
  | "stack_top"
  | "stack_ticks"
  | "layers"
  | "last_layer"
  | "depths"
  | "decade_below"
  | "decade_above"
  | "decades";

export type TraitKind = "array" | "list" | "colors" | "number" | "text";

export function transformed(tensor: Tensor, transform: Transform): Tensor {
  const { data, shape } = tensor;
  switch (transform) {
    case "identity":
      return tensor;
    case "finite":
      return { data: data.map((x) => (Number.isFinite(x) ? x : 0)), shape };
    case "floored": {
      const [bottom, , top] = decades(data);
      const size = (x: number) => (Number.isFinite(x) ? Math.abs(x) || bottom : decimal(1, top));
      return { data: data.map(size), shape };
    }
    case "floored_first":
    case "floored_last": {
      const columns = shape[shape.length - 1] ?? 1;
      const rows = transformed(tensor, "floored").data;
      const start = transform === "floored_first" ? 0 : rows.length - columns;
      return { data: rows.slice(start, start + columns), shape: [columns] };
    }
    case "finite_each":
      return { data: data.map((x) => +Number.isFinite(x)), shape: shape.length ? shape : [1] };
    case "finite_all":
      return list([+data.every(Number.isFinite)]);
    case "limit":
      return scalar(limit(data));
    case "minus_limit":
      return scalar(-limit(data));
    case "stack_bottom":
      return scalar(stack(tensor)[0]);
    case "stack_top":
      return scalar(stack(tensor)[1]);
    case "stack_ticks":
      return list(ticks(...stack(tensor)));
    case "layers":
      return layers(tensor);
    case "last_layer":
      return scalar((shape[shape.length - 1] ?? 1) + BESIDE);
    case "depths":
      return depths(shape[shape.length - 1] ?? 1);
    case "decade_below":
      return scalar(decades(data)[0]);
    case "decade_above":
      return scalar(decimal(1, decades(data)[2]));
    case "decades": {
      const [bottom, first, top] = decades(data);
      const every = apart(first, top);
      const count = Math.floor((top - first) / every) + 1;
      const powers = Array.from({ length: count }, (_, i) => decimal(1, first + i * every));
      return list(bottom === powers[0] ? powers : [bottom, ...powers]);
    }
  }
}

const scalar = (value: number): Tensor => ({ data: Float64Array.of(value), shape: [] });
const list = (values: number[]): Tensor => ({
  data: Float64Array.from(values),
  shape: [values.length],
});

/** The float nearest to a decimal number, which powers of 10 are not in every language. */
const decimal = (digits: number, power: number) => Number(`${digits}e${power}`);

// Ends of scales go up this ladder, so that they stand still while numbers move a little.
const RUNGS = [1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10];

/** The next rung of the ladder; 0 and what is too small or large for one stay. */
function roundedUp(size: number): number {
  if (!(size > 1e-300 && size < 1e300)) return size;
  const decade = 10 ** Math.floor(Math.log10(size));
  return RUNGS.map((rung) => rung * decade).find((end) => size <= end) ?? size;
}

/** Ends of an axis for bars stacked by row, negative ones downwards. */
function stack({ data, shape }: Tensor): [bottom: number, top: number] {
  const columns = shape[shape.length - 1] ?? 1;
  const down = new Float64Array(columns);
  const up = new Float64Array(columns);
  data.forEach((x, i) => {
    if (Number.isFinite(x)) (x < 0 ? down : up)[i % columns] += Math.abs(x);
  });
  const lowest = Math.min(Math.max(0, ...down), MOST_HEIGHT);
  const highest = Math.min(Math.max(0, ...up), MOST_HEIGHT);
  return [-roundedUp(lowest), roundedUp(highest) || (lowest ? 0 : 1)];
}

/** A few round numbers from `low` to `high`, 0 between them. */
function ticks(low: number, high: number): number[] {
  if (high - low < 1e-300) return [0];
  const power = Math.floor(Math.log10((high - low) / (MOST_TICKS - 1))) - 1;
  let [step, below, above] = [0, 0, 0];
  for (step of [10, 20, 25, 50, 100, 200]) {
    const size = decimal(step, power);
    below = Math.floor(-low / size + 1e-9);
    above = Math.floor(high / size + 1e-9);
    if (below + above < MOST_TICKS) break;
  }
  return Array.from({ length: below + above + 1 }, (_, i) => decimal((i - below) * step, power));
}

/** Rows stacked by column, each as the number of its row with its sign, column by column. */
function layers({ data, shape }: Tensor): Tensor {
  const columns = shape[shape.length - 1] ?? 1;
  const rows = data.length / columns || 0;
  const made = new Float64Array(data.length);
  data.forEach((x, i) => {
    const row = Math.floor(i / columns);
    made[(i % columns) * rows + row] = row + 1 + (x < 0 ? -BESIDE : BESIDE);
  });
  return { data: made, shape: [data.length] };
}

/** How strong the colours of `count` layers are, negative and positive in turn. */
function depths(count: number): Tensor {
  const step = (1 - PALEST) / (count - 1);
  const depth = (i: number) => (i === count - 1 ? 1 : PALEST + i * step);
  return list(Array.from({ length: 2 * count }, (_, i) => depth(i >> 1) * (i % 2 ? 1 : -1)));
}

/** The colour of a number from −1 to 1: blue is negative, orange positive, zero nothing. */
const color = (x: number) =>
  `rgba(${x < 0 ? "43, 108, 176" : "217, 104, 11"}, ${Math.abs(x).toFixed(3)})`;

/** The largest absolute value rounded up, 1 if it is 0: half the width of a symmetric scale. */
function limit(data: Float64Array): number {
  let largest = 0;
  for (const x of data) if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
  return roundedUp(largest) || 1;
}

const BESIDE = 0.25; // a quarter beside the number of the layer
const PALEST = 0.45; // how much of its colour the earliest loss step has
const MOST_TICKS = 5;
const MOST_HEIGHT = 1e300; // an axis as long as a float can be has infinitely many ticks

/** A logarithmic axis: its bottom, and the exponents of its first decade and of its top. Where there
 * are zeros, they stand at the bottom, below the decade of the smallest number, at a number that is
 * no decade: an axis labels it as 0. */
function decades(data: Float64Array): [bottom: number, first: number, top: number] {
  const sizes = data.filter((x) => Number.isFinite(x) && x !== 0).map(Math.abs);
  let [first, top] = [-1, 0];
  if (sizes.length) {
    const low = Math.floor(Math.log10(sizes.reduce((a, b) => Math.min(a, b))));
    const high = Math.ceil(Math.log10(sizes.reduce((a, b) => Math.max(a, b))));
    first = Math.max(low, -306); // a float has no smaller full decade, and none above 308
    top = Math.min(Math.max(high, first + 1), 308);
  }
  if (!data.includes(0)) return [decimal(1, first), first, top];
  return [decimal(2, Math.max(first - apart(first, top), -307)), first, top];
}

/** How many decades a few ticks are apart. */
const apart = (first: number, top: number) => Math.ceil((top - first + 1) / MOST_TICKS);

/** What is set on the trait: always a fresh array, since Backbone compares by identity. */
export function traitValue({ data, shape }: Tensor, kind: TraitKind): unknown {
  if (kind === "number") return data[0];
  if (kind === "colors") return Array.from(data, color);
  const columns = shape[1];
  if (columns === undefined) return kind === "array" ? data.slice() : [...data];
  return Array.from({ length: shape[0] }, (_, row) => {
    const part = data.slice(row * columns, (row + 1) * columns);
    return kind === "array" ? part : [...part];
  });
}

/** What a trait of text says. */
export interface Said {
  readonly quantity: string;
  readonly transform: Transform;
  /** "{}" stands for the number. */
  readonly text: string;
  /** Not empty for a title, which says by this name when there are no numbers to look at. */
  readonly name: string;
}

/** The text for a quantity's numbers, null if it does not exist. */
export function said(
  { quantity, transform, text, name }: Said,
  numbers: Tensor | null,
  /** The first step (0-based) with a value that is not finite, null if only the way back has one. */
  overflow: () => number | null,
): string {
  if (!numbers) return `${name || quantity} does not exist in this network`;
  if (name && !numbers.data.every(Number.isFinite)) return `${name} overflows ${where(overflow())}`;
  return text.replaceAll("{}", shortNumber(transformed(numbers, transform).data[0]));
}

function where(step: number | null): string {
  return step === null ? "on the way back" : `from t = ${step + 1} (step ${step})`;
}

export function sameTensor(a: Tensor | undefined, b: Tensor): boolean {
  return (
    a !== undefined &&
    a.shape.length === b.shape.length &&
    a.shape.every((n, axis) => n === b.shape[axis]) &&
    a.data.every((x, i) => Object.is(x, b.data[i]))
  );
}
