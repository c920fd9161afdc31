/** A seed explorer on a mocked page. */

import type { InitializeProps, RenderProps } from "@anywidget/types";
import { afterEach, beforeEach, vi } from "vitest";
import seeds from "../src/seeds";
import { buttonOf } from "./dom";
import { Emitter, Model, settle } from "./page";

/** y = 3a + 2b² + log c, as the kernel sends it; torch's errors are not checked here. */
export const QUESTION = {
  about: {
    title: "f(a, b, c)",
    network: false,
    arguments: ["a", "b", "c"].map((name) => ({ name, shape: [3] })),
    outputs: ["z[0]", "z[1]", "z[2]"],
  },
  point: {
    request: "",
    x: [
      [1, 2, 3],
      [3, 4, 5],
      [6, 7, 8],
    ],
    z: [22.79, 39.95, 61.08],
    jacobian: [diagonal(3, 3, 3), diagonal(12, 16, 20), diagonal(1 / 6, 1 / 7, 1 / 8)],
    unused: [] as string[],
    losses: { sum: [1, 1, 1], sse: [45.58, 79.9, 122.16], mse: null },
    bare: "RuntimeError: no scalar" as string | null,
    again: "RuntimeError: a second time" as string | null,
    reached: [] as string[],
  },
  seed: [0.1, 1, 0.0001],
};

export type Case = typeof QUESTION;

export function diagonal(...numbers: number[]): number[][] {
  return numbers.map((x, i) => numbers.map((_, j) => (i === j ? x : 0)));
}

/** A list with one of its items replaced. */
export function replaced<T>(list: readonly T[], at: number, item: T): T[] {
  return list.map((old, i) => (i === at ? item : old));
}

export class SeedsPage {
  readonly model: Model;
  readonly kernel = {
    isDisposed: false,
    status: "idle",
    statusChanged: new Emitter(),
    connectionStatusChanged: new Emitter(),
  };
  readonly el = document.body.appendChild(document.createElement("div"));
  private readonly controller = new AbortController();
  private readonly unmount: () => void;
  private readonly widget = seeds();

  constructor(given: Case = QUESTION) {
    this.model = new Model("seeds", {
      _id: "seeds",
      _about: given.about,
      _point: given.point,
      _seed: given.seed,
      _loss: "",
    });
    const manager = {
      kernel: this.kernel,
      has_model: () => true,
      get_model: () => Promise.resolve(this.model),
    };
    const { model } = this;
    const proxy = {
      get: (name: string) => model.get(name),
      set: (name: string, value: unknown) => model.set(name, value),
      save_changes: () => model.save_changes(),
      send: (content: unknown) => model.send(content),
      on: (event: string, act: (...args: unknown[]) => void) => model.on(event, act, this),
      off: () => model.off(null, null, this),
      widget_manager: manager,
    };
    const { signal } = this.controller;
    this.widget.initialize({ model: proxy, signal } as unknown as InitializeProps);
    this.unmount = this.show(this.el);
  }

  /** Draw it once more. */
  show(el: HTMLElement): () => void {
    return this.widget.render({ el } as unknown as RenderProps);
  }

  /** Close it as anywidget does. */
  close(): void {
    this.unmount();
    this.controller.abort();
    this.model.off(null, null, this);
  }

  listeners(): number {
    const { statusChanged, connectionStatusChanged } = this.kernel;
    return (
      this.model.listeners.length + statusChanged.slots.size + connectionStatusChanged.slots.size
    );
  }

  get<E extends Element = HTMLElement>(selector: string, within: Element = this.el): E {
    const found = within.querySelector<E>(selector);
    if (!found) throw new Error(`there is no ${selector}`);
    return found;
  }

  button(text: string): HTMLButtonElement {
    return buttonOf(this.el, text);
  }

  async click(text: string): Promise<void> {
    this.button(text).click();
    await settle();
  }

  slider(name: string): HTMLInputElement {
    return this.get<HTMLInputElement>(`input[type=range][aria-label="${name}"]`);
  }

  async drag(name: string, to: number): Promise<void> {
    this.slider(name).value = String(to);
    this.slider(name).dispatchEvent(new Event("input", { bubbles: true }));
    await settle();
  }

  async press(name: string, key: string): Promise<void> {
    const init = { key, bubbles: true, cancelable: true };
    this.slider(name).dispatchEvent(new KeyboardEvent("keydown", init));
    await settle();
  }

  value(name: string): number {
    return Number(this.get(`.rw-seeds-number[data-entry="${name}"]`).dataset["value"]);
  }

  /** What a row of sums says: "partial" or "gradient". */
  sums(kind: string): number[] {
    const cells = this.el.querySelectorAll<HTMLElement>(`[data-sum="${kind}"] [data-value]`);
    return [...cells].map((cell) => Number(cell.dataset["value"]));
  }

  /** .grad of an argument, null where it is None. */
  grad(name: string): number[] | null {
    const cells = [...this.get(`[data-grad="${name}"]`).querySelectorAll<HTMLElement>(".rw-cell")];
    return "none" in cells[0].dataset ? null : cells.map((cell) => Number(cell.dataset["value"]));
  }

  status(): string | undefined {
    return this.get(".rw-seeds-status").dataset["status"];
  }

  /** What has been asked of the kernel. */
  asked(): { request: string; x: number[][] }[] {
    return this.model.sent as { request: string; x: number[][] }[];
  }

  /** The kernel has another point. */
  async answer(changes: object): Promise<void> {
    const point = this.model.get("_point") as object;
    this.model.set_state({ _point: { ...point, ...changes } });
    await settle();
  }
}

export let page: SeedsPage;

export async function open(given: Case = QUESTION): Promise<SeedsPage> {
  page = new SeedsPage(given);
  await settle();
  return page;
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
});
