// Files and queries through DuckDB, in Node: its scans run on its own threads, and its vectors are read where they lie.

import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { backendError, dataError, messageOf, ofNode, optionError, runtime } from './errors.js';
import { checkOptions, mostCategories, type SourceOptions } from './options.js';
import type { Chunk, Column, Field, Read, ReadControl, Table, Wanted } from './table.js';
import { sourceOf, type TableSource } from './table-source.js';

export interface DuckDbOptions extends SourceOptions {
  /** Settings of DuckDB, such as `{ threads: '2', memory_limit: '1GB' }`. */
  readonly duckdb?: Readonly<Record<string, string>> | undefined;
}

export interface CsvOptions extends DuckDbOptions {
  /** Between cells. Default: found out. */
  readonly delimiter?: string | undefined;
  /** The first row has the names of the columns. Default: found out. */
  readonly header?: boolean | undefined;
  /** Texts that stand for a missing value. Default: the empty one. */
  readonly nulls?: readonly string[] | undefined;
}

export interface SqlOptions extends DuckDbOptions {
  /** A file of DuckDB, opened for reading. Default: none; the query names files. */
  readonly database?: string | undefined;
}

const text = (value: string): string => `'${value.replaceAll("'", "''")}'`;
const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A path with * and ?, or several. Errors: OptionError. */
export function filesOf(files: string | readonly string[], call: string): readonly string[] {
  const list = typeof files === 'string' ? [files] : files;
  if (Array.isArray(list) && list.length > 0 && list.every((file) => typeof file === 'string' && file !== ''))
    return list;
  throw optionError(`${call}: the files should be a path, a pattern with *, or a list of them.`, {
    option: 'files',
  });
}

const listed = (files: readonly string[]): string => `[${files.map(text).join(', ')}]`;
const named = (call: string, files: readonly string[]): string =>
  `${call} '${files[0]}'${files.length > 1 ? ` and ${files.length - 1} more` : ''}`;

/** Rows of Parquet files in the order of their names. */
export async function duckParquet(
  files: string | readonly string[],
  options: DuckDbOptions = {},
): Promise<TableSource> {
  checkOptions(options, 'parquet', ['duckdb']);
  const list = filesOf(files, 'parquet');
  return open(named('parquet', list), `read_parquet(${listed(list)})`, options, { counted: true });
}

/** Rows of CSV files in the order of their names. */
export async function duckCsv(
  files: string | readonly string[],
  options: CsvOptions = {},
): Promise<TableSource> {
  checkOptions(options, 'csv', ['duckdb', 'delimiter', 'header', 'nulls']);
  const list = filesOf(files, 'csv');
  const { delimiter, header, nulls } = options;
  const given = [
    listed(list),
    ...(delimiter === undefined ? [] : [`delim = ${text(delimiter)}`]),
    ...(header === undefined ? [] : [`header = ${header}`]),
    ...(nulls === undefined ? [] : [`nullstr = ${listed(nulls)}`]),
  ];
  return open(named('csv', list), `read_csv(${given.join(', ')})`, options, {});
}

/**
 * Rows of JSON files: one object a line, or an array of objects. Types are those of the first 20,480 rows.
 * Errors: BackendError without @duckdb/node-api; OptionError for files and columns that are not there; DataError while reading.
 */
export async function json(
  files: string | readonly string[],
  options: DuckDbOptions = {},
): Promise<TableSource> {
  checkOptions(options, 'json', ['duckdb']);
  const list = filesOf(files, 'json');
  return open(named('json', list), `read_json(${listed(list)})`, options, {});
}

/**
 * Rows of a query of DuckDB: over files, `SELECT * FROM 'rows/*.parquet' WHERE …`, or tables of `database`. Every iteration
 * runs it anew, so passes and resumption need an ORDER BY wherever the query does not keep the order of files (joins, groups).
 * Errors: as `json`.
 */
export async function sql(query: string, options: SqlOptions = {}): Promise<TableSource> {
  checkOptions(options, 'sql', ['duckdb', 'database']);
  if (typeof query !== 'string' || query.trim() === '')
    throw optionError('sql: the query should be a text with a SELECT.', { option: 'query' });
  const { database } = options;
  return open('sql', `(${query.trim().replace(/;$/, '')})`, options, { database });
}

async function open(
  name: string,
  relation: string,
  options: DuckDbOptions,
  how: { readonly counted?: boolean; readonly database?: string | undefined },
): Promise<TableSource> {
  const call = name.split(' ')[0] as string;
  const { DuckDBInstance } = await runtime(
    () => ofNode<typeof import('@duckdb/node-api')>('@duckdb/node-api'),
    '@duckdb/node-api',
    call,
  );
  const settings = {
    // Extensions that are not in the package would be downloaded.
    autoinstall_known_extensions: 'false',
    ...(how.database === undefined ? {} : { access_mode: 'READ_ONLY' }),
    ...options.duckdb,
  };
  let db: DuckDBInstance;
  try {
    db = await DuckDBInstance.create(how.database ?? ':memory:', settings);
  } catch (error) {
    throw backendError(`${name}: DuckDB does not start: ${messageOf(error)}.`);
  }
  let table: Table;
  try {
    table = await describe(name, relation, db, how.counted ?? false, options.signal);
  } catch (error) {
    db.closeSync();
    options.signal?.throwIfAborted();
    throw optionError(`${name}: DuckDB cannot read this: ${messageOf(error)}.`);
  }
  return sourceOf(table, options);
}

