// @vitest-environment happy-dom
/** The seed explorer on a mocked page. */

import { describe, expect, test, vi } from "vitest";
import { settle } from "./page";
import { diagonal, open, QUESTION, replaced, SeedsPage } from "./seeds-page";

const ASKED = [0.3, 3, 0.0003, 1.2, 16, 0.002, 0.1 / 6, 1 / 7, 0.0001 / 8];

function expectClose(found: number[], expected: number[]): void {
  expect(found.length).toBe(expected.length);
  found.forEach((x, i) => {
    expect(Math.abs(x - expected[i])).toBeLessThanOrEqual(1e-14 * Math.abs(expected[i]));
  });
}

describe("the seed", () => {
  test("gives the question's gradients", async () => {
    const page = await open();
    expectClose(page.sums("gradient"), ASKED);
    expect(page.button("[0.1, 1.0, 0.0001]").getAttribute("aria-pressed")).toBe("true");
  });

  test("is moved by its slider, and Python is told when the hand rests", async () => {
    const page = await open();
    await page.drag("v[0]", 1.23456);
    expect(page.value("v[0]")).toBe(1.23); // a step of the slider
    expect(page.sums("gradient")[0]).toBeCloseTo(3.69, 12);
    expect(page.model.saved).toEqual([]);
    await page.drag("v[0]", -0.5);
    await vi.advanceTimersByTimeAsync(100);
    expect(page.model.saved).toEqual([{ _seed: [-0.5, 1, 0.0001] }]);
    expect(page.slider("v[0]").getAttribute("aria-valuetext")).toBe("−0.500");
  });

  test("is moved by keys, past the slider's end too", async () => {
    const page = await open();
    await page.press("v[1]", "ArrowRight");
    expect(page.value("v[1]")).toBe(1.01);
    await page.press("v[1]", "PageDown");
    expect(page.value("v[1]")).toBe(0.91);
    await page.press("v[1]", "End");
    expect(page.value("v[1]")).toBe(2);
    await page.press("v[1]", "ArrowUp");
    expect(page.value("v[1]")).toBe(2.01);
    expect(Number(page.slider("v[1]").max)).toBeGreaterThan(2.01);
    await page.press("v[1]", "Home");
    await page.press("v[1]", "ArrowDown");
    expect(page.value("v[1]")).toBe(-2.01);
  });

  test("has its slider's first range again where it fits, but not while it is held", async () => {
    const page = await open();
    const ends = () => [page.slider("v[0]").min, page.slider("v[0]").max].map(Number);
    await page.click("sse");
    expect(ends()).toEqual([-2, 50]); // 45.58
    await page.click("ones");
    expect(ends()).toEqual([-2, 2]);
    await page.click("sse");
    page.slider("v[0]").focus();
    await page.drag("v[0]", 1);
    expect(ends()).toEqual([-2, 50]);
    page.slider("v[0]").blur();
    await settle();
    expect(ends()).toEqual([-2, 2]);
    // Where a click gives no focus the hand itself holds it.
    await page.click("sse");
    page.slider("v[0]").dispatchEvent(new PointerEvent("pointerdown"));
    await page.drag("v[0]", 1);
    expect(ends()).toEqual([-2, 50]);
    page.slider("v[0]").dispatchEvent(new Event("change"));
    await settle();
    expect(ends()).toEqual([-2, 2]);
  });

  test("of several dimensions is named as its output is", async () => {
    const outputs = ["y[0,0]", "y[0,1]", "y[1,0]"];
    const page = await open({ ...QUESTION, about: { ...QUESTION.about, outputs, network: true } });
    const numbers = [...page.el.querySelectorAll("tbody .rw-seeds-name")];
    expect(numbers.map((one) => one.textContent)).toEqual(["v[0,0]", "v[0,1]", "v[1,0]"]);
    await page.drag("v[0,1]", -2);
    expect(page.get("[data-formula]").textContent).toContain("− 2.00·J[0,1]");
    const label = () => page.get("[data-sum=partial] th").textContent;
    expect(label()).toBe("all rows");
    await page.click("one row less");
    expect(label()).toBe("y[0,0] to y[0,1]");
    await page.click("one row less");
    expect(label()).toBe("y[0,0] alone");
    await page.click("one row less");
    expect(label()).toBe("no row yet");
  });

  test("has a legend for its colours", async () => {
    const page = await open();
    const legend = page.get(".rw-legend");
    expect(legend.textContent).toMatch(/^−largest0largest/);
    const ramps = [...legend.querySelectorAll<HTMLElement>("[data-ramp]")];
    expect(ramps.map((one) => one.dataset["ramp"])).toEqual(["−", "+"]);
  });

  test("is typed, with all its digits, and what is no number is said", async () => {
    const page = await open();
    await page.press("v[2]", "Enter");
    const field = page.get<HTMLInputElement>("input[aria-label='value of v[2]']");
    expect(field.value).toBe("0.0001");
    const enter = () =>
      field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
    field.value = "much";
    enter();
    await settle();
    expect(page.get("[role=alert]").textContent).toContain("“much” is not a number");
    expect(page.value("v[2]")).toBe(0.0001);
    field.value = "−1e12";
    enter();
    await settle();
    expect(page.value("v[2]")).toBe(-1e12);
    expect(page.sums("gradient")[2]).toBe(-3e12);
    expect(Number(page.slider("v[2]").min)).toBe(-1e12);
  });

  test("typed and left with Escape is as it was", async () => {
    const page = await open();
    await page.press("v[2]", "Enter");
    const field = page.get<HTMLInputElement>("input[aria-label='value of v[2]']");
    field.value = "7";
    field.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    field.dispatchEvent(new FocusEvent("blur"));
    await settle();
    expect(page.value("v[2]")).toBe(0.0001);
    expect(page.el.querySelector("input[type=text]")).toBe(null);
  });

  test("is set by the presets", async () => {
    const page = await open();
    await page.click("z[1]");
    expect(page.sums("gradient")).toEqual([0, 3, 0, 0, 16, 0, 0, 1 / 7, 0]);
    expect(page.button("z[1]").getAttribute("aria-pressed")).toBe("true");
    await page.click("ones");
    expect(page.sums("gradient").slice(0, 6)).toEqual([3, 3, 3, 12, 16, 20]);
    await page.click("sse");
    expect(page.value("v[2]")).toBe(122.16);
    await vi.advanceTimersByTimeAsync(100);
    expect(page.model.saved.at(-1)).toEqual({ _seed: [45.58, 79.9, 122.16], _loss: "sse" });
    await page.drag("v[0]", 1); // no longer what the loss makes
    await vi.advanceTimersByTimeAsync(100);
    expect(page.model.saved.at(-1)).toEqual({ _seed: [1, 79.9, 122.16], _loss: "" });
    await page.click("mse"); // not finite: nothing to take
    expect(page.value("v[0]")).toBe(1);
  });

  test("follows Python, unless it has been moved here since", async () => {
    const page = await open();
    page.model.set_state({ _seed: [5, 6, 7], _loss: "" });
    await settle();
    expect(page.sums("gradient").slice(0, 3)).toEqual([15, 18, 21]);
    await page.drag("v[0]", 1);
    page.model.set_state({ _seed: [5, 5, 5] });
    await settle();
    expect(page.value("v[0]")).toBe(1);
    await vi.advanceTimersByTimeAsync(100);
    expect(page.model.saved).toEqual([{ _seed: [1, 6, 7] }]);
  });

  test("has no preset of the question for other sizes", async () => {
    const page = await open({
      ...QUESTION,
      about: { ...QUESTION.about, outputs: ["z"] },
      point: {
        ...QUESTION.point,
        z: [1],
        jacobian: QUESTION.point.jacobian.map((rows) => rows.slice(0, 1)),
        losses: { sum: [1], sse: [2], mse: null },
        bare: null,
      },
      seed: [1],
    });
    expect(page.el.textContent).not.toContain("0.0001");
    expect(page.el.textContent).not.toContain("one row");
    expect(page.get("[data-card=bare]").textContent).toContain("runs, with the seed 1");
  });
});

