/**
 * How one contribution C[t, k] flows through the network: what share of it passes each quantity.
 *
 * The share of an entry is its adjoint (of loss step t alone) times its tangent (by step k's copy
 * of the parameter entry alone): the sum of all chain-rule terms whose path passes it.
 */

import type { ForwardPass } from "./forward";
import { type Edge, type Node, PathGraph, type Wanted } from "./graph";
import type { StateJacobians } from "./jacobians";
import type { Key } from "./labels";
import { previousStep } from "./program";

type Numbers = Float64Array | undefined;

export class Flow {
  private readonly adjoints: Numbers[] = [];
  private readonly arrivals: Numbers[] = [];
  private readonly tangents: Numbers[] = [];
  private readonly graph: PathGraph;

  constructor(
    private readonly trace: ForwardPass,
    readonly wanted: Wanted,
  ) {
    this.graph = new PathGraph(trace, wanted);
    if (trace.program.lossSteps.includes(wanted.lossStep)) this.follow();
  }

  /** ∂L_t/∂node at one step; null where loss step t does not reach it. */
  adjoint(key: Key): Float64Array | null {
    return this.adjoints[this.graph.indexOf(key)] ?? null;
  }

  /** ∂node/∂θ by step k's copy of the entry alone; null where it does not reach. */
  tangent(key: Key): Float64Array | null {
    return this.tangents[this.graph.indexOf(key)] ?? null;
  }

  /** The share of C[t, k] that passes each entry of a node; null where none can. */
  share(key: Key): Float64Array | null {
    const adjoint = this.adjoint(key);
    const tangent = this.tangent(key);
    return adjoint && tangent && adjoint.map((a, i) => a * tangent[i]);
  }

  /**
   * The part of the share that leaves its step from this state. In a network of one layer and
   * direction the numbers of all states of any step from k to t sum to C[t, k], where `share` would
   * count a path that passes both c and h of one step twice.
   */
  leaving(key: Key): Float64Array | null {
    const arrival = this.arrivals[this.graph.indexOf(key)];
    const tangent = this.tangent(key);
    return arrival && tangent ? arrival.map((a, i) => a * tangent[i]) : null;
  }

  /**
   * What passes from each entry of the state before a step to each entry of the state it makes,
   * (S, S) with S = H, or 2H for (h, c): a_i J[i, j] ∂s_j/∂θ, where a is what arrives at the state
   * from outside the step. Null where nothing can. In a network of one layer and direction the
   * numbers of every step between k and t sum to C[t, k].
   */
  between(block: number, step: number, jacobians: StateJacobians): Float64Array | null {
    const { template } = this.trace.program.blocks[block];
    const before = previousStep(this.trace.program.blocks[block], step);
    const { hiddenSize: H } = this.trace.program;
    if (before < 0 || before >= this.trace.program.seqLen) return null;
    const outputs = template.outputs;
    const above = outputs.map((node) => this.arrivals[this.graph.indexOf({ block, node, step })]);
    const below = outputs.map((node) => this.tangent({ block, node, step: before }));
    if (!above.some(Boolean) || !below.some(Boolean)) return null;
    const S = jacobians.size;
    return jacobians.at(step).map((derivative, at) => {
      const [i, j] = [Math.floor(at / S), at % S];
      const a = above[Math.floor(i / H)]?.[i % H] ?? 0;
      const d = below[Math.floor(j / H)]?.[j % H] ?? 0;
      return a && derivative && d ? a * derivative * d : 0; // 0 · ∞ passes nothing
    });
  }

  private follow(): void {
    const { graph, adjoints, arrivals, tangents } = this;
    const edges: Edge[] = [];
    adjoints[graph.top.index] = Float64Array.of(graph.weight);
    for (const node of graph.nodes()) {
      const from = adjoints[node.index];
      if (!from) continue;
      for (const edge of graph.edges(node)) {
        edges.push(edge);
        if (edge.final) continue;
        pull(edge, from, at(adjoints, edge.arg));
        if (outside(edge)) pull(edge, from, at(arrivals, edge.arg));
      }
    }
    for (const edge of edges.reverse()) {
      const index = edge.arg.index;
      if (edge.kind === "outer") {
        at(tangents, edge.node)[edge.outOf(graph.index)] += edge.at(0, graph.index);
      } else if (edge.final) {
        const entry = new Float64Array(edge.arg.size);
        entry[graph.index] = 1;
        push(edge, entry, at(tangents, edge.node));
      } else if (tangents[index]) {
        push(edge, tangents[index], at(tangents, edge.node));
      }
    }
  }
}

/** Whether an edge comes from another step or another layer. */
const outside = ({ node, arg }: Edge) => node.step !== arg.step || node.block !== arg.block;

function at(all: Numbers[], { index, size }: Node): Float64Array {
  const numbers = all[index] ?? new Float64Array(size);
  all[index] = numbers;
  return numbers;
}

/** Add to the argument's adjoint what the result's brings. */
function pull(edge: Edge, from: Float64Array, to: Float64Array): void {
  if (edge.kind === "matrix" || edge.kind === "row") {
    for (let i = 0; i < from.length; i++) {
      for (let j = 0; j < to.length; j++) to[j] += edge.at(i, j) * from[i];
    }
    return;
  }
  const [out, arg, length] = edge.aligned();
  for (let i = 0; i < length; i++) to[arg + i] += edge.at(out + i, arg + i) * from[out + i];
}

/** Add to the result's tangent what the argument's brings. */
function push(edge: Edge, from: Float64Array, to: Float64Array): void {
  if (edge.kind === "matrix" || edge.kind === "row") {
    for (let i = 0; i < to.length; i++) {
      for (let j = 0; j < from.length; j++) to[i] += edge.at(i, j) * from[j];
    }
    return;
  }
  const [out, arg, length] = edge.aligned();
  for (let i = 0; i < length; i++) to[out + i] += edge.at(out + i, arg + i) * from[arg + i];
}
