// @vitest-environment happy-dom
/** What the lab takes hold of in a page, and that it lets go of it. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { shortNumber } from "../src/format";
import {
  drawn,
  INPUT,
  LAST,
  MARK,
  type Model,
  moved,
  numbers,
  Page,
  SLIDER,
  settle,
  shown,
  TWIN,
} from "./page";

let page: Page;

beforeEach(() => vi.useFakeTimers());

afterEach(() => {
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
});

async function open(...given: ConstructorParameters<typeof Page>): Promise<void> {
  page = new Page(...given);
  await settle();
}

/** Listeners that a bound slider or driven mark has. */
function events(model: Model): string[] {
  return model.listeners.map(({ event }) => event).sort();
}

describe("binding", () => {
  test("again leaves one listener for each event, and none on what is left out", async () => {
    await open({ sliders: [SLIDER, TWIN], drives: [MARK, LAST] });
    for (const _ of [1, 2]) {
      page.bindSliders(INPUT, SLIDER);
      page.bindSliders(SLIDER);
      page.bindDrives(LAST, MARK);
      page.bindDrives(MARK);
      await settle();
    }
    expect(events(page.at("slider"))).toEqual(["change:value", "destroy"]);
    expect(events(page.at("twin"))).toEqual([]);
    expect(events(page.at("mark"))).toEqual(["change:color", "destroy"]);
    expect(events(page.at("last"))).toEqual([]);
  });

  test("follows the new quantity", async () => {
    await open({ drives: [MARK] });
    page.bindDrives({ ...MARK, quantity: "gradient[h0]" });
    await settle();
    expect(shown(page.at("mark"))).toEqual(numbers("gradient[h0]"));
  });

  test("follows the entry in focus, which text names as well", async () => {
    const text = "∂L/∂selection = {}";
    const spec = {
      id: "label",
      trait: "value",
      kind: "text",
      quantity: "gradient[selection]",
      text,
    };
    await open({ drives: [spec] });
    page.live.select("bias_ih_l0[1]");
    await settle();
    const [, gradient] = numbers("gradient[bias_ih_l0]");
    expect(page.at("label").get("value")).toBe(`∂L/∂bias_ih_l0[1] = ${shortNumber(gradient)}`);
  });

  test("waits for models that are registered later", async () => {
    await open({ sliders: [SLIDER], drives: [MARK], late: ["slider", "mark"] });
    expect(page.at("mark").get("color")).toBeUndefined();
    await vi.advanceTimersByTimeAsync(10_000);
    page.register("mark");
    page.register("slider");
    await vi.advanceTimersByTimeAsync(100);
    page.at("slider").set("value", 1.5);
    expect(shown(page.at("mark"))).toEqual(
      numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 1.5)),
    );
  });

  test.each([
    ["is never registered", () => undefined],
    ["cannot be loaded", () => Promise.reject(new Error("no such module"))],
    ["never finishes loading", () => new Promise<Model>(() => {})],
  ])("gives up a model that %s", async (_, answer) => {
    await open({
      sliders: [SLIDER, TWIN],
      drives: [{ ...MARK, id: "other" }, MARK],
      late: ["slider", "other"],
    });
    const model = answer();
    model?.catch(() => {});
    if (model) for (const id of ["slider", "other"]) page.register(id, model);
    await vi.advanceTimersByTimeAsync(31_000);
    page.at("twin").set("value", 1.5);
    expect(shown(page.at("mark"))).toEqual(
      numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 1.5)),
    );
  });

  test("that is overtaken by a newer one does not come back", async () => {
    await open({ sliders: [SLIDER, TWIN], drives: [MARK, LAST], late: ["twin", "last"] });
    page.bindSliders(SLIDER);
    page.bindDrives(MARK);
    await settle();
    page.register("twin");
    page.register("last");
    await vi.advanceTimersByTimeAsync(100);
    expect(events(page.at("twin"))).toEqual([]);
    expect(events(page.at("last"))).toEqual([]);
  });

  test("is over for models that are closed", async () => {
    await open({ sliders: [SLIDER, TWIN], drives: [MARK, { ...MARK, id: "other" }] });
    const [twin, mark] = [page.at("twin"), page.at("mark")];
    twin.trigger("destroy");
    mark.trigger("destroy");
    expect([twin.listeners, mark.listeners]).toEqual([[], []]);
    const counts = [drawn(twin), drawn(mark)];
    page.at("slider").set("value", 1.5);
    expect([drawn(twin), drawn(mark)]).toEqual(counts);
    expect(shown(page.at("other"))).toEqual(
      numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 1.5)),
    );
  });
});

