/** A factor as it is multiplied: its symbol over its numbers, as text where there is room, else as
 * coloured tiles. Pointing at a number, or walking to it with the arrow keys, says what it is. */

import { type Signal, useComputed } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { allDigits, commonPower, fitting, powerText, shifted } from "../format";
import { COLOURLESS, HIDDEN, type Veil } from "../veil";
import { type Factor, WHOLE } from "./chain-factors";
import { extent, type Measure } from "./chain-fit";
import { strength, tint } from "./kit";

/** Which number of which factor is pointed at. */
export interface Pointed {
  readonly factor: number;
  readonly row: number;
  readonly column: number;
}

export function numberText(veil: Veil, factor: Factor, row: number, column: number): string {
  const { whole, data, part, columns } = factor;
  const at = row * columns + column;
  const text = `${factor.name(row, column)} = ${veil.text(whole[at], allDigits, quantityOf(factor))}`;
  return part === WHOLE
    ? text
    : `${text}, of which ${part}: ${veil.text(data[at], allDigits, quantityOf(factor))}`;
}

const quantityOf = ({ kind }: Factor) => (kind === "result" ? "contribution" : kind);

interface MatrixProps {
  readonly veil: Veil;
  readonly factor: Factor;
  /** Its place among the factors. */
  readonly at: number;
  readonly symbol: ComponentChildren;
  readonly limit: number;
  readonly measure: Measure;
  readonly theme: string;
  readonly pointed: Signal<Pointed | null>;
}

export function Matrix(props: MatrixProps) {
  const { veil, factor, at, symbol, limit, measure, theme, pointed } = props;
  const { rows, columns, kind, step, split, about } = factor;
  const numbers = useRef<HTMLDivElement>(null);
  const [width, height] = extent(factor, measure);
  const tiles = measure.tiles && kind !== "result";
  const room = kind === "result" ? 9 : measure.width < 48 ? 6 : 7;
  const power = tiles || kind === "result" ? 0 : commonPower(factor.data, room);
  const scale = power ? powerText(power) : `±${veil.text(limit)}`;

  useLayoutEffect(() => {
    // Written again when a number is pointed at.
    if (veil.drawn) numbers.current?.removeAttribute("title");
  });
  const point = (row: number, column: number) => {
    const i = Math.min(Math.max(row, 0), rows - 1);
    const j = Math.min(Math.max(column, 0), columns - 1);
    const now = pointed.peek();
    if (now?.factor !== at || now.row !== i || now.column !== j) {
      pointed.value = { factor: at, row: i, column: j };
    }
    if (numbers.current) numbers.current.title = numberText(veil, factor, i, j);
  };
  const follow = (event: PointerEvent) => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    point(
      Math.floor(((event.clientY - box.top) / box.height) * rows),
      Math.floor(((event.clientX - box.left) / box.width) * columns),
    );
  };
  const press = (event: KeyboardEvent) => {
    const walk = WALKS[event.key];
    if (!walk) return;
    const now = pointed.peek();
    const { row, column } = now?.factor === at ? now : { row: 0, column: 0 };
    point(row + walk[0], column + walk[1]);
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <figure class="rw-chain-factor" data-factor={kind} data-at={step}>
      <figcaption title={about}>
        {symbol}
        <small title={scaleText(power, veil.text(limit, allDigits))}>
          {kind !== "result" && factor.data.some(Boolean) && scale}
        </small>
      </figcaption>
      <Axis counts={split} side="top" />
      <Axis counts={split} side="left" />
      {/* biome-ignore-start lint/a11y/noNoninteractiveTabindex: arrow keys walk through its numbers */}
      {/* biome-ignore-start lint/a11y/useSemanticElements: no form, no fieldset */}
      <div
        ref={numbers}
        class="rw-chain-matrix"
        role="group"
        aria-label={`${about}; ${rows} × ${columns}`}
        tabIndex={0}
        data-lm-suppress-shortcuts="true"
        data-small={measure.width < 42}
        style={{
          "--rw-columns": columns,
          "--rw-rows": rows,
          width: kind === "result" ? undefined : `${width}px`,
          height: kind === "result" ? undefined : `${height}px`,
        }}
        onPointerMove={follow}
        onPointerLeave={() => {
          pointed.value = null;
        }}
        onFocus={() => {
          if (pointed.peek()?.factor !== at) point(0, 0);
        }}
        onBlur={() => {
          pointed.value = null;
        }}
        onKeyDown={press}
      >
        {tiles ? (
          <Tiles veil={veil} factor={factor} limit={limit} theme={theme} />
        ) : (
          <Numbers veil={veil} factor={factor} limit={limit} room={room} power={power} />
        )}
        <Cursor at={at} pointed={pointed} />
      </div>
      {/* biome-ignore-end lint/a11y/noNoninteractiveTabindex: see above */}
      {/* biome-ignore-end lint/a11y/useSemanticElements: see above */}
    </figure>
  );
}

