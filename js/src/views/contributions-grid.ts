/** Draws the heat map's numbers into its cells. Of a thousand cells a move changes a few: what is
 * shown already is not written again, and hover text is made when somebody asks for it. */

import type { Nothing } from "../engine/factors";
import { allDigits, fitting } from "../format";
import type { Cell } from "../live";
import { HIDDEN } from "../veil";
import { type Numbers, shade } from "./contributions-numbers";

export interface Picture {
  readonly numbers: Numbers;
  /** For each (t, k), why it is nothing by construction. */
  readonly reasons: readonly (Nothing | null)[];
  /** How many decades colours span; null for colours in proportion. */
  readonly decades: number | null;
  readonly limit: number;
  readonly sumLimit: number;
  /** How many characters a cell has room for; 0 for colours only. */
  readonly room: number;
  /** The same of the sums over t, which stand upright where cells are narrow. */
  readonly sumRoom: number;
  readonly selected: Cell;
  /** What is summed: "weight_hh_l0[0,1]", or the parameter whose norm is taken. */
  readonly of: string;
  readonly norm: boolean;
  /** What the gradient is called beside its symbol, if truncated. */
  readonly truncated: string;
  /** What is not to be shown. */
  readonly hides: (x: number, quantity: string) => boolean;
  /** Whether anything is. */
  readonly veiled: boolean;
}

const REASONS: Readonly<Record<Nothing, (t: number, k: number) => string>> = {
  "no loss": (t) => `nothing: step t = ${t} has no loss`,
  "no way": (t, k) => `nothing: no way leads from the loss at t = ${t} back to step ${k}`,
  cut: () => "cut by truncation: the way back is not followed that far",
};

export function reasonText(reason: Nothing, { t, k }: Cell): string {
  return REASONS[reason](t + 1, k + 1);
}

const COLOURLESS = { sign: HIDDEN, depth: 0 } as const;

/** An element, new and empty, and what it shows since. */
class Spot {
  private value: number | string | undefined;
  private written = "";
  private sign = "";
  private depth = -1;
  private kind: string | undefined;

  constructor(readonly el: HTMLElement) {}

  number(x: number, limit: number, decades: number | null, hidden: boolean): void {
    const value = hidden ? HIDDEN : x;
    if (!Object.is(this.value, value)) {
      this.value = value;
      this.el.setAttribute("data-value", String(value));
    }
    const { sign, depth } = hidden ? COLOURLESS : shade(x, limit, decades);
    if (this.sign !== sign) {
      this.sign = sign;
      this.el.setAttribute("data-sign", sign);
    }
    if (this.depth !== depth) {
      this.depth = depth;
      this.el.style.setProperty("--rw-depth", `${depth}%`);
    }
  }

  text(text: string): void {
    if (this.written === text) return;
    this.written = text;
    if (this.el.firstChild) (this.el.firstChild as Text).data = text;
    else this.el.textContent = text;
  }

  state(kind: string): void {
    if (this.kind === kind) return;
    this.kind = kind;
    this.el.setAttribute("data-state", kind);
  }
}

/** Which quantity a sum is. */
const SUMS: Readonly<Record<string, string>> = {
  loss: "by_loss",
  source: "by_source",
  total: "gradient",
};

export const SUM_ROOM = 8; // characters that a sum over k has room for
const LABELLED = 4; // where steps are crowded, one in so many is labelled

export class Grid {
  private picture: Picture | undefined;
  private readonly cells: readonly Spot[];
  private readonly sums: readonly Spot[];
  private readonly labels: HTMLElement[];
  /** The cell that takes the keys. */
  private stop: Cell = { t: 0, k: 0 };

  constructor(
    private readonly root: HTMLElement,
    readonly steps: number,
  ) {
    const all = (selector: string) => [...root.querySelectorAll<HTMLElement>(selector)];
    this.cells = all("[data-cell]").map((el) => new Spot(el));
    this.sums = all("[data-sum]").map((el) => new Spot(el));
    this.labels = all("[data-step]");
  }

