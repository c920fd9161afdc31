// @vitest-environment happy-dom
/** The table of gradients and the accounting line under it. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { moved, network, numbers, Page, SLIDER, settle, shorter } from "./page";
import { QUANTITIES } from "./vectors";

const ASKED = 300;

let page: Page;
let el: HTMLElement;
let unmount: () => void;

beforeEach(async () => {
  vi.useFakeTimers();
  page = new Page({ sliders: [SLIDER] });
  ({ el, unmount } = page.table({ weight_hh_l0: [[0, 0, 0, 0]], h0: [1, 2, 3] }));
  await settle();
});

afterEach(() => {
  unmount();
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
});

function text(selector: string): string | undefined {
  return el.querySelector(selector)?.textContent ?? undefined;
}

function entry(name: string): HTMLElement {
  const found = el.querySelector<HTMLElement>(`[data-entry="${name}"]`);
  if (!found) throw new Error(`no entry ${name}`);
  return found;
}

/** A line of the account: its number or what stands in its place, and its verdict. */
function line(witness: string): (string | null)[] {
  const cells = [...el.querySelectorAll(`[data-witness=${witness}] td`)];
  return cells.map((cell) => cell.textContent);
}

/** The number that a title gives in full. */
function full(element: Element | null): number {
  return Number(element?.getAttribute("title")?.replace(/^.*= /, "").replaceAll("−", "-"));
}

/** A number in the three digits and the true minus sign that people read. */
function read(shown: string | null | undefined): number {
  return Number(shown?.replaceAll("−", "-"));
}

describe("each gradient", () => {
  test("has a row with its aliases, its norm and how far it is from the given", () => {
    const rows = [...el.querySelectorAll("tr[data-leaf]")].map((row) =>
      row.getAttribute("data-leaf"),
    );
    expect(rows).toEqual(Object.keys(network().values).filter((leaf) => leaf !== "v"));
    const cells = [...el.querySelectorAll('[data-leaf="weight_hh_l0"] td')];
    const aliases = [...cells[0].children].map((alias) => alias.textContent);
    expect(aliases).toEqual(["flux: Wh", "keras: recurrent_kernel"]);
    const gradient = numbers("gradient[weight_hh_l0]");
    expect(read(cells[1].textContent)).toBeCloseTo(Math.hypot(...gradient), 2);
    expect(read(cells[2].textContent)).toBeCloseTo(Math.max(...gradient.map(Math.abs)), 2);
    expect(text('[data-leaf="h0"] td:nth-of-type(3)')).toBe("another shape");
    expect(text('[data-leaf="x"] td:nth-of-type(3)')).toBe("");
  });

  test("is listed by its entries: three digits, all of them in the title", async () => {
    expect.assertions(4 * 3 + 6 * 3);
    for (const [leaf, names] of [
      ["weight_hh_l0", ["[0,0]", "[0,1]", "[1,0]", "[1,1]"]],
      ["x", ["[0,0]", "[0,1]", "[1,0]", "[1,1]", "[2,0]", "[2,1]"]],
    ] as const) {
      numbers(`gradient[${leaf}]`).forEach((x, i) => {
        const found = entry(leaf + names[i]);
        expect(full(found)).toBe(x);
        expect(found.title).toContain(`∂L/∂${leaf}${names[i]} = `);
        expect(read(found.textContent)).toBe(Number(x.toPrecision(3)));
      });
    }
  });

  test("is divided into its gates, where there are some", async () => {
    const gates = (leaf: string) =>
      [...el.querySelectorAll<HTMLElement>(`[data-leaf="${leaf}"] .rw-gate`)].map((gate) => [
        gate.textContent,
        gate.style.gridRow,
      ]);
    expect(gates("weight_hh_l0")).toEqual([]);
    const lstm = QUANTITIES.find(({ name }) => name === "lstm, last step");
    page.lab.set("_network", { ...lstm?.program, values: lstm?.values });
    await settle();
    expect(gates("weight_hh_l0")).toEqual([
      ["i", "1 / span 1"],
      ["f", "2 / span 1"],
      ["g", "3 / span 1"],
      ["o", "4 / span 1"],
    ]);
    expect(gates("bias_hh_l0").map(([gate]) => gate)).toEqual(["i", "f", "g", "o"]);
    expect(gates("readout.weight")).toEqual([]);
    expect(gates("x")).toEqual([]);
    const gru = QUANTITIES.find(({ name }) => name === "gru, chunk");
    page.lab.set("_network", { ...gru?.program, values: gru?.values });
    await settle();
    expect(gates("weight_ih_l0")).toEqual([
      ["r", "1 / span 2"],
      ["z", "3 / span 2"],
      ["n", "5 / span 2"],
    ]);
    expect(gates("bias_ih_l0").map(([, row]) => row)).toEqual([
      "1 / span 1",
      "2 / span 1",
      "3 / span 1",
    ]);
  });

  test("follows sliders and the kernel", async () => {
    page.at("slider").set("value", 1.5);
    await settle();
    const changes = moved("weight_hh_l0", 1, 1.5);
    expect(full(entry("bias_ih_l0[1]"))).toBe(numbers("gradient[bias_ih_l0[1]]", changes)[0]);
    page.lab.set("_network", shorter(changes));
    await settle();
    expect(el.querySelector('[data-entry="x[2,0]"]')).toBeNull();
    const [shortened] = numbers("gradient[bias_ih_l0[1]]", {}, shorter(changes));
    expect(full(entry("bias_ih_l0[1]"))).toBe(shortened);
  });

  test("with too many entries is summed up by its norm", async () => {
    const program = { ...network(), values: undefined, aliases: undefined, seq_len: 73 };
    const long = { x: Array(146).fill(0.5), v: Array(146).fill(0.1) };
    page.lab.set("_network", network(long, { ...program, loss_steps: [72] }));
    await settle();
    expect(text('[data-leaf="x"] td:last-child')).toContain("73 × 2 entries, too many to list");
  });
});

