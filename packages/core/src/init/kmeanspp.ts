// k-means++ (Arthur & Vassilvitskii 2007): centers drawn with probability proportional to weight · distance to the nearest one.

import type { Random } from '../random.js';

/** Distances of all n rows to the given rows: [n, rows.length] row-major; further columns are ignored. */
export type DistanceTo = (rows: readonly number[]) => Promise<ArrayLike<number>>;

/** Candidates in a round: one pass over the rows serves this many draws. */
export const candidatesPerRound = 16;

/**
 * k-means++ with several draws a round. Each round draws candidates from the current distribution and measures them together. A
 * candidate is then accepted with probability new/old distance, so the draw is exact although earlier candidates changed the
 * distribution. If all rows coincide with centers, further ones are drawn by weight.
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
  // Rounding can make a distance negative, which is not a probability.
  const lower = (distances: ArrayLike<number>, column: number): void => {
    const stride = distances.length / n;
    for (let i = 0; i < n; i++) {
      nearest[i] = Math.max(0, Math.min(nearest[i] as number, distances[i * stride + column] as number));
    }
  };
  lower(await distanceTo(centers), 0);
  const before = new Float64Array(n);
  const mass = new Float64Array(n);
  while (centers.length < k) {
    before.set(nearest);
    let total = 0;
    for (let i = 0; i < n; i++) total += mass[i] = (nearest[i] as number) * (weights[i] as number);
    const drawn = Array.from({ length: candidatesPerRound }, () =>
      total > 0 && total < Number.POSITIVE_INFINITY
        ? random.weighted(mass, total)
        : random.weighted(weights, sum(weights)),
    );
    const distances = await distanceTo(drawn);
    for (let c = 0; c < drawn.length && centers.length < k; c++) {
      const row = drawn[c] as number;
      // The first draw of a round needs no correction; without a distribution, any draw is accepted.
      const accepted =
        c === 0 ||
        !(total > 0 && total < Number.POSITIVE_INFINITY) ||
        random.uniform() * (before[row] as number) < (nearest[row] as number);
      if (!accepted) continue;
      centers.push(row);
      lower(distances, c);
    }
  }
  return centers;
}

/**
 * Chooses the row, among those given, that leaves the least Σ w·δ as a new center; returns δ of all n rows to the nearest center
 * with it.
 */
export type TakeBest = (rows: readonly number[]) => Promise<{ best: number; nearest: ArrayLike<number> }>;

/**
 * Greedy k-means++, with a pass over the rows for each center: of several candidates, the one that lowers Σ w·δ most. scikit-learn
 * draws 2 + ln k candidates; more cost little beside the pass.
 */
export async function greedyKMeansPlusPlus(
  takeBest: TakeBest,
  weights: ArrayLike<number>,
  k: number,
  random: Random,
): Promise<number[]> {
  const n = weights.length;
  const upTo = new Float64Array(n);
  const drawer = (mass: (i: number) => number): (() => number) | null => {
    let total = 0;
    for (let i = 0; i < n; i++) upTo[i] = total += mass(i);
    return total > 0 && total < Number.POSITIVE_INFINITY
      ? () => firstAbove(upTo, random.uniform() * total)
      : null;
  };
  const weight = (i: number): number => weights[i] as number;
  const centers: number[] = [];
  // Rounding gives a distant center some distance to itself, and makes other distances negative, which are not probabilities.
  const isCenter = new Uint8Array(n);
  let nearest: ArrayLike<number> = [];
  const mass = (i: number): number => (isCenter[i] === 1 ? 0 : weight(i) * Math.max(0, nearest[i] as number));
  while (centers.length < k) {
    // If all rows coincide with centers, rows are drawn by weight.
    const spread = centers.length > 0 ? drawer(mass) : null;
    const drawn = Array.from(
      { length: spread ? candidatesPerRound : 1 },
      spread ?? (drawer(weight) as () => number),
    );
    const taken = await takeBest(drawn);
    const center = drawn[taken.best] as number;
    centers.push(center);
    isCenter[center] = 1;
    nearest = taken.nearest;
  }
  return centers;
}

/** Index of the first of ascending sums above a value. If rounding leaves none, the last index at which the sums rise. */
function firstAbove(sums: Float64Array, value: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  while (low > 0 && sums[low] === sums[low - 1]) low--;
  return low;
}
