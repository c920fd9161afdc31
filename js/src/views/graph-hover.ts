/** The edge under the pointer, in words. */

import { subscript } from "../engine/labels";
import { previousStep } from "../engine/program";
import { allDigits } from "../format";
import { ofLayer } from "./graph-layers";
import { curved, edgeAt, heightsOf, type Scene, stepAt } from "./graph-scene";
import type { GraphState } from "./graph-state";

const NEAR = 5;

/** The nearest edge with a number, "" if there is none near. */
export function edgeTitle(state: GraphState, scene: Scene, x: number, y: number): string {
  const { edges, leastEdge } = state.picture.peek();
  const heights = heightsOf(scene);
  const at = stepAt(scene, x) ?? 0;
  let best = { distance: NEAR, step: -1, i: 0, j: 0 };
  for (const step of [at - 1, at, at + 1]) {
    if (!edges[step]) continue;
    for (let i = 0; i < heights.length; i++) {
      for (let j = 0; j < heights.length; j++) {
        const number = edges[step][i * heights.length + j];
        if (!number || Math.abs(number) < leastEdge) continue;
        const distance = Math.abs(heightOn(edgeAt(scene, heights, step, i, j), x, scene) - y);
        if (distance < best.distance) best = { distance, step, i, j };
      }
    }
  }
  const { step, i, j } = best;
  return step < 0
    ? ""
    : said(state, step, i, j, (edges[step] as Float64Array)[i * heights.length + j]);
}

/** How high an edge is at x; NaN beside it. */
function heightOn(
  [x0, y0, x1, y1]: readonly [number, number, number, number],
  x: number,
  scene: Scene,
) {
  const part = (x - x0) / (x1 - x0);
  if (!(part >= 0 && part <= 1)) return Number.NaN;
  if (!curved(scene)) return y0 + part * (y1 - y0);
  // On the curve x = x(u) with both handles in the middle; its u is found by bisection.
  let [low, high] = [0, 1];
  for (let n = 0; n < 12; n++) {
    const u = (low + high) / 2;
    if (1.5 * u * (1 - u) + u ** 3 < part) low = u;
    else high = u;
  }
  return y0 + (3 - 2 * low) * low ** 2 * (y1 - y0);
}

function said(state: GraphState, step: number, i: number, j: number, x: number): string {
  const { hiddenSize: H, blocks, cell, seqLen } = state.program.value;
  const block = blocks[state.block.value];
  const before = previousStep(block, step);
  const name = (entry: number, at: number) => {
    const initial = at < 0 || at >= seqLen;
    const state = cell.states[Math.floor(entry / H)];
    return `${state}${subscript(initial ? 0 : at + 1)}[${entry % H}]`;
  };
  const [reads, makes] = [name(j, before), name(i, step)];
  const { lens } = state.picture.peek();
  const { entry, t, k } = state.focus.value;
  const what = {
    values: `sensitivity × state, ∂${makes}/∂${reads} · ${reads}`,
    adjoints: `what ${makes} carries back to ${reads}`,
    flow: `share of C[t = ${t + 1}, k = ${k + 1}] of ${entry} that passes from ${reads} to ${makes}`,
  }[lens];
  return `${what}${ofLayer(state.program.value, state.block.value)} = ${state.lab.veil.text(x, allDigits)}`;
}
