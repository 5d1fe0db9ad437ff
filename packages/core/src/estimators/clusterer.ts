// The clusterer: prototypes without targets.

import { ownCopy } from '../data/own-copy.js';
import { asRows, type OneRow, readable } from '../data/table.js';
import type { NdArray } from '../dtype.js';
import { ShapeError, StateError } from '../errors.js';
import type { LearningRateCurve } from '../fitting/finder.js';
import { fitPasses } from '../fitting/fit.js';
import { type Located, lloydPasses, lloydPassesAtMost } from '../fitting/lloyd.js';
import type { FitResult } from '../fitting/passes.js';
import { clustererHeads } from '../heads/clusterer.js';
import type { HeadFamily } from '../heads/head.js';
import { ResultArray, withJson } from '../result.js';
import { inOwnUnits } from '../scaling/unit.js';
import type { Batch } from '../state/batch.js';
import type { ClustererOptions } from '../state/options.js';
import { type Answers, type AnySource, isSource } from '../state/source.js';
import type { ModelState } from '../state/state.js';
import { stored, trainable, withoutMasters } from '../state/storage.js';
import { fitSource } from '../streams/fit-source.js';
import { lloydSource } from '../streams/lloyd-source.js';
import { type Context, scaleBatch, specOf } from '../training/context.js';
import { inertiaOf } from '../training/inertia.js';
import { assignRows } from '../training/phase1.js';
import type { Progress } from '../training/progress.js';
import {
  checkCall,
  type FinetuneOptions,
  type FitBatchOptions,
  type FitOptions,
  type PredictOptions,
  type RowOptions,
} from './calls.js';
import type { RowsIn } from './learned.js';
import { ProbabilityModel } from './probability-model.js';
import type {
  SourceFinetuneOptions,
  SourceFitOptions,
  SourceReadOptions,
  SourceScoreOptions,
  Tally,
} from './source-model.js';
import type { Encoded, Raw } from './targets.js';

/** A clusterer has no targets; a pipeline that passes targets to all its steps passes undefined. */
export type NoTargets = undefined;

type Either<O> = O | NoTargets;

const isOptions = (y: unknown): boolean =>
  typeof y === 'object' && !Array.isArray(y) && !ArrayBuffer.isView(y) && !('shape' in (y as object));

/** The options of a call, whose y may be left out. Errors: ShapeError for targets. */
function second<O>(call: string, y: Either<O>, options: O | undefined): O | undefined {
  if (y === undefined || y === null) return options;
  if (options === undefined && isOptions(y)) return y;
  throw new ShapeError(
    `${call}: y should be undefined, clusters have no targets; pass (X, options) or (X, undefined, options).`,
    { argument: 'y' },
  );
}

/** Options of `fit`. */
export interface ClustererFitOptions extends FitOptions<NoTargets> {
  /** 'lloyd': exact passes over all rows; 'ema': moving averages, batch by batch. Default: the model's `algorithm`. */
  readonly algorithm?: 'ema' | 'lloyd' | undefined;
}

/** Options of `fit` over a source. */
export interface ClustererSourceFitOptions
  extends SourceFitOptions<NoTargets>,
    Pick<ClustererFitOptions, 'algorithm'> {}

/** The assignment of the rows of a fit. */
interface Fitted {
  readonly labels: Int32Array;
  readonly inertia: number;
}

/**
 * Clustering by prototypes: each row belongs to its nearest one, argmin_k δ(x, p_k).
 *
 * `await new FastKMeansClusterer({ backend, kInit: 10 }).fit(X)`, then `labels`, `inertia`, `predict(X)`. X [N, D]. `predictProba`
 * returns the routing weights of the rows [N, K] by softType: a soft assignment to clusters, which is not calibrated. Errors:
 * OptionError for an unknown or impossible option.
 */
export class FastKMeansClusterer extends ProbabilityModel<NoTargets> {
  private fittedTo: {
    readonly labels: Int32Array | undefined;
    readonly inertia: number;
    readonly nIter: number;
  } | null = null;

  constructor(options: ClustererOptions) {
    super(options);
  }

  protected heads(): HeadFamily {
    return clustererHeads;
  }

  override async fitBatch(
    X: RowsIn,
    y?: Either<FitBatchOptions>,
    options?: FitBatchOptions,
  ): Promise<number> {
    return super.fitBatch(X, undefined, second('fitBatch', y, options));
  }

