// Scaling of raw features: fitted on the host, applied by a traced graph, so that training, prediction and export share it.

import type { Rows } from '../data/matrix.js';
import { type NdArray, ndarray } from '../dtype.js';
import { clamp } from '../graph/functions.js';
import { add, concat, div, gather, iota, lt, mul, select, sub } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import { normalQuantile } from './normal.js';

export type Scaling = 'none' | 'standard' | 'quantile' | 'dual';

/** Fitted numbers of a scaler, by name; part of a checkpoint. */
export type ScalerArrays = Readonly<Record<string, NdArray>>;

/** Standardised values are clipped to ±6, rank-to-normal values to ±4. */
const standardClip = 6;
const quantileClip = 4;
/** The reciprocal of less than this would be infinite in float32. */
const leastDeviation = 1e-37;
/** Knots a column at most, one less than a power of two: the table is padded to it. 255 cost no accuracy beside 1000. */
const mostKnots = 255;

/** The unmasked values of a column, or null where they do not vary. */
function varying(x: Rows, mask: Rows | undefined, j: number): Float32Array | null {
  const column = new Float32Array(x.rows);
  let count = 0;
  for (let i = 0; i < x.rows; i++) {
    const at = i * x.columns + j;
    if (mask && (mask.data[mask.rows === 1 ? j : at] as number) <= 0) continue;
    column[count++] = x.data[at] as number;
  }
  const present = column.subarray(0, count);
  return present.some((value) => value !== present[0]) ? present : null;
}

const finite = (value: number): number => (value - value === 0 ? value : 0);

/** Mean and standard deviation in float64, in two passes. */
function moments(values: Float32Array): { mean: number; deviation: number } {
  let sum = 0;
  for (const value of values) sum += value;
  const mean = sum / values.length;
  let squares = 0;
  for (const value of values) squares += (value - mean) ** 2;
  return { mean, deviation: Math.sqrt(squares / values.length) };
}

/** Distinct knots of the empirical distribution with the normal score of their mean rank. */
function knotsOf(values: Float32Array): { knots: number[]; scores: number[] } {
  const sorted = values.slice().sort();
  const n = sorted.length;
  const wanted = new Set<number>();
  let distinct = 0;
  for (let i = 0; i < n && distinct <= mostKnots; i++) if (i === 0 || sorted[i] !== sorted[i - 1]) distinct++;
  if (distinct <= mostKnots) for (const value of sorted) wanted.add(value);
  else
    for (let k = 0; k < mostKnots; k++)
      wanted.add(sorted[Math.round((k * (n - 1)) / (mostKnots - 1))] as number);
  const knots = [...wanted];
  let begin = 0;
  const scores = knots.map((knot) => {
    while ((sorted[begin] as number) < knot) begin++;
    let end = begin;
    while (end < n && sorted[end] === knot) end++;
    const score = normalQuantile((begin + end) / 2 / n);
    begin = end;
    return Math.max(-quantileClip, Math.min(quantileClip, score));
  });
  return { knots, scores };
}

/** Fits a scaler on rows, a column at a time; masked values take no part. */
export function* fittingScaler(
  scaling: Scaling,
  x: Rows,
  mask?: Rows,
): Generator<undefined, ScalerArrays, undefined> {
  if (scaling === 'none') return {};
  const kept: number[] = [];
  const all: ReturnType<typeof moments>[] = [];
  const tables: ReturnType<typeof knotsOf>[] = [];
  const keep = (j: number, values: Float32Array): void => {
    kept.push(j);
    if (scaling !== 'quantile') all.push(moments(values));
    if (scaling !== 'standard') tables.push(knotsOf(values));
  };
  for (let j = 0; j < x.columns; j++) {
    const values = varying(x, mask, j);
    if (values) keep(j, values);
    yield;
  }
  // All constant: one column stays, so that there is something to compare; it scales to 0.
  if (kept.length === 0) keep(0, Float32Array.of(x.rows > 0 ? finite(x.data[0] as number) : 0));
  const arrays: Record<string, NdArray> = { 'scaler.columns': ndarray(kept, [kept.length], 'int32') };
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
    // A power of two for the binary search, with an infinite knot at the end of every column.
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

/** `fittingScaler`, at once. */
export function fitScaler(scaling: Scaling, x: Rows, mask?: Rows): ScalerArrays {
  const columns = fittingScaler(scaling, x, mask);
  for (;;) {
    const { done, value } = columns.next();
    if (done) return value;
  }
}

/** Columns that come out. */
export function scaledColumns(scaling: Scaling, columns: number, arrays: ScalerArrays): number {
  const kept = arrays['scaler.columns']?.data.length ?? columns;
  return scaling === 'dual' ? 2 * kept : kept;
}

/** Rank-to-normal by linear interpolation between knots, which a binary search of gathers finds. */
function rankToNormal(x: Tensor, knots: Tensor, scores: Tensor): Tensor {
  const columns = x.dim(-1);
  const size = knots.dim(0) / columns;
  // Each step halves the range; x lies at or above knots[index], or below them all at index 0. The first looks at one knot a column.
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
 * Applies a fitted scaler to rows [B, D] whose masked values are already 0. Where a metric was found (`scaler.metric` [D'],
 * the square roots of the feature's weights), distances between the results are distances under it.
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
  return concat(parts, 1);
}

/** The mask of the scaled columns: both copies of a column are masked together. */
export function applyScalerToMask(
  scaling: Scaling,
  mask: Tensor,
  arrays: Readonly<Record<string, Tensor>>,
): Tensor {
  if (scaling === 'none') return mask;
  const kept = pickColumns(mask, arrays['scaler.columns'] as Tensor);
  return scaling === 'dual' ? concat([kept, kept], 1) : kept;
}

const pickColumns = (x: Tensor, columns: Tensor): Tensor =>
  columns.dim(0) === x.dim(1) ? x : gather(x, columns, 1);
