// @vitest-environment happy-dom
/** Leaves that are no cards: cells, seeds that the loss makes, classes. */

import { beforeEach, describe, expect, test } from "vitest";
import { hasRoom } from "../src/views/parameters-grid";
import { type Leaf, leavesOf } from "../src/views/parameters-leaves";
import { settle } from "./page";
import { CASE, drag, el, json, page, press, show, slider, value } from "./parameters-panel";
import { type Case, VECTORS } from "./vectors";

/** The network of the vectors with so many units. */
function large(H = 9) {
  const { program, values } = CASE;
  const sizes = program as {
    hidden_size: number;
    input_size: number;
    seq_len: number;
    loss_steps: number[];
  };
  const of = (count: number) => Array.from({ length: count }, (_, at) => at / 100);
  const { input_size: I, seq_len: T } = sizes;
  const all: Record<string, number> = {
    weight_ih_l0: H * I,
    weight_hh_l0: H * H,
    bias_ih_l0: H,
    bias_hh_l0: H,
    x: T * I,
    h0: H,
    v: T * H,
  };
  const kept = Object.keys(values).filter((leaf) => leaf in all);
  return {
    ...program,
    hidden_size: H,
    values: Object.fromEntries(kept.map((leaf) => [leaf, of(all[leaf])])),
  };
}

describe("a large leaf", () => {
  const cell = (entry: string) => el.querySelector(`td[data-entry="${entry}"]`) as HTMLElement;
  const served = () => el.querySelector("[data-leaf=weight_hh_l0] .rw-card") as HTMLElement;

  beforeEach(() => show(large(), ["weight_hh_l0"]));

  test("is cells that one slider serves", async () => {
    expect(el.querySelectorAll("td[data-at]").length).toBe(81);
    expect(cell("weight_hh_l0[1,2]").textContent).toBe("0.110");
    expect(served().dataset["entry"]).toBe("weight_hh_l0[0,0]");
    cell("weight_hh_l0[1,2]").focus();
    await settle();
    expect(served().dataset["entry"]).toBe("weight_hh_l0[1,2]");
    expect(page.live.selection.value).toBe("weight_hh_l0[1,2]");
    expect(cell("weight_hh_l0[1,2]").getAttribute("aria-selected")).toBe("true");
    await drag("weight_hh_l0[1,2]", -1);
    expect(cell("weight_hh_l0[1,2]").textContent).toBe("−1.00");
    expect(cell("weight_hh_l0[1,2]").getAttribute("aria-label")).toBe("weight_hh_l0[1,2]: −1.00");
    page.live.select("weight_hh_l0[4,4]");
    await settle();
    expect(served().dataset["entry"]).toBe("weight_hh_l0[4,4]");
  });

  test("is walked with the keys, with one stop for the tab key", async () => {
    cell("weight_hh_l0[0,0]").focus();
    const steps: [string, KeyboardEventInit, string][] = [
      ["ArrowRight", {}, "[0,1]"],
      ["ArrowDown", {}, "[1,1]"],
      ["End", {}, "[1,8]"],
      ["ArrowRight", {}, "[1,8]"],
      ["PageDown", {}, "[8,8]"],
      ["Home", { ctrlKey: true }, "[0,0]"],
      ["ArrowUp", {}, "[0,0]"],
      ["End", { ctrlKey: true }, "[8,8]"],
      ["ArrowLeft", {}, "[8,7]"],
      ["Home", {}, "[8,0]"],
      ["PageUp", {}, "[0,0]"],
    ];
    for (const [key, more, entry] of steps) {
      press(document.activeElement as Element, key, more);
      await settle();
      expect([key, (document.activeElement as HTMLElement).dataset["entry"]]).toEqual([
        key,
        `weight_hh_l0${entry}`,
      ]);
      expect(el.querySelectorAll('td[tabindex="0"]').length).toBe(1);
    }
    press(document.activeElement as Element, "Enter");
    expect(document.activeElement).toBe(slider("weight_hh_l0[0,0]"));
    press(document.activeElement as Element, "ArrowRight");
    expect(value("weight_hh_l0", 0)).toBe(0.01);
    press(document.activeElement as Element, "Escape");
    expect(document.activeElement).toBe(cell("weight_hh_l0[0,0]"));
    press(document.activeElement as Element, "Delete");
    expect(value("weight_hh_l0", 0)).toBe(0);
  });

  test("follows its largest number with every cell's colour", async () => {
    const depth = () =>
      Number.parseFloat(cell("weight_hh_l0[4,4]").style.getPropertyValue("--rw-depth"));
    const before = depth();
    page.live.move("weight_hh_l0", 0, 8);
    await settle();
    expect(depth()).toBeLessThan(before / 2);
  });

  test("says no derivative that was hovered over before it was hidden", async () => {
    const over = () =>
      cell("weight_hh_l0[1,2]").dispatchEvent(new Event("pointerover", { bubbles: true }));
    over();
    const { data } = page.live.results.quantity("gradient[weight_hh_l0[1,2]]");
    const digits = String(Math.abs(data[0]));
    expect(cell("weight_hh_l0[1,2]").title).toContain(digits);
    page.live.veil.cover({}, () => [{ number: data[0], quantity: "gradient" }]);
    await settle();
    expect(cell("weight_hh_l0[1,2]").title).not.toContain(digits);
    over();
    expect(cell("weight_hh_l0[1,2]").title).toContain("?");
  });

  test("hides no number of its own, which is given", async () => {
    page.live.veil.cover({}, () => [{ number: 0.11, quantity: "gradient" }]);
    page.live.move("weight_hh_l0", 40, 0.11);
    await settle();
    expect(cell("weight_hh_l0[1,2]").textContent).toBe("0.110");
    expect(cell("weight_hh_l0[4,4]").textContent).toBe("0.110");
  });

  test("writes only the cells that change", async () => {
    const changes: MutationRecord[] = [];
    const watcher = new MutationObserver((records) => changes.push(...records));
    watcher.observe(el.querySelector(".rw-cells") as Element, {
      childList: true,
      subtree: true,
      attributes: true,
      characterData: true,
    });
    page.live.move("weight_hh_l0", 40, 0.5);
    await settle();
    const touched = new Set(
      changes.map(({ target }) => (target as Element).closest("td")?.dataset["at"]),
    );
    watcher.disconnect();
    expect([...touched]).toEqual(["40"]);
  });
});

