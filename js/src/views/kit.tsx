/** What the views share: a panel with its sentence, numbers in cells, colours and their scale. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { allDigits, threeDigits } from "../format";
import type { LiveLab } from "../live";

/** An id that no other element of the page has; Preact's own are unique within one view only. */
export function useUniqueId(): string {
  return useState(() => `rw-${Math.random().toString(36).slice(2)}`)[0];
}

interface PanelProps {
  /** The panel's own class and the name under which tests find it. */
  readonly name: string;
  readonly title: ComponentChildren;
  /** One sentence: what is to be seen, and what its signs mean. */
  readonly say: ComponentChildren;
  /** Controls at the end of the title's line. */
  readonly tools?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function Panel({ name, title, say, tools, children }: PanelProps) {
  const id = useUniqueId();
  return (
    // What is clicked beside its controls has the focus: keys such as Ctrl+Z go to the panel.
    <section class={`rw-panel rw-${name}`} data-panel={name} aria-labelledby={id} tabIndex={-1}>
      <header>
        <h3 id={id}>{title}</h3>
        {tools && <div class="rw-tools">{tools}</div>}
      </header>
      <p class="rw-say">{say}</p>
      {children}
    </section>
  );
}

/** Says when the kernel has gone. */
export function KernelNotice({ lab }: { lab: LiveLab }) {
  if (lab.kernel.state.value !== "gone") return null;
  return (
    <p class="rw-notice">
      The kernel has stopped or restarted: the page works on, but Python does not follow until the
      cell is run again.
    </p>
  );
}

/** The largest absolute value that is finite; 1 if there is none but zero. */
export function limitOf(numbers: Iterable<number>): number {
  let largest = 0;
  for (const x of numbers) if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
  return largest || 1;
}

/** How a number's size becomes a depth of colour or a width: in proportion, or by its decade. */
export type Scale = "linear" | "log";

const DECADES = 6; // below a millionth of the largest nothing is coloured

/** Size against the largest, 0 to 1. */
export function strength(x: number, limit: number, scale: Scale = "linear"): number {
  const part = Math.min(1, Math.abs(x) / limit);
  if (!(part > 0)) return 0; // not a number, too
  return scale === "linear" ? part : Math.max(0, 1 + Math.log10(part) / DECADES);
}

/** What makes a cell blue or orange: spread over the element's props. */
export function tint(x: number, limit: number, scale: Scale = "linear") {
  const depth = strength(x, limit, scale);
  const sign = Number.isFinite(x) ? Math.sign(x) : Number.NaN;
  return {
    "data-sign": sign > 0 ? "+" : sign < 0 ? "−" : sign === 0 ? "0" : "nan",
    style: { "--rw-depth": `${Math.round(100 * depth)}%` },
  };
}

/** A coloured number, three digits wide, all of them on hover. */
export function Value(props: { x: number; limit: number; scale?: Scale; name: string }) {
  const { x, limit, scale, name } = props;
  return (
    <span class="rw-cell" title={`${name} = ${allDigits(x)}`} {...tint(x, limit, scale)}>
      {threeDigits(x)}
    </span>
  );
}

/** What the colours of numbers up to `most` in size look like; of a norm, which is never negative,
 * only one side. */
export function Ramp(props: { most: string; least?: string; norm?: boolean }) {
  const { most, least = "0", norm = false } = props;
  return (
    <>
      {!norm && (
        <>
          <span class="rw-ramp-end">−{most}</span>
          <span class="rw-ramp" data-ramp="−" />
        </>
      )}
      <span>{least}</span>
      <span class="rw-ramp" data-ramp="+" />
      <span class="rw-ramp-end rw-ramp-most">{most}</span>
    </>
  );
}
