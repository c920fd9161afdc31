// @vitest-environment happy-dom
/** The chain rule behind one contribution: its factors multiply to what Python says it is. */

import { h, render } from "preact";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { programFromJson } from "../src/engine";
import { Results } from "../src/engine/quantities";
import { threeDigits } from "../src/format";
import { Chain } from "../src/views/chain";
import { type ChainRule, chainRule, type Factor, WHOLE } from "../src/views/chain-factors";
import { extent, shownEnds, sizeOf, unitFor } from "../src/views/chain-fit";
import { network, numbers, Page, settle } from "./page";
import { type Case, VECTORS } from "./vectors";

function resultsOf({ program, values }: Case): Results {
  const arrays = Object.entries(values).map(([leaf, list]) => [leaf, Float64Array.from(list)]);
  return new Results(programFromJson(program), Object.fromEntries(arrays));
}

/** A row vector times a matrix. */
function times(row: readonly number[], { data, rows, columns }: Factor): number[] {
  expect(row).toHaveLength(rows);
  return Array.from({ length: columns }, (_, j) =>
    row.reduce((sum, x, i) => sum + x * data[i * columns + j], 0),
  );
}

/** The product of factors, the first of them a row. */
function product([first, ...others]: readonly Factor[]): number[] {
  return others.reduce(times, [...first.data]);
}

const CASES = Object.entries(VECTORS).flatMap(([file, cases]) =>
  cases.map((one) => [`${file} ${one.name}`, one] as const),
);

describe.each(CASES)("%s", (_, expected) => {
  const results = resultsOf(expected);
  const T = results.program.seqLen;

  test("the factors of every contribution multiply to Python's number", () => {
    for (const { leaf, entry, values, scale } of expected.contributions) {
      const near = 1e-11 * Math.max(scale, 1e-300);
      values.forEach((c, at) => {
        const cell = { t: Math.floor(at / T), k: at % T };
        const rule = chainRule(results, `${leaf}[${entry.join(",")}]`, cell, WHOLE);
        expect(Math.abs(rule.total - c)).toBeLessThanOrEqual(near);
        if (rule.nothing) {
          expect(c).toBe(0);
          return;
        }
        const [right] = product(rule.right);
        expect(Math.abs(right - c)).toBeLessThanOrEqual(near);
        if (!rule.left.length) return;
        const row = product(rule.left);
        row.forEach((x, i) => {
          const size = Math.max(...row.map(Math.abs), 1e-300);
          expect(Math.abs(x - rule.right[0].data[i])).toBeLessThanOrEqual(1e-9 * Math.max(size, 1));
        });
      });
    }
  });
});

test.each(CASES)("%s: the parts of a Jacobian sum to it", (_, expected) => {
  const results = resultsOf(expected);
  const [entry] = Object.keys(results.program.parameters);
  const last = results.program.lossSteps.at(-1) ?? 0;
  if (last === 0 || results.program.parameters[entry].length < 2) return;
  const jacobian = (part: string) =>
    chainRule(results, `${entry}[0,0]`, { t: last, k: last - 1 }, part).left.at(-1)?.data;
  const { parts } = chainRule(results, `${entry}[0,0]`, { t: last, k: last - 1 }, WHOLE);
  const whole = jacobian(WHOLE);
  if (!whole || !parts.length) return;
  const summed = parts.slice(1).map((part) => jacobian(part) as Float64Array);
  whole.forEach((x, i) => {
    expect(summed.reduce((sum, part) => sum + part[i], 0)).toBeCloseTo(x, 12);
  });
});

