// What the softmax of 'gaussian' gives to prototypes that an index did not propose. They are never looked at, so their share is
// estimated from a few that stand for all: where it is not small, a row is no case for an index.

import type { NdArray } from '../dtype.js';
import { distances as distanceTable } from '../formulas/distances.js';
import type { Indexed } from '../state/prototype-index.js';
import { widened } from '../state/storage.js';
import { gatherRows } from '../training/sampling.js';
import { intoSpace, type Space, spaceOf } from './space.js';

/** Prototypes of a head that stand for all of it. */
const sampleSize = 256;

/** bias − exp(logBandwidth)·δ of the prototypes of one head. */
interface HeadSample {
  readonly space: Space;
  readonly first: number;
  readonly count: number;
  /** Indices in the head, and their rows in the space. */
  readonly indices: Int32Array;
  readonly rows: Float32Array;
}

/** Shares of a softmax, which add up to 1. */
export interface Split {
  /** Of each candidate. */
  readonly weights: readonly number[];
  /** Of all prototypes that are none, estimated. */
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
   * How the softmax of a head falls on a row's candidates, of which the `shared` largest count (−1: all), and on others. `x` is the
   * scaled row; `distances` are those of the index to the prototypes `candidates`, the nearest first.
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
    // Few of the sample lie just behind the candidates: those are taken to hold what the farthest quarter of them does.
    let others = seen > 0 ? (far * (count - own.size)) / seen : 0;
    if (own.size < count)
      for (let i = Math.floor(0.75 * logits.length); i < logits.length; i++)
        others += Math.exp((logits[i] as number) - peak);
    const total = kept + others;
    return { weights: weights.map((w) => w / total), others: others / total };
  }
}

/** Prototypes evenly spread over the order of the bandwidths, the widest and the narrowest among them. */
function spread(logBandwidth: NdArray['data']): Int32Array {
  const order = Int32Array.from(logBandwidth, (_, k) => k);
  order.sort((a, b) => (logBandwidth[a] as number) - (logBandwidth[b] as number) || a - b);
  const size = Math.min(sampleSize, order.length);
  return Int32Array.from(
    { length: size },
    (_, i) => order[Math.round((i * (order.length - 1)) / Math.max(1, size - 1))] as number,
  );
}
