// Scaling of raw features: fitted on the host, applied by a traced graph, which training, prediction and export share.

import type { Rows } from '../data/matrix.js';
import { type NdArray, ndarray } from '../dtype.js';
import { clamp } from '../graph/functions.js';
import { add, concat, div, gather, iota, lt, mul, select, sub } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import { normalQuantile } from './normal.js';

export type Scaling = 'none' | 'standard' | 'quantile' | 'dual';

/** Fitted arrays of a scaler, by name; part of a checkpoint. */
export type ScalerArrays = Readonly<Record<string, NdArray>>;

/** Standardised values are clipped to ±6; ±4 limits rank-to-normal values. */
const standardClip = 6;
const quantileClip = 4;
/** Least deviation whose reciprocal is finite in float32, with a margin. */
const leastDeviation = 1e-37;
/**
 * Most knots in a column: one less than a power of two, to which the table is padded. 255 knots cost no accuracy compared with
 * 1000.
 */
const mostKnots = 255;
/** Share of a sum of weights that rounding may add or take. */
const rounding = 1e-9;

/** The values of a column that count, and their weights. */
interface Column {
  readonly values: Float32Array;
  readonly weights: Float32Array;
}

/** The values of a column that count: unmasked, in rows of positive weight. Null if they are all equal. */
function varying(x: Rows, mask: Rows | undefined, sampleWeight: Float32Array, j: number): Column | null {
  const [values, weights] = [new Float32Array(x.rows), new Float32Array(x.rows)];
  let count = 0;
  for (let i = 0; i < x.rows; i++) {
    const at = i * x.columns + j;
    const w = sampleWeight[i] as number;
    if (w === 0 || (mask && (mask.data[mask.rows === 1 ? j : at] as number) <= 0)) continue;
    weights[count] = w;
    values[count++] = x.data[at] as number;
  }
  const present = { values: values.subarray(0, count), weights: weights.subarray(0, count) };
  return present.values.some((value) => value !== values[0]) ? present : null;
}

const finite = (value: number): number => (value - value === 0 ? value : 0);

/** Weighted mean and standard deviation in float64, in two passes. */
function moments({ values, weights }: Column): { mean: number; deviation: number } {
  let [sum, total] = [0, 0];
  values.forEach((value, i) => {
    sum += (weights[i] as number) * value;
    total += weights[i] as number;
  });
  const mean = sum / total;
  let squares = 0;
  values.forEach((value, i) => {
    squares += (weights[i] as number) * (value - mean) ** 2;
  });
  return { mean, deviation: Math.sqrt(squares / total) };
}

