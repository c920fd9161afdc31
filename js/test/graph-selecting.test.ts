// @vitest-environment happy-dom
/** The panel of the unrolled graph: how steps are chosen in it, and why there may be nothing. */

import { describe, expect, test } from "vitest";
import { programFromJson, programToJson, refold } from "../src/engine";
import { refit } from "../src/refit";
import { el, line, page, radio, rest, show } from "./graph-panel";
import { network, PROGRAM } from "./page";
import { VECTORS } from "./vectors";

describe("selecting", () => {
  test("the rulers choose loss step and source step", async () => {
    await show();
    expect([radio("loss", 2).checked, radio("source", 1).checked]).toEqual([true, true]);
    radio("loss", 1).click();
    await rest();
    expect(page.live.cell.value).toEqual({ t: 1, k: 1 });
    radio("source", 0).click();
    await rest();
    expect(page.live.cell.value).toEqual({ t: 1, k: 0 });
    expect(radio("source", 0).getAttribute("aria-label")).toBe(
      "source step k = 1 (step 0 in code)",
    );
    expect(page.lab.get("loss_step")).toBe(1);
  });

  test("a click on a column chooses the loss step, with Shift the source step", async () => {
    await show();
    const stage = el.querySelector(".rw-graph-stage") as HTMLElement;
    const box = el.querySelector<HTMLElement>('[data-node="h"][data-step="0"]');
    const x = Number.parseFloat(box?.style.left ?? "") + 5;
    stage.dispatchEvent(new MouseEvent("click", { clientX: x, shiftKey: true }));
    await rest();
    expect(page.live.cell.value).toEqual({ t: 2, k: 0 });
    stage.dispatchEvent(new MouseEvent("click", { clientX: x }));
    await rest();
    expect(page.live.cell.value).toEqual({ t: 0, k: 0 });
  });
});

describe("of steps without loss", () => {
  const ONLY_LAST = network({}, { ...PROGRAM, loss_steps: [2] });

  test("none becomes the loss step by a click on its column, but the source step", async () => {
    await show({}, ONLY_LAST);
    page.live.selectCell(2, 1);
    await rest();
    const stage = el.querySelector(".rw-graph-stage") as HTMLElement;
    const click = async (step: number) => {
      const box = el.querySelector<HTMLElement>(`[data-node="h"][data-step="${step}"]`);
      const clientX = Number.parseFloat(box?.style.left ?? "") + 5;
      stage.dispatchEvent(new MouseEvent("click", { clientX }));
      await rest();
      return page.live.cell.value;
    };
    expect(line()).toContain("(with Shift, or where no loss is, for k)");
    expect(await click(0)).toEqual({ t: 2, k: 0 });
    expect(await click(1)).toEqual({ t: 2, k: 1 });
    expect(await click(2)).toEqual({ t: 2, k: 1 });
  });

  test("none can be chosen, which is said", async () => {
    await show({}, ONLY_LAST);
    const all = [0, 1, 2].map((step) => radio("loss", step));
    expect(all.map((one) => one.disabled)).toEqual([true, true, false]);
    expect(all.map((one) => one.getAttribute("aria-disabled"))).toEqual(["true", "true", "false"]);
    expect(all[0].closest("label")?.title).toBe(
      "loss step t = 1 (step 0 in code): cannot be chosen, this step has no loss " +
        "(“loss at” in more settings)",
    );
    expect([0, 1, 2].some((step) => radio("source", step).disabled)).toBe(false);
  });

  test("one that was chosen before it lost its loss still takes the keys", async () => {
    await show({}, ONLY_LAST);
    page.live.selectCell(1, 1);
    await rest();
    const chosen = radio("loss", 1);
    expect([chosen.checked, chosen.disabled]).toEqual([true, false]);
    expect(chosen.getAttribute("aria-disabled")).toBe("true");
  });
});

