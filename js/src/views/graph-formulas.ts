/** The operations of a walk as formulas: forward `h₃ = tanh(a₃)`, backward `δa₃ = (1 − h₃²) ⊙ δh₃`. */

import { subscript } from "../engine/labels";
import { planOf } from "../engine/plan";
import { type Block, type Program, previousStep } from "../engine/program";
import { sizeValue } from "../engine/sizes";
import { slotIndex } from "../engine/template";
import { isCut, type Operation, stops } from "../engine/walk";
import { ofLayer } from "./graph-layers";

const ADD = 0;
const TIMES = 1;
const ATOM = 2;

/** A piece of a formula, and how tightly it holds together. */
type Piece = readonly [text: string, strength: number];

const within = ([text, strength]: Piece, least: number) => (strength < least ? `(${text})` : text);
const times = (a: Piece, b: Piece): Piece => [`${within(a, TIMES)} ⊙ ${within(b, TIMES)}`, TIMES];
const sum = (pieces: readonly Piece[]): Piece =>
  pieces.length === 1
    ? pieces[0]
    : [
        pieces
          .map((p) => within(p, ADD))
          .join(" + ")
          .replaceAll("+ −", "− "),
        ADD,
      ];
const minus = (piece: Piece): Piece => [`−${within(piece, TIMES)}`, TIMES];
const atom = (text: string): Piece => [text, ATOM];

/** How many blocks read what this one reads: both directions of a layer read the same. */
export function readers({ blocks }: Program, at: number): number {
  const read = String(blocks[at].sources["x"]);
  return blocks.filter(({ sources }) => String(sources["x"]) === read).length;
}

/** Formulas of one block, of the readout and of the loss. */
export class Formulas {
  private readonly named: ReadonlyMap<number, string>;
  private readonly block: Block;

  constructor(
    private readonly program: Program,
    private readonly at: number,
    private readonly lossStep: number,
  ) {
    this.block = program.blocks[at];
    this.named = stops(this.block.template);
  }

  /** What an operation computes, and how. */
  of({ phase, name, node, step, block }: Operation): string {
    const own = block === this.at;
    if (phase === "forward") {
      if (!own) return name === "L" ? this.loss(step) : this.readout(step);
      return `${this.symbol(name, step)} = ${this.forward(node, step, true)[0]}`;
    }
    if (name === "v") return this.seed(step);
    if (step < 0 || step >= this.program.seqLen) return this.backToInitial(name, step);
    const result = this.adjoint(node, step, true)[0];
    if (name === "x") {
      const part = readers(this.program, this.at) > 1 ? "part of " : "";
      return `${part}δ${this.input(node, step)} = ${result}`;
    }
    return `δ${this.symbol(name, step)} = ${result}`;
  }

  /** A quantity of this layer at a step. */
  symbol(name: string, step: number): string {
    const initial = step < 0 || step >= this.program.seqLen;
    return `${name}${subscript(initial ? 0 : step + 1)}`;
  }

  private forward(node: number, step: number, top = false): Piece {
    const { nodes } = this.block.template;
    const { op, args, attrs } = nodes[node];
    const name = this.named.get(node);
    if (name && !top) return atom(this.symbol(name, step));
    const of = (i: number) => this.forward(args[i], step);
    switch (op) {
      case "input":
        return atom(this.input(node, step));
      case "param":
        return atom(this.block.leaves[attrs.param as string]);
      case "matvec":
        return [`${this.matrix(node)} ${within(of(1), ATOM)}`, TIMES];
      case "add":
        return sum([of(0), of(1)]);
      case "sub":
        return [`${of(0)[0]} − ${within(of(1), TIMES)}`, ADD];
      case "mul":
        return times(of(0), of(1));
      case "affine": {
        const { scale = 1, shift = 0 } = attrs;
        if (scale === -1 && shift) return [`${shift} − ${within(of(0), TIMES)}`, ADD];
        const scaled: Piece =
          scale === 1 ? of(0) : [`${signed(scale)} ${within(of(0), TIMES)}`, TIMES];
        if (!shift) return scaled;
        return [`${scaled[0]} ${shift < 0 ? "−" : "+"} ${Math.abs(shift)}`, ADD];
      }
      case "slice":
        return atom(`${within(of(0), ATOM)}${this.range(node)}`);
      case "concat":
        return atom(`(${args.map((_, i) => of(i)[0]).join(", ")})`);
    }
    return atom(`${op === "sigmoid" ? "σ" : op}(${of(0)[0]})`);
  }