  /**
   * Fits X [N, D] from the start. Initialisation draws from all rows (with `shuffle: false`, from the first batch). 'ema' continues
   * like `fitBatch`, batch by batch, for `maxIters` passes (default 10) or until no prototype moves by more than `tol`; after each
   * pass, earlier ones count a tenth. 'lloyd' moves every prototype to the mean of its rows, and one without rows to the row
   * farthest from its own, for `maxIters` passes (default 300) or until no row changes its cluster or Σ ‖shift‖² <= `tol` · the
   * mean variance of the columns, as in scikit-learn. Errors: as `fitBatch`; the signal's reason.
   *
   * A source is initialised on its first 10,240 rows. With 'ema' there are then no `labels`, `inertia` and `nIter`. With 'lloyd'
   * there are no `labels` (use `predict` of the source); the inertia takes one more iteration; and only `tol` stops early, where 0
   * means that no row changes its cluster.
   */
  override fit(source: AnySource, options?: ClustererSourceFitOptions): Promise<FitResult>;
  override fit(X: RowsIn, y?: Either<ClustererFitOptions>, options?: ClustererFitOptions): Promise<FitResult>;
  override async fit(
    X: RowsIn | AnySource,
    y?: Either<ClustererFitOptions>,
    options?: ClustererFitOptions,
  ): Promise<FitResult> {
    return this.inUse('fit', () => {
      const given = second('fit', y, options) ?? {};
      return isSource(X) ? this.fitSource(X, given) : this.fitRows(X, given);
    });
  }

  private async fitRows(X: RowsIn, options: ClustererFitOptions): Promise<FitResult> {
    checkCall('fit', options, 'fit', ['algorithm']);
    const { algorithm = this.options.algorithm, ...given } = options;
    const lloyd = algorithm === 'lloyd';
    let fitted: Fitted | undefined;
    // Exact passes use all rows from the start; their order does not matter.
    const result = await this.fitBy(
      async (context, start, rows, order, run, evaluation) => {
        const learned = lloyd
          ? await lloydPasses(context, start, rows, run, evaluation)
          : { ...(await fitPasses(context, start, rows, order, run, evaluation)), located: undefined };
        const { dtype } = this.options;
        const seen = stored(learned.state, dtype, 'fit');
        // `labels` also covers evaluation rows, repeated rows and rows of weight 0; and rounding to halves may change the nearest
        // prototype.
        const whole = run.whole ? rows : await this.scaled('fit', seen, X, given);
        const known = whole === rows && dtype === 'float32' ? learned.located : undefined;
        fitted = await this.judged(context, seen, whole, known);
        return learned;
      },
      lloyd || (given.shuffle ?? true) ? Number.POSITIVE_INFINITY : 0,
      X,
      undefined,
      lloyd ? { maxIters: lloydPassesAtMost, ...given, shuffle: false } : given,
    );
    this.fittedTo = { ...(fitted as Fitted), nIter: result.nIter };
    return result;
  }

  /** The rows are not kept, so inertia takes one more iteration, and there are no labels. */
  private async fitSource(source: AnySource, options: ClustererSourceFitOptions): Promise<FitResult> {
    const { algorithm = this.options.algorithm, ...given } = options;
    checkCall('fitSource', options, 'fit of a source', ['algorithm']);
    if (algorithm === 'ema') {
      const result = await this.fitSourceBy(fitSource, source, given);
      this.fittedTo = null;
      return result;
    }
    let rows = 0;
    const passes = async (...run: Parameters<typeof lloydSource<Raw>>) => {
      const learned = await lloydSource(...run);
      ({ rows } = learned);
      return learned;
    };
    const result = await this.fitSourceBy(passes, source, { maxIters: lloydPassesAtMost, ...given });
    this.fittedTo = null;
    const inertia = -(await this.scoreSource(source, { signal: given.signal }, [], rows));
    this.fittedTo = { labels: undefined, inertia, nIter: result.nIter };
    return result;
  }

  override finetune(
    source: AnySource,
    options?: SourceFinetuneOptions<NoTargets>,
  ): Promise<readonly Progress[]>;
  override finetune(
    X: RowsIn,
    y?: Either<FinetuneOptions<NoTargets>>,
    options?: FinetuneOptions<NoTargets>,
  ): Promise<readonly Progress[]>;
  override async finetune(
    X: RowsIn | AnySource,
    y?: Either<FinetuneOptions<NoTargets>>,
    options?: FinetuneOptions<NoTargets>,
  ): Promise<readonly Progress[]> {
    if (isSource(X)) return super.finetune(X, second('finetune', y, options));
    return super.finetune(X, undefined, second('finetune', y, options));
  }

