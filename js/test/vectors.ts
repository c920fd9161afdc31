/// <reference types="vite/client" />
/** The test vectors that `tests/parity/vectors.py` writes, by file name. */

import type { Changes } from "../src/engine";
import type { Said } from "../src/transforms";

/** Numbers, row by row, and the largest absolute product summed to make them. */
export interface Result {
  scale: number;
  values: number[];
}

export interface Case {
  name: string;
  program: object;
  from?: object;
  changes?: Changes;
  values: Record<string, number[]>;
  losses: Result;
  outputs: Result;
  states: Record<string, Result>[];
  gradients: Record<string, Result>;
  contributions: (Result & { leaf: string; entry: number[] })[];
  whole: (Result & { leaf: string }) | null;
  adjoints: Record<string, Result>;
  terms: {
    leaf: string;
    entry: number[];
    loss_step: number;
    source_step: number;
    top: number;
    count: string;
    paths: string[];
    labels: string[];
    factors: Result;
    numbers: Result;
  } | null;
  /** Of some or all layers and directions. */
  jacobians: {
    row: number;
    step: number;
    jacobian: Result;
    blocks: Record<string, Result>;
    ends: [number, number];
    product: Result;
    singular_values: Result;
  }[];
  differences?: Record<string, Result & { kinks: boolean }>;
}

const files = import.meta.glob<Case[]>("../../tests/parity/vectors/*.json", {
  eager: true,
  import: "default",
});

export const VECTORS: Readonly<Record<string, Case[]>> = Object.fromEntries(
  Object.entries(files).map(([path, cases]) => [path.replace(/^.*\/|\.json$/g, ""), cases]),
);

/** A number; texts stand for what is not finite. */
type Written = number | "NaN" | "Infinity" | "-Infinity";

export interface QuantityCase {
  name: string;
  program: object;
  values: Record<string, number[]>;
  quantities: (Result & { text: string; shape: number[] })[];
  refused: { text: string; message: string }[];
}

/** The lab's rules: numbers and what each transform makes of them; slider reports (report, exact,
 * low, high, step) and whether they are only snapped; ranges (low, high), a value, and the range
 * grown to hold it; numbers and their short text; and what driven text says of networks. */
export interface Rules {
  transforms: Record<string, Written[]>[];
  snaps: [Written, number, number, number, number | null, boolean][];
  ranges: [number, number, number, number, number][];
  shortNumbers: [Written, string][];
  said: {
    program: object;
    values: Record<string, number[]>;
    drives: (Said & { said: string })[];
  }[];
}

const lab = import.meta.glob<object[]>("../../tests/parity/vectors/lab/*.json", {
  eager: true,
  import: "default",
});

export const QUANTITIES = lab["../../tests/parity/vectors/lab/quantities.json"] as QuantityCase[];

export const RULES: Rules = Object.assign({}, ...lab["../../tests/parity/vectors/lab/rules.json"]);
