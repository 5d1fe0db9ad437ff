// What all estimators share of training: each public call is checked first, runs on copies, and is stored only if it succeeds.

import { ownCopy } from '../data/own-copy.js';
import { readable } from '../data/table.js';
import { OptionError } from '../errors.js';
import {
  checkStopping,
  freeToWait,
  stoppingBy,
  stoppingShare,
  waitingCount,
} from '../fitting/early-stopping.js';
import { fewerThanAsked } from '../fitting/fewer.js';
import { findLearningRate, type LearningRateCurve } from '../fitting/finder.js';
import {
  type FinetuneRun,
  finetuneEpochs,
  gradientStep,
  stepsOver,
  withoutMoments,
} from '../fitting/finetune.js';
import { drawnOrder, firstCounting, fitPasses, runLength } from '../fitting/fit.js';
import type { FitResult } from '../fitting/passes.js';
import { phase1Step } from '../fitting/phase1-step.js';
import { judgesOfMeans } from '../fitting/sharpness.js';
import { drawRows, drawShare, givenSplit, perWeight, type Split, withMeanWeight } from '../fitting/split.js';
import { refusesGradients } from '../formulas/routing.js';
import { Random } from '../random.js';
import { ResultArray } from '../result.js';
import { type Batch, takeBatch } from '../state/batch.js';
import type { AnyEncoding } from '../state/encoding.js';
import { countingRows, distinctRows, drawByWeight, unitWeight } from '../state/row-counts.js';
import type { ModelState } from '../state/state.js';
import { trainable } from '../state/storage.js';
import { leftOut } from '../tables/plan.js';
import { arraysOf, asCompared, type Context, scaleBatch, specOf } from '../training/context.js';
import { lossAndGradients } from '../training/phase2.js';
import type { Progress } from '../training/progress.js';
import {
  checkCall,
  type FinetuneOptions,
  type FitBatchOptions,
  type FitOptions,
  type Named,
  type RowOptions,
} from './calls.js';
import type { RowsIn } from './learned.js';
import type { Raw } from './targets.js';
import { TaughtModel } from './taught.js';

/** Default batch sizes of phase 1 and of phase 2. */
export const fitRows = 10240;
const finetuneRows = 256;
/** Rows for each class in the start of fit, since prototypes of a class are drawn among its own rows. */
const startRowsPerClass = 32;
const defaults = { epochs: 60 } as const;

/** Base of the estimators; Y is the type of targets. */
export abstract class PrototypeModel<Y> extends TaughtModel<Y> {
  /**
   * Learns one batch: X [B, D], y [B] or [B, T]. Phase 1 (default) returns the largest shift of a prototype; `gradientStep` takes
   * one Adam step and returns its loss. The first batch also initialises the model for good: scaling, units of the target, and
   * prototypes, by default a quarter of its rows, at most 400. So it should have 1,600 rows or more, drawn from the whole stream.
   * Errors: ShapeError, DataError, OptionError; the model stays as it was.
   */
  fitBatch(X: RowsIn, y: Named<Y>, options: FitBatchOptions = {}): Promise<number> {
    const [rows, targets, given] = ownCopy([readable(X, 'fitBatch'), y, options] as const);
    return this.inTurn('fitBatch', async () => {
      checkCall('fitBatch', given);
      if (given.gradientStep) this.checkGradients('fitBatch');
      const raw = this.checkBatch(rows, targets, given, 'fitBatch', 'update');
      const { context, state, batch } = await this.ready(this.state, raw, 'fitBatch');
      if (given.gradientStep) {
        const moved = await gradientStep(context, state, await batch());
        await this.keep(moved.state, 'fitBatch');
        return moved.loss;
      }
      const moved = await phase1Step(context, state, await batch());
      await this.keep(moved.state, 'fitBatch');
      return moved.shift;
    });
  }

  /**
   * Fits X [N, D], y [N] or [N, T] from the start: initialisation on rows drawn by weight (with `shuffle: false`, on the first
   * batch), then passes of phase 1 until no prototype moves by more than `tol`, or `maxIters` passes. With `shuffle` and many rows
   * for each prototype, class probabilities are calibrated on these rows. A grid with frozen prototypes is kept and continued. The
   * arrays are read until the promise settles, and not copied: do not write to them before (after calling `fitBatch` or `predict`
   * you may). Errors: as `fitBatch`; the signal's reason.
   */
  fit(X: RowsIn, y: Named<Y>, options: FitOptions<Y> = {}): Promise<FitResult> {
    return this.fitBy(fitPasses, fitRows, X, y, options);
  }

