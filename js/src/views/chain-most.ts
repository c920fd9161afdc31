/** How many chain-rule terms a contribution of a network can have at most, for their list to have as
 * much room whichever is chosen. */

import { ways } from "../engine/factors";
import type { ForwardPass } from "../engine/forward";
import { terms } from "../engine/paths";
import type { Program } from "../engine/program";

const known = new WeakMap<Program, number>();

/** The largest count of terms of any entry and any C[t, k], `enough` if it is more than that. It
 * depends on the program alone. */
export function mostTerms(trace: ForwardPass, enough: number): number {
  const { program } = trace;
  let most = known.get(program);
  if (most === undefined) {
    most = 0;
    for (const { leaf, entry, t, k } of candidates(program)) {
      const { count } = terms(trace, leaf, entry, t, k, 1, 0);
      most = Math.max(most, count < BigInt(enough) ? Number(count) : enough);
      if (most === enough) break;
    }
    known.set(program, most);
  }
  return most;
}

interface Candidate {
  readonly leaf: string;
  readonly entry: readonly number[];
  readonly t: number;
  readonly k: number;
}

const FEW_STEPS = 8;

/** One entry of each gate of each parameter, over growing lags: units are alike, and a longer way has
 * no fewer paths. Short ones come first, since they are quick to count and mostly enough. Where both
 * directions meet a window, counts of one lag may differ: of few steps every pair is counted. */
function* candidates(program: Program): Generator<Candidate> {
  const { parameters, hiddenSize: H, seqLen: T } = program;
  for (const lag of lags(T)) {
    for (const [leaf, shape] of Object.entries(parameters)) {
      const reasons = ways(program, leaf);
      const pairs = [...reasons.keys()]
        .filter((at) => !reasons[at] && Math.abs(Math.floor(at / T) - (at % T)) === lag)
        .map((at) => ({ t: Math.floor(at / T), k: at % T }));
      const some = T > FEW_STEPS ? new Set([pairs[0], pairs[pairs.length - 1]]) : pairs;
      for (const pair of some) {
        for (let row = 0; pair && row < shape[0]; row += H) {
          yield { leaf, entry: shape.length > 1 ? [row, 0] : [row], ...pair };
        }
      }
    }
  }
}

/** 0, 1, 2, 4 … and the longest. */
function lags(T: number): Set<number> {
  const found = new Set([0]);
  for (let lag = 1; lag < T - 1; lag *= 2) found.add(lag);
  return found.add(T - 1);
}
