/** The drawing: a canvas, and over it one element per group of numbers for hover, tests and speech. */

import { effect } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Groups } from "./graph-groups";
import { edgeTitle } from "./graph-hover";
import { litBy } from "./graph-lit";
import { Painter, type Palette, readPalette } from "./graph-paint";
import { Ruler } from "./graph-ruler";
import { GUTTER, makeScene, type Scene, stepAt } from "./graph-scene";
import type { GraphState, Lens } from "./graph-state";
import { rowName } from "./graph-words";

/** The width of an element, 0 until it is shown. */
export function useWidth(ref: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const el = ref.current as HTMLElement;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    observer.observe(el);
    return () => observer.disconnect();
  }, [ref]);
  return width;
}

/** The host's colours, again whenever its theme changes. */
function usePalette(ref: { readonly current: HTMLElement | null }): Palette | null {
  const [palette, setPalette] = useState<Palette | null>(null);
  useLayoutEffect(() => {
    const read = () => setPalette(readPalette(ref.current as HTMLElement));
    read();
    const observer = new MutationObserver(read);
    observer.observe(document.body, { attributeFilter: ["data-jp-theme-light", "class"] });
    return () => observer.disconnect();
  }, [ref]);
  return palette;
}

export function Stage({ state, width }: { state: GraphState; width: number }) {
  const program = state.program.value;
  const block = state.block.value;
  const scene = useMemo(() => makeScene(program, block, width), [program, block, width]);
  const select = (event: MouseEvent) => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const step = stepAt(scene, event.clientX - box.left);
    if (step === null) return;
    const { t, k } = state.focus.peek();
    // Of a step without loss there is no contribution: it can only be a source.
    const source = event.shiftKey || !program.lossSteps.includes(step);
    state.lab.selectCell(source ? t : step, source ? step : k);
  };
  const stage = useRef<HTMLDivElement>(null);
  const veiled = state.lab.veil.drawn;
  useLayoutEffect(() => {
    if (veiled) stage.current?.removeAttribute("title"); // written again when it is pointed at
  }, [veiled]);
  const name = (event: PointerEvent) => {
    const el = event.currentTarget as HTMLElement;
    if (event.target !== el.firstElementChild) return;
    const box = el.getBoundingClientRect();
    el.title = edgeTitle(state, scene, event.clientX - box.left, event.clientY - box.top);
  };
  const size = { width: `${scene.width}px`, height: `${scene.height}px` };
  return (
    <>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a larger target for the mouse alone */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the ruler under it is for the keyboard */}
      <div ref={stage} class="rw-graph-stage" style={size} onClick={select} onPointerMove={name}>
        <Drawing state={state} scene={scene} />
        <RowNames state={state} scene={scene} />
        <Groups state={state} scene={scene} />
      </div>
      <Ruler state={state} scene={scene} />
    </>
  );
}

const FIGURES: Readonly<Record<Lens, readonly [text: string, title: string]>> = {
  values: ["norm", "Euclidean norm of the state at each step"],
  adjoints: ["norm", "Euclidean norm of the adjoints above, at each step"],
  flow: [
    "Σ shares",
    "sum of the shares of each step: C[t, k] itself, as long as one layer carries it all",
  ],
};

function RowNames({ state, scene }: { state: GraphState; scene: Scene }) {
  const picture = state.picture.value;
  const { lens } = picture;
  return (
    <>
      {scene.rows.map((row) => {
        const { id, y, height } = row;
        const [text, title] = id === "figure" ? FIGURES[lens] : rowName(state, picture, row);
        return (
          <span
            key={id}
            class="rw-graph-name"
            title={title}
            data-row={id}
            style={{ top: `${y + height / 2 - 9}px`, width: `${GUTTER}px` }}
          >
            {text}
          </span>
        );
      })}
    </>
  );
}

/** Painted as soon as the numbers change and before other views are: what they change would have to
 * be styled first, for the canvas to write its text. */
function Drawing({ state, scene }: { state: GraphState; scene: Scene }) {
  const ref = useRef<HTMLCanvasElement>(null);
  const palette = usePalette(ref);
  const ratio = useRatio();
  useLayoutEffect(() => {
    const canvas = ref.current as HTMLCanvasElement;
    canvas.width = Math.ceil(scene.width * ratio);
    canvas.height = Math.ceil(scene.height * ratio);
    const ctx = canvas.getContext("2d");
    // Once: each time that a font is set, the browser brings the page's style up to date.
    if (ctx && palette) ctx.font = `10px ${palette.family}`;
    const [program, block] = [state.program.peek(), state.block.peek()];
    return effect(() => {
      const drawn = state.program.value === program && state.block.value === block;
      if (!ctx || !palette || !drawn) return; // else another scene is to come
      const picture = state.picture.value;
      ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
      const lit = litBy(state, picture, scene.steps);
      canvas.dataset["pointed"] = lit.pointed.length ? state.lab.pointed.value : "";
      new Painter(
        ctx,
        scene,
        picture,
        state.scale.value,
        palette,
        lit,
        state.lab.veil.hides,
      ).paint();
    });
  }, [state, scene, palette, ratio]);
  const size = { width: `${scene.width}px`, height: `${scene.height}px` };
  return <canvas ref={ref} style={size} />;
}

/** Device pixels per pixel, as the page is zoomed or moved to another screen. */
function useRatio(): number {
  const [ratio, setRatio] = useState(() => window.devicePixelRatio || 1);
  useEffect(() => {
    const query = window.matchMedia(`(resolution: ${ratio}dppx)`);
    const change = () => setRatio(window.devicePixelRatio || 1);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, [ratio]);
  return ratio;
}
