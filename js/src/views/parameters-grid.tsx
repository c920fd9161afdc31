/** A leaf's entries in rows and columns: as cards, or, of a large leaf, as cells that one slider serves. */

import { effect, type Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { fitting, threeDigits } from "../format";
import { COLOURLESS, HIDDEN } from "../veil";
import { limitOf, tint } from "./kit";
import { Card } from "./parameters-card";
import { countOf, entryName, isIdle, type Leaf, type Part, rowLabel } from "./parameters-leaves";
import { digitsWide, type Host, hoverText } from "./parameters-numbers";
import { useWalk } from "./parameters-walk";

const MOST_CARDS = 64;
const CARD_WIDTH = 61;
const LABEL_WIDTH = 30;
const ROOM = 6; // characters of a cell
const MOST_BESIDE = 4; // columns that never have to scroll

/** Whether there is room for a card per entry. */
export function hasRoom(leaf: Leaf, width: number): boolean {
  return countOf(leaf) <= MOST_CARDS && leaf.columns * CARD_WIDTH + LABEL_WIDTH <= width;
}

interface GridProps {
  readonly host: Host;
  readonly leaf: Leaf;
}

export function Cards({ host, leaf }: GridProps) {
  const { grid, onKeyDown, onFocusIn, onFocusOut } = useWalk(host, leaf, { control: sliderIn });
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the cells inside take the focus
    <div
      ref={grid}
      class="rw-grid rw-cards"
      tabIndex={-1} // else it would be a stop of its own wherever it scrolls
      onKeyDown={onKeyDown}
      onFocusIn={onFocusIn}
      onFocusOut={onFocusOut}
    >
      {leaf.parts.map((part) => (
        <PartTable key={part.start} host={host} leaf={leaf} part={part}>
          {(at) => (
            <td key={at} tabIndex={-1} data-at={at} data-lm-suppress-shortcuts="true">
              <Card host={host} leaf={leaf} at={at} />
            </td>
          )}
        </PartTable>
      ))}
    </div>
  );
}

const sliderIn = (element: Element | null | undefined) =>
  element?.querySelector<HTMLElement>(".rw-slide");

/** Cells, and the slider of the one in focus above them. */
export function Cells({ host, leaf }: GridProps) {
  const body = useRef<HTMLDivElement>(null);
  const slider = () => sliderIn(body.current);
  const { grid, active, ...walk } = useWalk(host, leaf, { control: slider, named: true });
  useNumbers(host, leaf, grid);
  const made = leaf.kind === "made";
  const onPointerOver = (event: PointerEvent) => {
    const cell = (event.target as Element).closest<HTMLElement>("td[data-at]");
    if (cell) cell.title = hoverText(host, leaf, Number(cell.dataset["at"]));
  };

  return (
    <div ref={body}>
      {!made && (
        <div class="rw-served">
          <Served host={host} leaf={leaf} active={active} onLeave={walk.leave} />
        </div>
      )}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the cells inside take the focus */}
      <div
        ref={grid}
        class="rw-grid rw-cells"
        tabIndex={-1}
        onKeyDown={walk.onKeyDown}
        onFocusIn={walk.onFocusIn}
        onPointerOver={onPointerOver}
      >
        {leaf.parts.map((part) => (
          <PartTable key={part.start} host={host} leaf={leaf} part={part}>
            {(at) => (
              <td
                key={at}
                class="rw-cell"
                tabIndex={-1}
                data-at={at}
                data-entry={entryName(leaf, at)}
                data-lm-suppress-shortcuts="true"
                onDblClick={() => slider()?.focus()}
              />
            )}
          </PartTable>
        ))}
      </div>
    </div>
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
  host: Host;
  leaf: Leaf;
  part: Part;
  children: (at: number) => ComponentChildren;
}) {
  const { host, leaf, part, children } = props;
  const columns = [...Array(leaf.columns).keys()];
  const rows = Array.from({ length: part.rows }, (_, i) => part.start + i);
  const { gate, words } = part;
  const label = gate ? `${leaf.name}, ${words} ${gate}` : leaf.name;
  return (
    <table
      class="rw-part"
      data-wide={leaf.columns > MOST_BESIDE || undefined}
      // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: its cells take the keys
      role="grid"
      aria-label={label}
      aria-describedby={host.help}
      aria-readonly={leaf.kind === "made" || undefined}
    >
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

/** Write the cells' numbers and colours where they differ. */
function useNumbers(host: Host, leaf: Leaf, grid: { readonly current: HTMLElement | null }): void {
  useLayoutEffect(() => {
    const cells = [...(grid.current as HTMLElement).querySelectorAll<HTMLElement>("[data-at]")];
    cells.sort((a, b) => Number(a.dataset["at"]) - Number(b.dataset["at"]));
    const shown: (number | undefined)[] = cells.map(() => undefined);
    let limit = 0;
    return effect(() => {
      const values = host.shown(leaf)?.values;
      if (!values) return;
      const scale = rounded(limitOf(values));
      const rescaled = scale !== limit;
      limit = scale;
      if (host.lab.veil.drawn) for (const cell of cells) cell.removeAttribute("title");
      const hides = leaf.kind === "made" ? host.lab.veil.hides : null;
      for (const [at, cell] of cells.entries()) {
        const hidden = hides?.(values[at]) ?? false;
        const seen = hidden ? undefined : values[at];
        if (!rescaled && !hidden && Object.is(seen, shown[at])) continue;
        shown[at] = seen;
        write(cell, values[at], limit, hidden);
      }
    });
  }, [host, leaf, grid]);
}

/** A round number above a limit: colours stay while numbers move below it. */
function rounded(limit: number): number {
  const power = 10 ** Math.floor(Math.log10(limit));
  return ([1, 1.5, 2, 3, 5, 7].find((n) => limit <= n * power) ?? 10) * power;
}

function write(cell: HTMLElement, value: number, limit: number, hidden: boolean): void {
  const text = hidden ? HIDDEN : threeDigits(value);
  const short = hidden ? HIDDEN : fitting(value, ROOM);
  const { style, ...attributes } = tint(hidden ? 0 : value, limit);
  cell.textContent = short;
  cell.dataset["sign"] = (hidden ? COLOURLESS : attributes)["data-sign"];
  cell.dataset["value"] = hidden ? HIDDEN : String(value);
  cell.style.setProperty("--digits", String(digitsWide(short)));
  cell.style.setProperty("--rw-depth", style["--rw-depth"]);
  cell.setAttribute("aria-label", `${cell.dataset["entry"]}: ${text}`);
}