  private matrix(node: number): string {
    const { args, attrs } = this.block.template.nodes[node];
    const { template, leaves } = this.block;
    const leaf = leaves[template.nodes[args[0]].attrs.param as string];
    return attrs.start ? `${leaf}${this.range(node)}` : leaf;
  }

  private range(node: number): string {
    const { start, stop } = this.block.template.nodes[node].attrs;
    const { counts } = this.block;
    return `[${start ? sizeValue(start, counts) : 0}:${stop ? sizeValue(stop, counts) : ""}]`;
  }

  private input(node: number, step: number): string {
    const slot = this.block.template.nodes[node].attrs.slot as string;
    if (this.block.template.states.includes(slot)) {
      return this.symbol(slot, previousStep(this.block, step));
    }
    return this.joined(this.block, slot, step);
  }

  /** What enters a slot of a block: a leaf, or the outputs of the blocks below. */
  private joined({ sources }: Block, slot: string, step: number): string {
    const names = sources[slot].map((source) => {
      if (typeof source === "string") return `${source}${subscript(step + 1)}`;
      const { template } = this.program.blocks[source];
      const name = template.states.length ? template.states[0] : "y";
      const whose = template.states.length ? ofLayer(this.program, source) : "";
      return `${name}${subscript(step + 1)}${whose}`;
    });
    return names.length === 1 && !names[0].includes(" ") ? names[0] : `(${names.join("; ")})`;
  }

  /** The adjoint of a node by what uses it. */
  private adjoint(node: number, step: number, top = false): Piece {
    const name = this.named.get(node);
    if (name && !top) return atom(`δ${this.symbol(name, step)}`);
    const pieces = this.uses(node, step);
    const { template } = this.block;
    const state = template.states.length ? template.outputs.indexOf(node) : -1;
    if (state === 0) pieces.push(...this.fromAbove(step));
    if (state >= 0) pieces.push(...this.fromNext(state, step));
    return pieces.length ? sum(pieces) : atom("0");
  }

  private uses(node: number, step: number): Piece[] {
    const { nodes } = this.block.template;
    const plan = planOf(this.program).blocks[this.at];
    const pieces: Piece[] = [];
    const slices: { start: number; stop: number; piece: Piece }[] = [];
    nodes.forEach(({ op, args }, user) => {
      if (!plan.nodes[user]) return;
      args.forEach((arg, position) => {
        if (arg !== node || (op === "matvec" && position === 0)) return;
        const from = this.adjoint(user, step);
        if (op !== "slice") pieces.push(this.local(user, position, step, from));
        else {
          const start = this.block.starts[user];
          slices.push({ start, stop: start + this.block.widths[user], piece: from });
        }
      });
    });
    if (slices.length) pieces.push(this.together(slices, this.block.widths[node]));
    return pieces;
  }

  /** Adjoints of slices, end to end. */
  private together(slices: { start: number; stop: number; piece: Piece }[], size: number): Piece {
    slices.sort((a, b) => a.start - b.start);
    const parts: string[] = [];
    let at = 0;
    for (const { start, stop, piece } of slices) {
      if (start > at) parts.push("0");
      parts.push(piece[0]);
      at = stop;
    }
    if (at < size) parts.push("0");
    return atom(`(${parts.join(", ")})`);
  }

  /** The adjoint that comes down from one use. */
  private local(user: number, position: number, step: number, from: Piece): Piece {
    const { op, args, attrs } = this.block.template.nodes[user];
    const value = this.forward(user, step);
    const other = () => this.forward(args[1 - position], step);
    switch (op) {
      case "tanh":
        return times([`1 − ${within(value, ATOM)}²`, ADD], from);
      case "sigmoid":
        return times(times(value, [`1 − ${value[0]}`, ADD]), from);
      case "relu":
        return times(atom(`relu′(${this.forward(args[0], step)[0]})`), from);
      case "mul":
        return times(other(), from);
      case "sub":
        return position ? minus(from) : from;
      case "affine": {
        const { scale = 1 } = attrs;
        if (scale === 1) return from;
        return scale === -1 ? minus(from) : [`${signed(scale)} ${within(from, TIMES)}`, TIMES];
      }
      case "matvec":
        return [`${this.matrix(user)}ᵀ ${within(from, ATOM)}`, TIMES];
      case "concat": {
        const start = args.slice(0, position).reduce((n, a) => n + this.block.widths[a], 0);
        const stop = start + this.block.widths[args[position]];
        return atom(`${within(from, ATOM)}[${start}:${stop}]`);
      }
    }
    return from;
  }

