/** The grammar of derived quantities: `gradient[weight_hh_l0]`, `adjoint.carried`, `jacobian[2,0]`.
 *
 * One table names them for Python and for the browser alike. */

import rows from "../../../rnn_widgets/core/quantities.json";
import { bound } from "./bounds";
import {
  type ForwardPass,
  forward,
  nodeValues,
  outputs,
  stateValues,
  totalLoss,
  type Values,
} from "./forward";
import { StateJacobians } from "./jacobians";
import { quoted, unknown } from "./names";
import { norm } from "./norms";
import type { Program } from "./program";
import { adjoints, contribution, gradients, type Sweep, sweep } from "./sweep";

/** Numbers with their shape; rank 0 to 2. */
export interface Tensor {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}

export interface Quantity {
  readonly name: string;
  /** Layer and direction, for quantities of a recurrent layer. */
  readonly row: number;
  readonly leaf: string;
  readonly index: readonly number[];
  readonly node: string;
  readonly steps: readonly number[];
}

interface Row {
  readonly name: string;
  readonly argument: string;
  readonly layered?: boolean;
  readonly text: string;
}

const TABLE = new Map((rows as Row[]).map((row) => [row.name, row]));
const ENTRY = /^\s*([\p{L}\p{Nl}\p{No}_][\p{L}\p{N}_.]*)\s*(?:\[([^[\]]*)\])?\s*$/u;
const FORM = /^\s*([a-z_.]+?)(_l\d+(?:_reverse)?)?\s*(?:\[(.*)\])?\s*$/;

/** Read and validate a quantity; an Error says what there is. */
export function parseQuantity(text: string, program: Program): Quantity {
  const match = FORM.exec(text);
  if (!match) {
    throw new Error(`a quantity is written like 'gradient[weight_hh_l0]', not ${quoted(text)}`);
  }
  const [, name, suffix, argument] = match;
  const known = TABLE.get(name);
  const leaf = text.split("[")[0];
  if (!known && Object.hasOwn(program.leaves, leaf)) {
    throw new Error(
      `${text} is no quantity but a leaf, or an entry of one; quantities of it are such as ` +
        `gradient[${text}]`,
    );
  }
  if (!known) throw unknown("quantity", name + (suffix ?? ""), [...TABLE.keys()]);
  const row = rowOf(known, suffix, program);
  const plain = { name, row, leaf: "", index: [], node: "", steps: [] };
  if (known.argument === "none") {
    if (argument !== undefined)
      throw new Error(`${name} takes no argument, but [${argument}] was given`);
    if (name.startsWith("cell") && !program.cell.states.includes("c")) {
      throw new Error(`${name} does not exist: a ${program.cell.name} has no cell state`);
    }
    return plain;
  }
  if (!argument) {
    const first = Object.keys(program.parameters)[0];
    const example = { steps: "0", node: "h" }[known.argument] ?? first;
    throw new Error(`${name} needs an argument, for example ${name}[${example}]`);
  }
  if (known.argument === "node") {
    const names = program.cell.nodes.flatMap((node) => node.name ?? []);
    if (!names.includes(argument)) throw unknown("node", argument, names);
    return { ...plain, node: argument };
  }
  if (known.argument === "steps") return { ...plain, steps: stepsOf(name, argument, program, row) };
  if (known.argument === "parameter") return { ...plain, ...parseParameter(argument, program) };
  const leaves = known.argument === "leaf" ? program.leaves : differentiable(program);
  return { ...plain, ...parseEntry(argument, leaves) };
}

type Shapes = Readonly<Record<string, readonly number[]>>;

function differentiable(program: Program): Shapes {
  return Object.fromEntries(
    Object.entries(program.leaves).filter(
      ([leaf]) => leaf !== "v" && !(leaf === "target" && program.loss === "cross_entropy"),
    ),
  );
}

/** `parseEntry` for a parameter; of a leaf that is none it says so. */
function parseParameter(text: string, { leaves, parameters }: Program) {
  const name = ENTRY.exec(text)?.[1] ?? "";
  if (Object.hasOwn(leaves, name) && !Object.hasOwn(parameters, name)) {
    throw new Error(
      `${name} is not a parameter; contributions exist for parameters only: ` +
        `${Object.keys(parameters).join(", ")}.`,
    );
  }
  return parseEntry(text, parameters);
}

