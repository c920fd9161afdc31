/** `LiveLab` binds the engine to the sliders, marks and views of the page. */

import type { AnyModel } from "@anywidget/types";
import { signal as reactive } from "@preact/signals";
import { Accounting } from "./accounting";
import { sameTensor, type TraitKind, type Transform, traitValue, transformed } from "./drives";
import { flat, Results, type Tensor } from "./engine/quantities";
import { allDigits, threeDigits } from "./format";
import { Instant } from "./instant";
import { Kernel } from "./kernel";
import { type Manager, modelOf, type WidgetModel } from "./models";
import { type Network, readNetwork } from "./network";
import { grown, onlySnapped } from "./sliders";

interface Binding {
  readonly slider: WidgetModel;
  readonly leaf: string;
  readonly index: readonly number[];
  /** The slider holds a move that the kernel has yet to be told. */
  unsent: boolean;
}

interface Drive {
  readonly widget: WidgetModel;
  readonly trait: string;
  readonly quantity: string;
  readonly kind: TraitKind;
  readonly transform: Transform;
  shown?: Tensor | undefined;
}

export class LiveLab {
  /** Counts changes of the network; views read it to follow. */
  readonly revision = reactive(0);
  readonly selection = reactive("");
  readonly kernel: Kernel;
  readonly accounting: Accounting;
  network: Network;
  results: Results;
  private bindings: Binding[] = [];
  private drives: Drive[] = [];
  private writing = false;
  private following = false;
  private drawAgain = false;
  private readonly instant = new Instant();
  // Owners of listeners: one widget can be both a slider and driven.
  private readonly ofSliders = {};
  private readonly ofDrives = {};

  constructor(
    readonly model: AnyModel,
    private readonly signal: AbortSignal,
  ) {
    this.network = readNetwork(model.get("_network"));
    this.results = new Results(this.network.program, this.network.values);
    this.selection.value = model.get("selection");
    this.accounting = new Accounting(this);
    this.kernel = new Kernel(
      model,
      (witness) => this.accounting.confirmed(witness),
      () => [...this.bindings.map((b) => b.slider), ...this.drives.map((d) => d.widget)],
      signal,
    );
    model.on("change:_network", () => this.adopt());
    model.on("change:_sliders", () => this.bindSliders());
    model.on("change:_drives", () => this.bindDrives());
    model.on("change:selection", () => {
      this.selection.value = model.get("selection");
      this.accounting.schedule();
    });
    const labelling = new MutationObserver(() => this.labelSliders());
    labelling.observe(document.body, { childList: true, subtree: true });
    (model.widget_manager as unknown as Manager).restored?.connect(this.redrawAll);
    signal.addEventListener("abort", () => {
      labelling.disconnect();
      (model.widget_manager as unknown as Manager).restored?.disconnect(this.redrawAll);
      this.release(
        this.bindings.map((b) => b.slider),
        this.ofSliders,
      );
      this.release(
        this.drives.map((d) => d.widget),
        this.ofDrives,
      );
      this.accounting.stop();
    });
    // Not awaited: anywidget would give up on a model whose initialize takes over two seconds.
    void this.bindSliders();
    void this.bindDrives().then(() => {
      if (!signal.aborted) this.kernel.attach();
    });
    this.accounting.schedule();
  }

  /** Put an entry in focus, here and in the kernel. */
  select(entry: string): void {
    this.model.set("selection", entry);
    if (this.kernel.state.value !== "gone") this.model.save_changes();
  }

  private adopt(): void {
    this.network = readNetwork(this.model.get("_network"), this.network);
    if (this.results.program === this.network.program) this.results.reload(this.network.values);
    else this.results = new Results(this.network.program, this.network.values);
    this.overlaySliders();
    this.changed();
  }

  /** Where a slider differs from the kernel's network, its user has moved it meanwhile. */
  private overlaySliders(): void {
    for (const binding of this.bindings) {
      const at = this.position(binding);
      if (at === null) continue;
      const report = binding.slider.get("value") as number;
      const values = this.network.values[binding.leaf];
      if (Number.isFinite(report) && !this.snapped(binding, values[at])) values[at] = report;
    }
    this.results.invalidate();
  }

  private position({ leaf, index }: Binding): number | null {
    const shape = this.network.program.leaves[leaf];
    const exists = shape?.length === index.length && index.every((i, axis) => i < shape[axis]);
    return exists ? flat(shape, index) : null;
  }