  /** What the blocks above give to this layer's output. */
  private fromAbove(step: number): Piece[] {
    const { blocks, rows, lossSteps, hiddenSize: H } = this.program;
    const plan = planOf(this.program);
    const row = lossSteps.indexOf(this.lossStep);
    const { reaching } = plan.blocks[this.at];
    const users = blocks.flatMap(({ sources }, b) =>
      Object.values(sources).some((all) => all.includes(this.at)) ? [b] : [],
    );
    const reached = users.some(
      (b) => row >= plan.blocks[b].first[step] && row < plan.blocks[b].last[step],
    );
    if (!reached || !reaching.size) return [];
    const above = blocks[users[0]];
    if (above.template.states.length) {
      const names = users.map((b) => ofLayer(this.program, b).replace(" of ", ""));
      return [atom(`(from ${names.join(" and ")} above)`)];
    }
    const all = Object.values(above.sources).find((list) => list.includes(this.at)) ?? [];
    const place = all.indexOf(this.at);
    const part = all.length > 1 ? `[${place * H}:${(place + 1) * H}]` : "";
    const v = `v${subscript(step + 1)}`;
    if (users[0] === rows && blocks.length - 1 > rows) {
      return part ? [atom(`(readout.weightᵀ ${v})${part}`)] : [[`readout.weightᵀ ${v}`, TIMES]];
    }
    return [atom(v + part)];
  }

  /** What comes back through the step that reads this state. */
  private fromNext(state: number, step: number): Piece[] {
    const { program, block, at, lossStep } = this;
    const next = step + (block.reverse ? -1 : 1);
    if (next < 0 || next >= program.seqLen || isCut(program, block, next, lossStep)) return [];
    const { first, last } = planOf(program).blocks[at];
    const row = program.lossSteps.indexOf(lossStep);
    if (row < first[next] || row >= last[next]) return [];
    return this.uses(slotIndex(block.template, block.template.states[state]), next);
  }

  private backToInitial(name: string, step: number): string {
    const first = step < 0 ? 0 : this.program.seqLen - 1;
    const pieces = this.uses(slotIndex(this.block.template, name), first);
    return `δ${this.symbol(name, step)} = ${pieces.length ? sum(pieces)[0] : "0"}`;
  }

  private output(step: number): string {
    return this.joined(this.program.blocks[this.program.blocks.length - 1], "y", step);
  }

  private readout(step: number): string {
    const { rows, blocks } = this.program;
    const below = this.joined(blocks[rows], "x", step);
    return `y${subscript(step + 1)} = readout.weight ${below} + readout.bias`;
  }

  private loss(step: number): string {
    const at = subscript(step + 1);
    const y = this.output(step);
    const n = this.mean();
    const text = {
      seed: `v${at} · ${y}`,
      sum: `Σ ${y}`,
      sse: `Σ (${y} − target${at})²`,
      mse: `mean (${y} − target${at})²${n}`,
      cross_entropy: `−log softmax(${y})[target${at}]${n}`,
    }[this.program.loss];
    return `L${at} = ${text}`;
  }

  private seed(step: number): string {
    const at = subscript(step + 1);
    const y = this.output(step);
    const n = this.mean();
    const { outputSize } = this.program;
    const text = {
      seed: "the seed as given",
      sum: "1 for every output",
      sse: `2 (${y} − target${at})`,
      mse: `2 (${y} − target${at}) / ${outputSize}${n}`,
      cross_entropy: `(softmax(${y}) − onehot(target${at}))${n}`,
    }[this.program.loss];
    return `v${at} = ∂L${at}/∂${y} = ${text}`;
  }

  /** The division of a mean over loss steps. */
  private mean(): string {
    const { lossWeight, lossSteps } = this.program;
    return lossWeight === 1 ? "" : ` / ${lossSteps.length}`;
  }
}

const signed = (x: number) => String(x).replace("-", "−");
