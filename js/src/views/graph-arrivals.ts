/** Adjoints by what they came through: from this step's loss, or from the layer's own next step. */

import { pull, type Rows } from "../engine/ops";
import { planEdges, planOf } from "../engine/plan";
import type { Sweep } from "../engine/sweep";

/** What reaches each state from outside its step, (T, H) each: from the blocks above (into h), and
 * back from this block's own next step. */
export interface Arrivals {
  readonly reaching: readonly Float64Array[];
  readonly returning: readonly Float64Array[];
}

/** Summed over the loss steps `r` of the loss's list that `count` admits. */
type Admit = (r: number) => boolean;

const ALL: Admit = () => true;

/** (T, n): rows summed over loss steps. */
export function summed(
  { program, data }: Sweep,
  { offset, size }: Rows,
  admit: Admit = ALL,
  kept: Uint8Array | null = null,
): Float64Array {
  const { seqLen, lossSteps } = program;
  const count = lossSteps.length;
  const sum = new Float64Array(seqLen * size);
  for (let k = 0; k < seqLen; k++) {
    for (let r = 0; r < count; r++) {
      if (!admit(r) || (kept && !kept[k * count + r])) continue;
      const p = offset + (k * count + r) * size;
      for (let j = 0; j < size; j++) sum[k * size + j] += data[p + j];
    }
  }
  return sum;
}

export function arrivals(swept: Sweep, block: number, admit: Admit = ALL): Arrivals {
  const { program } = swept;
  const { seqLen: T, hiddenSize: H } = program;
  const plan = planOf(program).blocks[block];
  const { reverse, template } = plan.layout.block;
  const reaching = template.states.map((_, s) =>
    s === 0 ? summed(swept, plan.reaching, admit) : new Float64Array(T * H),
  );
  const returning = plan.states.map((rows) => {
    const returned = new Float64Array(T * H);
    if (!rows) return returned;
    const read = summed(swept, rows, admit, plan.kept); // at the step that reads the state
    if (reverse) returned.set(read.subarray(0, (T - 1) * H), H);
    else returned.set(read.subarray(H));
    return returned;
  });
  return { reaching, returning };
}

/**
 * What comes back from each state that a step makes to each state that it reads: J[i, j] a_i, with
 * a_i what reaches state entry i from outside the step. Summed over i it is what returns to entry
 * j. One (S, S) per step, loss steps that are cut there left out.
 */
export function carriedEdges(
  swept: Sweep,
  block: number,
  jacobian: (step: number) => Float64Array,
  admit: Admit = ALL,
): Float64Array[] {
  const { program } = swept;
  const { seqLen: T, hiddenSize: H, lossSteps } = program;
  const { kept } = planOf(program).blocks[block];
  const count = lossSteps.length;
  const whole = kept ? null : arrivals(swept, block, admit);
  return Array.from({ length: T }, (_, step) => {
    const { reaching, returning } =
      whole ?? arrivals(swept, block, (r) => admit(r) && !!(kept as Uint8Array)[step * count + r]);
    const S = H * reaching.length;
    return jacobian(step).map((derivative, at) => {
      const i = Math.floor(at / S);
      const state = Math.floor(i / H);
      const p = step * H + (i % H);
      return derivative * (reaching[state][p] + returning[state][p]);
    });
  });
}

/** Adjoints of all nodes of a block, (T, n) each, from what is given at its states alone. */
export function within(
  { program, trace }: Sweep,
  block: number,
  given: readonly Float64Array[],
): (Float64Array | null)[] {
  const { seqLen: T } = program;
  const { layout } = planOf(program).blocks[block];
  const { outputs } = layout.block.template;
  let size = 0;
  const reserve = (width: number) => {
    size += width * T;
    return { offset: size - width * T, size: width };
  };
  const { nodes, edges } = planEdges(layout, outputs, reserve, false);
  const data = new Float64Array(size);
  for (let k = 0; k < T; k++) {
    outputs.forEach((i, s) => {
      const { offset, size: n } = nodes[i] as Rows;
      for (let j = 0; j < n; j++) data[offset + k * n + j] += given[s][k * n + j];
    });
    for (const edge of edges) pull(edge, trace.data, data, k, k, k + 1);
  }
  return nodes.map((rows) => rows && data.subarray(rows.offset, rows.offset + T * rows.size));
}
