/** The first step that overflows, of all layers and nodes. */

import { expect, test } from "vitest";
import { programFromJson } from "../src/engine";
import { Results } from "../src/engine/quantities";
import { PROGRAM } from "./page";

test.each([
  ["in the lower layer first", [Number.POSITIVE_INFINITY, 0, Number.NaN], 0],
  ["in both at once", [0, Number.NaN, 0], 1],
  ["in neither", [0, 0, 0], null],
])("%s", (_, first, step) => {
  const program = programFromJson({ ...PROGRAM, input_size: 1, hidden_size: 1, num_layers: 2 });
  const values = Object.entries(program.leaves).map(([leaf, shape]) => {
    const size = shape.reduce((n, m) => n * m, 1);
    return [
      leaf,
      leaf === "x" ? Float64Array.from(first) : new Float64Array(size).fill(1),
    ] as const;
  });
  // tanh(∞) = 1: what has overflowed below is no number too large above.
  expect(new Results(program, Object.fromEntries(values)).overflow).toBe(step);
});
