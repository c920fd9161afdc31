/** A page without a browser: widget models, their manager and a lab among them, all mocked. */

import type { AnyModel, InitializeProps } from "@anywidget/types";
import { vi } from "vitest";
import { programFromJson } from "../src/engine";
import { Results } from "../src/engine/quantities";
import lab from "../src/lab";
import type { LiveLab } from "../src/live";
import { QUANTITIES } from "./vectors";

interface Listener {
  readonly event: string;
  readonly act: (...args: unknown[]) => void;
  readonly owner: unknown;
}

/** A Backbone model as @jupyter-widgets/base has them. */
export class Model {
  comm_live = true;
  views: Record<string, Promise<{ el: HTMLElement }>> = {};
  listeners: Listener[] = [];
  /** What was set by `set_state`, in order. */
  readonly states: Record<string, unknown>[] = [];
  readonly sent: unknown[] = [];
  /** What was saved to the kernel, message by message. */
  readonly saved: Record<string, unknown>[] = [];
  /** What views have set and not saved. */
  _buffered_state_diff: Record<string, unknown> = {};
  _state_lock: object | null = null;
  private fromKernel = false;

  constructor(
    readonly model_id: string,
    readonly attributes: Record<string, unknown>,
  ) {}

  get(name: string): unknown {
    return this.attributes[name];
  }

  /** All attributes are set before the first event; equal ones, compared in depth, make none. */
  set(given: string | Record<string, unknown>, value?: unknown): void {
    const changes = typeof given === "string" ? { [given]: value } : given;
    const changed = Object.keys(changes).filter(
      (name) => JSON.stringify(this.attributes[name]) !== JSON.stringify(changes[name]),
    );
    Object.assign(this.attributes, changes);
    for (const name of this.fromKernel ? [] : changed) {
      this._buffered_state_diff[name] = changes[name];
    }
    for (const name of changed) this.trigger(`change:${name}`, this, this.attributes[name]);
    if (changed.length) this.trigger("change", this);
  }

  set_state(state: Record<string, unknown>): void {
    this.states.push(state);
    const outer = this.fromKernel;
    this.fromKernel = true;
    this._state_lock = state;
    try {
      this.set(state);
    } finally {
      this.fromKernel = outer;
      this._state_lock = null;
    }
  }

  on(event: string, act: Listener["act"], owner?: unknown): void {
    this.listeners.push({ event, act, owner });
  }

  off(event?: string | null, act?: Listener["act"] | null, owner?: unknown): void {
    this.listeners = this.listeners.filter(
      (one) =>
        (event != null && one.event !== event) ||
        (act != null && one.act !== act) ||
        (owner != null && one.owner !== owner),
    );
  }

  trigger(event: string, ...args: unknown[]): void {
    for (const one of [...this.listeners]) if (one.event === event) one.act(...args);
  }

  send(content: unknown): void {
    this.sent.push(content);
  }

  save_changes(): void {
    const changes = this._buffered_state_diff;
    this._buffered_state_diff = {};
    if (this.comm_live && Object.keys(changes).length) this.saved.push(changes);
  }
}

/** A Lumino signal. */
export class Emitter {
  readonly slots = new Set<() => void>();
  connect(slot: () => void): void {
    this.slots.add(slot);
  }
  disconnect(slot: () => void): void {
    this.slots.delete(slot);
  }
  emit(): void {
    for (const slot of this.slots) slot();
  }
}

export const PROGRAM = QUANTITIES[0].program as Record<string, unknown>;
/** A tanh RNN of I = H = 2, T = 3 with the seed loss. */
const VALUES = QUANTITIES[0].values;
export type Numbers = Record<string, number[]>;

/** The network as the kernel sends it, with some leaves changed. */
export function network(changes: Numbers = {}, program: object = PROGRAM) {
  const values = { ...VALUES, ...changes };
  return { ...program, values };
}

/** The same network one step shorter. */
export function shorter(changes: Numbers = {}) {
  const { x, v } = VALUES;
  const program = { ...PROGRAM, seq_len: 2, loss_steps: [0, 1] };
  return network({ x: x.slice(0, 4), v: v.slice(0, 4), ...changes }, program);
}

