/** The chain rule of one contribution as a row of factors, each with its numbers and its words. */

import { immediate, type Nothing, seedOf, stateAdjoint, ways } from "../engine/factors";
import { StateJacobians } from "../engine/jacobians";
import { subscript } from "../engine/labels";
import { type Program, previousStep } from "../engine/program";
import { parseEntry, type Results } from "../engine/quantities";
import { contribution } from "../engine/sweep";
import type { Cell } from "../live";

/** What a factor is; its symbol is drawn from this. */
export type Kind = "seed" | "output" | "jacobian" | "adjoint" | "immediate" | "result";

export interface Factor {
  readonly kind: Kind;
  /** The step it belongs to, 0-based. */
  readonly step: number;
  readonly rows: number;
  readonly columns: number;
  /** Row by row. */
  readonly data: Float64Array;
  /** All of a Jacobian of which `data` is one part. */
  readonly whole: Float64Array;
  /** What it is, in a few words. */
  readonly about: string;
  /** What one of its numbers is: "∂h₆[1]/∂h₅[2]". */
  readonly name: (row: number, column: number) => string;
  /** Of a state Jacobian: its parts by name, which sum to it; and which of them is shown. */
  readonly part: string;
  /** Where h ends and c begins, in rows and in columns; 0 if there is but one state. */
  readonly split: readonly [rows: number, columns: number];
}

export interface ChainRule {
  readonly leaf: string;
  readonly entry: string;
  readonly cell: Cell;
  readonly total: number;
  /** Why the contribution is nothing, whatever the numbers; then there are no factors. */
  readonly nothing: Nothing | null;
  /** The block whose states the parameter makes: its label in names, and its states. */
  readonly label: string;
  readonly states: readonly string[];
  /** "product": seed, Jacobians and immediate derivative. "layers": several layers or directions
   * lie between. "readout": the readout's own parameter. */
  readonly form: "product" | "layers" | "readout";
  /** What stands left of "=" and the adjoint row that it makes; empty where nothing is multiplied. */
  readonly left: readonly Factor[];
  /** The adjoint row and the immediate derivative, whose product is C. */
  readonly right: readonly Factor[];
  readonly result: Factor;
  /** Names of the parts of each Jacobian, "whole" first; none where there is but one. */
  readonly parts: readonly string[];
}

/** Index of the block that uses a parameter. */
export function blockOf({ blocks }: Program, leaf: string): number {
  return blocks.findIndex(({ leaves }) => Object.values(leaves).includes(leaf));
}

export const WHOLE = "whole";

export function chainRule(results: Results, entry: string, cell: Cell, part: string): ChainRule {
  const { program, sweep, trace } = results;
  const { hiddenSize: H, seqLen: T } = program;
  const { leaf, index } = parseEntry(entry, program.parameters);
  const { t, k } = cell;
  const b = blockOf(program, leaf);
  const block = program.blocks[b];
  const { states } = block.template;
  const total = contribution(sweep, leaf, index)[t * T + k];
  const nothing = ways(program, leaf)[t * T + k];
  const form = !states.length ? "readout" : program.rows > 1 ? "layers" : "product";
  const label = block.label;
  const stateName = (i: number, step: number) =>
    `${states[Math.floor(i / H)]}${label}${subscript(step + 1)}[${i % H}]`;
  const before = (step: number) => {
    const at = previousStep(block, step);
    return at === -1 || at === T ? -1 : at;
  };
  const S = states.length * H;
  const half = states.length > 1 ? H : 0;
  const T1 = subscript(t + 1);
  const K1 = subscript(k + 1);
  const result: Factor = {
    ...plain("result", k, 1, 1, Float64Array.of(total)),
    about: `C[t = ${t + 1}, k = ${k + 1}] of ${entry} (loss step ${t}, source step ${k} in code)`,
    name: () => `C[t = ${t + 1}, k = ${k + 1}] of ${entry}`,
  };
  const parts = form === "product" ? partNames(program, states.length) : [];
  const rule = { leaf, entry, cell, total, nothing, label, states, form, result, parts } as const;
  if (nothing) return { ...rule, left: [], right: [] };

  const wanted = { leaf, entry: index, lossStep: t, sourceStep: k };
  const O = program.outputSize;
  const v = seedOf(sweep, t);
  const readout = program.readout !== null;
  const padded = half && !readout && form === "product" ? half : 0;
  const seed: Factor = {
    ...plain("seed", t, 1, O + padded, Float64Array.of(...v, ...new Float64Array(padded))),
    about: `seed v${T1} = ∂L${T1}/∂y${T1}: ${SEEDS[program.loss]}${padded ? "; y is h, and c is not read" : ""}`,
    name: (_, j) =>
      padded ? `∂L${T1}/∂${stateName(j, t)} at the output` : `v${T1}[${j}] = ∂L${T1}/∂y${T1}[${j}]`,
    split: [0, padded],
  };
  const column = immediate(trace, b, wanted);
  const last: Factor = {
    ...plain("immediate", k, column.length, 1, column),
    about: states.length
      ? `immediate derivative: what step ${k + 1}'s use of ${entry} does to the state it makes, the state before held fixed`
      : `immediate derivative: what the readout's use of ${entry} does to y${K1}`,
    name: (i) => (states.length ? `∂⁺${stateName(i, k)}/∂${entry}` : `∂⁺y${K1}[${i}]/∂${entry}`),
    split: [half, 0],
  };
  if (form === "readout") return { ...rule, left: [], right: [seed, last] };

  const row = (step: number): Factor => ({
    ...plain("adjoint", step, 1, S, stateAdjoint(sweep, b, step, t)),
    about:
      form === "product"
        ? `adjoint of the state at t = ${step + 1} by L${T1} alone`
        : `adjoint of this layer's state at t = ${step + 1} by L${T1} alone: it sums all ways through the layers${program.truncation ? " that are not cut" : ""}`,
    name: (_, j) => `∂L${T1}/∂${stateName(j, step)}`,
    split: [0, half],
  });
  if (form === "layers") return { ...rule, left: [], right: [row(k), last] };

  const left: Factor[] = [seed];
  if (readout) left.push(outputFactor(results, t, stateName, half));
  if (t !== k) {
    const jacobians = new StateJacobians(trace, b);
    for (let step = t; step !== k; step = previousStep(block, step)) {
      const from = before(step);
      const whole = jacobians.at(step);
      left.push({
        ...plain("jacobian", step, S, S, partOf(jacobians, step, part, half)),
        whole,
        about: `J${subscript(step + 1)}: how the state at t = ${step + 1} follows the state at t = ${from + 1}`,
        name: (i, j) => `∂${stateName(i, step)}/∂${stateName(j, from)}`,
        part,
        split: [half, half],
      });
    }
  }
  return left.length > 1
    ? { ...rule, left, right: [row(k), last] }
    : { ...rule, left: [], right: [seed, last] };
}

