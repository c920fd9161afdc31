import type { LiveLab } from "../live";

/** In place of a panel's sentence where numbers have grown beyond bounds: which step came first. */
export function overflowText({ results }: LiveLab): string {
  const step = results.overflow;
  const where = step === null ? "on the way back" : `at t = ${step + 1} (step ${step} in code)`;
  return `Overflow: numbers grow beyond what a computer holds, first ${where}.`;
}
