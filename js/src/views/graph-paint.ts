/** Draws a picture on a canvas: edges first, then the cells and units, then the numbers. */

import { fitting } from "../format";
import { HIDDEN } from "../veil";
import type { Lit } from "./graph-lit";
import { isGiven, type Numbers, type Picture } from "./graph-numbers";
import { pathOfUses, spotAt } from "./graph-pointed";
import {
  columnX,
  drawEdge,
  edgeAt,
  entryAt,
  heightsOf,
  type Placed,
  type Scene,
  stepsOf,
} from "./graph-scene";
import { widest } from "./graph-strongest";
import { type Scale, strength } from "./kit";

const THINNEST = 0.5;
const SEEN = 1 / 14; // weaker edges are not drawn
const RINGED = 0.01; // smaller parts of the largest share are not marked
const DASHED = 1 / 7; // a weaker edge is too faint for dashes to be told, and dashes cost time
const DEPTHS = 32; // shades of either colour
const FAINT = 0.05; // in little room, smaller parts of the largest have no number
const FRAMED = 9; // smaller cells share one frame
const MOST_STRUCTURE = 1200; // more lines than that are a grey wall

/** The host's colours, read once per theme. */
export interface Palette {
  readonly text: string;
  readonly quiet: string;
  readonly line: string;
  readonly surface: string;
  readonly accent: string;
  readonly fills: readonly [negative: string, positive: string];
  readonly strokes: readonly [negative: string, positive: string];
  readonly family: string;
}

export function readPalette(el: HTMLElement): Palette {
  const style = getComputedStyle(el);
  const color = (name: string) => style.getPropertyValue(`--rw-${name}`).trim();
  return {
    text: color("text"),
    quiet: color("quiet"),
    line: color("line"),
    surface: color("surface"),
    accent: color("accent"),
    fills: [color("negative"), color("positive")],
    strokes: [color("negative-line"), color("positive-line")],
    family: style.fontFamily,
  };
}

/** A sign and one of a few depths of colour, as one whole number; 0 for none. */
function depthOf(x: number, limit: number, scale: Scale): number {
  return Number.isFinite(x) ? Math.sign(x) * Math.round(DEPTHS * strength(x, limit, scale)) : 0;
}

function at(paths: Map<number, Path2D>, key: number): Path2D {
  const path = paths.get(key) ?? new Path2D();
  paths.set(key, path);
  return path;
}

export class Painter {
  constructor(
    private readonly ctx: CanvasRenderingContext2D,
    private readonly scene: Scene,
    private readonly picture: Picture,
    private readonly scale: Scale,
    private readonly palette: Palette,
    private readonly lit: Lit,
    private readonly secret: (x: number, quantity: string) => boolean = () => false,
  ) {}

  paint(): void {
    const { ctx, scene } = this;
    ctx.save(); // or the joins of one drawing's last numbers would round the corners of the next
    ctx.clearRect(0, 0, scene.width, scene.height);
    ctx.textBaseline = "middle";
    this.bands();
    this.spines();
    this.edges();
    this.entry();
    for (const row of scene.rows) {
      if (row.kind !== "figure") this.row(row);
      else for (let step = 0; step < scene.steps; step++) this.figure(row, step);
    }
    this.pointed();
    ctx.restore();
  }

  private numbers(row: Placed, step: number): Numbers {
    const columns = this.picture.rows.get(row.id)?.columns;
    return columns?.[step < 0 ? this.scene.steps : step] ?? null;
  }

  /** The selected columns. */
  private bands(): void {
    const { ctx, scene, palette, lit } = this;
    ctx.fillStyle = palette.accent;
    for (const step of lit.bands) {
      ctx.globalAlpha = 0.08;
      ctx.fillRect(columnX(scene, step) - scene.pitch / 2 + 1, 0, scene.pitch - 2, scene.height);
    }
    ctx.globalAlpha = 1;
  }

  private spines(): void {
    const { ctx, scene, palette } = this;
    ctx.strokeStyle = palette.line;
    ctx.lineWidth = 1;
    ctx.beginPath();
    for (let step = 0; step < scene.steps; step++) {
      const x = Math.round(columnX(scene, step)) + 0.5;
      ctx.moveTo(x, 8);
      ctx.lineTo(x, scene.height - 24);
    }
    ctx.stroke();
  }

