// Prototypes that say numbers.

import { hasBandwidths } from '../formulas/routing.js';
import { clamp, expandDims, square } from '../graph/functions.js';
import { add, div, lt, matmul, max, min, mul, reshape, select, sub, sum } from '../graph/ops.js';
import type { Tensor } from '../graph/trace.js';
import type { RegressorOptions, Resolved } from '../state/options.js';
import { keysOf, sharedOptions, supervisedOptions } from '../state/rules.js';
import { asTheyAre, type Head, type HeadFamily, mapInto, type Routed } from './head.js';

/**
 * Σ_k r_k · (targets_k + slopes_k · (x − p_k)) in standard units, without slopes if there are none; the answers of heads add up.
 */
export function answer(routed: Routed): Tensor {
  const { weights, parameters } = routed;
  const constant = matmul(weights, parameters.targets as Tensor);
  return parameters.slopes ? add(constant, alongSlopes(routed, parameters.slopes)) : constant;
}

/**
 * Σ_k r_k · slopes_k · m∘(x − p_k) [B, T], slopes [K, T, D]. The slopes of a row are averaged first, in one product for all
 * columns.
 */
function alongSlopes({ weights, comparison }: Routed, slopes: Tensor): Tensor {
  const [count, outputs, columns] = slopes.shape as [number, number, number];
  const mask = comparison.mask && clamp(comparison.mask, 0, 1);
  const x = mask ? select(lt(0, mask), comparison.x, 0) : comparison.x;
  // Relative to the mean prototype, since a common offset of all rows would cost digits.
  const center = mul(sum(comparison.prototypes, 0, { keepDims: true }), 1 / count);
  const offsets = expandDims(sub(comparison.prototypes, center), 1);
  const shared = (values: Tensor): Tensor =>
    reshape(matmul(weights, reshape(values, [count, outputs * columns])), [x.dim(0), outputs, columns]);
  const along = mul(shared(slopes), expandDims(sub(x, center), 1));
  if (mask) return sum(mul(sub(along, shared(mul(slopes, offsets))), expandDims(mask, 1)), -1);
  return sub(sum(along, -1), matmul(weights, sum(mul(slopes, offsets), -1)));
}

/** Clipped to the range of the targets seen, since a local linear model extrapolates beyond it. */
function inRange(value: Tensor, { parameters }: Routed): Tensor {
  const [low, high] = [parameters['target.low'], parameters['target.high']];
  return low && high ? min(max(value, low), high) : value;
}

/** From standard units to the caller's units. */
export function inUnits(value: Tensor, { parameters }: Routed): Tensor {
  const [mean, deviation] = [parameters['target.mean'], parameters['target.deviation']];
  return mean && deviation ? add(mul(value, deviation), mean) : value;
}

/** The head of one answer a column of y. */
export const numericHead = (standardised: boolean): Head => ({
  key: 'regressor',
  code: {
    standardised,
    store: (means, _, heads, into) => mapInto(means, (mean) => mean / heads, into),
    recall: (targets, _, heads, into) => mapInto(targets, (target) => target * heads, into),
  },
  routes: true,
  candidates: 'all',
  start: 'strata',
  jointScale: (_, outputs) => 2 / Math.sqrt(outputs),
  ...asTheyAre,
  // mean over columns of (answer − y)²
  loss: (routed, y) => div(sum(square(sub(answer(routed), y)), -1), y.dim(-1)),
  reads: { value: (routed) => inRange(inUnits(answer(routed), routed), routed) },
  exported: () => ({ variable: 'value' }),
});

/** Adam's steps have a fixed length, so targets are standardised unless grid and features are in the caller's units too. */
export const standardises = ({ softType, scaling }: Resolved): boolean =>
  hasBandwidths(softType) || scaling !== 'none';

export const regressorHeads: HeadFamily = {
  task: 'regressor',
  estimator: 'FastKMeansRegressor',
  options: () =>
    keysOf<RegressorOptions>()([
      ...sharedOptions,
      ...supervisedOptions,
      'kTargets',
      'kFeatures',
      'targetDistance',
      'targetAssignment',
      'prototypeModel',
    ]),
  grid: ['prototypes', 'targets', 'ages'],
  supervised: true,
  numeric: true,
  carries: () => true,
  head: (options) => numericHead(standardises(options)),
};
