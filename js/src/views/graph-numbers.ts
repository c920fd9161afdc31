/** The numbers of the graph: of every row and column, of the edges, and the scale of their colours. */

import { Flow } from "../engine/flow";
import { nodeValues, outputs, stateValues } from "../engine/forward";
import { StateJacobians } from "../engine/jacobians";
import { norm } from "../engine/norms";
import { planOf } from "../engine/plan";
import type { Program } from "../engine/program";
import type { Results } from "../engine/quantities";
import { adjoints } from "../engine/sweep";
import { done, type Operation } from "../engine/walk";
import { arrivals, carriedEdges, summed, within } from "./graph-arrivals";
import { type Row, rowsOf } from "./graph-scene";
import type { Focus, Lens, Part } from "./graph-state";
import { leastDrawn } from "./graph-strongest";
import { limitOf } from "./kit";

export type Numbers = Float64Array | null;

/** One row's numbers: by step, and of a state at T the initial one. */
interface Drawn {
  readonly columns: readonly Numbers[];
  readonly limit: number;
  /** The steps with colour: all, none or one. */
  readonly colored: "all" | "none" | number;
}

export interface Picture {
  readonly lens: Lens;
  readonly part: Part;
  readonly rows: ReadonlyMap<string, Drawn>;
  /** Per step, (S, S): from the state that it reads to the state that it makes. */
  readonly edges: readonly Numbers[];
  /** The size from which on edges are drawn; 0 where there is room for all. */
  readonly leastEdge: number;
  /** Of units and edges, and but for the lens "values" of gates too, which are on one scale. */
  readonly limit: number;
  /** C[t, k] in focus; null if no entry is. */
  readonly contribution: number | null;
  readonly finite: boolean;
}

type Columns = readonly Numbers[];

interface Made {
  readonly rows: ReadonlyMap<string, Columns>;
  readonly edges: Columns;
}

/** What is to be seen. */
export interface Asked {
  readonly lens: Lens;
  readonly part: Part;
  readonly block: number;
  readonly focus: Focus;
  /** How far the walk has come, null outside it; it decides about the lens. */
  readonly walked: { readonly operations: readonly Operation[]; readonly position: number } | null;
}

export function picture(results: Results, asked: Asked): Picture {
  const { program } = results;
  const { block, focus, walked } = asked;
  const backward = walked?.operations[walked.position - 1]?.phase === "backward";
  const lens: Lens = walked ? (backward ? "adjoints" : "values") : asked.lens;
  const part = walked ? "total" : asked.part;
  const rows = rowsOf(program, block);
  let made: Made;
  if (lens === "flow") made = flowOf(results, block, rows, focus);
  else if (lens === "values") made = valuesOf(results, block, rows);
  else made = adjointsOf(results, block, rows, part, walked ? focus.t : undefined);

  // Values of gates say nothing about the size of states: they would only set its scale.
  const apart = (row: Row) => lens === "values" && row.kind === "strip";
  const onCommon = rows.flatMap((row) => (apart(row) ? [] : (made.rows.get(row.id) ?? [])));
  const common = limitOfAll([...onCommon, ...made.edges]);
  const shown = new Map<string, Drawn>();
  for (const row of rows) {
    const { id } = row;
    const columns = made.rows.get(id);
    if (columns) {
      const limit = apart(row) ? gateLimit(program, block, row, columns) : common;
      shown.set(id, { columns, limit, colored: "all" });
      continue;
    }
    const outside = outsideOf(results, block, id);
    const own = lens === "flow" && (id === "v" || id === "L") ? focus.t : "none";
    const colored = lens === "values" ? "all" : own;
    shown.set(id, { columns: outside, limit: limitOfAll(outside), colored });
  }
  const figures = figuresOf(lens, program.cell.states, made.rows, program.seqLen);
  shown.set("figure", { columns: figures, limit: limitOfAll(figures), colored: "none" });
  const full: Picture = {
    lens,
    part,
    rows: shown,
    edges: made.edges,
    leastEdge: leastDrawn(made.edges),
    limit: common,
    contribution: focus.leaf ? contributionOf(results, focus) : null,
    finite: [...made.rows.values(), made.edges].flat().every((one) => !one || allFinite(one)),
  };
  return walked ? soFar(full, program, block, walked, backward) : full;
}

