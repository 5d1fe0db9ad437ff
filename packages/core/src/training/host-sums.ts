// Σ over the rows of each prototype, on the host in float64. On a CPU a scatter in the graph, or a product with one-hot rows,
// takes three to six times as long as this loop; float32 sums stop growing at 2^24 rows; and X lies on the host anyway.

import type { Rows } from '../data/matrix.js';
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
}

/** What sums of rows without masks are. */
export type IndexSums = Pick<HostSums, 'weights' | 'sums'>;

/** Every row counts at its nearest prototype of each head, with its own weight: the index says it all. */
export const summedByIndex = ({ candidates, joint, repels }: GridSpec): boolean =>
  (joint || candidates === 'all') && !repels;

/** The sums of all rows; `index` [N, H] is the nearest prototype in each head. */
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
      add(row, k * columns, 1);
    }
  }
  return { weights, sums, coordinateWeights };
}

/** Σ w·δ and Σ w, a pair a head, of δ [N, H]. */
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
 * The sums of one head where rows moved from one index to another: what they left is taken off and what they joined grows, so
 * that late passes, in which few rows move, add little. `before` is what `addRows` or this gave for the first index.
 */
export function moveRows(before: IndexSums, batch: Batch, from: Int32Array, to: Int32Array): IndexSums {
  const weights = before.weights.slice();
  const sums = before.sums.slice();
  const { sampleWeight, x } = batch;
  const { columns } = x;
  const move = mover(batch, sums);
  const members = new Uint32Array(weights.length);
  for (let row = 0; row < to.length; row++) {
    const old = from[row] as number;
    const k = to[row] as number;
    const w = sampleWeight[row] as number;
    if (w > 0) members[k] = (members[k] as number) + 1;
    if (old === k) continue;
    move(row, old * columns, k * columns);
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

/**
 * Adds sign·w·x of a row to the sums from `at` on. The weight is read where it is needed: a number that is handed through
 * calls is an object each time.
 */
type Add = (row: number, at: number, sign: 1 | -1) => void;

const plain = ({ x, sampleWeight }: Batch, sums: Float64Array): Add => {
  if (isSparse(x)) {
    return (row, at, sign) => addRow(x, row, sign * (sampleWeight[row] as number), sums, at);
  }
  const { data, columns } = x;
  // Four at a time, which takes half as long.
  return (row, at, sign) => {
    const w = sign * (sampleWeight[row] as number);
    // Two running positions: pairs taken apart by destructuring cost more than the sums.
    let to = at;
    let from = row * columns;
    const end = from + columns;
    for (; from + 3 < end; to += 4, from += 4) {
      sums[to] = (sums[to] as number) + w * (data[from] as number);
      sums[to + 1] = (sums[to + 1] as number) + w * (data[from + 1] as number);
      sums[to + 2] = (sums[to + 2] as number) + w * (data[from + 2] as number);
      sums[to + 3] = (sums[to + 3] as number) + w * (data[from + 3] as number);
    }
    for (; from < end; to++, from++) sums[to] = (sums[to] as number) + w * (data[from] as number);
  };
};

/** Takes w·x of a row off the sums from `from` on, and adds it to those from `to` on: read once, four at a time. */
const mover = (batch: Batch, sums: Float64Array): ((row: number, from: number, to: number) => void) => {
  const { x, sampleWeight } = batch;
  if (isSparse(x)) {
    const add = plain(batch, sums);
    return (row, from, to) => {
      add(row, from, -1);
      add(row, to, 1);
    };
  }
  const { data, columns } = x;
  return (row, from, to) => {
    const w = sampleWeight[row] as number;
    let a = from;
    let b = to;
    let i = row * columns;
    const end = i + columns;
    for (; i + 3 < end; i += 4, a += 4, b += 4) {
      const v0 = w * (data[i] as number);
      const v1 = w * (data[i + 1] as number);
      const v2 = w * (data[i + 2] as number);
      const v3 = w * (data[i + 3] as number);
      sums[a] = (sums[a] as number) - v0;
      sums[a + 1] = (sums[a + 1] as number) - v1;
      sums[a + 2] = (sums[a + 2] as number) - v2;
      sums[a + 3] = (sums[a + 3] as number) - v3;
      sums[b] = (sums[b] as number) + v0;
      sums[b + 1] = (sums[b + 1] as number) + v1;
      sums[b + 2] = (sums[b + 2] as number) + v2;
      sums[b + 3] = (sums[b + 3] as number) + v3;
    }
    for (; i < end; i++, a++, b++) {
      const value = w * (data[i] as number);
      sums[a] = (sums[a] as number) - value;
      sums[b] = (sums[b] as number) + value;
    }
  };
};

const masked = ({ x, sampleWeight }: Batch, mask: Rows, sums: Float64Array, weights: Float64Array): Add => {
  const { columns } = x;
  return (row, at, sign) => {
    const w = sign * (sampleWeight[row] as number);
    const from = mask.rows === 1 ? 0 : row * columns;
    const active = (j: number): number => Math.min(1, Math.max(0, mask.data[from + j] as number));
    for (let j = 0; j < columns; j++) weights[at + j] = (weights[at + j] as number) + w * active(j);
    visitRow(x, row, (j, value) => {
      const m = active(j);
      if (m > 0) sums[at + j] = (sums[at + j] as number) + w * m * value;
    });
  };
};
