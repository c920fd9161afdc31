// @vitest-environment happy-dom
/** The toolbar's choices: what they offer, what they keep, and what they refuse. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { network, Page, PROGRAM, settle } from "./page";

let page: Page;
let el: HTMLElement;

const two = PROGRAM["cell"] as { name: string };
const one = { ...two, name: "of one bias" };
const none = { ...two, name: "of no bias" };
const other = {
  two: { ...two, name: "b2" },
  one: { ...two, name: "b1" },
  none: { ...two, name: "b0" },
};
const catalogue = {
  cells: [
    { label: "first", templates: { two, one, none } },
    { label: "second", templates: other },
  ],
  presets: [],
};

async function open(given = network()): Promise<void> {
  page = new Page({ network: given });
  await settle();
  ({ el } = page.view("toolbar", { _catalogue: catalogue }));
  await settle();
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
});

const choice = (label: string) => el.querySelector(`[data-choice="${label}"]`) as HTMLSelectElement;
const offered = (label: string) => [...choice(label).options].map(({ value }) => value);
const program = () => page.live.network.program;

async function choose(label: string, chosen: string): Promise<void> {
  choice(label).value = chosen;
  choice(label).dispatchEvent(new Event("change"));
  await settle();
}

test("another cell keeps how many biases there are", async () => {
  await open();
  await choose("bias", "one");
  expect(program().cell.name).toBe("of one bias");
  await choose("cell", "second");
  expect(program().cell.name).toBe("b1");
  expect(choice("bias").value).toBe("one");
});

test("a single loss step that is not the last is named, not taken for it", async () => {
  await open(network({}, { ...PROGRAM, loss_steps: [0] }));
  expect(choice("loss at").value).toBe("1");
  await choose("loss at", "last");
  expect(choice("loss at").value).toBe("last");
  expect(program().lossSteps).toEqual([2]);
});

test("sizes beyond those offered are offered as well", async () => {
  const values = { x: Array(80).fill(0), v: Array(80).fill(0) };
  const long = { ...PROGRAM, seq_len: 40, loss_steps: [39] };
  await open(network(values, { ...long, truncation: { kind: "window", size: 50 } }));
  expect(choice("steps").value).toBe("40");
  expect(offered("steps").slice(-2)).toEqual(["32", "40"]);
  expect(choice("to steps").value).toBe("50");
});

test("a truncation of another kind keeps its size; a new one is half as long as the sequence", async () => {
  await open();
  await choose("truncate", "window");
  expect(program().truncation).toEqual({ kind: "window", size: 2 });
  await choose("to steps", "1");
  await choose("truncate", "chunk");
  expect(program().truncation).toEqual({ kind: "chunk", size: 1 });
});

test("what was refused is forgotten once something else is done", async () => {
  await open();
  const said = () => el.querySelector("[role=status]")?.textContent;
  const adopt = vi.spyOn(page.live, "adopt").mockImplementationOnce(() => {
    throw new Error("too large");
  });
  await choose("units", "3");
  expect(said()).toBe("too large");
  await choose("units", "4");
  expect(said()).not.toContain("too large");
  adopt.mockRestore();
});

test("no step goes downhill where the gradient is not finite", async () => {
  await open();
  const button = () =>
    el.querySelector('[aria-label="gradient-descent step"]') as HTMLButtonElement;
  expect(button().disabled).toBe(false);
  page.live.assign({ v: Float64Array.of(0, 0, 0, 0, Number.NaN, 0) });
  await settle();
  expect(button().disabled).toBe(true);
});
