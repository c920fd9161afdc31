// @vitest-environment happy-dom
/** What can be done to a whole matrix at once, as a person does it. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { spectralRadius } from "../src/matrices";
import { buttonOf } from "./dom";
import { settle } from "./page";
import { el, json, page, show, unmount } from "./parameters-panel";
import { VECTORS } from "./vectors";

const LSTM = VECTORS["lstm"][0];
beforeEach(() => show(json(LSTM)));
afterEach(() => vi.unstubAllGlobals());

const { hidden_size: H } = LSTM.program as { hidden_size: number };
const values = (leaf: string) => [...page.live.network.values[leaf]];
const gate = (g: number) => values("weight_hh_l0").slice(g * H * H, (g + 1) * H * H);

/** Open the tools of a leaf, as the browser does for its button. */
async function tools(leaf: string): Promise<HTMLElement> {
  const box = el.querySelector(`[data-leaf="${leaf}"] .rw-box`) as HTMLElement;
  box.dispatchEvent(Object.assign(new Event("toggle"), { newState: "open" }));
  await vi.advanceTimersByTimeAsync(50);
  return box;
}

async function act(box: HTMLElement, name: string): Promise<void> {
  buttonOf(box, name).click();
  await settle();
}

async function choose(box: HTMLElement, which: number): Promise<void> {
  const select = box.querySelector("select") as HTMLSelectElement;
  select.value = String(which);
  select.dispatchEvent(new Event("change", { bubbles: true }));
  await settle();
}

async function write(field: HTMLInputElement | HTMLTextAreaElement, text: string): Promise<void> {
  field.value = text;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  await settle();
}

const area = (box: HTMLElement) => box.querySelector("textarea") as HTMLTextAreaElement;
const said = (box: HTMLElement) => box.querySelector("[role=status]")?.textContent;

/** QᵀQ of a square matrix, written out. */
function gram(q: readonly number[]): number[] {
  return q.map((_, at) => {
    const [i, j] = [Math.floor(at / H), at % H];
    return Array.from({ length: H }, (_, m) => q[m * H + i] * q[m * H + j]).reduce((a, b) => a + b);
  });
}

const unit = Array.from({ length: H * H }, (_, at) => (at % (H + 1) ? 0 : 1));