describe("rows", () => {
  test("are added one by one", async () => {
    const page = await open();
    expectClose(page.sums("partial"), ASKED);
    await page.click("one row less");
    expectClose(page.sums("partial"), [0.3, 3, 0, 1.2, 16, 0, 0.1 / 6, 1 / 7, 0]);
    expectClose(page.sums("gradient"), ASKED);
    expect(page.get("[data-row='1']").dataset["stage"]).toBe("newest");
    expect(page.get("[data-row='2']").dataset["stage"]).toBe("later");
    await page.drag("rows added so far", 0);
    expect(page.sums("partial")).toEqual(Array(9).fill(0));
    expect(page.slider("rows added so far").getAttribute("aria-valuetext")).toBe("0 of 3");
    await page.click("one row less");
    await page.click("one row more");
    expectClose(page.sums("partial"), [0.3, 0, 0, 1.2, 0, 0, 0.1 / 6, 0, 0]);
  });

  test("play themselves, and stop at the last", async () => {
    const page = await open();
    await page.click("play");
    expect(page.sums("partial")).toEqual(Array(9).fill(0));
    await vi.advanceTimersByTimeAsync(1000);
    expect(page.sums("partial")[0]).toBeCloseTo(0.3, 12);
    expect(page.sums("partial")[1]).toBe(0);
    expect(page.button("pause")).toBeTruthy();
    await vi.advanceTimersByTimeAsync(3000);
    expectClose(page.sums("partial"), ASKED);
    expect(page.button("play")).toBeTruthy();
  });

  test("stand with their products under them", async () => {
    const page = await open();
    const row = page.get("[data-row='1']");
    const cells = [...row.querySelectorAll<HTMLElement>("[data-jacobian]")];
    const products = [...row.querySelectorAll<HTMLElement>(".rw-seeds-product")];
    expect(cells.map((cell) => Number(cell.dataset["jacobian"]))).toEqual([
      0,
      3,
      0,
      0,
      16,
      0,
      0,
      1 / 7,
      0,
    ]);
    await page.drag("v[1]", -2);
    expect(products.map((cell) => Number(cell.dataset["value"]) + 0)).toEqual([
      0,
      -6,
      0,
      0,
      -32,
      0,
      0,
      -2 / 7,
      0,
    ]);
    expect(page.get("[data-formula]").textContent).toContain("− 2.00·J[1]");
  });
});

