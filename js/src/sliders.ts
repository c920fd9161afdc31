/** When a slider's report is a move, and how its range grows; `rnn_widgets/widgets/sliders.py` has
 * the same two rules. */

/**
 * Whether a reported value is the exact one, or the exact one rounded to the slider's grid: a
 * displayed slider writes its value back rounded to its step.
 */
export function onlySnapped(
  report: number,
  exact: number,
  low: number,
  high: number,
  step: number | null,
): boolean {
  const tolerance = 1e-9 * (high - low);
  if (Math.abs(report - exact) <= tolerance) return true;
  if (!step) return false;
  const inside = Math.min(Math.max(exact, low), high);
  const steps = (report - low) / step;
  const onGrid = Math.abs(steps - Math.round(steps)) * step <= tolerance || report === high;
  return onGrid && Math.abs(report - inside) <= step / 2 + tolerance;
}

/** A range that contains a value: the old one, or one widened to a rounder bound beyond it. */
export function grown(low: number, high: number, value: number): [number, number] {
  if (low <= value && value <= high) return [low, high];
  const magnitude = 10 ** Math.floor(Math.log10(Math.abs(value || 1)));
  if (value > high) return [low, Math.ceil(value / magnitude) * magnitude];
  return [Math.floor(value / magnitude) * magnitude, high];
}
