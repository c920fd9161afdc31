// @vitest-environment happy-dom
/** The ledger of gradients of tensors: its rows, its tape, and what lights up. */

import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import ledger from "../src/ledger";
import { buttonOf } from "./dom";
import { Model } from "./page";

const NODES = [
  { label: "y", kind: "result", object: 0, shape: [] },
  { label: "sum", kind: "operation", object: 0, shape: null },
  { label: "add", kind: "operation", object: 0, shape: null },
  { label: "mv", kind: "operation", object: 0, shape: null },
  { label: "W, V", kind: "recorded", object: 1, shape: [2, 2] },
  { label: "", kind: "unasked", object: 0, shape: [2] },
  { label: "b", kind: "recorded", object: 2, shape: [2] },
];
const EDGES = [
  [0, 1],
  [1, 2],
  [2, 3],
  [3, 4],
  [3, 5],
  [2, 6],
];
const TAPE = {
  nodes: NODES,
  edges: EDGES,
  whole: true,
  operations: 3,
  leaves: 3,
  complete: true,
};

const CURRENT = { dtype: "float32", recorded: 0, now: 0, state: "current" };
const W = { ...CURRENT, object: 1, shape: [2, 2], norm: 2, gradient: [1, -1, 0.5, "NaN"] };
const ROWS = [
  { ...W, name: "W" },
  { ...CURRENT, name: "b", object: 2, shape: [2], norm: 1.5, gradient: [1, 1] },
  { ...W, name: "V" },
  {
    ...CURRENT,
    name: "c",
    object: 3,
    shape: [],
    norm: null,
    gradient: null,
    state: "y does not depend on it",
  },
];
const CHANGED = "changed in place since (version 0 → 1)";

let model: Model;
let el: HTMLElement;
let unmount: () => void;

