// @vitest-environment happy-dom
/** The panel of the unrolled graph: what it shows and says, and how it steps through. */

import { act } from "preact/test-utils";
import { describe, expect, test } from "vitest";
import { programFromJson, refold } from "../src/engine";
import { refit } from "../src/refit";
import { makeScene } from "../src/views/graph-scene";
import { button, el, group, hide, line, page, press, rest, said, show, view } from "./graph-panel";
import { network, numbers, PROGRAM, settle } from "./page";

describe("the lenses", () => {
  test("values are the network's", async () => {
    await show({ lens: "values" });
    const hidden = numbers("hidden");
    expect([-1, 0, 1, 2].flatMap((step) => group("h", step))).toEqual(hidden);
    expect(group("x", 1)).toEqual(numbers("value[x]").slice(2, 4));
    expect(group("v", 2)).toEqual(numbers("value[v]").slice(4, 6));
    expect([0, 1, 2].flatMap((step) => group("L", step))).toEqual(numbers("losses"));
  });

  test("adjoints are those of the chosen part", async () => {
    await show({ lens: "adjoints" });
    expect([0, 1, 2].flatMap((step) => group("h", step))).toEqual(numbers("adjoint.total"));
    expect(group("h", -1)).toEqual(numbers("gradient[h0]"));
    await press("carried");
    expect(view.get("part")).toBe("carried");
    expect([0, 1, 2].flatMap((step) => group("h", step))).toEqual(numbers("adjoint.carried"));
    await press("direct");
    expect([0, 1, 2].flatMap((step) => group("h", step))).toEqual(numbers("adjoint.direct"));
  });

  test("the shares of each step sum to the contribution, which is said", async () => {
    await show();
    const c = numbers("contribution[weight_hh_l0[0,0]]")[2 * 3 + 1];
    for (const step of [1, 2]) expect(group("figure", step)[0]).toBeCloseTo(c, 12);
    expect(group("h", 1)[0] + group("h", 1)[1]).toBeCloseTo(c, 12);
    expect([group("h", 0), group("figure", 0)]).toEqual([[], []]);
    expect(said()).toContain("C[t = 3, k = 2] of weight_hh_l0[0,0] = ");
  });

  test("follow a move, and say so to those who cannot see", async () => {
    await show({ lens: "values" });
    page.live.move("weight_hh_l0", 0, 1.25);
    await rest();
    const hidden = numbers("hidden", {
      weight_hh_l0: [...page.live.network.values["weight_hh_l0"]],
    });
    expect(group("h", 2)).toEqual(hidden.slice(-2));
    const label = el.querySelector('[data-node="h"][data-step="2"]')?.getAttribute("aria-label");
    expect(label).toMatch(/^h₃: /);
  });

  test("are told to the kernel, until it is gone", async () => {
    await show();
    await press("adjoints");
    expect(view.saved).toEqual([{ lens: "adjoints" }]);
    expect(button("adjoints").getAttribute("aria-pressed")).toBe("true");
    page.stopKernel();
    await press("values");
    expect(view.get("lens")).toBe("values");
    expect(view.saved).toHaveLength(1);
  });
});

