/** The scalar graph between a loss step and a source step, walked from the loss downwards. */

import type { ForwardPass } from "./forward";
import type { Key } from "./labels";
import { type Layout, layoutOf } from "./layout";
import { IDENTITY, type Kind, type LocalDerivative, partial } from "./ops";
import { cuts, previousStep } from "./program";

/** One node at one step; `index` tells it from all others. */
export interface Node extends Key {
  readonly index: number;
  readonly size: number;
}

/** The contribution whose paths are wanted. */
export interface Wanted {
  readonly leaf: string;
  readonly entry: readonly number[];
  readonly lossStep: number;
  readonly sourceStep: number;
}

/** A local derivative from a node to one of its arguments at one step. */
export class Edge {
  readonly kind: Kind;
  private readonly offset: number;

  constructor(
    private readonly data: Float64Array,
    readonly node: Node,
    readonly arg: Node,
    readonly position: number,
    private readonly local: LocalDerivative,
    /** Whether it ends in the wanted parameter. */
    readonly final = false,
    /** Of a matrix parameter, the row of the result that the wanted entry belongs to. */
    private readonly row = 0,
  ) {
    this.kind = local.kind;
    this.offset = local.slot.offset + node.step * local.slot.stride;
  }

  /** ∂out[i]/∂arg[j]; for a parameter matrix j is the column. */
  at(i: number, j: number): number {
    switch (this.kind) {
      case "scale":
        return this.local.scale;
      case "diagonal":
      case "row":
      case "outer":
        return this.data[this.offset + j];
      case "matrix":
        return this.data[this.offset + i * this.arg.size + j];
    }
    return 1;
  }

  /** Where the entries that belong together start in the result and in the argument, and how many
   * they are: for every kind but matrix and row. */
  aligned(): [out: number, arg: number, length: number] {
    const { start } = this.local;
    if (this.kind === "slice") return [0, start, this.node.size];
    if (this.kind === "place") return [start, 0, this.arg.size];
    return [0, 0, this.node.size];
  }

  /** The entry of the result that an entry of the argument belongs to. */
  outOf(arg: number): number {
    if (this.kind === "row") return 0;
    if (this.kind === "outer") return this.row;
    const [out, from] = this.aligned();
    return arg - from + out;
  }
}

export class PathGraph {
  readonly weight: number;
  readonly top: Node;
  /** The wanted entry's index on the parameter's last axis. */
  readonly index: number;
  private readonly layout: Layout;
  private readonly most: number; // nodes in the largest block

  constructor(
    readonly trace: ForwardPass,
    readonly wanted: Wanted,
  ) {
    const { program } = trace;
    this.weight = program.lossWeight;
    this.index = wanted.entry[wanted.entry.length - 1];
    this.layout = layoutOf(program);
    this.most = Math.max(...program.blocks.map(({ widths }) => widths.length));
    const last = program.blocks.length - 1;
    this.top = this.node(last, program.blocks[last].template.outputs[0], wanted.lossStep);
  }

  /** What tells a node at a step from all others. */
  indexOf({ block, node, step }: Key): number {
    return (block * this.most + node) * this.trace.program.seqLen + step;
  }

  private node(block: number, node: number, step: number): Node {
    const index = this.indexOf({ block, node, step });
    return { block, node, step, index, size: this.layout.blocks[block].nodes[node].size };
  }

  /** All nodes in reverse topological order. */
  *nodes(): Generator<Node> {
    const { blocks, seqLen, bidirectional } = this.trace.program;
    const earliest = bidirectional ? 0 : this.wanted.sourceStep;
    for (let b = blocks.length - 1; b >= 0; b--) {
      for (let n = seqLen - 1; n >= 0; n--) {
        const k = blocks[b].reverse ? seqLen - 1 - n : n;
        if (k < earliest) continue;
        for (let i = blocks[b].widths.length - 1; i >= 0; i--) yield this.node(b, i, k);
      }
    }
  }

  /** The edges from a node to its arguments, without parameter entries that are not wanted. */
  edges(node: Node): Edge[] {
    const { block: b, node: i, step: k } = node;
    const { data } = this.trace;
    const { partials, block } = this.layout.blocks[b];
    const { args, op } = block.template.nodes[i];
    if (op === "input") return this.edgesBelow(node);
    const edges: Edge[] = [];
    args.forEach((a, position) => {
      const local = partials[i][position];
      const arg = this.node(b, a, k);
      if (block.template.nodes[a].op !== "param") {
        edges.push(new Edge(data, node, arg, position, local));
        return;
      }
      if (!this.isWanted(node, arg)) return;
      const row = this.wanted.entry[0] - block.starts[i];
      if (local.kind === "outer" && (row < 0 || row >= node.size)) return;
      edges.push(new Edge(data, node, arg, position, local, true, row));
    });
    return edges;
  }

  private isWanted(node: Node, arg: Node): boolean {
    const { block } = this.layout.blocks[node.block];
    const param = block.template.nodes[arg.node].attrs.param as string;
    return block.leaves[param] === this.wanted.leaf && node.step === this.wanted.sourceStep;
  }

  private edgesBelow(node: Node): Edge[] {
    const { program, data } = this.trace;
    const { truncation, seqLen } = program;
    const block = program.blocks[node.block];
    const slot = block.template.nodes[node.node].attrs.slot as string;
    const state = block.template.states.indexOf(slot);
    if (state >= 0) {
      const before = previousStep(block, node.step);
      const initial = before === -1 || before === seqLen;
      const { lossStep } = this.wanted;
      if (initial || (truncation && cuts(truncation, node.step, before, lossStep, initial)))
        return [];
      const arg = this.node(node.block, block.template.outputs[state], before);
      return [new Edge(data, node, arg, 0, IDENTITY)];
    }
    const edges: Edge[] = [];
    let start = 0;
    for (const source of block.sources[slot]) {
      if (typeof source !== "number") continue;
      const arg = this.node(source, program.blocks[source].template.outputs[0], node.step);
      edges.push(new Edge(data, node, arg, 0, partial("place", undefined, 1, start)));
      start += arg.size;
    }
    return edges;
  }
}
