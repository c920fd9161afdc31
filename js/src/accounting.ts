/** Does it add up? The sum of contributions beside its witnesses: torch and central differences. */

import { signal as reactive } from "@preact/signals";
import { centralDifference } from "./engine/differences";
import { flat, parseEntry } from "./engine/quantities";
import type { Witness } from "./kernel";
import type { LiveLab } from "./live";

const IDLE_MS = 250;

export interface Account {
  readonly entry: string;
  /** The sum over all C[t, k]. */
  readonly contributions: number;
  readonly differences: number;
  /** A relu's kink lies between the two evaluations: their difference is no estimate. */
  readonly kink: boolean;
  /** Null until torch has answered for these very values. */
  readonly autograd: number | null;
  /** The largest difference from torch over all entries of all leaves, null likewise. */
  readonly worst: number | null;
  /** The largest absolute gradient entry, against which `worst` is judged. */
  readonly scale: number;
}

export class Accounting {
  /** Null while the network is moving. */
  readonly account = reactive<Account | null>(null);
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly lab: LiveLab) {}

  /** Take stock once the network has come to rest. */
  schedule(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.takeStock(), IDLE_MS);
    this.account.value = null;
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private takeStock(): void {
    const { lab } = this;
    const { program, values, gradients } = lab.results;
    let parsed: { leaf: string; index: readonly number[] };
    try {
      parsed = parseEntry(lab.selection.value, program.parameters);
    } catch {
      return; // the selected entry has vanished with a change of sizes
    }
    const { leaf, index } = parsed;
    const at = flat(program.parameters[leaf], index);
    const { value, kink } = centralDifference(program, values, leaf, at);
    const all = lab.results.quantity(`contribution[${lab.selection.value}]`).data;
    this.account.value = {
      entry: lab.selection.value,
      contributions: all.reduce((sum, c) => sum + c, 0),
      differences: value,
      kink,
      autograd: null,
      worst: null,
      scale: largest(Object.values(gradients).flatMap((g) => [...g])),
    };
    lab.kernel.confirm();
  }

  /** Torch has answered. An answer for other values than those on the screen is asked for again. */
  confirmed({ values, gradients }: Witness): void {
    const account = this.account.value;
    if (!account) return;
    const { results } = this.lab;
    const same = Object.entries(results.values).every(
      ([name, mine]) =>
        mine.length === values[name]?.length && mine.every((x, i) => x === values[name][i]),
    );
    if (!same) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.lab.kernel.confirm(), IDLE_MS);
      return;
    }
    const { leaf, index } = parseEntry(account.entry, results.program.parameters);
    const errors = Object.entries(results.gradients).flatMap(([name, mine]) =>
      [...mine].map((x, i) => x - gradients[name][i]),
    );
    this.account.value = {
      ...account,
      autograd: gradients[leaf][flat(results.program.parameters[leaf], index)],
      worst: largest(errors),
    };
  }
}

/** The largest absolute value; not a number if any is not. */
function largest(numbers: readonly number[]): number {
  return numbers.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
}
