// PostgreSQL against a real server: types, snapshots, shards, and connections that are cut while rows come.

import { isFkmError } from '@fkm/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { postgres } from './index.js';
import { hasPostgres, startPostgres, type TestServer } from './postgres-server.js';
import { everything, expectError } from './testing.js';

let server: TestServer;
const n = 120_000;

const installed = hasPostgres();
beforeAll(async () => {
  if (!installed) return;
  server = await startPostgres();
  await server.query(`CREATE TABLE numbered AS
    SELECT i AS id, i / 4.0::float8 AS a, (i % 7)::int2 AS b, i % 3 = 0 AS third, (i * 2)::numeric AS y,
      CASE WHEN i % 5 = 0 THEN NULL ELSE i::float4 END AS hole,
      (ARRAY['red', 'grün', 'blue'])[i % 3 + 1] AS colour, now() AS stamp
    FROM generate_series(0, ${n - 1}) t(i)`);
});
afterAll(() => server?.stop());

const table = (options = {}, relation = 'numbered') => postgres(server.connection, relation, options);
const count = (length: number): number[] => Array.from({ length }, (_, i) => i);

describe.runIf(installed)('postgres', () => {
  it('gives numbers, bools and texts in the order of the table, as often as it is asked', async () => {
    const source = await table({ features: ['a', 'b', 'third', 'colour'], target: 'id', countRows: true });
    expect(source.rowCount).toBe(n);
    expect(source.columns).toEqual(['a', 'b', 'third', 'colour=blue', 'colour=grün', 'colour=red']);
    for (let pass = 0; pass < 2; pass++) {
      const { X, y } = await everything(source);
      expect(y).toEqual(count(n));
      const expected = (i: number) => [
        i / 4,
        i % 7,
        Number(i % 3 === 0),
        i % 3 === 2,
        i % 3 === 1,
        i % 3 === 0,
      ];
      for (const i of [0, 1, 2, 77_777, n - 1]) expect(X[i]).toEqual(expected(i).map(Number));
    }
    await source.close();
  });

  it('gives labels with all their letters, and masks what is NULL', async () => {
    const source = await table({ features: ['hole', 'y'], target: 'colour', missing: 'mask' });
    const { X, y, mask } = await everything(source);
    expect(y.slice(0, 4)).toEqual(['red', 'grün', 'blue', 'red']);
    expect(mask.slice(0, 6).map(([hole]) => hole)).toEqual([0, 1, 1, 1, 1, 0]);
    expect(X[4]).toEqual([4, 8]);
    await source.close();
    const strict = await table({ features: ['hole'] });
    await expectError(() => everything(strict), 'data', "column 'hole' is missing in row 0");
    await strict.close();
  });

  it('reads queries, schemas and strange names', async () => {
    await server.query('CREATE SCHEMA "Odd"; CREATE TABLE "Odd"."Ta ble" AS SELECT 1.5 AS "X""y", 2 AS b');
    const odd = await table({}, 'Odd.Ta ble');
    expect([odd.columns, (await everything(odd)).X]).toEqual([['X"y', 'b'], [[1.5, 2]]]);
    await odd.close();
    const query = await table({ target: 'id' }, 'SELECT id, a FROM numbered WHERE id < 3 ORDER BY id DESC;');
    expect((await everything(query)).y).toEqual([2, 1, 0]);
    await query.close();
  });

  it('gives the rows of its snapshot in every pass, whatever is written meanwhile', async () => {
    await server.query('CREATE TABLE moving AS SELECT i AS id FROM generate_series(0, 999) t(i)');
    const source = await table({ batchRows: 100 }, 'moving');
    expect((await everything(source)).X.flat()).toEqual(count(1000));
    await server.query('DELETE FROM moving WHERE id < 500; INSERT INTO moving VALUES (5000)');
    expect((await everything(source)).X.flat()).toEqual(count(1000));
    const shards = await source.shards(3);
    expect((await Promise.all(shards.map(everything))).flatMap(({ X }) => X.flat())).toEqual(count(1000));
    await source.close();
  });

  it('divides a table by its pages, without gap or overlap, while the server reads each page once', async () => {
    const source = await table({ features: ['id'] });
    for (const parts of [1, 2, 7]) {
      const all = await Promise.all((await source.shards(parts)).map((shard) => everything(shard)));
      expect(all.every(({ X }) => X.length > 0)).toBe(true);
      expect(all.flatMap(({ X }) => X.flat())).toEqual(count(n));
    }
    await source.close();
    const query = await table({}, 'SELECT id FROM numbered');
    await expectError(() => query.shards(2), 'option', 'cannot be divided');
    await query.close();
    await server.query('CREATE VIEW seen AS SELECT id FROM numbered');
    const view = await table({}, 'seen');
    await expectError(() => view.shards(2), 'option', 'no pages of its own');
    await view.close();
  });

  it('begins at any batch', async () => {
    const source = await table({ features: ['id'], batchRows: 1000 });
    expect((await everything(source.from(117))).X.flat()).toEqual(count(n).slice(117_000));
    await source.close();
  });

  it('closes its connections when a reader stops early, and when it is closed', async () => {
    const connections = async (): Promise<unknown> =>
      (
        await server.query(
          `SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend'`,
        )
      )[0]?.n;
    const before = await connections();
    const source = await table({ features: ['id'], batchRows: 100 });
    for await (const { X } of source) if (X.data[0] === 300) break;
    await source.close();
    await expect.poll(connections).toBe(before);
  });
});

