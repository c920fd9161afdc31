/** Where the nodes of a tape stand, over many graphs. */

import { describe, expect, test } from "vitest";
import {
  above,
  type Layout,
  layOut,
  NODE_HEIGHT,
  type TapeEdge,
  type TapeNode,
} from "../src/views/ledger-layout";

/** Numbers that are the same on every run. */
function* dice(seed: number): Generator<number> {
  let state = seed;
  while (true) {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    yield state / 2 ** 31;
  }
}

/** A graph in which every node but the first is read by some earlier one. */
function graph(seed: number, size: number): [TapeNode[], TapeEdge[]] {
  const random = dice(seed);
  const next = (below: number) => Math.floor((random.next().value as number) * below);
  const nodes = Array.from({ length: size }, (_, i) => ({
    label: "x".repeat(1 + next(12)),
    kind: i ? ("operation" as const) : ("result" as const),
    object: 0,
    shape: null,
  }));
  const edges = new Set<string>();
  for (let i = 1; i < size; i++) {
    for (let n = 0; n <= next(3); n++) edges.add(`${next(i)} ${i}`);
  }
  return [nodes, [...edges].map((edge) => edge.split(" ").map(Number) as [number, number])];
}

function overlaps({ nodes }: Layout): boolean {
  return nodes.some((a, i) =>
    nodes.some((b, j) => i < j && a.y === b.y && Math.abs(a.x - b.x) < (a.width + b.width) / 2 + 4),
  );
}

describe("any graph", () => {
  const CASES = Array.from({ length: 40 }, (_, i) => [i, 1 + (i % 40)] as const);
  test.each(CASES)("number %i, of %i nodes", (seed, size) => {
    const [nodes, edges] = graph(seed + 1, size);
    const layout = layOut(nodes, edges);
    expect(overlaps(layout)).toBe(false);
    for (const { x, y, width } of layout.nodes) {
      expect(x - width / 2).toBeGreaterThanOrEqual(0);
      expect(x + width / 2).toBeLessThanOrEqual(layout.width);
      expect(y - NODE_HEIGHT / 2).toBeGreaterThanOrEqual(0);
      expect(y + NODE_HEIGHT / 2).toBeLessThanOrEqual(layout.height);
    }
    expect(Math.min(...layout.nodes.map(({ y }) => y))).toBe(layout.nodes[0].y);
    edges.forEach(([user, read], i) => {
      const ys = layout.edges[i].map(([, y]) => y);
      expect(ys[0]).toBe(layout.nodes[user].y);
      expect(ys[ys.length - 1]).toBe(layout.nodes[read].y);
      expect(ys.every((y, n) => n === 0 || y > ys[n - 1])).toBe(true);
    });
  });
});

test("a chain stands straight", () => {
  const [nodes] = graph(1, 5);
  const { nodes: places } = layOut(nodes, [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
  ]);
  expect(new Set(places.map(({ x }) => Math.round(x))).size).toBe(1);
});

test("what lies above a node", () => {
  const edges: TapeEdge[] = [
    [0, 1],
    [0, 2],
    [1, 3],
    [2, 3],
    [2, 4],
  ];
  expect([...above(edges, [4])].sort()).toEqual([0, 2, 4]);
  expect([...above(edges, [3])].sort()).toEqual([0, 1, 2, 3]);
  expect([...above(edges, [])]).toEqual([]);
});
