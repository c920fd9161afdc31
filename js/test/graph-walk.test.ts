/** The lines of the step-through: formulas and numbers worked by hand. */

import { describe, expect, test } from "vitest";
import { type Changes, programFromJson, refold } from "../src/engine";
import { parseEntry, Results } from "../src/engine/quantities";
import { walk } from "../src/engine/walk";
import { introduces, isPreactivation, label, meaning } from "../src/views/graph-preactivation";
import { tell } from "../src/views/graph-telling";
import { VECTORS } from "./vectors";

interface Situation {
  readonly file: string;
  readonly name: string;
  readonly changes: Changes;
  readonly values?: Record<string, number[]>;
  readonly entry?: string;
  readonly t?: number;
  readonly block?: number;
}

/** All lines of a walk; what is not given is zero. */
function lines({ file, name, changes, values = {}, entry = "", t = 1, block = 0 }: Situation) {
  const saved = VECTORS[file].find((one) => one.name === name);
  const program = refold(programFromJson(saved?.program), changes);
  const filled = Object.entries(program.leaves).map(([leaf, shape]) => {
    const size = shape.reduce((n, m) => n * m, 1);
    return [leaf, Float64Array.from(values[leaf] ?? Array(size).fill(0))] as const;
  });
  const results = new Results(program, Object.fromEntries(filled));
  const { leaf, index } = entry ? parseEntry(entry, program.parameters) : { leaf: "", index: [] };
  const focus = { entry, leaf, index, t, k: 0 };
  const operations = walk(program, block, t, leaf, index);
  return operations.map((operation) => tell(results, block, focus, operation));
}

/** Without their numbers. */
const formulas = (situation: Situation) =>
  lines(situation).map((line) => line.replace(/ = [^=]*$/, ""));

const SMALL = { hiddenSize: 1, inputSize: 1, seqLen: 2, loss: "seed", lossSteps: "all" } as const;

test("an identity RNN, forward and backward, with its contributions", () => {
  const values = { weight_ih_l0: [3], weight_hh_l0: [2], x: [1, 2], h0: [0.5], v: [1, 10] };
  const all = lines({
    file: "rnn",
    name: "identity, bias False",
    changes: { ...SMALL, readout: null },
    values,
    entry: "weight_hh_l0[0,0]",
  });
  expect(all).toEqual([
    "h₁ = weight_ih_l0 x₁ + weight_hh_l0 h₀ = 4.00",
    "L₁ = v₁ · h₁ = 4.00",
    "h₂ = weight_ih_l0 x₂ + weight_hh_l0 h₁ = 14.0",
    "L₂ = v₂ · h₂ = 140",
    "v₂ = ∂L₂/∂h₂ = the seed as given = 10.0",
    "δh₂ = v₂ = 10.0",
    "C[t = 2, k = 2] of weight_hh_l0[0,0] = δh₂[0] · h₁[0] = 10.0 · 4.00 = 40.0",
    "δx₂ = weight_ih_l0ᵀ δh₂ = 30.0",
    "δh₁ = weight_hh_l0ᵀ δh₂ = 20.0",
    "C[t = 2, k = 1] of weight_hh_l0[0,0] = δh₁[0] · h₀[0] = 20.0 · 0.500 = 10.0",
    "δx₁ = weight_ih_l0ᵀ δh₁ = 60.0",
    "δh₀ = weight_hh_l0ᵀ δh₁ = 40.0",
  ]);
});

test("tanh has its pre-activation as an operation of its own", () => {
  const all = formulas({
    file: "rnn",
    name: "tanh, bias True",
    changes: { ...SMALL, readout: 1, loss: "sse" },
  });
  expect(all).toEqual([
    "a₁ = weight_ih_l0 x₁ + bias_ih_l0 + weight_hh_l0 h₀ + bias_hh_l0",
    "h₁ = tanh(a₁)",
    "y₁ = readout.weight h₁ + readout.bias",
    "L₁ = Σ (y₁ − target₁)²",
    "a₂ = weight_ih_l0 x₂ + bias_ih_l0 + weight_hh_l0 h₁ + bias_hh_l0",
    "h₂ = tanh(a₂)",
    "y₂ = readout.weight h₂ + readout.bias",
    "L₂ = Σ (y₂ − target₂)²",
    "v₂ = ∂L₂/∂y₂ = 2 (y₂ − target₂)",
    "δh₂ = readout.weightᵀ v₂",
    "δa₂ = (1 − h₂²) ⊙ δh₂",
    "δx₂ = weight_ih_l0ᵀ δa₂",
    "δh₁ = weight_hh_l0ᵀ δa₂",
    "δa₁ = (1 − h₁²) ⊙ δh₁",
    "δx₁ = weight_ih_l0ᵀ δa₁",
    "δh₀ = weight_hh_l0ᵀ δa₁",
  ]);
});

