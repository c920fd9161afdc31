/** The panel of matrix sliders on a mocked page, and hands that use it. */

import type { AnyModel } from "@anywidget/types";
import { afterEach, beforeEach, vi } from "vitest";
import { mount } from "../src/views/views";
import { Model, Page, settle } from "./page";
import { type Case, VECTORS } from "./vectors";

export let page: Page;
export let el: HTMLElement;
export let view: Model;
export let unmount: () => void;

/** Draw a network's panel. */
export async function show(
  json: object,
  leaves: string[] | null = null,
  tools = false,
): Promise<void> {
  page = new Page({ network: json });
  view = new Model("view", { _kind: "parameters", leaves, tools });
  el = document.body.appendChild(document.createElement("div"));
  unmount = mount(el, view as unknown as AnyModel, page.live);
  await settle();
}

export const json = ({ program, values }: Case) => ({ ...program, values });

/** A tanh RNN with free seeds, and what Python makes of it. */
export const CASE = VECTORS["rnn"].find(
  ({ program, gradients }) => "loss" in program && program.loss === "seed" && "h0" in gradients,
) as Case;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  unmount();
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
});

export function card(entry: string): HTMLElement {
  const found = el.querySelector<HTMLElement>(`.rw-card[data-entry="${entry}"]`);
  if (!found) throw new Error(`no card ${entry}`);
  return found;
}

export const slider = (entry: string) =>
  card(entry).querySelector("input[type=range]") as HTMLInputElement;
export const text = (entry: string, part: string) =>
  card(entry).querySelector(`.rw-${part}`)?.textContent;
export const value = (leaf: string, at: number) => page.live.network.values[leaf][at];
export const read = (shown: string | null | undefined) =>
  Number(shown?.replace(/^[∂y] /, "").replaceAll("−", "-"));

export function press(on: Element, key: string, more: KeyboardEventInit = {}): void {
  on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
}

export async function drag(entry: string, to: number): Promise<void> {
  slider(entry).value = String(to);
  slider(entry).dispatchEvent(new Event("input", { bubbles: true }));
  await settle();
}

export async function type(entry: string, typed: string, key = "Enter"): Promise<HTMLInputElement> {
  press(slider(entry), "Enter");
  await settle();
  const field = card(entry).querySelector("input[type=text]") as HTMLInputElement;
  field.value = typed;
  press(field, key);
  await settle();
  return field;
}
