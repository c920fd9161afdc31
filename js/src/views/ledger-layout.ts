/** Where the nodes of a tape stand: the result on top, every node below all that are computed of it.
 *
 * Layers by the longest way from the result; in each the nodes stand near what they are joined to
 * (the barycentre heuristic of Sugiyama, Tagawa & Toda 1981). */

export interface TapeNode {
  readonly label: string;
  readonly kind: "result" | "operation" | "recorded" | "unasked";
  readonly object: number;
  readonly shape: readonly number[] | null;
}

/** From a node to one that it is computed of. */
export type TapeEdge = readonly [user: number, read: number];

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** The middle of each node. */
  readonly nodes: readonly Place[];
  /** Each edge as points from the user down, through the layers between. */
  readonly edges: readonly (readonly (readonly [x: number, y: number])[])[];
}

export const NODE_HEIGHT = 22;
const LAYER = 36;
const GAP = 10;
const CHARACTER = 6.6;
const SWEEPS = 8;

export function nodeText({ label, kind, shape }: TapeNode): string {
  if (kind !== "unasked" || label) return label;
  return `a leaf (${shape?.join(" × ") ?? ""})`;
}

export function layOut(nodes: readonly TapeNode[], edges: readonly TapeEdge[]): Layout {
  const depths = depthsOf(nodes.length, edges);
  const widths = nodes.map((node) => Math.max(30, CHARACTER * nodeText(node).length + 16));
  const layers: number[][] = [];
  const put = (node: number, depth: number) => {
    layers[depth] = [...(layers[depth] ?? []), node];
  };
  depths.forEach((depth, node) => {
    put(node, depth);
  });
  // An edge that passes layers has a place in each of them.
  const links: [number, number][] = [];
  const ways = edges.map(([user, read]) => {
    const way = [user];
    for (let depth = depths[user] + 1; depth < depths[read]; depth++) {
      way.push(widths.push(4) - 1);
      put(way[way.length - 1], depth);
    }
    way.push(read);
    way.slice(1).forEach((node, i) => {
      links.push([way[i], node]);
    });
    return way;
  });
  const xs = places(layers, links, widths);
  const left = Math.min(...xs.map((x, node) => x - widths[node] / 2));
  const right = Math.max(...xs.map((x, node) => x + widths[node] / 2));
  const margin = 8;
  const heights = new Array<number>(xs.length);
  layers.forEach((layer, depth) => {
    for (const node of layer) heights[node] = margin + NODE_HEIGHT / 2 + depth * LAYER;
  });
  const at = (node: number) => [xs[node] - left + margin, heights[node]] as const;
  return {
    width: right - left + 2 * margin,
    height: (layers.length - 1) * LAYER + NODE_HEIGHT + 2 * margin,
    nodes: nodes.map((_, node) => ({ x: at(node)[0], y: at(node)[1], width: widths[node] })),
    edges: ways.map((way) => way.map(at)),
  };
}

/** The longest way from the result to each node. */
function depthsOf(count: number, edges: readonly TapeEdge[]): number[] {
  const depths = new Array<number>(count).fill(0);
  const waiting = new Array<number>(count).fill(0);
  for (const [, read] of edges) waiting[read]++;
  const ready = waiting.flatMap((users, node) => (users ? [] : [node]));
  for (const node of ready) {
    for (const [user, read] of edges) {
      if (user !== node) continue;
      depths[read] = Math.max(depths[read], depths[node] + 1);
      if (--waiting[read] === 0) ready.push(read);
    }
  }
  return depths;
}

function places(
  layers: readonly number[][],
  links: readonly (readonly [number, number])[],
  widths: readonly number[],
): number[] {
  const xs = new Array<number>(widths.length).fill(0);
  const joined: number[][] = widths.map(() => []);
  for (const [above, below] of links) {
    joined[above].push(below);
    joined[below].push(above);
  }
  for (const layer of layers) spread(layer, xs, widths);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const order = sweep % 2 ? [...layers].reverse() : layers;
    for (const layer of order) {
      for (const node of layer) {
        const near = joined[node];
        if (near.length) xs[node] = near.reduce((sum, other) => sum + xs[other], 0) / near.length;
      }
      layer.sort((a, b) => xs[a] - xs[b]);
      spread(layer, xs, widths);
    }
  }
  return xs;
}

/** Move a layer's nodes apart, as little as can be: the mean of the way to the right that nodes to
 * the left push, and of the way to the left. */
function spread(layer: readonly number[], xs: number[], widths: readonly number[]): void {
  const apart = (a: number, b: number) => (widths[a] + widths[b]) / 2 + GAP;
  const right = layer.map((node) => xs[node]);
  const left = [...right];
  for (let i = 1; i < layer.length; i++) {
    right[i] = Math.max(right[i], right[i - 1] + apart(layer[i - 1], layer[i]));
  }
  for (let i = layer.length - 2; i >= 0; i--) {
    left[i] = Math.min(left[i], left[i + 1] - apart(layer[i], layer[i + 1]));
  }
  layer.forEach((node, i) => {
    xs[node] = (left[i] + right[i]) / 2;
  });
}

/** The nodes on any way from the result to those that are pointed at, these included. */
export function above(edges: readonly TapeEdge[], pointed: readonly number[]): Set<number> {
  const found = new Set(pointed);
  const users = new Map<number, number[]>();
  for (const [user, read] of edges) users.set(read, [...(users.get(read) ?? []), user]);
  for (const node of found) for (const user of users.get(node) ?? []) found.add(user);
  return found;
}
