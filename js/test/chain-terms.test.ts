// @vitest-environment happy-dom
/** The terms of one contribution, largest first, and what they leave. */

import { expect, test, vi } from "vitest";
import { refold } from "../src/engine/program";
import { threeDigits } from "../src/format";
import { refit } from "../src/refit";
import { all, contribution, el, number, page, product } from "./chain-panel";
import { settle } from "./page";

test("terms and remainder sum to C, factors of a term to the term", async () => {
  const terms = all("[data-term] [data-value]").map(number);
  const rest = number(el.querySelector(".rw-chain-others [data-value]"));
  expect(terms.length).toBeGreaterThan(1);
  expect(terms.reduce((sum, x) => sum + x, rest)).toBeCloseTo(contribution(), 14);
  expect(terms.map(Math.abs)).toEqual(terms.map(Math.abs).sort((a, b) => b - a));
  const [button] = all("[data-term] button");
  expect(button.textContent).toMatch(/^L₃ → h₃\[\d\] → h₂\[0\] → weight_hh_l0\[0,0\] @ 2$/);
  button.click();
  await settle();
  expect(button.getAttribute("aria-expanded")).toBe("true");
  const factors = all(".rw-chain-local [data-value]").map(number);
  expect(factors.reduce((product, x) => product * x)).toBeCloseTo(terms[0], 14);
});

test("terms that overflow are said to", async () => {
  const weight_ih_l0 = Float64Array.of(1e200, -1e200, 0, 0);
  page.live.assign({ weight_ih_l0, x: Float64Array.of(0, 0, 1e200, 1e200, 0, 0) });
  await settle();
  const terms = () => el.querySelector(".rw-chain-terms .rw-chain-nothing")?.textContent;
  expect(terms()).toBe("Terms overflow from step t = 2 on: they cannot be ranked.");
  expect(all("[data-term]")).toEqual([]);
});

test("terms that take long are ranked when the hand rests, the old ones dimmed till then", async () => {
  let now = 0;
  const clock = vi.spyOn(performance, "now").mockImplementation(() => {
    now += 5;
    return now;
  });
  const terms = () => all("[data-term] [data-value]").map(number);
  const busy = () => el.querySelector(".rw-chain-terms")?.getAttribute("aria-busy");
  const move = async (value: number) => {
    page.live.move("weight_hh_l0", 1, value);
    await settle();
  };
  await move(-1.2);
  await vi.advanceTimersByTimeAsync(200);
  const old = terms();
  expect(busy()).toBe("false");
  await move(-1.3);
  await vi.advanceTimersByTimeAsync(100);
  await move(-1.5);
  await vi.advanceTimersByTimeAsync(100);
  expect(busy()).toBe("true");
  expect(terms()).toEqual(old);
  expect(product()).toBeCloseTo(contribution(), 14);
  await vi.advanceTimersByTimeAsync(60);
  expect(busy()).toBe("false");
  const rest = number(el.querySelector(".rw-chain-others [data-value]"));
  expect(terms().reduce((sum, x) => sum + x, rest)).toBeCloseTo(contribution(), 14);
  clock.mockRestore();
});

test("terms that are nothing are no list but a reason, in as much room", async () => {
  const terms = () => el.querySelector(".rw-chain-terms")?.textContent;
  page.live.selectCell(0, 2);
  await settle();
  expect(all("[data-term]")).toEqual([]);
  expect(terms()).toContain("There is no way, and so no term.");
  page.live.selectCell(2, 1);
  page.live.assign({ v: new Float64Array(6) });
  await settle();
  expect(product()).toBe(0);
  expect(all("[data-term]")).toEqual([]);
  expect(terms()).toMatch(/Each of its \d terms is exactly zero/);
});

