// @ts-check
/* What stands under a figure: what is pointed at, a sentence, and ways to save. The step under the
 * pointer is marked here, in the browser, in every figure that shares the selection; what its
 * number is, Python answers. */

/** @typedef {{ get(name: string): any, set(name: string | object, value?: unknown): void,
 *    on(event: string, act: (...given: any[]) => void): void,
 *    off(event: string, act: (...given: any[]) => void): void, save_changes(): void,
 *    views: Record<string, Promise<any>> }} Model */

/** @param {{ model: any, el: HTMLElement }} props */
function render({ model, el }) {
  const owned = new Owned();
  const [reading, legend, note, tools] = ["output", "p", "p", "div"].map((tag) =>
    el.appendChild(document.createElement(tag)),
  );
  el.classList.add("rw-foot");
  legend.className = "rw-legend";
  tools.className = "rw-saving";
  const write = () => {
    note.textContent = model.get("note");
    legend.replaceChildren(...model.get("legend").map(swatch));
  };
  write();
  owned.listen(model, "change:note change:legend", write);
  nameSliders(owned, el);
  // Detached: the figure is drawn beside this, and whoever removes this must not have to wait.
  follow(owned, model, el, reading, tools);
  return () => owned.end();
}

/** What must be undone when the view is removed. */
class Owned {
  gone = false;
  /** @type {(() => void)[]} */
  undo = [];

  /** @param {Model} of @param {string} event @param {(...given: any[]) => void} act */
  listen(of, event, act) {
    of.on(event, act);
    this.undo.push(() => of.off(event, act));
  }

  /** @param {Element} of @param {string} event @param {(given: any) => void} act */
  hear(of, event, act) {
    of.addEventListener(event, act);
    this.undo.push(() => of.removeEventListener(event, act));
  }

  end() {
    this.gone = true;
    for (const act of this.undo) act();
  }
}

/** Name the handles of the sliders beside the figure, which ipywidgets leaves without a name, and
 * have them tell what is written beside them: a sample is "all" there, and not the first choice.
 * @param {Owned} owned @param {HTMLElement} el */
function nameSliders(owned, el) {
  const name = () => {
    for (const slider of outermost(el)?.querySelectorAll(".widget-slider") ?? []) {
      const handle = slider.querySelector(".noUi-handle");
      const [label, readout] = [".widget-label", ".widget-readout"].map(
        (part) => slider.querySelector(part)?.textContent,
      );
      if (label) handle?.setAttribute("aria-label", label);
      if (readout) handle?.setAttribute("aria-valuetext", readout);
    }
  };
  const changes = new MutationObserver(name);
  owned.undo.push(() => changes.disconnect());
  requestAnimationFrame(function watch() {
    if (owned.gone) return;
    const root = outermost(el);
    if (!root?.isConnected) return void requestAnimationFrame(watch);
    name();
    changes.observe(root, { childList: true, subtree: true });
  });
}

/** All that belongs to the figure: of a comparison or a watch, both figures and their controls.
 * @param {Element | null} el */
function outermost(el) {
  let found = el?.closest(".rw-view");
  for (let up = found; up; up = up.parentElement?.closest(".rw-view")) found = up;
  return found;
}

/** Follow the pointer and the arrow keys over the figure, and mark the selected step in it.
 * @param {Owned} owned @param {any} model @param {HTMLElement} el
 * @param {HTMLElement} reading @param {HTMLElement} tools */
