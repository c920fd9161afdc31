/** Properties of the engine that need no witness from Python. */

import { describe, expect, test, vi } from "vitest";
import {
  adjoints,
  centralDifference,
  centralDifferences,
  contribution,
  contributions,
  elementCount,
  forward,
  gradients,
  type Program,
  programFromJson,
  programToJson,
  refold,
  StateJacobians,
  singularValues,
  sweep,
  terms,
  type Values,
} from "../src/engine";
import { largestEigenvalue } from "../src/engine/bounds";
import { OPS } from "../src/engine/ops";
import { VECTORS } from "./vectors";

/** A program that Python saved, by the file and the name of its test vector. */
function saved(file: string, name: string): Program {
  const found = VECTORS[file].find((one) => one.name === name);
  if (!found) throw new Error(`no case ${name} in ${file}`);
  return programFromJson(found.program);
}

/** Numbers in (−1, 1) that are the same every time. */
function random(program: Program, seed = 1): Record<string, Float64Array> {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  const values: Record<string, Float64Array> = {};
  for (const [leaf, shape] of Object.entries(program.leaves)) {
    values[leaf] = Float64Array.from({ length: elementCount(shape) }, next);
  }
  return values;
}

const rnn = saved("rnn", "tanh, bias True");
const lstm = saved("lstm", "bias True");
const gru = saved("gru", "reset after, bias True");
const stack = saved("stacks", "two layers");
const both = saved("stacks", "both directions");
const cells: [string, Program][] = [
  ["rnn", rnn],
  ["lstm", lstm],
  ["gru", gru],
  ["stack", stack],
  ["both directions", both],
  ["joined", saved("custom", "joined")],
  ["peephole", saved("custom", "peephole")],
  ["sliced", saved("custom", "sliced")],
  ["delayed", saved("custom", "delayed")],
];

function sweepOf(program: Program, values: Values) {
  return sweep(forward(program, values));
}

