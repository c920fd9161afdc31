/**
 * How quantities and local derivatives are written: `h₆[0]`, `1 − h₆[0]²`.
 *
 * Subscripts are steps as mathematics counts them, from 1 (h₀ is the initial state); brackets are
 * entries as Python counts them, from 0.
 */

import type { Kind } from "./ops";
import { type Block, type Program, previousStep } from "./program";

export function subscript(number: number): string {
  return String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[Number(digit)]);
}

/** One node at one step. */
export interface Key {
  readonly block: number;
  readonly node: number;
  readonly step: number;
}

/** Labels for the nodes of one network. */
export class Labels {
  constructor(private readonly program: Program) {}

  /** The factor that a mean loss puts on every step. */
  weight(): [string, number] {
    return [`1/${this.program.lossSteps.length}`, this.program.lossWeight];
  }

  /** A named quantity's label, null if the node has no name of its own. */
  name({ block: b, node: i, step }: Key, entry: number): string | null {
    const block = this.program.blocks[b];
    const { name } = block.template.nodes[i];
    return name && written(block, name, step + 1, entry);
  }

  /** A label for any node: its name, or how it is computed. */
  node(key: Key, entry: number): string {
    const block = this.program.blocks[key.block];
    const { nodes } = block.template;
    const { op, args, attrs, name } = nodes[key.node];
    const of = (a: number, at = entry) => this.node({ ...key, node: a }, at);
    if (name === "L") return `L${subscript(key.step + 1)}`;
    if (name) return written(block, name, key.step + 1, entry);
    if (attrs.param) return `${block.leaves[attrs.param]}[${entry}]`;
    if (attrs.slot) return this.input(block, attrs.slot, key.step, entry);
    if (op === "tanh" || op === "sigmoid" || op === "relu") return `${op}(${of(args[0])})`;
    if (op === "slice") return of(args[0], entry + block.starts[key.node]);
    if (op === "mul") return args.map((a) => of(a)).join(" ");
    if ((op === "add" || op === "sub") && args.every((a) => nodes[a].name)) {
      return `(${args.map((a) => of(a)).join(op === "add" ? " + " : " − ")})`;
    }
    if (op === "affine" && attrs.scale === -1 && attrs.shift === 1) return `(1 − ${of(args[0])})`;
    return written(block, "a", key.step + 1, entry);
  }

  private input(block: Block, slot: string, step: number, entry: number): string {
    if (block.template.states.includes(slot)) {
      const before = previousStep(block, step);
      const initial = before === -1 || before === this.program.seqLen;
      return written(block, slot, initial ? 0 : before + 1, entry);
    }
    let rest = entry;
    for (const source of block.sources[slot]) {
      if (typeof source === "string") {
        const classes = source === "target" && this.program.loss === "cross_entropy";
        return `${classes ? "onehot" : source}${subscript(step + 1)}[${rest}]`;
      }
      const { template, widths } = this.program.blocks[source];
      const out = template.outputs[0];
      if (rest < widths[out]) return this.node({ block: source, node: out, step }, rest);
      rest -= widths[out];
    }
    throw new Error(`entry ${entry} of slot "${slot}" has no source`);
  }

  /**
   * A label for the local derivative of entry `out` of a node by entry `arg` of an argument, null
   * for derivatives that are one by construction: sums, slices, joins.
   */
  factor(key: Key, position: number, kind: Kind, out: number, arg: number): string | null {
    const block = this.program.blocks[key.block];
    const { nodes } = block.template;
    const { op, args, attrs } = nodes[key.node];
    if (kind === "identity" || kind === "slice" || kind === "place" || op === "sum") return null;
    const argument = (which: number) => this.node({ ...key, node: args[which] }, arg);
    switch (op) {
      case "tanh":
        return `1 − ${this.node(key, out)}²`;
      case "sigmoid":
        return `${this.node(key, out)} (1 − ${this.node(key, out)})`;
      case "relu":
        return `relu′(${argument(0)})`;
      case "mul":
      case "dot":
        return argument(1 - position);
      case "sub":
        return "−1";
      case "affine":
        return attrs.scale === 1 ? null : general(attrs.scale as number).replaceAll("-", "−");
      case "matvec": {
        if (kind === "outer") return argument(1);
        const leaf = block.leaves[nodes[args[0]].attrs.param as string];
        return `${leaf}[${out + block.starts[key.node]},${arg}]`;
      }
      case "sse":
        return `2 (${argument(0)} − ${argument(1)})`;
      case "mse":
        return `2 (${argument(0)} − ${argument(1)}) / ${this.program.outputSize}`;
    }
    return `softmax(y${subscript(key.step + 1)})[${arg}] − ${argument(1)}`;
  }
}

/** A number as Python's format "g" writes it: six significant digits. */
function general(value: number): string {
  const [mantissa, exponent] = value.toExponential(5).split("e");
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(Number(value.toPrecision(6)));
  const digits = String(Math.abs(power)).padStart(2, "0");
  return `${Number(mantissa)}e${power < 0 ? "-" : "+"}${digits}`;
}

function written(block: Block, name: string, step: number, entry: number): string {
  return `${name}${block.label}${subscript(step)}[${entry}]`;
}
