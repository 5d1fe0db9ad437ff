// Unit lengths for cosine, which ignores length. The host normalises rows before they are learned. Before rows are predicted, tiny
// ones are multiplied up: GPUs flush denormal numbers, those below 2^−126, to 0.

import type { Rows } from '../data/matrix.js';
import { type Features, isSparse } from '../data/sparse.js';

/** Visits the stored, unmasked entries of a row. */
type VisitShown = (visit: (entry: number) => void) => void;

/** The stored values of X, every row multiplied by `factorOf` its unmasked values; X itself if every factor is 1. */
function timesRowFactors(
  x: Features,
  mask: Rows | undefined,
  factorOf: (values: Float32Array, shown: VisitShown) => number,
): Features {
  const stored = isSparse(x) ? x.values : x.data;
  const shows = (row: number, column: number): boolean =>
    !mask || (mask.data[(mask.rows === 1 ? 0 : row * x.columns) + column] as number) > 0;
  let scaled: Float32Array | undefined;
  for (let row = 0; row < x.rows; row++) {
    const from = isSparse(x) ? (x.indptr[row] as number) : row * x.columns;
    const to = isSparse(x) ? (x.indptr[row + 1] as number) : from + x.columns;
    const factor = factorOf(stored, (visit) => {
      for (let e = from; e < to; e++) {
        if (shows(row, isSparse(x) ? (x.indices[e] as number) : e - from)) visit(e);
      }
    });
    if (factor === 1) continue;
    scaled ??= stored.slice();
    for (let e = from; e < to; e++) scaled[e] = (stored[e] as number) * factor;
  }
  if (!scaled) return x;
  return isSparse(x) ? { ...x, values: scaled } : { ...x, data: scaled };
}

/** Every row divided by the Euclidean length of its unmasked values; rows of zeros stay. */
export const ofUnitLength = (x: Features, mask: Rows | undefined): Features =>
  timesRowFactors(x, mask, (values, shown) => {
    let squares = 0;
    shown((e) => {
      squares += (values[e] as number) ** 2;
    });
    return 1 / (Math.sqrt(squares) || 1);
  });

/** Largest value of a row below which its smaller values may be denormal. */
const tiny = 2 ** -100;

/** X with rows of tiny numbers multiplied by 2^100, which rounds nothing and changes no cosine. */
export const withoutDenormals = (x: Features, mask: Rows | undefined): Features =>
  timesRowFactors(x, mask, (values, shown) => {
    let largest = 0;
    shown((e) => {
      const size = Math.abs(values[e] as number);
      if (size > largest) largest = size;
    });
    return largest > 0 && largest < tiny ? 1 / tiny : 1;
  });
