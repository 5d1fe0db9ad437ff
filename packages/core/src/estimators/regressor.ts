// The regressor: prototypes answer numbers.

import {
  checkColumns,
  checkFinite,
  type DenseMatrix,
  type Place,
  type Rows,
  toWeights,
  toWideRows,
  type Vector,
  type WideRows,
} from '../data/matrix.js';
import { asRows, type OneRow } from '../data/table.js';
import type { NdArray } from '../dtype.js';
import { ShapeError, shown } from '../errors.js';
import { R2Tally } from '../formulas/metrics.js';
import type { HeadFamily } from '../heads/head.js';
import { regressorHeads } from '../heads/regressor.js';
import { ResultArray } from '../result.js';
import type { RegressorOptions } from '../state/options.js';
import { type Answers, type AnySource, isSource } from '../state/source.js';
import { centeredTargets, targetCenter, withCenter } from '../state/target-center.js';
import type { PredictOptions, RowOptions } from './calls.js';
import type { RowsIn } from './learned.js';
import {
  type After,
  SourceModel,
  type SourceReadOptions,
  type SourceScoreOptions,
  type Tally,
} from './source-model.js';
import type { Encoded, Known } from './targets.js';

/** Targets: one number a row [N], or T of them [N, T]. */
export type RegressionTargets = Vector | DenseMatrix;

/** Answers [N], or [N, T] of several target columns. */
export type RegressionAnswers = ResultArray<Float32Array | Float64Array, number[] | number[][]>;

const isVector = (y: RegressionTargets): y is Vector =>
  ArrayBuffer.isView(y) || (Array.isArray(y) && !Array.isArray(y[0]) && !ArrayBuffer.isView(y[0]));

/**
 * Regression by a grid of prototypes: ŷ(x) = Σ_k r_k(x)·targets_k, r the softmax of −exp(logBandwidth_k)·δ(x, p_k) + bias_k.
 *
 * `await new FastKMeansRegressor({ backend }).fit(X, y)`, then `finetune(X, y)`. X [N, D] raw features; y [N] or [N, T].
 * Errors: OptionError for an unknown or impossible option.
 */
export class FastKMeansRegressor extends SourceModel<RegressionTargets> {
  constructor(options: RegressorOptions) {
    super(options);
  }

  protected heads(): HeadFamily {
    return regressorHeads;
  }

  /**
   * Predictions [N], or [N, T] for several target columns; for a source, one answer for each batch. A Float32Array, or a
   * Float64Array if the first targets lay more than 2^10 deviations from 0, which float32 could not resolve. Errors: ShapeError,
   * DataError, StateError.
   */
  predict(source: AnySource, options?: SourceReadOptions): AsyncGenerator<RegressionAnswers, void, void>;
  predict(X: RowsIn, options?: PredictOptions): Promise<RegressionAnswers>;
  predict(
    X: RowsIn | AnySource,
    options: PredictOptions | SourceReadOptions = {},
  ): Answers<RegressionAnswers> {
    return isSource(X)
      ? this.overSource(X, 'predict', options as SourceReadOptions, (rows, all) =>
          this.values('predict', rows, all),
        )
      : this.inUse('predict', () => this.values('predict', X, options as PredictOptions));
  }

  /** The prediction of one row, or [T] of several target columns: a record of a model of tables, or numbers [D]. Errors: as `predict`. */
  async predictOne(row: OneRow, options: PredictOptions = {}): Promise<number | number[]> {
    return (await this.predict(asRows(row), options)).toArray()[0] as number | number[];
  }

  private async values(call: string, X: RowsIn, options: PredictOptions): Promise<RegressionAnswers> {
    const { targetCenter } = this.fitted(call);
    const { data, shape, dtype } = (await this.read(call, X, options, 'value')) as NdArray<Float32Array>;
    const rows = shape[1] === 1 ? [shape[0] as number] : shape;
    return new ResultArray({ data: withCenter(data, targetCenter), shape: rows, dtype });
  }

  /**
   * R² = 1 − Σ w(y − ŷ)² / Σ w(y − ȳ)², averaged over the target columns; over all rows of a source, batch by batch. Errors: as
   * `predict`.
   */
  score<X extends RowsIn | AnySource>(
    X: X,
    ...rest: After<X, [options?: SourceScoreOptions], [y: RegressionTargets | string, options?: RowOptions]>
  ): Promise<number> {
    const [y, options] = rest as [RegressionTargets | SourceScoreOptions, RowOptions?];
    return isSource(X)
      ? this.inUse('score', () => this.scoreSource(X, y as SourceScoreOptions))
      : this.scoreRows(X, y as RegressionTargets, options);
  }

  protected tally(): Tally<RegressionTargets> {
    let scores: R2Tally | undefined;
    return {
      add: async (X, y, options, place) => {
        const known = { ...this.fitted('score'), grows: false };
        const { data, shape } = await this.values('score', X, this.maskOf(options));
        const rows = shape[0] as number;
        if (rows === 0) return 0;
        const where = { call: place, argument: 'y', ...this.fittedOn('targets') };
        const truth = wideTargets(y, rows, where, known);
        scores ??= new R2Tally(truth.columns);
        scores.add(truth.data, data, toWeights(options.sampleWeight, rows, place));
        return rows;
      },
      value: () => scores?.value ?? Number.NaN,
    };
  }

  protected encode(
    y: RegressionTargets,
    rows: number,
    call: string,
    known: Known | null,
    sampleWeight?: Float32Array,
  ): Encoded<Rows> {
    const place = { call, argument: 'y', ...this.fittedOn('targets') };
    const wide = wideTargets(y, rows, place, known);
    // Determined once, by the first targets: the stored targets are relative to it.
    const center = known?.targetCenter === undefined ? targetCenter(wide, sampleWeight) : known.targetCenter;
    return {
      y: centeredTargets(wide, center, place),
      outputs: wide.columns,
      classes: [],
      targetCenter: center,
    };
  }
}

/** y without rounding. Errors: ShapeError, DataError. */
function wideTargets(y: RegressionTargets, rows: number, place: Place, known: Known | null): WideRows {
  const { call } = place;
  if (typeof y !== 'object' || y === null)
    throw new ShapeError(`${call}: y should be an array of numbers, got ${shown(y)}.`, { argument: 'y' });
  const targets = isVector(y) ? toWideRows({ data: y, shape: [y.length, 1] }, place) : toWideRows(y, place);
  if (targets.rows !== rows) {
    throw new ShapeError(`${call}: y has ${targets.rows} rows, X has ${rows}.`, {
      argument: 'y',
      length: targets.rows,
      expected: rows,
    });
  }
  checkColumns(targets.columns, place, known?.outputs);
  checkFinite(targets, place, undefined, y);
  return targets;
}