describe.each(cells)("%s", (_, program) => {
  const values = random(program);
  const swept = sweepOf(program, values);
  const steps = program.seqLen;

  test.each([null, { kind: "window", size: 2 }, { kind: "chunk", size: 2 }] as const)(
    "gradients are central differences, truncation %o",
    (truncation) => {
      const cut = refold(program, { truncation, loss: "sse", seqLen: 4 });
      const leaves = random(cut);
      const found = gradients(sweepOf(cut, leaves));
      const names = Object.keys(found);
      const { values: estimates, kinks } = centralDifferences(cut, leaves, names);
      for (const name of names) {
        found[name].forEach((gradient, i) => {
          if (!kinks[name][i]) expect(gradient, `${name} ${i}`).toBeCloseTo(estimates[name][i], 7);
        });
      }
    },
  );

  test("contributions sum to the gradient, entry by entry", () => {
    const found = gradients(swept);
    for (const [leaf, all] of Object.entries(contributions(swept))) {
      const shape = program.parameters[leaf];
      const width = elementCount(shape);
      for (let i = 0; i < width; i++) {
        const entry = shape.length === 1 ? [i] : [Math.floor(i / shape[1]), i % shape[1]];
        const one = contribution(swept, leaf, entry);
        expect([...one]).toEqual(Array.from(one, (_, tk) => all[tk * width + i]));
        expect(one.reduce((sum, c) => sum + c, 0)).toBeCloseTo(found[leaf][i], 13);
      }
    }
  });

  test("no contribution from a step after the loss, in one direction", () => {
    let later = 0;
    for (const all of Object.values(contributions(swept))) {
      const width = all.length / steps ** 2;
      all.forEach((value, i) => {
        const t = Math.floor(i / width / steps);
        if (Math.floor(i / width) % steps > t) later += Math.abs(value);
      });
    }
    if (program.bidirectional) expect(later).toBeGreaterThan(0);
    else expect(later).toBe(0);
  });

  test("zero seed, zero everything", () => {
    const still = refold(program, { loss: "seed" });
    const leaves = { ...random(still), v: new Float64Array(steps * still.outputSize) };
    const zero = sweepOf(still, leaves);
    const numbers = [...Object.values(gradients(zero)), ...Object.values(contributions(zero))];
    expect(numbers.every((array) => array.every((x) => x === 0))).toBe(true);
  });

  test("direct and carried adjoints sum to the total; nothing is carried to the last step", () => {
    for (const { direct, carried, total } of Object.values(adjoints(swept, 0))) {
      total.forEach((x, i) => {
        expect(direct[i] + carried[i]).toBeCloseTo(x, 13);
      });
      expect(carried.slice(-program.hiddenSize)).toEqual(new Float64Array(program.hiddenSize));
    }
    const each = program.lossSteps.map((t) => adjoints(swept, 0, t)["h"].total);
    adjoints(swept, 0)["h"].total.forEach((x, i) => {
      expect(each.reduce((sum, one) => sum + one[i], 0)).toBeCloseTo(x, 13);
    });
  });

  test("all terms of a contribution sum to it", () => {
    const leaf = Object.keys(program.parameters)[0];
    const [t, k] = [steps - 1, steps - 2];
    const total = contribution(swept, leaf, [0, 0])[t * steps + k];
    const all = terms(swept.trace, leaf, [0, 0], t, k, 1_000_000, total);
    expect(BigInt(all.terms.length)).toBe(all.count);
    expect(all.remainder).toBeCloseTo(0, 13);
    expect(all.terms.reduce((sum, { value }) => sum + Math.abs(value), 0)).toBeCloseTo(all.gross);
    for (const { value, factors } of all.terms) {
      expect(factors.reduce((product, [, x]) => product * x, 1)).toBeCloseTo(value, 13);
    }
    const few = terms(swept.trace, leaf, [0, 0], t, k, 2, total);
    expect(few.terms).toEqual(all.terms.slice(0, 2));
  });

  test("blocks of a Jacobian sum to it, and it is what a central difference says", () => {
    const jacobians = new StateJacobians(swept.trace, 0);
    const J = jacobians.at(1);
    const { hiddenSize: H } = program;
    const blocks = Object.values(jacobians.blocks(1));
    if (jacobians.size === H) {
      J.forEach((x, i) => {
        expect(blocks.reduce((sum, part) => sum + part[i], 0)).toBeCloseTo(x, 14);
      });
    }
    // Only the last layer's h1 enters the loss, so its seed's gradient by h0 is a row of J.
    const single = refold(program, {
      seqLen: 1,
      numLayers: 1,
      bidirectional: false,
      readout: null,
      loss: "seed",
    });
    const leaves = { ...random(single), v: new Float64Array(H) };
    leaves.v[0] = 1;
    const { h0 } = gradients(sweepOf(single, leaves));
    const first = new StateJacobians(forward(single, leaves)).at(0);
    h0.forEach((x, j) => {
      expect(first[j]).toBeCloseTo(x, 14);
    });
  });

  test("memory that is reused gives the same numbers", () => {
    const other = forward(program, random(program, 7));
    const used = sweep(other);
    const again = sweep(forward(program, values, other), used);
    expect(again.trace).toBe(other);
    expect(again.data).toEqual(swept.data);
  });
});

test("only later losses see an input", () => {
  const values = random(stack);
  const before = forward(stack, values).losses.slice();
  values["x"][stack.inputSize] += 1; // step 1
  const after = forward(stack, values).losses;
  expect(after[0]).toBe(before[0]);
  expect(after[1]).not.toBe(before[1]);
});

test("a window keeps the lags below it", () => {
  const cut = refold(rnn, { truncation: { kind: "window", size: 2 } });
  const values = random(cut);
  const full = contribution(sweepOf(rnn, values), "weight_hh_l0", [0, 1]);
  contribution(sweepOf(cut, values), "weight_hh_l0", [0, 1]).forEach((value, i) => {
    const lag = Math.floor(i / cut.seqLen) - (i % cut.seqLen);
    expect(value).toBe(lag < 2 ? full[i] : 0);
  });
});

test("numbers that are not finite travel on, and only a decomposition refuses them", () => {
  const identity = saved("rnn", "identity, bias False");
  const values = random(identity);
  values["weight_hh_l0"][0] = Number.POSITIVE_INFINITY;
  const swept = sweepOf(identity, values);
  expect(swept.trace.losses.some((loss) => !Number.isFinite(loss))).toBe(true);
  expect(gradients(swept)["weight_hh_l0"].some((x) => !Number.isFinite(x))).toBe(true);
  expect(() => new StateJacobians(swept.trace).singularValues(1)).toThrow("overflowed");
  expect(() => singularValues(Float64Array.of(Number.NaN), 1)).toThrow("not finite");
});

test("what is no class gives NaN", () => {
  const classes = saved("losses", "cross_entropy, steps (2,)");
  const values = random(classes);
  values["target"].fill(classes.outputSize);
  expect(forward(classes, values).losses[classes.seqLen - 1]).toBeNaN();
});

