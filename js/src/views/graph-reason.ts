/** Why there is nothing to see: causality, truncation, or a factor of zero. */

import { Flow } from "../engine/flow";
import type { Program } from "../engine/program";
import type { Results } from "../engine/quantities";
import type { Picture } from "./graph-numbers";
import type { Focus } from "./graph-state";
import { zeroReason } from "./graph-zeros";

/** What is worth saying about a picture, null if nothing is. */
export function remark(results: Results, picture: Picture, focus: Focus): string | null {
  const { program } = results;
  if (!picture.finite || !results.trace.losses.every(Number.isFinite)) {
    const { overflow } = results;
    const where =
      overflow === null ? "on the way back" : `at t = ${overflow + 1} (step ${overflow} in code)`;
    return `Overflow: numbers grow beyond what a computer holds, first ${where}. A cross marks what is not a number.`;
  }
  if (picture.lens === "values" && faint(picture)) {
    return "Edges are faint or missing: no state changes much with the one before it (∂s′/∂s · s is small).";
  }
  if (picture.lens !== "flow") return null;
  if (!focus.index.length)
    return "Select an entry of a parameter to see one of its contributions flow.";
  if (picture.contribution === 0) return `It is zero: ${reason(results, focus)}.`;
  if (!program.cell.states.some((state) => picture.rows.get(state)?.columns.some(Boolean))) {
    if (focus.leaf.startsWith("readout")) {
      return `${focus.leaf} acts after the states: nothing flows through time.`;
    }
    return "It does not pass this layer and direction: choose another above.";
  }
  if (program.rows > 1) {
    return "Only the shares that pass this layer and direction are drawn; other paths use the others.";
  }
  return null;
}

const FAINT = 0.05; // of the largest value

function faint({ edges, limit }: Picture): boolean {
  return edges.every((numbers) => numbers?.every((x) => Math.abs(x) < FAINT * limit));
}

function reason({ program, trace }: Results, { leaf, index, t, k }: Focus): string {
  const { lossSteps, truncation, bidirectional, numLayers, blocks } = program;
  if (!lossSteps.includes(t)) return `step t = ${t + 1} has no loss`;
  if (leaf.startsWith("readout") && k !== t)
    return `${leaf} at step k acts on y of that step alone`;
  if (!bidirectional && k > t) {
    return `a later step (k = ${k + 1}) cannot change an earlier loss (t = ${t + 1}): causality`;
  }
  const backwards = leaf.endsWith("_reverse");
  if (numLayers === 1 && k !== t && backwards !== k > t) {
    return `in this direction step k = ${k + 1} comes after t = ${t + 1}: causality`;
  }
  const flow = new Flow(trace, { leaf, entry: index, lossStep: t, sourceStep: k });
  const arrived = usersOf(program, leaf).flatMap(({ block, node }) => {
    return flow.adjoint({ block, node, step: k }) ?? [];
  });
  if (!arrived.length) {
    if (!truncation) return "no path leads there";
    const { kind, size } = truncation;
    return `the truncation (${kind} ${size}) cuts every path from t = ${t + 1} to k = ${k + 1}`;
  }
  const seed = flow.adjoint({ block: blocks.length - 1, node: 0, step: t });
  if (seed?.every((v) => v === 0)) return `the seed of step t = ${t + 1} is zero`;
  return zeroReason(trace, flow) ?? "its paths cancel, or are too small for a computer's numbers";
}

/** The nodes that a parameter enters. */
function usersOf({ blocks }: Program, leaf: string): { block: number; node: number }[] {
  return blocks.flatMap(({ template, leaves }, block) =>
    template.nodes.flatMap(({ args }, node) => {
      const own = args.some((a) => leaves[template.nodes[a].attrs.param ?? ""] === leaf);
      return own ? [{ block, node }] : [];
    }),
  );
}
