/** What the accent marks: the way of the contribution in focus, or the operation just done. */

import { type Block, previousStep } from "../engine/program";
import { uses } from "../engine/walk";
import type { Picture } from "./graph-numbers";
import type { GraphState } from "./graph-state";

export interface Lit {
  /** Columns with a tinted ground. */
  readonly bands: readonly number[];
  units(row: string, step: number): boolean;
  /** Whether entries of zero are marked too. */
  readonly whole: boolean;
  /** Where the entry in focus enters the network at its source step: from what it multiplies, if it
   * is drawn, to what it is added into. */
  readonly enters: { readonly from: Spot | null; readonly to: Spot } | null;
}

/** One entry of a row at a step. */
export interface Spot {
  readonly row: string;
  readonly step: number;
  readonly i: number;
}

export function litBy(state: GraphState, { lens, rows }: Picture, steps: number): Lit {
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

function entering(state: GraphState): Lit["enters"] {
  const { leaf, index, k } = state.focus.value;
  const block = state.program.value.blocks[state.block.value];
  const [use] = index.length ? uses(block, leaf, index) : [];
  if (use === undefined) return null;
  const to = up(
    block,
    use,
    index[0] - (block.template.nodes[use].op === "matvec" ? block.starts[use] : 0),
  );
  const { op, args } = block.template.nodes[use];
  const from = op === "matvec" ? down(block, args[1], index[1], k) : null;
  return to && { from, to: { ...to, step: k } };
}

/** The drawn entry that an entry of a node is added into. */
function up(block: Block, node: number, i: number): Omit<Spot, "step"> | null {
  const { nodes, outputs, states } = block.template;
  const { name } = nodes[node];
  const state = outputs.indexOf(node);
  if (state >= 0 || name) return { row: state >= 0 ? states[state] : (name as string), i };
  for (let user = node + 1; user < nodes.length; user++) {
    const { op, args } = nodes[user];
    if (!args.includes(node) || op === "matvec" || op === "concat") continue;
    const at = op === "slice" ? i - block.starts[user] : i;
    if (at >= 0 && at < block.widths[user]) return up(block, user, at);
  }
  return null;
}

/** The drawn entry that an entry of a node is read from. */
function down(block: Block, node: number, i: number, step: number): Spot | null {
  const { op, args, attrs } = block.template.nodes[node];
  if (op === "input") {
    const row = attrs.slot as string;
    return { row, step: row === "x" ? step : previousStep(block, step), i };
  }
  if (op !== "concat") return null;
  let rest = i;
  for (const arg of args) {
    if (rest < block.widths[arg]) return down(block, arg, rest, step);
    rest -= block.widths[arg];
  }
  return null;
}