describe("an input", () => {
  test("that is moved waits for the Jacobian there", async () => {
    const page = await open();
    await page.drag("b[1]", 1);
    expect(page.status()).toBe("waiting");
    expect(page.asked()).toMatchObject([
      {
        kind: "move",
        x: [
          [1, 2, 3],
          [3, 1, 5],
          [6, 7, 8],
        ],
      },
    ]);
    expect(page.value("b[1]")).toBe(1);
    expect(page.sums("gradient")[4]).toBe(16); // of the old x, and said to be
    // Moves made meanwhile are one question more.
    await page.drag("b[1]", 1.5);
    await page.drag("b[1]", 2);
    expect(page.asked().length).toBe(1);
    const jacobian = replaced(QUESTION.point.jacobian, 1, diagonal(12, 4, 20));
    const x = replaced(QUESTION.point.x, 1, [3, 1, 5]);
    await page.answer({ request: page.asked()[0].request, x, jacobian });
    expect(page.sums("gradient")[4]).toBe(4);
    expect(page.status()).toBe("waiting");
    expect(page.value("b[1]")).toBe(2);
    expect(page.asked().at(-1)?.x[1]).toEqual([3, 2, 5]);
    expect(page.asked().length).toBe(2);
    await page.answer({
      request: page.asked()[1].request,
      x: replaced(x, 1, [3, 2, 5]),
      jacobian: replaced(jacobian, 1, diagonal(12, 8, 20)),
    });
    expect(page.sums("gradient")[4]).toBe(8);
    expect(page.status()).toBe("ready");
  });

  test("where f is not defined says so, and can be put back", async () => {
    const page = await open();
    await page.drag("c[0]", -1);
    const { request } = page.asked()[0];
    page.model.trigger("msg:custom", { kind: "refused", request, error: "z[0] is nan" });
    await settle();
    expect(page.status()).toBe("refused");
    expect(page.get(".rw-seeds-status").textContent).toContain("z[0] is nan");
    expectClose(page.sums("gradient"), ASKED);
    await page.click("put the inputs back");
    expect(page.value("c[0]")).toBe(6);
    expect(page.status()).toBe("ready");
  });

  test("answers to what nobody waits for are let pass", async () => {
    const page = await open();
    page.model.trigger("msg:custom", { kind: "refused", request: "another page 1", error: "x" });
    await settle();
    expect(page.status()).toBe("ready");
  });

  test("that Python or another page moves stands there", async () => {
    const page = await open();
    await page.drag("a[0]", 2);
    await page.answer({ request: "", x: replaced(QUESTION.point.x, 0, [9, 9, 9]) });
    expect(page.value("a[0]")).toBe(9);
    expect(page.status()).toBe("ready");
    // What was asked before is answered after all: the last word is the kernel's.
    const { request } = page.asked()[0];
    await page.answer({ request, x: replaced(QUESTION.point.x, 0, [2, 2, 3]) });
    expect(page.value("a[0]")).toBe(2);
    await page.answer({ request: "another page 7", x: QUESTION.point.x });
    expect(page.value("a[0]")).toBe(1);
    expect(page.status()).toBe("ready");
  });

  test("tells the kernel of the seed first", async () => {
    const page = await open();
    await page.click("sum");
    await page.drag("a[0]", 2);
    expect(page.model.saved).toEqual([{ _seed: [1, 1, 1], _loss: "sum" }]);
    expect(page.asked().length).toBe(1);
  });

  test("has no slider of its own until asked where there are many", async () => {
    const page = await open({
      ...QUESTION,
      about: { ...QUESTION.about, arguments: [{ name: "w", shape: [4, 4] }] },
      point: {
        ...QUESTION.point,
        x: [Array(16).fill(0.5)],
        jacobian: [Array.from({ length: 3 }, () => Array(16).fill(1))],
      },
    });
    expect(page.el.querySelector("[aria-label='w[1,2]']")).toBe(null);
    expect(page.value("w[1,2]")).toBe(0.5);
    await page.click("sliders for the inputs");
    expect(page.slider("w[1,2]").valueAsNumber).toBe(0.5);
  });
});

