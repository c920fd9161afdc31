/** How many edges are drawn and how wide: thousands of them would be a wall. */

import type { Numbers } from "./graph-numbers";

const MOST_EDGES = 300;
const MOST_ACROSS = 1200; // between two steps, if there were but one; more steps are narrower

const WIDEST = 7;
const WIDEST_OF_MANY = 2.5;

/** How wide the strongest edge is where there are `places` for edges: of the places and not of the
 * numbers, so that no width jumps while they change. */
export function widest(places: number): number {
  return Math.max(WIDEST_OF_MANY, WIDEST * Math.min(1, Math.sqrt(MOST_EDGES / places)));
}

/** The size from which on edges are drawn; 0 where there is room for all. */
export function leastDrawn(edges: readonly Numbers[]): number {
  const sizes: number[] = [];
  const reached = edges.filter(Boolean).length;
  const most = Math.min(MOST_EDGES, reached * Math.floor(MOST_ACROSS / edges.length));
  for (const numbers of edges) {
    if (!numbers) continue;
    for (let at = 0; at < numbers.length; at++) {
      const size = Math.abs(numbers[at]);
      if (size > 0 && size < Number.POSITIVE_INFINITY) sizes.push(size);
    }
  }
  if (sizes.length <= most) return 0;
  return Float64Array.from(sizes).sort()[sizes.length - most];
}