  private snapped({ slider }: Binding, exact: number): boolean {
    const [value, min, max, step] = ["value", "min", "max", "step"].map((t) => slider.get(t));
    return onlySnapped(value as number, exact, min as number, max as number, step as number | null);
  }

  private async bindSliders(): Promise<void> {
    const specs = this.model.get("_sliders") as {
      slider: unknown;
      leaf: string;
      index: number[];
    }[];
    const found = await Promise.all(specs.map((spec) => this.resolve(spec.slider)));
    if (this.signal.aborted || specs !== this.model.get("_sliders")) return; // overtaken
    this.release(
      this.bindings.map((b) => b.slider),
      this.ofSliders,
    );
    this.bindings = specs.flatMap((spec, i) => {
      const slider = found[i];
      return slider ? [{ slider, leaf: spec.leaf, index: spec.index, unsent: false }] : [];
    });
    for (const binding of this.bindings) {
      binding.slider.on("change:value", () => this.moved(binding), this.ofSliders);
      this.sendOnlyMoves(binding);
      binding.slider.on("destroy", () => this.forget(binding.slider), this.ofSliders);
    }
    this.kernel.isolate();
    this.overlaySliders();
    this.changed();
    this.labelSliders();
  }

  private async bindDrives(): Promise<void> {
    const specs = this.model.get("_drives") as (Omit<Drive, "widget"> & { widget: unknown })[];
    const found = await Promise.all(specs.map((spec) => this.resolve(spec.widget)));
    if (this.signal.aborted || specs !== this.model.get("_drives")) return; // overtaken
    this.release(
      this.drives.map((d) => d.widget),
      this.ofDrives,
    );
    this.drives = specs.flatMap((spec, i) => {
      const widget = found[i];
      return widget ? [{ ...spec, widget }] : [];
    });
    for (const drive of this.drives) {
      const { widget, trait } = drive;
      widget.on(`change:${trait}`, () => this.overwritten(drive), this.ofDrives);
      widget.on("destroy", () => this.forget(widget), this.ofDrives);
    }
    this.kernel.isolate();
    this.redraw();
  }

  private resolve(reference: unknown): Promise<WidgetModel | null> {
    return modelOf(reference, this.model.widget_manager as unknown as Manager, this.signal);
  }

  private release(widgets: Iterable<WidgetModel>, owner: object): void {
    for (const widget of widgets) {
      widget.off(null, null, owner);
      // The class has its own.
      if (owner === this.ofSliders) Reflect.deleteProperty(widget, "save_changes");
    }
  }

  private forget(widget: WidgetModel): void {
    this.release([widget], this.ofSliders);
    this.release([widget], this.ofDrives);
    this.bindings = this.bindings.filter((b) => b.slider !== widget);
    this.drives = this.drives.filter((d) => d.widget !== widget);
  }

  /** A slider was moved, here, in another tab or from Python. */
  private moved(binding: Binding): void {
    const at = this.position(binding);
    // The event's own argument may be stale: the view can have rounded the value in between.
    const report = binding.slider.get("value") as number;
    if (at === null || !Number.isFinite(report)) return;
    const values = this.network.values[binding.leaf];
    if (this.following || this.snapped(binding, values[at])) {
      this.announce();
      return;
    }
    values[at] = report;
    // What comes from the kernel is known there; the view's rounding of it is no move either.
    binding.unsent = !binding.slider._state_lock;
    this.moveTwins(binding, at, report);
    this.results.invalidate();
    this.changed();
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
    const at = this.position(binding);
    const report = binding.slider.get("value") as number;
    if (at === null || this.network.values[binding.leaf][at] === report) return;
    this.network.values[binding.leaf][at] = report;
    this.results.invalidate();
    this.changed();
  }

  /** Let the other sliders of an entry follow. */
  private moveTwins(binding: Binding, at: number, report: number): void {
    this.following = true;
    try {
      for (const other of this.bindings) {
        const same = other.leaf === binding.leaf && this.position(other) === at;
        if (same && other !== binding && !this.snapped(other, report)) follow(other.slider, report);
      }
    } finally {
      this.following = false;
    }
  }

  private changed(): void {
    this.redraw();
    this.revision.value++;
    this.accounting.schedule();
    this.announce();
  }

  /** Someone else wrote a driven trait: the kernel, or the page when it reconnects. */
  private overwritten(drive: Drive): void {
    if (this.writing) return;
    drive.shown = undefined;
    if (this.drawAgain) return;
    this.drawAgain = true;
    queueMicrotask(() => {
      this.drawAgain = false;
      if (!this.signal.aborted) this.redraw();
    });
  }

