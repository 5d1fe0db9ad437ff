// Cosine knows no length. The host brings rows to unit length before they are learned, and lifts rows of tiny numbers before they
// are asked about: GPUs flush denormal numbers, those below 2^−126, to 0.

import type { Rows } from '../data/matrix.js';
import { type Features, isSparse } from '../data/sparse.js';

/** Visits the stored entries of a row that its mask shows. */
type VisitShown = (visit: (entry: number) => void) => void;

/** The stored values of X with every row times what `factorOf` says of its shown values; X itself where every factor is 1. */
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

/** Every row over the Euclidean length of what it shows; rows of zeros stay. */
export const ofUnitLength = (x: Features, mask: Rows | undefined): Features =>
  timesRowFactors(x, mask, (values, shown) => {
    let squares = 0;
    shown((e) => {
      squares += (values[e] as number) ** 2;
    });
    return 1 / (Math.sqrt(squares) || 1);
  });

/** Below, entries that count beside the largest one may be denormal. */
const tiny = 2 ** -100;

/** Rows of tiny numbers times 2^100, which rounds nothing and leaves every cosine as it is. */
export const withoutDenormals = (x: Features, mask: Rows | undefined): Features =>
  timesRowFactors(x, mask, (values, shown) => {
    let largest = 0;
    shown((e) => {
      const size = Math.abs(values[e] as number);
      if (size > largest) largest = size;
    });
    return largest > 0 && largest < tiny ? 1 / tiny : 1;
  });
