/** The lab's network as the kernel and the page exchange it, and how its numbers outlive changes. */

import { type Program, programFromJson, programToJson } from "./engine/program";

export interface Network {
  readonly program: Program;
  /** Row-major; written in place by sliders. */
  readonly values: Record<string, Float64Array>;
}

interface NetworkJson {
  readonly values: Record<string, unknown[]>;
}

/** Read a network. A program equal to the earlier one is the same object, so that what was planned
 * for it stays valid. */
export function readNetwork(data: object, earlier?: Network): Network {
  const { values, ...folded } = data as NetworkJson;
  const text = JSON.stringify(folded);
  const same = earlier && textOf(earlier.program) === text;
  const program = same ? earlier.program : programFromJson(folded);
  texts.set(program, text);
  return {
    program,
    values: Object.fromEntries(
      Object.entries(values).map(([name, nested]) => [name, flattened(nested)]),
    ),
  };
}

/** What `readNetwork` reads, and the kernel too. */
export function writeNetwork({ program, values }: Network): object {
  const nested = Object.entries(values).map(([name, flat]) => [
    name,
    nestedList(flat, program.leaves[name]),
  ]);
  return { ...JSON.parse(textOf(program)), values: Object.fromEntries(nested) };
}

const texts = new WeakMap<Program, string>();

function textOf(program: Program): string {
  let text = texts.get(program);
  if (text === undefined) {
    text = JSON.stringify(programToJson(program));
    texts.set(program, text);
  }
  return text;
}

/** Nested lists as one row-major array; null stands for what is not a finite number. */
export function flattened(nested: unknown): Float64Array {
  const list = [nested].flat(Number.POSITIVE_INFINITY) as (number | null)[];
  return Float64Array.from(list, (x) => x ?? Number.NaN);
}

function nestedList(flat: Float64Array, [rows, columns]: readonly number[]): unknown[] {
  if (columns === undefined) return [...flat];
  return Array.from({ length: rows }, (_, r) => [...flat.subarray(r * columns, (r + 1) * columns)]);
}

export function copied({ program, values }: Network): Network {
  const copies = Object.entries(values).map(([name, flat]) => [name, flat.slice()]);
  return { program, values: Object.fromEntries(copies) };
}

export function sameNumbers(a: Network, b: Network): boolean {
  return (
    a.program === b.program &&
    Object.entries(a.values).every(([name, flat]) => flat.every((x, i) => x === b.values[name][i]))
  );
}
