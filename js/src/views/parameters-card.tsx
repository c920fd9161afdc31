/** An entry as a card: its number, a slider, and the gradient under it. */

import { effect } from "@preact/signals";
import type { RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { threeDigits } from "../format";
import { entryName, type Leaf } from "./parameters-leaves";
import {
  digitsWide,
  type Host,
  hoverText,
  keyed,
  moveTo,
  onGrid,
  reset,
  select,
  slopeOf,
  slopeText,
  stepOf,
} from "./parameters-numbers";
import { TypedNumber } from "./typed";

interface CardProps {
  readonly host: Host;
  readonly leaf: Leaf;
  readonly at: number;
  /** Leave the slider for the cells it serves. */
  readonly onLeave?: () => void;
}

export function Card({ host, leaf, at, onLeave }: CardProps) {
  const { lab, ranges } = host;
  const entry = entryName(leaf, at);
  const card = useRef<HTMLDivElement>(null);
  const slider = useRef<HTMLInputElement>(null);
  const [typing, setTyping] = useState(false);
  usePainted(host, leaf, at, card);

  const number = () => lab.network.values[leaf.name][at];
  const range = () => ranges.of(entry, number());
  const back = () => {
    setTyping(false);
    slider.current?.focus();
  };
  const choose = () => select(host, leaf, at);

  function onKeyDown(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    const to = keyed(key, number(), range());
    if (to !== null) moveTo(host, leaf, at, to);
    else if (key === "Delete" || key === "Backspace") reset(host, leaf, at);
    else if (key === "Enter") setTyping(true);
    else if (key === "Escape" && onLeave) onLeave();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  return (
    <div
      ref={card}
      class="rw-card"
      data-entry={entry}
      onFocusIn={choose}
      onPointerDown={choose}
      onPointerEnter={(event) => {
        event.currentTarget.title = hoverText(host, leaf, at);
      }}
    >
      <button
        type="button"
        class="rw-number"
        tabIndex={-1}
        aria-label={`type a number for ${entry}`}
        hidden={typing}
        onClick={() => setTyping(true)}
      />
      {typing && (
        <TypedNumber
          name={entry}
          value={number()}
          take={(value) => {
            ranges.forget(entry);
            moveTo(host, leaf, at, value);
          }}
          leave={() => setTyping(false)}
          back={back}
        />
      )}
      <input
        ref={slider}
        type="range"
        class="rw-slide"
        step="any"
        tabIndex={-1}
        aria-label={entry}
        data-lm-suppress-shortcuts="true"
        onInput={(event) => {
          const step = stepOf(range());
          moveTo(host, leaf, at, onGrid(event.currentTarget.valueAsNumber, step));
        }}
        onKeyDown={onKeyDown}
        onDblClick={() => reset(host, leaf, at)}
      />
      <span class="rw-slope" />
    </div>
  );
}

/** Write the card's numbers whenever they change, without drawing the card anew. */
function usePainted(
  host: Host,
  leaf: Leaf,
  at: number,
  card: RefObject<HTMLDivElement | null>,
): void {
  useLayoutEffect(() => {
    const { lab, ranges } = host;
    const el = card.current as HTMLDivElement;
    const entry = entryName(leaf, at);
    const [number, slider, slope] = ["rw-number", "rw-slide", "rw-slope"].map(
      (part) => el.getElementsByClassName(part)[0] as HTMLElement,
    );
    const painter = new Painter(el, new Line(number), slider as HTMLInputElement, new Line(slope));
    const following = effect(() => {
      const shown = host.shown(leaf);
      if (!shown) return;
      const value = shown.values[at];
      painter.show(value, ranges.of(entry, value));
      const steep = shown.slopes?.[at];
      if (steep !== undefined)
        painter.slope(steep, lab.veil.hides(steep, slopeOf(leaf)), () =>
          slopeText(host, leaf, at, steep),
        );
    });
    const focusing = effect(() => {
      el.toggleAttribute("data-selected", lab.selection.value === entry);
    });
    return () => {
      following();
      focusing();
      for (const painted of [number, slope]) painted.replaceChildren();
    };
  }, [host, leaf, at]);
}

/** A text in an element, in smaller letters the longer it is. */
class Line {
  private readonly node: Text;
  private wide = 0;
  text = "";

  constructor(private readonly el: HTMLElement) {
    this.node = el.appendChild(document.createTextNode(""));
  }

  write(text: string): void {
    if (text === this.text) return;
    this.text = text;
    this.node.data = text;
    const wide = Math.max(6, Math.ceil(2 * digitsWide(text)) / 2);
    if (wide !== this.wide) this.el.style.setProperty("--digits", String(wide));
    this.wide = wide;
  }
}

/** Writes only what differs. */
class Painter {
  private value: number | undefined;
  private steep: number | undefined;
  private hidden = false;
  private low = Number.NaN;
  private high = Number.NaN;
  private spoken = "";

  constructor(
    private readonly card: HTMLElement,
    private readonly number: Line,
    private readonly slider: HTMLInputElement,
    private readonly under: Line,
  ) {}

  show(value: number, [low, high]: readonly [number, number]): void {
    const { card, slider } = this;
    const reaches = low === this.low && high === this.high;
    if (reaches && Object.is(value, this.value)) return;
    if (!reaches) {
      slider.min = String(low);
      slider.max = String(high);
      card.style.setProperty("--zero", String(share(0, low, high)));
    }
    slider.value = String(Number.isFinite(value) ? value : 0);
    card.style.setProperty("--at", String(share(value, low, high)));
    card.dataset["value"] = String(value);
    card.dataset["side"] = value > 0 ? "+" : value < 0 ? "−" : "0";
    this.number.write(threeDigits(value));
    Object.assign(this, { value, low, high });
    this.speak();
  }

  slope(steep: number, hidden: boolean, text: () => string): void {
    if (Object.is(steep, this.steep) && hidden === this.hidden) return;
    Object.assign(this, { steep, hidden });
    this.card.removeAttribute("title"); // written again when it is pointed at
    this.under.write(text());
    this.speak();
  }

  private speak(): void {
    const under = this.under.text.replace("∂", "gradient");
    const spoken = `${this.number.text}, ${under}`;
    if (spoken !== this.spoken) this.slider.setAttribute("aria-valuetext", spoken);
    this.spoken = spoken;
  }
}

/** Where a value stands in a range, 0 to 1. */
function share(value: number, low: number, high: number): number {
  const part = (value - low) / (high - low);
  return Number.isFinite(part) ? Math.min(1, Math.max(0, part)) : 0;
}
