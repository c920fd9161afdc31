// @vitest-environment happy-dom
/** The lab in a page: sliders in, marks out. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type DriveSpec,
  drawn,
  INPUT,
  LAST,
  MARK,
  type Model,
  moved,
  network,
  numbers,
  Page,
  SLIDER,
  settle,
  shorter,
  shown,
  TWIN,
  value,
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
    await settle();
    expect(drawn(mark)).toBe(count + 1);
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
    const report = (changes: Record<string, unknown>) => {
      slider.set(changes);
      slider.save_changes();
      return slider.saved;
    };
    expect(report({ value: 0.7 })).toEqual([{ value: 0.7 }]);
    page.lab.set("_network", network(moved("weight_hh_l0", 1, 0.705)));
    expect(report({ value: 0.71 })).toHaveLength(1);
    expect(report({ disabled: false, tooltip: "mine" }).at(-1)).toEqual({ tooltip: "mine" });
    expect(report({ value: 0.73 }).at(-1)).toEqual({ value: 0.73 });
    page.lab.set("_network", network(moved("weight_hh_l0", 1, 0.725)));
    page.close();
    expect(report({ value: 0.72 }).at(-1)).toEqual({ value: 0.72 }); // an ordinary slider again
  });

  test("that Python moves does not send back what its view rounds", async () => {
    await open({ sliders: [SLIDER] });
    const slider = page.at("slider");
    slider.set_state({ value: 0.1234 });
    slider.set("value", 0.12);
    slider.save_changes();
    expect(slider.saved).toEqual([]);
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

describe("a view of the page that moves an entry", () => {
  test("has all that shows it follow: sliders, marks and views", async () => {
    await open({ sliders: [SLIDER, TWIN, INPUT], drives: [MARK] });
    const { revision } = page.live;
    const before = revision.value;
    page.live.move("weight_hh_l0", 1, 2.75);
    expect(shown(page.at("mark"))).toEqual(
      numbers("gradient[bias_ih_l0]", moved("weight_hh_l0", 1, 2.75)),
    );
    for (const id of ["slider", "twin"]) {
      expect(page.at(id).get("value"), id).toBe(2.75);
      expect(page.at(id).get("max"), id).toBe(3);
    }
    expect(followed(page.at("input"))).toEqual([]);
    expect(revision.value).toBe(before + 1);
    page.at("slider").save_changes();
    expect(page.at("slider").saved).toEqual([]); // they follow, they do not move
  });

  test("starts the account again", async () => {
    await open();
    await vi.advanceTimersByTimeAsync(300);
    const { account } = page.live.accounting;
    expect(account.value).not.toBeNull();
    page.live.move("h0", 0, 0.5);
    expect(account.value).toBeNull();
    await vi.advanceTimersByTimeAsync(300);
    const [gradient] = numbers("gradient[weight_hh_l0[0,0]]", moved("h0", 0, 0.5));
    expect(account.value?.contributions).toBeCloseTo(gradient, 12);
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

describe("driven text", () => {
  const OVER = {
    weight_ih_l0: [1e200, -1e200, 0, 0],
    x: [0, 0, 1e200, 1e200, 0, 0],
  };
  const TITLE: DriveSpec = {
    id: "figure",
    trait: "title",
    kind: "text",
    quantity: "contribution[weight_ih_l0]",
    transform: "limit",
    text: "up to {}",
    name: "weight_ih_l0",
  };
  const LABEL: DriveSpec = {
    id: "label",
    trait: "value",
    kind: "text",
    quantity: "value[x[2,0]]",
    text: "x = {}",
  };

  test("has its number in place of {}", async () => {
    await open({ sliders: [INPUT], drives: [LABEL] });
    page.at("input").set("value", 0.25);
    expect(page.at("label").get("value")).toBe("x = 0.25");
  });

  test("says where the numbers overflow, and what is no longer there", async () => {
    await open({ drives: [TITLE, LABEL] });
    const title = () => page.at("figure").get("title");
    expect(title()).toMatch(/^up to [\d.]+$/);
    page.lab.set("_network", network(OVER));
    expect(title()).toBe("weight_ih_l0 overflows from t = 2 (step 1)");
    page.lab.set("_network", shorter());
    expect(title()).toMatch(/^up to [\d.]+$/);
    expect(page.at("label").get("value")).toBe("value[x[2,0]] does not exist in this network");
    page.lab.set("_network", network(moved("x", 4, 0.5)));
    expect(page.at("label").get("value")).toBe("x = 0.5");
  });

  test("is not written again when it says the same", async () => {
    await open({ sliders: [SLIDER], drives: [{ ...TITLE, text: "C[t, k]" }] });
    const figure = page.at("figure");
    const count = drawn(figure);
    page.at("slider").set("value", 1.5);
    page.lab.set("_network", network({ h0: [0.25, -0.5] }));
    expect(drawn(figure)).toBe(count);
    page.lab.set("_network", network(OVER));
    expect(drawn(figure)).toBe(count + 1);
    page.lab.set("_network", network({ ...OVER, h0: [0.25, -0.5] }));
    expect(drawn(figure)).toBe(count + 1);
  });

  test("goes with the rest of a widget that can be hidden, and is set right", async () => {
    await open({
      drives: [
        { ...LABEL, id: "axis" },
        { ...LAST, id: "axis" },
      ],
    });
    page.lab.set("_network", shorter());
    expect(page.at("axis").get("visible")).toBe(false);
    page.lab.set("_network", network());
    expect(page.at("axis").get("visible")).toBe(true);
    page.at("axis").set("value", "mine");
    await settle();
    expect(page.at("axis").get("value")).toBe(`x = ${value("x", 4)}`);
  });
});

describe("a driven trait", () => {
  test("that someone else writes is set right again", async () => {
    await open({ sliders: [SLIDER], drives: [MARK, { ...MARK, id: "other" }] });
    expect(page.at("other").get("color")).not.toBe(page.at("mark").get("color"));
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