  private readonly redrawAll = () => {
    for (const drive of this.drives) drive.shown = undefined;
    this.redraw();
  };

  /** Bring every driven trait up to date. Those of one widget are set at once; a widget one of
   * whose quantities does not exist is hidden. */
  private redraw(): void {
    const states = new Map<WidgetModel, Record<string, unknown>>();
    for (const widget of new Set(this.drives.map((drive) => drive.widget))) {
      const drives = this.drives.filter((drive) => drive.widget === widget);
      const tensors = drives.map((drive) => this.tensor(drive));
      const complete = !tensors.includes(null);
      const state: Record<string, unknown> = {};
      if (widget.get("visible") === !complete) state["visible"] = complete;
      drives.forEach((drive, i) => {
        const tensor = complete ? (tensors[i] as Tensor) : undefined;
        if (tensor && !sameTensor(drive.shown, tensor)) {
          state[drive.trait] = traitValue(tensor, drive.kind);
        }
        drive.shown = tensor;
      });
      if (Object.keys(state).length) states.set(widget, state);
      void this.instant.learn(widget);
    }
    this.writing = true;
    try {
      this.instant.draw(() => {
        for (const [widget, state] of states) widget.set_state(state);
      });
    } finally {
      this.writing = false;
    }
  }

  /** Null where the quantity does not exist, as when sizes have shrunk. */
  private tensor({ quantity, transform }: Drive): Tensor | null {
    try {
      return transformed(this.results.quantity(quantity), transform);
    } catch {
      return null;
    }
  }

  /** Name the handles that are on the page by now. */
  private labelSliders(): void {
    this.eachView((el, binding) => {
      if (!el.querySelector(".noUi-handle[data-lm-suppress-shortcuts]")) {
        label(el, binding, () => this.exact(binding));
      }
    });
    this.announce();
  }

  /** Show the exact values, which the sliders themselves know only rounded to their steps. */
  private announce(): void {
    this.eachView((el, binding) => {
      const value = this.exact(binding);
      if (value !== null) speak(el, value);
    });
  }

  private exact(binding: Binding): number | null {
    const at = this.position(binding);
    return at === null ? null : this.network.values[binding.leaf][at];
  }

  private eachView(act: (el: HTMLElement, binding: Binding) => void): void {
    for (const binding of this.bindings) {
      for (const view of Object.values(binding.slider.views ?? {})) {
        void view.then(({ el }) => act(el, binding));
      }
    }
  }
}

/** Move another slider of the same entry, its range first: its view would clamp the value else. */
function follow(slider: WidgetModel, value: number): void {
  const [min, max] = grown(slider.get("min") as number, slider.get("max") as number, value);
  slider.set_state({ min, max });
  slider.set_state({ value });
}

/** Name the handle after its entry, and let arrow keys reach it past the notebook's shortcuts. */
function label(el: HTMLElement, { leaf, index }: Binding, exact: () => number | null): void {
  const name = `${leaf}[${index.join(",")}]`;
  const handle = el.querySelector(".noUi-handle");
  handle?.setAttribute("data-lm-suppress-shortcuts", "true");
  handle?.setAttribute("aria-label", name);
  const readout = el.querySelector<HTMLElement>(".widget-readout");
  if (!readout) return;
  readout.setAttribute("data-lm-suppress-shortcuts", "true");
  readout.setAttribute("role", "textbox");
  readout.setAttribute("aria-label", `${name}, value`);
  // The view reads only plain digits: edit all of them, and take a typeset minus or a comma too.
  readout.addEventListener("focus", () => {
    readout.textContent = String(exact() ?? readout.textContent);
  });
  const plain = () => {
    const text = (readout.textContent ?? "")
      .replaceAll("−", "-")
      .replace(/^([^.,]*),([^.,]*)$/, "$1.$2");
    if (text !== readout.textContent) readout.textContent = text;
  };
  readout.addEventListener("blur", plain, { capture: true });
  readout.addEventListener("keydown", (event) => event.key === "Enter" && plain(), {
    capture: true,
  });
}

function speak(el: HTMLElement, value: number): void {
  const handle = el.querySelector(".noUi-handle");
  handle?.setAttribute("aria-valuetext", threeDigits(value));
  handle?.setAttribute("title", allDigits(value));
  const readout = el.querySelector(".widget-readout");
  // Only when it differs: each change of text is a change of the page, which is being watched.
  const text = threeDigits(value);
  if (readout && readout !== document.activeElement && readout.textContent !== text) {
    readout.textContent = text;
  }
}
