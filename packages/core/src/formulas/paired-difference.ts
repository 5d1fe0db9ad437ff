// Compares two losses of the same rows, row by row: what affects both cancels, and the difference has a standard error.

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
 * The weighted mean of d = a − b in standard errors, d̄ / √(n/(n − 1) · Σ w²·(d − d̄)² / (Σ w)²), over the n rows of positive
 * weight. A common factor of the weights changes nothing. If d is the same in every row: ±Infinity, or 0 if d is 0. A single row
 * gives 0.
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
