import { expect } from "vitest";
import type { Result } from "./vectors";

const TOLERANCE = 1e-11;

/** The numbers are Python's within the tolerance of their scale. */
export function expectClose(
  found: ArrayLike<number>,
  { scale, values }: Result,
  what: string,
): void {
  expect(found.length, what).toBe(values.length);
  const worst = values.reduce((most, value, i) => Math.max(most, Math.abs(found[i] - value)), 0);
  expect(worst / scale, what).toBeLessThanOrEqual(TOLERANCE);
}
