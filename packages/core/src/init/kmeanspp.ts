// k-means++ (Arthur & Vassilvitskii 2007): centers drawn with probability proportional to weight · distance to the nearest one.

import type { Random } from '../random.js';

/** Distances of all n rows to the given rows, [n, rows.length] row-major. */
export type DistanceTo = (rows: readonly number[]) => Promise<ArrayLike<number>>;

/** Candidates per round: one pass over the rows serves this many draws. */
export const candidatesPerRound = 16;

/**
 * Rows that make good centers. Each round draws candidates from the current distribution and measures them together; a
 * candidate is then taken with probability new/old distance, which makes the draw exact although earlier candidates of the
 * round moved the distribution. Where all rows coincide with a center, further ones are drawn by weight.
 */
export async function kMeansPlusPlus(
  distanceTo: DistanceTo,
  weights: ArrayLike<number>,
  k: number,
  random: Random,
): Promise<number[]> {
  const n = weights.length;
  const sum = (values: ArrayLike<number>): number => {
    let total = 0;
    for (let i = 0; i < values.length; i++) total += values[i] as number;
    return total;
  };
  const centers = [random.weighted(weights, sum(weights))];
  const nearest = new Float64Array(n).fill(Number.POSITIVE_INFINITY);
  // Rounding can take a distance below 0, which is no probability.
  const lower = (distances: ArrayLike<number>, column: number, stride: number): void => {
    for (let i = 0; i < n; i++) {
      nearest[i] = Math.max(0, Math.min(nearest[i] as number, distances[i * stride + column] as number));
    }
  };
  lower(await distanceTo(centers), 0, 1);
  while (centers.length < k) {
    const before = nearest.slice();
    const mass = before.map((d, i) => d * (weights[i] as number));
    const total = sum(mass);
    const drawn = Array.from({ length: candidatesPerRound }, () =>
      total > 0 && total < Number.POSITIVE_INFINITY
        ? random.weighted(mass, total)
        : random.weighted(weights, sum(weights)),
    );
    const distances = await distanceTo(drawn);
    for (let c = 0; c < drawn.length && centers.length < k; c++) {
      const row = drawn[c] as number;
      // The first draw of a round is from the distribution itself; without a distribution every draw is as good.
      const accepted =
        c === 0 ||
        !(total > 0 && total < Number.POSITIVE_INFINITY) ||
        random.uniform() * (before[row] as number) < (nearest[row] as number);
      if (!accepted) continue;
      centers.push(row);
      lower(distances, c, drawn.length);
    }
  }
  return centers;
}