describe("an overflow", () => {
  test.each([
    ["from t = 2 (step 1)", { weight_ih_l0: [1e200, -1e200, 0, 0], x: [0, 0, 1e200, 1e200, 0, 0] }],
    [
      "on the way back",
      { weight_ih_l0: [0, 0, 0, 0], x: Array(6).fill(1e200), v: Array(6).fill(1e200) },
    ],
  ])("is told %s, in the caption's place", async (where, changes) => {
    expect(text("caption")).toContain("Which gradient is which");
    page.lab.set("_network", network(changes));
    await settle();
    expect(text("caption")).toContain(`Overflow ${where}`);
    expect(el.querySelector(".rw-notice")).toBeNull();
  });
});

describe("an entry of a parameter", () => {
  test("is selected by a click, here and in the kernel", async () => {
    expect(entry("weight_hh_l0[0,0]").getAttribute("aria-pressed")).toBe("true");
    entry("bias_ih_l0[1]").click();
    await settle();
    expect(page.lab.get("selection")).toBe("bias_ih_l0[1]");
    expect(page.lab.saved).toEqual([{ selection: "bias_ih_l0[1]" }]);
    const pressed = [...el.querySelectorAll("[aria-pressed=true]")];
    expect(pressed).toEqual([entry("bias_ih_l0[1]")]);
  });

  test("is selected by the kernel too", async () => {
    page.lab.set("selection", "bias_hh_l0[0]");
    await settle();
    expect(entry("bias_hh_l0[0]").getAttribute("aria-pressed")).toBe("true");
    expect(page.lab.saved).toEqual([]);
  });

  test("is a button, other entries are not", () => {
    expect(entry("weight_hh_l0[0,0]").tagName).toBe("BUTTON");
    expect(entry("x[0,0]").tagName).toBe("SPAN");
    expect(entry("h0[0]").tagName).toBe("SPAN");
  });
});

