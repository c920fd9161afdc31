// @vitest-environment happy-dom
/** The lab in a page: sliders in, marks out, and nothing left behind. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type DriveSpec,
  type Model,
  moved,
  network,
  numbers,
  Page,
  type SliderSpec,
  settle,
  shorter,
  value,
} from "./page";

const SLIDER: SliderSpec = { id: "slider", leaf: "weight_hh_l0", index: [0, 1] };
const TWIN: SliderSpec = { ...SLIDER, id: "twin" };
const INPUT: SliderSpec = { id: "input", leaf: "x", index: [2, 0] };
const MARK: DriveSpec = { id: "mark", quantity: "gradient[bias_ih_l0]" };
const LAST: DriveSpec = { id: "last", quantity: "value[x[2,0]]", kind: "number", trait: "level" };

let page: Page;

beforeEach(() => vi.useFakeTimers());

afterEach(() => {
  page.close();
  document.body.replaceChildren();
  vi.useRealTimers();
});

async function open(...given: ConstructorParameters<typeof Page>): Promise<Page> {
  page = new Page(...given);
  await settle();
  return page;
}

/** Numbers of a driven trait. */
function shown(model: Model, trait = "color"): number[] {
  return [...(model.get(trait) as Float64Array)];
}

function drawn(model: Model): number {
  return model.states.length;
}

/** The values that the lab gave a slider. */
function followed(slider: Model): unknown[] {
  return slider.states.flatMap((state) => ("value" in state ? [state["value"]] : []));
}

