// What all estimators share of training: the public calls, each checked first, run on copies, and stored only when it succeeded.

import { type Matrix, toWeights } from '../data/matrix.js';
import { ownCopy } from '../data/own-copy.js';
import { DataError, OptionError } from '../errors.js';
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
import { type Judges, judgesOfMeans, withSharpness } from '../fitting/sharpness.js';
import { drawRows, drawShare, givenSplit, perWeight, type Split, withMeanWeight } from '../fitting/split.js';
import { withThresholds } from '../fitting/thresholds.js';
import { refusesGradients } from '../formulas/routing.js';
import { answeringMean, withUnit } from '../init/given.js';
import { growClasses, widenOutputs } from '../init/grow-classes.js';
import { initialise } from '../init/initialise.js';
import { Random } from '../random.js';
import { ResultArray } from '../result.js';
import { type Batch, takeBatch } from '../state/batch.js';
import { countingRows, distinctRows, drawByWeight, unitWeight } from '../state/row-counts.js';
import type { ModelState } from '../state/state.js';
import { stored, trainable } from '../state/storage.js';
import { arraysOf, asCompared, type Context, scaleBatch, specOf } from '../training/context.js';
import { withTargetRange } from '../training/local-linear.js';
import { lossAndGradients } from '../training/phase2.js';
import type { Progress } from '../training/progress.js';
import {
  checkCall,
  type FinetuneOptions,
  type FitBatchOptions,
  type FitOptions,
  type RowOptions,
} from './calls.js';
import { LearnedModel } from './learned.js';
import type { Encoded, Known, Raw } from './targets.js';

/** Rows of a batch of phase 1 and of phase 2, unless the options say otherwise. */
export const fitRows = 10240;
const finetuneRows = 256;
/** With hundreds of classes the start of fit looks at more rows: prototypes of a class are drawn among its own. */
const startRowsPerClass = 32;
const defaults = { epochs: 60 } as const;

/** Base of the estimators. Y is what a user hands in as targets. */
export abstract class PrototypeModel<Y> extends LearnedModel {
  /** y as rows; `known` is null before the first. Errors: ShapeError, DataError. */
  protected abstract encode(
    y: Y,
    rows: number,
    call: string,
    known: Known | null,
    sampleWeight?: Float32Array,
  ): Encoded;

  /**
   * What a training call has learned, as it is stored, judged by the rows that it held out, or else by those that say something of
   * an earlier state. Errors: DataError.
   */
  protected async keep(state: ModelState, call: string, held?: Batch, others?: Judges): Promise<void> {
    const before = this.state?.arrays;
    const context = this.context(call);
    const kept = stored(state, this.options.dtype, call);
    const judged = await withThresholds(context, kept, held);
    this.state = await withSharpness(context, judged, held ?? others?.rows, others?.state);
    if (before) await this.programs.leave(before, this.state.arrays);
  }

  /** Arguments of a training call; `known` is what y has to fit, the model's own unless said. */
  protected checkBatch(
    X: Matrix,
    y: Y,
    options: RowOptions,
    call: string,
    known: Known | null = this.state && this.complete(this.state) ? { ...this.state, grows: true } : null,
  ): Raw {
    const { x, mask } = this.checkRows(X, options.featureMask, call);
    if (x.rows === 0)
      throw new DataError(`${call}: X has no rows; pass at least one.`, { argument: 'X', rows: 0 });
    const sampleWeight = toWeights(options.sampleWeight, x.rows, call) ?? new Float32Array(x.rows).fill(1);
    const { y: targets, ...outputs } = this.encode(y, x.rows, call, known, sampleWeight);
    const shown = options.featureMask !== undefined;
    return { ...outputs, batch: { x, y: targets, sampleWeight, mask }, shown };
  }

  /** Learned so far, with room for what y brings, or learned from these first rows. */
  private async begin(
    state: ModelState | null,
    { batch: first, ...outputs }: Raw,
    call: string,
    signal?: AbortSignal,
  ): Promise<ModelState> {
    const context = this.context(call, signal);
    if (!state) {
      return initialise(context, first, outputs, new Random(this.options.randomState), call);
    }
    const known = withUnit(state, this.options, outputs.unit ?? unitWeight(first.sampleWeight));
    if (this.complete(known)) return widenOutputs(context, known, outputs.classes);
    return answeringMean(known, first, this.options.heads ?? 1, outputs.targetCenter ?? null);
  }

  /**
   * `begin`, and prototypes for classes that are new with the rows, which are scaled when somebody asks for them. The call will
   * learn the targets of `learned`.
   */
  protected async ready(
    before: ModelState | null,
    raw: Raw,
    call: string,
    signal?: AbortSignal,
    learned: Batch = raw.batch,
  ): Promise<{ context: Context; state: ModelState; batch: () => Promise<Batch> }> {
    const context = this.context(call, signal);
    const start = await this.begin(before && trainable(before), raw, call, signal);
    const begun = withTargetRange(context, start, learned, call);
    let scaled: Promise<Batch> | undefined;
    const batch = (): Promise<Batch> => {
      scaled ??= scaleBatch(context, begun, raw.batch);
      return scaled;
    };
    // A start that is not joint has given prototypes to every class of its rows.
    if (!begun.arrays.owners || (!before && !begun.joint)) return { context, state: begun, batch };
    const from = before && begun.joint ? before.outputs : 0;
    return { context, state: await growClasses(context, begun, await batch(), undefined, from), batch };
  }

