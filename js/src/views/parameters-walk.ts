/** The entries of a leaf as one stop of the Tab key: arrow keys walk through them, Enter or F2 leads
 * to an entry's control, Escape back from it. */

import { effect, type Signal, useSignal } from "@preact/signals";
import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type Leaf, positionOf } from "./parameters-leaves";
import { type Host, reset, select, valueText } from "./parameters-numbers";

/** Says so to those who hear it. */
export const HELP =
  "Arrow keys walk through the entries, Enter leads to the slider of one, Escape back, Delete resets it.";

interface Options {
  /** Finds what moves an entry, from its element. */
  readonly control: (cell: HTMLElement) => HTMLElement | null | undefined;
  /** Of what is drawn, where that is not the leaf's own. */
  readonly shape?: Shape;
  /** Whether the elements have names of their own; else one gets its name with the focus. */
  readonly named?: boolean;
}

export interface Walk {
  /** What holds the entries, each an element with `data-at`. */
  readonly grid: RefObject<HTMLDivElement | null>;
  /** The entry that takes the keys. */
  readonly active: Signal<number>;
  readonly onKeyDown: (event: KeyboardEvent) => void;
  readonly onFocusIn: (event: FocusEvent) => void;
  readonly onFocusOut: () => void;
  /** Back to an entry from its control. */
  readonly leave: () => void;
}

export function useWalk(host: Host, leaf: Leaf, options: Options): Walk {
  const { control, shape = leaf, named = false } = options;
  const grid = useRef<HTMLDivElement>(null);
  const active = useSignal(positionOf(leaf, host.lab.selection.peek()) ?? 0);
  const focused = useSignal(false);
  const cell = (at: number) => grid.current?.querySelector<HTMLElement>(`[data-at="${at}"]`);
  const leave = () => cell(active.value)?.focus();

  function onKeyDown(event: KeyboardEvent) {
    const { key, altKey, metaKey } = event;
    const here = cell(active.value);
    if (!here || altKey || metaKey) return;
    const to = walked(shape, active.value, event);
    if (event.target !== here) {
      if (key !== "Escape" && key !== "F2") return;
      leave();
    } else if (to !== null) cell(to)?.focus();
    else if (key === "Enter" || key === "F2" || key === " ") control(here)?.focus();
    else if ((key === "Delete" || key === "Backspace") && leaf.kind !== "made") {
      reset(host, leaf, active.value);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }
  function onFocusIn(event: FocusEvent) {
    const within = (event.target as Element).closest<HTMLElement>("[data-at]");
    if (!within) return;
    active.value = Number(within.dataset["at"]);
    focused.value = event.target === within;
    select(host, leaf, active.value);
  }
  const onFocusOut = () => {
    focused.value = false;
  };

  useLayoutEffect(() => {
    const cells = [...(grid.current as HTMLElement).querySelectorAll<HTMLElement>("[data-at]")];
    cells.sort((a, b) => Number(a.dataset["at"]) - Number(b.dataset["at"]));
    let [stop, chosen] = [cells[0], cells[0]];
    const stopping = effect(() => {
      stop.tabIndex = -1;
      stop = cells[active.value];
      stop.tabIndex = host.current.value === leaf.name ? 0 : -1;
    });
    const selecting = effect(() => {
      const at = positionOf(leaf, host.lab.selection.value);
      chosen.removeAttribute("aria-selected");
      if (at === null) return;
      chosen = cells[at];
      chosen.setAttribute("aria-selected", "true");
      active.value = at;
    });
    const naming = effect(() => {
      if (named || !focused.value) return undefined;
      const here = cells[active.value];
      here.setAttribute("aria-label", valueText(host, leaf, active.value));
      return () => here.removeAttribute("aria-label");
    });
    return () => {
      naming();
      stopping();
      selecting();
      stop.tabIndex = -1;
      chosen.removeAttribute("aria-selected");
    };
  }, [host, leaf, active, focused, named]);

  return { grid, active, onKeyDown, onFocusIn, onFocusOut, leave };
}

interface Shape {
  readonly rows: number;
  readonly columns: number;
}

const PAGE = 8;

/** Where a key leads from one entry; null if nowhere. */
function walked({ rows, columns }: Shape, at: number, { key, ctrlKey }: KeyboardEvent) {
  const row = Math.floor(at / columns);
  const column = at % columns;
  const cell = (r: number, c: number) => Math.min(Math.max(r, 0), rows - 1) * columns + c;
  switch (key) {
    case "ArrowRight":
      return cell(row, Math.min(column + 1, columns - 1));
    case "ArrowLeft":
      return cell(row, Math.max(column - 1, 0));
    case "ArrowDown":
      return cell(row + 1, column);
    case "ArrowUp":
      return cell(row - 1, column);
    case "PageDown":
      return cell(row + PAGE, column);
    case "PageUp":
      return cell(row - PAGE, column);
    case "Home":
      return cell(ctrlKey ? 0 : row, 0);
    case "End":
      return cell(ctrlKey ? rows - 1 : row, columns - 1);
  }
  return null;
}
