/** State Jacobians ∂s_t/∂s_{t−1} of one layer and direction, their named blocks and products. */

import type { ForwardPass } from "./forward";
import { type BlockLayout, layoutOf } from "./layout";
import { pull, type Rows } from "./ops";
import { planEdges } from "./plan";
import { slotIndex } from "./template";

/**
 * State Jacobians of one block, one per step: (S, S) with S = H, or 2H for an LSTM whose state
 * (h, c) is taken in independent coordinates. In a reverse direction the state before step t is
 * that of step t + 1. Truncation does not touch them. Pascanu, Mikolov & Bengio 2013.
 */
export class StateJacobians {
  readonly size: number;
  private readonly layout: BlockLayout;
  private readonly steps: number;
  private readonly hidden: number;
  private readonly all: Float64Array;
  private parts: Map<string, Float64Array> | null = null;

  constructor(
    private readonly trace: ForwardPass,
    block = 0,
  ) {
    this.layout = layoutOf(trace.program).blocks[block];
    if (!this.layout?.block.template.states.length) {
      throw new Error(`block ${block} has no state, so no state Jacobians`);
    }
    this.steps = trace.program.seqLen;
    this.hidden = trace.program.hiddenSize;
    this.size = this.hidden * this.layout.block.template.states.length;
    this.all = this.sumOverPaths(new Map())[0];
  }

  /** J_t, (S, S). */
  at(t: number): Float64Array {
    return this.matrix(this.all, this.checked(t), this.size);
  }

  /**
   * Named blocks of J_t, (H, H) each. LSTM: "h→h", "h→c", "c→h", "c→c" (the forget gate's
   * carousel). GRU and custom cells with named gates: "skip", "via z", …, the paths from h_{t−1}
   * by the first gate that they meet; they sum to J_t. Otherwise "h→h", the whole.
   */
  blocks(t: number): Record<string, Float64Array> {
    this.checked(t);
    this.parts ??= this.findParts();
    const blocks: Record<string, Float64Array> = {};
    for (const [name, part] of this.parts) blocks[name] = this.matrix(part, t, this.hidden);
    return blocks;
  }

  /** ∂s_t/∂s_k = J_t J_{t−1} … J_{k+1}; k goes back to −1, in a reverse direction up to T. */
  product(t: number, k: number): Float64Array {
    const { reverse } = this.layout.block;
    const [first, last] = reverse ? [this.checked(t), this.steps] : [-1, this.checked(t)];
    if (!Number.isInteger(k) || k < first || k > last) {
      throw new Error(`for t=${t} the other step k goes from ${first} to ${last}, not ${k}`);
    }
    const n = this.size;
    let result: Float64Array = new Float64Array(n * n);
    for (let i = 0; i < n; i++) result[i * n + i] = 1;
    for (let j = t; j !== k; j += reverse ? 1 : -1) result = multiply(result, this.at(j), n);
    return result;
  }

  /** Singular values of J_t, or of `product(t, k)`, descending. */
  singularValues(t: number, k?: number): Float64Array {
    const matrix = k === undefined ? this.at(t) : this.product(t, k);
    if (!matrix.every(Number.isFinite)) {
      throw new Error(`∂s_${t}/∂s has overflowed; it has no singular values`);
    }
    return singularValues(matrix, this.size);
  }

  private checked(t: number): number {
    if (!Number.isInteger(t) || t < 0 || t >= this.steps) {
      throw new Error(`step ${t} does not exist; the steps are 0 to ${this.steps - 1}`);
    }
    return t;
  }

  private matrix(all: Float64Array, t: number, n: number): Float64Array {
    return all.slice(t * n * n, (t + 1) * n * n);
  }

  private findParts(): Map<string, Float64Array> {
    const { template } = this.layout.block;
    if (template.states.length > 1) return this.stateParts(template.states);
    const isGru = this.trace.program.cell.name.startsWith("gru");
    const gates = new Map<number, string>();
    template.nodes.forEach(({ name }, i) => {
      if (!name || !template.dynamic[i] || template.outputs.includes(i)) return;
      gates.set(i, isGru && name === "n" ? "candidate" : name);
    });
    if (!gates.size) return new Map([["h→h", this.all]]);
    const [skip, ...via] = this.sumOverPaths(gates);
    const names = [...new Set(gates.values())];
    return new Map([["skip", skip], ...names.map((name, g) => [`via ${name}`, via[g]] as const)]);
  }