/** Read an entry such as `weight_hh_l0[0,1]`; without brackets `index` is empty. */
export function parseEntry(text: string, leaves: Shapes) {
  const match = ENTRY.exec(text);
  if (!match) {
    throw new Error(`an entry is written like 'weight_hh_l0[0,1]', not ${quoted(text)}`);
  }
  const [, leaf, brackets] = match;
  if (!Object.hasOwn(leaves, leaf)) throw unknown("leaf", leaf, Object.keys(leaves));
  const shape = leaves[leaf];
  if (brackets === undefined) return { leaf, index: [] };
  const index = wholeNumbers(brackets);
  if (!index) throw new Error(`an index is made of whole numbers, not [${brackets}]`);
  if (index.length !== shape.length || !index.every((i, axis) => i >= 0 && i < shape[axis])) {
    const ranges = shape.map((n) => `0 to ${n - 1}`).join(", ");
    const written = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
    throw new Error(
      `${leaf} has shape (${written}): its index runs over ${ranges}, not [${brackets}]`,
    );
  }
  return { leaf, index };
}

/** The whole numbers between commas; null if there is anything else. */
function wholeNumbers(text: string): number[] | null {
  const parts = text.split(",");
  return parts.every((part) => /^\s*[+-]?\d+\s*$/.test(part)) ? parts.map(Number) : null;
}

function rowOf(known: Row, suffix: string | undefined, program: Program): number {
  if (!known.layered) {
    if (suffix)
      throw new Error(`${known.name} does not belong to a layer; write it without ${suffix}`);
    return 0;
  }
  const directions = program.bidirectional ? ["", "_reverse"] : [""];
  const layers = Array.from({ length: program.numLayers }, (_, i) =>
    directions.map((d) => `_l${i}${d}`),
  ).flat();
  const named = layers.map((layer) => known.name + layer);
  if (suffix === undefined && layers.length > 1) {
    throw new Error(
      `the network has several layers or directions: name one of ${named.join(", ")}`,
    );
  }
  const row = suffix === undefined ? 0 : layers.indexOf(suffix);
  if (row < 0)
    throw new Error(`${known.name}${suffix} does not exist; there is ${named.join(", ")}`);
  return row;
}

function stepsOf(name: string, argument: string, program: Program, row: number): number[] {
  const steps = wholeNumbers(argument);
  if (!steps || steps.length > 2) {
    throw new Error(`${name} takes steps: [t] or [t,k], not [${argument}]`);
  }
  const last = program.seqLen - 1;
  const [t, k] = steps;
  if (t < 0 || t > last) throw new Error(`step ${t} does not exist; the steps are 0 to ${last}`);
  const [low, high] = program.blocks[row].reverse ? [t, last + 1] : [-1, t];
  if (k < low || k > high)
    throw new Error(`for t=${t} the other step k goes from ${low} to ${high}`);
  return steps;
}

/** Everything derived from one program and one set of values, each computed when first asked for. */
export class Results {
  private cache = new Map<string, Tensor>();
  private passed: ForwardPass | undefined;
  private swept: Sweep | undefined;
  private found: Record<string, Float64Array> | undefined;
  private fresh = { forward: false, sweep: false };

  constructor(
    readonly program: Program,
    private held: Values,
  ) {}

  get values(): Values {
    return this.held;
  }

  /** Other values for the same program. */
  reload(values: Values): void {
    this.held = values;
    this.invalidate();
  }

  /** The values were changed in place: forget what was derived from them. */
  invalidate(): void {
    this.cache.clear();
    this.found = undefined;
    this.fresh = { forward: false, sweep: false };
  }

  get trace(): ForwardPass {
    if (!this.fresh.forward) this.passed = forward(this.program, this.values, this.passed);
    this.fresh.forward = true;
    return this.passed as ForwardPass;
  }

  get sweep(): Sweep {
    if (!this.fresh.sweep) this.swept = sweep(this.trace, this.swept);
    this.fresh.sweep = true;
    return this.swept as Sweep;
  }

  get gradients(): Record<string, Float64Array> {
    this.found ??= gradients(this.sweep);
    return this.found;
  }

  /** The first step (0-based) with a value that is not finite, null if all are. */
  get overflow(): number | null {
    const { program, trace } = this;
    let first = program.seqLen;
    program.blocks.forEach(({ template, widths }, b) => {
      template.nodes.forEach(({ op }, i) => {
        if (op === "param") return;
        const bad = nodeValues(trace, b, i).findIndex((x) => !Number.isFinite(x));
        if (bad >= 0) first = Math.min(first, Math.floor(bad / widths[i]));
      });
    });
    return first < program.seqLen ? first : null;
  }

