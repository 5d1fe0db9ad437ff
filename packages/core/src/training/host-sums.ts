// Σ over the rows of each prototype, on the host in float64. On a CPU a scatter in the graph, or a product with one-hot rows,
// takes three to six times as long as this loop; float32 sums stop growing at 2^24 rows; and X lies on the host anyway.

import { addRow, isSparse, visitRow } from '../data/sparse.js';
import type { Batch } from '../model/batch.js';
import type { GridSpec } from './spec.js';

export interface HostSums {
  /** Σ w [K] */
  readonly weights: Float64Array;
  /** Σ w·x [K, D], or Σ w·m·x where masked */
  readonly sums: Float64Array;
  /** Σ w·m [K, D], masked only */
  readonly coordinateWeights: Float64Array | undefined;
  /** Σ w·δ and Σ w, a pair a head */
  readonly spread: Float64Array;
}

/** Every row counts at its nearest prototype of each head, with its own weight: the index says it all. */
export const summedByIndex = ({ candidates, joint, repels }: GridSpec): boolean =>
  (joint || candidates === 'all') && !repels;

/** The sums of all rows; `index` and `delta` [N, H] are the nearest prototype in each head and δ to it. */
export function addRows(
  { heads, prototypes, columns }: Pick<GridSpec, 'heads' | 'prototypes' | 'columns'>,
  { x, sampleWeight, mask }: Batch,
  index: Int32Array,
  delta: Float32Array,
): HostSums {
  const weights = new Float64Array(prototypes);
  const sums = new Float64Array(prototypes * columns);
  const coordinateWeights = mask && new Float64Array(prototypes * columns);
  const spread = new Float64Array(2 * heads);
  const perHead = prototypes / heads;
  for (let i = 0; i < index.length; i++) {
    const head = i % heads;
    const row = (i - head) / heads;
    const w = sampleWeight[row] as number;
    const k = head * perHead + (index[i] as number);
    weights[k] = (weights[k] as number) + w;
    spread[2 * head] = (spread[2 * head] as number) + w * (delta[i] as number);
    spread[2 * head + 1] = (spread[2 * head + 1] as number) + w;
    const at = k * columns;
    if (mask && coordinateWeights) {
      const from = mask.rows === 1 ? 0 : row * columns;
      const active = (j: number): number => Math.min(1, Math.max(0, mask.data[from + j] as number));
      for (let j = 0; j < columns; j++) {
        coordinateWeights[at + j] = (coordinateWeights[at + j] as number) + w * active(j);
      }
      visitRow(x, row, (j, value) => {
        const m = active(j);
        if (m > 0) sums[at + j] = (sums[at + j] as number) + w * m * value;
      });
    } else if (isSparse(x)) addRow(x, row, w, sums, at);
    else addScaled(sums, at, x.data, row * columns, columns, w);
  }
  return { weights, sums, coordinateWeights, spread };
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
