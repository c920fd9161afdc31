/** `LiveLab`: the network as it is on this page, and who is told when it changes. */

import type { AnyModel } from "@anywidget/types";
import { signal as reactive, type Signal } from "@preact/signals";
import { Accounting } from "./accounting";
import { type Aliases, KnownAliases } from "./aliases";
import { Drives } from "./drives";
import type { Program } from "./engine/program";
import { parseEntry, Results } from "./engine/quantities";
import { type Focus, History, type Origin } from "./history";
import { Kernel } from "./kernel";
import { type Manager, modelOf, type WidgetModel } from "./models";
import { copied, type Network, readNetwork, writeNetwork } from "./network";
import { renderNow } from "./rendering";
import { Sliders } from "./sliders";
import { followUndoKeys } from "./undo-keys";
import { Veil } from "./veil";

const REST_MS = 60;

export interface Cell {
  readonly t: number;
  readonly k: number;
}

export class LiveLab {
  /** Counts changes of the network; views read it to follow. */
  readonly revision = reactive(0);
  /** The entry in focus, such as "weight_hh_l0[0,1]". */
  readonly selection = reactive("");
  /** The contribution in focus: loss step t and source step k, counted from 0. */
  readonly cell = reactive<Cell>({ t: 0, k: 0 });
  /** The leaf that a reader points at in a ledger, "" for none; every graph marks its uses. */
  readonly pointed = reactive("");
  /** What other frameworks call each leaf, as far as the kernel has said. */
  readonly aliases = reactive<Aliases>({});
  readonly known = new KnownAliases();
  readonly origin: Signal<Origin>;
  /** Counts what is not a move: undo, redo, and other networks put in place. */
  readonly jumps = reactive(0);
  readonly history: History;
  readonly kernel: Kernel;
  readonly accounting: Accounting;
  /** What no view shows, since a reader is about to predict it. */
  readonly veil = new Veil(this);
  /** The elements that its views are drawn in. */
  readonly places = new Set<Element>();
  network: Network;
  results: Results;
  private telling = false;
  private sending: ReturnType<typeof setTimeout> | undefined;
  private readonly sliders: Sliders;
  private readonly drives: Drives;

  constructor(
    readonly model: AnyModel,
    /** Aborted when the lab is closed. */
    readonly signal: AbortSignal,
  ) {
    this.network = readNetwork(model.get("_network"));
    this.results = new Results(this.network.program, this.network.values);
    this.origin = reactive({ network: copied(this.network), preset: "", say: "" });
    this.history = new History(this.origin.value);
    this.readAliases();
    this.accounting = new Accounting(this);
    this.sliders = new Sliders(this);
    this.drives = new Drives(this);
    this.readFocus();
    this.kernel = new Kernel(
      model,
      (witness) => this.accounting.confirmed(witness),
      () => [...this.sliders.models, ...this.drives.models],
      signal,
    );
    model.on("change:_network", () => this.readFromKernel());
    for (const trait of ["selection", "loss_step", "source_step"]) {
      model.on(`change:${trait}`, () => this.telling || this.readFocus());
    }
    model.on("change:_aliases", () => this.readAliases());
    followUndoKeys(this);
    const flush = () => this.send();
    window.addEventListener("pagehide", flush);
    signal.addEventListener("abort", () => {
      window.removeEventListener("pagehide", flush);
      clearTimeout(this.sending);
      this.accounting.stop();
    });
    // Not awaited: anywidget would give up on a model whose initialize takes over two seconds.
    void this.sliders.bind();
    void this.drives.bind().then(() => {
      if (!signal.aborted) this.kernel.attach();
    });
    this.accounting.schedule();
  }

  /** Put an entry in focus, here and in the kernel. */
  select(entry: string): void {
    this.tell({ selection: entry });
  }

  /** Put the contribution C[t, k] in focus. */
  selectCell(t: number, k: number): void {
    this.tell({ loss_step: t, source_step: k });
  }

  /** Set one number of a leaf, by its row-major position: the way in for every view of the page.
   * A slider that does so names itself, and the kernel hears of it from the slider; the other
   * sliders of the entry follow. */
  move(leaf: string, at: number, value: number, by?: WidgetModel): void {
    this.network.values[leaf][at] = value;
    this.sliders.follow(leaf, at, value, by);
    this.results.invalidate();
    this.record(`${leaf} ${at}`, this.focus());
    this.changed();
    if (!by) this.sendSoon();
  }

  /** Set whole leaves, as one change that can be undone; changes of one `gesture` that follow
   * quickly are undone together. */
  assign(values: Readonly<Record<string, Float64Array>>, gesture = ""): void {
    const network = { ...this.network, values: { ...this.network.values, ...values } };
    this.adopt(network, this.origin.value, gesture);
  }

  /** Put another network in place of this one, as one change that can be undone. */
  adopt(network: Network, origin = this.origin.value, gesture = ""): void {
    this.origin.value = origin;
    const left = this.focus();
    this.show(network);
    this.record(gesture, left);
    this.sendSoon();
  }

  /** The network as it was opened turns out to be one that has a name. */
  recognise(origin: Origin): void {
    this.origin.value = origin;
    this.history.rename(origin);
  }

