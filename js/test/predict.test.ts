// @vitest-environment happy-dom
/** Predict, then reveal: what is guessed, judged and kept; and that the page tells nothing before. */

import type { AnyModel } from "@anywidget/types";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { threeDigits } from "../src/format";
import { allowance, largestOf } from "../src/views/predict-state";
import { mount } from "../src/views/views";
import { buttonOf, stubWidth } from "./dom";
import { Model, moved, network, numbers, Page, SLIDER, settle, shorter } from "./page";
import { QUANTITIES } from "./vectors";

const REST = 400;

interface Asked {
  what?: string;
  quantity: string;
  index?: number[];
  ask?: "number" | "sign" | "step";
  tolerance?: number;
  hint?: string;
  axis?: string;
}

/** As Python sends them. */
const questions = (...all: Asked[]) =>
  all.map((one) => ({
    what: one.quantity,
    index: [],
    ask: "number",
    tolerance: 0.1,
    question: `What is ${one.quantity}?`,
    hint: "",
    axis: "",
    ...one,
  }));

const GRADIENT: Asked = { quantity: "gradient[weight_hh_l0]", index: [0, 1] };
/** The vectors' own numbers: what Python makes of the network. */
const known = (text: string) => {
  const found = QUANTITIES[0].quantities.find((one) => one.text === text);
  if (!found) throw new Error(`no vector ${text}`);
  return found.values;
};
const TRUTH = known("gradient[weight_hh_l0]")[1];

let page: Page;
let card: HTMLElement;
let model: Model;
let unmount: () => void;

async function open(...asked: Asked[]): Promise<void> {
  model = new Model("predict", {
    _kind: "predict",
    _questions: questions(...asked),
    _turn: 0,
    guesses: [],
  });
  card = document.body.appendChild(document.createElement("div"));
  unmount = mount(card, model as unknown as AnyModel, page.live);
  await rest();
}

async function rest(): Promise<void> {
  await settle();
  await vi.advanceTimersByTimeAsync(REST);
}

async function click(name: string): Promise<void> {
  buttonOf(card, name).click();
  await rest();
}

async function type(text: string): Promise<void> {
  const input = card.querySelector("input") as HTMLInputElement;
  input.value = text;
  card.querySelector("form")?.dispatchEvent(new Event("submit", { cancelable: true }));
  await rest();
}

const text = (selector: string) => card.querySelector(selector)?.textContent ?? "";
const verdict = () => card.querySelector("[data-verdict]")?.getAttribute("data-verdict");
const guesses = () => model.get("guesses") as { guess: unknown; truth: unknown; right: boolean }[];

/** Everything that the page says: each text, each field, and every attribute but styles. */
function everything(root: Element = document.body): string[] {
  const texts: string[] = [];
  for (const el of root.querySelectorAll("*")) {
    for (const { name, value } of el.attributes) {
      if (!["class", "style", "id"].includes(name)) texts.push(value);
    }
    for (const node of el.childNodes) if (node instanceof Text) texts.push(node.data);
    if (el instanceof HTMLInputElement) texts.push(el.value);
  }
  return texts.map((text) => text.replaceAll("−", "-"));
}

const NUMBER = /\d+(?:\.\d+)?(?:e-?\d+)?/g;

/** What on the page tells a number, of either sign, to three digits or more. */
function told(x: number, root?: Element): string[] {
  return everything(root).filter((said) =>
    (said.match(NUMBER) ?? []).some((text) => {
      const [mantissa, exponent = "0"] = text.split("e");
      const digits = mantissa.replace(/^0\.?0*|\./g, "").length;
      const unit = 10 ** (Number(exponent) - (mantissa.split(".")[1] ?? "").length);
      return (
        digits >= 3 && Math.abs(Number(text) - Math.abs(x)) <= 0.5001 * unit + 1e-11 * Math.abs(x)
      );
    }),
  );
}

/** Point at everything, so that hover text is written. */
function point(): void {
  for (const el of document.body.querySelectorAll("*")) {
    for (const kind of ["pointerover", "pointermove", "pointerenter"]) {
      el.dispatchEvent(new PointerEvent(kind, { bubbles: kind !== "pointerenter", clientX: 5 }));
    }
    for (const kind of ["focusin"]) el.dispatchEvent(new FocusEvent(kind, { bubbles: true }));
  }
}

