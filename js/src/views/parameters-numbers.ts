/** The numbers that a leaf shows, and the ways in which they are moved. */

import { signal as reactive } from "@preact/signals";
import { outputs } from "../engine/forward";
import type { Program } from "../engine/program";
import { nodeAdjoint, type Sweep } from "../engine/sweep";
import { slotIndex } from "../engine/template";
import { allDigits, threeDigits } from "../format";
import type { LiveLab } from "../live";
import { grown } from "../sliders";
import { entryName, isIdle, type Leaf, meaning } from "./parameters-leaves";

/** What the parts of one panel share. */
export class Host {
  readonly ranges = new Ranges();
  /** Room for a leaf, in pixels. */
  readonly width = reactive(1_000);
  /** The leaf that takes the keys: the others are no stops of the Tab key. */
  readonly current = reactive("");
  /** The id of what says how to walk with the keys. */
  readonly help = `rw-${Math.random().toString(36).slice(2)}`;
  /** What random matrices are drawn from. */
  readonly seed = reactive(0);
  private readonly found = new Map<string, Shown>();
  private revision = -1;
  private jumps = -1;

  constructor(readonly lab: LiveLab) {}

  /** The numbers of a leaf as they are now; null once the network has lost the leaf. An effect that
   * asks follows them. */
  shown(leaf: Leaf): Shown | null {
    const { lab, found } = this;
    if (this.revision !== lab.revision.value) found.clear();
    this.revision = lab.revision.value;
    if (this.jumps !== lab.jumps.peek()) this.ranges.forgetAll();
    this.jumps = lab.jumps.peek();
    if (lab.network.program !== leaf.program) return null;
    let shown = found.get(leaf.name);
    if (!shown) {
      shown = { values: valuesOf(lab, leaf), slopes: slopesOf(lab, leaf) };
      found.set(leaf.name, shown);
    }
    return shown;
  }
}

interface Shown {
  readonly values: Float64Array;
  /** The derivative of the total loss by each entry: for a seed that is the output it stands at. */
  readonly slopes: Float64Array | undefined;
}

const LOW = -2;
const HIGH = 2;

/** How far each slider reaches: it grows when its value leaves it. */
export class Ranges {
  private readonly found = new Map<string, [number, number]>();

  of(entry: string, value: number): readonly [number, number] {
    const range = this.found.get(entry) ?? [LOW, HIGH];
    if (range[0] <= value && value <= range[1]) return range;
    if (!Number.isFinite(value)) return range;
    const wider = grown(range[0], range[1], value);
    this.found.set(entry, wider);
    return wider;
  }

  /** The first range, or as much more as the value needs: for a slider that nobody holds. */
  anew(entry: string, value: number): readonly [number, number] {
    this.forget(entry);
    return this.of(entry, value);
  }

  /** Begin again. */
  forget(entry: string): void {
    this.found.delete(entry);
  }

  forgetAll(): void {
    this.found.clear();
  }
}

/** A round number of steps: some four hundred in a range. */
export function stepOf([low, high]: readonly [number, number]): number {
  return 10 ** Math.floor(Math.log10((high - low) / 400) + 1e-9);
}

/** The nearest multiple of a step, without the rounding errors of multiplying. */
export function onGrid(value: number, step: number): number {
  return Number((Math.round(value / step) * step).toPrecision(12));
}

const KEYS: Readonly<Record<string, number>> = {
  ArrowRight: 1,
  ArrowUp: 1,
  ArrowLeft: -1,
  ArrowDown: -1,
  PageUp: 10,
  PageDown: -10,
};

/** Where a key moves a slider to; null if it moves it nowhere. */
export function keyed(key: string, value: number, range: readonly [number, number]): number | null {
  if (key === "Home") return range[0];
  if (key === "End") return range[1];
  const steps = KEYS[key];
  if (steps === undefined) return null;
  const step = stepOf(range);
  return Math.min(Math.max(onGrid(value + steps * step, step), range[0]), range[1]);
}

function valuesOf({ network, results }: LiveLab, leaf: Leaf): Float64Array {
  return leaf.kind === "made" ? madeSeeds(results.sweep) : network.values[leaf.name];
}

/** ∂L_t/∂y_t, (T, O): what the loss makes of the seeds. Steps without a loss have none. */
export function madeSeeds(swept: Sweep): Float64Array {
  const { program } = swept;
  const { seqLen, outputSize: O, lossSteps, blocks } = program;
  const loss = blocks.length - 1;
  const adjoint = nodeAdjoint(swept, loss, slotIndex(blocks[loss].template, "y"));
  const seeds = new Float64Array(seqLen * O);
  lossSteps.forEach((t, r) => {
    const from = (t * lossSteps.length + r) * O;
    if (adjoint) seeds.set(adjoint.subarray(from, from + O), t * O);
  });
  return seeds;
}

