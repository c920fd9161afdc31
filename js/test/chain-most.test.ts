/** How many terms a contribution of a network can have at most: counted over all of them. */

import { expect, test } from "vitest";
import { type Changes, programFromJson, refold } from "../src/engine";
import { forward } from "../src/engine/forward";
import { terms } from "../src/engine/paths";
import type { Program } from "../src/engine/program";
import { mostTerms } from "../src/views/chain-most";
import { type Case, VECTORS } from "./vectors";

const ENOUGH = 8;

function traced(program: Program) {
  const values = Object.entries(program.leaves).map(([leaf, shape]) => [
    leaf,
    new Float64Array(shape.reduce((n, m) => n * m, 1)),
  ]);
  return forward(program, Object.fromEntries(values));
}

/** Every entry and every C[t, k]. */
function counted(program: Program): number {
  const trace = traced(program);
  const T = program.seqLen;
  let most = 0;
  for (const [leaf, shape] of Object.entries(program.parameters)) {
    const entries = shape.reduce((n, m) => n * m, 1);
    for (let at = 0; at < entries * T * T && most < ENOUGH; at++) {
      const i = Math.floor(at / (T * T));
      const entry = shape.length > 1 ? [Math.floor(i / shape[1]), i % shape[1]] : [i];
      const [t, k] = [Math.floor(at / T) % T, at % T];
      most = Math.max(most, Number(terms(trace, leaf, entry, t, k, 1, 0).count));
    }
  }
  return Math.min(most, ENOUGH);
}

const ALL = Object.values(VECTORS)
  .flat()
  .map((one): [string, Case] => [one.name, one]);

test.each(ALL)("of %s", (_, { program: json }) => {
  const program = programFromJson(json);
  expect(mostTerms(traced(program), ENOUGH)).toBe(counted(program));
});

const TINY: Changes = { hiddenSize: 1, inputSize: 1 };

test.each([
  ["one unit has one way at every lag", "rnn", "tanh, bias True", { ...TINY, seqLen: 32 }, 1],
  ["two units, two steps", "rnn", "tanh, bias True", { hiddenSize: 2, seqLen: 2 }, 2],
  ["three units, two steps", "rnn", "tanh, bias True", { hiddenSize: 3, seqLen: 2 }, 3],
  ["two units, three steps", "rnn", "tanh, bias True", { hiddenSize: 2, seqLen: 3 }, 4],
  ["one step of an LSTM", "lstm", "bias True", { ...TINY, seqLen: 1 }, 1],
] as const)("%s", (_, file, name, changes, most) => {
  const saved = VECTORS[file].find((one) => one.name === name);
  const program = refold(programFromJson(saved?.program), {
    ...changes,
    readout: null,
    loss: "seed",
    lossSteps: "all",
  });
  expect(mostTerms(traced(program), ENOUGH)).toBe(most);
  expect(counted(program)).toBe(most);
});
