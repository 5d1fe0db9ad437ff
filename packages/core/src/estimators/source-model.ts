// Estimators that take sources: the calls over batches that are not all held, beside those over arrays.

import type { Matrix } from '../data/matrix.js';
import { ownCopy } from '../data/own-copy.js';
import { DataError, OptionError } from '../errors.js';
import { freeToWait, stoppingShare } from '../fitting/early-stopping.js';
import type { FitResult } from '../fitting/passes.js';
import { Random } from '../random.js';
import type { Batch } from '../state/batch.js';
import {
  batchesFrom,
  checkSameEncoding,
  type FlatMatrix,
  isSource,
  overSource,
  type Source,
  type SourceBatch,
} from '../state/source.js';
import type { ModelState } from '../state/state.js';
import { finetuneSource } from '../streams/finetune-source.js';
import { fitSource } from '../streams/fit-source.js';
import { fitStream, type StreamOptions, type StreamResult } from '../streams/fit-stream.js';
import { Held } from '../streams/held.js';
import type { Learner } from '../streams/learner.js';
import { checkAgain } from '../streams/source-passes.js';
import { breathe, type Progress, type RunControl } from '../training/progress.js';
import { checkCall, type FinetuneOptions, type FitOptions, type RowOptions } from './calls.js';
import { fitRows, PrototypeModel } from './model.js';
import type { Raw } from './targets.js';

/** Options of `fit` over a source, which brings weights and masks, and whose order is kept. */
export type SourceFitOptions<Y> = Omit<FitOptions<Y>, keyof RowOptions | 'shuffle'>;
/** Options of `finetune` over a source. */
export type SourceFinetuneOptions<Y> = Omit<FinetuneOptions<Y>, keyof RowOptions>;

/** Options of calls that read a source, which brings targets, weights and masks. */
export type SourceReadOptions = Pick<RunControl, 'signal'>;
/** Options of `score` over a source. */
export type SourceScoreOptions = SourceReadOptions;

/**
 * What follows X in a call: `S` where X is a source, `M` where it is a matrix. Overloads would do the same, but an error of one
 * speaks of the other: a call without y was told that its matrix is no source.
 */
export type After<
  X extends Matrix | Source,
  S extends readonly unknown[],
  M extends readonly unknown[],
> = X extends Source ? S : M;

/** A score of rows that come in parts. */
export interface Tally<Y> {
  /** How many rows there were. Errors: as `predict`; ShapeError, DataError of targets. */
  add(X: Matrix, y: Y, options: RowOptions, place: string): Promise<number>;
  value(): number;
}

/** Base of the estimators. Y is what a user hands in as targets. */
export abstract class SourceModel<Y> extends PrototypeModel<Y> {
  /**
   * Learns a source batch by batch, one step each, as `fitBatch` does: phase 1, or with `gradientStep` Adam at `learningRate`.
   * Endless sources and many passes; one batch is held, and at the start those of the first `startRows` rows, which a model
   * without prototypes begins from before it learns them one by one. Between passes of phase 1, idle prototypes go by
   * `minWeight`, and clusters of earlier passes count a tenth.
   *
   * With a `checkpoint`, the model and its place in the stream are written to one file every `everyBatches` batches, at the end
   * and when the call fails or is aborted; a file that is there already is gone on from, at the batch after its last, to the
   * bits of a run that never stopped, so long as the source gives the same batches again, which digests in the file check; one of a
   * run that is over ends the call at once. Unlike other calls, one that fails keeps what whole batches taught.
   *
   * Errors: those of the source; ShapeError, DataError of a batch; OptionError, also for the file of another run; FormatError
   * for a damaged file; BackendError where there are no files; the signal's reason.
   */
  fitStream(source: Source, given: StreamOptions = {}): Promise<StreamResult> {
    return this.inTurn('fitStream', async () => {
      const options = checkCall('fitStream', given);
      if (options.checkpoint) checkCall('checkpoint', options.checkpoint, 'fitStream: checkpoint');
      if (options.gradientStep) this.checkGradients('fitStream');
      return fitStream(
        {
          ...this.learner('fitStream', source),
          state: () => this.state,
          keep: (state) => this.keep(state, 'fitStream'),
          replace: (state) => {
            this.state = state;
          },
        },
        source,
        options,
      );
    });
  }

