/**
 * A walk through one layer's computation, one operation at a time: the forward pass, then the
 * backward pass of one loss step. Only what has a name is a stop; what lies between is part of the
 * next stop's formula.
 */

import { planOf } from "./plan";
import { type Block, cuts, type Program, previousStep } from "./program";
import { slotIndex, type Template } from "./template";

export type Phase = "forward" | "backward";

export interface Operation {
  readonly phase: Phase;
  /** The name of what it computes: a node's, "y", "L", "v"; "C" for a use of the entry. */
  readonly name: string;
  readonly block: number;
  readonly node: number;
  /** −1 or T for the initial state. */
  readonly step: number;
}

const ACTIVATIONS = ["tanh", "sigmoid", "relu"];

/** The nodes of a template that have a name: their own, or "a" for what an activation is taken of. */
export function stops(template: Template): ReadonlyMap<number, string> {
  const { nodes } = template;
  const found = new Map<number, string>();
  nodes.forEach(({ name }, i) => {
    if (name) found.set(i, name);
  });
  const sums: [node: number, of: string][] = [];
  nodes.forEach(({ op, args }, i) => {
    if (!ACTIVATIONS.includes(op)) return;
    let base = args[0];
    while (nodes[base].op === "slice") base = nodes[base].args[0];
    if (found.has(base) || sums.some(([node]) => node === base)) return;
    if (readsMatrix(template, base, found)) sums.push([base, nameAbove(template, i)]);
  });
  for (const [node, of] of sums) found.set(node, sums.length === 1 ? "a" : `a_${of}`);
  return new Map([...found].sort(([a], [b]) => a - b));
}

/** Whether a matrix times a vector enters a node after the last named one. */
function readsMatrix({ nodes }: Template, at: number, named: ReadonlyMap<number, string>): boolean {
  const below = (i: number): boolean =>
    !named.has(i) && (nodes[i].op === "matvec" || nodes[i].args.some(below));
  return nodes[at].op !== "input" && nodes[at].op !== "param" && below(at);
}

/** The first named quantity that a node enters. */
function nameAbove({ nodes }: Template, at: number): string {
  const reached = new Set([at]);
  for (let i = at; i < nodes.length; i++) {
    if (nodes[i].args.some((a) => reached.has(a))) reached.add(i);
    const { name } = nodes[i];
    if (reached.has(i) && name) return name;
  }
  return String(at);
}

/** All operations in order. The backward pass is that of `lossStep`, empty if it has no loss; with a
 * parameter entry its contributions C[lossStep, k] are operations too. */
export function walk(
  program: Program,
  block: number,
  lossStep: number,
  leaf = "",
  entry: readonly number[] = [],
): Operation[] {
  const { blocks, seqLen: T, lossSteps, rows } = program;
  const drawn = blocks[block];
  const named = [...stops(drawn.template)];
  const operations: Operation[] = [];
  const order = Array.from({ length: T }, (_, n) => (drawn.reverse ? T - 1 - n : n));
  const above = (step: number) => {
    for (let b = rows; b < blocks.length; b++) {
      const last = b === blocks.length - 1;
      if (last && !lossSteps.includes(step)) continue;
      const node = blocks[b].template.outputs[0];
      operations.push({ phase: "forward", name: last ? "L" : "y", block: b, node, step });
    }
  };
  for (const step of order) {
    for (const [node, name] of named) {
      operations.push({ phase: "forward", name, block, node, step });
    }
    if (rows === 1) above(step);
  }
  if (rows > 1) for (let step = 0; step < T; step++) above(step);
  const row = lossSteps.indexOf(lossStep);
  if (row >= 0) backward(program, block, row, order.reverse(), operations, leaf, entry);
  return operations;
}

function backward(
  program: Program,
  block: number,
  row: number,
  order: readonly number[],
  operations: Operation[],
  leaf: string,
  entry: readonly number[],
): void {
  const { blocks, lossSteps, rows } = program;
  const { template } = blocks[block];
  const plan = planOf(program).blocks[block];
  const names = [...stops(template)].reverse();
  const phase: Phase = "backward";
  const top = blocks.length - 1;
  const lossStep = lossSteps[row];
  operations.push({ phase, name: "v", block: top, node: 0, step: lossStep });
  if (rows < top)
    uses(blocks[rows], leaf, entry).forEach((node) => {
      operations.push({ phase, name: "C", block: rows, node, step: lossStep });
    });
  const x = slotIndex(template, "x");
  for (const step of order) {
    if (row < plan.first[step] || row >= plan.last[step]) continue;
    for (const [node, name] of names) {
      if (plan.nodes[node]) operations.push({ phase, name, block, node, step });
    }
    for (const node of uses(blocks[block], leaf, entry)) {
      operations.push({ phase, name: "C", block, node, step });
    }
    if (plan.nodes[x]) operations.push({ phase, name: "x", block, node: x, step });
    const before = previousStep(blocks[block], step);
    if (before >= 0 && before < program.seqLen) continue;
    if (isCut(program, blocks[block], step, lossStep)) continue;
    template.outputs.forEach((node, s) => {
      if (!plan.states[s]) return;
      operations.push({ phase, name: template.states[s], block, node, step: before });
    });
  }
}

/** Whether a loss step is cut from the state that a step reads. */
export function isCut(program: Program, block: Block, step: number, lossStep: number): boolean {
  const before = previousStep(block, step);
  const initial = before === -1 || before === program.seqLen;
  return program.truncation !== null && cuts(program.truncation, step, before, lossStep, initial);
}

/** The nodes of a block that use a parameter entry: products with its matrix, or the vector. */
export function uses(block: Block, leaf: string, entry: readonly number[]): number[] {
  const { nodes } = block.template;
  const own = (i: number) => block.leaves[nodes[i].attrs.param ?? ""] === leaf;
  const found: number[] = [];
  nodes.forEach(({ op, args, shape }, i) => {
    if (op === "param" && shape.length === 1 && own(i)) found.push(i);
    if (op !== "matvec" || !own(args[0])) return;
    const row = entry[0] - block.starts[i];
    if (row >= 0 && row < block.widths[i]) found.push(i);
  });
  return found;
}

/** Tells what can be seen after some operations: inputs from the start, the rest once computed. Of a
 * state, step T is the initial one. */
export function done(
  program: Program,
  operations: readonly Operation[],
  position: number,
): (phase: Phase, name: string, step: number) => boolean {
  const { seqLen: T, loss, cell } = program;
  const key = (phase: Phase, name: string, step: number) =>
    `${phase} ${name} ${step < 0 ? T : step}`;
  const before = new Set<string>();
  operations.slice(0, position).forEach(({ phase, name, step }) => {
    before.add(key(phase, name, step));
    if (phase === "backward" && name === "v") before.add(key(phase, "y", step));
  });
  return (phase, name, step) => {
    if (name === "target") return true;
    if (phase === "backward") return name === "L" || before.has(key(phase, name, step));
    if (name === "x") return true;
    if (name === "v") return loss === "seed";
    return (cell.states.includes(name) && step === T) || before.has(key(phase, name, step));
  };
}
