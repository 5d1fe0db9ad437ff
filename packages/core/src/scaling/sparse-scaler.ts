// Scaling that keeps zeros: one factor for all columns of sparse rows. A factor a column would make the rarest columns the
// loudest, and a mean taken off would fill the rows.

import type { Rows } from '../data/matrix.js';
import { type SparseRows, visitRow } from '../data/sparse.js';

/**
 * 1 / √(weighted mean square of the stored values that are not masked): learning rates expect values of about 1. 1 where none is
 * stored.
 */
export function unitOf(x: SparseRows, mask?: Rows, sampleWeight?: Float32Array): number {
  let [squares, count] = [0, 0];
  for (let i = 0; i < x.rows; i++) {
    const from = mask?.rows === 1 ? 0 : i * x.columns;
    const w = sampleWeight?.[i] ?? 1;
    visitRow(x, i, (column, value) => {
      if (value === 0 || (mask && (mask.data[from + column] as number) <= 0)) return;
      squares += w * value * value;
      count += w;
    });
  }
  return squares > 0 ? Math.sqrt(count / squares) : 1;
}

/** Every stored value times the factor [D] of its column. */
export const scaleStored = (x: SparseRows, factors: ArrayLike<number>): SparseRows => ({
  ...x,
  values: x.values.map((value, e) => value * (factors[x.indices[e] as number] as number)),
});
