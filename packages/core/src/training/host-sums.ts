// Sums over the rows of each prototype, on the host in float64. On a CPU, a scatter in the graph or a product with one-hot rows
// takes three to six times as long; float32 sums stop growing at 2^24 rows; and X is on the host anyway.

import type { Rows } from '../data/matrix.js';
import { addRow, isSparse, visitRow } from '../data/sparse.js';
import type { Batch } from '../state/batch.js';
import type { GridSpec } from './spec.js';

export interface HostSums {
  /** Σ w [K] */
  readonly weights: Float64Array;
  /** Σ w·x [K, D], or Σ w·m·x where masked */
  readonly sums: Float64Array;
  /** Σ w·m [K, D], masked only */
  readonly coordinateWeights: Float64Array | undefined;
}

/** The sums of rows without a mask. */
export type IndexSums = Pick<HostSums, 'weights' | 'sums'>;

/** Whether every row counts at its nearest prototype of each head with its own weight: then the index determines all sums. */
export const summedByIndex = ({ candidates, joint, repels }: GridSpec): boolean =>
  (joint || candidates === 'all') && !repels;

/** Adds all rows to the sums; `index` [N, H] is the nearest prototype in each head. */
export function addRows(
  { heads, prototypes, columns }: Pick<GridSpec, 'heads' | 'prototypes' | 'columns'>,
  batch: Batch,
  index: Int32Array,
): HostSums {
  const { sampleWeight, mask } = batch;
  const weights = new Float64Array(prototypes);
  const sums = new Float64Array(prototypes * columns);
  const coordinateWeights = mask && new Float64Array(prototypes * columns);
  const perHead = prototypes / heads;
  const add = mask && coordinateWeights ? masked(batch, mask, sums, coordinateWeights) : plain(batch, sums);
  const n = sampleWeight.length;
  for (let head = 0; head < heads; head++) {
    for (let row = 0; row < n; row++) {
      const w = sampleWeight[row] as number;
      const k = head * perHead + (index[row * heads + head] as number);
      weights[k] = (weights[k] as number) + w;
      add(row, k * columns);
    }
  }
  return { weights, sums, coordinateWeights };
}

/** Σ w·δ and Σ w, a pair a head, from δ [N, H]. */
export function spreadOf(
  heads: number,
  sampleWeight: ArrayLike<number>,
  delta: ArrayLike<number>,
): Float64Array {
  const spread = new Float64Array(2 * heads);
  for (let head = 0; head < heads; head++) {
    let [cost, weight] = [0, 0];
    for (let row = 0; row < sampleWeight.length; row++) {
      const w = sampleWeight[row] as number;
      cost += w * (delta[row * heads + head] as number);
      weight += w;
    }
    spread.set([cost, weight], 2 * head);
  }
  return spread;
}

/**
 * Adds w·x of a row to the sums from `at` on. The weight is read inside: passing a number through calls allocates an object each
 * time.
 */
type Add = (row: number, at: number) => void;

const plain = ({ x, sampleWeight }: Batch, sums: Float64Array): Add => {
  if (isSparse(x)) {
    return (row, at) => addRow(x, row, sampleWeight[row] as number, sums, at);
  }
  const { data, columns } = x;
  return (row, at) => addScaled(data, row * columns, sampleWeight[row] as number, sums, at, columns);
};

/** sums[at …] += w·x for `size` numbers from `from` on; unrolled by four, which halves the time. */
export function addScaled(
  x: Float32Array,
  from: number,
  w: number,
  sums: Float64Array,
  at: number,
  size: number,
): void {
  // Running positions: destructuring pairs costs more than the sums.
  let i = from;
  let to = at;
  for (const end = from + size; i + 3 < end; i += 4, to += 4) {
    sums[to] = (sums[to] as number) + w * (x[i] as number);
    sums[to + 1] = (sums[to + 1] as number) + w * (x[i + 1] as number);
    sums[to + 2] = (sums[to + 2] as number) + w * (x[i + 2] as number);
    sums[to + 3] = (sums[to + 3] as number) + w * (x[i + 3] as number);
  }
  for (const end = from + size; i < end; i++, to++) sums[to] = (sums[to] as number) + w * (x[i] as number);
}

const masked = ({ x, sampleWeight }: Batch, mask: Rows, sums: Float64Array, weights: Float64Array): Add => {
  const { columns } = x;
  return (row, at) => {
    const w = sampleWeight[row] as number;
    const from = mask.rows === 1 ? 0 : row * columns;
    const active = (j: number): number => Math.min(1, Math.max(0, mask.data[from + j] as number));
    for (let j = 0; j < columns; j++) weights[at + j] = (weights[at + j] as number) + w * active(j);
    visitRow(x, row, (j, value) => {
      const m = active(j);
      if (m > 0) sums[at + j] = (sums[at + j] as number) + w * m * value;
    });
  };
};