describe("what is shown is said", () => {
  const names = () =>
    [...el.querySelectorAll("[data-row]")].map((row) => row.textContent).slice(0, -1);
  const pressed = () =>
    [...el.querySelectorAll("header [aria-pressed=true]")].map((one) => one.textContent);
  const parts = () => {
    const group = el.querySelector<HTMLElement>('[aria-label="part of the adjoint"]');
    return [button("carried").disabled, group?.title];
  };

  test("by the rows, in every lens", async () => {
    await show({ lens: "values" });
    expect(names()).toEqual(["seed v", "loss L", "hidden h", "input x"]);
    await press("adjoints");
    expect(names()).toEqual(["seed v", "loss L", "∂L/∂h", "∂L/∂x"]);
    await press("flow");
    expect(names()).toEqual(["seed v", "loss L", "via h", "x (value)"]);
  });

  test("by the buttons, while stepping through too", async () => {
    await show({ lens: "flow" });
    expect(pressed()).toEqual(["flow"]);
    await press("one operation on");
    expect(pressed()).toEqual(["values"]);
    for (let i = 0; i < 20; i++) await press("one operation on");
    expect(pressed()).toEqual(["adjoints"]);
    expect(names()).toContain("∂L₃/∂h");
    await press("whole picture");
    expect(pressed()).toEqual(["flow"]);
  });

  test("by the parts, which only adjoints have", async () => {
    await show({ lens: "values" });
    expect(parts()).toEqual([true, "choose the lens adjoints first"]);
    await press("adjoints");
    expect(parts()).toEqual([false, ""]);
    expect(pressed()).toEqual(["total", "adjoints"]);
  });

  test("by the legend, which tells signs without colours", async () => {
    await show();
    const signs = el.querySelector(".rw-graph-signs");
    expect(signs?.textContent).toMatch(/^− dashed \+ solid/);
    expect(signs?.querySelectorAll("[data-sample]")).toHaveLength(2);
  });

  test("by a row of buttons that is one stop of the Tab key, walked with arrow keys", async () => {
    await show();
    const lenses = () =>
      [...el.querySelectorAll<HTMLElement>('[aria-label="lens"] > button')].map((b) => b.tabIndex);
    expect(lenses()).toEqual([-1, -1, 0]);
    button("flow").focus();
    for (const [key, name] of [
      ["ArrowLeft", "adjoints"],
      ["Home", "values"],
      ["ArrowLeft", "values"],
      ["ArrowRight", "adjoints"],
    ]) {
      const event = new KeyboardEvent("keydown", { key, bubbles: true });
      await act(() => void document.activeElement?.dispatchEvent(event));
      expect(document.activeElement).toBe(button(name));
    }
    expect([lenses(), pressed()]).toEqual([[-1, 0, -1], ["flow"]]);
    await act(() => (document.activeElement as HTMLElement).blur());
    expect(lenses()).toEqual([-1, -1, 0]);
  });

  test("by the sentence and the legend, of an edge between values", async () => {
    await show({ lens: "values" });
    expect(said()).toContain("an edge is sensitivity × state");
    const titles = [...el.querySelectorAll<HTMLElement>(".rw-graph-legend > span")];
    const title = titles.at(-1)?.title;
    expect(title).toContain("∂s′[i]/∂s[j] · s[j], with s the state that the step reads");
  });

  test("by a line, where no edge can be seen since units are saturated", async () => {
    await show({ lens: "values" }, network({ x: Array(6).fill(1e3) }));
    expect(line()).toContain("no state changes much with the one before it");
    await press("adjoints");
    expect(line()).not.toContain("no state changes");
  });

  test("by names that tell the layer in words, where there are several", async () => {
    await show({ lens: "values", layer: 1, reverse: true });
    const { network, initial } = page.live;
    const stack = refold(network.program, { numLayers: 2, bidirectional: true });
    page.live.adopt(refit(network, stack, initial));
    await rest();
    const one = el.querySelector<HTMLElement>('[data-node="h"][data-step="1"]') as HTMLElement;
    expect(one.getAttribute("aria-label")).toMatch(/^h₂ of layer 1, reverse: /);
    one.dispatchEvent(new MouseEvent("pointermove", { bubbles: true }));
    expect(one.title).toMatch(/^h₂\[\d\] of layer 1, reverse \(t = 2, step 1 in code\) = /);
    await press("one operation on");
    expect(line()).toMatch(/^forward \(layer 1, reverse\): a₃ = .*\(h₃ of layer 0, forward; h₃ of/);
  });

  test("by hovering, where a row's colours have a scale of their own", async () => {
    await show({ lens: "values" });
    const over = (node: string) => {
      const group = el.querySelector<HTMLElement>(`[data-node="${node}"][data-step="1"]`);
      group?.dispatchEvent(new MouseEvent("pointermove", { bubbles: true }));
      return group?.title;
    };
    expect(over("h")).not.toContain("colours");
    expect(over("v")).toContain("; this row's colours go up to ±");
  });
});

test("three steps fill a wide panel", () => {
  const scene = makeScene(programFromJson(PROGRAM), 0, 1160);
  expect(scene.width).toBeGreaterThan(1100);
  expect(scene.width).toBeLessThanOrEqual(1160);
  expect(makeScene(programFromJson(PROGRAM), 0, 700).width).toBeLessThanOrEqual(700);
});

describe("step-through", () => {
  test("walks forward and back, and ends with the whole picture", async () => {
    await show({ lens: "values" });
    await press("one operation on");
    expect(line()).toMatch(/^forward: a₁ = weight_ih_l0 x₁ \+ /);
    expect(group("h", 0)).toEqual([]);
    await press("one operation on");
    const hidden = numbers("hidden");
    expect(line()).toMatch(/^forward: h₁ = tanh\(a₁\) = \(/);
    expect([group("h", 0), group("h", 1)]).toEqual([hidden.slice(2, 4), []]);
    expect(el.querySelector(".rw-graph-count")?.textContent).toMatch(/^operation 2 of \d+$/);
    await press("one operation back");
    expect(group("h", 0)).toEqual([]);
    await press("whole picture");
    expect([0, 1, 2].flatMap((step) => group("h", step))).toEqual(hidden.slice(2));
  });

  test("the slider goes to any operation and says which", async () => {
    await show();
    const slider = el.querySelector<HTMLInputElement>('input[type="range"]') as HTMLInputElement;
    slider.value = slider.max;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await rest();
    expect(slider.getAttribute("aria-valuetext")).toBe(`operation ${slider.max} of ${slider.max}`);
    expect(line()).toMatch(/^backward: δh₀ = weight_hh_l0ᵀ δa₁ = \(/);
    slider.value = "11"; // after 3 × (a, h, L), v and δh
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await rest();
    await press("one operation on");
    expect(line()).toMatch(/^backward, adjoint of the pre-activation a₃: δa₃ = /);
    expect(el.querySelector<HTMLElement>("[data-line]")?.title).toContain("δa₃ = ∂L₃/∂a₃ is");
    slider.value = slider.max;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
    await rest();
    // Its adjoints are of the loss step alone: those of a network with no other loss.
    const only = network({}, { ...PROGRAM, loss_steps: [2] });
    expect([0, 1, 2].flatMap((step) => group("h", step))).toEqual(
      numbers("adjoint.total", {}, only),
    );
  });
});

test("an overflow is said plainly", async () => {
  await show({ lens: "values" }, network({ x: [0, 0, Number.NaN, 0, 0, 0] }));
  expect(line()).toContain("first at t = 2 (step 1 in code)");
});

test("a network too large to draw says what still works", async () => {
  await show({}, manySteps(40));
  expect(el.textContent).toContain(
    "Drawn up to 16 units and 32 steps; this network has 2 units and 40",
  );
  expect(el.querySelector("canvas")).toBeNull();
});

function manySteps(T: number) {
  const all = Array.from({ length: T }, (_, t) => t);
  const zeros = Array(2 * T).fill(0);
  return network({ x: zeros, v: zeros }, { ...PROGRAM, seq_len: T, loss_steps: all });
}

test("one step and many steps are drawn", async () => {
  await show({ lens: "values" }, manySteps(1));
  expect(el.querySelectorAll('[data-node="L"]')).toHaveLength(1);
  hide();
  await show({ lens: "values" }, manySteps(32));
  expect(el.querySelectorAll('[data-node="L"]')).toHaveLength(32);
});

test("nothing listens once it is gone", async () => {
  await show();
  hide();
  await settle();
  expect(view.listeners).toEqual([]);
});
