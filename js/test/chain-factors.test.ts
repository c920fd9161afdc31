/** The chain rule behind one contribution: its factors multiply to what Python says it is. */

import { describe, expect, test } from "vitest";
import { programFromJson } from "../src/engine";
import { Results } from "../src/engine/quantities";
import { type ChainRule, chainRule, type Factor, WHOLE } from "../src/views/chain-factors";
import { extent, shownEnds, sizeOf, unitFor } from "../src/views/chain-fit";
import { network } from "./page";
import { type Case, VECTORS } from "./vectors";

function resultsOf({ program, values }: Case): Results {
  const arrays = Object.entries(values).map(([leaf, list]) => [leaf, Float64Array.from(list)]);
  return new Results(programFromJson(program), Object.fromEntries(arrays));
}

/** A row vector times a matrix. */
function times(row: readonly number[], { data, rows, columns }: Factor): number[] {
  expect(row).toHaveLength(rows);
  return Array.from({ length: columns }, (_, j) =>
    row.reduce((sum, x, i) => sum + x * data[i * columns + j], 0),
  );
}

/** The product of factors, the first of them a row. */
function product([first, ...others]: readonly Factor[]): number[] {
  return others.reduce(times, [...first.data]);
}

const CASES = Object.entries(VECTORS).flatMap(([file, cases]) =>
  cases.map((one) => [`${file} ${one.name}`, one] as const),
);

describe.each(CASES)("%s", (_, expected) => {
  const results = resultsOf(expected);
  const T = results.program.seqLen;

  test("the factors of every contribution multiply to Python's number", () => {
    for (const { leaf, entry, values, scale } of expected.contributions) {
      const near = 1e-11 * Math.max(scale, 1e-300);
      values.forEach((c, at) => {
        const cell = { t: Math.floor(at / T), k: at % T };
        const rule = chainRule(results, `${leaf}[${entry.join(",")}]`, cell, WHOLE);
        expect(Math.abs(rule.total - c)).toBeLessThanOrEqual(near);
        if (rule.nothing) {
          expect(c).toBe(0);
          return;
        }
        const [right] = product(rule.right);
        expect(Math.abs(right - c)).toBeLessThanOrEqual(near);
        if (!rule.left.length) return;
        const row = product(rule.left);
        row.forEach((x, i) => {
          const size = Math.max(...row.map(Math.abs), 1e-300);
          expect(Math.abs(x - rule.right[0].data[i])).toBeLessThanOrEqual(1e-9 * Math.max(size, 1));
        });
      });
    }
  });
});

test.each(CASES)("%s: the parts of a Jacobian sum to it", (_, expected) => {
  const results = resultsOf(expected);
  const [entry] = Object.keys(results.program.parameters);
  const last = results.program.lossSteps.at(-1) ?? 0;
  if (last === 0 || results.program.parameters[entry].length < 2) return;
  const jacobian = (part: string) =>
    chainRule(results, `${entry}[0,0]`, { t: last, k: last - 1 }, part).left.at(-1)?.data;
  const { parts } = chainRule(results, `${entry}[0,0]`, { t: last, k: last - 1 }, WHOLE);
  const whole = jacobian(WHOLE);
  if (!whole || !parts.length) return;
  const summed = parts.slice(1).map((part) => jacobian(part) as Float64Array);
  whole.forEach((x, i) => {
    expect(summed.reduce((sum, part) => sum + part[i], 0)).toBeCloseTo(x, 12);
  });
});

describe("a tanh network of one unit, worked by hand", () => {
  const folded = { ...network(), input_size: 1, hidden_size: 1, seq_len: 2, loss_steps: [0, 1] };
  const [w, h0, x1, x2, v2] = [0.5, 0.25, 1, -2, 3];
  const values = {
    weight_ih_l0: [0.3],
    weight_hh_l0: [w],
    bias_ih_l0: [0.1],
    bias_hh_l0: [0],
    x: [x1, x2],
    h0: [h0],
    v: [1, v2],
  };
  const results = resultsOf({ program: folded, values } as unknown as Case);
  const h1 = Math.tanh(0.3 * x1 + 0.1 + w * h0);
  const h2 = Math.tanh(0.3 * x2 + 0.1 + w * h1);
  const rule = (t: number, k: number): ChainRule =>
    chainRule(results, "weight_hh_l0[0,0]", { t, k }, WHOLE);

  test("seed, Jacobian and immediate derivative", () => {
    const { left, right, total } = rule(1, 0);
    expect(left.map(({ kind }) => kind)).toEqual(["seed", "jacobian"]);
    expect([...left[0].data]).toEqual([v2]);
    expect(left[1].data[0]).toBeCloseTo((1 - h2 ** 2) * w, 14);
    expect(right[0].data[0]).toBeCloseTo(v2 * (1 - h2 ** 2) * w, 14);
    expect(right[1].data[0]).toBeCloseTo((1 - h1 ** 2) * h0, 14);
    expect(total).toBeCloseTo(v2 * (1 - h2 ** 2) * w * (1 - h1 ** 2) * h0, 14);
  });

  test("at the same step there is no Jacobian", () => {
    const { left, right } = rule(1, 1);
    expect(left).toEqual([]);
    expect(right.map(({ kind }) => kind)).toEqual(["seed", "immediate"]);
    expect(right[1].data[0]).toBeCloseTo((1 - h2 ** 2) * h1, 14);
  });

  test("a later step cannot matter", () => {
    expect(rule(0, 1).nothing).toBe("no way");
  });
});