describe("the account", () => {
  const ENTRY = "gradient[weight_hh_l0[0,0]]";

  test("waits until nothing moves", async () => {
    expect(text(".rw-moving")).toContain("does it add up?");
    await vi.advanceTimersByTimeAsync(200);
    page.at("slider").set("value", 1.5);
    await vi.advanceTimersByTimeAsync(200);
    expect(el.querySelector(".rw-moving")).not.toBeNull();
    expect(page.sent("confirm")).toEqual([]);
    await vi.advanceTimersByTimeAsync(100);
    expect(el.querySelector(".rw-moving")).toBeNull();
    expect(page.sent("confirm")).toHaveLength(1);
  });

  test("stays in place without its verdicts while something moves", async () => {
    const rows = () => el.querySelectorAll("[data-witness]").length;
    expect([rows(), line("contributions"), line("worst")]).toEqual([4, ["…", "…"], ["", "…"]]);
    await vi.advanceTimersByTimeAsync(ASKED);
    page.answer();
    await settle();
    expect(line("worst")[1]).toMatch(/✓$/);
    const [sum] = line("contributions");
    page.at("slider").set("value", 1.5);
    await settle();
    expect(line("contributions")).toEqual([sum, "…"]);
    for (const witness of ["autograd", "differences", "worst"]) expect(line(witness)[1]).toBe("…");
    expect(el.querySelector(".rw-moving")?.getAttribute("aria-busy")).toBe("true");
    expect(rows()).toBe(4);
    await vi.advanceTimersByTimeAsync(ASKED);
    expect(line("contributions")[0]).not.toBe(sum);
    expect(el.querySelector("[aria-busy=true]")).toBeNull();
  });

  test("has the sum of contributions and central differences, then torch's word", async () => {
    await vi.advanceTimersByTimeAsync(ASKED);
    const [gradient] = numbers(ENTRY);
    expect(full(el.querySelector("[data-witness=contributions] td"))).toBeCloseTo(gradient, 14);
    expect(full(el.querySelector("[data-witness=differences] td"))).toBeCloseTo(gradient, 8);
    expect(line("differences")[1]).toMatch(/^differs by .* ✓$/);
    expect(line("autograd")).toEqual(["asking the kernel …", ""]);
    page.answer();
    await settle();
    expect(full(el.querySelector("[data-witness=autograd] td"))).toBe(gradient);
    expect(line("autograd")[1]).toMatch(/^differs by .* ✓$/);
    expect(line("worst")[1]).toBe("differs by 0 ✓");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(page.sent("confirm")).toHaveLength(1);
    expect(el.querySelector("[data-kernel=live]")).not.toBeNull();
  });

  test("tells when torch differs, in the selected entry or anywhere", async () => {
    await vi.advanceTimersByTimeAsync(ASKED);
    page.answer({}, { h0: numbers("gradient[h0]").map((x) => x + 0.5) });
    await settle();
    expect(line("autograd")[1]).toMatch(/✓$/);
    expect(line("worst")[1]).toBe("differs by 0.500 ✗");
  });

  test.each([
    ["first", [null, 1]],
    ["last", [1, null]],
  ])("does not take what is no number for agreement, %s", async (_, h0) => {
    await vi.advanceTimersByTimeAsync(ASKED);
    const [a, b] = numbers("gradient[h0]");
    page.answer({}, { h0: [h0[0] && a, h0[1] && b] });
    await settle();
    expect(line("worst")[1]).toBe("not comparable");
  });

  test("asks again when torch answers for other values", async () => {
    await vi.advanceTimersByTimeAsync(ASKED);
    page.answer(moved("weight_hh_l0", 1, 1.5));
    await settle();
    expect(line("autograd")).toEqual(["asking the kernel …", ""]);
    await vi.advanceTimersByTimeAsync(ASKED);
    expect(page.sent("confirm")).toHaveLength(2);
    page.answer();
    await settle();
    expect(line("autograd")[1]).toMatch(/✓$/);
  });

  test("does not take the answer to an earlier question", async () => {
    await vi.advanceTimersByTimeAsync(ASKED);
    const [{ id }] = page.sent("confirm");
    page.at("slider").set("value", 1.5);
    await vi.advanceTimersByTimeAsync(ASKED);
    const { values } = network(moved("weight_hh_l0", 1, 1.5));
    page.lab.trigger("msg:custom", { kind: "witness", id, values, gradients: {} });
    await settle();
    expect(line("autograd")).toEqual(["asking the kernel …", ""]);
    await vi.advanceTimersByTimeAsync(5_000); // nor does it stand for the answer to the later one
    expect(line("autograd")).toEqual(["the kernel does not answer; the page works on", ""]);
  });

  test("says when the kernel does not answer, and when it does after all", async () => {
    await vi.advanceTimersByTimeAsync(ASKED + 5_000);
    expect(line("autograd")).toEqual(["the kernel does not answer; the page works on", ""]);
    expect(el.querySelector("[data-kernel=silent]")).not.toBeNull();
    page.answer();
    await settle();
    expect(line("autograd")[1]).toMatch(/✓$/);
    expect(el.querySelector("[data-kernel=live]")).not.toBeNull();
  });

  test("says when the kernel has gone", async () => {
    await vi.advanceTimersByTimeAsync(ASKED);
    page.stopKernel();
    await settle();
    expect(line("autograd")).toEqual(["missing: the kernel has stopped", ""]);
    expect(text(".rw-notice") ?? "").toContain("Python does not follow");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(el.querySelector("[data-kernel=gone]")).not.toBeNull();
    page.at("slider").set("value", 1.5);
    await vi.advanceTimersByTimeAsync(ASKED);
    const [gradient] = numbers(ENTRY, moved("weight_hh_l0", 1, 1.5));
    expect(full(el.querySelector("[data-witness=differences] td"))).toBeCloseTo(gradient, 8);
  });

  test("follows the selection", async () => {
    await vi.advanceTimersByTimeAsync(ASKED);
    entry("bias_ih_l0[1]").click();
    await vi.advanceTimersByTimeAsync(ASKED);
    expect(text("[data-witness=contributions] th")).toBe("sum of all C[t, k] of bias_ih_l0[1]");
    const [gradient] = numbers("gradient[bias_ih_l0[1]]");
    expect(full(el.querySelector("[data-witness=contributions] td"))).toBeCloseTo(gradient, 14);
    entry("bias_ih_l0[0]").click();
    await settle(); // the numbers that are still there are those of the earlier entry
    expect(text("[data-witness=contributions] th")).toBe("sum of all C[t, k] of bias_ih_l0[1]");
  });

  test("turns to another entry when the selected one has vanished", async () => {
    page.lab.set("selection", "weight_hh_l0[1,1]");
    const { weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, x, h0, v } = network().values;
    const one = {
      weight_ih_l0: weight_ih_l0.slice(0, 2),
      weight_hh_l0: weight_hh_l0.slice(0, 1),
      bias_ih_l0: bias_ih_l0.slice(0, 1),
      bias_hh_l0: bias_hh_l0.slice(0, 1),
      h0: h0.slice(0, 1),
      v: v.slice(0, 3),
      x,
    };
    const { values: _, ...program } = network();
    page.lab.set("_network", network(one, { ...program, hidden_size: 1 }));
    await vi.advanceTimersByTimeAsync(ASKED);
    expect(el.querySelector('[data-witness="contributions"] th')?.textContent).toContain(
      "weight_hh_l0[0,0]",
    );
  });
});

test("of a truncated network the table has truncated gradients", async () => {
  const truncation = { kind: "chunk", size: 1 };
  page.lab.set("_network", network({}, { ...network(), truncation }));
  await vi.advanceTimersByTimeAsync(ASKED);
  expect(text(".rw-scroll caption")).toContain("the truncated gradient by every leaf");
  expect(entry("weight_hh_l0[0,0]").title).toContain(
    "∂L/∂weight_hh_l0[0,0] (truncated gradient) = ",
  );
  expect(line("full")[1]).toContain("cut away");
});

test("an unmounted table follows nothing", async () => {
  unmount();
  page.at("slider").set("value", 1.5);
  await vi.advanceTimersByTimeAsync(ASKED);
  expect(el.childElementCount).toBe(0);
});
