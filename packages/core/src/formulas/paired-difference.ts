// Two losses of the same rows, compared row by row: what rows have in common cancels, and the rest has a standard error.

/** Σ w·v / Σ w. */
export function weightedMean(values: ArrayLike<number>, weights: ArrayLike<number>): number {
  let [total, weight] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    const w = weights[i] as number;
    total += w * (values[i] as number);
    weight += w;
  }
  return total / weight;
}

/**
 * By how many of its standard errors the weighted mean of a − b lies above 0:
 * d̄ / √(n/(n − 1) · Σ w²·(d − d̄)² / (Σ w)²), d = a − b, over the n rows of weight above 0. A common factor of the weights changes
 * nothing, and a row of weight 0 is absent. Where d is the same in every row, ±Infinity, or 0 if it is 0; 0 too for a single row.
 */
export function pairedDifference(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  weights: ArrayLike<number>,
): number {
  const differences = Float64Array.from(a, (value, i) => value - (b[i] as number));
  const mean = weightedMean(differences, weights);
  let [n, squares, weight] = [0, 0, 0];
  differences.forEach((d, i) => {
    const w = weights[i] as number;
    if (w > 0) n++;
    squares += (w * (d - mean)) ** 2;
    weight += w;
  });
  if (mean === 0 || n < 2) return 0;
  return mean / (Math.sqrt((n / (n - 1)) * squares) / weight);
}
