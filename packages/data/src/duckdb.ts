// Files and queries through DuckDB, in Node: scans run on its threads, and its vectors are read in place.

import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { objectOf, text } from '@fkm/core/internal';
import { spelledOut } from './duckdb-query.js';
import { kindsOf } from './encoding.js';
import { backendError, dataError, messageOf, ofNode, optionError, runtime } from './errors.js';
import { filesOf, named } from './files.js';
import { checkedOptions, comesTwice, type SourceOptions } from './options.js';
import type { Chunk, Column, Field, Read, ReadControl, Table, Wanted } from './table.js';
import { sourceOf, type TableSource } from './table-source.js';

export interface DuckDbOptions extends SourceOptions {
  /** Settings of DuckDB, such as `{ threads: '2', memory_limit: '1GB' }`. */
  readonly duckdb?: Readonly<Record<string, string>> | undefined;
}

export interface SqlOptions extends DuckDbOptions {
  /** A DuckDB file, opened for reading. Default: none; the query names files. */
  readonly database?: string | undefined;
}

const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`;
const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;

const listed = (files: readonly string[]): string => `[${files.map(literal).join(', ')}]`;

const settings = objectOf('an object of texts', (value) =>
  Object.values(value).every((one) => typeof one === 'string'),
);

/** Rows of Parquet files, in the order of their names; a column with several types gets the widest. */
export async function duckParquet(
  files: string | readonly string[],
  options: DuckDbOptions = {},
): Promise<TableSource> {
  const given = checkedOptions(options, 'parquet', { duckdb: settings });
  const list = filesOf(files, 'parquet');
  const name = named('parquet', list);
  return open(name, given, {}, async (connection) => {
    // Folder names are not columns.
    const from = `read_parquet(${listed(list)}, union_by_name = true, hive_partitioning = false)`;
    const { lacking, broad } = await schemasOf(connection, list, name);
    const fields = (await fieldsOf(connection, `SELECT * FROM ${from}`, name)).map((field) =>
      broad.has(field.name.toLowerCase())
        ? {
            ...field,
            kind: 'other' as const,
            type: 'DECIMAL of more than 38 digits, which a Blob of the file gives',
          }
        : field,
    );
    const [[rowCount] = []] = (await connection.runAndReadAll(`SELECT count(*) FROM ${from}`)).getRows();
    return { from, fields, rowCount: Number(rowCount), lacking };
  });
}

/** What DuckDB does not report about columns; names are in lower case. */
interface Schemas {
  /** Columns missing in some file, with that file: DuckDB would fill them with NULL. */
  readonly lacking: ReadonlyMap<string, string>;
  /** Decimals too wide for DuckDB, which would read other numbers. */
  readonly broad: ReadonlySet<string>;
}

/** Errors: DataError for a duplicate name in a file, which DuckDB would change. */
async function schemasOf(
  connection: DuckDBConnection,
  files: readonly string[],
  call: string,
): Promise<Schemas> {
  const schemas = await connection.runAndReadAll(
    `SELECT file_name, name, coalesce(num_children, 0)::INTEGER, coalesce(precision, 0)::INTEGER FROM parquet_schema(${listed(files)})`,
  );
  const byFile = new Map<string, Map<string, string>>();
  const broad = new Set<string>();
  // The schema is in depth-first order: fields after a group belong to it.
  let [root, inner] = ['', 0];
  for (const row of schemas.getRows()) {
    const [file, name, children, precision] = row as [string, string, number, number];
    if (inner > 0) inner += children - 1;
    else if (file !== root) {
      root = file;
      byFile.set(file, new Map());
    } else {
      const [own, key] = [byFile.get(file) as Map<string, string>, name.toLowerCase()];
      const before = own.get(key);
      if (before !== undefined) throw comesTwice(`${call}, file '${file}'`, name, before);
      own.set(key, name);
      if (precision > 38) broad.add(key);
      inner = children;
    }
  }
  const all = new Set([...byFile.values()].flatMap((names) => [...names.keys()]));
  const lacking = [...byFile].flatMap(([file, names]) =>
    [...all].filter((name) => !names.has(name)).map((name) => [name, file] as const),
  );
  return { lacking: new Map(lacking), broad };
}

/**
 * Rows of JSON files: one object a line, or an array of objects. Types follow from all rows; columns of `encoding` keep their
 * kinds. Errors: BackendError without @duckdb/node-api; OptionError for missing files and columns; DataError while reading.
 */
export async function json(
  files: string | readonly string[],
  options: DuckDbOptions = {},
): Promise<TableSource> {
  const given = checkedOptions(options, 'json', { duckdb: settings });
  const list = filesOf(files, 'json');
  const name = named('json', list);
  const known = kindsOf(given);
  return open(name, given, {}, async (connection) => {
    const look =
      'sample_size = -1, maximum_sample_files = -1, union_by_name = true, hive_partitioning = false';
    const found = await fieldsOf(connection, `SELECT * FROM read_json(${listed(list)}, ${look})`, name);
    const types = found.map(({ name, kind, type }) => {
      const own = known.get(name)?.kind;
      // A text stays as written, even if it looks like another type.
      if (own === 'text' || (type === 'UUID' && own === undefined)) return 'VARCHAR';
      return own === 'number' && kind !== 'number' && kind !== 'integer' ? 'DOUBLE' : type;
    });
    // With explicit types, later readings need not scan all rows again.
    const columns = found.map(({ name }, j) => `${literal(name)}: ${literal(types[j] as string)}`);
    return {
      from: `read_json(${listed(list)}, columns = {${columns.join(', ')}}, hive_partitioning = false)`,
      fields: found.map(({ name }, j) => fieldOf(name, types[j] as string)),
    };
  });
}

/**
 * Rows of a DuckDB query: over files, `SELECT * FROM 'rows/*.parquet' WHERE …`, or over tables of `database`. Every iteration runs
 * the query again, so repeated passes and resumed runs need an ORDER BY if the query does not keep the order of files (joins,
 * groups). Files are read as by `csv`, `json` and `parquet`, unless the query gives options in read_csv and the like. Errors: as
 * `json`.
 */
export async function sql(query: string, options: SqlOptions = {}): Promise<TableSource> {
  const given = checkedOptions(options, 'sql', { duckdb: settings, database: text });
  if (typeof query !== 'string' || query.trim() === '')
    throw optionError('sql: the query should be a text with a SELECT.', { option: 'query' });
  const { database } = given;
  return open('sql', given, { database }, async (connection) => {
    const texts = [...kindsOf(given)].flatMap(([name, { kind }]) => (kind === 'text' ? [name] : []));
    const own = await spelledOut(connection, query.trim().replace(/;$/, ''), texts);
    for (const file of own.parquet) {
      const { broad } = await schemasOf(connection, [file], 'sql');
      for (const column of broad)
        throw dataError(
          `sql: column '${column}' of '${file}' is a DECIMAL of more than 38 digits, which DuckDB reads as another number; read a Blob of the file.`,
          { column },
        );
    }
    return { from: `(${own.query}\n)`, fields: await fieldsOf(connection, own.query, 'sql') };
  });
}

/** The text after FROM, and what is known about it. */
interface Relation {
  readonly from: string;
  readonly fields: readonly Field[];
  readonly rowCount?: number | undefined;
  /** Columns missing in some file, in lower case, with that file. */
  readonly lacking?: ReadonlyMap<string, string> | undefined;
}

async function open(
  name: string,
  options: DuckDbOptions,
  { database }: { readonly database?: string | undefined },
  describe: (connection: DuckDBConnection) => Promise<Relation>,
): Promise<TableSource> {
  const call = name.split(' ')[0] as string;
  const { DuckDBInstance } = await runtime(
    () => ofNode<typeof import('@duckdb/node-api')>('@duckdb/node-api'),
    '@duckdb/node-api',
    call,
  );
  const settings = {
    // DuckDB would download extensions that are not part of the package.
    autoinstall_known_extensions: 'false',
    ...(database === undefined ? {} : { access_mode: 'READ_ONLY' }),
    ...options.duckdb,
  };
  let db: DuckDBInstance;
  try {
    db = await DuckDBInstance.create(database ?? ':memory:', settings);
  } catch (error) {
    throw backendError(`${name}: DuckDB does not start: ${messageOf(error)}.`);
  }
  let table: Table;
  try {
    table = tableOf(name, db, await connected(db, options.signal, describe));
  } catch (error) {
    db.closeSync();
    options.signal?.throwIfAborted();
    if ((error as { kind?: string }).kind !== undefined) throw error;
    throw optionError(`${name}: DuckDB cannot read this: ${messageOf(error)}.`);
  }
  return sourceOf(table, options);
}

/** The result of queries on their own connection; the signal interrupts them. */
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
  } finally {
    signal?.removeEventListener('abort', interrupt);
    connection.closeSync();
  }
}

/** The columns of a query. Errors: DataError for two columns that DuckDB does not distinguish. */
async function fieldsOf(connection: DuckDBConnection, query: string, call: string): Promise<Field[]> {
  const rows = (await connection.runAndReadAll(`DESCRIBE ${query}`)).getRows();
  const fields = rows.map(([column, type]) => fieldOf(String(column), String(type)));
  const names = new Map<string, string>();
  for (const { name } of fields) {
    const before = names.get(name.toLowerCase());
    if (before !== undefined) throw comesTwice(call, name, before);
    names.set(name.toLowerCase(), name);
  }
  return fields;
}

const numbers = /^(FLOAT|DOUBLE|REAL|DECIMAL)/;
const integers = /^(U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|BOOLEAN)$/;
const decimal = /^DECIMAL\(\d+,(\d+)\)$/;
const texts = /^(VARCHAR|UUID|ENUM)/;

function scaleOf(type: string): number | undefined {
  const digits = decimal.exec(type)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

const fieldOf = (name: string, type: string): Field => ({
  name,
  type,
  kind: numbers.test(type) ? 'number' : integers.test(type) ? 'integer' : texts.test(type) ? 'text' : 'other',
  scale: integers.test(type) ? 0 : scaleOf(type),
});

/** NULL becomes NaN inside DuckDB. */
const casts: Readonly<Record<Wanted['as'], (column: string) => string>> = {
  float32: (column) => `ifnull(${column}::FLOAT, 'nan'::FLOAT)`,
  float64: (column) => `ifnull(${column}::DOUBLE, 'nan'::DOUBLE)`,
  text: (column) => `${column}::VARCHAR`,
};

function tableOf(name: string, db: DuckDBInstance, relation: Relation): Table {
  const { from, fields, rowCount, lacking } = relation;
  return {
    name,
    fields,
    rowCount,
    ordered: true,
    async read(wanted, { signal }: ReadControl): Promise<Read> {
      for (const { name: column } of wanted) {
        const file = lacking?.get(column.toLowerCase());
        if (file !== undefined)
          throw dataError(
            `${name}: file '${file}' has no column '${column}'; leave the file or the column out.`,
            {
              column,
              file,
            },
          );
      }
      const list = wanted.map(({ name, as }) => casts[as](identifier(name)));
      return { skipped: 0, chunks: chunksOf(name, db, `SELECT ${list.join(', ')} FROM ${from}`, signal) };
    },
    ...(rowCount === undefined
      ? {}
      : {
          // Scans keep the order of rows, so ranges are the same in every scan.
          async shards(count: number): Promise<readonly Table[]> {
            return Array.from({ length: count }, (_, i) => {
              const [begin, end] = [i, i + 1].map((k) => Math.round((k * rowCount) / count)) as [
                number,
                number,
              ];
              const part = `(SELECT * FROM ${from} LIMIT ${end - begin} OFFSET ${begin})`;
              return tableOf(name, db, { ...relation, from: part, rowCount: end - begin });
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
    // A partly read result keeps its files open until it is collected; another query ends it.
    await connection.run('SELECT 1').catch(() => undefined);
    connection.closeSync();
  }
}

/** The numbers of a vector as a view; vectors in another form are converted one by one. */
function valuesOf(vector: { toArray(): unknown[] }): Column {
  const { items } = vector as unknown as { readonly items?: unknown };
  return items instanceof Float32Array || items instanceof Float64Array
    ? items
    : (vector.toArray() as (string | null)[]);
}
