// CSV by path, blob and in pieces of any length gives the same rows, and each row of the file, or an error with its line.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CsvOptions, csv, type Encoding, parquet, type TableSource } from './index.js';
import { duckdb, type Everything, everything, expectError, temporaryFolder } from './testing.js';

const folder = temporaryFolder();
let files = 0;
const written = (bytes: string | Uint8Array): string => {
  const path = join(folder, `${files++}.csv`);
  writeFileSync(path, bytes);
  return path;
};
const inPieces = (bytes: Uint8Array, size: number) =>
  async function* () {
    for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
  };
const bytesOf = (text: string | Uint8Array): Uint8Array<ArrayBuffer> =>
  typeof text === 'string' ? new TextEncoder().encode(text) : new Uint8Array(text);

type Open = (content: string | Uint8Array, options?: CsvOptions) => Promise<TableSource>;
const readers: Readonly<Record<string, Open>> = {
  'a path': (content, options) => csv(written(content), options),
  'a blob': (content, options) => csv(new Blob([bytesOf(content)]), options),
  'pieces of 3 bytes': (content, options) => csv(inPieces(bytesOf(content), 3), options),
  'a stream that is read once': (content, options) =>
    csv(new Response(bytesOf(content)).body as ReadableStream<Uint8Array>, options),
};

const read = async (open: Promise<TableSource>): Promise<Everything & { columns: readonly string[] }> => {
  const source = await open;
  const all = await everything(source);
  await source.close();
  return { ...all, columns: source.columns };
};
const X = async (open: Promise<TableSource>): Promise<number[][]> => (await read(open)).X;

