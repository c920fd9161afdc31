/** The rows of a ledger: a name, the object behind it, and how the two stand. */

import { computed, signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { allDigits, threeDigits } from "../format";
import { limitOf, tint } from "./kit";

export interface LedgerRow {
  readonly name: string;
  /** What other frameworks call it. */
  readonly also: readonly string[];
  readonly shape: readonly number[];
  /** Of hover text, such as "float32". */
  readonly dtype: string;
  /** Counted from 1; 0 for none. */
  readonly object: number;
  /** What the object is, if more is known than its number. */
  readonly what: string;
  readonly version: string;
  /** Null where there is no gradient. */
  readonly norm: { readonly text: string; readonly title: string } | null;
  readonly state: string;
  readonly standing: Standing;
  /** Null where there are too many numbers, or none. */
  readonly gradient: readonly number[] | null;
}

/** As recorded; not as recorded; no object or no gradient that could be either. */
export type Standing = "current" | "changed" | "none";

/** The name that a reader points at: with the mouse, by the keyboard's focus, or pinned by a click. */
export class Pointing {
  readonly hovered = signal("");
  readonly focused = signal("");
  readonly pinned = signal("");
  readonly name = computed(() => this.hovered.value || this.focused.value || this.pinned.value);

  /** Pin a name, or let go of it. */
  pin(name: string): void {
    this.pinned.value = this.pinned.value === name ? "" : name;
    this.focused.value = "";
  }
}

/** The names that are lit while one is pointed at: all of the same object. */
export function litNames(
  rows: readonly Pick<LedgerRow, "name" | "object">[],
  name: string,
): string[] {
  const row = rows.find((one) => one.name === name);
  if (!row) return [];
  return rows
    .filter((one) => one === row || (row.object > 0 && one.object === row.object))
    .map((one) => one.name);
}

interface TableProps {
  readonly rows: readonly LedgerRow[];
  readonly pointing: Pointing;
  readonly caption: string;
}

export function LedgerTable({ rows, pointing, caption }: TableProps) {
  const [stop, setStop] = useState(0);
  const lit = litNames(rows, pointing.name.value);
  const also = rows.some((row) => row.also.length);
  const numbers = rows.some((row) => row.gradient);
  const walk = (event: KeyboardEvent, at: number) => {
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const table = (event.currentTarget as HTMLElement).closest("table") as HTMLElement;
    const names = table.querySelectorAll<HTMLElement>("th > button");
    names[Math.max(0, Math.min(to, rows.length - 1))].focus();
  };
  return (
    <div class="rw-ledger-rows">
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            <th scope="col">gradient of</th>
            {also && <th scope="col">also called</th>}
            <th scope="col">object</th>
            <th scope="col">shape</th>
            <th scope="col">version</th>
            <th scope="col">norm</th>
            {numbers && <th scope="col">gradient</th>}
            <th scope="col">state</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr
              key={row.name}
              data-name={row.name}
              data-lit={lit.includes(row.name)}
              data-standing={row.standing}
              onPointerEnter={() => {
                pointing.hovered.value = row.name;
              }}
              onPointerLeave={() => {
                pointing.hovered.value = "";
              }}
            >
              <th scope="row">
                <button
                  type="button"
                  data-lm-suppress-shortcuts="true"
                  tabIndex={i === Math.min(stop, rows.length - 1) ? 0 : -1}
                  aria-pressed={pointing.pinned.value === row.name}
                  title="click to keep it lit; arrow keys walk along the names"
                  onKeyDown={(event) => walk(event, i)}
                  onFocus={() => {
                    setStop(i);
                    pointing.focused.value = row.name;
                  }}
                  onBlur={() => {
                    pointing.focused.value = "";
                  }}
                  onClick={() => pointing.pin(row.name)}
                >
                  {row.name}
                </button>
              </th>
              {also && (
                <td class="rw-ledger-also">
                  {row.also.map((alias) => (
                    <div key={alias}>{alias}</div>
                  ))}
                </td>
              )}
              <td>
                {row.object ? <b class="rw-ledger-object">object {row.object}</b> : "—"}
                {row.what && <div class="rw-ledger-what">{row.what}</div>}
              </td>
              <td title={row.dtype}>{row.shape.length ? row.shape.join(" × ") : "one number"}</td>
              <td>{row.version}</td>
              <td class="rw-cell" title={row.norm?.title}>
                {row.norm?.text ?? "—"}
              </td>
              {numbers && <td>{row.gradient && <Numbers row={row} numbers={row.gradient} />}</td>}
              <td class="rw-ledger-state">
                <span aria-hidden="true">{MARKS[row.standing]} </span>
                {row.state}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const MARKS: Readonly<Record<Standing, string>> = { current: "✓", changed: "≠", none: "∅" };

function Numbers({ row, numbers }: { row: LedgerRow; numbers: readonly number[] }) {
  const columns = row.shape[row.shape.length - 1] ?? 1;
  const limit = limitOf(numbers);
  return (
    <div class="rw-ledger-numbers" style={{ "--rw-columns": `${columns}` }}>
      {numbers.map((x, i) => {
        const index = indexOf(row.shape, i);
        const name = `∂y/∂${row.name}${index}`;
        return (
          <span key={index} class="rw-cell" title={`${name} = ${allDigits(x)}`} {...tint(x, limit)}>
            {threeDigits(x)}
          </span>
        );
      })}
    </div>
  );
}

/** "[1,2]" for a row-major position. */
export function indexOf(shape: readonly number[], at: number): string {
  const index: number[] = [];
  let rest = at;
  for (const size of [...shape].reverse()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index.length ? `[${index.join(",")}]` : "";
}
