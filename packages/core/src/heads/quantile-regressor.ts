// Prototypes that say quantiles of numbers: the answers of a row rise with the quantile.

import { denseRows } from '../data/sparse.js';
import { ndarray } from '../dtype.js';
import { relu } from '../graph/functions.js';
import { add, broadcast, constantLike, div, mul, neg, sub, sum, topK } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import type { QuantileRegressorOptions, Resolved } from '../state/options.js';
import { keysOf, sharedOptions, supervisedOptions } from '../state/rules.js';
import type { Head, HeadFamily, Routed } from './head.js';
import { answer, inUnits, numericHead, standardises } from './regressor.js';

/** Points of the sketch that each prototype keeps of its rows. */
const points = 64;

/**
 * Σ_k r_k · targets_k in rising order: sorting never adds to the pinball loss (Chernozhukov, Fernández-Val and Galichon 2010).
 */
function rising(routed: Routed): Tensor {
  const values = answer(routed);
  return neg(topK(neg(values), routed.outputs).values);
}

function head(options: Resolved): Head {
  const { quantiles } = options;
  const outputs = quantiles.length;
  return {
    ...numericHead(standardises(options)),
    key: `quantiles ${quantiles}`,
    outputs,
    // mean over quantiles τ of τ·(y − q) + max(q − y, 0)
    loss: (routed, y) => {
      const apart = sub(y, rising(routed));
      const share = mul(apart, constantLike(apart, ndarray(quantiles, [outputs])));
      return div(sum(add(share, relu(neg(apart))), -1), outputs);
    },
    reads: { value: (routed) => inUnits(rising(routed), routed) },
    yColumns: () => 1,
    coordinates: (y) => broadcast(y, [y.dim(0), outputs], y),
    coordinatesOf: (y) => {
      const { data, rows } = denseRows(y);
      const wide = new Float32Array(rows * outputs).map((_, i) => data[Math.floor(i / outputs)] as number);
      return { data: wide, rows, columns: outputs };
    },
    sketch: { points, quantiles },
  };
}

export const quantileRegressorHeads: HeadFamily = {
  task: 'quantileRegressor',
  estimator: 'FastKMeansQuantileRegressor',
  options: () =>
    keysOf<QuantileRegressorOptions>()([
      ...sharedOptions,
      ...supervisedOptions,
      'kTargets',
      'kFeatures',
      'targetDistance',
      'quantiles',
    ]),
  defaults: { quantiles: [0.1, 0.5, 0.9] },
  grid: ['prototypes', 'targets', 'ages'],
  supervised: true,
  numeric: true,
  carries: () => true,
  head,
};