  /**
   * `fit` over a source: from the start, which looks at the first 10,240 rows or the first batch where that has more; then
   * passes in the source's order, as `fit` with `shuffle: false`, of which one batch is held at a time. `evalFraction` is a
   * share of the first rows. The model is replaced when all has succeeded. Errors: as `fit`, those of the source.
   */
  override fit<X extends Matrix | Source>(
    X: X,
    ...rest: After<X, [options?: SourceFitOptions<Y>], [y: Y, options?: FitOptions<Y>]>
  ): Promise<FitResult> {
    const [y, options] = rest as [Y | SourceFitOptions<Y>, FitOptions<Y>?];
    if (!isSource(X)) return super.fit(X, y as Y, options);
    return this.fitSourceBy(fitSource, X, (y ?? {}) as SourceFitOptions<Y>);
  }

  /** `fit` over a source by passes of some kind; `more` are names of options besides. */
  protected fitSourceBy(
    passes: typeof fitSource<Raw>,
    source: Source,
    options: SourceFitOptions<Y>,
    more: readonly string[] = [],
  ): Promise<FitResult> {
    return this.inTurn('fit', async () => {
      checkCall('fitSource', options, 'fit of a source', more);
      const { maxIters = 10, tol, onProgress, signal } = options;
      signal?.throwIfAborted();
      const frozen = this.state?.arrays.frozen?.data.some((f) => f === 1);
      const before = frozen ? this.state : this.given('fit');
      const { state, result, evaluation } = await passes(this.learner('fit', source), before, source, {
        maxIters,
        tol,
        batchSize: this.options.batchSize ?? fitRows,
        warnings: this.warnings(before),
        onProgress,
        signal,
        held: (first) => this.held(first, options, 0, this.options.randomState, 'fit'),
      });
      await this.keep(state, 'fit', evaluation);
      return result;
    });
  }

  /**
   * `finetune` over a source: an epoch is one iteration, whose minibatches are drawn from a pool of 10,240 rows. Rows that
   * evaluate or wait are drawn from the first 10,240, weights are taken relative to the mean of those rows, and all classes have to be
   * known or come among them. A source without `rowCount` is counted first, by one more iteration. Errors: as `finetune`, those
   * of the source.
   */
  override finetune<X extends Matrix | Source>(
    X: X,
    ...rest: After<X, [options?: SourceFinetuneOptions<Y>], [y: Y, options?: FinetuneOptions<Y>]>
  ): Promise<readonly Progress[]> {
    const [y, options] = rest as [Y | SourceFinetuneOptions<Y>, FinetuneOptions<Y>?];
    if (!isSource(X)) return super.finetune(X, y as Y, options);
    return this.inTurn('finetune', async () => {
      const given = checkCall(
        'finetuneSource',
        (y ?? {}) as SourceFinetuneOptions<Y>,
        'finetune of a source',
      );
      given.signal?.throwIfAborted();
      this.checkGradients('finetune');
      const { state, history, evaluation, judges } = await finetuneSource(
        this.learner('finetune', X),
        this.state,
        X,
        {
          signal: given.signal,
          earlyStoppingRounds: given.earlyStoppingRounds,
          held: (first) =>
            this.held(first, given, stoppingShare(given), this.options.randomState + 1, 'finetune'),
          waiting: freeToWait(given) ? new Random(this.options.randomState + 1) : undefined,
          run: (...ready) => this.finetuneRun(given, ...ready),
        },
      );
      await this.keep(state, 'finetune', evaluation, judges);
      return history;
    });
  }