  private edges(): void {
    const { scene, picture, palette } = this;
    const heights = heightsOf(scene);
    const size = heights.length;
    const structure = new Path2D();
    const places = scene.steps * size * size;
    const withStructure = places <= MOST_STRUCTURE;
    const thickest = widest(places);
    // Strokes of one sign and width are one path: thousands of edges in a few calls.
    const buckets = new Map<number, Path2D>();
    for (let step = 0; step < scene.steps; step++) {
      const numbers = picture.edges[step];
      if (!numbers && !withStructure) continue;
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) {
          const x = numbers ? numbers[i * size + j] : 0;
          const drawn = Number.isFinite(x) && Math.abs(x) >= picture.leastEdge;
          const part = drawn ? strength(x, picture.limit, this.scale) : 0;
          if (part < SEEN) {
            if (withStructure) drawEdge(structure, scene, ...edgeAt(scene, heights, step, i, j));
            continue;
          }
          const width = Math.max(THINNEST, thickest * part);
          const bucket = Math.round(2 * width) * 2 + (x > 0 ? 1 : 0);
          drawEdge(at(buckets, bucket), scene, ...edgeAt(scene, heights, step, i, j));
        }
      }
    }
    const { ctx } = this;
    ctx.strokeStyle = palette.line;
    ctx.lineWidth = 0.6;
    ctx.stroke(structure);
    for (const [bucket, path] of [...buckets].sort(([a], [b]) => a - b)) {
      const width = Math.floor(bucket / 2) / 2;
      ctx.strokeStyle = palette.strokes[bucket % 2];
      ctx.lineWidth = width;
      // Negative edges are told from positive ones without their colour.
      const dashed = bucket % 2 === 0 && width >= DASHED * thickest;
      ctx.setLineDash(dashed ? [6 + 1.5 * width, 4 + width] : []);
      ctx.stroke(path);
    }
    ctx.setLineDash([]);
  }

  /** The copy of the entry in focus at its source step. */
  private entry(): void {
    const { ctx, scene, palette, lit } = this;
    if (!lit.enters) return;
    const to = spotAt(scene, lit.enters.to);
    const from = lit.enters.from && spotAt(scene, lit.enters.from);
    if (!to) return;
    ctx.strokeStyle = palette.accent;
    ctx.lineWidth = 2;
    ctx.lineCap = "round";
    ctx.setLineDash([0, 5]); // dots
    ctx.beginPath();
    if (from) {
      ctx.moveTo(...from);
      ctx.lineTo(...to);
    } else ctx.arc(...to, scene.radius + 4, 0, 2 * Math.PI);
    ctx.stroke();
    ctx.lineCap = "butt";
    ctx.setLineDash([]);
  }

  /** The uses of the leaf that is pointed at. */
  private pointed(): void {
    const { ctx, palette, lit } = this;
    if (!lit.pointed.length) return;
    ctx.save();
    ctx.strokeStyle = palette.accent;
    ctx.lineWidth = 1.5;
    ctx.stroke(pathOfUses(this.scene, lit.pointed));
    ctx.restore();
  }

  /** A row's units, or its cells: the ground, the colours, the lines, then the numbers, each of
   * them for the whole row at once, since a canvas is slow to change its colour. */
  private row(row: Placed): void {
    const { ctx, scene, palette } = this;
    const ground = new Path2D();
    const frames = { plain: new Path2D(), shown: new Path2D(), lit: new Path2D() };
    const tints = new Map<number, Path2D>();
    const small = row.kind !== "units" && row.cellWidth < FRAMED;
    for (const step of stepsOf(scene, row)) {
      const numbers = this.numbers(row, step);
      const { limit, lit, colored } = this.look(row, step);
      if (small) {
        const all = lit && (this.lit.whole || !!numbers?.some((x) => this.marks(row, x, limit)));
        const width = Math.min(row.columns, row.size) * row.cellWidth;
        const left = columnX(scene, step) - width / 2;
        for (const path of [ground, all ? frames.lit : frames.plain]) {
          path.rect(left - 0.5, row.y - 0.5, width + 1, row.height + 1);
        }
      }
      for (let i = 0; i < row.size; i++) {
        if (!small) {
          const marked = lit && (this.lit.whole || this.marks(row, numbers?.[i] ?? 0, limit));
          const known = row.kind === "units" && numbers;
          this.outline(ground, row, step, i);
          this.outline(marked ? frames.lit : known ? frames.shown : frames.plain, row, step, i);
        }
        if (!numbers || !colored) continue;
        const tint = this.hides(row, numbers[i]) ? 0 : depthOf(numbers[i], limit, this.scale);
        if (tint) this.outline(at(tints, tint), row, step, i);
      }
    }
    ctx.fillStyle = palette.surface;
    ctx.fill(ground);
    for (const [tint, path] of tints) {
      ctx.globalAlpha = Math.abs(tint) / DEPTHS;
      ctx.fillStyle = palette.fills[tint > 0 ? 1 : 0];
      ctx.fill(path);
    }
    ctx.globalAlpha = 1;
    for (const [name, color, width] of [
      ["plain", palette.line, 1],
      ["shown", palette.quiet, 1],
      ["lit", palette.accent, row.kind === "units" ? 2 : 1.5],
    ] as const) {
      ctx.strokeStyle = color;
      ctx.lineWidth = width;
      ctx.stroke(frames[name]);
    }
    for (const step of stepsOf(scene, row)) this.texts(row, step);
  }

  /** Whether a number is enough to be marked: of a layer, more than a trace of the largest. */
  private marks(row: Placed, x: number, limit: number): boolean {
    return row.node < 0 || row.id === "x" ? x !== 0 : Math.abs(x) > RINGED * limit;
  }

  /** How the numbers of a row and step are coloured and marked. */
  private look(row: Placed, step: number) {
    const drawn = this.picture.rows.get(row.id);
    const colored = drawn?.colored === "all" || drawn?.colored === step;
    return { limit: drawn?.limit ?? 1, lit: this.lit.units(row.id, step), colored };
  }

  private outline(path: Path2D, row: Placed, step: number, i: number): void {
    const { scene } = this;
    const [x, y] = entryAt(scene, row, step, i);
    if (row.kind === "units") {
      const radius = this.radius(step);
      path.moveTo(x + radius, y);
      path.arc(x, y, radius, 0, 2 * Math.PI);
      return;
    }
    const inset = row.cellWidth < FRAMED ? 0 : 1;
    const [w, h] = [row.cellWidth - 2 * inset, row.cellHeight - 2 * inset];
    path.rect(x - w / 2, y - h / 2, w, h);
  }

  private radius(step: number): number {
    const { radius, steps } = this.scene;
    return step < 0 || step >= steps ? radius * 0.75 : radius;
  }

  private texts(row: Placed, step: number): void {
    const { ctx, scene, palette, picture } = this;
    const { limit, colored } = this.look(row, step);
    const numbers = this.numbers(row, step);
    const initial = step < 0 || step >= scene.steps;
    const radius = this.radius(step);
    const units = row.kind === "units";
    if (initial) {
      const [x, y] = entryAt(scene, row, step, 0);
      this.number(`${row.id}₀`, x, y - radius - 7, "center", palette.quiet);
    }
    if (!numbers) return;
    const sparse = units && picture.lens === "flow";
    const characters = units && initial ? 0 : sparse ? row.tight : row.characters;
    for (let i = 0; i < row.size; i++) {
      const finite = Number.isFinite(numbers[i]);
      if (finite && !characters) continue;
      const [x, y] = entryAt(scene, row, step, i);
      if (!finite) this.cross(x, y, Math.min(units ? radius : row.cellWidth / 2, 8) * 0.5);
      else if (!units) {
        ctx.textAlign = "center";
        ctx.fillStyle = colored ? palette.text : palette.quiet;
        const text = row.classes ? String(numbers[i]) : this.written(row, numbers[i], characters);
        ctx.fillText(text, x, y + 0.5);
      } else if (row.characters || strength(numbers[i], limit) > FAINT) {
        const text = this.written(row, numbers[i], characters);
        this.number(text, x + radius + 4, y - row.cellHeight * 0.27, "left", palette.text);
      }
    }
  }

  private figure(row: Placed, step: number): void {
    const { ctx, scene, picture, palette } = this;
    const x = this.numbers(row, step)?.[0];
    if (x === undefined) return;
    const [middle, y] = entryAt(scene, row, step, 0);
    if (row.characters) {
      ctx.textAlign = "center";
      ctx.fillStyle = palette.text;
      ctx.fillText(this.written(row, x, row.characters), middle, y);
      return;
    }
    if (this.hides(row, x)) return;
    // A bar, where there is no room for a number.
    const limit = picture.rows.get(row.id)?.limit ?? 1;
    const height = row.height * strength(x, limit, this.scale);
    ctx.fillStyle = palette.quiet;
    if (picture.lens === "flow") ctx.fillStyle = palette.strokes[x > 0 ? 1 : 0];
    ctx.fillRect(middle - 3, row.y + row.height - height, 6, height);
  }

  private hides({ id }: Placed, x: number): boolean {
    return this.secret(x, "graph") && !isGiven(this.picture, id);
  }

  private written(row: Placed, x: number, room: number): string {
    return this.hides(row, x) ? HIDDEN : fitting(x, room);
  }

  private cross(x: number, y: number, r: number): void {
    const { ctx, palette } = this;
    ctx.beginPath();
    ctx.moveTo(x - r, y - r);
    ctx.lineTo(x + r, y + r);
    ctx.moveTo(x + r, y - r);
    ctx.lineTo(x - r, y + r);
    ctx.strokeStyle = palette.text;
    ctx.lineWidth = 1;
    ctx.stroke();
  }

  /** A number on top of lines, with a halo. */
  private number(text: string, x: number, y: number, align: CanvasTextAlign, color: string): void {
    const { ctx, palette } = this;
    ctx.textAlign = align;
    ctx.strokeStyle = palette.surface;
    ctx.lineWidth = 3;
    ctx.lineJoin = "round";
    ctx.strokeText(text, x, y);
    ctx.fillStyle = color;
    ctx.fillText(text, x, y);
  }
}
