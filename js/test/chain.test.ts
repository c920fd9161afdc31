// @vitest-environment happy-dom
/** The panel of the chain rule: its factors, its account, and how it follows. */

import { expect, test, vi } from "vitest";
import { threeDigits } from "../src/format";
import { all, contribution, el, number, page, product } from "./chain-panel";
import { network, numbers, settle } from "./page";

test("factors and C are shown with all their digits", async () => {
  expect(all("[data-factor]").map((one) => one.dataset["factor"])).toEqual([
    ..."seed jacobian adjoint immediate result".split(" "),
  ]);
  const seed = all("[data-factor=seed] [data-value]").map(number);
  expect(seed).toEqual(network().values["v"].slice(4, 6));
  expect(product()).toBeCloseTo(contribution(), 14);
  expect(el.querySelector("h3")?.textContent).toContain("C₃,₂ of weight_hh_l0[0,0]");
});

test("matrices have three digits, by a power of ten in the caption where need be", async () => {
  page.live.assign({ v: Float64Array.of(0, 0, 0, 0, 0.003_141, -0.013_25) });
  await settle();
  expect(all("[data-factor=seed] [data-value]").map((one) => one.textContent)).toEqual([
    "0.314",
    "−1.32",
  ]);
  expect(el.querySelector("[data-factor=seed] small")?.textContent).toBe("×10⁻²");
  expect(el.querySelector("[data-factor=result] [data-value]")?.textContent).toBe(
    threeDigits(product()),
  );
});

test("one colour scale is spoken of where several J share it", async () => {
  const hint = () => el.querySelector(".rw-chain-readout")?.textContent;
  page.live.selectCell(2, 0);
  await settle();
  expect(hint()).toContain("All J share");
  page.live.selectCell(2, 2);
  await settle();
  expect(hint()).toContain("Point at a number");
  expect(hint()).not.toContain("All J share");
});

test("a truncated gradient is called so, beside the full one and what is cut away", async () => {
  expect(el.querySelector("[data-witness=full]")).toBeNull();
  expect(el.querySelector("caption")?.textContent).toBe("does it add up?");
  const full = numbers("gradient[weight_hh_l0[0,0]]")[0];
  const truncation = { kind: "window", size: 1 };
  const cut = numbers(
    "gradient[weight_hh_l0[0,0]]",
    {},
    network({}, { ...network(), truncation }),
  )[0];
  expect(Math.abs(full - cut)).toBeGreaterThan(1e-3);
  page.lab.set("_network", network({}, { ...network(), truncation }));
  await settle();
  await vi.advanceTimersByTimeAsync(300);
  const line = (name: string) => [...all(`[data-witness=${name}] td`)];
  expect(number(line("differences")[0])).toBeCloseTo(cut, 8);
  expect(number(line("full")[0])).toBeCloseTo(full, 14);
  expect(line("full")[1].textContent).toBe(`cut away: ${threeDigits(full - cut)}`);
  const caption = el.querySelector("caption")?.textContent;
  expect(caption).toContain("truncated gradient; differences with cut states held");
});

test("it follows cell, selection and numbers", async () => {
  page.live.selectCell(2, 0);
  await settle();
  expect(product()).toBeCloseTo(contribution(), 14);
  expect(all("[data-factor=jacobian]")).toHaveLength(2);
  page.live.select("bias_ih_l0[1]");
  await settle();
  expect(product()).toBeCloseTo(contribution(), 14);
  page.live.move("weight_hh_l0", 1, -1.5);
  await settle();
  expect(product()).toBeCloseTo(contribution(), 14);
});

test("nothing by causality is said in a sentence", async () => {
  page.live.selectCell(0, 2);
  await settle();
  expect(all("[data-factor]")).toEqual([]);
  expect(el.querySelector(".rw-chain-nothing")?.textContent).toContain("comes before step 3");
});

test("each factor says what its deepest colour stands for", () => {
  const factors = all("[data-factor]").map((one) => {
    const numbers = [...one.querySelectorAll("[data-value]")].map(number).map(Math.abs);
    return [one.dataset["factor"], one.querySelector("small")?.textContent, Math.max(...numbers)];
  });
  for (const [kind, text, largest] of factors) {
    if (kind === "result") expect(text).toBe("");
    else expect(Number(String(text).slice(1))).toBeCloseTo(largest as number, 2);
  }
});

test("large differences are parts of the largest, what overflows is not compared", async () => {
  const verdict = (name: string) =>
    el.querySelector(`[data-witness=${name}] td:last-child`)?.textContent;
  page.live.assign({ v: Float64Array.from(network().values["v"], (x) => 1e12 * x) });
  await vi.advanceTimersByTimeAsync(300);
  expect(verdict("differences")).toMatch(/^differs by \de−\d+ of the largest ✓$/);
  page.live.assign({ v: new Float64Array(6).fill(Number.POSITIVE_INFINITY) });
  await vi.advanceTimersByTimeAsync(300);
  expect(verdict("differences")).toBe("not comparable");
});

test("an arrow key walks through a factor's numbers and says them", async () => {
  const [matrix] = all("[data-factor=jacobian] .rw-chain-matrix");
  matrix.focus();
  matrix.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
  await settle();
  const shown = all("[data-factor=jacobian] [data-value]").map(number);
  const text = el.querySelector(".rw-chain-readout")?.textContent;
  expect(text).toBe(`∂h₃[0]/∂h₂[1] = ${String(shown[1]).replaceAll("-", "−")}`);
});

test("the account keeps its lines while it waits, then has every witness", async () => {
  const lines = () => all("[data-witness]").map((line) => line.dataset["witness"]);
  const witness = (name: string) => number(el.querySelector(`[data-witness=${name}] td`));
  const verdict = (name: string) =>
    el.querySelector(`[data-witness=${name}] td:last-child`)?.textContent;
  const before = lines();
  expect(before).toEqual(["contributions", "autograd", "differences", "worst"]);
  await vi.advanceTimersByTimeAsync(300);
  const [gradient] = numbers("gradient[weight_hh_l0[0,0]]");
  expect(witness("contributions")).toBeCloseTo(gradient, 14);
  expect(witness("differences")).toBeCloseTo(gradient, 8);
  expect(verdict("differences")).toMatch(/^differs by .* ✓$/);
  expect(el.querySelector("[data-witness=autograd] td")?.textContent).toContain("asking");
  page.answer({}, { h0: numbers("gradient[h0]").map((x) => x + 0.5) });
  await settle();
  expect(witness("autograd")).toBe(gradient);
  expect(verdict("autograd")).toMatch(/✓$/);
  expect(verdict("worst")).toBe("differs by 0.500 ✗");
  page.stopKernel();
  page.live.move("weight_hh_l0", 1, 1.5);
  await vi.advanceTimersByTimeAsync(300);
  expect(el.querySelector("[data-witness=autograd] td")?.textContent).toContain("has stopped");
  expect(lines()).toEqual(before);
});
