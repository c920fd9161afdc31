/**
 * The factors of one contribution, each as the numbers it is:
 * C[t, k] = v_tᵀ (∂y_t/∂s_t) J_t … J_{k+1} ∂⁺s_k/∂θ, all but the J, which `StateJacobians` has.
 */

import type { ForwardPass } from "./forward";
import { type Node, PathGraph, type Wanted } from "./graph";
import { planOf } from "./plan";
import { type Program, previousStep } from "./program";
import { nodeAdjoint, type Sweep } from "./sweep";
import { slotIndex } from "./template";

/** v_t = ∂L_t/∂y_t, (O,): the seed, or what the loss makes it. Zeros where step t has no loss. */
export function seedOf(swept: Sweep, lossStep: number): Float64Array {
  const { lossSteps, blocks, outputSize } = swept.program;
  const last = blocks.length - 1;
  const adjoint = nodeAdjoint(swept, last, slotIndex(blocks[last].template, "y"));
  const row = lossStep * lossSteps.length + lossSteps.indexOf(lossStep);
  if (!adjoint || !lossSteps.includes(lossStep)) return new Float64Array(outputSize);
  return adjoint.slice(row * outputSize, (row + 1) * outputSize);
}

/**
 * The adjoint ∂L_t/∂s of the state that a step makes, in independent coordinates: H numbers, or 2H
 * for (h, c). In a network of one layer and direction it is v_tᵀ (∂y_t/∂s_t) J_t … J_{step+1}.
 */
export function stateAdjoint(
  { program, data }: Sweep,
  block: number,
  step: number,
  lossStep: number,
): Float64Array {
  const { hiddenSize: H, seqLen: T, lossSteps } = program;
  const { states, reaching, kept, layout } = planOf(program).blocks[block];
  const result = new Float64Array(states.length * H);
  const count = lossSteps.length;
  const r = lossSteps.indexOf(lossStep);
  if (r < 0) return result;
  const add = (offset: number, s: number) => {
    for (let i = 0; i < H; i++) result[s * H + i] += data[offset + i];
  };
  add(reaching.offset + (step * count + r) * H, 0);
  const next = layout.block.reverse ? step - 1 : step + 1;
  if (next < 0 || next >= T || (kept && !kept[next * count + r])) return result;
  states.forEach((rows, s) => {
    if (rows) add(rows.offset + (next * count + r) * H, s);
  });
  return result;
}

/**
 * ∂⁺s_k/∂θ of one parameter entry, its immediate derivative: of the states that step k makes, or of
 * the readout's result, with the state before held fixed.
 */
export function immediate(trace: ForwardPass, block: number, wanted: Wanted): Float64Array {
  const { template, widths } = trace.program.blocks[block];
  const graph = new PathGraph(trace, wanted);
  const nodes: Node[] = [];
  for (const node of graph.nodes()) {
    if (node.block === block && node.step === wanted.sourceStep) nodes.push(node);
  }
  const tangents: Float64Array[] = [];
  for (const node of nodes.reverse()) {
    const tangent = new Float64Array(node.size);
    tangents[node.node] = tangent;
    if (template.nodes[node.node].op === "input") continue; // the state before, and what lies below
    for (const edge of graph.edges(node)) {
      const { kind, arg, final } = edge;
      const from = final ? unit(arg.size, graph.index) : tangents[arg.node];
      if (kind === "outer") tangent[edge.outOf(graph.index)] += edge.at(0, graph.index);
      else if (kind === "matrix" || kind === "row") {
        for (let i = 0; i < node.size; i++) {
          for (let j = 0; j < arg.size; j++) tangent[i] += edge.at(i, j) * from[j];
        }
      } else {
        const [out, start, length] = edge.aligned();
        for (let i = 0; i < length; i++) {
          tangent[out + i] += edge.at(out + i, start + i) * from[start + i];
        }
      }
    }
  }
  const H = widths[template.outputs[0]];
  const result = new Float64Array(template.outputs.length * H);
  template.outputs.forEach((out, s) => {
    result.set(tangents[out], s * H);
  });
  return result;
}

function unit(size: number, at: number): Float64Array {
  return new Float64Array(size).fill(1, at, at + 1);
}

/** Why C[t, k] is nothing by construction, whatever the numbers are. */
export type Nothing = "no loss" | "no way" | "cut";

/**
 * For each (t, k), row by row, why no way leads from the loss of step t to a parameter's use at
 * step k; null where one does. "cut": there would be one without the truncation.
 */
export function ways(program: Program, leaf: string): readonly (Nothing | null)[] {
  const byLeaf = found.get(program) ?? new Map<string, readonly (Nothing | null)[]>();
  found.set(program, byLeaf);
  const reasons = byLeaf.get(leaf) ?? findWays(program, leaf);
  byLeaf.set(leaf, reasons);
  return reasons;
}

const found = new WeakMap<Program, Map<string, readonly (Nothing | null)[]>>();

function findWays(program: Program, leaf: string): (Nothing | null)[] {
  const { seqLen: T, lossSteps, truncation } = program;
  const result: (Nothing | null)[] = [];
  for (let t = 0; t < T; t++) {
    const open = reached(program, leaf, t, false);
    const left = truncation ? reached(program, leaf, t, true) : open;
    for (let k = 0; k < T; k++) {
      if (!lossSteps.includes(t)) result.push("no loss");
      else result.push(left[k] ? null : open[k] ? "cut" : "no way");
    }
  }
  return result;
}

/** The steps whose use of a parameter a loss step reaches. */
function reached(program: Program, leaf: string, lossStep: number, truncated: boolean): boolean[] {
  const { blocks, seqLen: T, lossSteps } = program;
  const plan = planOf(program);
  const r = lossSteps.indexOf(lossStep);
  const seen = blocks.map(() => new Array<boolean>(T).fill(false));
  seen[blocks.length - 1][lossStep] = true;
  const uses = new Array<boolean>(T).fill(false);
  for (let b = blocks.length - 1; b >= 0; b--) {
    const { sources, reverse, leaves } = blocks[b];
    const { states, kept } = plan.blocks[b];
    for (let n = T - 1; n >= 0; n--) {
      const step = reverse ? T - 1 - n : n;
      if (!seen[b][step]) continue;
      const before = previousStep(blocks[b], step);
      const cut = truncated && kept && !kept[step * lossSteps.length + r];
      if (before >= 0 && before < T && states.some(Boolean) && !cut) seen[b][before] = true;
      for (const source of Object.values(sources).flat()) {
        if (typeof source === "number") seen[source][step] = true;
      }
      if (Object.values(leaves).includes(leaf)) uses[step] = true;
    }
  }
  return uses;
}
