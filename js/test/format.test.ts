/** How numbers are written: one way in all panels, however little room there is. */

import { describe, expect, test } from "vitest";
import {
  allDigits,
  cellName,
  commonPower,
  fitting,
  powerText,
  shifted,
  threeDigits,
} from "../src/format";

test.each([
  [1, "1.00"],
  [0.5, "0.500"],
  [-0.645, "−0.645"],
  [0.999_996, "1.00"],
  [12.34, "12.3"],
  [1234, "1234"],
  [98_765, "98765"],
  [123_456, "1.23e5"],
  [0.001_06, "0.00106"],
  [5e-5, "5.00e−5"],
  [-1e-12, "−1.00e−12"],
  [1e12, "1.00e12"],
  [0, "0"],
  [-0, "0"],
  [Number.NaN, "nan"],
  [Number.NEGATIVE_INFINITY, "−∞"],
] as const)("%f is %s", (x, text) => {
  expect(threeDigits(x)).toBe(text);
});

test.each([
  [0.137, 6, "0.137"],
  [0.137, 5, "0.14"],
  [-0.137, 6, "−0.137"],
  [-0.137, 5, "−0.14"],
  [0.0316, 7, "0.0316"],
  [0.0316, 6, "0.032"],
  [-0.031_62, 6, "−0.032"],
  [-0.004_26, 7, "−0.0043"],
  [-0.004_26, 6, "−0.004"],
  [-0.004_26, 5, "−4e−3"],
  [0.000_316_1, 8, "3.16e−4"],
  [1.5e-7, 7, "1.5e−7"],
  [-1.234e-12, 8, "−1.2e−12"],
  [-1.234e-12, 6, "−1e−12"],
  [1e12, 7, "1.0e12"],
  [123_456, 3, "1e5"],
  [123_456, 2, ""],
  [-6.2e-7, 3, ""],
  [12.34, 5, "12.3"],
  [1234, 5, "1234"],
  [1234, 4, "1e3"],
  [0.999_996, 4, "1.0"],
  [0, 3, "0"],
  [0, 1, "0"],
  [Number.NaN, 3, "nan"],
  [Number.NEGATIVE_INFINITY, 3, "−∞"],
] as const)("%f in %i characters is %s", (x, room, text) => {
  expect(fitting(x, room)).toBe(text);
});

describe("in any room", () => {
  const numbers = [1, 0.645, 0.0739, 0.001_06, 7.4e-5, 12.3, 999.6, 31_622, 1e-300, 1e300];
  const rooms = [1, 2, 3, 4, 5, 6, 7, 8, 9];

  test("a number and its negative have as many digits, wherever both can be written", () => {
    for (const x of numbers) {
      for (const room of rooms) {
        const [plus, minus] = [fitting(x, room), fitting(-x, room)];
        expect(plus.length).toBeLessThanOrEqual(room);
        expect(minus.length).toBeLessThanOrEqual(room);
        if (minus) expect(minus).toBe(`−${plus}`);
      }
    }
  });

  test("what is written is the number, and begins with a digit", () => {
    for (const x of numbers) {
      for (const room of rooms.slice(5)) {
        const text = fitting(x, room);
        expect(text).toMatch(/^\d/);
        expect(Math.abs(Number(text.replace("−", "-")) / x - 1)).toBeLessThan(0.5);
      }
    }
  });
});

test("hover texts have every digit and a true minus", () => {
  expect(allDigits(-0.1 - 0.2)).toBe("−0.30000000000000004");
  expect(allDigits(1e-7)).toBe("1e−7");
});

test("a contribution is named as states are, by steps from 1", () => {
  expect(cellName({ t: 2, k: 1 })).toBe("C₃,₂");
  expect(cellName({ t: 11, k: 0 })).toBe("C₁₂,₁");
});

describe("numbers of one matrix", () => {
  test.each([
    [[0.5, -0.25, 1, 0], 0, ["0.500", "−0.250", "1.00", "0"]],
    [[0.003_14, 0.013_2], -2, ["0.314", "1.32"]],
    [[0.171, 0.0388], 0, ["0.171", "0.0388"]],
    [[0.003_14, -2.72], 0, ["0.0031", "−2.72"]],
    [[0.000_314, -2.72], 0, ["3.1e−4", "−2.72"]],
    [[1.5e-9, -2.25e-7], -7, ["0.0150", "−2.25"]],
    [[4.25e12, 1e11], 12, ["4.25", "0.100"]],
    [[0, 0], 0, ["0", "0"]],
    [[Number.NaN, 0.001], -3, ["nan", "1.00"]],
  ] as const)("%j have three digits, with 10^%i before them", (numbers, power, texts) => {
    const found = commonPower(numbers, 7);
    expect(found).toBe(power);
    expect(numbers.map((x) => fitting(shifted(x, found), 7))).toEqual(texts);
  });

  test("keep three digits over five decades", () => {
    const numbers = [1.234e-4, -12.34];
    const power = commonPower(numbers, 6);
    for (const x of numbers)
      expect(fitting(shifted(x, power), 6)).toBe(threeDigits(shifted(x, power)));
  });

  test("are moved by powers of ten exactly", () => {
    expect(shifted(0.003, -3)).toBe(3);
    expect(shifted(5e-324, -324)).toBe(5);
    expect(shifted(-1e308, 308)).toBe(-1);
    expect([-3, 12].map(powerText)).toEqual(["×10⁻³", "×10¹²"]);
  });
});
