/** The lab's side of its conversation with the kernel: its lease, its witness, and its loss. */

import type { AnyModel } from "@anywidget/types";
import { signal as reactive } from "@preact/signals";
import { watchStatus } from "./kernel-status";
import type { Manager, WidgetModel } from "./models";
import { flattened } from "./network";

const RENEW_MS = 4_000; // the kernel's lease runs for 12 seconds
const ANSWER_MS = 5_000;

export type KernelState = "live" | "silent" | "gone";

export interface Witness {
  readonly values: Record<string, Float64Array>;
  /** Entries that are not finite come as null. */
  readonly gradients: Record<string, Float64Array>;
}

export class Kernel {
  /** "silent": it does not answer in time, as when busy; "gone": stopped, restarted or never there. */
  readonly state = reactive<KernelState>("live");
  private request = 0;
  private timeout: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly model: AnyModel,
    private readonly onWitness: (witness: Witness) => void,
    /** Models that must not try to reach a kernel that is gone. */
    private readonly models: () => Iterable<WidgetModel>,
    signal: AbortSignal,
  ) {
    this.watch(signal);
    model.on("msg:custom", (message: { kind?: string } & Record<string, unknown>) => {
      if (message.kind === "witness") this.receive(message as unknown as WitnessJson);
    });
    const renewing = setInterval(() => this.send({ kind: "attached" }), RENEW_MS);
    const leave = () => this.send({ kind: "detached" });
    window.addEventListener("pagehide", leave);
    signal.addEventListener("abort", () => {
      clearInterval(renewing);
      clearTimeout(this.timeout);
      window.removeEventListener("pagehide", leave);
    });
  }

  /** Tell the kernel that this page draws. */
  attach(): void {
    this.send({ kind: "attached" });
  }

  /** Ask torch what the gradients are. */
  confirm(): void {
    if (!this.send({ kind: "confirm", id: ++this.request })) return;
    clearTimeout(this.timeout);
    this.timeout = setTimeout(() => {
      if (this.state.value === "live") this.state.value = "silent";
    }, ANSWER_MS);
  }

  private receive({ id, values, gradients }: WitnessJson): void {
    if (this.state.value === "gone") return;
    this.state.value = "live";
    if (id !== this.request) return;
    clearTimeout(this.timeout);
    this.onWitness({ values: flattenedAll(values), gradients: flattenedAll(gradients) });
  }

  private send(message: object): boolean {
    if (this.state.value === "gone") return false;
    try {
      this.model.send(message);
    } catch {
      this.lose(); // the only sign of a lost comm in hosts that do not tell
      return false;
    }
    return true;
  }

  private watch(signal: AbortSignal): void {
    // A restart leaves a living kernel that does not know this lab.
    this.model.on("comm_live_update", () => {
      if ([...this.models()].some((model) => !model.comm_live)) this.lose();
    });
    watchStatus(this.model.widget_manager as unknown as Manager, signal, () => this.lose());
  }

  private lose(): void {
    if (this.state.value === "gone") return;
    this.state.value = "gone";
    clearTimeout(this.timeout);
    this.isolate();
  }

  /** If the kernel is gone, tell the models. A stopped kernel leaves them believing in it: every
   * move would log an error, and every hover over a bqplot mark throw one. */
  isolate(): void {
    if (this.state.value !== "gone") return;
    for (const model of this.models()) {
      model.comm_live = false;
      model.send = () => {};
    }
  }
}

interface WitnessJson {
  readonly id: number;
  readonly values: Record<string, unknown>;
  readonly gradients: Record<string, unknown>;
}

function flattenedAll(nested: Record<string, unknown>): Record<string, Float64Array> {
  return Object.fromEntries(Object.entries(nested).map(([name, list]) => [name, flattened(list)]));
}
