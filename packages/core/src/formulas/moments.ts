// Moments for the local linear model of a prototype: raw second moments of its rows in float64, and the ridge slope of y on x that
// they give. Moments of batches add up, so a stream learns the same as one pass.

import { cholesky, solve } from './cholesky.js';

/** Numbers for each prototype: the lower triangle of Σ w·z·zᵀ with z = [1, x], then Σ w·z·yᵀ. */
export const momentSize = (columns: number, outputs: number): number =>
  ((columns + 1) * (columns + 2)) / 2 + (columns + 1) * outputs;

/** Adds a row x [D], y [T] of weight w to the moments that start at `at`. */
export function addMoments(
  moments: Float64Array,
  at: number,
  x: Float64Array,
  y: ArrayLike<number>,
  w: number,
): void {
  // Runs for every row, so it is written without inner calls and closures, which cost more than the products.
  let index = at;
  moments[index] = (moments[index] as number) + w;
  index++;
  for (let i = 0; i < x.length; i++) {
    const factor = w * (x[i] as number);
    moments[index] = (moments[index] as number) + factor;
    index++;
    for (let j = 0; j <= i; j++, index++)
      moments[index] = (moments[index] as number) + factor * (x[j] as number);
  }
  for (let i = -1; i < x.length; i++) {
    const factor = i < 0 ? w : w * (x[i] as number);
    for (let t = 0; t < y.length; t++, index++)
      moments[index] = (moments[index] as number) + factor * (y[t] as number);
  }
}

/**
 * Strength of the ridge, in rows of the mean variance of a feature. On validation rows of kin8nm, California housing and bike
 * sharing, 0.1 and 1 are equal with all rows; with 400 rows, 1 is .02 of R² better; larger values are worse with all rows.
 */
const ridge = 1;
/** Relative rounding error of moments that cancel. */
const rounding = 1e-12;

/** Start of row i of the triangle; its first entry is Σ w·x of feature i − 1. */
const line = (i: number): number => (i * (i + 1)) / 2;

/** Σ w, and Σ w·‖x − x̄‖² over all features. */
export function scatterOf(moments: Float64Array, columns: number): { total: number; spread: number } {
  const total = moments[0] as number;
  let spread = 0;
  for (let i = 1; i <= columns; i++) {
    const sum = moments[line(i)] as number;
    if (total > 0) spread += (moments[line(i) + i] as number) - (sum * sum) / total;
  }
  return { total, spread: Math.max(0, spread) };
}

/**
 * Slopes (C + λI)⁻¹·c [T, D], written to `slopes`; C and c are the centered moments, λ the ridge. 0 without weight or spread.
 * `unit` is the weight of a row. The mean variance of a feature counts as at least `least`: otherwise a row of very small weight
 * would determine the slope at a prototype with one other row.
 */
export function ridgeSlopes(
  moments: Float64Array,
  columns: number,
  slopes: Float32Array,
  unit: number,
  least = 0,
): void {
  slopes.fill(0);
  const outputs = slopes.length / columns;
  const total = moments[0] as number;
  if (!(total > 0)) return;
  const products = line(columns + 1);
  const sumOf = (i: number): number => moments[line(i + 1)] as number;
  const covariance = new Float64Array(columns * columns);
  let [spread, squares] = [0, 0];
  for (let i = 0; i < columns; i++) {
    const mean = sumOf(i) / total;
    for (let j = 0; j <= i; j++) {
      covariance[i * columns + j] = (moments[line(i + 1) + 1 + j] as number) - mean * sumOf(j);
    }
    spread += covariance[i * columns + i] as number;
    squares += moments[line(i + 1) + 1 + i] as number;
  }
  if (!(spread > rounding * squares)) return;
  const lambda = ridge * unit * Math.max(spread / total / columns, least) + rounding * squares;
  for (let i = 0; i < columns; i++) {
    covariance[i * columns + i] = (covariance[i * columns + i] as number) + lambda;
  }
  const factor = cholesky(covariance, columns);
  for (let t = 0; t < outputs; t++) {
    const mean = (moments[products + t] as number) / total;
    const along = new Float64Array(columns);
    for (let i = 0; i < columns; i++)
      along[i] = (moments[products + (i + 1) * outputs + t] as number) - mean * sumOf(i);
    slopes.set(solve(factor, along), t * columns);
  }
}
