/** What the canvas is told to draw: how edges of either sign are told apart without colours. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { programFromJson, programToJson, refold } from "../src/engine";
import type { Numbers, Picture } from "../src/views/graph-numbers";
import { Painter, type Palette } from "../src/views/graph-paint";
import { makeScene } from "../src/views/graph-scene";
import { leastDrawn } from "../src/views/graph-strongest";
import { PROGRAM } from "./page";
import { VECTORS } from "./vectors";

const COLORS: Palette = {
  text: "text",
  quiet: "quiet",
  line: "line",
  surface: "surface",
  accent: "accent",
  fills: ["negative fill", "positive fill"],
  strokes: ["negative", "positive"],
  family: "sans-serif",
};

interface Stroke {
  /** How many lines and circles it is of. */
  readonly lines: number;
  readonly color: string;
  readonly width: number;
  readonly dash: readonly number[];
}

/** A canvas that remembers its strokes. */
function recorder() {
  const strokes: Stroke[] = [];
  const state: Record<string, unknown> = {};
  const saved: Record<string, unknown>[] = [];
  let dash: readonly number[] = [];
  const acts: Record<string, (...args: never[]) => void> = {
    save: () => saved.push({ ...state }),
    restore: () => {
      for (const name of Object.keys(state)) delete state[name];
      Object.assign(state, saved.pop());
    },
    setLineDash: (given: readonly number[]) => {
      dash = given;
    },
    stroke: (...paths: object[]) => {
      const [color, width] = [state["strokeStyle"] as string, state["lineWidth"] as number];
      const lines = (paths[0] as { lines: number } | undefined)?.lines ?? 0;
      strokes.push({ color, width, dash, lines });
    },
  };
  const ctx = new Proxy(state, {
    get: (_, name: string) => state[name] ?? acts[name] ?? (() => {}),
  });
  return { ctx: ctx as unknown as CanvasRenderingContext2D, strokes, state };
}

beforeEach(() => {
  vi.stubGlobal(
    "Path2D",
    class {
      lines = 0;
      moveTo() {
        this.lines++;
      }
      lineTo() {}
      bezierCurveTo() {}
      arc() {}
      rect() {}
    },
  );
});

afterEach(() => vi.unstubAllGlobals());

/** What is drawn of a network, but for its rows what is given. */
function strokesOf(
  program: object,
  {
    rows = [],
    edges,
    limit = 1,
  }: { rows?: [string, Numbers[]][]; edges: Numbers[]; limit?: number },
): Stroke[] {
  const drawn = rows.map(
    ([id, columns]) => [id, { columns, limit, colored: "all" as const }] as const,
  );
  const picture: Picture = {
    lens: "flow",
    part: "total",
    rows: new Map(drawn),
    edges,
    leastEdge: leastDrawn(edges),
    limit,
    contribution: 1,
    finite: true,
  };
  const { ctx, strokes } = recorder();
  const lit = { bands: [], whole: false, enters: null, pointed: [], units: () => true };
  const scene = makeScene(programFromJson(program), 0, 1160);
  new Painter(ctx, scene, picture, "log", COLORS, lit).paint();
  return strokes;
}

/** The strokes of edges that carry these four numbers into step 1. */
function edges(numbers: readonly number[]): Stroke[] {
  const picture: Picture = {
    lens: "flow",
    part: "total",
    rows: new Map(),
    edges: [null, Float64Array.from(numbers), null],
    leastEdge: 0,
    limit: 1,
    contribution: 1,
    finite: true,
  };
  const { ctx, strokes } = recorder();
  const lit = { bands: [], whole: true, enters: null, pointed: [], units: () => false };
  new Painter(
    ctx,
    makeScene(programFromJson(PROGRAM), 0, 900),
    picture,
    "linear",
    COLORS,
    lit,
  ).paint();
  return strokes.filter(({ color }) => color === "negative" || color === "positive");
}

