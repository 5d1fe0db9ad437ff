// The call `predictProba` of estimators with probabilities, on rows and on sources.

import type { NdArray } from '../dtype.js';
import { ResultArray } from '../result.js';
import { type Answers, type AnySource, isSource } from '../state/source.js';
import type { PredictOptions } from './calls.js';
import type { RowsIn } from './learned.js';
import { SourceModel, type SourceReadOptions } from './source-model.js';

type Probabilities = ResultArray<Float32Array, number[][]>;

/** Base of the estimators with probabilities. */
export abstract class ProbabilityModel<Y> extends SourceModel<Y> {
  /**
   * Probabilities of the rows [N, C], in the order of classes, labels or clusters; the class documents their meaning. For a source,
   * one answer for each batch. Errors: as `predict`.
   */
  predictProba(source: AnySource, options?: SourceReadOptions): AsyncGenerator<Probabilities, void, void>;
  predictProba(X: RowsIn, options?: PredictOptions): Promise<Probabilities>;
  predictProba(
    X: RowsIn | AnySource,
    options: PredictOptions | SourceReadOptions = {},
  ): Answers<Probabilities> {
    const call = 'predictProba';
    const answer = async (rows: RowsIn, all: PredictOptions): Promise<Probabilities> =>
      new ResultArray((await this.read(call, rows, all, 'probabilities')) as NdArray<Float32Array>);
    return isSource(X)
      ? this.overSource(X, call, options as SourceReadOptions, answer)
      : this.inUse(call, () => answer(X, options as PredictOptions));
  }
}
