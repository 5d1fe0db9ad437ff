// Parquet: files through DuckDB in Node; URLs and blobs through hyparquet, which asks for the ranges of bytes that it needs.

import { unlessAborted } from '@fkm/core';
import type { AsyncBuffer, FileMetaData, SchemaElement } from 'hyparquet';
import { type DuckDbOptions, duckParquet } from './duckdb.js';
import { dataError, formatError, messageOf, optionError, runtime } from './errors.js';
import { isUrl } from './input.js';
import { checkOptions } from './options.js';
import { chunkOf } from './rows-table.js';
import type { Chunk, Field, Read, Table, Wanted } from './table.js';
import { sourceOf, type TableSource } from './table-source.js';

/**
 * Rows of Parquet files: paths with * in Node, in the order of their names; or one URL (http, https, also a presigned one of
 * S3) or Blob, of which a row group is held at a time.
 * Errors: BackendError without @duckdb/node-api, or hyparquet for URLs and blobs; OptionError; FormatError; DataError while reading.
 */
export async function parquet(
  files: string | readonly string[] | URL | Blob,
  options: DuckDbOptions = {},
): Promise<TableSource> {
  if (typeof files === 'string' && files.startsWith('s3:')) {
    throw optionError(`parquet: '${files}' is of S3's own protocol; pass a presigned https URL.`, {
      option: 'files',
    });
  }
  if (!isUrl(files) && !(files instanceof Blob))
    return duckParquet(files as string | readonly string[], options);
  const call = 'parquet';
  checkOptions(options, call);
  const { asyncBufferFromUrl, parquetMetadataAsync, parquetRead, parquetSchema } = await runtime(
    () => import('hyparquet'),
    'hyparquet',
    call,
  );
  let file: AsyncBuffer;
  let metadata: FileMetaData;
  try {
    file =
      files instanceof Blob
        ? { byteLength: files.size, slice: (begin, end) => files.slice(begin, end).arrayBuffer() }
        : await unlessAborted(asyncBufferFromUrl({ url: String(files) }), options.signal);
    metadata = await unlessAborted(parquetMetadataAsync(file), options.signal);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw formatError(`${call}: this cannot be read as Parquet: ${messageOf(error)}.`);
  }
  const fields = parquetSchema(metadata).children.map(({ element }) => fieldOf(element));

  async function* groups(
    wanted: readonly Wanted[],
    skip: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Chunk> {
    let first = 0;
    for (const group of metadata.row_groups) {
      const [begin, rows] = [first, Number(group.num_rows)];
      first += rows;
      if (first <= skip) continue;
      const parts = new Map<string, ArrayLike<unknown>[]>();
      try {
        const group = parquetRead({
          file,
          metadata,
          columns: wanted.map(({ name }) => name),
          rowStart: begin,
          rowEnd: first,
          onChunk: ({ columnName, columnData }) => {
            parts.set(columnName, [...(parts.get(columnName) ?? []), columnData as ArrayLike<unknown>]);
          },
        });
        await unlessAborted(group, signal);
      } catch (error) {
        signal?.throwIfAborted();
        throw dataError(`${call}: reading stopped at row ${begin}: ${messageOf(error)}.`, { row: begin });
      }
      yield chunkOf(rows, ({ name }) => joined(parts.get(name) ?? [], rows), wanted, call, begin);
    }
  }

  const table: Table = {
    name: call,
    fields,
    rowCount: Number(metadata.num_rows),
    ordered: true,
    async read(wanted, { skip, signal }): Promise<Read> {
      let skipped = 0;
      for (const { num_rows } of metadata.row_groups) {
        if (skipped + Number(num_rows) > skip) break;
        skipped += Number(num_rows);
      }
      return { skipped, chunks: groups(wanted, skip, signal) };
    },
  };
  return sourceOf(table, options);
}

function joined(parts: readonly ArrayLike<unknown>[], rows: number): ArrayLike<unknown> {
  if (parts.length === 1) return parts[0] as ArrayLike<unknown>;
  const all: unknown[] = new Array(rows);
  let at = 0;
  for (const part of parts) for (let i = 0; i < part.length; i++) all[at++] = part[i];
  return all;
}

function fieldOf({ name, type, converted_type, logical_type, num_children }: SchemaElement): Field {
  const label = logical_type?.type ?? converted_type ?? type ?? 'group';
  const kind = ((): Field['kind'] => {
    if (num_children) return 'other';
    if (label === 'UTF8' || label === 'STRING' || label === 'ENUM') return 'text';
    if (label === 'DECIMAL') return 'number';
    if (/DATE|TIME|JSON|BSON|UUID|INTERVAL|VARIANT|GEO/.test(label)) return 'other';
    if (type === 'FLOAT' || type === 'DOUBLE') return 'number';
    return type === 'INT32' || type === 'INT64' || type === 'BOOLEAN' ? 'integer' : 'other';
  })();
  return { name, kind, type: label };
}
