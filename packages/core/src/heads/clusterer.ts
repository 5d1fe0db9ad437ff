// Prototypes that stand for themselves.

import { nearest } from '../formulas/composites.js';
import { compare, type Distance } from '../formulas/similarity.js';
import { mul, neg, reduceMax, sqrt, sub } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import { asTheyAre, type Head, type HeadFamily } from './head.js';

/** δ to the distance that users measure in. */
const lengths: Readonly<Record<Distance, (delta: Tensor) => Tensor>> = {
  // 1 − s
  cosine: (delta) => mul(delta, 0.5),
  euclidean: sqrt,
  l1: (delta) => delta,
};

export const clustererHead: Head = {
  task: 'clusterer',
  key: 'clusterer',
  code: null,
  routes: false,
  candidates: 'all',
  start: 'rows',
  jointScale: () => 0,
  ...asTheyAre,
  // at the nearest prototype: 1 − s for cosine; 1/s − 1 otherwise, which is δ, whose derivative does not overflow
  loss: ({ similarity, comparison }) =>
    comparison.distance === 'cosine'
      ? sub(1, reduceMax(similarity, -1))
      : neg(reduceMax(neg(compare(comparison).delta), -1)),
  reads: {
    label: ({ comparison, present }) => nearest(comparison, present).index,
    distance: ({ comparison, present }) => nearest(comparison, present).delta,
    distances: ({ comparison }) => {
      const all = lengths[comparison.distance](compare(comparison).delta);
      return comparison.inverseUnit ? mul(all, comparison.inverseUnit) : all;
    },
    probabilities: ({ weights }) => weights,
  },
};

export const clustererHeads: HeadFamily = {
  task: 'clusterer',
  carries: () => false,
  head: () => clustererHead,
};
