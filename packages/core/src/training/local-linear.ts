// prototypeModel 'linear': each prototype answers by a local linear model, t_k + S_k·(x − p_k). The slope S_k is a ridge regression
// over the rows nearest to it in each head. Gradients do not move slopes; phase 1 keeps the moments that they are solved from.

import type { Rows } from '../data/matrix.js';
import { addRow } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { OptionError } from '../errors.js';
import { addMoments, momentSize, ridgeSlopes, scatterOf } from '../formulas/moments.js';
import type { Batch } from '../state/batch.js';
import { leastWeight } from '../state/row-counts.js';
import type { ModelState } from '../state/state.js';
import type { Context } from './context.js';
import type { GridSpec } from './spec.js';

/** Most columns: the second moments take K·D²/2 numbers. */
const mostColumns = 256;
/** Least variance within a prototype in its ridge regression, as a share of the mean over prototypes. */
const leastVariance = 0.1;

/**
 * The state with the range of the targets, to which answers are clipped, widened by rows in the caller's units; unchanged unless
 * `prototypeModel` is 'linear'. Errors: OptionError for more columns than local linear models take.
 */
export function withTargetRange(
  { options }: Context,
  state: ModelState,
  { y, sampleWeight }: Batch,
  call: string,
): ModelState {
  if (options.prototypeModel !== 'linear') return state;
  const columns = (state.arrays.prototypes as NdArray).shape[1] as number;
  if (columns > mostColumns) {
    throw new OptionError(
      `${call}: prototypeModel 'linear' fits slopes in up to ${mostColumns} columns, there are ${columns} after scaling; use 'constant', or scaling 'standard' in place of 'dual'.`,
      { option: 'prototypeModel', columns, allowed: mostColumns },
    );
  }
  const before = (name: string, none: number): Float32Array =>
    Float32Array.from(state.arrays[name]?.data ?? new Float32Array(y.columns).fill(none));
  const low = before('target.low', Number.POSITIVE_INFINITY);
  const high = before('target.high', Number.NEGATIVE_INFINITY);
  const least = leastWeight * (state.unit ?? 1);
  // y is dense here, even if the features are sparse.
  const { data } = y as Rows;
  for (let row = 0, i = 0; row < y.rows; row++) {
    const counts = (sampleWeight[row] as number) > least;
    for (let t = 0; t < y.columns; t++, i++) {
      if (!counts) continue;
      low[t] = Math.min(low[t] as number, data[i] as number);
      high[t] = Math.max(high[t] as number, data[i] as number);
    }
  }
  if (!low.every(Number.isFinite)) return state;
  const range = { 'target.low': ndarray(low, [y.columns]), 'target.high': ndarray(high, [y.columns]) };
  return { ...state, arrays: { ...state.arrays, ...range } };
}

/**
 * Moments and slopes after a scaled batch; `index` [N, H] is each row's nearest prototype. The previous moments are multiplied by
 * `past`.
 */
export function learnSlopes(
  spec: GridSpec,
  state: ModelState,
  batch: Batch,
  index: Int32Array,
  past: number,
): { moments: Float64Array; slopes: NdArray } {
  const { heads, prototypes: count, columns, outputs } = spec;
  const size = momentSize(columns, outputs);
  const moments = state.moments?.map((sum) => past * sum) ?? new Float64Array(count * size);
  const p = (state.arrays.prototypes as NdArray).data;
  const row = new Float64Array(columns);
  const y = new Float64Array(outputs);
  const shown = new Float64Array(columns);
  const mask = batch.mask?.data;
  const targets = (batch.y as Rows).data;
  for (let i = 0; i < batch.x.rows; i++) {
    const w = batch.sampleWeight[i] as number;
    if (w === 0) continue;
    row.fill(0);
    addRow(batch.x, i, 1, row, 0);
    for (let t = 0; t < outputs; t++) y[t] = targets[i * outputs + t] as number;
    const masked = batch.mask?.rows === 1 ? 0 : i * columns;
    for (let head = 0; head < heads; head++) {
      const k = (head * count) / heads + (index[i * heads + head] as number);
      // A masked value counts as the prototype's own, so that it contributes no slope.
      for (let j = 0; mask && j < columns; j++) {
        const m = Math.min(1, Math.max(0, mask[masked + j] as number));
        const at = p[k * columns + j] as number;
        shown[j] = m > 0 ? at + m * ((row[j] as number) - at) : at;
      }
      addMoments(moments, k * size, mask ? shown : row, y, w);
    }
  }
  return { moments, slopes: solved(spec, state, moments) };
}

/** Slopes [K, T, D], divided among the heads; a frozen prototype keeps its own. */
function solved(spec: GridSpec, { arrays, unit }: ModelState, moments: Float64Array): NdArray {
  const { heads, prototypes: count, columns, outputs } = spec;
  const size = moments.length / count;
  const width = outputs * columns;
  const slopes = Float32Array.from(arrays.slopes?.data ?? new Float32Array(count * width));
  const frozen = (arrays.frozen as NdArray).data;
  const own = (k: number): Float64Array => moments.subarray(k * size, (k + 1) * size);
  let [spread, total] = [0, 0];
  for (let k = 0; k < count; k++) {
    const scatter = scatterOf(own(k), columns);
    spread += scatter.spread;
    total += scatter.total;
  }
  const least = total > 0 ? (leastVariance * spread) / total / columns : 0;
  for (let k = 0; k < count; k++) {
    if (frozen[k] === 1) continue;
    const part = slopes.subarray(k * width, (k + 1) * width);
    ridgeSlopes(own(k), columns, part, unit ?? 1, least);
    if (heads > 1)
      part.forEach((slope, i) => {
        part[i] = slope / heads;
      });
  }
  return ndarray(slopes, [count, outputs, columns]);
}
