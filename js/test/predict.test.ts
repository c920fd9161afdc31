// @vitest-environment happy-dom
/** Predict, then reveal: what is guessed, judged and kept. */

import { describe, expect, test } from "vitest";
import { threeDigits } from "../src/format";
import { allowance, largestOf } from "../src/views/predict-state";
import { network, numbers, shorter } from "./page";
import {
  type Asked,
  card,
  click,
  everything,
  GRADIENT,
  guesses,
  known,
  model,
  open,
  page,
  point,
  questions,
  rest,
  TRUTH,
  text,
  told,
  type,
  verdict,
} from "./predict-card";

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

  test("is judged beside what is finite of its quantity", async () => {
    await open({ quantity: "losses", index: [0] });
    page.live.assign({ v: Float64Array.of(1, 1, 1, 1, Number.POSITIVE_INFINITY, 0) });
    await rest();
    await type("1e6");
    expect(verdict()).toBe("wrong");
  });

  test("is taken once, however often it is sent before its verdict is drawn", async () => {
    await open(GRADIENT);
    const input = card.querySelector("input") as HTMLInputElement;
    const form = card.querySelector("form") as HTMLFormElement;
    for (const typed of [String(2 * TRUTH), String(TRUTH)]) {
      input.value = typed;
      form.dispatchEvent(new Event("submit", { cancelable: true }));
    }
    await rest();
    expect(guesses()).toMatchObject([{ guess: 2 * TRUTH, right: false }]);
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
    expect(largestOf(Float64Array.of(0.3, 0.1 + 0.2, 0.29))).toEqual([0, 1]); // but for rounding
  });

  test("of the losses is put in focus as one, beside the source step that was", async () => {
    const sizes = numbers("by_loss[bias_ih_l0[1]]").map(Math.abs);
    const largest = sizes.indexOf(Math.max(...sizes));
    await open({ quantity: "by_loss[bias_ih_l0[1]]", ask: "step", axis: "t" });
    page.live.selectCell(0, 0);
    await click(`t = ${largest + 1}`);
    expect(verdict()).toBe("right");
    expect(page.live.cell.value).toEqual({ t: largest, k: 0 });
  });

  test("of one loss step is the row's largest", async () => {
    const row = known("contribution[bias_ih_l0[1]]").slice(6).map(Math.abs);
    await open({ quantity: "contribution[bias_ih_l0[1]]", index: [2], ask: "step", axis: "k" });
    await click(`k = ${row.indexOf(Math.max(...row)) + 1}`);
    expect(verdict()).toBe("right");
    expect(page.live.cell.value).toEqual({ t: 2, k: row.indexOf(Math.max(...row)) });
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
