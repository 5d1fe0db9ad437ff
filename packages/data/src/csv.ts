// CSV from files, URLs, blobs and streams, by one parser that needs no runtime. Numbers stay numbers whatever the first rows held;
// a cell or a row that does not fit is an error.

import { boolean, type Rules } from '@fkm/core/internal';
import { CellKinds, numberOf } from './csv-cells.js';
import { type Dialect, isBlank, lookAt } from './csv-dialect.js';
import { CsvParser, type Rows } from './csv-parser.js';
import { kindsOf } from './encoding.js';
import { dataError } from './errors.js';
import { filesOf, matching, named } from './files.js';
import type { ArrowInput } from './input.js';
import { type Bytes, bytesOf, isUrl } from './input.js';
import { endWith } from './iterations.js';
import { checkedOptions, type SourceOptions } from './options.js';
import { rowsOfKinds } from './rows-table.js';
import type { Chunk, Column, Field, Read, Table, Wanted } from './table.js';
import { sourceOf, type TableSource } from './table-source.js';
import { charsetRule, textOf } from './text.js';

export interface CsvOptions extends SourceOptions {
  /** The character between cells. Default: detected among ',', ';', tab and '|'. */
  readonly delimiter?: string | undefined;
  /** Whether the first row has the names of the columns; otherwise they are column0, column1, …. Default: detected. */
  readonly header?: boolean | undefined;
  /** Texts that stand for a missing value. Default: the empty text. */
  readonly nulls?: readonly string[] | undefined;
  /** The encoding of bytes, such as 'windows-1252'. Default: by the byte order mark, UTF-16 if recognised, else UTF-8. */
  readonly charset?: string | undefined;
}

/** Paths with * (Node); or a URL, a Response, a Blob, a stream, or a function that opens one for every iteration. */
export type CsvInput = string | readonly string[] | Exclude<ArrowInput, string>;

const isPaths = (input: CsvInput): input is string | readonly string[] =>
  (typeof input === 'string' && !isUrl(input)) || Array.isArray(input);

/** An integer written in full, as ids are. In 1e20 the last digits do not matter. */
const digits = /^\s*[+-]?\d+\s*$/;

interface File {
  /** Start of error messages. */
  readonly name: string;
  readonly bytes: Bytes;
}

/**
 * Rows of CSV (RFC 4180), also gzipped. The first 1,000 rows determine whether a column holds numbers, booleans (1 and 0), dates,
 * or else texts. A column without values there takes the kind of its first value; if rows come only once, it holds numbers. Columns
 * of `encoding` keep their kinds. A blank line is a missing value if there is one column, else it is skipped. Errors: OptionError;
 * DataError with line or row for cells that do not fit, and for bytes that are not in the charset.
 */
export async function csv(input: CsvInput, options: CsvOptions = {}): Promise<TableSource> {
  const given = checkedOptions(options, 'csv', dialect);
  const paths = isPaths(input) ? filesOf(input, 'csv') : undefined;
  const call = paths ? named('csv', paths) : 'csv';
  const files = paths
    ? (await matching(paths, call)).map(
        (path): File => ({ name: named('csv', [path]), bytes: bytesOf(path, 'csv') }),
      )
    : [{ name: call, bytes: bytesOf(input as ArrowInput, call) }];
  return sourceOf(await tableOf(call, files, given), given);
}