describe("a tanh network of one unit, worked by hand", () => {
  const folded = { ...network(), input_size: 1, hidden_size: 1, seq_len: 2, loss_steps: [0, 1] };
  const [w, h0, x1, x2, v2] = [0.5, 0.25, 1, -2, 3];
  const values = {
    weight_ih_l0: [0.3],
    weight_hh_l0: [w],
    bias_ih_l0: [0.1],
    bias_hh_l0: [0],
    x: [x1, x2],
    h0: [h0],
    v: [1, v2],
  };
  const results = resultsOf({ program: folded, values } as unknown as Case);
  const h1 = Math.tanh(0.3 * x1 + 0.1 + w * h0);
  const h2 = Math.tanh(0.3 * x2 + 0.1 + w * h1);
  const rule = (t: number, k: number): ChainRule =>
    chainRule(results, "weight_hh_l0[0,0]", { t, k }, WHOLE);

  test("seed, Jacobian and immediate derivative", () => {
    const { left, right, total } = rule(1, 0);
    expect(left.map(({ kind }) => kind)).toEqual(["seed", "jacobian"]);
    expect([...left[0].data]).toEqual([v2]);
    expect(left[1].data[0]).toBeCloseTo((1 - h2 ** 2) * w, 14);
    expect(right[0].data[0]).toBeCloseTo(v2 * (1 - h2 ** 2) * w, 14);
    expect(right[1].data[0]).toBeCloseTo((1 - h1 ** 2) * h0, 14);
    expect(total).toBeCloseTo(v2 * (1 - h2 ** 2) * w * (1 - h1 ** 2) * h0, 14);
  });

  test("at the same step there is no Jacobian", () => {
    const { left, right } = rule(1, 1);
    expect(left).toEqual([]);
    expect(right.map(({ kind }) => kind)).toEqual(["seed", "immediate"]);
    expect(right[1].data[0]).toBeCloseTo((1 - h2 ** 2) * h1, 14);
  });

  test("a later step cannot matter", () => {
    expect(rule(0, 1).nothing).toBe("no way");
  });
});

describe.each(["rnn_tanh", "gru", "lstm"])("the product of a %s", (cell) => {
  const template = Object.values(VECTORS)
    .flat()
    .find(({ program }) => programFromJson(program).cell.name.startsWith(cell))?.program;

  test.each([
    [3, 6, null],
    [3, 12, null],
    [4, 8, 2],
    [8, 16, null],
    [16, 32, 3],
  ])(
    "of H = %i, T = %i, readout %s has both its ends in sight from 640 pixels on",
    (H, T, readout) => {
      const folded = programFromJson({
        ...template,
        ...{
          input_size: 2,
          hidden_size: H,
          seq_len: T,
          num_layers: 1,
          bidirectional: false,
          readout,
        },
        ...{ loss: "seed", loss_steps: [...Array(T).keys()], truncation: null },
      });
      const { leaves, outputSize } = folded;
      const sizes = { ...leaves, v: [T, outputSize] };
      const values = Object.entries(sizes).map(([leaf, shape]) => {
        const count = shape.reduce((a, b) => a * b, 1);
        return [leaf, Float64Array.from({ length: count }, (_, i) => Math.sin(i + 1) / 2)];
      });
      const results = new Results(folded, Object.fromEntries(values));
      const { program } = results;
      const [entry] = Object.keys(program.parameters);
      for (let width = 630; width <= 1500; width += 10) {
        const unit = unitFor(program, width);
        for (const cell of [0, 1, 2, T - 1].map((k) => ({ t: T - 1, k }))) {
          const { left, right, result } = chainRule(results, `${entry}[0,0]`, cell, WHOLE);
          const factors = [...left, ...right, result];
          const [first, last] = shownEnds(factors, unit, width);
          const jacobians = left.filter(({ kind }) => kind === "jacobian");
          const shown = factors.filter(
            (one) => one.kind !== "jacobian" || jacobians.indexOf(one) < first + last,
          );
          const hidden = jacobians.length - first - last;
          // As the style sheet has it: 6 pixels around each sign, 40 for a symbol at least, 13 for an axis.
          const taken = shown.reduce(
            (sum, factor) => {
              if (factor.kind === "result") return sum + 64;
              const axis = factor.split[0] ? 13 : 0;
              return sum + Math.max(40, extent(factor, unit)[0]) + axis + 19;
            },
            hidden ? 131 : 0,
          );
          expect(taken, `${width} ${JSON.stringify(cell)}`).toBeLessThanOrEqual(width);
          for (const factor of factors) {
            const fits = extent(factor, unit)[1] <= Math.max(14, sizeOf(program) * unit.height);
            expect(fits).toBe(true);
          }
        }
      }
    },
  );
});

