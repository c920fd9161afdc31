/** The settings that the toolbar keeps folded away, in words: none of them goes unsaid. */

import { type Bias, type Catalogue, chosen } from "../catalogue";
import type { Program } from "../engine/program";

/** How far a gradient-descent step goes before anyone has said. */
export const RATE = "0.1";

/** A typed rate; NaN if it is no number above 0. */
export function rateOf(text: string): number {
  const rate = read(text);
  return rate > 0 ? rate : Number.NaN;
}

/** What is wrong with a typed rate, "" if nothing is. */
export function refusedRate(text: string): string {
  const rate = read(text);
  if (rate > 0) return "";
  const expected = "a rate is a number above 0, such as 0.1";
  if (rate === 0) return `${expected}: 0 moves nothing`;
  return rate < 0 ? `${expected}: a negative one climbs` : expected;
}

function read(text: string): number {
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
