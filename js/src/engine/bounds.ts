/** How large a contribution can be at most: the product of norms along its way. */

import { StateJacobians } from "./jacobians";
import { norm } from "./norms";
import { pull, type Rows } from "./ops";
import { type BlockPlan, findUses, planEdges, planOf } from "./plan";
import type { Sweep } from "./sweep";

/**
 * What ‖C[t, k]‖ of a parameter, or |C[t, k]| of an entry, cannot exceed, (T, T):
 * Σ_j ‖d_{t,j}‖ σ(J_j) … σ(J_{k+1}) ‖∂⁺s_k/∂θ‖, with d_{t,j} the adjoint through which L_t reaches
 * the state of step j other than through the layer's next step, and σ the largest singular value.
 * NaN where a state Jacobian on the way is not finite. After Pascanu, Mikolov & Bengio 2013,
 * section 2.1.
 */
export function bound(swept: Sweep, leaf: string, index: readonly number[]): Float64Array {
  const { seqLen: T, lossSteps } = swept.program;
  const L = lossSteps.length;
  const result = new Float64Array(T * T);
  planOf(swept.program).blocks.forEach((plan, b) => {
    if (!Object.values(plan.layout.block.leaves).includes(leaf)) return;
    const arriving = arrivingNorms(swept, b);
    const own = immediateNorms(swept, plan, leaf, index);
    for (let k = 0; k < T; k++) {
      for (let r = 0; r < L; r++) result[lossSteps[r] * T + k] += arriving[k * L + r] * own[k];
    }
  });
  return result;
}

/** (T, L): the bound of ‖∂L_t/∂s_k‖. */
function arrivingNorms({ program, trace, data }: Sweep, b: number): Float64Array {
  const { seqLen: T, lossSteps } = program;
  const L = lossSteps.length;
  const { reaching, kept, layout } = planOf(program).blocks[b];
  const result = Float64Array.from({ length: T * L }, (_, i) =>
    norm(
      data.subarray(reaching.offset + i * reaching.size, reaching.offset + (i + 1) * reaching.size),
    ),
  );
  const { template, reverse } = layout.block;
  if (!template.states.length) return result;
  const jacobians = new StateJacobians(trace, b);
  const S = jacobians.size;
  for (let n = T - 2; n >= 0; n--) {
    const k = reverse ? T - 1 - n : n;
    const later = reverse ? k - 1 : k + 1;
    const matrix = jacobians.at(later);
    const rows = Array.from({ length: S }, (_, i) => matrix.subarray(i * S, (i + 1) * S));
    const sigma = largestSingularValue(rows, S);
    for (let r = 0; r < L; r++) {
      const passing = kept ? result[later * L + r] * kept[later * L + r] : result[later * L + r];
      result[k * L + r] += sigma * passing;
    }
  }
  return result;
}

/** (T,): the largest singular value of ∂⁺s_k/∂θ, or more where a step uses a row of θ twice. */
function immediateNorms(
  { program, trace }: Sweep,
  { layout }: BlockPlan,
  leaf: string,
  index: readonly number[],
): Float64Array {
  const { outputs } = layout.block.template;
  const widths = outputs.map((i) => layout.nodes[i].size);
  const S = widths.reduce((sum, width) => sum + width);
  let size = 0;
  const reserve = (width: number): Rows => {
    size += width * S;
    return { offset: size - width * S, size: width };
  };
  const { nodes, edges } = planEdges(layout, outputs, reserve, false);
  const uses = findUses(layout, nodes).filter((use) => use.leaf === leaf);
  const times = new Int32Array(program.parameters[leaf][0]);
  for (const { start, adjoint } of uses) {
    for (let i = 0; i < adjoint.size; i++) times[start + i] += 1;
  }
  // (a + b)² ≤ 2 (a² + b²) for a row used twice
  const most = index.length ? times[index[0]] : Math.max(...times);
  const adjoints = new Float64Array(size);
  return Float64Array.from({ length: program.seqLen }, (_, k) => {
    adjoints.fill(0);
    let first = 0;
    outputs.forEach((out, s) => {
      const { offset } = nodes[out] as Rows;
      for (let i = 0; i < widths[s]; i++) adjoints[offset + (first + i) * widths[s] + i] = 1;
      first += widths[s];
    });
    for (const edge of edges) pull(edge, trace.data, adjoints, k, 0, S);
    const columns: Float64Array[] = []; // derivatives by a row of θ but for its factor x
    for (const { start, adjoint, x } of uses) {
      const input = x ? trace.data.subarray(x.offset + k * x.stride).subarray(0, x.size) : ONE;
      const factor = index.length && x ? Math.abs(input[index[1]]) : norm(input);
      for (let i = 0; i < adjoint.size; i++) {
        if (index.length && start + i !== index[0]) continue;
        const at = (s: number) => adjoints[adjoint.offset + s * adjoint.size + i] * factor;
        columns.push(Float64Array.from({ length: S }, (_, s) => at(s)));
      }
    }
    return Math.sqrt(most) * largestSingularValue(columns, S);
  });
}

