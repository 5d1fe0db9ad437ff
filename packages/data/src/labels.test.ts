// Labels that are numbers: those that are not the same stay different, or are an error.

import { FastKMeansClassifier, jsBackend } from '@fkm/core';
import { Float64, Int64, Table, tableToIPC, Uint64, vectorFromArray } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { arrow, csv, fromIterable, postgres, sql, type TableSource } from './index.js';
import { hasPostgres, startPostgres, type TestServer } from './postgres-server.js';
import { everything, expectError } from './testing.js';

const installed = hasPostgres();
let server: TestServer | undefined;
beforeAll(async () => {
  if (installed) server = await startPostgres();
});
afterAll(() => server?.stop());

const options = { target: 'y', features: ['x'] };
const duck =
  (type: string) =>
  (labels: readonly string[]): Promise<TableSource> =>
    sql(
      `SELECT i::DOUBLE AS x, (${JSON.stringify(labels).replaceAll('"', "'")})[i + 1]::${type} AS y FROM range(${labels.length}) t(i)`,
      options,
    );
const pg =
  (type: string) =>
  (labels: readonly string[]): Promise<TableSource> =>
    postgres(
      (server as TestServer).connection,
      `SELECT i::float8 AS x, (ARRAY[${labels.map((label) => `'${label}'`)}]::text[])[i + 1]::${type} AS y FROM generate_series(0, ${labels.length - 1}) t(i)`,
      options,
    );
const ipc =
  (type: Int64 | Uint64) =>
  (labels: readonly string[]): Promise<TableSource> =>
    arrow(
      tableToIPC(
        new Table({
          x: vectorFromArray(
            labels.map((_, i) => i),
            new Float64(),
          ),
          y: vectorFromArray(labels.map(BigInt), type as Int64),
        }),
      ),
      options,
    );

type Open = (labels: readonly string[]) => Promise<TableSource>;
const sources: Readonly<Record<string, Open>> = {
  BIGINT: duck('BIGINT'),
  UBIGINT: duck('UBIGINT'),
  HUGEINT: duck('HUGEINT'),
  'DECIMAL(38, 0)': duck('DECIMAL(38, 0)'),
  Int64: ipc(new Int64()),
  Uint64: ipc(new Uint64()),
  bigint: (labels) =>
    fromIterable(
      labels.map((label, x) => ({ x, y: BigInt(label) })),
      options,
    ),
  'bigint below numbers': (labels) =>
    fromIterable(
      [
        ...Array.from({ length: 1100 }, (_, x) => ({ x, y: 7 })),
        ...labels.map((label, x) => ({ x, y: BigInt(label) })),
      ],
      options,
    ),
  'csv of a blob': (labels) =>
    csv(new Blob([`x,y\n${labels.map((label, x) => `${x},${label}\n`).join('')}`]), options),
  ...(installed ? { int8: pg('int8'), 'numeric(30, 0)': pg('numeric(30, 0)') } : {}),
};

/** Neighbours that float32, and then float64, would make one. */
const held = ['16777216', '16777217', '-16777217', '9007199254740990', '9007199254740991'];
const lost = ['9007199254740992', '9007199254740993'];

describe.each(Object.entries(sources))('%s', (name, open) => {
  it('keeps labels apart up to 2 ** 53, and refuses what lies beyond', async () => {
    const labels = name.startsWith('U') ? held.filter((label) => !label.startsWith('-')) : held;
    const source = await open(labels);
    const { y } = await everything(source);
    expect(y.slice(-labels.length)).toEqual(labels.map(Number));
    await source.close();
    for (const label of lost) {
      const source = await open(['1', label]);
      await expectError(() => everything(source), 'data', 'float64');
      await source.close();
    }
  });
});

it.runIf(installed)(
  'numeric without a scale, and floats, become float64, whose classes are refused from 2 ** 53 on',
  async () => {
    const model = new FastKMeansClassifier({
      backend: jsBackend(),
      nPrototypes: 4,
      heads: 1,
      metric: 'none',
    });
    for (const open of [pg('numeric'), pg('float8'), duck('DOUBLE')]) {
      const few = await open(['16777217', '16777216', '16777217', '16777216']);
      await model.fit(few);
      expect(model.classes).toEqual([16777216, 16777217]);
      await few.close();
      const many = await open(lost);
      await expect(model.fit(many)).rejects.toThrow('integers from 9007199254740992 on are not told apart');
      await many.close();
    }
  },
);

it.each([
  ['DECIMAL(18, 3)', duck('DECIMAL(18, 3)')],
  ...(installed ? ([['numeric(18, 3)', pg('numeric(18, 3)')]] as const) : []),
] as const)('%s keeps 15 digits apart, and refuses more', async (_, open) => {
  const source = await open(['1234567890.123', '1234567890.124', '-0.001']);
  expect((await everything(source)).y).toEqual([1234567890.123, 1234567890.124, -0.001]);
  await source.close();
  const many = await open(['123456789012345.678']);
  await expectError(() => everything(many), 'data', "the target 'y' is about");
  await many.close();
});

it('quantities are numbers of float64, whatever their size, where they are no exact type', async () => {
  for (const source of [
    await duck('DOUBLE')(['1e20', '3']),
    await fromIterable(
      [
        { x: 0, y: 1e20 },
        { x: 1, y: 3 },
      ],
      options,
    ),
    await csv(new Blob(['x,y\n0,1e20\n1,3\n']), options),
  ]) {
    expect((await everything(source)).y).toEqual([1e20, 3]);
    await source.close();
  }
});

it('several targets keep 64 bits, shuffled too', async () => {
  const rows = Array.from({ length: 50 }, (_, i) => ({ x: i, a: 1e8 + i / 1024, b: 16777217 + i }));
  const source = await fromIterable(rows, { target: ['a', 'b'], batchRows: 20, shuffle: { rows: 40 } });
  const { X, y } = await everything(source);
  expect(y).toEqual(X.map(([x]) => [1e8 + (x as number) / 1024, 16777217 + (x as number)]));
});
