/** Times what one side of the benchmark draws; run in the page, it makes `window.probe`.
 *
 * The clock starts when a key press or a move of the mouse reaches the page, and stops at the last
 * mutation of the side's figures, or the last stroke, fill or text on one of its canvases: no
 * MutationObserver sees those, so the context's methods themselves are made to tell the time. */
(() => {
  const QUIET_MS = 150;
  const WAIT_MS = 5000;
  const VIEWS = ".bqplot.figure, .rw-table, .rw-panel, .plain-html";
  // What the figures' data move; old values are not asked for, since recording them is slow.
  const OPTIONS = {
    subtree: true,
    childList: true,
    characterData: true,
    attributeFilter: ["d", "height", "style", "title", "transform", "data-value", "data-sign"],
  };
  // What the explorer draws only at rest, by design: the witnesses' numbers (which the plain way
  // lacks), and what a screen reader says of the graph.
  const AT_REST = ".rw-accounting, .rw-graph-groups";
  // The ranked terms too, if ranking is slow. They are timed by themselves.
  const TERMS = ".rw-chain-terms";
  const DEFERRED_MS = 120;

  let root;
  let handle;
  let observer;
  let started = 0;
  let drawn = 0;
  let rested = null;
  let paints = 0;
  let dragging = null;

  const start = () => {
    started = performance.now();
    rested = null;
  };
  window.addEventListener("keydown", start, true);
  window.addEventListener("pointermove", start, true);

  const { prototype } = CanvasRenderingContext2D;
  for (const name of ["clearRect", "fill", "fillRect", "fillText", "putImageData", "stroke"]) {
    const original = prototype[name];
    prototype[name] = function (...given) {
      const result = original.apply(this, given);
      if (root?.contains(this.canvas)) {
        drawn = performance.now();
        paints += name === "clearRect";
      }
      return result;
    };
  }

  const elementOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement);
  const within = (records, selector) =>
    records.filter(({ target }) => elementOf(target)?.closest(selector));

  function noticed(records, now) {
    const visible = records.length - within(records, AT_REST).length;
    if (!visible) return;
    if (now - started > DEFERRED_MS && visible === within(records, TERMS).length) {
      rested = now - started;
      return;
    }
    drawn = now;
    dragging?.pictures.push({ at: now, ...picture() });
  }

  /** The numbers bound to the figures and the geometry that is on the screen. */
  function picture() {
    const all = (selector) => [...root.querySelectorAll(selector)];
    const numbers = (selector) => all(selector).map((el) => Number(el.dataset.value));
    return {
      colors: all(CELLS).map(colorOf),
      fills: all(".heatmapcell").map((cell) => cell.style.fill),
      heights: all(".bar").map((bar) => Number(bar.getAttribute("height"))),
      line: root.querySelector("path.line").getAttribute("d"),
      gradients: Object.fromEntries(all("[data-entry]").map((e) => [e.dataset.entry, e.title])),
      sums: numbers("[data-sum]"),
      result: numbers("[data-factor=result] [data-value]")[0],
      paints,
    };
  }

  const CELLS = ".heatmapcell, [data-cell]";
  const colorOf = (cell) => Number(cell.dataset.value ?? cell.__data__?.color);

  const sliderOf = (el) => el.closest(".noUi-target")?.noUiSlider;
  const valueOf = (el) => (sliderOf(el) ? sliderOf(el).get(true) : el.valueAsNumber);

  window.probe = {
    /** Turn to one side: what is below the element with this class, moved by this handle. */
    watch(name, handleSelector) {
      observer?.disconnect();
      root = document.querySelector(`.${name}`);
      handle = root.querySelector(handleSelector);
      observer = new MutationObserver((records) => noticed(records, performance.now()));
      for (const view of root.querySelectorAll(VIEWS)) observer.observe(view, OPTIONS);
      handle.setAttribute("data-lm-suppress-shortcuts", "true");
    },

    /** Wait until C[t, k] has this number in this cell and nothing has changed for a while. */
    async settled(cell, color) {
      const stop = performance.now() + WAIT_MS;
      const arrived = () => Math.abs(colorOf(root.querySelectorAll(CELLS)[cell]) - color) < 1e-9;
      const waits = () => root.querySelector(`${TERMS}[aria-busy=true]`);
      const quiet = () => performance.now() - Math.max(drawn, started) > QUIET_MS;
      while (performance.now() < stop) {
        if (arrived() && !waits() && quiet()) break;
        await new Promise((resolve) => setTimeout(resolve, 7));
      }
      return { latency: drawn - started, rested, picture: picture() };
    },

    value: () => valueOf(handle),

    /** Record every slider step and every picture. */
    startDrag() {
      dragging = { steps: [], pictures: [] };
      sliderOf(handle).on("slide.probe", (_texts, _handle, [value]) =>
        dragging.steps.push({ at: started, value, paints }),
      );
    },

    endDrag() {
      sliderOf(handle).off("slide.probe");
      const recorded = dragging;
      dragging = null;
      return recorded;
    },

    /** Run a cell; milliseconds from the kernel's reply until all of this first stands on a page
     * from which the cell's last output is gone. */
    async firstDraw(cell, counts) {
      const { commands, shell } = window.jupyterapp;
      const notebook = shell.currentWidget;
      const { kernel } = notebook.sessionContext.session;
      const all = () =>
        Object.entries(counts).every(
          ([selector, count]) => document.querySelectorAll(selector).length >= count,
        );
      let replied = 0;
      const listen = (_kernel, { direction, msg }) => {
        if (direction === "recv" && msg.header.msg_type === "execute_reply") {
          replied ||= performance.now();
        }
      };
      notebook.content.model.cells.get(cell).sharedModel.clearOutputs?.();
      notebook.content.widgets[cell].outputArea.model.clear();
      while (document.querySelector(".rw-explorer")) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      notebook.content.activeCellIndex = cell;
      kernel.anyMessage.connect(listen);
      const stop = performance.now() + 30_000;
      void commands.execute("notebook:run-cell");
      while (!(replied && all()) && performance.now() < stop) {
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      kernel.anyMessage.disconnect(listen);
      return performance.now() - replied;
    },

    /** Move a native slider, from end to end of a range, as fast as the page lets it. */
    async moves(selector, count) {
      const slider = document.querySelector(selector);
      for (let i = 0; i < count; i++) {
        slider.value = String(Math.round(150 * Math.sin(i / 30)) / 100);
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise((resolve) => setTimeout(resolve));
      }
    },
  };
})();
