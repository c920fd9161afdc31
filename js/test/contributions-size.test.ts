// @vitest-environment happy-dom
/** The heat map of contributions: what fits, what its colours are measured by, which keys it takes. */

import { h, render } from "preact";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { threeDigits } from "../src/format";
import { Contributions } from "../src/views/contributions";
import { stubWidth } from "./dom";
import { network, Page, PROGRAM, settle } from "./page";

let page: Page;
let el: HTMLElement;

async function open(given = network()): Promise<void> {
  page = new Page({ network: given });
  el = document.body.appendChild(document.createElement("div"));
  render(h(Contributions, { lab: page.live, view: page.live.model }), el);
  await settle();
}

/** A network of so many steps, with losses at some of them. */
function steps(T: number, loss_steps = [...Array(T).keys()]) {
  const long = { x: Array(2 * T).fill(0.5), v: Array(2 * T).fill(1) };
  return network(long, { ...PROGRAM, seq_len: T, loss_steps });
}

beforeEach(() => {
  vi.useFakeTimers();
  stubWidth(900);
});

afterEach(() => {
  render(null, el);
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const grid = () => el.querySelector("[role=grid]") as HTMLElement;

test.each([
  [400, "false"],
  [350, "true"],
])("32 steps in %i pixels scroll, with what is beside the cells: %s", async (width, scrolls) => {
  stubWidth(width);
  await open(steps(32));
  expect(grid().dataset["scrolls"]).toBe(scrolls);
});

test("rows with a loss are as high as the low ones leave room for", async () => {
  await open(steps(20, [19]));
  expect(grid().style.getPropertyValue("--rw-h")).toBe("30px");
  render(null, el);
  page.close();
  await open(steps(20));
  expect(grid().style.getPropertyValue("--rw-h")).toBe("22px");
});

test("sums are coloured by the largest of them, the gradient too", async () => {
  await open(network({ v: [1, 1, 1, 1, 1, 1] }));
  page.live.select("bias_ih_l0[0]");
  await settle();
  const sums = [...el.querySelectorAll<HTMLElement>("[data-sum]")];
  const sizes = sums.map(({ dataset }) => Math.abs(Number(dataset["value"])));
  const [largest, next] = [...sizes].sort((a, b) => b - a);
  expect(next).toBeLessThan(0.95 * largest);
  const depths = sums.map(({ style }) => Number.parseFloat(style.getPropertyValue("--rw-depth")));
  expect(sums.at(depths.indexOf(100))?.dataset["sum"]).toBe("total,0");
  expect(depths.filter((depth) => depth === 100)).toHaveLength(1);
});

test("colours by decades end at the smallest, and the legend says which it is", async () => {
  await open();
  const select = el.querySelector("select") as HTMLSelectElement;
  select.value = "log";
  select.dispatchEvent(new Event("change", { bubbles: true }));
  await settle();
  const { data } = page.live.results.quantity("contribution[weight_hh_l0[0,0]]");
  const sizes = [...data].filter((c) => c !== 0).map(Math.abs);
  const legend = el.querySelector(".rw-legend")?.textContent;
  expect(legend).toContain(`±${threeDigits(Math.min(...sizes))}`);
  expect(legend).toContain(threeDigits(Math.max(...sizes)));
});

test.each(["ctrlKey", "metaKey", "altKey"])("keys with %s are the page's", async (modifier) => {
  await open();
  const cell = el.querySelector('[data-cell="2,1"]') as HTMLElement;
  cell.focus();
  for (const key of ["ArrowLeft", "Enter"]) {
    const event = new KeyboardEvent("keydown", {
      ...{ key, bubbles: true, cancelable: true },
      [modifier]: true,
    });
    cell.dispatchEvent(event);
    expect(event.defaultPrevented).toBe(false);
    expect(document.activeElement).toBe(cell);
  }
});