  /** Adds up what rows say of a score. */
  protected abstract tally(options: object): Tally<Y>;

  /** `score` of arrays; `more` are names of options besides. Errors: as `predict`; DataError. */
  protected scoreRows(
    X: Matrix,
    y: Y,
    options: RowOptions = {},
    more: readonly string[] = [],
  ): Promise<number> {
    const call = 'score';
    return this.inUse(call, async () => {
      checkCall(call, options, call, more);
      const tally = this.tally(options);
      const rows = await tally.add(X, ownCopy(y), ownCopy(options), call);
      if (rows > 0) return tally.value();
      throw new DataError(`${call}: X has no rows; pass at least one.`, { argument: 'X', rows });
    });
  }

  /**
   * `score` of all rows of a source, of which one batch is held at a time; `rows` is how many there were before.
   * Errors: as `scoreRows`, those of the source; OptionError where there are others by now.
   */
  protected async scoreSource(
    source: Source,
    options: SourceScoreOptions = {},
    more: readonly string[] = [],
    rows?: number,
  ): Promise<number> {
    const call = 'score';
    checkCall('readSource', options, 'score of a source', more);
    const { signal } = options;
    signal?.throwIfAborted();
    const tally = this.tally(options);
    checkSameEncoding(this.fitted(call).encoding, source, call);
    let seen = 0;
    for await (const { number, rows: batch } of batchesFrom(source, 0, call, signal)) {
      await breathe(signal);
      const { X, y, ...rest } = batch;
      if (y === undefined && this.family.supervised) {
        throw new OptionError(`${call}: the source gives no y; open it with its target.`, {
          option: 'source',
        });
      }
      seen += await tally.add(X, y as Y, rest, `${call}, batch ${number}`);
    }
    if (rows !== undefined) checkAgain(rows, seen, call);
    if (seen > 0) return tally.value();
    throw new DataError(`${call}: the source gave no rows; pass one with a batch at least.`, { rows: seen });
  }

  /**
   * What a call answers about every batch of a source, whose rows were encoded as those that taught; `more` are names of options
   * besides. Errors: OptionError; the signal's reason.
   */
  protected async *overSource<R>(
    source: Source,
    call: string,
    options: SourceReadOptions,
    answer: (X: FlatMatrix, options: Pick<SourceBatch, 'featureMask'>) => Promise<R>,
    more: readonly string[] = [],
  ): AsyncGenerator<R, void, void> {
    checkCall('readSource', options, `${call} of a source`, more);
    checkSameEncoding(this.fitted(call).encoding, source, call);
    yield* overSource(source, call, options.signal, (X, rest) => this.inUse(call, () => answer(X, rest)));
  }

  private learner(call: string, source: Source): Learner<Raw> {
    const { family, options } = this;
    return {
      call,
      family,
      options,
      check: ({ X, y, ...rest }, state, place, closed = false) => {
        checkSameEncoding(state?.encoding, source, call);
        const known = state && this.complete(state) ? { ...state, grows: !closed } : null;
        return this.checkBatch(X, y as Y, rest, place, known);
      },
      ready: async (before, rows, signal) => {
        const ready = await this.ready(before, rows, call, signal);
        const { encoding = ready.state.encoding } = source;
        return { ...ready, state: { ...ready.state, encoding } };
      },
      complete: (state: ModelState) => this.complete(state),
    };
  }

  /** Rows that evaluate, by the options of a call. Errors: OptionError, as `fitBatch`. */
  private held(
    first: Raw,
    { evalSet, evalFraction }: SourceFitOptions<Y>,
    share: number,
    seed: number,
    call: string,
  ): Held {
    if (!evalSet)
      return Held.drawn(first.batch, evalFraction ?? share, evalFraction ? 1 : 0, new Random(seed));
    const { evaluation } = this.split(first, { evalSet, evalFraction }, 0, new Random(seed), call);
    return Held.none(first.batch, evaluation as Batch);
  }
}
