/** Which rows of a parameter belong to which gate. */

import type { Program } from "./engine/program";

/** Stacked in PyTorch's order: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html */
const GATES: Readonly<Record<string, readonly string[]>> = {
  lstm: ["i", "f", "g", "o"],
  gru_reset_after: ["r", "z", "n"],
  gru_reset_before: ["r", "z", "n"],
};

/** Names of the gates along the first axis of a leaf, empty if none are stacked there. */
export function gatesOf({ cell, hiddenSize, leaves, parameters }: Program, leaf: string) {
  const gates = GATES[cell.name] ?? [];
  const stacked = leaf in parameters && leaves[leaf][0] === gates.length * hiddenSize;
  return stacked ? gates : [];
}
