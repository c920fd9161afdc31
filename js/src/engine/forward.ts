/** The forward pass: the value of every node of a program at every step. */

import { type BlockLayout, type Layout, layoutOf, outputSlot } from "./layout";
import type { Slot } from "./ops";
import { type Block, cuts, elementCount, type Program, previousStep } from "./program";

/** Leaf name to its numbers, row by row; cross-entropy's targets are classes. */
export type Values = Readonly<Record<string, Float64Array>>;

/** The numbers of all nodes, and the loss of each step, already weighted. */
export interface ForwardPass {
  readonly program: Program;
  readonly data: Float64Array;
  readonly losses: Float64Array;
}

/** Evaluate a program. `reuse`, an earlier pass of the same program, is overwritten and returned. */
export function forward(program: Program, values: Values, reuse?: ForwardPass): ForwardPass {
  const layout = layoutOf(program);
  const trace =
    reuse?.program === program
      ? reuse
      : {
          program,
          data: new Float64Array(layout.size),
          losses: new Float64Array(program.seqLen),
        };
  load(trace, layout, values);
  run(trace);
  return trace;
}

function load({ program, data }: ForwardPass, layout: Layout, values: Values): void {
  for (const leaf in layout.leaves) {
    const given = values[leaf];
    const count = elementCount(program.leaves[leaf]);
    if (given?.length !== count) {
      throw new Error(`leaf "${leaf}" must hold ${count} numbers, not ${given?.length ?? "none"}`);
    }
    data.set(given, layout.leaves[leaf].offset);
  }
}

/** The states that a loss step is cut from stay those of `base`: what a central difference of a
 * truncated gradient needs. */
export interface Held {
  readonly base: Float64Array;
  readonly lossStep: number;
}

/** The first and last step that a loss step may depend on. */
export function reach({ truncation, seqLen, bidirectional }: Program, lossStep: number) {
  if (truncation?.kind !== "window") return [0, seqLen - 1] as const;
  const lag = truncation.size - 1;
  const last = bidirectional ? Math.min(lossStep + lag, seqLen - 1) : lossStep;
  return [Math.max(lossStep - lag, 0), last] as const;
}

/** Evaluate from the leaves that stand in the trace; with `held` only the steps in reach. */
export function run(trace: ForwardPass, held?: Held): void {
  const { program, data, losses } = trace;
  const { seqLen, lossSteps, lossWeight } = program;
  const layout = layoutOf(program);
  const steps = held ? reach(program, held.lossStep) : ([0, seqLen - 1] as const);
  if (layout.oneHot) encode(data, layout.leaves["target"], layout.oneHot, seqLen);
  for (const block of layout.blocks) runBlock(block, trace, steps, held);
  const { offset } = outputSlot(layout.blocks[layout.blocks.length - 1]);
  losses.fill(0);
  for (const t of lossSteps) losses[t] = lossWeight * data[offset + t];
}

/** One-hot rows; what is no class gives NaN. */
function encode(data: Float64Array, classes: Slot, oneHot: Slot, steps: number): void {
  data.fill(0, oneHot.offset, oneHot.offset + steps * oneHot.size);
  for (let k = 0; k < steps; k++) {
    const chosen = data[classes.offset + k];
    const row = oneHot.offset + k * oneHot.size;
    if (Number.isInteger(chosen) && chosen >= 0 && chosen < oneHot.size) data[row + chosen] = 1;
    else data.fill(Number.NaN, row, row + oneHot.size);
  }
}

function runBlock(
  { block, calls, joins, states, initial }: BlockLayout,
  { program, data }: ForwardPass,
  [first, last]: readonly [number, number],
  held: Held | undefined,
): void {
  for (const { slot, sources } of joins) join(data, slot, sources, first, last);
  for (let s = 0; s < states.length; s++) {
    const { offset, size } = initial[s];
    const row = states[s].offset + (block.reverse ? program.seqLen * size : 0);
    data.copyWithin(row, offset, offset + size);
  }
  for (let n = first; n <= last; n++) {
    const k = block.reverse ? first + last - n : n;
    const base = held && isCut(program, block, k, held.lossStep) && held.base;
    const own = base && readStates(data, states, block, k);
    if (base) writeStates(data, states, block, k, readStates(base, states, block, k));
    for (let i = 0; i < calls.length; i++) calls[i].op.value(data, calls[i], k);
    if (own) writeStates(data, states, block, k, own);
  }
}

function isCut({ truncation, seqLen }: Program, block: Block, k: number, lossStep: number) {
  const before = previousStep(block, k);
  const initial = before === -1 || before === seqLen;
  return truncation !== null && cuts(truncation, k, before, lossStep, initial);
}

/** The states that step k reads. */
function readStates(from: Float64Array, states: readonly Slot[], { reverse }: Block, k: number) {
  return states.map(({ offset, size }) => {
    const row = offset + (reverse ? k + 1 : k) * size;
    return from.slice(row, row + size);
  });
}

function writeStates(
  to: Float64Array,
  states: readonly Slot[],
  { reverse }: Block,
  k: number,
  rows: readonly Float64Array[],
): void {
  states.forEach(({ offset, size }, s) => {
    to.set(rows[s], offset + (reverse ? k + 1 : k) * size);
  });
}

function join(
  data: Float64Array,
  slot: Slot,
  sources: readonly Slot[],
  first: number,
  last: number,
): void {
  for (let k = first; k <= last; k++) {
    let o = slot.offset + k * slot.stride;
    for (const source of sources) {
      const p = source.offset + k * source.stride;
      for (let j = 0; j < source.size; j++) data[o++] = data[p + j];
    }
  }
}

/** A copy of one node's values, (T, n); of a parameter, the leaf. */
export function nodeValues({ program, data }: ForwardPass, block: number, node: number) {
  const { offset, stride, size } = layoutOf(program).blocks[block].nodes[node];
  return data.slice(offset, offset + (stride ? stride * program.seqLen : size));
}

/** A copy of one state of a block, (T+1, H): the initial state is first, or, in a reverse
 * direction, last. */
export function stateValues({ program, data }: ForwardPass, block: number, state = "h") {
  const layout = layoutOf(program).blocks[block];
  const { offset, stride } = layout.states[layout.block.template.states.indexOf(state)];
  return data.slice(offset, offset + stride * (program.seqLen + 1));
}

/** The network's outputs y, (T, O). */
export function outputs({ program, data }: ForwardPass): Float64Array {
  const layout = layoutOf(program);
  const loss = layout.blocks[layout.blocks.length - 1];
  const { offset, stride } = loss.nodes[0];
  return data.slice(offset, offset + stride * program.seqLen);
}

/** The loss: the sum over its steps. */
export function totalLoss({ losses }: ForwardPass): number {
  return losses.reduce((sum, loss) => sum + loss, 0);
}
