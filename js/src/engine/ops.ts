/**
 * The operations: each with its value and its local derivatives, side by side, in the order of
 * `core/ops.py`.
 *
 * All numbers of a forward pass lie in one Float64Array; a `Slot` says where. An operation fills
 * its result for step k and, where a local derivative is not simply another vector's value, that
 * derivative too (`own[position]`). A local derivative is never a full Jacobian but one of a few
 * kinds; `pull` applies its transpose to adjoints, and `paths` reads single entries off it:
 *
 *     identity  I
 *     scale     s·I
 *     diagonal  diag(d)                        d at the slot
 *     matrix    W (m, n)                       W at the slot, row by row
 *     outer     ∂out[i]/∂W[i, j] = x[j]        x at the slot
 *     row       r, a single row                r at the slot
 *     slice     picks arg[start…]
 *     place     puts arg at out[start…]
 */

/** Where a vector lies: at `offset + k * stride` for step k. A parameter has stride 0. */
export interface Slot {
  readonly offset: number;
  readonly stride: number;
  readonly size: number;
}

export type Kind =
  | "identity"
  | "scale"
  | "diagonal"
  | "matrix"
  | "outer"
  | "row"
  | "slice"
  | "place";

/** A local derivative ∂out/∂arg; which fields count depends on its kind. */
export interface LocalDerivative {
  readonly kind: Kind;
  readonly slot: Slot;
  readonly scale: number;
  readonly start: number;
}

/** One operation of a block with its operands' places; unused attributes are 0. */
export interface Call {
  readonly op: Op;
  readonly out: Slot;
  readonly args: readonly Slot[];
  readonly own: readonly Slot[];
  readonly scale: number;
  readonly shift: number;
  readonly start: number;
}

export interface Op {
  /** How many arguments it takes, null for any number. */
  readonly arity: number | null;
  /** Positions of the arguments whose derivative it computes itself. */
  readonly derives?: readonly number[];
  /** Fills the result, and the derivatives of its own, for step k. */
  readonly value: (a: Float64Array, call: Call, k: number) => void;
  readonly partials: (call: Call) => readonly LocalDerivative[];
}

const NOWHERE: Slot = { offset: 0, stride: 0, size: 0 };

export const IDENTITY = partial("identity");
const NEGATED = partial("scale", NOWHERE, -1);

export function partial(kind: Kind, slot = NOWHERE, scale = 1, start = 0): LocalDerivative {
  return { kind, slot, scale, start };
}

function at(slot: Slot, k: number): number {
  return slot.offset + k * slot.stride;
}

const add: Op = {
  arity: 2,
  value(a, { out, args }, k) {
    const o = at(out, k);
    const p = at(args[0], k);
    const q = at(args[1], k);
    for (let j = 0; j < out.size; j++) a[o + j] = a[p + j] + a[q + j];
  },
  partials: () => [IDENTITY, IDENTITY],
};

const sub: Op = {
  arity: 2,
  value(a, { out, args }, k) {
    const o = at(out, k);
    const p = at(args[0], k);
    const q = at(args[1], k);
    for (let j = 0; j < out.size; j++) a[o + j] = a[p + j] - a[q + j];
  },
  partials: () => [IDENTITY, NEGATED],
};

const mul: Op = {
  arity: 2,
  value(a, { out, args }, k) {
    const o = at(out, k);
    const p = at(args[0], k);
    const q = at(args[1], k);
    for (let j = 0; j < out.size; j++) a[o + j] = a[p + j] * a[q + j];
  },
  partials: ({ args }) => [partial("diagonal", args[1]), partial("diagonal", args[0])],
};

const affine: Op = {
  arity: 1,
  value(a, { out, args, scale, shift }, k) {
    const o = at(out, k);
    const p = at(args[0], k);
    for (let j = 0; j < out.size; j++) a[o + j] = a[p + j] * scale + shift;
  },
  partials: ({ scale }) => [partial("scale", NOWHERE, scale)],
};

