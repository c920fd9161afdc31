/** The numbers that the graph draws are Python's, and its edges and shares add up to them. */

import { describe, expect, test } from "vitest";
import { contribution, nodeAdjoint, programFromJson } from "../src/engine";
import { Results } from "../src/engine/quantities";
import { walk } from "../src/engine/walk";
import { type Asked, type Numbers, type Picture, picture } from "../src/views/graph-numbers";
import { PARTS } from "../src/views/graph-state";
import { expectClose } from "./close";
import { type Case, VECTORS } from "./vectors";

const FOCUS = { entry: "", leaf: "", index: [], t: 0, k: 0 };
const ASKED: Asked = { lens: "values", part: "total", block: 0, focus: FOCUS, walked: null };

function resultsOf({ program, values }: Case): Results {
  const arrays = Object.entries(values).map(([leaf, list]) => [leaf, Float64Array.from(list)]);
  return new Results(programFromJson(program), Object.fromEntries(arrays));
}

function columns({ rows }: Picture, id: string): readonly Numbers[] {
  const row = rows.get(id);
  if (!row) throw new Error(`no row ${id}`);
  return row.columns;
}

const flat = (all: readonly Numbers[]) => all.flatMap((one) => [...(one ?? [])]);

const total = (all: Iterable<number>) => [...all].reduce((sum, x) => sum + x, 0);

const CASES = Object.entries(VECTORS).flatMap(([file, cases]) =>
  cases.map((one) => [`${file} ${one.name}`, one] as const),
);

describe.each(CASES)("%s", (_, expected) => {
  const results = resultsOf(expected);
  const { program } = results;
  const { seqLen: T, hiddenSize: H, lossSteps } = program;
  const blocks = expected.states.map((_, block) => block);
  const stateless = { scale: 1, values: [] };

  test("lens values: states, outputs and losses", () => {
    expected.states.forEach((states, block) => {
      const shown = picture(results, { ...ASKED, block });
      for (const [state, result] of Object.entries(states)) {
        const all = columns(shown, state);
        // The initial state is Python's first row, or in a reverse direction its last.
        const { reverse } = program.blocks[block];
        const ordered = reverse ? all : [all[T], ...all.slice(0, T)];
        expectClose(flat(ordered), result, state);
      }
    });
    const shown = picture(results, ASKED);
    const losses = Array.from({ length: T }, (_, t) => columns(shown, "L")[t]?.[0] ?? 0);
    expectClose(losses, expected.losses, "losses");
    if (program.readout !== null) expectClose(flat(columns(shown, "y")), expected.outputs, "y");
  });

  test.each(PARTS)("lens adjoints: the %s part", (part) => {
    const shown = blocks.map((block) =>
      picture(results, { ...ASKED, lens: "adjoints", part, block }),
    );
    for (const state of program.cell.states) {
      const found = shown.flatMap((one) => flat(columns(one, state).slice(0, T)));
      expectClose(found, expected.adjoints[`${state}.${part}`] ?? stateless, `${state}.${part}`);
      if (part === "direct") continue;
      const initial = shown.flatMap((one) => flat([columns(one, state)[T]]));
      expectClose(initial, expected.gradients[`${state}0`], `${state}0`);
    }
  });

  test("lens adjoints: the two parts of gates and input sum to the whole", () => {
    for (const block of blocks) {
      const [direct, carried, whole] = PARTS.map((part) =>
        picture(results, { ...ASKED, lens: "adjoints", part, block }),
      );
      for (const [id] of whole.rows) {
        if (["v", "y", "L", "target", "figure"].includes(id)) continue;
        const all = flat(columns(whole, id).slice(0, T));
        const a = flat(columns(direct, id).slice(0, T));
        const b = flat(columns(carried, id).slice(0, T));
        all.forEach((x, i) => {
          expect(a[i] + b[i]).toBeCloseTo(x, 9);
        });
      }
    }
  });

  test("lens adjoints: edges into a unit sum to what is carried back to it", () => {
    if (program.cell.states.length > 1) return; // there a part goes on from h to c
    blocks.forEach((block) => {
      const { edges } = picture(results, { ...ASKED, lens: "adjoints", block });
      const { reverse } = program.blocks[block];
      const found = Array.from({ length: T }, (_, step) => {
        const next = edges[reverse ? step - 1 : step + 1];
        return Array.from({ length: H }, (_, j) =>
          next ? total(next.filter((_, at) => at % H === j)) : 0,
        );
      });
      const { scale, values } = expected.adjoints["h.carried"];
      const own = values.slice(block * T * H, (block + 1) * T * H);
      expectClose(found.flat(), { scale, values: own }, "carried");
    });
  });

  test("lens flow: the shares of each step are the contribution", () => {
    if (program.rows > 1) return;
    for (const { leaf, entry: index, values, scale } of expected.contributions) {
      values.forEach((value, at) => {
        const [t, k] = [Math.floor(at / T), at % T];
        const focus = { entry: `${leaf}[${index}]`, leaf, index, t, k };
        const shown = picture(results, { ...ASKED, lens: "flow", focus });
        expect(Math.abs((shown.contribution as number) - value) / scale).toBeLessThan(1e-11);
        const reached = columns(shown, "figure").flatMap((sum, step) =>
          sum ? [[step, sum[0]]] : [],
        );
        if (leaf.startsWith("readout") || (value === 0 && !reached.length)) {
          expect(reached).toEqual([]);
          return;
        }
        expect(reached.map(([step]) => step)).toEqual(
          Array.from({ length: t - k + 1 }, (_, i) => k + i),
        );
        for (const [, sum] of reached) expect(Math.abs(sum - value) / scale).toBeLessThan(1e-11);
        shown.edges.forEach((edges, step) => {
          if (step <= k || step > t) expect(edges).toBeNull();
          else expect(Math.abs(total(edges ?? []) - value) / scale).toBeLessThan(1e-11);
        });
      });
    }
  });

  test("the walk ends with every value, and with every adjoint of its loss step", () => {
    for (const block of blocks) {
      const t = lossSteps[lossSteps.length - 1];
      const focus = { ...FOCUS, t };
      const operations = walk(program, block, t);
      const forward = operations.filter(({ phase }) => phase === "forward").length;
      const at = (position: number) =>
        picture(results, { ...ASKED, block, focus, walked: { operations, position } });
      const values = picture(results, { ...ASKED, block });
      const walked = at(forward);
      for (const [id, row] of values.rows) {
        if (id === "v" && program.loss !== "seed") continue; // derived on the way back
        expect(flat(columns(walked, id)), id).toEqual(flat(row.columns));
      }
      const row = lossSteps.length - 1;
      const back = at(operations.length);
      program.cell.nodes.forEach(({ name }, node) => {
        const all = name && nodeAdjoint(results.sweep, block, node);
        if (!all || !back.rows.has(name)) return;
        const size = program.blocks[block].widths[node];
        columns(back, name)
          .slice(0, T)
          .forEach((numbers, step) => {
            const start = (step * lossSteps.length + row) * size;
            const own = [...all.subarray(start, start + size)];
            if (numbers) expect([...numbers]).toEqual(own);
            else expect(own.every((x) => x === 0)).toBe(true);
          });
      });
    }
  });

  test("on the walk an edge is there once both its ends are", () => {
    const t = lossSteps[lossSteps.length - 1];
    const operations = walk(program, 0, t);
    const states = program.cell.states.length;
    const seen = operations.map((_, i) => {
      const walked = { operations, position: i + 1 };
      const { edges, rows } = picture(results, { ...ASKED, focus: { ...FOCUS, t }, walked });
      const known = program.cell.states.map((state) => rows.get(state)?.columns ?? []);
      edges.forEach((numbers, step) => {
        const ends = [step, step ? step - 1 : T].flatMap((at) => known.map((row) => row[at]));
        expect(numbers !== null).toBe(ends.filter(Boolean).length === 2 * states);
      });
      return edges.filter(Boolean).length;
    });
    expect(Math.max(...seen)).toBe(T);
  });

  test("before its first operation the walk shows what is given, and no more", () => {
    const shown = picture(results, { ...ASKED, walked: { operations: [], position: 0 } });
    const seen = [...shown.rows].filter(([, row]) => row.columns.some(Boolean)).map(([id]) => id);
    const given = [...program.cell.states, "x", "target", program.loss === "seed" ? "v" : ""];
    expect(seen.every((id) => given.includes(id))).toBe(true);
    for (const state of program.cell.states) {
      expect(columns(shown, state).map(Boolean)).toEqual([...Array(T).fill(false), true]);
    }
    expect(shown.edges.every((edges) => edges === null)).toBe(true);
  });
});

