// The quantile regressor: prototypes that say quantiles of numbers.

import type { Shape } from '../dtype.js';
import { PinballTally } from '../formulas/quantile-sketch.js';
import type { HeadFamily } from '../heads/head.js';
import { quantileRegressorHeads } from '../heads/quantile-regressor.js';
import type { QuantileRegressorOptions } from '../state/options.js';
import { NumericModel, type NumericTally } from './numeric-model.js';

/**
 * Quantile regression by a grid of prototypes: the share τ of rows lies below the answer for τ. Answers are Σ_k r_k(x)·targets_k [Q]
 * in rising order, so that quantiles never cross. Phase 1 keeps a sketch of the targets of the rows nearest to each prototype, and
 * answers their quantiles, which are wide where a prototype's rows differ in what features tell; `finetune` trains by the pinball
 * loss, the mean over τ of τ·(y − q) above and (1 − τ)·(q − y) below the answer (Koenker and Bassett 1978).
 *
 * `await new FastKMeansQuantileRegressor({ backend, quantiles: [0.1, 0.5, 0.9] }).fit(X, y)`, then `finetune(X, y)`. X [N, D] raw
 * features; y [N] or [N, 1], one target alone. `predict` answers [N, Q] in the order of `quantiles`. `score` is 1 − Σ w·pinball of
 * the answers / Σ w·pinball of the constants that are best for the scored rows: their quantiles, beyond a thousand rows within 0.1 %
 * of the weight. Errors: OptionError for an unknown or impossible option; ShapeError for more than one column of y.
 */
export class FastKMeansQuantileRegressor extends NumericModel<number[][]> {
  constructor(options: QuantileRegressorOptions) {
    super(options);
  }

  protected heads(): HeadFamily {
    return quantileRegressorHeads;
  }

  protected shapeOf(shape: Shape): Shape {
    return shape;
  }

  protected scoring(): NumericTally {
    return new PinballTally(this.options.quantiles);
  }
}
