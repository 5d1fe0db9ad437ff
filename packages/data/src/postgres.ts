// Tables and queries of PostgreSQL by binary COPY, all from one snapshot: passes, shards and retries see the same rows.

import { unlessAborted } from '@fkm/core';
import { boolean, integer } from '@fkm/core/internal';
import type { Client } from 'pg';
import { CopyReader } from './copy-binary.js';
import { backendError, dataError, messageOf, ofNode, optionError, runtime } from './errors.js';
import { checkedOptions, mostCategories, type SourceOptions } from './options.js';
import { cutOff, Keeper } from './postgres-keeper.js';
import type { Chunk, Field, Read, ReadControl, Table, Wanted } from './table.js';
import { sourceOf, type TableSource } from './table-source.js';

export interface PostgresOptions extends SourceOptions {
  /** Counts the rows when opening, which takes the server a scan. Default false. */
  readonly countRows?: boolean | undefined;
  /**
   * How often an iteration over a table reconnects after a lost connection, and continues after the last row it has. It waits 50 ms
   * first, then four times as long each time. Queries and views are not retried, since their order is not guaranteed. Default 3.
   */
  readonly retries?: number | undefined;
}

/** The server's address, as `pg` takes it. */
export interface PostgresConnection {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly ssl?: boolean | object;
}

/** 'table', 'schema.table', or a query. */
interface Relation {
  readonly from: string;
  readonly kind: Kind;
}

/** Tables are read in the order of their pages, which is the same in every iteration. Views and foreign tables count as queries. */
type Kind = 'table' | 'partitioned table' | 'view' | 'query';

/** By pg_class.relkind. */
const kinds: Readonly<Record<string, Kind>> = { r: 'table', m: 'table', p: 'partitioned table' };
const isRepeatable = ({ kind }: Relation): boolean => kind === 'table' || kind === 'partitioned table';

interface Server {
  readonly connect: () => Promise<Client>;
  readonly copy: (client: Client, query: string) => AsyncIterable<Uint8Array> & { destroy(): void };
  readonly snapshot: string;
  readonly retries: number;
  readonly keeper: Keeper;
}