beforeEach(async () => {
  vi.useFakeTimers();
  stubWidth(900);
  page = new Page({
    sliders: [SLIDER],
    drives: [
      {
        id: "label",
        trait: "value",
        kind: "text",
        quantity: "gradient[weight_hh_l0[0,1]]",
        text: "∂ {}",
      },
      { id: "bars", quantity: "by_source[weight_hh_l0[0,1]]" },
    ],
  });
  page.at("bars").set("enable_hover", true);
  await settle();
});

afterEach(() => {
  unmount();
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("a number", () => {
  test.each([
    [String(TRUTH), true],
    [String(TRUTH * 1.099), true],
    [String(TRUTH * 1.11), false],
    [String(-TRUTH), false],
    [String(TRUTH).replace(".", ","), true],
    [`  ${String(TRUTH).replace("-", "−")} `, true],
    ["1e3", false],
  ])("%s is judged", async (typed, right) => {
    await open(GRADIENT);
    await type(typed);
    expect(verdict()).toBe(right ? "right" : "wrong");
    const shown = card.querySelector("[data-truth]");
    expect(Number(shown?.getAttribute("data-truth"))).toBeCloseTo(TRUTH, 12);
    expect(shown?.textContent).toBe(threeDigits(TRUTH));
    expect(text(".rw-predict-score")).toBe(`${right ? 1 : 0} of 1 right`);
    expect(guesses()).toMatchObject([{ turn: 0, ask: "number", right }]);
    expect(model.saved.at(-1)).toHaveProperty("guesses");
  });

  test("that is none is refused with a sentence, and not counted", async () => {
    await open(GRADIENT);
    for (const typed of ["", "about half", "1..2", "0.5.1", "NaN", "1e999"]) {
      await type(typed);
      expect(text(".rw-predict-error")).toContain("It was not counted");
      expect(card.querySelector("input")?.getAttribute("aria-invalid")).toBe("true");
      expect(guesses()).toEqual([]);
      expect(verdict()).toBeUndefined();
      expect(told(TRUTH)).toEqual([]);
    }
    await type(String(TRUTH));
    expect(text(".rw-predict-score")).toBe("1 of 1 right");
  });

  test("is right near zero within a tenth of a tenth of the largest", () => {
    const [question] = questions(GRADIENT) as never[];
    expect(allowance(question, 0, 2)).toBeCloseTo(0.02, 12);
    expect(allowance(question, -1, 2)).toBeCloseTo(0.1, 12);
  });

  test("can be shown without a guess, which counts as asked", async () => {
    await open(GRADIENT);
    await click("show me");
    expect(verdict()).toBe("shown");
    expect(text(".rw-predict-score")).toBe("0 of 1 right");
    expect(guesses()).toMatchObject([{ guess: null, right: false }]);
  });
});

describe("a sign", () => {
  const ask = "sign" as const;

  test.each(["negative", "zero", "positive"])("%s", async (name) => {
    await open({ ...GRADIENT, ask });
    await click(name);
    const right = name === (TRUTH > 0 ? "positive" : "negative");
    expect(verdict()).toBe(right ? "right" : "wrong");
    expect(guesses()[0].truth).toBe(TRUTH > 0 ? "+" : "-");
  });

  test("of nothing at all is zero, and neither said nor marked before", async () => {
    page.view("contributions");
    page.view("chain");
    page.live.select("weight_hh_l0[0,1]");
    page.live.selectCell(0, 2);
    await rest();
    const cell = () => document.querySelector('[data-cell="0,2"]') as HTMLElement;
    expect(cell().dataset["state"]).toBe("no way");
    expect(document.body.textContent).toContain("Nothing flows here");
    await open({ quantity: "contribution[weight_hh_l0[0,1]]", index: [0, 2], ask });
    point();
    expect(cell().dataset["state"]).toBe("hidden");
    expect(cell().textContent).toBe("?");
    for (const said of everything()) expect(said).not.toMatch(/nothing|no way leads|zero by/i);
    await click("zero");
    expect(verdict()).toBe("right");
    expect(cell().dataset["state"]).toBe("no way");
  });

  test("zero is right, too, of what may be a sum's rounding", async () => {
    await open({ quantity: "output", index: [2, 0], ask });
    const { weight_ih_l0, weight_hh_l0 } = page.live.network.values;
    weight_ih_l0.fill(0, 0, 2);
    weight_hh_l0.fill(0, 0, 2);
    page.live.assign({
      bias_ih_l0: Float64Array.of(1e-16, 1),
      bias_hh_l0: Float64Array.of(0, 0),
    });
    await rest();
    await click("zero");
    expect(verdict()).toBe("right");
    expect(guesses()[0].truth).toBe("+");
  });
});

describe("a step", () => {
  const STEP: Asked = { quantity: "by_source[bias_ih_l0[1]]", ask: "step", axis: "k" };

  test("is right if none is larger", async () => {
    const sizes = known("by_source[bias_ih_l0[1]]".replace("ih", "hh")).map(Math.abs);
    const largest = sizes.indexOf(Math.max(...sizes));
    await open(STEP);
    const names = [...card.querySelectorAll("[data-guess]")].map((one) => one.textContent);
    expect(names).toEqual(["k = 1", "k = 2", "k = 3"]);
    await click(`k = ${((largest + 1) % 3) + 1}`);
    expect(verdict()).toBe("wrong");
    expect(guesses()[0].truth).toEqual([largest]);
    expect(page.live.selection.value).toBe("bias_ih_l0[1]");
    expect(page.live.cell.value.k).toBe(largest);
    await click("again");
    await click(`k = ${largest + 1}`);
    expect(verdict()).toBe("right");
    expect(text(".rw-predict-score")).toBe("1 of 2 right");
  });

  test("may be any of several alike, of either sign", () => {
    expect(largestOf(Float64Array.of(-2, 1, 2))).toEqual([0, 2]);
    expect(largestOf(Float64Array.of(0, 0))).toEqual([0, 1]);
  });

  test("of one loss step is the row's largest", async () => {
    const row = known("contribution[bias_ih_l0[1]]").slice(6).map(Math.abs);
    await open({ quantity: "contribution[bias_ih_l0[1]]", index: [2], ask: "step", axis: "k" });
    await click(`k = ${row.indexOf(Math.max(...row)) + 1}`);
    expect(verdict()).toBe("right");
    expect(page.live.cell.value).toEqual({ t: 2, k: row.indexOf(Math.max(...row)) });
  });
});

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

  test("nor does text that is driven, nor a mark's tooltip, nor a colour", async () => {
    page.table();
    page.view("contributions");
    page.live.select("weight_hh_l0[0,1]");
    await rest();
    expect(page.at("label").get("value")).toMatch(/\d/);
    await open({ quantity: "by_source[weight_hh_l0[0,1]]", index: [0] }, GRADIENT);
    expect(page.at("label").get("value")).toBe("∂ ?");
    expect(page.at("bars").get("enable_hover")).toBe(false);
    const total = document.querySelector('[data-sum="total,0"]') as HTMLElement;
    expect(total.dataset["sign"]).toBe("?");
    expect(total.dataset["value"]).toBe("?");
    await click("show me");
    expect(page.at("bars").get("enable_hover")).toBe(true);
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
    const hidden = cells().filter((cell) => cell.textContent === "?");
    expect(hidden.map((cell) => cell.dataset["cell"])).toEqual([
      "0,0",
      "0,1",
      "0,2",
      "1,0",
      "1,2",
      "2,0",
    ]);
    expect(document.querySelector("tbody")?.textContent).not.toContain("?");
    unmount();
    await open({ quantity: "by_source[weight_hh_l0[0,1]]", index: [0] });
    expect(sum()?.textContent).toBe("?");
    expect(cells().filter((cell) => cell.textContent === "?")).toEqual([]);
  });

  test("a card that is taken away hides nothing", async () => {
    page.table();
    await open(GRADIENT);
    expect(told(TRUTH)).toEqual([]);
    unmount();
    await rest();
    expect(told(TRUTH)).not.toEqual([]);
    expect(model.listeners).toEqual([]);
    unmount = () => {};
  });
});

