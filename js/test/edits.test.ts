// @vitest-environment happy-dom
/** What views of the page do to the network: told to the kernel, undone, and done again. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { refold } from "../src/engine/program";
import { refit } from "../src/refit";
import { MARK, moved, network, numbers, Page, SLIDER, settle, shorter, shown, value } from "./page";

const REST = 100; // until a move is sent
const PAUSE = 1_500; // until the next move is another gesture

let page: Page;

beforeEach(async () => {
  vi.useFakeTimers();
  page = new Page({ sliders: [SLIDER], drives: [MARK] });
  await settle();
});

afterEach(() => {
  page.close();
  vi.useRealTimers();
});

/** The networks that the kernel was told of. */
const told = () =>
  page.lab.saved.flatMap((message) => ("_network" in message ? [message["_network"]] : []));

const weight = (at: number) => page.live.network.values["weight_hh_l0"][at];

function shrink(seqLen = 2) {
  const { network: now, initial } = page.live;
  page.live.adopt(refit(now, refold(now.program, { seqLen }), initial));
}

describe("a move in a view", () => {
  test("redraws at once, takes the sliders of the entry along, and is sent when the hand rests", () => {
    page.live.move("weight_hh_l0", 1, 1.25);
    page.live.move("weight_hh_l0", 1, 1.5);
    expect(shown(page.at("mark"))).toEqual(
      numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 1.5)),
    );
    expect(page.at("slider").get("value")).toBe(1.5);
    expect(told()).toEqual([]);
    vi.advanceTimersByTime(REST);
    expect(told()).toHaveLength(1);
    expect(told()[0]).toMatchObject({
      seq_len: 3,
      values: { weight_hh_l0: [[value("weight_hh_l0", 0), 1.5], expect.anything()] },
    });
    expect(page.at("slider").saved).toEqual([]);
  });

  test("is sent before the page is left", () => {
    page.live.move("weight_hh_l0", 1, 1.5);
    window.dispatchEvent(new Event("pagehide"));
    expect(told()).toHaveLength(1);
    vi.advanceTimersByTime(REST);
    expect(told()).toHaveLength(1);
  });

  test("is not sent to a kernel that is gone, and drawn all the same", () => {
    page.stopKernel();
    page.live.move("weight_hh_l0", 1, 1.5);
    vi.advanceTimersByTime(REST);
    expect(told()).toEqual([]);
    expect(shown(page.at("mark"))).toEqual(
      numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 1.5)),
    );
  });
});

describe("undo", () => {
  test("takes back one gesture at a time, and redo brings it again", () => {
    const before = weight(1);
    page.live.move("weight_hh_l0", 1, 1.25);
    page.live.move("weight_hh_l0", 1, 1.5);
    vi.advanceTimersByTime(PAUSE);
    page.live.move("weight_hh_l0", 1, 0.75);
    page.live.undo();
    expect(weight(1)).toBe(1.5);
    page.live.undo();
    expect(weight(1)).toBe(before);
    expect(page.live.history.canUndo.value).toBe(false);
    page.live.redo();
    page.live.redo();
    expect(weight(1)).toBe(0.75);
    expect(page.live.history.canRedo.value).toBe(false);
    vi.advanceTimersByTime(REST);
    expect(told().at(-1)).toMatchObject({
      values: { weight_hh_l0: [[expect.anything(), 0.75], expect.anything()] },
    });
  });

  test("takes back moves of ordinary sliders too, which then stand where they were", () => {
    const before = weight(1);
    page.at("slider").set("value", 1.5);
    page.live.undo();
    expect(weight(1)).toBe(before);
    expect(page.at("slider").get("value")).toBe(before);
  });

  test("takes back what Python assigned", () => {
    const before = weight(0);
    page.lab.set_state({ _network: network(moved("weight_hh_l0", 0, 0.5)) });
    expect(weight(0)).toBe(0.5);
    page.live.undo();
    expect(weight(0)).toBe(before);
  });

  test("keeps fifty gestures", () => {
    for (let i = 1; i <= 60; i++) {
      page.live.move("weight_hh_l0", 1, i);
      vi.advanceTimersByTime(PAUSE);
    }
    for (let i = 0; i < 60; i++) page.live.undo();
    expect(weight(1)).toBe(10);
  });

  test("forgets the way forward when something else is done", () => {
    page.live.move("weight_hh_l0", 1, 1.5);
    page.live.undo();
    page.live.move("weight_hh_l0", 0, 1.5);
    expect(page.live.history.canRedo.value).toBe(false);
  });

  test("does not count a network that is the same", () => {
    page.lab.set_state({ _network: { ...network(), values: { ...network().values } } });
    page.live.move("weight_hh_l0", 1, weight(1));
    expect(page.live.history.canUndo.value).toBe(false);
  });
});

describe("another structure", () => {
  test("comes back as it was, and the focus moves to what exists", () => {
    page.live.selectCell(2, 0);
    const before = [...page.live.network.values["v"]];
    shrink();
    expect(page.live.network.program.seqLen).toBe(2);
    expect(page.live.cell.value).toEqual({ t: 1, k: 0 });
    vi.advanceTimersByTime(REST);
    expect(page.lab.saved.at(-1)).toMatchObject({ loss_step: 1 });
    expect(told().at(-1)).toMatchObject({ seq_len: 2 });
    page.live.undo();
    expect([...page.live.network.values["v"]]).toEqual(before);
    expect(page.live.cell.value).toEqual({ t: 2, k: 0 });
    vi.advanceTimersByTime(REST);
    expect(page.lab.saved.at(-1)).toMatchObject({ loss_step: 2 });
    page.live.select("weight_ih_l0[0,0]");
    page.live.redo();
    expect(page.live.cell.value).toEqual({ t: 1, k: 0 });
    page.live.undo();
    expect(page.live.selection.value).toBe("weight_ih_l0[0,0]");
  });

  test("comes back with the contribution and the entry that were in focus", () => {
    page.live.selectCell(1, 0);
    page.live.select("weight_ih_l0[0,0]");
    shrink();
    page.live.select("weight_hh_l0[0,1]");
    page.live.undo();
    expect(page.live.cell.value).toEqual({ t: 1, k: 0 });
    expect(page.live.selection.value).toBe("weight_ih_l0[0,0]");
    page.live.redo();
    expect(page.live.selection.value).toBe("weight_hh_l0[0,1]");
  });

  test("only an undo of structure moves the focus", () => {
    page.live.move("weight_hh_l0", 1, 1.5);
    page.live.selectCell(2, 1);
    page.live.undo();
    expect(page.live.cell.value).toEqual({ t: 2, k: 1 });
  });

  test("keeps reset at the network that Python gave", () => {
    page.lab.set_state({ _network: shorter() });
    page.live.move("weight_hh_l0", 1, 1.5);
    page.live.reset();
    expect(weight(1)).toBe(value("weight_hh_l0", 1));
    expect(page.live.network.program.seqLen).toBe(2);
  });
});

describe("the sliders of a vanished entry", () => {
  test("rest until it comes back", async () => {
    page.close();
    const last = { id: "last", leaf: "x", index: [2, 0] };
    page = new Page({ sliders: [last] });
    await settle();
    const slider = page.at("last");
    shrink();
    expect(slider.get("disabled")).toBe(true);
    slider.set("value", 0.125); // as a page that lags behind might
    page.live.undo();
    expect(slider.get("disabled")).toBe(false);
    expect(slider.get("value")).toBe(value("x", 4));
    expect(slider.saved).toEqual([]);
  });
});
