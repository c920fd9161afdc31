// @vitest-environment happy-dom
/** Undo and redo by keys, inside the views and nowhere else. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Page, settle } from "./page";

let page: Page;
let el: HTMLElement;
let heard: string[];

/** The notebook around the views, which undoes edits of cells. */
const notebook = (event: Event) => heard.push((event as KeyboardEvent).key);

beforeEach(async () => {
  vi.useFakeTimers();
  heard = [];
  document.addEventListener("keydown", notebook, { capture: true });
  page = new Page();
  ({ el } = page.view("parameters", { leaves: null }));
  await settle();
  page.live.move("weight_hh_l0", 0, 1.5);
});

afterEach(() => {
  document.removeEventListener("keydown", notebook, { capture: true });
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
});

const weight = () => page.live.network.values["weight_hh_l0"][0];
const find = (selector: string) => el.querySelector(selector) as HTMLElement;

/** Whether the browser may still do what the key is for. */
function press(on: Element, key: string, more: KeyboardEventInit = {}): boolean {
  return on.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ctrlKey: true, ...more }),
  );
}

describe("inside a view", () => {
  test.each([
    ["a slider", ".rw-slide"],
    ["a cell", "[data-at]"],
    ["a button", ".rw-leaf-name"],
    ["the panel itself", ".rw-panel"],
  ])("from %s they undo and redo, and the notebook hears nothing", (_, selector) => {
    const before = page.live.initial.values["weight_hh_l0"][0];
    expect(press(find(selector), "z")).toBe(false);
    expect(weight()).toBe(before);
    press(find(selector), "Z", { shiftKey: true });
    expect(weight()).toBe(1.5);
    press(find(selector), "z", { ctrlKey: false, metaKey: true });
    expect(weight()).toBe(before);
    press(find(selector), "y");
    expect(weight()).toBe(1.5);
    press(find(selector), "z");
    press(find(selector), "z"); // there is nothing left to undo, for the notebook neither
    expect(heard).toEqual([]);
  });

  test("other keys are left alone", () => {
    press(find(".rw-slide"), "z", { ctrlKey: false });
    press(find(".rw-slide"), "z", { altKey: true });
    press(find(".rw-slide"), "y", { ctrlKey: false, metaKey: true });
    expect(weight()).toBe(1.5);
    expect(heard).toEqual(["z", "z", "y"]);
  });

  test("what is being typed has its own undo", async () => {
    find(".rw-number").click();
    await settle();
    const field = find(".rw-typed input") as HTMLInputElement;
    expect(press(field, "z")).toBe(true);
    expect(weight()).toBe(1.5);
  });
});

test("in the explorer a figure between the views counts as inside", () => {
  const explorer = document.body.appendChild(document.createElement("div"));
  explorer.className = "rw-explorer";
  const figure = document.createElement("div");
  explorer.append(el, figure);
  press(figure, "z");
  expect(weight()).toBe(page.live.initial.values["weight_hh_l0"][0]);
});

test("outside, and after the view or the lab has gone, they are the notebook's", () => {
  press(document.body, "z");
  const { el: other, unmount } = page.view("parameters", { leaves: null });
  unmount();
  press(other, "z");
  page.close();
  press(find(".rw-panel"), "z");
  expect(weight()).toBe(1.5);
  expect(heard).toEqual(["z", "z", "z"]);
});
