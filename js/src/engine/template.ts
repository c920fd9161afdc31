/** A template: one step of a cell as a list of operations on vectors with symbolic sizes. */

import { OPS } from "./ops";
import { addSizes, parseSize, type Size, sameSize, sizeText, subtractSizes } from "./sizes";

export interface Attrs {
  readonly slot?: string;
  readonly param?: string;
  readonly start?: Size;
  readonly stop?: Size;
  readonly scale?: number;
  readonly shift?: number;
}

/** One operation; `args` are indices of earlier nodes, `name` is what its author called it. */
export interface TemplateNode {
  readonly op: string;
  readonly args: readonly number[];
  readonly shape: readonly Size[];
  readonly attrs: Attrs;
  readonly name: string | null;
}

/** The equations of one step. `outputs` are the nodes of the new states, or the result. */
export interface Template {
  readonly name: string;
  readonly params: Readonly<Record<string, readonly Size[]>>;
  readonly nodes: readonly TemplateNode[];
  readonly states: readonly string[];
  readonly outputs: readonly number[];
  /** For each node, whether its value depends on the previous state. */
  readonly dynamic: readonly boolean[];
}

const SCALARS = ["dot", "sum", "sse", "mse", "cross_entropy"];
const IDENTIFIER = /^[\p{L}_][\p{L}\p{N}_]*$/u;

export function template(
  name: string,
  params: Template["params"],
  nodes: readonly TemplateNode[],
  states: readonly string[],
  outputs: readonly number[],
): Template {
  const dynamic: boolean[] = [];
  for (const { op, args, attrs } of nodes) {
    const state = op === "input" && states.includes(attrs.slot ?? "");
    dynamic.push(state || args.some((a) => dynamic[a]));
  }
  return { name, params, nodes, states, outputs, dynamic };
}

export function slotIndex({ nodes }: Template, slot: string): number {
  return nodes.findIndex((node) => node.op === "input" && node.attrs.slot === slot);
}

/** A node with its shape inferred and checked. */
export function makeNode(
  nodes: readonly TemplateNode[],
  op: string,
  args: readonly number[],
  attrs: Attrs = {},
  name: string | null = null,
): TemplateNode {
  const known = OPS.get(op);
  if (!known) {
    throw new Error(`unknown operation "${op}"; the operations are ${[...OPS.keys()].join(", ")}`);
  }
  if (known.arity === null ? args.length === 0 : args.length !== known.arity) {
    throw new Error(`${op} takes ${known.arity ?? "one or more"} arguments, not ${args.length}`);
  }
  const shapes = args.map((a) => {
    if (!nodes[a]) throw new Error("a node uses a later one");
    return nodes[a].shape;
  });
  return { op, args, shape: [resultSize(op, shapes, attrs)], attrs, name };
}

function resultSize(op: string, shapes: readonly (readonly Size[])[], attrs: Attrs): Size {
  const written = shapes.map((shape) => `(${shape.map(sizeText).join(", ")})`).join(" and ");
  const { start, stop } = attrs;
  const first = shapes[0];
  if ((op === "matvec" ? shapes.slice(1) : shapes).some((shape) => shape.length !== 1)) {
    throw new Error(`${op} works on vectors; the shapes were ${written}`);
  }
  if (op === "matvec") {
    if (first.length !== 2 || !sameSize(first[1], shapes[1][0])) {
      throw new Error(`matrix @ vector needs matching sizes, not ${written}`);
    }
    return start && stop ? part(start, stop, first[0]) : first[0];
  }
  if (op === "slice") {
    if (!start || !stop) throw new Error("a slice needs a start and a stop");
    return part(start, stop, first[0]);
  }
  if (op === "concat") return shapes.map((shape) => shape[0]).reduce(addSizes);
  if (op === "affine" && !(Number.isFinite(attrs.scale) && Number.isFinite(attrs.shift))) {
    throw new Error("affine needs a number for scale and one for shift");
  }
  if (shapes.some((shape) => !sameSize(shape[0], first[0]))) {
    throw new Error(`${op} needs vectors of one size, not ${written}`);
  }
  return SCALARS.includes(op) ? [0, 0, 0, 1] : first[0];
}

function part(start: Size, stop: Size, whole: Size): Size {
  subtractSizes(whole, stop);
  const size = subtractSizes(stop, start);
  if (sizeText(size) === "0") throw new Error("a slice must not be empty");
  return size;
}

/** Read back what Python's `Template.to_json` wrote, checking every node. */
export function templateFromJson(data: unknown): Template {
  try {
    return parsed(data);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`the cell's saved equations are damaged: ${reason}`);
  }
}

