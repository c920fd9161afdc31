/** Symbolic sizes such as `3*H` or `H+I`, so that one template serves every network. */

/** Multiples of H (hidden size), I (input size) and O (output size), and a constant. */
export type Size = readonly [h: number, i: number, o: number, constant: number];

/** Numbers for the symbols. */
export interface Counts {
  readonly H: number;
  readonly I: number;
  readonly O: number;
}

const SYMBOLS = ["H", "I", "O"];
const PART = /^(?:(?:(\d+)\*)?([HIO])|(\d+))$/;

export function parseSize(text: unknown): Size {
  const terms: [number, number, number, number] = [0, 0, 0, 0];
  for (const part of String(text).replaceAll(" ", "").split("+")) {
    const match = PART.exec(part);
    if (!match) {
      throw new Error(
        `a size is a sum such as "H", "4*H", "H+I" or 3; it was ${JSON.stringify(text)}`,
      );
    }
    const [, count, symbol, constant] = match;
    if (symbol) terms[SYMBOLS.indexOf(symbol)] += Number(count ?? 1);
    else terms[3] += Number(constant);
  }
  return terms;
}

export function sizeValue(size: Size, counts: Counts): number {
  return size[0] * counts.H + size[1] * counts.I + size[2] * counts.O + size[3];
}

export function sameSize(a: Size, b: Size): boolean {
  return a.every((n, i) => n === b[i]);
}

export function addSizes(a: Size, b: Size): Size {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]];
}

/** `stop − start`, where no symbol may come out negative. */
export function subtractSizes(stop: Size, start: Size): Size {
  const rest: Size = [
    stop[0] - start[0],
    stop[1] - start[1],
    stop[2] - start[2],
    stop[3] - start[3],
  ];
  if (rest.some((n) => n < 0)) {
    throw new Error(
      `a slice runs from a smaller to a larger size, not ${sizeText(start)} to ${sizeText(stop)}`,
    );
  }
  return rest;
}

export function sizeText(size: Size): string {
  const words = SYMBOLS.map((symbol, i) =>
    size[i] === 0 ? "" : size[i] === 1 ? symbol : `${size[i]}*${symbol}`,
  );
  return [...words, size[3] ? String(size[3]) : ""].filter(Boolean).join("+") || "0";
}
