/** How the leaf that is pointed at is marked: along the edges that its numbers weigh, or around what
 * they are. */

import { drawEdge, entryAt, type Placed, type Scene } from "./graph-scene";
import type { Spot, Use } from "./graph-uses";

const MOST_LINES = 1200; // more of them are a wall

export function pathOfUses(scene: Scene, uses: readonly Use[]): Path2D {
  const path = new Path2D();
  for (const { from, to } of uses) {
    const [start, end] = [from && spotAt(scene, from), spotAt(scene, to)];
    if (!end) continue;
    if (!from || !start || uses.length > MOST_LINES) around(path, scene, to);
    else if (from.step === to.step) upright(path, scene, from, start, end);
    else {
      const side = Math.sign(end[0] - start[0]) * scene.radius;
      drawEdge(path, scene, start[0] + side, start[1], end[0] - side, end[1]);
    }
  }
  return path;
}

/** Between two rows of one step, from the end of a cell to the end of a unit. */
function upright(
  path: Path2D,
  scene: Scene,
  from: Spot,
  start: readonly [number, number],
  end: readonly [number, number],
): void {
  const up = Math.sign(end[1] - start[1]);
  const height = placed(scene, from)?.cellHeight ?? 0;
  path.moveTo(start[0], start[1] + (up * height) / 2);
  path.lineTo(end[0], end[1] - up * scene.radius);
}

function around(path: Path2D, scene: Scene, spot: Spot): void {
  const [row, at] = [placed(scene, spot), spotAt(scene, spot)];
  if (!row || !at) return;
  const [x, y] = at;
  if (row.kind === "units") {
    const radius = scene.radius + 3;
    path.moveTo(x + radius, y);
    path.arc(x, y, radius, 0, 2 * Math.PI);
  } else {
    const { cellWidth: w, cellHeight: h } = row;
    path.rect(x - w / 2, y - h / 2, w, h);
  }
}

/** The middle of an entry, null if its row is not drawn. */
export function spotAt(scene: Scene, spot: Spot): [number, number] | null {
  const row = placed(scene, spot);
  return row ? entryAt(scene, row, spot.step, spot.i) : null;
}

function placed(scene: Scene, { row }: Spot): Placed | undefined {
  return scene.rows.find(({ id }) => id === row);
}
