/** How a contribution flows: shares of nodes, of states and between states. */

import { describe, expect, test } from "vitest";
import {
  contribution,
  elementCount,
  type ForwardPass,
  forward,
  nodeAdjoint,
  type Program,
  programFromJson,
  refold,
  StateJacobians,
  sweep,
} from "../src/engine";
import { Flow } from "../src/engine/flow";
import { VECTORS } from "./vectors";

function saved(file: string, name: string): Program {
  const found = VECTORS[file].find((one) => one.name === name);
  if (!found) throw new Error(`no case ${name} in ${file}`);
  return programFromJson(found.program);
}

/** Numbers in (−1, 1) that are the same every time. */
function random(program: Program): Record<string, Float64Array> {
  let state = 7;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return Object.fromEntries(
    Object.entries(program.leaves).map(([leaf, shape]) => [
      leaf,
      Float64Array.from({ length: elementCount(shape) }, next),
    ]),
  );
}

const total = (numbers: Iterable<number>) => [...numbers].reduce((sum, x) => sum + x, 0);

/** What leaves a step from its states; null where nothing can. */
function leaving(flow: Flow, { blocks }: Program, block: number, step: number): number | null {
  const shares = blocks[block].template.outputs.map((node) => flow.leaving({ block, node, step }));
  return shares.some(Boolean) ? total(shares.flatMap((one) => [...(one ?? [])])) : null;
}

/** First, middle and last entries of every parameter of a block. */
function entries({ parameters, blocks }: Program, block: number): [string, number[]][] {
  return Object.values(blocks[block].leaves).flatMap((leaf) => {
    const shape = parameters[leaf];
    if (!shape) return [];
    return [0, 0.5, 0.99].map((part): [string, number[]] => {
      return [leaf, shape.map((size) => Math.floor(part * size))];
    });
  });
}

interface Flowing {
  readonly flow: Flow;
  readonly trace: ForwardPass;
  readonly value: number;
  readonly t: number;
  readonly k: number;
}

/** The flow of every C[t, k] of some entries of a block's parameters. */
function* flows(program: Program, block = 0): Generator<Flowing> {
  const trace = forward(program, random(program));
  const swept = sweep(trace);
  const { seqLen: T } = program;
  for (const [leaf, entry] of entries(program, block)) {
    const all = contribution(swept, leaf, entry);
    for (let t = 0; t < T; t++) {
      for (let k = 0; k < T; k++) {
        const flow = new Flow(trace, { leaf, entry, lossStep: t, sourceStep: k });
        yield { flow, trace, value: all[t * T + k], t, k };
      }
    }
  }
}

describe("a case worked by hand", () => {
  // h₁ = W h₀, h₂ = W h₁, h₃ = W h₂ with W = [[1, 2], [3, 4]], h₀ = (1, 0): h₁ = (1, 3). L₃ = h₃[0]
  // + 10 h₃[1]. By step 2's copy of W[0, 1] alone: ∂h₂ = (3, 0), ∂h₃ = W (3, 0) = (3, 9), so
  // C[3, 2] = 3 + 90, and the adjoint of h₂ is Wᵀ (1, 10) = (31, 42).
  const program = refold(saved("rnn", "identity, bias False"), {
    hiddenSize: 2,
    inputSize: 1,
    seqLen: 3,
    loss: "seed",
    lossSteps: "all",
    readout: null,
  });
  const values = {
    weight_ih_l0: [0, 0],
    weight_hh_l0: [1, 2, 3, 4],
    x: [1, 1, 1],
    h0: [1, 0],
    v: [5, 5, 5, 5, 1, 10],
  };
  const trace = forward(
    program,
    Object.fromEntries(Object.entries(values).map(([leaf, x]) => [leaf, Float64Array.from(x)])),
  );
  const flow = new Flow(trace, {
    leaf: "weight_hh_l0",
    entry: [0, 1],
    lossStep: 2,
    sourceStep: 1,
  });
  const h = (step: number) => ({ block: 0, node: program.cell.outputs[0], step });

  test("has its adjoints, tangents and shares", () => {
    expect([1, 2].map((step) => [...(flow.adjoint(h(step)) ?? [])])).toEqual([
      [31, 42],
      [1, 10],
    ]);
    expect([1, 2].map((step) => [...(flow.tangent(h(step)) ?? [])])).toEqual([
      [3, 0],
      [3, 9],
    ]);
    expect([1, 2].map((step) => [...(flow.share(h(step)) ?? [])])).toEqual([
      [93, 0],
      [3, 90],
    ]);
    expect([...(flow.leaving(h(2)) ?? [])]).toEqual([3, 90]);
  });

  test("has its shares between the states, and none before the source step", () => {
    const jacobians = new StateJacobians(trace);
    expect([...(flow.between(0, 2, jacobians) ?? [])]).toEqual([3, 0, 90, 0]);
    expect(flow.between(0, 1, jacobians)).toBeNull();
    expect(flow.share(h(0))).toBeNull();
  });
});

