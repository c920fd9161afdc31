/**
 * The reverse sweep: every contribution C[t, k] from one pass.
 *
 * Adjoints carry a leading axis over loss steps, so one sweep does what one backward call per loss
 * step would. Rows that nothing can reach (in a network of one direction, losses before the step)
 * are left out.
 */

import type { ForwardPass } from "./forward";
import { pull, type Rows } from "./ops";
import { type BlockPlan, planEdges, planOf, type Use } from "./plan";
import { elementCount, type Program } from "./program";

/** Adjoints of a whole program: of every node L rows, one per loss step, for each step. */
export interface Sweep {
  readonly program: Program;
  readonly trace: ForwardPass;
  readonly data: Float64Array;
}

/**
 * Run the reverse sweep: δ_t = d_t + J_{t+1}ᵀ δ_{t+1}, with d_t the direct adjoint (Werbos 1990).
 * The memory of `reuse`, an earlier sweep of the same program, is taken over.
 */
export function sweep(trace: ForwardPass, reuse?: Sweep): Sweep {
  const { program } = trace;
  const plan = planOf(program);
  const data = reuse?.program === program ? reuse.data.fill(0) : new Float64Array(plan.size);
  const { reaching } = plan.blocks[plan.blocks.length - 1];
  const count = program.lossSteps.length;
  program.lossSteps.forEach((t, r) => {
    data[reaching.offset + t * count + r] = program.lossWeight;
  });
  for (let b = plan.blocks.length - 1; b >= 0; b--) {
    sweepBlock(plan.blocks[b], trace.data, data, program);
  }
  return { program, trace, data };
}

function sweepBlock(
  plan: BlockPlan,
  values: Float64Array,
  adjoints: Float64Array,
  { seqLen, lossSteps }: Program,
): void {
  const { arrival, edges, outputs, states, initial } = plan;
  const { reverse } = plan.layout.block;
  const count = lossSteps.length;
  let next = -1; // the step that reads this step's state
  for (let n = seqLen - 1; n >= 0; n--) {
    const k = reverse ? seqLen - 1 - n : n;
    const first = k * count + plan.first[k];
    const last = k * count + plan.last[k];
    pull(arrival, values, adjoints, k, first, last);
    if (next >= 0) {
      for (let s = 0; s < states.length; s++) {
        carry(plan, adjoints, states[s], next, count, outputs[s], k);
      }
    }
    for (let e = 0; e < edges.length; e++) pull(edges[e], values, adjoints, k, first, last);
    next = k;
  }
  for (let s = 0; s < states.length; s++) {
    carry(plan, adjoints, states[s], next, count, initial[s], 0);
  }
}

/** Hand the adjoint of the state that step `next` reads to step k, except where it is cut. */
function carry(
  { first, last, kept }: BlockPlan,
  adjoints: Float64Array,
  from: Rows | null,
  next: number,
  count: number,
  to: Rows,
  k: number,
): void {
  if (!from) return;
  for (let r = first[next]; r < last[next]; r++) {
    if (kept && !kept[next * count + r]) continue;
    const p = from.offset + (next * count + r) * from.size;
    const q = to.offset + (k * count + r) * to.size;
    for (let j = 0; j < from.size; j++) adjoints[q + j] += adjoints[p + j];
  }
}

/** Adjoints of one node, a view (T, L, n); null where nothing arrives. */
export function nodeAdjoint({ program, data }: Sweep, block: number, node: number) {
  const rows = planOf(program).blocks[block].nodes[node];
  const count = program.seqLen * program.lossSteps.length;
  return rows && data.subarray(rows.offset, rows.offset + count * rows.size);
}

/**
 * C[t, k] of one parameter, (T, T, …shape), or of one entry of it, (T, T): [loss step, source
 * step].
 */
export function contribution(
  { program, trace, data }: Sweep,
  leaf: string,
  entry?: readonly number[],
): Float64Array {
  const { seqLen, lossSteps } = program;
  const [rows, columns = 1] = checkedShape(program, leaf, entry);
  const width = entry ? 1 : rows * columns;
  const result = new Float64Array(seqLen * seqLen * width);
  for (const { first, last, uses } of planOf(program).blocks) {
    for (const { leaf: used, start, adjoint, x } of uses) {
      const m = adjoint.size;
      const top = entry ? entry[0] - start : 0;
      const bottom = entry ? top + 1 : m;
      if (used !== leaf || top < 0 || bottom > m) continue;
      const left = entry?.[1] ?? 0;
      const right = entry ? left + 1 : columns;
      for (let k = 0; k < seqLen; k++) {
        const input = x ? x.offset + k * x.stride : 0;
        for (let r = first[k]; r < last[k]; r++) {
          const p = adjoint.offset + (k * lossSteps.length + r) * m;
          let q = (lossSteps[r] * seqLen + k) * width + (entry ? 0 : start * columns);
          for (let i = top; i < bottom; i++) {
            for (let j = left; j < right; j++, q++) {
              result[q] += x ? data[p + i] * trace.data[input + j] : data[p + i];
            }
          }
        }
      }
    }
  }
  return result;
}

function checkedShape({ parameters }: Program, leaf: string, entry?: readonly number[]) {
  const shape = parameters[leaf];
  if (!shape) {
    const names = Object.keys(parameters).join(", ");
    throw new Error(`"${leaf}" has no contributions; the parameters are ${names}`);
  }
  const exists = (i: number, axis: number) => Number.isInteger(i) && i >= 0 && i < shape[axis];
  if (entry && !(entry.length === shape.length && entry.every(exists))) {
    throw new Error(`"${leaf}" has shape (${shape.join(", ")}), so no entry [${entry.join(",")}]`);
  }
  return shape;
}

