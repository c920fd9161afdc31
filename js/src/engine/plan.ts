/** Where the adjoints of a program lie, and along which edges they travel. */

import { type BlockLayout, layoutOf, outputSlot } from "./layout";
import { type Edge, IDENTITY, partial, type Rows, type Slot } from "./ops";
import { type Block, cuts, type Program, previousStep } from "./program";
import { slotIndex } from "./template";

/**
 * How one node's adjoint becomes contributions to a parameter: `adjoint ⊗ x` for a matrix, the
 * adjoint itself for a vector (`x` null). `start` is the first row that is used.
 */
export interface Use {
  readonly leaf: string;
  readonly start: number;
  readonly adjoint: Rows;
  readonly x: Slot | null;
}

/** One block's adjoints: T·L rows each, L loss steps for every step. */
export interface BlockPlan {
  readonly layout: BlockLayout;
  /** Null where nothing arrives. */
  readonly nodes: readonly (Rows | null)[];
  /** What the blocks above hand to the output. */
  readonly reaching: Rows;
  readonly arrival: Edge;
  /** Inside a step, then down to the blocks below, in the order of travel. */
  readonly edges: readonly Edge[];
  readonly outputs: readonly Rows[];
  /** The previous state that a step reads. */
  readonly states: readonly (Rows | null)[];
  /** Adjoints of the initial states, L rows. */
  readonly initial: readonly Rows[];
  readonly uses: readonly Use[];
  /** Per step, the range of loss rows that can carry anything. */
  readonly first: Int32Array;
  readonly last: Int32Array;
  /** (T, L): whether a loss step still reaches the state that each step reads; null for all. */
  readonly kept: Uint8Array | null;
}

export interface SweepPlan {
  readonly size: number;
  readonly blocks: readonly BlockPlan[];
  /** Of x, and of v or target. */
  readonly leaves: Readonly<Record<string, Rows>>;
}

const plans = new WeakMap<Program, SweepPlan>();

export function planOf(program: Program): SweepPlan {
  let plan = plans.get(program);
  if (!plan) {
    plan = makePlan(program);
    plans.set(program, plan);
  }
  return plan;
}

function makePlan(program: Program): SweepPlan {
  const { seqLen, lossSteps } = program;
  const layout = layoutOf(program);
  let size = 0;
  const reserve = (width: number, rows = seqLen * lossSteps.length): Rows => {
    const place = { offset: size, size: width };
    size += width * rows;
    return place;
  };
  const reaching = layout.blocks.map((block) => reserve(outputSlot(block).size));
  const ranges = layout.blocks.map(() => emptyRange(program));
  const top = ranges[ranges.length - 1];
  lossSteps.forEach((t, r) => {
    top.first[t] = r;
    top.last[t] = r + 1;
  });
  const leaves: Record<string, Rows> = {};
  const blocks: BlockPlan[] = [];
  for (let b = layout.blocks.length - 1; b >= 0; b--) {
    const block = layout.blocks[b];
    const { template, sources } = block.block;
    const kept = keptRows(program, block.block);
    if (template.states.length) spreadInTime(ranges[b], program, block.block, kept);
    const { nodes, edges } = planEdges(block, template.outputs, reserve, true);
    for (const slot in sources) {
      const i = slotIndex(template, slot);
      const from = nodes[i];
      if (!from) continue;
      let start = 0;
      for (const source of sources[slot]) {
        if (typeof source === "number") widen(ranges[source], ranges[b]);
        else leaves[source] ??= reserve(from.size);
        const to = typeof source === "number" ? reaching[source] : leaves[source];
        edges.push({ node: i, from, to, partial: partial("place", undefined, 1, start) });
        start += to.size;
      }
    }
    const outputs = template.outputs.map((i) => nodes[i] as Rows);
    blocks[b] = {
      layout: block,
      nodes,
      reaching: reaching[b],
      arrival: { node: -1, from: reaching[b], to: outputs[0], partial: IDENTITY },
      edges,
      outputs,
      states: template.states.map((state) => nodes[slotIndex(template, state)] ?? null),
      initial: template.states.map(() => reserve(program.hiddenSize, lossSteps.length)),
      uses: findUses(block, nodes),
      ...ranges[b],
      kept,
    };
  }
  return { size, blocks, leaves };
}