async function follow(owned, model, el, reading, tools) {
  /** @type {Model[]} */
  const [figure, selection, marker] = await Promise.all(
    ["figure", "selection", "marker"].map((name) =>
      model.widget_manager.get_model(model.get(name).slice("IPY_MODEL_".length)),
    ),
  );
  const view = await beside(owned, figure, el);
  if (owned.gone) return;
  withRealColours(view);

  const mark = () => {
    const steps = model.get("steps");
    const step = selection.get("step");
    const position = step === null ? -1 : step - steps.first;
    const shown = steps.count && position >= 0 && position < steps.count;
    const [x, y] = shown ? outlines(steps, position) : [[], []];
    // A last point that draws nothing: bqplot puts a label there.
    marker.set({ x: Float64Array.of(...x, 0), y: Float64Array.of(...y, 0) });
  };
  mark();
  owned.listen(selection, "change:step", mark);
  owned.listen(model, "change:steps", mark);

  /** @param {number | null} step */
  const choose = (step) => {
    if (selection.get("step") === step) return;
    if (step === null && selection.get("pinned")) return;
    selection.set("step", step);
    selection.save_changes();
  };

  /** @type {[number, number] | null} */
  let at = null;
  let asked = false;
  let again = false;
  /** Ask Python what is at a point: one question at a time, the last one always. */
  const ask = () => {
    again = asked;
    if (!at || asked) return;
    asked = true;
    model.send({ at });
  };
  owned.listen(model, "msg:custom", (/** @type {{ reading: string }} */ answer) => {
    asked = false;
    if (at) reading.textContent = answer.reading;
    if (again) ask();
  });

  // A click keeps the step in every figure; in one that shows no steps, its reading.
  let held = false;
  let inside = false;
  const pinned = () => (model.get("steps").count ? selection.get("pinned") : held);
  /** @param {boolean} on */
  const pin = (on) => {
    held = on;
    if (model.get("steps").count) keep(on);
    tell();
  };
  /** @param {boolean} on */
  const keep = (on) => {
    if (selection.get("pinned") === on) return;
    selection.set("pinned", on);
    selection.save_changes();
  };
  const forget = () => {
    at = null;
    reading.textContent = "";
  };
  const tell = () => {
    el.dataset["pinned"] = String(pinned());
    marker.set("stroke_width", selection.get("pinned") ? 3 : 1.5);
    if (pinned() && !at) read();
    if (!pinned() && !inside) forget();
  };
  /** Ask for the selected step where it is in the first panel. */
  const read = () => {
    const { count, first, ...steps } = model.get("steps");
    const position = (selection.get("step") ?? -1) - first;
    if (!count || position < 0 || position >= count) return;
    at = middle(steps, position);
    ask();
  };
  const leave = () => {
    forget();
    choose(null);
  };
  owned.listen(selection, "change:step", () => {
    if (selection.get("pinned")) read();
  });
  owned.listen(selection, "change:pinned", tell);
  tell();
  owned.hear(view.el, "pointermove", (event) => {
    inside = true;
    if (pinned()) return;
    at = place(view, model.get("axes"), event);
    if (!at) return leave();
    choose(stepAt(model.get("steps"), at));
    ask();
  });
  owned.hear(view.el, "pointerleave", () => {
    inside = false;
    if (!pinned()) leave();
  });
  owned.hear(view.el, "click", (event) => {
    if (pinned()) return pin(false);
    const there = place(view, model.get("axes"), event);
    if (!there) return;
    const { count } = model.get("steps");
    const step = stepAt(model.get("steps"), there);
    if (count && step === null) return;
    at = there;
    choose(step);
    ask();
    pin(true);
  });
  owned.hear(view.el, "keydown", (event) => {
    const { count, first, vertical } = model.get("steps");
    const ways = { ArrowLeft: -1, ArrowRight: 1, ...(vertical && { ArrowUp: -1, ArrowDown: 1 }) };
    const by = ways[/** @type {keyof typeof ways} */ (event.key)];
    if (event.key === "Escape") {
      inside = false;
      keep(false);
      pin(false);
      return leave();
    }
    if (!count) return;
    if (event.key === "Enter" && selection.get("step") !== null) {
      event.preventDefault();
      return pin(!pinned());
    }
    if (!by) return;
    event.preventDefault();
    const now = selection.get("step") ?? (by > 0 ? first - 1 : first + count);
    choose(Math.min(Math.max(now + by, first), first + count - 1));
    read();
  });

  view.el.tabIndex = 0;
  view.el.dataset.lmSuppressShortcuts = "true"; // JupyterLab takes the arrow keys otherwise
  view.el.setAttribute("role", "img");
  const name = () => {
    const keys = model.get("steps").count
      ? ". Arrow keys move the step, Enter keeps it, Escape lets it go."
      : "";
    view.el.setAttribute("aria-label", figure.get("title") + keys);
  };
  name();
  owned.listen(figure, "change:title", name);

  for (const kind of ["PNG", "SVG"]) {
    const button = tools.appendChild(document.createElement("button"));
    button.textContent = kind;
    button.title = `Save the figure as ${kind}`;
    const ending = kind.toLowerCase();
    owned.hear(button, "click", () => view[`save_${ending}`](`${model.get("file")}.${ending}`));
  }
}

