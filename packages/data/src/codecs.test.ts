// Files of pyarrow (fixtures/make.py), as blobs, bytes and paths: what compresses them, float16, decimals, names that come twice.

import { readFileSync } from 'node:fs';
import { compressionRegistry } from 'apache-arrow';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { arrow, parquet, type SourceOptions, type TableSource } from './index.js';
import { duckdb, everything, expectError, temporaryFolder } from './testing.js';

const at = (name: string): string => new URL(`./fixtures/${name}`, import.meta.url).pathname;
const bytes = (name: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(at(name)));
const blob = (name: string): Blob => new Blob([bytes(name)]);
const folder = temporaryFolder();

afterEach(() => vi.doUnmock('lz4js'));
afterEach(() => vi.doUnmock('hyparquet-compressors'));

type Open = (options: SourceOptions) => Promise<TableSource>;
const codecs = ['snappy', 'gzip', 'zstd', 'lz4', 'brotli'];
const compressed: Readonly<Record<string, Open>> = {
  ...Object.fromEntries(
    codecs.flatMap((codec) => [
      [`parquet of ${codec} as a blob`, (options) => parquet(blob(`${codec}.parquet`), options)],
      [`parquet of ${codec} by its path`, (options) => parquet(at(`${codec}.parquet`), options)],
    ]) as [string, Open][],
  ),
  'feather of lz4 by its path': (options) => arrow(at('lz4.feather'), options),
  'feather of zstd as a blob': (options) => arrow(blob('zstd.feather'), options),
  'feather of lz4 as bytes': (options) => arrow(bytes('lz4.feather'), options),
  'a stream of zstd that is read once': (options) => arrow(new Response(bytes('zstd.arrows')), options),
};

it.each(Object.entries(compressed))('reads %s', async (_, open) => {
  const { X, y } = await everything(await open({ target: 't' }));
  expect(X.flat()).toEqual(Array.from({ length: 10_000 }, (_, i) => (i % 100) / 4));
  expect(y).toEqual(Array.from({ length: 10_000 }, (_, i) => ['red', 'grün', 'blue'][i % 3]));
});

describe('without the package that unpacks', () => {
  const absent = async () => {
    vi.resetModules();
    vi.doMock('lz4js', () => Promise.reject(new Error('not installed')));
    vi.doMock('hyparquet-compressors', () => Promise.reject(new Error('not installed')));
    const library = await import('./index.js');
    const { compressionRegistry: registry } = await import('apache-arrow');
    for (const type of [0, 1]) registry.set(type, null as never);
    return library;
  };

  it.each(codecs.slice(1))('parquet of %s says at its opening what to install', async (codec) => {
    const library = await absent();
    await expect(library.parquet(blob(`${codec}.parquet`))).rejects.toThrow(
      'npm install hyparquet-compressors',
    );
  });

  it.each(['lz4.feather', 'zstd.feather'])('%s says at its opening what to install', async (file) => {
    const library = await absent();
    await expect(library.arrow(at(file))).rejects.toThrow(
      'npm install lz4js hyparquet-compressors, or register one',
    );
  });

  it('parquet of snappy needs none, and a codec of the user stands', async () => {
    const library = await absent();
    expect((await library.parquet(blob('snappy.parquet'))).rowCount).toBe(10_000);
    const decode = (): Uint8Array => {
      throw new Error('the codec of the user');
    };
    compressionRegistry.set(0, { decode });
    await expectError(() => arrow(at('lz4.feather')), 'format', 'the codec of the user');
    compressionRegistry.set(0, null as never);
  });
});

const numbers: Readonly<Record<string, Open>> = {
  arrow: (options) => arrow(at('numbers.feather'), options),
  'parquet as a blob': (options) => parquet(blob('numbers.parquet'), options),
};

describe.each(
  Object.entries({
    ...numbers,
    'parquet by its path': (options: SourceOptions) => parquet(at('numbers.parquet'), options),
  }),
)('%s', (_, open) => {
  it('has float16 and decimals', async () => {
    const { X, mask } = await everything(await open({ features: ['half', 'd128'], missing: 'mask' }));
    expect(X.slice(0, 2)).toEqual([
      [1.5, 1.25],
      [-0.25, Math.fround(-3.07)],
    ]);
    expect(mask).toEqual([
      [1, 1],
      [1, 1],
      [0, 0],
    ]);
  });
});

describe.each(Object.entries(numbers))('%s', (_, open) => {
  it('has decimals of 256 bits', async () => {
    const { X } = await everything(await open({ features: ['d256'], missing: 'mask' }));
    expect(X.slice(0, 2).flat()).toEqual([1.25, Math.fround(-1.2345678901234568e29)]);
  });

  it('refuses labels that float64 does not hold', () =>
    expectError(
      () => open({ features: ['half'], target: 'id', missing: 'mask' }),
      'data',
      "column 'id' is 900719925474099",
    ));
});

it('decimals that DuckDB reads as other numbers are an error by path', async () => {
  await expectError(
    () => parquet(at('numbers.parquet')),
    'option',
    "names 'd256', whose type is DECIMAL of more than 38 digits",
  );
});

it('a missing decimal is missing, whatever holds it', async () => {
  const path = `${folder}/decimals.parquet`;
  await duckdb(
    `COPY (SELECT * FROM (VALUES (1.5::DECIMAL(4, 1), 2.25::DECIMAL(18, 2)), (NULL, NULL)) t(a, b)) TO '${path}'`,
  );
  for (const source of [
    await parquet(path, { missing: 'mask' }),
    await parquet(new Blob([readFileSync(path)]), { missing: 'mask' }),
  ])
    expect((await everything(source)).mask).toEqual([
      [1, 1],
      [0, 0],
    ]);
});

it.each<[string, () => Promise<TableSource>]>([
  ['parquet as a blob', () => parquet(blob('twice.parquet'))],
  ['parquet by its path', () => parquet(at('twice.parquet'))],
  ['arrow', () => arrow(at('twice.feather'))],
])('a column that comes twice in %s is an error', (_, open) =>
  expectError(open, 'data', "column 'a' comes twice"),
);
