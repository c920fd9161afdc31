// @vitest-environment happy-dom
/** The ledger of a lab: whose its leaves are, and what lights up in every graph. */

import { act } from "preact/test-utils";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { programFromJson, refold } from "../src/engine";
import { refit } from "../src/refit";
import { usesOf } from "../src/views/graph-uses";
import { stubWidth } from "./dom";
import { moved, network, numbers, Page, PROGRAM, settle } from "./page";
import { QUANTITIES } from "./vectors";

const SOURCE = { what: "Parameter (2, 2)", recorded: 1, now: 1, state: "current" };
const SOURCES = [
  { ...SOURCE, leaf: "weight_ih_l0", object: 1 },
  { ...SOURCE, leaf: "weight_hh_l0", object: 1 },
  {
    ...SOURCE,
    leaf: "x",
    object: 0,
    what: "",
    recorded: null,
    now: null,
    state: "the lab's own numbers",
  },
];

let page: Page;
let el: HTMLElement;
let unmount: () => void;

beforeEach(async () => {
  vi.useFakeTimers();
  page = new Page();
  await act(() => {
    ({ el, unmount } = page.view("ledger", { _sources: SOURCES }));
  });
  await settle();
});

afterEach(() => {
  unmount();
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
});

const row = (name: string) => el.querySelector(`tr[data-name="${name}"]`) as HTMLElement;
const cells = (name: string) => [...row(name).children].map((cell) => cell.textContent);

async function point(name: string, event = "pointerenter"): Promise<void> {
  await act(() => {
    row(name).dispatchEvent(new Event(event));
  });
}

describe("rows", () => {
  test("say what others call a leaf, whose it is, and its gradient's norm", () => {
    const size = Math.hypot(...numbers("gradient[weight_hh_l0]"));
    expect(cells("weight_hh_l0")).toEqual([
      "weight_hh_l0",
      "flux: Whkeras: recurrent_kernel",
      "object 1Parameter (2, 2)",
      "2 × 2",
      "1",
      `${Number(size.toPrecision(3))}`,
      "✓ the same numbers",
    ]);
    expect(cells("x").slice(2, 5)).toEqual(["—", "3 × 2", "—"]);
    expect(cells("x").at(-1)).toBe("∅ the lab's own numbers");
    expect(row("v")).toBeNull(); // a seed has no gradient
  });

  test("follow a move at once, without Python", async () => {
    await act(() => page.live.move("weight_hh_l0", 1, 1.75));
    const size = Math.hypot(...numbers("gradient[weight_hh_l0]", moved("weight_hh_l0", 1, 1.75)));
    expect(cells("weight_hh_l0").slice(5)).toEqual([
      `${Number(size.toPrecision(3))}`,
      "≠ moved in the lab since; the object was not",
    ]);
    expect(row("weight_ih_l0").dataset["standing"]).toBe("current");
    await act(() => page.live.undo());
    expect(row("weight_hh_l0").dataset["standing"]).toBe("current");
  });

  const also = (name: string) => row(name).querySelector(".rw-ledger-also")?.textContent;
  const put = (change: Parameters<typeof refold>[1]) =>
    act(() => {
      const now = page.live.network;
      page.live.adopt(refit(now, refold(now.program, change), now));
    });

  test("keep what others call a leaf when steps or units change", async () => {
    const names = "flux: Whkeras: recurrent_kernel";
    await put({ seqLen: 5 });
    expect(also("weight_hh_l0")).toBe(names);
    await put({ hiddenSize: 3 });
    expect(also("weight_hh_l0")).toBe(names);
    await act(() => page.lab.set("_aliases", {}));
    expect(also("weight_hh_l0")).toBe(names);
  });

  test("say so until Python has named the leaves of another structure, once for all", async () => {
    await put({ numLayers: 2 });
    expect(also("weight_hh_l0")).toContain("not known: Python has not yet named");
    expect(also("h0")).toBe("");
    await act(() => page.lab.set("_aliases", { weight_hh_l0: ["keras: of a layer"] }));
    expect(also("weight_hh_l0")).toBe("keras: of a layer");
    await act(() => page.live.undo());
    expect(also("weight_hh_l0")).toBe("flux: Whkeras: recurrent_kernel");
    await act(() => page.live.redo());
    expect(also("weight_hh_l0")).toBe("keras: of a layer");
  });

  test("hide a norm that a reader is about to predict", async () => {
    const size = Math.hypot(...numbers("gradient[weight_hh_l0]"));
    let show = () => {};
    await act(() => {
      show = page.live.veil.cover({}, () => [{ number: size, quantity: "gradient" }]);
    });
    expect(cells("weight_hh_l0")[5]).toBe("?");
    expect((row("weight_hh_l0").children[5] as HTMLElement).title).toBe("?");
    await act(() => show());
    expect(cells("weight_hh_l0")[5]).not.toBe("?");
  });
});