/** The figure's view beside this one, once it is on the page.
 * @param {Owned} owned @param {Model} figure @param {HTMLElement} el */
async function beside(owned, figure, el) {
  while (!owned.gone) {
    for (const made of Object.values(figure.views ?? {})) {
      const view = await made;
      const here = view.el.closest(".rw-view");
      if (view.el.isConnected && here === el.closest(".rw-view")) return view;
    }
    await new Promise(requestAnimationFrame);
  }
}

/** Where the pointer is on the axes, null outside them.
 * @param {any} view @param {any} axes @param {PointerEvent} event
 * @returns {[number, number] | null} */
function place(view, { across, up }, event) {
  const area = view.el.querySelector(".plotarea_events").getBoundingClientRect();
  const x = (event.clientX - area.left) / area.width;
  const y = 1 - (event.clientY - area.top) / area.height;
  if (x < 0 || x > 1 || y < 0 || y > 1) return null;
  return [across[0] + x * (across[1] - across[0]), up[0] + y * (up[1] - up[0])];
}

/** @param {[string, string, string]} entry */
function swatch([kind, colour, text]) {
  const item = document.createElement("span");
  const sample = item.appendChild(document.createElement("i"));
  sample.dataset["kind"] = kind;
  sample.style.setProperty("--rw-swatch", colour);
  item.append(text);
  return item;
}

/** The step at a point of the axes, or null between panels.
 * @param {any} steps @param {[number, number]} at */
function stepAt(steps, at) {
  if (!steps.count) return null;
  const along = steps.vertical ? -at[1] : at[0] + 0.5;
  const within = along - Math.floor(along / steps.pitch) * steps.pitch - steps.offset;
  const position = Math.floor(within / steps.size);
  return position >= 0 && position < steps.count ? steps.first + position : null;
}

/** Outlines of a step in every row or column of panels.
 * @param {any} steps @param {number} position @returns {[number[], number[]]} */
function outlines(steps, position) {
  const x = [];
  const y = [];
  for (const [from, to] of steps.lanes) {
    for (let n = 0; n < steps.repeats; n++) {
      const middle = n * steps.pitch + steps.offset + (position + 0.5) * steps.size;
      const [low, high] = [middle - steps.half, middle + steps.half];
      const along = [low, high, high, low, low, Number.NaN];
      const over = [from, from, to, to, from, Number.NaN];
      x.push(...(steps.vertical ? over : along.map((value) => value - 0.5)));
      y.push(...(steps.vertical ? along.map((value) => -value) : over));
    }
  }
  return [x, y];
}

/** A point of the first panel at a step. @param {any} steps @param {number} position
 * @returns {[number, number]} */
function middle(steps, position) {
  const along = steps.offset + (position + 0.5) * steps.size;
  return steps.vertical ? [steps.within, -along] : [along - 0.5, steps.within];
}

/** Write the colours of the page into what is saved: elsewhere its CSS variables do not exist. */
function withRealColours(/** @type {any} */ view) {
  if (Object.hasOwn(view, "get_svg")) return;
  const original = view.get_svg;
  view.get_svg = async () => {
    let text = await original.call(view);
    const style = getComputedStyle(view.el);
    for (let before = ""; before !== text; ) {
      before = text;
      text = text.replace(
        /var\((--[\w-]+)\s*(?:,([^()]*(?:\([^()]*\))?[^()]*))?\)/g,
        (/** @type {string} */ _, /** @type {string} */ name, /** @type {string} */ other) =>
          style.getPropertyValue(name).trim() || (other ?? "inherit").trim(),
      );
    }
    return text;
  };
}

export default { render };