const dialect: Rules = {
  delimiter: {
    allowed: 'one character, and neither a quote nor a line break',
    accepts: (value) => typeof value === 'string' && /^[^"\r\n]$/.test(value),
  },
  header: boolean,
  nulls: {
    allowed: 'a list of texts',
    accepts: (value) => Array.isArray(value) && value.every((one) => typeof one === 'string'),
  },
  charset: charsetRule,
};

/** Rows of one file with the right number of cells. */
interface Block extends Rows {
  readonly file: string;
  /** The index of the cell for each column. */
  readonly places: readonly number[];
  /** The number of its first row, over all files. */
  readonly first: number;
}

async function tableOf(call: string, files: readonly File[], options: CsvOptions): Promise<Table> {
  const { nulls = [''], charset, signal } = options;
  const missing = new Set(nulls);
  const [{ name, bytes }] = files as [File];
  const stream = await bytes.open(signal);
  const texts = textOf(stream, charset, name);
  let begun: AsyncGenerator<Block> | undefined;
  try {
    const { head, names, ...dialect } = await lookAt(texts, options, name);

    async function* blocks(
      signal: AbortSignal | undefined,
      opened?: AsyncIterable<string>,
    ): AsyncGenerator<Block> {
      let first = 0;
      for (const [i, { name, bytes }] of files.entries()) {
        const pieces = (i === 0 && opened) || textOf(await bytes.open(signal), charset, name);
        for await (const block of blocksOf(pieces, name, dialect, names, first)) {
          yield block;
          first += block.cells.length;
        }
      }
    }

    begun = blocks(signal, prepended([head], texts));
    const looked: Block[] = [];
    const fields = await fieldsOf(names, options, missing, begun, bytes.again ? undefined : looked);
    if (bytes.again) {
      await begun.return(undefined);
      begun = undefined;
    }
    return {
      name: call,
      fields,
      ordered: bytes.again,
      async read(wanted, { signal }): Promise<Read> {
        if (begun) endWith(stream, signal);
        const all = begun ? prepended(looked, begun) : blocks(signal);
        begun = undefined;
        return { skipped: 0, chunks: chunksOf(all, names, wanted, missing) };
      },
      close: async () => {
        await begun?.return(undefined);
      },
    };
  } catch (error) {
    await begun?.return(undefined);
    await texts.return(undefined);
    signal?.throwIfAborted();
    throw error;
  }
}

async function* prepended<T>(items: readonly T[], rest: AsyncGenerator<T>): AsyncGenerator<T> {
  try {
    yield* items;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

/** The checked rows of a file. Errors: DataError with the line. */
async function* blocksOf(
  texts: AsyncIterable<string>,
  file: string,
  { delimiter, header }: Dialect,
  names: readonly string[],
  begin: number,
): AsyncGenerator<Block> {
  const parser = new CsvParser(delimiter, file);
  let [first, places] = [begin, header ? undefined : names.map((_, j) => j)];
  const checked = ({ cells, lines }: Rows): Block => {
    const kept: Rows = { cells: [], lines: [] };
    const block = { ...kept, file, first };
    for (const [i, row] of cells.entries()) {
      // With one column, a blank line is a row whose value is missing.
      if (isBlank(row) && (names.length > 1 || !places)) continue;
      const line = lines[i] as number;
      if (!places) places = placesOf(row, names, file, line);
      else if (row.length === names.length) {
        (kept.cells as string[][]).push(row);
        (kept.lines as number[]).push(line);
      } else {
        const number = first + kept.cells.length;
        throw dataError(
          `${file}: row ${number} has ${row.length} cells, the ${header ? 'header' : 'first row'} has ${names.length}; see line ${line}.`,
          { row: number, line, columns: row.length, expected: names.length },
        );
      }
    }
    first += kept.cells.length;
    return { ...block, places: places ?? [] };
  };
  for await (const text of texts) yield checked(parser.push(text));
  yield checked(parser.end());
}

/** Positions of the columns in a file by its header. Errors: DataError if the columns differ from those of the first file. */
function placesOf(row: readonly string[], names: readonly string[], file: string, line: number): number[] {
  const own = row.map((cell, j) => (cell === '' ? `column${j}` : cell));
  const strange = own.find((name) => !names.includes(name)) ?? names.find((name) => !own.includes(name));
  if (strange === undefined && own.length === names.length) return names.map((name) => own.indexOf(name));
  throw dataError(
    `${file}: the header in line ${line} is not that of the first file: column '${strange ?? own.join()}' is in one of them alone.`,
    { column: strange, line },
  );
}

/** Kinds of the columns that may be read. If rows come only once, `kept` gets the rows that were read for this. */
async function fieldsOf(
  names: readonly string[],
  options: CsvOptions,
  missing: ReadonlySet<string>,
  blocks: AsyncGenerator<Block>,
  kept: Block[] | undefined,
): Promise<readonly Field[]> {
  const known = kindsOf(options);
  const asked = new Set([
    ...(options.encoding ? [] : (options.features ?? names)),
    ...[options.target ?? []].flat(),
  ]);
  const kinds = new Map(
    names.filter((name) => asked.has(name) && !known.has(name)).map((name) => [name, new CellKinds()]),
  );
  for (let rows = 0; kinds.size > 0; ) {
    const unsettled = names.flatMap((name, j) => {
      const of = kinds.get(name);
      return of && (rows < rowsOfKinds || (!of.seen && !kept)) ? [{ j, of }] : [];
    });
    if (unsettled.length === 0) break;
    const { value: block, done } = await blocks.next();
    if (done) break;
    kept?.push(block);
    for (const { j, of } of unsettled) {
      const place = block.places[j] as number;
      for (const [i, row] of block.cells.entries()) {
        if (rows + i >= rowsOfKinds && (of.seen || kept)) break;
        const cell = row[place] as string;
        if (!missing.has(cell)) of.add(cell);
      }
    }
    rows += block.cells.length;
  }
  const unread = { kind: 'number', type: 'not looked at' } as const;
  return names.map((name) => ({ name, ...(known.get(name) ?? kinds.get(name)?.kind ?? unread) }));
}

async function* chunksOf(
  blocks: AsyncIterable<Block>,
  names: readonly string[],
  wanted: readonly Wanted[],
  missing: ReadonlySet<string>,
): AsyncGenerator<Chunk> {
  const columns = wanted.map(({ name }) => names.indexOf(name));
  for await (const block of blocks) {
    if (block.cells.length === 0) continue;
    yield {
      rows: block.cells.length,
      column: (at) =>
        columnOf(block, block.places[columns[at] as number] as number, wanted[at] as Wanted, missing),
    };
  }
}

function columnOf(
  { cells, lines, file, first }: Block,
  place: number,
  { name, as }: Wanted,
  missing: ReadonlySet<string>,
): Column {
  if (as === 'text')
    return cells.map((row) => (missing.has(row[place] as string) ? null : (row[place] as string)));
  const out = new (as === 'float32' ? Float32Array : Float64Array)(cells.length);
  const numbersAreMissing = [...missing].some((text) => numberOf(text) !== undefined && text !== '');
  for (let i = 0; i < out.length; i++) {
    const cell = (cells[i] as string[])[place] as string;
    let value = numberOf(cell);
    // Only cells that can be missing are looked up, since a look-up takes as long as parsing a number.
    if ((numbersAreMissing || value === undefined) && missing.has(cell)) value = Number.NaN;
    const rounded = as === 'float64' && Math.abs(value ?? 0) > Number.MAX_SAFE_INTEGER && digits.test(cell);
    if (value !== undefined && !rounded) out[i] = value;
    else {
      const fault = rounded
        ? 'float64 cannot represent it exactly: cast a label to text, as in sql, and write a quantity with a point'
        : 'should be a number';
      throw dataError(
        `${file}: column '${name}' is '${cell}' in row ${first + i}, and ${fault}; see line ${lines[i]}.`,
        { column: name, row: first + i, line: lines[i], value: cell },
      );
    }
  }
  return out;
}
