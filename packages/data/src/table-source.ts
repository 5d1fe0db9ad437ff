// Makes a source of batches from a table: the last step of every function of this package.

import type { Encoding, Source } from '@fkm/core';
import { batchesOf } from './batches.js';
import { columnsOf } from './encoding.js';
import { optionError } from './errors.js';
import { type BatchStream, Iterations } from './iterations.js';
import { defaults, type Plan, planOf, type SourceOptions } from './options.js';
import { prefetched, shuffled } from './order.js';
import { stripesOf } from './stripes.js';
import type { Table } from './table.js';

/** Batches { X, y, sampleWeight, featureMask } of float32 rows. */
export interface TableSource extends Source {
  /** The encoding of columns as X, as JSON that models keep; pass it as `encoding` to later sources, and to `encodeRows`. */
  readonly encoding: Encoding;
  from(batch: number): BatchStream;
  [Symbol.asyncIterator](): BatchStream;
  /**
   * Sources that together give every row once. `close` of a shard ends its own iterations; `close` of the source ends those of all
   * shards. Errors: OptionError if the source cannot be divided; StateError once it is closed.
   */
  shards(count: number): Promise<readonly TableSource[]>;
  /** Closes files and connections. Running and later iterations end in a StateError. */
  close(): Promise<void>;
}

/** Errors: OptionError for options that do not fit the table. */
export async function sourceOf(table: Table, options: SourceOptions): Promise<TableSource> {
  try {
    options.signal?.throwIfAborted();
    return build(table, await planOf(table, options), options, () => table.close?.());
  } catch (error) {
    await table.close?.();
    throw error;
  }
}

/** `close` frees what the table holds; shards leave that to their source. */
function build(
  table: Table,
  plan: Plan,
  options: SourceOptions,
  close: () => Promise<void> | undefined,
): TableSource {
  const { batchSize = defaults.batchSize, prefetch = defaults.prefetch, shuffle, signal } = options;
  const per = shuffle ? Math.max(1, Math.ceil(shuffle.rows / batchSize)) : 1;
  const iterations = new Iterations(table.name, signal);
  const shards: TableSource[] = [];
  let closed: Promise<void> | undefined;

  async function* batches(batch: number, stop: AbortSignal): BatchStream {
    const first = batch - (batch % per);
    const read = batchesOf(table, plan, batchSize, first * batchSize, stop);
    const ordered = shuffle ? shuffled(read, per, batchSize, shuffle.randomState ?? 0, first) : read;
    let number = first;
    for await (const rows of prefetch > 0 ? prefetched(ordered, prefetch) : ordered)
      if (number++ >= batch) yield rows;
  }

  const from = (batch: number): BatchStream => iterations.start((stop) => batches(batch, stop));
  return {
    columns: columnsOf(plan.encoding),
    rowCount: table.rowCount,
    encoding: plan.encoding,
    from,
    [Symbol.asyncIterator]: () => from(0),
    async shards(count) {
      iterations.check();
      if (!Number.isSafeInteger(count) || count < 1)
        throw optionError(`${table.name}: shards(${count}) should be asked for a positive integer.`);
      if (!table.shards && !table.ordered)
        throw optionError(
          `${table.name}: rows that come once, or in no order, cannot be divided; use an input that can be opened again, or several sources.`,
        );
      const parts =
        (await table.shards?.(count)) ?? Array.from({ length: count }, (_, i) => stripesOf(table, i, count));
      const made = parts.map((part) => build(part, plan, options, async () => undefined));
      shards.push(...made);
      return made;
    },
    close() {
      closed ??= Promise.all([iterations, ...shards].map((part) => part.close())).then(close);
      return closed;
    },
  };
}
