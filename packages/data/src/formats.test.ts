// Every format gives the same rows: written by DuckDB, apache-arrow or by hand, read back through this package.

import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { Dictionary, Float64, Int32, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  arrow,
  csv,
  fromBatches,
  fromIterable,
  json,
  parquet,
  type SourceOptions,
  sql,
  type TableSource,
} from './index.js';
import { batchesOf, duckdb, everything, expectError, temporaryFolder } from './testing.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

const rows = Array.from({ length: 2500 }, (_, i) => ({
  a: i / 4,
  b: i % 7,
  colour: ['red', 'green', 'blue'][i % 3] as string,
  y: i * 2,
  w: 1 + (i % 2),
}));
const query = `SELECT i / 4 AS a, (i % 7)::INTEGER AS b, ['red', 'green', 'blue'][i % 3 + 1] AS colour, (i * 2)::DOUBLE AS y,
  (1 + i % 2)::FLOAT AS w FROM range(2500) t(i)`;

const columns = <K extends keyof (typeof rows)[0]>(name: K): (typeof rows)[0][K][] =>
  rows.map((row) => row[name]);
const ipc = (type: 'stream' | 'file'): Uint8Array =>
  tableToIPC(
    new Table({
      a: vectorFromArray(columns('a'), new Float64()),
      b: vectorFromArray(columns('b'), new Int32()),
      colour: vectorFromArray(columns('colour'), new Dictionary(new Utf8(), new Int32())),
      y: vectorFromArray(columns('y'), new Float64()),
      w: vectorFromArray(columns('w'), new Float64()),
    }),
    type,
  );

let server: Server;
let base = '';
const ranges: string[] = [];