describe("cells with gates", () => {
  test("an LSTM", () => {
    const all = formulas({
      file: "lstm",
      name: "bias False",
      changes: { ...SMALL, readout: null },
    });
    expect(all.slice(0, 7)).toEqual([
      "a₁ = weight_ih_l0 x₁ + weight_hh_l0 h₀",
      "i₁ = σ(a₁[0:1])",
      "f₁ = σ(a₁[1:2])",
      "g₁ = tanh(a₁[2:3])",
      "o₁ = σ(a₁[3:4])",
      "c₁ = f₁ ⊙ c₀ + i₁ ⊙ g₁",
      "h₁ = o₁ ⊙ tanh(c₁)",
    ]);
    expect(all.slice(-10)).toEqual([
      "δh₁ = weight_hh_l0ᵀ δa₂",
      "δc₁ = (1 − tanh(c₁)²) ⊙ o₁ ⊙ δh₁ + f₂ ⊙ δc₂",
      "δo₁ = tanh(c₁) ⊙ δh₁",
      "δg₁ = i₁ ⊙ δc₁",
      "δf₁ = c₀ ⊙ δc₁",
      "δi₁ = g₁ ⊙ δc₁",
      "δa₁ = (i₁ ⊙ (1 − i₁) ⊙ δi₁, f₁ ⊙ (1 − f₁) ⊙ δf₁, (1 − g₁²) ⊙ δg₁, o₁ ⊙ (1 − o₁) ⊙ δo₁)",
      "δx₁ = weight_ih_l0ᵀ δa₁",
      "δh₀ = weight_hh_l0ᵀ δa₁",
      "δc₀ = f₁ ⊙ δc₁",
    ]);
  });

  test("a GRU, whose reset acts after the product", () => {
    const all = formulas({
      file: "gru",
      name: "reset after, bias False",
      changes: { ...SMALL, readout: null },
    });
    expect(all.slice(0, 7)).toEqual([
      "a_r₁ = (weight_ih_l0 x₁)[0:1] + (weight_hh_l0 h₀)[0:1]",
      "r₁ = σ(a_r₁)",
      "a_n₁ = (weight_ih_l0 x₁)[2:3] + r₁ ⊙ (weight_hh_l0 h₀)[2:3]",
      "n₁ = tanh(a_n₁)",
      "a_z₁ = (weight_ih_l0 x₁)[1:2] + (weight_hh_l0 h₀)[1:2]",
      "z₁ = σ(a_z₁)",
      "h₁ = (1 − z₁) ⊙ n₁ + z₁ ⊙ h₀",
    ]);
    expect(all.filter((line) => /^δ[hzra].*₁ = /.test(line))).toEqual([
      "δh₁ = weight_hh_l0ᵀ (δa_r₂, δa_z₂, r₂ ⊙ δa_n₂) + z₂ ⊙ δh₂",
      "δz₁ = −n₁ ⊙ δh₁ + h₀ ⊙ δh₁",
      "δa_z₁ = z₁ ⊙ (1 − z₁) ⊙ δz₁",
      "δa_n₁ = (1 − n₁²) ⊙ δn₁",
      "δr₁ = (weight_hh_l0 h₀)[2:3] ⊙ δa_n₁",
      "δa_r₁ = r₁ ⊙ (1 − r₁) ⊙ δr₁",
    ]);
  });
});

test("where the backward pass is cut it ends", () => {
  const all = formulas({
    file: "rnn",
    name: "identity, bias False",
    changes: { ...SMALL, seqLen: 3, readout: null, truncation: { kind: "window", size: 2 } },
    t: 2,
  });
  expect(all.filter((line) => line.startsWith("δh"))).toEqual([
    "δh₃ = v₃",
    "δh₂ = weight_hh_l0ᵀ δh₃",
  ]);
});

test("a window may leave out the initial state", () => {
  const all = formulas({
    file: "rnn",
    name: "identity, bias False",
    changes: { ...SMALL, readout: null, truncation: { kind: "window", size: 2 } },
  });
  expect(all.filter((line) => line.startsWith("δh"))).toEqual([
    "δh₂ = v₂",
    "δh₁ = weight_hh_l0ᵀ δh₂",
  ]);
});

