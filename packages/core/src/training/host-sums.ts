// Σ over the rows of each prototype, on the host in float64. On a CPU a scatter in the graph, or a product with one-hot rows,
// takes three to six times as long as this loop; float32 sums stop growing at 2^24 rows; and X lies on the host anyway.

import type { Rows } from '../data/matrix.js';
import { addRow, type Features, isSparse, visitRow } from '../data/sparse.js';
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
  const add = mask && coordinateWeights ? masked(x, mask, sums, coordinateWeights) : plain(x, sums);
  const n = sampleWeight.length;
  for (let head = 0; head < heads; head++) {
    let [cost, weight] = [0, 0];
    for (let row = 0; row < n; row++) {
      const i = row * heads + head;
      const w = sampleWeight[row] as number;
      const k = head * perHead + (index[i] as number);
      weights[k] = (weights[k] as number) + w;
      cost += w * (delta[i] as number);
      weight += w;
      add(row, w, k * columns);
    }
    spread.set([cost, weight], 2 * head);
  }
  return { weights, sums, coordinateWeights, spread };
}

/**
 * The sums of one head where rows moved from one index to another: what they left is taken off and what they joined grows, so
 * that late passes, in which few rows move, add little. `before` is what `addRows` or this gave for the first index.
 */
export function moveRows(
  before: Pick<HostSums, 'weights' | 'sums'>,
  { x, sampleWeight }: Batch,
  from: Int32Array,
  to: Int32Array,
): Pick<HostSums, 'weights' | 'sums'> {
  const weights = before.weights.slice();
  const sums = before.sums.slice();
  const { columns } = x;
  const move = mover(x, sums);
  const members = new Uint32Array(weights.length);
  for (let row = 0; row < to.length; row++) {
    const old = from[row] as number;
    const k = to[row] as number;
    const w = sampleWeight[row] as number;
    if (w > 0) members[k] = (members[k] as number) + 1;
    if (old === k) continue;
    move(row, w, old * columns, k * columns);
    weights[old] = (weights[old] as number) - w;
    weights[k] = (weights[k] as number) + w;
  }
  // What is left of sums that all rows have left is rounding.
  members.forEach((count, k) => {
    if (count > 0) return;
    weights[k] = 0;
    sums.fill(0, k * columns, (k + 1) * columns);
  });
  return { weights, sums };
}

type Add = (row: number, w: number, at: number) => void;

const plain = (x: Features, sums: Float64Array): Add => {
  if (isSparse(x)) return (row, w, at) => addRow(x, row, w, sums, at);
  const { data, columns } = x;
  return (row, w, at) => addScaled(sums, at, data, row * columns, columns, w);
};

/** Takes w·x of a row off the sums from `from` on, and adds it to those from `to` on. */
const mover = (x: Features, sums: Float64Array) => {
  const { columns } = x;
  if (isSparse(x)) {
    return (row: number, w: number, from: number, to: number): void => {
      addRow(x, row, -w, sums, from);
      addRow(x, row, w, sums, to);
    };
  }
  const { data } = x;
  return (row: number, w: number, from: number, to: number): void => {
    let a = from;
    let b = to;
    const end = (row + 1) * columns;
    for (let i = row * columns; i < end; i++, a++, b++) {
      const value = w * (data[i] as number);
      sums[a] = (sums[a] as number) - value;
      sums[b] = (sums[b] as number) + value;
    }
  };
};

const masked = (x: Features, mask: Rows, sums: Float64Array, weights: Float64Array): Add => {
  const { columns } = x;
  return (row, w, at) => {
    const from = mask.rows === 1 ? 0 : row * columns;
    const active = (j: number): number => Math.min(1, Math.max(0, mask.data[from + j] as number));
    for (let j = 0; j < columns; j++) weights[at + j] = (weights[at + j] as number) + w * active(j);
    visitRow(x, row, (j, value) => {
      const m = active(j);
      if (m > 0) sums[at + j] = (sums[at + j] as number) + w * m * value;
    });
  };
};

/** sums[to + j] += w · x[from + j] for j < size. Four at a time, which takes half as long. */
function addScaled(
  sums: Float64Array,
  to: number,
  x: Float32Array,
  from: number,
  size: number,
  w: number,
): void {
  // Two running positions: pairs taken apart by destructuring cost more than the sums.
  let a = to;
  let b = from;
  const end = from + size;
  for (; b + 3 < end; a += 4, b += 4) {
    sums[a] = (sums[a] as number) + w * (x[b] as number);
    sums[a + 1] = (sums[a + 1] as number) + w * (x[b + 1] as number);
    sums[a + 2] = (sums[a + 2] as number) + w * (x[b + 2] as number);
    sums[a + 3] = (sums[a + 3] as number) + w * (x[b + 3] as number);
  }
  for (; b < end; a++, b++) sums[a] = (sums[a] as number) + w * (x[b] as number);
}
