// @vitest-environment happy-dom
/** The toolbar: choosing, stepping downhill, undoing; what it refuses it says. */

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { network, numbers, Page, PROGRAM, settle, value } from "./page";

let page: Page;
let el: HTMLElement;

const cell = PROGRAM["cell"];
const catalogue = {
  cells: [{ label: "RNN · tanh", templates: { two: cell, one: cell, none: cell } }],
  presets: [
    {
      name: "as it is",
      say: "Nothing new.",
      entry: "weight_hh_l0[1,0]",
      cell: [2, 1],
      network: network(),
    },
    {
      name: "turned",
      say: "Its weights are turned round.",
      entry: "weight_hh_l0[1,1]",
      cell: [1, 0],
      network: network({ weight_hh_l0: [1, 2, 3, 4] }),
    },
  ],
};

beforeEach(async () => {
  vi.useFakeTimers();
  page = new Page();
  await settle();
  ({ el } = page.view("toolbar", { _catalogue: catalogue }));
  await settle();
});

afterEach(() => {
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
});

const choice = (label: string) => el.querySelector(`[data-choice="${label}"]`) as HTMLSelectElement;

async function choose(label: string, chosen: string): Promise<void> {
  choice(label).value = chosen;
  choice(label).dispatchEvent(new Event("change"));
  await settle();
}

async function press(text: string): Promise<void> {
  const button = [...el.querySelectorAll("button")].find((b) => b.textContent?.includes(text));
  button?.click();
  await settle();
}

const weights = () => [...page.live.network.values["weight_hh_l0"]];

test("a network that was opened as a preset goes by its name", () => {
  expect(choice("preset").value).toBe("as it is");
  expect(el.textContent).toContain("Nothing new.");
});

test("a preset brings its network, its sentence and its entry, and can be undone", async () => {
  const before = weights();
  await choose("preset", "turned");
  expect(weights()).toEqual([1, 2, 3, 4]);
  expect(page.live.selection.value).toBe("weight_hh_l0[1,1]");
  expect(page.live.cell.value).toEqual({ t: 1, k: 0 });
  // The kernel could not judge the focus without the network that it is on.
  expect(page.lab.saved[0]).toMatchObject({ _network: {}, selection: "weight_hh_l0[1,1]" });
  expect(el.textContent).toContain("Its weights are turned round.");
  page.live.move("weight_hh_l0", 0, 7);
  await press("reset");
  expect(weights()).toEqual([1, 2, 3, 4]);
  vi.advanceTimersByTime(2_000);
  for (let i = 0; i < 3; i++) await press("undo");
  expect(weights()).toEqual(before);
  expect(choice("preset").value).toBe("as it is");
});

test("sizes, loss and truncation change the program and keep what can be kept", async () => {
  await choose("units", "3");
  expect(page.live.network.program.hiddenSize).toBe(3);
  expect(page.live.network.values["weight_hh_l0"][0]).toBe(value("weight_hh_l0", 0));
  expect(el.textContent).toContain("This was “as it is”");
  await choose("steps", "5");
  expect(page.live.network.program.seqLen).toBe(5);
  expect(page.live.cell.value).toEqual({ t: 4, k: 1 });
  await choose("loss", "mse");
  expect(page.live.network.values["target"]).toHaveLength(15);
  await choose("loss at", "last");
  expect(page.live.network.program.lossSteps).toEqual([4]);
  await choose("truncate", "window");
  await choose("to steps", "2");
  expect(page.live.network.program.truncation).toEqual({ kind: "window", size: 2 });
  await choose("direction", "both");
  await choose("layers", "2");
  expect(page.live.network.program.rows).toBe(4);
  await press("undo");
  expect(page.live.network.program.rows).toBe(2);
  for (let i = 0; i < 7; i++) await press("undo");
  expect(page.live.network.program.rows).toBe(1);
  expect(page.live.network.program.hiddenSize).toBe(2);
});

test("a gradient-descent step moves every parameter against its gradient, and nothing else", async () => {
  const before = weights();
  const gradient = numbers("gradient[weight_hh_l0]");
  const rate = el.querySelector("input") as HTMLInputElement;
  rate.value = "0,5";
  rate.dispatchEvent(new Event("input"));
  await settle();
  await press("gradient-descent");
  expect(weights()).toEqual(before.map((w, i) => w - 0.5 * gradient[i]));
  expect([...page.live.network.values["x"]]).toEqual(network().values["x"]);
});

test("a rate that is no number disables the step and says what is expected", async () => {
  const rate = el.querySelector("input") as HTMLInputElement;
  rate.value = "fast";
  rate.dispatchEvent(new Event("input"));
  await settle();
  expect(rate.getAttribute("aria-invalid")).toBe("true");
  expect(el.querySelector("[role=alert]")?.textContent).toContain("a number");
  const before = weights();
  await press("gradient-descent");
  expect(weights()).toEqual(before);
});

test("the loss is the network's, and a step downhill takes that of another network", async () => {
  const shown = () => Number(el.querySelector("output")?.dataset["value"]);
  expect(shown()).toBeCloseTo(numbers("loss")[0], 12);
  await choose("preset", "turned");
  const turned = { weight_hh_l0: [1, 2, 3, 4] };
  expect(shown()).toBeCloseTo(numbers("loss", turned)[0], 12);
  await press("gradient-descent");
  const gradient = numbers("gradient[weight_hh_l0]", turned);
  expect(weights()).toEqual([1, 2, 3, 4].map((w, i) => w - 0.1 * gradient[i]));
});