const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
/** A word that starts a query, after comments and brackets. */
const isQuery = /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/|\()*(?:select|with|values|table)[\s(]/i;

/**
 * Rows of a PostgreSQL table or query. One snapshot serves all iterations and shards until `close()`; its connection keeps the
 * process alive only while a query runs. Rows of a table come in the order of its pages. Give a query an ORDER BY if passes,
 * shuffling or resuming rely on its order. A run that resumes in another process sees a new snapshot, and continues to the same
 * bits if the rows have not changed. Errors: BackendError without pg and pg-copy-streams, if the server cannot be reached, or if a
 * connection is lost too often; OptionError for tables and columns that do not exist; DataError for values that do not fit.
 */
export async function postgres(
  url: string | PostgresConnection,
  tableOrQuery: string,
  options: PostgresOptions = {},
): Promise<TableSource> {
  const given = checkedOptions(options, 'postgres', { countRows: boolean, retries: integer(0) });
  const { countRows = false, retries = 3 } = given;
  if (typeof tableOrQuery !== 'string' || tableOrQuery.trim() === '')
    throw optionError('postgres: the second argument should be a table or a query.', {
      option: 'tableOrQuery',
    });
  const packages = 'pg pg-copy-streams';
  const { default: pg } = await runtime(() => ofNode<typeof import('pg')>('pg'), packages, 'postgres');
  const copies = await runtime(
    () => ofNode<typeof import('pg-copy-streams')>('pg-copy-streams'),
    packages,
    'postgres',
  );
  const connect = async (): Promise<Client> => {
    const client = new pg.Client(typeof url === 'string' ? { connectionString: url } : url);
    // Errors between queries are reported by the next query.
    client.on('error', () => undefined);
    try {
      await client.connect();
    } catch (error) {
      throw backendError(`postgres: the server cannot be reached: ${messageOf(error)}.`, {
        code: codeOf(error),
      });
    }
    return client;
  };
  const copy: Server['copy'] = (client, query) => client.query(copies.to(query, { highWaterMark: 1 << 20 }));
  const { signal } = given;
  signal?.throwIfAborted();
  const connecting = connect();
  const keeper = new Keeper(
    await unlessAborted(connecting, signal).catch((error: unknown) => {
      connecting.then(cutOff).catch(() => undefined);
      throw error;
    }),
  );
  const open = async (): Promise<TableSource> => {
    await begin(keeper);
    const { rows } = await keeper.query('SELECT pg_export_snapshot() AS snapshot');
    const server: Server = { connect, copy, retries, keeper, snapshot: String(rows[0]?.snapshot) };
    const relation = await relationOf(keeper, tableOrQuery);
    const fields = await fieldsOf(keeper, relation);
    const count = countRows ? await keeper.query(`SELECT count(*) AS rows FROM ${relation.from}`) : undefined;
    return sourceOf(tableOf(server, relation, fields, count && Number(count.rows[0]?.rows)), given);
  };
  const cut = (): void => keeper.cut();
  signal?.addEventListener('abort', cut);
  try {
    return await open();
  } catch (error) {
    await keeper.end();
    signal?.throwIfAborted();
    if (codeOf(error) === undefined || (error as { kind?: string }).kind !== undefined) throw error;
    throw optionError(`postgres: the server refuses this: ${messageOf(error)}.`, { code: codeOf(error) });
  } finally {
    signal?.removeEventListener('abort', cut);
  }
}

/** Runs queries: a connection for rows, or the one that holds the snapshot. */
type Asking = Pick<Keeper, 'query'>;

const codeOf = (error: unknown): string | undefined => (error as { readonly code?: string } | null)?.code;

async function relationOf(client: Asking, tableOrQuery: string): Promise<Relation> {
  // A newline before the bracket, since the last line may end in a comment.
  if (isQuery.test(tableOrQuery))
    return { kind: 'query', from: `(${tableOrQuery.trim().replace(/;$/, '')}\n) AS rows_of_query` };
  const from = tableOrQuery.split('.').map(identifier).join('.');
  const { rows } = await client.query('SELECT relkind FROM pg_class WHERE oid = $1::regclass', [from]);
  return { kind: kinds[String(rows[0]?.relkind)] ?? 'view', from };
}

/** Starts a transaction whose scans start at the first page, in one process of the server. */
async function begin(client: Asking): Promise<void> {
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query('SET LOCAL synchronize_seqscans = off');
  await client.query('SET LOCAL max_parallel_workers_per_gather = 0');
}

/** Reads a table in the order of its pages; an index scan, which VACUUM makes attractive, has another order. */
async function byPages(client: Asking): Promise<void> {
  for (const way of ['indexscan', 'indexonlyscan', 'bitmapscan'])
    await client.query(`SET LOCAL enable_${way} = off`);
}

const numbers = ['float4', 'float8', 'numeric'];
const integers = ['int2', 'int4', 'int8', 'bool'];
const texts = ['text', 'varchar', 'bpchar', 'name', 'uuid', 'char'];

/** The scale of numeric(precision, scale), from its modifier; undefined for a plain numeric. */
const scaleOf = (modifier: number): number | undefined =>
  modifier < 4 ? undefined : (((modifier - 4) & 0x7ff) ^ 1024) - 1024;

async function fieldsOf(client: Asking, { from }: Relation): Promise<Field[]> {
  const { fields } = await client.query(`SELECT * FROM ${from} LIMIT 0`);
  const oids = fields.map(({ dataTypeID }) => dataTypeID);
  const { rows } = await client.query(
    'SELECT oid::int8::text, typname, typtype FROM pg_type WHERE oid = ANY($1)',
    [oids],
  );
  const types = new Map(rows.map(({ oid, typname, typtype }) => [Number(oid), { typname, typtype }]));
  return fields.map(({ name, dataTypeID, dataTypeModifier }): Field => {
    const { typname: type, typtype } = types.get(dataTypeID) as { typname: string; typtype: string };
    const is = (kinds: readonly string[]): boolean => kinds.includes(type);
    return {
      name,
      type,
      kind: is(numbers)
        ? 'number'
        : is(integers)
          ? 'integer'
          : is(texts) || typtype === 'e'
            ? 'text'
            : 'other',
      scale: is(integers) ? 0 : type === 'numeric' ? scaleOf(dataTypeModifier) : undefined,
    };
  });
}

function tableOf(
  server: Server,
  relation: Relation,
  fields: readonly Field[],
  rowCount: number | undefined,
  where = '',
): Table {
  const kinds = new Map(fields.map(({ name, type }) => [name, type]));
  const cast = ({ name, as }: Wanted): string => {
    const column = identifier(name);
    if (as === 'text') return `${column}::text`;
    // PostgreSQL casts a bool to a number only through an integer.
    return `${column}${kinds.get(name) === 'bool' ? '::int' : ''}::${as === 'float32' ? 'float4' : 'float8'}`;
  };
  return {
    name: 'postgres',
    fields,
    rowCount,
    async read(wanted, { skip, signal }: ReadControl): Promise<Read> {
      const list = wanted.map(cast).join(', ');
      const query = `COPY (SELECT ${list} FROM ${relation.from}${where}) TO STDOUT (FORMAT binary)`;
      return { skipped: skip, chunks: retried(server, relation, query, wanted, skip, signal) };
    },
    async distinct(columns) {
      // One scan for all columns. With one row more than all columns may have, some column must have too many.
      const values = columns.map((name, i) => `(${i}, ${identifier(name)}::text)`).join(', ');
      const { rows } = await server.keeper.query(
        `SELECT DISTINCT place, text FROM ${relation.from}, LATERAL (VALUES ${values}) AS texts(place, text)
         WHERE text IS NOT NULL LIMIT ${columns.length * mostCategories + 1}`,
      );
      const found: string[][] = columns.map(() => []);
      for (const { place, text } of rows) found[place]?.push(String(text));
      return found;
    },
    ...(relation.kind !== 'query' && where === ''
      ? { shards: (count: number) => shardsOf(server, relation, fields, count) }
      : {}),
    close: () => server.keeper.end(),
  };
}

/** Ranges of pages, which the server finds without reading the others. */
async function shardsOf(
  server: Server,
  relation: Relation,
  fields: readonly Field[],
  count: number,
): Promise<readonly Table[]> {
  if (relation.kind !== 'table') {
    throw optionError(
      `postgres: ${relation.from} has no pages of its own to divide by; make a source of each part.`,
    );
  }
  const pages = await server.keeper
    .query(`SELECT pg_relation_size($1::regclass) / current_setting('block_size')::int AS pages`, [
      relation.from,
    ])
    .then(({ rows }) => Number(rows[0]?.pages), lostSnapshot);
  const at = (i: number): string => `'(${Math.round((i * pages) / count)},0)'::tid`;
  return Array.from({ length: count }, (_, i) => {
    const bounds = [
      ...(i > 0 ? [`ctid >= ${at(i)}`] : []),
      ...(i + 1 < count ? [`ctid < ${at(i + 1)}`] : []),
    ];
    const where = bounds.length > 0 ? ` WHERE ${bounds.join(' AND ')}` : ' WHERE true';
    return tableOf(server, relation, fields, undefined, where);
  });
}

/** Errors: always BackendError, since the snapshot's rows can no longer be read. */
function lostSnapshot(error: unknown): never {
  throw backendError(
    `postgres: the connection that holds the snapshot is gone (${messageOf(error)}); open the source anew.`,
    { code: codeOf(error) },
  );
}

/** Whether the connection was lost, or the server stopped or is restarting (SQLSTATE classes 08 and 57P). */
const isCut = (error: unknown): boolean => {
  // If no connection could be made, the code is in the details.
  const code = codeOf(error) ?? codeOf((error as { readonly details?: unknown } | null)?.details);
  if (code !== undefined && /^(08|57P)/.test(code)) return true;
  return (
    error instanceof Cut ||
    (code !== undefined && /^E[A-Z]+$/.test(code)) ||
    /terminated/.test(messageOf(error))
  );
};

/** The bytes ended before the rows did. */
class Cut extends Error {}

/** Milliseconds before the first retry; each later pause is four times as long. */
const firstPause = 50;

/** The chunks after the first `skip` rows. Each row comes once, however often the connection is lost. */
async function* retried(
  server: Server,
  relation: Relation,
  query: string,
  wanted: readonly Wanted[],
  skip: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Chunk> {
  let given = skip;
  const retries = isRepeatable(relation) ? server.retries : 0;
  for (let tried = 0; ; tried++) {
    try {
      for await (const chunk of copied(server, relation, query, wanted, given, signal)) {
        given += chunk.rows;
        yield chunk;
      }
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (!isCut(error)) {
        if (codeOf(error) === undefined || (error as { kind?: string }).kind !== undefined) throw error;
        throw dataError(`postgres: the server stopped: ${messageOf(error)}.`, {
          code: codeOf(error),
          row: given,
        });
      }
      if (tried < retries) {
        const timers = await ofNode<typeof import('node:timers/promises')>('node:timers/promises');
        await timers.setTimeout(firstPause * 4 ** tried, undefined, { signal }).catch(() => undefined);
        signal?.throwIfAborted();
        continue;
      }
      const remedy = isRepeatable(relation)
        ? `${retries} retries did not help`
        : `a ${relation.kind} is not retried: name a table, or resume from a checkpoint`;
      throw backendError(
        `postgres: the connection was cut behind row ${given} (${messageOf(error)}); ${remedy}.`,
        {
          code: codeOf(error),
          row: given,
        },
      );
    }
  }
}

async function* copied(
  server: Server,
  relation: Relation,
  query: string,
  wanted: readonly Wanted[],
  drop: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Chunk> {
  const client = await server.connect();
  let whole = false;
  const cut = (): void => cutOff(client);
  signal?.addEventListener('abort', cut);
  try {
    await begin(client);
    await client
      .query(`SET TRANSACTION SNAPSHOT '${server.snapshot}'`)
      .catch((error) => (isCut(error) ? Promise.reject(error) : lostSnapshot(error)));
    if (isRepeatable(relation)) await byPages(client);
    const reader = new CopyReader(wanted, drop);
    for await (const bytes of server.copy(client, query)) yield* reader.push(bytes);
    if (!reader.ended) throw new Cut('the rows end without their trailer');
    yield* reader.end();
    whole = true;
  } finally {
    signal?.removeEventListener('abort', cut);
    // A COPY that is still sending rows cannot be ended politely.
    if (whole) await client.end().catch(() => undefined);
    else cut();
  }
}
