/** Sums of weighted rows and calls of backward, by hand. */

import { describe, expect, test } from "vitest";
import {
  called,
  emptied,
  gradients,
  largest,
  opened,
  type Point,
  rerun,
  type Tape,
  weightedSum,
} from "../src/seeds-math";

const rows = [
  [1, 2],
  [3, -4],
  [0, 10],
].map((row) => Float64Array.from(row));

test("rows are added one by one", () => {
  const seed = [2, 1, -0.5];
  const sums = [0, 1, 2, 3].map((count) => [...weightedSum(seed, rows, count)]);
  expect(sums).toEqual([
    [0, 0],
    [2, 4],
    [5, 0],
    [5, -5],
  ]);
  expect([...weightedSum(seed, rows)]).toEqual([5, -5]);
});

test("the sum is linear in the seed, and of a one-hot seed it is the row", () => {
  for (const [i, row] of rows.entries()) {
    expect([...weightedSum(Object.assign([0, 0, 0], { [i]: 1 }), rows)]).toEqual([...row]);
  }
  const [u, v] = [
    [0.5, -2, 3],
    [1.25, 4, -1],
  ];
  const both = weightedSum(
    u.map((x, i) => 2 * x + v[i]),
    rows,
  );
  const apart = weightedSum(u, rows).map((x, j) => 2 * x + weightedSum(v, rows)[j]);
  expect([...both]).toEqual([...apart]);
});

test("colours are measured against a round number above products and sums", () => {
  expect(largest(rows, [1, 1, 1])).toBe(10); // the third row
  expect(largest(rows, [3, 0, 0])).toBe(10); // 6
  expect(largest(rows, [1, 1, -1])).toBe(20); // 2 − 4 − 10 = −12
  expect(largest(rows, [0, 0, 0])).toBe(1);
  expect(largest([Float64Array.of(1e300)], [1e300])).toBe(1); // nothing finite to measure
});

const point = (backward: Partial<Point["backward"]>, unused: string[] = []): Point => ({
  x: [Float64Array.of(1), Float64Array.of(1)],
  z: Float64Array.of(0, 0),
  jacobian: [
    [Float64Array.of(1), Float64Array.of(2)],
    [Float64Array.of(5), Float64Array.of(7)],
  ],
  unused: new Set(unused),
  losses: new Map(),
  backward: { bare: "no scalar", again: "a second time", reached: new Set(), ...backward },
});

const NAMES = ["a", "b"];
const call = (tape: Tape, at: Point, retain: boolean, seed = [1, 1]) =>
  called(tape, at, NAMES, seed, { symbol: "z", retain });
const grads = ({ grads: all }: Tape) => all.map((grad) => grad && [...grad]);
const last = ({ lines }: Tape) => lines[lines.length - 1];

describe("calls of backward", () => {
  const start = opened(NAMES, "z = f(a, b)");

  test("add to .grad, each with its own seed", () => {
    const at = point({});
    expect(grads(start)).toEqual([null, null]);
    const once = call(start, at, true);
    expect(grads(once)).toEqual([[3], [12]]);
    const twice = call(once, at, true, [0, 10]);
    expect(grads(twice)).toEqual([[23], [82]]);
    expect(twice.added).toBe(2);
    expect(last(twice)).toEqual({ code: "z.backward(v, retain_graph=True)", error: null });
    expect(grads(once)).toEqual([[3], [12]]); // what was is not written to
  });

  test("free the graph unless it is kept", () => {
    const at = point({});
    const kept = call(call(start, at, true), at, false);
    expect(kept.freed).toBe(true);
    const failed = call(kept, at, true);
    expect(last(failed).error).toBe("a second time");
    expect(grads(failed)).toEqual(grads(kept));
    expect(failed.added).toBe(2);
    const again = call(rerun(failed, "z = f(a, b)"), at, false);
    expect(last(again).error).toBe(null);
    expect(grads(again)).toEqual([[9], [36]]);
  });

  test("need no kept graph where nothing was saved", () => {
    const at = point({ again: null });
    const twice = call(call(start, at, false), at, false);
    expect(grads(twice)).toEqual([[6], [24]]);
  });

  test("that fail have added where torch came by before", () => {
    const at = point({ reached: new Set(["b"]) });
    const failed = call(call(start, at, false), at, false);
    expect(grads(failed)).toEqual([[3], [24]]);
    expect(failed.added).toBe(1);
  });

  test("leave None what took no part, and zeroing empties the rest", () => {
    const at = point({}, ["a"]);
    const once = call(start, at, true);
    expect(grads(once)).toEqual([null, [12]]);
    const zeroed = emptied(once, "a.grad = b.grad = None");
    expect(grads(zeroed)).toEqual([null, null]);
    expect(zeroed.freed).toBe(false);
    expect(zeroed.added).toBe(0); // which is said beside .grad
    expect(grads(call(zeroed, at, true))).toEqual([null, [12]]);
  });
});

test("gradients are by argument", () => {
  expect(gradients(point({}), [1, -1]).map((g) => [...g])).toEqual([[-1], [-2]]);
  expect(gradients(point({}), [1, -1], 1).map((g) => [...g])).toEqual([[1], [5]]);
});
