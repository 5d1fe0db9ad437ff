// The interface between the loops over sources and the model that they train, and the start that they share.

import type { HeadFamily } from '../heads/head.js';
import type { Batch } from '../state/batch.js';
import type { Resolved } from '../state/options.js';
import { type AnySource, batchesFrom, type GivenBatch, type Numbered, rowsOf } from '../state/source.js';
import type { ModelState } from '../state/state.js';
import type { Context } from '../training/context.js';
import { breathe } from '../training/progress.js';
import { joinBatches } from './join.js';

/** Number of rows that initialisation uses; more if the first batch has more. */
export const startRows = 10240;

/** A model in a training call; R are checked rows. */
export interface Learner<R extends { readonly batch: Batch }> {
  readonly call: string;
  readonly family: HeadFamily;
  readonly options: Resolved;
  /** Checks rows. They may bring classes that are new to the state, unless `closed`. Errors: ShapeError, DataError. */
  check(rows: GivenBatch, state: ModelState | null, place: string, closed?: boolean): R;
  /**
   * A state with room for the classes of these rows, initialised on them if it is null or has no targets; and a function that
   * returns the rows in the model's space.
   */
  ready(
    state: ModelState | null,
    rows: R,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly context: Context; readonly state: ModelState; readonly batch: () => Promise<Batch> }>;
  /** Whether the state is complete: nothing in it waits for the first rows. */
  complete(state: ModelState): boolean;
}

/** An iteration that closes its input even if no item was requested yet; a generator does not do that. */
export interface Closable<T> extends AsyncIterableIterator<T> {
  return(): Promise<IteratorResult<T>>;
}

/** The first batches of a source, and an iteration over all its rows. */
export interface Opened {
  readonly first: GivenBatch;
  readonly all: Closable<Numbered>;
}

/** Reads batches until they have `least` rows. The iteration yields these again, then the rest. Null if there are no rows. */
export async function open(
  source: AnySource,
  least: number,
  call: string,
  signal: AbortSignal | undefined,
): Promise<Opened | null> {
  const rest = batchesFrom(source, 0, call, signal);
  const begun: Numbered[] = [];
  let rows = 0;
  try {
    while (rows < least) {
      await breathe(signal);
      const { value, done } = await rest.next();
      if (done) break;
      begun.push(value);
      rows += rowsOf(value.rows);
    }
    if (begun.length === 0) return null;
    const first = joinBatches(
      begun.map((one) => one.rows),
      call,
    );
    return { first, all: chained(begun, rest) };
  } catch (error) {
    await rest.return(undefined);
    throw error;
  }
}

/** Yields the batches that were read, dropping each as it goes, then the rest. */
function chained(begun: Numbered[], rest: AsyncGenerator<Numbered>): Closable<Numbered> {
  return {
    async next() {
      const value = begun.shift();
      return value ? { done: false, value } : rest.next();
    },
    async return() {
      begun.length = 0;
      return rest.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
