/** A leaf's entries in rows and columns: as cards, or, of a large leaf, as cells that one slider serves. */

import { effect, type Signal, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { threeDigits } from "../format";
import { limitOf, tint } from "./kit";
import { Card } from "./parameters-card";
import {
  countOf,
  entryName,
  isIdle,
  type Leaf,
  type Part,
  positionOf,
  rowLabel,
} from "./parameters-leaves";
import { digitsWide, type Host, hoverText, reset, select } from "./parameters-numbers";

const MOST_CARDS = 64;
const CARD_WIDTH = 61;
const LABEL_WIDTH = 30;

/** Whether there is room for a card per entry. */
export function hasRoom(leaf: Leaf, width: number): boolean {
  return countOf(leaf) <= MOST_CARDS && leaf.columns * CARD_WIDTH + LABEL_WIDTH <= width;
}

interface GridProps {
  readonly host: Host;
  readonly leaf: Leaf;
}

export function Cards({ host, leaf }: GridProps) {
  return (
    <div class="rw-grid rw-cards">
      {leaf.parts.map((part) => (
        <PartTable key={part.start} leaf={leaf} part={part}>
          {(at) => (
            <td key={at}>
              <Card host={host} leaf={leaf} at={at} />
            </td>
          )}
        </PartTable>
      ))}
    </div>
  );
}

/** Cells to walk through with the arrow keys, and the slider of the one in focus above them. */
export function Cells({ host, leaf }: GridProps) {
  const grid = useRef<HTMLDivElement>(null);
  const active = useSignal(positionOf(leaf, host.lab.selection.peek()) ?? 0);
  useCells(host, leaf, grid, active);
  const made = leaf.kind === "made";

  function go(at: number, focus = true) {
    active.value = at;
    if (focus) cellAt(grid.current, at)?.focus();
    select(host, leaf, at);
  }
  const toSlider = () =>
    grid.current?.parentElement?.querySelector<HTMLElement>(".rw-slide")?.focus();

  function onKeyDown(event: KeyboardEvent) {
    const to = walked(leaf, active.value, event);
    if (to !== null) go(to);
    else if (event.key === "Enter" || event.key === " ") toSlider();
    else if (event.key === "Delete" || event.key === "Backspace") reset(host, leaf, active.value);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
  const onPointerOver = (event: PointerEvent) => {
    const cell = (event.target as Element).closest<HTMLElement>("td[data-at]");
    if (cell) cell.title = hoverText(host, leaf, Number(cell.dataset["at"]));
  };
  const cell = (at: number) =>
    made ? (
      <td key={at} class="rw-cell" data-at={at} data-entry={entryName(leaf, at)} />
    ) : (
      <td
        key={at}
        class="rw-cell"
        tabIndex={-1}
        data-at={at}
        data-entry={entryName(leaf, at)}
        data-lm-suppress-shortcuts="true"
        onFocus={() => go(at, false)}
        onDblClick={toSlider}
      />
    );

  return (
    <>
      {!made && (
        <div class="rw-served">
          <Served host={host} leaf={leaf} active={active} onLeave={() => go(active.value)} />
        </div>
      )}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the cells inside take the focus */}
      <div
        ref={grid}
        class="rw-grid rw-cells"
        {...(made && { tabIndex: 0, role: "group", "aria-label": "seeds that the loss makes" })}
        onKeyDown={made ? undefined : onKeyDown}
        onPointerOver={onPointerOver}
      >
        {leaf.parts.map((part) => (
          <PartTable key={part.start} leaf={leaf} part={part} grid={!made}>
            {cell}
          </PartTable>
        ))}
      </div>
    </>
  );
}

/** The slider of the cell in focus. */
function Served(props: GridProps & { active: Signal<number>; onLeave: () => void }) {
  const { host, leaf, active, onLeave } = props;
  const at = active.value;
  return (
    <>
      <code>{entryName(leaf, at)}</code>
      <Card key={at} host={host} leaf={leaf} at={at} onLeave={onLeave} />
    </>
  );
}

function PartTable(props: {
  leaf: Leaf;
  part: Part;
  grid?: boolean;
  children: (at: number) => ComponentChildren;
}) {
  const { leaf, part, grid = false, children } = props;
  const columns = [...Array(leaf.columns).keys()];
  const rows = Array.from({ length: part.rows }, (_, i) => part.start + i);
  const { gate, words } = part;
  const label = gate ? `${leaf.name}, ${words} ${gate}` : leaf.name;
  return (
    <table class="rw-part" aria-label={label} {...(grid && { role: "grid" })}>
      {gate && (
        <caption title={`${words} ${gate}`}>
          <i>{gate}</i> {leaf.columns > 1 && words}
        </caption>
      )}
      {leaf.columns > 1 && (
        <thead>
          <tr>
            <td />
            {columns.map((column) => (
              <th key={column} scope="col" title={`column ${column}`}>
                {column}
              </th>
            ))}
          </tr>
        </thead>
      )}
      <tbody>
        {rows.map((row) => {
          const { text, title } = rowLabel(leaf, row);
          return (
            <tr key={row} data-idle={isIdle(leaf, row) || undefined}>
              {text ? (
                <th scope="row" title={title}>
                  {text}
                </th>
              ) : (
                <td />
              )}
              {columns.map((column) => children(row * leaf.columns + column))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function cellAt(grid: HTMLElement | null, at: number): HTMLElement | null | undefined {
  return grid?.querySelector<HTMLElement>(`[data-at="${at}"]`);
}

/** Where a key leads from one cell; null if nowhere. */
export function walked(leaf: Leaf, at: number, { key, ctrlKey }: KeyboardEvent): number | null {
  const { rows, columns } = leaf;
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
      return cell(row + 8, column);
    case "PageUp":
      return cell(row - 8, column);
    case "Home":
      return cell(ctrlKey ? 0 : row, 0);
    case "End":
      return cell(ctrlKey ? rows - 1 : row, columns - 1);
  }
  return null;
}

/** Write the cells' numbers and colours where they differ, and mark the ones in focus. */
function useCells(
  host: Host,
  leaf: Leaf,
  grid: { readonly current: HTMLElement | null },
  active: Signal<number>,
): void {
  useLayoutEffect(() => {
    const cells = [...(grid.current as HTMLElement).querySelectorAll<HTMLElement>("[data-at]")];
    const made = leaf.kind === "made";
    cells.sort((a, b) => Number(a.dataset["at"]) - Number(b.dataset["at"]));
    const shown: (number | undefined)[] = cells.map(() => undefined);
    let limit = 0;
    const numbers = effect(() => {
      const values = host.shown(leaf)?.values;
      if (!values) return;
      const scale = rounded(limitOf(values));
      const rescaled = scale !== limit;
      limit = scale;
      for (const [at, cell] of cells.entries()) {
        if (!rescaled && Object.is(values[at], shown[at])) continue;
        shown[at] = values[at];
        write(cell, values[at], limit, made);
      }
    });
    let [stop, chosen] = [cells[0], cells[0]];
    const focus = effect(() => {
      stop.tabIndex = -1;
      stop = cells[active.value];
      stop.tabIndex = made ? -1 : 0;
    });
    const selection = effect(() => {
      const at = positionOf(leaf, host.lab.selection.value);
      chosen.removeAttribute("aria-selected");
      if (at === null) return;
      chosen = cells[at];
      chosen.setAttribute("aria-selected", "true");
      active.value = at;
    });
    return () => {
      numbers();
      focus();
      selection();
      stop.tabIndex = -1;
      chosen.removeAttribute("aria-selected");
    };
  }, [host, leaf, active]);
}

/** A round number above a limit: colours stay while numbers move below it. */
function rounded(limit: number): number {
  const power = 10 ** Math.floor(Math.log10(limit));
  return ([1, 1.5, 2, 3, 5, 7].find((n) => limit <= n * power) ?? 10) * power;
}

function write(cell: HTMLElement, value: number, limit: number, made: boolean): void {
  const text = threeDigits(value);
  const short = shortText(value, text);
  const { style, ...attributes } = tint(value, limit);
  cell.textContent = short;
  cell.dataset["sign"] = attributes["data-sign"];
  cell.dataset["value"] = String(value);
  cell.style.setProperty("--digits", String(digitsWide(short)));
  cell.style.setProperty("--rw-depth", style["--rw-depth"]);
  if (!made) cell.setAttribute("aria-label", `${cell.dataset["entry"]}: ${text}`);
}

/** Cells are small: .142 stands for 0.142, 7e−5 for 7.37e−5. */
function shortText(value: number, text: string): string {
  if (text.includes("e")) return value.toExponential(0).replace("e+", "e").replaceAll("-", "−");
  return text.replace(/^(−?)0\./, "$1.");
}
