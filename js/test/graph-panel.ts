/** The panel of the unrolled graph on a mocked page, as each test finds it. */

import { h, render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, vi } from "vitest";
import { Graph } from "../src/views/graph";
import { buttonOf, stubWidth } from "./dom";
import { Model, network, Page, settle } from "./page";

const AT_REST = 200;

export let page: Page;
export let el: HTMLElement;
export let view: Model;

/** Show the graph in a panel that is 900 pixels wide. */
export async function show(options: object = {}, given = network()): Promise<void> {
  page = new Page({ network: given });
  view = new Model("graph", { lens: "flow", part: "total", layer: 0, reverse: false, ...options });
  await act(() => render(h(Graph, { lab: page.live, view: view as never }), el));
  await rest();
}

export async function rest(): Promise<void> {
  await act(() => settle());
  await vi.advanceTimersByTimeAsync(AT_REST);
}

beforeEach(() => {
  vi.useFakeTimers();
  stubWidth(900);
  el = document.body.appendChild(document.createElement("div"));
});

afterEach(() => {
  hide();
  el.remove();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** The numbers of one group. */
export function group(node: string, step: number): number[] {
  const found = el.querySelector<HTMLElement>(`[data-node="${node}"][data-step="${step}"]`);
  if (!found) throw new Error(`no ${node} at ${step}`);
  return found.dataset["value"]?.split(" ").filter(Boolean).map(Number) ?? [];
}

export const button = (name: string) => buttonOf(el, name);

export async function press(name: string): Promise<void> {
  button(name).click();
  await rest();
}

export const radio = (name: string, step: number) =>
  el.querySelectorAll<HTMLInputElement>(`[aria-label^="${name} step"] input`)[step];

export const line = () => el.querySelector("[data-line]")?.textContent;

export const said = () => el.querySelector(".rw-say")?.textContent;

/** Take the panel away. */
export function hide(): void {
  render(null, el);
  page.close();
}
