/** Central differences: the witness that needs no calculus. */

import { type ForwardPass, forward, reach, run, totalLoss, type Values } from "./forward";
import { layoutOf } from "./layout";
import { OPS, type Slot } from "./ops";
import { elementCount, type Program } from "./program";

const STEP = Math.cbrt(Number.EPSILON);

/**
 * Central differences of the loss by each entry of each leaf. `kinks` marks with 1 the entries
 * whose two evaluations lie on different sides of a relu's kink: there the difference is not an
 * estimate of a derivative.
 */
export interface Differences {
  readonly values: Record<string, Float64Array>;
  readonly kinks: Record<string, Uint8Array>;
}

/**
 * Estimate ∂L/∂leaf as (L(θ+ε) − L(θ−ε)) / 2ε with ε = ∛(machine epsilon) · max(1, |θ|). Under
 * truncation the cut states are held at their base value, so that what is estimated is the
 * truncated gradient.
 */
export function centralDifferences(
  program: Program,
  values: Values,
  names: readonly string[],
): Differences {
  const estimate = estimator(program, values);
  const found: Differences = { values: {}, kinks: {} };
  for (const name of names) {
    const count = elementCount(program.leaves[name]);
    found.values[name] = new Float64Array(count);
    found.kinks[name] = new Uint8Array(count);
    for (let i = 0; i < count; i++) {
      const { value, kink } = estimate(name, i);
      found.values[name][i] = value;
      found.kinks[name][i] = kink ? 1 : 0;
    }
  }
  return found;
}

/** The same for one entry alone, `at` in row-major order: two evaluations in place of two for each
 * entry. */
export function centralDifference(program: Program, values: Values, leaf: string, at: number) {
  return estimator(program, values)(leaf, at);
}

function estimator(program: Program, values: Values) {
  const base = forward(program, values);
  const moved = { ...base, data: base.data.slice(), losses: base.losses.slice() };
  const above = new ReluSigns(program);
  const below = new ReluSigns(program);
  return (leaf: string, at: number): { value: number; kink: boolean } => {
    const place = layoutOf(program).leaves[leaf].offset + at;
    const here = base.data[place];
    const step = STEP * Math.max(1, Math.abs(here));
    moved.data[place] = here + step;
    const more = loss(moved, base, above);
    moved.data[place] = here - step;
    const less = loss(moved, base, below);
    moved.data[place] = here;
    const value = (more - less) / (here + step - (here - step));
    return { value, kink: above.differFrom(below) };
  };
}

/** The loss with cut states held; notes in `signs` which relus are active. */
function loss(trace: ForwardPass, { data }: ForwardPass, signs: ReluSigns): number {
  const { program, losses } = trace;
  const { truncation, lossSteps } = program;
  signs.clear();
  if (truncation?.kind !== "window") {
    // A chunk's edges cut all loss steps alike.
    run(trace, truncation ? { base: data, lossStep: lossSteps[0] } : undefined);
    signs.note(trace.data, [0, program.seqLen - 1]);
    return totalLoss(trace);
  }
  let total = 0;
  for (const lossStep of lossSteps) {
    run(trace, { base: data, lossStep });
    signs.note(trace.data, reach(program, lossStep));
    total += losses[lossStep];
  }
  return total;
}

/** Which relus are active, over one or more forward passes. */
class ReluSigns {
  private readonly places: readonly Slot[];
  private readonly active: number[] = [];

  constructor(program: Program) {
    const relu = OPS.get("relu");
    this.places = layoutOf(program).blocks.flatMap(({ calls }) =>
      calls.filter(({ op }) => op === relu).map(({ out }) => out),
    );
  }

  clear(): void {
    this.active.length = 0;
  }

  /** Of the steps that the loss depends on. */
  note(data: Float64Array, [first, last]: readonly [number, number]): void {
    for (const { offset, size } of this.places) {
      const end = offset + (last + 1) * size;
      for (let i = offset + first * size; i < end; i++) this.active.push(data[i] > 0 ? 1 : 0);
    }
  }

  differFrom(other: ReluSigns): boolean {
    return this.active.some((sign, i) => sign !== other.active[i]);
  }
}