const describe = (
  name: string,
  relation: string,
  db: DuckDBInstance,
  counted: boolean,
  signal: AbortSignal | undefined,
): Promise<Table> =>
  connected(db, signal, async (connection) => {
    const columns = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${relation}`);
    const fields = columns.getRows().map(([column, type]): Field => fieldOf(String(column), String(type)));
    const count = counted ? await connection.runAndReadAll(`SELECT count(*) FROM ${relation}`) : undefined;
    return tableOf(name, relation, db, fields, count && Number(count.getRows()[0]?.[0]));
  });

/** What queries of a connection of their own give; the signal interrupts them. */
async function connected<T>(
  db: DuckDBInstance,
  signal: AbortSignal | undefined,
  ask: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const connection = await db.connect();
  const interrupt = (): void => connection.interrupt();
  signal?.addEventListener('abort', interrupt);
  try {
    return await ask(connection);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', interrupt);
    connection.closeSync();
  }
}

const numbers = /^(FLOAT|DOUBLE|REAL|DECIMAL|HUGEINT|UHUGEINT)/;
const integers = /^(U?(TINY|SMALL|BIG)INT|U?INTEGER|BOOLEAN)$/;
const texts = /^(VARCHAR|UUID|ENUM)/;

const fieldOf = (name: string, type: string): Field => ({
  name,
  type,
  kind: numbers.test(type) ? 'number' : integers.test(type) ? 'integer' : texts.test(type) ? 'text' : 'other',
});

/** NULL becomes NaN in DuckDB's own loops. */
const casts: Readonly<Record<Wanted['as'], (column: string) => string>> = {
  float32: (column) => `ifnull(${column}::FLOAT, 'nan'::FLOAT)`,
  float64: (column) => `ifnull(${column}::DOUBLE, 'nan'::DOUBLE)`,
  text: (column) => `${column}::VARCHAR`,
};

function tableOf(
  name: string,
  relation: string,
  db: DuckDBInstance,
  fields: readonly Field[],
  rowCount: number | undefined,
): Table {
  return {
    name,
    fields,
    rowCount,
    ordered: true,
    async read(wanted, { signal }: ReadControl): Promise<Read> {
      const list = wanted.map(({ name, as }) => casts[as](identifier(name)));
      return { skipped: 0, chunks: chunksOf(name, db, `SELECT ${list.join(', ')} FROM ${relation}`, signal) };
    },
    async distinct(columns, signal) {
      const found: string[][] = [];
      await connected(db, signal, async (connection) => {
        for (const column of columns) {
          const it = identifier(column);
          const query = `SELECT DISTINCT ${it}::VARCHAR FROM ${relation} WHERE ${it} IS NOT NULL`;
          const reader = await connection.runAndReadAll(`${query} LIMIT ${mostCategories + 1}`);
          found.push((reader.getColumns()[0] ?? []).map(String));
        }
      }).catch((error: unknown) => {
        signal?.throwIfAborted();
        throw dataError(`${name}: DuckDB stopped: ${messageOf(error)}.`);
      });
      return found;
    },
    ...(rowCount === undefined
      ? {}
      : {
          // Scans keep the order of rows, so that ranges of it are the same in every one.
          async shards(count: number): Promise<readonly Table[]> {
            return Array.from({ length: count }, (_, i) => {
              const [begin, end] = [i, i + 1].map((k) => Math.round((k * rowCount) / count)) as [
                number,
                number,
              ];
              const part = `(SELECT * FROM ${relation} LIMIT ${end - begin} OFFSET ${begin})`;
              return tableOf(name, part, db, fields, end - begin);
            });
          },
        }),
    close: async () => db.closeSync(),
  };
}

async function* chunksOf(
  name: string,
  db: DuckDBInstance,
  query: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Chunk> {
  const connection = await db.connect();
  const interrupt = (): void => connection.interrupt();
  try {
    signal?.addEventListener('abort', interrupt);
    const result = await connection.stream(query);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return;
      yield { rows: chunk.rowCount, column: (at) => valuesOf(chunk.getColumnVector(at)) };
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw dataError(`${name}: DuckDB stopped: ${messageOf(error)}.`);
  } finally {
    signal?.removeEventListener('abort', interrupt);
    // A result that has not been read to its end holds its files until it is collected; another query ends it.
    await connection.run('SELECT 1').catch(() => undefined);
    connection.closeSync();
  }
}

/** The numbers of a vector where they lie; whatever holds them otherwise says them one by one. */
function valuesOf(vector: { toArray(): unknown[] }): Column {
  const { items } = vector as unknown as { readonly items?: unknown };
  return items instanceof Float32Array || items instanceof Float64Array
    ? items
    : (vector.toArray() as (string | null)[]);
}