describe("with another loss than free seeds", () => {
  const lossCase = (loss: string) =>
    VECTORS["losses"].find(({ program }) => "loss" in program && program.loss === loss) as Case;

  test("the seeds are what the loss makes: of sse twice the error", async () => {
    const { program, outputs, values } = lossCase("sse");
    await show(json(lossCase("sse")));
    const steps = (program as { loss_steps: number[] }).loss_steps;
    const columns = outputs.values.length / (program as { seq_len: number }).seq_len;
    const cells = [...el.querySelectorAll<HTMLElement>("[data-leaf=v] td[data-at]")];
    expect(cells.length).toBe(outputs.values.length);
    for (const [at, cell] of cells.entries()) {
      const made = 2 * (outputs.values[at] - values["target"][at]);
      const expected = steps.includes(Math.floor(at / columns)) ? made : 0;
      expect(Number(cell.dataset["value"])).toBeCloseTo(expected, 12);
    }
    expect(el.querySelector("[data-leaf=v]")?.textContent).toContain("read-only");
    expect(el.querySelector("[data-leaf=v] input")).toBeNull();
  });

  test("of the sum they are one", async () => {
    await show(json(lossCase("sum")));
    const steps = (lossCase("sum").program as { loss_steps: number[] }).loss_steps;
    const cells = [...el.querySelectorAll<HTMLElement>("[data-leaf=v] td[data-at]")];
    const { seqLen, outputSize } = page.live.network.program;
    expect(cells.length).toBe(seqLen * outputSize);
    for (const [at, { dataset }] of cells.entries()) {
      expect(Number(dataset["value"])).toBe(steps.includes(Math.floor(at / outputSize)) ? 1 : 0);
    }
  });

  test("cross-entropy's targets are classes", async () => {
    await show(json(lossCase("cross_entropy")));
    const { outputSize } = page.live.network.program;
    const field = el.querySelector('[data-entry="target[1]"] input') as HTMLInputElement;
    const put = async (typed: string) => {
      field.value = typed;
      field.dispatchEvent(new Event("input", { bubbles: true }));
      await settle();
    };
    const other = (lossCase("cross_entropy").values["target"][1] + 1) % outputSize;
    await put(String(other));
    expect(value("target", 1)).toBe(other);
    await put(String(outputSize));
    expect(el.querySelector("[role=alert]")?.textContent).toContain(`from 0 to ${outputSize - 1}`);
    expect(value("target", 1)).toBe(other);
    field.dispatchEvent(new Event("blur"));
    await settle();
    expect(field.value).toBe(String(other));
    expect(el.querySelector("[role=alert]")).toBeNull();
  });
});

test("there is a card for each entry where they and the row labels have room", async () => {
  await show(json(CASE));
  const leaf = leavesOf(page.live.network.program).find(({ name }) => name === "weight_hh_l0");
  const { columns } = leaf as Leaf;
  const needed = 61 * columns + 30;
  expect([needed - 1, needed].map((width) => hasRoom(leaf as Leaf, width))).toEqual([false, true]);
  const many = { ...(leaf as Leaf), rows: Math.floor(64 / columns) };
  expect(hasRoom(many, needed)).toBe(true);
  expect(hasRoom({ ...many, rows: many.rows + 1 }, needed)).toBe(false);
});

test.each([
  [4, undefined],
  [5, "true"],
])("a table of %i columns is wide: %s", async (H, wide) => {
  await show(large(H), ["weight_hh_l0"]);
  expect(el.querySelector<HTMLElement>("table.rw-part")?.dataset["wide"]).toBe(wide);
});
