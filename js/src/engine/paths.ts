/**
 * Chain-rule terms: the scalar paths inside one contribution C[t, k], ranked by size.
 *
 * A path runs from the loss of step t down to one use, at step k, of one parameter entry; its value
 * is the product of the local derivatives along it. The paths are far too many to list, but the n
 * largest are not: going down from the loss, the n largest path prefixes that reach an entry can
 * only be extended, so n per entry suffice.
 */

import type { ForwardPass } from "./forward";
import { type Edge, PathGraph } from "./graph";
import { Labels } from "./labels";

export const MAX_TERMS = 1_000_000;

/** One chain-rule term. */
export interface Term {
  /** The product of the factors. */
  readonly value: number;
  /** Local derivatives with their labels, from the loss downwards, without the ones that are one
   * by construction. */
  readonly factors: readonly (readonly [label: string, value: number])[];
  /** The quantities it passes, from the loss down to the parameter entry. */
  readonly path: readonly string[];
}

/** The largest terms of one contribution, by descending absolute value; ties in a fixed order. */
export interface Terms {
  readonly terms: readonly Term[];
  /** The contribution itself. */
  readonly total: number;
  /** What the listed terms leave of it. */
  readonly remainder: number;
  /** How many terms there are in all. */
  readonly count: bigint;
  /** The sum of their absolute values. */
  readonly gross: number;
}

/**
 * Rank the terms of C[lossStep, sourceStep] of one parameter entry; `total` is that number from
 * the sweep. At most a million terms are listed.
 */
export function terms(
  trace: ForwardPass,
  leaf: string,
  entry: readonly number[],
  lossStep: number,
  sourceStep: number,
  top: number,
  total: number,
): Terms {
  const { program } = trace;
  const none = { terms: [], total, remainder: total, count: 0n, gross: 0 };
  if (!program.lossSteps.includes(lossStep)) return none;
  const graph = new PathGraph(trace, { leaf, entry, lossStep, sourceStep });
  const { count, gross } = countPaths(graph);
  const listed = count < BigInt(top) ? Number(count) : top;
  if (listed > MAX_TERMS) {
    throw new Error(
      `this contribution has ${count} terms; at most ${MAX_TERMS} can be listed, ` +
        "so ask for fewer",
    );
  }
  const ranked = listed ? rank(graph, listed) : [];
  const remainder = total - ranked.reduce((sum, { value }) => sum + value, 0);
  return { terms: ranked, total, remainder, count, gross };
}

/** How many paths there are, and the sum of their absolute values. */
function countPaths(graph: PathGraph): { count: bigint; gross: number } {
  const counts: (bigint[] | undefined)[] = [];
  const sizes: (Float64Array | undefined)[] = [];
  counts[graph.top.index] = [1n];
  sizes[graph.top.index] = Float64Array.of(graph.weight);
  let count = 0n;
  let gross = 0;
  for (const node of graph.nodes()) {
    const n = counts[node.index];
    const g = sizes[node.index];
    if (!n || !g) continue;
    for (const edge of graph.edges(node)) {
      const arg = edge.arg.index;
      if (edge.kind === "outer") {
        const row = edge.outOf(graph.index);
        count += n[row];
        gross += g[row] * Math.abs(edge.at(row, graph.index));
        continue;
      }
      counts[arg] ??= new Array<bigint>(edge.arg.size).fill(0n);
      sizes[arg] ??= new Float64Array(edge.arg.size);
      pullCounts(edge, n, g, counts[arg], sizes[arg]);
      if (!edge.final) continue;
      count += counts[arg][graph.index];
      gross += sizes[arg][graph.index];
      counts[arg] = undefined;
      sizes[arg] = undefined;
    }
    counts[node.index] = undefined;
    sizes[node.index] = undefined;
  }
  return { count, gross };
}

