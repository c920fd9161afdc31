// @vitest-environment happy-dom
/** The panel of the unrolled graph: what it shows, says and lets one do. */

import { h, render } from "preact";
import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { programFromJson } from "../src/engine";
import { Graph } from "../src/views/graph";
import { makeScene } from "../src/views/graph-scene";
import { Model, network, numbers, Page, PROGRAM, settle } from "./page";

const AT_REST = 200;

let page: Page;
let el: HTMLElement;
let view: Model;

/** Show the graph in a panel that is 900 pixels wide. */
async function show(options: object = {}, given = network()): Promise<void> {
  page = new Page({ network: given });
  view = new Model("graph", { lens: "flow", part: "total", layer: 0, reverse: false, ...options });
  await act(() => render(h(Graph, { lab: page.live, view: view as never }), el));
  await rest();
}

async function rest(): Promise<void> {
  await act(() => settle());
  await vi.advanceTimersByTimeAsync(AT_REST);
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal(
    "ResizeObserver",
    class {
      constructor(private readonly tell: (entries: object[]) => void) {}
      observe() {
        this.tell([{ contentRect: { width: 900 } }]);
      }
      disconnect() {}
    },
  );
  el = document.body.appendChild(document.createElement("div"));
});

afterEach(() => {
  render(null, el);
  page.close();
  el.remove();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** The numbers of one group. */
function group(node: string, step: number): number[] {
  const found = el.querySelector<HTMLElement>(`[data-node="${node}"][data-step="${step}"]`);
  if (!found) throw new Error(`no ${node} at ${step}`);
  return found.dataset["value"]?.split(" ").filter(Boolean).map(Number) ?? [];
}

function button(name: string): HTMLButtonElement {
  const all = [...el.querySelectorAll("button")];
  const found = all.find((one) => (one.getAttribute("aria-label") ?? one.textContent) === name);
  if (!found) throw new Error(`no button ${name}`);
  return found;
}

async function press(name: string): Promise<void> {
  button(name).click();
  await rest();
}

const radio = (name: string, step: number) =>
  el.querySelectorAll<HTMLInputElement>(`[aria-label^="${name} step"] input`)[step];

const line = () => el.querySelector("[data-line]")?.textContent;

const said = () => el.querySelector(".rw-say")?.textContent;

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

describe("selecting", () => {
  test("the rulers choose loss step and source step", async () => {
    await show();
    expect([radio("loss", 2).checked, radio("source", 1).checked]).toEqual([true, true]);
    radio("loss", 1).click();
    await rest();
    expect(page.live.cell.value).toEqual({ t: 1, k: 1 });
    radio("source", 0).click();
    await rest();
    expect(page.live.cell.value).toEqual({ t: 1, k: 0 });
    expect(radio("source", 0).getAttribute("aria-label")).toBe(
      "source step k = 1 (step 0 in code)",
    );
    expect(page.lab.get("loss_step")).toBe(1);
  });

  test("a click on a column chooses the loss step, with Shift the source step", async () => {
    await show();
    const stage = el.querySelector(".rw-graph-stage") as HTMLElement;
    const box = el.querySelector<HTMLElement>('[data-node="h"][data-step="0"]');
    const x = Number.parseFloat(box?.style.left ?? "") + 5;
    stage.dispatchEvent(new MouseEvent("click", { clientX: x, shiftKey: true }));
    await rest();
    expect(page.live.cell.value).toEqual({ t: 2, k: 0 });
    stage.dispatchEvent(new MouseEvent("click", { clientX: x }));
    await rest();
    expect(page.live.cell.value).toEqual({ t: 0, k: 0 });
  });
});

describe("why there is nothing", () => {
  async function why(t: number, k: number, program: object = {}, values = {}): Promise<string> {
    await show({}, network(values, { ...PROGRAM, ...program }));
    page.live.selectCell(t, k);
    await rest();
    return line() ?? "";
  }

  test("causality", async () => {
    expect(await why(0, 2)).toContain("cannot change an earlier loss (t = 1): causality");
  });

  test("truncation", async () => {
    const truncation = { kind: "window", size: 2 };
    expect(await why(2, 0, { truncation })).toContain(
      "the truncation (window 2) cuts every path from t = 3 to k = 1",
    );
  });

  test("a step without loss", async () => {
    expect(await why(1, 0, { loss_steps: [2] })).toContain("step t = 2 has no loss");
  });

  test("a seed of zero", async () => {
    expect(await why(2, 1, {}, { v: [1, 1, 1, 1, 0, 0] })).toContain(
      "the seed of step t = 3 is zero",
    );
  });

  test("an initial state of zero", async () => {
    expect(await why(2, 0, {}, { h0: [0, 0] })).toContain("multiplies h₀[0] = 0 at step k = 1");
  });
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
  render(null, el);
  page.close();
  await show({ lens: "values" }, manySteps(32));
  expect(el.querySelectorAll('[data-node="L"]')).toHaveLength(32);
});

test("nothing listens once it is gone", async () => {
  await show();
  render(null, el);
  await settle();
  expect(view.listeners).toEqual([]);
});