describe("what has been revealed", () => {
  test("is kept, and said to be of then, while the network moves on and back", async () => {
    await open(GRADIENT);
    await type(String(TRUTH));
    expect(text(".rw-predict-where")).toContain("under the entry's slider");
    expect(page.live.selection.value).toBe("weight_hh_l0[0,1]");
    const steps = page.live.history;
    page.live.move("weight_hh_l0", 0, 0.75);
    await rest();
    expect(text(".rw-predict-where")).toContain("what it was when you guessed");
    expect(Number(card.querySelector("[data-truth]")?.getAttribute("data-truth"))).toBeCloseTo(
      TRUTH,
      12,
    );
    page.live.undo();
    await rest();
    expect(page.live.history).toBe(steps);
    expect(text(".rw-predict-where")).toContain("under the entry's slider");
  });

  test("leads on to the next question, and from the last to all of them again", async () => {
    await open(GRADIENT, { quantity: "loss", ask: "sign" });
    expect(text("h3")).toContain("question 1 of 2");
    await type(String(TRUTH));
    await click("next");
    expect(text("h3")).toContain("question 2 of 2");
    await click(known("loss")[0] > 0 ? "positive" : "negative");
    expect(text(".rw-predict-score")).toBe("2 of 2 right");
    await click("again");
    expect(text("h3")).toContain("question 1 of 2");
    expect(verdict()).toBeUndefined();
    await type("1e9");
    expect(text(".rw-predict-score")).toBe("2 of 3 right");
  });

  test("follows the same card on another page", async () => {
    await open(GRADIENT);
    model.set_state({
      guesses: [{ turn: 0, what: "", ask: "number", guess: 1, truth: 1, right: true, seen: [1] }],
    });
    await rest();
    expect(verdict()).toBe("right");
    expect(text(".rw-predict-score")).toBe("1 of 1 right");
  });

  test("keeps going without the kernel", async () => {
    await open(GRADIENT);
    page.stopKernel();
    await rest();
    const saved = model.saved.length;
    await type(String(TRUTH));
    expect(verdict()).toBe("right");
    expect(model.saved.length).toBe(saved);
    expect(card.textContent).toContain("The kernel has stopped");
  });
});

