/** Drives: quantities of the network shown in traits of other widgets, such as marks of figures. */

import type { Tensor } from "./engine/quantities";
import { Instant } from "./instant";
import type { LiveLab } from "./live";
import type { Manager, WidgetModel } from "./models";
import { type Said, said, sameTensor, type TraitKind, traitValue, transformed } from "./transforms";
import { HIDDEN } from "./veil";

interface Drive extends Said {
  readonly widget: WidgetModel;
  readonly trait: string;
  readonly kind: TraitKind;
  shown?: Tensor | string | undefined;
}

export class Drives {
  private drives: Drive[] = [];
  /** The network's revision that is shown. */
  private drawnAt = -1;
  private writing = false;
  private drawAgain = false;
  private readonly instant = new Instant();

  constructor(private readonly lab: LiveLab) {
    const { restored } = lab.model.widget_manager as unknown as Manager;
    lab.model.on("change:_drives", () => this.bind());
    restored?.connect(this.redrawAll);
    const leave = lab.veil.subscribe(() => {
      // When the network moves, the lab redraws.
      if (this.drawnAt === lab.revision.peek()) this.redraw();
    });
    lab.signal.addEventListener("abort", leave);
    lab.signal.addEventListener("abort", () => {
      restored?.disconnect(this.redrawAll);
      this.release(this.models);
    });
  }

  get models(): WidgetModel[] {
    return this.drives.map(({ widget }) => widget);
  }

  async bind(): Promise<void> {
    const { lab } = this;
    const specs = lab.model.get("_drives") as (Omit<Drive, "widget"> & { widget: unknown })[];
    const found = await Promise.all(specs.map((spec) => lab.resolve(spec.widget)));
    if (lab.signal.aborted || specs !== lab.model.get("_drives")) return; // overtaken
    this.release(this.models);
    this.drives = specs.flatMap((spec, i) => {
      const widget = found[i];
      return widget ? [{ ...spec, widget }] : [];
    });
    for (const drive of this.drives) {
      const { widget, trait } = drive;
      widget.on(`change:${trait}`, () => this.overwritten(drive), this);
      widget.on("destroy", () => this.forget(widget), this);
    }
    lab.kernel.isolate();
    this.redraw();
  }

  private release(widgets: Iterable<WidgetModel>): void {
    for (const widget of widgets) widget.off(null, null, this);
  }

  private forget(widget: WidgetModel): void {
    this.release([widget]);
    this.drives = this.drives.filter((drive) => drive.widget !== widget);
  }

  /** Someone else wrote a driven trait: the kernel, or the page when it reconnects. */
  private overwritten(drive: Drive): void {
    if (this.writing) return;
    drive.shown = undefined;
    if (this.drawAgain) return;
    this.drawAgain = true;
    queueMicrotask(() => {
      this.drawAgain = false;
      if (!this.lab.signal.aborted) this.redraw();
    });
  }

  private readonly redrawAll = () => {
    for (const drive of this.drives) drive.shown = undefined;
    this.redraw();
  };

  /** Bring every driven trait up to date. Those of one widget are set at once; a widget one of
   * whose quantities does not exist is hidden if it can be, and text says so. */
  redraw(): void {
    this.drawnAt = this.lab.revision.peek();
    const states = new Map<WidgetModel, Record<string, unknown>>();
    for (const widget of new Set(this.models)) {
      const drives = this.drives.filter((drive) => drive.widget === widget);
      const numbers = drives.map((drive) => this.numbers(drive));
      // A mark shows its numbers by lengths, colours and tooltips: with one that is hidden, none.
      const hidden = drives.some((drive, i) => this.hides(drive, numbers[i]));
      const complete = !hidden && !numbers.includes(null);
      const state: Record<string, unknown> = {};
      if (widget.get("visible") === !complete) state["visible"] = complete;
      drives.forEach((drive, i) => {
        if (drive.kind === "text") this.say(drive, numbers[i], state);
        else this.show(drive, complete ? numbers[i] : null, state);
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

  private say(drive: Drive, numbers: Tensor | null, state: Record<string, unknown>): void {
    const { text: form } = this.focused(drive);
    const filled = form.includes("{}") ? form.replaceAll("{}", HIDDEN) : `${form} · ${HIDDEN}`;
    const text = this.hides(drive, numbers)
      ? filled
      : said(this.focused(drive), numbers, () => this.lab.results.overflow);
    if (text !== drive.shown) state[drive.trait] = text;
    drive.shown = text;
  }

  private hides({ quantity }: Drive, numbers: Tensor | null): boolean {
    if (!this.lab.veil.drawn) return false;
    const [name] = quantity.trim().split(/[[\s]/, 1);
    return numbers?.data.some((x) => this.lab.veil.hides(x, name)) ?? false;
  }

  private show(drive: Drive, numbers: Tensor | null, state: Record<string, unknown>): void {
    const tensor = numbers ? transformed(numbers, drive.transform) : undefined;
    const shown = typeof drive.shown === "string" ? undefined : drive.shown;
    if (tensor && !sameTensor(shown, tensor)) state[drive.trait] = traitValue(tensor, drive.kind);
    drive.shown = tensor;
  }

  /** Null where the quantity does not exist, as when sizes have shrunk. */
  private numbers(drive: Drive): Tensor | null {
    try {
      return this.lab.results.quantity(this.focused(drive).quantity);
    } catch {
      return null;
    }
  }

  /** The drive with the entry in focus where its words say "selection". */
  private focused(drive: Drive): Drive {
    if (!drive.quantity.includes("[selection]")) return drive;
    const fill = (text: string) => text.replaceAll("selection", this.lab.selection.value);
    return {
      ...drive,
      quantity: fill(drive.quantity),
      text: fill(drive.text),
      name: fill(drive.name),
    };
  }
}
