// The k nearest rows by plain search: a baseline that uses every training row, independent of backends.

import type { Rows } from './rows.ts';

/** Columns summed between checks whether a row can still be among the nearest. */
const stride = 4;

/**
 * Indices [queries, k] of the rows with the smallest squared euclidean distance, nearest first (ties: the lowest). A row is skipped
 * as soon as part of its distance exceeds that of the k-th so far.
 */
export function nearestRows(rows: Rows, queries: Rows, k: number): Uint32Array {
  const [count, columns] = rows.shape;
  const [asked] = queries.shape;
  if (k > count) throw new RangeError(`nearestRows: k is ${k}, there are ${count} rows.`);
  const { data } = rows;
  const found = new Uint32Array(asked * k);
  const best = new Float64Array(k);
  for (let q = 0; q < asked; q++) {
    const query = queries.data.subarray(q * columns, (q + 1) * columns);
    const own = found.subarray(q * k, (q + 1) * k);
    best.fill(Number.POSITIVE_INFINITY);
    for (let i = 0; i < count; i++) {
      const limit = best[k - 1] as number;
      const at = i * columns;
      let distance = 0;
      for (let j = 0; j < columns && distance < limit; ) {
        const end = Math.min(j + stride, columns);
        for (; j < end; j++) {
          const gap = (data[at + j] as number) - (query[j] as number);
          distance += gap * gap;
        }
      }
      if (distance >= limit) continue;
      let place = k - 1;
      for (; place > 0 && (best[place - 1] as number) > distance; place--) {
        best[place] = best[place - 1] as number;
        own[place] = own[place - 1] as number;
      }
      best[place] = distance;
      own[place] = i;
    }
  }
  return found;
}