const ONE = Float64Array.of(1);

/** Of the matrix with these columns of S numbers; NaN if one is not finite. */
function largestSingularValue(columns: readonly Float64Array[], S: number): number {
  const scale = norm(Float64Array.from(columns, norm));
  if (!Number.isFinite(scale)) return Number.NaN;
  if (columns.length === 1 || scale === 0) return scale;
  const products = new Float64Array(S * S);
  for (const column of columns) {
    for (let i = 0; i < S; i++) {
      const factor = column[i] / scale / scale;
      for (let j = 0; j <= i; j++) products[i * S + j] += factor * column[j];
    }
  }
  return scale * Math.sqrt(largestEigenvalue(products, S));
}

/** Of a symmetric n × n matrix without negative ones, of which the lower triangle is read. */
export function largestEigenvalue(matrix: Float64Array, n: number): number {
  const [diagonal, beside] = tridiagonal(matrix, n);
  let low = 0;
  let high = 0;
  for (let i = 0; i < n; i++) {
    low = Math.max(low, diagonal[i]);
    const reach = Math.abs(beside[i - 1] ?? 0) + Math.abs(beside[i] ?? 0);
    high = Math.max(high, diagonal[i] + reach); // Gershgorin's circles
  }
  // All eigenvalues lie below x where every pivot of T − x is negative (Sturm).
  const above = (x: number) => {
    let pivot = diagonal[0] - x;
    for (let i = 1; i < n && pivot < 0; i++) {
      pivot = diagonal[i] - x - (beside[i - 1] * beside[i - 1]) / pivot;
    }
    return pivot < 0;
  };
  for (let middle = (low + high) / 2; low < middle && middle < high; middle = (low + high) / 2) {
    if (above(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** Householder's reduction: the diagonal (n,) and what stands beside it (n − 1,). */
function tridiagonal(matrix: Float64Array, n: number): [Float64Array, Float64Array] {
  const a = matrix.slice();
  const beside = new Float64Array(Math.max(n - 1, 0));
  const image = new Float64Array(n);
  for (let k = n - 1; k > 0; k--) {
    const row = a.subarray(k * n, k * n + k); // made zero but for its last number
    const length = norm(row);
    beside[k - 1] = row[k - 1] > 0 ? -length : length;
    if (length === 0) continue;
    row[k - 1] -= beside[k - 1];
    const half = norm(row) ** 2 / 2;
    if (half === 0) continue;
    let along = 0;
    for (let i = 0; i < k; i++) {
      let sum = 0;
      for (let j = 0; j < k; j++) sum += (j <= i ? a[i * n + j] : a[j * n + i]) * row[j];
      image[i] = sum / half;
      along += image[i] * row[i];
    }
    for (let i = 0; i < k; i++) image[i] -= (along / half / 2) * row[i];
    for (let i = 0; i < k; i++) {
      for (let j = 0; j <= i; j++) a[i * n + j] -= row[i] * image[j] + image[i] * row[j];
    }
  }
  return [Float64Array.from({ length: n }, (_, i) => a[i * n + i]), beside];
}
