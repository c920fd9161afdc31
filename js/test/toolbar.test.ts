// @vitest-environment happy-dom
/** The toolbar: choosing, stepping downhill, undoing; what it refuses it says. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { notable } from "../src/views/toolbar-notable";
import { moved, network, numbers, Page, PROGRAM, settle, value } from "./page";

let page: Page;
let el: HTMLElement;

const cell = PROGRAM["cell"];
const catalogue = {
  cells: [{ label: "RNN · tanh", templates: { two: cell, one: cell, none: cell } }],
  presets: [
    {
      name: "as it is",
      label: "as it is: two units",
      say: "Nothing new.",
      entry: "weight_hh_l0[1,0]",
      cell: [2, 1],
      network: network(),
    },
    {
      name: "turned",
      label: "turned",
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
  const name = (b: Element) => b.getAttribute("aria-label") ?? b.textContent;
  const button = [...el.querySelectorAll("button")].find((b) => name(b)?.includes(text));
  button?.click();
  await settle();
}

const weights = () => [...page.live.network.values["weight_hh_l0"]];

test("a network that was opened as a preset goes by its name", () => {
  expect(choice("preset").value).toBe("as it is");
  expect(choice("preset").selectedOptions[0].textContent).toBe("as it is: two units");
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

test("a preset's sentence is there as long as its network is", async () => {
  const said = () => el.querySelector("[role=status]")?.textContent;
  const sentence = "Its weights are turned round.";
  const edited = "“turned”, edited: reset brings it back.";
  await choose("preset", "turned");
  const edits: (() => void | Promise<void>)[] = [
    () => page.live.move("weight_hh_l0", 0, 1.99),
    () => page.live.move("x", 0, Number.NaN), // L, too, is no number
    () => press("gradient-descent"),
  ];
  for (const edit of edits) {
    expect(said()).toBe(sentence);
    await edit();
    await settle();
    expect(said()).toBe(edited);
    vi.advanceTimersByTime(2_000);
    await press("undo");
  }
  expect(said()).toBe(sentence);
  page.live.move("v", 0, 7);
  await settle();
  expect(said()).toBe(edited);
  await press("reset");
  expect(said()).toBe(sentence);
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

test("what a move changes is drawn before the move returns, that the page is laid out once", () => {
  const loss = () => Number(el.querySelector<HTMLElement>(".rw-loss")?.dataset["value"]);
  const before = loss();
  page.live.move("weight_hh_l0", 2, 0.75);
  const after = loss();
  expect(after).not.toBe(before);
  expect(after).toBe(numbers("loss", moved("weight_hh_l0", 2, 0.75))[0]);
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

test.each([
  ["fast", "a rate is a number above 0, such as 0.1"],
  ["0", "a rate is a number above 0, such as 0.1: 0 moves nothing"],
  ["−0,5", "a rate is a number above 0, such as 0.1: a negative one climbs"],
])("a rate of %s disables the step and says what is expected", async (text, expected) => {
  const rate = el.querySelector("input") as HTMLInputElement;
  rate.value = text;
  rate.dispatchEvent(new Event("input"));
  await settle();
  expect(rate.getAttribute("aria-invalid")).toBe("true");
  const alert = el.querySelector("[role=alert]");
  expect(alert?.textContent).toBe(expected);
  expect(rate.getAttribute("aria-describedby")).toBe(alert?.id);
  const step = el.querySelector("[aria-label='gradient-descent step']") as HTMLButtonElement;
  expect([step.disabled, step.title]).toEqual([true, `${expected} (more settings)`]);
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

describe("what is folded away", () => {
  const more = () => el.querySelector(".rw-others") as HTMLButtonElement;
  const told = () => more().querySelector("span")?.textContent;
  const folded = ["bias", "inputs", "layers", "direction", "readout", "loss at", "truncate"];
  const isHidden = (label: string) => choice(label).closest("[hidden]") !== null;

  test("is opened by a button that says so; what is used every day is not folded", async () => {
    expect(folded.filter(isHidden)).toEqual(folded);
    expect(["preset", "cell", "units", "steps", "loss"].filter(isHidden)).toEqual([]);
    expect(more().getAttribute("aria-expanded")).toBe("false");
    more().click();
    await settle();
    expect(folded.filter(isHidden)).toEqual([]);
    expect(more().getAttribute("aria-expanded")).toBe("true");
    const row = document.getElementById(more().getAttribute("aria-controls") as string);
    expect(row?.contains(choice("layers"))).toBe(true);
    await choose("layers", "2");
    expect(isHidden("layers")).toBe(false);
  });

  test("is told wherever it is not the default", async () => {
    expect(told()).toBe("2 inputs");
    const steps: [string, string, string][] = [
      ["inputs", "1", "1 input"],
      ["layers", "2", "1 input · 2 layers"],
      ["direction", "both", "1 input · 2 layers · both directions"],
      ["readout", "3", "1 input · 2 layers · both directions · readout of 3"],
      ["layers", "1", "1 input · both directions · readout of 3"],
      ["direction", "forward", "1 input · readout of 3"],
      ["readout", "0", "1 input"],
      ["loss at", "last", "1 input · loss at the last step"],
      ["loss at", "all", "1 input"],
      ["truncate", "window", "1 input · window of 2"],
      ["truncate", "chunk", "1 input · chunks of 2"],
      ["truncate", "off", "1 input"],
    ];
    for (const [label, option, expected] of steps) {
      await choose(label, option);
      expect(told()).toBe(expected);
    }
    const rate = el.querySelector("input") as HTMLInputElement;
    rate.value = "0.5";
    rate.dispatchEvent(new Event("input"));
    await settle();
    expect(told()).toBe("1 input · rate 0.5");
  });

  test("of a few loss steps is each, of many how many", () => {
    const program = (lossSteps: number[]) => ({
      ...page.live.network.program,
      seqLen: 6,
      lossSteps,
    });
    const none = { cells: [], presets: [] };
    const last = (lossSteps: number[]) => notable(program(lossSteps), none, "0.1").at(-1);
    expect(last([0, 2])).toBe("loss at t = 1, 3");
    expect(last([0, 1, 2, 3])).toBe("loss at 4 of 6 steps");
    expect(last([5])).toBe("loss at the last step");
    expect(last([0, 1, 2, 3, 4, 5])).toBe("2 inputs");
  });

  test("of the bias is how many there are", () => {
    const { program } = page.live.network;
    const { cell } = program;
    const other = { ...cell, name: "other" };
    const none = { ...cell, name: "none" };
    const cells = [{ label: "one of three", templates: { two: cell, one: other, none } }];
    const first = (now: typeof cell) =>
      notable({ ...program, cell: now }, { cells, presets: [] }, "0.1")[0];
    expect([cell, other, none].map(first)).toEqual(["2 inputs", "one bias", "no bias"]);
  });
});

test("undo and redo keep the focus when there is nothing left to do", async () => {
  const [undo] = [...el.querySelectorAll("button")].filter((b) => b.textContent?.includes("undo"));
  expect([undo.getAttribute("aria-disabled"), undo.disabled]).toEqual(["true", false]);
  page.live.move("weight_hh_l0", 0, 7);
  await settle();
  expect(undo.getAttribute("aria-disabled")).toBe("false");
});
