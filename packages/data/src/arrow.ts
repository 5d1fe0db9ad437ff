// Arrow IPC, streams and files, record batch by record batch; in Node and in browsers.

import type { RecordBatch, RecordBatchReader, Vector } from 'apache-arrow';
import { dataError, formatError, messageOf, optionError, runtime } from './errors.js';
import { bytesOf } from './input.js';
import { checkOptions, type SourceOptions } from './options.js';
import { typed } from './rows-table.js';
import type { Chunk, Column, Field, Read, Table, Wanted } from './table.js';
import { sourceOf, type TableSource } from './table-source.js';

/** Bytes, where they are, or a function that opens them anew for every iteration. An opened stream serves one. */
export type ArrowInput =
  | Uint8Array
  | string
  | URL
  | Blob
  | Response
  | ReadableStream<Uint8Array>
  | AsyncIterable<Uint8Array>
  | (() => ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>);

/**
 * Rows of Arrow IPC: of a path (Node), a URL, a Response, a Blob, bytes, or a stream. Dictionaries of texts are texts.
 * Errors: BackendError without apache-arrow; OptionError; FormatError for bytes that are no Arrow; DataError while reading.
 */
export async function arrow(input: ArrowInput, options: SourceOptions = {}): Promise<TableSource> {
  const call = 'arrow';
  checkOptions(options, call);
  const { RecordBatchReader: Reader } = await runtime(() => import('apache-arrow'), 'apache-arrow', call);
  const bytes = bytesOf(input, call);
  const open = async (): Promise<RecordBatchReader> => {
    try {
      const reader = await Reader.from(await bytes.open());
      return (await reader.open()) as RecordBatchReader;
    } catch (error) {
      if ((error as { kind?: string }).kind !== undefined) throw error;
      throw formatError(`${call}: these bytes cannot be read as Arrow IPC: ${messageOf(error)}.`);
    }
  };
  let begun: RecordBatchReader | undefined = await open();
  const { fields } = begun.schema ?? {};
  if (!fields) throw formatError(`${call}: these bytes have no schema of Arrow IPC.`);
  if (bytes.again) {
    await begun.cancel();
    begun = undefined;
  }
  const table: Table = {
    name: call,
    fields: fields.map(({ name, type }): Field => ({ name, type: String(type), kind: kindOf(String(type)) })),
    ordered: bytes.again,
    async read(wanted): Promise<Read> {
      const reader = begun ?? (await open());
      begun = undefined;
      return { skipped: 0, chunks: chunksOf(reader, wanted, call) };
    },
    close: async () => {
      await begun?.cancel();
    },
  };
  return sourceOf(table, options);
}

function kindOf(type: string): Field['kind'] {
  if (/^(Float|Decimal)/.test(type)) return 'number';
  if (/^(Int|Uint|Bool)/.test(type)) return 'integer';
  return /^(Large)?Utf8|^Dictionary<.*Utf8>$/.test(type) ? 'text' : 'other';
}

async function* chunksOf(
  reader: RecordBatchReader,
  wanted: readonly Wanted[],
  call: string,
): AsyncGenerator<Chunk> {
  try {
    let first = 0;
    for await (const batch of reader as AsyncIterable<RecordBatch>) {
      const begin = first;
      first += batch.numRows;
      yield { rows: batch.numRows, column: (at) => valuesOf(batch, wanted[at] as Wanted, call, begin) };
    }
  } catch (error) {
    if ((error as { kind?: string }).kind !== undefined) throw error;
    throw dataError(`${call}: the stream broke off: ${messageOf(error)}.`);
  } finally {
    await reader.cancel();
  }
}

/** The numbers of a column where they lie, if they lie there as wanted and none is missing. */
function valuesOf(batch: RecordBatch, wanted: Wanted, call: string, first: number): Column {
  const vector = batch.getChild(wanted.name) as Vector | null;
  if (!vector)
    throw optionError(`${call}: a record batch has no column '${wanted.name}'.`, { column: wanted.name });
  const [data] = vector.data;
  const values: unknown = data?.values;
  if (vector.nullCount === 0 && vector.data.length === 1 && isFloats(String(vector.type))) {
    if (wanted.as === 'float32' && values instanceof Float32Array) return values.subarray(0, batch.numRows);
    if (wanted.as === 'float32' && values instanceof Float64Array)
      return Float32Array.from(values.subarray(0, batch.numRows));
  }
  const all: unknown[] = new Array(batch.numRows);
  for (let i = 0; i < all.length; i++) all[i] = vector.get(i);
  return typed(all, wanted, call, first);
}

const isFloats = (type: string): boolean => type === 'Float32' || type === 'Float64';
