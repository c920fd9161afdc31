/** Ordinary ipywidgets sliders, each bound to an entry. When a slider's report is a move, and how
 * its range grows: `rnn_widgets/widgets/sliders.py` has the same two rules. */

import { flat } from "./engine/quantities";
import { label, speak } from "./handles";
import type { LiveLab } from "./live";
import type { WidgetModel } from "./models";

interface Binding {
  readonly slider: WidgetModel;
  readonly leaf: string;
  readonly index: readonly number[];
  /** The slider holds a move that the kernel has yet to be told. */
  unsent: boolean;
}

export class Sliders {
  private bindings: Binding[] = [];
  private following = false;
  private readonly resting = new Set<WidgetModel>();

  constructor(private readonly lab: LiveLab) {
    lab.model.on("change:_sliders", () => this.bind());
    const labelling = new MutationObserver(() => this.label());
    labelling.observe(document.body, { childList: true, subtree: true });
    lab.signal.addEventListener("abort", () => {
      labelling.disconnect();
      this.release(this.models);
    });
  }

  get models(): WidgetModel[] {
    return this.bindings.map(({ slider }) => slider);
  }

  async bind(): Promise<void> {
    const { lab } = this;
    const specs = lab.model.get("_sliders") as {
      slider: unknown;
      leaf: string;
      index: number[];
    }[];
    const found = await Promise.all(specs.map((spec) => lab.resolve(spec.slider)));
    if (lab.signal.aborted || specs !== lab.model.get("_sliders")) return; // overtaken
    this.release(this.models);
    this.bindings = specs.flatMap((spec, i) => {
      const slider = found[i];
      return slider ? [{ slider, leaf: spec.leaf, index: spec.index, unsent: false }] : [];
    });
    for (const binding of this.bindings) {
      binding.slider.on("change:value", () => this.moved(binding), this);
      this.sendOnlyMoves(binding);
      binding.slider.on("destroy", () => this.forget(binding.slider), this);
    }
    lab.kernel.isolate();
    this.overlay();
    lab.changed();
    this.label();
  }

  private release(widgets: Iterable<WidgetModel>): void {
    for (const widget of widgets) {
      widget.off(null, null, this);
      Reflect.deleteProperty(widget, "save_changes"); // the class has its own
    }
  }

  private forget(widget: WidgetModel): void {
    this.release([widget]);
    this.bindings = this.bindings.filter(({ slider }) => slider !== widget);
  }

  /** Where a slider differs from the kernel's network, its user has moved it meanwhile. */
  overlay(): void {
    for (const binding of this.bindings) {
      const at = this.position(binding);
      if (at === null) continue;
      const report = binding.slider.get("value") as number;
      const values = this.lab.network.values[binding.leaf];
      if (Number.isFinite(report) && !snapped(binding, values[at])) values[at] = report;
    }
    this.lab.results.invalidate();
  }

  /** Let the sliders of an entry follow, but for the one that moves it. */
  follow(leaf: string, at: number, value: number, by?: WidgetModel): void {
    this.following = true;
    try {
      for (const binding of this.bindings) {
        const same = binding.leaf === leaf && this.position(binding) === at;
        if (same && binding.slider !== by && !snapped(binding, value)) show(binding.slider, value);
      }
    } finally {
      this.following = false;
    }
  }

  /** Let every slider follow a network that was put in place here; one whose entry is gone rests
   * until the entry comes back. */
  followAll(): void {
    this.following = true;
    try {
      for (const binding of this.bindings) {
        const exact = this.exact(binding);
        if (exact === null) {
          if (!binding.slider.get("disabled")) this.resting.add(binding.slider);
          binding.slider.set_state({ disabled: true });
          continue;
        }
        if (this.resting.delete(binding.slider)) binding.slider.set_state({ disabled: false });
        if (!snapped(binding, exact)) show(binding.slider, exact);
      }
    } finally {
      this.following = false;
    }
  }