test("in lens values, gates up to one do not set the scale of states", () => {
  for (const file of ["lstm", "gru"]) {
    const results = resultsOf(VECTORS[file][0]);
    const tiny = { ...results.values };
    for (const leaf of ["h0", "c0", "x"]) tiny[leaf] = tiny[leaf]?.map((x) => x * 1e-3);
    for (const leaf of Object.keys(tiny)) {
      if (leaf.startsWith("bias")) tiny[leaf] = tiny[leaf].map(() => 0);
    }
    const shown = picture(new Results(results.program, tiny), ASKED);
    const states = results.program.cell.states.flatMap((id) => flat(columns(shown, id)));
    const largest = Math.max(...states.map(Math.abs));
    expect(largest).toBeLessThan(0.1);
    const edges = Math.max(...flat(shown.edges).map(Math.abs));
    expect(shown.limit).toBe(Math.max(largest, edges));
    const gates = file === "lstm" ? ["i", "f", "g", "o"] : ["r", "z", "n"];
    expect(gates.map((id) => shown.rows.get(id)?.limit)).toEqual(gates.map(() => 1));
  }
});

test("every use of the entry in the walk is a contribution", () => {
  for (const [, expected] of CASES) {
    const results = resultsOf(expected);
    const { program } = results;
    for (const { leaf, entry } of expected.contributions) {
      const block = program.blocks.findIndex(({ leaves }) => Object.values(leaves).includes(leaf));
      if (block >= program.rows) continue;
      const t = program.lossSteps[0];
      const uses = walk(program, block, t, leaf, entry).filter(({ name }) => name === "C");
      const all = contribution(results.sweep, leaf, entry);
      for (let k = 0; k < program.seqLen; k++) {
        if (all[t * program.seqLen + k] !== 0)
          expect(uses.some(({ step }) => step === k)).toBe(true);
      }
    }
  }
});