describe("a slider", () => {
  test("drives a mark before its change event returns", async () => {
    await open({ sliders: [SLIDER], drives: [MARK] });
    expect(shown(page.at("mark"))).toEqual(numbers("gradient[bias_ih_l0]"));
    page.at("slider").set("value", 1.5);
    expect(shown(page.at("mark"))).toEqual(
      numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 1.5)),
    );
  });

  test("sets all the traits of one widget at once, those that changed, in fresh arrays", async () => {
    const drives = [
      MARK,
      { ...MARK, trait: "opacity", quantity: "hidden" },
      { ...MARK, trait: "steps", quantity: "steps", kind: "list" },
      { ...MARK, trait: "loss", quantity: "loss", kind: "text" },
    ];
    await open({ sliders: [SLIDER], drives });
    const mark = page.at("mark");
    const before = mark.get("color");
    expect(mark.get("steps")).toEqual([1, 2, 3]);
    const count = drawn(mark);
    page.at("slider").set("value", 1.5);
    expect(drawn(mark)).toBe(count + 1);
    expect(Object.keys(mark.states[count])).toEqual(["color", "opacity", "loss"]);
    expect(mark.get("color")).not.toBe(before);
    const [loss] = numbers("loss", moved("weight_hh_l0", 1, 1.5));
    expect(Number(mark.get("loss"))).toBeCloseTo(loss, 3);
    expect((mark.get("opacity") as Float64Array[]).map((row) => row.length)).toEqual([2, 2, 2, 2]);
  });

  test("that reports the exact value rounded to its step has not moved", async () => {
    await open({
      sliders: [SLIDER],
      drives: [MARK],
      network: network(moved("weight_hh_l0", 1, 0.1234)),
    });
    const exact = numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 0.1234));
    const slider = page.at("slider");
    slider.set("value", 0.1234);
    const count = drawn(page.at("mark"));
    slider.set("value", 0.12);
    expect(shown(page.at("mark"))).toEqual(exact);
    expect(drawn(page.at("mark"))).toBe(count);
    slider.set("value", 0.13);
    expect(shown(page.at("mark"))).toEqual(
      numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 0.13)),
    );
  });

  test("with nonsense in it changes nothing", async () => {
    await open({ sliders: [SLIDER], drives: [MARK] });
    page.at("slider").set("value", Number.NaN);
    page.at("slider").set("value", null);
    expect(shown(page.at("mark"))).toEqual(numbers("gradient[bias_ih_l0]"));
    page.lab.set("_network", network({ ...moved("weight_hh_l0", 1, 0.5) }));
    page.lab.set("_network", network());
    expect(shown(page.at("mark"))).toEqual(numbers("gradient[bias_ih_l0]"));
  });

  test("is followed by another one of its entry, without an echo", async () => {
    await open({ sliders: [SLIDER, TWIN], drives: [MARK] });
    const [slider, twin] = [page.at("slider"), page.at("twin")];
    slider.set("value", 0.7);
    expect(twin.get("value")).toBe(0.7);
    twin.set("value", -0.4);
    expect(slider.get("value")).toBe(-0.4);
    expect(followed(slider)).toEqual([-0.4]);
    expect(followed(twin)).toEqual([0.7]);
    expect(shown(page.at("mark"))).toEqual(
      numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, -0.4)),
    );
  });

  test("of a coarser step follows and keeps the exact value in place", async () => {
    await open({ sliders: [SLIDER, TWIN], drives: [MARK] });
    const twin = page.at("twin");
    twin.attributes["step"] = 0.5;
    page.at("slider").set("value", 0.7);
    twin.set("value", 0.5); // what its view makes of 0.7
    expect(page.at("slider").get("value")).toBe(0.7);
    expect(shown(page.at("mark"))).toEqual(
      numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 0.7)),
    );
  });

  test("of a narrower range has it widened before it follows", async () => {
    await open({ sliders: [SLIDER, TWIN] });
    const twin = page.at("twin");
    Object.assign(twin.attributes, { min: -0.5, max: 0.5 });
    const ranges: unknown[] = [];
    twin.on("change:value", () => ranges.push([twin.get("min"), twin.get("max")]));
    page.at("slider").set("value", 1.73);
    expect(ranges).toEqual([[-0.5, 2]]);
    expect(twin.get("value")).toBe(1.73);
  });

  test("sends its moves, and no report that only repeats what is known", async () => {
    await open({ sliders: [SLIDER] });
    const slider = page.at("slider");
    const report = (value: number) => {
      slider.set("value", value);
      slider.save_changes();
      return slider.saved;
    };
    expect(report(0.7)).toBe(1);
    expect(report(0.7)).toBe(1);
    expect(report(0.71)).toBe(2);
    page.close();
    expect(report(0.71)).toBe(3); // an ordinary slider again
  });

  test("that Python moves does not send back what its view rounds", async () => {
    await open({ sliders: [SLIDER] });
    const slider = page.at("slider");
    slider.set_state({ value: 0.1234 });
    slider.set("value", 0.12);
    slider.save_changes();
    expect(slider.saved).toBe(0);
  });

  test("that shows a quantity as well goes on moving its entry", async () => {
    const itself: DriveSpec = { id: "slider", quantity: "loss", kind: "text", trait: "tooltip" };
    await open({ sliders: [SLIDER], drives: [itself, MARK] });
    page.bindDrives(MARK, itself);
    page.bindSliders(SLIDER);
    page.bindDrives(MARK);
    await settle();
    page.at("slider").set("value", 1.5);
    expect(shown(page.at("mark"))).toEqual(
      numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 1.5)),
    );
    page.bindDrives(MARK, itself);
    await settle();
    page.bindSliders(SLIDER);
    await settle();
    page.at("slider").set("tooltip", "mine");
    await settle();
    expect(page.at("slider").get("tooltip")).not.toBe("mine");
  });

  test("that is moved tells its exact value to those who cannot see it", async () => {
    const changes = moved("weight_hh_l0", 1, 0.123456);
    await open({ sliders: [SLIDER], network: network(changes) });
    const el = document.createElement("div");
    el.innerHTML = '<div class="noUi-handle"></div><div class="widget-readout">0.12</div>';
    page.at("slider").attributes["value"] = 0.12;
    page.at("slider").views = { one: Promise.resolve({ el }) };
    page.lab.set("_network", network(changes));
    document.body.append(el);
    await settle();
    const handle = el.querySelector(".noUi-handle");
    page.lab.set("_network", network({ ...changes, h0: [0.5, 0.5] }));
    await settle();
    expect(handle?.getAttribute("aria-label")).toBe("weight_hh_l0[0,1]");
    expect(handle?.getAttribute("data-lm-suppress-shortcuts")).toBe("true");
    expect(handle?.getAttribute("title")).toBe("0.123456");
    expect(el.querySelector(".widget-readout")?.textContent).toBe("0.123");
  });
});