  /** A slider was moved, here, in another tab or from Python. */
  private moved(binding: Binding): void {
    const { slider, leaf } = binding;
    const at = this.position(binding);
    // The event's own argument may be stale: the view can have rounded the value in between.
    const report = slider.get("value") as number;
    if (at === null || !Number.isFinite(report)) return;
    if (this.following || snapped(binding, this.lab.network.values[leaf][at])) {
      this.announce();
      return;
    }
    // What comes from the kernel is known there; the view's rounding of it is no move either.
    binding.unsent = !slider._state_lock;
    this.lab.move(leaf, at, report, slider);
  }

  /** A slider's view reports a rounded value whenever it draws one. Such a report says nothing new,
   * and one that crosses an assignment in Python would undo it: only moves are sent. */
  private sendOnlyMoves(binding: Binding): void {
    const { slider } = binding;
    const save = slider.save_changes;
    slider.save_changes = (...callbacks) => {
      // What is not sent now must not go along with a later message either.
      if (binding.unsent) this.settle(binding);
      else Reflect.deleteProperty(slider._buffered_state_diff ?? {}, "value");
      binding.unsent = false;
      save.apply(slider, callbacks);
    };
  }

  /** A typed number may have been rounded by the view since it was drawn: hold what is sent. */
  private settle(binding: Binding): void {
    const { slider, leaf } = binding;
    const at = this.position(binding);
    const report = slider.get("value") as number;
    if (at === null || this.lab.network.values[leaf][at] === report) return;
    this.lab.move(leaf, at, report, slider);
  }

  /** Null for an entry that the network has lost. */
  private position({ leaf, index }: Binding): number | null {
    const shape = this.lab.network.program.leaves[leaf];
    const exists = shape?.length === index.length && index.every((i, axis) => i < shape[axis]);
    return exists ? flat(shape, index) : null;
  }

  /** Name the handles that are on the page by now. */
  private label(): void {
    this.eachView((el, binding) => {
      const name = `${binding.leaf}[${binding.index.join(",")}]`;
      label(el, name, () => this.exact(binding));
    });
    this.announce();
  }

  /** Show the exact values, which the sliders themselves know only rounded to their steps. */
  announce(): void {
    this.eachView((el, binding) => {
      const value = this.exact(binding);
      if (value !== null) speak(el, value);
    });
  }

  private exact(binding: Binding): number | null {
    const at = this.position(binding);
    return at === null ? null : this.lab.network.values[binding.leaf][at];
  }

  private eachView(act: (el: HTMLElement, binding: Binding) => void): void {
    for (const binding of this.bindings) {
      for (const view of Object.values(binding.slider.views ?? {})) {
        void view.then(({ el }) => act(el, binding));
      }
    }
  }
}

function snapped({ slider }: Binding, exact: number): boolean {
  const [value, min, max, step] = ["value", "min", "max", "step"].map((t) => slider.get(t));
  return onlySnapped(value as number, exact, min as number, max as number, step as number | null);
}

/** Move a slider, its range first: its view would clamp the value else. */
function show(slider: WidgetModel, value: number): void {
  const [min, max] = grown(slider.get("min") as number, slider.get("max") as number, value);
  slider.set_state({ min, max });
  slider.set_state({ value });
}

/**
 * Whether a reported value is the exact one, or the exact one rounded to the slider's grid: a
 * displayed slider writes its value back rounded to its step.
 */
export function onlySnapped(
  report: number,
  exact: number,
  low: number,
  high: number,
  step: number | null,
): boolean {
  const tolerance = 1e-9 * (high - low);
  if (Math.abs(report - exact) <= tolerance) return true;
  if (!step) return false;
  const inside = Math.min(Math.max(exact, low), high);
  const steps = (report - low) / step;
  const onGrid = Math.abs(steps - Math.round(steps)) * step <= tolerance || report === high;
  return onGrid && Math.abs(report - inside) <= step / 2 + tolerance;
}

/** A range that contains a value: the old one, or one widened to a rounder bound beyond it. */
export function grown(low: number, high: number, value: number): [number, number] {
  if (low <= value && value <= high) return [low, high];
  const magnitude = 10 ** Math.floor(Math.log10(Math.abs(value || 1)));
  if (value > high) return [low, Math.ceil(value / magnitude) * magnitude];
  return [Math.floor(value / magnitude) * magnitude, high];
}
