/** A seed times a Jacobian: the weighted rows, their sum as far as it has been built up. */

/** One argument of the function, with its columns of the Jacobian. */
export interface Argument {
  readonly name: string;
  readonly shape: readonly number[];
  readonly size: number;
}

/** A function at one place, as the kernel computed it. */
export interface Point {
  readonly x: readonly Float64Array[];
  readonly z: Float64Array;
  /** By argument, then by row. */
  readonly jacobian: readonly (readonly Float64Array[])[];
  readonly unused: ReadonlySet<string>;
  /** ∂loss/∂z by the loss's name; null where it is not finite. */
  readonly losses: ReadonlyMap<string, Float64Array | null>;
  readonly backward: Backward;
}

/** What torch did when it was really asked. */
export interface Backward {
  /** The error of z.backward(), null if there is none. */
  readonly bare: string | null;
  /** The error of a second backward(v) after one that kept no graph, null if there is none. */
  readonly again: string | null;
  /** The inputs to whose .grad that second call added all the same. */
  readonly reached: ReadonlySet<string>;
}

/** v[0] rows[0] + … of the first `count` rows. */
export function weightedSum(
  seed: ArrayLike<number>,
  rows: readonly Float64Array[],
  count = rows.length,
): Float64Array {
  const sum = new Float64Array(rows[0].length);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < sum.length; j++) sum[j] += seed[i] * rows[i][j];
  }
  return sum;
}

/** The gradient by each argument, from the first `count` rows. */
export function gradients(point: Point, seed: ArrayLike<number>, count?: number): Float64Array[] {
  return point.jacobian.map((rows) => weightedSum(seed, rows, count));
}

/** What each colour of an argument's weighted rows and their sums is measured against. */
export function largest(rows: readonly Float64Array[], seed: ArrayLike<number>): number {
  let most = 0;
  const note = (x: number) => {
    if (Number.isFinite(x)) most = Math.max(most, Math.abs(x));
  };
  const sum = new Float64Array(rows[0].length);
  rows.forEach((row, i) => {
    for (let j = 0; j < row.length; j++) {
      note(seed[i] * row[j]);
      sum[j] += seed[i] * row[j];
      note(sum[j]);
    }
  });
  return rounded(most || 1);
}

/** A round number above a limit: colours stay while numbers move below it. */
function rounded(limit: number): number {
  const power = 10 ** Math.floor(Math.log10(limit));
  return ([1, 2, 5].find((n) => limit <= n * power) ?? 10) * power;
}

/** One run of code, as a reader would type it, and what came of it. */
export interface Line {
  readonly code: string;
  readonly error: string | null;
}

/** What is left in .grad by a series of calls; null before the first, as torch has it. */
export interface Tape {
  readonly grads: readonly (Float64Array | null)[];
  /** Whether a call has freed what the forward pass had saved. */
  readonly freed: boolean;
  /** How many calls have added to .grad since it was empty. */
  readonly added: number;
  readonly lines: readonly Line[];
}

/** The forward pass has been run, and nothing else. */
export function opened(names: readonly string[], run: string): Tape {
  return {
    grads: names.map(() => null),
    freed: false,
    added: 0,
    lines: [{ code: run, error: null }],
  };
}

/** The forward pass once more: a new graph, and .grad as it was. */
export function rerun(tape: Tape, run: string): Tape {
  return { ...tape, freed: false, lines: [...tape.lines, { code: run, error: null }] };
}

/** .grad set to None, as an optimizer's zero_grad() does. */
export function emptied(tape: Tape, code: string): Tape {
  const grads = tape.grads.map(() => null);
  return { ...tape, grads, added: 0, lines: [...tape.lines, { code, error: null }] };
}

/** backward(v), adding to .grad what torch adds, where it fails as well. */
export function called(
  tape: Tape,
  point: Point,
  names: readonly string[],
  seed: ArrayLike<number>,
  call: { readonly symbol: string; readonly retain: boolean },
): Tape {
  const { symbol, retain } = call;
  const { again, reached } = point.backward;
  const error = tape.freed ? again : null;
  const found = gradients(point, seed);
  const grads = tape.grads.map((before, i) => {
    if (point.unused.has(names[i]) || (error !== null && !reached.has(names[i]))) return before;
    return before ? before.map((x, j) => x + found[i][j]) : found[i];
  });
  const code = `${symbol}.backward(v${retain ? ", retain_graph=True" : ""})`;
  return {
    grads,
    freed: tape.freed || !retain,
    added: tape.added + (error === null ? 1 : 0),
    lines: [...tape.lines, { code, error }],
  };
}