test("a drawing leaves the canvas as it found it, so that the next one looks the same", () => {
  const { ctx, state } = recorder();
  const numbers = Float64Array.from([1, -1, 0.4, -0.4]);
  const picture: Picture = {
    lens: "values",
    part: "total",
    rows: new Map([["h", { columns: [numbers, numbers, numbers], limit: 1, colored: "all" }]]),
    edges: [null, numbers, null],
    leastEdge: 0,
    limit: 1,
    contribution: 1,
    finite: true,
  };
  const lit = { bands: [1], whole: true, enters: null, pointed: [], units: () => true };
  const scene = makeScene(programFromJson(PROGRAM), 0, 900);
  ctx.lineJoin = "miter";
  new Painter(ctx, scene, picture, "linear", COLORS, lit).paint();
  expect(state).toEqual({ lineJoin: "miter" });
});

test("negative edges are dashed as well as blue, positive ones are solid", () => {
  const drawn = edges([1, -1, 0.4, -0.4]);
  expect(drawn.map(({ color }) => color).sort()).toEqual([
    "negative",
    "negative",
    "positive",
    "positive",
  ]);
  for (const { color, width, dash } of drawn) {
    expect(dash.length > 0).toBe(color === "negative");
    if (!dash.length) continue;
    expect(dash[0]).toBeGreaterThan(2 * width - 1); // a dash, not a dot
    expect(dash[1]).toBeGreaterThan(width); // and a gap that is seen
  }
});

test("the thinnest of edges, which are too faint for it, cost no dashes", () => {
  expect(edges([0.1, -0.1, 0, 0]).map(({ dash }) => dash.length)).toEqual([0, 0]);
});

describe("of a large network", () => {
  const T = 32;
  const H = 16;
  const large = refold(programFromJson(PROGRAM), { hiddenSize: H, seqLen: T });
  /** As many numbers as one wants, of either sign and up to one. */
  const many = (count: number, from: number) =>
    Float64Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (from + i)));
  const isEdge = ({ color }: Stroke) => color === "negative" || color === "positive";

  test("only the strongest edges are drawn, and thinly", () => {
    const edges = Array.from({ length: T }, (_, step) => many(H * H, step * H * H));
    const drawn = strokesOf(programToJson(large), { edges }).filter(isEdge);
    const lines = drawn.reduce((sum, stroke) => sum + stroke.lines, 0);
    expect(lines).toBe(300);
    for (const { color, width, dash } of drawn) {
      expect(width).toBeLessThanOrEqual(2.5);
      expect(dash.length > 0).toBe(color === "negative");
    }
  });

  test("those between two steps alone are fewer", () => {
    const edges = Array.from({ length: T }, (_, step) => (step === 9 ? many(H * H, 0) : null));
    const drawn = strokesOf(programToJson(large), { edges }).filter(isEdge);
    expect(drawn.reduce((sum, { lines }) => sum + lines, 0)).toBe(37);
  });

  test("only units with more than a hundredth of the largest share are ringed", () => {
    const shares = new Float64Array(H);
    shares.set([1, -0.5, 0.011, -0.009, 1e-9]);
    const h = Array.from({ length: T }, (_, step) => (step === 9 ? shares : null));
    const edges = Array<null>(T).fill(null);
    const rings = strokesOf(programToJson(large), { rows: [["h", [...h, null]]], edges }).filter(
      ({ color, width }) => color === "accent" && width === 2,
    );
    expect(rings.map(({ lines }) => lines)).toEqual([3]);
  });
});

test("gates have numbers where there is room for them", () => {
  const lstm = refold(programFromJson(VECTORS["lstm"][0].program), { hiddenSize: 3, seqLen: 3 });
  const room = (width: number) =>
    makeScene(lstm, 0, width).rows.flatMap(({ kind, characters }) =>
      kind === "strip" ? [characters] : [],
    );
  expect(room(1160)).toEqual([8, 8, 8, 8]);
  expect(room(400)).toEqual([0, 0, 0, 0]);
});
