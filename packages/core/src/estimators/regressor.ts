// The regressor: prototypes answer numbers.

import type { Shape } from '../dtype.js';
import { R2Tally } from '../formulas/metrics.js';
import type { HeadFamily } from '../heads/head.js';
import { regressorHeads } from '../heads/regressor.js';
import type { ResultArray } from '../result.js';
import type { RegressorOptions } from '../state/options.js';
import { NumericModel, type NumericTally } from './numeric-model.js';

/** Answers [N], or [N, T] of several target columns. */
export type RegressionAnswers = ResultArray<Float32Array | Float64Array, number[] | number[][]>;

/**
 * Regression by a grid of prototypes: ŷ(x) = Σ_k r_k(x)·targets_k, r the softmax of −exp(logBandwidth_k)·δ(x, p_k) + bias_k.
 *
 * `await new FastKMeansRegressor({ backend }).fit(X, y)`, then `finetune(X, y)`. X [N, D] raw features; y [N] or [N, T].
 * `predict` answers [N], or [N, T] for more than one target column. `score` is R², the mean over the target columns:
 * 1 − Σ w(y − ŷ)² / Σ w(y − ȳ)². Errors: OptionError for an unknown or impossible option.
 */
export class FastKMeansRegressor extends NumericModel<number[] | number[][]> {
  constructor(options: RegressorOptions) {
    super(options);
  }

  protected heads(): HeadFamily {
    return regressorHeads;
  }

  protected shapeOf(shape: Shape): Shape {
    return shape[1] === 1 ? shape.slice(0, 1) : shape;
  }

  protected scoring(columns: number): NumericTally {
    return new R2Tally(columns);
  }
}
