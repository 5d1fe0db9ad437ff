// The scalers as users call them, on their own: fit on rows, transform rows. Inside a model, `scaling` does the same.

import {
  checkFinite,
  type DenseMatrix,
  type Rows,
  repeatMask,
  toMask,
  toRows,
  type Vector,
} from '../data/matrix.js';
import { type NdArray, ndarray } from '../dtype.js';
import { DataError, StateError } from '../errors.js';
import { BATCH } from '../graph/ir.js';
import { lt, select } from '../graph/ops.js';
import { type Tensor, trace } from '../graph/trace.js';
import { evaluateGraph } from '../reference/evaluate.js';
import { applyScaler, fitScaler, type ScalerArrays, type Scaling } from './scaler.js';

export interface ScalerCallOptions {
  /** 1 present, 0 missing [N, D] or [D]; missing values take no part and come out as the scaler maps 0. */
  readonly featureMask?: DenseMatrix | Vector | undefined;
}

abstract class Scaler {
  private readonly scaling: Scaling;
  private readonly name: string;
  private arrays: ScalerArrays | null = null;
  private columns = 0;

  protected constructor(scaling: Scaling, name: string) {
    this.scaling = scaling;
    this.name = name;
  }

  /** Columns of X that vary, in order: the others drop out. Errors: StateError before `fit`. */
  get keptColumns(): Int32Array {
    return (this.fitted('keptColumns')['scaler.columns'] as NdArray<Int32Array>).data.slice();
  }

  /** Learns from rows X [N, D]. Errors: ShapeError, DataError. */
  fit(X: DenseMatrix, options: ScalerCallOptions = {}): this {
    const { x, mask } = this.check('fit', X, options);
    if (x.rows === 0)
      throw new DataError(`${this.name}.fit: X has no rows; pass at least one.`, { argument: 'X' });
    this.arrays = fitScaler(this.scaling, x, mask);
    this.columns = x.columns;
    return this;
  }

  /** Scaled rows [N, kept columns]. Errors: StateError before `fit`, ShapeError, DataError. */
  transform(X: DenseMatrix, options: ScalerCallOptions = {}): NdArray<Float32Array> {
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
    return evaluateGraph(graph, Object.values(inputs))[0] as NdArray<Float32Array>;
  }

  fitTransform(X: DenseMatrix, options: ScalerCallOptions = {}): NdArray<Float32Array> {
    return this.fit(X, options).transform(X, options);
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
    checkFinite(x, { call: name, argument: 'X' }, mask);
    return { x, mask };
  }
}

/** (x − mean) / deviation a column, clipped to ±6; constant columns drop out. */
export class StandardScaler extends Scaler {
  constructor() {
    super('standard', 'StandardScaler');
  }
}

/** Φ⁻¹(rank / N) a column, clipped to ±4, interpolated between at most 255 quantiles; constant columns drop out. */
export class QuantileScaler extends Scaler {
  constructor() {
    super('quantile', 'QuantileScaler');
  }
}
