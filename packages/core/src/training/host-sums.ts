// Σ over the rows of each prototype, on the host in float64. On a CPU a scatter in the graph, or a product with one-hot rows,
// takes three to six times as long as this loop; float32 sums stop growing at 2^24 rows; and X lies on the host anyway.

import { addRow, isSparse } from '../data/sparse.js';
import type { Batch } from '../model/batch.js';
import type { GridSpec } from './spec.js';

/** Where rows are added. */
export interface HostSums {
  /** Σ w [K] */
  readonly weights: Float64Array;
  /** Σ w·x [K, D] */
  readonly sums: Float64Array;
  /** Σ w·δ and Σ w, a pair a head */
  readonly spread: Float64Array;
}

/** Every row counts at its nearest prototype of each head, in all columns and with its own weight: the index says it all. */
export const summedByIndex = ({ candidates, joint, masked, repels }: GridSpec): boolean =>
  (joint || candidates === 'all') && !masked && !repels;

/** Adds all rows; `index` and `delta` [N, H] are the nearest prototype in each head and δ to it. */
export function addRows(
  { weights, sums, spread }: HostSums,
  { heads, prototypes, columns }: Pick<GridSpec, 'heads' | 'prototypes' | 'columns'>,
  { x, sampleWeight }: Batch,
  index: Int32Array,
  delta: Float32Array,
): void {
  const perHead = prototypes / heads;
  for (let i = 0; i < index.length; i++) {
    const head = i % heads;
    const row = (i - head) / heads;
    const w = sampleWeight[row] as number;
    const k = head * perHead + (index[i] as number);
    weights[k] = (weights[k] as number) + w;
    spread[2 * head] = (spread[2 * head] as number) + w * (delta[i] as number);
    spread[2 * head + 1] = (spread[2 * head + 1] as number) + w;
    if (isSparse(x)) addRow(x, row, w, sums, k * columns);
    else addScaled(sums, k * columns, x.data, row * columns, columns, w);
  }
}

/** sums[to + j] += w · x[from + j] for j < size. Four at a time, which takes half as long. */
function addScaled(
  sums: Float64Array,
  to: number,
  x: Float32Array,
  from: number,
  size: number,
  w: number,
): void {
  let j = 0;
  for (; j + 3 < size; j += 4) {
    const [a, b] = [to + j, from + j];
    sums[a] = (sums[a] as number) + w * (x[b] as number);
    sums[a + 1] = (sums[a + 1] as number) + w * (x[b + 1] as number);
    sums[a + 2] = (sums[a + 2] as number) + w * (x[b + 2] as number);
    sums[a + 3] = (sums[a + 3] as number) + w * (x[b + 3] as number);
  }
  for (; j < size; j++) sums[to + j] = (sums[to + j] as number) + w * (x[from + j] as number);
}
