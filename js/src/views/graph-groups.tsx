/** One transparent element over each group of numbers: its name, its values and its hover text. */

import { useEffect, useMemo, useRef } from "preact/hooks";
import { allDigits, threeDigits } from "../format";
import { isGiven } from "./graph-numbers";
import { columnX, entryAt, type Placed, type Scene, stepsOf } from "./graph-scene";
import type { GraphState } from "./graph-state";
import { groupName, numberName, onOwnScale } from "./graph-words";

const REST_MS = 120;

interface Group {
  readonly row: Placed;
  readonly step: number;
  readonly el: HTMLElement;
}

export function Groups({ state, scene }: { state: GraphState; scene: Scene }) {
  const groups = useRef(new Map<string, Group>());
  const picture = state.picture.value;
  const { veil } = state.lab;
  const write = useMemo(() => {
    const given = (row: Placed) => isGiven(state.picture.peek(), row.id);
    return (row: Placed, x: number, as: (x: number) => string) =>
      given(row) ? as(x) : veil.text(x, as, "graph");
  }, [state, veil]);

  // At rest only: nobody hears or reads numbers while a slider moves.
  useEffect(() => {
    const timer = setTimeout(() => {
      for (const { row, step, el } of groups.current.values()) {
        const numbers = picture.rows.get(row.id)?.columns[step < 0 ? scene.steps : step] ?? null;
        const said = numbers
          ? Array.from(numbers, (x) => write(row, x, threeDigits)).join(", ")
          : "blank";
        el.setAttribute("aria-label", `${groupName(state, picture, row, step)}: ${said}`);
        el.dataset["value"] = numbers
          ? Array.from(numbers, (x) => write(row, x, String)).join(" ")
          : "";
        if (veil.drawn) el.removeAttribute("title"); // until it is pointed at
      }
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [state, scene, picture, veil, write]);

  const elements = useMemo(() => {
    groups.current = new Map();
    const under = (event: PointerEvent, row: Placed, step: number, el: HTMLElement) => {
      const box = el.parentElement?.getBoundingClientRect() ?? el.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      const distance = (i: number) => {
        const [cx, cy] = entryAt(scene, row, step, i);
        return Math.hypot(x - cx, y - cy);
      };
      let nearest = 0;
      for (let i = 1; i < row.size; i++) if (distance(i) < distance(nearest)) nearest = i;
      const shown = state.picture.peek();
      const numbers = shown.rows.get(row.id)?.columns[step < 0 ? scene.steps : step];
      const name = numberName(state, shown, row, step, nearest);
      const most = veil.text(shown.rows.get(row.id)?.limit ?? 0);
      const own = onOwnScale(shown, row) ? `; this row's colours go up to ±${most}` : "";
      el.title = numbers
        ? `${name} = ${write(row, numbers[nearest], allDigits)}${own}`
        : `${name}: blank`;
    };
    return scene.rows.flatMap((row) =>
      stepsOf(scene, row).map((step) => {
        const width = row.kind === "units" ? 2 * scene.radius : row.columns * row.cellWidth;
        const style = {
          left: `${columnX(scene, step) - width / 2}px`,
          top: `${row.y}px`,
          width: `${width}px`,
          height: `${row.height}px`,
        };
        const key = `${row.id} ${step}`;
        return (
          <span
            key={key}
            role="img"
            style={style}
            data-node={row.id}
            data-step={step}
            ref={(el) => {
              if (el) groups.current.set(key, { row, step, el });
              else groups.current.delete(key);
            }}
            onPointerMove={(event) => under(event, row, step, event.currentTarget)}
          />
        );
      }),
    );
  }, [state, scene, veil, write]);
  return <div class="rw-graph-groups">{elements}</div>;
}
