/** What the accent marks: the way of the contribution in focus, or the operation just done; and what
 * is pointed at in a ledger. */

import type { Picture } from "./graph-numbers";
import type { GraphState } from "./graph-state";
import { type Use, useOf, usesOf } from "./graph-uses";

export interface Lit {
  /** Columns with a tinted ground. */
  readonly bands: readonly number[];
  units(row: string, step: number): boolean;
  /** Whether entries of zero are marked too. */
  readonly whole: boolean;
  /** Where the entry in focus enters the network at its source step: from what it multiplies, if it
   * is drawn, to what it is added into. */
  readonly enters: Use | null;
  /** Where the leaf that is pointed at is used. */
  readonly pointed: readonly Use[];
}

export function litBy(state: GraphState, picture: Picture, steps: number): Lit {
  const pointed = usesOf(state.program.value, state.block.value, state.lab.pointed.value);
  return { ...accented(state, picture, steps), pointed };
}

function accented(state: GraphState, { lens, rows }: Picture, steps: number): Omit<Lit, "pointed"> {
  const { t, k } = state.focus.value;
  const bands = t === k ? [t] : [t, k];
  if (state.position.value !== null) {
    const operation = state.operation.value;
    if (!operation) return { bands: [], whole: true, enters: null, units: () => false };
    const { node, block, step, name } = operation;
    const drawn = block === state.block.value;
    const row = drawn ? rowOf(state, node, name) : name;
    return {
      bands: step >= 0 && step < steps ? [step] : [],
      whole: true,
      enters: null,
      units: (id, at) => id === row && at === step,
    };
  }
  if (lens !== "flow") return { bands, whole: true, enters: null, units: () => false };
  return {
    bands,
    whole: false,
    enters: entering(state),
    units(id, step) {
      if (id === "v" || id === "L") return step === t;
      return !!rows.get(id)?.columns[step] && id !== "x" && id !== "target";
    },
  };
}

/** The row that stands for a node: its own, or the next named quantity that it enters. */
function rowOf(state: GraphState, node: number, name: string): string {
  const { template } = state.program.value.blocks[state.block.value];
  const { nodes, states, outputs } = template;
  if (states.includes(name) || name === "x" || nodes[node].name) return name;
  const reached = new Set([node]);
  for (let i = node; i < nodes.length; i++) {
    if (nodes[i].args.some((a) => reached.has(a))) reached.add(i);
    const output = outputs.indexOf(i);
    if (reached.has(i) && output >= 0) return states[output];
    if (reached.has(i) && nodes[i].name) return nodes[i].name as string;
  }
  return "";
}

function entering(state: GraphState): Use | null {
  const { leaf, index, k } = state.focus.value;
  return index.length ? useOf(state.program.value.blocks[state.block.value], leaf, index, k) : null;
}
