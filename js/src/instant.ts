/** bqplot draws most marks by d3 transitions, which wait for an animation frame even where they last
 * no time (https://github.com/d3/d3-transition#transition_duration): a move would be drawn in two
 * parts, a frame apart. And it writes every attribute of every mark at each drawing, changed or not,
 * each of which has to be laid out anew. While a lab writes to its figures they are drawn at once,
 * and only what differs. */

import type { WidgetModel } from "./models";

/** What is used of a d3 selection; bqplot brings its own copy of d3, which a view's `d3el` leads to. */
interface Selection {
  node?(): Element | null;
  transition?: ((name?: string) => unknown) | undefined;
  attr(name: string, value?: unknown): unknown;
  each(act: (this: Element, ...datum: unknown[]) => void): Selection;
  style(name: string, value: unknown): Selection;
}

interface MarkView {
  readonly model?: { get(trait: string): unknown };
  readonly d3el?: Selection;
  readonly parent?: { readonly model?: WidgetModel };
  apply_styles?(...given: unknown[]): void;
}

/** What the looks of bars depend on, beside how many there are. */
const LOOKS = ["fill", "stroke", "stroke_width", "colors", "color", "color_mode", "opacities"];
const OF_CHOSEN = ["opacity_mode", "selected", "selected_style", "unselected_style"];

export class Instant {
  private readonly prototypes = new Map<Selection, Pick<Selection, "transition" | "attr">>();
  private readonly known = new WeakSet<object>();
  private readonly bars = new Map<Element, Bars>();
  private readonly figures = new Map<Element, WidgetModel>();
  private animated = false;

  /** Look at what draws a widget, where it is drawn by d3. */
  async learn(widget: WidgetModel): Promise<void> {
    for (const view of Object.values(widget.views ?? {})) {
      if (this.known.has(view)) continue;
      this.known.add(view);
      const mark = (await view) as MarkView;
      const { d3el, parent, model } = mark;
      const root = d3el?.node?.();
      if (root && model?.get("_view_name") === "Bars") this.bars.set(root, new Bars(mark, root));
      const figure = root?.closest("svg");
      if (figure && parent?.model) this.figures.set(figure, parent.model);
      if (parent?.model?.get("animation_duration")) this.animated = true;
      let prototype = d3el;
      while (prototype && !Object.hasOwn(prototype, "transition")) {
        prototype = Object.getPrototypeOf(prototype);
      }
      if (prototype && !this.prototypes.has(prototype)) {
        const { transition, attr } = prototype;
        this.prototypes.set(prototype, { transition, attr });
      }
    }
  }

  /** Write, and have it drawn before this returns. Figures that are to be animated still are. */
  draw(write: () => void): void {
    if (this.animated) write();
    else this.drawAtOnce(write);
    this.clear();
  }

  /** Each time it draws, bqplot's Bars leaves an empty group behind; and the figure makes its legend
   * anew, which it moves after all else is laid out, though it be empty. */
  private clear(): void {
    for (const [figure, model] of this.figures) {
      if (!figure.isConnected) this.figures.delete(figure);
      const marks = model.get("marks") as WidgetModel[];
      if (marks.some((mark) => mark.get("display_legend"))) continue;
      figure.querySelector(".g_legend:empty")?.remove();
    }
    for (const root of this.bars.keys()) {
      if (!root.isConnected) this.bars.delete(root);
      for (const empty of root.querySelectorAll(":scope > g:empty")) empty.remove();
    }
  }

  private drawAtOnce(write: () => void): void {
    for (const [prototype, { attr }] of this.prototypes) {
      prototype.transition = function (this: Selection) {
        return finished(this);
      };
      prototype.attr = function (this: Selection, ...given: [name: string, value?: unknown]) {
        return given.length === 1 || given[0].includes(":")
          ? attr.apply(this, given)
          : this.each(differing(...given));
      };
    }
    for (const bars of this.bars.values()) bars.hold();
    try {
      write();
    } finally {
      for (const bars of this.bars.values()) bars.release();
      for (const [prototype, own] of this.prototypes) Object.assign(prototype, own);
    }
  }
}

/** Bars that keep their looks where lengths alone change. */
class Bars {
  private looks: readonly unknown[] = [];

  constructor(
    private readonly view: MarkView,
    private readonly root: Element,
  ) {}

  hold(): void {
    const { view, root } = this;
    const own = view.apply_styles;
    view.apply_styles = (...given) => {
      const count = root.querySelectorAll(".bar").length;
      const looks = [count, ...[...LOOKS, ...OF_CHOSEN].map((trait) => view.model?.get(trait))];
      if (looks.every((look, i) => Object.is(look, this.looks[i]))) return;
      this.looks = looks;
      own?.apply(view, given);
    };
  }

  release(): void {
    Reflect.deleteProperty(this.view, "apply_styles"); // the class has its own
  }
}

/** Sets an attribute where it is another. */
function differing(name: string, value: unknown) {
  return function (this: Element, ...datum: unknown[]): void {
    const now = typeof value === "function" ? value.apply(this, datum) : value;
    if (now == null) this.removeAttribute(name);
    else if (this.getAttribute(name) !== String(now) && !(name === "transform" && far(now))) {
      this.setAttribute(name, String(now));
    }
  };
}

/** Whether it is farther off than SVG can say: an old tick on a new scale, about to go. */
const far = (transform: unknown) => /\de\+(3[89]|[4-9]\d|\d{3})/.test(String(transform));

/** A selection that takes what a transition takes, and is at its end. */
function finished(selection: Selection): Selection {
  const end = (make: Tween) =>
    function (this: Element, ...datum: unknown[]) {
      return make.apply(this, datum)(1);
    };
  const at: Selection = Object.create(selection);
  return Object.assign(at, {
    duration: () => at,
    attrTween: (name: string, make: Tween) => at.attr(name, end(make)),
    styleTween: (name: string, make: Tween) => at.style(name, end(make)),
  });
}

type Tween = (this: Element, ...datum: unknown[]) => (fraction: number) => unknown;