describe("a closed lab", () => {
  test("leaves no listener and no timer", async () => {
    await open({ sliders: [SLIDER, TWIN], drives: [MARK, LAST] });
    const { unmount } = page.table();
    page.at("slider").set("value", 1.5);
    await vi.advanceTimersByTimeAsync(300); // the witness has been asked
    expect(page.sent("confirm")).toHaveLength(1);
    expect(page.listeners()).toBeGreaterThan(8);
    unmount();
    page.close();
    await settle();
    expect(page.listeners()).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    const { sent } = page.lab;
    const count = sent.length;
    window.dispatchEvent(new Event("pagehide"));
    const handle = document.createElement("div");
    handle.className = "noUi-handle";
    page.at("slider").views = { one: Promise.resolve({ el: document.body }) };
    document.body.append(handle);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(handle.attributes).toHaveLength(1);
    expect(sent).toHaveLength(count);
  });

  test.each([
    ["at once", 0],
    ["while models are awaited", 1_000],
  ])("%s leaves nothing either", async (_, wait) => {
    page = new Page({ sliders: [SLIDER], drives: [MARK], late: ["slider", "mark"] });
    await vi.advanceTimersByTimeAsync(wait);
    page.close();
    await vi.advanceTimersByTimeAsync(100);
    expect(vi.getTimerCount()).toBe(0);
    page.register("slider");
    page.register("mark");
    await vi.advanceTimersByTimeAsync(100);
    expect(page.listeners()).toBe(0);
    expect(page.sent("attached")).toEqual([]);
    expect(drawn(page.at("mark"))).toBe(0);
  });
});

describe("the kernel", () => {
  test("hears that the page draws, every four seconds, and that it leaves", async () => {
    await open({ drives: [MARK] });
    expect(page.sent("attached")).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(8_100);
    expect(page.sent("attached")).toHaveLength(3);
    window.dispatchEvent(new Event("pagehide"));
    expect(page.sent("detached")).toHaveLength(1);
  });

  test.each([
    ["is disposed", () => page.stopKernel()],
    [
      "restarts",
      () => {
        page.kernel.status = "restarting";
        page.kernel.statusChanged.emit();
      },
    ],
    [
      "cannot be sent to",
      () => {
        page.lab.send = () => {
          throw new Error("Canceled");
        };
        vi.advanceTimersByTime(4_000);
      },
    ],
  ])("that %s is left alone by every model; the page works on", async (_, lose) => {
    await open({ sliders: [SLIDER, TWIN], drives: [MARK] });
    const { el, unmount } = page.table();
    lose();
    for (const id of ["slider", "twin", "mark"]) {
      const model = page.at(id);
      expect(model.comm_live, id).toBe(false);
      model.send("a hover");
      expect(model.sent, id).toEqual([]);
    }
    const { length } = page.lab.sent;
    page.at("slider").set("value", 1.5);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(page.lab.sent).toHaveLength(length);
    expect(shown(page.at("mark"))).toEqual(
      numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 1.5)),
    );
    expect(el.querySelector("[data-kernel]")?.getAttribute("data-kernel")).toBe("gone");
    el.querySelector<HTMLElement>('[data-entry="weight_hh_l0[1,1]"]')?.click();
    await settle();
    expect(page.lab.get("selection")).toBe("weight_hh_l0[1,1]");
    expect(page.lab.saved).toEqual([]);
    unmount();
  });

  test("that is gone stays so, whatever still arrives", async () => {
    await open();
    const { el, unmount } = page.table();
    await vi.advanceTimersByTimeAsync(300);
    page.stopKernel();
    page.answer();
    await settle();
    expect(el.querySelector("[data-kernel]")?.getAttribute("data-kernel")).toBe("gone");
    unmount();
  });

  test("that was never there leaves no model that believes in it", async () => {
    await open({ sliders: [SLIDER], drives: [MARK], kernel: null });
    expect(page.lab.sent).toEqual([]);
    expect(shown(page.at("mark"))).toEqual(numbers("gradient[bias_ih_l0]"));
    expect([page.at("slider").comm_live, page.at("mark").comm_live]).toEqual([false, false]);
  });

  test("that stops while models are awaited is left alone by them too", async () => {
    await open({ sliders: [SLIDER], drives: [MARK], late: ["slider", "mark"] });
    page.stopKernel();
    page.register("slider");
    page.register("mark");
    await vi.advanceTimersByTimeAsync(100);
    expect([page.at("slider").comm_live, page.at("mark").comm_live]).toEqual([false, false]);
  });
});
