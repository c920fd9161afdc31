/** Matrices drawn and made, against known ones and the properties they are named after. */

import { describe, expect, test } from "vitest";
import {
  identity,
  normal,
  orthogonal,
  pythonList,
  spectralRadius,
  transposed,
  uniform,
} from "../src/matrices";

/** The product of two square matrices, written out. */
function product(a: Float64Array, b: Float64Array): number[] {
  const n = Math.sqrt(a.length);
  return Array.from({ length: n * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return Array.from({ length: n }, (_, m) => a[i * n + m] * b[m * n + j]).reduce((x, y) => x + y);
  });
}

describe("the spectral radius", () => {
  const golden = (1 + Math.sqrt(5)) / 2;
  test.each([
    ["a number", [-3], 3],
    ["a diagonal", [0.5, 0, 0, -2], 2],
    ["a rotation: complex eigenvalues", [0.6, -0.8, 0.8, 0.6], 1],
    ["Fibonacci's matrix", [1, 1, 1, 0], golden],
    ["a nilpotent one", [0, 1, 0, 0], 0],
    ["a companion of λ³ − 6λ² + 11λ − 6", [6, -11, 6, 1, 0, 0, 0, 1, 0], 3],
    ["a cycle of three", [0, 0, 8, 1, 0, 0, 0, 1, 0], 2],
    ["zero", [0, 0, 0, 0], 0],
    ["huge numbers", [1e300, 0, 0, 2e300], 2e300],
    ["tiny numbers", [1e-300, 0, 0, 2e-300], 2e-300],
  ])("of %s", (_, square, radius) => {
    const found = spectralRadius(Float64Array.from(square));
    if (radius === 0) expect(found).toBeCloseTo(0, 12);
    else expect(found / radius).toBeCloseTo(1, 12);
  });

  test("of what is no number is none", () => {
    expect(spectralRadius(Float64Array.of(1, Number.NaN, 0, 1))).toBeNaN();
  });

  test("of a product with a number is the product", () => {
    const square = normal(25, 3, "");
    expect(spectralRadius(square.map((x) => -2.5 * x))).toBeCloseTo(
      2.5 * spectralRadius(square),
      10,
    );
  });
});

describe("an orthogonal matrix", () => {
  test.each([1, 2, 3, 8, 16])("of size %i has QᵀQ = 1", (n) => {
    const q = orthogonal(n, 7, "weight_hh_l0");
    const worst = product(transposed(q, n), q).map((x, at) => Math.abs(x - identity(n)[at]));
    expect(Math.max(...worst)).toBeLessThan(1e-13);
    expect(spectralRadius(q)).toBeCloseTo(1, 12);
  });

  test("turns and reflects alike: its corner has no preferred sign", () => {
    const corners = Array.from({ length: 200 }, (_, seed) => orthogonal(2, seed, "")[0]);
    const positive = corners.filter((x) => x > 0).length;
    expect(positive).toBeGreaterThan(70);
    expect(positive).toBeLessThan(130);
  });
});

describe("draws", () => {
  test("are the same for the same seed, and others for another seed or leaf", () => {
    expect(uniform(6, 1, 4, "w")).toEqual(uniform(6, 1, 4, "w"));
    expect(normal(6, 4, "w")).toEqual(normal(6, 4, "w"));
    expect(uniform(6, 1, 4, "w")).not.toEqual(uniform(6, 1, 5, "w"));
    expect(uniform(6, 1, 4, "w")).not.toEqual(uniform(6, 1, 4, "x"));
  });

  test("have the mean and spread they are named after", () => {
    const moments = (numbers: Float64Array) => {
      const mean = numbers.reduce((sum, x) => sum + x) / numbers.length;
      return [mean, numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length];
    };
    const even = uniform(20_000, 0.5, 1, "");
    const [evenMean, evenSpread] = moments(even);
    expect(Math.abs(evenMean)).toBeLessThan(0.01);
    expect(evenSpread).toBeCloseTo(1 / 12, 2);
    expect(Math.max(...even.map(Math.abs))).toBeLessThanOrEqual(0.5);
    const [mean, spread] = moments(normal(20_000, 1, ""));
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(spread - 1)).toBeLessThan(0.05);
  });

  test("of neighbouring seeds are not alike", () => {
    const first = Array.from({ length: 50 }, (_, seed) => uniform(1, 1, seed, "w")[0]);
    expect(Math.max(...first)).toBeGreaterThan(0.7);
    expect(Math.min(...first)).toBeLessThan(-0.7);
  });
});

test("a transpose turns rows into columns", () => {
  expect([...transposed(Float64Array.of(1, 2, 3, 4, 5, 6), 2)]).toEqual([1, 4, 2, 5, 3, 6]);
});

test("a list is written as Python reads it, every digit of it", () => {
  const numbers = Float64Array.of(1, -0.1, 1e-12, 1e21, -0, Number.NaN);
  expect(pythonList(numbers, [2, 3])).toBe('[[1.0, -0.1, 1e-12],\n [1e+21, -0.0, float("nan")]]');
  expect(pythonList(numbers.slice(0, 2), [2])).toBe("[1.0, -0.1]");
});