describe("why there is nothing", () => {
  async function why(t: number, k: number, program: object = {}, values = {}): Promise<string> {
    await show({}, network(values, { ...PROGRAM, ...program }));
    page.live.selectCell(t, k);
    await rest();
    return line() ?? "";
  }

  test("causality", async () => {
    expect(await why(0, 2)).toContain("cannot change an earlier loss (t = 1): causality");
  });

  test("truncation", async () => {
    const truncation = { kind: "window", size: 2 };
    expect(await why(2, 0, { truncation })).toContain(
      "the truncation (window 2) cuts every path from t = 3 to k = 1",
    );
  });

  test("a step without loss", async () => {
    expect(await why(1, 0, { loss_steps: [2] })).toContain("step t = 2 has no loss");
  });

  test("a seed of zero", async () => {
    expect(await why(2, 1, {}, { v: [1, 1, 1, 1, 0, 0] })).toContain(
      "the seed of step t = 3 is zero",
    );
  });

  test("an initial state of zero", async () => {
    expect(await why(2, 0, {}, { h0: [0, 0] })).toContain("multiplies h₀[0] = 0 at step k = 1");
  });

  const cellOf = (file: string, name: string): object => {
    const saved = VECTORS[file].find((one) => one.name === name);
    return { cell: (programToJson(programFromJson(saved?.program)) as { cell: object }).cell };
  };
  const IDLE = {
    bias_ih_l0: [0, 0],
    weight_ih_l0: [1, 0, 0, 1],
    weight_hh_l0: [1, 0.5, 0.25, 1],
    h0: [1, 1],
  };

  /** A network of two relu units whose pre-activations are, but for what comes back, its inputs. */
  const relu = (t: number, k: number, x: number[], weight_hh_l0 = IDLE.weight_hh_l0) =>
    why(t, k, cellOf("rnn", "relu, bias single"), { ...IDLE, weight_hh_l0, x });

  test("a relu unit that is off", async () => {
    expect(await relu(2, 1, [1, 1, -9, 1, 1, 1])).toContain(
      "It is zero: the pre-activation a₂[0] is negative, so relu′ = 0 there.",
    );
  });

  test("relu units that are off on every path", async () => {
    expect(await relu(2, 0, [1, 1, -9, -9, 1, 1])).toContain(
      "the pre-activations a₂[0] and a₂[1] are negative, so relu′ = 0 there",
    );
  });

  test("a relu unit at zero", async () => {
    expect(await relu(1, 1, [1, 1, -3.625, 1, 1, 1])).toContain(
      "the pre-activation a₂[0] is 0, where relu′ is taken as 0",
    );
  });

  test("a unit that is off is not blamed where another path is open", async () => {
    const one = await relu(2, 0, [1, 1, -9, 1, 1, 1]);
    expect(one).not.toContain("zero");
    // Only through unit 0, which is off: the weights to it and from it close the others.
    expect(await relu(2, 0, [1, 1, -9, 1, 1, 1], [1, 0, 0, 1])).toMatch(
      /every path has a factor of zero, such as (relu′\(a₂\[0\]\)|weight_hh_l0\[1,0\])/,
    );
  });

  test("a tanh that is 1 to the last digit", async () => {
    expect(await why(2, 2, {}, { x: [1, 1, 1, 1, 900, 0], weight_ih_l0: [1, 0, 0, 1] })).toContain(
      "It is zero: h₃[0] is 1 to the last digit, so 1 − h₃[0]² = 0.",
    );
  });

  test("a gate that is exactly 0", async () => {
    const saved = VECTORS["lstm"].find(({ name }) => name === "bias False");
    const program = refold(programFromJson(saved?.program), {
      ...{ hiddenSize: 1, inputSize: 1, seqLen: 2, lossSteps: "all", loss: "seed", readout: null },
    });
    const values = {
      weight_ih_l0: [1, -900, 1, 1], // gates i, f, g, o
      weight_hh_l0: [0.5, 0.5, 0.5, 0.5],
      ...{ x: [1, 1], h0: [0.5], c0: [0.5], v: [1, 1] },
    };
    await show({}, { ...programToJson(program), values } as never);
    page.live.select("weight_hh_l0[1,0]");
    page.live.selectCell(1, 1);
    await rest();
    expect(line()).toContain("It is zero: f₂[0] is exactly 0, so f₂[0] (1 − f₂[0]) = 0.");
  });

  test("paths that cancel", async () => {
    const cell = cellOf("rnn", "identity, bias False");
    const weights = { weight_hh_l0: [1, 0, 1, 1], weight_ih_l0: [1, 0, 0, 1] };
    expect(await why(2, 1, cell, { ...weights, v: [0, 0, 0, 0, 1, -1] })).toContain(
      "its paths cancel",
    );
  });

  test("that of a layer, in words", async () => {
    await show();
    const { network: before, initial } = page.live;
    const stack = refit(before, refold(before.program, { numLayers: 2 }), initial);
    stack.values["h0"].fill(0);
    page.live.adopt(stack);
    page.live.selectCell(2, 0);
    await rest();
    expect(line()).toContain("multiplies (h₀[0] of layer 0) = 0 at step k = 1");
  });
});