function pullCounts(
  edge: Edge,
  n: readonly bigint[],
  g: Float64Array,
  counts: bigint[],
  sizes: Float64Array,
): void {
  if (edge.kind === "matrix" || edge.kind === "row") {
    const all = n.reduce((sum, one) => sum + one, 0n);
    for (let j = 0; j < counts.length; j++) {
      counts[j] += all;
      for (let i = 0; i < n.length; i++) sizes[j] += Math.abs(edge.at(i, j)) * g[i];
    }
    return;
  }
  const [out, arg, length] = edge.aligned();
  for (let i = 0; i < length; i++) {
    counts[arg + i] += n[out + i];
    sizes[arg + i] += Math.abs(edge.at(out + i, arg + i)) * g[out + i];
  }
}

/** Path prefixes: for each entry of a vector `width` values, NaN where there is none. */
interface Prefixes {
  readonly width: number;
  readonly values: Float64Array;
}

/** Path prefixes that one edge brings; `width` of them for each entry it comes from. */
interface Arrivals extends Prefixes {
  readonly edge: Edge;
  readonly ranks: number;
}

/** The prefixes kept at a node, with their columns in the arrivals laid side by side. */
interface Kept extends Prefixes {
  readonly columns: Int32Array;
}

/** The dynamic programme: keep the `top` largest prefixes per entry, then trace them back. */
function rank(graph: PathGraph, top: number): Term[] {
  const arrivals: (Arrivals[] | undefined)[] = [];
  const kept: Kept[] = [];
  const found: Arrivals[] = [];
  for (const node of graph.nodes()) {
    const here = arrivals[node.index];
    if (node.index === graph.top.index) {
      kept[node.index] = {
        width: 1,
        values: Float64Array.of(graph.weight),
        columns: new Int32Array(1),
      };
    } else if (here) kept[node.index] = largest(here, node.size, top);
    else continue;
    const prefixes = kept[node.index];
    for (const edge of graph.edges(node)) {
      const ranks = prefixes.width;
      if (edge.final) found.push({ ...atEntry(edge, prefixes, graph.index), edge, ranks });
      else {
        const there = arrivals[edge.arg.index] ?? [];
        there.push({ ...pull(edge, prefixes), edge, ranks });
        arrivals[edge.arg.index] = there;
      }
    }
  }
  const labels = new Labels(graph.trace.program);
  const { values, columns } = largest(found, 1, top);
  const result: Term[] = [];
  values.forEach((value, rank) => {
    if (Number.isNaN(value)) return;
    const hops = traceBack(graph, found, arrivals, kept, columns[rank]);
    result.push(makeTerm(graph, labels, value, hops));
  });
  return result;
}

/** What an edge into the wanted parameter brings to the wanted entry. */
function atEntry(edge: Edge, prefixes: Prefixes, index: number): Prefixes {
  if (edge.kind !== "outer") {
    const { width, values } = pull(edge, prefixes);
    return { width, values: values.subarray(index * width, (index + 1) * width) };
  }
  const { width, values } = prefixes;
  const row = edge.outOf(index);
  const factor = edge.at(row, index);
  return { width, values: values.slice(row * width, (row + 1) * width).map((v) => v * factor) };
}

/** Extend prefixes along an edge; a matrix brings each entry those of all entries it comes from. */
function pull(edge: Edge, { width, values }: Prefixes): Prefixes {
  const n = edge.arg.size;
  if (edge.kind === "matrix" || edge.kind === "row") {
    const m = values.length / width;
    const pulled = new Float64Array(n * m * width);
    let q = 0;
    for (let j = 0; j < n; j++) {
      for (let i = 0; i < m; i++) {
        const factor = edge.at(i, j);
        for (let c = 0; c < width; c++) pulled[q++] = factor * values[i * width + c];
      }
    }
    return { width: m * width, values: pulled };
  }
  const [out, arg, length] = edge.aligned();
  const pulled = new Float64Array(n * width);
  if (length < n) pulled.fill(Number.NaN);
  for (let i = 0; i < length; i++) {
    const factor = edge.at(out + i, arg + i);
    const p = (out + i) * width;
    const q = (arg + i) * width;
    for (let c = 0; c < width; c++) pulled[q + c] = values[p + c] * factor;
  }
  return { width, values: pulled };
}

