/** What the canvas is told to draw: how edges of either sign are told apart without colours. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { programFromJson } from "../src/engine";
import type { Picture } from "../src/views/graph-numbers";
import { Painter, type Palette } from "../src/views/graph-paint";
import { makeScene } from "../src/views/graph-scene";
import { PROGRAM } from "./page";

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
  readonly color: string;
  readonly width: number;
  readonly dash: readonly number[];
}

/** A canvas that remembers its strokes. */
function recorder(): { ctx: CanvasRenderingContext2D; strokes: Stroke[] } {
  const strokes: Stroke[] = [];
  const state: Record<string, unknown> = {};
  let dash: readonly number[] = [];
  const acts: Record<string, (...args: never[]) => void> = {
    setLineDash: (given: readonly number[]) => {
      dash = given;
    },
    stroke: () => {
      const [color, width] = [state["strokeStyle"] as string, state["lineWidth"] as number];
      strokes.push({ color, width, dash });
    },
  };
  const ctx = new Proxy(state, {
    get: (_, name: string) => state[name] ?? acts[name] ?? (() => {}),
  });
  return { ctx: ctx as unknown as CanvasRenderingContext2D, strokes };
}

beforeEach(() => {
  vi.stubGlobal(
    "Path2D",
    class {
      moveTo() {}
      lineTo() {}
      bezierCurveTo() {}
      arc() {}
      rect() {}
    },
  );
});

afterEach(() => vi.unstubAllGlobals());

/** The strokes of edges that carry these four numbers into step 1. */
function edges(numbers: readonly number[]): Stroke[] {
  const picture: Picture = {
    lens: "flow",
    part: "total",
    rows: new Map(),
    edges: [null, Float64Array.from(numbers), null],
    limit: 1,
    contribution: 1,
    finite: true,
  };
  const { ctx, strokes } = recorder();
  const lit = { bands: [], whole: true, enters: null, units: () => false };
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