test("the largest eigenvalue is the square of the largest singular value", () => {
  let state = 1;
  const draw = () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647 - 0.5;
  };
  for (const n of [1, 2, 3, 7, 16, 32]) {
    for (const rank of [n, Math.ceil(n / 2)]) {
      const a = Float64Array.from({ length: n * n }, (_, i) => (i < rank * n ? draw() : 0));
      const products = Float64Array.from({ length: n * n }, (_, at) => {
        let sum = 0;
        for (let m = 0; m < n; m++) sum += a[Math.floor(at / n) * n + m] * a[(at % n) * n + m];
        return sum;
      });
      const [largest] = singularValues(a, n);
      expect(largestEigenvalue(products, n) / largest ** 2).toBeCloseTo(1, 12);
    }
  }
  expect(largestEigenvalue(Float64Array.of(4, 0, 0, 9), 2)).toBeCloseTo(9, 12);
  expect(largestEigenvalue(new Float64Array(9), 3)).toBe(0);
});

test("singular values of known matrices", () => {
  expect([...singularValues(Float64Array.of(0, 2, -3, 0), 2)]).toEqual([3, 2]);
  const [large, small] = singularValues(Float64Array.of(1, 2, 2, 4), 2);
  expect(large).toBeCloseTo(5, 14);
  expect(small).toBeCloseTo(0, 14);
  expect([...singularValues(new Float64Array(4), 2)]).toEqual([0, 0]);
});

test("a relu's kink between the two evaluations is marked", () => {
  const relu = refold(saved("rnn", "relu, bias single"), {
    hiddenSize: 1,
    inputSize: 1,
    seqLen: 1,
  });
  const values = random(relu);
  for (const leaf in values) values[leaf].fill(leaf === "x" ? 1 : 0);
  expect(centralDifferences(relu, values, ["bias_ih_l0"]).kinks["bias_ih_l0"]).toEqual(
    Uint8Array.of(1),
  );
});

test("a kink that a window leaves out is none", () => {
  const relu = refold(saved("rnn", "relu, bias single"), {
    hiddenSize: 1,
    inputSize: 1,
    seqLen: 2,
    loss: "sum",
    lossSteps: "last",
  });
  const values = random(relu);
  for (const leaf in values) values[leaf].fill(leaf.startsWith("weight") ? 1 : 0);
  values["x"].set([0, 1]);
  for (const [size, kink, slope] of [
    [2, 1, 0.5],
    [1, 0, 0],
  ]) {
    const cut = refold(relu, { truncation: { kind: "window", size } });
    const found = centralDifferences(cut, values, ["x"]);
    expect([...found.kinks["x"]]).toEqual([kink, 0]);
    expect(found.values["x"][0]).toBeCloseTo(slope, 8);
    expect(found.values["x"][1]).toBeCloseTo(1, 8);
  }
});

test("what one central difference leaves behind is no kink of the next", () => {
  const relu = refold(saved("rnn", "relu, bias single"), {
    hiddenSize: 1,
    inputSize: 1,
    seqLen: 3,
    truncation: { kind: "window", size: 1 },
  });
  const values = random(relu);
  for (const leaf in values) values[leaf].fill(leaf === "weight_ih_l0" ? -1 : 0);
  values["x"].set([-1, 0, -1]);
  expect([...centralDifferences(relu, values, ["x"]).kinks["x"]]).toEqual([0, 1, 0]);
});

describe("refold", () => {
  test("loss steps follow the number of steps", () => {
    const T = rnn.seqLen;
    expect(refold(rnn, { seqLen: 2 }).lossSteps).toEqual([0, 1]);
    const last = refold(rnn, { lossSteps: "last" });
    expect(last.lossSteps).toEqual([T - 1]);
    expect(refold(last, { seqLen: 9 }).lossSteps).toEqual([8]);
    const some = refold(rnn, { lossSteps: [0, 2] });
    expect(refold(some, { seqLen: 9 }).lossSteps).toEqual([0, 2]);
    expect(refold(some, { seqLen: 2 }).lossSteps).toEqual([0]);
    expect(refold(refold(rnn, { lossSteps: [2] }), { seqLen: 2 }).lossSteps).toEqual([1]);
    expect(refold(some, { lossSteps: "all" }).lossSteps).toHaveLength(T);
  });

  test("sizes that cannot be are refused", () => {
    expect(() => refold(rnn, { hiddenSize: 0 })).toThrow("hidden_size must be a whole number");
    expect(() => refold(rnn, { seqLen: 1.5 })).toThrow("seq_len must be a whole number");
    expect(() => refold(rnn, { lossSteps: [2, 1] })).toThrow("loss_steps must ascend");
    expect(() => refold(rnn, { hiddenSize: 500, seqLen: 500 })).toThrow("the limit is 1 GB");
  });
});

