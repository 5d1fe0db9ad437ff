// Estimators over sources: calls on batches that are never all in memory, besides those on arrays.

import { ownCopy } from '../data/own-copy.js';
import { readable, Table } from '../data/table.js';
import { DataError, OptionError } from '../errors.js';
import { freeToWait, stoppingShare } from '../fitting/early-stopping.js';
import type { FitResult } from '../fitting/passes.js';
import { Random } from '../random.js';
import type { Batch } from '../state/batch.js';
import type { AnyEncoding } from '../state/encoding.js';
import {
  type AnySource,
  batchesFrom,
  checkSameEncoding,
  checkSource,
  type GivenBatch,
  isSource,
  overSource,
  type SourceRows,
} from '../state/source.js';
import type { ModelState } from '../state/state.js';
import type { TableEncoding } from '../state/table-encoding.js';
import { finetuneSource } from '../streams/finetune-source.js';
import { fitSource } from '../streams/fit-source.js';
import { fitStream, type StreamOptions, type StreamResult } from '../streams/fit-stream.js';
import { Held } from '../streams/held.js';
import { type Learner, open, startRows } from '../streams/learner.js';
import { checkAgain } from '../streams/source-passes.js';
import { breathe, type Progress, type RunControl } from '../training/progress.js';
import { checkCall, type FinetuneOptions, type FitOptions, type Named, type RowOptions } from './calls.js';
import type { RowsIn } from './learned.js';
import { fitRows, PrototypeModel } from './model.js';
import { type TableUse, withoutTarget } from './tabular.js';
import type { Raw } from './targets.js';

/** Options of `fit` over a source, which provides weights and masks, and whose order is kept. */
export type SourceFitOptions<Y> = Omit<FitOptions<Y>, keyof RowOptions | 'shuffle'>;
/** Options of `finetune` over a source. */
export type SourceFinetuneOptions<Y> = Omit<FinetuneOptions<Y>, keyof RowOptions>;

/** Options of calls that read a source, which provides targets, weights and masks. */
export type SourceReadOptions = Pick<RunControl, 'signal'>;
/** Options of `score` over a source. */
export type SourceScoreOptions = SourceReadOptions;

/**
 * The arguments after X: `S` for a source, `M` for a matrix. Overloads would report errors of the wrong overload: a call without y
 * was told that its matrix is not a source.
 */
export type After<
  X extends RowsIn | AnySource,
  S extends readonly unknown[],
  M extends readonly unknown[],
> = X extends AnySource ? S : M;

/** A score over rows that come in parts. */
export interface Tally<Y> {
  /** Adds rows; returns their number. Errors: as `predict`; ShapeError, DataError of targets. */
  add(X: RowsIn, y: Y, options: RowOptions, place: string): Promise<number>;
  value(): number;
}

