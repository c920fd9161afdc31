/** The rule by which a slider's report counts as a move; `rnn_widgets/widgets/sliders.py` has it too. */

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
