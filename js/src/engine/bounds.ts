/** How large a contribution can be at most: the product of norms along its way. */

import { StateJacobians, singularValues } from "./jacobians";
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
  for (let n = T - 2; n >= 0; n--) {
    const k = reverse ? T - 1 - n : n;
    const later = reverse ? k - 1 : k + 1;
    const matrix = jacobians.at(later);
    const sigma = matrix.every(Number.isFinite) ? jacobians.singularValues(later)[0] : Number.NaN;
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

/** Of the matrix with these columns, through that matrix times its transpose. */
function largestSingularValue(columns: readonly Float64Array[], S: number): number {
  const sizes = columns.map(norm);
  const scale = norm(Float64Array.from(sizes));
  if (columns.length === 1 || scale === 0 || !Number.isFinite(scale)) return scale;
  const products = new Float64Array(S * S);
  for (const column of columns) {
    for (let i = 0; i < S; i++) {
      const factor = column[i] / scale;
      for (let j = 0; j < S; j++) products[i * S + j] += factor * (column[j] / scale);
    }
  }
  return scale * Math.sqrt(singularValues(products, S)[0]);
}
