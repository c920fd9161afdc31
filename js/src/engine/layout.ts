/** Where the numbers of a program's forward pass lie: all of them in one Float64Array. */

import { type Call, type LocalDerivative, OPS, type Slot } from "./ops";
import { type Block, elementCount, type Program } from "./program";

export interface BlockLayout {
  readonly block: Block;
  /** Each node's value; a parameter's is its leaf. */
  readonly nodes: readonly Slot[];
  /** Local derivatives of each node by its arguments. */
  readonly partials: readonly (readonly LocalDerivative[])[];
  readonly calls: readonly Call[];
  /** Inputs that several blocks below make together, to be copied before the block runs. */
  readonly joins: readonly Join[];
  /** Each state with one row more than there are steps: the initial one is first, or, in a
   * reverse direction, last. */
  readonly states: readonly Slot[];
  /** Where the initial states stand in their leaves. */
  readonly initial: readonly Slot[];
}

export interface Join {
  readonly slot: Slot;
  readonly sources: readonly Slot[];
}

export interface Layout {
  readonly size: number;
  readonly leaves: Readonly<Record<string, Slot>>;
  /** Cross-entropy's classes as one-hot rows. */
  readonly oneHot: Slot | null;
  readonly blocks: readonly BlockLayout[];
}

const layouts = new WeakMap<Program, Layout>();

export function layoutOf(program: Program): Layout {
  let layout = layouts.get(program);
  if (!layout) {
    layout = makeLayout(program);
    layouts.set(program, layout);
  }
  return layout;
}

type Reserve = (size: number, stride?: number, steps?: number) => Slot;

function makeLayout(program: Program): Layout {
  let size = 0;
  const reserve: Reserve = (width, stride = width, steps = program.seqLen) => {
    const slot = { offset: size, stride, size: width };
    size += stride ? stride * steps : width;
    return slot;
  };
  const leaves: Record<string, Slot> = {};
  for (const [leaf, shape] of Object.entries(program.leaves)) {
    const perStep = leaf === "x" || leaf === "v" || leaf === "target";
    const count = elementCount(shape);
    leaves[leaf] = perStep ? reserve(count / program.seqLen) : reserve(count, 0);
  }
  const oneHot = program.loss === "cross_entropy" ? reserve(program.outputSize) : null;
  const blocks: BlockLayout[] = [];
  for (const block of program.blocks) {
    blocks.push(layoutBlock(program, block, { leaves, oneHot, blocks }, reserve));
  }
  return { size, leaves, oneHot, blocks };
}

function layoutBlock(
  { seqLen, hiddenSize: H }: Program,
  block: Block,
  below: Omit<Layout, "size">,
  reserve: Reserve,
): BlockLayout {
  const { template, leaves, widths, starts } = block;
  const joins: Join[] = [];
  const states = template.states.map(() => reserve(H, H, seqLen + 1));
  const initial = template.states.map((state) => {
    const { offset } = below.leaves[leaves[state]];
    return { offset: offset + block.row * H, stride: 0, size: H };
  });
  const shifted = (slot: Slot, rows: number): Slot => {
    return { ...slot, offset: slot.offset + rows * slot.stride };
  };

  function inputSlot(name: string): Slot {
    const state = template.states.indexOf(name);
    if (state >= 0) return shifted(states[state], block.reverse ? 1 : 0);
    const sources = block.sources[name].map((source) => {
      if (typeof source === "number") return outputSlot(below.blocks[source]);
      return (source === "target" && below.oneHot) || below.leaves[source];
    });
    if (sources.length === 1) return sources[0];
    const slot = reserve(sources.reduce((sum, source) => sum + source.size, 0));
    joins.push({ slot, sources });
    return slot;
  }

  const nodes: Slot[] = [];
  const partials: (readonly LocalDerivative[])[] = [];
  const calls: Call[] = [];
  template.nodes.forEach((node, i) => {
    if (node.op === "input" || node.op === "param") {
      const param = node.attrs.param;
      nodes.push(param ? below.leaves[leaves[param]] : inputSlot(node.attrs.slot as string));
      partials.push([]);
      return;
    }
    const op = OPS.get(node.op);
    if (!op) throw new Error(`unknown operation "${node.op}"`);
    const state = template.states.length ? template.outputs.indexOf(i) : -1;
    const out = state < 0 ? reserve(widths[i]) : shifted(states[state], block.reverse ? 0 : 1);
    const args = node.args.map((a) => nodes[a]);
    if (node.op === "matvec") {
      const [matrix, x] = args;
      args[0] = { ...matrix, offset: matrix.offset + starts[i] * x.size };
    }
    const call = {
      op,
      out,
      args,
      own: (op.derives ?? []).map((position) => reserve(args[position].size)),
      scale: node.attrs.scale ?? 0,
      shift: node.attrs.shift ?? 0,
      start: starts[i],
    };
    nodes.push(out);
    calls.push(call);
    partials.push(op.partials(call));
  });
  return { block, nodes, partials, calls, joins, states, initial };
}

export function outputSlot({ block, nodes }: BlockLayout): Slot {
  return nodes[block.template.outputs[0]];
}
