// Estimates the softmax tail of 'gaussian': the weight of prototypes that an index did not propose. It is extrapolated from a
// sample of them. If it is not small, the row is answered by the whole grid.

import type { NdArray } from '../dtype.js';
import { distances as distanceTable } from '../formulas/distances.js';
import type { Indexed } from '../state/prototype-index.js';
import { widened } from '../state/storage.js';
import { gatherRows } from '../training/sampling.js';
import { intoSpace, type Space, spaceOf } from './space.js';

/** Sampled prototypes of a head. */
const sampleSize = 256;

/** bias − exp(logBandwidth)·δ for the prototypes of one head. */
interface HeadSample {
  readonly space: Space;
  readonly first: number;
  readonly count: number;
  /** Indices within the head, and their points in the index's space. */
  readonly indices: Int32Array;
  readonly rows: Float32Array;
}

/** Shares of a softmax, which add up to 1. */
export interface Split {
  /** Weight of each candidate. */
  readonly weights: readonly number[];
  /** Estimated weight of all other prototypes. */
  readonly others: number;
}

export class SoftmaxTail {
  private readonly logBandwidth: NdArray;
  private readonly bias: NdArray;
  private readonly heads: readonly HeadSample[];

  constructor(distance: Space['distance'], grid: Indexed, logBandwidth: NdArray, bias: NdArray) {
    this.logBandwidth = logBandwidth;
    this.bias = bias;
    const heads = grid.featureWeights?.shape[0] ?? 1;
    const count = logBandwidth.data.length / heads;
    this.heads = Array.from({ length: heads }, (_, h) => {
      const first = h * count;
      const indices = spread(logBandwidth.data.subarray(first, first + count));
      const space = spaceOf(distance, grid.featureWeights, h);
      const own = gatherRows(
        grid.prototypes,
        indices.map((k) => first + k),
        indices.length,
      );
      return { space, first, count, indices, rows: intoSpace(space, widened(own).data as Float32Array) };
    });
  }

  /**
   * Splits the softmax of a head between a row's candidates, of which the `shared` largest count (−1: all), and the others. `x` is
   * the scaled row; `distances` are the index's distances to `candidates`, nearest first.
   */
  split(
    head: number,
    x: Float32Array,
    candidates: ArrayLike<number>,
    distances: ArrayLike<number>,
    shared: number,
  ): Split {
    const { space, first, count, indices, rows } = this.heads[head] as HeadSample;
    const logit = (k: number, distance: number): number =>
      (this.bias.data[first + k] as number) -
      Math.exp(this.logBandwidth.data[first + k] as number) * space.scale * distance;
    const own = new Set<number>();
    const logits: number[] = [];
    for (let i = 0; i < candidates.length; i++) {
      const k = candidates[i] as number;
      if (k < 0) break;
      own.add(k);
      logits.push(logit(k, distances[i] as number));
    }
    const sorted = logits.slice().sort((a, b) => b - a);
    const [peak, last] = [sorted[0] as number, sorted[shared < 0 ? sorted.length - 1 : shared - 1] as number];
    const weights = logits.map((l) => (l >= last ? Math.exp(l - peak) : 0));
    let kept = 0;
    for (const w of weights) kept += w;
    const row = intoSpace(space, x);
    const measure = distanceTable[space.distance].indexed;
    let [far, seen] = [0, 0];
    indices.forEach((k, i) => {
      if (own.has(k)) return;
      seen++;
      far += Math.exp(logit(k, measure(row, 0, rows, i * row.length, row.length)) - peak);
    });
    // The sample has few prototypes just behind the candidates. They are assumed to weigh as much, in total, as the farthest
    // quarter of the candidates.
    let others = seen > 0 ? (far * (count - own.size)) / seen : 0;
    if (own.size < count)
      for (let i = Math.floor(0.75 * logits.length); i < logits.length; i++)
        others += Math.exp((logits[i] as number) - peak);
    const total = kept + others;
    return { weights: weights.map((w) => w / total), others: others / total };
  }
}

/** Prototypes evenly spaced in the order of bandwidths, including the widest and the narrowest. */
function spread(logBandwidth: NdArray['data']): Int32Array {
  const order = Int32Array.from(logBandwidth, (_, k) => k);
  order.sort((a, b) => (logBandwidth[a] as number) - (logBandwidth[b] as number) || a - b);
  const size = Math.min(sampleSize, order.length);
  return Int32Array.from(
    { length: size },
    (_, i) => order[Math.round((i * (order.length - 1)) / Math.max(1, size - 1))] as number,
  );
}
