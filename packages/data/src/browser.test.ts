// Sources in a real Chromium: CSV, Arrow and Parquet as they are fetched, blobs and streams train a model there.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, openBrowser } from '@fkm/browser-testing';
import { Float32, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { duckdb, temporaryFolder } from './testing.js';

let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(() => browser?.close());

const rows = Array.from({ length: 300 }, (_, i) => ({
  size: (i % 11) / 4,
  colour: ['blue', 'grün', 'red'][i % 3] as string,
  price: (i % 11) / 4 + 2 * (i % 3),
}));
const ipc = tableToIPC(
  new Table({
    size: vectorFromArray(
      rows.map(({ size }) => size),
      new Float32(),
    ),
    colour: vectorFromArray(
      rows.map(({ colour }) => colour),
      new Utf8(),
    ),
    price: vectorFromArray(
      rows.map(({ price }) => price),
      new Float32(),
    ),
  }),
  'stream',
);
const text = ['size,colour,price', ...rows.map((row) => Object.values(row).join())].join('\n');
const folder = temporaryFolder();

it('trains, scores and answers over what a page fetches', async () => {
  const file = join(folder, 'rows.parquet');
  const csv = new TextEncoder().encode(text);
  await duckdb(
    `COPY (SELECT (i % 11) / 4 AS size, ['blue', 'grün', 'red'][i % 3 + 1] AS colour, (i % 11) / 4 + 2 * (i % 3) AS price
      FROM range(300) t(i)) TO '${file}' (FORMAT parquet)`,
  );
  const routes = { '/rows.csv': csv, '/rows.arrow': ipc, '/rows.parquet': readFileSync(file) };
  const taught = {
    columns: ['size', 'colour=blue', 'colour=grün', 'colour=red'],
    rows: 600,
    answers: 300,
    good: true,
    encoded: true,
  };
  expect(await browser.run(new URL('./pages/train.ts', import.meta.url), { routes })).toEqual({
    csv: taught,
    arrow: taught,
    blob: taught,
    parquet: taught,
    stream: 300,
    again: 'option',
    iterable: { converged: true, inertia: true },
    missing: 'data',
    files: 'backend',
    noArrow: 'format',
  });
});