describe("a network from the kernel", () => {
  test("brings its exact values", async () => {
    await open({ sliders: [SLIDER], drives: [MARK] });
    const changes = { ...moved("weight_hh_l0", 1, 0.987654321), h0: [0.25, -0.5] };
    page.at("slider").set("value", 0.99); // where its step puts it
    page.lab.set("_network", network(changes));
    expect(shown(page.at("mark"))).toEqual(numbers("gradient[bias_ih_l0]", changes));
  });

  test("does not undo a newer move of a slider, but brings everything else", async () => {
    await open({ sliders: [SLIDER], drives: [MARK] });
    page.at("slider").set("value", 1.5);
    page.lab.set("_network", network({ h0: [0.25, -0.5] })); // sent before the move arrived
    expect(shown(page.at("mark"))).toEqual(
      numbers("gradient[bias_ih_l0]", { ...moved("weight_hh_l0", 1, 1.5), h0: [0.25, -0.5] }),
    );
    expect(page.at("slider").get("value")).toBe(1.5);
  });

  test("without some quantity hides the mark that shows it, until it comes back", async () => {
    await open({ sliders: [INPUT], drives: [LAST, MARK] });
    const last = page.at("last");
    page.lab.set("_network", shorter());
    expect(last.get("visible")).toBe(false);
    expect(last.get("level")).toBe(value("x", 4)); // hidden as it was
    expect(page.at("mark").get("visible")).toBe(true);
    expect(shown(page.at("mark"))).toEqual(numbers("gradient[bias_ih_l0]", {}, shorter()));
    page.at("input").set("value", 1.5); // its entry does not exist
    expect(last.get("visible")).toBe(false);
    expect(shown(page.at("mark"))).toEqual(numbers("gradient[bias_ih_l0]", {}, shorter()));
    page.at("input").set("value", 0.25);
    page.lab.set("_network", network(moved("x", 4, 0.25)));
    expect(last.get("visible")).toBe(true);
    expect(last.get("level")).toBe(0.25);
  });

  test("hides a widget as one, if any of its quantities is gone", async () => {
    await open({ drives: [LAST, { ...MARK, id: "last" }] });
    page.lab.set("_network", shorter());
    expect(page.at("last").get("visible")).toBe(false);
    expect(shown(page.at("last"))).toEqual(numbers("gradient[bias_ih_l0]"));
  });
});

describe("a driven trait", () => {
  test("that someone else writes is set right again", async () => {
    await open({ sliders: [SLIDER], drives: [MARK, { ...MARK, id: "other" }] });
    const count = drawn(page.at("other"));
    page.at("mark").set("color", new Float64Array([7, 7]));
    await settle();
    expect(shown(page.at("mark"))).toEqual(numbers("gradient[bias_ih_l0]"));
    expect(drawn(page.at("other"))).toBe(count);
  });

  test("is set right even after some widget has thrown", async () => {
    await open({ sliders: [SLIDER], drives: [MARK, { ...MARK, id: "other" }] });
    const throwing = () => {
      throw new Error("from a view");
    };
    page.at("mark").on("change:color", throwing, throwing);
    expect(() => page.at("slider").set("value", 1.5)).toThrow("from a view");
    page.at("mark").off(null, null, throwing);
    page.at("other").set("color", new Float64Array([7, 7]));
    await settle();
    const right = numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 1.5));
    expect(shown(page.at("other"))).toEqual(right);
  });

  test("is drawn afresh when the page has been restored", async () => {
    await open({ drives: [MARK] });
    page.at("mark").attributes["color"] = null;
    page.restored.emit();
    expect(shown(page.at("mark"))).toEqual(numbers("gradient[bias_ih_l0]"));
  });
});

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
    document.body.append(document.createElement("div"));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sent).toHaveLength(count);
  });

  test.each([
    ["at once", 0],
    ["while models are awaited", 1_000],
  ])("%s leaves nothing either", async (_, wait) => {
    page = new Page({ sliders: [SLIDER], drives: [MARK], late: ["slider", "mark"] });
    await vi.advanceTimersByTimeAsync(wait);
    page.close();
    page.register("slider");
    page.register("mark");
    await vi.advanceTimersByTimeAsync(100);
    expect(page.listeners()).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
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
    expect(page.lab.saved).toBe(0);
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
