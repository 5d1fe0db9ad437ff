// Parquet: files through DuckDB in Node; URLs and blobs through hyparquet, which requests the byte ranges that it needs.

import { unlessAborted } from '@fkm/core';
import type { AsyncBuffer, CompressionCodec, Compressors, FileMetaData, SchemaElement } from 'hyparquet';
import { type DuckDbOptions, duckParquet } from './duckdb.js';
import { dataError, formatError, messageOf, optionError, runtime } from './errors.js';
import { isUrl } from './input.js';
import { checkedOptions } from './options.js';
import { chunkOf } from './rows-table.js';
import type { Chunk, Field, Read, Table, Wanted } from './table.js';
import { sourceOf, type TableSource } from './table-source.js';

/**
 * Rows of Parquet files: paths with * in Node, in the order of their names; or one URL (http, https, also a presigned URL of S3) or
 * Blob, of which one row group is held at a time. Errors: BackendError without @duckdb/node-api, or without hyparquet for URLs and
 * blobs (with hyparquet-compressors for gzip, zstd, lz4 and brotli); OptionError; FormatError; DataError while reading.
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
  const given = checkedOptions(options, call);
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
        : await unlessAborted(asyncBufferFromUrl({ url: String(files) }), given.signal);
    metadata = await unlessAborted(parquetMetadataAsync(file), given.signal);
  } catch (error) {
    given.signal?.throwIfAborted();
    throw formatError(`${call}: this cannot be read as Parquet: ${messageOf(error)}.`);
  }
  const elements = parquetSchema(metadata).children.map(({ element }) => element);
  const decimals = new Map(elements.map((element) => [element.name, scaleOf(element)]));
  const compressors = await compressorsOf(metadata, call);

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
          parsers: { stringFromBytes },
          ...(compressors ? { compressors } : {}),
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
      const columnAt = ({ name }: Wanted): ArrayLike<unknown> => {
        const values = joined(parts.get(name) ?? [], rows);
        const scale = decimals.get(name);
        return scale === undefined ? values : Array.from(values, (value) => decimalOf(value, scale));
      };
      yield chunkOf(rows, columnAt, wanted, call, begin);
    }
  }

  const table: Table = {
    name: call,
    fields: elements.map(fieldOf),
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
  return sourceOf(table, given);
}

/** Codecs that hyparquet has built in. */
const ownCodecs = ['UNCOMPRESSED', 'SNAPPY'];

/** The decompressors for the pages of a file. Errors: BackendError without hyparquet-compressors, if it is needed; FormatError. */
async function compressorsOf({ row_groups }: FileMetaData, call: string): Promise<Compressors | undefined> {
  const codecs = new Set(
    row_groups.flatMap(({ columns }) => columns.flatMap(({ meta_data }) => meta_data?.codec ?? [])),
  );
  for (const codec of ownCodecs) codecs.delete(codec as CompressionCodec);
  if (codecs.size === 0) return undefined;
  const { compressors } = await runtime(
    () => import('hyparquet-compressors'),
    'hyparquet-compressors',
    `${call}: pages of ${[...codecs].join(', ')}`,
  );
  for (const codec of codecs)
    if (!compressors[codec])
      throw formatError(`${call}: nothing unpacks pages of ${codec}; write the file with zstd.`, { codec });
  return compressors;
}

const decoder = new TextDecoder('utf-8', { fatal: true });
/** Decodes strictly: invalid bytes are an error, where hyparquet would insert U+FFFD. */
const stringFromBytes = (bytes: Uint8Array | undefined): string | undefined => bytes && decoder.decode(bytes);

const scaleOf = ({ logical_type, converted_type, scale = 0 }: SchemaElement): number | undefined =>
  (logical_type?.type ?? converted_type) === 'DECIMAL' ? scale : undefined;

/**
 * An exact decimal: hyparquet multiplies by 10 ** -scale, which gives 3.0700000000000003. An integer that would be rounded stays a
 * bigint, which `typed` refuses.
 */
function decimalOf(value: unknown, scale: number): unknown {
  if (typeof value !== 'number') return value;
  if (scale === 0) return Number.isSafeInteger(value) ? value : BigInt(value);
  return Number(value.toFixed(Math.min(scale, 100)));
}

function joined(parts: readonly ArrayLike<unknown>[], rows: number): ArrayLike<unknown> {
  if (parts.length === 1) return parts[0] as ArrayLike<unknown>;
  const all: unknown[] = new Array(rows);
  let at = 0;
  for (const part of parts) for (let i = 0; i < part.length; i++) all[at++] = part[i];
  return all;
}

function fieldOf({ name, type, converted_type, logical_type, num_children, scale }: SchemaElement): Field {
  const label = logical_type?.type ?? converted_type ?? type ?? 'group';
  const kind = ((): Field['kind'] => {
    if (num_children) return 'other';
    if (label === 'UTF8' || label === 'STRING' || label === 'ENUM') return 'text';
    if (label === 'DECIMAL') return scale ? 'number' : 'integer';
    if (label === 'FLOAT16') return 'number';
    if (/DATE|TIME|JSON|BSON|UUID|INTERVAL|VARIANT|GEO/.test(label)) return 'other';
    if (type === 'FLOAT' || type === 'DOUBLE') return 'number';
    return type === 'INT32' || type === 'INT64' || type === 'BOOLEAN' ? 'integer' : 'other';
  })();
  return { name, kind, type: label };
}