describe.each(Object.entries(readers))('%s', (_, open) => {
  it('gives 47.75 where the first decimal comes late', async () => {
    const file = `a,t\n${'47,1\n'.repeat(24_000)}47.75,2.5\n`;
    const { X, y } = await read(open(file, { features: ['a'], target: 't' }));
    expect(X).toHaveLength(24_001);
    expect([X.at(-2), X.at(-1), y.at(-1)]).toEqual([[47], [47.75], 2.5]);
  });

  it.each<[string, string, string[], number[][]]>([
    [
      'a quote of another kind in the header',
      "id,'note'\n1,2\n3,4\n",
      ['id', "'note'"],
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      'CRLF, and blank lines',
      'a,b\r\n1,2\r\n\r\n3,4\r\n',
      ['a', 'b'],
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      'CR alone',
      'a,b\r1,2\r3,4',
      ['a', 'b'],
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ['a byte order mark', '\ufeffa,b\n1,2\n', ['a', 'b'], [[1, 2]]],
    [
      'no line break at the end',
      'a,b\n1,2\n3,4',
      ['a', 'b'],
      [
        [1, 2],
        [3, 4],
      ],
    ],
    [
      'semicolons',
      'a;b\n1;2\n3.5;4\n',
      ['a', 'b'],
      [
        [1, 2],
        [3.5, 4],
      ],
    ],
    ['tabs', 'a\tb\n1\t2\n', ['a', 'b'], [[1, 2]]],
    ['a name with a comma', '"a, b";c\n1;2\n', ['a, b', 'c'], [[1, 2]]],
    ['a column without a name', ',b\n1,2\n', ['column0', 'b'], [[1, 2]]],
    ['quoted numbers', 'a,b\n"1","-2.5e-1"\n', ['a', 'b'], [[1, -0.25]]],
    ['spaces around numbers', 'a,b\n 1 , 2\n', ['a', 'b'], [[1, 2]]],
    [
      'no names',
      '1,2\n1,4\n2,4\n2,2\n1,1\n'.replace('1,2', '1,1'),
      ['column0', 'column1'],
      [
        [1, 1],
        [1, 4],
        [2, 4],
        [2, 2],
        [1, 1],
      ],
    ],
    [
      'booleans',
      'a,b\nTRUE,false\nFALSE,true\n',
      ['a', 'b'],
      [
        [1, 0],
        [0, 1],
      ],
    ],
    ['a header alone', 'a,b\n', ['a', 'b'], []],
  ])('reads %s', async (_, content, columns, rows) => {
    const all = await read(open(content));
    expect([all.columns, all.X]).toEqual([columns, rows]);
  });

  it('has no comments: a # is text', async () => {
    const { y } = await read(open('t,a\n1,2\n#3,4\n5,6\n', { features: ['a'], target: 't' }));
    expect(y).toEqual(['1', '#3', '5']);
  });

  it.each<[string, string, CsvOptions, 'data' | 'option', string]>([
    [
      'three cells below two',
      `a,b\n${'1,2\n'.repeat(500)}${'1,2,3\n'.repeat(11)}`,
      {},
      'data',
      'row 500 has 3 cells, the header has 2; see line 502',
    ],
    [
      'a row that is too short',
      'a,b\n1,2\n3\n',
      {},
      'data',
      'row 1 has 1 cells, the header has 2; see line 3',
    ],
    [
      'text behind a quote',
      'a,b\n1,"x"y\n',
      {},
      'data',
      "the quote that opens a cell in line 2 is closed before 'y'",
    ],
    ['a quote that is not closed', 'a,b\n1,"x\n2,3\n', {}, 'data', 'line 2 is not closed'],
    ['a name that comes twice', 'a,b,a\n1,2,3\n', {}, 'data', "column 'a' comes twice"],
    [
      'a late text',
      `a,b\n${'1,2\n'.repeat(1100)}x,2\n`,
      {},
      'data',
      "column 'a' is 'x' in row 1100, and should be a number; see line 1102",
    ],
    [
      'a late number of another notation',
      `a,b\n${'1,2\n'.repeat(1100)}0x10,2\n`,
      {},
      'data',
      "'0x10' in row 1100",
    ],
    ['a late blank', `a,b\n${'1,2\n'.repeat(1100)} ,2\n`, {}, 'data', "column 'a' is missing in row 1100"],
    ['a blank line of one column', 'a\n1\n\n2\n', {}, 'data', "column 'a' is missing in row 1"],
    [
      'labels beyond 2^53',
      'a,t\n1,9007199254740992\n2,9007199254740993\n',
      { target: 't' },
      'data',
      "'9007199254740992' in row 0, and float64 cannot represent it exactly",
    ],
    [
      'a first row that can be names or values',
      '2019,2020\n3.5,4\n',
      {},
      'option',
      "the first row has '2019', which can be a name or a value; pass header",
    ],
    ['one row of numbers', '1,2\n', {}, 'option', 'pass header'],
    [
      'cells that two characters divide',
      'a,b;c\n1,2;3\n',
      {},
      'option',
      'cells can be divided by "," and by ";"',
    ],
    ['dates', 'a,b\n2020-01-01,2\n', {}, 'option', "names 'a', whose type is date"],
    ['nothing', '', {}, 'data', 'there is no row'],
    [
      'a delimiter of two characters',
      'a,b\n1,2\n',
      { delimiter: '||' },
      'option',
      "delimiter is '||'; allowed is one character",
    ],
    ['an encoding that is none', 'a,b\n1,2\n', { charset: 'utf-9' }, 'option', "charset is 'utf-9'"],
  ])('refuses %s', (_, content, options, kind, says) =>
    expectError(() => open(content, options), kind, says),
  );

  it.each<[string, Encoding['features'][0], string, number[]]>([
    [
      'texts that look like booleans',
      { column: 'f', kind: 'ordinal', categories: ['FALSE', 'TRUE', 'maybe'] },
      'f\nTRUE\nFALSE\n',
      [1, 0],
    ],
    [
      'texts that look like numbers',
      { column: 'f', kind: 'ordinal', categories: ['007', '1.0', 'x'] },
      'f\n007\n1.0\n',
      [0, 1],
    ],
    [
      'texts that look like dates',
      { column: 'f', kind: 'ordinal', categories: ['2020-01-01', 'none'] },
      'f\n2020-01-01\n',
      [0],
    ],
    ['booleans that were numbers', { column: 'f', kind: 'number' }, 'f\nTRUE\nFALSE\n', [1, 0]],
  ])('takes the kinds of an encoding: %s', async (_, feature, content, values) => {
    const encoding: Encoding = { version: 1, features: [feature] };
    expect((await X(open(content, { encoding, header: true }))).flat()).toEqual(values);
  });

  it('takes the kinds of an encoding, and tells a cell that does not fit', async () => {
    const encoding: Encoding = { version: 1, features: [{ column: 'f', kind: 'number' }] };
    await expectError(() => open('f\n1\nx\n', { encoding }), 'data', "column 'f' is 'x' in row 1");
  });

  it.each<[string, Uint8Array, CsvOptions]>([
    ['UTF-8', Buffer.from('a,t\n1,naïve\n'), {}],
    ['Latin-1', Buffer.from('a,t\n1,naïve\n', 'latin1'), { charset: 'latin1' }],
    ['UTF-16 with a mark', Buffer.from('\ufeffa,t\n1,naïve\n', 'utf16le'), {}],
    ['UTF-16 without one', Buffer.from('a,t\n1,naïve\n', 'utf16le'), {}],
    ['UTF-16 big-endian with a mark', Buffer.from('\ufeffa,t\n1,naïve\n', 'utf16le').swap16(), {}],
    ['UTF-16 big-endian without one', Buffer.from('a,t\n1,naïve\n', 'utf16le').swap16(), {}],
    ['gzip', gzipSync('a,t\n1,naïve\n'), {}],
    ['gzip of Latin-1', gzipSync(Buffer.from('a,t\n1,naïve\n', 'latin1')), { charset: 'windows-1252' }],
  ])('reads %s', async (_, content, options) => {
    expect((await read(open(content, { ...options, target: 't' }))).y).toEqual(['naïve']);
  });

  it.each<[string, Uint8Array, CsvOptions, string]>([
    [
      'Latin-1 without a word',
      Buffer.from('a,t\n1,naïve\n', 'latin1'),
      {},
      'bytes that are not utf-8; pass the encoding of the file',
    ],
    [
      'UTF-16 that is called Latin-1',
      Buffer.from('a,t\n1,x\n', 'utf16le'),
      { charset: 'latin1' },
      'NUL characters',
    ],
    [
      'UTF-16 whose first character has no zero byte',
      Buffer.from('名,t\n1,x\n', 'utf16le'),
      {},
      'NUL characters',
    ],
    ['a gzip that is cut', gzipSync('a,t\n1,naïve\n').subarray(0, 20), {}, 'the gzip is damaged'],
    ['what is no text', Buffer.from('PK\u0003\u0004\u0000\u0000'), {}, 'NUL characters'],
  ])('refuses %s', (_, content, options, says) => expectError(() => open(content, options), 'data', says));
});

describe('several files', () => {
  it('are one table by the names of their columns, in the order of their own', async () => {
    writeFileSync(join(folder, 'part-1.csv'), 'a,b\n1,2\n');
    writeFileSync(join(folder, 'part-2.csv'), 'b,a\n4.5,3\n');
    const rows = [
      [1, 2],
      [3, 4.5],
    ];
    expect(await X(csv(join(folder, 'part-*.csv')))).toEqual(rows);
    expect(
      await X(csv([join(folder, 'part-2.csv'), join(folder, 'part-1.csv')], { features: ['a', 'b'] })),
    ).toEqual([...rows].reverse());
  });

  it.each<[string, string, string]>([
    ['another column', 'a,c\n1,2\n', "column 'c' is in one of them alone"],
    ['one column less', 'a\n1\n', "column 'b' is in one of them alone"],
    ['one column more', 'a,b,c\n1,2,3\n', "column 'c' is in one of them alone"],
  ])('refuse %s', (_, second, says) =>
    expectError(() => csv([written('a,b\n1,2\n'), written(second)]), 'data', says),
  );

  it('are errors where there are none', async () => {
    await expectError(() => csv(join(folder, 'none-*.csv')), 'option', 'no file matches');
    await expectError(() => csv(join(folder, 'none.csv')), 'option', 'cannot be read');
  });

  it('take no column from the names of folders', async () => {
    await duckdb(
      `COPY (SELECT 1 AS a, 2 AS b, 7 AS k) TO '${join(folder, 'by-key')}' (FORMAT csv, HEADER, PARTITION_BY k)`,
    );
    expect((await read(csv(join(folder, 'by-key/**/*.csv')))).columns).toEqual(['a', 'b']);
  });
});

describe('as other writers and readers have it', () => {
  const label = fc.string({ unit: fc.constantFrom(...'ab,;"\n\r\t #\'é|'), minLength: 1, maxLength: 6 });
  // A minus before 0 is lost as the test writes it.
  const number = fc
    .oneof(fc.integer({ min: -1000, max: 1000 }), fc.float({ noNaN: true, noDefaultInfinity: true }))
    .map((value) => value + 0);
  const table = fc.array(fc.record({ a: number, b: number, t: label }), { minLength: 1, maxLength: 12 });
  const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

  it('random rows come back from every reader, whatever ends their lines', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        table,
        fc.constantFrom('\n', '\r\n'),
        fc.constantFrom(',', ';', '\t'),
        async (rows, end, delimiter) => {
          const lines = [['a', 'b', 't'], ...rows.map(({ a, b, t }) => [a, b, quoted(t)])];
          const content = lines.map((line) => line.join(delimiter)).join(end);
          const options = { delimiter, header: true, features: ['a', 'b'], target: 't', encoding: undefined };
          const numeric = rows.every(({ t }) => /^[\s#]*$/.test(t));
          fc.pre(!numeric);
          for (const open of Object.values(readers)) {
            const all = await read(open(content, options));
            expect(all.X).toEqual(rows.map(({ a, b }) => [Math.fround(a), Math.fround(b)]));
            expect(all.y).toEqual(rows.map(({ t }) => t));
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('what DuckDB writes as CSV is what it writes as Parquet', async () => {
    const path = join(folder, 'both');
    const query = `SELECT (hash(i) % 1000003)::DOUBLE / 7 AS a, (hash(i * 3) % 1000)::INTEGER - 500 AS b,
      ['x', 'a "quoted" one', 'two' || chr(10) || 'lines', 'semi;colon', 'comma, too', '#hash'][i % 6 + 1] AS t FROM range(5000) t(i)`;
    await duckdb(`COPY (${query}) TO '${path}.csv' (FORMAT csv, HEADER)`);
    await duckdb(`COPY (${query}) TO '${path}.parquet' (FORMAT parquet)`);
    for (const options of [{ target: 't' }, {}]) {
      const [one, other] = [
        await read(csv(`${path}.csv`, options)),
        await read(parquet(`${path}.parquet`, options)),
      ];
      expect(one).toEqual(other);
    }
  });
});
