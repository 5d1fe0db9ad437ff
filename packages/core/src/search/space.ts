// The space that an index searches: rows and prototypes are multiplied by factors from a head's diagonal metric, so that plain
// distances order prototypes like δ. The host computes candidates and bounds here; answers come from graphs.

import type { NdArray } from '../dtype.js';
import { type Distance, distances } from '../formulas/distances.js';

export interface Space {
  readonly distance: Distance;
  /** Factor of each column; null if all are 1. */
  readonly factors: Float32Array | null;
  /** δ = scale · the index's distance: squared euclidean, l1, or 1 − cosine. */
  readonly scale: number;
}

/** The space of one head; `featureWeights` [H, D] are clamped at 0, as in graphs. */
export function spaceOf(distance: Distance, featureWeights: NdArray | undefined, head: number): Space {
  const { indexFactor, perIndexed, rescales } = distances[distance];
  if (!featureWeights) return { distance, factors: null, scale: perIndexed };
  const columns = featureWeights.shape[1] as number;
  const weights = Float32Array.from(featureWeights.data.subarray(head * columns, (head + 1) * columns), (w) =>
    Math.max(0, w),
  );
  let total = 0;
  for (const w of weights) total += w;
  return {
    distance,
    factors: weights.every((w) => w === 1) ? null : weights.map((w) => indexFactor(w)),
    scale: perIndexed * (rescales ? columns / Math.max(total, 1e-12) : 1),
  };
}

/** Rows [n, D] in the space; the same array if there are no factors. */
export function intoSpace({ factors }: Space, rows: Float32Array): Float32Array {
  if (!factors) return rows;
  const columns = factors.length;
  const out = new Float32Array(rows.length);
  for (let at = 0; at < rows.length; at += columns) {
    for (let j = 0; j < columns; j++) out[at + j] = (rows[at + j] as number) * (factors[j] as number);
  }
  return out;
}