describe.each(["rnn_tanh", "gru", "lstm"])("the product of a %s", (cell) => {
  const template = Object.values(VECTORS)
    .flat()
    .find(({ program }) => programFromJson(program).cell.name.startsWith(cell))?.program;

  test.each([
    [3, 6, null],
    [3, 12, null],
    [4, 8, 2],
    [8, 16, null],
    [16, 32, 3],
  ])(
    "of H = %i, T = %i, readout %s has both its ends in sight from 640 pixels on",
    (H, T, readout) => {
      const folded = programFromJson({
        ...template,
        ...{
          input_size: 2,
          hidden_size: H,
          seq_len: T,
          num_layers: 1,
          bidirectional: false,
          readout,
        },
        ...{ loss: "seed", loss_steps: [...Array(T).keys()], truncation: null },
      });
      const { leaves, outputSize } = folded;
      const sizes = { ...leaves, v: [T, outputSize] };
      const values = Object.entries(sizes).map(([leaf, shape]) => {
        const count = shape.reduce((a, b) => a * b, 1);
        return [leaf, Float64Array.from({ length: count }, (_, i) => Math.sin(i + 1) / 2)];
      });
      const results = new Results(folded, Object.fromEntries(values));
      const { program } = results;
      const [entry] = Object.keys(program.parameters);
      for (let width = 630; width <= 1500; width += 10) {
        const unit = unitFor(program, width);
        for (const cell of [0, 1, 2, T - 1].map((k) => ({ t: T - 1, k }))) {
          const { left, right, result } = chainRule(results, `${entry}[0,0]`, cell, WHOLE);
          const factors = [...left, ...right, result];
          const [first, last] = shownEnds(factors, unit, width);
          const jacobians = left.filter(({ kind }) => kind === "jacobian");
          const shown = factors.filter(
            (one) => one.kind !== "jacobian" || jacobians.indexOf(one) < first + last,
          );
          const hidden = jacobians.length - first - last;
          // As the style sheet has it: 6 pixels around each sign, 40 for a symbol at least, 13 for an axis.
          const taken = shown.reduce(
            (sum, factor) => {
              if (factor.kind === "result") return sum + 64;
              const axis = factor.split[0] ? 13 : 0;
              return sum + Math.max(40, extent(factor, unit)[0]) + axis + 19;
            },
            hidden ? 131 : 0,
          );
          expect(taken, `${width} ${JSON.stringify(cell)}`).toBeLessThanOrEqual(width);
          for (const factor of factors) {
            const fits = extent(factor, unit)[1] <= Math.max(14, sizeOf(program) * unit.height);
            expect(fits).toBe(true);
          }
        }
      }
    },
  );
});

describe("why a contribution is nothing", () => {
  const named = (text: string) => {
    const found = VECTORS["truncation"].find(({ name }) => name.includes(text));
    if (!found) throw new Error(`no vector "${text}"`);
    return resultsOf(found);
  };

  test.each(VECTORS["truncation"].map(({ name }) => [name]))("truncation %s", (name) => {
    const results = named(name);
    const { truncation, seqLen: T, lossSteps, bidirectional } = results.program;
    if (!truncation || bidirectional) return;
    for (let t = 0; t < T; t++) {
      for (let k = 0; k < T; k++) {
        const [entry] = Object.keys(results.program.parameters);
        const { nothing } = chainRule(results, `${entry}[0,0]`, { t, k }, WHOLE);
        const edges = Array.from({ length: Math.max(t - k, 0) }, (_, i) => k + 1 + i);
        const cut =
          truncation.kind === "window"
            ? t - k >= truncation.size
            : edges.some((step) => step % truncation.size === 0);
        const why = !lossSteps.includes(t) ? "no loss" : k > t ? "no way" : cut ? "cut" : null;
        expect(nothing, `${t}, ${k}`).toBe(why);
      }
    }
  });
});