beforeAll(async () => {
  await duckdb(`COPY (${query}) TO '${at('rows.parquet')}' (FORMAT parquet, ROW_GROUP_SIZE 2048)`);
  for (const [i, where] of ['i < 1000', 'i >= 1000'].entries())
    await duckdb(`COPY (${query} WHERE ${where}) TO '${at(`part${i}.parquet`)}' (FORMAT parquet)`);
  await duckdb(`COPY (${query}) TO '${at('rows.csv')}' (FORMAT csv, HEADER)`);
  await duckdb(`COPY (${query}) TO '${at('rows.json')}' (FORMAT json)`);
  writeFileSync(at('rows.arrow'), ipc('stream'));
  server = createServer((request, response) => {
    const bytes = readFileSync(at((request.url as string).slice(1)));
    const { range } = request.headers;
    if (range) ranges.push(range);
    const [, begin, end] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
    if (request.method === 'HEAD' || begin === undefined) {
      response.writeHead(200, { 'content-length': bytes.length, 'accept-ranges': 'bytes' });
      response.end(request.method === 'HEAD' ? undefined : bytes);
      return;
    }
    const part = bytes.subarray(Number(begin), end ? Number(end) + 1 : undefined);
    response.writeHead(206, {
      'content-length': part.length,
      'content-range': `bytes ${begin}-${Number(begin) + part.length - 1}/${bytes.length}`,
    });
    response.end(part);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterAll(() => server.close());

const pieces = (bytes: Uint8Array, size: number) =>
  async function* () {
    for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
  };

const sources: Readonly<Record<string, (options: SourceOptions) => Promise<TableSource>>> = {
  parquet: (options) => parquet(at('rows.parquet'), options),
  'parquet of several files': (options) => parquet(at('part*.parquet'), options),
  'parquet by ranges of HTTP': (options) => parquet(`${base}/rows.parquet`, options),
  'parquet of a blob': (options) => parquet(new Blob([readFileSync(at('rows.parquet'))]), options),
  csv: (options) => csv(at('rows.csv'), options),
  'csv of a URL': (options) => csv(new URL(`${base}/rows.csv`), options),
  'csv of a blob': (options) => csv(new Blob([readFileSync(at('rows.csv'))]), options),
  'csv in small pieces': (options) => csv(pieces(readFileSync(at('rows.csv')), 97), options),
  json: (options) => json(at('rows.json'), options),
  sql: (options) => sql(`SELECT * FROM '${at('rows.parquet')}' ORDER BY a;`, options),
  'arrow stream': (options) => arrow(ipc('stream'), options),
  'arrow file': (options) => arrow(ipc('file'), options),
  'arrow of a path': (options) => arrow(at('rows.arrow'), options),
  'arrow of a URL': (options) => arrow(`${base}/rows.arrow`, options),
  'arrow in small pieces': (options) => arrow(pieces(ipc('stream'), 1001), options),
  objects: (options) => fromIterable(rows, options),
  'objects of a generator function': (options) =>
    fromIterable(async function* () {
      yield* rows;
    }, options),
};

describe.each(Object.entries(sources))('%s', (_, open) => {
  it('gives features, one-hot texts, target and weight, in batches, as often as it is asked', async () => {
    const source = await open({ target: 'y', weight: 'w', batchRows: 1000 });
    expect(source.columns).toEqual(['a', 'b', 'colour=blue', 'colour=green', 'colour=red']);
    for (let pass = 0; pass < 2; pass++) {
      const { sizes, X, y, weights, mask } = await everything(source);
      expect(sizes).toEqual([1000, 1000, 500]);
      expect(X).toEqual(
        rows.map(({ a, b, colour }) => [
          a,
          b,
          ...['blue', 'green', 'red'].map((name) => Number(name === colour)),
        ]),
      );
      expect(y).toEqual(columns('y'));
      expect(weights).toEqual(columns('w'));
      expect(mask).toEqual([]);
    }
    await source.close();
  });

  it('is divided into shards that together give every row once', async () => {
    const source = await open({ target: 'y', weight: 'w', batchRows: 300 });
    const whole = await everything(source);
    for (const count of [1, 2, 3, 5]) {
      const shards = await source.shards(count);
      expect(shards).toHaveLength(count);
      const parts = await Promise.all(shards.map((shard) => everything(shard)));
      shards.forEach(({ columns, rowCount, encoding }, i) => {
        expect([columns, encoding]).toEqual([source.columns, source.encoding]);
        if (rowCount !== undefined) expect(rowCount).toBe(parts[i]?.X.length);
      });
      const rowsOf = ({ X, y, weights }: Awaited<ReturnType<typeof everything>>) =>
        X.map((row, i) => [...row, y[i], weights[i]]);
      // Column a rises by the row.
      const order = ([a]: unknown[], [b]: unknown[]): number => (a as number) - (b as number);
      expect(parts.flatMap(rowsOf).sort(order)).toEqual(rowsOf(whole));
      // As any source, a shard gives the same rows again, and begins at any batch.
      const [first] = shards;
      const again = await everything((first as TableSource).from(1));
      expect(again.X).toEqual(parts[0]?.X.slice(300));
    }
    await source.close();
  });

  it('gives texts as labels, and begins at any batch', async () => {
    const source = await open({ features: ['b', 'a'], target: 'colour', batchRows: 300 });
    expect(source.columns).toEqual(['b', 'a']);
    const { X, y } = await everything(source.from(7));
    expect(y).toEqual(columns('colour').slice(2100));
    expect(X).toEqual(rows.slice(2100).map(({ a, b }) => [b, a]));
    await source.close();
  });

  it('gives several targets as a matrix, and texts as numbers', async () => {
    const source = await open({ features: ['colour'], target: ['y', 'b'], text: 'ordinal' });
    const { X, y } = await everything(source);
    expect(X).toEqual(rows.map(({ colour }) => [['blue', 'green', 'red'].indexOf(colour)]));
    expect(y).toEqual(rows.map((row) => [row.y, row.b]));
    await source.close();
  });
});

describe('parquet', () => {
  it('knows how many rows there are, and divides them', async () => {
    const source = await parquet(at('rows.parquet'), { features: ['a'], batchRows: 400 });
    expect(source.rowCount).toBe(2500);
    const shards = await source.shards(3);
    expect(shards.map(({ rowCount }) => rowCount)).toEqual([833, 834, 833]);
    const all = await Promise.all(shards.map((shard) => everything(shard)));
    expect(all.flatMap(({ X }) => X.flat())).toEqual(columns('a'));
    await source.close();
  });

  it('asks a server for the columns that it needs alone', async () => {
    const columns = ['a', 'b', 'c', 'd'].map((name, i) => `hash(i * 4 + ${i})::DOUBLE AS ${name}`);
    await duckdb(`COPY (SELECT ${columns.join(', ')} FROM range(100000) t(i)) TO '${at('wide.parquet')}'`);
    ranges.length = 0;
    const { X } = await everything(await parquet(`${base}/wide.parquet`, { features: ['b'] }));
    expect(X).toHaveLength(100_000);
    const asked = ranges.reduce((sum, range) => {
      const [, begin, end] = /(\d+)-(\d+)/.exec(range) as unknown as [string, string, string];
      return sum + Number(end) - Number(begin) + 1;
    }, 0);
    // A fourth of the numbers, and half a megabyte from the end where the metadata lies.
    expect(asked).toBeLessThan(readFileSync(at('wide.parquet')).length / 4 + 600_000);
  });

  it.each<[string, () => unknown, 'option' | 'format' | 'data', string]>([
    ['no file', () => parquet(at('none.parquet')), 'option', 'none.parquet'],
    ['no path', () => parquet([]), 'option', 'the files should be a path'],
    ['a text file', () => parquet(at('rows.csv')), 'option', 'DuckDB cannot read this'],
    ['a text of a URL', () => parquet(`${base}/rows.csv`), 'format', 'cannot be read as Parquet'],
    ["S3's protocol", () => parquet('s3://bucket/rows.parquet'), 'option', 'presigned'],
  ])('refuses %s', (_, call, kind, says) => expectError(call, kind, says));
});

describe('csv', () => {
  const parsed = async (text: string, options = {}): Promise<unknown> =>
    (await everything(await csv(new Blob([text]), { features: ['a'], target: 't', ...options }))).y;

  it('reads quotes, breaks within them, both ends of lines, and a last row without one', async () => {
    const text = 'a,t\r\n1,"one, ""two"""\r\n2,"three\nfour"\n\n3,five';
    expect(await parsed(text)).toEqual(['one, "two"', 'three\nfour', 'five']);
    for (let size = 1; size < 8; size++) {
      const source = await csv(pieces(new TextEncoder().encode(text), size), {
        features: ['a'],
        target: 't',
      });
      expect((await everything(source)).y).toEqual(['one, "two"', 'three\nfour', 'five']);
    }
  });

  it('takes a delimiter, no header, and other words for nothing', async () => {
    const source = await csv(new Blob(['1;x\n?;y\n']), {
      delimiter: ';',
      header: false,
      nulls: ['?'],
      features: ['column0'],
      target: 'column1',
      missing: 'mask',
    });
    const { X, y, mask } = await everything(source);
    expect([X, y, mask]).toEqual([
      [[1], [Number.NaN]],
      ['x', 'y'],
      [[1], [0]],
    ]);
  });

  it.each([
    ['a row that is too short', 'a,t\n1,x\n2\n', 'row 1 has 1 cells, the header has 2'],
    ['a quote that is not closed', 'a,t\n1,"x\n', 'the quote that opens a cell in line 2 is not closed'],
    [
      'a text where numbers were',
      `a,t\n${'1,x\n'.repeat(1100)}one,x\n`,
      "column 'a' is 'one' in row 1100, and should be a number",
    ],
  ])('refuses %s', (_, text, says) => expectError(() => parsed(text), 'data', says));

  it('tells where a file does not go on as it began', async () => {
    writeFileSync(at('late.csv'), `a,t\n${'1,2\n'.repeat(50_000)}one,2\n`);
    await expectError(
      () => csv(at('late.csv'), { features: ['a'] }),
      'data',
      "column 'a' is 'one' in row 50000, and should be a number; see line 50002",
    );
  });
});

describe('streams that can be read once', () => {
  it('serve one iteration, and say so at the second', async () => {
    const source = await arrow(new Response(ipc('stream') as BodyInit), { features: ['a'] });
    expect((await everything(source)).X).toHaveLength(2500);
    await expectError(() => everything(source), 'option', 'has been read');
    const lines = await fromIterable(
      (function* () {
        yield* rows;
      })(),
      { features: ['a'] },
    );
    expect((await everything(lines)).X).toHaveLength(2500);
    await expectError(() => everything(lines), 'option', 'iterated once');
  });

  it('that break off give an error', async () => {
    const half = ipc('stream').subarray(0, 40_000);
    await expectError(() => arrow(half, { features: ['a'] }), 'data', 'broke off');
    await expectError(() => arrow(new Uint8Array(10)), 'format', 'Arrow');
  });
});

describe('fromBatches', () => {
  it('names the columns of batches that are whole', async () => {
    const X = { data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] as const };
    const source = fromBatches([{ X, y: ['a', 'b'] }], { columns: ['p', 'q'] });
    expect(source.columns).toEqual(['p', 'q']);
    expect(await batchesOf(source)).toEqual([{ X, y: ['a', 'b'] }]);
  });
});