describe("calls of backward", () => {
  test("add up, fail without the graph, and are zeroed", async () => {
    const page = await open();
    expect(page.grad("a")).toBe(null);
    await page.click("call z.backward(v)");
    expectClose(page.grad("a") ?? [], [0.3, 3, 0.0003]);
    await page.click("call z.backward(v)");
    const card = page.get("[data-card=accumulation]");
    expect(card.querySelector("[data-error]")?.textContent).toBe("RuntimeError: a second time\n");
    expect(card.textContent).toContain("freed what the forward pass had saved");
    expectClose(page.grad("a") ?? [], [0.3, 3, 0.0003]);
    await page.click("run f again");
    const retain = page.get<HTMLInputElement>("input[type=checkbox]");
    retain.checked = true;
    retain.dispatchEvent(new Event("input", { bubbles: true }));
    await settle();
    await page.click("call z.backward(v)");
    await page.click("call z.backward(v)");
    expectClose(
      page.grad("b") ?? [],
      [1.2, 16, 0.002].map((x) => x + x + x),
    );
    expect(card.textContent).toContain("the sum of 3 gradients");
    await page.click("zero grad");
    expect(page.grad("b")).toBe(null);
    expect(card.textContent).toContain("a.grad = b.grad = c.grad = None");
  });

  test("begin anew where x has moved", async () => {
    const page = await open();
    await page.click("call z.backward(v)");
    await page.answer({ x: replaced(QUESTION.point.x, 0, [9, 9, 9]) });
    expect(page.grad("a")).toBe(null);
  });

  test("need a scalar without an argument: torch's own words", async () => {
    const page = await open();
    expect(page.get("[data-card=bare]").textContent).toContain("RuntimeError: no scalar");
  });
});

describe("without a kernel", () => {
  test("the seed moves on, the inputs do not, and nothing is sent", async () => {
    const page = await open();
    page.kernel.isDisposed = true;
    page.kernel.statusChanged.emit();
    await settle();
    expect(page.status()).toBe("gone");
    expect(page.slider("a[0]").disabled).toBe(true);
    await page.drag("v[0]", 2);
    await vi.advanceTimersByTimeAsync(1000);
    expect(page.sums("gradient")[0]).toBe(6);
    await page.click("call z.backward(v)");
    expect(page.grad("a")?.[0]).toBe(6);
    expect(page.model.saved).toEqual([]);
    expect(page.model.sent).toEqual([]);
  });

  test("a question that waits is given up", async () => {
    const page = await open();
    await page.drag("a[0]", 2);
    page.model.comm_live = false;
    page.model.trigger("comm_live_update");
    await settle();
    expect(page.status()).toBe("gone");
    expect(page.value("a[0]")).toBe(1);
  });
});

test("two explorers are independent, two views of one are not", async () => {
  const page = await open();
  const other = new SeedsPage();
  const el = document.body.appendChild(document.createElement("div"));
  const unmount = page.show(el);
  await page.drag("v[0]", 2);
  expect(other.value("v[0]")).toBe(0.1);
  expect(page.get("[data-entry='v[0]']", el).dataset["value"]).toBe("2");
  unmount();
  other.close();
});

test("nothing listens on when it is closed", async () => {
  const page = await open();
  expect(page.listeners()).toBeGreaterThan(3);
  await page.drag("v[0]", 2);
  page.close();
  expect(page.listeners()).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});
