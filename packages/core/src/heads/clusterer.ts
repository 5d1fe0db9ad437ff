// Prototypes that stand for themselves.

import { nearest } from '../formulas/composites.js';
import { distances } from '../formulas/distances.js';
import { compare } from '../formulas/similarity.js';
import { mul } from '../graph/ops.js';
import type { ClustererOptions } from '../state/options.js';
import { keysOf, sharedOptions } from '../state/rules.js';
import { asTheyAre, type Head, type HeadFamily } from './head.js';

export const clustererHead: Head = {
  key: 'clusterer',
  code: null,
  routes: false,
  candidates: 'all',
  start: 'rows',
  jointScale: () => 0,
  ...asTheyAre,
  // At the nearest prototype: 1 − s for cosine. Otherwise 1/s − 1, which is δ, computed so that its derivative does not overflow.
  loss: ({ similarity, comparison }) =>
    distances[comparison.distance].nearestCost(similarity, () => compare(comparison).delta),
  reads: {
    label: ({ comparison, present }) => nearest(comparison, present).index,
    distance: ({ comparison, present }) => nearest(comparison, present).delta,
    distances: ({ comparison }) => {
      const all = distances[comparison.distance].length(compare(comparison).delta);
      return comparison.inverseUnit ? mul(all, comparison.inverseUnit) : all;
    },
    probabilities: ({ weights }) => weights,
  },
  counts: 'prototypes',
  exported: () => ({ label: 'label', scores: 'distances' }),
};

export const clustererHeads: HeadFamily = {
  task: 'clusterer',
  estimator: 'FastKMeansClusterer',
  options: () => keysOf<ClustererOptions>()([...sharedOptions, 'kInit', 'algorithm']),
  grid: ['prototypes', 'ages'],
  supervised: false,
  numeric: false,
  carries: () => false,
  head: () => clustererHead,
};
