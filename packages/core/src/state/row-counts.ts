// How many rows a weighted row counts as. Initialisation must give the same grid whether rows are repeated or weighted, in any order and in
// any unit of weights, and must ignore rows of negligible weight. So it works on distinct rows, weighted in rows.

import type { Rows } from '../data/matrix.js';
import { type Features, isSparse } from '../data/sparse.js';
import type { Random } from '../random.js';
import { type Batch, takeBatch } from './batch.js';

/** Share of the total weight that rows lighter than the unit have together, at most. */
const lightShare = 1e-2;
/** Rows lighter than this, in rows, are dropped: otherwise scalers would take in values of negligible weight. */
export const leastWeight = 1e-6;
/** Rows and clusters lighter than this, in rows, start no prototype. */
export const leastFounder = 0.5;
/** Limits on rows, and on numbers in them, for merging equal rows. Larger sets have few equal rows, and a drawn sample stands for all. */
const [mostRows, mostNumbers] = [2 ** 16, 2 ** 24];

/** Rows as initialisation sees them. */
export interface CountedRows {
  /** Distinct rows, ordered by their values; weights count rows. */
  readonly batch: Batch;
  /** The weight that counts as one row. */
  readonly unit: number;
}

/**
 * `unit`: the weight of one row. Its default is computed from `rows`; callers pass it if they merged rows since it was computed. Some
 * weight has to be above 0.
 */
export const countedRows = (rows: Batch, unit: number = unitWeight(rows.sampleWeight)): CountedRows => ({
  batch: countingRows(inRows(distinctRows(rows), unit), leastWeight),
  unit,
});

/** The rows of at least this weight; by default those of any positive weight. */
export function countingRows(batch: Batch, least: number = Number.MIN_VALUE): Batch {
  const { sampleWeight } = batch;
  if (sampleWeight.every((w) => w >= least)) return batch;
  const kept = Uint32Array.from(sampleWeight.keys()).filter((i) => (sampleWeight[i] as number) >= least);
  return takeBatch(batch, kept, 0, kept.length);
}

/** The same rows with weights divided by `unit`. */
export const inRows = (batch: Batch, unit: number): Batch =>
  unit === 1 ? batch : { ...batch, sampleWeight: batch.sampleWeight.map((w) => w / unit) };

/** The effective number of rows, Σ min(1, w), of weights in rows. */
function effectiveRows(weights: Float32Array): number {
  let count = 0;
  for (const w of weights) count += Math.min(1, w);
  return count;
}

/** The effective number rounded down, at least 1; the factor covers rounding in sums of weights. */
export const wholeRows = (weights: Float32Array): number =>
  Math.max(1, Math.floor(effectiveRows(weights) * (1 + 1e-6)));

/**
 * The weight of one row: the largest weight such that all lighter rows together have less than a hundredth of the total. This is the common
 * weight if all are equal, and 1 for whole counts. Any number of light rows leaves it unchanged.
 */
export function unitWeight(weights: Float32Array): number {
  const [first = 1] = weights;
  if (weights.every((w) => w === first)) return first;
  const sorted = weights.slice().sort();
  let total = 0;
  for (const w of sorted) total += w;
  let below = 0;
  for (const w of sorted) {
    below += w;
    if (below >= lightShare * total) return w;
  }
  return first;
}

/**
 * Merges rows that are equal in x, y and mask, adding up their weights; drops rows of weight 0. The order follows the values,
 * column by column, so that no unit of a column changes it. Very large sets only lose their rows of weight 0.
 */
