/** What the panel knows of a leaf without its numbers: order, blocks of gates, names in words. */

import { subscript } from "../engine/labels";
import type { Block, Program } from "../engine/program";

export type Kind = "parameter" | "input" | "state" | "seed" | "target" | "classes" | "made";

/** Rows of a leaf that belong together: a gate's, or all of them. */
export interface Part {
  /** What the cell's equations call the gate, "" where a leaf has one part. */
  readonly gate: string;
  readonly words: string;
  readonly start: number;
  readonly rows: number;
}

export interface Leaf {
  readonly program: Program;
  readonly name: string;
  readonly kind: Kind;
  readonly shape: readonly number[];
  /** A vector stands as a column, an initial state as a row. */
  readonly rows: number;
  readonly columns: number;
  readonly parts: readonly Part[];
}

/** All leaves, in the order in which they are shown. Without free seeds, those that the loss makes
 * stand under the name "v". */
export function leavesOf(program: Program): Leaf[] {
  const { parameters, leaves, loss, seqLen, outputSize } = program;
  const rest = Object.keys(leaves).filter((name) => !(name in parameters));
  const ranked = rest.sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
  const found = [...byLayer(Object.keys(parameters)), ...ranked].map((name) =>
    leafOf(program, name, leaves[name], kindOf(program, name)),
  );
  if (loss !== "seed") found.push(leafOf(program, "v", [seqLen, outputSize], "made"));
  return found;
}

/** Steps beside steps, then the initial states. */
const ORDER = ["x", "v", "target", "h0", "c0"];

/** Layer by layer, the recurrent weights first. */
function byLayer(names: readonly string[]): string[] {
  const layers = [...new Set(names.map(layerOf))].map((layer) =>
    names.filter((name) => layerOf(name) === layer),
  );
  return layers.flatMap((layer) => [
    ...layer.filter((name) => name.startsWith("weight_hh")),
    ...layer.filter((name) => !name.startsWith("weight_hh")),
  ]);
}

const layerOf = (name: string) => /_l\d+(_reverse)?$/.exec(name)?.[0] ?? "";

function kindOf({ parameters, loss }: Program, name: string): Kind {
  if (name in parameters) return "parameter";
  if (name === "x") return "input";
  if (name === "v") return "seed";
  if (name === "target") return loss === "cross_entropy" ? "classes" : "target";
  return "state";
}

function leafOf(program: Program, name: string, shape: readonly number[], kind: Kind): Leaf {
  const row = kind === "state" && shape.length === 1;
  const [rows, columns = 1] = row ? [1, ...shape] : shape;
  const parts = kind === "parameter" ? gatesOf(program, name) : [];
  if (!parts.length) parts.push({ gate: "", words: "", start: 0, rows });
  return { program, name, kind, shape, rows, columns, parts };
}

const WORDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  lstm: { i: "input gate", f: "forget gate", g: "cell candidate", o: "output gate" },
  gru: { r: "reset gate", z: "update gate", n: "candidate" },
};

/** The stacked blocks of H rows in a parameter, each named after what its rows lead to first. */
function gatesOf(program: Program, name: string): Part[] {
  const block = program.blocks.find(({ leaves }) => Object.values(leaves).includes(name));
  const param = Object.entries(block?.leaves ?? {}).find(([, leaf]) => leaf === name)?.[0];
  const size = param && block?.template.params[param]?.[0];
  if (!block || !size || size[0] < 2 || size[1] || size[2] || size[3]) return [];
  const H = program.hiddenSize;
  const cell = block.template.name.split("_")[0];
  return Array.from({ length: size[0] }, (_, g) => {
    const gate = gateOf(block, param, g * H, H) ?? `${g}`;
    return { gate, words: WORDS[cell]?.[gate] ?? "", start: g * H, rows: H };
  });
}

/** The first named quantity that some rows of a parameter enter alone. */
function gateOf(block: Block, param: string, start: number, rows: number): string | null {
  const { nodes } = block.template;
  const alone = new Set<number>(); // nodes that depend on these rows and on no other of the leaf
  const stacked = new Set<number>(); // on all rows, one beside the other
  for (const [i, { op, args, attrs, name }] of nodes.entries()) {
    const part = attrs.stop !== undefined;
    const same = part && block.starts[i] === start && block.widths[i] === rows;
    if (attrs.param === param) stacked.add(i);
    else if (args.some((a) => stacked.has(a))) {
      if (same && (op === "slice" || op === "matvec")) alone.add(i);
      else if (!part && block.widths[i] > rows) stacked.add(i);
    } else if (args.some((a) => alone.has(a))) {
      if (name) return name;
      alone.add(i);
    }
    if (alone.has(i) && name) return name;
  }
  return null;
}

