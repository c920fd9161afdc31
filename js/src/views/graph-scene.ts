/** Where everything stands: rows of units, gates and cells in one column per step. */

import type { Program } from "../engine/program";
import { slotIndex } from "../engine/template";
import { ofLayer } from "./graph-layers";

/** Circles; cells of gates; cells of what is outside; a bare number. */
type Kind = "units" | "strip" | "cells" | "figure";

export interface Row {
  /** Unique among the rows: a node's name, "x", "y", "target", "L", "v" or "figure". */
  readonly id: string;
  readonly label: string;
  readonly title: string;
  readonly kind: Kind;
  readonly size: number;
  /** Whether it also stands in the column of the initial state. */
  readonly initial: boolean;
  /** Whether its numbers are classes, which have no digits after the point. */
  readonly classes?: boolean;
  /** Of a node of the drawn block, its index; −1 for what is outside. */
  readonly node: number;
}

/** A row with its place; entries stand in a grid, units one below the other. */
export interface Placed extends Row {
  readonly y: number;
  readonly height: number;
  readonly columns: number;
  readonly cellWidth: number;
  readonly cellHeight: number;
  /** How many characters of a number there is room for; 0 for none. */
  readonly characters: number;
  /** The same where most columns are empty. */
  readonly tight: number;
}

export interface Scene {
  readonly width: number;
  readonly height: number;
  /** Between the middles of two steps, and the width of the initial state's column. */
  readonly pitch: number;
  readonly initial: number;
  readonly radius: number;
  readonly rows: readonly Placed[];
  readonly steps: number;
  readonly reverse: boolean;
}

export const GUTTER = 84;
const NARROWEST = 18;
const CHARACTER = 5.9; // of the 10 px type
const GAP = 5;
const BESIDE = 74; // from the middle of a unit to the end of the number beside it
const WIDEST = 360; // so that three steps fill a wide panel
const NUMBERED = 56; // narrower columns have no numbers beside units

/** The rows of one block, from the top down. */
export function rowsOf(program: Program, block: number): Row[] {
  const { template, widths, reverse } = program.blocks[block];
  const O = program.outputSize;
  const whose = ofLayer(program, block);
  const outside = { initial: false, node: -1, kind: "cells" } as const;
  const rows: Row[] = [
    { ...outside, id: "v", label: "seed v", title: "seed v_t = ∂L_t/∂y_t", size: O },
    { ...outside, id: "L", label: "loss L", title: "loss term L_t of the step", size: 1 },
  ];
  if (program.leaves["target"]) {
    const classes = program.loss === "cross_entropy";
    const size = classes ? 1 : O;
    const title = `target of the step${classes ? ": its true class" : ""}`;
    rows.push({ ...outside, id: "target", label: "target", title, size, classes });
  }
  if (program.readout !== null) {
    rows.push({
      ...outside,
      id: "y",
      label: "output y",
      title: "output y_t of the readout",
      size: O,
    });
  }
  const initial = reverse ? "h_T+1, the initial state of this direction" : "h₀, the initial state";
  template.states.forEach((state, s) => {
    const node = template.outputs[s];
    const what = state === "h" ? "hidden state" : "cell state";
    rows.push({
      id: state,
      label: `${what.split(" ")[0]} ${state}`,
      title: `${what} ${state}_t${whose}; at the edge ${initial.replace("h", state)}`,
      kind: "units",
      size: program.hiddenSize,
      initial: true,
      node,
    });
  });
  template.nodes.forEach(({ name }, node) => {
    if (!name || template.outputs.includes(node)) return;
    const title = `${name}_t${whose}, a quantity inside each step (gate or candidate)`;
    const gate = { id: name, label: `gate ${name}`, title, initial: false, node };
    rows.push({ ...gate, kind: "strip", size: widths[node] });
  });
  const x = slotIndex(template, "x");
  if (x >= 0) {
    const bottom = program.blocks[block].sources["x"].includes("x");
    const below = bottom ? "input x_t" : "what the layer below gives this layer at step t";
    const text = bottom ? "input x" : "from below";
    rows.push({ ...outside, id: "x", label: text, title: below, size: widths[x], node: x });
  }
  rows.push({ ...outside, id: "figure", label: "", title: "", kind: "figure", size: 1 });
  return rows;
}

