/** A program: a cell's template plus counts, stored folded and unfolded into blocks. */

import { type Counts, parseSize, sizeValue } from "./sizes";
import {
  list,
  makeNode,
  record,
  shown,
  type Template,
  type TemplateNode,
  template,
  templateFromJson,
  templateToJson,
} from "./template";

const FORMAT = "rnn_widgets/1";
export const LOSSES = ["seed", "sum", "sse", "mse", "cross_entropy"] as const;
export type Loss = (typeof LOSSES)[number];
const MAX_BYTES = 1_000_000_000;

/** Which state edges the backward pass does not cross: "window" keeps lags below `size`, "chunk"
 * detaches at every multiple of `size` steps. */
export interface Truncation {
  readonly kind: "window" | "chunk";
  readonly size: number;
}

/** A tiny network without its numbers, as it is saved. */
export interface Folded {
  readonly cell: Template;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly seqLen: number;
  readonly numLayers: number;
  readonly bidirectional: boolean;
  /** Outputs of a linear readout, null for the hidden state itself. */
  readonly readout: number | null;
  readonly loss: Loss;
  /** The steps that enter the loss, ascending and 0-based. */
  readonly lossSteps: readonly number[];
  readonly truncation: Truncation | null;
}

/** One layer and direction, the readout or the loss: a template applied at every step. */
export interface Block {
  readonly template: Template;
  /** For each input slot the leaves (string) or earlier blocks (number) that are joined. */
  readonly sources: Readonly<Record<string, readonly (string | number)[]>>;
  /** The leaf of each parameter and each state. */
  readonly leaves: Readonly<Record<string, string>>;
  readonly counts: Counts;
  /** Length of each node's vector; of a matrix, how many numbers it holds. */
  readonly widths: readonly number[];
  /** First element that each slice reads, first row that each matvec reads. */
  readonly starts: readonly number[];
  readonly reverse: boolean;
  readonly row: number;
  /** Marks layer and direction in names, "" where there is only one. */
  readonly label: string;
}

/** A program unfolded; `leaves` gives the shape of every leaf, `parameters` of those learned. */
export interface Program extends Folded {
  readonly outputSize: number;
  /** Layers times directions: the leading axis of h0. */
  readonly rows: number;
  /** What multiplies each chosen step's loss. */
  readonly lossWeight: number;
  readonly blocks: readonly Block[];
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  readonly leaves: Readonly<Record<string, readonly number[]>>;
}

/** Whether a loss step is cut from the state made at `previous` and read at `step`; `initial` tells
 * that it is the initial state: a window may leave it out, a chunk edge never falls on it. */
export function cuts(
  { kind, size }: Truncation,
  step: number,
  previous: number,
  lossStep: number,
  initial: boolean,
): boolean {
  if (kind === "window") return Math.abs(lossStep - previous) >= size;
  return !initial && Math.max(step, previous) % size === 0;
}

/** The step whose state this step reads; −1 or T is the initial state. */
export function previousStep({ reverse }: Block, step: number): number {
  return reverse ? step + 1 : step - 1;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}

export function unfold(folded: Folded): Program {
  const { cell, inputSize: I, hiddenSize: H, seqLen: T, loss, readout } = folded;
  const directions = folded.bidirectional ? 2 : 1;
  const outputSize = readout ?? H * directions;
  const rows = folded.numLayers * directions;
  const against = loss === "seed" ? "v" : loss === "sum" ? null : "target";
  const mean = loss === "mse" || loss === "cross_entropy";
  const blocks = unfoldBlocks(folded, directions, outputSize, against);

  const parameters: Record<string, number[]> = {};
  for (const { template, leaves, counts } of blocks) {
    for (const [name, shape] of Object.entries(template.params)) {
      parameters[leaves[name]] = shape.map((size) => sizeValue(size, counts));
    }
  }
  const leaves: Record<string, number[]> = { ...parameters, x: [T, I] };
  for (const state of cell.states) leaves[`${state}0`] = rows === 1 ? [H] : [rows, H];
  if (against) leaves[against] = loss === "cross_entropy" ? [T] : [T, outputSize];

  const count = Object.values(parameters).reduce((sum, shape) => sum + elementCount(shape), 0);
  const bytes = 8 * T * T * count;
  if (bytes > MAX_BYTES) {
    throw new Error(
      `the contributions of this network would need ${(bytes / 1e9).toFixed(1)} GB ` +
        `(T² × parameters × 8 bytes with T=${T} and ${count} parameters); ` +
        "the limit is 1 GB, for example H=16, T=32 or H=32, T=100",
    );
  }
  const lossWeight = mean ? 1 / folded.lossSteps.length : 1;
  return { ...folded, outputSize, rows, lossWeight, blocks, parameters, leaves };
}

