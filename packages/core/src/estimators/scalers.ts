// The scalers as separate objects: fit on rows, transform rows. In a model, `scaling` does the same.

import {
  checkFinite,
  type DenseMatrix,
  type Rows,
  repeatMask,
  toMask,
  toRows,
  toWeights,
  type Vector,
} from '../data/matrix.js';
import { type NdArray, ndarray } from '../dtype.js';
import { DataError, StateError } from '../errors.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { BATCH } from '../graph/ir.js';
import { lt, select } from '../graph/ops.js';
import { type Tensor, trace } from '../graph/trace.js';
import { printsItsName, ResultArray } from '../result.js';
import { applyScaler, fitScaler, type ScalerArrays, type Scaling } from '../scaling/scaler.js';
import { mapped, sampleOf, takeColumns } from '../state/sample.js';
import { type AnySource, type FlatMatrix, isSource } from '../state/source.js';
import { checkCall } from './calls.js';

export interface ScalerCallOptions {
  /** 1 present, 0 missing [N, D] or [D]; missing values do not count, and are transformed like 0. */
  readonly featureMask?: DenseMatrix | Vector | undefined;
}

export interface ScalerFitOptions extends ScalerCallOptions {
  /** Weight of each row [N], finite, at least 0: a row of weight w counts as w rows. */
  readonly sampleWeight?: Vector | undefined;
}

/** [N, kept columns] */
type ScaledRows = ResultArray<Float32Array, number[][]>;

const keptNames = (names: readonly string[], kept: Int32Array): string[] =>
  Array.from(kept, (column) => names[column] as string);

abstract class Scaler {
  private readonly scaling: Scaling;
  private readonly name: string;
  private arrays: ScalerArrays | null = null;
  private columns = 0;

  protected constructor(scaling: Scaling, name: string) {
    this.scaling = scaling;
    this.name = name;
    printsItsName(this);
  }

  /** One line: class and columns. */
  toString(): string {
    if (!this.arrays) return `${this.name}(not fitted)`;
    return `${this.name}(${this.keptColumns.length} of ${this.columns} columns vary)`;
  }

  /** Columns of X that vary, in order; constant columns are dropped. Errors: StateError before `fit`. */
  get keptColumns(): Int32Array {
    return (this.fitted('keptColumns')['scaler.columns'] as NdArray<Int32Array>).data.slice();
  }

  /**
   * Fits rows X [N, D]. A source provides masks and weights; up to 65,536 of its rows are used, drawn by weight. Errors:
   * OptionError, ShapeError, DataError, those of the source.
   */
  fit(source: AnySource): Promise<this>;
  fit(X: DenseMatrix, options?: ScalerFitOptions): this;
  fit(X: DenseMatrix | AnySource, options: ScalerFitOptions = {}): this | Promise<this> {
    const name = `${this.name}.fit`;
    checkCall('scaler', options, name, isSource(X) ? [] : ['featureMask', 'sampleWeight']);
    if (isSource(X)) return sampleOf(X, name).then(({ X, ...rest }) => this.fit(X, rest));
    const { x, mask } = this.check('fit', X, options);
    if (x.rows === 0)
      throw new DataError(`${this.name}.fit: X has no rows; pass at least one.`, { argument: 'X' });
    this.arrays = fitScaler(this.scaling, x, mask, toWeights(options.sampleWeight, x.rows, name));
    this.columns = x.columns;
    return this;
  }

  /**
   * Scaled rows [N, kept columns]; for a source, a source of scaled rows, otherwise unchanged. Errors: StateError before `fit`,
   * OptionError, ShapeError, DataError.
   */
  transform(source: AnySource): AnySource;
  transform(X: DenseMatrix, options?: ScalerCallOptions): ScaledRows;
  transform(X: DenseMatrix | AnySource, options: ScalerCallOptions = {}): ScaledRows | AnySource {
    const kept = this.fitted('transform')['scaler.columns'] as NdArray<Int32Array>;
    checkCall('scaler', options, `${this.name}.transform`, isSource(X) ? [] : ['featureMask']);
    if (!isSource(X)) return this.scaled(X, options);
    const take = (mask: FlatMatrix | Vector): FlatMatrix | Vector => takeColumns(mask, kept.data);
    return mapped(
      X,
      keptNames(X.columns, kept.data),
      `${this.name}.transform`,
      ({ featureMask, ...batch }) => {
        const { data, shape } = this.scaled(batch.X, featureMask ? { featureMask } : {});
        return {
          ...batch,
          X: { data, shape: shape as readonly [number, number] },
          ...(featureMask ? { featureMask: take(featureMask) } : {}),
        };
      },
    );
  }

  private scaled(X: DenseMatrix, options: ScalerCallOptions): ScaledRows {
    const arrays = this.fitted('transform');
    const { x, mask } = this.check('transform', X, options, this.columns);
    const inputs = {
      x: ndarray(x.data, [x.rows, x.columns]),
      ...(mask ? { mask: ndarray(repeatMask(mask, x.rows).data, [x.rows, x.columns]) } : {}),
      ...arrays,
    };
    const specs = Object.fromEntries(
      Object.entries(inputs).map(([key, { shape, dtype }]) => {
        const perRow = key === 'x' || key === 'mask';
        return [key, { dtype, shape: perRow ? [BATCH, shape[1] as number] : shape }];
      }),
    );
    const graph = trace(this.name, specs, (t: Readonly<Record<string, Tensor>>) => {
      const present = t.mask ? select(lt(0, t.mask), t.x as Tensor, 0) : (t.x as Tensor);
      return { scaled: applyScaler(this.scaling, present, t) };
    });
    return new ResultArray(evaluateGraph(graph, Object.values(inputs))[0] as NdArray<Float32Array>);
  }

  /** `fit`, then `transform` of the same rows. Errors: as both. */
  fitTransform(X: DenseMatrix, options: ScalerFitOptions = {}): ScaledRows {
    const { sampleWeight: _, ...shown } = options;
    return this.fit(X, options).transform(X, shown);
  }

  private fitted(call: string): ScalerArrays {
    if (!this.arrays)
      throw new StateError(`${this.name}.${call}: this scaler has not been fitted; call fit(X) first.`);
    return this.arrays;
  }

  private check(
    call: string,
    X: DenseMatrix,
    { featureMask }: ScalerCallOptions,
    columns?: number,
  ): { x: Rows; mask: Rows | undefined } {
    const name = `${this.name}.${call}`;
    const x = toRows(X, { call: name, argument: 'X' }, columns);
    const mask = toMask(featureMask, x, name);
    checkFinite(x, { call: name, argument: 'X' }, mask, X);
    return { x, mask };
  }
}

/** Standardises columns: (x − mean) / deviation, weighted, clipped to ±6; constant columns are dropped. */
export class StandardScaler extends Scaler {
  constructor() {
    super('standard', 'StandardScaler');
  }
}

/**
 * Rank-to-normal columns: Φ⁻¹ of the share of weight below a value, interpolated between at most 255 quantiles, clipped to ±4;
 * constant columns are dropped.
 */
export class QuantileScaler extends Scaler {
  constructor() {
    super('quantile', 'QuantileScaler');
  }
}