function scaleText(power: number, limit: string): string {
  const colours = `full colour stands for ±${limit}`;
  return power ? `numbers are written ${powerText(power)}; ${colours}` : colours;
}

const WALKS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/** Where h and c lie, above the columns or left of the rows. */
function Axis({ counts, side }: { counts: readonly [number, number]; side: "top" | "left" }) {
  const count = counts[side === "top" ? 1 : 0];
  return (
    <div class={`rw-chain-axis rw-chain-${side}`} aria-hidden="true">
      {count > 0 && <i>h</i>}
      {count > 0 && <i>c</i>}
    </div>
  );
}

function Cursor({ at, pointed }: { at: number; pointed: Signal<Pointed | null> }) {
  const here = useComputed(() => (pointed.value?.factor === at ? pointed.value : null)).value;
  if (!here) return null;
  return <span class="rw-chain-cursor" style={{ "--rw-i": here.row, "--rw-j": here.column }} />;
}

interface NumbersProps {
  readonly veil: Veil;
  readonly factor: Factor;
  readonly limit: number;
  readonly room: number;
  readonly power: number;
}

function Numbers({ veil, factor, limit, room, power }: NumbersProps) {
  return (
    <>
      {Array.from(factor.data, (x, i) =>
        veil.hides(x, quantityOf(factor)) ? (
          <span key={i} class="rw-cell" {...COLOURLESS}>
            {HIDDEN}
          </span>
        ) : (
          <span key={i} class="rw-cell" data-value={x} {...tint(x, limit)}>
            {fitting(shifted(x, power), room)}
          </span>
        ),
      )}
    </>
  );
}

/** One pixel for each number, scaled up: a matrix of hundreds costs no more than one of a few. */
function Tiles(props: { veil: Veil; factor: Factor; limit: number; theme: string }) {
  const { veil, factor, limit, theme } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const { rows, columns, data } = factor;
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!canvas.current || !context) return;
    const { negative, positive } = palette(canvas.current, theme);
    const image = context.createImageData(columns, rows);
    data.forEach((x, i) => {
      const finite = Number.isFinite(x) && !veil.hides(x);
      const [red, green, blue] = finite ? (x < 0 ? negative : positive) : GREY;
      image.data[4 * i] = red;
      image.data[4 * i + 1] = green;
      image.data[4 * i + 2] = blue;
      image.data[4 * i + 3] = finite ? 255 * strength(x, limit) : 160;
    });
    context.putImageData(image, 0, 0);
  });
  return <canvas ref={canvas} width={columns} height={rows} />;
}

type Color = readonly [number, number, number];
const GREY: Color = [128, 128, 128];
const palettes = new Map<string, { readonly negative: Color; readonly positive: Color }>();

/** The colours of the host's theme; looked up once for each. */
function palette(el: HTMLElement, theme: string) {
  let colors = palettes.get(theme);
  if (!colors) {
    const style = getComputedStyle(el);
    const read = (name: string): Color => {
      const hex = style.getPropertyValue(name).trim().slice(1);
      const part = (from: number) => Number.parseInt(hex.slice(from, from + 2), 16) || 0;
      return [part(0), part(2), part(4)];
    };
    colors = { negative: read("--rw-negative"), positive: read("--rw-positive") };
    palettes.set(theme, colors);
  }
  return colors;
}
