/** How paths are written: what tells terms apart is seen, however little room there is. */

import { describe, expect, test } from "vitest";
import type { Term } from "../src/engine/paths";
import { pathTexts } from "../src/views/chain-paths";

const term = (path: string, ...labels: string[]): Term => ({
  value: 1,
  factors: labels.map((label) => [label, 1]),
  path: path.split(" "),
});

const LSTM = [
  term("L₈ h₈[0] c₈[0] c₇[0] c₆[0] c₅[0] g₅[0] w[6,0]@5"),
  term("L₈ h₈[0] c₈[0] c₇[0] c₆[0] o₆[0] h₅[0] c₅[0] g₅[0] w[6,0]@5"),
  term("L₈ h₈[1] c₈[1] c₇[1] f₇[1] h₆[0] c₆[0] c₅[0] g₅[0] w[6,0]@5"),
];

test("paths are written out where there is room", () => {
  expect(pathTexts(LSTM, 100)[0]).toBe(LSTM[0].path.join(" → "));
});

test("what all share gives way, then a state step by step is one", () => {
  expect(pathTexts(LSTM, 75)).toEqual([
    "L₈ → h₈[0] → c₈[0] → c₇[0] → c₆[0] → ⋯",
    "L₈ → h₈[0] → c₈[0] → c₇[0] → c₆[0] → o₆[0] → h₅[0] → ⋯",
    "L₈ → h₈[1] → c₈[1] → c₇[1] → f₇[1] → h₆[0] → c₆[0] → ⋯",
  ]);
  expect(pathTexts(LSTM, 40)).toEqual([
    "L₈ → h₈[0] → c₈…c₆[0] → ⋯",
    "L₈ → h₈[0] → c₈…c₆[0] → o₆[0] → h₅[0] → ⋯",
    "L₈ → h₈[1] → c₈…c₇[1] → f₇[1] → h₆[0] → c₆[0] → ⋯",
  ]);
});

test("of units by turns each is written", () => {
  const turns = [term("L₄ h₄[2] h₃[2] h₂[0] h₁[0] w"), term("L₄ h₄[2] h₃[1] h₂[1] h₁[0] w")];
  expect(pathTexts(turns, 10)).toEqual(["L₄ → ⋯ → h₃…h₂[2 0] → ⋯", "L₄ → ⋯ → h₃…h₂[1] → ⋯"]);
});

describe("terms along the same names", () => {
  test("are told apart by a derivative", () => {
    const path = "L₃ h₃[0] z₃[0] h₂[0] w";
    const both = [term(path, "−n₃[0]", "x"), term(path, "h₂[0]", "x")];
    expect(pathTexts(both, 80)).toEqual([
      "L₃ → h₃[0] → z₃[0] → h₂[0] → w (× −n₃[0])",
      "L₃ → h₃[0] → z₃[0] → h₂[0] → w (× h₂[0])",
    ]);
  });
});

test("one term alone keeps what lies between", () => {
  expect(pathTexts([term("L₄ h₄[0] h₃[0] w")], 8)).toEqual(["L₄ → h₄…h₃[0] → w"]);
});

test("there may be none", () => {
  expect(pathTexts([], 50)).toEqual([]);
});
