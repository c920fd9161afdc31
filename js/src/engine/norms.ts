/** Frobenius norms that overflow only where the norm itself does. */

/** The Frobenius norm; scaled, so that squares of large numbers do not overflow. */
export function norm(numbers: Float64Array): number {
  let largest = 0;
  for (const x of numbers) largest = Math.abs(x) <= largest ? largest : Math.abs(x);
  if (largest === 0 || !Number.isFinite(largest)) return largest;
  let squares = 0;
  for (const x of numbers) squares += (x / largest) ** 2;
  return largest * Math.sqrt(squares);
}
