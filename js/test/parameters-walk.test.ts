// @vitest-environment happy-dom
/** The matrices by keyboard: one stop of the Tab key each, of which one matrix has them. */

import { beforeEach, describe, expect, test } from "vitest";
import { settle } from "./page";
import { CASE, card, el, json, page, press, show, slider, value } from "./parameters-panel";
import { type Case, VECTORS } from "./vectors";

const focused = () => document.activeElement as HTMLElement;
const cell = (entry: string) => card(entry).closest("td") as HTMLElement;
const head = (leaf: string) =>
  el.querySelector(`[data-leaf="${leaf}"] .rw-leaf-name`) as HTMLElement;

/** What the Tab key stops at, in order: the name of each, or its place in its leaf. */
const stops = () =>
  [...el.querySelectorAll<HTMLElement>("button, input, select, [tabindex]")]
    .filter((one) => one.tabIndex === 0 && !one.closest("[hidden], [popover]"))
    .map((one) => {
      const leaf = one.closest<HTMLElement>("[data-leaf]")?.dataset["leaf"];
      return `${leaf} ${one.dataset["at"] ?? one.className}`;
    });

beforeEach(() => show(json(CASE)));

test("the panel is three stops: a matrix's name, its tools, one of its entries", async () => {
  const of = (leaf: string, at = 0) => [`${leaf} rw-leaf-name`, `${leaf} rw-more`, `${leaf} ${at}`];
  expect(el.querySelectorAll(".rw-slide").length).toBeGreaterThan(10);
  expect(stops()).toEqual(of("weight_hh_l0"));
  cell("x[1,0]").focus();
  await settle();
  expect(stops()).toEqual(of("x", 2));
  slider("v[2,1]").focus(); // as the mouse does
  await settle();
  expect(stops()).toEqual(of("v", 7));
  head("weight_hh_l0").focus();
  await settle();
  expect(stops()).toEqual(of("weight_hh_l0"));
  page.live.select("weight_hh_l0[1,0]");
  expect(stops()).toEqual(of("weight_hh_l0", 3));
});

test("up and down lead from name to name", async () => {
  const names = [...el.querySelectorAll<HTMLElement>(".rw-leaf-name")];
  names[0].focus();
  for (const [key, at] of [
    ["ArrowDown", 1],
    ["ArrowUp", 0],
    ["ArrowUp", 0],
    ["End", names.length - 1],
    ["ArrowDown", names.length - 1],
    ["Home", 0],
  ] as const) {
    press(focused(), key);
    await settle();
    expect(names.indexOf(focused())).toBe(at);
    expect(names.map(({ tabIndex }) => tabIndex).indexOf(0)).toBe(at);
  }
});

describe("in a matrix", () => {
  test("arrow keys walk and select, Enter leads to the slider, Escape back", async () => {
    cell("weight_hh_l0[0,0]").focus();
    const before = value("weight_hh_l0", 1);
    for (const [key, entry] of [
      ["ArrowRight", "weight_hh_l0[0,1]"],
      ["End", "weight_hh_l0[0,2]"],
      ["ArrowRight", "weight_hh_l0[0,2]"],
      ["ArrowDown", "weight_hh_l0[1,2]"],
      ["Home", "weight_hh_l0[1,0]"],
      ["ArrowUp", "weight_hh_l0[0,0]"],
      ["ArrowUp", "weight_hh_l0[0,0]"],
      ["ArrowRight", "weight_hh_l0[0,1]"],
    ]) {
      press(focused(), key);
      expect(focused()).toBe(cell(entry));
      expect(page.live.selection.value).toBe(entry);
      expect(cell(entry).getAttribute("aria-selected")).toBe("true");
    }
    expect(value("weight_hh_l0", 1)).toBe(before);
    for (const enter of ["Enter", "F2", " "]) {
      press(focused(), enter);
      expect(focused()).toBe(slider("weight_hh_l0[0,1]"));
      press(focused(), "Home");
      expect(value("weight_hh_l0", 1)).toBe(-2);
      press(focused(), "ArrowRight");
      expect(value("weight_hh_l0", 1)).toBe(-1.99);
      press(focused(), "PageUp");
      expect(value("weight_hh_l0", 1)).toBe(-1.89);
      press(focused(), enter === "F2" ? "F2" : "Escape");
      expect(focused()).toBe(cell("weight_hh_l0[0,1]"));
    }
    press(focused(), "Delete");
    expect(value("weight_hh_l0", 1)).toBe(before);
  });

  test("an entry says which it is and how much, while it is in focus", async () => {
    page.live.move("weight_hh_l0", 1, 0.5);
    cell("weight_hh_l0[0,1]").focus();
    const said = () => cell("weight_hh_l0[0,1]").getAttribute("aria-label");
    expect(said()).toMatch(/^weight_hh_l0\[0,1\]: 0\.500, gradient −?\d/);
    page.live.move("weight_hh_l0", 1, -0.25);
    expect(said()).toContain(": −0.250, gradient");
    press(focused(), "Enter");
    expect(said()).toBeNull();
    expect(focused().getAttribute("aria-label")).toBe("weight_hh_l0[0,1]");
    const help = el.querySelector("[role=grid]")?.getAttribute("aria-describedby") as string;
    expect(document.getElementById(help)?.textContent).toContain("Arrow keys walk");
  });

  test("keys of the notebook and the browser are left alone", () => {
    cell("weight_hh_l0[0,0]").focus();
    press(focused(), "ArrowRight", { altKey: true });
    press(focused(), "ArrowRight", { metaKey: true });
    expect(focused()).toBe(cell("weight_hh_l0[0,0]"));
  });
});

test("when its matrix has gone, another has the stops", async () => {
  const sse = VECTORS["losses"].find(
    ({ program }) => "loss" in program && program.loss === "sse",
  ) as Case;
  page.lab.set("_network", json(sse));
  await settle();
  cell("target[0,0]").focus();
  await settle();
  expect(stops()[0]).toBe("target rw-leaf-name");
  page.lab.set("_network", json(CASE));
  await settle();
  expect(stops()).toEqual(["weight_hh_l0 rw-leaf-name", "weight_hh_l0 rw-more", "weight_hh_l0 0"]);
});

test("classes are walked in one line, and typed where Enter leads", async () => {
  const found = VECTORS["losses"].find(
    ({ program }) => "loss" in program && program.loss === "cross_entropy",
  ) as Case;
  page.lab.set("_network", json(found));
  await settle();
  const classAt = (at: number) =>
    el.querySelector(`[data-leaf=target] [data-at="${at}"]`) as HTMLElement;
  classAt(0).focus();
  await settle();
  expect(stops().filter((stop) => stop.startsWith("target"))).toHaveLength(3);
  press(focused(), "ArrowRight");
  expect(focused()).toBe(classAt(1));
  expect(focused().getAttribute("aria-label")).toBe(`target[1]: ${value("target", 1)}`);
  press(focused(), "Enter");
  const field = focused() as HTMLInputElement;
  expect([field.type, field.getAttribute("aria-label")]).toEqual(["number", "target[1]"]);
  const other = String((value("target", 1) + 1) % page.live.network.program.outputSize);
  field.value = other;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  expect(String(value("target", 1))).toBe(other);
  press(focused(), "ArrowRight"); // moves the caret of the field
  expect(focused()).toBe(field);
  press(focused(), "Escape");
  expect(focused()).toBe(classAt(1));
});
