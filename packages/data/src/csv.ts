// CSV: files through DuckDB in Node; URLs, blobs and streams by a parser of our own, which needs no runtime.

import type { ArrowInput } from './arrow.js';
import { CsvParser, kindOfCells } from './csv-parser.js';
import { type CsvOptions, duckCsv } from './duckdb.js';
import { dataError } from './errors.js';
import { type ByteStream, bytesOf, isUrl } from './input.js';
import { endWith } from './iterations.js';
import { checkOptions } from './options.js';
import { rowsOfKinds, typed } from './rows-table.js';
import type { Chunk, Column, Read, Table, Wanted } from './table.js';
import { sourceOf, type TableSource } from './table-source.js';

/** Paths with * in Node; or a URL, a Response, a Blob, a stream, or a function that opens one for every iteration. */
export type CsvInput = string | readonly string[] | Exclude<ArrowInput, string>;

const isPaths = (input: CsvInput): input is string | readonly string[] =>
  (typeof input === 'string' && !isUrl(input)) || Array.isArray(input);

/**
 * Rows of CSV. Paths go through DuckDB, which finds out delimiter, header and types by itself; other input is RFC 4180 with a
 * header unless the options say otherwise, with types by its first 1,000 rows.
 * Errors: BackendError without @duckdb/node-api, for paths; OptionError; DataError with row and column while reading.
 */
export async function csv(input: CsvInput, options: CsvOptions = {}): Promise<TableSource> {
  if (isPaths(input)) return duckCsv(input, options);
  const call = 'csv';
  checkOptions(options, call, ['delimiter', 'header', 'nulls']);
  const { delimiter = ',', header = true, nulls = [''] } = options;
  const bytes = bytesOf(input, call);
  let stream: ByteStream | undefined;
  const parsed = async (signal: AbortSignal | undefined): Promise<AsyncGenerator<string[]>> => {
    stream = await bytes.open(signal);
    return rowsOf(stream, delimiter, call);
  };
  let rows: AsyncGenerator<string[]> | undefined = await parsed(options.signal);
  const looked: string[][] = [];
  while (looked.length <= rowsOfKinds) {
    const { value, done } = await rows.next();
    if (done) break;
    looked.push(value);
  }
  const [top = []] = looked;
  const names = header ? top : top.map((_, j) => `column${j}`);
  const cells = header ? looked.slice(1) : looked;
  const missing = new Set(nulls);
  const fields = names.map((name, j) => ({
    name,
    ...kindOfCells(
      cells.map((row) => row[j]).filter((cell): cell is string => cell !== undefined && !missing.has(cell)),
    ),
  }));
  if (bytes.again) {
    await rows.return(undefined);
    rows = undefined;
  }
  const table: Table = {
    name: call,
    fields,
    ordered: bytes.again,
    async read(wanted, { signal }): Promise<Read> {
      const begun = rows;
      if (begun && stream) endWith(stream, signal);
      rows = undefined;
      const all = begun ? again(looked, begun) : await parsed(signal);
      if (header) await all.next();
      return { skipped: 0, chunks: chunksOf(all, names, wanted, missing, call) };
    },
    close: async () => {
      await rows?.return(undefined);
    },
  };
  return sourceOf(table, options);
}

async function* again(looked: readonly string[][], rest: AsyncGenerator<string[]>): AsyncGenerator<string[]> {
  yield* looked;
  yield* rest;
}

async function* rowsOf(bytes: ByteStream, delimiter: string, call: string): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  const parser = new CsvParser(delimiter);
  for await (const part of bytes) yield* parser.push(decoder.decode(part, { stream: true }));
  yield* parser.push(decoder.decode());
  yield* parser.end(call);
}

const rowsOfChunk = 1024;

async function* chunksOf(
  rows: AsyncGenerator<string[]>,
  names: readonly string[],
  wanted: readonly Wanted[],
  missing: ReadonlySet<string>,
  call: string,
): AsyncGenerator<Chunk> {
  const places = wanted.map(({ name }) => names.indexOf(name));
  let [block, first] = [[] as string[][], 0];
  const chunk = (): Chunk => {
    const [lines, begin] = [block, first];
    first += lines.length;
    block = [];
    return {
      rows: lines.length,
      column: (at) => columnOf(lines, places[at] as number, wanted[at] as Wanted, missing, call, begin),
    };
  };
  for await (const row of rows) {
    if (row.length !== names.length) {
      throw dataError(
        `${call}: row ${first + block.length} has ${row.length} cells, the header has ${names.length}.`,
        {
          row: first + block.length,
          columns: row.length,
          expected: names.length,
        },
      );
    }
    block.push(row);
    if (block.length === rowsOfChunk) yield chunk();
  }
  if (block.length > 0) yield chunk();
}

function columnOf(
  rows: readonly string[][],
  place: number,
  wanted: Wanted,
  missing: ReadonlySet<string>,
  call: string,
  first: number,
): Column {
  const cells = rows.map((row) => row[place] as string);
  const values = cells.map((cell) => {
    if (missing.has(cell)) return null;
    if (wanted.as === 'text') return cell;
    const number = Number(cell);
    return Number.isNaN(number) ? (logical[cell.toLowerCase()] ?? cell) : number;
  });
  return typed(values, wanted, call, first);
}

const logical: Readonly<Record<string, number>> = { true: 1, false: 0, nan: Number.NaN };
