/** What the walk calls a and δa: the pre-activation, which no other panel names, and its adjoint. */

import { subscript } from "../engine/labels";
import type { Block, Program } from "../engine/program";
import type { Operation } from "../engine/walk";
import { Formulas } from "./graph-formulas";

/** Whether an operation computes a pre-activation or its adjoint. A cell's own name is its own. */
export function isPreactivation({ blocks }: Program, { block, node, name }: Operation): boolean {
  return /^a(_|$)/.test(name) && blocks[block].template.nodes[node]?.name === null;
}

/** Whether an operation is the first of a walk to compute the adjoint of a pre-activation. */
export function introduces(
  program: Program,
  walk: readonly Operation[],
  operation: Operation,
): boolean {
  const found = walk.find((one) => one.phase === "backward" && isPreactivation(program, one));
  return found === operation;
}

/** In a few words, before the formula. */
export function label(program: Program, lossStep: number, operation: Operation): string {
  return `adjoint of the pre-activation ${symbolOf(program, lossStep, operation)}`;
}

/** In a sentence, for hovering. */
export function meaning(program: Program, lossStep: number, operation: Operation): string {
  const { phase, block, node, step } = operation;
  const a = symbolOf(program, lossStep, operation);
  const what = `the pre-activation: the sum that ${takenOf(program.blocks[block], node)} of`;
  if (phase === "forward") return `${a} is ${what}`;
  return `δ${a} = ∂L${subscript(lossStep + 1)}/∂${a} is the adjoint of ${a}, ${what}; what step ${step + 1}'s use of each weight adds is read off it`;
}

function symbolOf(program: Program, lossStep: number, { block, name, step }: Operation): string {
  return new Formulas(program, block, lossStep).symbol(name, step);
}

const ACTIVATIONS: Readonly<Record<string, string>> = { tanh: "tanh", sigmoid: "σ", relu: "relu" };

function takenOf({ template: { nodes } }: Block, node: number): string {
  const taken = nodes.flatMap(({ op, args }) => {
    let base = args[0];
    while (ACTIVATIONS[op] && base !== node && nodes[base].op === "slice")
      base = nodes[base].args[0];
    return base === node && ACTIVATIONS[op] ? [ACTIVATIONS[op]] : [];
  });
  const names = [...new Set(taken)];
  return names.length > 1 ? `${names.join(" and ")} are taken` : `${names[0]} is taken`;
}