describe("a matrix", () => {
  test("is zeroed in one step that can be undone", async () => {
    await act(await tools("weight_ih_l0"), "zero");
    expect(values("weight_ih_l0").every((x) => x === 0)).toBe(true);
    page.live.undo();
    expect(values("weight_ih_l0")).toEqual(LSTM.values["weight_ih_l0"]);
    expect(page.live.history.canUndo.value).toBe(false);
  });

  test("becomes the identity, gate by gate or one alone", async () => {
    const box = await tools("weight_hh_l0");
    await choose(box, 1);
    await act(box, "identity");
    expect(gate(1)).toEqual(unit);
    expect(gate(0)).toEqual(LSTM.values["weight_hh_l0"].slice(0, H * H));
    await choose(box, -1);
    await act(box, "identity");
    for (const g of [0, 1, 2, 3]) expect(gate(g)).toEqual(unit);
  });

  test("becomes orthogonal in every gate, each another", async () => {
    await act(await tools("weight_hh_l0"), "orthogonal");
    for (const g of [0, 1, 2, 3]) {
      const worst = gram(gate(g)).map((x, at) => Math.abs(x - unit[at]));
      expect(Math.max(...worst)).toBeLessThan(1e-14);
    }
    if (H > 1) expect(gate(0)).not.toEqual(gate(1));
  });

  test("is drawn from a seed that can be seen, within PyTorch's bound", async () => {
    const box = await tools("weight_hh_l0");
    const seed = box.querySelector(".rw-seed") as HTMLInputElement;
    expect(seed.closest("label")?.textContent).toBe("random seed ");
    await write(seed, "42");
    await act(box, "randomise");
    const drawn = values("weight_hh_l0");
    expect(Math.max(...drawn.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(H));
    expect(Math.max(...drawn.map(Math.abs))).toBeGreaterThan(0.5 / Math.sqrt(H));
    expect(said(box)).toContain("seed 42");
    await act(box, "next seed");
    expect(seed.value).toBe("43");
    expect(values("weight_hh_l0")).not.toEqual(drawn);
    await write(seed, "42");
    await act(box, "randomise");
    expect(values("weight_hh_l0")).toEqual(drawn);
  });

  test("that is not made of square blocks has no tools for them", async () => {
    const names = [...(await tools("x")).querySelectorAll("button")].map((one) => one.textContent);
    expect(names).toEqual([
      "reset",
      "zero",
      "randomise",
      "next seed",
      "apply",
      "copy as Python list",
    ]);
  });
});

describe("pasting", () => {
  const [steps, inputs] = sizes();

  test("puts the numbers in their place", async () => {
    const box = await tools("x");
    const given = Array.from({ length: steps * inputs }, (_, at) => at + 0.5);
    const rows = Array.from({ length: steps }, (_, t) => given.slice(t * inputs, (t + 1) * inputs));
    await write(area(box), `tensor(${JSON.stringify(rows)}, dtype=torch.float64)`);
    await act(box, "apply");
    expect(values("x")).toEqual(given);
    expect(said(box)).toBe("pasted");
    page.live.undo();
    expect(values("x")).toEqual(LSTM.values["x"]);
  });

  test("refuses another shape and leaves the numbers", async () => {
    const box = await tools("x");
    await write(area(box), "[[1, 2, 3, 4, 5, 6, 7]]");
    await act(box, "apply");
    expect(box.querySelector("[role=alert]")?.textContent).toBe(
      `expected the shape (${steps}, ${inputs}), but (1, 7) was pasted`,
    );
    expect(values("x")).toEqual(LSTM.values["x"]);
    await write(area(box), "[[1");
    expect(box.querySelector("[role=alert]")).toBeNull();
    await act(box, "apply");
    expect(box.querySelector("[role=alert]")).not.toBeNull();
    await act(box, "randomise");
    expect(box.querySelector("[role=alert]")).toBeNull();
  });

  test("offers to turn the transpose", async () => {
    const box = await tools("x");
    const rows = Array.from({ length: inputs }, (_, i) =>
      Array.from({ length: steps }, (_, t) => 10 * t + i),
    );
    await write(area(box), JSON.stringify(rows));
    await act(box, "apply");
    await act(box, "apply transposed");
    const turned = Array.from({ length: steps }, (_, t) =>
      Array.from({ length: inputs }, (_, i) => 10 * t + i),
    );
    expect(values("x")).toEqual(turned.flat());
  });
});

function sizes(): [number, number] {
  const { seq_len, input_size } = LSTM.program as { seq_len: number; input_size: number };
  return [seq_len, input_size];
}

describe("copying", () => {
  test("writes a list that pastes back", async () => {
    const writeText = vi.fn(async (_: string) => {});
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    const box = await tools("weight_hh_l0");
    await act(box, "copy as Python list");
    expect(JSON.parse(writeText.mock.calls[0][0]).flat()).toEqual(LSTM.values["weight_hh_l0"]);
    expect(said(box)).toBe("copied as a Python list");
  });

  test("shows the list where the page may not write to the clipboard", async () => {
    vi.stubGlobal("navigator", {});
    const box = await tools("x");
    await act(box, "copy as Python list");
    const shown = box.querySelector<HTMLTextAreaElement>("textarea[readonly]");
    expect(JSON.parse(shown?.value ?? "").flat()).toEqual(LSTM.values["x"]);
  });
});

describe("the spectral radius", () => {
  const range = (box: HTMLElement) => box.querySelector(".rw-radius input") as HTMLInputElement;
  const radius = (box: HTMLElement) => box.querySelector(".rw-radius output")?.textContent;

  test("is of one gate; its slider scales that gate alone", async () => {
    const box = await tools("weight_hh_l0");
    expect(range(box).disabled).toBe(true);
    expect(radius(box)).toContain("choose one gate");
    await choose(box, 1);
    await act(box, "identity");
    expect(radius(box)).toBe("1.00");
    await write(range(box), "0.5");
    expect(gate(1)).toEqual(unit.map((x) => x / 2));
    expect(gate(0)).toEqual(LSTM.values["weight_hh_l0"].slice(0, H * H));
    await write(range(box), "1.5");
    expect(gate(1)).toEqual(unit.map((x) => x * 1.5)); // from where it was taken: nothing adds up
    expect(radius(box)).toBe("1.50");
  });

  test("of zero cannot be scaled, and that is said", async () => {
    const box = await tools("weight_hh_l0");
    await choose(box, 0);
    await act(box, "zero");
    expect(range(box).disabled).toBe(true);
    expect(radius(box)).toContain("radius is 0");
  });
});

test("a leaf goes back to where it began, or a gate of it alone", async () => {
  const box = await tools("weight_hh_l0");
  await act(box, "zero");
  await choose(box, 1);
  await act(box, "reset");
  const first = LSTM.values["weight_hh_l0"];
  expect(gate(1)).toEqual(first.slice(H * H, 2 * H * H));
  expect(gate(0).every((x) => x === 0)).toBe(true);
  await choose(box, -1);
  await act(box, "reset");
  expect(values("weight_hh_l0")).toEqual(first);
});

describe("targets that are classes", () => {
  const found = VECTORS["losses"].find(
    ({ program }) => "loss" in program && program.loss === "cross_entropy",
  ) as (typeof VECTORS)[string][number];
  const { length: steps } = found.values["target"];
  let box: HTMLElement;

  beforeEach(async () => {
    page.lab.set("_network", json(found));
    await settle();
    box = await tools("target");
  });

  test("are drawn from a seed, and go back to where they began", async () => {
    const most = page.live.network.program.outputSize;
    const seen = new Set<number>();
    const before = values("target");
    for (let n = 0; n < 20; n++) {
      await act(box, "next seed");
      for (const one of values("target")) seen.add(one);
    }
    expect([...seen].sort()).toEqual([...Array(most).keys()]);
    const drawn = values("target");
    await act(box, "randomise");
    expect(values("target")).toEqual(drawn);
    expect(said(box)).toBe("classes, each as likely, seed 20");
    await act(box, "reset");
    expect(values("target")).toEqual(before);
  });

  test("are pasted if they are classes, and copied as int", async () => {
    const before = values("target");
    await write(area(box), `[${Array(steps).fill(99).join(", ")}]`);
    await act(box, "apply");
    expect(box.querySelector("[role=alert]")?.textContent).toContain("“99” is no class");
    expect(values("target")).toEqual(before);
    await write(area(box), Array(steps).fill(1).join(" "));
    await act(box, "apply");
    expect(values("target")).toEqual(Array(steps).fill(1));
    const writeText = vi.fn(async (_: string) => {});
    vi.stubGlobal("navigator", { clipboard: { writeText } });
    await act(box, "copy as Python list");
    expect(writeText.mock.calls[0][0]).toBe(`[${Array(steps).fill(1).join(", ")}]`);
  });

  test("have no tools that make other numbers of them", () => {
    const names = [...box.querySelectorAll("button")].map((one) => one.textContent);
    expect(names).toEqual(["reset", "randomise", "next seed", "apply", "copy as Python list"]);
  });
});

test("tools that are shown at once are in sight, scale the matrix, and go with its numbers", async () => {
  unmount();
  page.close();
  el.remove();
  await show(json(VECTORS["rnn"][0]), ["weight_hh_l0"], true);
  const open = () => el.querySelector(".rw-box-open");
  expect(el.querySelector(".rw-more")).toBeNull();
  const slider = open()?.querySelector("input[type=range]") as HTMLInputElement;
  slider.value = "1.5";
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  await settle();
  expect(open()?.querySelector("output")?.textContent).toBe("1.50");
  expect(spectralRadius(page.live.network.values["weight_hh_l0"])).toBeCloseTo(1.5, 9);
  (el.querySelector(".rw-leaf-name") as HTMLElement).click();
  await settle();
  expect(open()).toBeNull();
  expect(el.querySelector(".rw-more")).not.toBeNull();
});
