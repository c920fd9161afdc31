/** Of which layer and direction a symbol is, in words: `h₂[0] of layer 0` for the engine's `h_l0₂[0]`. */

import type { Program } from "../engine/program";

/** ` of layer 0, reverse`; nothing where there is but one layer and direction. */
export function ofLayer({ blocks, numLayers, bidirectional }: Program, block: number): string {
  if (numLayers === 1 && !bidirectional) return "";
  const direction = blocks[block].reverse ? "reverse" : "forward";
  const layer = ` of layer ${Math.floor(block / (bidirectional ? 2 : 1))}`;
  return bidirectional ? `${layer}, ${direction}` : layer;
}

const WRITTEN = /([a-z]\w*?)(_l\d+(?:_reverse)?)([₀-₉]+(?:\[\d+\])?)/gi;

/** What the engine's labels say, in words; of a layer's `own` symbols it goes without saying. */
export function inWords(program: Program, text: string, own = -1): string {
  return text.replace(WRITTEN, (all, name: string, label: string, rest: string) => {
    const block = program.blocks.findIndex((one) => one.label === label);
    if (block === own) return name + rest;
    return block < 0 ? all : `(${name}${rest}${ofLayer(program, block)})`;
  });
}