  /** `fit` with the given passes. Initialisation uses at least `startRows` of the shuffled rows; Infinity: all rows. */
  protected fitBy(
    passes: typeof fitPasses,
    startRows: number,
    X: RowsIn,
    y: Named<Y>,
    options: FitOptions<Y>,
  ): Promise<FitResult> {
    const rows = readable(X, 'fit');
    return this.inTurn('fit', async () => {
      checkCall('fit', options);
      const { maxIters = 10, tol, shuffle = true, onProgress, signal } = options;
      signal?.throwIfAborted();
      const frozen = this.state?.arrays.frozen?.data.some((f) => f === 1);
      const before = frozen ? this.state : this.given('fit');
      // A fit from the start determines classes and target offset anew.
      const seen = before ?? this.state;
      const anew = before ? {} : { classes: [], targetCenter: undefined };
      const known = seen && this.complete(seen) ? { ...seen, ...anew, grows: true } : null;
      const raw = this.checkBatch(rows, y, options, 'fit', before ? 'train' : 'fit', known);
      const random = new Random(this.options.randomState);
      const split = this.split(raw, options, 0, random, 'fit');
      const { evaluation } = split;
      const batchSize = this.options.batchSize ?? fitRows;
      // A single batch has no order, so repeated rows can be merged.
      const training =
        shuffle && split.training.x.rows <= batchSize
          ? distinctRows(asCompared(this.options, split.training))
          : split.training;
      const n = training.x.rows;
      const all = startRows === Number.POSITIVE_INFINITY;
      const together = all ? runLength(batchSize) : 1;
      const order = shuffle ? drawnOrder(random, n, together) : new Uint32Array(n).map((_, i) => i);
      const wanted = shuffle
        ? Math.max(batchSize, startRows, startRowsPerClass * raw.classes.length)
        : batchSize;
      const first = (): Batch =>
        shuffle ? drawByWeight(training, wanted, random) : firstCounting(training, wanted);
      const context = this.context('fit', signal);
      const unit = unitWeight(split.training.sampleWeight);
      const sample = { ...raw, batch: all ? training : first(), unit };
      const { state: start } = await this.ready(before, sample, 'fit', signal, training);
      const { state, result } = await passes(
        context,
        start,
        await scaleBatch(context, start, training),
        order,
        {
          maxIters,
          tol,
          shuffle,
          batchSize,
          together,
          whole: training === raw.batch,
          onProgress,
          signal,
          warnings: this.warnings(before, raw.encoding),
        },
        evaluation && (await scaleBatch(context, start, evaluation)),
      );
      // Without shuffling, `fit` has to give the same model as `fitBatch` on the same batches.
      const judges = shuffle ? judgesOfMeans(state, training) : undefined;
      await this.keep(state, 'fit', evaluation, judges);
      return result;
    });
  }

  /** Warnings about the start of a new fit. */
  protected warnings(
    before: ModelState | null,
    encoding?: AnyEncoding,
  ): (start: ModelState) => readonly string[] {
    const { options, family } = this;
    return (start) =>
      before ? [] : [...fewerThanAsked(options, family, start), ...leftOut(encoding, options.columns)];
  }

  /**
   * Refines the model by gradients (phase 2) on X [N, D], y [N] or [N, T]: Adam with one cycle of the learning rate; weights are
   * relative to their mean. With evaluation rows, the state of their lowest loss is kept; otherwise early stopping by waiting rows
   * decides (see `evalFraction`). Returns one entry for each epoch. The arrays are read as in `fit`. Errors: as `fitBatch`; the
   * signal's reason.
   */
  finetune(X: RowsIn, y: Named<Y>, given: FinetuneOptions<Y> = {}): Promise<readonly Progress[]> {
    const taken = readable(X, 'finetune');
    return this.inTurn('finetune', async () => {
      const options = checkCall('finetune', given);
      options.signal?.throwIfAborted();
      this.checkGradients('finetune');
      const raw = this.checkBatch(taken, y, options, 'finetune', 'train');
      const random = new Random(this.options.randomState + 1);
      const { training, evaluation } = this.split(raw, options, stoppingShare(options), random, 'finetune');
      checkStopping(options.earlyStoppingRounds, evaluation);
      const ready = await this.ready(this.state, { ...raw, batch: training }, 'finetune', options.signal);
      const { context, state: start, batch } = ready;
      const rows = withMeanWeight(countingRows(await batch()));
      const run = await this.finetuneRun(options, context, start, async () => rows);
      const count = freeToWait(options) ? waitingCount(context, start, rows.x.rows, run.epochs) : 0;
      const drawn = drawRows(rows, count, random);
      const waiting = drawn && takeBatch(rows, drawn.indices, 0, count);
      const judges = {
        evaluation: evaluation && (await scaleBatch(context, start, evaluation)),
        rounds: options.earlyStoppingRounds,
      };
      const stopping = await stoppingBy(context, start, run.epochs, judges, waiting);
      const steps = stepsOver(rows, run.batchSize, drawn?.others);
      const { state, history, untold } = await finetuneEpochs(context, start, steps, run, stopping);
      const waited = drawn &&
        untold && { state: untold, rows: takeBatch(countingRows(training), drawn.indices, 0, count) };
      await this.keep(state, 'finetune', evaluation, waited);
      return history;
    });
  }

