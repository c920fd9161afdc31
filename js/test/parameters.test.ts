// @vitest-environment happy-dom
/** Cards, against numbers that Python computed or that are worked by hand. */

import { beforeEach, describe, expect, test, vi } from "vitest";
import { settle } from "./page";
import {
  CASE,
  card,
  drag,
  el,
  json,
  page,
  press,
  read,
  show,
  slider,
  text,
  type,
  unmount,
  value,
  view,
} from "./parameters-panel";
import { VECTORS } from "./vectors";

/** The number that undoing leads back to. */
function undone(leaf: string, at: number): number {
  page.live.undo();
  return value(leaf, at);
}

describe("cards", () => {
  beforeEach(() => show(json(CASE)));

  test("show every entry with its gradient as Python has them", () => {
    let seen = 0;
    for (const [leaf, { values: gradient }] of Object.entries(CASE.gradients)) {
      for (const [at, expected] of gradient.entries()) {
        const shape = page.live.network.program.leaves[leaf];
        const index = shape.length === 1 ? at : `${Math.floor(at / shape[1])},${at % shape[1]}`;
        const entry = `${leaf}[${index}]`;
        expect(read(text(entry, "number"))).toBe(Number(CASE.values[leaf][at].toPrecision(3)));
        expect(read(text(entry, "slope"))).toBeCloseTo(
          expected,
          2 - Math.floor(Math.log10(Math.abs(expected || 1))) - 0.5,
        );
        expect(slider(entry).getAttribute("aria-label")).toBe(entry);
        expect(slider(entry).getAttribute("aria-valuetext")).toContain("gradient");
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(10);
  });

  test("of seeds show the output, by which a seed is multiplied", () => {
    const outputs = CASE.outputs.values;
    for (const [at, y] of outputs.entries()) {
      const columns = outputs.length / page.live.network.program.seqLen;
      const entry = `v[${Math.floor(at / columns)},${at % columns}]`;
      const shown = text(entry, "slope");
      if (shown !== "no loss") expect(read(shown)).toBeCloseTo(Number(y.toPrecision(3)), 8);
    }
  });

  test("move live, and Python is told", async () => {
    await drag("weight_hh_l0[0,1]", 1.234);
    expect(value("weight_hh_l0", 1)).toBe(1.23); // a step of the slider
    expect(text("weight_hh_l0[0,1]", "number")).toBe("1.23");
    await vi.advanceTimersByTimeAsync(100);
    const sent = page.lab.saved.filter((one) => "_network" in one).at(-1)?.["_network"];
    const told = sent as { values: Record<string, number[][]> };
    expect(told.values["weight_hh_l0"][0][1]).toBe(1.23);
  });

  test("follow moves made elsewhere, and undo", async () => {
    page.live.move("x", 0, -1.5);
    await settle();
    expect(text("x[0,0]", "number")).toBe("−1.50");
    expect(card("x[0,0]").dataset["side"]).toBe("−");
    expect(undone("x", 0)).toBe(CASE.values["x"][0]);
    expect(Number(card("x[0,0]").dataset["value"])).toBe(CASE.values["x"][0]);
  });

  test("obey the keys", async () => {
    const entry = "weight_hh_l0[0,0]";
    await drag(entry, 0.5);
    const steps: [string, number][] = [
      ["ArrowRight", 0.51],
      ["ArrowUp", 0.52],
      ["ArrowLeft", 0.51],
      ["ArrowDown", 0.5],
      ["PageUp", 0.6],
      ["PageDown", 0.5],
      ["End", 2],
      ["ArrowRight", 2],
      ["Home", -2],
      ["Delete", CASE.values["weight_hh_l0"][0]],
    ];
    for (const [key, expected] of steps) {
      press(slider(entry), key);
      expect([key, value("weight_hh_l0", 0)]).toEqual([key, expected]);
    }
    await drag(entry, 0.5);
    press(slider(entry), "Backspace");
    expect(value("weight_hh_l0", 0)).toBe(CASE.values["weight_hh_l0"][0]);
    await drag(entry, 0.5);
    slider(entry).dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    expect(value("weight_hh_l0", 0)).toBe(CASE.values["weight_hh_l0"][0]);
    press(slider(entry), "PageUp", { ctrlKey: true });
    expect(value("weight_hh_l0", 0)).toBe(CASE.values["weight_hh_l0"][0]);
  });

  test("of parameters are selected when they get the focus, others are not", async () => {
    slider("weight_hh_l0[1,0]").focus();
    expect(page.live.selection.value).toBe("weight_hh_l0[1,0]");
    expect(card("weight_hh_l0[1,0]").hasAttribute("data-selected")).toBe(true);
    slider("x[1,0]").focus();
    slider("v[1,0]").focus();
    expect(page.live.selection.value).toBe("weight_hh_l0[1,0]");
    page.live.select("weight_ih_l0[0,0]");
    expect(card("weight_hh_l0[1,0]").hasAttribute("data-selected")).toBe(false);
    expect(card("weight_ih_l0[0,0]").hasAttribute("data-selected")).toBe(true);
  });

  test("grow their range when a number leaves it, and lose it on reset", async () => {
    await type("weight_hh_l0[0,0]", "7,25");
    expect([slider("weight_hh_l0[0,0]").min, slider("weight_hh_l0[0,0]").max]).toEqual(["-2", "8"]);
    page.live.move("weight_hh_l0", 0, -1e12);
    expect(slider("weight_hh_l0[0,0]").min).toBe("-1000000000000");
    press(slider("weight_hh_l0[0,0]"), "ArrowLeft");
    expect(value("weight_hh_l0", 0)).toBe(-1e12);
    press(slider("weight_hh_l0[0,0]"), "Delete");
    expect([slider("weight_hh_l0[0,0]").min, slider("weight_hh_l0[0,0]").max]).toEqual(["-2", "2"]);
    page.live.move("weight_hh_l0", 0, 1e-12);
    expect(text("weight_hh_l0[0,0]", "number")).toBe("1.00e−12");
    press(slider("weight_hh_l0[0,0]"), "ArrowRight");
    expect(value("weight_hh_l0", 0)).toBe(0.01);
  });

  test("forget a grown range when the network jumps, or a smaller number is typed", async () => {
    const entry = "weight_hh_l0[0,0]";
    const ends = () => [slider(entry).min, slider(entry).max];
    await type(entry, "1e6");
    expect(ends()).toEqual(["-2", "1000000"]);
    page.live.undo();
    await settle();
    expect(ends()).toEqual(["-2", "2"]);
    page.live.redo();
    await settle();
    expect(ends()).toEqual(["-2", "1000000"]);
    page.live.adopt(page.live.initial);
    await settle();
    expect(ends()).toEqual(["-2", "2"]);
    await type(entry, "1e6");
    await drag(entry, 0);
    expect(ends()).toEqual(["-2", "1000000"]);
    await type(entry, "0.5");
    expect(ends()).toEqual(["-2", "2"]);
  });

  test("take typed numbers, all digits of them", async () => {
    const field = await type("weight_hh_l0[0,0]", "−1,25e-3");
    expect(field.isConnected).toBe(false);
    expect(value("weight_hh_l0", 0)).toBe(-1.25e-3);
    expect(document.activeElement).toBe(slider("weight_hh_l0[0,0]"));
    await type("weight_hh_l0[0,0]", "0.123456789012345");
    expect(value("weight_hh_l0", 0)).toBe(0.123456789012345);
    press(slider("weight_hh_l0[0,0]"), "Enter");
    await settle();
    expect(
      card("weight_hh_l0[0,0]").querySelector<HTMLInputElement>("input[type=text]")?.value,
    ).toBe("0.123456789012345");
  });

  test("say what is wrong with what is no number, and leave the value", async () => {
    const before = value("weight_hh_l0", 0);
    const field = await type("weight_hh_l0[0,0]", "one");
    const message = card("weight_hh_l0[0,0]").querySelector("[role=alert]");
    expect(message?.textContent).toBe(
      "“one” is not a number; expected a number such as −0.5 or 1e-3",
    );
    expect(field.getAttribute("aria-describedby")).toBe(message?.id);
    expect(field.getAttribute("aria-invalid")).toBe("true");
    expect(value("weight_hh_l0", 0)).toBe(before);
    press(field, "Escape");
    await settle();
    expect(card("weight_hh_l0[0,0]").querySelector("[role=alert]")).toBeNull();
    expect(value("weight_hh_l0", 0)).toBe(before);
    expect(document.activeElement).toBe(slider("weight_hh_l0[0,0]"));
  });

  test("stay as they were where a number that was typed is left with Escape", async () => {
    const before = value("weight_hh_l0", 0);
    await type("weight_hh_l0[0,0]", "1.5", "Escape");
    expect(value("weight_hh_l0", 0)).toBe(before);
    expect(document.activeElement).toBe(slider("weight_hh_l0[0,0]"));
  });

  test("tell on hovering what an entry is, every digit", () => {
    card("weight_hh_l0[0,1]").dispatchEvent(new PointerEvent("pointerenter"));
    const [number, words, gradient] = card("weight_hh_l0[0,1]").title.split("\n");
    expect(number).toBe(
      `weight_hh_l0[0,1] = ${String(value("weight_hh_l0", 1)).replace("-", "−")}`,
    );
    expect(words).toBe("weight from unit 1 one step before to unit 0");
    expect(gradient).toContain("∂L/∂weight_hh_l0[0,1] = ");
    const name = el.querySelector("[data-leaf=weight_hh_l0] .rw-leaf-name");
    expect(name?.getAttribute("title")).toContain("keras: recurrent_kernel");
  });

  test("are let go with the view", () => {
    const listeners = view.listeners.length;
    const left = card("x[0,0]");
    unmount();
    expect(view.listeners.length).toBe(listeners - 1);
    page.live.move("x", 0, 1.5);
    expect(left.dataset["value"]).toBe(String(CASE.values["x"][0]));
  });
});

describe("what is shown", () => {
  test("are the leaves that Python asks for; one that has vanished is named", async () => {
    await show(json(CASE), ["weight_hh_l0", "weight_hh_l7"]);
    const leaves = () =>
      [...el.querySelectorAll("[data-leaf]")].map((one) => one.getAttribute("data-leaf"));
    expect(leaves()).toEqual(["weight_hh_l0", "weight_hh_l7"]);
    expect(el.querySelector("[data-leaf=weight_hh_l7]")?.textContent).toContain("no weight_hh_l7");
    view.set("leaves", ["x"]);
    await settle();
    expect(leaves()).toEqual(["x"]);
  });

  test("can be closed, and opens again with its numbers", async () => {
    await show(json(CASE));
    const head = () => el.querySelector("[data-leaf=x] .rw-leaf-name") as HTMLElement;
    head().click();
    await settle();
    expect(el.querySelector("[data-leaf=x] .rw-card")).toBeNull();
    page.live.move("x", 0, 1.25);
    head().click();
    await settle();
    expect(text("x[0,0]", "number")).toBe("1.25");
    expect(document.activeElement).toBe(head());
  });

  test("follows the network to other sizes and back", async () => {
    await show(json(CASE));
    const small = VECTORS["lstm"][0];
    page.lab.set("_network", json(small));
    await settle();
    const lstm = page.live.network.program.leaves;
    expect(el.querySelectorAll(".rw-card, td[data-at]").length).toBeGreaterThan(0);
    expect(el.querySelector("[data-leaf=c0]")).not.toBeNull();
    expect(
      [...el.querySelectorAll("caption i")]
        .map((one) => one.textContent)
        .slice(0, 4)
        .join(""),
    ).toBe("ifgo");
    expect(Object.keys(lstm)).toContain("c0");
    page.live.undo();
    await settle();
    expect(el.querySelector("[data-leaf=c0]")).toBeNull();
    expect(read(text("weight_hh_l0[0,0]", "number"))).toBe(
      Number(CASE.values["weight_hh_l0"][0].toPrecision(3)),
    );
  });

  test("calls the gradient of a truncated network so", async () => {
    await show(json(CASE));
    const legend = () => el.querySelector(".rw-say")?.textContent;
    expect(legend()).toContain("∂ is the derivative of the whole loss");
    page.lab.set("_network", { ...json(CASE), truncation: { kind: "window", size: 1 } });
    await settle();
    expect(legend()).toContain("∂ is the truncated gradient of the whole loss");
  });

  test("says where the numbers overflow", async () => {
    await show(json(CASE));
    const { values, program } = page.live.network;
    page.live.assign({ x: values["x"].map(() => Number.NaN) });
    await settle();
    expect(el.querySelector("[data-trouble]")?.textContent).toContain(
      "first at t = 1 (step 0 in code)",
    );
    expect(el.querySelectorAll(".rw-card").length).toBeGreaterThan(
      Object.keys(program.leaves).length,
    );
    page.live.undo();
    await settle();
    expect(el.querySelector("[data-trouble]")).toBeNull();
  });
});