/** Only what the walk has computed. */
function soFar(
  full: Picture,
  program: Program,
  block: number,
  { operations, position }: NonNullable<Asked["walked"]>,
  backward: boolean,
): Picture {
  const visible = done(program, operations, position);
  const phase = backward ? "backward" : "forward";
  const state = (step: number) => program.cell.states.every((id) => visible(phase, id, step));
  const hide = (columns: Columns, shown: (step: number) => boolean) =>
    columns.map((numbers, step) => (shown(step) ? numbers : null));
  const rows = new Map(
    [...full.rows].map(([id, row]) => {
      const shown = id === "figure" ? state : (step: number) => visible(phase, id, step);
      return [id, { ...row, columns: hide(row.columns, shown) }];
    }),
  );
  const { reverse } = program.blocks[block];
  const before = (step: number) => (reverse ? step + 1 : step > 0 ? step - 1 : program.seqLen);
  const edges = hide(full.edges, (step) => state(step) && state(before(step)));
  return { ...full, rows, edges };
}

function valuesOf(results: Results, block: number, rows: readonly Row[]): Made {
  const { trace, program } = results;
  const { seqLen: T, hiddenSize: H } = program;
  const { template, reverse } = program.blocks[block];
  const made = new Map<string, Columns>();
  for (const { id, node, kind, size } of rows) {
    if (kind === "units") {
      const [first, ...rest] = split(stateValues(trace, block, id), H);
      made.set(id, reverse ? [first, ...rest] : [...rest, first]);
    } else if (kind === "strip") made.set(id, split(nodeValues(trace, block, node), size));
  }
  const before = (step: number) => (reverse ? step + 1 : step - 1);
  const jacobians = new StateJacobians(trace, block);
  const S = jacobians.size;
  const edges = Array.from({ length: T }, (_, step) => {
    const at = before(step) < 0 ? T : before(step);
    const read = template.states.map((state) => (made.get(state) as Columns)[at] as Float64Array);
    return jacobians.at(step).map((derivative, p) => {
      const j = p % S;
      return derivative * read[Math.floor(j / H)][j % H];
    });
  });
  return { rows: made, edges };
}

function adjointsOf(
  results: Results,
  block: number,
  rows: readonly Row[],
  part: Part,
  lossStep: number | undefined,
): Made {
  const { program, sweep: swept } = results;
  const { seqLen: T, hiddenSize: H, lossSteps } = program;
  const r = lossStep === undefined ? -1 : lossSteps.indexOf(lossStep);
  const made = new Map<string, Columns>();
  if (lossStep !== undefined && r < 0) return { rows: made, edges: Array(T).fill(null) };
  const admit = lossStep === undefined ? () => true : (row: number) => row === r;
  const plan = planOf(program).blocks[block];
  const ofStates = adjoints(swept, block, lossStep);
  const given = part === "total" ? null : arrivals(swept, block, admit);
  const parts = given && within(swept, block, part === "direct" ? given.reaching : given.returning);
  for (const { id, node, kind, size } of rows) {
    if (kind === "units") {
      const steps = split(ofStates[id][part], H);
      const { offset } = plan.initial[program.cell.states.indexOf(id)];
      const initial = new Float64Array(H);
      for (let row = 0; row < lossSteps.length; row++) {
        if (!admit(row)) continue;
        for (let j = 0; j < H; j++) initial[j] += swept.data[offset + row * H + j];
      }
      made.set(id, [...steps, part === "direct" ? null : initial]);
    } else if (node >= 0) {
      const places = plan.nodes[node];
      const all = parts ? parts[node] : places && summed(swept, places, admit);
      made.set(id, all ? split(all, size) : Array(T).fill(null));
    } else if (id === "v" || id === "y") {
      const seeds = outsideOf(results, block, "v");
      made.set(id, lossStep === undefined ? seeds : only(seeds, lossStep));
    }
  }
  if (part === "direct") return { rows: made, edges: Array(T).fill(null) };
  const jacobians = new StateJacobians(results.trace, block);
  return { rows: made, edges: carriedEdges(swept, block, (step) => jacobians.at(step), admit) };
}