const matvec: Op = {
  arity: 2,
  value(a, { out, args }, k) {
    const o = at(out, k);
    const x = at(args[1], k);
    const n = args[1].size;
    let w = args[0].offset;
    for (let i = 0; i < out.size; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += a[w++] * a[x + j];
      a[o + i] = sum;
    }
  },
  partials: ({ args }) => [partial("outer", args[1]), partial("matrix", args[0])],
};

const slice: Op = {
  arity: 1,
  value(a, { out, args, start }, k) {
    const o = at(out, k);
    const p = at(args[0], k) + start;
    for (let j = 0; j < out.size; j++) a[o + j] = a[p + j];
  },
  partials: ({ start }) => [partial("slice", NOWHERE, 1, start)],
};

const concat: Op = {
  arity: null,
  value(a, { out, args }, k) {
    let o = at(out, k);
    for (let i = 0; i < args.length; i++) {
      const p = at(args[i], k);
      for (let j = 0; j < args[i].size; j++) a[o++] = a[p + j];
    }
  },
  partials({ args }) {
    let start = 0;
    return args.map(({ size }) => {
      start += size;
      return partial("place", NOWHERE, 1, start - size);
    });
  },
};

const tanh: Op = {
  arity: 1,
  derives: [0],
  value(a, { out, args, own }, k) {
    const o = at(out, k);
    const p = at(args[0], k);
    const d = at(own[0], k);
    for (let j = 0; j < out.size; j++) {
      const y = Math.tanh(a[p + j]);
      a[o + j] = y;
      a[d + j] = 1 - y * y;
    }
  },
  partials: ({ own }) => [partial("diagonal", own[0])],
};

const sigmoid: Op = {
  arity: 1,
  derives: [0],
  value(a, { out, args, own }, k) {
    const o = at(out, k);
    const p = at(args[0], k);
    const d = at(own[0], k);
    for (let j = 0; j < out.size; j++) {
      const y = 1 / (Math.exp(-a[p + j]) + 1);
      a[o + j] = y;
      a[d + j] = y * (1 - y);
    }
  },
  partials: ({ own }) => [partial("diagonal", own[0])],
};

const relu: Op = {
  arity: 1,
  derives: [0],
  value(a, { out, args, own }, k) {
    const o = at(out, k);
    const p = at(args[0], k);
    const d = at(own[0], k);
    for (let j = 0; j < out.size; j++) {
      a[o + j] = Math.max(a[p + j], 0);
      a[d + j] = a[p + j] > 0 ? 1 : 0;
    }
  },
  partials: ({ own }) => [partial("diagonal", own[0])],
};

const dot: Op = {
  arity: 2,
  value(a, { out, args }, k) {
    const p = at(args[0], k);
    const q = at(args[1], k);
    let sum = 0;
    for (let j = 0; j < args[0].size; j++) sum += a[p + j] * a[q + j];
    a[at(out, k)] = sum;
  },
  partials: ({ args }) => [partial("row", args[1]), partial("row", args[0])],
};

const sum: Op = {
  arity: 1,
  derives: [0],
  value(a, { out, args, own }, k) {
    const p = at(args[0], k);
    const d = at(own[0], k);
    let total = 0;
    for (let j = 0; j < args[0].size; j++) {
      total += a[p + j];
      a[d + j] = 1;
    }
    a[at(out, k)] = total;
  },
  partials: ({ own }) => [partial("row", own[0])],
};

/** Squares of y − target times a weight: 1 for the sum, 1/n for the mean. */
function squares(weigh: (n: number) => number): Op {
  return {
    arity: 2,
    derives: [0, 1],
    value(a, { out, args, own }, k) {
      const n = args[0].size;
      const p = at(args[0], k);
      const q = at(args[1], k);
      const dy = at(own[0], k);
      const dt = at(own[1], k);
      const weight = weigh(n);
      let total = 0;
      for (let j = 0; j < n; j++) {
        const error = a[p + j] - a[q + j];
        total += error * error;
        a[dy + j] = 2 * weight * error;
        a[dt + j] = -a[dy + j];
      }
      a[at(out, k)] = total * weight;
    },
    partials: ({ own }) => [partial("row", own[0]), partial("row", own[1])],
  };
}

