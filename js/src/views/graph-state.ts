/** What the graph's parts share: its options, the place in its walk, and the numbers to draw. */

import type { AnyModel } from "@anywidget/types";
import { computed, type Signal, signal } from "@preact/signals";
import type { Program } from "../engine/program";
import { parseEntry } from "../engine/quantities";
import { type Operation, walk } from "../engine/walk";
import type { LiveLab } from "../live";
import { type Picture, picture } from "./graph-numbers";
import type { Scale } from "./kit";

export const LENSES = ["values", "adjoints", "flow"] as const;
export type Lens = (typeof LENSES)[number];
export const PARTS = ["direct", "carried", "total"] as const;
export type Part = (typeof PARTS)[number];

export const MOST_UNITS = 16;
export const MOST_STEPS = 32;

/** The selected parameter entry and the selected C[t, k]. */
export interface Focus {
  readonly entry: string;
  readonly leaf: string;
  readonly index: readonly number[];
  readonly t: number;
  readonly k: number;
}

export class GraphState {
  readonly lens: Signal<Lens>;
  readonly part: Signal<Part>;
  readonly layer: Signal<number>;
  readonly reverse: Signal<boolean>;
  readonly scale = signal<Scale>("linear");
  /** How many operations of the walk are asked for; null outside it. */
  private readonly asked = signal<number | null>(null);

  readonly program = computed<Program>(() => {
    this.lab.revision.value;
    return this.lab.results.program;
  });

  /** The layer and direction that are drawn, as a block of the program. */
  readonly block = computed(() => {
    const { numLayers, bidirectional } = this.program.value;
    const layer = Math.max(0, Math.min(this.layer.value, numLayers - 1));
    return layer * (bidirectional ? 2 : 1) + (bidirectional && this.reverse.value ? 1 : 0);
  });

  readonly drawable = computed(() => {
    const { hiddenSize, seqLen } = this.program.value;
    return hiddenSize <= MOST_UNITS && seqLen <= MOST_STEPS;
  });

  readonly focus = computed<Focus>(() => {
    const { parameters, seqLen } = this.program.value;
    const entry = this.lab.selection.value;
    const { t, k } = this.lab.cell.value;
    const cell = { entry, t: Math.min(t, seqLen - 1), k: Math.min(k, seqLen - 1) };
    try {
      return { ...cell, ...parseEntry(entry, parameters) };
    } catch {
      return { ...cell, leaf: "", index: [] };
    }
  });

  readonly walk = computed<readonly Operation[]>(() => {
    const { leaf, index, t } = this.focus.value;
    return walk(this.program.value, this.block.value, t, leaf, index);
  });

  /** How many operations of the walk have been done; null outside it. */
  readonly position = computed(() => {
    const { value } = this.asked;
    return value === null ? null : Math.max(0, Math.min(value, this.walk.value.length));
  });

  /** The operation that has just been done, null before the first and outside the walk. */
  readonly operation = computed<Operation | null>(() => {
    const { value } = this.position;
    return (value && this.walk.value[value - 1]) || null;
  });

  readonly picture = computed<Picture>(() => {
    this.lab.revision.value;
    this.lab.veil.drawn; // what is hidden is drawn anew, too
    const { value: position } = this.position;
    const operations = position === null ? [] : this.walk.value;
    return picture(this.lab.results, {
      lens: this.lens.value,
      part: this.part.value,
      block: this.block.value,
      focus: this.focus.value,
      walked: position === null ? null : { operations, position },
    });
  });

  constructor(
    readonly lab: LiveLab,
    private readonly view: AnyModel,
  ) {
    this.lens = this.follow("lens");
    this.part = this.follow("part");
    this.layer = this.follow("layer");
    this.reverse = this.follow("reverse");
  }

  /** Set options, here and in the kernel. */
  set(options: Partial<{ lens: Lens; part: Part; layer: number; reverse: boolean }>): void {
    for (const [name, value] of Object.entries(options)) this.view.set(name, value);
    if (this.lab.kernel.state.value !== "gone") this.view.save_changes();
  }

  /** Walk to after so many operations; null for the whole picture. */
  go(position: number | null): void {
    this.asked.value = position;
  }

  dispose(): void {
    for (const [event, act] of this.listeners) this.view.off(event, act);
  }

  private readonly listeners: [string, () => void][] = [];

  private follow<T>(name: string): Signal<T> {
    const option = signal<T>(this.view.get(name));
    const act = () => {
      option.value = this.view.get(name);
    };
    this.view.on(`change:${name}`, act);
    this.listeners.push([`change:${name}`, act]);
    return option;
  }
}
