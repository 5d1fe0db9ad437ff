// Arrow IPC, streams and files, one record batch at a time; in Node and in browsers.

import type { DataType, Decimal, RecordBatch, RecordBatchReader, Vector } from 'apache-arrow';
import { backendError, dataError, formatError, messageOf, optionError, runtime } from './errors.js';
import type { ArrowInput } from './input.js';
import { type ByteStream, bytesOf } from './input.js';
import { endWith } from './iterations.js';
import { checkedOptions, type SourceOptions } from './options.js';
import { typed } from './rows-table.js';
import type { Chunk, Column, Field, Read, Table, Wanted } from './table.js';
import { sourceOf, type TableSource } from './table-source.js';

/**
 * Rows of Arrow IPC: from a path (Node), a URL, a Response, a Blob, bytes, or a stream. Dictionaries of texts are read as texts.
 * Batches compressed by lz4 or zstd need lz4js or hyparquet-compressors, or a codec registered with apache-arrow. Errors:
 * BackendError without apache-arrow or a needed codec; OptionError; FormatError for bytes that are not Arrow; DataError while
 * reading.
 */
export async function arrow(input: ArrowInput, options: SourceOptions = {}): Promise<TableSource> {
  const call = 'arrow';
  const given = checkedOptions(options, call);
  const library = await runtime(() => import('apache-arrow'), 'apache-arrow', call);
  const bytes = bytesOf(input, call);
  const open = async (signal: AbortSignal | undefined): Promise<Opened> => {
    const stream = await bytes.open(signal);
    try {
      const record = recorded(stream);
      return {
        library,
        stream,
        record,
        reader: await withCodecs(library, call, () => readerOf(library, record.bytes())),
      };
    } catch (error) {
      await stream.return();
      signal?.throwIfAborted();
      if ((error as { kind?: string }).kind !== undefined) throw error;
      throw formatError(`${call}: these bytes cannot be read as Arrow IPC: ${messageOf(error)}.`);
    }
  };
  let begun: Opened | undefined = await open(given.signal);
  const { fields } = begun.reader.schema ?? {};
  if (fields && bytes.again) {
    // A missing codec shows at the first batch. Other errors are reported when their rows are read.
    const failure = await batchesOf(begun, call)
      .next()
      .catch((error: unknown) => error);
    if ((failure as { kind?: string }).kind === 'backend') {
      await close(begun);
      throw failure;
    }
  }
  if (bytes.again || !fields) {
    await close(begun);
    begun = undefined;
  }
  if (!fields) throw formatError(`${call}: these bytes have no schema of Arrow IPC.`);
  const table: Table = {
    name: call,
    fields: fields.map(({ name, type }): Field => ({ name, type: String(type), kind: kindOf(type) })),
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
  return sourceOf(table, given);
}

type Library = typeof import('apache-arrow');

interface Opened {
  readonly library: Library;
  readonly stream: ByteStream;
  /** The bytes up to the first batch: if that needs a codec, they are read again with it. */
  readonly record: Recorded;
  readonly reader: RecordBatchReader;
}

interface Recorded {
  /** All bytes from the beginning. */
  bytes(): AsyncIterable<Uint8Array>;
  /** Stops keeping bytes. */
  stop(): void;
}

function recorded(stream: ByteStream): Recorded {
  let kept: Uint8Array[] | undefined = [];
  return {
    async *bytes() {
      yield* kept ?? [];
      for (;;) {
        const { value, done } = await stream.next();
        if (done) return;
        kept?.push(value);
        yield value;
      }
    },
    stop: () => {
      kept = undefined;
    },
  };
}

const readerOf = async (library: Library, bytes: AsyncIterable<Uint8Array>): Promise<RecordBatchReader> =>
  (await (await library.RecordBatchReader.from(bytes)).open()) as RecordBatchReader;

/** The record batches. Errors: those of reading, and BackendError for a codec that is not installed. */
async function* batchesOf({ library, record, reader }: Opened, call: string): AsyncGenerator<RecordBatch> {
  let opened: RecordBatchReader | undefined = reader;
  const [batches, first] = await withCodecs(library, call, async () => {
    const from = (opened ??
      (await readerOf(library, record.bytes()))) as unknown as AsyncIterator<RecordBatch>;
    opened = undefined;
    return [from, await from.next()] as const;
  });
  record.stop();
  for (let next = first; !next.done; next = await batches.next()) yield next.value;
}

/** The result of `read`. If a codec is missing, it runs again with the codecs that can be loaded. Errors: BackendError. */
async function withCodecs<T>(library: Library, call: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (!isOfCodec(error)) throw error;
  }
  const absent = await registerCodecs(library);
  return read().catch((error: unknown) => {
    if (!isOfCodec(error)) throw error;
    throw backendError(
      `${call}: the batches are compressed, and there is no codec for that; run: npm install ${absent.join(' ')}, or register one with compressionRegistry of apache-arrow.`,
      { packages: absent },
    );
  });
}

const isOfCodec = (error: unknown): boolean => /codec not found/.test(messageOf(error));

/** Registers missing codecs with apache-arrow; returns the packages that could not be loaded. */
async function registerCodecs({ compressionRegistry, CompressionType }: Library): Promise<string[]> {
  const absent: string[] = [];
  const register = async (
    type: number,
    name: string,
    load: () => Promise<(packed: Uint8Array) => Uint8Array>,
  ): Promise<void> => {
    if (compressionRegistry.get(type)) return;
    const decode = await load().catch(() => absent.push(name));
    if (typeof decode === 'function')
      compressionRegistry.set(type, { decode: (packed) => aligned(decode(packed)) });
  };
  await register(CompressionType.LZ4_FRAME, 'lz4js', async () => {
    const module = await import('lz4js');
    return (packed) => (module.default ?? module).decompress(packed);
  });
  await register(CompressionType.ZSTD, 'hyparquet-compressors', async () => {
    const { decompressZstd } = await import('hyparquet-compressors');
    return (packed) => decompressZstd(packed);
  });
  return absent;
}

/** Unpacked bytes aligned to 8, since apache-arrow views them as arrays of 8-byte elements. */
const aligned = (bytes: Uint8Array): Uint8Array => (bytes.byteOffset % 8 === 0 ? bytes : bytes.slice());

/** A cancelled reader closes its stream only if it was reading, so the stream is closed here. */
async function close({ stream, reader }: Opened): Promise<void> {
  await stream.return();
  await reader.cancel();
}

function kindOf(of: DataType): Field['kind'] {
  const type = String(of);
  if (isDecimal(type)) return (of as Decimal).scale === 0 ? 'integer' : 'number';
  if (/^Float/.test(type)) return 'number';
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
    for await (const batch of batchesOf(opened, call)) {
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

/** The numbers of a column as a view, if they have the wanted type and none is missing. */
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
  const decimal = isDecimal(String(vector.type)) ? (vector.type as Decimal).scale : undefined;
  for (let i = 0; i < all.length; i++) {
    const value: unknown = vector.get(i);
    all[i] = decimal === undefined || value === null ? value : decimalOf(value as Uint32Array, decimal);
  }
  return typed(all, wanted, call, first);
}

/** The decimal given by 32-bit words, lowest first: rounded once, or a bigint if it is an integer. */
function decimalOf(words: Uint32Array, scale: number): number | bigint {
  const digits = words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n);
  const whole = BigInt.asIntN(32 * words.length, digits);
  return scale === 0 ? whole : Number(`${whole}e${-scale}`);
}

const isDecimal = (type: string): boolean => type.startsWith('Decimal');
const isFloats = (type: string): boolean => type === 'Float32' || type === 'Float64';
