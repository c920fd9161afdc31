/** Coloured numbers that follow the seed: written in place, and of each only what differs. */

import { effect } from "@preact/signals";
import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { allDigits, fitting } from "../format";
import { tint } from "./kit";
import { digitsWide } from "./parameters-numbers";

export const ROOM = 8; // characters of a cell

/** A number, what its colour is measured against, and its name for hovering. */
type Show = (x: number, limit: number, name: string) => void;

/** Keep the elements of a class in a row written, without drawing the row anew: `write` shows their
 * numbers in order, again whenever a signal that it reads has changed. */
export function useFigures(
  row: RefObject<HTMLElement | null>,
  of: string,
  inputs: readonly unknown[],
  write: (show: Show) => void,
): void {
  useLayoutEffect(() => {
    const figures = Array.from(row.current?.getElementsByClassName(of) ?? [], (el) => {
      return new Figure(el as HTMLElement);
    });
    const following = effect(() => {
      let next = 0;
      write((x, limit, name) => figures[next++].show(x, limit, name));
    });
    return () => {
      following();
      for (const figure of figures) figure.remove();
    };
  }, inputs);
}

class Figure {
  private readonly text = document.createTextNode("");
  private readonly written = { digits: 0, sign: "", depth: "" };
  private x: number | undefined;
  private limit: number | undefined;
  private name = "";

  constructor(private readonly el: HTMLElement) {
    el.append(this.text);
    el.onpointerenter = () => {
      el.title = `${this.name} = ${allDigits(this.x ?? Number.NaN)}`;
    };
  }

  show(x: number, limit: number, name: string): void {
    this.name = name;
    if (!Object.is(x, this.x)) this.write(x);
    else if (limit === this.limit) return;
    this.color(x, limit);
    Object.assign(this, { x, limit });
  }

  private write(x: number): void {
    const { el, written } = this;
    el.dataset["value"] = String(x);
    const text = fitting(x, ROOM);
    if (text !== this.text.data) this.text.data = text;
    const digits = digitsWide(text);
    if (digits !== written.digits) el.style.setProperty("--digits", String(digits));
    written.digits = digits;
  }

  private color(x: number, limit: number): void {
    const { el, written } = this;
    const { style, "data-sign": sign } = tint(x, limit);
    const depth = style["--rw-depth"];
    if (sign !== written.sign) el.dataset["sign"] = sign;
    if (depth !== written.depth) el.style.setProperty("--rw-depth", depth);
    Object.assign(written, { sign, depth });
  }

  /** Leave the element as it was drawn. */
  remove(): void {
    this.text.remove();
    this.el.onpointerenter = null;
  }
}
