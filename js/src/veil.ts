/** What no view may show for now: the numbers that a reader is about to predict. */

import { computed, signal } from "@preact/signals";
import { threeDigits } from "./format";
import type { LiveLab } from "./live";

/** What stands in place of a number. */
export const HIDDEN = "?";

/** In place of `tint`, for a number without its colour. */
export const COLOURLESS = { "data-sign": HIDDEN } as const;

/** Two ways to sum the same terms differ by less. */
const NEAR = 1e-7;

/** A number that is not to be shown, and of which quantity it is: "gradient", "by_source", "graph" for
 * whatever the graph draws, or "contribution[weight_hh_l0[0,1]]" for those of one entry alone. */
export interface Secret {
  readonly number: number;
  readonly quantity: string;
}

interface Secrets {
  readonly sizes: readonly number[];
  /** The quantities of which a zero is hidden. */
  readonly zeros: ReadonlySet<string>;
}

const NONE: Secrets = { sizes: [], zeros: new Set() };

export class Veil {
  private readonly covered = signal<ReadonlyMap<object, () => Iterable<Secret>>>(new Map());

  private readonly secrets = computed<Secrets>(() => {
    this.lab.revision.value;
    const { value: covered } = this.covered;
    if (!covered.size) return NONE;
    const all = [...covered.values()].flatMap((secrets) => [...secrets()]);
    if (!all.length) return NONE;
    return {
      sizes: all.flatMap(({ number }) => (number === 0 ? [] : Math.abs(number))),
      zeros: new Set(all.flatMap(({ number, quantity }) => (number === 0 ? quantity : []))),
    };
  });

  constructor(private readonly lab: LiveLab) {}

  /** Whether anything is hidden; whoever asks follows what it is. */
  get drawn(): boolean {
    return this.secrets.value !== NONE;
  }

  /** Hear of every change of what is hidden, those with the network too; returns what ends it. */
  subscribe(act: () => void): () => void {
    return this.secrets.subscribe(act);
  }

  /** Hide numbers on somebody's behalf, as they are at any time; returns what shows them again. */
  cover(who: object, secrets: () => Iterable<Secret>): () => void {
    this.covered.value = new Map(this.covered.value).set(who, secrets);
    return () => {
      const left = new Map(this.covered.value);
      left.delete(who);
      this.covered.value = left;
    };
  }

  /** Whether a number is hidden. It goes by size, not by name: the two biases' gradients, sums of a
   * single term, norms of a single entry and the ends of scales would all give it away. Zeros are
   * everywhere: only those of the same quantity are hidden. */
  readonly hides = (x: number, quantity = ""): boolean => {
    const { sizes, zeros } = this.secrets.value;
    if (x === 0) return zeros.has(quantity) || zeros.has(this.inFocus(quantity));
    const size = Math.abs(x);
    return sizes.some((hidden) => Math.abs(size - hidden) <= NEAR * hidden);
  };

  /** Views show the contributions of the entry in focus: zeros of those alone can be hidden too. */
  private inFocus(quantity: string): string {
    return quantity === "contribution" ? `${quantity}[${this.lab.selection.value}]` : quantity;
  }

  /** A number as a view writes it, if it may. */
  text(x: number, write: (x: number) => string = threeDigits, quantity = ""): string {
    return this.hides(x, quantity) ? HIDDEN : write(x);
  }
}