function slopesOf({ results }: LiveLab, { kind, name }: Leaf): Float64Array | undefined {
  return kind === "seed" ? outputs(results.trace) : results.gradients[name];
}

/** Which quantity stands under an entry's slider. */
export const slopeOf = ({ kind }: Leaf) => (kind === "seed" ? "graph" : "gradient");

/** What stands under an entry's slider. */
export function slopeText({ lab }: Host, leaf: Leaf, at: number, slope: number): string {
  const text = lab.veil.text(slope, threeDigits, slopeOf(leaf));
  if (leaf.kind !== "seed") return `∂ ${text}`;
  return isIdle(leaf, Math.floor(at / leaf.columns)) ? "no loss" : `y ${text}`;
}

/** An entry with its number and what stands under it, for those who hear it. */
export function valueText(host: Host, leaf: Leaf, at: number): string {
  const shown = host.shown(leaf);
  if (!shown) return "";
  const entry = `${entryName(leaf, at)}: `;
  if (leaf.kind === "classes") return entry + shown.values[at];
  const slope = shown.slopes ? `, ${slopeText(host, leaf, at, shown.slopes[at])}` : "";
  return entry + ownNumber(host, leaf, shown.values[at]) + slope.replace("∂", "gradient");
}

/** A leaf's own number: only what the loss makes of it may be hidden, for what is moved is given. */
export function ownNumber({ lab }: Host, { kind }: Leaf, x: number, write = threeDigits): string {
  return kind === "made" ? lab.veil.text(x, write) : write(x);
}

/** What a gradient is called beside its symbol where it is not the derivative of the whole loss. */
export const truncatedText = ({ truncation }: Program) =>
  truncation ? " (truncated gradient)" : "";

/** All there is to say of an entry, for hovering. */
export function hoverText(host: Host, leaf: Leaf, at: number): string {
  const shown = host.shown(leaf);
  if (!shown) return "";
  const entry = entryName(leaf, at);
  const lines = [
    `${entry} = ${ownNumber(host, leaf, shown.values[at], allDigits)}`,
    meaning(leaf, at),
  ];
  const slope = shown.slopes && host.lab.veil.text(shown.slopes[at], allDigits, slopeOf(leaf));
  if (leaf.kind === "seed") {
    const idle = isIdle(leaf, Math.floor(at / leaf.columns));
    const output = `∂L/∂${entry} = ${entry.replace("v", "y")} = ${slope}`;
    lines.push(idle ? "no loss is taken at this step: its seed has no effect" : output);
  } else if (slope) lines.push(`∂L/∂${entry}${truncatedText(leaf.program)} = ${slope}`);
  return lines.filter(Boolean).join("\n");
}

export function moveTo({ lab }: Host, leaf: Leaf, at: number, value: number): void {
  if (!Object.is(lab.network.values[leaf.name][at], value)) lab.move(leaf.name, at, value);
}

/** Back to where the entry began, and the slider to its first range. */
export function reset(host: Host, leaf: Leaf, at: number): void {
  host.ranges.forget(entryName(leaf, at));
  moveTo(host, leaf, at, initialOf(host, leaf)[at]);
}

/** Where a leaf began; zeros if it was not there, or had another shape. */
export function initialOf({ lab }: Host, { name, shape }: Leaf): Float64Array {
  const { values, program } = lab.initial;
  const fits = program.leaves[name]?.join() === shape.join();
  return fits ? values[name] : new Float64Array(shape.reduce((n, m) => n * m, 1));
}

export function select({ lab }: Host, leaf: Leaf, at: number): void {
  const entry = entryName(leaf, at);
  if (leaf.kind === "parameter" && lab.selection.value !== entry) lab.select(entry);
}

/** What is wrong with the numbers, null if all is well. */
export function troubleOf({ results }: LiveLab): string | null {
  if (Object.values(results.gradients).every((gradient) => gradient.every(Number.isFinite)))
    return null;
  const step = results.overflow;
  const where = step === null ? "on the way back" : `at t = ${step + 1} (step ${step} in code)`;
  return `Overflow, first ${where}: numbers too large to hold. Move a weight back.`;
}

/** How wide a text is, in digits: a long one is written in smaller letters, since an exponent must
 * never be cut off. */
export function digitsWide(text: string): number {
  let wide = text.length;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (letter === "." || letter === " ") wide -= 0.5;
    else if (letter === "−") wide += 0.32;
  }
  return wide;
}