function unfoldBlocks(
  { cell, inputSize, hiddenSize: H, numLayers, readout, loss }: Folded,
  directions: number,
  O: number,
  against: string | null,
): Block[] {
  const blocks: Block[] = [];
  let below: (string | number)[] = ["x"];
  let width = inputSize;
  for (let layer = 0; layer < numLayers; layer++) {
    const made: number[] = [];
    for (let direction = 0; direction < directions; direction++) {
      const suffix = `_l${layer}${direction ? "_reverse" : ""}`;
      const leaves: Record<string, string> = {};
      for (const name of Object.keys(cell.params)) leaves[name] = name + suffix;
      for (const state of cell.states) leaves[state] = `${state}0`;
      made.push(blocks.length);
      blocks.push({
        ...atSizes(cell, { H, I: width, O }),
        sources: { x: below },
        leaves,
        reverse: direction === 1,
        row: layer * directions + direction,
        label: numLayers * directions > 1 ? suffix : "",
      });
    }
    below = made;
    width = H * directions;
  }
  const plain = { reverse: false, row: 0, label: "" };
  const counts = { H, I: width, O };
  if (readout) {
    const leaves = Object.fromEntries(Object.keys(READOUT.params).map((p) => [p, p]));
    blocks.push({ ...atSizes(READOUT, counts), sources: { x: below }, leaves, ...plain });
    below = [blocks.length - 1];
  }
  const sources = against ? { y: below, [against]: [against] } : { y: below };
  blocks.push({ ...atSizes(LOSS_TEMPLATES[loss], counts), sources, leaves: {}, ...plain });
  return blocks;
}

function atSizes(template: Template, counts: Counts) {
  const widths = template.nodes.map(({ shape }) =>
    elementCount(shape.map((size) => sizeValue(size, counts))),
  );
  const starts = template.nodes.map(({ attrs }) =>
    attrs.start ? sizeValue(attrs.start, counts) : 0,
  );
  return { template, counts, widths, starts };
}

/** What `refold` changes; loss steps may also be said in words. */
export type Changes = Partial<Omit<Folded, "lossSteps">> & {
  readonly lossSteps?: "all" | "last" | readonly number[];
};

/**
 * The same network with other counts, loss or truncation. When T changes, loss steps that were all
 * steps stay all, those that were the last stay the last, and a list keeps what exists of it.
 */
export function refold(program: Program, changes: Changes): Program {
  const seqLen = changes.seqLen ?? program.seqLen;
  const all = Array.from({ length: count(seqLen, "seq_len") }, (_, t) => t);
  const before = program.lossSteps;
  let lossSteps = before.filter((t) => t < seqLen);
  if (before.length === program.seqLen) lossSteps = all;
  else if (!lossSteps.length || before.join() === `${program.seqLen - 1}`) lossSteps = [seqLen - 1];
  if (changes.lossSteps === "all") lossSteps = all;
  else if (changes.lossSteps === "last") lossSteps = [seqLen - 1];
  else if (changes.lossSteps) lossSteps = [...changes.lossSteps];
  const { cell, inputSize, hiddenSize, numLayers, bidirectional, readout, loss, truncation } =
    program;
  const kept = { cell, inputSize, hiddenSize, numLayers, bidirectional, readout, loss, truncation };
  return unfold(checked({ ...kept, ...changes, seqLen, lossSteps }));
}