  private stateParts(states: readonly string[]): Map<string, Float64Array> {
    const { hidden: H, size: S, steps } = this;
    const parts = new Map<string, Float64Array>();
    states.forEach((source, column) => {
      states.forEach((target, row) => {
        const part = new Float64Array(steps * H * H);
        for (let i = 0; i < steps * H; i++) {
          const p = (Math.floor(i / H) * S + row * H + (i % H)) * S + column * H;
          part.set(this.all.subarray(p, p + H), i * H);
        }
        parts.set(`${source}→${target}`, part);
      });
    });
    return parts;
  }

  /** J of all steps by the first gate that a path from s_{t−1} meets: no gate, then each name. */
  private sumOverPaths(gates: ReadonlyMap<number, string>): Float64Array[] {
    const { layout, hidden: H, size: S, steps, trace } = this;
    const { template } = layout.block;
    const names = [...new Set(gates.values())];
    const rows = (1 + names.length) * S; // S rows for each group of paths
    let reserved = 0;
    const reserve = (width: number): Rows => {
      reserved += width * rows;
      return { offset: reserved - width * rows, size: width };
    };
    const { nodes, edges } = planEdges(layout, template.outputs, reserve, false);
    const adjoints = new Float64Array(reserved);
    const results = [0, ...names].map(() => new Float64Array(steps * S * S));
    for (let t = 0; t < steps; t++) {
      adjoints.fill(0);
      template.outputs.forEach((out, s) => {
        const { offset } = nodes[out] as Rows;
        for (let i = 0; i < H; i++) adjoints[offset + (s * H + i) * H + i] = 1;
      });
      let node = -1;
      for (const edge of edges) {
        const gate = gates.get(edge.node);
        if (edge.node !== node && gate) {
          gather(adjoints, edge.from, S, names.length, names.indexOf(gate) + 1);
        }
        node = edge.node;
        pull(edge, trace.data, adjoints, t, 0, rows);
      }
      template.states.forEach((state, s) => {
        const place = nodes[slotIndex(template, state)];
        if (!place) return;
        for (let i = 0; i < rows; i++) {
          const p = place.offset + i * H;
          const q = (t * S + (i % S)) * S + s * H;
          results[Math.floor(i / S)].set(adjoints.subarray(p, p + H), q);
        }
      });
    }
    return results;
  }
}

/** Move what all groups of paths bring to a gate into the gate's own group. */
function gather(
  adjoints: Float64Array,
  { offset, size }: Rows,
  S: number,
  groups: number,
  to: number,
): void {
  for (let i = 0; i < S * size; i++) {
    let sum = 0;
    for (let group = 0; group <= groups; group++) {
      sum += adjoints[offset + group * S * size + i];
      adjoints[offset + group * S * size + i] = 0;
    }
    adjoints[offset + to * S * size + i] = sum;
  }
}

function multiply(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let m = 0; m < n; m++) {
      const factor = a[i * n + m];
      for (let j = 0; j < n; j++) result[i * n + j] += factor * b[m * n + j];
    }
  }
  return result;
}

/** Singular values of an n × n matrix, descending, by one-sided Jacobi rotations of its rows. */
export function singularValues(matrix: Float64Array, n: number): Float64Array {
  if (!matrix.every(Number.isFinite)) {
    throw new Error("a matrix that is not finite has no singular values");
  }
  const largest = matrix.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  if (largest === 0) return new Float64Array(n);
  const a = matrix.map((x) => x / largest);
  for (let sweeps = 0, turned = true; turned && sweeps < 60; sweeps++) {
    turned = false;
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) turned = rotate(a, n, p * n, q * n) || turned;
    }
  }
  const values = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    values[i] = largest * Math.hypot(...a.subarray(i * n, (i + 1) * n));
  }
  return values.sort().reverse();
}

/** Make two rows orthogonal; false if they are so already. */
function rotate(a: Float64Array, n: number, p: number, q: number): boolean {
  let pp = 0;
  let qq = 0;
  let pq = 0;
  for (let j = 0; j < n; j++) {
    pp += a[p + j] * a[p + j];
    qq += a[q + j] * a[q + j];
    pq += a[p + j] * a[q + j];
  }
  if (Math.abs(pq) <= 1e-15 * Math.sqrt(pp * qq) || pq === 0) return false;
  const zeta = (qq - pp) / (2 * pq);
  const tangent = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const cosine = 1 / Math.hypot(1, tangent);
  const sine = cosine * tangent;
  for (let j = 0; j < n; j++) {
    const x = a[p + j];
    a[p + j] = cosine * x - sine * a[q + j];
    a[q + j] = sine * x + cosine * a[q + j];
  }
  return true;
}