  /**
   * Learns one batch: X [B, D], y [B] or [B, T].
   * Phase 1 (default) gives the largest shift of a prototype; with `gradientStep`, one Adam step and its loss.
   * The first batch also initialises the model, for good: scaling, units of the target, and a fourth of its rows, at most
   * 400, as prototypes unless `nPrototypes` says otherwise; so let it be 1,600 rows or more, drawn from all there will be.
   * Errors: ShapeError, DataError, OptionError; the model stays as it was.
   */
  fitBatch(X: Matrix, y: Y, options: FitBatchOptions = {}): Promise<number> {
    const [rows, targets, given] = ownCopy([X, y, options] as const);
    return this.inTurn('fitBatch', async () => {
      checkCall('fitBatch', given);
      if (given.gradientStep) this.checkGradients('fitBatch');
      const raw = this.checkBatch(rows, targets, given, 'fitBatch');
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
   * Learns X [N, D], y [N] or [N, T] in passes of phase 1, from the start: initialisation on rows that are drawn by
   * weight (the first batch with `shuffle: false`), then `fitBatch` over all of them until no prototype moves by more than
   * `tol`, or `maxIters` passes. With `shuffle`, class probabilities of many rows a prototype are calibrated on them. A grid with frozen prototypes is kept and goes on. The arrays are read until the promise
   * settles, and not copied: do not write to them meanwhile, as you may behind `fitBatch` and `predict`. Errors: as `fitBatch`; the signal's
   * reason where aborted.
   */
  fit(X: Matrix, y: Y, options: FitOptions<Y> = {}): Promise<FitResult> {
    return this.fitBy(fitPasses, fitRows, X, y, options);
  }

  /** `fit` by passes of some kind; the start of shuffled rows looks at so many of them at least; at all, shuffled or not, of infinitely many. */
  protected fitBy(
    passes: typeof fitPasses,
    startRows: number,
    X: Matrix,
    y: Y,
    options: FitOptions<Y>,
  ): Promise<FitResult> {
    return this.inTurn('fit', async () => {
      checkCall('fit', options);
      const { maxIters = 10, tol, shuffle = true, onProgress, signal } = options;
      signal?.throwIfAborted();
      const frozen = this.state?.arrays.frozen?.data.some((f) => f === 1);
      const before = frozen ? this.state : this.given('fit');
      // A fit from the start learns its classes anew, and where its targets lie.
      const seen = before ?? this.state;
      const anew = before ? {} : { classes: [], targetCenter: undefined };
      const known = seen && this.complete(seen) ? { ...seen, ...anew, grows: true } : null;
      const raw = this.checkBatch(X, y, options, 'fit', known);
      const random = new Random(this.options.randomState);
      const split = this.split(raw, options, 0, random, 'fit');
      const { evaluation } = split;
      const batchSize = this.options.batchSize ?? fitRows;
      // Rows of one batch come in no order: what is repeated in them need not be.
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
          warnings: this.warnings(before),
        },
        evaluation && (await scaleBatch(context, start, evaluation)),
      );
      // Without shuffling, the same rows in batches give the same model.
      const judges = shuffle ? judgesOfMeans(state, training) : undefined;
      await this.keep(state, 'fit', evaluation, judges);
      return result;
    });
  }

  /** What a fit that begins anew has to say of its start. */
  protected warnings(before: ModelState | null): (start: ModelState) => readonly string[] {
    return (start) => (before ? [] : fewerThanAsked(this.options, this.family, start));
  }

  /**
   * Refines by gradients (phase 2) over X [N, D], y [N] or [N, T]: Adam, one cycle, weights taken relative to their mean. Keeps the
   * state of the lowest loss on evaluation rows where there are any, else the last one, unless rows that waited tell that the run
   * learns noise (see `evalFraction`). Gives one entry an epoch. The arrays are read as by `fit`. Errors: as `fitBatch`; the signal's reason where aborted.
   */
  finetune(X: Matrix, y: Y, given: FinetuneOptions<Y> = {}): Promise<readonly Progress[]> {
    return this.inTurn('finetune', async () => {
      const options = checkCall('finetune', given);
      options.signal?.throwIfAborted();
      this.checkGradients('finetune');
      const raw = this.checkBatch(X, y, options, 'finetune');
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

  /** What the options of a finetune ask for; its scaled rows try learning rates where it is to find one. */
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

  /** Sweeps the learning rate on copies of the model, which stays as it is. The arrays are read as by `fit`. Errors: as `fitBatch`. */
  findLearningRate(
    X: Matrix,
    y: Y,
    options: RowOptions & Pick<FitOptions<Y>, 'onProgress' | 'signal'> = {},
  ): Promise<LearningRateCurve> {
    return this.inUse('findLearningRate', async () => {
      checkCall('findLearningRate', options);
      this.checkGradients('findLearningRate');
      const raw = this.checkBatch(X, y, options, 'findLearningRate');
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

  /** Loss of a batch and its derivatives by the trained arrays, in the model's own units; moves nothing. Errors: as `fitBatch`. */
  lossAndGradients(
    X: Matrix,
    y: Y,
    options: RowOptions = {},
  ): Promise<{ loss: number; gradients: Record<string, ResultArray> }> {
    return this.inUse('lossAndGradients', async () => {
      checkCall('lossAndGradients', options);
      this.checkGradients('lossAndGradients');
      const state = trainable(this.fitted('lossAndGradients'));
      const known = { ...state, grows: false };
      const [rows, targets, given] = ownCopy([X, y, options] as const);
      const raw = this.checkBatch(rows, targets, given, 'lossAndGradients', known);
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

  /** Rows to train on and rows to evaluate on: the caller's, or a drawn share. Errors: OptionError, as `fitBatch`. */
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
    const { batch } = this.checkBatch(X, y as Y, rest, `${call}: evalSet`, known);
    return givenSplit(raw.batch, batch, raw.shown, call);
  }
}