/** Read a saved program. Anything damaged is refused with a sentence that names it. */
export function programFromJson(data: unknown): Program {
  const raw = record(data, "a saved program");
  if (raw["format"] !== FORMAT) {
    throw new Error(`a saved program has format "${FORMAT}", not ${shown(raw["format"])}`);
  }
  const cut = raw["truncation"] == null ? null : record(raw["truncation"], "truncation");
  return unfold(
    checked({
      cell: templateFromJson(raw["cell"]),
      inputSize: raw["input_size"] as number,
      hiddenSize: raw["hidden_size"] as number,
      seqLen: raw["seq_len"] as number,
      numLayers: raw["num_layers"] as number,
      bidirectional: raw["bidirectional"] as boolean,
      readout: (raw["readout"] ?? null) as number | null,
      loss: raw["loss"] as Loss,
      lossSteps: list(raw["loss_steps"], "loss_steps") as number[],
      truncation: cut && { kind: cut["kind"] as "window", size: cut["size"] as number },
    }),
  );
}

export function programToJson(program: Folded): object {
  return {
    format: FORMAT,
    cell: templateToJson(program.cell),
    input_size: program.inputSize,
    hidden_size: program.hiddenSize,
    seq_len: program.seqLen,
    num_layers: program.numLayers,
    bidirectional: program.bidirectional,
    readout: program.readout,
    loss: program.loss,
    loss_steps: program.lossSteps,
    truncation: program.truncation,
  };
}

function checked(folded: Folded): Folded {
  count(folded.inputSize, "input_size");
  count(folded.hiddenSize, "hidden_size");
  const T = count(folded.seqLen, "seq_len");
  count(folded.numLayers, "num_layers");
  if (folded.readout !== null) count(folded.readout, "readout");
  if (typeof folded.bidirectional !== "boolean") {
    throw new Error(`bidirectional must be true or false, not ${shown(folded.bidirectional)}`);
  }
  if (!LOSSES.includes(folded.loss)) {
    throw new Error(`loss must be one of ${LOSSES.join(", ")}, not ${shown(folded.loss)}`);
  }
  const steps = folded.lossSteps;
  const ordered = steps.every((t, i) => Number.isInteger(t) && (i === 0 || t > steps[i - 1]));
  if (!steps.length || !ordered || steps[0] < 0 || steps[steps.length - 1] >= T) {
    throw new Error(`loss_steps must ascend within 0 to ${T - 1}, not ${shown(steps)}`);
  }
  if (folded.truncation) {
    count(folded.truncation.size, "the truncation's size");
    if (!["window", "chunk"].includes(folded.truncation.kind)) {
      throw new Error(
        `truncation must be "window" or "chunk", not ${shown(folded.truncation.kind)}`,
      );
    }
  }
  return folded;
}

function count(value: unknown, what: string): number {
  if (!Number.isInteger(value) || (value as number) < 1) {
    throw new Error(`${what} must be a whole number from 1, not ${shown(value)}`);
  }
  return value as number;
}

const input = (slot: string, size: string): TemplateNode => {
  return { op: "input", args: [], shape: [parseSize(size)], attrs: { slot }, name: null };
};

function makeReadout(): Template {
  const params = {
    "readout.weight": [parseSize("O"), parseSize("I")],
    "readout.bias": [parseSize("O")],
  };
  const param = (name: keyof typeof params): TemplateNode => {
    return { op: "param", args: [], shape: params[name], attrs: { param: name }, name: null };
  };
  const nodes = [input("x", "I"), param("readout.weight")];
  nodes.push(makeNode(nodes, "matvec", [1, 0]), param("readout.bias"));
  nodes.push(makeNode(nodes, "add", [2, 3], {}, "y"));
  return template("readout", params, nodes, [], [4]);
}

function makeLoss(loss: Loss, op: string, args: readonly string[]): Template {
  const slots = loss === "seed" ? ["y", "v"] : args;
  const nodes = slots.map((slot) => input(slot, "O"));
  const indices = args.map((arg) => slots.indexOf(arg));
  nodes.push(makeNode(nodes, op, indices, {}, "L"));
  return template(loss, {}, nodes, [], [nodes.length - 1]);
}

const READOUT = makeReadout();
const LOSS_TEMPLATES: Readonly<Record<Loss, Template>> = {
  seed: makeLoss("seed", "dot", ["v", "y"]),
  sum: makeLoss("sum", "sum", ["y"]),
  sse: makeLoss("sse", "sse", ["y", "target"]),
  mse: makeLoss("mse", "mse", ["y", "target"]),
  cross_entropy: makeLoss("cross_entropy", "cross_entropy", ["y", "target"]),
};
