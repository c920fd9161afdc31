// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { Instant } from "../src/instant";
import type { WidgetModel } from "../src/models";

/** As much of d3 as bqplot's marks use; a transition does nothing before its frame comes. */
class Selection {
  readonly attributes: Record<string, unknown> = {};
  readonly written: string[] = [];

  attr(name: string, value: unknown) {
    this.attributes[name] = typeof value === "function" ? value.call(null, 2) : value;
    return this;
  }

  each(act: (this: unknown, ...datum: unknown[]) => void) {
    const element = {
      getAttribute: (name: string) => this.attributes[name] ?? null,
      setAttribute: (name: string, value: unknown) => {
        this.written.push(name);
        this.attributes[name] = value;
      },
      removeAttribute: (name: string) => delete this.attributes[name],
    };
    act.call(element, 2);
    return this;
  }

  transition() {
    const waiting = { duration: () => waiting, attr: () => waiting, attrTween: () => waiting };
    return waiting;
  }
}

function drawn(duration: number) {
  class Copy extends Selection {
    override transition() {
      return super.transition();
    }
    override attr(name: string, value: unknown) {
      return super.attr(name, value);
    }
  }
  const d3el = new Copy();
  const parent = { model: { get: () => duration } };
  const views = { one: Promise.resolve({ d3el, parent, el: null }) };
  return { d3el, widget: { views } as unknown as WidgetModel };
}

const move = ({ d3el }: ReturnType<typeof drawn>) =>
  (d3el.transition() as unknown as Selection & { duration(ms: number): Selection })
    .duration(0)
    .attr("height", 3);

describe("Instant", () => {
  it("does not move a thing farther than SVG can say", async () => {
    const instant = new Instant();
    const { d3el, widget } = drawn(0);
    await instant.learn(widget);
    instant.draw(() => {
      d3el.attr("transform", "translate(0,3)");
      d3el.attr("transform", "translate(0,-1.28e+302)");
    });
    expect(d3el.attributes["transform"]).toBe("translate(0,3)");
    instant.draw(() => void d3el.attr("transform", "translate(0,-1.5e+21)"));
    expect(d3el.attributes["transform"]).toBe("translate(0,-1.5e+21)");
  });

  it("draws what a lab writes before the write returns, and only that", async () => {
    const instant = new Instant();
    const mark = drawn(0);
    const own = Object.getPrototypeOf(mark.d3el).transition;
    await instant.learn(mark.widget);
    move(mark);
    expect(mark.d3el.attributes).toEqual({});
    instant.draw(() => move(mark));
    expect(mark.d3el.attributes).toEqual({ height: "3" });
    expect(Object.getPrototypeOf(mark.d3el).transition).toBe(own);
  });

  it("writes only the attributes that differ", async () => {
    const instant = new Instant();
    const mark = drawn(0);
    await instant.learn(mark.widget);
    instant.draw(() => {
      mark.d3el.attr("x", 1);
      mark.d3el.attr("x", (datum: number) => datum - 1);
      mark.d3el.attr("x", 2);
      mark.d3el.attr("y", null);
    });
    expect(mark.d3el.attributes).toEqual({ x: "2" });
    expect(mark.d3el.written).toEqual(["x", "x"]);
    mark.d3el.attr("x", 2);
    expect(mark.d3el.attributes).toEqual({ x: 2 }); // d3's own again
  });

  it("leaves attributes with a namespace to d3, which knows it", async () => {
    const instant = new Instant();
    const mark = drawn(0);
    await instant.learn(mark.widget);
    instant.draw(() => void mark.d3el.attr("xlink:href", "#clip"));
    expect(mark.d3el.attributes).toEqual({ "xlink:href": "#clip" });
    expect(mark.d3el.written).toEqual([]); // setAttribute would have lost the namespace
  });

  it("puts a tween at its end", async () => {
    const instant = new Instant();
    const mark = drawn(0);
    await instant.learn(mark.widget);
    const tween = (datum: number) => (fraction: number) => 10 * datum * fraction;
    instant.draw(() => {
      (mark.d3el.transition() as unknown as Record<string, CallableFunction>)["attrTween"](
        "d",
        tween,
      );
    });
    expect(mark.d3el.attributes).toEqual({ d: "20" });
  });

  it("gives d3 back its transitions when a mark throws", async () => {
    const instant = new Instant();
    const mark = drawn(0);
    const own = Object.getPrototypeOf(mark.d3el).transition;
    await instant.learn(mark.widget);
    const fail = () => {
      throw new Error("no such scale");
    };
    expect(() => instant.draw(fail)).toThrow("no such scale");
    expect(Object.getPrototypeOf(mark.d3el).transition).toBe(own);
  });

  it("clears away the empty groups that bqplot's Bars leaves at each drawing", async () => {
    const root = document.body.appendChild(document.createElement("g"));
    root.innerHTML = "<g><line /></g>";
    const d3el = { node: () => root };
    const model = { get: (name: string) => (name === "_view_name" ? "Bars" : undefined) };
    const views = { one: Promise.resolve({ d3el, model }) };
    const instant = new Instant();
    await instant.learn({ views } as unknown as WidgetModel);
    instant.draw(() => root.prepend(document.createElement("g"), document.createElement("g")));
    expect(root.innerHTML).toBe("<g><line></line></g>");
    root.remove();
  });

  it.each([
    [false, ""],
    [true, '<g class="g_legend"></g>'],
  ])("clears away the empty legend of a figure where marks show one: %s", async (shows, left) => {
    const svg = document.body.appendChild(document.createElement("svg"));
    const d3el = { node: () => svg.appendChild(document.createElement("i")) };
    const marks = [{ get: () => false }, { get: () => shows }];
    const figure = { get: (name: string) => (name === "marks" ? marks : 0) };
    const views = {
      one: Promise.resolve({ d3el, model: { get: () => "" }, parent: { model: figure } }),
    };
    const instant = new Instant();
    await instant.learn({ views } as unknown as WidgetModel);
    instant.draw(() => {
      svg.innerHTML = '<g class="g_legend"></g>';
    });
    expect(svg.innerHTML).toBe(left);
    svg.remove();
  });

  it("leaves the looks of bars as they are where lengths alone change", async () => {
    const root = document.body.appendChild(document.createElement("g"));
    root.innerHTML = '<rect class="bar" />';
    const traits: Record<string, unknown> = { _view_name: "Bars", colors: ["red"] };
    const styled: unknown[] = [];
    class Mark {
      readonly d3el = { node: () => root };
      readonly model = { get: (name: string) => traits[name] };
      apply_styles(): void {
        styled.push(traits["colors"]);
      }
    }
    const view = new Mark();
    const instant = new Instant();
    await instant.learn({ views: { one: Promise.resolve(view) } } as unknown as WidgetModel);
    const draw = () => instant.draw(() => view.apply_styles());
    draw();
    draw();
    expect(styled).toEqual([["red"]]);
    traits["colors"] = ["blue"];
    draw();
    expect(styled).toEqual([["red"], ["blue"]]);
    root.innerHTML += '<rect class="bar" />'; // a bar that has no looks yet
    draw();
    expect(styled).toHaveLength(3);
    view.apply_styles();
    expect(styled).toHaveLength(4); // bqplot's own again
    root.remove();
  });

  it("leaves figures alone that are to be animated", async () => {
    const instant = new Instant();
    const mark = drawn(500);
    await instant.learn(mark.widget);
    instant.draw(() => move(mark));
    expect(mark.d3el.attributes).toEqual({});
  });
});
