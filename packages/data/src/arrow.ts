// Arrow IPC, streams and files, record batch by record batch; in Node and in browsers.

import type { RecordBatch, RecordBatchReader, Vector } from 'apache-arrow';
import { dataError, formatError, messageOf, optionError, runtime } from './errors.js';
import { type ByteStream, bytesOf } from './input.js';
import { endWith } from './iterations.js';
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
  const open = async (signal: AbortSignal | undefined): Promise<Opened> => {
    const stream = await bytes.open(signal);
    try {
      const reader = await Reader.from(stream);
      return { stream, reader: (await reader.open()) as RecordBatchReader };
    } catch (error) {
      await stream.return();
      signal?.throwIfAborted();
      if ((error as { kind?: string }).kind !== undefined) throw error;
      throw formatError(`${call}: these bytes cannot be read as Arrow IPC: ${messageOf(error)}.`);
    }
  };
  let begun: Opened | undefined = await open(options.signal);
  const { fields } = begun.reader.schema ?? {};
  if (bytes.again || !fields) {
    await close(begun);
    begun = undefined;
  }
  if (!fields) throw formatError(`${call}: these bytes have no schema of Arrow IPC.`);
  const table: Table = {
    name: call,
    fields: fields.map(({ name, type }): Field => ({ name, type: String(type), kind: kindOf(String(type)) })),
    ordered: bytes.again,
    async read(wanted, { signal }): Promise<Read> {
      const opened = begun ?? (await open(signal));
      begun = undefined;
      return { skipped: 0, chunks: chunksOf(opened, wanted, call, signal) };
    },
    close: async () => {
      if (begun) await close(begun);
    },
  };
  return sourceOf(table, options);
}

interface Opened {
  readonly stream: ByteStream;
  readonly reader: RecordBatchReader;
}

/** A reader that has been cancelled leaves its stream open unless it was reading it. */
async function close({ stream, reader }: Opened): Promise<void> {
  await stream.return();
  await reader.cancel();
}

function kindOf(type: string): Field['kind'] {
  if (/^(Float|Decimal)/.test(type)) return 'number';
  if (/^(Int|Uint|Bool)/.test(type)) return 'integer';
  return /^(Large)?Utf8|^Dictionary<.*Utf8>$/.test(type) ? 'text' : 'other';
}

async function* chunksOf(
  opened: Opened,
  wanted: readonly Wanted[],
  call: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Chunk> {
  endWith(opened.stream, signal);
  try {
    let first = 0;
    for await (const batch of opened.reader as AsyncIterable<RecordBatch>) {
      const begin = first;
      first += batch.numRows;
      yield { rows: batch.numRows, column: (at) => valuesOf(batch, wanted[at] as Wanted, call, begin) };
    }
  } catch (error) {
    signal?.throwIfAborted();
    if ((error as { kind?: string }).kind !== undefined) throw error;
    throw dataError(`${call}: the stream broke off: ${messageOf(error)}.`);
  } finally {
    await close(opened);
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