  /** The network that a reset leads back to. */
  get initial(): Network {
    return this.origin.value.network;
  }

  reset(): void {
    this.adopt(copied(this.initial));
  }

  undo(): void {
    this.restore(this.history.undo(this.focus()));
  }

  redo(): void {
    this.restore(this.history.redo(this.focus()));
  }

  /** Redraw, now that the network or what shows it has changed. */
  changed(): void {
    // Views first: a canvas that writes text would have to wait for what the figures change.
    this.revision.value++;
    this.accounting.schedule();
    renderNow();
    this.drives.redraw();
    this.sliders.announce();
  }

  /** The model that a reference of the kernel's names; null if the lab is closed before it comes. */
  resolve(reference: unknown): Promise<WidgetModel | null> {
    return modelOf(reference, this.model.widget_manager as unknown as Manager, this.signal);
  }

  private record(gesture: string, left: Focus): void {
    this.history.record(this.network, this.origin.value, gesture, left);
  }

  private restore(moment: ReturnType<History["undo"]>): void {
    if (!moment) return;
    this.origin.value = moment.origin;
    this.show(moment.network, false, moment.focus);
    this.sendSoon();
  }

  private readFromKernel(): void {
    if (this.telling) return;
    const network = readNetwork(this.model.get("_network"), this.network);
    if (network.program !== this.network.program) {
      this.origin.value = { network: copied(network), preset: "", say: "" };
    }
    const left = this.focus();
    this.show(network, true);
    this.record("", left);
  }

  /** Show a network; one that comes from the kernel may lack moves of sliders made meanwhile, and
   * one of another structure that comes back brings back what was in focus. */
  private show(network: Network, overlaid = false, focus?: Focus): void {
    const before = this.network.program;
    this.network = network;
    if (this.results.program === network.program) this.results.reload(network.values);
    else {
      this.results = new Results(network.program, network.values);
      if (overlaid) this.readAliases();
      else this.aliases.value = this.known.recall(network.program);
      if (focus) this.focusOn(focus);
      else this.keepFocus(overlaid ? null : before);
    }
    if (overlaid) this.sliders.overlay();
    else this.sliders.followAll();
    this.jumps.value++;
    this.changed();
  }

  /** Focus on what exists. After a change made here, a focus on the last loss step stays on the
   * last one; the kernel has a say of its own. */
  private keepFocus(before: Program | null): void {
    const { parameters, seqLen, hiddenSize } = this.network.program;
    try {
      parseEntry(this.selection.value, parameters);
    } catch {
      const all = Object.entries(parameters);
      const square = `${hiddenSize},${hiddenSize}`;
      const [leaf, shape] =
        all.find(([name]) => name.startsWith("weight_hh")) ??
        all.find(([, sizes]) => sizes.join() === square) ??
        all[0];
      this.selection.value = `${leaf}[${shape.map(() => 0).join(",")}]`;
    }
    const { t, k } = this.cell.value;
    const last = seqLen - 1;
    const loss = before && t === before.seqLen - 1 ? last : Math.min(t, last);
    const source = before?.seqLen === 1 ? Math.max(0, last - 2) : Math.min(k, last);
    if (loss !== t || source !== k) this.cell.value = { t: loss, k: source };
  }

  private readAliases(): void {
    this.aliases.value = this.known.learn(this.network.program, this.model.get("_aliases"));
  }

  private readFocus(): void {
    const [selection, loss_step, source_step] = ["selection", "loss_step", "source_step"].map((n) =>
      this.model.get(n),
    );
    const other = selection !== this.selection.value;
    this.focusOn({ selection, loss_step, source_step });
    if (other) {
      this.drives.redraw();
      this.accounting.schedule();
    }
  }

  private focusOn({ selection, loss_step: t, source_step: k }: Focus): void {
    this.selection.value = selection;
    if (t !== this.cell.value.t || k !== this.cell.value.k) this.cell.value = { t, k };
  }

  /** A move is sent when the hand rests: the kernel need not compute every step of a drag. */
  private sendSoon(): void {
    clearTimeout(this.sending);
    this.sending = setTimeout(() => this.send(), REST_MS);
  }

  private send(): void {
    if (this.sending !== undefined) this.tell({});
  }

  /** Set traits of the lab, here and in the kernel: a network that waits to be sent goes first, since
   * the focus may be on what only it has. */
  private tell(traits: Record<string, unknown>): void {
    if (this.sending !== undefined) {
      clearTimeout(this.sending);
      this.sending = undefined;
      this.set({ _network: writeNetwork(this.network), ...this.focus(), ...traits });
    } else this.set(traits);
    if (this.kernel.state.value !== "gone") this.model.save_changes();
  }

  private focus(): Focus {
    const { t, k } = this.cell.value;
    return { selection: this.selection.value, loss_step: t, source_step: k };
  }

  private set(traits: Record<string, unknown>): void {
    this.telling = true;
    try {
      for (const [name, value] of Object.entries(traits)) this.model.set(name, value);
    } finally {
      this.telling = false;
    }
    this.readFocus();
  }
}
