// @vitest-environment happy-dom
/** The heat map of contributions: its numbers, its sums, and how a cell is chosen. */

import { h, render } from "preact";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { programFromJson } from "../src/engine";
import { refold } from "../src/engine/program";
import { Results } from "../src/engine/quantities";
import { Contributions } from "../src/views/contributions";
import { decadesOf, numbersOf, shade } from "../src/views/contributions-numbers";
import { expectClose } from "./close";
import { network, Page, settle } from "./page";
import { VECTORS } from "./vectors";

for (const [file, cases] of Object.entries(VECTORS)) {
  test.each(cases)(`${file} $name: cells and sums are Python's`, (expected) => {
    const { program, values, contributions, whole, gradients } = expected;
    const arrays = Object.entries(values).map(([leaf, list]) => [leaf, Float64Array.from(list)]);
    const results = new Results(programFromJson(program), Object.fromEntries(arrays));
    const T = results.program.seqLen;
    for (const { leaf, entry, ...result } of contributions) {
      const name = `${leaf}[${entry.join(",")}]`;
      const numbers = numbersOf(results, name, "entry");
      expectClose(numbers.cells, result, name);
      const sum = (pick: (t: number, k: number) => boolean) =>
        result.values.reduce((s, c, at) => s + (pick(Math.floor(at / T), at % T) ? c : 0), 0);
      for (let i = 0; i < T; i++) {
        const near = 1e-11 * T * Math.max(result.scale, 1);
        expect(Math.abs(numbers.byLoss[i] - sum((t) => t === i))).toBeLessThan(near);
        expect(Math.abs(numbers.bySource[i] - sum((_, k) => k === i))).toBeLessThan(near);
      }
      const shape = results.program.parameters[leaf];
      const at = entry.reduce((place, i, axis) => place * shape[axis] + i, 0);
      const gradient = { scale: gradients[leaf].scale, values: [gradients[leaf].values[at]] };
      expectClose([numbers.total], gradient, `gradient of ${name}`);
    }
    if (!whole) return;
    const shape = results.program.parameters[whole.leaf];
    const some = `${whole.leaf}[${shape.map(() => 0).join(",")}]`;
    const { cells, total } = numbersOf(results, some, "parameter");
    const width = whole.values.length / (T * T);
    cells.forEach((norm, at) => {
      const one = Math.hypot(...whole.values.slice(at * width, (at + 1) * width));
      expect(Math.abs(norm - one)).toBeLessThanOrEqual(1e-11 * Math.max(whole.scale, 1));
    });
    const all = Math.hypot(...gradients[whole.leaf].values);
    expect(Math.abs(total - all)).toBeLessThanOrEqual(1e-10 * Math.max(whole.scale, 1));
  });
}

test("what is not zero is seen, however small; decades span what there is", () => {
  expect(shade(0, 1, null)).toEqual({ sign: "0", depth: 0 });
  expect(shade(-1e-12, 1, null)).toEqual({ sign: "−", depth: 10 });
  expect(shade(1, 1, null)).toEqual({ sign: "+", depth: 100 });
  expect(decadesOf([0, 1, -0.01, 0.1], 1)).toBeCloseTo(2, 12);
  expect(shade(-0.01, 1, 2).depth).toBe(10);
  expect(shade(0.1, 1, 2).depth).toBe(55);
  expect(decadesOf([1, 1e-30], 1)).toBe(6);
  expect(shade(1e-30, 1, 6).depth).toBe(10);
  expect(decadesOf([0, 0], 1)).toBe(0.5);
  expect(decadesOf([Number.NaN, 1], 1)).toBe(6);
});

/** As wide as is said. */
class Wide {
  static width = 900;
  constructor(private readonly tell: (entries: { contentRect: { width: number } }[]) => void) {}
  observe() {
    this.tell([{ contentRect: { width: Wide.width } }]);
  }
  disconnect() {}
}