/** Base of the estimators. Y is what a user hands in as targets. */
export abstract class SourceModel<Y> extends PrototypeModel<Y> {
  /**
   * Learns a source batch by batch, with one step for each as in `fitBatch`: phase 1, or with `gradientStep` Adam at
   * `learningRate`. The source may be endless, or iterated several times. One batch is in memory at a time. A model without
   * prototypes is first initialised on the first `startRows` rows, which are then learned one batch at a time. Between passes of
   * phase 1, idle prototypes are pruned by `minWeight`, and earlier passes of a clusterer count a tenth.
   *
   * With a `checkpoint`, the model and its position in the stream are written to one file every `everyBatches` batches, at the end,
   * and when the call fails or is aborted. If the file exists already, the run continues from the batch after its last, to the same
   * bits as an uninterrupted run. This needs a source that gives the same batches again; digests in the file check it. A finished
   * run in the file ends the call at once. Unlike other calls, a failed one keeps what completed batches taught.
   *
   * Errors: those of the source; ShapeError, DataError of a batch; OptionError, also for the file of another run; FormatError for a
   * damaged file; BackendError on runtimes without files; the signal's reason.
   */
  fitStream(source: AnySource, given: StreamOptions = {}): Promise<StreamResult> {
    return this.inTurn('fitStream', async () => {
      const options = checkCall('fitStream', given);
      if (options.checkpoint) checkCall('checkpoint', options.checkpoint, 'fitStream: checkpoint');
      if (options.gradientStep) this.checkGradients('fitStream');
      return fitStream(
        {
          ...this.learner('fitStream', source, 'update'),
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
   * `fit` over a source: initialisation on the first 10,240 rows (or the first batch, if it has more), then passes in the source's
   * order, as `fit` with `shuffle: false`. One batch is in memory at a time. `evalFraction` is a share of the first rows. The model
   * is replaced only if all succeeds. Errors: as `fit`, those of the source.
   */
  override fit<X extends RowsIn | AnySource>(
    X: X,
    ...rest: After<X, [options?: SourceFitOptions<Y>], [y: Named<Y>, options?: FitOptions<Y>]>
  ): Promise<FitResult> {
    const [y, options] = rest as [Y | SourceFitOptions<Y>, FitOptions<Y>?];
    if (!isSource(X)) return super.fit(X, y as Y, options);
    return this.fitSourceBy(fitSource, X, (y ?? {}) as SourceFitOptions<Y>);
  }

  /** `fit` over a source with the given kind of passes; `more` are names of further options. */
  protected fitSourceBy(
    passes: typeof fitSource<Raw>,
    source: AnySource,
    options: SourceFitOptions<Y>,
    more: readonly string[] = [],
  ): Promise<FitResult> {
    return this.inTurn('fit', async () => {
      checkCall('fitSource', options, 'fit of a source', more);
      const { maxIters = 10, tol, onProgress, signal } = options;
      signal?.throwIfAborted();
      const frozen = this.state?.arrays.frozen?.data.some((f) => f === 1);
      const before = frozen ? this.state : this.given('fit');
      // A grid that is frozen keeps the encoding that it was learned with.
      const settled = before ? before.encoding : await this.settledEncoding(source, 'fit', signal);
      const learner = this.learner('fit', source, 'train', settled);
      const { state, result, evaluation } = await passes(learner, before, source, {
        maxIters,
        tol,
        batchSize: this.options.batchSize ?? fitRows,
        warnings: this.warnings(before, settled),
        onProgress,
        signal,
        held: (first) => this.held(first, options, 0, this.options.randomState, 'fit'),
      });
      await this.keep(state, 'fit', evaluation);
      return result;
    });
  }

  /**
   * `finetune` over a source: an epoch is one iteration, whose minibatches are drawn from a pool of 10,240 rows. Evaluation and
   * waiting rows are drawn from the first 10,240 rows; weights are relative to the mean of those; and all classes have to be known
   * or occur among them. A source without `rowCount` is first counted by one more iteration. Errors: as `finetune`, those of the
   * source.
   */
  override finetune<X extends RowsIn | AnySource>(
    X: X,
    ...rest: After<X, [options?: SourceFinetuneOptions<Y>], [y: Named<Y>, options?: FinetuneOptions<Y>]>
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
        this.learner(
          'finetune',
          X,
          'train',
          this.state?.encoding ?? (await this.settledEncoding(X, 'finetune', given.signal)),
        ),
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

  /** The tally of this estimator's score. */
  protected abstract tally(options: object): Tally<Y>;

  /** `score` of arrays; `more` are names of further options. Errors: as `predict`; DataError. */
  protected scoreRows(
    X: RowsIn,
    y: Named<Y>,
    options: RowOptions = {},
    more: readonly string[] = [],
  ): Promise<number> {
    const call = 'score';
    const taken = readable(X, call);
    return this.inUse(call, async () => {
      checkCall(call, options, call, more);
      const tally = this.tally(options);
      const given = taken instanceof Table ? withoutTarget(taken, y, undefined, call) : undefined;
      const [features, truth] = given ? [given.features, given.y as Y] : [taken, y as Y];
      const rows = await tally.add(features, ownCopy(truth), ownCopy(options), call);
      if (rows > 0) return tally.value();
      throw new DataError(`${call}: X has no rows; pass at least one.`, { argument: 'X', rows });
    });
  }

  /**
   * `score` over all rows of a source, with one batch in memory at a time; `rows` is the expected number of rows. Errors: as
   * `scoreRows`, those of the source; OptionError if the number differs.
   */
  protected async scoreSource(
    source: AnySource,
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
   * The answers of a call for each batch of a source, which must be encoded like the training rows; `more` are names of further
   * options. Errors: OptionError; the signal's reason.
   */
  protected async *overSource<R>(
    source: AnySource,
    call: string,
    options: SourceReadOptions,
    answer: (X: SourceRows, options: Pick<GivenBatch, 'featureMask'>) => Promise<R>,
    more: readonly string[] = [],
  ): AsyncGenerator<R, void, void> {
    checkCall('readSource', options, `${call} of a source`, more);
    checkSameEncoding(this.fitted(call).encoding, source, call);
    yield* overSource(source, call, options.signal, (X, rest) => this.inUse(call, () => answer(X, rest)));
  }

  /**
   * The encoding of a source of tables, by one iteration over all its rows: kinds by the first ones, target statistics by all.
   * Undefined where it does not say that it gives tables. Errors: those of the source; DataError, OptionError.
   */
  private async settledEncoding(
    source: AnySource,
    call: string,
    signal: AbortSignal | undefined,
  ): Promise<TableEncoding | undefined> {
    checkSource(source, call);
    if (!source.tables) return undefined;
    const opened = await open(source, startRows, call, signal);
    if (!opened) return undefined;
    const { first, all } = opened;
    try {
      if (!(first.X instanceof Table)) return undefined;
      const { X, y, ...rest } = first;
      const { classes: own, ...start } = this.checkBatch(X, y as Y, rest, call, 'fit', null, null);
      let encoding = start.encoding as TableEncoding;
      let classes = own;
      let skipped = X.rows;
      const unit = start.unit ?? null;
      for await (const { number, rows } of all) {
        await breathe(signal);
        const { X, y, ...rest } = rows;
        if (!(X instanceof Table)) continue;
        // The first rows are counted.
        if (skipped > 0) {
          skipped -= X.rows;
          continue;
        }
        const known = { ...start, classes, grows: true };
        const place = `${call}, batch ${number}`;
        const more = this.checkBatch(X, y as Y, rest, place, 'add', known, { encoding, unit });
        encoding = more.encoding as TableEncoding;
        classes = more.classes;
      }
      return encoding;
    } finally {
      await all.return();
    }
  }

  private learner(
    call: string,
    source: AnySource,
    use: TableUse,
    settled: AnyEncoding | undefined = undefined,
  ): Learner<Raw> {
    const { family, options } = this;
    return {
      call,
      family,
      options,
      check: ({ X, y, ...rest }, state, place, closed = false) => {
        checkSameEncoding(state?.encoding, source, call);
        const known = state && this.complete(state) ? { ...state, grows: !closed } : null;
        // The statistics hold the rows of a source whose encoding was settled before.
        const model = state ?? (settled ? { encoding: settled, unit: null } : null);
        return this.checkBatch(X, y as Y, rest, place, use, known, model);
      },
      ready: async (before, rows, signal) => {
        const ready = await this.ready(before, rows, call, signal);
        const { encoding = ready.state.encoding } = source;
        return { ...ready, state: { ...ready.state, encoding } };
      },
      complete: (state: ModelState) => this.complete(state),
    };
  }

  /** Evaluation rows by the options of a call. Errors: OptionError, as `fitBatch`. */
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
