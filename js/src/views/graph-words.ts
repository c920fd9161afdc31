/** What a number of the graph is called. */

import { subscript } from "../engine/labels";
import { readers } from "./graph-formulas";
import { ofLayer } from "./graph-layers";
import type { Picture } from "./graph-numbers";
import type { Row } from "./graph-scene";
import type { GraphState } from "./graph-state";

/** A row's label and what it says when pointed at: what a lens shows in it. */
export function rowName(state: GraphState, picture: Picture, row: Row): readonly [string, string] {
  const { id, label, title } = row;
  const inside = row.node >= 0;
  if (picture.lens === "values" || id === "v") return [label, title];
  if (picture.lens === "adjoints" && (inside || id === "y")) {
    const loss = state.position.value === null ? "L" : `L${subscript(state.focus.value.t + 1)}`;
    const part = picture.part === "total" || !inside ? "" : `, ${picture.part} part`;
    return [`∂${loss}/∂${id}`, `∂${loss}/∂${id}_t${part}, the adjoint of: ${title}`];
  }
  if (picture.lens === "flow" && (id === "y" || (inside && id !== "x"))) {
    return [`via ${id}`, `share of C[t, k] that passes: ${title}`];
  }
  return [id === "L" ? label : `${id} (value)`, `${title}: its value in every lens`];
}

/** Whether a row's colours are not those of the legend. */
export function onOwnScale({ rows, limit }: Picture, { id }: Row): boolean {
  const drawn = rows.get(id);
  return drawn !== undefined && drawn.colored !== "none" && drawn.limit !== limit;
}

/** Such as `h₃`. */
function symbol(state: GraphState, row: Row, step: number): string {
  const initial = step < 0 || step >= state.program.value.seqLen;
  return `${row.id}${subscript(initial ? 0 : step + 1)}`;
}

/** Of which layer a row is, where there are several. */
function whose(state: GraphState, row: Row): string {
  const inside = row.node >= 0 && row.id !== "x";
  return inside ? ofLayer(state.program.value, state.block.value) : "";
}

/** What a lens makes of a symbol. */
function viewed(state: GraphState, picture: Picture, row: Row, name: string): string {
  const { entry, t, k } = state.focus.value;
  const inside = row.node >= 0;
  if (picture.lens === "adjoints" && inside) {
    const walking = state.position.value !== null;
    const loss = walking ? `L${subscript(t + 1)}` : "L";
    const part = picture.part === "total" ? "" : `, ${picture.part} part`;
    const shared = row.id === "x" && readers(state.program.value, state.block.value) > 1;
    return `∂${loss}/∂${name}${part}${shared ? ", what this direction adds to it" : ""}`;
  }
  if (picture.lens === "flow" && (row.kind !== "cells" || row.id === "y")) {
    return `share of C[t = ${t + 1}, k = ${k + 1}] of ${entry} that passes ${name}`;
  }
  return row.id === "v" ? `seed ${name} = ∂L/∂${name.replace("v", "y")}` : name;
}

export function groupName(state: GraphState, picture: Picture, row: Row, step: number): string {
  return viewed(state, picture, row, symbol(state, row, step) + whose(state, row));
}

export function numberName(
  state: GraphState,
  picture: Picture,
  row: Row,
  step: number,
  i: number,
): string {
  const index = row.id === "L" ? "" : `[${i}]`;
  const { seqLen } = state.program.value;
  const where =
    step < 0 || step >= seqLen ? "initial state" : `t = ${step + 1}, step ${step} in code`;
  return `${viewed(state, picture, row, symbol(state, row, step) + index + whose(state, row))} (${where})`;
}
