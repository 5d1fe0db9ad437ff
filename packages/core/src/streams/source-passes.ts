// Passes over a source: initialisation on its first rows, then the training rows of every pass, batch by batch.

import { DataError, OptionError } from '../errors.js';
import type { PassRun } from '../fitting/passes.js';
import type { Batch } from '../state/batch.js';
import { type AnySource, batchesFrom, checkSource, type Numbered } from '../state/source.js';
import type { ModelState } from '../state/state.js';
import { type Context, scaleBatch } from '../training/context.js';
import { breathe, type RunControl } from '../training/progress.js';
import type { Held } from './held.js';
import { type Closable, type Learner, open, startRows } from './learner.js';

export interface SourceFit<R> extends RunControl, PassRun {
  readonly batchSize: number;
  /** Chooses the evaluation rows, given the first rows. Errors: OptionError, ShapeError, DataError. */
  readonly held: (first: R) => Held;
}

/** The model before this call, or initialised on the first rows. */
interface Begun {
  readonly context: Context;
  readonly state: ModelState;
  /** Evaluation rows, in the caller's units and in the model's space. */
  readonly held: Held;
  readonly evaluation: Batch | undefined;
}

export class SourcePasses<R extends { readonly batch: Batch }> {
  readonly begun: Begun;
  private readonly learner: Learner<R>;
  private readonly source: AnySource;
  private readonly signal: AbortSignal | undefined;
  /** The iteration whose first rows were read; it serves the first pass. */
  private opened: Closable<Numbered> | undefined;
  private count: number | undefined;

  private constructor(
    learner: Learner<R>,
    source: AnySource,
    signal: AbortSignal | undefined,
    opened: Closable<Numbered>,
    begun: Begun,
  ) {
    this.learner = learner;
    this.source = source;
    this.signal = signal;
    this.opened = opened;
    this.begun = begun;
  }

  /** Reads the first rows. Errors: those of the source and of its rows; DataError if there are none. */
  static async open<R extends { readonly batch: Batch }>(
    learner: Learner<R>,
    before: ModelState | null,
    source: AnySource,
    run: SourceFit<R>,
  ): Promise<SourcePasses<R>> {
    const { call } = learner;
    checkSource(source, call);
    const opened = await open(source, Math.max(startRows, run.batchSize), call, run.signal);
    if (!opened) throw new DataError(`${call}: the source gave no rows; pass one with a batch at least.`);
    try {
      const first = learner.check(opened.first, before, `${call}, the first batches`);
      const held = run.held(first);
      const { context, state } = await learner.ready(before, { ...first, batch: held.training }, run.signal);
      const evaluation = held.evaluation && (await scaleBatch(context, state, held.evaluation));
      return new SourcePasses(learner, source, run.signal, opened.all, { context, state, held, evaluation });
    } catch (error) {
      await opened.all.return();
      throw error;
    }
  }

  /**
   * The training rows of one pass, checked against the current state, with the number of their first row. Errors: those of rows;
   * OptionError if this iteration gave a different number of rows than the first.
   */
  async *pass(state: () => ModelState): AsyncGenerator<{ readonly rows: R; readonly begin: number }> {
    const { learner, signal } = this;
    const { call } = learner;
    const batches = this.opened ?? batchesFrom(this.source, 0, call, signal);
    this.opened = undefined;
    let count = 0;
    for await (const { number, rows } of batches) {
      await breathe(signal);
      const checked = learner.check(rows, state(), `${call}, batch ${number}`);
      const begin = count;
      count += checked.batch.x.rows;
      const training = this.begun.held.without(checked.batch, begin);
      if (training) yield { rows: { ...checked, batch: training }, begin };
    }
    this.count ??= count;
    checkAgain(this.count, count, call);
  }

  /** Rows in an iteration, including evaluation rows; 0 before the first has ended. */
  get rows(): number {
    return this.count ?? 0;
  }

  /** Closes the iteration that no pass has used. */
  async close(): Promise<void> {
    await this.opened?.return();
  }
}

/** Errors: OptionError if an iteration gave a different number of rows than the first. */
export function checkAgain(first: number, again: number, call: string): void {
  if (again === first) return;
  throw new OptionError(
    `${call}: the source gave ${again} rows where an iteration before gave ${first}; pass one that gives the same rows every time, as a function that opens its input anew does.`,
    { option: 'source', rows: again, expected: first },
  );
}