  override async findLearningRate(
    X: RowsIn,
    y?: Either<RowOptions>,
    options?: RowOptions,
  ): Promise<LearningRateCurve> {
    return super.findLearningRate(X, undefined, second('findLearningRate', y, options));
  }

  override async lossAndGradients(
    X: RowsIn,
    y?: Either<RowOptions>,
    options?: RowOptions,
  ): Promise<{ loss: number; gradients: Record<string, ResultArray> }> {
    return super.lossAndGradients(X, undefined, second('lossAndGradients', y, options));
  }

  /** The cluster of each row of the last `fit` [N], as a copy. Errors: StateError. */
  get labels(): Int32Array {
    const { labels } = this.lastFit('labels');
    if (labels) return withJson(labels.slice());
    throw new StateError('labels: a fit of a source has none; call predict(source).');
  }

  /** Σ w·δ of the rows of the last `fit` to their prototypes. Errors: StateError. */
  get inertia(): number {
    return this.lastFit('inertia').inertia;
  }

  /** Number of passes of the last `fit`. Errors: StateError. */
  get nIter(): number {
    return this.lastFit('nIter').nIter;
  }

  /** The nearest prototype of each row [N]; for a source, one answer for each batch. Errors: ShapeError, DataError, StateError. */
  predict(
    source: AnySource,
    options?: SourceReadOptions,
  ): AsyncGenerator<ResultArray<Int32Array, number[]>, void, void>;
  predict(X: RowsIn, options?: PredictOptions): Promise<ResultArray<Int32Array, number[]>>;
  predict(
    X: RowsIn | AnySource,
    options: PredictOptions | SourceReadOptions = {},
  ): Answers<ResultArray<Int32Array, number[]>> {
    return isSource(X)
      ? this.overSource(X, 'predict', options as SourceReadOptions, (rows, all) => this.nearest(rows, all))
      : this.inUse('predict', () => this.nearest(X, options as PredictOptions));
  }

  /** The nearest prototype of one row: a record of a model of tables, or numbers [D]. Errors: as `predict`. */
  async predictOne(row: OneRow, options: PredictOptions = {}): Promise<number> {
    return (await this.predict(asRows(row), options)).data[0] as number;
  }

  private async nearest(X: RowsIn, options: PredictOptions): Promise<ResultArray<Int32Array, number[]>> {
    const labels = await this.read('predict', X, options, 'label');
    return new ResultArray(labels as NdArray<Int32Array>);
  }

  /** −Σ w·δ of the rows to their prototypes, larger is better; over all rows of a source. Errors: as `predict`. */
  score(source: AnySource, options?: SourceScoreOptions): Promise<number>;
  score(X: RowsIn, y?: Either<RowOptions>, options?: RowOptions): Promise<number>;
  async score(
    X: RowsIn | AnySource,
    y?: Either<RowOptions & SourceScoreOptions>,
    options?: RowOptions & SourceScoreOptions,
  ): Promise<number> {
    const given = second('score', y, options);
    return isSource(X)
      ? this.inUse('score', () => this.scoreSource(X, given))
      : this.scoreRows(X, undefined, given);
  }

  protected tally(): Tally<NoTargets> {
    const state = this.fitted('score');
    let inertia = 0;
    return {
      add: async (X, _, options, place) => {
        const rows = await this.scaled(place, state, ownCopy(readable(X, place)), options);
        inertia += (await this.judged(this.context(place), state, rows)).inertia;
        return rows.x.rows;
      },
      value: () => -inertia,
    };
  }

  /** Checked rows in the space of the prototypes. */
  private scaled(call: string, state: ModelState, X: RowsIn, options: RowOptions): Promise<Batch> {
    const { batch } = this.checkBatch(X, undefined, options, call, 'read', null, state);
    return scaleBatch(this.context(call), state, batch);
  }

  /** The assignment of scaled rows, computed unless known, and its Σ w·δ in float64. */
  private async judged(context: Context, state: ModelState, rows: Batch, known?: Located): Promise<Fitted> {
    const seen = trainable(withoutMasters(state));
    const spec = specOf(context, seen, rows.mask !== undefined);
    const { programs, options, signal } = context;
    const labels =
      known?.index ??
      (await assignRows(programs, spec, seen.arrays, rows, options.targetAssignment, signal)).index;
    const inertia = known?.inertia ?? inertiaOf(options.distance, seen.arrays, rows, labels);
    return { labels, inertia: inOwnUnits(seen.arrays, options.distance, inertia) };
  }

  protected override forget(): void {
    super.forget();
    this.fittedTo = null;
  }

  private lastFit(name: string): NonNullable<FastKMeansClusterer['fittedTo']> {
    this.expectAlive(name);
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