const SEEDS: Readonly<Record<Program["loss"], string>> = {
  seed: "yours to choose",
  sum: "1 everywhere for the loss “sum”",
  sse: "2 (y − target) for the loss “sse”",
  mse: "2 (y − target) / (outputs · loss steps) for the loss “mse”",
  cross_entropy: "(softmax(y) − one-hot target) / loss steps for the loss “cross_entropy”",
};

function plain(kind: Kind, step: number, rows: number, columns: number, data: Float64Array) {
  return { kind, step, rows, columns, data, whole: data, part: WHOLE, split: [0, 0] as const };
}

/** ∂y_t/∂s_t: the readout's matrix. */
function outputFactor(
  { program, values }: Results,
  t: number,
  stateName: (i: number, step: number) => string,
  half: number,
): Factor {
  const { outputSize: O, hiddenSize: H } = program;
  const S = half + H;
  const data = new Float64Array(O * S);
  for (let i = 0; i < O; i++) {
    data.set(values["readout.weight"].subarray(i * H, (i + 1) * H), i * S);
  }
  const T1 = subscript(t + 1);
  return {
    ...plain("output", t, O, S, data),
    about: `∂y${T1}/∂s${T1}: readout.weight${half ? ", which does not read the cell state c" : ""}`,
    name: (i, j) => `∂y${T1}[${i}]/∂${stateName(j, t)}`,
    split: [0, half],
  };
}

/** One part of a Jacobian, in the whole's shape, or the whole. */
function partOf(jacobians: StateJacobians, step: number, part: string, half: number) {
  const whole = jacobians.at(step);
  if (part === WHOLE) return whole;
  const block = jacobians.blocks(step)[part];
  if (!block || !half) return block ?? whole;
  const [from, to] = [...part.split("→")].map((state) => (state === "c" ? half : 0));
  const S = 2 * half;
  return whole.map((x, at) => {
    const [i, j] = [Math.floor(at / S), at % S];
    return i >= to && i < to + half && j >= from && j < from + half ? x : 0;
  });
}

const none: readonly string[] = [];
const known = new WeakMap<Program, readonly string[]>();

function partNames(program: Program, states: number): readonly string[] {
  let names = known.get(program);
  if (!names) {
    names = states > 1 ? ["h→h", "h→c", "c→h", "c→c"] : gateParts(program);
    names = names.length > 1 ? [WHOLE, ...names] : none;
    known.set(program, names);
  }
  return names;
}

/** As `StateJacobians.blocks` names them. */
function gateParts({ cell }: Program): string[] {
  const gru = cell.name.startsWith("gru");
  const gates = cell.nodes.flatMap(({ name }, i) =>
    name && cell.dynamic[i] && !cell.outputs.includes(i)
      ? `via ${gru && name === "n" ? "candidate" : name}`
      : [],
  );
  return gates.length ? ["skip", ...gates] : [];
}