describe("on the page", () => {
  let page: Page;
  let el: HTMLElement;

  async function open(options: ConstructorParameters<typeof Page>[0] = {}) {
    page = new Page(options);
    el = document.body.appendChild(document.createElement("div"));
    render(h(Contributions, { lab: page.live, view: page.live.model }), el);
    await settle();
  }

  beforeEach(() => {
    vi.useFakeTimers();
  });

  afterEach(() => {
    render(null, el);
    page.close();
    document.body.replaceChildren();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const cell = (t: number, k: number) => el.querySelector(`[data-cell="${t},${k}"]`) as HTMLElement;
  const value = (selector: string) =>
    Number(el.querySelector<HTMLElement>(selector)?.dataset["value"]);
  const press = (key: string) =>
    document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));

  test("cells and sums follow the network", async () => {
    await open();
    page.live.move("weight_hh_l0", 1, 0.75);
    await settle();
    const { data } = page.live.results.quantity("contribution[weight_hh_l0[0,0]]");
    data.forEach((c, at) => {
      expect(Number(cell(Math.floor(at / 3), at % 3).dataset["value"])).toBe(c);
    });
    const [gradient] = page.live.results.quantity("gradient[weight_hh_l0[0,0]]").data;
    expect(value('[data-sum="total,0"]')).toBeCloseTo(gradient, 14);
    expect(value('[data-sum="loss,2"]')).toBeCloseTo(data[6] + data[7] + data[8], 14);
    expect(value('[data-sum="source,0"]')).toBeCloseTo(data[0] + data[3] + data[6], 14);
  });

  test("a network of another length leaves nothing of the old one", async () => {
    vi.stubGlobal("ResizeObserver", Wide);
    Wide.width = 900;
    const longer = VECTORS["rnn"].map(({ program, values }) => ({ ...program, values }));
    await open();
    expect(cell(2, 1).textContent).not.toBe("");
    const adopt = async (json: object) => {
      const { values: lists, ...folded } = json as { values: Record<string, number[]> };
      const arrays = Object.entries(lists).map(([leaf, list]) => [leaf, Float64Array.from(list)]);
      page.live.adopt({ program: programFromJson(folded), values: Object.fromEntries(arrays) });
      await settle();
    };
    for (const json of [...longer, network()]) {
      await adopt(json);
      const { selection, results } = page.live;
      const { data } = results.quantity(`contribution[${selection.value}]`);
      const T = results.program.seqLen;
      const found = el.querySelectorAll<HTMLElement>("[data-cell]");
      expect(found).toHaveLength(T * T);
      for (const { dataset, textContent } of found) {
        const [t, k] = (dataset["cell"] as string).split(",").map(Number);
        expect(Number(dataset["value"])).toBe(data[t * T + k]);
        if (k > t && !results.program.bidirectional) {
          expect([dataset["state"], textContent]).toEqual(["no way", ""]);
        }
      }
      expect(el.querySelectorAll("[data-cell][tabindex='0']")).toHaveLength(1);
      expect(el.querySelectorAll("[aria-selected=true]")).toHaveLength(1);
    }
  });

  test("32 steps fit 400 pixels; one header in four is shown and the selected one", async () => {
    vi.stubGlobal("ResizeObserver", Wide);
    Wide.width = 400;
    const { values, ...program } = network();
    const loss_steps = [...Array(32).keys()];
    const long = { x: Array(64).fill(0.5), v: Array(64).fill(1) };
    await open({
      network: { ...program, seq_len: 32, loss_steps, values: { ...values, ...long } },
    });
    const grid = el.querySelector("[role=grid]") as HTMLElement;
    const cells = 32 * Number.parseInt(grid.style.getPropertyValue("--rw-w"), 10);
    expect(cells).toBeGreaterThan(280);
    expect(cells).toBeLessThan(300);
    expect(grid.dataset["crowded"]).toBe("true");
    page.live.selectCell(20, 10);
    await settle();
    const shown = [...el.querySelectorAll("[data-step^=k]:not([data-between])")];
    expect(shown.map((head) => head.textContent)).toEqual("4 8 11 16 20 24 28 32".split(" "));
  });

  test("rows of steps without a loss are low, and the others as high as there is room", async () => {
    await open({ network: { ...network(), loss_steps: [2] } });
    const low = () => [...el.querySelectorAll(".rw-map-low > [role=rowheader]")];
    expect(low().map((head) => head.textContent)).toEqual(["t=1", "t=2"]);
    const { program, values } = page.live.network;
    page.live.adopt({ program: refold(program, { lossSteps: "all" }), values });
    await settle();
    expect(low()).toEqual([]);
  });

  test("of all entries the norm of sums is called so", async () => {
    await open();
    const heads = () => [
      ...el.querySelectorAll<HTMLElement>(
        ".rw-map-steps > .rw-map-total, .rw-map-sums > [role=rowheader]",
      ),
    ];
    expect(heads().map((head) => head.textContent)).toEqual(["Σ over k", "Σ over t"]);
    const every = [...el.querySelectorAll("button")].find(
      (one) => one.textContent === "all entries",
    );
    every?.click();
    await settle();
    expect(heads().map((head) => head.textContent)).toEqual(["‖Σ over k‖", "‖Σ over t‖"]);
    expect(heads()[0].title).toMatch(/^norm, over all entries, of the sum/);
  });

  test("a later source step shows as nothing, what is truncated as cut", async () => {
    const truncation = { kind: "window", size: 2 };
    await open({ network: network({}, { ...network(), truncation }) });
    expect(cell(0, 2).dataset["state"]).toBe("no way");
    expect(cell(0, 2).textContent).toBe("");
    expect(cell(2, 0).dataset["state"]).toBe("cut");
    expect(cell(2, 1).dataset["state"]).toBe("");
    cell(2, 0).dispatchEvent(new Event("pointerover", { bubbles: true }));
    expect(cell(2, 0).title).toContain("cut by truncation");
    expect(el.querySelector(".rw-say")?.textContent).toContain("adds to the truncated gradient");
    const total = el.querySelector("[data-sum='total,0']") as HTMLElement;
    total.dispatchEvent(new Event("pointerover", { bubbles: true }));
    expect(total.title).toContain("∂L/∂weight_hh_l0[0,0] (truncated gradient) = ");
    expect(el.querySelector(".rw-legend")?.textContent).toContain("cut by truncation");
  });

  test("hovering a cell says it in words with all digits", async () => {
    await open();
    cell(2, 1).dispatchEvent(new Event("pointerover", { bubbles: true }));
    const exact = String(cell(2, 1).dataset["value"]).replaceAll("-", "−");
    expect(cell(2, 1).title).toBe(
      `C[t = 3, k = 2] of weight_hh_l0[0,0] = ${exact} (loss step 2, source step 1 in code)`,
    );
  });

  test("a click selects, here and in the kernel", async () => {
    await open();
    expect(cell(2, 1).getAttribute("aria-selected")).toBe("true");
    cell(1, 0).click();
    await settle();
    expect(page.live.cell.value).toEqual({ t: 1, k: 0 });
    expect(page.lab.saved).toEqual([{ loss_step: 1, source_step: 0 }]);
    expect([...el.querySelectorAll("[aria-selected=true]")]).toEqual([cell(1, 0)]);
    const chosen = [...el.querySelectorAll(".rw-map-chosen")].map(({ textContent }) => textContent);
    expect(chosen).toEqual(["1", "t=2"]);
  });

  test("arrow keys move, Enter and Space select, one cell is in the tab order", async () => {
    await open();
    cell(2, 1).focus();
    press("ArrowUp");
    press("ArrowLeft");
    press("ArrowLeft");
    expect(document.activeElement).toBe(cell(1, 0));
    expect(page.live.cell.value).toEqual({ t: 2, k: 1 });
    press("Enter");
    expect(page.live.cell.value).toEqual({ t: 1, k: 0 });
    press("End");
    press(" ");
    expect(page.live.cell.value).toEqual({ t: 1, k: 2 });
    await settle();
    expect([...el.querySelectorAll("[data-cell][tabindex='0']")]).toEqual([cell(1, 2)]);
    expect(cell(1, 2).getAttribute("aria-label")).toContain("C[t = 2, k = 3]");
  });

  test("a fixed scale keeps its limit, an automatic one follows", async () => {
    await open();
    const limit = () => el.querySelector(".rw-ramp-most")?.textContent;
    const select = el.querySelector("select") as HTMLSelectElement;
    const before = limit();
    select.value = "fixed";
    select.dispatchEvent(new Event("change", { bubbles: true }));
    page.live.assign({ v: network().values["v"].map((x) => 100 * x) as never });
    await settle();
    expect(limit()).toBe(before);
    select.value = "automatic";
    select.dispatchEvent(new Event("change", { bubbles: true }));
    await settle();
    expect(limit()).not.toBe(before);
  });

  test("numbers that overflow are told with the step", async () => {
    await open();
    page.live.assign({ weight_ih_l0: Float64Array.of(1e308, 1e308, 1e308, 1e308) });
    page.live.assign({ v: new Float64Array(6).fill(Number.POSITIVE_INFINITY) });
    await settle();
    expect(el.querySelector(".rw-say")?.textContent).toContain("Overflow");
  });
});