  /** The settings of a finetune; its scaled rows are used to find a learning rate, if asked for. */
  protected async finetuneRun(
    options: Omit<FinetuneOptions<Y>, keyof RowOptions>,
    context: Context,
    start: ModelState,
    rows: () => Promise<Batch>,
  ): Promise<FinetuneRun> {
    const { onProgress, signal, lr = this.options.learningRate } = options;
    const batchSize = this.options.batchSize ?? finetuneRows;
    const find = async (): Promise<LearningRateCurve> =>
      findLearningRate(context, withoutMoments(start), await rows(), batchSize, { onProgress, signal });
    return {
      epochs: options.epochs ?? defaults.epochs,
      learningRate: lr === 'auto' ? (await find()).learningRate : lr,
      schedule: options.schedule ?? 'oneCycle',
      batchSize,
      onProgress,
      signal,
    };
  }

  /** Sweeps the learning rate on copies of the model. The arrays are read as in `fit`. Errors: as `fitBatch`. */
  findLearningRate(
    X: RowsIn,
    y: Named<Y>,
    options: RowOptions & Pick<FitOptions<Y>, 'onProgress' | 'signal'> = {},
  ): Promise<LearningRateCurve> {
    const rows = readable(X, 'findLearningRate');
    return this.inUse('findLearningRate', async () => {
      checkCall('findLearningRate', options);
      this.checkGradients('findLearningRate');
      const raw = this.checkBatch(rows, y, options, 'findLearningRate', 'train');
      options.signal?.throwIfAborted();
      this.ownership.share();
      const { context, state, batch } = await this.ready(this.state, raw, 'findLearningRate', options.signal);
      return findLearningRate(
        context,
        state,
        withMeanWeight(await batch()),
        this.options.batchSize ?? finetuneRows,
        options,
      );
    });
  }

  /** Loss of a batch and its derivatives by the trained arrays, in internal units. Errors: as `fitBatch`. */
  lossAndGradients(
    X: RowsIn,
    y: Named<Y>,
    options: RowOptions = {},
  ): Promise<{ loss: number; gradients: Record<string, ResultArray> }> {
    return this.inUse('lossAndGradients', async () => {
      checkCall('lossAndGradients', options);
      this.checkGradients('lossAndGradients');
      const state = trainable(this.fitted('lossAndGradients'));
      const known = { ...state, grows: false };
      const [rows, targets, given] = ownCopy([readable(X, 'lossAndGradients'), y, options] as const);
      const raw = this.checkBatch(rows, targets, given, 'lossAndGradients', 'train', known);
      const context = this.context('lossAndGradients');
      const spec = { ...specOf(context, state, raw.batch.mask !== undefined), offsets: false };
      const batch = perWeight(this.options, await scaleBatch(context, state, raw.batch));
      const { loss, gradients } = await lossAndGradients(
        this.programs,
        spec,
        arraysOf(context, state),
        batch,
      );
      const results = Object.entries(gradients).map(
        ([name, array]) => [name, new ResultArray(array)] as const,
      );
      return { loss, gradients: Object.fromEntries(results) };
    });
  }

  protected checkGradients(call: string): void {
    const why = refusesGradients(this.options.softType);
    const { routes } = this.family.head(this.options, this.family.carries(this.options, 2));
    if (why && routes) {
      throw new OptionError(
        `${call}: ${why}; use softType 'gaussian', 'scaled' or 'softmax_scaled' for gradient steps.`,
        {
          option: 'softType',
          value: this.options.softType,
        },
      );
    }
  }

  /** Splits into training and evaluation rows: the caller's, or a drawn share. Errors: OptionError, as `fitBatch`. */
  protected split(
    raw: Raw,
    options: FitOptions<Y> | FinetuneOptions<Y>,
    share: number,
    random: Random,
    call: string,
  ): Split {
    const { evalSet, evalFraction } = options;
    if (!evalSet) {
      const drawn = drawShare(raw.batch, evalFraction ?? share, evalFraction ? 1 : 0, random);
      return drawn ?? { training: raw.batch, evaluation: undefined };
    }
    if (evalFraction) {
      throw new OptionError(
        `${call}: evalFraction is ${evalFraction} beside an evalSet; pass one of the two.`,
        { option: 'evalFraction', value: evalFraction },
      );
    }
    const { X, y, ...rest } = evalSet;
    checkCall('evalSet', rest, `${call}: evalSet`);
    const known = { ...raw, grows: false };
    const state = raw.encoding ? { encoding: raw.encoding, unit: raw.unit ?? null } : this.state;
    const { batch } = this.checkBatch(X, y as Y, rest, `${call}: evalSet`, 'read', known, state);
    return givenSplit(raw.batch, batch, raw.shown, call);
  }
}