/** `weight_hh_l0[0,1]`, for the entry at a row-major position. */
export function entryName({ name, shape }: Leaf, at: number): string {
  return `${name}[${shape.length === 1 ? at : `${Math.floor(at / shape[1])},${at % shape[1]}`}]`;
}

/** The position of an entry given by its name; null if it is of another leaf. */
export function positionOf(leaf: Leaf, entry: string): number | null {
  if (!entry.startsWith(`${leaf.name}[`)) return null;
  const index = entry
    .slice(leaf.name.length + 1, -1)
    .split(",")
    .map(Number);
  if (index.length !== leaf.shape.length) return null;
  const at = index.length === 1 ? index[0] : index[0] * leaf.columns + index[1];
  return at >= 0 && at < countOf(leaf) ? at : null;
}

/** Whether the rows are steps in time. */
export function isTimed({ kind }: Leaf): boolean {
  return kind !== "parameter" && kind !== "state";
}

/** What stands beside a row, and what it means. */
export function rowLabel(leaf: Leaf, row: number): { text: string; title: string } {
  const { program } = leaf;
  if (isTimed(leaf)) {
    const title = `t = ${row + 1} (step ${row} in code)${isIdle(leaf, row) ? ": no loss is taken here" : ""}`;
    return { text: `t=${row + 1}`, title };
  }
  if (leaf.kind === "state") {
    if (leaf.shape.length === 1) return { text: "", title: "" };
    const layer = program.bidirectional ? Math.floor(row / 2) : row;
    const direction = program.bidirectional && row % 2 ? "←" : "";
    const words = direction ? ", from the last step to the first" : "";
    return { text: `l${layer}${direction}`, title: `layer ${layer}${words}` };
  }
  return { text: String(row), title: `row ${row}` };
}

const OF_LOSS: readonly Kind[] = ["seed", "made", "target", "classes"];

/** Whether a row is of a step that the loss leaves out. */
export function isIdle(leaf: Leaf, row: number): boolean {
  return OF_LOSS.includes(leaf.kind) && !leaf.program.lossSteps.includes(row);
}

/** What an entry is, in words; "" for what only its author knows. */
export function meaning(leaf: Leaf, at: number): string {
  const row = Math.floor(at / leaf.columns);
  const column = at % leaf.columns;
  const time = `at t = ${row + 1} (step ${row} in code)`;
  switch (leaf.kind) {
    case "input":
      return `input ${column} ${time}`;
    case "seed":
      return `seed on output ${column} ${time}`;
    case "made":
      return `seed that the loss puts on output ${column} ${time}`;
    case "target":
      return `target of output ${column} ${time}`;
    case "classes":
      return `true class ${time}`;
    case "state": {
      return `unit ${column} of the initial state ${leaf.name[0]}${subscript(0)}`;
    }
  }
  const part = leaf.parts.find(({ start, rows }) => row >= start && row < start + rows) as Part;
  const unit = part.gate
    ? `unit ${row - part.start} of ${part.words || "the gate"} ${part.gate}`
    : `unit ${row}`;
  if (leaf.name.startsWith("weight_hh"))
    return `weight from unit ${column} one step before to ${unit}`;
  if (leaf.name.startsWith("weight_ih_l0")) return `weight from input ${column} to ${unit}`;
  if (leaf.name.startsWith("weight_ih"))
    return `weight from output ${column} of the layer below to ${unit}`;
  if (leaf.name.startsWith("bias")) return `bias of ${unit}`;
  if (leaf.name === "readout.weight") return `weight from unit ${column} to output ${row}`;
  if (leaf.name === "readout.bias") return `bias of output ${row}`;
  return "";
}

export const countOf = ({ rows, columns }: Leaf) => rows * columns;

const MOST_OPEN = 100;
const SECONDARY = 64;

/** The leaves that are open before anyone has said: all of a tiny network, else what is moved most. */
export function openAtFirst(leaves: readonly Leaf[]): Set<string> {
  const all = leaves.reduce((sum, leaf) => sum + countOf(leaf), 0);
  const open = leaves.filter(
    (leaf, i) => i === 0 || all <= MOST_OPEN || (isTimed(leaf) && countOf(leaf) <= SECONDARY),
  );
  return new Set(open.map(({ name }) => name));
}
