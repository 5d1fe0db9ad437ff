// Rows that a program makes: objects with the columns as their keys, or batches that are whole already.

import type { FlatMatrix, Source, SourceBatch } from '@fkm/core';
import { optionError } from './errors.js';
import { checkOptions, type SourceOptions } from './options.js';
import { chunkOf, kindOf, rowsOfKinds } from './rows-table.js';
import type { Chunk, Read, Table, Wanted } from './table.js';
import { sourceOf, type TableSource } from './table-source.js';

type Row = Readonly<Record<string, unknown>>;
type Items<T> = Iterable<T> | AsyncIterable<T>;

/** Rows as objects; a function gives them anew for every iteration, an array can be iterated as often as it takes. */
export type Records = Items<Row> | (() => Items<Row>);

/** Batches, or a function that gives them anew for every iteration. */
export type Batches = Items<SourceBatch> | (() => Items<SourceBatch>);

const rowsOfChunk = 1024;

/** Opens anew, as often as the input allows. Errors: OptionError for a generator that has been used. */
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
 * Rows as objects { column: number | string | boolean | null }. Columns and their kinds are those of the first 1,000 rows.
 * Errors: OptionError for options that do not fit; DataError while reading.
 */
export async function fromIterable(rows: Records, options: SourceOptions = {}): Promise<TableSource> {
  const call = 'fromIterable';
  checkOptions(options, call);
  const open = reopened(rows, call);
  // What was looked at is given again, so that a generator serves one iteration.
  const begun = open();
  const single = typeof rows !== 'function' && (begun as unknown) === iteratorOf(begun);
  const iterator = iteratorOf(begun);
  const looked: Row[] = [];
  let over = false;
  while (looked.length < rowsOfKinds && !over) {
    const { value, done } = await iterator.next();
    if (done) over = true;
    else looked.push(value);
  }
  if (!single) await iterator.return?.(undefined);
  const names = [...new Set(looked.flatMap((row) => Object.keys(row)))];
  let fresh = single;
  const table: Table = {
    name: call,
    fields: names.map((name) => ({ name, ...kindOf(looked.map((row) => row[name])) })),
    rowCount: Array.isArray(rows) ? rows.length : undefined,
    ordered: !single,
    async read(wanted): Promise<Read> {
      if (!single) return { skipped: 0, chunks: chunksOf(open(), wanted, call) };
      if (!fresh) open();
      fresh = false;
      return { skipped: 0, chunks: chunksOf(resumed(looked, iterator), wanted, call) };
    },
  };
  return sourceOf(table, options);
}

const iteratorOf = <T>(items: Items<T>): Iterator<T> | AsyncIterator<T> =>
  Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();

async function* resumed(
  looked: readonly Row[],
  rest: Iterator<Row> | AsyncIterator<Row>,
): AsyncGenerator<Row> {
  try {
    yield* looked;
    for (;;) {
      const { value, done } = await rest.next();
      if (done) return;
      yield value;
    }
  } finally {
    await rest.return?.(undefined);
  }
}

async function* chunksOf(rows: Items<Row>, wanted: readonly Wanted[], call: string): AsyncGenerator<Chunk> {
  let [some, first] = [[] as Row[], 0];
  const chunk = (): Chunk => {
    const block = some;
    return chunkOf(block.length, ({ name }) => block.map((row) => row[name]), wanted, call, first);
  };
  for await (const row of rows) {
    some.push(row);
    if (some.length < rowsOfChunk) continue;
    yield chunk();
    first += some.length;
    some = [];
  }
  if (some.length > 0) yield chunk();
}

/**
 * Batches { X, y, sampleWeight, featureMask } that a program makes itself, X as { data: Float32Array, shape }.
 * Errors: OptionError.
 */
export function fromBatches(
  batches: Batches,
  { columns, rowCount }: { readonly columns: readonly string[]; readonly rowCount?: number | undefined },
): Source {
  const call = 'fromBatches';
  if (!Array.isArray(columns) || columns.length === 0)
    throw optionError(`${call}: columns should be the names of the features.`, { option: 'columns' });
  const open = reopened(batches, call);
  return {
    columns,
    rowCount,
    async *[Symbol.asyncIterator]() {
      for await (const batch of open()) yield batch as SourceBatch & { readonly X: FlatMatrix };
    },
  };
}