test("a reverse direction begins at the last step", () => {
  const all = formulas({
    file: "stacks",
    name: "both directions",
    changes: { ...SMALL, readout: null },
    t: 0,
    block: 1,
  });
  expect(all).toContain("part of δx₁ = weight_ih_l0_reverseᵀ δa₁");
  const own = all.filter((line) => /^δ?h/.test(line));
  expect(own).toEqual([
    "h₂ = tanh(a₂)",
    "h₁ = tanh(a₁)",
    "δh₁ = v₁[1:2]",
    "δh₂ = weight_hh_l0_reverseᵀ δa₁",
    "δh₀ = weight_hh_l0_reverseᵀ δa₂",
  ]);
});

test("a lower layer takes what the layer above hands down", () => {
  const all = formulas({
    file: "stacks",
    name: "two layers",
    changes: { ...SMALL, readout: null },
  });
  expect(all.filter((line) => line.startsWith("δh"))).toEqual([
    "δh₂ = (from layer 1 above)",
    "δh₁ = (from layer 1 above) + weight_hh_l0ᵀ δa₂",
    "δh₀ = weight_hh_l0ᵀ δa₁",
  ]);
});

test("what another layer makes is told in words", () => {
  const stack = { file: "stacks", name: "two layers", changes: { ...SMALL, readout: null } };
  const upper = lines({
    ...stack,
    block: 1,
    entry: "weight_ih_l1[0,0]",
    values: { bias_ih_l0: [0.5], v: [0, 1] },
  });
  const formula = (start: string) => upper.find((line) => line.startsWith(start));
  expect(formula("a₂ = ")).toContain("weight_ih_l1 (h₂ of layer 0) + ");
  expect(formula("L₂ = ")).toContain("L₂ = v₂ · (h₂ of layer 1) = ");
  expect(formula("C[t = 2, k = 2]")).toContain("= δa₂[0] · (h₂[0] of layer 0) = 1.00 · 0.462");
});

test("a step without a loss has no backward pass", () => {
  const all = lines({
    file: "rnn",
    name: "identity, bias False",
    changes: { ...SMALL, lossSteps: "last", readout: null },
    t: 0,
  });
  expect(all.some((line) => line.startsWith("δ"))).toBe(false);
});

describe("the adjoint of a pre-activation, which no other panel names", () => {
  const walked = (file: string, name: string) => {
    const saved = VECTORS[file].find((one) => one.name === name);
    const program = refold(programFromJson(saved?.program), { ...SMALL, readout: null });
    return { program, all: walk(program, 0, 1) };
  };

  test("is introduced where the walk first computes it, and there alone", () => {
    for (const [file, name] of [
      ["rnn", "tanh, bias True"],
      ["lstm", "bias False"],
      ["gru", "reset after, bias False"],
    ]) {
      const { program, all } = walked(file, name);
      const found = all.filter((one) => introduces(program, all, one));
      expect(found).toHaveLength(1);
      expect([found[0].phase, found[0].step]).toEqual(["backward", 1]);
      expect(found[0].name).toMatch(/^a/);
      expect(all.slice(0, all.indexOf(found[0])).some((one) => one.phase === "backward")).toBe(
        true,
      );
    }
  });

  test("is told in a few words and, on hovering, in a sentence", () => {
    const { program, all } = walked("rnn", "tanh, bias True");
    const first = all.find((one) => introduces(program, all, one)) as (typeof all)[number];
    expect(label(program, 1, first)).toBe("adjoint of the pre-activation a₂");
    expect(meaning(program, 1, first)).toBe(
      "δa₂ = ∂L₂/∂a₂ is the adjoint of a₂, the pre-activation: the sum that tanh is taken of; " +
        "what step 2's use of each weight adds is read off it",
    );
    expect(meaning(program, 1, all[0])).toBe(
      "a₁ is the pre-activation: the sum that tanh is taken of",
    );
  });

  test("of gates in a stack is what each of them is taken of", () => {
    const { program, all } = walked("lstm", "bias False");
    const first = all.find((one) => introduces(program, all, one)) as (typeof all)[number];
    expect(meaning(program, 1, first)).toContain("the sum that σ and tanh are taken of");
  });

  test("is none in a cell that has no activation", () => {
    const { program, all } = walked("rnn", "identity, bias False");
    expect(all.some((one) => isPreactivation(program, one))).toBe(false);
  });
});