/** C[t, k] of every parameter. */
export function contributions(swept: Sweep): Record<string, Float64Array> {
  const names = Object.keys(swept.program.parameters);
  return Object.fromEntries(names.map((leaf) => [leaf, contribution(swept, leaf)]));
}

/** ∂L/∂leaf for parameters, x, initial states and a real-valued target, each of leaf shape. */
export function gradients({ program, trace, data }: Sweep): Record<string, Float64Array> {
  const { seqLen: T, lossSteps, hiddenSize: H } = program;
  const L = lossSteps.length;
  const plan = planOf(program);
  const result: Record<string, Float64Array> = {};
  for (const [leaf, shape] of Object.entries(program.leaves)) {
    if (leaf === "v" || (leaf === "target" && program.loss === "cross_entropy")) continue;
    result[leaf] = new Float64Array(elementCount(shape));
  }
  for (const { layout, uses, initial } of plan.blocks) {
    const { template, leaves, row } = layout.block;
    for (const { leaf, start, adjoint, x } of uses) {
      const byStep = sumOverLosses(data, adjoint, T, L);
      addUse(result[leaf], start, byStep, adjoint.size, x, trace.data, T);
    }
    template.states.forEach((state, s) => {
      result[leaves[state]].set(sumOverLosses(data, initial[s], 1, L), row * H);
    });
  }
  for (const leaf in plan.leaves) {
    result[leaf]?.set(sumOverLosses(data, plan.leaves[leaf], T, L));
  }
  return result;
}

function addUse(
  gradient: Float64Array,
  start: number,
  byStep: Float64Array,
  m: number,
  x: Use["x"],
  values: Float64Array,
  steps: number,
): void {
  const n = x?.size ?? 1;
  for (let k = 0; k < steps; k++) {
    const input = x ? x.offset + k * x.stride : 0;
    let q = start * n;
    for (let i = 0; i < m; i++) {
      const adjoint = byStep[k * m + i];
      for (let j = 0; j < n; j++) gradient[q++] += x ? adjoint * values[input + j] : adjoint;
    }
  }
}

/** (T, L, n) to (T, n): the sum over loss rows, over those `kept`, or row `only` alone. */
function sumOverLosses(
  adjoints: Float64Array,
  { offset, size }: Rows,
  T: number,
  L: number,
  kept: Uint8Array | null = null,
  only = -1,
): Float64Array {
  const result = new Float64Array(T * size);
  for (let k = 0; k < T; k++) {
    for (let r = 0; r < L; r++) {
      if ((only >= 0 && r !== only) || (kept && !kept[k * L + r])) continue;
      const p = offset + (k * L + r) * size;
      for (let j = 0; j < size; j++) result[k * size + j] += adjoints[p + j];
    }
  }
  return result;
}

/** Adjoints of one state of a block, each (T, H); total = direct + carried. */
export interface Adjoints {
  readonly direct: Float64Array;
  readonly carried: Float64Array;
  readonly total: Float64Array;
}

/**
 * Adjoints of a block's states by name, summed over the loss steps, or of one loss step. What came
 * back through the block's own next step is `carried`; for an LSTM's cell that includes what came
 * back to h and goes on to c.
 */
export function adjoints(swept: Sweep, block: number, lossStep?: number): Record<string, Adjoints> {
  const { program, trace, data } = swept;
  const { seqLen: T, lossSteps, hiddenSize: H } = program;
  const plan = planOf(program).blocks[block];
  const { template, reverse } = plan.layout.block;
  const only = lossStep === undefined ? -1 : lossSteps.indexOf(lossStep);
  if (lossStep !== undefined && only < 0) {
    throw new Error(`step ${lossStep} has no loss; the loss steps are ${lossSteps.join(", ")}`);
  }
  const sum = (rows: Rows, kept: Uint8Array | null = null) =>
    sumOverLosses(data, rows, T, lossSteps.length, kept, only);

  const zeros = new Float64Array(T * H);
  const reaching = template.states.map((_, s) => (s === 0 ? sum(plan.reaching) : zeros));
  const returning = plan.states.map((rows) => {
    const returned = new Float64Array(T * H);
    if (!rows) return returned;
    const read = sum(rows, plan.kept); // at the step that reads the state, one later
    if (reverse) returned.set(read.subarray(0, (T - 1) * H), H);
    else returned.set(read.subarray(H));
    return returned;
  });
  const direct = acrossOutputs(plan, trace, reaching, T);
  const carried = acrossOutputs(plan, trace, returning, T);
  return Object.fromEntries(
    template.states.map((state, s) => {
      return [state, { direct: direct[s], carried: carried[s], total: sum(plan.outputs[s]) }];
    }),
  );
}

/** Adjoints (T, H) of each new state from seeds at all of them: c′ is also reached through h′. */
function acrossOutputs(
  { layout }: BlockPlan,
  { data }: ForwardPass,
  seeds: readonly Float64Array[],
  T: number,
): Float64Array[] {
  const { outputs } = layout.block.template;
  let size = 0;
  const reserve = (width: number) => {
    size += width;
    return { offset: size - width, size: width };
  };
  const { nodes, edges } = planEdges(layout, outputs, reserve, false, Math.min(...outputs));
  const places = outputs.map((i) => nodes[i] as Rows);
  const scratch = new Float64Array(size);
  const results = seeds.map((seed) => new Float64Array(seed.length));
  for (let k = 0; k < T; k++) {
    scratch.fill(0);
    places.forEach(({ offset, size: n }, s) => {
      scratch.set(seeds[s].subarray(k * n, (k + 1) * n), offset);
    });
    for (const edge of edges) pull(edge, data, scratch, k, 0, 1);
    places.forEach(({ offset, size: n }, s) => {
      results[s].set(scratch.subarray(offset, offset + n), k * n);
    });
  }
  return results;
}
