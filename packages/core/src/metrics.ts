// Scores of predictions, in float64.

import type { Vector } from './data/matrix.js';

/**
 * R² = 1 − Σ w(y − ŷ)² / Σ w(y − ȳ)², the mean over T columns of row-major [N, T] arrays.
 * A constant column scores 1 where it is met exactly, else 0, as scikit-learn does.
 */
export function r2Score(truth: Vector, predicted: Vector, columns = 1, sampleWeight?: Vector): number {
  const rows = truth.length / columns;
  const weight = (i: number): number => sampleWeight?.[i] ?? 1;
  let total = 0;
  for (let i = 0; i < rows; i++) total += weight(i);
  let score = 0;
  for (let t = 0; t < columns; t++) {
    const y = (i: number): number => truth[i * columns + t] as number;
    // From the first value on, so that the mean of equal values is that value to the bit.
    let mean = y(0);
    for (let i = 0; i < rows; i++) mean += (weight(i) * (y(i) - y(0))) / total;
    let [residual, variance] = [0, 0];
    for (let i = 0; i < rows; i++) {
      residual += weight(i) * (y(i) - (predicted[i * columns + t] as number)) ** 2;
      variance += weight(i) * (y(i) - mean) ** 2;
    }
    score += variance > 0 ? 1 - residual / variance : residual === 0 ? 1 : 0;
  }
  return score / columns;
}
