/** Order, gates and words of leaves, against PyTorch's documentation and hand-worked cases. */

import { describe, expect, test } from "vitest";
import { programFromJson } from "../src/engine";
import { type Changes, type Program, refold } from "../src/engine/program";
import {
  entryName,
  isIdle,
  type Leaf,
  leavesOf,
  meaning,
  openAtFirst,
  positionOf,
  rowLabel,
} from "../src/views/parameters-leaves";
import { VECTORS } from "./vectors";

function program(file: string, changes: Changes = {}, which = 0): Program {
  const plain = { numLayers: 1, bidirectional: false, readout: null, loss: "seed" as const };
  const found = programFromJson(VECTORS[file][which].program);
  return refold(found, {
    ...plain,
    inputSize: 2,
    hiddenSize: 3,
    seqLen: 6,
    truncation: null,
    lossSteps: "all",
    ...changes,
  });
}

function leaf(of: Program, name: string): Leaf {
  const found = leavesOf(of).find((one) => one.name === name);
  if (!found) throw new Error(`no leaf ${name}`);
  return found;
}

const gates = (of: Program, name: string) =>
  leaf(of, name)
    .parts.map(({ gate }) => gate)
    .join("");
const names = (of: Program) => leavesOf(of).map(({ name }) => name);

describe("gates stand in PyTorch's order", () => {
  test.each(["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"])("%s", (name) => {
    expect(gates(program("lstm"), name)).toBe("ifgo");
    for (const [i] of VECTORS["gru"].entries()) {
      const gru = program("gru", {}, i);
      if (name in gru.parameters) expect(gates(gru, name)).toBe("rzn");
    }
    expect(gates(program("rnn"), name)).toBe("");
  });

  test("each with its rows", () => {
    const rows = leaf(program("lstm"), "weight_hh_l0").parts.map(({ start, rows }) => [
      start,
      rows,
    ]);
    expect(rows).toEqual([
      [0, 3],
      [3, 3],
      [6, 3],
      [9, 3],
    ]);
  });

  test("in every layer and direction", () => {
    const stack = program("lstm", { numLayers: 2, bidirectional: true });
    expect(gates(stack, "weight_ih_l1_reverse")).toBe("ifgo");
  });
});

test("leaves come with the recurrent weights first, layer by layer, then data", () => {
  expect(names(program("lstm", { numLayers: 2, readout: 2 }))).toEqual([
    "weight_hh_l0",
    "weight_ih_l0",
    "bias_ih_l0",
    "bias_hh_l0",
    "weight_hh_l1",
    "weight_ih_l1",
    "bias_ih_l1",
    "bias_hh_l1",
    "readout.weight",
    "readout.bias",
    "x",
    "v",
    "h0",
    "c0",
  ]);
});

test("without free seeds the seeds that the loss makes come last", () => {
  for (const loss of ["sum", "sse", "mse", "cross_entropy"] as const) {
    const made = leavesOf(program("rnn", { loss })).at(-1);
    expect(made).toMatchObject({ name: "v", kind: "made", rows: 6, columns: 3 });
  }
  expect(leaf(program("rnn"), "v").kind).toBe("seed");
  expect(leaf(program("rnn", { loss: "cross_entropy" }), "target").kind).toBe("classes");
});

test("every entry has a name, from which its position can be told", () => {
  const lstm = program("lstm", { numLayers: 2 });
  for (const one of leavesOf(lstm)) {
    const count = one.rows * one.columns;
    const entries = Array.from({ length: count }, (_, at) => entryName(one, at));
    expect(new Set(entries).size).toBe(count);
    expect(entries.map((entry) => positionOf(one, entry))).toEqual([...entries.keys()]);
  }
  const hh = leaf(lstm, "weight_hh_l0");
  expect(entryName(hh, 5)).toBe("weight_hh_l0[1,2]");
  expect(entryName(leaf(lstm, "bias_ih_l0"), 5)).toBe("bias_ih_l0[5]");
  expect(positionOf(hh, "weight_hh_l1[0,0]")).toBeNull();
  expect(positionOf(hh, "weight_hh_l0")).toBeNull();
  expect(positionOf(hh, "weight_hh_l0[99,0]")).toBeNull();
});

test("entries are told in words", () => {
  const lstm = program("lstm", { numLayers: 2 });
  const said = (name: string, at: number) => meaning(leaf(lstm, name), at);
  expect(said("weight_hh_l0", 4 * 3 + 2)).toBe(
    "weight from unit 2 one step before to unit 1 of forget gate f",
  );
  expect(said("weight_ih_l0", 1)).toBe("weight from input 1 to unit 0 of input gate i");
  expect(said("weight_ih_l1", 0)).toBe(
    "weight from output 0 of the layer below to unit 0 of input gate i",
  );
  expect(said("bias_hh_l1", 11)).toBe("bias of unit 2 of output gate o");
  expect(said("x", 5)).toBe("input 1 at t = 3 (step 2 in code)");
  expect(said("c0", 4)).toBe("unit 1 of the initial state c₀");
  const rnn = program("rnn");
  expect(meaning(leaf(rnn, "weight_hh_l0"), 5)).toBe(
    "weight from unit 2 one step before to unit 1",
  );
  expect(meaning(leaf(rnn, "h0"), 2)).toBe("unit 2 of the initial state h₀");
});

test("rows are steps from 1, units from 0, or layers and directions", () => {
  const last = program("rnn", { lossSteps: "last", bidirectional: true });
  expect(rowLabel(leaf(last, "x"), 0)).toEqual({ text: "t=1", title: "t = 1 (step 0 in code)" });
  expect(rowLabel(leaf(last, "v"), 0).title).toContain("no loss");
  expect(rowLabel(leaf(last, "h0"), 1).text).toBe("l0←");
  expect(rowLabel(leaf(last, "weight_hh_l0"), 2).text).toBe("2");
  expect(isIdle(leaf(last, "v"), 4)).toBe(true);
  expect(isIdle(leaf(last, "v"), 5)).toBe(false);
  expect(isIdle(leaf(last, "x"), 0)).toBe(false);
});

test("a tiny network is open, a large one where it is moved most", () => {
  const tiny = leavesOf(program("rnn"));
  expect(openAtFirst(tiny).size).toBe(tiny.length);
  const large = openAtFirst(leavesOf(program("lstm", { hiddenSize: 8, seqLen: 16 })));
  expect([...large]).toEqual(["weight_hh_l0", "x"]);
});