export function distinctRows(given: Batch): Batch {
  const rows = countingRows(given);
  const { x, y, mask, sampleWeight } = rows;
  const numbers = isSparse(x) ? x.values.length : x.data.length;
  if (x.rows > mostRows || numbers > mostNumbers) return rows;
  const own = mask && mask.rows > 1 ? mask : undefined;
  const compare = (i: number, j: number): number =>
    compareRows(x, i, j, mask) || compareRows(y, i, j) || (own ? compareRows(own, i, j) : 0);
  const order = Uint32Array.from(sampleWeight.keys()).sort((i, j) => compare(i, j) || i - j);
  const first: number[] = [];
  const weights: number[] = [];
  for (const row of order) {
    const last = first.length - 1;
    if (last >= 0 && compare(first[last] as number, row) === 0)
      weights[last] = (weights[last] as number) + (sampleWeight[row] as number);
    else {
      first.push(row);
      weights.push(sampleWeight[row] as number);
    }
  }
  return { ...takeBatch(rows, first, 0, first.length), sampleWeight: Float32Array.from(weights) };
}

/** The sign of the first difference between two rows; masked values count as 0. */
function compareRows(x: Features, i: number, j: number, mask?: Rows): number {
  const shown = (row: number, column: number, value: number): number =>
    mask && (mask.data[(mask.rows === 1 ? 0 : row * mask.columns) + column] as number) <= 0 ? 0 : value;
  if (!isSparse(x)) {
    for (let c = 0, a = i * x.columns, b = j * x.columns; c < x.columns; c++, a++, b++) {
      const gap = shown(i, c, x.data[a] as number) - shown(j, c, x.data[b] as number);
      if (gap !== 0) return gap;
    }
    return 0;
  }
  let [a, b] = [x.indptr[i] as number, x.indptr[j] as number];
  const [endA, endB] = [x.indptr[i + 1] as number, x.indptr[j + 1] as number];
  while (a < endA || b < endB) {
    const columnA = a < endA ? (x.indices[a] as number) : x.columns;
    const columnB = b < endB ? (x.indices[b] as number) : x.columns;
    const column = Math.min(columnA, columnB);
    const valueA = columnA === column ? shown(i, column, x.values[a++] as number) : 0;
    const valueB = columnB === column ? shown(j, column, x.values[b++] as number) : 0;
    if (valueA !== valueB) return valueA - valueB;
  }
  return 0;
}

/**
 * At most `limit` rows, drawn by weight without replacement, that represent all rows: Σ w·f over them estimates Σ w·f over all, up
 * to a common factor, since the drawn weights keep their own sum. Equal weights stay equal. Source: priority sampling (Duffield,
 * Lund & Thorup 2007).
 */
export function drawByWeight(rows: Batch, limit: number, random: Random): Batch {
  const { sampleWeight } = rows;
  const n = rows.x.rows;
  if (n <= limit) return rows;
  if (sampleWeight.every((w) => w === sampleWeight[0])) {
    return takeBatch(rows, random.permutation(n).subarray(0, limit), 0, limit);
  }
  const priorities = Float64Array.from(sampleWeight, (w) => w / (1 - random.uniform()));
  const order = Uint32Array.from(priorities.keys()).sort(
    (i, j) => (priorities[j] as number) - (priorities[i] as number) || i - j,
  );
  const threshold = priorities[order[limit] as number] as number;
  const indices = order.subarray(0, limit).filter((i) => (sampleWeight[i] as number) > 0);
  const drawn = takeBatch(rows, indices, 0, indices.length);
  const raised = drawn.sampleWeight.map((w) => Math.max(w, threshold));
  const sum = (weights: Float32Array): number => weights.reduce((a, b) => a + b, 0);
  const factor = sum(drawn.sampleWeight) / sum(raised);
  return { ...drawn, sampleWeight: raised.map((w) => w * factor) };
}

/** k rows drawn without replacement, with probability proportional to their weight at each draw. */
export function drawIndices(weights: Float32Array, k: number, random: Random): number[] {
  const waits = Float64Array.from(weights, (w) => -Math.log(1 - random.uniform()) / w);
  return Array.from(waits.keys())
    .sort((i, j) => (waits[i] as number) - (waits[j] as number))
    .slice(0, k);
}
