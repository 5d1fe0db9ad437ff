// Scaling of sparse rows that keeps zeros: one factor for all columns. A factor for each column would give the rarest columns the
// largest values, and subtracting a mean would fill the rows.

import type { Rows } from '../data/matrix.js';
import { type SparseRows, visitRow } from '../data/sparse.js';

/**
 * The factor 1 / √(weighted mean square of the stored, unmasked values), after which values are about 1, as learning rates expect.
 * 1 if nothing is stored.
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

/** Stored values times the factor [D] of their column. */
export const scaleStored = (x: SparseRows, factors: ArrayLike<number>): SparseRows => ({
  ...x,
  values: x.values.map((value, e) => value * (factors[x.indices[e] as number] as number)),
});