describe("a damaged program is refused with a sentence", () => {
  type Json = Record<string, unknown> & { cell: { nodes: Record<string, unknown>[] } };
  const damages: [string, (json: Json) => unknown, string][] = [
    ["no object", () => [], "must be an object"],
    ["another format", (json) => Object.assign(json, { format: "x" }), 'format "rnn_widgets/1"'],
    ["no cell", ({ cell, ...json }) => json, "the cell must be an object"],
    ["a size", (json) => Object.assign(json, { hidden_size: "3" }), "hidden_size"],
    ["a loss", (json) => Object.assign(json, { loss: "l2" }), "loss must be one of seed, sum"],
    ["steps", (json) => Object.assign(json, { loss_steps: [9] }), "loss_steps must ascend"],
    ["a flag", (json) => Object.assign(json, { bidirectional: 1 }), "bidirectional must be"],
    [
      "truncation",
      (json) => Object.assign(json, { truncation: { kind: "w", size: 1 } }),
      "truncation must be",
    ],
    ["an output", (json) => Object.assign(json.cell, { outputs: [99] }) && json, "an output"],
    ["states", (json) => Object.assign(json.cell, { states: ["z"] }) && json, "the states are"],
    ["an operation", node(3, { op: "cosh" }), 'unknown operation "cosh"'],
    ["an argument", node(3, { args: [2, 9] }), "an argument must be an earlier node"],
    ["arguments", node(3, { args: [2] }), "takes 2 arguments, not 1"],
    ["a shape", node(3, { shape: ["2*H"] }), "has shape (H), but (2*H) is written"],
    ["a size's text", node(3, { shape: ["H", 1] }), "has shape"],
    ["a slot", node(0, { attrs: { slot: "q" } }), 'unknown input "q"'],
    ["a parameter", node(2, { attrs: { param: "q" } }), "unknown param"],
  ];

  function node(i: number, change: object) {
    return (json: Json) => {
      Object.assign(json.cell.nodes[i], change);
      return json;
    };
  }

  test.each(damages)("%s", (_, damage, message) => {
    const json: Json = JSON.parse(JSON.stringify(programToJson(rnn)));
    expect(() => programFromJson(damage(json))).toThrow(message);
  });
});

test("leaves of the wrong length and entries that do not exist are refused", () => {
  const values = random(rnn);
  expect(() => forward(rnn, { ...values, x: new Float64Array(1) })).toThrow('leaf "x" must hold');
  const swept = sweepOf(rnn, values);
  expect(() => contribution(swept, "weight_hh_l0", [0, 3])).toThrow("no entry [0,3]");
  expect(() => contribution(swept, "x")).toThrow('"x" has no contributions');
});

test("the central difference of one entry costs two evaluations, and is the same", () => {
  const cut = refold(saved("rnn", "relu, bias single"), {
    truncation: { kind: "window", size: 2 },
  });
  const values = random(cut);
  const { values: all, kinks } = centralDifferences(cut, values, ["weight_hh_l0", "x"]);
  for (const leaf of ["weight_hh_l0", "x"]) {
    all[leaf].forEach((value, at) => {
      const kink = kinks[leaf][at] === 1;
      expect(centralDifference(cut, values, leaf, at)).toEqual({ value, kink });
    });
  }
  const tanh = OPS.get("tanh");
  const evaluated = vi.spyOn(tanh as NonNullable<typeof tanh>, "value");
  centralDifference(rnn, random(rnn), "weight_hh_l0", 4);
  expect(evaluated).toHaveBeenCalledTimes(3 * rnn.seqLen); // with that of the values themselves
  evaluated.mockRestore();
});

test("more than a million terms are counted but not listed", () => {
  const long = refold(rnn, { seqLen: 24 });
  const trace = forward(long, random(long));
  const { count } = terms(trace, "weight_hh_l0", [0, 0], 23, 0, 1, 0);
  expect(count).toBe(3n ** 23n); // v's unit at the end is free, and one at each step between
  expect(() => terms(trace, "weight_hh_l0", [0, 0], 23, 0, 2_000_000, 0)).toThrow(`has ${count}`);
});