function parsed(data: unknown): Template {
  const raw = record(data, "the cell");
  const params: Record<string, Size[]> = {};
  for (const [name, shape] of Object.entries(record(raw["params"], "params"))) {
    const sizes = list(shape, `the shape of ${name}`).map(parseSize);
    if (
      !IDENTIFIER.test(name) ||
      sizes.length < 1 ||
      sizes.length > 2 ||
      sizes.map(sizeText).includes("0")
    ) {
      throw new Error(`parameter "${name}" must be a name and a vector or matrix`);
    }
    params[name] = sizes;
  }
  const states = list(raw["states"], "states").map(String);
  if (states.join() !== "h" && states.join() !== "h,c") {
    throw new Error(`the states are "h" or "h" and "c", not "${states.join(", ")}"`);
  }
  const nodes: TemplateNode[] = [];
  for (const node of list(raw["nodes"], "nodes")) {
    nodes.push(readNode(record(node, `node ${nodes.length}`), nodes, params, states));
  }
  const outputs = list(raw["outputs"], "outputs").map((i) => index(i, nodes.length, "an output"));
  checkOutputs(outputs, nodes, states);
  const names = nodes.flatMap(({ name }) => name ?? []);
  if (new Set(names).size < names.length) throw new Error("two quantities have one name");
  const unused = Object.keys(params).filter((p) => !nodes.some((n) => n.attrs.param === p));
  if (unused.length) throw new Error(`the equations do not use ${unused.join(", ")}`);
  return template(text(raw["name"], "the cell's name"), params, nodes, states, outputs);
}

function checkOutputs(outputs: number[], nodes: TemplateNode[], states: string[]): void {
  if (outputs.length !== states.length || new Set(outputs).size !== outputs.length) {
    throw new Error(`it must have one output for each of ${states.join(" and ")}`);
  }
  for (const i of outputs) {
    const { op, shape } = nodes[i];
    if (op === "input" || op === "param" || shape.map(sizeText).join() !== "H") {
      throw new Error("a new state must be computed and have size H");
    }
  }
}

function readNode(
  raw: Record<string, unknown>,
  nodes: readonly TemplateNode[],
  params: Template["params"],
  states: readonly string[],
): TemplateNode {
  const op = text(raw["op"], "an operation");
  const attrs = readAttrs(record(raw["attrs"] ?? {}, "attrs"));
  const args = list(raw["args"], "args").map((a) => index(a, nodes.length, "an argument"));
  const name = raw["name"] === undefined ? null : text(raw["name"], "a name");
  if (name !== null && (!IDENTIFIER.test(name) || name === "y" || name === "L")) {
    throw new Error(`"${name}" cannot name a quantity of a cell`);
  }
  let node: TemplateNode;
  if (op === "input" || op === "param") {
    const key = op === "input" ? attrs.slot : attrs.param;
    const shape = op === "param" ? params[key ?? ""] : inputShape(key, states);
    if (key === undefined || !shape || args.length) {
      throw new Error(`node ${nodes.length} reads an unknown ${op} "${key}"`);
    }
    if (nodes.some((n) => n.op === op && (n.attrs.slot ?? n.attrs.param) === key)) {
      throw new Error(`"${key}" is read by two nodes`);
    }
    node = { op, args, shape, attrs, name };
  } else {
    node = makeNode(nodes, op, args, attrs, name);
  }
  const shape = list(raw["shape"], "shape").map(String);
  if (shape.join() !== node.shape.map(sizeText).join()) {
    throw new Error(
      `node ${nodes.length} has shape (${node.shape.map(sizeText)}), but (${shape}) is written`,
    );
  }
  return node;
}

function inputShape(slot: string | undefined, states: readonly string[]): Size[] | undefined {
  if (slot === "x") return [parseSize("I")];
  return slot !== undefined && states.includes(slot) ? [parseSize("H")] : undefined;
}

function readAttrs(raw: Record<string, unknown>): Attrs {
  return {
    ...(raw["slot"] !== undefined && { slot: text(raw["slot"], "a slot") }),
    ...(raw["param"] !== undefined && { param: text(raw["param"], "a parameter") }),
    ...(raw["start"] !== undefined && { start: parseSize(raw["start"]) }),
    ...(raw["stop"] !== undefined && { stop: parseSize(raw["stop"]) }),
    ...(typeof raw["scale"] === "number" && { scale: raw["scale"] }),
    ...(typeof raw["shift"] === "number" && { shift: raw["shift"] }),
  };
}

export function templateToJson({ name, params, nodes, states, outputs }: Template): object {
  return {
    name,
    params: Object.fromEntries(
      Object.entries(params).map(([p, shape]) => [p, shape.map(sizeText)]),
    ),
    nodes: nodes.map(({ op, args, shape, attrs, name }) => ({
      op,
      args,
      shape: shape.map(sizeText),
      ...(Object.keys(attrs).length && {
        attrs: Object.fromEntries(
          Object.entries(attrs).map(([key, v]) => [
            key,
            Array.isArray(v) ? sizeText(v as never) : v,
          ]),
        ),
      }),
      ...(name !== null && { name }),
    })),
    states,
    outputs,
  };
}

export function record(data: unknown, what: string): Record<string, unknown> {
  if (typeof data !== "object" || data === null || Array.isArray(data)) {
    throw new Error(`${what} must be an object, not ${shown(data)}`);
  }
  return data as Record<string, unknown>;
}

export function list(data: unknown, what: string): unknown[] {
  if (!Array.isArray(data)) throw new Error(`${what} must be a list, not ${shown(data)}`);
  return data;
}

function text(data: unknown, what: string): string {
  if (typeof data !== "string") throw new Error(`${what} must be text, not ${shown(data)}`);
  return data;
}

function index(data: unknown, count: number, what: string): number {
  if (!Number.isInteger(data) || (data as number) < 0 || (data as number) >= count) {
    throw new Error(`${what} must be an earlier node, not ${shown(data)}`);
  }
  return data as number;
}

export function shown(data: unknown): string {
  return JSON.stringify(data) ?? String(data);
}
