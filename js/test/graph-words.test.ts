// @vitest-environment happy-dom
/** What numbers of the graph are called: steps, layers, and whose adjoint they are. */

import { expect, test } from "vitest";
import { refold } from "../src/engine";
import { refit } from "../src/refit";
import { el, page, press, rest, show } from "./graph-panel";

const at = (node: string, step: number) => {
  const found = el.querySelector<HTMLElement>(`[data-node="${node}"][data-step="${step}"]`);
  if (!found) throw new Error(`no ${node} at ${step}`);
  return found;
};

/** What a group is called, and its numbers when they are pointed at. */
function called(node: string, step: number): [string, string] {
  const group = at(node, step);
  group.dispatchEvent(new MouseEvent("pointermove", { bubbles: true }));
  const label = group.getAttribute("aria-label") as string;
  return [
    label.split(": ")[0],
    group.title.split(/ = (?=[−\d.e]+(?:;|$))/)[0].replace(/\[\d\]/, "[i]"),
  ];
}

async function bothDirections(lens: string): Promise<void> {
  await show({ lens, layer: 0, reverse: true });
  const { network, initial } = page.live;
  page.live.adopt(refit(network, refold(network.program, { bidirectional: true }), initial));
  await rest();
}

test("the initial state of the reverse direction stands at the end and is h₀", async () => {
  await bothDirections("values");
  const last = [...el.querySelectorAll<HTMLElement>('[data-node="h"]')]
    .map(({ dataset }) => Number(dataset["step"]))
    .filter((step) => step < 0 || step > 2);
  expect(last).toHaveLength(1);
  expect(called("h", last[0])).toEqual([
    "h₀ of layer 0, reverse",
    "h₀[i] of layer 0, reverse (initial state)",
  ]);
  expect(called("h", 2)[1]).toBe("h₃[i] of layer 0, reverse (t = 3, step 2 in code)");
});

test("the input belongs to no direction, and of its adjoint each adds a part", async () => {
  await bothDirections("values");
  expect(called("x", 1)).toEqual(["x₂", "x₂[i] (t = 2, step 1 in code)"]);
  await press("adjoints");
  expect(called("x", 1)[0]).toBe("∂L/∂x₂, what this direction adds to it");
  expect(called("h", 1)[0]).toBe("∂L/∂h₂ of layer 0, reverse");
});

test("parts are those of states; while stepping back the loss is that of the step", async () => {
  await show({ lens: "adjoints" });
  await press("carried");
  expect(called("h", 1)[0]).toBe("∂L/∂h₂, carried part");
  await press("total");
  expect(called("h", 1)[0]).toBe("∂L/∂h₂");
  for (let i = 0; i < 12; i++) await press("one operation on");
  expect(called("h", 2)[0]).toBe("∂L₃/∂h₃");
});

test("the adjoint of an output has no parts", async () => {
  await show({ lens: "adjoints", part: "carried" });
  const { network, initial } = page.live;
  page.live.adopt(refit(network, refold(network.program, { readout: 2 }), initial));
  await rest();
  const titles = [...el.querySelectorAll<HTMLElement>("[data-row]")].map(({ title }) => title);
  const of = (name: string) => titles.find((title) => title.startsWith(`∂L/∂${name}_t`));
  expect(of("h")).toMatch(/^∂L\/∂h_t, carried part, the adjoint of: /);
  expect(of("y")).toMatch(/^∂L\/∂y_t, the adjoint of: /);
});
