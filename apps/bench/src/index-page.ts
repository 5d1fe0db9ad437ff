// Runs in the page of the bench: both indices with equally many links a point, in rounds.

import type { Points } from '@fkm/core';
import { hnswIndex } from '@fkm/index-hnsw';
import { type Contender, leastEf, neighbours, type Outcome, recall } from './equal-recall.ts';
import { interleave, type Side } from './interleave.ts';

/** The part of hnswlib-wasm that is used. */
interface Library {
  readonly HierarchicalNSW: new (
    space: 'l2',
    width: number,
    file: string,
  ) => {
    initIndex(count: number, m: number, efConstruction: number, seed: number): void;
    addPoint(point: Float32Array, place: number, replaceDeleted: boolean): void;
    setEfSearch(ef: number): void;
    searchKnn(row: Float32Array, count: number, filter: undefined): { readonly neighbors: number[] };
  };
}

const [links, efConstruction] = [16, 100];

async function pointsOf(path: string, width: number): Promise<Points> {
  const data = new Float32Array(await (await fetch(path)).arrayBuffer());
  return { data, shape: [data.length / width, width] };
}

const rowsOf = ({ data, shape: [n, width] }: Points): Float32Array[] =>
  Array.from({ length: n }, (_, i) => data.subarray(i * width, (i + 1) * width));

async function ours(grid: Points, rows: number): Promise<Contender> {
  const index = hnswIndex({ m: links, efConstruction });
  const start = performance.now();
  await index.build(grid);
  const build = (performance.now() - start) / 1000;
  const find: Contender['find'] = async (X, ef) =>
    (await index.search(X, neighbours, ef === undefined ? {} : { ef })).indices;
  return { name: `hnswIndex, Chromium, ${index.kernel}`, note: '', build, find, rows };
}

async function theirs(grid: Points, queries: Points): Promise<Contender> {
  // A name that the bundler does not follow.
  const path = '/hnswlib/hnswlib.js';
  const { loadHnswlib } = (await import(path)) as { loadHnswlib: () => Promise<Library> };
  const { HierarchicalNSW } = await loadHnswlib();
  const [count, width] = grid.shape;
  const index = new HierarchicalNSW('l2', width, '');
  const start = performance.now();
  index.initIndex(count, links, efConstruction, 1);
  for (const [k, row] of rowsOf(grid).entries()) index.addPoint(row, k, false);
  const build = (performance.now() - start) / 1000;
  const rows = rowsOf(queries);
  const find: Contender['find'] = async (_, ef) => {
    if (ef !== undefined) index.setEfSearch(ef);
    return rows.flatMap((row) => index.searchKnn(row, neighbours, undefined).neighbors);
  };
  return { name: 'hnswlib-wasm, Chromium', note: '', build, find, rows: rows.length };
}

export async function run({
  width,
  rounds,
  truth,
}: {
  readonly width: number;
  readonly rounds: number;
  readonly truth: readonly number[];
}): Promise<Outcome[]> {
  const [grid, queries] = [await pointsOf('/grid', width), await pointsOf('/queries', width)];
  const both = [await ours(grid, queries.shape[0]), await theirs(grid, queries)];
  const sides = await Promise.all(
    both.map(async (side) => ({ ...(await leastEf(side, queries, truth)), build: side.build })),
  );
  const work = sides.map(({ find }, i): [string, Side] => [
    `${i}`,
    async () => {
      const start = performance.now();
      await find(queries);
      return performance.now() - start;
    },
  ]);
  const times = await interleave(Object.fromEntries(work), rounds);
  return Promise.all(
    sides.map(async ({ find, ...side }, i) => ({
      ...side,
      times: times[i] as Outcome['times'],
      recall: recall(await find(queries), truth),
    })),
  );
}