describe("what cannot be guessed", () => {
  test("is waited for when the structure changes", async () => {
    await open({ quantity: "hidden", index: [3, 0] });
    page.lab.set("_network", shorter());
    await rest();
    expect(text("[data-missing]")).toContain("no such number any more");
    expect(text("[data-missing]")).toContain("(3, 2)");
    expect(card.querySelector("input")).toBeNull();
    page.lab.set("_network", network());
    await rest();
    expect(card.querySelector("[data-missing]")).toBeNull();
    await type(String(known("hidden")[6]));
    expect(verdict()).toBe("right");
  });

  test("is passed by, where there is more", async () => {
    await open({ quantity: "hidden", index: [3, 0] }, { quantity: "loss", ask: "sign" });
    page.lab.set("_network", shorter());
    await rest();
    await click("skip");
    expect(text("h3")).toContain("question 2 of 2");
    expect(text(".rw-predict-score")).toBe("no guess yet");
  });

  test("is said of an overflow", async () => {
    await open({ quantity: "loss" });
    page.live.assign({ v: Float64Array.from([1e308, 1e308, 1e308, 1e308, 1e308, 1e308]) });
    page.live.assign({ h0: Float64Array.from([1e308, 1e308]) });
    const [loss] = page.live.results.quantity("loss").data;
    await rest();
    expect(Number.isFinite(loss)).toBe(false);
    expect(text("[data-missing]")).toContain("nothing to guess");
  });
});

test("the focus goes on to what is next, for keys alone", async () => {
  await open(GRADIENT, { quantity: "loss", ask: "sign" });
  card.querySelector("input")?.focus();
  await type(String(TRUTH));
  expect(document.activeElement?.textContent).toBe("next");
  await click("next");
  expect((document.activeElement as HTMLElement).dataset["guess"]).toBe("-");
  (document.activeElement as HTMLElement).blur();
});

test("the result is told politely, and a hint unfolds", async () => {
  await open({ ...GRADIENT, hint: "Look at x." });
  const live = card.querySelector("[aria-live=polite]");
  await type("1e9");
  expect(card.querySelector("[aria-live=polite]")).toBe(live);
  expect(live?.textContent).toContain("Wrong");
  expect(text("details")).toContain("Look at x.");
});