const sse = squares(() => 1);

const mse = squares((n) => 1 / n);

const crossEntropy: Op = {
  arity: 2,
  derives: [0, 1],
  value(a, { out, args, own }, k) {
    const n = args[0].size;
    const y = at(args[0], k);
    const onehot = at(args[1], k);
    const dy = at(own[0], k);
    const dOnehot = at(own[1], k);
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < n; j++) largest = Math.max(largest, a[y + j]);
    let norm = 0;
    for (let j = 0; j < n; j++) norm += Math.exp(a[y + j] - largest);
    const logNorm = Math.log(norm);
    let total = 0;
    for (let j = 0; j < n; j++) {
      const logP = a[y + j] - largest - logNorm;
      total += a[onehot + j] * logP;
      a[dy + j] = Math.exp(logP) - a[onehot + j];
      a[dOnehot + j] = -logP;
    }
    a[at(out, k)] = -total;
  },
  partials: ({ own }) => [partial("row", own[0]), partial("row", own[1])],
};

export const OPS: ReadonlyMap<string, Op> = new Map([
  ["add", add],
  ["sub", sub],
  ["mul", mul],
  ["affine", affine],
  ["matvec", matvec],
  ["slice", slice],
  ["concat", concat],
  ["tanh", tanh],
  ["sigmoid", sigmoid],
  ["relu", relu],
  ["dot", dot],
  ["sum", sum],
  ["sse", sse],
  ["mse", mse],
  ["cross_entropy", crossEntropy],
]);

/** Where adjoints of a node lie: row r at `offset + r * size`. */
export interface Rows {
  readonly offset: number;
  readonly size: number;
}

/** The way of adjoints from a result, the node `node`, back to an argument. */
export interface Edge {
  readonly node: number;
  readonly from: Rows;
  readonly to: Rows;
  readonly partial: LocalDerivative;
}

/**
 * Vector-Jacobian product: add to the argument's adjoints what rows `first` to `last − 1` of the
 * result's adjoints bring, with the local derivatives of step k.
 */
export function pull(
  edge: Edge,
  values: Float64Array,
  adjoints: Float64Array,
  k: number,
  first: number,
  last: number,
): void {
  const { kind, slot, scale, start } = edge.partial;
  const m = edge.from.size;
  const n = edge.to.size;
  const data = slot.offset + k * slot.stride;
  let p = edge.from.offset + first * m;
  let q = edge.to.offset + first * n;
  switch (kind) {
    case "identity":
    case "scale":
      for (const end = p + (last - first) * m; p < end; p++, q++) {
        adjoints[q] += adjoints[p] * scale;
      }
      return;
    case "diagonal":
      for (let r = first; r < last; r++) {
        for (let j = 0; j < n; j++, p++, q++) adjoints[q] += adjoints[p] * values[data + j];
      }
      return;
    case "row":
      for (let r = first; r < last; r++, p++) {
        for (let j = 0; j < n; j++, q++) adjoints[q] += adjoints[p] * values[data + j];
      }
      return;
    case "matrix":
      for (let r = first; r < last; r++, q += n) {
        let w = data;
        for (let i = 0; i < m; i++, p++) {
          const adjoint = adjoints[p];
          for (let j = 0; j < n; j++, w++) adjoints[q + j] += adjoint * values[w];
        }
      }
      return;
    case "slice":
      for (let r = first; r < last; r++, q += n) {
        for (let j = 0; j < m; j++, p++) adjoints[q + start + j] += adjoints[p];
      }
      return;
    case "place":
      for (let r = first; r < last; r++, p += m) {
        for (let j = 0; j < n; j++, q++) adjoints[q] += adjoints[p + start + j];
      }
      return;
    case "outer":
      throw new Error("a matrix receives contributions, not adjoints");
  }
}
