/** Matrices made from others or drawn at random: what the tools of a matrix of sliders do. */

import { randomInt, randomLcg, randomNormal, randomUniform } from "d3-random";
import { EigenvalueDecomposition, Matrix, QrDecomposition } from "ml-matrix";

/** A square or oblong matrix, row by row. */
export type Numbers = Float64Array;

/** Evenly distributed draws from `seed`; `salt` keeps matrices of one seed apart. */
export function source(seed: number, salt: string): () => number {
  let hash = 2166136261; // FNV-1a: seeds that follow each other make streams that do not
  for (const letter of `${seed} ${salt}`) {
    hash = Math.imul(hash ^ (letter.codePointAt(0) as number), 16777619);
  }
  return randomLcg((hash >>> 0) / 2 ** 32);
}

/** Uniform between −bound and bound. */
export function uniform(count: number, bound: number, seed: number, salt: string): Numbers {
  const draw = randomUniform.source(source(seed, salt))(-bound, bound);
  return Float64Array.from({ length: count }, draw);
}

/** Standard normal. */
export function normal(count: number, seed: number, salt: string): Numbers {
  const draw = randomNormal.source(source(seed, salt))(0, 1);
  return Float64Array.from({ length: count }, draw);
}

/** Whole numbers from 0 to below `most`, each as likely. */
export function classes(count: number, most: number, seed: number, salt: string): Numbers {
  const draw = randomInt.source(source(seed, salt))(most);
  return Float64Array.from({ length: count }, draw);
}

export function identity(n: number): Numbers {
  return Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) ? 0 : 1));
}

/**
 * A random orthogonal matrix, uniform over all of them: Q of the QR decomposition of normal
 * draws, with R's diagonal made positive (Mezzadri 2007).
 */
export function orthogonal(n: number, seed: number, salt: string): Numbers {
  const { orthogonalMatrix, upperTriangularMatrix } = new QrDecomposition(
    Matrix.from1DArray(n, n, normal(n * n, seed, salt)),
  );
  return Float64Array.from({ length: n * n }, (_, at) => {
    const column = at % n;
    const sign = upperTriangularMatrix.get(column, column) < 0 ? -1 : 1;
    return sign * orthogonalMatrix.get(Math.floor(at / n), column);
  });
}

/** The largest absolute eigenvalue of a square matrix; not a number if an entry is none. */
export function spectralRadius(square: Numbers): number {
  const n = Math.sqrt(square.length);
  const largest = square.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
  if (largest === 0 || !Number.isFinite(largest)) return largest && Number.NaN;
  // Of numbers around one: neither tiny nor huge ones may end the iteration early.
  const { realEigenvalues, imaginaryEigenvalues } = new EigenvalueDecomposition(
    Matrix.from1DArray(n, n, scaled(square, 1 / largest)),
  );
  return (
    largest * Math.max(...realEigenvalues.map((x, i) => Math.hypot(x, imaginaryEigenvalues[i])))
  );
}

export function scaled(numbers: Numbers, factor: number): Numbers {
  return numbers.map((x) => factor * x);
}

/** A copy of `whole` with the rows from `start` on replaced by `part`. */
export function withPart(whole: Numbers, start: number, part: Numbers): Numbers {
  const copy = whole.slice();
  copy.set(part, start);
  return copy;
}

export function transposed(numbers: Numbers, rows: number): Numbers {
  const columns = numbers.length / rows;
  return numbers.map((_, at) => numbers[(at % rows) * columns + Math.floor(at / rows)]);
}

/** Nested lists as Python writes and reads them; of whole numbers, such as classes, as int. */
export function pythonList(
  numbers: Numbers,
  [rows, columns]: readonly number[],
  whole = false,
): string {
  if (whole) return `[${numbers.join(", ")}]`;
  if (columns === undefined) return listed(numbers);
  const lists = Array.from({ length: rows }, (_, r) =>
    listed(numbers.subarray(r * columns, (r + 1) * columns)),
  );
  return `[${lists.join(",\n ")}]`;
}

const listed = (numbers: Numbers) => `[${Array.from(numbers, pythonNumber).join(", ")}]`;

function pythonNumber(x: number): string {
  if (!Number.isFinite(x)) return `float("${Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf"}")`;
  const text = Object.is(x, -0) ? "-0" : String(x);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