/** For each of `rows` entries the `top` largest absolute values; ties by column. */
function largest(arrivals: readonly Arrivals[], rows: number, top: number): Kept {
  const all = arrivals.reduce((sum, { width }) => sum + width, 0);
  const width = Math.min(all, top);
  const values = new Float64Array(rows * width);
  const columns = new Int32Array(rows * width);
  const joined = new Float64Array(all);
  for (let row = 0; row < rows; row++) {
    let start = 0;
    for (const { width: w, values: v } of arrivals) {
      for (let c = 0; c < w; c++) joined[start + c] = v[row * w + c];
      start += w;
    }
    selectLargest(joined, width, columns.subarray(row * width, (row + 1) * width));
    for (let c = 0; c < width; c++) values[row * width + c] = joined[columns[row * width + c]];
  }
  return { width, values, columns };
}

const FEW = 64; // up to here insertion is quicker than sorting

/** Fill `chosen` with the columns of the largest absolute values, descending; NaN comes last. */
function selectLargest(values: Float64Array, count: number, chosen: Int32Array): void {
  const size = (column: number) => {
    const value = Math.abs(values[column]);
    return Number.isNaN(value) ? -1 : value;
  };
  if (count > FEW) {
    const order = Int32Array.from(values, (_, column) => column);
    order.sort((a, b) => size(b) - size(a) || a - b);
    chosen.set(order.subarray(0, count));
    return;
  }
  let filled = 0;
  for (let column = 0; column < values.length; column++) {
    const here = size(column);
    if (filled === count && here <= size(chosen[count - 1])) continue;
    let place = filled < count ? filled++ : count - 1;
    for (; place > 0 && size(chosen[place - 1]) < here; place--) chosen[place] = chosen[place - 1];
    chosen[place] = column;
  }
}

/** An edge from entry `out` of its result to entry `arg` of its argument. */
interface Hop {
  readonly edge: Edge;
  readonly out: number;
  readonly arg: number;
}

/** Walk one path from the parameter entry back up to the loss; gives it from the loss downwards. */
function traceBack(
  graph: PathGraph,
  found: readonly Arrivals[],
  arrivals: readonly (readonly Arrivals[] | undefined)[],
  kept: readonly Kept[],
  last: number,
): Hop[] {
  const hops: Hop[] = [];
  let groups = found;
  let column = last;
  let arg = graph.index;
  for (;;) {
    let g = 0;
    while (column >= groups[g].width) column -= groups[g++].width;
    const { edge, ranks } = groups[g];
    let out = edge.outOf(arg);
    if (edge.kind === "matrix") {
      out = Math.floor(column / ranks);
      column %= ranks;
    }
    hops.push({ edge, out, arg });
    const above = edge.node;
    if (above.index === graph.top.index) return hops.reverse();
    const { width, columns } = kept[above.index];
    column = columns[out * width + column];
    groups = arrivals[above.index] ?? [];
    arg = out;
  }
}

function makeTerm(graph: PathGraph, labels: Labels, value: number, hops: readonly Hop[]): Term {
  const { leaf, entry, sourceStep } = graph.wanted;
  const factors: [string, number][] = graph.weight === 1 ? [] : [labels.weight()];
  const path = [labels.node(graph.top, 0)];
  for (const { edge, out, arg } of hops) {
    const label = labels.factor(edge.node, edge.position, edge.kind, out, arg);
    if (label !== null) factors.push([label, edge.at(out, arg)]);
    const name = labels.name(edge.arg, arg);
    if (name !== null) path.push(name);
  }
  path.push(`${leaf}[${entry.join(",")}] @ ${sourceStep + 1}`);
  return { value, factors, path };
}
