/** How numbers are written. */

/** Four significant digits, as Python's format "{:.4g}" has them. */
export function shortNumber(x: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "inf" : "-inf";
  if (Object.is(x, -0)) return "-0";
  const [mantissa, exponent] = rounded(x).split("e");
  const power = Number(exponent);
  if (power < -4 || power >= 4) {
    const digits = String(Math.abs(power)).padStart(2, "0");
    return `${trimmed(mantissa)}e${power < 0 ? "-" : "+"}${digits}`;
  }
  return trimmed(Number(`${mantissa}e${power}`).toFixed(3 - power));
}

/** Four significant digits. Python takes ties to the even digit, JavaScript away from zero. */
function rounded(x: number): string {
  const [, even, exponent] = /^(-?\d\.\d\d[02468])50*(e.*)$/.exec(x.toExponential(60)) ?? [];
  return even ? even + exponent : x.toExponential(3);
}

function trimmed(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** Three significant digits for people: a true minus sign, 1e−5 in place of 0.00001, 0 for zero. */
export function threeDigits(x: number): string {
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const power = Math.floor(Math.log10(Math.abs(Number(x.toPrecision(3)))));
  const text =
    power < -3 || power > 4
      ? x.toExponential(2).replace(/\.?0*e\+?/, "e")
      : x.toFixed(Math.max(0, 2 - power));
  return text.replaceAll("-", "−");
}

/** Every digit, for hover text. */
export function allDigits(x: number): string {
  return String(x).replaceAll("-", "−");
}