const cells: [string, Program][] = [
  ["rnn", saved("rnn", "tanh, bias True")],
  ["gru, reset after", saved("gru", "reset after, bias True")],
  ["gru, reset before", saved("gru", "reset before, bias single")],
  ["lstm", saved("lstm", "bias True")],
  ["joined", saved("custom", "joined")],
  ["peephole", saved("custom", "peephole")],
  ["sliced", saved("custom", "sliced")],
  ["delayed", saved("custom", "delayed")],
];

const losses = [{ loss: "seed" }, { loss: "mse", readout: 2 }] as const;

describe.each(cells)("%s", (_, cell) => {
  test.each(losses)(
    "each step's states, and what passes between them, sum to C[t, k], %o",
    (changes) => {
      const program = refold(cell, { ...changes, seqLen: 4, lossSteps: "all" });
      for (const { flow, trace, value, t, k } of flows(program)) {
        const jacobians = new StateJacobians(trace);
        for (let step = 0; step < 4; step++) {
          const inside = k <= step && step <= t;
          const left = leaving(flow, program, 0, step);
          expect(left ?? 0).toBeCloseTo(inside ? value : 0, 12);
          const between = flow.between(0, step, jacobians);
          expect(total(between ?? [])).toBeCloseTo(k < step && step <= t ? value : 0, 12);
          if (!inside) expect([left, between]).toEqual([null, null]);
        }
      }
    },
  );

  test("adjoints are those of the sweep, a share is adjoint × tangent, all pass the loss", () => {
    const program = refold(cell, { seqLen: 4, loss: "sse", lossSteps: "all" });
    const swept = sweep(forward(program, random(program)));
    const top = program.blocks.length - 1;
    const loss = { block: top, node: program.blocks[top].template.outputs[0] };
    for (const { flow, value, t, k } of flows(program)) {
      if (k > t) continue;
      expect(total(flow.share({ ...loss, step: t }) ?? [])).toBeCloseTo(value, 12);
      program.cell.nodes.forEach(({ name }, node) => {
        const rows = name && nodeAdjoint(swept, 0, node);
        if (!rows) return;
        const size = program.blocks[0].widths[node];
        for (let step = k; step <= t; step++) {
          const key = { block: 0, node, step };
          const adjoint = flow.adjoint(key) ?? new Float64Array(size);
          const start = (step * 4 + t) * size;
          adjoint.forEach((a, i) => {
            expect(a).toBeCloseTo(rows[start + i], 12);
          });
          const tangent = flow.tangent(key);
          const product = tangent && flow.adjoint(key) && tangent.map((d, i) => d * adjoint[i]);
          expect(flow.share(key)).toEqual(product);
        }
      });
    }
  });

  test.each([
    { kind: "window", size: 2 },
    { kind: "chunk", size: 2 },
  ] as const)("nothing flows where it is cut, %o", (truncation) => {
    const program = refold(cell, { seqLen: 5, truncation, loss: "sum", lossSteps: "all" });
    for (const { flow, value, t, k } of flows(program)) {
      const chunk = (step: number) => Math.floor(step / 2);
      const reaches = k <= t && (truncation.kind === "window" ? t - k < 2 : chunk(t) === chunk(k));
      if (!reaches) expect(value).toBe(0);
      for (let step = 0; step < 5; step++) {
        const left = leaving(flow, program, 0, step);
        if (reaches && k <= step && step <= t) expect(left).toBeCloseTo(value, 12);
        else expect(left).toBeNull();
      }
    }
  });
});

