// Types of columns are those of all rows and all files, and with an encoding those that it has; a name is of one column.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type Encoding, fromIterable, json, parquet, sql } from './index.js';
import { duckdb, everything, expectError, temporaryFolder } from './testing.js';

const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);
const fixture = (name: string): string => new URL(`./fixtures/${name}`, import.meta.url).pathname;
const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

describe('json', () => {
  it('gives 47.75 where the first decimal comes late', async () => {
    writeFileSync(at('late.json'), lines([...new Array(24_000).fill({ a: 47, t: 1 }), { a: 47.75, t: 2.5 }]));
    const { X, y } = await everything(await json(at('late.json'), { target: 't' }));
    expect(X).toHaveLength(24_001);
    expect([X.at(-2), X.at(-1), y.at(-1)]).toEqual([[47], [47.75], 2.5]);
  });

  it('takes the widest type of all files, and a key that comes late', async () => {
    writeFileSync(at('wide-1.json'), lines([{ a: 1, b: true }]));
    writeFileSync(at('wide-2.json'), lines([{ a: 0.25, b: false, c: 7 }]));
    const { X, mask } = await everything(await json(at('wide-*.json'), { missing: 'mask' }));
    expect([X[0]?.slice(0, 2), X[1]]).toEqual([
      [1, 1],
      [0.25, 0, 7],
    ]);
    expect(mask).toEqual([
      [1, 1, 0],
      [1, 1, 1],
    ]);
  });

  it.each<[string, Encoding['features'][0], unknown[], number[]]>([
    [
      'texts that look like dates',
      { column: 'f', kind: 'ordinal', categories: ['2020-01-01', 'x'] },
      ['2020-01-01'],
      [0],
    ],
    [
      'texts that look like ids',
      { column: 'f', kind: 'ordinal', categories: ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'x'] },
      ['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'],
      [0],
    ],
    [
      'texts where there are numbers',
      { column: 'f', kind: 'ordinal', categories: ['7', 'x'] },
      [7, 'x'],
      [0, 1],
    ],
    ['numbers that are texts', { column: 'f', kind: 'number' }, ['7', 0.5], [7, 0.5]],
    ['booleans that were numbers', { column: 'f', kind: 'number' }, [true, 0.5], [1, 0.5]],
  ])('takes the kinds of an encoding: %s', async (_, feature, values, X) => {
    writeFileSync(at('encoded.json'), lines(values.map((f) => ({ f }))));
    const source = await json(at('encoded.json'), { encoding: { version: 1, features: [feature] } });
    expect((await everything(source)).X.flat()).toEqual(X);
  });

  it('keeps the texts of labels as they are written', async () => {
    const id = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11';
    writeFileSync(at('ids.json'), lines([{ a: 1, t: id }]));
    expect((await everything(await json(at('ids.json'), { target: 't' }))).y).toEqual([id]);
  });

  it('reads gzip, and refuses bytes that are not UTF-8 and types that do not agree', async () => {
    writeFileSync(at('packed.json.gz'), gzipSync(lines([{ a: 1, t: 'naïve' }])));
    expect((await everything(await json(at('packed.json.gz'), { target: 't' }))).y).toEqual(['naïve']);
    writeFileSync(at('latin.json'), Buffer.from(lines([{ a: 1, t: 'naïve' }]), 'latin1'));
    await expectError(() => json(at('latin.json')), 'option', 'UTF-8');
    writeFileSync(at('mixed.json'), lines([{ a: 1 }, { a: 'x' }]));
    await expectError(() => json(at('mixed.json')), 'option', "names 'a', whose type is JSON");
  });
});

describe('parquet of several files', () => {
  it('takes the widest type, not the first', async () => {
    mkdirSync(at('wide'));
    await duckdb(`COPY (SELECT 1 AS a, true AS b, 'x' AS t) TO '${at('wide/1.parquet')}'`);
    await duckdb(`COPY (SELECT .25 AS a, 7 AS b, 'y' AS t) TO '${at('wide/2.parquet')}'`);
    const { X, y } = await everything(await parquet(at('wide/*.parquet'), { target: 't' }));
    expect([X, y]).toEqual([
      [
        [1, 1],
        [0.25, 7],
      ],
      ['x', 'y'],
    ]);
  });

  it('takes no feature from the names of folders', async () => {
    mkdirSync(at('k=9'), { recursive: true });
    await duckdb(`COPY (SELECT 1 AS a, 2 AS k) TO '${at('k=9/1.parquet')}'`);
    writeFileSync(at('k=9/1.json'), lines([{ a: 1, k: 2 }]));
    for (const source of [await parquet(at('k=*/*.parquet')), await json(at('k=*/*.json'))]) {
      expect(source.columns).toEqual(['a', 'k']);
      expect((await everything(source)).X).toEqual([[1, 2]]);
    }
  });

  it('is an error for a column that a file does not have', async () => {
    await duckdb(`COPY (SELECT 1 AS a, {'p': 1, 'q': {'r': 2}} AS s, 3 AS b) TO '${at('lack-1.parquet')}'`);
    await duckdb(`COPY (SELECT 1 AS a, {'p': 1, 'q': {'r': 2}} AS s) TO '${at('lack-2.parquet')}'`);
    await expectError(
      () => parquet(at('lack-*.parquet'), { features: ['a', 'b'], missing: 'mask' }),
      'data',
      "lack-2.parquet' has no column 'b'",
    );
    expect((await everything(await parquet(at('lack-*.parquet'), { features: ['a'] }))).X).toEqual([
      [1],
      [1],
    ]);
  });
});

it.each<[string, () => unknown, string]>([
  ['parquet', () => parquet(fixture('twice.parquet')), "column 'a' comes twice"],
  ['a query', () => sql('SELECT 1 AS a, 2 AS b, 3 AS a'), "column 'a' comes twice"],
  [
    'a query with * of two tables',
    () => sql('SELECT * FROM range(3) t(i), range(3) u(i)'),
    "column 'i' comes twice",
  ],
  [
    'a query with names that differ in case alone',
    () => sql('SELECT 1 AS a, 2 AS "A"'),
    "column 'A' and 'a' are one name here",
  ],
])('a column that comes twice in %s is an error', (_, call, says) => expectError(call, 'data', says));

it('finds the categories of all columns in one reading', async () => {
  const columns = Array.from({ length: 500 }, (_, j) => `['p', 'q', 'r'][(i + ${j}) % 3 + 1] AS c${j}`).join(
    ', ',
  );
  await duckdb(`COPY (SELECT ${columns} FROM range(200) t(i)) TO '${at('texts.parquet')}'`);
  const source = await parquet(at('texts.parquet'));
  expect(source.columns).toHaveLength(1500);
  let reads = 0;
  const counted = await fromIterable(function* () {
    reads++;
    yield { a: 'x', b: 'y', c: 'z' };
    yield { a: 'u', b: 'v', c: 'w' };
  });
  // One look at the kinds, one at the categories.
  expect([counted.columns.length, reads]).toEqual([6, 2]);
});
