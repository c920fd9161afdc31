/** Times what one side of the benchmark draws; run in the page, it makes `window.probe`.
 *
 * The clock starts when a key press or a move of the mouse reaches the page, and stops at the last
 * mutation of the side's figures. */
(() => {
  const QUIET_MS = 150;
  const WAIT_MS = 5000;
  // What the figures' data move; old values are not asked for, since recording them is slow.
  const OPTIONS = {
    subtree: true,
    childList: true,
    characterData: true,
    attributeFilter: ["d", "height", "style", "title", "transform"],
  };

  let root;
  let observer;
  let started = 0;
  let drawn = 0;
  let dragging = null;

  const start = () => {
    started = performance.now();
  };
  window.addEventListener("keydown", start, true);
  window.addEventListener("pointermove", start, true);

  /** The numbers bound to the figures and the geometry that is on the screen. */
  function picture() {
    const all = (selector) => [...root.querySelectorAll(selector)];
    const cells = all(".heatmapcell");
    return {
      colors: cells.map((cell) => cell.__data__.color),
      fills: cells.map((cell) => cell.style.fill),
      heights: all(".bar").map((bar) => Number(bar.getAttribute("height"))),
      line: root.querySelector("path.line").getAttribute("d"),
      gradients: Object.fromEntries(all("[data-entry]").map((e) => [e.dataset.entry, e.title])),
    };
  }

  window.probe = {
    /** Turn to one side: what is below the element with this class. */
    watch(name) {
      observer?.disconnect();
      root = document.querySelector(`.${name}`);
      observer = new MutationObserver(() => {
        drawn = performance.now();
        dragging?.pictures.push({ at: drawn, ...picture() });
      });
      for (const view of root.querySelectorAll(".bqplot.figure, .rw-table")) {
        observer.observe(view, OPTIONS);
      }
      root.querySelector(".noUi-handle").setAttribute("data-lm-suppress-shortcuts", "true");
    },

    /** Wait until the heat map has this number in this cell and nothing has changed for a while. */
    async settled(cell, color) {
      const stop = performance.now() + WAIT_MS;
      const arrived = () =>
        Math.abs(root.querySelectorAll(".heatmapcell")[cell].__data__.color - color) < 1e-9;
      while (performance.now() < stop) {
        if (arrived() && performance.now() - Math.max(drawn, started) > QUIET_MS) break;
        await new Promise((resolve) => setTimeout(resolve, 7));
      }
      return { latency: drawn - started, picture: picture() };
    },

    value() {
      return Number(root.querySelector(".noUi-target").noUiSlider.get(true));
    },

    /** Record every slider step and every picture. */
    startDrag() {
      dragging = { steps: [], pictures: [] };
      root
        .querySelector(".noUi-target")
        .noUiSlider.on("slide.probe", (_texts, _handle, [value]) =>
          dragging.steps.push({ at: started, value }),
        );
    },

    endDrag() {
      root.querySelector(".noUi-target").noUiSlider.off("slide.probe");
      const recorded = dragging;
      dragging = null;
      return recorded;
    },
  };
})();
