// Σ w·δ of rows to given prototypes, exactly: differences in float64, where graphs expand them in float32.

import type { Rows } from '../data/matrix.js';
import { denseRows, isSparse } from '../data/sparse.js';
import type { NdArray } from '../dtype.js';
import { type Distance, distances, overPair, type Pair } from '../formulas/distances.js';
import type { Batch } from '../state/batch.js';

/** δ of a pair. Where masks and weights rescale δ, it is multiplied by D / ΣM, so that missing values do not lower it. */
function deltaOf(distance: Distance, pair: Pair): number {
  const { pairDelta, rescales } = distances[distance];
  const delta = pairDelta(pair);
  if (!rescales) return delta;
  const shown = overPair(pair, (m) => m);
  return (delta * pair.x.length) / Math.max(shown, 1e-12);
}

/** Σ w·δ of scaled rows to prototype index[i] each. */
export function inertiaOf(
  distance: Distance,
  { prototypes, featureWeights }: Readonly<Record<string, NdArray>>,
  { x, sampleWeight, mask }: Batch,
  index: ArrayLike<number>,
): number {
  const { data } = prototypes as NdArray;
  const { columns } = x;
  let inertia = 0;
  for (let i = 0; i < x.rows; i++) {
    const w = sampleWeight[i] as number;
    if (w === 0) continue;
    const at = (index[i] as number) * columns;
    if (distances[distance].expands && !isSparse(x) && !mask && !featureWeights) {
      inertia += w * squared(x.data, i * columns, data, at, columns);
      continue;
    }
    const row = denseRows(x, i, i + 1).data;
    const own = mask && maskRow(mask, i);
    const weight = (j: number): number =>
      Math.max(0, featureWeights ? (featureWeights.data[j] as number) : 1) *
      (own ? Math.min(1, own[j] as number) : 1);
    inertia += w * deltaOf(distance, { x: row, p: data.subarray(at, at + columns), weight });
  }
  return inertia;
}

/** ‖x − p‖² of dense rows [N, D] to prototype index[i] each. */
export function squaredDistances(
  x: Float32Array,
  { data, shape }: NdArray,
  index: ArrayLike<number>,
): Float32Array {
  const columns = shape[1] as number;
  return Float32Array.from(index, (k, i) => squared(x, i * columns, data, k * columns, columns));
}

const maskRow = (mask: Rows, i: number): Float32Array =>
  mask.data.subarray(...(mask.rows === 1 ? [0, mask.columns] : [i * mask.columns, (i + 1) * mask.columns]));

/** ‖x − p‖² of `size` numbers from `i` and from `k` on; two independent sums, which the CPU overlaps. */
export function squared(x: Float32Array, i: number, p: ArrayLike<number>, k: number, size: number): number {
  let even = 0;
  let odd = 0;
  let j = 0;
  for (; j + 1 < size; j += 2) {
    const a = (x[i + j] as number) - (p[k + j] as number);
    const b = (x[i + j + 1] as number) - (p[k + j + 1] as number);
    even += a * a;
    odd += b * b;
  }
  const last = j < size ? (x[i + j] as number) - (p[k + j] as number) : 0;
  return even + odd + last * last;
}