test("in a reverse direction contributions flow from later steps to earlier losses", () => {
  const program = refold(saved("stacks", "both directions"), { seqLen: 4, lossSteps: "all" });
  for (const { flow, trace, value, t, k } of flows(program, 1)) {
    const jacobians = new StateJacobians(trace, 1);
    for (let step = 0; step < 4; step++) {
      const inside = t <= step && step <= k;
      expect(leaving(flow, program, 1, step) ?? 0).toBeCloseTo(inside ? value : 0, 12);
      const into = t <= step && step < k;
      expect(total(flow.between(1, step, jacobians) ?? [])).toBeCloseTo(into ? value : 0, 12);
      expect(leaving(flow, program, 0, step)).toBeNull();
    }
  }
});

test("in a stack what passes both layers and directions of all steps is there once each", () => {
  const program = refold(saved("stacks", "two layers"), { seqLen: 4, lossSteps: "all" });
  for (const { flow, trace, value, t, k } of flows(program, 0)) {
    // Every path from k to t < crosses from one step to the next in one of the layers.
    for (let step = k + 1; step <= t; step++) {
      const crossing = [0, 1].map((block) => {
        return total(flow.between(block, step, new StateJacobians(trace, block)) ?? []);
      });
      expect(total(crossing)).toBeCloseTo(value, 12);
    }
  }
});

test("a readout's own parameters do not flow through the states", () => {
  const program = refold(cells[0][1], { readout: 2, loss: "sse", seqLen: 3, lossSteps: "all" });
  const trace = forward(program, random(program));
  const whole = { leaf: "readout.weight", entry: [1, 2], lossStep: 2, sourceStep: 2 };
  const flow = new Flow(trace, whole);
  const y = { block: 1, node: program.blocks[1].template.outputs[0], step: 2 };
  const value = contribution(sweep(trace), "readout.weight", [1, 2])[2 * 3 + 2];
  expect(total(flow.share(y) ?? [])).toBeCloseTo(value, 12);
  expect(leaving(flow, program, 0, 2)).toBeNull();
});

test("nothing passes where a derivative is zero, though an adjoint overflows", () => {
  const program = refold(saved("rnn", "identity, bias False"), {
    ...{ hiddenSize: 2, inputSize: 1, seqLen: 4, loss: "seed", lossSteps: "all", readout: null },
  });
  const values = {
    weight_ih_l0: [0, 0],
    weight_hh_l0: [0.5, 0, 0, 1e200],
    x: [0, 0, 0, 0],
    h0: [1, 0],
    v: Array(8).fill(1),
  };
  const arrays = Object.entries(values).map(([leaf, x]) => [leaf, Float64Array.from(x)]);
  const trace = forward(program, Object.fromEntries(arrays));
  const chosen = { leaf: "weight_hh_l0", entry: [0, 0], lossStep: 3, sourceStep: 0 };
  const flow = new Flow(trace, chosen);
  expect([...(flow.between(0, 1, new StateJacobians(trace, 0)) ?? [])]).toEqual([0.125, 0, 0, 0]);
});

test("a step without a loss has no flow", () => {
  const program = refold(cells[0][1], { seqLen: 3, lossSteps: "last" });
  const trace = forward(program, random(program));
  const flow = new Flow(trace, {
    leaf: "weight_hh_l0",
    entry: [0, 1],
    lossStep: 1,
    sourceStep: 0,
  });
  expect([0, 1, 2].map((step) => leaving(flow, program, 0, step))).toEqual([null, null, null]);
});