  /** The numbers of a quantity; its text is validated. */
  quantity(text: string): Tensor {
    let tensor = this.cache.get(text);
    if (!tensor) {
      tensor = evaluate(parseQuantity(text, this.program), this);
      this.cache.set(text, tensor);
    }
    return tensor;
  }
}

function evaluate(quantity: Quantity, results: Results): Tensor {
  const { name, leaf, index, row } = quantity;
  const { program } = results;
  const { seqLen: T, hiddenSize: H } = program;
  const [kind, part] = name.split(".");
  switch (kind) {
    case "value":
      return entryOf(results.values[leaf], program.leaves[leaf], index);
    case "gradient":
      return entryOf(results.gradients[leaf], program.leaves[leaf], index);
    case "contribution":
    case "by_source":
    case "by_loss":
    case "by_lag": {
      const full = contribution(results.sweep, leaf, index.length ? index : undefined);
      return summed(kind, full, T, index.length > 0);
    }
    case "lag_bound":
      return lagBound(results, leaf, index);
    case "steps":
    case "lags":
      return vector(Float64Array.from({ length: T }, (_, i) => i + (kind === "steps" ? 1 : 0)));
    case "hidden":
      return matrix(stateValues(results.trace, row, "h"), H);
    case "cell":
      return matrix(stateValues(results.trace, row, "c"), H);
    case "node": {
      const node = program.cell.nodes.findIndex((n) => n.name === quantity.node);
      return matrix(nodeValues(results.trace, row, node), program.blocks[row].widths[node]);
    }
    case "output":
      return matrix(outputs(results.trace), program.outputSize);
    case "losses":
      return vector(results.trace.losses.slice());
    case "loss":
      return { data: Float64Array.of(totalLoss(results.trace)), shape: [] };
    case "adjoint":
    case "cell_adjoint": {
      const ofState = adjoints(results.sweep, row)[kind === "adjoint" ? "h" : "c"];
      return matrix(ofState[part as "direct" | "carried" | "total"], H);
    }
  }
  const jacobians = new StateJacobians(results.trace, row);
  const [t, k] = quantity.steps;
  if (kind === "singular_values") return vector(jacobians.singularValues(t, k));
  return matrix(k === undefined ? jacobians.at(t) : jacobians.product(t, k), jacobians.size);
}

const vector = (data: Float64Array): Tensor => ({ data, shape: [data.length] });
const matrix = (data: Float64Array, columns: number): Tensor => ({
  data,
  shape: [data.length / columns, columns],
});

function entryOf(data: Float64Array, shape: readonly number[], index: readonly number[]): Tensor {
  if (!index.length) return { data: data.slice(), shape };
  return { data: data.slice(flat(shape, index), flat(shape, index) + 1), shape: [] };
}

/** Position of an entry in row-major order. */
export function flat(shape: readonly number[], index: readonly number[]): number {
  return index.reduce((at, i, axis) => at * shape[axis] + i, 0);
}

/** Sums of C[t, k] over loss steps, source steps or equal lags; over entries the norm is taken. */
function summed(kind: string, full: Float64Array, T: number, signed: boolean): Tensor {
  const width = full.length / (T * T);
  const groups = kind === "contribution" ? T * T : T;
  const sums = new Float64Array(groups * width);
  for (let t = 0; t < T; t++) {
    for (let k = 0; k < T; k++) {
      const group = { contribution: t * T + k, by_source: k, by_loss: t, by_lag: Math.abs(t - k) }[
        kind
      ] as number;
      for (let i = 0; i < width; i++) sums[group * width + i] += full[(t * T + k) * width + i];
    }
  }
  const data = signed ? sums : norms(sums, width);
  return kind === "contribution" ? matrix(data, T) : vector(data);
}

/** `by_lag`, and below it the sums of what its terms cannot exceed, (2, T). */
function lagBound(results: Results, leaf: string, index: readonly number[]): Tensor {
  const T = results.program.seqLen;
  const full = contribution(results.sweep, leaf, index.length ? index : undefined);
  const { data } = summed("by_lag", full, T, index.length > 0);
  const most = summed("by_lag", bound(results.sweep, leaf, index), T, true).data;
  return matrix(Float64Array.of(...data, ...most), T);
}

function norms(sums: Float64Array, width: number): Float64Array {
  return Float64Array.from({ length: sums.length / width }, (_, group) =>
    norm(sums.subarray(group * width, (group + 1) * width)),
  );
}