async function show(tape: object = TAPE): Promise<void> {
  model = new Model("ledger", { _rows: ROWS, _tape: tape, _result: -5.239 });
  await act(() => {
    unmount = ledger.render({ model, el } as never);
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  el = document.body.appendChild(document.createElement("div"));
});

afterEach(() => {
  unmount();
  el.remove();
  vi.useRealTimers();
});

const row = (name: string) => el.querySelector(`tr[data-name="${name}"]`) as HTMLElement;
const nameOf = (name: string) => row(name).querySelector("button") as HTMLButtonElement;
const cells = (name: string) => [...row(name).children].map((cell) => cell.textContent);
const litRows = () =>
  [...el.querySelectorAll<HTMLElement>('tr[data-lit="true"]')].map((one) => one.dataset["name"]);
const litNodes = () =>
  [...el.querySelectorAll<SVGElement>('g[data-lit="true"]')].map((one) =>
    one.getAttribute("data-label"),
  );
const litEdges = () =>
  [...el.querySelectorAll(".rw-ledger-edge")].flatMap((edge, i) =>
    edge.getAttribute("data-lit") === "true" ? [EDGES[i]] : [],
  );
const told = () => el.querySelector(".rw-ledger-told")?.textContent;
const looked = () => el.querySelector(".rw-ledger-looked")?.textContent;

async function point(name: string, event = "pointerenter"): Promise<void> {
  await act(() => {
    row(name).dispatchEvent(new Event(event));
  });
}

async function press(key: string): Promise<void> {
  await act(() => {
    document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  });
}

describe("rows", () => {
  test("say name, object, shape, version, norm, gradient and state", async () => {
    await show();
    expect(cells("W")).toEqual([
      "W",
      "object 1",
      "2 × 2",
      "0",
      "2.00",
      "1.00−1.000.500nan",
      "✓ current",
    ]);
    expect(cells("c")).toEqual([
      "c",
      "object 3",
      "one number",
      "0",
      "—",
      "",
      "∅ y does not depend on it",
    ]);
    expect(el.querySelector("caption")?.textContent).toBe(
      "y = −5.24, differentiated by 4 names of 3 objects",
    );
    const titles = [...row("W").querySelectorAll<HTMLElement>("[data-sign]")].map((n) => n.title);
    expect(titles.slice(0, 3)).toEqual(["∂y/∂W[0,0] = 1", "∂y/∂W[0,1] = −1", "∂y/∂W[1,0] = 0.5"]);
  });

  test("follow Python", async () => {
    await show();
    await act(() => {
      model.set("_rows", [ROWS[0], { ...ROWS[1], now: 1, state: CHANGED }]);
    });
    expect(cells("b")).toEqual(["b", "object 2", "2", "0 → 1", "1.50", "1.001.00", `≠ ${CHANGED}`]);
    expect(row("b").dataset["standing"]).toBe("changed");
    expect(row("V")).toBeNull();
  });
});

describe("what is pointed at", () => {
  test("lights the object's other name, its leaf and its way from the result, and no more", async () => {
    await show();
    expect([litRows(), litNodes(), litEdges()]).toEqual([[], [], []]);
    await point("V");
    expect(litRows()).toEqual(["W", "V"]);
    expect(litNodes()).toEqual(["y", "sum", "add", "mv", "W, V"]);
    expect(litEdges()).toEqual(EDGES.slice(0, 4));
    expect(told()).toBe("W and V are one object: from y its gradient comes through sum, add, mv.");
    await point("V", "pointerleave");
    await point("b");
    expect(litRows()).toEqual(["b"]);
    expect(litEdges()).toEqual([EDGES[0], EDGES[1], EDGES[5]]);
    await point("b", "pointerleave");
    expect([litRows(), litNodes(), litEdges()]).toEqual([[], [], []]);
  });

  test("lights nothing of the tape if the result does not depend on it", async () => {
    await show();
    await point("c");
    expect([litRows(), litNodes(), litEdges()]).toEqual([["c"], [], []]);
    expect(told()).toBe("c is an object of its own; y does not depend on it.");
  });

  test("can be a leaf of the tape itself, but not one that nobody asked for", async () => {
    await show();
    const enter = async (label: string) => {
      await act(() => {
        el.querySelector(`g[data-label="${label}"]`)?.dispatchEvent(new Event("pointerenter"));
      });
      return litRows();
    };
    expect(await enter("b")).toEqual(["b"]);
    expect(await enter("")).toEqual([]);
    const grey = el.querySelector('g[data-kind="unasked"]');
    expect(grey?.querySelector("text")?.textContent).toBe("a leaf (2)");
    expect(grey?.querySelector("title")?.textContent).toContain("not asked for");
  });

  test("is walked to by arrow keys, with one stop of the Tab key, and pinned by a click", async () => {
    await show();
    const stops = () =>
      [...el.querySelectorAll("th > button")].map((b) => b.getAttribute("tabindex"));
    expect(stops()).toEqual(["0", "-1", "-1", "-1"]);
    await act(() => nameOf("W").focus());
    await press("ArrowDown");
    expect(document.activeElement).toBe(nameOf("b"));
    expect(litRows()).toEqual(["b"]);
    expect(stops()).toEqual(["-1", "0", "-1", "-1"]);
    await press("End");
    await press("ArrowDown");
    expect(litRows()).toEqual(["c"]);
    await press("Home");
    expect(litRows()).toEqual(["W", "V"]);
    await act(() => nameOf("W").click());
    expect(nameOf("W").getAttribute("aria-pressed")).toBe("true");
    await act(() => nameOf("W").blur());
    expect(litRows()).toEqual(["W", "V"]);
    await point("b");
    expect(litRows()).toEqual(["b"]);
    await point("b", "pointerleave");
    await act(() => nameOf("W").click());
    expect(litRows()).toEqual([]);
  });
});

describe("look again", () => {
  const look = () => act(() => buttonOf(el, "look again").click());

  test("asks Python, and says what it found", async () => {
    await show();
    await look();
    expect(model.sent).toEqual([{ kind: "look" }]);
    expect(looked()).toBe("Python is looking …");
    await act(() => model.trigger("msg:custom", { kind: "looked" }));
    expect(looked()).toBe("looked again: all as recorded");
    await look();
    await act(() => {
      model.set("_rows", [ROWS[0], { ...ROWS[1], now: 1, state: CHANGED }]);
      model.trigger("msg:custom", { kind: "looked" });
    });
    expect(looked()).toBe("looked again: not as recorded: b");
    await act(async () => {
      await vi.advanceTimersByTimeAsync(60_000);
    });
    expect(looked()).toBe("looked again: not as recorded: b");
  });

  test("says so where no Python answers, and when one does after all", async () => {
    await show();
    await look();
    await act(async () => {
      await vi.advanceTimersByTimeAsync(5000);
    });
    expect(looked()).toContain("Python does not answer");
    await act(() => model.trigger("msg:custom", { kind: "looked" }));
    expect(looked()).toBe("looked again: all as recorded");
  });
});

test("a tape too large to draw is listed by its leaves", async () => {
  const leaves = NODES.filter(({ kind }) => kind === "recorded" || kind === "unasked");
  await show({
    nodes: leaves,
    edges: [],
    whole: false,
    operations: 1234,
    leaves: 30,
    complete: true,
  });
  expect(el.querySelector("svg")).toBeNull();
  expect(el.querySelector(".rw-ledger-leaves p")?.textContent).toBe(
    "1234 operations are too many to draw. These are the leaves that the result leads back to, " +
      "the first 3 of 30:",
  );
  await point("b");
  const lit = [...el.querySelectorAll<HTMLElement>('li[data-lit="true"]')];
  expect(lit.map((leaf) => leaf.textContent)).toEqual(["b"]);
});

test("a ledger that is taken away leaves no listener", async () => {
  await show();
  expect(model.listeners.length).toBeGreaterThan(0);
  unmount();

  expect(model.listeners).toEqual([]);
});
