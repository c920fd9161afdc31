/** Numbers and matrices as people type and paste them. */

import { transposed } from "../matrices";

/** What could be read, or a sentence that says what was expected. */
export type Read<T> = { readonly is: T } | { readonly error: string };

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEf][+-]?\d+)?$/; // Julia writes 1.0f0

/** A typed number: a typeset minus and a decimal comma will do. */
export function readNumber(text: string): Read<number> {
  const plain = text
    .trim()
    .replaceAll("−", "-")
    .replace(/^([^.,]*),([^.,]*)$/, "$1.$2");
  if (!NUMBER.test(plain)) {
    const given = plain ? `“${shortened(text.trim())}” is not a number` : "nothing was typed";
    return { error: `${given}; expected a number such as −0.5 or 1e-3` };
  }
  const is = Number(plain.replace("f", "e"));
  return Number.isFinite(is) ? { is } : { error: `${shortened(plain)} is too large to hold` };
}

/** A typed class: a whole number below `count`. */
export function readClass(text: string, count: number): Read<number> {
  const is = /^\s*\d+\s*$/.test(text) ? Number(text) : Number.NaN;
  if (is < count) return { is };
  return { error: noClass(text.trim(), count) };
}

function noClass(text: string, count: number): string {
  const given = text ? `“${shortened(text)}” is no class` : "nothing was typed";
  const range =
    count === 1 ? "the only class is 0" : `expected a whole number from 0 to ${count - 1}`;
  return `${given}; ${range}`;
}

/** A matrix of the wrong shape is given, too, if turning it makes it fit. */
export type ReadMatrix = Read<Float64Array> & { readonly transpose?: Float64Array };

/**
 * A pasted matrix for a leaf of a shape: nested lists, what Python, numpy, torch and Julia print,
 * rows of numbers between commas, semicolons, tabs or spaces. Where a form can be read in two
 * ways, the way that fits the shape is meant.
 */
export function readMatrix(text: string, shape: readonly number[]): ReadMatrix {
  const plain = text
    .replaceAll("−", "-")
    .replace(/[\u00a0\u2007\u202f]/g, " ")
    .trim();
  if (!plain) return { error: `nothing was pasted; expected ${shapeText(shape)} numbers` };
  if (/\.\.\.|[…⋯⋮⋱]/.test(plain)) {
    return { error: "some numbers are left out by “…”; print the whole matrix" };
  }
  const readings = readingsOf(plain);
  const sound = readings.flatMap((reading) => ("is" in reading ? [reading.is] : []));
  const [rows, columns = 1] = shape;
  const flat = rows === 1 || columns === 1;
  for (const lines of sound) {
    const [r, c] = [lines.length, lines[0].length];
    const fits = r === rows && c === columns;
    if (fits || (flat && (r === 1 || c === 1) && r * c === rows * columns)) return finite(lines);
  }
  for (const lines of sound) {
    if (lines.length !== columns || lines[0].length !== rows) continue;
    const turned = Float64Array.from(lines.flat());
    return { ...mismatch(lines, shape), transpose: transposed(turned, columns) };
  }
  if (sound.length) return mismatch(sound[0], shape);
  const { error } = readings[0] as { error: string };
  return {
    error: error.includes("expected") ? error : `${error}; expected the shape ${shapeText(shape)}`,
  };
}

/** Pasted classes: whole numbers below `count`. */
export function readClasses(text: string, shape: readonly number[], count: number): ReadMatrix {
  const found = readMatrix(text, shape);
  if ("error" in found) return found;
  const wrong = found.is.find((x) => !Number.isInteger(x) || x < 0 || x >= count);
  return wrong === undefined ? found : { error: noClass(String(wrong), count) };
}

function finite(lines: number[][]): Read<Float64Array> {
  const is = Float64Array.from(lines.flat());
  return is.every(Number.isFinite) ? { is } : { error: "a number is too large to hold" };
}

function mismatch(lines: number[][], shape: readonly number[]): { error: string } {
  const given =
    lines.length === 1 && shape.length === 1 ? [lines[0].length] : [lines.length, lines[0].length];
  return { error: `expected the shape ${shapeText(shape)}, but ${shapeText(given)} was pasted` };
}

/** A shape as Python writes it. */
export function shapeText(shape: readonly number[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

/** Every way in which a text can be read as rows of numbers. */
function readingsOf(text: string): Read<number[][]>[] {
  const first = text.indexOf("[");
  // Around the brackets stand names and options: tensor(…, dtype=…), Float32[…].
  if (first >= 0) return bracketed(text.slice(first, text.lastIndexOf("]") + 1 || undefined));
  const lines = text.replace(/^.*(?:Matrix|Vector|Array|adjoint|transpose).*:\s*\n/, "");
  const readings = [rowsOf(lines.split(/[\n;]/), COMMA_OR_SPACE)];
  if (lines.includes(",") && !lines.includes(".")) {
    const decimal = lines.replaceAll(",", ".");
    readings.push(rowsOf(decimal.split(/[\n;]/), /\s+/), rowsOf(decimal.split("\n"), /[;\t]/));
  }
  return readings;
}

const COMMA_OR_SPACE = /\s*,\s*|\s+/;

function bracketed(text: string): Read<number[][]>[] {
  if (text.split("[").length !== text.split("]").length) {
    return [{ error: "a bracket is missing: there are not as many “[” as “]”" }];
  }
  // Brackets around a single item add nothing: (1, T, I) is a batch of one.
  const inner = [...text.matchAll(/\[([^[\]]*)\]/g)].map((match) => match[1]);
  const rest = text.replace(/\[[^[\]]*\]/g, "").replace(/[[\],;\s]/g, "");
  if (rest) return [{ error: `“${shortened(rest)}” does not belong in a matrix` }];
  if (inner.length > 1) return [rowsOf(inner, COMMA_OR_SPACE)];
  const [row] = inner;
  if (row.includes(";")) return [rowsOf(row.split(/;/), COMMA_OR_SPACE)];
  return [
    rowsOf([row.replaceAll("\n", " ")], COMMA_OR_SPACE), // numpy wraps long vectors
    rowsOf(row.split("\n"), COMMA_OR_SPACE),
  ];
}

function rowsOf(texts: readonly string[], separator: RegExp): Read<number[][]> {
  const rows: number[][] = [];
  for (const text of texts.map((row) => row.trim().replace(/\s*,$/, "")).filter(Boolean)) {
    const row: number[] = [];
    for (const field of text.split(separator)) {
      if (!NUMBER.test(field)) {
        const given = field ? `“${shortened(field)}” is not a number` : "a number is missing";
        return { error: `${given} (row ${rows.length}); expected a number such as −0.5 or 1e-3` };
      }
      row.push(Number(field.replace("f", "e")));
    }
    rows.push(row);
    if (row.length !== rows[0].length) {
      return {
        error: `the rows differ in length: row 0 has ${rows[0].length} numbers, row ${rows.length - 1} has ${row.length}`,
      };
    }
  }
  return rows.length ? { is: rows } : { error: "there is no number in it" };
}

const shortened = (text: string) => (text.length > 24 ? `${text.slice(0, 24)}…` : text);
