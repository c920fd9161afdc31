/** The panel of the chain rule on a mocked page, as each test finds it. */

import { h, render } from "preact";
import { afterEach, beforeEach, vi } from "vitest";
import { Chain } from "../src/views/chain";
import { Page, settle } from "./page";

export let page: Page;
export let el: HTMLElement;

beforeEach(async () => {
  vi.useFakeTimers();
  page = new Page();
  el = document.body.appendChild(document.createElement("div"));
  render(h(Chain, { lab: page.live, view: page.live.model }), el);
  await settle();
});

afterEach(() => {
  render(null, el);
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
});

export const number = (found: Element | null | undefined) =>
  Number(found?.getAttribute("data-value"));
export const all = (selector: string) => [...el.querySelectorAll<HTMLElement>(selector)];
export const product = () => number(el.querySelector("[data-factor=result] [data-value]"));

/** What the contribution in focus is. */
export function contribution(): number {
  const { cell, results, selection } = page.live;
  const { t, k } = cell.value;
  const { data } = results.quantity(`contribution[${selection.value}]`);
  return data[t * results.program.seqLen + k];
}