describe("what is pointed at", () => {
  test("is pointed at in the lab, and the selection stays", async () => {
    const before = page.live.selection.value;
    await point("x");
    expect(page.live.pointed.value).toBe("x");
    await point("x", "pointerleave");
    expect(page.live.pointed.value).toBe("");
    expect(page.live.selection.value).toBe(before);
    expect(page.lab.saved).toEqual([]);
  });

  test("lights the other leaf of the same object", async () => {
    await point("weight_ih_l0");
    const lit = [...el.querySelectorAll<HTMLElement>('tr[data-lit="true"]')];
    expect(lit.map((one) => one.dataset["name"])).toEqual(["weight_ih_l0", "weight_hh_l0"]);
    expect(el.querySelector(".rw-ledger-told")?.textContent).toContain(
      "copied from object 1, which weight_hh_l0 share",
    );
  });

  test("is let go when the ledger is taken away", async () => {
    await point("x");
    await act(() => unmount());
    expect(page.live.pointed.value).toBe("");
  });
});

describe("the uses of a leaf in the graph", () => {
  const program = programFromJson(PROGRAM);
  const at = (row: string, step: number, i: number) => ({ row, step, i });

  test("a recurrent weight leads from each state entry to each of the next", () => {
    const uses = usesOf(program, 0, "weight_hh_l0");
    expect(uses).toHaveLength(3 * 4);
    expect(uses[1]).toEqual({ from: at("h", -1, 1), to: at("h", 0, 0) });
    expect(uses[2 * 4 + 2]).toEqual({ from: at("h", 1, 0), to: at("h", 2, 1) });
  });

  test("an input weight from the inputs, a bias to each unit, an initial state at the edge", () => {
    expect(usesOf(program, 0, "weight_ih_l0")[4]).toEqual({
      from: at("x", 1, 0),
      to: at("h", 1, 0),
    });
    const bias = Object.keys(program.parameters).find((name) => name.startsWith("bias")) ?? "";
    expect(usesOf(program, 0, bias)).toEqual(
      [0, 1, 2].flatMap((step) => [0, 1].map((i) => ({ from: null, to: at("h", step, i) }))),
    );
    expect(usesOf(program, 0, "h0").map(({ to }) => to)).toEqual([at("h", -1, 0), at("h", -1, 1)]);
    expect(usesOf(program, 0, "x")).toHaveLength(6);
    expect(usesOf(program, 0, "")).toEqual([]);
  });

  test("a leaf of another layer is not in a layer's graph", () => {
    const stack = refold(program, { numLayers: 2 });
    expect(usesOf(stack, 0, "weight_hh_l1")).toEqual([]);
    expect(usesOf(stack, 1, "weight_hh_l1")).toHaveLength(12);
    expect(usesOf(stack, 1, "x")).toEqual([]);
  });

  test("gates and a readout", () => {
    const lstm = QUANTITIES.find(({ name }) => name === "lstm, last step");
    const gated = programFromJson(lstm?.program as object);
    const rows = new Set(usesOf(gated, 0, "weight_hh_l0").map(({ to }) => to.row));
    expect([...rows].sort()).toEqual(["f", "g", "i", "o"]);
    const readout = Object.keys(gated.parameters).filter((name) => name.startsWith("readout."));
    expect(readout.length).toBeGreaterThan(0);
    for (const leaf of readout) {
      expect(new Set(usesOf(gated, 0, leaf).map(({ to }) => to.row))).toEqual(new Set(["y"]));
    }
  });

  test("marks are drawn in the graph of the same lab", async () => {
    stubWidth(900);
    const drawn = { strokes: 0 };
    vi.stubGlobal(
      "Path2D",
      class {
        moveTo() {}
        lineTo() {}
        bezierCurveTo() {}
        arc() {}
        rect() {}
      },
    );
    const ctx = new Proxy({ strokeStyle: "" } as Record<string, unknown>, {
      get: (state, name: string) =>
        state[name] ?? (name === "stroke" ? () => drawn.strokes++ : () => {}),
    });
    vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(ctx as never);
    const graph = { lens: "flow", part: "total", layer: 0, reverse: false };
    let shown: { el: HTMLElement; unmount: () => void } | undefined;
    await act(() => {
      shown = page.view("graph", graph);
    });
    await act(() => settle());
    const canvas = shown?.el.querySelector("canvas") as HTMLCanvasElement;
    expect(canvas.dataset["pointed"]).toBe("");
    drawn.strokes = 0;
    await act(() => page.live.changed());
    const usual = drawn.strokes;
    drawn.strokes = 0;
    await point("weight_hh_l0");
    expect(canvas.dataset["pointed"]).toBe("weight_hh_l0");
    expect(drawn.strokes).toBe(usual + 1);
    await point("weight_hh_l0", "pointerleave");
    expect(canvas.dataset["pointed"]).toBe("");
    shown?.unmount();
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });
});

test("the same network in another structure has its own leaves", async () => {
  const lstm = QUANTITIES.find(({ name }) => name === "lstm, last step");
  await act(() => {
    page.lab.set("_network", { ...lstm?.program, values: lstm?.values });
  });
  expect(row("c0")).not.toBeNull();
  await act(() => {
    page.lab.set("_network", network());
  });
  expect(row("c0")).toBeNull();
});
