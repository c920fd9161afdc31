/** How numbers are written. */

import { subscript } from "./engine/labels";

/** Four significant digits, as Python's format "{:.4g}" has them. */
export function shortNumber(x: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (Object.is(x, -0)) return "-0";
  const [mantissa, exponent] = rounded(x).split("e");
  const power = Number(exponent);
  if (power < -4 || power >= 4) {
    const digits = String(Math.abs(power)).padStart(2, "0");
    return `${trimmed(mantissa)}e${power < 0 ? "-" : "+"}${digits}`;
  }
  return trimmed(Number(`${mantissa}e${power}`).toFixed(3 - power));
}

/** Four significant digits. Python takes ties to the even digit, JavaScript away from zero. */
function rounded(x: number): string {
  const [, even, exponent] = /^(-?\d\.\d\d[02468])50*(e.*)$/.exec(x.toExponential(60)) ?? [];
  return even ? even + exponent : x.toExponential(3);
}

function trimmed(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** Three significant digits for people, as all panels write them: a true minus sign, a digit before
 * the point, 1.00e−5 in place of 0.0000100, 0 for zero. */
export function threeDigits(x: number): string {
  return significant(x, 3);
}

/** The same with so many digits; whole numbers below 100000 keep theirs. */
export function significant(x: number, digits: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const power = Math.floor(Math.log10(Math.abs(Number(x.toPrecision(digits)))));
  if (power < -3 || power > 4) return exponential(x, digits);
  return typeset(x.toFixed(Math.max(0, digits - 1 - power)));
}

/** The same in at most `room` characters: with two digits or one where three do not fit, "" where
 * nothing does. There is room for a sign, so that 0.645 and −0.645 have as many digits. */
export function fitting(x: number, room: number): string {
  let fits = "";
  for (const write of SHORTER) {
    const text = write(x);
    if (text.length + (x < 0 ? 0 : 1) <= room) return text;
    if (!fits && text.length <= room) fits = text;
  }
  return fits;
}

const SHORTER: readonly ((x: number) => string)[] = [
  threeDigits,
  (x) => significant(x, 2),
  (x) => significant(x, 1),
  (x) => exponential(x, 1),
];

const exponential = (x: number, digits: number) =>
  typeset(x.toExponential(digits - 1).replace("e+", "e"));

const typeset = (text: string) => text.replaceAll("-", "−");

/** C₃,₂: one contribution, its steps counted from 1 as in h₃, which brackets would not say. */
export function cellName({ t, k }: { readonly t: number; readonly k: number }): string {
  return `C${subscript(t + 1)},${subscript(k + 1)}`;
}

/** The power of ten that numbers of one matrix are written by, for as many of them as can be to show
 * three digits in so much room: 0 if all do as they are. With a largest number between 0.1 and 1000
 * two digits are enough, since 0.039 reads better than 0.388 and a power of ten over it. */
export function commonPower(numbers: Iterable<number>, room: number): number {
  const sizes = [...numbers].filter((x) => Number.isFinite(x) && x !== 0).map(Math.abs);
  if (!sizes.length) return 0;
  const limit = Math.max(...sizes);
  const plain = limit >= 0.1 && limit < 1000;
  if (plain && sizes.every((x) => significant(x, 2).length < room)) return 0;
  const largest = Math.floor(Math.log10(limit));
  let best = 0;
  let most = -1;
  for (const power of [0, largest, largest - 1, largest - 2, largest - 3, largest - 4]) {
    const fit = sizes.filter((x) => threeDigits(shifted(x, power)).length < room).length;
    if (fit > most) [best, most] = [power, fit];
    if (most === sizes.length) break;
  }
  return best;
}

/** x / 10^power, without the rounding errors of dividing. */
export function shifted(x: number, power: number): number {
  if (!Number.isFinite(x) || power === 0) return x;
  const [mantissa, exponent] = x.toExponential().split("e");
  return Number(`${mantissa}e${Number(exponent) - power}`);
}

/** "×10⁻³". */
export function powerText(power: number): string {
  const digits = [...String(Math.abs(power))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]);
  return `×10${power < 0 ? "⁻" : ""}${digits.join("")}`;
}

/** Every digit, for hover text. */
export function allDigits(x: number): string {
  return typeset(String(x));
}