/** Distinct values, ascending, and the weight of all rows up to each. */
function distributionOf({ values, weights }: Column): { distinct: Float32Array; upTo: Float64Array } {
  const distinct = values
    .slice()
    .sort()
    .filter((value, i, all) => i === 0 || value !== all[i - 1]);
  const upTo = new Float64Array(distinct.length);
  values.forEach((value, i) => {
    let [low, high] = [0, distinct.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((distinct[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    upTo[low] = (upTo[low] as number) + (weights[i] as number);
  });
  for (let k = 1; k < upTo.length; k++) upTo[k] = (upTo[k] as number) + (upTo[k - 1] as number);
  return { distinct, upTo };
}

/** Distinct knots of the weighted empirical distribution, each with the normal score of its mean rank. */
function knotsOf(column: Column): { knots: number[]; scores: number[] } {
  const { distinct, upTo } = distributionOf(column);
  const last = distinct.length - 1;
  const total = upTo[last] as number;
  const wanted: number[] = [];
  if (distinct.length <= mostKnots) for (let k = 0; k <= last; k++) wanted.push(k);
  else {
    let at = 0;
    for (let q = 0; q < mostKnots; q++) {
      // A quantile between two values is the upper one, whatever rounding does to the sums.
      const quantile = (q / (mostKnots - 1)) * total * (1 + rounding);
      while (at < last && (upTo[at] as number) <= quantile) at++;
      if (wanted[wanted.length - 1] !== at) wanted.push(at);
    }
  }
  const scores = wanted.map((k) => {
    const below = k > 0 ? (upTo[k - 1] as number) : 0;
    const score = normalQuantile((below + (upTo[k] as number)) / 2 / total);
    return Math.max(-quantileClip, Math.min(quantileClip, score));
  });
  return { knots: wanted.map((k) => distinct[k] as number), scores };
}

/**
 * Fits a scaler, column by column; masked values and rows of weight 0 do not count. Columns that are `plain` [D] are not scaled and
 * follow the others; constant ones are dropped. Yields between columns.
 */
export function* fittingScaler(
  scaling: Scaling,
  x: Rows,
  mask?: Rows,
  sampleWeight: Float32Array = new Float32Array(x.rows).fill(1),
  plain?: Uint8Array,
): Generator<undefined, ScalerArrays, undefined> {
  if (scaling === 'none') return {};
  const kept: number[] = [];
  const passing: number[] = [];
  const all: ReturnType<typeof moments>[] = [];
  const tables: ReturnType<typeof knotsOf>[] = [];
  const keep = (j: number, column: Column): void => {
    kept.push(j);
    if (scaling !== 'quantile') all.push(moments(column));
    if (scaling !== 'standard') tables.push(knotsOf(column));
  };
  for (let j = 0; j < x.columns; j++) {
    const column = varying(x, mask, sampleWeight, j);
    if (column && plain?.[j]) passing.push(j);
    else if (column) keep(j, column);
    yield;
  }
  // If all columns are constant, one is kept and scales to 0: comparisons need a column.
  if (kept.length === 0) {
    const values = Float32Array.of(x.rows > 0 ? finite(x.data[0] as number) : 0);
    keep(0, { values, weights: Float32Array.of(1) });
  }
  const arrays: Record<string, NdArray> = { 'scaler.columns': ndarray(kept, [kept.length], 'int32') };
  if (passing.length > 0) arrays['scaler.plain'] = ndarray(passing, [passing.length], 'int32');
  if (scaling !== 'quantile') {
    arrays['scaler.mean'] = ndarray(
      all.map((m) => m.mean),
      [kept.length],
    );
    arrays['scaler.inverse'] = ndarray(
      all.map((m) => (m.deviation > leastDeviation ? 1 / m.deviation : 0)),
      [kept.length],
    );
  }
  if (scaling !== 'standard') {
    const longest = Math.max(...tables.map((t) => t.knots.length));
    // Padded to a power of two for the binary search, with an infinite knot at the end of every column.
    const size = 2 ** Math.ceil(Math.log2(longest + 1));
    const pad = (list: number[], filler: number): number[] => [
      ...list,
      ...new Array<number>(size - list.length).fill(filler),
    ];
    arrays['scaler.knots'] = ndarray(
      tables.flatMap((t) => pad(t.knots, Number.POSITIVE_INFINITY)),
      [kept.length * size],
    );
    arrays['scaler.scores'] = ndarray(
      tables.flatMap((t) => pad(t.scores, t.scores[t.scores.length - 1] as number)),
      [kept.length * size],
    );
  }
  return arrays;
}

/** `fittingScaler` without yielding. */
export function fitScaler(scaling: Scaling, x: Rows, mask?: Rows, sampleWeight?: Float32Array): ScalerArrays {
  const columns = fittingScaler(scaling, x, mask, sampleWeight);
  for (;;) {
    const { done, value } = columns.next();
    if (done) return value;
  }
}

/** Number of columns after scaling. */
export function scaledColumns(scaling: Scaling, columns: number, arrays: ScalerArrays): number {
  const kept = arrays['scaler.columns']?.data.length ?? columns;
  const plain = arrays['scaler.plain']?.data.length ?? 0;
  return (scaling === 'dual' ? 2 * kept : kept) + plain;
}

/** Rank-to-normal scores: linear interpolation between knots, found by a binary search of gathers. */
function rankToNormal(x: Tensor, knots: Tensor, scores: Tensor): Tensor {
  const columns = x.dim(-1);
  const size = knots.dim(0) / columns;
  // Each step halves the range. x is at or above knots[index], or below all knots at index 0. The first step compares with one knot
  // a column.
  let index = mul(iota(x, columns), size);
  for (let step = size / 2; step >= 1; step /= 2) {
    const next = add(index, step);
    index = select(lt(x, gather(knots, next)), index, next);
  }
  const [low, high] = [gather(knots, index), gather(knots, add(index, 1))];
  const [from, to] = [gather(scores, index), gather(scores, add(index, 1))];
  return add(from, mul(clamp(div(sub(x, low), sub(high, low)), 0, 1), sub(to, from)));
}

/**
 * Applies a fitted scaler to rows [B, D] whose masked values are 0 already. If there is a metric (`scaler.metric` [D'], the square
 * roots of feature weights), columns are multiplied by it, so that distances between results are distances under the metric.
 */
export function applyScaler(scaling: Scaling, x: Tensor, arrays: Readonly<Record<string, Tensor>>): Tensor {
  const unit = arrays['scaler.unit'];
  const scaled = scaling === 'none' ? (unit ? mul(x, unit) : x) : scaleColumns(scaling, x, arrays);
  const metric = arrays['scaler.metric'];
  return metric ? mul(scaled, metric) : scaled;
}

function scaleColumns(scaling: Scaling, x: Tensor, arrays: Readonly<Record<string, Tensor>>): Tensor {
  const get = (name: string): Tensor => arrays[`scaler.${name}`] as Tensor;
  const kept = pickColumns(x, get('columns'));
  const parts: Tensor[] = [];
  if (scaling !== 'quantile') {
    parts.push(clamp(mul(sub(kept, get('mean')), get('inverse')), -standardClip, standardClip));
  }
  if (scaling !== 'standard') parts.push(rankToNormal(kept, get('knots'), get('scores')));
  if (arrays['scaler.plain']) parts.push(gather(x, arrays['scaler.plain'], 1));
  return concat(parts, 1);
}

/** The mask of the scaled columns; with 'dual' both copies of a column are masked. */
export function applyScalerToMask(
  scaling: Scaling,
  mask: Tensor,
  arrays: Readonly<Record<string, Tensor>>,
): Tensor {
  if (scaling === 'none') return mask;
  const kept = pickColumns(mask, arrays['scaler.columns'] as Tensor);
  const plain = arrays['scaler.plain'];
  const parts = [kept, ...(scaling === 'dual' ? [kept] : []), ...(plain ? [gather(mask, plain, 1)] : [])];
  return parts.length > 1 ? concat(parts, 1) : kept;
}

const pickColumns = (x: Tensor, columns: Tensor): Tensor =>
  columns.dim(0) === x.dim(1) ? x : gather(x, columns, 1);
