// The clusterer: prototypes that stand for themselves.

import { type Matrix, toWeights } from '../data/matrix.js';
import type { NdArray } from '../dtype.js';
import { DataError, ShapeError, StateError } from '../errors.js';
import type { LearningRateCurve } from '../fitting/finder.js';
import type { FitResult } from '../fitting/fit.js';
import { clustererHeads } from '../heads/clusterer.js';
import type { ClustererOptions } from '../model/options.js';
import type { Progress } from '../training/progress.js';
import {
  checkCall,
  type FinetuneOptions,
  type FitBatchOptions,
  type FitOptions,
  type PredictOptions,
  type RowOptions,
} from './calls.js';
import { type Encoded, PrototypeModel } from './model.js';

/** Clusters have no targets; a pipeline that passes some to all its steps passes undefined. */
export type NoTargets = undefined;

type Either<O> = O | NoTargets;

const isOptions = (y: unknown): boolean =>
  typeof y === 'object' && !Array.isArray(y) && !ArrayBuffer.isView(y) && !('shape' in (y as object));

/** The options of a call whose y may be left out. Errors: ShapeError for targets. */
function second<O>(call: string, y: Either<O>, options: O | undefined): O | undefined {
  if (y === undefined || y === null) return options;
  if (options === undefined && isOptions(y)) return y;
  throw new ShapeError(
    `${call}: y should be undefined, clusters have no targets; pass (X, options) or (X, undefined, options).`,
    { argument: 'y' },
  );
}

/**
 * Clustering by prototypes: each row belongs to its nearest one, argmin_k δ(x, p_k).
 *
 * `await new FastKMeansClusterer({ backend, kInit: 10 }).fit(X)`, then `labels`, `inertia`, `predict(X)`. X [N, D].
 * Errors: OptionError for an unknown or impossible option.
 */
export class FastKMeansClusterer extends PrototypeModel<NoTargets> {
  private fittedTo: { readonly labels: Int32Array; readonly inertia: number; readonly nIter: number } | null =
    null;

  constructor(options: ClustererOptions) {
    super(options, clustererHeads, 'FastKMeansClusterer');
  }

  /** A model from the bytes of `save()`, on any backend. Errors: FormatError, OptionError. */
  static async load(
    bytes: Uint8Array,
    options: Pick<ClustererOptions, 'backend'>,
  ): Promise<FastKMeansClusterer> {
    return PrototypeModel.restore(bytes, clustererHeads, options, (all) => new FastKMeansClusterer(all));
  }

  override async fitBatch(
    X: Matrix,
    y?: Either<FitBatchOptions>,
    options?: FitBatchOptions,
  ): Promise<number> {
    return super.fitBatch(X, undefined, second('fitBatch', y, options));
  }

  override async fit(
    X: Matrix,
    y?: Either<FitOptions<NoTargets>>,
    options?: FitOptions<NoTargets>,
  ): Promise<FitResult> {
    const given = second('fit', y, options) ?? {};
    const result = await super.fit(X, undefined, given);
    // Both look at this fit's grid: they start before the next call in the queue does.
    const [{ data: labels }, inertia] = await Promise.all([
      this.read('fit', X, this.maskOf(given), 'label'),
      this.inertiaOf('fit', X, given),
    ]);
    this.fittedTo = { labels: labels as Int32Array, inertia, nIter: result.nIter };
    return result;
  }

  override async finetune(
    X: Matrix,
    y?: Either<FinetuneOptions<NoTargets>>,
    options?: FinetuneOptions<NoTargets>,
  ): Promise<readonly Progress[]> {
    return super.finetune(X, undefined, second('finetune', y, options));
  }

  override async findLearningRate(
    X: Matrix,
    y?: Either<RowOptions>,
    options?: RowOptions,
  ): Promise<LearningRateCurve> {
    return super.findLearningRate(X, undefined, second('findLearningRate', y, options));
  }

  override async lossAndGradients(
    X: Matrix,
    y?: Either<RowOptions>,
    options?: RowOptions,
  ): Promise<{ loss: number; gradients: Record<string, NdArray> }> {
    return super.lossAndGradients(X, undefined, second('lossAndGradients', y, options));
  }

  /** The cluster of each row of the last `fit` [N]. Errors: StateError. */
  get labels(): Int32Array {
    return this.lastFit('labels').labels;
  }

  /** Σ w·δ of the rows of the last `fit` to their prototypes. Errors: StateError. */
  get inertia(): number {
    return this.lastFit('inertia').inertia;
  }

  /** Passes of the last `fit`. Errors: StateError. */
  get nIter(): number {
    return this.lastFit('nIter').nIter;
  }

  /** The nearest prototype of each row [N]. Errors: ShapeError, DataError, StateError. */
  async predict(X: Matrix, options: PredictOptions = {}): Promise<NdArray<Int32Array>> {
    return (await this.read('predict', X, options, 'label')) as NdArray<Int32Array>;
  }

  /** Routing weights of the rows [N, K], by softType. Errors: as `predict`. */
  async predictProba(X: Matrix, options: PredictOptions = {}): Promise<NdArray<Float32Array>> {
    return (await this.read('predictProba', X, options, 'probabilities')) as NdArray<Float32Array>;
  }

  /** −Σ w·δ of the rows to their prototypes: larger is better. Errors: as `predict`. */
  async score(X: Matrix, y?: Either<RowOptions>, options?: RowOptions): Promise<number> {
    const given = second('score', y, options) ?? {};
    checkCall('score', given);
    return -(await this.inertiaOf('score', X, given));
  }

  private async inertiaOf(call: string, X: Matrix, options: RowOptions): Promise<number> {
    const { data } = await this.read(call, X, this.maskOf(options), 'distance');
    const rows = data.length;
    if (rows === 0)
      throw new DataError(`${call}: X has no rows; pass at least one.`, { argument: 'X', rows });
    const weights = toWeights(options.sampleWeight, rows, call);
    let inertia = 0;
    for (let i = 0; i < rows; i++) inertia += (weights?.[i] ?? 1) * (data[i] as number);
    return inertia;
  }

  private lastFit(name: string): NonNullable<FastKMeansClusterer['fittedTo']> {
    if (this.fittedTo) return this.fittedTo;
    throw new StateError(`${name}: this model has not been fitted to rows; call fit(X) first.`);
  }

  protected encode(y: unknown, rows: number, call: string): Encoded {
    if (y !== undefined && y !== null) {
      throw new ShapeError(`${call}: y should be undefined, clusters have no targets.`, { argument: 'y' });
    }
    return { y: { data: new Float32Array(0), rows, columns: 0 }, outputs: 0, classes: [] };
  }
}