describe("why a contribution is nothing", () => {
  const named = (text: string) => {
    const found = VECTORS["truncation"].find(({ name }) => name.includes(text));
    if (!found) throw new Error(`no vector "${text}"`);
    return resultsOf(found);
  };

  test.each(VECTORS["truncation"].map(({ name }) => [name]))("truncation %s", (name) => {
    const results = named(name);
    const { truncation, seqLen: T, lossSteps, bidirectional } = results.program;
    if (!truncation || bidirectional) return;
    for (let t = 0; t < T; t++) {
      for (let k = 0; k < T; k++) {
        const [entry] = Object.keys(results.program.parameters);
        const { nothing } = chainRule(results, `${entry}[0,0]`, { t, k }, WHOLE);
        const edges = Array.from({ length: Math.max(t - k, 0) }, (_, i) => k + 1 + i);
        const cut =
          truncation.kind === "window"
            ? t - k >= truncation.size
            : edges.some((step) => step % truncation.size === 0);
        const why = !lossSteps.includes(t) ? "no loss" : k > t ? "no way" : cut ? "cut" : null;
        expect(nothing, `${t}, ${k}`).toBe(why);
      }
    }
  });
});

describe("on the page", () => {
  let page: Page;
  let el: HTMLElement;

  beforeEach(async () => {
    vi.useFakeTimers();
    page = new Page();
    el = document.body.appendChild(document.createElement("div"));
    render(h(Chain, { lab: page.live, view: page.live.model }), el);
    await settle();
  });

  afterEach(() => {
    render(null, el);
    page.close();
    document.body.replaceChildren();
    vi.useRealTimers();
  });

  const number = (found: Element | null | undefined) => Number(found?.getAttribute("data-value"));
  const all = (selector: string) => [...el.querySelectorAll<HTMLElement>(selector)];
  const product = () => number(el.querySelector("[data-factor=result] [data-value]"));
  const contribution = () => {
    const { t, k } = page.live.cell.value;
    const { results, selection } = page.live;
    return results.quantity(`contribution[${selection.value}]`).data[t * 3 + k];
  };

  test("factors and C are shown with all their digits", async () => {
    expect(all("[data-factor]").map((one) => one.dataset["factor"])).toEqual([
      ..."seed jacobian adjoint immediate result".split(" "),
    ]);
    const seed = all("[data-factor=seed] [data-value]").map(number);
    expect(seed).toEqual(network().values["v"].slice(4, 6));
    expect(product()).toBeCloseTo(contribution(), 14);
    expect(el.querySelector("h3")?.textContent).toContain("C₃,₂ of weight_hh_l0[0,0]");
  });

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

  test("terms that overflow are said to", async () => {
    const weight_ih_l0 = Float64Array.of(1e200, -1e200, 0, 0);
    page.live.assign({ weight_ih_l0, x: Float64Array.of(0, 0, 1e200, 1e200, 0, 0) });
    await settle();
    const terms = () => el.querySelector(".rw-chain-terms .rw-chain-nothing")?.textContent;
    expect(terms()).toBe("Terms overflow from step t = 2 on: they cannot be ranked.");
    expect(all("[data-term]")).toEqual([]);
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

  test("nothing by causality is said in a sentence", async () => {
    page.live.selectCell(0, 2);
    await settle();
    expect(all("[data-factor]")).toEqual([]);
    expect(el.querySelector(".rw-chain-nothing")?.textContent).toContain("comes before step 3");
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
    for (const cell of [0, 1, 2, 3, 4, 5, 6, 7, 8]) {
      page.live.selectCell(Math.floor(cell / 3), cell % 3);
      await settle();
      expect([cell, lines()]).toEqual([cell, "4"]); // 2 × 2 ways from h₃ to h₁
    }
    all("[data-term] button")[0].click();
    await settle();
    expect(lines()).toBe("8"); // its factors are to be seen
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
});