describe.runIf(installed)('a connection that is cut', () => {
  /** Terminates whoever copies at the moment. */
  const cut = async (): Promise<number> =>
    (
      await server.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%' AND pid <> pg_backend_pid()`,
      )
    ).length;

  it('is opened again for a table, with each row once and in order', async () => {
    const source = await table({ features: ['a'], target: 'id', batchRows: 1000, prefetch: 0 });
    const seen: number[] = [];
    let cuts = 0;
    for await (const { y } of source) {
      seen.push(...(y as Float64Array));
      if ([2, 30, 60].includes(seen.length / 1000)) cuts += await cut();
    }
    // The server may have sent the last rows before its third.
    expect(cuts).toBeGreaterThan(1);
    expect(seen).toEqual(count(n));
    await source.close();
  });

  it('keeps the page order even if an index covers all columns', async () => {
    await server.query(`CREATE TABLE indexed AS
      SELECT i * 7919 % ${n} AS id, repeat('x', 200) AS wide FROM generate_series(0, ${n - 1}) t(i)`);
    await server.query('ALTER TABLE indexed ADD PRIMARY KEY (id)');
    const source = await table({ target: 'id', features: ['id'], batchRows: 1000, prefetch: 0 }, 'indexed');
    const seen: number[] = [];
    let cuts = 0;
    for await (const { y } of source) {
      seen.push(...(y as Float64Array));
      if (seen.length !== 5000) continue;
      cuts += await cut();
      // From here on the planner would read the index alone.
      await server.query('VACUUM ANALYZE indexed');
    }
    expect(cuts).toBe(1);
    expect(seen).toEqual(count(n).map((i) => (i * 7919) % n));
    await source.close();
  });

  it('says that the rows are gone with the connection that held them', async () => {
    const source = await table({ features: ['id'], batchRows: 1000, prefetch: 0 });
    const others = `pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;
    await server.query(`SELECT pg_terminate_backend(pid) FROM ${others}`);
    // It only sends a signal.
    await expect.poll(() => server.query(`SELECT pid FROM ${others}`)).toEqual([]);
    for (const call of [() => everything(source), () => source.shards(2)])
      await expectError(call, 'backend', 'open the source anew');
    await source.close();
  });

  it('is an error for a query, for a view, and if it is lost too often', async () => {
    await server.query('CREATE VIEW viewed AS SELECT a, id FROM numbered');
    for (const [relation, options, says] of [
      ['-- all\n(SELECT a, id FROM numbered) -- of them', {}, 'a query is not retried'],
      ['viewed', {}, 'a view is not retried'],
      ['numbered', { retries: 1 }, '1 retries did not help'],
    ] as const) {
      const source = await table(
        { features: ['a'], target: 'id', batchRows: 1000, prefetch: 0, ...options },
        relation,
      );
      const seen: number[] = [];
      let caught: unknown;
      try {
        for await (const { y } of source) {
          seen.push(...(y as Float64Array));
          if (seen.length % 2000 === 0) await cut();
        }
      } catch (error) {
        caught = error;
      }
      if (!isFkmError(caught)) throw caught;
      expect(caught.kind).toBe('backend');
      expect(caught.message).toContain(says);
      // What came before it came once.
      expect(seen).toEqual(count(seen.length));
      await source.close();
    }
  });
});

it.runIf(installed).each<[string, () => unknown, 'option' | 'backend' | 'data', string]>([
  ['a server that is not there', () => postgres({ host: '/nowhere' }, 't'), 'backend', 'cannot be reached'],
  ['a table that is not there', () => table({}, 'nothing'), 'option', 'relation "nothing" does not exist'],
  ['no table', () => table({}, ' '), 'option', 'should be a table or a query'],
  ['a column that is no number', () => table({ features: ['stamp'] }), 'option', 'whose type is timestamptz'],
  ['an unknown option', () => table({ tables: 1 }), 'option', 'there is no option tables'],
  ['half a retry', () => table({ retries: 0.5 }), 'option', 'retries is 0.5'],
  ['a number that float32 has not', () => table({}, 'SELECT 1e300::float8 AS a'), 'data', 'out of range'],
])('refuses %s', (_, call, kind, says) => expectError(call, kind, says));
