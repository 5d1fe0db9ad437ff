// The space that an index searches: a head's diagonal metric becomes factors of rows and prototypes, so that plain distances
// there order prototypes as the model's own δ does. Host arithmetic for candidates and their bounds; answers come from graphs.

import type { NdArray } from '../dtype.js';
import type { Distance } from '../formulas/similarity.js';

export interface Space {
  readonly distance: Distance;
  /** What a column is multiplied by; null where all are 1. */
  readonly factors: Float32Array | null;
  /** δ = scale · distance as an index measures it: squared euclidean, l1, or 1 − cosine. */
  readonly scale: number;
}

/** Σ w (x − p)² and the cosine of w take √w on either side, Σ w |x − p| takes w on both. */
const factorOf: Readonly<Record<Distance, (weight: number) => number>> = {
  euclidean: Math.sqrt,
  cosine: Math.sqrt,
  l1: (weight) => weight,
};

/** The space of one head; `featureWeights` [H, D], clamped at 0 as graphs clamp them. */
export function spaceOf(distance: Distance, featureWeights: NdArray | undefined, head: number): Space {
  const cosine = distance === 'cosine';
  if (!featureWeights) return { distance, factors: null, scale: cosine ? 2 : 1 };
  const columns = featureWeights.shape[1] as number;
  const weights = Float32Array.from(featureWeights.data.subarray(head * columns, (head + 1) * columns), (w) =>
    Math.max(0, w),
  );
  let total = 0;
  for (const w of weights) total += w;
  return {
    distance,
    factors: weights.every((w) => w === 1) ? null : weights.map(factorOf[distance]),
    scale: cosine ? 2 : columns / Math.max(total, 1e-12),
  };
}

/** Rows [n, D] in the space; themselves where nothing is to be multiplied. */
export function intoSpace({ factors }: Space, rows: Float32Array): Float32Array {
  if (!factors) return rows;
  const columns = factors.length;
  const out = new Float32Array(rows.length);
  for (let at = 0; at < rows.length; at += columns) {
    for (let j = 0; j < columns; j++) out[at + j] = (rows[at + j] as number) * (factors[j] as number);
  }
  return out;
}

/** Rows of `size` numbers of x from i on and of p from k on. */
type Measure = (x: Float32Array, i: number, p: Float32Array, k: number, size: number) => number;

const dot: Measure = (x, i, p, k, size) => {
  let sum = 0;
  for (let j = 0; j < size; j++) sum += (x[i + j] as number) * (p[k + j] as number);
  return sum;
};

/** Distances between rows that are in the space, in float64: what an index measures. */
export const measures: Readonly<Record<Distance, Measure>> = {
  euclidean: (x, i, p, k, size) => {
    let sum = 0;
    for (let j = 0; j < size; j++) {
      const gap = (x[i + j] as number) - (p[k + j] as number);
      sum += gap * gap;
    }
    return sum;
  },
  l1: (x, i, p, k, size) => {
    let sum = 0;
    for (let j = 0; j < size; j++) sum += Math.abs((x[i + j] as number) - (p[k + j] as number));
    return sum;
  },
  cosine: (x, i, p, k, size) => {
    const length = (of: Float32Array, at: number): number => Math.sqrt(dot(of, at, of, at, size)) || 1;
    return 1 - dot(x, i, p, k, size) / (length(x, i) * length(p, k));
  },
};
