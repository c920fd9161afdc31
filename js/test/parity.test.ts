/** The engine agrees with Python's, on the vectors that `tests/parity/vectors.py` writes. */

import { describe, expect, test } from "vitest";
import {
  adjoints,
  centralDifferences,
  contribution,
  forward,
  gradients,
  outputs,
  programFromJson,
  programToJson,
  refold,
  StateJacobians,
  stateValues,
  sweep,
  terms,
} from "../src/engine";
import { expectClose } from "./close";
import { VECTORS } from "./vectors";

function concatenated(arrays: Float64Array[]): number[] {
  return arrays.flatMap((array) => [...array]);
}

for (const [file, cases] of Object.entries(VECTORS)) {
  describe.each(cases)(`${file} $name`, (expected) => {
    const saved = programFromJson(expected.program);
    const program =
      expected.from && expected.changes
        ? refold(programFromJson(expected.from), expected.changes)
        : saved;
    const values = Object.fromEntries(
      Object.entries(expected.values).map(([leaf, numbers]) => [leaf, Float64Array.from(numbers)]),
    );
    const trace = forward(program, values);
    const swept = sweep(trace);
    const layers = expected.states.map((_, block) => block);

    test("the program reads back as it was written", () => {
      expect(JSON.parse(JSON.stringify(programToJson(program)))).toEqual(expected.program);
    });

    test("forward", () => {
      expectClose(trace.losses, expected.losses, "losses");
      expectClose(outputs(trace), expected.outputs, "outputs");
      expected.states.forEach((states, block) => {
        for (const [state, result] of Object.entries(states)) {
          expectClose(stateValues(trace, block, state), result, state);
        }
      });
    });

    test("gradients", () => {
      const found = gradients(swept);
      expect(Object.keys(found)).toEqual(Object.keys(expected.gradients));
      for (const [leaf, result] of Object.entries(expected.gradients)) {
        expectClose(found[leaf], result, leaf);
      }
    });

    test("contributions", () => {
      for (const { leaf, entry, ...result } of expected.contributions) {
        expectClose(contribution(swept, leaf, entry), result, `${leaf}[${entry}]`);
      }
      if (!expected.whole) return;
      const { leaf, ...result } = expected.whole;
      expectClose(contribution(swept, leaf), result, leaf);
    });

    test("adjoints", () => {
      const found = layers.map((block) => adjoints(swept, block));
      for (const [name, result] of Object.entries(expected.adjoints)) {
        const [state, kind] = name.split(".") as [string, "direct" | "carried" | "total"];
        expectClose(concatenated(found.map((of) => of[state][kind])), result, name);
      }
    });

    test("terms", () => {
      if (!expected.terms) return;
      const { leaf, entry, loss_step: t, source_step: k, top, count, numbers } = expected.terms;
      const total = contribution(swept, leaf, entry)[t * program.seqLen + k];
      const found = terms(trace, leaf, entry, t, k, top, total);
      expect(String(found.count)).toBe(count);
      expect(found.terms.map(({ path }) => path.join(" | "))).toEqual(expected.terms.paths);
      expect(found.terms.map(({ factors }) => factors.map(([label]) => label).join(" | "))).toEqual(
        expected.terms.labels,
      );
      const factors = found.terms.flatMap((term) => term.factors.map(([, value]) => value));
      expectClose(factors, expected.terms.factors, "factors");
      const { terms: ranked, remainder, gross } = found;
      expectClose([...ranked.map(({ value }) => value), total, remainder, gross], numbers, "terms");
    });

    test("Jacobians", () => {
      for (const result of expected.jacobians) {
        const jacobians = new StateJacobians(trace, result.row);
        const [t, k] = result.ends;
        expectClose(jacobians.at(result.step), result.jacobian, "jacobian");
        expectClose(jacobians.product(t, k), result.product, "product");
        expectClose(jacobians.singularValues(t, k), result.singular_values, "singular values");
        const blocks = jacobians.blocks(result.step);
        expect(Object.keys(blocks)).toEqual(Object.keys(result.blocks));
        for (const [name, part] of Object.entries(result.blocks)) {
          expectClose(blocks[name], part, name);
        }
      }
    });

    test("central differences", () => {
      if (!expected.differences) return;
      const found = centralDifferences(program, values, Object.keys(expected.differences));
      for (const [leaf, { kinks, ...result }] of Object.entries(expected.differences)) {
        expectClose(found.values[leaf], result, leaf);
        expect(found.kinks[leaf].includes(1), leaf).toBe(kinks);
      }
    });
  });
}