/** What a quantity should be, computed without the lab. */
export function numbers(quantity: string, changes: Numbers = {}, json = network(changes)) {
  const { values, ...program } = json;
  const arrays = Object.entries(values).map(([leaf, list]) => [leaf, Float64Array.from(list)]);
  return [
    ...new Results(programFromJson(program), Object.fromEntries(arrays)).quantity(quantity).data,
  ];
}

/** A leaf's numbers with one of them replaced. */
export function moved(leaf: string, at: number, value: number): Numbers {
  return { [leaf]: VALUES[leaf].map((x, i) => (i === at ? value : x)) };
}

export function value(leaf: string, at: number): number {
  return VALUES[leaf][at];
}

export interface SliderSpec {
  readonly id: string;
  readonly leaf: string;
  readonly index: readonly number[];
}

export interface DriveSpec {
  readonly id: string;
  readonly quantity: string;
  readonly trait?: string;
  readonly kind?: string;
  readonly transform?: string;
  readonly text?: string;
  readonly name?: string;
}

export const SLIDER: SliderSpec = { id: "slider", leaf: "weight_hh_l0", index: [0, 1] };
export const TWIN: SliderSpec = { ...SLIDER, id: "twin" };
export const INPUT: SliderSpec = { id: "input", leaf: "x", index: [2, 0] };
export const MARK: DriveSpec = { id: "mark", quantity: "gradient[bias_ih_l0]" };
export const LAST: DriveSpec = {
  id: "last",
  quantity: "value[x[2,0]]",
  kind: "number",
  trait: "level",
};

/** Numbers of a driven trait. */
export function shown(model: Model, trait = "color"): number[] {
  return [...(model.get(trait) as Float64Array)];
}

/** How often the lab has set a model's traits. */
export function drawn(model: Model): number {
  return model.states.length;
}

const INITIALIZE = Symbol("anywidget.initialize");
const VIEW = Symbol("a view's element");

/** anywidget's proxy of a model, whose listeners anywidget removes. */
function proxy(model: Model, manager: object, context: symbol): AnyModel {
  return {
    get: (name: string) => model.get(name),
    set: (name: string, given: unknown) => model.set(name, given),
    save_changes: () => model.save_changes(),
    send: (content: unknown) => model.send(content),
    on: (event: string, act: Listener["act"]) => model.on(event, act, context),
    off: (event?: string | null, act?: Listener["act"] | null) => model.off(event, act, context),
    widget_manager: manager,
  } as unknown as AnyModel;
}

/** A page with a lab on it. Models named in `late` are registered by `register`. */
export class Page {
  readonly models = new Map<string, Model>();
  readonly kernel = {
    isDisposed: false,
    status: "idle",
    statusChanged: new Emitter(),
    connectionStatusChanged: new Emitter(),
  };
  readonly restored = new Emitter();
  /** The lab's model, and what lives in the page. */
  readonly lab: Model;
  readonly live: LiveLab;
  private readonly controller = new AbortController();
  private readonly mount: (el: HTMLElement, model: AnyModel) => () => void;
  private readonly registered = new Map<string, Promise<Model>>();
  private readonly manager = {
    kernel: this.kernel as Page["kernel"] | null,
    restored: this.restored,
    has_model: (id: string) => this.registered.has(id),
    get_model: (id: string) => this.registered.get(id) ?? Promise.reject(new Error("not found")),
  };

