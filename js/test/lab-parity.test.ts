/** What the lab draws is what Python computes, on the vectors of `tests/parity/lab_vectors.py`. */

import { describe, expect, test } from "vitest";
import { programFromJson } from "../src/engine";
import { parseQuantity, Results } from "../src/engine/quantities";
import { shortNumber } from "../src/format";
import { grown, onlySnapped } from "../src/sliders";
import { said, type Transform, transformed } from "../src/transforms";
import { expectClose } from "./close";
import { QUANTITIES, RULES } from "./vectors";

describe.each(QUANTITIES)("$name", ({ program: saved, values, quantities, refused }) => {
  const program = programFromJson(saved);
  const results = new Results(
    program,
    Object.fromEntries(
      Object.entries(values).map(([leaf, numbers]) => [leaf, Float64Array.from(numbers)]),
    ),
  );

  test.each(quantities)("$text", ({ text, shape, ...result }) => {
    const found = results.quantity(text);
    expect(found.shape).toEqual(shape);
    expectClose(found.data, result, text);
  });

  test.each(refused)("no quantity: '$text'", ({ text, message }) => {
    expect(() => parseQuantity(text, program)).toThrow(new Error(message));
  });
});

test.each(RULES.transforms)("transforms of $numbers", ({ shape, numbers, ...expected }) => {
  const data = Float64Array.from(numbers, Number);
  for (const [transform, after] of Object.entries(expected)) {
    const found = transformed({ data, shape: shape.map(Number) }, transform as Transform);
    expect([...found.data], transform).toEqual(after.map(Number));
  }
});

test.each(RULES.snaps)("%d is reported for %d in %d to %d by %d: only snapped: %s", (...given) => {
  const [report, exact, low, high, step, snapped] = given;
  expect(onlySnapped(Number(report), exact, low, high, step)).toBe(snapped);
});

test.each(RULES.ranges)("%d to %d grows to hold %d: %d to %d", (low, high, value, ...after) => {
  expect(grown(low, high, value)).toEqual(after);
});

test.each(RULES.shortNumbers)("%s is written %s", (number, text) => {
  expect(shortNumber(Number(number))).toBe(text);
});

describe.each(RULES.said)("text", ({ program: saved, values, drives }) => {
  const program = programFromJson(saved);
  const arrays = Object.entries(values).map(([leaf, list]) => [leaf, Float64Array.from(list)]);
  const results = new Results(program, Object.fromEntries(arrays));

  test.each(drives)("$said", (drive) => {
    let numbers = null;
    try {
      numbers = results.quantity(drive.quantity);
    } catch {} // it does not exist
    expect(said(drive, numbers, () => results.overflow)).toBe(drive.said);
  });
});
