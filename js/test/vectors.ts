/// <reference types="vite/client" />
/** The test vectors that `tests/parity/vectors.py` writes, by file name. */

import type { Changes } from "../src/engine";

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
  whole: Result & { leaf: string };
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
  jacobians: {
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