  draw(picture: Picture): void {
    const { numbers, reasons, limit, sumLimit, decades, room, sumRoom, selected, hides, veiled } =
      picture;
    const before = this.picture?.selected;
    this.picture = picture;
    this.cells.forEach((spot, i) => {
      const x = numbers.cells[i];
      const reason = reasons[i];
      const hidden = hides(x, "contribution");
      spot.number(x, limit, decades, hidden);
      spot.text(hidden ? HIDDEN : room && !reason ? fitting(x, room) : "");
      spot.state(hidden ? "hidden" : (reason ?? (x === 0 ? "zero" : "")));
    });
    for (const spot of this.sums) {
      const [over, at] = (spot.el.dataset["sum"] as string).split(",");
      const x = this.sumOf(over, Number(at));
      const hidden = hides(x, SUMS[over]);
      spot.number(x, sumLimit, decades, hidden);
      spot.text(hidden ? HIDDEN : fitting(x, over === "source" ? sumRoom : SUM_ROOM));
      spot.state(hidden ? "hidden" : x === 0 ? "zero" : "");
    }
    if (before?.t !== selected.t || before?.k !== selected.k) this.select(selected);
    // What was pointed at before something was hidden must not tell it now.
    const told = veiled ? "[title]" : ":is(:hover, :focus)[title]";
    for (const el of this.root.querySelectorAll<HTMLElement>(told)) {
      this.describe(el);
    }
  }

  /** Let the keys go to another cell, within the grid. */
  focus(t: number, k: number): void {
    const last = this.steps - 1;
    this.rove({ t: Math.min(Math.max(t, 0), last), k: Math.min(Math.max(k, 0), last) });
    this.at(this.stop).focus();
  }

  /** Say in words, with all digits, what a cell or a sum holds. */
  describe(el: HTMLElement): void {
    const name = el.dataset["cell"] ?? el.dataset["sum"];
    if (!name || !this.picture) return;
    const text = el.dataset["cell"] ? this.cellText(cellOf(el)) : this.sumText(name);
    if (el.title !== text) el.title = text;
    if (el.dataset["cell"] && el.ariaLabel !== text) el.setAttribute("aria-label", text);
  }

  private cellText({ t, k }: Cell): string {
    const { numbers, reasons, of, norm, hides } = this.picture as Picture;
    const at = t * this.steps + k;
    const hidden = hides(numbers.cells[at], "contribution");
    const what = norm ? `norm of C[t = ${t + 1}, k = ${k + 1}]` : `C[t = ${t + 1}, k = ${k + 1}]`;
    const reason = hidden ? null : reasons[at];
    const number = hidden ? HIDDEN : allDigits(numbers.cells[at]);
    const value = reason ? reasonText(reason, { t, k }) : number;
    const steps = `loss step ${t}, source step ${k} in code`;
    return reason
      ? `${what} of ${of}: ${value} (${steps})`
      : `${what} of ${of} = ${value} (${steps})`;
  }

  private sumText(name: string): string {
    const { of, norm, truncated, hides } = this.picture as Picture;
    const [over, at] = name.split(",");
    const step = Number(at) + 1;
    const sum = this.sumOf(over, Number(at));
    const value = hides(sum, SUMS[over]) ? HIDDEN : allDigits(sum);
    const normOf = norm ? "norm of " : "";
    if (over === "total") return `${normOf}Σ over all t and k = ∂L/∂${of}${truncated} = ${value}`;
    if (over === "loss") {
      return `${normOf}Σ over k at t = ${step}: the gradient of L at t = ${step} by ${of} = ${value}`;
    }
    return `${normOf}Σ over t at k = ${step}: what using ${of} at step ${step} is worth = ${value}`;
  }

  private sumOf(over: string, at: number): number {
    const { byLoss, bySource, total } = (this.picture as Picture).numbers;
    return over === "total" ? total : (over === "loss" ? byLoss : bySource)[at];
  }

  private select(selected: Cell): void {
    for (const el of this.root.querySelectorAll("[aria-selected=true]")) {
      el.setAttribute("aria-selected", "false");
    }
    this.at(selected).setAttribute("aria-selected", "true");
    for (const el of this.labels) {
      const [axis, step] = (el.dataset["step"] as string).split(",");
      const away = Math.abs(selected[axis as "t" | "k"] - Number(step));
      const labelled = (Number(step) + 1) % LABELLED === 0 && away > 1;
      el.classList.toggle("rw-map-chosen", away === 0);
      el.toggleAttribute("data-between", away > 0 && !labelled);
    }
    if (!this.root.contains(document.activeElement)) this.rove(selected);
  }

  private rove(to: Cell): void {
    this.at(this.stop).tabIndex = -1;
    this.stop = to;
    this.at(to).tabIndex = 0;
    this.describe(this.at(to));
  }

  private at({ t, k }: Cell): HTMLElement {
    return this.cells[t * this.steps + k].el;
  }
}

export function cellOf(el: HTMLElement): Cell {
  const [t, k] = (el.dataset["cell"] as string).split(",").map(Number);
  return { t, k };
}
