/** The settings that the toolbar keeps folded away, in words: none of them goes unsaid. */

import { type Bias, type Catalogue, chosen } from "../catalogue";
import type { Program } from "../engine/program";

/** How far a gradient-descent step goes before anyone has said. */
export const RATE = "0.1";

/** A typed rate; NaN if it is no number. */
export function rateOf(text: string): number {
  const plain = text.trim().replace("−", "-").replace(",", ".");
  return plain && Number.isFinite(Number(plain)) ? Number(plain) : Number.NaN;
}

const BIAS: Readonly<Record<Bias, string>> = { two: "", one: "one bias", none: "no bias" };

/** Each setting that is not what `rnn_widgets.rnn` takes by default; inputs, which have no default,
 * always. */
export function notable(program: Program, { cells }: Catalogue, rate: string): string[] {
  const { inputSize, numLayers, bidirectional, readout, truncation } = program;
  const bias = chosen(cells, program)?.bias ?? "two";
  const said = [
    BIAS[bias],
    inputSize === 1 ? "1 input" : `${inputSize} inputs`,
    numLayers > 1 && `${numLayers} layers`,
    bidirectional && "both directions",
    readout !== null && `readout of ${readout}`,
    lossSteps(program),
    truncation?.kind === "window" && `window of ${truncation.size}`,
    truncation?.kind === "chunk" && `chunks of ${truncation.size}`,
    rateOf(rate) !== Number(RATE) && `rate ${rate.trim() || "missing"}`,
  ];
  return said.filter((words) => !!words) as string[];
}

const MOST_NAMED = 3;

function lossSteps({ lossSteps: steps, seqLen }: Program): string {
  if (steps.length === seqLen) return "";
  if (steps.length === 1 && steps[0] === seqLen - 1) return "loss at the last step";
  if (steps.length > MOST_NAMED) return `loss at ${steps.length} of ${seqLen} steps`;
  return `loss at t = ${steps.map((t) => t + 1).join(", ")}`;
}