interface Range {
  readonly first: Int32Array;
  readonly last: Int32Array;
}

function emptyRange({ seqLen, lossSteps }: Program): Range {
  return {
    first: new Int32Array(seqLen).fill(lossSteps.length),
    last: new Int32Array(seqLen),
  };
}

function widen(range: Range, by: Range): void {
  range.first.forEach((r, k) => {
    range.first[k] = Math.min(r, by.first[k]);
    range.last[k] = Math.max(range.last[k], by.last[k]);
  });
}

/** What reaches a step reaches those before it, unless it is cut. */
function spreadInTime(
  { first, last }: Range,
  { seqLen, lossSteps }: Program,
  block: Block,
  kept: Uint8Array | null,
): void {
  for (let n = seqLen - 1; n > 0; n--) {
    const k = block.reverse ? seqLen - 1 - n : n;
    const before = previousStep(block, k);
    for (let r = first[k]; r < last[k]; r++) {
      if (kept && !kept[k * lossSteps.length + r]) continue;
      first[before] = Math.min(first[before], r);
      last[before] = Math.max(last[before], r + 1);
    }
  }
}

function keptRows({ truncation, seqLen, lossSteps }: Program, block: Block): Uint8Array | null {
  if (!truncation || !block.template.states.length) return null;
  const kept = new Uint8Array(seqLen * lossSteps.length);
  for (let k = 0; k < seqLen; k++) {
    const before = previousStep(block, k);
    const initial = before === -1 || before === seqLen;
    lossSteps.forEach((t, r) => {
      kept[k * lossSteps.length + r] = cuts(truncation, k, before, t, initial) ? 0 : 1;
    });
  }
  return kept;
}

/** Where the parameters take part, by the places of the adjoints. */
export function findUses(
  { block, nodes: values }: BlockLayout,
  nodes: readonly (Rows | null)[],
): Use[] {
  const uses: Use[] = [];
  block.template.nodes.forEach(({ op, args, attrs }, i) => {
    const adjoint = nodes[i];
    if (!adjoint) return;
    if (attrs.param) uses.push({ leaf: block.leaves[attrs.param], start: 0, adjoint, x: null });
    if (op !== "matvec") return;
    const leaf = block.leaves[block.template.nodes[args[0]].attrs.param as string];
    uses.push({ leaf, start: block.starts[i], adjoint, x: values[args[1]] });
  });
  return uses;
}

/**
 * The edges from some nodes down through one step of a block, in the order of travel, and places
 * for the adjoints. With `share`, an argument whose adjoint can only equal its result's takes the
 * same place. Only nodes from `lowest` on are visited.
 */
export function planEdges(
  { block, nodes: values, partials }: BlockLayout,
  from: readonly number[],
  reserve: (width: number) => Rows,
  share: boolean,
  lowest = 0,
): { nodes: (Rows | null)[]; edges: Edge[] } {
  const template = block.template.nodes;
  const visits = (i: number, position: number) =>
    template[i].args[position] >= lowest && partials[i][position].kind !== "outer";

  const arrivals: number[] = template.map((_, i) => (from.includes(i) ? 2 : 0)); // 2: not shared
  for (let i = template.length - 1; i >= 0; i--) {
    template[i].args.forEach((a, position) => {
      if (arrivals[i] && visits(i, position)) arrivals[a]++;
    });
  }
  const nodes: (Rows | null)[] = template.map(() => null);
  const edges: Edge[] = [];
  for (let i = template.length - 1; i >= 0; i--) {
    if (!arrivals[i]) continue;
    const here = nodes[i] ?? reserve(values[i].size);
    nodes[i] = here;
    template[i].args.forEach((a, position) => {
      if (!visits(i, position)) return;
      const local = partials[i][position];
      if (share && local.kind === "identity" && arrivals[a] === 1) {
        nodes[a] = here;
        return;
      }
      const to = nodes[a] ?? reserve(values[a].size);
      nodes[a] = to;
      edges.push({ node: i, from: here, to, partial: local });
    });
  }
  return { nodes, edges };
}