test("the list has room for as many terms as there can be, whichever is chosen", async () => {
  const [section] = all(".rw-chain-terms");
  const lines = () => section.style.getPropertyValue("--rw-lines");
  const listed = () => section.style.getPropertyValue("--rw-listed");
  const found: string[] = [];
  for (const cell of [0, 1, 2, 3, 4, 5, 6, 7, 8]) {
    page.live.selectCell(Math.floor(cell / 3), cell % 3);
    await settle();
    expect([cell, lines()]).toEqual([cell, "4"]); // 2 × 2 ways from h₃ to h₁
    found.push(listed());
  }
  // What they leave is below: of the steps behind one another a line stands for the reason.
  expect(found).toEqual(["1", "1", "1", "2", "1", "1", "4", "2", "1"]);
  page.live.selectCell(2, 1);
  await settle();
  all("[data-term] button")[0].click();
  await settle();
  expect([lines(), listed()]).toEqual(["8", "8"]); // its factors are to be seen
});

test("with all terms listed nothing is left, not even the sum's rounding", async () => {
  for (const entry of ["weight_hh_l0[0,0]", "weight_ih_l0[1,0]", "bias_hh_l0[1]"]) {
    for (const [t, k] of [
      [2, 0],
      [2, 1],
      [2, 2],
      [1, 0],
    ]) {
      page.live.select(entry);
      page.live.selectCell(t, k);
      await settle();
      const terms = all("[data-term] [data-value]").map(number);
      expect(terms.reduce((sum, x) => sum + x)).toBeCloseTo(contribution(), 14);
      expect(el.querySelector(".rw-chain-others")?.textContent).toBe("no other terms0");
    }
  }
});

test("what is left has a bar of its own, which may be the longest", async () => {
  const { network, initial } = page.live;
  const longer = refit(network, refold(network.program, { seqLen: 6, lossSteps: "all" }), initial);
  page.live.adopt(longer);
  const equal = Object.entries(longer.values).map(([leaf, { length }]) => {
    return [leaf, new Float64Array(length).fill(/bias|x/.test(leaf) ? 0 : 0.5)] as const;
  });
  page.live.assign(Object.fromEntries(equal)); // every term is alike
  page.live.selectCell(5, 1);
  await settle();
  const values = all(".rw-chain-term [data-value]").map(number);
  const widths = all(".rw-chain-term .rw-chain-bar > span").map(({ style }) => style.width);
  const longest = Math.max(...values.map(Math.abs));
  expect(values).toHaveLength(9); // eight terms, and the other eight together
  expect(values.at(-1)).toBe(longest);
  expect(widths).toEqual(values.map((x) => `${((50 * x) / longest).toFixed(2)}%`));
});

test("how far the terms cancel is said in words", async () => {
  const said = new Set<string>();
  for (const w of [0.75, 0.02, -0.02, -0.4, -0.75]) {
    page.live.assign({
      v: Float64Array.of(0, 0, 0, 0, 1, 1),
      weight_hh_l0: Float64Array.of(0.75, 0.3, w, 0.5),
    });
    await settle();
    const terms = all("[data-term] [data-value]").map(number);
    const gross = terms.reduce((sum, x) => sum + Math.abs(x), 0);
    const times = gross / Math.abs(contribution());
    const how = times > 1.5 ? "they cancel" : times > 1.01 ? "few cancel" : "none cancel";
    const text = el.querySelector(".rw-chain-gross")?.textContent;
    expect(text).toBe(`Σ|terms| is ${threeDigits(times)} × the total: ${how}`);
    said.add(how);
  }
  expect([...said].sort()).toEqual(["few cancel", "none cancel", "they cancel"]);
});

test("a single term is called one", async () => {
  const texts = () =>
    [".rw-chain-nothing", ".rw-chain-others > span"].map(
      (part) => el.querySelector(`.rw-chain-terms ${part}`)?.textContent,
    );
  page.live.assign({ v: new Float64Array(6) });
  page.live.selectCell(2, 2);
  await settle();
  expect(texts()).toEqual(["Its one term is exactly zero.", "the one term"]);
  page.live.selectCell(2, 1);
  await settle();
  expect(texts()).toEqual(["Each of its 2 terms is exactly zero.", "all 2 terms"]);
});
