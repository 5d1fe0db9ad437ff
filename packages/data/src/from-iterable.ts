// Rows from a program: objects keyed by column, or complete batches.

import { interruptible, type Source, type SourceBatch } from '@fkm/core';
import { checkOptions, integer } from '@fkm/core/internal';
import { optionError, scope } from './errors.js';
import { endWith } from './iterations.js';
import { checkedOptions, names, type SourceOptions } from './options.js';
import { chunkOf, kindOf, rowsOfKinds } from './rows-table.js';
import type { Chunk, Read, Table, Wanted } from './table.js';
import { sourceOf, type TableSource } from './table-source.js';

type Row = Readonly<Record<string, unknown>>;
type Items<T> = Iterable<T> | AsyncIterable<T>;

/** Rows as objects. An array can be iterated any number of times; a function returns them anew for every iteration. */
export type Records = Items<Row> | (() => Items<Row>);

/** Batches, or a function that returns them anew for every iteration. */
export type Batches = Items<SourceBatch> | (() => Items<SourceBatch>);

const rowsOfChunk = 1024;

/** Opens the input again, if it allows that. Errors: OptionError for a generator that was used. */
function reopened<T>(input: Items<T> | (() => Items<T>), call: string): () => Items<T> {
  const iterable = (value: unknown): value is Items<T> =>
    typeof value === 'object' &&
    value !== null &&
    (Symbol.iterator in value || Symbol.asyncIterator in value);
  if (typeof input === 'function') return input;
  if (!iterable(input)) {
    throw optionError(
      `${call}: the rows should be an iterable, or a function that gives one, got ${typeof input}.`,
      {
        option: 'rows',
      },
    );
  }
  let used = false;
  const iterator = Symbol.asyncIterator in input ? input[Symbol.asyncIterator]() : input[Symbol.iterator]();
  const once = (iterator as unknown) === input;
  return () => {
    if (used && once) {
      throw optionError(`${call}: these rows can be iterated once; pass a function that gives them anew.`, {
        option: 'rows',
      });
    }
    used = true;
    return input;
  };
}

/**
 * Rows from objects { column: number | string | boolean | null }. The first 1,000 rows determine the columns and their kinds.
 * Errors: OptionError for options that do not fit; DataError while reading.
 */
export async function fromIterable(rows: Records, options: SourceOptions = {}): Promise<TableSource> {
  const call = 'fromIterable';
  const given = checkedOptions(options, call);
  const open = reopened(rows, call);
  const { signal } = given;
  // The rows read for this are yielded again, so that a generator can serve one iteration.
  const begun = open();
  const single = typeof rows !== 'function' && (begun as unknown) === iteratorOf(begun);
  const all = blocksOf(begun, signal);
  const { value: first = [] } = await all.next();
  if (!single) await all.return();
  const looked = first.slice(0, rowsOfKinds);
  const names = [...new Set(looked.flatMap((row) => Object.keys(row)))];
  let fresh = single;
  const table: Table = {
    name: call,
    fields: names.map((name) => ({ name, ...kindOf(looked.map((row) => row[name])) })),
    rowCount: Array.isArray(rows) ? rows.length : undefined,
    ordered: !single,
    async read(wanted, { signal }): Promise<Read> {
      if (single && !fresh) open();
      fresh = false;
      if (single) endWith(all, signal);
      const blocks = single ? resumed(first, all) : blocksOf(open(), signal);
      return { skipped: 0, chunks: chunksOf(blocks, wanted, call) };
    },
    close: async () => {
      if (single) await all.return();
    },
  };
  return sourceOf(table, given);
}

const iteratorOf = <T>(items: Items<T>): Iterator<T> | AsyncIterator<T> =>
  Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();

type Blocks<T> = AsyncGenerator<readonly T[], void, void>;

/** Blocks of items. The signal and `return` end a pending wait at once, whatever the items do. */
function blocksOf<T>(items: Items<T>, signal?: AbortSignal): Blocks<T> {
  const iterator = iteratorOf(items);
  const waits = Symbol.asyncIterator in items;
  let ended = false;
  const blocks: AsyncIterator<readonly T[]> = {
    async next() {
      const block: T[] = [];
      while (block.length < rowsOfChunk && !ended) {
        const next = iterator.next() as IteratorResult<T>;
        const { value, done } = waits ? await next : next;
        if (done) ended = true;
        else block.push(value);
      }
      return block.length === 0 ? { done: true, value: undefined } : { done: false, value: block };
    },
    async return() {
      ended = true;
      await iterator.return?.(undefined);
      return { done: true, value: undefined };
    },
  };
  return interruptible({ [Symbol.asyncIterator]: () => blocks }, signal);
}

/** A block that was read before, then the rest of its iteration. It closes the iteration even if no further item is requested. */
function resumed(first: readonly Row[], rest: Blocks<Row>): AsyncIterable<readonly Row[]> {
  let given = first.length === 0;
  const next = async (): Promise<IteratorResult<readonly Row[]>> => {
    if (given) return rest.next();
    given = true;
    return { done: false, value: first };
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: () => rest.return() }) };
}

async function* chunksOf(
  blocks: AsyncIterable<readonly Row[]>,
  wanted: readonly Wanted[],
  call: string,
): AsyncGenerator<Chunk> {
  let first = 0;
  for await (const block of blocks) {
    yield chunkOf(block.length, ({ name }) => block.map((row) => row[name]), wanted, call, first);
    first += block.length;
  }
}

const batchesRules = { columns: names, rowCount: integer(0) };

/** Batches { X, y, sampleWeight, featureMask } from a program, with X as { data: Float32Array, shape }. Errors: OptionError. */
export function fromBatches(
  batches: Batches,
  options: { readonly columns: readonly string[]; readonly rowCount?: number | undefined },
): Source {
  const call = 'fromBatches';
  const { columns, rowCount } = checkOptions(options, batchesRules, { call, scope });
  if (columns === undefined)
    throw optionError(`${call}: columns are missing; pass ${names.allowed}.`, { option: 'columns' });
  const open = reopened(batches, call);
  return {
    columns,
    rowCount,
    [Symbol.asyncIterator]() {
      const iterator = iteratorOf(open());
      const batches: AsyncIterator<SourceBatch> = {
        next: async () => iterator.next(),
        return: async () => (await iterator.return?.(undefined)) ?? { done: true, value: undefined },
      };
      return interruptible({ [Symbol.asyncIterator]: () => batches });
    },
  };
}
