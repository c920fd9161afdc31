/** The lab's network as it comes from the kernel, with the renaming between the two languages. */

import { type Program, programFromJson } from "./engine/program";

export interface Network {
  readonly program: Program;
  /** Row-major; written in place by sliders. */
  readonly values: Record<string, Float64Array>;
  /** What other frameworks call each leaf. */
  readonly aliases: Readonly<Record<string, readonly string[]>>;
}

interface NetworkJson {
  readonly values: Record<string, unknown[]>;
  readonly aliases: Record<string, string[]>;
}

/** Read a network. A program equal to the earlier one is the same object, so that what was planned
 * for it stays valid. */
export function readNetwork(data: object, earlier?: Network): Network {
  const { values, aliases, ...folded } = data as NetworkJson;
  const text = JSON.stringify(folded);
  const same = earlier && texts.get(earlier.program) === text;
  const program = same ? earlier.program : programFromJson(folded);
  texts.set(program, text);
  return {
    program,
    values: Object.fromEntries(
      Object.entries(values).map(([name, nested]) => [name, flattened(nested)]),
    ),
    aliases,
  };
}

const texts = new WeakMap<Program, string>();

/** Nested lists as one row-major array; null stands for what is not a finite number. */
export function flattened(nested: unknown): Float64Array {
  const list = [nested].flat(Number.POSITIVE_INFINITY) as (number | null)[];
  return Float64Array.from(list, (x) => x ?? Number.NaN);
}
