// @vitest-environment happy-dom
/** While a question is open, the page does not tell what it asks for. */

import { describe, expect, test } from "vitest";
import { moved, numbers } from "./page";
import {
  type Asked,
  card,
  click,
  GRADIENT,
  known,
  model,
  open,
  page,
  point,
  rest,
  TRUTH,
  takeAway,
  told,
  type,
  verdict,
} from "./predict-card";

describe("while a question is open, no view tells the number", () => {
  const CASES: readonly [Asked, number, string[]][] = [
    [GRADIENT, TRUTH, ["table", "parameters", "contributions", "chain"]],
    [
      { quantity: "contribution[bias_ih_l0[1]]", index: [2, 1] },
      known("contribution[bias_ih_l0[1]]")[7],
      ["contributions", "chain", "graph"],
    ],
    [
      { quantity: "by_source[bias_hh_l0[1]]", index: [0] },
      known("by_source[bias_hh_l0[1]]")[0],
      ["contributions"],
    ],
    [{ quantity: "hidden", index: [2, 1] }, known("hidden")[5], ["graph"]],
    [{ quantity: "adjoint.total", index: [1, 0] }, known("adjoint.total")[2], ["graph"]],
    [{ quantity: "loss" }, known("loss")[0], ["toolbar"]],
  ];
  const OPTIONS: Readonly<Record<string, object>> = {
    table: { compare: {} },
    parameters: { leaves: null },
    graph: { lens: "flow", part: "total", layer: 0, reverse: false },
    toolbar: { _catalogue: { cells: [], presets: [] } },
  };

  test.each(CASES)("$quantity $index", async (asked, truth, views) => {
    const entry = /\[(\w+\[[\d,]+\])\]/.exec(asked.quantity)?.[1] ?? "weight_hh_l0[0,1]";
    const look = async () => {
      point(); // which selects what takes the focus
      page.live.select(entry);
      page.live.selectCell(2, 1);
      await rest();
      page.answer();
      await rest();
    };
    const lens = asked.quantity.startsWith("adjoint") ? "adjoints" : "values";
    // Σ|terms| happens to be as many times the total as the loss is.
    const kinds = ["table", "parameters", "contributions", "graph", "toolbar"];
    const drawn = [...kinds, ...(asked.quantity === "loss" ? [] : ["chain"])].map((kind) => {
      const graph = kind === "graph" && !asked.quantity.startsWith("contribution");
      const options = graph ? { ...OPTIONS[kind], lens } : (OPTIONS[kind] ?? {});
      return [kind, page.view(kind, options).el] as const;
    });
    await look();
    for (const [kind, el] of drawn) {
      if (views.includes(kind)) expect(told(truth, el), `${kind} tells it`).not.toEqual([]);
    }
    await open(asked);
    expect(told(truth), "what was hovered over before is no help").toEqual([]);
    await look();
    expect(told(truth)).toEqual([]);
    for (const [kind, el] of drawn) {
      if (views.includes(kind)) expect(el.innerHTML.includes("?"), `${kind} has a ?`).toBe(true);
    }
    await click("show me");
    await look();
    expect(told(truth, card)).not.toEqual([]);
    for (const [kind, el] of drawn) {
      if (views.includes(kind)) expect(told(truth, el), `${kind} tells again`).not.toEqual([]);
    }
  });

  test("nor does text that is driven, nor a mark of a figure, nor a colour", async () => {
    page.table();
    page.view("contributions");
    page.live.select("weight_hh_l0[0,1]");
    await rest();
    expect(page.at("label").get("value")).toMatch(/\d/);
    await open({ quantity: "by_source[weight_hh_l0[0,1]]", index: [0] }, GRADIENT);
    expect(page.at("label").get("value")).toBe("∂ ?");
    expect(page.at("bars").get("visible")).toBe(false);
    const total = document.querySelector('[data-sum="total,0"]') as HTMLElement;
    expect(total.dataset["sign"]).toBe("?");
    expect(total.dataset["value"]).toBe("?");
    await click("show me");
    expect(page.at("bars").get("visible")).toBe(true);
    expect(page.at("label").get("value")).toBe("∂ ?");
    await click("next");
    await click("show me");
    expect(page.at("label").get("value")).toMatch(/\d/);
    expect(Number(total.dataset["value"])).toBeCloseTo(TRUTH, 12);
  });

  test("and the number stays hidden where the network moves", async () => {
    page.table();
    await open(GRADIENT);
    page.live.move("weight_hh_l0", 0, 0.75);
    await rest();
    const changes = moved("weight_hh_l0", 0, 0.75);
    const now = numbers("gradient[weight_hh_l0]", changes)[1];
    expect(Math.abs(now - TRUTH)).toBeGreaterThan(1e-3);
    expect(told(now)).toEqual([]);
    await type(String(now));
    expect(verdict()).toBe("right");
    expect(told(now)).not.toEqual([]);
  });

  test("of zeros, only those of the same quantity are hidden", async () => {
    page.live.assign({ h0: Float64Array.of(0, 0) });
    page.table();
    page.view("contributions");
    page.live.select("weight_hh_l0[0,1]");
    await rest();
    const sum = () => document.querySelector<HTMLElement>('[data-sum="source,0"]');
    const cells = () => [...document.querySelectorAll<HTMLElement>("[data-cell]")];
    expect(sum()?.textContent).toBe("0"); // the first step reads a state of zeros
    await open({ quantity: "contribution[weight_hh_l0[0,1]]", index: [0, 0] });
    expect(sum()?.textContent).toBe("0");
    const hidden = () =>
      cells().flatMap((cell) => (cell.textContent === "?" ? (cell.dataset["cell"] ?? "") : []));
    const zeros = ["0,0", "0,1", "0,2", "1,0", "1,2", "2,0"];
    expect(hidden()).toEqual(zeros);
    expect(document.querySelector("tbody")?.textContent).not.toContain("?");
    takeAway();
    await open({ quantity: "by_source[weight_hh_l0[0,1]]", index: [0] });
    expect(sum()?.textContent).toBe("?");
    expect(hidden()).toEqual(zeros); // which it is the sum of
  });

  test.each([
    ["by_source", [1], ["0,1", "0,2", "1,1", "1,2", "2,1"]], // with every zero
    ["by_source", [], ["0,0", "0,1", "0,2", "1,0", "1,1", "1,2", "2,0", "2,1", "2,2"]],
    ["by_loss", [2], ["2,0", "2,1", "2,2"]],
  ])("%s %j hides what it sums", async (name, index, summed) => {
    page.view("contributions");
    page.live.select("weight_hh_l0[0,1]");
    const ask = index.length ? "number" : "step";
    await open({ quantity: `${name}[weight_hh_l0[0,1]]`, index, ask });
    await rest();
    const cells = [...document.querySelectorAll<HTMLElement>("[data-cell]")];
    const hidden = cells.flatMap((cell) =>
      cell.textContent === "?" ? (cell.dataset["cell"] ?? "") : [],
    );
    expect(hidden).toEqual(summed);
    page.live.select("bias_ih_l0[0]");
    await rest();
    expect(cells.filter((cell) => cell.textContent === "?")).toEqual([]); // of other entries none
  });

  test("the graph has one kind of zero, whichever state is asked about", async () => {
    const nothing = ["h0", "x", "bias_ih_l0", "bias_hh_l0"].map(
      (leaf) => [leaf, page.live.network.values[leaf].map(() => 0)] as const,
    );
    page.live.assign(Object.fromEntries(nothing));
    const options = { lens: "values", part: "total", layer: 0, reverse: false };
    const { el } = page.view("graph", options);
    const state = () => el.querySelector<HTMLElement>('[data-node="h"][data-step="2"]')?.dataset;
    await rest();
    expect(state()?.["value"]).toBe("0 0");
    await open({ quantity: "hidden", index: [3, 0] });
    expect(state()?.["value"]).toBe("? ?");
  });

  test("numbers near it are told, however small or large all of them are", () => {
    const { veil } = page.live;
    for (const size of [1e-9, 1, 1e9]) {
      const show = veil.cover({}, () => [{ number: -size, quantity: "gradient" }]);
      expect(veil.hides(size * (1 + 1e-9))).toBe(true);
      expect(veil.hides(size * (1 + 1e-6))).toBe(false);
      expect(veil.hides(size / 2)).toBe(false);
      show();
    }
  });

  test("a card that is taken away hides nothing", async () => {
    page.table();
    await open(GRADIENT);
    expect(told(TRUTH)).toEqual([]);
    takeAway();
    await rest();
    expect(told(TRUTH)).not.toEqual([]);
    expect(model.listeners).toEqual([]);
  });
});
