// One row as a future center: dense, with masked values at 0.

import type { Rows } from '../data/matrix.js';
import { denseRows, type Features } from '../data/sparse.js';

/** The mask of a row; one row may serve all. */
export const maskOf = (mask: Rows, row: number): Float32Array => {
  const at = mask.rows === 1 ? 0 : row;
  return denseRows(mask, at, at + 1).data;
};

/** A row with masked values at 0. */
export function presentRow(
  { rows, mask }: { readonly rows: Features; readonly mask?: Rows | undefined },
  row: number,
): Float32Array {
  const { data } = denseRows(rows, row, row + 1);
  const own = mask && maskOf(mask, row);
  return own ? data.map((value, j) => ((own[j] as number) > 0 ? value : 0)) : data;
}
