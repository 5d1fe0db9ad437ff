// Estimators whose targets are numbers: how y is read, and answers in its units and with its offset.

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
import type { NdArray, Shape } from '../dtype.js';
import { ShapeError, shown } from '../errors.js';
import type { Head } from '../heads/head.js';
import { ResultArray } from '../result.js';
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

const isVector = (y: RegressionTargets): y is Vector =>
  ArrayBuffer.isView(y) || (Array.isArray(y) && !Array.isArray(y[0]) && !ArrayBuffer.isView(y[0]));

/** A score of numbers that come in parts. */
export interface NumericTally {
  add(truth: Vector, predicted: Vector, sampleWeight?: Vector): void;
  readonly value: number;
}

/** Base of the estimators of numbers. R are answers as nested arrays. */
export abstract class NumericModel<R extends unknown[]> extends SourceModel<RegressionTargets> {
  /** The shape of what `predict` answers, from [N, columns of an answer]. */
  protected abstract shapeOf(shape: Shape): Shape;
  /** Adds up a score of so many columns of y. */
  protected abstract scoring(columns: number): NumericTally;

  /**
   * Predictions, in the shape that the class documents; for a source, one answer for each batch. A Float32Array, or a Float64Array if
   * the first targets lay more than 2^10 deviations from 0, which float32 could not resolve. Errors: ShapeError, DataError, StateError.
   */
  predict(
    source: AnySource,
    options?: SourceReadOptions,
  ): AsyncGenerator<ResultArray<Float32Array | Float64Array, R>, void, void>;
  predict(X: RowsIn, options?: PredictOptions): Promise<ResultArray<Float32Array | Float64Array, R>>;
  predict(
    X: RowsIn | AnySource,
    options: PredictOptions | SourceReadOptions = {},
  ): Answers<ResultArray<Float32Array | Float64Array, R>> {
    return isSource(X)
      ? this.overSource(X, 'predict', options as SourceReadOptions, (rows, all) =>
          this.values('predict', rows, all),
        )
      : this.inUse('predict', () => this.values('predict', X, options as PredictOptions));
  }

  /** The prediction of one row, a line of what `predict` answers: a record of a model of tables, or numbers [D]. Errors: as `predict`. */
  async predictOne(row: OneRow, options: PredictOptions = {}): Promise<R[number]> {
    return (await this.predict(asRows(row), options)).toArray()[0];
  }

  private async values(
    call: string,
    X: RowsIn,
    options: PredictOptions,
  ): Promise<ResultArray<Float32Array | Float64Array, R>> {
    const { targetCenter } = this.fitted(call);
    const { data, shape, dtype } = (await this.read(call, X, options, 'value')) as NdArray<Float32Array>;
    return new ResultArray({ data: withCenter(data, targetCenter), shape: this.shapeOf(shape), dtype });
  }

  /** The score that the class documents; over all rows of a source, batch by batch. Errors: as `predict`. */
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
    let scores: NumericTally | undefined;
    return {
      add: async (X, y, options, place) => {
        const known = { ...this.fitted('score'), grows: false };
        const { data, shape } = await this.values('score', X, this.maskOf(options));
        const rows = shape[0] as number;
        if (rows === 0) return 0;
        const where = { call: place, argument: 'y', ...this.fittedOn('targets') };
        const truth = this.wide(y, rows, where, known);
        scores ??= this.scoring(truth.columns);
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
    const wide = this.wide(y, rows, place, known);
    // Determined once, by the first targets: the stored targets are relative to it.
    const center = known?.targetCenter === undefined ? targetCenter(wide, sampleWeight) : known.targetCenter;
    return {
      y: centeredTargets(wide, center, place),
      outputs: this.head.outputs ?? wide.columns,
      classes: [],
      targetCenter: center,
    };
  }

  /** What the options say of answers. */
  private get head(): Head {
    return this.family.head(this.options, true);
  }

  /** y without rounding. Errors: ShapeError, DataError. */
  private wide(y: RegressionTargets, rows: number, place: Place, known: Known | null): WideRows {
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
    const { outputs, yColumns } = this.head;
    // Where the options say what is answered, y has the columns that go with it.
    const against = outputs === undefined ? {} : { against: `${this.family.estimator} answers` };
    const columns = outputs === undefined ? known?.outputs : yColumns(outputs);
    checkColumns(targets.columns, { ...place, ...against }, columns);
    checkFinite(targets, place, undefined, y);
    return targets;
  }
}
