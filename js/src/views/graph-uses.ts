/** Where the numbers of a leaf enter the drawn network. */

import { type Block, type Program, previousStep } from "../engine/program";
import { uses } from "../engine/walk";

/** Where a number enters the network: from what it multiplies, if that is drawn, to what it is added
 * into, or that itself. */
export interface Use {
  readonly from: Spot | null;
  readonly to: Spot;
}

/** One entry of a row at a step. */
export interface Spot {
  readonly row: string;
  readonly step: number;
  readonly i: number;
}

/** Where one entry of a parameter enters a block at a step. */
export function useOf(
  block: Block,
  leaf: string,
  index: readonly number[],
  step: number,
): Use | null {
  const [use] = uses(block, leaf, index);
  if (use === undefined) return null;
  const to = up(
    block,
    use,
    index[0] - (block.template.nodes[use].op === "matvec" ? block.starts[use] : 0),
  );
  const { op, args } = block.template.nodes[use];
  const from = op === "matvec" ? down(block, args[1], index[1], step) : null;
  return to && { from, to: { ...to, step } };
}

/** Every use of a leaf that is drawn with a block, at all steps. */
export function usesOf(program: Program, drawn: number, leaf: string): Use[] {
  const shape = program.leaves[leaf];
  if (!shape) return [];
  const block = program.blocks[drawn];
  const every = Array.from({ length: program.seqLen }, (_, step) => step);
  const alone = (row: string, step: number, i: number) => ({ from: null, to: { row, step, i } });
  const all = (row: string, width: number) =>
    every.flatMap((step) => Array.from({ length: width }, (_, i) => alone(row, step, i)));
  if (leaf in program.parameters) {
    const found = every.flatMap((step) =>
      indices(shape).map((index) => useOf(block, leaf, index, step)),
    );
    if (found.some(Boolean)) return found.filter((use) => use !== null);
    return leaf.startsWith("readout.") ? all("y", program.outputSize) : [];
  }
  if (leaf === "x") return block.sources["x"]?.includes("x") ? all("x", program.inputSize) : [];
  const state = Object.entries(block.leaves).find(([, name]) => name === leaf)?.[0];
  if (state !== undefined) {
    const before = block.reverse ? program.seqLen : -1;
    return Array.from({ length: program.hiddenSize }, (_, i) => alone(state, before, i));
  }
  return all(leaf, shape[1] ?? 1);
}

function indices([rows, columns]: readonly number[]): number[][] {
  return Array.from({ length: rows * (columns ?? 1) }, (_, at) =>
    columns === undefined ? [at] : [Math.floor(at / columns), at % columns],
  );
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
