/** The factors of zero that close every path from a loss to the uses of a parameter entry. */

import type { Flow } from "../engine/flow";
import type { ForwardPass } from "../engine/forward";
import { type Edge, type Node, PathGraph } from "../engine/graph";
import { Labels } from "../engine/labels";
import { layoutOf } from "../engine/layout";
import { inWords } from "./graph-layers";

/** A local derivative that is exactly zero: entry `out` of its result by entry `arg`. */
interface Zero {
  readonly edge: Edge;
  readonly out: number;
  readonly arg: number;
}

/** Why no path has a value; null where one has, as where paths cancel or numbers are too small. */
export function zeroReason(trace: ForwardPass, flow: Flow): string | null {
  const graph = new PathGraph(trace, flow.wanted);
  const zeros = closing(graph, flow);
  if (!zeros) return null;
  if (!zeros.length) return "no path leads there";
  const words = new Words(trace, flow);
  if (zeros.length === 1) return words.one(zeros[0]);
  const uses = zeros.filter(({ edge }) => edge.final);
  if (uses.length === zeros.length) return words.one(zeros[0]);
  return words.off(zeros) ?? `every path has a factor of zero, such as ${words.factor(zeros[0])}`;
}

/** The first zero on each path up from the entry's uses; null where a path has none. */
function closing(graph: PathGraph, flow: Flow): Zero[] | null {
  const uses: Edge[] = [];
  const users = new Map<number, Edge[]>();
  for (const node of graph.nodes()) {
    if (!flow.adjoint(node)) continue;
    for (const edge of graph.edges(node)) {
      if (edge.final) uses.push(edge);
      else users.set(edge.arg.index, [...(users.get(edge.arg.index) ?? []), edge]);
    }
  }
  const found: Zero[] = [];
  const seen = new Set<string>();
  const closed = (node: Node, entry: number): boolean => {
    if (node.index === graph.top.index) return false;
    const key = `${node.index} ${entry}`;
    if (seen.has(key)) return true;
    seen.add(key);
    return (users.get(node.index) ?? []).every((edge) =>
      results(edge, entry).every((out) => stops(edge, out, entry)),
    );
  };
  const stops = (edge: Edge, out: number, arg: number): boolean => {
    if (edge.at(out, arg) !== 0) return closed(edge.node, out);
    found.push({ edge, out, arg });
    return true;
  };
  const all = uses.every((edge) => stops(edge, edge.outOf(graph.index), graph.index));
  return all ? found : null;
}

/** The entries of a result that an entry of the argument enters. */
function results(edge: Edge, entry: number): number[] {
  if (edge.kind === "matrix") return Array.from({ length: edge.node.size }, (_, i) => i);
  if (edge.kind === "row") return [0];
  const [, from, length] = edge.aligned();
  return entry >= from && entry < from + length ? [edge.outOf(entry)] : [];
}

const MOST_NAMED = 3;

class Words {
  private readonly labels: Labels;

  constructor(
    private readonly trace: ForwardPass,
    private readonly flow: Flow,
  ) {
    this.labels = new Labels(trace.program);
  }

  factor({ edge, out, arg }: Zero): string {
    const label = this.labels.factor(edge.node, edge.position, edge.kind, out, arg);
    return inWords(this.trace.program, label ?? "0"); // only a constant of the cell has no label
  }

  one(zero: Zero): string {
    const { edge, out } = zero;
    const factor = this.factor(zero);
    if (edge.final) {
      const { leaf, entry } = this.flow.wanted;
      return `${leaf}[${entry}] multiplies ${factor} = 0 at step k = ${edge.node.step + 1}`;
    }
    switch (this.op(edge)) {
      case "relu":
        return this.off([zero]) ?? `${factor} = 0`;
      case "tanh":
      case "sigmoid": {
        const y = this.value(edge.node, out);
        const size = y === 0 ? "exactly 0" : `${y < 0 ? "−1" : "1"} to the last digit`;
        return `${this.name(edge.node, out)} is ${size}, so ${factor} = 0`;
      }
    }
    return `every path has the factor ${factor}${factor === "0" ? "" : " = 0"}`;
  }

  /** Of relu alone: its sums that are not positive. */
  off(zeros: readonly Zero[]): string | null {
    if (!zeros.every(({ edge }) => this.op(edge) === "relu")) return null;
    const names = zeros.map(({ edge, arg }) => this.name(edge.arg, arg));
    if (zeros.some(({ edge, arg }) => this.value(edge.arg, arg) === 0)) {
      if (names.length > 1) return null;
      return `the pre-activation ${names[0]} is 0, where relu′ is taken as 0`;
    }
    if (names.length === 1) return `the pre-activation ${names[0]} is negative, so relu′ = 0 there`;
    if (names.length > MOST_NAMED) {
      return "on every path a pre-activation is negative, so relu′ = 0 there";
    }
    const listed = `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
    return `the pre-activations ${listed} are negative, so relu′ = 0 there`;
  }

  private op({ node }: Edge): string {
    return this.trace.program.blocks[node.block].template.nodes[node.node].op;
  }

  private name(node: Node, entry: number): string {
    return inWords(this.trace.program, this.labels.node(node, entry));
  }

  private value({ block, node, step }: Node, entry: number): number {
    const { offset, stride } = layoutOf(this.trace.program).blocks[block].nodes[node];
    return this.trace.data[offset + step * stride + entry];
  }
}
