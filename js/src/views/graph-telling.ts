/** One line for the operation that has just been done, with its numbers. */

import { nodeValues } from "../engine/forward";
import { Labels, subscript } from "../engine/labels";
import { layoutOf } from "../engine/layout";
import { planOf } from "../engine/plan";
import type { Results } from "../engine/quantities";
import { type Operation, stops } from "../engine/walk";
import { threeDigits } from "../format";
import { Formulas } from "./graph-formulas";
import { inWords } from "./graph-layers";
import type { Focus } from "./graph-state";

const MOST_NUMBERS = 6;

/** How a number is written, if it may be. */
type Write = (x: number) => string;

export function tell(
  results: Results,
  block: number,
  focus: Focus,
  operation: Operation,
  write: Write = threeDigits,
): string {
  if (operation.name === "C") return tellUse(results, focus, operation, write);
  const formula = new Formulas(results.program, block, focus.t).of(operation);
  return `${formula} = ${listed(numbersOf(results, focus.t, operation), write)}`;
}

export function numbersOf(results: Results, lossStep: number, operation: Operation): Float64Array {
  const { program, trace } = results;
  const { phase, name, block, node, step } = operation;
  if (phase === "forward") {
    if (name === "L") return trace.losses.slice(step, step + 1);
    return rowOf(nodeValues(trace, block, node), program.blocks[block].widths[node], step);
  }
  return adjointOf(results, lossStep, operation);
}

/** The adjoint, of the loss step alone, of a node at a step, or of an initial state. */
function adjointOf({ program, sweep }: Results, lossStep: number, operation: Operation) {
  const { block, node, step } = operation;
  const { seqLen, lossSteps } = program;
  const plan = planOf(program).blocks[block];
  const row = lossSteps.indexOf(lossStep);
  const initial = step < 0 || step >= seqLen;
  const places = initial
    ? plan.initial[program.blocks[block].template.outputs.indexOf(node)]
    : plan.nodes[node];
  if (!places) return new Float64Array(0);
  const { offset, size } = places;
  const start = offset + ((initial ? 0 : step) * lossSteps.length + row) * size;
  return sweep.data.slice(start, start + size);
}

function tellUse(
  results: Results,
  { entry, leaf, index, t }: Focus,
  operation: Operation,
  write: Write,
): string {
  const { program, trace } = results;
  const { block, node, step } = operation;
  const { template, starts } = program.blocks[block];
  const row = index[0] - starts[node];
  const adjoint = adjointOf(results, t, operation)[row];
  const { op, args } = template.nodes[node];
  const labels = new Labels(program);
  const result = standIn(template.nodes, node, stops(template));
  const at = subscript(step + 1);
  let of = `∂L${subscript(t + 1)}/∂(${leaf} at step ${step + 1})[${row}]`;
  if (result === "y") of = `v${at}[${row}]`;
  else if (result) of = `δ${result}${at}[${row}]`;
  const start = `C[t = ${t + 1}, k = ${step + 1}] of ${entry} = ${of}`;
  if (op !== "matvec") return `${start} = ${write(adjoint)}`;
  const { offset, stride } = layoutOf(program).blocks[block].nodes[args[1]];
  const input = trace.data[offset + step * stride + index[1]];
  const read = inWords(program, labels.node({ block, node: args[1], step }, index[1]), block);
  const product = write(adjoint * input);
  return `${start} · ${read} = ${write(adjoint)} · ${write(input)} = ${product}`;
}

/** The named node whose adjoint a node's is, being only added into it. */
function standIn(
  nodes: readonly { op: string; args: readonly number[]; name: string | null }[],
  node: number,
  named: ReadonlyMap<number, string>,
): string | null {
  const own = nodes[node].name ?? named.get(node);
  if (own) return own;
  const users = nodes.flatMap(({ args }, i) => (args.includes(node) ? [i] : []));
  const [user] = users;
  return users.length === 1 && nodes[user].op === "add" ? standIn(nodes, user, named) : null;
}

function rowOf(all: Float64Array, size: number, step: number): Float64Array {
  return all.subarray(step * size, (step + 1) * size);
}

function listed(numbers: Float64Array, write: Write): string {
  if (numbers.length === 1) return write(numbers[0]);
  const shown = Array.from(numbers.subarray(0, MOST_NUMBERS), (x) => write(x));
  if (numbers.length > MOST_NUMBERS) shown.push(`… ${numbers.length} numbers`);
  return `(${shown.join(", ")})`;
}
