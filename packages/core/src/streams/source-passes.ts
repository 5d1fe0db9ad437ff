// Passes over a source: the start that looks at its first rows, and the rows of every pass that train, a batch at a time.

import { DataError, OptionError } from '../errors.js';
import type { PassRun } from '../fitting/passes.js';
import type { Batch } from '../state/batch.js';
import { batchesFrom, checkSource, type Numbered, type Source } from '../state/source.js';
import type { ModelState } from '../state/state.js';
import { type Context, scaleBatch } from '../training/context.js';
import { breathe, type RunControl } from '../training/progress.js';
import type { Held } from './held.js';
import { type Closable, type Learner, open, startRows } from './learner.js';

export interface SourceFit<R> extends RunControl, PassRun {
  readonly batchSize: number;
  /** What evaluates, given the first rows. Errors: OptionError, ShapeError, DataError. */
  readonly held: (first: R) => Held;
}

/** Learned so far, or begun from the first rows. */
interface Begun {
  readonly context: Context;
  readonly state: ModelState;
  /** Rows that evaluate, in the caller's units and in the model's. */
  readonly held: Held;
  readonly evaluation: Batch | undefined;
}

export class SourcePasses<R extends { readonly batch: Batch }> {
  readonly begun: Begun;
  private readonly learner: Learner<R>;
  private readonly source: Source;
  private readonly signal: AbortSignal | undefined;
  /** The iteration whose first rows were looked at: it serves the first pass. */
  private opened: Closable<Numbered> | undefined;
  private count: number | undefined;

  private constructor(
    learner: Learner<R>,
    source: Source,
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

  /** Looks at the first rows. Errors: those of the source and of its rows, DataError where there are none. */
  static async open<R extends { readonly batch: Batch }>(
    learner: Learner<R>,
    before: ModelState | null,
    source: Source,
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
   * The rows of one pass that train, checked against the state as it is by then, with the number of their first one.
   * Errors: those of rows; OptionError where this iteration of the source gave other rows than the first.
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

  /** Rows of an iteration, those that evaluate among them; 0 before the first. */
  get rows(): number {
    return this.count ?? 0;
  }

  /** Closes the iteration that no pass has taken up. */
  async close(): Promise<void> {
    await this.opened?.return();
  }
}

/** Errors: OptionError where an iteration gave other rows than the first. */
export function checkAgain(first: number, again: number, call: string): void {
  if (again === first) return;
  throw new OptionError(
    `${call}: the source gave ${again} rows where an iteration before gave ${first}; pass one that gives the same rows every time, as a function that opens its input anew does.`,
    { option: 'source', rows: again, expected: first },
  );
}
