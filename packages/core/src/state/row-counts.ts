// How many rows a weighted row is. A start must not see whether rows were repeated or weighted, in which order they came, in
// which unit their weights are, nor rows whose weight comes to nothing: so it looks at distinct rows, with weights in rows.

import type { Rows } from '../data/matrix.js';
import { type Features, isSparse } from '../data/sparse.js';
import type { Random } from '../random.js';
import { type Batch, takeBatch } from './batch.js';

/** Share of the weight that rows lighter than the unit may have together. */
const lightShare = 1e-2;
/** A row of less than this, in rows, is absent from a start: it would tell scalers of values that nobody has. */
export const leastWeight = 1e-6;
/** Rows and clusters of less than this, in rows, found no prototype. */
export const leastFounder = 0.5;
/** Rows that are compared with each other, and numbers in them, at most: beyond them few are equal, and drawn ones stand for all. */
const [mostRows, mostNumbers] = [2 ** 16, 2 ** 24];

/** Rows as a start looks at them. */
export interface CountedRows {
  /** Distinct rows in an order that their values give; weights count rows. */
  readonly batch: Batch;
  /** The weight that counts as one row. */
  readonly unit: number;
}

/** Some weight is above 0; `unit` is that of rows which were put together since, else that of these. */
export const countedRows = (rows: Batch, unit: number = unitWeight(rows.sampleWeight)): CountedRows => ({
  batch: countingRows(inRows(distinctRows(rows), unit), leastWeight),
  unit,
});

/** The rows of some weight, or of so much at least. */
export function countingRows(batch: Batch, least: number = Number.MIN_VALUE): Batch {
  const { sampleWeight } = batch;
  if (sampleWeight.every((w) => w >= least)) return batch;
  const kept = Uint32Array.from(sampleWeight.keys()).filter((i) => (sampleWeight[i] as number) >= least);
  return takeBatch(batch, kept, 0, kept.length);
}

/** The same rows, weights divided by that of one row. */
export const inRows = (batch: Batch, unit: number): Batch =>
  unit === 1 ? batch : { ...batch, sampleWeight: batch.sampleWeight.map((w) => w / unit) };

/** How many rows weights in rows come to: a repeated row is one, and a lighter one the part that it is. */
function effectiveRows(weights: Float32Array): number {
  let count = 0;
  for (const w of weights) count += Math.min(1, w);
  return count;
}

/** As many whole rows, one at least; what sums of rounded weights lack to the last one is rounding. */
export const wholeRows = (weights: Float32Array): number =>
  Math.max(1, Math.floor(effectiveRows(weights) * (1 + 1e-6)));

/**
 * The weight of one row: the largest of which all lighter rows together have less than a hundredth of the weight. That of equal
 * weights, whatever it is, and 1 of whole numbers of rows; light rows do not lower it, however many they are.
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
 * Rows that differ in x, y or mask, equal ones as one with the sum of their weights, without those of weight 0; ordered by their
 * values, column by column, which no unit of a column changes. Of very many rows only those of weight 0 go.
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

/** The sign of the first difference of two rows; what the mask hides counts as 0. */
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
 * `limit` rows at most, drawn without replacement and by weight, that stand for all: Σ w·f over them estimates Σ w·f over all rows,
 * but for a factor, so that the weights of the drawn rows keep their sum. Equal weights stay equal. (Priority sampling: Duffield,
 * Lund & Thorup 2007.)
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

/** k rows without replacement, heavier ones sooner: as the first k of an urn that holds each of them as often as it weighs. */
export function drawIndices(weights: Float32Array, k: number, random: Random): number[] {
  const waits = Float64Array.from(weights, (w) => -Math.log(1 - random.uniform()) / w);
  return Array.from(waits.keys())
    .sort((i, j) => (waits[i] as number) - (waits[j] as number))
    .slice(0, k);
}
