// Types of columns are those of all rows and all files, and with an encoding those that it has; a name is of one column.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FkmError } from '@fkm/core';
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

describe('sql', () => {
  const file = (name: string, content: string): string => {
    writeFileSync(at(name), content);
    return at(name);
  };
  const late = file('late.csv', `a,t\n${'47,1\n'.repeat(24_000)}47.75,2.5\n`);
  const lateJson = file('late-of-sql.json', lines([...new Array(24_000).fill({ a: 47 }), { a: 47.75 }]));

  it.each<[string, string, number]>([
    ['a file of CSV', `SELECT a FROM '${late}'`, 47.75],
    ['a file with another name', `FROM "${late}" AS t SELECT t.a`, 47.75],
    [
      'behind text beyond ASCII',
      `SELECT a FROM (SELECT 'grün, (read_csv' AS g, a FROM '${late}') -- read_csv(`,
      47.75,
    ],
    ['a function', `SELECT a FROM read_csv('${late}')`, 47.75],
    [
      'a function with parameters',
      `SELECT a FROM read_csv_auto('${late}', header = true, delim := ',')`,
      47.75,
    ],
    ['a list of files', `SELECT a FROM read_csv(['${late}'])`, 47.75],
    [
      'a WITH',
      `WITH rows AS (SELECT a FROM '${late}') SELECT * FROM rows WHERE a IN (SELECT a FROM '${late}');`,
      47.75,
    ],
    ['a file of JSON', `SELECT a FROM '${lateJson}'`, 47.75],
    ['a function of JSON', `SELECT a FROM read_json('${lateJson}')`, 47.75],
    ['what the query says itself', `SELECT a FROM read_csv('${late}', sample_size = 100)`, 48],
    ['types of the query', `SELECT a FROM read_csv('${late}', types = {'a': 'FLOAT'})`, 47.75],
  ])('gives the late decimal of %s', async (_, query, last) => {
    const { X } = await everything(await sql(query));
    expect([X.length, X.at(-1)]).toEqual([24_001, [last]]);
  });

  it.each<[string, string, number[][]]>([
    [
      "' in the header",
      "id,'note'\n1,2\n3,4\n",
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ['semicolons', 'a;b\n1;2\n', [[1, 2]]],
    [
      'no names',
      '1,1\n3,4\n',
      [
        [1, 1],
        [3, 4],
      ],
    ],
  ])('reads CSV with %s', async (_, content, X) => {
    expect((await everything(await sql(`FROM '${file('dialect.csv', content)}'`))).X).toEqual(X);
  });

  it('has no comments in CSV', async () => {
    const path = file('hash.csv', 't,a\n1,2\n#3,4\n5,6\n');
    expect((await everything(await sql(`FROM '${path}'`, { target: 't' }))).y).toEqual(['1', '#3', '5']);
  });

  it.each<[string, string]>([
    ['three cells below two', '1,2,3\n'.repeat(11)],
    ['a row that is too short', '3\n'],
    ['characters behind a quote', '1,"x"y\n2,z\n'],
    ['a quote that is not closed', '1,"x\n2,z\n'],
  ])('refuses %s in the first rows, and late', async (_, content) => {
    for (const rows of [1, 500, 30_000]) {
      const path = file('bad.csv', `a,b\n${'1,2\n'.repeat(rows)}${content}`);
      await expect((async () => everything(await sql(`FROM '${path}'`)))()).rejects.toThrow(FkmError);
    }
  });

  it('takes the widest type of files, and no column from the names of folders', async () => {
    mkdirSync(at('sql/k=9'), { recursive: true });
    await duckdb(`COPY (SELECT 1 AS a, true AS b) TO '${at('sql/k=9/1.parquet')}'`);
    await duckdb(`COPY (SELECT .25 AS a, 7 AS b) TO '${at('sql/k=9/2.parquet')}'`);
    const source = await sql(`FROM '${at('sql/k=*/*.parquet')}'`);
    expect([source.columns, (await everything(source)).X]).toEqual([
      ['a', 'b'],
      [
        [1, 1],
        [0.25, 7],
      ],
    ]);
    const asked = await sql(`FROM read_parquet('${at('sql/k=*/*.parquet')}', hive_partitioning = true)`);
    expect(asked.columns).toEqual(['a', 'b', 'k']);
  });

  it('takes the texts of an encoding as texts', async () => {
    const path = file('flags.csv', 'f,g\nTRUE,007\nFALSE,7\n');
    const encoding: Encoding = {
      version: 1,
      features: [
        { column: 'f', kind: 'ordinal', categories: ['FALSE', 'TRUE', 'x'] },
        { column: 'g', kind: 'ordinal', categories: ['007', '7'] },
      ],
    };
    expect((await everything(await sql(`FROM '${path}'`, { encoding }))).X).toEqual([
      [1, 0],
      [0, 1],
    ]);
    const says = "encoding has texts in 'f', whose type is BOOLEAN here";
    await expectError(() => sql(`SELECT true AS f, '7' AS g`, { encoding, unknown: 'mask' }), 'option', says);
  });

  it('refuses what it cannot spell out, and decimals that DuckDB reads as other numbers', async () => {
    await expectError(() => sql(`PIVOT '${late}' ON t USING max(a)`), 'option', 'write sample_size = -1');
    await expectError(
      () => sql(`SELECT d128 FROM '${fixture('numbers.parquet')}'`),
      'data',
      'more than 38 digits',
    );
    await expectError(() => sql('SELECT FROM WHERE'), 'option', 'DuckDB cannot read this');
    await expectError(
      () => sql(`FROM '${file('twice.csv', 'a,b,a\n1,2,3\n')}'`),
      'data',
      "column 'a' comes twice",
    );
  });
});