function flowOf(results: Results, block: number, rows: readonly Row[], focus: Focus): Made {
  const { program, trace } = results;
  const { seqLen: T } = program;
  const { leaf, index, t, k } = focus;
  const nowhere: Columns = Array(T).fill(null);
  const made = new Map<string, Columns>();
  const whole = { leaf, entry: index, lossStep: t, sourceStep: k };
  const flow = index.length ? new Flow(trace, whole) : null;
  const readout = program.blocks.length - 2;
  for (const { id, node, kind } of rows) {
    if (id === "x" || (node < 0 && id !== "y")) continue;
    const key = { block: id === "y" ? readout : block, node, step: 0 };
    if (id === "y") key.node = program.blocks[readout].template.outputs[0];
    const share = (step: number) => {
      const at = { ...key, step };
      return (kind === "units" ? flow?.leaving(at) : flow?.share(at)) ?? null;
    };
    made.set(
      id,
      nowhere.map((_, step) => share(step)),
    );
  }
  if (!flow || !passes(made, program.cell.states)) return { rows: made, edges: nowhere };
  const jacobians = new StateJacobians(trace, block);
  return { rows: made, edges: nowhere.map((_, step) => flow.between(block, step, jacobians)) };
}

const passes = (made: ReadonlyMap<string, Columns>, states: readonly string[]) =>
  states.some((state) => made.get(state)?.some(Boolean));

/** What stands outside the layer: inputs, outputs, targets, losses and seeds. */
function outsideOf(results: Results, block: number, id: string): Columns {
  const { program, trace, values } = results;
  const { seqLen: T, lossSteps, blocks } = program;
  if (id === "x") {
    const node = rowsOf(program, block).find((row) => row.id === "x");
    return node ? split(nodeValues(trace, block, node.node), node.size) : [];
  }
  if (id === "y") return split(outputs(trace), program.outputSize);
  if (id === "target") return split(values["target"], values["target"].length / T);
  if (id === "L") {
    return Array.from(trace.losses, (loss, t) =>
      lossSteps.includes(t) ? Float64Array.of(loss) : null,
    );
  }
  const places = planOf(program).blocks[blocks.length - 1].nodes[0];
  const seeds = places ? split(summed(results.sweep, places), program.outputSize) : [];
  return seeds.map((seed, t) => (lossSteps.includes(t) ? seed : null));
}

/** One number per step: the norm of the state, or in the lens "flow" the sum of its shares. */
function figuresOf(
  lens: Lens,
  states: readonly string[],
  rows: ReadonlyMap<string, Columns>,
  steps: number,
): Numbers[] {
  return Array.from({ length: steps }, (_, step) => {
    const numbers = states.flatMap((state) => [...(rows.get(state)?.[step] ?? [])]);
    if (!numbers.length) return null;
    const sum = numbers.reduce((all, x) => all + x, 0);
    return Float64Array.of(lens === "flow" ? sum : norm(Float64Array.from(numbers)));
  });
}

function contributionOf(results: Results, { entry, t, k }: Focus): number | null {
  const { data, shape } = results.quantity(`contribution[${entry}]`);
  return shape.length === 2 ? data[t * shape[1] + k] : null;
}

function split(all: Float64Array, size: number): Float64Array[] {
  return Array.from({ length: all.length / size }, (_, k) =>
    all.subarray(k * size, (k + 1) * size),
  );
}

const only = (columns: Columns, step: number) =>
  columns.map((numbers, at) => (at === step ? numbers : null));

const BOUNDED: readonly string[] = ["sigmoid", "tanh"];

/** One, where a gate cannot pass it. */
function gateLimit(program: Program, block: number, { node }: Row, columns: Columns): number {
  const { op } = program.blocks[block].template.nodes[node];
  return BOUNDED.includes(op) ? 1 : limitOfAll(columns);
}

function limitOfAll(all: Columns): number {
  let largest = 0;
  for (const numbers of all) {
    if (!numbers) continue;
    for (let i = 0; i < numbers.length; i++) {
      const size = Math.abs(numbers[i]);
      if (size > largest && size < Number.POSITIVE_INFINITY) largest = size;
    }
  }
  return limitOf([largest]);
}

/** Whether a row shows what the network is given, which is no secret. */
export const isGiven = ({ lens }: Picture, id: string) =>
  id === "target" || (id === "x" && lens !== "adjoints");

function allFinite(numbers: Float64Array): boolean {
  for (let i = 0; i < numbers.length; i++) if (!Number.isFinite(numbers[i])) return false;
  return true;
}
