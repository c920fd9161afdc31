/** The forward pass: the value of every node of a program at every step. */

import { type BlockLayout, type Layout, layoutOf, outputSlot } from "./layout";
import type { Slot } from "./ops";
import { type Block, elementCount, type Program } from "./program";

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

/** Whether a step reads its previous state from the base instead of from the step before. */
export type Cut = (block: Block, step: number) => boolean;

/**
 * Evaluate from the leaves that stand in the trace. Where `cut` holds, a step reads its previous
 * state from `base`: what a central difference of a truncated gradient needs.
 */
export function run(trace: ForwardPass, base?: Float64Array, cut?: Cut): void {
  const { program, data, losses } = trace;
  const layout = layoutOf(program);
  if (layout.oneHot) encode(data, layout.leaves["target"], layout.oneHot, program.seqLen);
  for (const block of layout.blocks) runBlock(block, data, program.seqLen, base, cut);
  const { offset } = outputSlot(layout.blocks[layout.blocks.length - 1]);
  losses.fill(0);
  for (const t of program.lossSteps) losses[t] = program.lossWeight * data[offset + t];
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
  data: Float64Array,
  steps: number,
  base: Float64Array | undefined,
  cut: Cut | undefined,
): void {
  for (const { slot, sources } of joins) join(data, slot, sources, steps);
  for (let s = 0; s < states.length; s++) {
    const { offset, size } = initial[s];
    const row = states[s].offset + (block.reverse ? steps * size : 0);
    data.copyWithin(row, offset, offset + size);
  }
  for (let n = 0; n < steps; n++) {
    const k = block.reverse ? steps - 1 - n : n;
    const held = base && cut?.(block, k) ? readStates(base, states, block, k) : null;
    const own = held && readStates(data, states, block, k);
    if (held) writeStates(data, states, block, k, held);
    for (let i = 0; i < calls.length; i++) calls[i].op.value(data, calls[i], k);
    if (own) writeStates(data, states, block, k, own);
  }
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

function join(data: Float64Array, slot: Slot, sources: readonly Slot[], steps: number): void {
  for (let k = 0; k < steps; k++) {
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
