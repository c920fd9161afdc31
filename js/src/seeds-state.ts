/** A seed explorer on this page: the seed as it is moved here, and the place that J belongs to. */

import type { AnyModel } from "@anywidget/types";
import { signal as reactive, type Signal } from "@preact/signals";
import { watchKernel } from "./seeds-kernel";
import { type Argument, opened, type Point, type Tape } from "./seeds-math";

const REST_MS = 60;

interface PointJson {
  readonly request: string;
  readonly x: readonly (readonly number[])[];
  readonly z: readonly number[];
  readonly jacobian: readonly (readonly (readonly number[])[])[];
  readonly unused: readonly string[];
  readonly losses: Readonly<Record<string, readonly number[] | null>>;
  readonly bare: string | null;
  readonly again: string | null;
  readonly reached: readonly string[];
}

interface About {
  readonly title: string;
  readonly network: boolean;
  readonly arguments: readonly { readonly name: string; readonly shape: readonly number[] }[];
  readonly outputs: readonly string[];
}

export class SeedState {
  readonly title: string;
  readonly network: boolean;
  readonly args: readonly Argument[];
  readonly outputs: readonly string[];
  /** z, J and what comes of them: all of one and the same x. */
  readonly point: Signal<Point>;
  readonly seed: Signal<Float64Array>;
  /** The loss whose derivative the seed is, "" for none. */
  readonly loss = reactive("");
  /** x where the sliders stand: ahead of the point while the kernel computes. */
  readonly wanted: Signal<readonly Float64Array[]>;
  /** Rows added so far. */
  readonly added: Signal<number>;
  readonly tape: Signal<Tape>;
  /** Whether J still belongs to an x before the last move. */
  readonly waiting = reactive(false);
  /** Why the kernel refused the x that the sliders stand at, "" where it did not. */
  readonly refusal = reactive("");
  readonly gone = reactive(false);
  private readonly page = Math.random().toString(36).slice(2);
  private requests = 0;
  private inFlight = "";
  private moved = false;
  private telling = false;
  private sending: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly model: AnyModel,
    signal: AbortSignal,
  ) {
    const about = model.get("_about") as About;
    this.title = about.title;
    this.network = about.network;
    this.outputs = about.outputs;
    this.args = about.arguments.map(({ name, shape }) => ({
      name,
      shape,
      size: shape.reduce((n, m) => n * m, 1),
    }));
    this.point = reactive(readPoint(model.get("_point")));
    this.seed = reactive<Float64Array>(Float64Array.from(model.get("_seed") as number[]));
    this.loss.value = model.get("_loss");
    this.wanted = reactive<readonly Float64Array[]>(this.point.value.x.map((x) => x.slice()));
    this.added = reactive(about.outputs.length);
    this.tape = reactive<Tape>(this.forward());
    model.on("change:_point", () => this.receive(model.get("_point")));
    for (const trait of ["_seed", "_loss"]) model.on(`change:${trait}`, () => this.readSeed());
    model.on("msg:custom", (message: { kind?: string; request?: string; error?: string }) => {
      if (message.kind === "refused") this.refused(message.request ?? "", message.error ?? "");
    });
    watchKernel(model, model.get("_id"), signal, () => {
      this.gone.value = true;
      this.inFlight = "";
      this.waiting.value = false;
      this.stay();
    });
    const flush = () => this.send();
    window.addEventListener("pagehide", flush);
    signal.addEventListener("abort", () => {
      window.removeEventListener("pagehide", flush);
      clearTimeout(this.sending);
    });
  }

  /** What the vector is called: a network's outputs are y. */
  get symbol(): string {
    return this.network ? "y" : "z";
  }

  /** The code that makes the vector. */
  get run(): string {
    return this.network ? "y, final = net(x, initial)" : `z = ${this.title}`;
  }

  /** Which entry of z an output is, as Python indexes it: v and J are indexed alike. */
  indexOf(at: number): string {
    return this.outputs[at].slice(this.symbol.length);
  }

  get names(): string[] {
    return this.args.map(({ name }) => name);
  }

  forward(): Tape {
    return opened(this.names, this.run);
  }

  move(at: number, value: number): void {
    const seed = this.seed.value.slice();
    seed[at] = value;
    this.put(seed);
  }

  /** A whole seed; `loss` names the loss that it is the derivative of. */
  put(seed: Float64Array, loss = ""): void {
    this.seed.value = seed;
    this.loss.value = loss;
    clearTimeout(this.sending);
    this.sending = setTimeout(() => this.send(), REST_MS);
  }

  /** Move an input: the kernel is asked, one question at a time. */
  moveInput(argument: number, at: number, value: number): void {
    this.wanted.value = this.wanted.value.map((x, i) =>
      i === argument ? x.map((old, j) => (j === at ? value : old)) : x,
    );
    this.refusal.value = "";
    if (this.gone.value) {
      this.stay();
      return;
    }
    this.waiting.value = true;
    this.moved = true;
    if (!this.inFlight) this.ask();
  }

  /** Put the sliders back to the x that J belongs to. */
  stay(): void {
    this.wanted.value = this.point.value.x.map((x) => x.slice());
    this.refusal.value = "";
  }

  private ask(): void {
    this.send(); // a loss that is held must be held there first
    this.moved = false;
    this.inFlight = `${this.page} ${++this.requests}`;
    const x = this.wanted.value.map((values) => [...values]);
    this.model.send({ kind: "move", request: this.inFlight, x });
  }

  private receive(json: PointJson): void {
    this.point.value = readPoint(json);
    this.tape.value = this.forward();
    if (this.inFlight && json.request === this.inFlight) {
      this.answered();
      return;
    }
    // Somebody else has moved x: that is where it is now.
    this.inFlight = "";
    this.moved = false;
    this.waiting.value = false;
    this.stay();
  }

  private refused(request: string, error: string): void {
    if (request !== this.inFlight) return;
    if (!this.moved) this.refusal.value = error;
    this.answered();
  }

  private answered(): void {
    this.inFlight = "";
    if (this.moved) this.ask();
    else this.waiting.value = false;
  }

  private readSeed(): void {
    // What has been moved here and not been told yet is newer.
    if (this.telling || this.sending !== undefined) return;
    this.seed.value = Float64Array.from(this.model.get("_seed") as number[]);
    this.loss.value = this.model.get("_loss");
  }

  private send(): void {
    if (this.sending === undefined) return;
    clearTimeout(this.sending);
    this.sending = undefined;
    this.telling = true;
    try {
      this.model.set("_seed", [...this.seed.value]);
      this.model.set("_loss", this.loss.value);
    } finally {
      this.telling = false;
    }
    if (!this.gone.value) this.model.save_changes();
  }
}

function readPoint(json: PointJson): Point {
  return {
    x: json.x.map((values) => Float64Array.from(values)),
    z: Float64Array.from(json.z),
    jacobian: json.jacobian.map((rows) => rows.map((row) => Float64Array.from(row))),
    unused: new Set(json.unused),
    losses: new Map(
      Object.entries(json.losses).map(([name, v]) => [name, v && Float64Array.from(v)]),
    ),
    backward: { bare: json.bare, again: json.again, reached: new Set(json.reached) },
  };
}
