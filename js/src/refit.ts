/** A network for another program: what the old one and the new one share keeps its numbers. */

import { randomLcg, randomNormal, randomUniform } from "d3-random";
import { elementCount, type Program } from "./engine/program";
import type { Network } from "./network";

/**
 * The numbers of a network, taken over into another program. An entry that both have keeps its
 * number; a new one has that of `initial` where there is one, else a draw as `rnn_widgets.build`
 * makes it (parameters uniform within ±1/√H, states zero, all else standard normal). Gates that
 * are stacked in one matrix are matched gate by gate. A draw depends on the entry's name alone.
 */
export function refit(network: Network, program: Program, initial: Network): Network {
  const values = Object.entries(program.leaves).map(([leaf, shape]) => {
    const earlier = [network, initial].flatMap((source) => matched(source, program, leaf));
    const numbers = Float64Array.from({ length: elementCount(shape) }, (_, at) => {
      const index = unravelled(at, shape);
      for (const { values: from, shape: old, gates } of earlier) {
        const place = placed(index, shape[0] / gates, old, old[0] / gates);
        if (place >= 0) return from[place];
      }
      return drawn(program, leaf, index);
    });
    return [leaf, numbers] as const;
  });
  return { program, values: Object.fromEntries(values) };
}

interface Source {
  readonly values: Float64Array;
  readonly shape: readonly number[];
  /** How many gates are stacked on the first axis. */
  readonly gates: number;
}

/** A leaf of the same name and rank, with as many gates stacked in it. */
function matched({ program: old, values }: Network, program: Program, leaf: string): Source[] {
  const shape = old.leaves[leaf];
  const gates = gatesOf(program, leaf);
  const same = shape?.length === program.leaves[leaf].length && gatesOf(old, leaf) === gates;
  const classes = leaf === "target" && program.loss === "cross_entropy";
  const fit = !classes || values[leaf]?.every((c) => c < program.outputSize);
  return same && fit ? [{ values: values[leaf], shape, gates }] : [];
}

function gatesOf({ cell }: Program, leaf: string): number {
  const [units, ...others] = cell.params[leaf.replace(/_l\d+(_reverse)?$/, "")]?.[0] ?? [1];
  return units > 0 && others.every((n) => n === 0) ? units : 1;
}

function unravelled(at: number, [rows, columns]: readonly number[]): number[] {
  if (rows === undefined) return [];
  return columns === undefined ? [at] : [Math.floor(at / columns), at % columns];
}

/** Row-major position of an entry in an earlier shape, −1 if it has no place there; rows count
 * within their gate. */
function placed(
  [row, column]: readonly number[],
  height: number,
  [rows, columns = 1]: readonly number[],
  oldHeight: number,
): number {
  const [gate, within] = [Math.floor(row / height), row % height];
  if (within >= oldHeight || (column ?? 0) >= columns) return -1;
  const oldRow = gate * oldHeight + within;
  return oldRow < rows ? oldRow * columns + (column ?? 0) : -1;
}

function drawn(program: Program, leaf: string, index: readonly number[]): number {
  if (/^[hc]0$/.test(leaf)) return 0;
  const source = randomLcg(hashed(`${leaf}[${index.join(",")}]`));
  if (leaf in program.parameters) {
    const bound = 1 / Math.sqrt(program.hiddenSize);
    return randomUniform.source(source)(-bound, bound)();
  }
  if (leaf === "target" && program.loss === "cross_entropy") {
    return Math.floor(source() * program.outputSize);
  }
  return randomNormal.source(source)()();
}

/** A text as a number in [0, 1): the FNV-1a hash. */
function hashed(text: string): number {
  let hash = 0x811c9dc5;
  for (const letter of text) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  return (hash >>> 0) / 2 ** 32;
}