export function makeScene(program: Program, block: number, width: number): Scene {
  const steps = program.seqLen;
  const room = width - GUTTER;
  const initial = Math.max(26, Math.min(64, (0.55 * room) / steps));
  const widest = Math.min((room - initial) / steps, WIDEST);
  // The last column's numbers stand to its right.
  const margin = widest < NUMBERED ? 0 : Math.max(0, BESIDE - widest / 2);
  const pitch = Math.max(Math.min(widest, (room - initial - margin) / steps), NARROWEST);
  const H = program.hiddenSize;
  const unit = H <= 4 ? 28 : H <= 8 ? 22 : 15;
  const radius = Math.min(unit * 0.4, pitch * 0.26, 12);
  const rows: Placed[] = [];
  let y = 4;
  for (const row of rowsOf(program, block)) {
    if (row.kind === "units" && rows.at(-1)?.kind !== "units") y += 8;
    const grid = row.kind === "units" ? unitGrid(unit, pitch, radius) : cellGrid(row, pitch);
    const height = Math.ceil(row.size / grid.columns) * grid.cellHeight;
    rows.push({ ...row, ...grid, y, height });
    y += height + (row.kind === "units" ? 8 : GAP);
  }
  const { reverse } = program.blocks[block];
  return {
    width: GUTTER + initial + pitch * steps + margin,
    height: y,
    pitch,
    initial,
    radius,
    rows,
    steps,
    reverse,
  };
}

function unitGrid(unit: number, pitch: number, radius: number) {
  const room = unit < 14 || pitch < NUMBERED ? 0 : pitch - 2 * radius - 8;
  const grid = { columns: 1, cellWidth: pitch, cellHeight: unit };
  return { ...grid, characters: enough(room - 24), tight: enough(room) };
}

function cellGrid({ size, kind }: Row, pitch: number) {
  if (kind === "figure") {
    return {
      columns: 1,
      cellWidth: pitch,
      cellHeight: 16,
      characters: enough(pitch - 4),
      tight: 0,
    };
  }
  const room = pitch - 5;
  const wide = Math.min(54, room / size);
  const characters = enough(wide - 6);
  if (characters) {
    return { columns: size, cellWidth: wide, cellHeight: 19, characters, tight: 0 };
  }
  const columns = room / size >= 5 ? size : Math.ceil(Math.sqrt(size));
  const side = Math.min(11, room / columns);
  return { columns, cellWidth: side, cellHeight: side, characters: 0, tight: 0 };
}

/** Room in characters, none if it is too little for most numbers. */
function enough(room: number): number {
  const characters = Math.floor(room / CHARACTER);
  return characters < 6 ? 0 : Math.min(characters, 8);
}
/** The middle of a column: of a step, or, for −1 or T, of the initial state. */
export function columnX({ pitch, initial, steps, reverse }: Scene, step: number): number {
  const start = GUTTER + (reverse ? 0 : initial);
  if (step < 0) return start - initial / 2;
  if (step >= steps) return start + steps * pitch + initial / 2;
  return start + (step + 0.5) * pitch;
}

/** The step whose column is at x, null beside them. */
export function stepAt(scene: Scene, x: number): number | null {
  const step = Math.floor((x - columnX(scene, 0)) / scene.pitch + 0.5);
  return step >= 0 && step < scene.steps ? step : null;
}

/** The middle of one entry of a row. */
export function entryAt(scene: Scene, row: Placed, step: number, i: number): [number, number] {
  const x = columnX(scene, step);
  const line = Math.floor(i / row.columns);
  const y = row.y + (line + 0.5) * row.cellHeight;
  if (row.kind === "units") return [x, y];
  const shift = (i % row.columns) - (row.columns - 1) / 2;
  return [x + shift * row.cellWidth, y];
}

/** The steps of a row's columns, that of the initial state included. */
export function stepsOf({ steps, reverse }: Scene, row: Row): number[] {
  const all = Array.from({ length: steps }, (_, step) => step);
  if (!row.initial) return all;
  return reverse ? [...all, steps] : [-1, ...all];
}

/** Where the edge runs from entry j of the state that a step reads to entry i of the one it makes;
 * `heights` are those of all entries. */
export function edgeAt(
  scene: Scene,
  heights: readonly number[],
  step: number,
  i: number,
  j: number,
) {
  const from = columnX(scene, scene.reverse ? step + 1 : step - 1);
  const to = columnX(scene, step);
  const side = Math.sign(to - from) * scene.radius;
  return [from + side, heights[j], to - side, heights[i]] as const;
}

export const curved = ({ pitch }: Scene) => pitch >= 34; // narrower columns have straight edges

/** The heights of all state entries. */
export function heightsOf(scene: Scene): number[] {
  return scene.rows
    .filter((row) => row.kind === "units")
    .flatMap((row) => Array.from({ length: row.size }, (_, i) => entryAt(scene, row, 0, i)[1]));
}

/** Add an edge between two points to a path. */
export function drawEdge(
  path: Path2D,
  scene: Scene,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
): void {
  path.moveTo(x0, y0);
  if (!curved(scene)) path.lineTo(x1, y1);
  else {
    const middle = (x0 + x1) / 2;
    path.bezierCurveTo(middle, y0, middle, y1, x1, y1);
  }
}