  constructor(
    options: {
      sliders?: SliderSpec[];
      drives?: DriveSpec[];
      late?: string[];
      network?: object;
      kernel?: null;
    } = {},
  ) {
    if (options.kernel === null) this.manager.kernel = null;
    const specs = { sliders: options.sliders ?? [], drives: options.drives ?? [] };
    for (const { id, leaf, index } of specs.sliders) {
      this.add(id, {
        value: VALUES[leaf][index.reduce((at, i) => at * 2 + i, 0)],
        min: -2,
        max: 2,
        step: 0.01,
        disabled: false,
      });
    }
    for (const { id } of specs.drives) this.add(id, { visible: true });
    this.lab = this.add("lab", {
      _network: options.network ?? network(),
      _sliders: sliderSpecs(specs.sliders),
      _drives: driveSpecs(specs.drives),
      _aliases: { weight_hh_l0: ["flux: Wh", "keras: recurrent_kernel"] },
      selection: "weight_hh_l0[0,0]",
      loss_step: 2,
      source_step: 1,
    });
    for (const id of this.models.keys()) if (!options.late?.includes(id)) this.register(id);
    const { signal } = this.controller;
    const props = { model: proxy(this.lab, this.manager, INITIALIZE), signal };
    const exports = lab.initialize(props as InitializeProps);
    this.live = exports.lab;
    this.mount = exports.mount;
  }

  /** A model of the page; what is left out keeps what another spec of the same id gave it. */
  private add(id: string, attributes: Record<string, unknown>): Model {
    const model = this.models.get(id) ?? new Model(id, {});
    Object.assign(model.attributes, attributes);
    this.models.set(id, model);
    return model;
  }

  at(id: string): Model {
    const model = this.models.get(id);
    if (!model) throw new Error(`no model ${id}`);
    return model;
  }

  register(id: string, model: Promise<Model> = Promise.resolve(this.at(id))): void {
    this.registered.set(id, model);
  }

  bindSliders(...specs: SliderSpec[]): void {
    this.lab.set("_sliders", sliderSpecs(specs));
  }

  bindDrives(...specs: DriveSpec[]): void {
    this.lab.set("_drives", driveSpecs(specs));
  }

  /** The kernel stops: its status tells first. */
  stopKernel(): void {
    this.kernel.isDisposed = true;
    this.kernel.statusChanged.emit();
  }

  /** Draw the table. */
  table(compare: object = {}): { el: HTMLElement; unmount: () => void } {
    return this.view("table", { compare });
  }

  /** Draw a view of a kind, with its own traits. */
  view(kind: string, traits: object = {}): { el: HTMLElement; unmount: () => void } {
    const el = document.body.appendChild(document.createElement("div"));
    const view = new Model(kind, { ...traits, _kind: kind });
    return { el, unmount: this.mount(el, proxy(view, this.manager, VIEW)) };
  }

  /** Close the lab as anywidget does. */
  close(): void {
    this.controller.abort();
    this.lab.off(null, null, INITIALIZE);
  }

  /** Messages to the kernel of one kind. */
  sent(kind: string): { id?: number }[] {
    return this.lab.sent.filter((message) => (message as { kind: string }).kind === kind) as [];
  }

  /** Torch's answer to the last question: gradients for a network of these values. */
  answer(changes: Numbers = {}, gradients: Record<string, unknown> = {}): void {
    const { values } = network(changes);
    const { id } = this.sent("confirm").at(-1) ?? {};
    const all = Object.fromEntries(
      Object.keys(values).map((leaf) => [
        leaf,
        leaf in gradients || leaf === "v" ? gradients[leaf] : numbers(`gradient[${leaf}]`, changes),
      ]),
    );
    this.lab.trigger("msg:custom", { kind: "witness", id, values, gradients: all });
  }

  /** How many listeners all the models and signals of the page have. */
  listeners(): number {
    const { statusChanged, connectionStatusChanged } = this.kernel;
    const signals = [this.restored, statusChanged, connectionStatusChanged];
    return [
      ...[...this.models.values()].map((model) => model.listeners.length),
      ...signals.map((one) => one.slots.size),
    ].reduce((sum, count) => sum + count);
  }
}

const sliderSpecs = (specs: readonly SliderSpec[]) =>
  specs.map(({ id, ...rest }) => ({ slider: `IPY_MODEL_${id}`, ...rest }));

const driveSpecs = (specs: readonly DriveSpec[]) =>
  specs.map(({ id, ...rest }) => ({
    widget: `IPY_MODEL_${id}`,
    trait: "color",
    kind: "array",
    transform: "identity",
    text: "{}",
    name: "",
    ...rest,
  }));

/** Let what has been started without a timer finish. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}
