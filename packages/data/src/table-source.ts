// A table as a source of batches: what every function of this package ends in.

import type { Encoding, Source, SourceBatch } from '@fkm/core';
import { batchesOf } from './batches.js';
import { columnsOf } from './encoding.js';
import { optionError } from './errors.js';
import { defaults, type Plan, planOf, type SourceOptions } from './options.js';
import { prefetched, shuffled } from './order.js';
import { stripesOf } from './stripes.js';
import type { Table } from './table.js';

/** Batches { X, y, sampleWeight, featureMask } of float32 rows. */
export interface TableSource extends Source {
  /** How columns became X, as JSON that models keep: `encoding` of the next source of such rows, and of `encodeRows`. */
  readonly encoding: Encoding;
  from(batch: number): AsyncGenerator<SourceBatch, void, void>;
  [Symbol.asyncIterator](): AsyncGenerator<SourceBatch, void, void>;
  /** Sources that together give every row once. Errors: OptionError where the source cannot be divided. */
  shards(count: number): Promise<readonly TableSource[]>;
  /** Lets go of connections; iterations that run fail. Sources without any need no closing. */
  close(): Promise<void>;
}

/** Errors: OptionError for options that do not fit the table. */
export async function sourceOf(table: Table, options: SourceOptions): Promise<TableSource> {
  try {
    return build(table, await planOf(table, options), options);
  } catch (error) {
    await table.close?.();
    throw error;
  }
}

function build(table: Table, plan: Plan, options: SourceOptions): TableSource {
  const { batchRows = defaults.batchRows, prefetch = defaults.prefetch, shuffle, signal } = options;
  const per = shuffle ? Math.max(1, Math.ceil(shuffle.rows / batchRows)) : 1;

  async function* from(batch: number): AsyncGenerator<SourceBatch, void, void> {
    const first = batch - (batch % per);
    const read = batchesOf(table, plan, batchRows, first * batchRows, signal);
    const ordered = shuffle ? shuffled(read, per, batchRows, shuffle.seed ?? 0, first) : read;
    let number = first;
    for await (const rows of prefetch > 0 ? prefetched(ordered, prefetch) : ordered) {
      signal?.throwIfAborted();
      if (number++ >= batch) yield rows;
    }
  }

  return {
    columns: columnsOf(plan.encoding),
    rowCount: table.rowCount,
    encoding: plan.encoding,
    from,
    [Symbol.asyncIterator]: () => from(0),
    async shards(count) {
      const { shards, ordered } = table;
      if (!Number.isSafeInteger(count) || count < 1)
        throw optionError(`${table.name}: shards(${count}) should be asked for a positive integer.`);
      if (!shards && !ordered)
        throw optionError(
          `${table.name}: rows that come once, or in no order, cannot be divided; open them from what can be opened anew, or several sources.`,
        );
      const parts =
        (await shards?.call(table, count)) ??
        Array.from({ length: count }, (_, i) => stripesOf(table, i, count));
      return parts.map((part) => build(part, plan, options));
    },
    close: async () => table.close?.(),
  };
}
