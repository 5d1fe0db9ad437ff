// What the loops over sources ask of the model that they teach, and the start they share.

import type { HeadFamily } from '../heads/head.js';
import type { Batch } from '../state/batch.js';
import type { Resolved } from '../state/options.js';
import { batchesFrom, type Numbered, type Source, type SourceBatch } from '../state/source.js';
import type { ModelState } from '../state/state.js';
import type { Context } from '../training/context.js';
import { breathe } from '../training/progress.js';
import { joinBatches } from './join.js';

/** Rows that the start looks at, unless a batch has more. */
export const startRows = 10240;

/** A model in a training call; R are rows that were checked. */
export interface Learner<R extends { readonly batch: Batch }> {
  readonly call: string;
  readonly family: HeadFamily;
  readonly options: Resolved;
  /** Checked rows; classes that are new to the state may come unless it is said to be closed. Errors: ShapeError, DataError. */
  check(rows: SourceBatch, state: ModelState | null, place: string, closed?: boolean): R;
  /** A state with room for the rows, begun from them where it is null or lacks targets, and what gives the rows in its space. */
  ready(
    state: ModelState | null,
    rows: R,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly context: Context; readonly state: ModelState; readonly batch: () => Promise<Batch> }>;
  /** The state knows all that rows are judged by: nothing of it waits for the first ones. */
  complete(state: ModelState): boolean;
}

/** An iteration that closes what it reads from although nobody has asked it for anything yet: a generator does not. */
export interface Closable<T> extends AsyncIterableIterator<T> {
  return(): Promise<IteratorResult<T>>;
}

/** The first batches of a source, and all its rows from them on. */
export interface Opened {
  readonly first: SourceBatch;
  readonly all: Closable<Numbered>;
}

/** Reads batches until they have `least` rows, which the iteration then gives again; null where there are no rows. */
export async function open(
  source: Source,
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
      rows += value.rows.X.shape[0];
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

/** Batches that have been read, taken out one by one: what has been learned need not be held. Then those of the rest. */
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
